-- Odd paths and odd documents: a value or a filter that PostgreSQL's own
-- functions evaluate gives the same here; one that raises is skipped; nothing
-- fails, before a sweep or after it.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
CREATE TEMP TABLE paths (i serial, path text);
INSERT INTO paths (path) VALUES
	('a'), ('$.a'), ('$.a.b'), ('$.a.b.c'), ('lax $.a.b'), ('strict $.a'), ('strict $.a.b'), ('strict $.a[*].b'), ('$.a[*].b'),
	('$.a[0]'), ('$.a[last]'), ('$.a[-1]'), ('$.a[5]'), ('strict $.a[5]'), ('$.a[1.7]'), ('$.a[$.b]'), ('$.a[0 to $.b]'), ('$.a[$.b / 0]'),
	('$.*'), ('$.**'), ('$.**.b'), ('$.**{2}'), ('$.**{2 to last}'), ('strict $.**.b'), ('$'), ('$[*]'), ('$[0]'),
	('$.a.double()'), ('$.a[*].double()'), ('$.a.abs()'), ('-$.a'), ('+$.a'), ('$.a + $.b'), ('$.a / $.b'), ('$.a % $.b'), ('$.a * $.a'),
	('$.a.ceiling()'), ('$.a.floor()'), ('$.a.size()'), ('$.size()'), ('$.a.type()'), ('$.keyvalue().value'), ('$.keyvalue().id'), ('$.a.keyvalue().value'),
	('1'), ('-1'), ('1e131071'), ('"x"'), ('$.b'), ('$."é"'), ('$.a . b . c[1]'), ('$.a."b"'),
	('$.a == 1'), ('$.a > 1 && $.b < 3'), ('($.a > 1) is unknown'), ('!($.a == 1)'), ('exists($.a)'), ('exists($.a.b)'),
	('$.a like_regex "^a.*b$"'), ('$.a starts with "x"'), ('$ ? (@.a == 1)'), ('$ ? (@.a > 0).b'), ('$.a ? (@ > 1)'), ('$.a[*] ? (@ > 1)'),
	('$.a[*] ? (@.b > 1).b'), ('$ ? (@.a like_regex "(x+x+)+y")'), ('$.a[*] ? (@.double() > 1)'), ('strict $.a ? (@.b == 1)'),
	('$.a ? (exists(@.b ? (@ == 1)))'), ('$.a ? (@.type() == "number")'), ('$.a.b ? (@ == @)'),
	('$.a == "x"'), ('$.a != "x"'), ('$.a == "1"'), ('$.a <> 1'), ('$.a < 2'), ('$.a <= 2'), ('$.a > -1'), ('$.a >= 2.0'), ('$.b == 0.00'), ('$.a.b == 1'),
	('$.a.b != "c"'), ('$.a != 1e131071'), ('$.a > "x"'), ('$.a == null'), ('$.a != true'), ('2 > $.a'), ('strict $.a == 1'), ('strict $.b != "c"'),
	('$.a == "x".type()'), ('$.a == "é"'), ('$.a == $.b'), ('$ == 1'), ('$.a == -1'), ('$.a[*] == 1'), ('$.a + 1 == 2'), ('($.a == 1).type()'), ('$.a.type() == "null"');
