-- An event is in the log once, and found by what it is: verification says where
-- that is not so.
SET timezone = 'UTC';
SET client_min_messages = warning;
SELECT count(aevon_ingest('keys', 'p' || i % 2, 'e' || i, 'key',
	'2021-06-01 10:00+00'::timestamptz + i * interval '1 hour', jsonb_build_object('n', i)))
FROM generate_series(1, 8) i;
CREATE VIEW log_of AS
	SELECT e.* FROM aevon.event_log e JOIN aevon.tenants t USING (tenant_key) WHERE t.tenant = 'keys';
CREATE FUNCTION findings(repair boolean DEFAULT false)
	RETURNS TABLE (what text, principal text, window_start timestamptz, stored jsonb, recomputed jsonb, repaired boolean)
	LANGUAGE sql AS $$
	SELECT v.what, v.principal, v.window_start, v.stored, v.recomputed, v.repaired
	FROM aevon_verify(NULL, 'keys', findings.repair) v ORDER BY 1, 2, 3
$$;
SELECT * FROM findings();

-- an event slipped in a second time: told for each of the two, and left alone
BEGIN;
INSERT INTO aevon.event_log SELECT * FROM log_of WHERE event_id = 'e3';
SELECT * FROM findings(repair => true);
SELECT count(*) FROM log_of;
SELECT aevon_ingest('keys', 'p1', 'e3', 'key', '2021-06-01 13:00+00', '{"n": 3}');
ROLLBACK;

-- the same id of another principal is another event
SELECT aevon_ingest('keys', 'p0', 'e3', 'key', '2021-06-01 13:00+00', '{"n": 3}');
SELECT * FROM findings();

-- what an aborted transaction left is stepped over, however often it is met
BEGIN;
SELECT count(aevon_ingest('keys', 'p' || i % 2, 'again' || i, 'key', '2021-06-02 10:00+00', '{}'))
FROM generate_series(1, 100) i;
ROLLBACK;
SELECT count(aevon_ingest('keys', 'p' || i % 2, 'again' || i, 'key', '2021-06-02 10:00+00', '{}'))
FROM generate_series(1, 100) i;
SELECT * FROM findings();
SELECT * FROM findings();

DROP FUNCTION findings;
DROP VIEW log_of;
