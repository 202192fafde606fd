-- The log, voids and snapshots refuse change, on the parent and on every part, for
-- superusers too.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_ingest('append_only', 'p', 'e', 'use', '2024-01-01 00:00+00', '{"n": 1}');
CREATE TEMP TABLE changes (n serial, statement text);
INSERT INTO changes (statement) VALUES
	($$UPDATE aevon.event_log SET data = '{}'$$), ($$DELETE FROM aevon.event_log$$), ($$TRUNCATE aevon.event_log$$),
	($$UPDATE aevon.event_log_p1 SET data = '{}'$$), ($$DELETE FROM aevon.event_log_p1$$), ($$TRUNCATE aevon.event_log_p1$$),
	($$DELETE FROM aevon.event_log WHERE false$$), ($$UPDATE aevon.events SET data = '{}'$$),
	($$UPDATE aevon.snapshots SET day = 0$$), ($$DELETE FROM aevon.snapshots$$), ($$TRUNCATE aevon.snapshots$$),
	($$UPDATE aevon.voids SET reason = ''$$), ($$DELETE FROM aevon.voids$$), ($$TRUNCATE aevon.voids$$),
	($$UPDATE aevon.compactions SET day = 0$$), ($$DELETE FROM aevon.compactions$$), ($$TRUNCATE aevon.compactions$$);
SELECT statement, aevon_test.try(statement) FROM changes ORDER BY n;
SET session_replication_role = replica;
SELECT statement, left(aevon_test.try(statement), 5) FROM changes ORDER BY n;
RESET session_replication_role;
SELECT event_id, data FROM aevon.events WHERE tenant = 'append_only';
