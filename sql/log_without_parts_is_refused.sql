-- A log whose parts are detached says so, each time.
\set VERBOSITY sqlstate
SELECT aevon_define_rule('use', 'use', '{count}', tenant => 'parts');
SELECT aevon_ingest('parts', 'p', 'first', 'use', '2024-01-01 00:00+00');
BEGIN;
ALTER TABLE aevon.event_log DETACH PARTITION aevon.event_log_p1;
SAVEPOINT again;
SELECT aevon_ingest('parts', 'p', 'second', 'use');
ROLLBACK TO again;
SELECT aevon_state('parts');
ROLLBACK TO again;
SELECT aevon_sweep();
ROLLBACK;
SELECT aevon_ingest('parts', 'p', 'second', 'use', '2024-01-01 00:00+00');
SELECT count(*) FROM aevon_events('parts', 'p');
SELECT aevon_drop_rule('use', 'parts');
