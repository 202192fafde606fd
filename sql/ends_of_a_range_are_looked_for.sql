-- The ends of a range are found in rows that lie close together and in those that
-- do not; and of the minutes cut by them only those are read from the log of which
-- the buckets hold something, whatever is void, swept or past.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SET aevon.open_minutes = 0;
SELECT aevon_define_rule('use', 'use', '{count,sum,min,max,last}', 'n', tenant => 'ends');
SELECT aevon_define_rule('large', 'use', '{count}', filter => '$.n > 900', tenant => 'ends');
SELECT aevon_define_rule('rare', 'seldom', '{count}', tenant => 'ends');

-- ten hours with an event each minute, ten days with one each second hour, then
-- each minute again; each at the minute's 30th second
CREATE TEMP TABLE moments AS
SELECT row_number() OVER (ORDER BY at) AS n, at FROM (
	SELECT generate_series('2024-03-01 00:00:30+00', '2024-03-01 09:59:30+00', interval '1 minute') AS at
	UNION ALL SELECT generate_series('2024-03-01 11:00:30+00', '2024-03-11 11:00:30+00', interval '2 hours')
	UNION ALL SELECT generate_series('2024-03-12 00:00:30+00', '2024-03-12 09:59:30+00', interval '1 minute')) m;
SELECT p, aevon_ingest('ends', p, 'e' || n, 'use', at, jsonb_build_object('n', n)), count(*)
FROM moments, unnest('{p,q}'::text[]) p GROUP BY 1, 2 ORDER BY 1;
SELECT aevon_test.sweep();
SELECT count(*) > 10 AS many_rows FROM aevon.buckets_1m;

-- from the close rows into the others and back, so that what was learned of the
-- close ones does not hold
CREATE TEMP TABLE ranges AS
SELECT since, since + length AS until FROM (
	SELECT generate_series('2024-03-01 09:50:00+00', '2024-03-01 09:59:00+00', interval '3 minutes 10 seconds')
	UNION ALL SELECT generate_series('2024-03-12 03:30:15+00', '2024-03-12 04:30:00+00', interval '20 minutes 10 seconds')
	UNION ALL SELECT generate_series('2024-03-01 10:40:40+00', '2024-03-11 12:00:00+00', interval '7 hours 10 seconds')
	UNION ALL SELECT generate_series('2024-03-12 00:00:20+00', '2024-03-12 02:00:00+00', interval '40 minutes')) s (since),
	unnest('{100 seconds,5 hours 5 seconds,36 hours 20 seconds,12 days}'::interval[]) length;
SELECT count(*) FROM ranges;
SELECT count(*) FROM aevon_test.differences('ends', (SELECT array_agg(tstzrange(since, until)) FROM ranges), '{total}');
SELECT count(*) FROM aevon_test.differences('ends', (SELECT array_agg(tstzrange(since, until) ORDER BY until - since) FROM ranges WHERE until - since < '6 hours'), '{total,1h}');

-- what the tail holds of such a minute, or a void of it, is not forgotten: beside
-- swept events, and where there are none; and of another measure
SELECT aevon_ingest('ends', p, 'tail' || n, 'use', at + interval '15 seconds', jsonb_build_object('n', 1000000 + n)), count(*)
FROM moments, unnest('{p,q}'::text[]) p WHERE n % 3 = 0 GROUP BY 1;
SELECT aevon_ingest('ends', 'p', 'alone', 'use', '2024-03-01 10:40:50+00', '{"n": 5000}');
SELECT aevon_ingest('ends', 'p', 'seldom' || n, 'seldom', at + interval '1 second'), count(*) FROM moments WHERE n % 11 = 0 GROUP BY 1;
SELECT aevon_void('ends', 'p', 'e' || n, 'an error'), count(*) FROM moments WHERE n % 7 = 0 GROUP BY 1;
SELECT aevon_void('ends', 'p', 'tail' || n, 'an error'), count(*) FROM moments WHERE n % 21 = 0 GROUP BY 1;
SELECT count(*) FROM aevon_test.differences('ends', (SELECT array_agg(tstzrange(since, until)) FROM ranges), '{total}');
SELECT aevon_test.sweep();
SELECT count(*) FROM aevon_test.differences('ends', (SELECT array_agg(tstzrange(since, until)) FROM ranges), '{total}');

-- the minutes at the ends of ranges that are cut on both sides of events
CREATE TEMP TABLE cuts AS
SELECT tstzrange(a.at + before, b.at + after) AS range
FROM moments a, moments b, unnest('{-10 seconds,0,10 seconds,15 seconds 1 us}'::interval[]) before, unnest('{-10 seconds,1 us,20 seconds}'::interval[]) after
WHERE a.n % 97 = 0 AND b.n % 89 = 0 AND b.at > a.at + interval '3 minutes';
SELECT count(*) FROM cuts;
SELECT count(*) FROM aevon_test.differences('ends', (SELECT array_agg(range) FROM cuts), '{total}');
SET aevon.open_minutes = 64;
SELECT aevon_ingest('ends', p, 'more' || n, 'use', at + interval '5 seconds', jsonb_build_object('n', n)), count(*)
FROM moments, unnest('{p,q}'::text[]) p WHERE n % 89 = 0 GROUP BY 1;
SELECT aevon_test.sweep();
SELECT count(*) FROM aevon_test.differences('ends', (SELECT array_agg(range) FROM cuts), '{total}');

-- of a past moment, what was voided since and is in no bucket any more
SELECT aevon_ingest('ends', 'r', 'r' || n, 'use', '2024-03-01 00:00:30+00'::timestamptz + n * interval '1 hour', jsonb_build_object('n', n)), count(*)
FROM generate_series(0, 9) n GROUP BY 1;
SELECT aevon_test.sweep();
SELECT clock_timestamp() AS past \gset
SELECT aevon_void('ends', 'r', 'r' || n, 'an error'), count(*) FROM generate_series(0, 9, 3) n GROUP BY 1;
CREATE FUNCTION pg_temp.wrong_past(past timestamptz) RETURNS TABLE (compared bigint, wrong bigint) LANGUAGE sql AS $$
	SELECT count(*), count(*) FILTER (WHERE (w.event_count, (w.stats ->> 'sum')::int) IS DISTINCT FROM ((b - a + 1)::bigint, (a + b) * (b - a + 1) / 2))
	FROM generate_series(0, 8) a, generate_series(1, 9) b, unnest('{-20 seconds,-30 seconds,0}'::interval[]) before, unnest('{10 seconds,30 seconds,1 us}'::interval[]) after,
		aevon_windows('ends', 'r', 'use', '2024-03-01 00:00:30+00'::timestamptz + a * interval '1 hour' + before,
			'2024-03-01 00:00:30+00'::timestamptz + b * interval '1 hour' + after, as_of => past) w
	WHERE a < b
$$;
SELECT * FROM pg_temp.wrong_past(:'past');
SELECT aevon_test.sweep();
SELECT * FROM pg_temp.wrong_past(:'past');
