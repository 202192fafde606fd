-- Versions that end: what no rule needs any more is deleted by sweeps, piece by
-- piece; what is still needed is shared and stays.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
CREATE VIEW pg_temp.held AS
SELECT r.rule_versions, m.measure_key IN (SELECT c.measure_key FROM aevon.sweep_checkpoints c) AS swept, m.cleared_at IS NOT NULL AS cleared,
	(SELECT count(*) FROM aevon.series s WHERE s.measure_key = m.measure_key) AS series,
	(SELECT count(*) > 0 FROM aevon.series s LEFT JOIN aevon.buckets_1m b USING (series_key) WHERE s.measure_key = m.measure_key
		AND (b.series_key IS NOT NULL OR s.open_minutes IS NOT NULL)) AS minutes,
	(SELECT count(*) > 0 FROM aevon.series s JOIN aevon.buckets_1d b USING (series_key) WHERE s.measure_key = m.measure_key) AS days
FROM aevon.measures m JOIN (SELECT r.measure_key, string_agg(r.name || '@' || r.version || ' ' || r.state, ', ' ORDER BY r.name, r.version) AS rule_versions
	FROM aevon.rules r JOIN aevon.tenants t USING (tenant_key) WHERE t.tenant = 'ending' GROUP BY r.measure_key) r USING (measure_key)
ORDER BY r.rule_versions;
SELECT aevon_define_rule('r', 'use', '{sum}', 'n', tenant => 'ending'), aevon_define_rule('s', 'use', '{max}', '$  . n', tenant => 'ending');
SELECT aevon_test.fill('ending', 3, 200);
SELECT aevon_test.sweep();
SELECT * FROM pg_temp.held;

-- operators of the same measure: switched at once
SELECT aevon_define_rule('r', 'use', '{sum,count}', 'n', tenant => 'ending');
SELECT * FROM pg_temp.held;
-- another measure: after the sweep; both versions are there until then
SELECT aevon_define_rule('r', 'use', '{sum,last}', 'n', tenant => 'ending');
SELECT * FROM pg_temp.held;
-- replaced before it was built: never answers
SELECT aevon_define_rule('r', 'use', '{min}', 'm', tenant => 'ending');
SELECT rule, stats ? 'count' AS is_second FROM aevon_windows('ending', rule => 'r');
SELECT * FROM pg_temp.held;
SELECT aevon_test.sweep();
SELECT * FROM pg_temp.held;
-- an ended version answers by its number, by the raw log if need be; one that never was does not
SELECT v, aevon_test.try(format('SELECT * FROM aevon_windows(%L, rule => %L)', 'ending', v)) FROM unnest('{r@1,r@2,r@3,r@4,r@5,r@0,r@,r@04,r@-1,r@1@2,r@99999999999999999999,@1,@}'::text[]) v;
SELECT v, (w.stats ->> 'last') IS NOT NULL AS has_last FROM unnest('{r@3,r@4}'::text[]) v, aevon_windows('ending', rule => v) w;
SELECT * FROM aevon_test.differences('ending');

-- asked again, the same question gets a measure of its own; the one that ends
-- waits for its last snapshots
SELECT aevon_define_rule('r', 'use', '{sum,last}', 'n', tenant => 'ending');
SELECT * FROM pg_temp.held;
SELECT aevon_test.sweep();
SELECT * FROM pg_temp.held;
SELECT * FROM aevon_test.differences('ending');
-- but not for ever
CREATE FUNCTION pg_temp.sweep_a_week_later() RETURNS int LANGUAGE sql AS
$$SELECT set_config('aevon.clock', (clock_timestamp() + interval '7 days 1 minute')::text, true); SELECT measure_count FROM aevon_sweep()$$;
SELECT pg_temp.sweep_a_week_later();
SELECT * FROM pg_temp.held;
SELECT * FROM aevon_test.differences('ending');

-- an ended measure whose checkpoint is still there is taken up again
SELECT aevon_drop_rule('s', 'ending');
SELECT aevon_define_rule('s', 'use', '{max,avg}', 'n', tenant => 'ending');
SELECT * FROM pg_temp.held WHERE rule_versions LIKE '%s@%';
SELECT * FROM aevon_test.differences('ending');

-- piece by piece: more rows than one sweep deletes
SELECT aevon_drop_rule('s', 'ending');
INSERT INTO aevon.series (series_key, measure_key, tenant_key, subject_key, dims_grouping, dims_digest, dims)
SELECT nextval('aevon.series_key_seq'), r.measure_key, r.tenant_key, 1000000 + n, 0, '', '{}'
FROM generate_series(1, 60000) n, aevon.rules r JOIN aevon.tenants t USING (tenant_key) WHERE t.tenant = 'ending' AND r.name = 's' AND r.version = 2;
SELECT * FROM pg_temp.held WHERE rule_versions LIKE '%s@%';
SELECT pg_temp.sweep_a_week_later();
SELECT rule_versions, swept, cleared, series BETWEEN 1 AND 15000 AS some_series, minutes, days FROM pg_temp.held WHERE rule_versions LIKE '%s@%';
SELECT measure_count FROM aevon_sweep();
SELECT * FROM pg_temp.held WHERE rule_versions LIKE '%s@%';

-- in a transaction block a sweep gives nothing up
BEGIN;
SELECT aevon_drop_rule('r', 'ending');
SELECT measure_count FROM aevon_sweep();
SELECT * FROM pg_temp.held WHERE rule_versions LIKE 'r@5%';
ROLLBACK;

-- series with snapshots keep their names
SELECT aevon_snapshot() > 0 AS taken;
SELECT * FROM pg_temp.held WHERE rule_versions LIKE 'r@5%';
SELECT aevon_drop_rule('r', 'ending');
SELECT measure_count FROM aevon_sweep();
SELECT * FROM pg_temp.held;

-- nothing is left to do
SELECT count(*) FROM aevon.measures m WHERE m.cleared_at IS NULL AND m.measure_key NOT IN (SELECT measure_key FROM aevon.sweep_checkpoints);
