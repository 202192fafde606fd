-- Past aevon.max_series_per_rule combinations that a tenant has no series for
-- are folded together: totals stay exact, who has a series keeps it.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
-- all minutes are closed
SET aevon.open_minutes = 0;
SELECT aevon_test.sweep();
SELECT aevon_define_rule('calls', 'call', '{sum,count}', 'ms', dimensions => '{"host": "host", "path": "path"}', tenant => 'guard');
CREATE VIEW kept AS SELECT c.series_full, c.series_count, (SELECT count(*) FROM aevon.series s WHERE s.measure_key = c.measure_key AND s.dims <> '{}') AS counted
	FROM aevon.series_counts c JOIN aevon.rules r USING (measure_key) JOIN aevon.tenants t ON t.tenant_key = r.tenant_key WHERE tenant = 'guard';
CREATE VIEW shown AS SELECT principal, dims, sum(event_count) AS events, sum(sum) FROM aevon.pre_aggregates WHERE tenant = 'guard' GROUP BY 1, 2;
CREATE FUNCTION call(first integer, last integer, hosts integer) RETURNS bigint LANGUAGE sql AS $$
	SELECT accepted FROM aevon_ingest_batch('guard', (SELECT jsonb_agg(jsonb_build_object('principal', 'p' || i % 2, 'event_id', 'e' || i, 'event_type', 'call',
		'occurred_at', '2024-05-01 00:00+00'::timestamptz + i * interval '5 seconds', 'data', jsonb_build_object('ms', i, 'host', 'h' || i % hosts, 'path', '/' || i % 2))) FROM generate_series(first, last) i))
$$;
SET aevon.max_series_per_rule = 12;
SELECT call(1, 12, 2);
SELECT count(*) FROM aevon_sweep();
SELECT * FROM kept;
-- one combination more fits, the next do not
SELECT call(13, 40, 5);
SELECT count(*) FROM aevon_sweep();
SELECT * FROM kept;
SELECT * FROM shown WHERE dims <> '{}' ORDER BY 1, 2;
SELECT sum(events), sum(sum) FROM shown WHERE principal IS NULL AND dims ?& '{host,path}';
SELECT * FROM aevon_test.dimension_differences('guard');
SELECT * FROM aevon_verify(tenant => 'guard');
-- it stays so, whatever the setting, and is told once
SET aevon.max_series_per_rule = 100000;
SELECT call(41, 80, 7);
-- a combination that the tenant has, for a principal that had not
SELECT aevon_ingest('guard', 'new', 'n1', 'call', '2024-05-01 00:01+00', '{"ms": 7, "host": "h1", "path": "/1"}');
SELECT aevon_ingest('guard', 'new', 'n2', 'call', '2024-05-01 00:01+00', '{"ms": 8, "host": "h6", "path": "/1"}');
SELECT count(*) FROM aevon_sweep();
SELECT * FROM kept;
SELECT principal, dims, events FROM shown WHERE principal = 'new' ORDER BY 2;
SELECT * FROM aevon_test.dimension_differences('guard');
-- voids, of events in a series of their own and in the other one
SELECT aevon_void('guard', p.principal, e.event_id, 'a test') FROM aevon.event_log e JOIN aevon.principals p USING (principal_key)
	JOIN aevon.tenants t ON t.tenant_key = e.tenant_key WHERE tenant = 'guard' AND (e.data ->> 'ms')::int % 10 = 0;
SELECT aevon_void('guard', 'new', 'n2', 'a test');
SELECT count(*) FROM aevon_sweep();
SELECT * FROM aevon_test.dimension_differences('guard');
SELECT * FROM aevon_test.recount('guard');
SELECT * FROM aevon_verify(tenant => 'guard');
SELECT principal, sum(events) FROM shown WHERE dims = '{"host": "__other__", "path": "__other__"}' GROUP BY 1 ORDER BY 1;
-- a damaged bucket of the other one is found and mended
BEGIN;
UPDATE aevon.buckets_1m b SET state = o.state
FROM aevon.series s, aevon.series x JOIN aevon.buckets_1m o USING (series_key)
WHERE b.series_key = s.series_key AND s.measure_key = x.measure_key AND octet_length(s.dims_digest) = 1 AND x.dims = '{}' AND x.subject_key = s.subject_key AND s.subject_key < 0
	AND s.measure_key = (SELECT measure_key FROM aevon.rules WHERE name = 'calls');
SELECT rule, principal, what, coalesce(stored, recomputed)->'dims' AS dims, count(*) > 0 AS minutes,
	coalesce(sum((stored->>'event_count')::int), 0) - coalesce(sum((recomputed->>'event_count')::int), 0) AS too_many
FROM aevon_verify('calls', 'guard') GROUP BY 1, 2, 3, 4 ORDER BY dims;
SELECT count(*) FROM aevon_verify('calls', 'guard', true);
SELECT * FROM aevon_verify('calls', 'guard');
SELECT * FROM aevon_test.dimension_differences('guard');
ROLLBACK;
-- a series that is gone with its buckets, and one that is miscounted
BEGIN;
DELETE FROM aevon.buckets_1m b USING aevon.series s WHERE s.series_key = b.series_key AND s.dims = '{"host": "h1", "path": "/1"}';
DELETE FROM aevon.buckets_1d b USING aevon.series s WHERE s.series_key = b.series_key AND s.dims = '{"host": "h1", "path": "/1"}';
UPDATE aevon.series_counts SET series_count = series_count + 3 WHERE series_full;
SELECT rule, principal, what, coalesce(stored, recomputed)->'dims' AS dims, count(*), count(stored) AS stored FROM aevon_verify('calls') GROUP BY 1, 2, 3, 4 ORDER BY 3, 2, 4;
SELECT count(*) > 0 FROM aevon_verify('calls', repair => true);
SELECT * FROM aevon_verify('calls');
SELECT * FROM kept;
ROLLBACK;
-- rebuilt, with room for all, every combination has its series
SELECT aevon_rebuild('calls', 'guard');
SELECT aevon_test.sweep(20);
SELECT series_full, series_count = counted AS counted FROM kept;
SELECT count(*) FROM shown WHERE dims ?& '{host,path}' AND dims ->> 'host' = '__other__';
SELECT * FROM aevon_test.dimension_differences('guard');
SELECT * FROM aevon_verify(tenant => 'guard');
-- no series at all for a limit of 0
SET aevon.max_series_per_rule = 0;
SELECT aevon_define_rule('unheard', 'call', '{count}', dimensions => '{"host": "host"}', tenant => 'guard');
SELECT aevon_test.sweep();
SELECT principal, dims, sum(event_count) FROM aevon.pre_aggregates WHERE tenant = 'guard' AND rule = 'unheard' GROUP BY 1, 2 ORDER BY 1, 2;
RESET aevon.max_series_per_rule;
SELECT aevon_drop_rule('unheard', 'guard');
