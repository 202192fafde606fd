-- The buckets of a rule with dimensions hold what a recount by the values of
-- its paths gives: totals, combinations and roll-ups, whatever the sweeps.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_test.sweep();
SELECT aevon_define_rule('two', 'use', '{sum,count,min,max,last}', 'n', dimensions => '{"kind": "kind", "ok": "$.a.ok"}', tenant => 'dims');
SELECT aevon_define_rule('three', '*', '{count}', dimensions => '{"c": "$.c[*]", "kind": "kind", "ok": "$.a.ok"}', rollups => '{kind}', tenant => 'dims');
SELECT aevon_define_rule('one', 'use', '{sum}', 'n', filter => '$.n > 0', dimensions => '{"kind": "$.kind"}', tenant => 'dims');
SELECT aevon_define_rule('none', 'use', '{sum}', 'n', dimensions => '{"a": "$.a", "b": "$.b"}', rollups => '{}', tenant => 'dims');
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
SELECT sum((aevon_ingest('dims', 'p' || i % 3, 'f' || i, 'use', '2024-03-01 00:00+00'::timestamptz + i * interval '7 seconds', data) = 'accepted')::int) FROM forms;
SELECT count(*) FROM aevon_sweep();
SELECT * FROM aevon_test.dimension_differences('dims');
SELECT rule, event_count, left(dims::text, 60) AS dims, length(dims::text) FROM (SELECT rule, dims, sum(event_count) AS event_count
	FROM aevon.pre_aggregates WHERE tenant = 'dims' AND principal IS NULL GROUP BY 1, 2) x
WHERE rule = 'one' OR (rule = 'three' AND dims ?& '{c}') ORDER BY 1, dims;

-- random events, swept after each of ten portions, some of them voided
CREATE FUNCTION fill_dims(portion integer) RETURNS bigint LANGUAGE sql AS $$
	SELECT accepted FROM aevon_ingest_batch('dims', (SELECT jsonb_agg(jsonb_build_object('principal', 'p' || (hashint4(i + 1) & 3),
		'event_id', 'e' || i, 'event_type', CASE hashint4(i + 2) & 7 WHEN 0 THEN 'other' ELSE 'use' END,
		'occurred_at', '2024-03-01 00:00+00'::timestamptz + (hashint4(i + 3) & 4095) * interval '31.7 seconds',
		'data', jsonb_build_object('n', (hashint4(i + 4) & 1023) / 8.0 - 20, 'kind', 'k' || (hashint4(i + 5) & 7), 'c', hashint4(i + 6) & 1,
			'a', jsonb_build_object('ok', (hashint4(i + 7) & 1) = 1), 'b', hashint4(i + 8) & 3)))
		FROM generate_series(portion * 100, portion * 100 + 99) i))
$$;
DO $$
BEGIN
	FOR portion IN 1..10 LOOP
		PERFORM fill_dims(portion);
		PERFORM aevon_void('dims', p.principal, e.event_id, 'wrong') FROM aevon.event_log e JOIN aevon.principals p USING (principal_key)
			JOIN aevon.tenants t ON t.tenant_key = e.tenant_key
			WHERE t.tenant = 'dims' AND hashtext(e.event_id) % 11 = portion;
		COMMIT;
		PERFORM aevon_sweep();
		COMMIT;
	END LOOP;
END
$$;
SELECT aevon_test.sweep();
SELECT * FROM aevon_test.dimension_differences('dims');
SELECT count(*) AS voided FROM aevon.voids JOIN aevon.tenants USING (tenant_key) WHERE tenant = 'dims';
-- totals are the sum of the combinations, and of every roll-up
WITH buckets AS (
	SELECT rule, principal, window_start, dims, event_count,
		(SELECT string_agg(k, ',' ORDER BY k) FROM jsonb_object_keys(dims) k) AS names
	FROM aevon.pre_aggregates WHERE tenant = 'dims'
)
SELECT rule, names, count(*) AS windows, bool_and(total = split) AS adds_up, sum(total) AS events FROM (
	SELECT b.rule, b.names, b.principal, b.window_start, sum(b.event_count) AS split, min(t.event_count) AS total
	FROM buckets b JOIN buckets t ON t.rule = b.rule AND t.window_start = b.window_start
		AND t.principal IS NOT DISTINCT FROM b.principal AND t.names IS NULL
	GROUP BY 1, 2, 3, 4) x GROUP BY 1, 2 ORDER BY 1, 2;
-- what reads say without asking for values is as without dimensions
SELECT * FROM aevon_test.recount('dims');
SELECT * FROM aevon_verify(tenant => 'dims');
-- rebuilt, the buckets are the same
SELECT aevon_rebuild(r, 'dims') FROM unnest('{one,two,three,none}'::text[]) r;
SELECT aevon_test.sweep(100);
SELECT * FROM aevon_test.dimension_differences('dims');
SELECT series_full, series_count = (SELECT count(*) FROM aevon.series s WHERE s.measure_key = c.measure_key AND s.dims <> '{}') AS counted
FROM aevon.series_counts c JOIN aevon.rules r USING (measure_key) JOIN aevon.tenants t ON t.tenant_key = r.tenant_key WHERE tenant = 'dims';
