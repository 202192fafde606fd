-- aevon.max_series_per_rule bounds what each tenant has of a rule: under a rule
-- of all tenants one that floods it takes nothing from the others, nor do they
-- learn of it.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
-- other tests' events are not for so small a guard
SELECT aevon_test.sweep();
SELECT aevon_define_rule('flooded', 'flood', '{count,sum}', 'n', dimensions => '{"a": "a"}');
SET aevon.max_series_per_rule = 60;
CREATE FUNCTION flood(of_tenant text, first integer, many integer) RETURNS bigint LANGUAGE sql AS $$
	SELECT accepted FROM aevon_ingest_batch(of_tenant, (SELECT jsonb_agg(jsonb_build_object('principal', 'p' || i % 2, 'event_id', 'e' || i,
		'event_type', 'flood', 'occurred_at', '2024-06-01 00:00+00'::timestamptz + i * interval '97 seconds',
		'data', jsonb_build_object('n', i, 'a', 'a' || i % many)) ORDER BY i) FROM generate_series(first, first + 99) i))
$$;
CREATE VIEW counts AS SELECT tenant, series_full, series_count, (SELECT count(*) FROM aevon.series s
	WHERE s.measure_key = c.measure_key AND s.tenant_key = c.tenant_key AND s.dims <> '{}') AS counted
	FROM aevon.series_counts c JOIN aevon.tenants USING (tenant_key) JOIN aevon.rules r USING (measure_key) WHERE r.name = 'flooded';
CREATE VIEW folded AS SELECT t AS tenant, count(*) AS groups, sum(event_count) AS events, sum(event_count) FILTER (WHERE dims ? '__other__') AS folded
	FROM unnest('{flood_calm,flood_late,flood_loud}'::text[]) t CROSS JOIN LATERAL aevon_windows(t, rule => 'flooded', group_by => '{a}') w GROUP BY 1 ORDER BY 1;
-- the loud one comes first, both in one sweep, and then the calm one alone
SELECT flood('flood_loud', 0, 100), flood('flood_calm', 0, 5);
SELECT count(*) FROM aevon_sweep();
SELECT * FROM counts ORDER BY 1;
SELECT flood('flood_calm', 100, 10), flood('flood_loud', 100, 100), flood('flood_late', 0, 7);
SELECT * FROM folded WHERE tenant <> 'flood_loud';
SELECT count(*) FROM aevon_sweep();
SELECT * FROM counts ORDER BY 1;
SELECT * FROM folded WHERE tenant <> 'flood_loud';
SELECT folded > 0 AS folded, events FROM folded WHERE tenant = 'flood_loud';
SELECT t, aevon_state(t, rule => 'flooded', dims => '{"a": "a1"}') #> '{rules,flooded,complete}' AS complete FROM unnest('{flood_calm,flood_late,flood_loud}'::text[]) t;
SELECT aevon_void(t, 'p1', 'e1', 'a test') FROM unnest('{flood_calm,flood_loud}'::text[]) t;
SELECT count(*) FROM aevon_sweep();
SELECT t, d.* FROM unnest('{flood_calm,flood_late,flood_loud}'::text[]) t, aevon_test.dimension_differences(t) d;
SELECT t, d.* FROM unnest('{flood_calm,flood_late,flood_loud}'::text[]) t, aevon_test.slice_differences(t, 20) d;
SELECT * FROM aevon_verify('flooded');
-- a reader's check of the guard is about the reader's tenants
CREATE ROLE regress_calm;
SELECT aevon_grant('flood_calm', 'regress_calm', 'read');
CREATE ROLE regress_loud;
SELECT aevon_grant('flood_loud', 'regress_loud', 'read');
CREATE FUNCTION pg_temp.checked() RETURNS TABLE (status text, share boolean, detail text) LANGUAGE sql AS $$
	SELECT status, value < 0.8, detail FROM aevon_health() WHERE check_name = 'series' $$;
SET ROLE regress_calm;
SELECT * FROM pg_temp.checked();
SET ROLE regress_loud;
SELECT * FROM pg_temp.checked();
RESET ROLE;
SELECT * FROM pg_temp.checked();
-- miscounts are told tenant by tenant, and mended
BEGIN;
UPDATE aevon.series_counts SET series_count = series_count + 3 FROM aevon.tenants t WHERE t.tenant_key = series_counts.tenant_key AND tenant IN ('flood_calm', 'flood_loud');
DELETE FROM aevon.series_counts USING aevon.tenants t WHERE t.tenant_key = series_counts.tenant_key AND tenant = 'flood_late';
SELECT rule, tenant, principal, what, stored, recomputed->'series_count' > '10' AS recounted, repaired FROM aevon_verify('flooded');
SELECT tenant, what FROM aevon_verify('flooded', 'flood_calm');
SELECT tenant, repaired FROM aevon_verify('flooded', 'flood_calm', true);
SELECT tenant FROM aevon_verify('flooded');
SELECT tenant FROM aevon_verify('flooded', repair => true);
SELECT * FROM aevon_verify('flooded');
SELECT tenant, series_full, series_count = counted AS right FROM counts ORDER BY 1;
ROLLBACK;
-- rebuilt by the same guard: again the loud one alone is folded
SELECT aevon_rebuild('flooded');
SELECT t, aevon_state(t, rule => 'flooded', dims => '{"a": "a1"}') #> '{rules,flooded,complete}' AS complete FROM unnest('{flood_calm,flood_late,flood_loud}'::text[]) t;
SET client_min_messages = error;
SELECT aevon_test.sweep();
RESET client_min_messages;
SELECT tenant, series_full, series_count = counted AS right FROM counts ORDER BY 1;
SELECT * FROM folded WHERE tenant <> 'flood_loud';
SELECT * FROM aevon_verify('flooded');
-- tenants that are full at once make one warning
SET aevon.max_series_per_rule = 3;
SELECT aevon_define_rule('tiny', 'flood', '{max}', 'n', '$.n >= 0', dimensions => '{"a": "a"}');
SELECT count(*) FROM aevon_sweep();
-- what a dropped rule leaves does not fold what is read from the log
SELECT aevon_drop_rule('flooded'), aevon_drop_rule('tiny');
SELECT aevon_snapshot() >= 0;
SELECT aevon_test.sweep();
SELECT * FROM counts;
RESET aevon.max_series_per_rule;
SELECT aevon_revoke('flood_calm', 'regress_calm', 'read'), aevon_revoke('flood_loud', 'regress_loud', 'read');
DROP ROLE regress_calm;
DROP ROLE regress_loud;
