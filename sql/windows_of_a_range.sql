-- Granularities: the grid, empty windows in a finite range, none in an
-- infinite one, and no more than aevon.max_windows.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_define_rule('use', 'use', '{sum,count,min,max,avg,last}', 'n', tenant => 'windows');
SELECT aevon_ingest('windows', 'p', 'a', 'use', '2024-02-29 22:59:59.999999+00', '{"n": 1}');
SELECT aevon_ingest('windows', 'p', 'b', 'use', '2024-02-29 23:00:00+00', '{"n": 2}');
SELECT aevon_ingest('windows', 'p', 'c', 'use', '2024-03-01 00:00:59.999999+00', '{"n": 4}');
SELECT aevon_ingest('windows', 'p', 'd', 'use', '2024-03-03 00:00:00+00', '{"n": 8}');

SELECT * FROM aevon_windows('windows', 'p', 'use');
SELECT window_start, window_end, event_count, value, stats
FROM aevon_windows('windows', 'p', 'use', '2024-02-29 00:00+00', '2024-03-04 00:00+00', '1d');
SELECT window_start, window_end, event_count, value
FROM aevon_windows('windows', 'p', 'use', '2024-02-29 22:30+00', '2024-03-01 01:00:00.000001+00', '1h');
SELECT window_start, window_end, event_count, value
FROM aevon_windows('windows', 'p', 'use', '2024-02-29 22:59:00+00', '2024-02-29 23:02:00+00', '1m');

-- infinite ranges: only windows that hold something
SELECT window_start, event_count, value FROM aevon_windows('windows', 'p', 'use', granularity => '1d');
SELECT window_start, event_count, value FROM aevon_windows('windows', 'p', 'use', granularity => '1h');
SELECT window_start, event_count, value FROM aevon_windows('windows', 'p', 'use', granularity => '1m');
SELECT window_start, event_count, value FROM aevon_windows('windows', 'p', 'use', '2024-02-29 23:00+00', granularity => '1d');
SELECT window_start, event_count, value FROM aevon_windows('windows', 'p', 'use', until => '2024-02-29 23:00+00', granularity => '1d');

-- any whole multiple of minutes that divides a day
SELECT window_start, window_end, event_count, value
FROM aevon_windows('windows', 'p', 'use', '2024-02-29 22:50+00', '2024-03-01 00:20+00', '15m');
SELECT window_start, window_end, event_count, value
FROM aevon_windows('windows', 'p', 'use', '2024-02-29 22:50+00', '2024-03-01 00:20+00', '12h');
SELECT count(*) FROM aevon_test.differences('windows', granularities => '{5m,15m,90m,6h,12h,24h}');

-- the session's time zone does not move the grid
SET timezone = 'America/New_York';
SELECT window_start AT TIME ZONE 'UTC' AS utc, event_count, value
FROM aevon_windows('windows', 'p', 'use', '2024-03-01 00:00+00', '2024-03-04 00:00+00', '1d');
SET timezone = 'UTC';

-- the same once swept
SELECT * FROM aevon_test.recount('windows');
SELECT aevon_test.sweep();
SELECT * FROM aevon_test.recount('windows');
SELECT count(*) FROM aevon_test.differences('windows', granularities => '{5m,15m,90m,6h,12h,24h}');
SELECT window_start, window_end, event_count, value, stats
FROM aevon_windows('windows', 'p', 'use', '2024-02-29 00:00+00', '2024-03-04 00:00+00', '1d');

-- aevon_state has the same windows
SELECT v ->> 'window_start' AS window_start, v ->> 'window_end' AS window_end,
	v -> 'event_count' AS event_count, v -> 'value' AS value
FROM jsonb_array_elements(aevon_state('windows', 'p', 'use', '2024-02-29 22:30+00',
	'2024-03-01 01:00:00.000001+00', '1h') #> '{rules,use,values}') v;

-- too many windows
SHOW aevon.max_windows;
SELECT count(*) FROM aevon_windows('windows', 'p', 'use', '2024-01-01 00:00+00',
	'2024-01-01 00:00+00'::timestamptz + interval '100000 minutes', '1m');
SELECT aevon_test.try($$SELECT * FROM aevon_windows('windows', 'p', 'use', '2024-01-01 00:00+00',
	'2024-01-01 00:00:00.000001+00'::timestamptz + interval '100000 minutes', '1m')$$);
SELECT aevon_test.try($$SELECT aevon_state('windows', 'p', 'use', '0001-01-01 00:00+00', '9999-12-31 00:00+00', '1m')$$);
SELECT aevon_test.try($$SELECT aevon_state('windows', 'p', 'use', '4713-01-01 00:00+00 BC', '294276-12-31 00:00+00', '1m')$$);
SET aevon.max_windows = 3;
SELECT count(*) FROM aevon_windows('windows', 'p', 'use', granularity => '1d');
SELECT aevon_test.try($$SELECT * FROM aevon_windows('windows', 'p', 'use', granularity => '1h')$$);
SELECT aevon_test.try($$SELECT * FROM aevon_windows('windows', 'p', 'use', granularity => '1m')$$);
SELECT count(*) FROM aevon_windows('windows', 'p', 'use');
RESET aevon.max_windows;

-- the widest ranges there are
SELECT event_count, value FROM aevon_windows('windows', 'p', 'use', '4713-01-01 00:00+00 BC', '294276-12-31 23:59:59.999999+00');
SELECT event_count, value FROM aevon_windows('windows', 'p', 'use', '-infinity', '294276-12-31 23:59:59.999999+00');
SELECT event_count, value FROM aevon_windows('windows', 'p', 'use', '4713-01-01 00:00+00 BC', 'infinity');
SELECT window_start, event_count, value FROM aevon_windows('windows', 'p', 'use', '4713-01-01 00:00+00 BC', 'infinity', '1d');