CREATE TEMP TABLE documents (i serial, data jsonb);
INSERT INTO documents (data) VALUES
	('{}'), ('{"a": 1}'), ('{"a": 2, "b": 0}'), ('{"a": 2, "b": 3}'), ('{"a": "1", "b": 2}'), ('{"a": "x"}'), ('{"a": "xxxxxxxxxxxxxxxxxxxxxxxxz"}'),
	('{"a": null}'), ('{"a": true}'), ('{"a": false, "b": true}'), ('{"a": {"b": 1}}'), ('{"a": {"b": {"c": 5}}}'), ('{"a": {"b": {"c": [7, 8]}}}'),
	('{"a": [{"b": 1}, {"b": 2}]}'), ('{"a": [{"b": 1}, {}]}'), ('{"a": [1, "x"]}'), ('{"a": ["1", "2"]}'), ('{"a": ["1", "x"]}'), ('{"a": []}'),
	('{"a": [[1, 2], [3]], "b": 1}'), ('{"a": {"b": [{"c": 1}, {"c": "z"}]}}'), ('{"a": [3, 2, 1], "b": 1}'), ('{"a": 1e131071, "b": 1e131071}'),
	('{"a": 1e-16383, "b": 2}'), ('{"a": 1e308}'), ('{"a": 1e307, "b": 1e307}'), ('{"a": "1e400000"}'), ('{"a": "NaN"}'), ('{"a": "1e308"}'),
	('{"é": 4}'), ('{"a": "a\nb"}'), ('{"b": "c", "a": {"b": "c"}}'), ('{"a": -5.5, "b": -2}'), ('{"a": {"b": null}}'),
	(('{"a":' || repeat('[', 99) || '1' || repeat(']', 99) || '}')::jsonb), ((repeat('{"a":', 100) || '1' || repeat('}', 100))::jsonb);
SELECT count(aevon_define_rule('value' || i, 'use', '{sum,count,min,max,last}', path, tenant => 'any_path')) FROM paths;
SELECT count(aevon_define_rule('filter' || i, 'use', '{count}', NULL, path, tenant => 'any_path')) FROM paths;
SELECT count(aevon_ingest('any_path', 'p' || i, 'e', 'use', '2024-01-01 00:00+00', data)) FROM documents;

-- what PostgreSQL says; '"error"' for a path that raises
CREATE FUNCTION pg_temp.first_item(data jsonb, path jsonpath) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
	item jsonb := jsonb_path_query_first(data, path);
BEGIN
	RETURN CASE WHEN item IS NULL THEN '{}' ELSE jsonb_build_object('item', item) END;
EXCEPTION WHEN data_exception THEN
	RETURN '"error"';
END
$$;
CREATE FUNCTION pg_temp.first_item_or_error(data jsonb, path jsonpath) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
	RETURN pg_temp.first_item(data, path);
EXCEPTION WHEN data_exception THEN
	RETURN '"error"';
END
$$;
CREATE TEMP TABLE expected AS
SELECT p.i AS path_number, d.i AS document, e.found,
	CASE WHEN jsonb_typeof(e.found -> 'item') = 'number' AND abs((e.found ->> 'item')::numeric) < 1e308
		AND scale(trim_scale((e.found ->> 'item')::numeric)) <= 308 THEN (e.found ->> 'item')::numeric END AS number,
	CASE WHEN e.found = '"error"' THEN NULL
		WHEN aevon_test.path(p.path)::text ~ '^(strict )?\$.*\?\(.*\)$' THEN e.found ? 'item'
		WHEN e.found -> 'item' = 'true' THEN true
		WHEN NOT e.found ? 'item' OR e.found -> 'item' IN ('false', 'null') THEN false END AS matches
