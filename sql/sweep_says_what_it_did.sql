-- aevon_sweep returns what it did, a bounded sweep leaves the rest, and the
-- log of sweeps has it all.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_define_rule('use', '*', '{count}', tenant => 'sweep_says');
SELECT aevon_ingest('sweep_says', 'p', 'first', 'use', '2024-03-01 00:00+00');
-- now all cuts are the same
SELECT aevon_test.sweep();
SELECT event_count, bucket_count, more FROM aevon_sweep();
-- five transactions of ten events
SELECT aevon_test.fill('sweep_says', 2, 10, 1);
SELECT aevon_test.fill('sweep_says', 2, 10, 11);
SELECT aevon_test.fill('sweep_says', 2, 10, 21);
SELECT aevon_test.fill('sweep_says', 2, 10, 31);
SELECT aevon_test.fill('sweep_says', 2, 10, 41);
SELECT event_count, bucket_count > 0 AS wrote, more FROM aevon_sweep(15);
SELECT tail_events FROM aevon.status WHERE tenant = 'sweep_says';
SELECT * FROM aevon_test.recount('sweep_says');
SELECT event_count, bucket_count > 0 AS wrote, more FROM aevon_sweep(1);
SELECT tail_events FROM aevon.status WHERE tenant = 'sweep_says';
SELECT event_count, bucket_count > 0 AS wrote, measure_count > 0 AS moved, duration_ms >= 0 AS took, more FROM aevon_sweep(1000);
SELECT tail_events FROM aevon.status WHERE tenant = 'sweep_says';
SELECT event_count, bucket_count, more FROM aevon_sweep();
SELECT * FROM aevon_test.recount('sweep_says');
SELECT event_count FROM aevon.sweeps WHERE event_count > 0 ORDER BY sweep_id DESC LIMIT 3;

-- an unbounded sweep by any spelling
SELECT aevon_test.fill('sweep_says', 2, 10, 51);
SELECT event_count, more FROM aevon_sweep(NULL);
SELECT aevon_test.try('SELECT aevon_sweep(-1)');
SELECT aevon_test.try('SELECT aevon_sweep(0)');

-- undone by a rollback
SELECT aevon_test.fill('sweep_says', 2, 10, 61);
BEGIN;
SELECT event_count FROM aevon_sweep();
SELECT * FROM aevon_test.recount('sweep_says');
ROLLBACK;
SELECT * FROM aevon_test.recount('sweep_says');
SELECT event_count FROM aevon_sweep();
SELECT * FROM aevon_test.recount('sweep_says');

-- not in a read-only transaction
BEGIN READ ONLY;
SELECT aevon_test.try('SELECT aevon_sweep()');
SELECT event_count FROM aevon_windows('sweep_says');
COMMIT;
