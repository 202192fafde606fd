-- Answers filtered and grouped by dimensions, and aevon_top, are the recount:
-- in the tail, half swept, swept, past unswept voids and after a rebuild.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_define_rule('two', 'use', '{sum,count,min,max,avg,last}', 'n', dimensions => '{"kind": "kind", "ok": "$.a.ok"}', tenant => 'slices');
SELECT aevon_define_rule('three', '*', '{count,distinct,p50,p99}', 'n', dimensions => '{"c": "$.c[*]", "kind": "kind", "ok": "$.a.ok"}', rollups => '{kind}', tenant => 'slices');
SELECT aevon_define_rule('one', 'use', '{max}', 'n', filter => '$.n > 0', dimensions => '{"kind": "$.kind"}', tenant => 'slices');
SELECT aevon_define_rule('none', 'use', '{avg}', 'n', dimensions => '{"b": "$.b", "kind": "$.kind"}', rollups => '{}', tenant => 'slices');
SELECT aevon_define_rule('plain', 'use', '{sum,count,min,max,avg,last}', 'n', tenant => 'slices');
-- every form that a value may have
CREATE TEMP TABLE forms AS
SELECT row_number() OVER () AS i, v::jsonb AS data FROM unnest(ARRAY[
	'{"kind": "x", "a": {"ok": true}, "n": 1}', '{"kind": "X", "a": {"ok": false}, "n": 2}', '{"kind": "", "a": {"ok": null}, "n": 3}',
	'{"kind": 1, "n": 4}', '{"kind": 1.0, "a": {"ok": "true"}, "n": 5}', '{"kind": 1.00, "a": [], "n": "6"}', '{"kind": "1"}',
	'{"kind": -0.0}', '{"kind": 0}', '{"kind": 1e3}', '{"kind": 1000}', '{"kind": 100000000000000000000000000000.5}',
	'{"kind": {"x": 1}, "n": 7}', '{"kind": ["x"], "n": 8}', '{"kind": [], "n": 9}', '{"kind": null, "n": 10}', '{}',
	'{"kind": "__other__", "n": 11}', '{"kind": "x\u00e9\u4e2d", "n": 12}', '{"kind": "a\"b\\c", "n": 13}',
	'{"c": [1, 2], "kind": "x"}', '{"c": [], "kind": "x"}', '{"c": [[1], 2], "kind": "x"}', '{"c": "s", "kind": "x"}']) v;
INSERT INTO forms SELECT 100, jsonb_build_object('kind', repeat('y', 1000), 'n', 14);
INSERT INTO forms SELECT 101, jsonb_build_object('kind', repeat('y', 1001), 'n', 15);
INSERT INTO forms SELECT 102, jsonb_build_object('kind', repeat('é', 501), 'n', 16);
-- groups in order; what is too long is folded together, and told from the string
CREATE FUNCTION kinds() RETURNS TABLE (dims jsonb, length integer, event_count bigint, stats jsonb) LANGUAGE sql AS $$
	SELECT left(replace(w.dims::text, repeat('y', 1000), 'yyy'), 60)::jsonb, length(w.dims::text), w.event_count, w.stats
	FROM aevon_windows('slices', rule => 'one', group_by => '{kind}') w
