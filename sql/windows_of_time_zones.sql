-- Days, weeks and months of a time zone, and shorter windows within its days:
-- over every transition of eight zones in 2024 to 2027, against PostgreSQL's
-- own date_trunc on the raw log; unswept, half swept, swept.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
\	iming on
-- answers do not depend on it
SET timezone = 'Pacific/Marquesas';
SET aevon.max_future = -1;
SET jit = off;

CREATE TEMP TABLE zones (zone text PRIMARY KEY, transitions integer);
INSERT INTO zones (zone) VALUES ('Africa/Cairo'), ('America/New_York'), ('America/St_Johns'), ('Asia/Beirut'),
	('Asia/Kolkata'), ('Australia/Lord_Howe'), ('Europe/Berlin'), ('Pacific/Chatham');
CREATE TEMP TABLE transitions AS
SELECT z.zone, t.at
FROM zones z
CROSS JOIN LATERAL generate_series('2024-01-01 00:00+00'::timestamptz, '2027-12-31 00:00+00', '30 minutes') t (at)
WHERE (t.at AT TIME ZONE z.zone) - ((t.at - '30 minutes'::interval) AT TIME ZONE z.zone) <> '30 minutes'::interval;
UPDATE zones z SET transitions = (SELECT count(*) FROM transitions t WHERE t.zone = z.zone);
SELECT zone, transitions > 0 AS shifts FROM zones ORDER BY zone;

-- events all around each transition and its days' midnights, to the microsecond
SELECT aevon_define_rule('use', 'use', '{sum,count,min,max,last}', 'n', tenant => 'zones');
CREATE TEMP TABLE staged AS
SELECT 'p' || (row_number() OVER (ORDER BY x.at)) % 3 AS principal, 'e' || row_number() OVER (ORDER BY x.at) AS event_id,
	'use' AS event_type, x.at AS occurred_at, jsonb_build_object('n', row_number() OVER (ORDER BY x.at) % 97) AS data
FROM (
	SELECT t.at + o.minutes * '1 minute'::interval + o.minutes % 7 * '1.25 s'::interval
	FROM transitions t CROSS JOIN generate_series(-2900, 2900, 173) o (minutes)
	UNION
	SELECT m.at + o.off * '1 us'::interval
	FROM transitions t
	CROSS JOIN LATERAL (VALUES (t.at), (t.at - '1 hour'::interval), (t.at + '1 hour'::interval),
		(date_trunc('day', t.at, t.zone)), (date_trunc('day', t.at + '1 day'::interval, t.zone)),
		(date_trunc('week', t.at, t.zone)), (date_trunc('month', t.at, t.zone))) m (at)
	CROSS JOIN (VALUES (-1), (0), (1)) o (off)
	UNION
	SELECT generate_series('2023-12-30 10:00+00'::timestamptz, '2028-01-02 00:00+00', '13 days 05:43:21')) x (at);
SELECT count(*) > 3000 AS enough FROM staged;

-- Where Aevon's windows are not those of date_trunc.  Windows of minutes run
-- in elapsed time from the midnight that date_trunc finds.
CREATE FUNCTION pg_temp.start_of(granularity text, at timestamptz, zone text) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
	SELECT CASE granularity
		WHEN '15m' THEN date_bin('15 minutes', at, date_trunc('day', at, zone))
		WHEN '1h' THEN date_bin('1 hour', at, date_trunc('day', at, zone))
		WHEN '1d' THEN date_trunc('day', at, zone)
		WHEN '1w' THEN date_trunc('week', at, zone)
		WHEN '1mo' THEN date_trunc('month', at, zone) END $$;
