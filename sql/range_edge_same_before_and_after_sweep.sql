-- A range counts to the microsecond, whether its events are swept or not.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_define_rule('use', 'use', '{count,sum,min,max,last}', 'n', tenant => 'range_edge');
CREATE TEMP TABLE moments (n integer, at timestamptz);
INSERT INTO moments VALUES
	(1, '2024-02-28 23:59:59.999999+00'), (2, '2024-02-29 00:00:00+00'),
	(4, '2024-02-29 00:00:00.000001+00'), (8, '2024-02-29 11:59:59.999999+00'),
	(16, '2024-02-29 12:00:00+00'), (32, '2024-02-29 12:00:00.000001+00'),
	(64, '2024-02-29 12:00:30.5+00'), (128, '2024-02-29 12:00:59.999999+00'),
	(256, '2024-02-29 12:01:00+00'), (512, '2024-02-29 23:59:59.999999+00'),
	(1024, '2024-03-01 00:00:00+00'), (2048, '1999-12-31 23:59:59.999999+00'),
	(4096, '2000-01-01 00:00:00+00'), (8192, '2000-01-01 00:00:00.000001+00');
-- twice: the same times, another principal
SELECT p, aevon_ingest('range_edge', p, 'e' || n, 'use', at, jsonb_build_object('n', n))
FROM moments, unnest('{p,q}'::text[]) p GROUP BY 1, 2 ORDER BY 1;

-- every range between two of the moments, and a microsecond around each
CREATE TEMP TABLE ranges AS
SELECT a.at AS since, b.at AS until
FROM (SELECT at FROM moments UNION SELECT at + interval '1 us' FROM moments UNION SELECT at - interval '1 us' FROM moments) a (at)
JOIN (SELECT at FROM moments UNION SELECT at + interval '1 us' FROM moments UNION SELECT at - interval '1 us' FROM moments) b (at)
	ON a.at < b.at;
CREATE FUNCTION pg_temp.answers()
	RETURNS TABLE (since timestamptz, until timestamptz, principal text, event_count bigint, stats jsonb)
	LANGUAGE sql
	AS $$
	SELECT r.since, r.until, p, w.event_count, w.stats
	FROM ranges r, unnest('{p,NULL}'::text[]) p, aevon_windows('range_edge', p, 'use', r.since, r.until) w
$$;
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.answers();
SELECT count(*) AS ranges FROM before;
SELECT count(*) FROM aevon_test.differences('range_edge', (SELECT array_agg(tstzrange(since, until)) FROM ranges), '{total}');

SELECT aevon_test.sweep();
SELECT count(*) AS changed FROM (SELECT * FROM before EXCEPT SELECT * FROM pg_temp.answers()) x;
SELECT count(*) FROM aevon_test.differences('range_edge', (SELECT array_agg(tstzrange(since, until)) FROM ranges), '{total}');

-- swept again, with nothing new, and with other events in the same minutes
SELECT aevon_test.sweep();
SELECT count(*) AS changed FROM (SELECT * FROM before EXCEPT SELECT * FROM pg_temp.answers()) x;
SELECT aevon_ingest('range_edge', 'q', 'more' || n, 'use', at + interval '1 us', jsonb_build_object('n', n * 100000)) FROM moments GROUP BY 1;
SELECT count(*) FROM aevon_test.differences('range_edge', (SELECT array_agg(tstzrange(since, until)) FROM ranges), '{total}');
SELECT aevon_test.sweep();
SELECT count(*) FROM aevon_test.differences('range_edge', (SELECT array_agg(tstzrange(since, until)) FROM ranges), '{total}');

-- the windows of a range with unaligned ends lie on the grid, and hold only
-- what lies in the range
SELECT window_start, window_end, event_count, value, stats -> 'sum' AS sum
FROM aevon_windows('range_edge', 'p', 'use', '2024-02-29 12:00:00.000001+00', '2024-02-29 12:02:00.000001+00', '1m');
SELECT count(*) FROM aevon_test.differences('range_edge',
	'{"[2024-02-29 12:00:00.000001+00,2024-02-29 12:02:00.000001+00)", "[2024-02-28 13:00:00.5+00,2024-03-01 00:00:00.000001+00)"}', '{1m,1h,1d}');
