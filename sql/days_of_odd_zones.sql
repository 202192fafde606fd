-- Days that begin where a zone's date stops being an earlier one: midnights
-- that do not exist or come twice, a date that never was, one that came twice,
-- offsets of seconds, and the ends of time; against the oracle.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SET aevon.max_future = -1;
SET jit = off;
SELECT aevon_define_rule('use', 'use', '{sum,count,min,max,last}', 'n', tenant => 'odd');
CREATE TEMP VIEW staged AS
SELECT 'p' || row_number() OVER (ORDER BY at) % 2 AS principal, 'e' || row_number() OVER (ORDER BY at) AS event_id,
	'use' AS event_type, at AS occurred_at, jsonb_build_object('n', row_number() OVER (ORDER BY at)) AS data
FROM (
	SELECT m.around::timestamptz + h.hours * '00:37:30.000001'::interval AS at
	FROM (VALUES ('2024-11-03 05:00+00'),	-- Havana: midnight comes twice
		('2024-10-31 21:00+00'),			-- Cairo: 24:00 becomes 23:00
		('2024-04-25 22:00+00'),			-- Cairo: 00:00 becomes 01:00
		('2024-04-06 15:00+00'),			-- Lord Howe: half an hour back
		('2006-10-29 02:31+00'),			-- St. John's: 00:01 becomes 23:01 of the day before
		('2011-12-30 10:00+00'),			-- Apia: no 30 December
		('1867-10-19 00:31:13+00'),			-- Juneau: 18 October twice, LMT of +15:02:19, then -8:57:41
		('1893-03-31 23:06:32+00'),			-- Berlin: LMT of +0:53:28, then +1
		('1850-01-01 12:00+00'),			-- Paris: LMT of +0:09:21
		('0001-01-01 13:00+00'), ('9999-12-31 10:00+00')) m (around)
	CROSS JOIN generate_series(-19, 19) h (hours)
	UNION
	SELECT a.at::timestamptz + u.us * '1 us'::interval
	FROM (VALUES ('2024-11-03 04:00+00'), ('2024-11-03 05:00+00'), ('2024-10-31 21:00+00'), ('2024-10-31 22:00+00'),
		('2024-04-25 22:00+00'), ('2006-10-29 02:30+00'), ('2006-10-29 03:30+00'), ('2011-12-30 10:00+00'),
		('1849-12-31 23:50:39+00'), ('1893-03-31 23:06:32+00')) a (at)
	CROSS JOIN generate_series(-1, 0) u (us)) x
WHERE at BETWEEN '0001-01-01 00:00+00' AND '9999-12-31 23:59:59.999999+00';
SELECT rejected, accepted > 400 AS many FROM aevon_ingest_from('staged', 'odd', 'reject');

CREATE FUNCTION pg_temp.shown(since timestamptz, until timestamptz, granularity text, zone text)
RETURNS TABLE (window_start timestamp, window_end timestamp, elapsed interval, event_count bigint) LANGUAGE sql STABLE AS $$
	SELECT w.window_start AT TIME ZONE zone, w.window_end AT TIME ZONE zone, w.window_end - w.window_start, w.event_count
	FROM aevon_windows('odd', NULL, 'use', since, until, granularity, timezone => zone) w $$;
SELECT * FROM pg_temp.shown('2024-11-02 12:00+00', '2024-11-05 12:00+00', '1d', 'America/Havana');
SELECT * FROM pg_temp.shown('2024-10-31 12:00+00', '2024-11-01 12:00+00', '1d', 'Africa/Cairo');
SELECT * FROM pg_temp.shown('2024-04-25 12:00+00', '2024-04-26 12:00+00', '1d', 'Africa/Cairo');
SELECT * FROM pg_temp.shown('2006-10-28 12:00+00', '2006-10-29 12:00+00', '1d', 'America/St_Johns');
SELECT * FROM pg_temp.shown('2011-12-29 12:00+00', '2012-01-01 00:00+00', '1d', 'Pacific/Apia');
SELECT * FROM pg_temp.shown('1867-10-17 12:00+00', '1867-10-20 12:00+00', '1d', 'America/Juneau');
SELECT * FROM pg_temp.shown('1893-03-31 12:00+00', '1893-04-01 12:00+00', '1d', 'Europe/Berlin');
SELECT * FROM pg_temp.shown('1849-12-31 12:00+00', '1850-01-02 00:00+00', '1d', 'Europe/Paris');

-- windows below a day run in elapsed time from the day's start to its end
SELECT * FROM pg_temp.shown('2024-11-03 04:00+00', '2024-11-04 05:00+00', '6h', 'America/Havana');
SELECT * FROM pg_temp.shown('2024-04-06 13:00+00', '2024-04-07 13:30+00', '8h', 'Australia/Lord_Howe');
SELECT count(*) FROM pg_temp.shown('2024-10-26 22:00+00', '2024-10-27 23:00+00', '1h', 'Europe/Berlin');
SELECT count(*) FROM pg_temp.shown('2024-03-30 23:00+00', '2024-03-31 22:00+00', '1h', 'Europe/Berlin');
SELECT * FROM pg_temp.shown('2024-03-31 12:00+00', '2024-03-31 23:00+00', '4h', 'Europe/Berlin');

