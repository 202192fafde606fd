-- A rule covers all that was ingested before it, from its first read on.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_define_rule('first', 'use', '{count}', tenant => 'new_rule');
SELECT aevon_test.fill('new_rule', 5, 400);
SELECT aevon_test.sweep();
SELECT aevon_test.fill('new_rule', 5, 100, 401);

SELECT aevon_define_rule('second', 'use', '{sum,min,max,avg,last}', 'n', '$.ok == true', tenant => 'new_rule');
SELECT state FROM aevon.rule_versions WHERE tenant = 'new_rule' AND rule = 'second';
SELECT event_count > 0 AS sees_old FROM aevon_windows('new_rule', NULL, 'second');
SELECT * FROM aevon_test.recount('new_rule');

-- in bounded sweeps, right at every step
SELECT more FROM aevon_sweep(10);
SELECT * FROM aevon_test.recount('new_rule');
SELECT aevon_ingest('new_rule', 'p1', 'meanwhile', 'use', '2024-03-02 00:00+00', '{"n": 1, "ok": true}');
SELECT more FROM aevon_sweep(10);
SELECT * FROM aevon_test.recount('new_rule');
SELECT aevon_test.sweep();
SELECT state FROM aevon.rule_versions WHERE tenant = 'new_rule' AND rule = 'second';
SELECT * FROM aevon_test.recount('new_rule');
SELECT count(*) FROM aevon_test.bucket_differences('new_rule');
