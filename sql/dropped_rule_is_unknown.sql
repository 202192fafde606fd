-- A dropped rule is unknown until it is defined again, as its next version,
-- which covers everything again; the events stay.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_define_rule('r', 'use', '{sum}', 'n', tenant => 'dropped');
SELECT aevon_test.fill('dropped', 2, 100);
SELECT aevon_test.sweep();
SELECT aevon_drop_rule('r', 'dropped');
SELECT statement, aevon_test.try(statement)
FROM unnest(ARRAY[$$SELECT * FROM aevon_windows('dropped', rule => 'r')$$, $$SELECT aevon_state('dropped', rule => 'r')$$,
	$$SELECT aevon_drop_rule('r', 'dropped')$$, $$SELECT aevon_drop_rule('r')$$,
	$$SELECT aevon_drop_rule('never', 'dropped')$$, $$SELECT aevon_drop_rule(NULL, 'dropped')$$]) statement;
SELECT count(*) FROM aevon_windows('dropped');
SELECT aevon_state('dropped') -> 'rules' AS rules;
SELECT rule, version, state, retired_at IS NOT NULL AS ended FROM aevon.rule_versions WHERE tenant = 'dropped';
SELECT count(*) FROM aevon.pre_aggregates WHERE tenant = 'dropped';
SELECT count(*) FROM aevon.events WHERE tenant = 'dropped';
SELECT aevon_test.sweep();

SELECT aevon_define_rule('r', 'use', '{sum}', 'n', tenant => 'dropped');
SELECT * FROM aevon_test.recount('dropped');
SELECT aevon_test.sweep();
SELECT rule, version, state FROM aevon.rule_versions WHERE tenant = 'dropped' ORDER BY version;
SELECT * FROM aevon_test.recount('dropped');
SELECT count(*) FROM aevon_test.bucket_differences('dropped');

-- dropped and defined again at once, and in one transaction with ingest
SELECT aevon_drop_rule('r', 'dropped');
SELECT aevon_define_rule('r', 'use', '{sum}', 'n', tenant => 'dropped');
SELECT * FROM aevon_test.recount('dropped');
BEGIN;
SELECT aevon_ingest('dropped', 'p0', 'x', 'use', '2024-03-01 00:00+00', '{"n": 1}');
SELECT aevon_drop_rule('r', 'dropped');
SELECT aevon_define_rule('r', 'use', '{min}', 'n', tenant => 'dropped');
SELECT aevon_ingest('dropped', 'p0', 'y', 'use', '2024-03-01 00:00+00', '{"n": 1}');
SELECT * FROM aevon_test.recount('dropped');
COMMIT;
SELECT aevon_test.sweep();
SELECT * FROM aevon_test.recount('dropped');

-- undone by a rollback
BEGIN;
SELECT aevon_drop_rule('r', 'dropped');
SELECT count(*) FROM aevon_windows('dropped');
ROLLBACK;
SELECT * FROM aevon_test.recount('dropped');

-- rules that ask for the same share a measure, which outlives one of them
SELECT aevon_define_rule('s', 'use', '{max}', 'n', tenant => 'dropped');
SELECT count(DISTINCT measure_key) AS measures FROM aevon.rules
WHERE tenant_key = (SELECT tenant_key FROM aevon.tenants WHERE tenant = 'dropped') AND state <> 'retired';
SELECT aevon_drop_rule('r', 'dropped');
SELECT * FROM aevon_test.recount('dropped');
SELECT aevon_test.sweep();
SELECT * FROM aevon_test.recount('dropped');
