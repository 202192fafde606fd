-- A tail of any length is read whole, not only its first so many events.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_define_rule('use', '*', '{count,sum,min,max,avg,last}', 'n', tenant => 'long_tail');
SELECT aevon_test.fill('long_tail', 3, 8000);
SELECT aevon_test.fill('long_tail', 3, 8000, 8001);
SELECT event_count FROM aevon_windows('long_tail');
SELECT count(*) FROM aevon_test.differences('long_tail', '{"[-infinity,infinity)"}', '{total,1d}');

-- a part swept, a part not
SELECT aevon_test.sweep();
SELECT aevon_test.fill('long_tail', 3, 8000, 16001);
SELECT event_count FROM aevon_windows('long_tail');
SELECT count(*) FROM aevon_test.differences('long_tail', '{"[-infinity,infinity)"}', '{total,1d}');

-- and no tail
SELECT aevon_test.sweep();
SELECT event_count FROM aevon_windows('long_tail');
SELECT count(*) FROM aevon_test.differences('long_tail', '{"[-infinity,infinity)"}', '{total,1d}');
