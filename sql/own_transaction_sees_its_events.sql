-- What a transaction ingested counts for it from the next statement on, in
-- savepoints too, whether it sweeps in between or not.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_define_rule('use', 'use', '{sum,count}', 'n', tenant => 'own_events');
BEGIN;
SELECT aevon_ingest('own_events', 'p', 'a', 'use', '2024-01-01 00:00+00', '{"n": 1}');
SELECT event_count, value FROM aevon_windows('own_events', 'p');
SAVEPOINT one;
SELECT aevon_ingest('own_events', 'p', 'b', 'use', '2024-01-01 00:00+00', '{"n": 10}');
SELECT event_count, value FROM aevon_windows('own_events', 'p');
SELECT * FROM aevon_test.recount('own_events');
ROLLBACK TO one;
SELECT event_count, value FROM aevon_windows('own_events', 'p');
SELECT aevon_ingest('own_events', 'p', 'c', 'use', '2024-01-01 00:00+00', '{"n": 100}');
SELECT aevon_test.sweep();
SELECT event_count, value FROM aevon_windows('own_events', 'p');
SELECT * FROM aevon_test.recount('own_events');
SAVEPOINT two;
SELECT aevon_ingest('own_events', 'p', 'd', 'use', '2024-01-01 00:00+00', '{"n": 1000}');
SELECT aevon_test.sweep();
RELEASE two;
SELECT * FROM aevon_test.recount('own_events');
COMMIT;
SELECT event_count, value FROM aevon_windows('own_events', 'p');
SELECT * FROM aevon_test.recount('own_events');
SELECT aevon_test.sweep();
SELECT event_count, value FROM aevon_windows('own_events', 'p');
SELECT * FROM aevon_test.recount('own_events');

-- a sweep undone by a savepoint, and done again
SELECT aevon_ingest('own_events', 'p', 'e', 'use', '2024-01-01 00:00+00', '{"n": 10000}');
BEGIN;
SAVEPOINT one;
SELECT aevon_test.sweep();
ROLLBACK TO one;
SELECT * FROM aevon_test.recount('own_events');
SELECT aevon_test.sweep();
SELECT * FROM aevon_test.recount('own_events');
COMMIT;
SELECT * FROM aevon_test.recount('own_events');

-- an ingest that failed inside a subtransaction, with a new principal
DO $$
BEGIN
	PERFORM aevon_ingest('own_events', 'new one', 'f', 'use', '2024-01-01 00:00+00', '{"n": 5}');
	RAISE EXCEPTION 'no';
EXCEPTION WHEN raise_exception THEN
	PERFORM aevon_ingest('own_events', 'new one', 'f', 'use', '2024-01-01 00:00+00', '{"n": 6}');
END
$$;
SELECT event_count, value FROM aevon_windows('own_events', 'new one');
SELECT * FROM aevon_test.recount('own_events');
SELECT aevon_test.sweep();
SELECT * FROM aevon_test.recount('own_events');
