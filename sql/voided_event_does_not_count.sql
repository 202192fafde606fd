-- A void takes an event out of every statistic, in the tail, in the buckets and
-- in the edges; before it (as_of) the event counts; the id stays taken.
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT aevon_define_rule('v', 'x', '{sum,count,min,max,avg,last}', 'v', tenant => 'voided');
SET aevon.clock = '2024-05-02 12:00+00';
SELECT aevon_ingest('voided', p, e, 'x', t::timestamptz, jsonb_build_object('v', v))
FROM (VALUES ('a', '1', '2024-05-01 10:00:10+00', 5), ('a', '2', '2024-05-01 10:00:20+00', 7),
	('a', '3', '2024-05-01 11:00:00+00', -2), ('b', '1', '2024-05-01 10:00:30+00', 100)) e(p, e, t, v);
CREATE VIEW voided_states AS
	SELECT coalesce(p, '(all)') AS who, w.event_count, w.stats
	FROM (VALUES ('a'), ('b'), (NULL)) x(p), aevon_windows('voided', p, 'v') w;
SET aevon.clock = '2024-05-03 12:00+00';
-- in the tail
SELECT aevon_void('voided', 'a', '2', 'measured twice');
SELECT * FROM voided_states;
SELECT aevon_sweep() IS NOT NULL AS swept;
SELECT * FROM voided_states;
-- out of a bucket: before and after the sweep that takes it out
SELECT aevon_void('voided', 'a', '3', 'wrong sign');
SELECT * FROM voided_states;
SELECT event_count, stats FROM aevon_windows('voided', 'a', 'v', '2024-05-01 10:59:59.5+00', '2024-05-01 11:00:00.5+00');
SELECT aevon_sweep() IS NOT NULL AS swept;
SELECT * FROM voided_states;
SELECT principal, window_start, event_count, sum, min, max, last FROM aevon.pre_aggregates
WHERE tenant = 'voided' ORDER BY 1, 2;
-- twice is a duplicate, and the first reason stays
SELECT aevon_void('voided', 'a', '3', 'again');
SELECT reason FROM aevon.voids v JOIN aevon.principals p USING (principal_key)
JOIN aevon.tenants t ON t.tenant_key = p.tenant_key WHERE tenant = 'voided' AND event_id = '3';
-- before the void it counts
SELECT event_count, stats FROM aevon_windows('voided', 'a', 'v', as_of => '2024-05-03 11:59:59.999999+00');
SELECT event_count, stats FROM aevon_windows('voided', 'a', 'v', as_of => '2024-05-03 12:00+00');
SELECT event_count FROM aevon_windows('voided', 'a', 'v', as_of => '2024-05-02 11:59:59.999999+00');
-- its id stays taken
SELECT aevon_ingest('voided', 'a', '3', 'x', '2024-05-01 11:00+00', '{"v": -2}');
\set VERBOSITY sqlstate
SELECT aevon_ingest('voided', 'a', '3', 'x', '2024-05-01 11:00+00', '{"v": 2}');
-- event and void in one transaction, and everything of a minute void
BEGIN;
SELECT aevon_ingest('voided', 'c', '1', 'x', '2024-05-01 10:00+00', '{"v": 1}');
SELECT aevon_void('voided', 'c', '1', 'never mind');
COMMIT;
SELECT event_count, stats FROM aevon_windows('voided', 'c', 'v');
SELECT aevon_sweep() IS NOT NULL AS swept;
SELECT event_count, stats FROM aevon_windows('voided', 'c', 'v');
SELECT aevon_void('voided', 'b', '1', 'test traffic');
SELECT aevon_sweep() IS NOT NULL AS swept;
SELECT * FROM voided_states;
-- a void that rolls back
BEGIN;
SELECT aevon_void('voided', 'a', '1', 'mistake');
SELECT event_count FROM aevon_windows('voided', 'a', 'v');
ROLLBACK;
SELECT event_count FROM aevon_windows('voided', 'a', 'v');
-- what is wrong
SELECT aevon_void('voided', 'a', 'nope', 'x');
SELECT aevon_void('voided', 'nobody', '1', 'x');
SELECT aevon_void(NULL, 'a', '1', 'x');
SELECT aevon_void('voided', NULL, '1', 'x');
SELECT aevon_void('voided', 'a', NULL, 'x');
SELECT aevon_void('voided', 'a', '1', NULL);
SELECT aevon_void('voided', 'a', '1', ' ');
SELECT aevon_void('voided', 'a', '1', repeat('x', 1001));
SELECT aevon_void('voided', 'a', '1', E'escape \x1b[2J');
SELECT aevon_void('voided', 'a', '1', E'two\nlines');
SELECT aevon_void('voided', 'a', '1', E'a\ttab');
SELECT aevon_void('voided', 'a', '1', E'delete \x7f');
CREATE ROLE voided_reader;
SELECT aevon_grant('voided', 'voided_reader', 'read');
SELECT aevon_grant('voided', 'voided_reader', 'ingest');
SET ROLE voided_reader;
SELECT aevon_void('voided', 'a', '1', 'no right');
SELECT aevon_void('other', 'a', '1', 'no right');
RESET ROLE;
SELECT aevon_grant('voided', 'voided_reader', 'void');
SET ROLE voided_reader;
SELECT aevon_void('voided', 'a', '1', 'with the right');
RESET ROLE;
SELECT * FROM voided_states;
DROP VIEW voided_states;
SELECT aevon_revoke('voided', 'voided_reader', p) FROM unnest('{read,ingest,void}'::text[]) p;
DROP ROLE voided_reader;
RESET aevon.clock;
SELECT aevon_drop_rule('v', 'voided');
