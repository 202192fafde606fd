-- aevon.status: cut, tail, lag, progress and errors of each live rule version,
-- of tenants that the caller may read.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SET aevon.clock = '2024-06-01 00:00:00+00';
SELECT aevon_define_rule('mine', 'use', '{count}', tenant => 'status_a'), aevon_define_rule('theirs', 'use', '{count}', tenant => 'status_b'),
	aevon_define_rule('status_all', 'use', '{count}');
SELECT tenant, rule, version, state, cut, tail_events, lag_seconds, backfill_progress, last_sweep_at, last_error, last_error_at
FROM aevon.status WHERE rule IN ('mine', 'theirs') ORDER BY rule;
SELECT aevon_ingest('status_a', 'p', 'e' || n, 'use') FROM generate_series(1, 3) n;
SET aevon.clock = '2024-06-01 00:00:30+00';
SELECT aevon_ingest('status_b', 'p', 'e' || n, 'use') FROM generate_series(1, 5) n;
SET aevon.clock = '2024-06-01 00:01:30.5+00';
CREATE VIEW pg_temp.figures AS
SELECT tenant, rule, version, state, tail_events, lag_seconds, backfill_progress, last_sweep_at IS NOT NULL AS swept
FROM aevon.status WHERE rule IN ('mine', 'theirs', 'status_all') ORDER BY rule, version;
GRANT SELECT ON pg_temp.figures TO PUBLIC;
SELECT * FROM pg_temp.figures WHERE tenant IS NOT NULL;

-- a role sees its tenants, and rules of all tenants with its own tail
CREATE ROLE status_reader;
SET ROLE status_reader;
SELECT count(*) FROM aevon.status;
RESET ROLE;
SELECT aevon_grant('status_b', 'status_reader', 'ingest');
SET ROLE status_reader;
SELECT count(*) FROM aevon.status;
RESET ROLE;
SELECT aevon_grant('status_a', 'status_reader', 'read');
SET ROLE status_reader;
SELECT tenant, rule, version, state, tail_events, lag_seconds, backfill_progress, last_sweep_at FROM aevon.status ORDER BY rule;
RESET ROLE;
SELECT aevon_test.sweep();
SELECT aevon_ingest('status_b', 'p', 'late', 'other', '2020-01-01 00:00+00');
SET aevon.clock = '2024-06-01 00:02:00+00';
SELECT * FROM pg_temp.figures WHERE rule <> 'status_all' ;
SELECT tail_events, lag_seconds FROM pg_temp.figures WHERE rule = 'status_all';
SET ROLE status_reader;
SELECT tenant, rule, tail_events, lag_seconds, backfill_progress FROM aevon.status ORDER BY rule;
RESET ROLE;

-- the cut in words
SELECT cut ~ '^\d+:(\d+(,\d+)*)?$' AS cut FROM aevon.status WHERE rule = 'mine';

-- a new version: its backfill shows
SELECT aevon_define_rule('theirs', 'use', '{count,max}', 'n', tenant => 'status_b');
SELECT tenant, rule, version, state, tail_events, backfill_progress FROM aevon.status WHERE rule = 'theirs' ORDER BY version;
SELECT more FROM aevon_sweep(2);
SELECT tenant, rule, version, state, tail_events < 9 AS fewer, backfill_progress BETWEEN 0 AND 1 AS progress
FROM aevon.status WHERE rule = 'theirs' ORDER BY version;
SELECT aevon_test.sweep();
SELECT tenant, rule, version, state, tail_events, backfill_progress FROM aevon.status WHERE rule = 'theirs' ORDER BY version;

-- the newest sweep's error: whole for who may read all, its SQLSTATE for others
INSERT INTO aevon.sweeps (sweep_id, started_at, duration_ms, event_count, bucket_count, measure_count, by_worker, error_state, error_message)
VALUES (nextval('aevon.sweep_id_seq'), '2024-06-01 00:00+00', 1, 0, 0, 0, true, '53100', 'no space for tenant status_b');
SELECT last_error, last_error_at FROM aevon.status WHERE rule = 'mine';
SET ROLE status_reader;
SELECT last_error, last_error_at FROM aevon.status WHERE rule = 'mine';
RESET ROLE;
SELECT aevon_ingest('status_a', 'p', 'again', 'use');
SELECT aevon_test.sweep();
SELECT last_error, last_error_at FROM aevon.status WHERE rule = 'mine';
SELECT aevon_drop_rule('status_all'), aevon_drop_rule('mine', 'status_a'), aevon_drop_rule('theirs', 'status_b');
SELECT count(*) FROM aevon.status WHERE rule IN ('mine', 'theirs', 'status_all');
DELETE FROM aevon.sweeps WHERE error_state = '53100';
SELECT aevon_revoke('status_a', 'status_reader', 'read'), aevon_revoke('status_b', 'status_reader', 'ingest');
DROP ROLE status_reader;
