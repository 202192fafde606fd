-- A rule dropped and defined again before the next sweep: snapshots taken in
-- between neither fail nor forget the days that changed.
SET client_min_messages = warning;
-- the days of other tests
SELECT aevon_snapshot() >= 0 AS taken;
SELECT aevon_define_rule('r', 'x', '{sum}', 'v', tenant => 'again');
SELECT aevon_ingest('again', 'p', '1', 'x', '2024-04-01 12:00+00', '{"v": 5}');
SELECT event_count > 0 AS swept FROM aevon_sweep();
SELECT aevon_drop_rule('r', 'again');
-- within a transaction nothing is cleared
BEGIN;
SELECT aevon_snapshot();
COMMIT;
SELECT aevon_define_rule('r', 'x', '{sum}', 'v', tenant => 'again');
SELECT aevon_snapshot();
SELECT rule, day, revision, value FROM aevon_history('again', 'p', 'r');
SELECT aevon_drop_rule('r', 'again');
