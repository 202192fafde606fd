-- Of no events, count and sum are 0, and min, max, avg and last are NULL.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_define_rule('all', 'use', '{count,sum,min,max,avg,last}', 'n', tenant => 'nothing');
SELECT aevon_define_rule('average', 'use', '{avg}', 'n', tenant => 'nothing');
SELECT aevon_define_rule('total', 'use', '{sum}', 'n', tenant => 'nothing');
SELECT aevon_define_rule('counted', 'use', '{count}', tenant => 'nothing');

-- a tenant of rules and no events
SELECT rule, event_count, value, stats FROM aevon_windows('nothing');
SELECT rule, event_count, value, stats FROM aevon_windows('nothing', 'nobody');
SELECT jsonb_pretty(aevon_state('nothing', 'nobody', 'average') -> 'rules');

-- another type's events, another principal's
SELECT aevon_ingest('nothing', 'p', 'a', 'other', '2024-01-01 00:00+00', '{"n": 1}');
SELECT aevon_ingest('nothing', 'q', 'a', 'use', '2024-01-01 00:00+00', '{"n": 1}');
SELECT rule, event_count, value, stats FROM aevon_windows('nothing', 'p');
SELECT aevon_test.sweep();
SELECT rule, event_count, value, stats FROM aevon_windows('nothing', 'p');
SELECT rule, window_start, event_count, value, stats
FROM aevon_windows('nothing', 'q', NULL, '2023-12-31 23:00+00', '2024-01-01 01:00+00', '1h');

-- zero is a value
SELECT aevon_ingest('nothing', 'p', 'b', 'use', '2024-01-01 00:00+00', '{"n": 0}');
SELECT aevon_ingest('nothing', 'p', 'c', 'use', '2024-01-01 00:00+00', '{"n": -0.0}');
SELECT rule, event_count, value, stats FROM aevon_windows('nothing', 'p');
SELECT aevon_test.sweep();
SELECT rule, event_count, value, stats FROM aevon_windows('nothing', 'p');
SELECT * FROM aevon_test.recount('nothing');
