-- A late snapshot of a change that came in time is final, whatever was voided
-- of other event types meanwhile; one that a late void changed is revised.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT aevon_define_rule('n', 'x', '{sum}', 'v', tenant => 'other_void');
SET aevon.clock = '2024-04-01 12:00+00';
SELECT aevon_ingest('other_void', p, e, t, '2024-04-01 10:00+00', '{"v": 1}')
FROM (VALUES ('p', '1', 'x'), ('p', 'other', 'y'), ('q', '1', 'x')) v (p, e, t);
SELECT aevon_snapshot();
SET aevon.clock = '2024-04-02 12:00+00';
SELECT aevon_ingest('other_void', 'p', '2', 'x', '2024-04-01 10:00+00', '{"v": 1}');
SET aevon.clock = '2024-04-05 12:00+00';
SELECT aevon_void('other_void', 'p', 'other', 'of another type');
SELECT aevon_snapshot();
SELECT day, revision, status, late_count, value FROM aevon_history('other_void', 'p', 'n');
SELECT day, revision, status, late_count, value FROM aevon_history('other_void', NULL, 'n');
SELECT aevon_void('other_void', 'q', '1', 'of this type');
SELECT aevon_snapshot();
SELECT day, revision, status, late_count, value FROM aevon_history('other_void', 'q', 'n');
RESET aevon.clock;
SELECT aevon_drop_rule('n', 'other_void');
