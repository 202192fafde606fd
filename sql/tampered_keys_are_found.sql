-- The keys that make ingest idempotent are compared with the log, both ways.
SET timezone = 'UTC';
SET client_min_messages = warning;
SELECT count(aevon_ingest('keys', 'p' || i % 2, 'e' || i, 'key',
	'2021-06-01 10:00+00'::timestamptz + i * interval '1 hour', jsonb_build_object('n', i)))
FROM generate_series(1, 8) i;
SELECT aevon_void('keys', 'p1', 'e1', 'a void has no key of its own');
CREATE VIEW keys_of AS
	SELECT k.ctid, k.* FROM aevon.event_keys k JOIN aevon.principals p USING (principal_key)
	JOIN aevon.tenants t USING (tenant_key) WHERE t.tenant = 'keys';
CREATE FUNCTION findings(tenant text DEFAULT 'keys', repair boolean DEFAULT false)
	RETURNS TABLE (what text, principal text, window_start timestamptz, stored jsonb, recomputed jsonb, repaired boolean)
	LANGUAGE sql AS $$
	SELECT v.what, v.principal, v.window_start, v.stored - 'stamp' - 'content_digest', v.recomputed - 'stamp' - 'content_digest', v.repaired
	FROM aevon_verify(NULL, findings.tenant, findings.repair) v ORDER BY 1, 2, 3
$$;
SELECT * FROM findings();

-- a key gone: the event could be ingested again
BEGIN;
DELETE FROM aevon.event_keys k USING keys_of o WHERE k.ctid = o.ctid AND o.event_id = 'e3';
SELECT * FROM findings();
SELECT what, principal, stored FROM aevon_verify() WHERE what = 'key';
SELECT * FROM findings(repair => true);
SELECT * FROM findings();
SELECT aevon_ingest('keys', 'p1', 'e3', 'key', '2021-06-01 13:00+00', '{"n": 3}');
SELECT r.what, r.window_start, r.series_key, r.measure_key, r.version, r.rule, r.stored,
	r.recomputed ->> 'event_id' AS event_id, r.repaired_by = current_user AS by_me
FROM aevon.repairs r JOIN aevon.tenants t USING (tenant_key) WHERE t.tenant = 'keys';
ROLLBACK;

-- each column changed: a retry would be judged wrongly
BEGIN;
UPDATE aevon.event_keys k SET content_digest = '\x00112233445566778899aabbccddeeff' FROM keys_of o
WHERE k.ctid = o.ctid AND o.event_id = 'e3';
UPDATE aevon.event_keys k SET occurred_at = o.occurred_at + interval '1 s' FROM keys_of o
WHERE k.ctid = o.ctid AND o.event_id = 'e4';
UPDATE aevon.event_keys k SET part = 7 FROM keys_of o WHERE k.ctid = o.ctid AND o.event_id = 'e5';
UPDATE aevon.event_keys k SET stamp = o.stamp + 1 FROM keys_of o WHERE k.ctid = o.ctid AND o.event_id = 'e6';
UPDATE aevon.event_keys k SET content_digest = substr(k.content_digest, 1, 3) FROM keys_of o
WHERE k.ctid = o.ctid AND o.event_id = 'e7';
SELECT * FROM findings();
SELECT stored ->> 'content_digest' AS stored, length(recomputed ->> 'content_digest') AS digits
FROM aevon_verify(tenant => 'keys') WHERE stored ->> 'event_id' = 'e3';
SELECT aevon_ingest('keys', 'p1', 'e3', 'key', '2021-06-01 13:00+00', '{"n": 3}');        -- ERROR: 23505
ROLLBACK;
BEGIN;
UPDATE aevon.event_keys k SET occurred_at = o.occurred_at + interval '1 s', content_digest = '\x00' FROM keys_of o
WHERE k.ctid = o.ctid AND o.event_id = 'e4';
SELECT * FROM findings(repair => true);
SELECT * FROM findings();
SELECT aevon_ingest('keys', 'p0', 'e4', 'key', '2021-06-01 14:00+00', '{"n": 4}');
ROLLBACK;

-- a key without an event keeps one out, and may be what is left of one: it is
-- told, and stays
BEGIN;
INSERT INTO aevon.event_keys (stamp, occurred_at, part, principal_key, event_id, content_digest)
SELECT stamp, occurred_at, part, principal_key, 'ghost', content_digest FROM keys_of WHERE event_id = 'e3';
SELECT * FROM findings();
SELECT * FROM findings(repair => true);
SELECT count(*) FROM keys_of WHERE event_id = 'ghost';
ROLLBACK;
BEGIN;
ALTER TABLE aevon.event_log_p1 DISABLE TRIGGER ALL;
ALTER TABLE aevon.event_log DISABLE TRIGGER ALL;
DELETE FROM aevon.event_log l USING keys_of k
WHERE k.event_id = 'e3' AND l.event_id = k.event_id AND l.principal_key = k.principal_key;
SELECT * FROM findings();
ROLLBACK;
-- of nobody at all
BEGIN;
INSERT INTO aevon.event_keys SELECT stamp, occurred_at, part, 2000000000, 'ghost', content_digest
FROM keys_of WHERE event_id = 'e3';
SELECT * FROM findings();
SELECT what, principal, stored ->> 'event_id' AS event_id FROM aevon_verify() WHERE what = 'key';
ROLLBACK;
-- the keys of a part that was dropped are all that is left of it
BEGIN;
INSERT INTO aevon.log_parts (part, part_name, opened_at) VALUES (99, 'event_log_p99', now());
INSERT INTO aevon.event_keys SELECT stamp, occurred_at, 99, principal_key, 'dropped', content_digest
FROM keys_of WHERE event_id = 'e3';
INSERT INTO aevon.event_keys SELECT stamp, occurred_at, 98, principal_key, 'never there', content_digest
FROM keys_of WHERE event_id = 'e3';
SELECT * FROM findings();
ROLLBACK;

-- nothing is mended by an event that is not proved itself, or is there twice
BEGIN;
ALTER TABLE aevon.event_log_p1 DISABLE TRIGGER ALL;
ALTER TABLE aevon.event_log DISABLE TRIGGER ALL;
UPDATE aevon.event_log l SET data = '{"n": 1000}' FROM keys_of k
WHERE k.event_id = 'e3' AND l.event_id = k.event_id AND l.principal_key = k.principal_key;
SELECT what, principal, repaired FROM findings(repair => true);
ROLLBACK;
BEGIN;
DELETE FROM aevon.event_keys k USING keys_of o WHERE k.ctid = o.ctid AND o.event_id = 'e3';
SELECT aevon_ingest('keys', 'p1', 'e3', 'key', '2021-06-01 13:00+00', '{"n": 3}');
SELECT what, principal, repaired FROM findings(repair => true);
ROLLBACK;
SELECT * FROM findings();
DROP FUNCTION findings;
DROP VIEW keys_of;
