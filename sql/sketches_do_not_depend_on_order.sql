-- The same events in other batches, orders and sweeps: the same bytes in every
-- minute, hour and day that is stored, with dimensions and without, and the same
-- answers.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
-- all minutes are closed
SET aevon.open_minutes = 0;
SET aevon.max_future = -1;
CREATE TEMP TABLE sent AS
	SELECT i, CASE i % 3 WHEN 0 THEN 'p' ELSE 'q' END AS principal,
		'2024-05-01 00:00+00'::timestamptz + (hashint4(i) & 262143) * interval '1 second' AS at,
		CASE i % 11 WHEN 0 THEN '{}' WHEN 1 THEN jsonb_build_object('n', 'text' || i % 70)
			ELSE jsonb_build_object('n', round(exp((hashint4(i + 7) & 65535) / 9000.0) - 50, i % 4)) END
			|| jsonb_build_object('kind', i % 4, 'ok', i % 7 = 0) AS data
	FROM generate_series(1, 4000) i;
CREATE PROCEDURE pg_temp.send(tenant text, seed integer, batches integer)
	LANGUAGE plpgsql
	AS $$
BEGIN
	PERFORM aevon_define_rule('ordered', 'use', '{p50,p99,distinct,last}', 'n', tenant => tenant);
	PERFORM aevon_define_rule('sliced', 'use', '{sum,p50,p99,distinct,last}', 'n', tenant => tenant, dimensions => '{"kind": "kind", "ok": "ok"}');
	FOR batch IN 0 .. batches - 1 LOOP
		PERFORM aevon_ingest_batch(tenant, (
			SELECT jsonb_agg(jsonb_build_object('principal', principal, 'event_id', 'e' || i, 'event_type', 'use',
				'occurred_at', at, 'data', data) ORDER BY hashint4(i + seed * 100003))
			FROM sent WHERE (hashint4(i + seed * 70001) & 65535) % batches = batch));
		COMMIT;
		PERFORM aevon_test.sweep();
	END LOOP;
	-- days and hours take in what was swept before the last row of minutes began
	PERFORM aevon_ingest_batch(tenant, (
		SELECT jsonb_agg(jsonb_build_object('principal', p, 'event_id', concat_ws('-', 'end', i, kind, ok), 'event_type', 'use',
			'occurred_at', '2024-06-01 00:00+00'::timestamptz + i * interval '1 minute',
			'data', jsonb_build_object('n', 1, 'kind', kind, 'ok', ok)))
		FROM generate_series(1, 130) i, unnest('{p,q}'::text[]) p, generate_series(0, 3) kind, unnest('{t,f}'::boolean[]) ok));
	COMMIT;
	PERFORM aevon_test.sweep();
END
$$;
CALL pg_temp.send('order1', 1, 1);
CALL pg_temp.send('order2', 2, 4);
CALL pg_temp.send('order3', 3, 23);
CALL pg_temp.send('order4', 4, 90);

-- what a day's or hour's row holds but for stamps and times of ingestion,
-- which differ: the sketches, as the check of a damaged row shows them
CREATE FUNCTION pg_temp.stored(of_tenant text)
	RETURNS TABLE (dimensions jsonb, principal text, dims jsonb, tier text, window_start timestamptz, event_count bigint, sum text, quantiles bytea, "distinct" bytea)
	LANGUAGE sql
	AS $$
	SELECT m.dimensions, p.principal, s.dims, b.tier, u.window_start, u.event_count, u.sum::text, u.quantiles, u."distinct"
	FROM aevon.tenants t
	JOIN aevon.series s USING (tenant_key)
	JOIN aevon.measures m USING (measure_key)
	JOIN (SELECT '1d' AS tier, 1440 AS minutes, * FROM aevon.buckets_1d
		  UNION ALL SELECT '1h', 60, * FROM aevon.buckets_1h
		  UNION ALL SELECT '1m', 1, * FROM aevon.buckets_1m) b USING (series_key)
	LEFT JOIN aevon.principals p ON p.principal_key = s.subject_key
	CROSS JOIN LATERAL aevon.unpack_bucket(b.state, b.minutes) u
	WHERE t.tenant = of_tenant AND u.window_start < '2024-06-01 00:00+00'
$$;
SELECT dims <> '{}' AS sliced, tier, count(*) > 0 AS windows, sum(event_count) AS events, count(quantiles) > 0 AS quantiles, count("distinct") > 0 AS "distinct"
FROM pg_temp.stored('order1') GROUP BY 1, 2 ORDER BY 1, 2;
SELECT dims, count(*) > 0 AS windows FROM pg_temp.stored('order1') GROUP BY 1 ORDER BY 1;
SELECT t, (SELECT count(*) FROM (SELECT * FROM pg_temp.stored('order1') EXCEPT SELECT * FROM pg_temp.stored(t)) x)
	+ (SELECT count(*) FROM (SELECT * FROM pg_temp.stored(t) EXCEPT SELECT * FROM pg_temp.stored('order1')) x) AS differences
FROM unnest('{order2,order3,order4}'::text[]) t;
-- and what rows say of all their windows together (verify merges them again)
SELECT count(*) FROM unnest('{order1,order2,order3,order4}'::text[]) t, unnest('{ordered,sliced}'::text[]) r, aevon_verify(r, t);
SELECT count(DISTINCT stats) AS answers
FROM unnest('{order1,order2,order3,order4}'::text[]) t, aevon_windows(t, NULL, 'ordered');
SELECT count(DISTINCT answers) AS answers FROM (SELECT t, jsonb_agg(jsonb_build_array(g, dims, event_count, stats) ORDER BY g, dims) AS answers
	FROM unnest('{order1,order2,order3,order4}'::text[]) t, unnest('{kind,ok,"kind,ok"}'::text[]) g, aevon_windows(t, NULL, 'sliced', group_by => string_to_array(g, ',')) GROUP BY t) x;
SELECT count(aevon_drop_rule('sliced', t)), count(aevon_drop_rule('ordered', t)) FROM unnest('{order1,order2,order3,order4}'::text[]) t;
