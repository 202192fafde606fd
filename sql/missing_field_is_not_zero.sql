-- An event without a usable number is counted and shown as skipped; it does
-- not pull a minimum, an average or a last value to zero.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_define_rule('speed', 'use', '{min,max,avg,last,sum,count}', 'n', tenant => 'missing_field');
SELECT aevon_ingest('missing_field', 'p', 'a', 'use', '2024-01-01 00:00+00', '{"n": 10}');
SELECT aevon_ingest('missing_field', 'p', 'b', 'use', '2024-01-01 00:01+00', '{"n": 20}');
SELECT aevon_ingest('missing_field', 'p', 'c', 'use', '2024-01-01 00:02+00', '{}');
SELECT aevon_ingest('missing_field', 'p', 'd', 'use', '2024-01-01 00:02:30+00', '{"n": null}');
SELECT aevon_ingest('missing_field', 'q', 'e', 'use', '2024-01-01 00:03+00', '{"m": 1}');

SELECT event_count, value, stats FROM aevon_windows('missing_field', 'p');
SELECT event_count, value, stats FROM aevon_windows('missing_field', 'q');
SELECT window_start, event_count, value, stats FROM aevon_windows('missing_field', 'p', 'speed', granularity => '1m');
SELECT aevon_state('missing_field', 'p') #> '{rules,speed,skipped}' AS skipped;
SELECT * FROM aevon_test.recount('missing_field');

SELECT aevon_test.sweep();
SELECT event_count, value, stats FROM aevon_windows('missing_field', 'p');
SELECT event_count, value, stats FROM aevon_windows('missing_field', 'q');
SELECT window_start, event_count, value, stats FROM aevon_windows('missing_field', 'p', 'speed', granularity => '1m');
SELECT aevon_state('missing_field', 'p') #> '{rules,speed,skipped}' AS skipped;
SELECT * FROM aevon_test.recount('missing_field');