FROM paths p, documents d, pg_temp.first_item_or_error(d.data, aevon_test.path(p.path)) AS e (found);
SELECT count(*) FILTER (WHERE found = '"error"') > 500 AS errors, count(number) > 300 AS numbers, count(*) FILTER (WHERE matches) > 100 AS matches FROM expected;
CREATE VIEW pg_temp.wrong AS
WITH answers AS (
	SELECT d.i AS document, r.key AS rule, (r.value ->> 'skipped')::int AS skipped,
		(r.value #>> '{values,0,event_count}')::int AS event_count, (r.value #>> '{values,0,stats,sum}')::numeric AS sum
	FROM documents d, jsonb_each(aevon_state('any_path', 'p' || d.i) -> 'rules') r)
SELECT p.path, d.data, e.found, a.event_count, a.skipped, a.sum
FROM expected e JOIN paths p ON p.i = e.path_number JOIN documents d ON d.i = e.document
	JOIN answers a ON a.document = e.document AND a.rule = 'value' || e.path_number
WHERE (a.event_count, a.skipped, a.sum) IS DISTINCT FROM (1, (e.number IS NULL)::int, coalesce(e.number, 0))
UNION ALL
SELECT p.path, d.data, e.found, a.event_count, a.skipped, NULL
FROM expected e JOIN paths p ON p.i = e.path_number JOIN documents d ON d.i = e.document
	JOIN answers a ON a.document = e.document AND a.rule = 'filter' || e.path_number
WHERE (a.event_count, a.skipped) IS DISTINCT FROM ((e.matches IS NOT FALSE)::int, (e.matches IS NULL)::int);
SELECT * FROM pg_temp.wrong;
SELECT aevon_test.sweep();
SELECT * FROM pg_temp.wrong;
SELECT count(*) AS buckets FROM aevon.pre_aggregates WHERE tenant = 'any_path' AND principal = 'p1' AND rule LIKE 'value%';

-- long and deep paths, within a small stack
SELECT aevon_define_rule('deep' || n, 'deep', '{count}', NULL, path, tenant => 'any_path')
FROM unnest(ARRAY['$.**' || repeat('.a', 240) || ' ? (@ == 1)', '$ ? (' || repeat('!(', 200) || '@.**.b == 1' || repeat(')', 200) || ')',
	repeat('-', 200) || '$.**.a', '$.a == 1' || repeat(' || $.a == 1', 240), 'strict $' || repeat('.a ? (@ == @)', 110)]) WITH ORDINALITY AS p (path, n);
SELECT aevon_ingest('any_path', 'p' || i, 'deep', 'deep', '2024-01-01 00:00+00', data) FROM documents WHERE i > 34 ORDER BY i;
SET max_stack_depth = '300kB';
SELECT rule, event_count FROM aevon_windows('any_path') WHERE rule LIKE 'deep%' ORDER BY rule;
RESET max_stack_depth;

-- a document over which a path could exhaust memory or time is not evaluated
SELECT aevon_define_rule('big' || n, 'big', '{count}', NULL, path, tenant => 'any_path')
FROM unnest(ARRAY['$.a[*] ? (@ == $.b)', '$.a == $.b', '$.** ? (@.a == @.b)', '$.a[0, 0][0, 0] ? (@ == 1)', '$.a[*] ? (@ == 2)', '$.a[*] == 2',
	'$.** ? (@ == 2)']) WITH ORDINALITY AS p (path, n);
SELECT aevon_ingest('any_path', 'big' || n, 'big', 'big', '2024-01-01 00:00+00',
	jsonb_build_object('a', (SELECT jsonb_agg(i) FROM generate_series(1, n) i), 'b', (SELECT jsonb_agg(-i) FROM generate_series(1, n) i)))
FROM unnest('{10,400,900,1100,4900,5100,25000}'::int[]) n;
SELECT rule, string_agg(replace(principal, 'big', '') || ': ' || (r.value #>> '{values,0,event_count}') || '/' || (r.value ->> 'skipped'), ', '
	ORDER BY length(principal), principal) AS "n: event_count/skipped"
FROM (SELECT DISTINCT principal FROM aevon.events WHERE tenant = 'any_path' AND event_type = 'big') p,
	jsonb_each(aevon_state('any_path', principal) -> 'rules') AS r (rule, value)
WHERE rule LIKE 'big%' GROUP BY rule ORDER BY rule;

-- cancelling is no evaluation error, and dropping a slow rule ends its cost
SELECT aevon_define_rule('slow', 'slow', '{count}', NULL, '$.a like_regex "(a|b)*a((a|b){250}){40}c"', tenant => 'any_path');
SELECT aevon_ingest('any_path', 'p', 'slow', 'slow', '2024-01-01 00:00+00', jsonb_build_object('a',
	(SELECT string_agg(translate(md5(i::text), '0123456789cdef', 'aaaaaaabbbbbbb'), '') FROM generate_series(1, 1000) i)));
SET statement_timeout = '100ms';
SELECT aevon_state('any_path', 'p', 'slow');
SELECT * FROM aevon_sweep();
RESET statement_timeout;
SELECT aevon_drop_rule('slow', 'any_path');
SELECT count(aevon_drop_rule(rule, tenant)) FROM aevon.rule_versions WHERE tenant = 'any_path' AND state = 'active';
SELECT aevon_test.sweep();
