-- A changed rule is a new version with buckets of its own: the old version
-- answers until the new one has caught up, and nothing of it stays behind.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
-- all minutes are closed
SET aevon.open_minutes = 0;
SELECT aevon_define_rule('r', 'use', '{sum,count}', 'a', tenant => 'changed_rule');
SELECT aevon_ingest('changed_rule', 'p', 'e1', 'use', '2024-01-01 00:00+00', '{"a": 1, "b": 100}');
SELECT aevon_ingest('changed_rule', 'p', 'e2', 'use', '2024-01-01 00:01+00', '{"a": 2, "b": 200}');
SELECT aevon_test.sweep();
SELECT value, stats FROM aevon_windows('changed_rule', 'p', 'r');

-- the same again is no change
SELECT aevon_define_rule('r', 'use', '{sum,count}', 'a', tenant => 'changed_rule');

-- another value
SELECT aevon_define_rule('r', 'use', '{sum,count}', 'b', tenant => 'changed_rule');
SELECT rule, version, state FROM aevon.rule_versions WHERE tenant = 'changed_rule' ORDER BY version;
SELECT value, stats FROM aevon_windows('changed_rule', 'p', 'r');
SELECT value, stats FROM aevon_windows('changed_rule', 'p', 'r@2');
SELECT aevon_ingest('changed_rule', 'p', 'e3', 'use', '2024-01-01 00:02+00', '{"a": 4, "b": 400}');
SELECT value, stats FROM aevon_windows('changed_rule', 'p', 'r');
SELECT * FROM aevon_test.recount('changed_rule');
SELECT aevon_test.sweep();
SELECT rule, version, state FROM aevon.rule_versions WHERE tenant = 'changed_rule' ORDER BY version;
SELECT value, stats FROM aevon_windows('changed_rule', 'p', 'r');
SELECT * FROM aevon_test.recount('changed_rule');
SELECT count(*) FROM aevon_test.bucket_differences('changed_rule');

-- back to the first definition: a third version, right again
SELECT aevon_define_rule('r', 'use', '{sum,count}', 'a', tenant => 'changed_rule');
SELECT aevon_test.sweep();
SELECT rule, version, state FROM aevon.rule_versions WHERE tenant = 'changed_rule' ORDER BY version;
SELECT value, stats FROM aevon_windows('changed_rule', 'p', 'r');
SELECT * FROM aevon_test.recount('changed_rule');

-- another filter, another type, other operators
SELECT aevon_define_rule('r', 'use', '{avg,last,max}', 'a', '$.b > 150', tenant => 'changed_rule');
SELECT aevon_test.sweep();
SELECT value, stats FROM aevon_windows('changed_rule', 'p', 'r');
SELECT aevon_define_rule('r', 'other', '{sum}', 'a', tenant => 'changed_rule');
SELECT aevon_test.sweep();
SELECT value, stats FROM aevon_windows('changed_rule', 'p', 'r');
SELECT * FROM aevon_test.recount('changed_rule');

-- what retired versions held goes once their last days are in snapshots
SELECT aevon_snapshot() > 0 AS taken;
SELECT aevon_test.sweep();
SELECT count(*) FROM aevon.buckets_1m b JOIN aevon.series s USING (series_key) JOIN aevon.tenants t USING (tenant_key)
WHERE t.tenant = 'changed_rule'
	AND s.measure_key NOT IN (SELECT measure_key FROM aevon.rules WHERE state <> 'retired');
SELECT rule, value FROM unnest('{1,2,3,4}'::int[]) v, aevon_history('changed_rule', 'p', 'r@' || v) ORDER BY v;