$$;
SELECT sum((aevon_ingest('slices', 'p' || i % 3, 'f' || i, 'use', '2024-03-01 00:00+00'::timestamptz + i * interval '7 seconds', data) = 'accepted')::int) FROM forms;
SELECT * FROM kinds();
SELECT left(key, 20), event_count, value, stats FROM aevon_top('slices', 'one', 4, of => 'kind');
SELECT rank, left(key, 20) AS key, event_count, value FROM aevon_top('slices', 'two', 20, 'count', 'kind');
SELECT dims, event_count, value FROM aevon_windows('slices', rule => 'two', dims => '{"kind": [1.000, "1", null]}', group_by => '{ok,kind}');
SELECT r -> 'complete' AS complete, r #> '{values,0,event_count}' AS events, r -> 'skipped' AS skipped FROM
	(VALUES (NULL), ('{"kind": "x"}'), ('{"kind": "__other__"}'), ('{"kind": []}'), ('{"kind": null, "ok": null}')) f (filter)
	CROSS JOIN LATERAL (SELECT aevon_state('slices', rule => 'two', dims => filter::jsonb, group_by => CASE WHEN filter IS NULL THEN '{}'::text[] END) #> '{rules,two}' AS r) s;
SELECT r -> 'complete' AS complete FROM (SELECT aevon_state('slices', rule => 'two', since => '2024-03-01 00:00:30+00',
	until => '2024-03-01 00:05:00+00', dims => '{"kind": "x"}') #> '{rules,two}' AS r) s;
-- a rule is asked that has all dimensions; nothing is grouped without names
SELECT DISTINCT rule FROM aevon_windows('slices', group_by => '{kind,ok}') ORDER BY 1;
SELECT DISTINCT rule, dims FROM aevon_windows('slices', dims => '{}', group_by => '{}') ORDER BY 1;
SELECT count(*) FROM aevon_windows('slices', 'nobody', 'two', group_by => '{kind}');
SELECT dims, event_count FROM aevon_windows('slices', 'nobody', 'two', dims => '{"kind": "x"}');
SELECT count(*) FROM aevon_top('slices', 'two', since => '2025-01-01');

-- random events: in the tail, then swept in portions, then with voids
CREATE FUNCTION fill(portion integer) RETURNS bigint LANGUAGE sql AS $$
	SELECT accepted FROM aevon_ingest_batch('slices', (SELECT jsonb_agg(jsonb_build_object('principal', 'p' || (hashint4(i + 1) & 3),
		'event_id', 'e' || i, 'event_type', CASE hashint4(i + 2) & 7 WHEN 0 THEN 'other' ELSE 'use' END,
		'occurred_at', '2024-03-01 00:00+00'::timestamptz + (hashint4(i + 3) & 4095) * interval '31.7 seconds',
		'data', jsonb_build_object('n', (hashint4(i + 4) & 1023) / 8.0 - 20, 'kind', 'k' || (hashint4(i + 5) & 7), 'c', hashint4(i + 6) & 1,
			'a', jsonb_build_object('ok', (hashint4(i + 7) & 1) = 1), 'b', hashint4(i + 8) & 3)))
		FROM generate_series(portion * 60, portion * 60 + 59) i))
$$;
CREATE TEMP TABLE asked (rule text, filter jsonb, names text[]);
CREATE TEMP TABLE kept (place bigint, answer jsonb);
CREATE FUNCTION differences() RETURNS TABLE (what text, differs text) LANGUAGE sql AS $$
	SELECT 'slice', d::text FROM aevon_test.slice_differences('slices', 300) d
	UNION ALL SELECT 'top', d::text FROM aevon_test.top_differences('slices', 40) d
	UNION ALL SELECT 'plain', d::text FROM aevon_test.differences('slices', granularities => '{total}') d
	UNION ALL SELECT 'state', d::text FROM aevon_test.state_differences('slices') d
$$;
-- all answers by dimensions, to be kept and compared
CREATE FUNCTION answers(t timestamptz DEFAULT NULL) RETURNS TABLE (place bigint, answer jsonb) LANGUAGE sql AS $$
	SELECT row_number() OVER (), to_jsonb(w) FROM (VALUES (NULL), ('p1')) p (principal)
		CROSS JOIN LATERAL (SELECT * FROM asked s ORDER BY s.rule, s.filter, s.names) s
		CROSS JOIN LATERAL aevon_windows('slices', principal, s.rule, '2024-03-01 00:00:10+00', '2024-03-02 11:59:59.5+00', '6h', t,
			s.filter, s.names) WITH ORDINALITY w
$$;
CREATE FUNCTION keep() RETURNS boolean LANGUAGE sql AS $$
	TRUNCATE asked, kept;
	INSERT INTO asked SELECT * FROM aevon_test.slices_of('slices');
	INSERT INTO kept SELECT * FROM answers();
	SELECT count(*) > 1000 FROM kept
$$;
CREATE FUNCTION changed(t timestamptz DEFAULT NULL) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM kept k FULL JOIN answers(t) a USING (place) WHERE k.answer IS DISTINCT FROM a.answer
$$;
SELECT fill(1);
SELECT * FROM differences();
SELECT keep();
SELECT aevon_test.sweep();
SELECT changed();
SELECT * FROM kinds() WHERE dims ? '__other__' OR dims @> '{"kind": "x"}';
SELECT * FROM differences();
SELECT fill(2), fill(3);
SELECT aevon_void('slices', p.principal, e.event_id, 'wrong') FROM aevon.event_log e JOIN aevon.principals p USING (principal_key)
	JOIN aevon.tenants t ON t.tenant_key = e.tenant_key WHERE t.tenant = 'slices' AND hashtext(e.event_id) % 9 = 1 \g /dev/null
SELECT * FROM differences();
SELECT keep();
SELECT event_count > 0 AS swept FROM aevon_sweep(70);
SELECT changed();
SELECT * FROM differences();
SELECT aevon_test.sweep();
SELECT changed();
SELECT * FROM differences();
-- from the log and from the series alike: what a principal's few events answer, and
-- what they would if many of other types were found among them
SET aevon.slices_from_log = off;
SELECT changed();
SELECT * FROM differences();
RESET aevon.slices_from_log;
SELECT sum((aevon_ingest('slices', 'p' || i % 4, 'noise' || i, 'noise', '2024-03-01 00:00+00'::timestamptz + i * interval '13 seconds', '{}') = 'accepted')::int)
	FROM generate_series(1, 6000) i;
SELECT * FROM differences();
SELECT aevon_test.sweep();
SELECT keep();
SET aevon.slices_from_log = off;
SELECT changed();
RESET aevon.slices_from_log;
SELECT aevon_rebuild('two', 'slices'), aevon_rebuild('three', 'slices');
SELECT * FROM differences();
SELECT aevon_test.sweep();
SELECT changed();

-- weeks and zones
SELECT * FROM aevon_test.slice_differences('slices', 400, granularities => '{1d,1w,1mo,90m}', zones => '{Asia/Kathmandu,America/St_Johns}');

-- what was known before: late events, and voids, of minutes already swept
SELECT pg_sleep(0.01) \g /dev/null
SELECT clock_timestamp() AS then \gset
SELECT fill(4), fill(5);
SELECT aevon_void('slices', p.principal, e.event_id, 'wrong') FROM aevon.event_log e JOIN aevon.principals p USING (principal_key)
	JOIN aevon.tenants t ON t.tenant_key = e.tenant_key WHERE t.tenant = 'slices' AND hashtext(e.event_id) % 9 = 2 \g /dev/null
SELECT changed() > 0 AS changed, changed(:'then');
SELECT aevon_test.sweep();
SELECT changed() > 0 AS changed, changed(:'then');
SET aevon.slices_from_log = off;
SELECT changed() > 0 AS changed, changed(:'then');
RESET aevon.slices_from_log;
SELECT * FROM differences();

-- a minute of which only one series is opened
SELECT aevon_ingest('slices', 'p1', 'o' || i, 'use', '2024-03-01 12:34:10+00', jsonb_build_object('kind', 'o' || i, 'n', i)) FROM generate_series(1, 2) i \g /dev/null
SELECT aevon_test.sweep(), pg_sleep(0.01) \g /dev/null
SELECT clock_timestamp() AS then \gset
SELECT aevon_ingest('slices', 'p1', 'o3', 'use', '2024-03-01 12:34:30+00', '{"kind": "o1", "n": 3}') \g /dev/null
SELECT aevon_test.sweep() \g /dev/null
SELECT rule, dims, event_count FROM aevon_windows('slices', group_by => '{kind}', dims => '{"kind": ["o1", "o2"]}', as_of => :'then') WHERE rule IN ('one', 'two');
SELECT rule, dims, event_count FROM aevon_windows('slices', 'p1', group_by => '{kind}', dims => '{"kind": ["o1", "o2"]}', as_of => :'then') WHERE rule IN ('one', 'two');

-- another tenant's events, under a rule for all
BEGIN;
SELECT aevon_define_rule('all', 'use', '{count}', dimensions => '{"kind": "kind", "b": "b"}');
SELECT aevon_ingest('slices2', 'stranger', 'e1', 'use', '2024-03-01 00:00+00', '{"kind": "k1", "b": "secret"}');
SELECT count(*) FILTER (WHERE dims ->> 'b' = 'secret') AS foreign_groups, count(*) > 5 AS groups FROM aevon_windows('slices', rule => 'all', group_by => '{b,kind}');
SELECT aevon_test.sweep();
SELECT count(*) FILTER (WHERE dims ->> 'b' = 'secret') AS foreign_groups, count(*) > 5 AS groups FROM aevon_windows('slices', rule => 'all', group_by => '{b,kind}');
SELECT * FROM aevon_top('slices2', 'all', of => 'b');
SELECT * FROM aevon_top('slices2', 'all');
SELECT count(*) FROM aevon_top('slices', 'all') WHERE key = 'stranger';
SELECT * FROM aevon_test.slice_differences('slices2', 10);
ROLLBACK;
