-- What a rule may not be, each with its SQLSTATE, message, detail and hint.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
CREATE FUNCTION refusal(command text, OUT state text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	state := 'ok';
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END
$$;
\pset format unaligned
\x on
-- names
SELECT left(name, 20) AS name, r.*
FROM unnest(ARRAY[NULL, '', 'a@1', '@', repeat('ä', 256), repeat('ä', 255), E'a\tb', E'a\x7f', ' ', '*']) WITH ORDINALITY AS n (name, i),
	refusal(format('SELECT aevon_define_rule(%L, %L, %L, tenant => %L)', name, 'use', '{count}', 'checked')) r
ORDER BY i;
SELECT r.* FROM unnest(ARRAY[NULL, '', repeat('x', 256), E'a\nb', '*']) WITH ORDINALITY AS n (event_type, i),
	refusal(format('SELECT aevon_define_rule(%L, %L, %L, tenant => %L)', 'r', event_type, '{count}', 'checked')) r
ORDER BY i;
SELECT r.* FROM unnest(ARRAY['', '*', repeat('x', 256), E'a\nb']) WITH ORDINALITY AS n (tenant, i),
	refusal(format('SELECT aevon_define_rule(%L, %L, %L, tenant => %L)', 'r', 'use', '{count}', tenant)) r
ORDER BY i;

-- operators
SELECT operators, r.* FROM unnest(ARRAY[NULL, '{}', '{count,NULL}', '{count,count}', '{{count,sum},{min,max}}', '{total}', '{COUNT}',
	'{""}', '{" count"}', '{p}', '{p0}', '{p0.0}', '{p100}', '{p99.}', '{p9x}', '{p-1}', '{p050}', '{p50.0}', '{p.5}', '{p99.99999}', '{p95,p95}']) WITH ORDINALITY AS n (operators, i),
	refusal(format('SELECT aevon_define_rule(%L, %L, %L, %L, tenant => %L)', 'r', 'use', operators, 'n', 'checked')) r
ORDER BY i;
SELECT operators, r.* FROM unnest(ARRAY['{sum}', '{count,min}', '{max}', '{avg}', '{last}']) WITH ORDINALITY AS n (operators, i),
	refusal(format('SELECT aevon_define_rule(%L, %L, %L, tenant => %L)', 'r', 'use', operators, 'checked')) r
ORDER BY i;

-- paths
CREATE TEMP TABLE paths (i serial, path text);
INSERT INTO paths (path) VALUES (''), (' '), ('a b'), ('a.b'), ('1a'), ('$.'), ('$.a['), ('$.a.double('), ('@'), ('$x'), ('$.a[$x]'),
	('$.a ? (@ > $limit)'), ('$.a.datetime()'), ('$.a.datetime("HH24")'), ('$.a ? (@.b.datetime() > 1)'),
	('$ ? (exists(@.a ? (!(@.b.datetime() == 1))))'), ('$.a[0 to $.b.datetime()]'), ('-$.a.datetime()'),
	('$.a + $.b.datetime()'), ('($.a.datetime() > 1) is unknown'), ('$.a.datetime() like_regex "x"'), ('$.a.datetime() starts with "x"'),
	('$.a like_regex "("'), ('$.a like_regex "a" flag "x"'), ('$.a like_regex "(x)\\1"'), ('$.a ? (!(@.b like_regex "(?!x)y"))'), ('$.a like_regex "(?<=x)y" flag "i"'),
	('$.a[1e400000]'), ('$."\u0000"'),
	('$.**.**.**'), ('$.a.**.** ? (exists(@.**))'), ('$' || repeat('[0,0]', 14)), ('$' || repeat('.keyvalue()', 9)),
	('$[*] ? ($[*] == @)'), ('$.a[*] ? (@ == $.b[*])'), ('$.a[*] ? (exists($.b[0 to last] ? (@ > 1)))'), ('$.a[*] == $.b[*]'),
	('$.a[*] ? (@.b[*] == @.c.*)'), ('strict $.* ? (@.x > 1 && $.**.y == 2)'), ('$' || repeat('.a', 250)), (repeat('-', 300) || '$.a'), (repeat('x', 4001));
SELECT left(path, 40) AS path, r.* FROM paths,
	refusal(format('SELECT aevon_define_rule(%L, %L, %L, %L, tenant => %L)', 'r', 'use', '{sum}', path, 'checked')) r
ORDER BY i;
-- these go through lists once
SELECT count(aevon_define_rule('once' || n, 'use', '{count}', NULL, path, tenant => 'checked_once'))
FROM unnest(ARRAY['$.items[*].price', '$.items[*] ? (@.price > 3)', '$.items[*] ? (@.price > $.limit)', '$ ? (@.items[*].price > 3)',
	'$.items[*] ? (exists(@.parts[*] ? (@.n > 1)))', '$.a[*] == 1 && $.b[*] == 1', '$.a[*] ? (@.b[*] == @.c)']) WITH ORDINALITY AS p (path, n);
SELECT count(aevon_drop_rule(rule, tenant)) FROM aevon.rule_versions WHERE tenant = 'checked_once' AND state <> 'retired';
SELECT r.* FROM refusal($$SELECT aevon_define_rule('r', 'use', '{count}', NULL, '$.a ==', tenant => 'checked')$$) r;
SELECT r.* FROM refusal($$SELECT aevon_define_rule('r', 'use', '{count}', NULL, '$.a.datetime() > 1', tenant => 'checked')$$) r;

-- dimensions
SELECT dimensions, r.* FROM unnest(ARRAY['[]', '"a"', '1', '{"a": 1}', '{"a": null}', '{"": "$.a"}', '{"a": "$."}', '{"a": "$.a.datetime()"}', '{"a": "$"}']) WITH ORDINALITY AS n (dimensions, i),
	refusal(format('SELECT aevon_define_rule(%L, %L, %L, dimensions => %L, tenant => %L)', 'r', 'use', '{count}', dimensions, 'checked')) r
ORDER BY i;

-- dropping
SELECT r.* FROM unnest(ARRAY[$$NULL$$, $$'never'$$, $$'never', 'checked'$$, $$'never', 'no such tenant'$$]) WITH ORDINALITY AS n (arguments, i),
	refusal(format('SELECT aevon_drop_rule(%s)', arguments)) r
ORDER BY i;

-- read only
BEGIN TRANSACTION READ ONLY;
SELECT r.* FROM refusal($$SELECT aevon_define_rule('r', 'use', '{count}', tenant => 'checked')$$) r;
SELECT r.* FROM refusal($$SELECT aevon_drop_rule('r', 'checked')$$) r;
SELECT r.* FROM refusal($$SELECT aevon_load_rules('rules')$$) r;
ROLLBACK;

-- who may
CREATE ROLE rule_author;
SET ROLE rule_author;
SELECT r.* FROM unnest(ARRAY[$$aevon_define_rule('r', 'use', '{count}')$$, $$aevon_define_rule('r', 'use', '{count}', tenant => 'checked')$$,
	$$aevon_define_rule('r', 'use', '{count}', tenant => 'no such tenant')$$, $$aevon_define_rule(NULL, NULL, NULL)$$,
	$$aevon_drop_rule('*', 'checked')$$, $$aevon_drop_rule('*')$$, $$aevon_load_rules('rules')$$]) WITH ORDINALITY AS n (call, i),
	refusal('SELECT ' || call) r
ORDER BY i;
RESET ROLE;
SELECT aevon_grant('checked', 'rule_author', 'operate');
SET ROLE rule_author;
SELECT r.* FROM unnest(ARRAY[$$aevon_define_rule('r', 'use', '{count}')$$, $$aevon_define_rule('authored', 'use', '{count}', tenant => 'checked')$$,
	$$aevon_define_rule('r', 'use', '{count}', tenant => 'unchecked')$$, $$aevon_load_rules('rules')$$]) WITH ORDINALITY AS n (call, i),
	refusal('SELECT ' || call) r
ORDER BY i;
RESET ROLE;
SELECT aevon_grant('*', 'rule_author', 'operate');
SET ROLE rule_author;
SELECT r.* FROM unnest(ARRAY[$$aevon_define_rule('r', 'use', '{count}', tenant => 'unchecked')$$, $$aevon_drop_rule('r', 'unchecked')$$,
	$$aevon_load_rules('rules')$$]) WITH ORDINALITY AS n (call, i),
	refusal('SELECT ' || call) r
ORDER BY i;
RESET ROLE;
\x off
\pset format aligned

-- what was defined
SELECT tenant, left(rule, 20) AS rule, version, event_type, value, defined_by = 'rule_author' AS by_author
FROM aevon.rule_versions WHERE tenant IN ('checked', 'unchecked') ORDER BY tenant, rule, version;
SELECT count(aevon_drop_rule(rule, tenant)) FROM aevon.rule_versions WHERE tenant = 'checked' AND state = 'active';
SELECT aevon_revoke('checked', 'rule_author', 'operate'), aevon_revoke('*', 'rule_author', 'operate');
DROP ROLE rule_author;
DROP FUNCTION refusal(text);