CREATE FUNCTION pg_temp.differences(principal text, asked_granularity text, around interval)
RETURNS TABLE (zone text, at timestamptz, what text) LANGUAGE sql STABLE AS $$
	WITH answers AS MATERIALIZED (
		SELECT t.zone, t.at, a.*, lead(a.window_start) OVER w AS next_start, row_number() OVER w AS n,
			count(*) OVER (PARTITION BY t.zone, t.at) AS windows
		FROM transitions t
		CROSS JOIN LATERAL aevon_windows('zones', principal, 'use', t.at - around, t.at + around,
			asked_granularity, timezone => t.zone) a
		WINDOW w AS (PARTITION BY t.zone, t.at ORDER BY a.window_start)
	), recounts AS (
		SELECT t.zone, t.at, pg_temp.start_of(asked_granularity, e.occurred_at, t.zone) AS window_start,
			count(*) AS event_count, sum((e.data ->> 'n')::numeric) AS sum,
			min((e.data ->> 'n')::numeric) AS min, max((e.data ->> 'n')::numeric) AS max
		FROM transitions t
		JOIN aevon_test.log_of('zones') e ON e.occurred_at >= t.at - around AND e.occurred_at < t.at + around
		WHERE differences.principal IS NULL OR e.principal = differences.principal
		GROUP BY 1, 2, 3
	)
	SELECT coalesce(a.zone, r.zone), coalesce(a.at, r.at), 'window of ' || coalesce(a.window_start, r.window_start)
	FROM (SELECT * FROM answers WHERE event_count > 0) a
	FULL JOIN recounts r ON (r.zone, r.at, r.window_start) = (a.zone, a.at, a.window_start)
	WHERE (a.event_count, a.value, (a.stats ->> 'min')::numeric, (a.stats ->> 'max')::numeric)
		IS DISTINCT FROM (r.event_count, r.sum, r.min, r.max)
	UNION ALL
	SELECT a.zone, a.at, 'windows do not follow one another' FROM answers a
	WHERE a.next_start <> a.window_end
		OR a.window_start >= a.window_end
		OR a.n = 1 AND NOT (a.window_start <= a.at - around AND a.window_end > a.at - around)
		OR a.n = a.windows AND NOT (a.window_start < a.at + around AND a.window_end >= a.at + around)
		OR a.window_start <> pg_temp.start_of(asked_granularity, a.window_start, a.zone)
	UNION ALL
	SELECT t.zone, t.at, 'no answer' FROM transitions t
	WHERE NOT EXISTS (SELECT FROM answers a WHERE a.zone = t.zone AND a.at = t.at)
$$;
CREATE FUNCTION pg_temp.check_all() RETURNS TABLE (granularity text, tenant bigint, principal bigint)
LANGUAGE sql STABLE AS $$
	SELECT g.granularity, (SELECT count(*) FROM pg_temp.differences(NULL, g.granularity, g.around::interval)),
		(SELECT count(*) FROM pg_temp.differences('p1', g.granularity, g.around::interval))
	FROM (VALUES ('15m', '25:31:07.000001'), ('1h', '49:00:00'), ('1d', '100:00:00.5'), ('1w', '500 hours'),
		('1mo', '2000:00:00.1')) g (granularity, around)
$$;

CREATE TEMP VIEW first_half AS SELECT * FROM staged WHERE hashtext(event_id) & 1 = 0;
-- the same as of the time when half of them was there
CREATE FUNCTION pg_temp.halfway_differences(halfway timestamptz) RETURNS TABLE (zone text, granularity text) LANGUAGE sql STABLE AS $$
	SELECT z.zone, g.granularity
	FROM zones z CROSS JOIN unnest('{15m,1h,1d,1w,1mo}'::text[]) g (granularity)
	WHERE (SELECT count(*) FILTER (WHERE (a.event_count, a.value) IS DISTINCT FROM (r.event_count, r.sum)) > 0 OR count(*) < 40
		FROM aevon_windows('zones', NULL, 'use', granularity => g.granularity, timezone => z.zone,
			as_of => halfway) a
		FULL JOIN (SELECT pg_temp.start_of(g.granularity, occurred_at, z.zone) AS window_start,
				count(*) AS event_count, sum((data ->> 'n')::numeric) AS sum
			FROM first_half GROUP BY 1) r USING (window_start))
$$;

SELECT accepted > 1000 AS many FROM aevon_ingest_from('first_half', 'zones');
SELECT clock_timestamp() AS halfway \gset
SELECT accepted > 1000 AS many, duplicate > 1000 AS known FROM aevon_ingest_from('staged', 'zones');
SELECT * FROM pg_temp.check_all();
SELECT * FROM pg_temp.halfway_differences(:'halfway');
SELECT event_count > 1000 AS many, more FROM aevon_sweep(1);
SELECT * FROM pg_temp.check_all();
SELECT * FROM pg_temp.halfway_differences(:'halfway');
SELECT aevon_test.sweep();
SELECT * FROM pg_temp.check_all();
SELECT * FROM pg_temp.halfway_differences(:'halfway');

-- hours that date_trunc makes are the same, but for a shift of half an hour
SELECT z.zone, count(*) FILTER (WHERE w.window_start <> date_trunc('hour', w.window_start, z.zone)) > 0 AS others
FROM zones z
CROSS JOIN LATERAL aevon_windows('zones', NULL, 'use', '2024-01-01 00:00+00', '2028-01-01 00:00+00', '1h',
	timezone => z.zone) w
GROUP BY z.zone ORDER BY z.zone;
