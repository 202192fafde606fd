-- Active minutes are packed many to a row: rows that fill up, split, take
-- windows in their middle or before their first, dense and sparse.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SET aevon.max_future = -1;
SELECT aevon_define_rule('use', 'use', '{sum,count,min,max,avg,last}', 'n', tenant => 'packed');

CREATE FUNCTION pg_temp.recount(OUT events bigint, OUT differences bigint)
	LANGUAGE sql
	AS $$
	SELECT (SELECT count(*) FROM aevon_test.log_of('packed')),
		(SELECT count(*) FROM aevon_test.differences('packed', aevon_test.ranges_of('packed', 1), '{total,1m,1d}'))
$$;

-- dense: five hundred minutes on end, in one sweep
SELECT accepted FROM aevon_ingest_batch('packed', (
	SELECT jsonb_agg(jsonb_build_object('principal', 'dense', 'event_id', 'e' || i, 'event_type', 'use',
		'occurred_at', '2024-03-01 00:00:30+00'::timestamptz + i * interval '1 minute', 'data', jsonb_build_object('n', i)))
	FROM generate_series(1, 500) i));
-- sparse: a minute every thirty-one years
SELECT accepted FROM aevon_ingest_batch('packed', (
	SELECT jsonb_agg(jsonb_build_object('principal', 'sparse', 'event_id', 'e' || i, 'event_type', 'use',
		'occurred_at', '0001-02-03 04:05:06+00'::timestamptz + i * interval '31 years', 'data', jsonb_build_object('n', i)))
	FROM generate_series(0, 300) i));
SELECT aevon_test.sweep();
SELECT * FROM pg_temp.recount();
SELECT count(*) FROM aevon_test.bucket_differences('packed');
SELECT p.principal, count(*) BETWEEN 5 AND 40 AS split
FROM aevon.buckets_1m b JOIN aevon.series s USING (series_key)
JOIN aevon.tenants t ON t.tenant_key = s.tenant_key AND t.tenant = 'packed'
JOIN aevon.principals p ON p.principal_key = s.subject_key
GROUP BY 1 ORDER BY 1;

-- growing at the end, minute by minute, a sweep each
SELECT count(*) FROM (
	SELECT aevon_ingest('packed', 'growing', 'e' || i, 'use', '2024-03-01 00:00:59.999999+00'::timestamptz + i * interval '1 minute',
		jsonb_build_object('n', i)), aevon_test.sweep() FROM generate_series(1, 150) i) x;
SELECT * FROM pg_temp.recount();
SELECT aevon_test.sweep();
SELECT count(*) FROM aevon_test.bucket_differences('packed');

-- growing at the front
DO $$
BEGIN
	FOR i IN 1..150 LOOP
		PERFORM aevon_ingest('packed', 'shrinking', 'e' || i, 'use',
			'2024-03-01 00:00:00+00'::timestamptz - i * interval '1 minute', jsonb_build_object('n', i));
		COMMIT;
		PERFORM aevon_test.sweep();
		COMMIT;
	END LOOP;
END
$$;
SELECT * FROM pg_temp.recount();

-- into the middle of full rows: the odd minutes after the even ones, and
-- again into the same minutes
SELECT accepted FROM aevon_ingest_batch('packed', (
	SELECT jsonb_agg(jsonb_build_object('principal', 'middle', 'event_id', 'e' || i, 'event_type', 'use',
		'occurred_at', '2024-03-01 00:00+00'::timestamptz + i * interval '2 minutes', 'data', jsonb_build_object('n', i)))
	FROM generate_series(1, 300) i));
SELECT aevon_test.sweep();
SELECT accepted FROM aevon_ingest_batch('packed', (
	SELECT jsonb_agg(jsonb_build_object('principal', 'middle', 'event_id', 'f' || i, 'event_type', 'use',
		'occurred_at', '2024-03-01 00:01+00'::timestamptz + i * interval '2 minutes', 'data', jsonb_build_object('n', -i)))
	FROM generate_series(1, 300) i));
SELECT * FROM pg_temp.recount();
SELECT aevon_test.sweep();
SELECT * FROM pg_temp.recount();
SELECT accepted FROM aevon_ingest_batch('packed', (
	SELECT jsonb_agg(jsonb_build_object('principal', p, 'event_id', 'g' || i, 'event_type', 'use',
		'occurred_at', '2024-03-01 00:00:17+00'::timestamptz + i * interval '9 minutes', 'data', jsonb_build_object('n', i / 7.0)))
	FROM generate_series(-60, 90) i, unnest('{dense,sparse,growing,shrinking,middle}'::text[]) p));
SELECT * FROM pg_temp.recount();
SELECT aevon_test.sweep();
SELECT * FROM pg_temp.recount();
SELECT count(*) FROM aevon_test.bucket_differences('packed');

-- rows of wide values: fewer windows to a row
SELECT accepted FROM aevon_ingest_batch('packed', (
	SELECT jsonb_agg(jsonb_build_object('principal', 'wide', 'event_id', repeat('i', 200) || i, 'event_type', 'use',
		'occurred_at', '2024-03-01 00:00+00'::timestamptz + (i * 7919 % 400) * interval '1 minute',
		'data', jsonb_build_object('n', (repeat('3', 100 + i % 200) || '.' || repeat('7', 300))::numeric)))
	FROM generate_series(1, 400) i));
SELECT aevon_test.sweep();
SELECT * FROM pg_temp.recount();
SELECT count(*) FROM aevon_test.bucket_differences('packed');
SELECT count(*) AS toasted FROM aevon.buckets_1m WHERE pg_column_size(state) > 8000;