-- a day of 24 hours is a day; total has no grid, and names its zone
SELECT count(*) FROM aevon_windows('odd', granularity => '24h', timezone => 'Europe/Berlin') h
FULL JOIN aevon_windows('odd', granularity => '1d', timezone => 'europe/BERLIN') d USING (window_start, window_end, event_count)
WHERE h.rule IS NULL OR d.rule IS NULL;
SELECT s -> 'timezone' AS timezone, s #> '{rules,use,values,0,window_start}' AS window_start,
	s #> '{rules,use,values,0,event_count}' AS event_count
FROM unnest('{utc,UTC,Zulu,asia/KATHMANDU,Etc/GMT-5,EST5EDT}'::text[]) z (zone),
	aevon_state('odd', rule => 'use', since => '2024-01-01 00:00+00', timezone => z.zone) s;

-- months of the first and the last year, and beyond
SELECT * FROM pg_temp.shown('0001-01-01 00:00+00', '0001-02-01 00:00+00', '1mo', 'America/New_York');
SELECT * FROM pg_temp.shown('9999-12-31 00:00+00', '10000-01-01 00:00+00', '1mo', 'Asia/Tokyo');
SELECT * FROM pg_temp.shown('9999-12-31 00:00+00', '10000-01-01 00:00+00', '1w', 'Pacific/Kiritimati');
SELECT * FROM pg_temp.shown('-infinity', '0001-01-02 00:00+00', '1w', 'Asia/Kolkata');
SELECT count(*) FROM pg_temp.shown('4713-01-01 00:00+00 BC', '2030-01-01 00:00+00', '1mo', 'Europe/Berlin');
SELECT aevon_test.try(format('SELECT * FROM aevon_windows(%L, since => %L, until => %L, granularity => %L, timezone => %L)', 'odd', since, until, granularity, zone))
FROM (VALUES ('4714-11-24 00:00+00 BC', '4713-01-01 00:00+00 BC', '1mo', 'UTC'),
	('4714-11-24 00:00+00 BC', '4713-01-01 00:00+00 BC', '1w', 'America/New_York'),
	('294276-12-30 00:00+00', '294276-12-31 23:59:59+00', '1d', 'UTC'),
	('294276-12-30 00:00+00', '294276-12-31 23:59:59+00', '1w', 'UTC'),
	('294276-12-30 00:00+00', '294276-12-31 23:59:59+00', '1h', 'America/New_York'),
	('294276-12-30 00:00+00', '294276-12-31 23:59:59+00', '1mo', 'Asia/Tokyo'),
	('4713-01-01 00:00+00 BC', '294276-12-31 00:00+00', '1mo', 'Asia/Tokyo'),
	('2024-01-01 00:00+00', '2034-01-01 00:00+00', '5m', 'Asia/Tokyo'),
	('0001-01-01 00:00+00', '2034-01-01 00:00+00', '1d', 'Asia/Tokyo')) x (since, until, granularity, zone);
-- exactly as many windows as allowed: the 25 hours of a day
SET aevon.max_windows = 25;
SELECT aevon_test.state_of(format('SELECT * FROM aevon_windows(%L, since => %L, until => %L, granularity => %L, timezone => %L)',
	'odd', '2024-10-26 22:00+00', until, '1h', 'Europe/Berlin'))
FROM (VALUES ('2024-10-27 23:00+00'), ('2024-10-27 23:00:00.000001+00')) x (until);
RESET aevon.max_windows;

-- all of it, unswept and swept, with voids, against the oracle
CREATE FUNCTION pg_temp.differences() RETURNS bigint LANGUAGE sql STABLE AS $$
	SELECT count(*)
	FROM (VALUES ('America/Havana', tstzrange('2024-11-02 11:22:33+00', '2024-11-05 01:02:03+00')),
		('Africa/Cairo', tstzrange('2024-10-30 11:22:33+00', '2024-11-02 01:02:03+00')),
		('Africa/Cairo', tstzrange('2024-04-25 21:59:59+00', '2024-04-26 21:59:59+00')),
		('Australia/Lord_Howe', tstzrange('2024-04-06 11:22:33+00', '2024-04-08 01:02:03+00')),
		('America/St_Johns', tstzrange('2006-10-28 11:22:33+00', '2006-10-30 01:02:03+00')),
		('Pacific/Apia', tstzrange('2011-12-29 11:22:33+00', '2012-01-02 01:02:03+00')),
		('America/Juneau', tstzrange('1867-10-16 11:22:33+00', '1867-10-21 01:02:03+00')),
		('Europe/Berlin', tstzrange('1893-03-30 11:22:33+00', '1893-04-02 01:02:03+00')),
		('Europe/Paris', tstzrange('1849-12-30 11:22:33+00', '1850-01-02 01:02:03+00')),
		('America/New_York', tstzrange('0001-01-01 00:00+00', '0001-01-03 01:02:03+00')),
		('Pacific/Kiritimati', tstzrange('9999-12-30 01:00+00', '9999-12-31 23:59:59+00')),
		('Europe/Berlin', '[-infinity,infinity)'::tstzrange),
		('Asia/Kathmandu', '[-infinity,infinity)'::tstzrange)) a (zone, range)
	CROSS JOIN LATERAL aevon_test.differences('odd', ARRAY[a.range], '{15m,90m,1h,1d,24h,1w,1mo}',
		ARRAY[a.zone]) $$;
SELECT pg_temp.differences();
SELECT aevon_test.sweep();
SELECT pg_temp.differences();
SELECT count(aevon_void('odd', principal, event_id, 'test')) > 20 AS many FROM staged WHERE hashtext(event_id) % 11 = 0;
SELECT pg_temp.differences();
SELECT aevon_test.sweep();
SELECT pg_temp.differences();
SELECT count(*) FROM aevon_verify();
