-- A session remembers where the events of the tail lie, and what it remembers
-- is never taken for what the log holds.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_define_rule('use', '*', '{count,sum,min,max,last}', 'n', tenant => 'remembered');
CREATE FUNCTION pg_temp.difference_count() RETURNS bigint
	RETURN (SELECT count(*) FROM aevon_test.differences('remembered', '{"[-infinity,infinity)"}', '{total,1d}'));

-- more and more of it, read again and again
SELECT aevon_test.fill('remembered', 5, 400);
SELECT pg_temp.difference_count(), event_count FROM aevon_windows('remembered');
SELECT pg_temp.difference_count(), event_count FROM aevon_windows('remembered');
SELECT aevon_test.fill('remembered', 5, 400, 401);
SELECT pg_temp.difference_count(), event_count FROM aevon_windows('remembered');

-- own events that are rolled back, all or some of them
BEGIN;
SELECT aevon_ingest('remembered', 'p1', 'gone', 'use', '2024-01-01', '{"n": 1000}');
SELECT pg_temp.difference_count(), event_count FROM aevon_windows('remembered');
ROLLBACK;
SELECT pg_temp.difference_count(), event_count FROM aevon_windows('remembered');
BEGIN;
SELECT aevon_ingest('remembered', 'p1', 'kept', 'use', '2024-01-01', '{"n": 1000}');
SAVEPOINT half;
SELECT aevon_ingest('remembered', 'p1', 'gone', 'use', '2024-01-01', '{"n": 1000}');
SELECT pg_temp.difference_count(), event_count FROM aevon_windows('remembered');
ROLLBACK TO half;
SELECT pg_temp.difference_count(), event_count FROM aevon_windows('remembered');
COMMIT;
SELECT pg_temp.difference_count(), event_count FROM aevon_windows('remembered');

-- a principal without any in it: others' events change nothing, its own count
-- at once, those of this transaction, too
SELECT aevon_ingest('remembered', 'none', 'swept', 'use', '2024-01-01', '{"n": 1}');
SELECT aevon_test.sweep();
SELECT aevon_ingest('remembered', 'p1', 'other', 'use', '2024-01-01', '{"n": 1}');
SELECT event_count FROM aevon_windows('remembered', 'none');
SELECT event_count FROM aevon_windows('remembered', 'none');
SELECT aevon_ingest('remembered', 'none', 'after', 'use', '2024-01-01', '{"n": 1}');
SELECT event_count FROM aevon_windows('remembered', 'none');
SELECT aevon_test.sweep();
SELECT event_count FROM aevon_windows('remembered', 'none');
SELECT event_count FROM aevon_windows('remembered', 'none');
BEGIN;
SELECT aevon_ingest('remembered', 'none', 'own', 'use', '2024-01-01', '{"n": 1}');
SELECT event_count FROM aevon_windows('remembered', 'none');
COMMIT;
SELECT event_count FROM aevon_windows('remembered', 'none');
SELECT pg_temp.difference_count(), event_count FROM aevon_windows('remembered');

-- voided
SELECT aevon_void('remembered', 'p1', 'kept', 'a mistake');
SELECT pg_temp.difference_count(), event_count FROM aevon_windows('remembered');

-- elsewhere
VACUUM FULL aevon.event_log_p1;
SELECT pg_temp.difference_count(), event_count FROM aevon_windows('remembered');

-- a rule whose cut lies further back
SELECT aevon_test.sweep();
SELECT aevon_test.fill('remembered', 5, 400, 801);
SELECT pg_temp.difference_count(), event_count FROM aevon_windows('remembered');
SELECT aevon_define_rule('more', '*', '{max,count}', 'n', tenant => 'remembered');
SELECT pg_temp.difference_count(), event_count FROM aevon_windows('remembered', rule => 'use');
SELECT aevon_test.sweep();
SELECT aevon_test.fill('remembered', 5, 400, 1201);
SELECT pg_temp.difference_count(), event_count FROM aevon_windows('remembered', rule => 'more');

-- more than can be remembered
SELECT aevon_test.fill('remembered', 5, 21000, 1601);
SELECT pg_temp.difference_count(), event_count FROM aevon_windows('remembered', rule => 'use');
SELECT pg_temp.difference_count(), event_count FROM aevon_windows('remembered', rule => 'use');
SELECT aevon_test.sweep();
SELECT pg_temp.difference_count(), event_count FROM aevon_windows('remembered', rule => 'use');
