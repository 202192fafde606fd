-- Whether a settled day was revised is found among its own voids, however many
-- others came meanwhile.
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT aevon_define_rule('n', 'x', '{sum}', 'v', tenant => 'many_voids');
-- rows of the voids that this transaction has read through an index
CREATE FUNCTION pg_temp.voids_read() RETURNS bigint LANGUAGE sql AS
$$SELECT sum(pg_stat_get_xact_tuples_fetched(indexrelid))::bigint FROM pg_index WHERE indrelid = 'aevon.voids'::regclass$$;
SET aevon.clock = '2024-03-01 12:00+00';
SET aevon.max_future = -1;
SELECT count(aevon_ingest('many_voids', 'p', 'day' || d, 'x', '2024-03-01'::timestamptz + d * interval '1 day', '{"v": 1}')) FROM generate_series(0, 39) d;
SELECT count(aevon_ingest('many_voids', 'p', 'crowd' || i, 'x', '2024-03-01 10:00+00', '{"v": 1}')) FROM generate_series(1, 300) i;
-- every day's first snapshot is provisional
SELECT aevon_snapshot() >= 80 AS taken;
SET aevon.clock = '2024-04-20 12:00+00';
SELECT count(aevon_void('many_voids', 'p', 'crowd' || i, 'wrong')) FROM generate_series(1, 300) i;
SELECT count(aevon_ingest('many_voids', 'p', 'late' || d, 'x', '2024-03-01'::timestamptz + d * interval '1 day', '{"v": 1}')) FROM generate_series(0, 39) d;
SELECT event_count > 0 AS swept FROM aevon_sweep();
BEGIN;
SELECT pg_temp.voids_read() AS before \gset
SELECT aevon_snapshot() AS taken;
SELECT pg_temp.voids_read() - :before BETWEEN 300 AND 3000 AS few;
COMMIT;
SELECT status, count(*), sum(value) FROM aevon_history('many_voids', NULL, 'n') WHERE revision = 2 GROUP BY status;
RESET aevon.clock;
RESET aevon.max_future;
SELECT aevon_drop_rule('n', 'many_voids');
