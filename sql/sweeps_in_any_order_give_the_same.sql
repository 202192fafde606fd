-- The same events in another order, in other portions, swept at other times,
-- give the same answers and the same buckets.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
CREATE TEMP TABLE portions AS
SELECT i, hashint4(i) AS shuffled, hashint4(i + 77) & 15 AS portion,
	'2024-03-01 00:00+00'::timestamptz + ((hashint4(i + 5) & 262143) * interval '1.37 seconds') AS at,
	'p' || (hashint4(i + 9) & 3) AS principal, round((hashint4(i + 13) & 65535) / 7.0, 5) - 3000 AS n
FROM generate_series(1, 700) i;
SELECT aevon_define_rule('use', 'use', '{sum,count,min,max,avg,last}', 'n', tenant => t)
FROM unnest('{order_one,order_two,order_three,order_four}'::text[]) t;

-- one: everything at once
SELECT accepted FROM aevon_ingest_batch('order_one', (SELECT jsonb_agg(jsonb_build_object('principal', principal,
	'event_id', i::text, 'event_type', 'use', 'occurred_at', at, 'data', jsonb_build_object('n', n)) ORDER BY i) FROM portions));
SELECT aevon_test.sweep();
-- two: backwards, event by event, in one transaction with a sweep now and then
SELECT count(*), count(swept) AS sweeps FROM (
	SELECT aevon_ingest('order_two', principal, i::text, 'use', at, jsonb_build_object('n', n)),
		CASE WHEN i % 50 = 0 THEN aevon_sweep() END AS swept
	FROM (SELECT * FROM portions ORDER BY i DESC) o) x;
-- three: in sixteen portions of scattered events, swept after each
DO $$
BEGIN
	FOR k IN 0..15 LOOP
		PERFORM aevon_ingest_batch('order_three', (SELECT jsonb_agg(jsonb_build_object('principal', principal,
			'event_id', i::text, 'event_type', 'use', 'occurred_at', at, 'data', jsonb_build_object('n', n)) ORDER BY shuffled)
			FROM portions WHERE portion = k));
		COMMIT;
		PERFORM aevon_test.sweep();
		COMMIT;
	END LOOP;
END
$$;
-- four: a transaction each, then small bounded sweeps
DO $$
DECLARE
	one record;
BEGIN
	FOR one IN SELECT * FROM portions ORDER BY shuffled LOOP
		PERFORM aevon_ingest('order_four', one.principal, one.i::text, 'use', one.at, jsonb_build_object('n', one.n));
		COMMIT;
	END LOOP;
	WHILE (SELECT more FROM aevon_sweep(17)) LOOP
		COMMIT;
	END LOOP;
END
$$;
SELECT t, r.* FROM unnest('{order_one,order_two,order_three,order_four}'::text[]) t, aevon_test.recount(t) r;
SELECT aevon_test.sweep();
SELECT t, (SELECT count(*) FROM aevon_test.bucket_differences(t)) FROM unnest('{order_one,order_two,order_three,order_four}'::text[]) t;
SELECT b.tenant, count(*) = (SELECT count(*) FROM aevon.pre_aggregates WHERE tenant = 'order_one') AS as_many,
	count(*) FILTER (WHERE (a.event_count, a.skipped, a.sum::text, a.min::text, a.max::text, a.last::text)
		IS DISTINCT FROM (b.event_count, b.skipped, b.sum::text, b.min::text, b.max::text, b.last::text)) AS different
FROM aevon.pre_aggregates b
LEFT JOIN aevon.pre_aggregates a ON a.tenant = 'order_one' AND a.window_start = b.window_start
	AND a.principal IS NOT DISTINCT FROM b.principal
WHERE b.tenant IN ('order_two', 'order_three', 'order_four')
GROUP BY 1 ORDER BY 1;

-- a hundred more sweeps change nothing
SELECT count(aevon_sweep()) FROM generate_series(1, 100);
SELECT * FROM aevon_test.recount('order_four');
