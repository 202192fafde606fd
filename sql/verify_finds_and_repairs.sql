-- aevon_verify computes everything again from the log: it names what was
-- damaged, mends buckets on request, and finds that the log was tampered with.
SET timezone = 'UTC';
-- how many series other tests have left is no matter
SET client_min_messages = warning;
-- all minutes are closed
SET aevon.open_minutes = 0;
SELECT aevon_define_rule('paid', 'pay', '{sum,count,min,max,last}', 'n', tenant => 'verify');
SELECT aevon_define_rule('pays', 'pay', '{count}', filter => '$.n ? (@ > 3)', tenant => 'verify');
CREATE TEMP TABLE pays AS
	SELECT 'p' || i % 3 AS principal, 'e' || i AS event_id, 'pay' AS event_type,
		'2021-03-01 00:00+00'::timestamptz + i * 31 * interval '1 hour' AS occurred_at,
		CASE WHEN i % 10 = 0 THEN '{}' ELSE jsonb_build_object('n', i) END AS data
	FROM generate_series(1, 300) i;
SELECT * FROM aevon_ingest_from('pays', 'verify');
SELECT count(aevon_void('verify', 'p' || i % 3, 'e' || i, 'a test')) FROM generate_series(1, 90, 7) i;
SELECT aevon_snapshot() > 0 AS snapshots;
SELECT aevon_ingest('verify', 'p1', 'late', 'pay', '2021-03-02 07:00:30+00', '{"n": 7}');
SELECT aevon_void('verify', 'p2', 'e2', 'a test');
SELECT aevon_snapshot() > 0 AS snapshots;
-- events outside the cut do not matter
SELECT aevon_ingest('verify', 'p1', 'tail', 'pay', '2021-03-02 07:00:40+00', '{"n": 8}');
SELECT * FROM aevon_verify(tenant => 'verify');
SELECT * FROM aevon_verify('paid');
SELECT * FROM aevon_verify('paid@1', 'verify');

CREATE VIEW series_of AS
	SELECT s.series_key, p.principal, r.name AS rule
	FROM aevon.series s JOIN aevon.tenants t USING (tenant_key)
	JOIN aevon.rules r USING (measure_key)
	LEFT JOIN aevon.principals p ON p.principal_key = s.subject_key
	WHERE t.tenant = 'verify';
CREATE FUNCTION findings(repair boolean DEFAULT false, rule text DEFAULT NULL)
	RETURNS TABLE (rule text, principal text, what text, number bigint, missing bigint, extra bigint, repaired boolean)
	LANGUAGE sql AS $$
	SELECT v.rule, v.principal, v.what, count(*), count(*) FILTER (WHERE v.stored IS NULL),
		count(*) FILTER (WHERE v.recomputed IS NULL), bool_and(v.repaired)
	FROM aevon_verify(findings.rule, 'verify', repair) v GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
$$;

-- a bucket row with another series' content
BEGIN;
UPDATE aevon.buckets_1m b SET state = o.state
FROM series_of s, series_of x JOIN aevon.buckets_1m o USING (series_key)
WHERE b.series_key = s.series_key AND s.rule = 'paid' AND s.principal = 'p1'
	AND x.rule = 'paid' AND x.principal = 'p2' AND o.first_window = b.first_window;
SELECT * FROM findings();
SELECT window_start, stored->'sum' AS stored, recomputed->'sum' AS recomputed
FROM aevon_verify('paid', 'verify') ORDER BY 1 LIMIT 3;
SELECT * FROM findings(repair => true);
SELECT * FROM findings();
SELECT DISTINCT rule, version, what, repaired_by = current_user AS by_me FROM aevon.repairs WHERE rule = 'paid' ORDER BY 3;
SELECT count(*) FROM aevon.touched_days JOIN series_of USING (series_key) WHERE rule = 'paid' AND principal = 'p1';
SELECT sum(value) FROM aevon_windows('verify', 'p1', 'paid');
ROLLBACK;
SELECT sum(value) FROM aevon_windows('verify', 'p1', 'paid');

-- rows gone, a day too many, and a whole series gone
BEGIN;
DELETE FROM aevon.buckets_1m b USING series_of s
WHERE b.series_key = s.series_key AND s.rule = 'paid' AND s.principal = 'p0';
UPDATE aevon.buckets_1d b SET state = o.state
FROM series_of s, series_of x JOIN aevon.buckets_1d o USING (series_key)
WHERE b.series_key = s.series_key AND s.rule = 'paid' AND s.principal = 'p2'
	AND x.rule = 'paid' AND x.principal IS NULL AND o.first_window = b.first_window;
DELETE FROM aevon.series a USING series_of s
WHERE a.series_key = s.series_key AND s.rule = 'pays' AND s.principal = 'p0';
SELECT * FROM findings(repair => true);
SELECT * FROM findings();
SELECT count(*) FROM series_of WHERE rule = 'pays' AND principal = 'p0';
ROLLBACK;

-- bytes that cannot be read, and a merged state that is not its windows'
BEGIN;
UPDATE aevon.buckets_1d b SET state = '\x0bad'
FROM series_of s WHERE b.series_key = s.series_key AND s.rule = 'pays' AND s.principal = 'p1';
SELECT window_start, stored, recomputed FROM aevon_verify('pays', 'verify') WHERE recomputed IS NULL;
SELECT principal, what, bool_and(repaired) AS repaired FROM aevon_verify('pays', 'verify', true) GROUP BY 1, 2;
SELECT * FROM findings();
-- after version, number of windows, first window and span come the merged state's flags and count
UPDATE aevon.buckets_1d b SET state = set_byte(state, 7, get_byte(state, 7) + 1)
FROM series_of s WHERE b.series_key = s.series_key AND s.rule = 'pays' AND s.principal = 'p1';
SELECT what, window_start, stored->'event_count' AS stored, recomputed->'event_count' AS recomputed
FROM aevon_verify('pays', 'verify');
SELECT * FROM findings(repair => true);
SELECT * FROM findings();
ROLLBACK;

-- snapshots are found, and never mended
BEGIN;
ALTER TABLE aevon.snapshots DISABLE TRIGGER USER;
UPDATE aevon.snapshots n SET stats = jsonb_set(stats, '{sum}', '1000000')
FROM series_of s WHERE n.series_key = s.series_key AND s.rule = 'paid' AND s.principal = 'p1'
	AND n.day = '2021-03-06'::date - '2000-01-01'::date;
SELECT what, principal, window_start, stored->'revision' AS revision,
	stored->'stats'->'sum' AS stored, recomputed->'stats'->'sum' AS recomputed, repaired
FROM aevon_verify(NULL, 'verify', true);
ROLLBACK;

-- the log: triggers do not stop a superuser, but it shows
CREATE FUNCTION breaks() RETURNS TABLE (what text, principal text, event_id text, same_count boolean)
	LANGUAGE sql AS $$
	SELECT what, principal, stored->>'event_id', stored->'event_count' = recomputed->'event_count'
	FROM aevon_verify() WHERE what IN ('event', 'chain') ORDER BY 1, 3
$$;
SELECT more FROM aevon_sweep();
SELECT * FROM breaks();
SELECT link_number AS head_number, link AS head FROM aevon_chain_head() \gset
SELECT aevon_chain_check(:head_number, :'head') AS the_head,
	aevon_chain_check(:head_number - 1, :'head') AS not_that_one,
	aevon_chain_check(:head_number + 1, :'head') AS not_there;
UPDATE aevon.event_log SET data = '{"n": 1}' WHERE event_id = 'late';
BEGIN;
ALTER TABLE aevon.event_log_p1 DISABLE TRIGGER ALL;
ALTER TABLE aevon.event_log DISABLE TRIGGER ALL;
UPDATE aevon.event_log SET data = '{"n": 1}'
WHERE event_id = 'late' AND tenant_key = (SELECT tenant_key FROM aevon.tenants WHERE tenant = 'verify');
SELECT * FROM breaks();
-- with the hash changed as well, the chain breaks
UPDATE aevon.event_log SET content_hash = sha256(content_hash)
WHERE event_id = 'e5' AND tenant_key = (SELECT tenant_key FROM aevon.tenants WHERE tenant = 'verify');
SELECT * FROM breaks();
ROLLBACK;
-- rows taken away
BEGIN;
ALTER TABLE aevon.event_log_p1 DISABLE TRIGGER ALL;
ALTER TABLE aevon.event_log DISABLE TRIGGER ALL;
DELETE FROM aevon.event_log
WHERE event_id = 'e5' AND tenant_key = (SELECT tenant_key FROM aevon.tenants WHERE tenant = 'verify');
SELECT * FROM breaks();
ROLLBACK;
BEGIN;
ALTER TABLE aevon.voids DISABLE TRIGGER ALL;
DELETE FROM aevon.voids
WHERE event_id = 'e8' AND tenant_key = (SELECT tenant_key FROM aevon.tenants WHERE tenant = 'verify');
SELECT * FROM breaks();
ROLLBACK;
-- a row that has no hash of its own
BEGIN;
ALTER TABLE aevon.event_log_p1 DISABLE TRIGGER ALL;
ALTER TABLE aevon.event_log DISABLE TRIGGER ALL;
UPDATE aevon.event_log SET type_key = 2000000000
WHERE event_id = 'e5' AND tenant_key = (SELECT tenant_key FROM aevon.tenants WHERE tenant = 'verify');
SELECT * FROM breaks();
ROLLBACK;
-- links changed, and taken away
DELETE FROM aevon.chain;
BEGIN;
ALTER TABLE aevon.chain DISABLE TRIGGER ALL;
UPDATE aevon.chain SET link = sha256(link) WHERE link_number = :head_number;
SELECT * FROM breaks();
SELECT aevon_chain_check(:head_number, :'head');
DELETE FROM aevon.chain WHERE link_number = :head_number;
SELECT what, window_start, stored, recomputed->'link_number' = to_jsonb(:head_number) AS is_the_head
FROM aevon_verify() WHERE what = 'chain';
ROLLBACK;
SELECT * FROM breaks();

-- switched off, the chain waits; switched on again, it takes in what came since
SET aevon.chain = off;
SELECT aevon_ingest('verify', 'p1', 'off1', 'pay', '2021-04-01', '{"n": 1}');
SELECT more FROM aevon_sweep();
SELECT aevon_ingest('verify', 'p1', 'off2', 'pay', '2021-04-01', '{"n": 1}');
SELECT more FROM aevon_sweep();
SELECT link_number = :head_number AS same FROM aevon_chain_head();
RESET aevon.chain;
SELECT more FROM aevon_sweep();
SELECT link_number - :head_number AS after, event_count, void_count
FROM aevon.chain ORDER BY link_number DESC LIMIT 1;
-- a bounded sweep makes a bounded link
SELECT aevon_ingest('verify', 'p1', 'one', 'pay', '2021-04-02', '{"n": 1}');
SELECT aevon_ingest('verify', 'p1', 'two', 'pay', '2021-04-02', '{"n": 1}');
SELECT aevon_void('verify', 'p1', 'one', 'a test');
SELECT more FROM aevon_sweep(1);
SELECT more FROM aevon_sweep(1);
SELECT link_number - :head_number AS after, event_count, void_count
FROM aevon.chain WHERE link_number > :head_number ORDER BY 1;
SELECT aevon_chain_check(:head_number, :'head') AS still_there;
SELECT * FROM breaks();
-- nothing else is wrong either, whatever other tests have done here
SELECT * FROM aevon_verify();

-- who may, and what is wrong
SELECT * FROM aevon_verify('nothing');
SELECT * FROM aevon_verify('paid@9');
SELECT * FROM aevon_verify('paid@x');
SELECT * FROM aevon_verify(tenant => 'nobody');
SELECT * FROM aevon_verify(repair => NULL);
SELECT aevon_chain_check(NULL, :'head');
SELECT aevon_chain_check(1, NULL);
SELECT aevon_chain_check(1, 'head');
CREATE ROLE regress_verifier;
SELECT aevon_grant('verify', 'regress_verifier', 'operate');
SET ROLE regress_verifier;
SELECT * FROM aevon_verify(tenant => 'verify');
SELECT * FROM aevon_verify();
SELECT * FROM aevon_verify(tenant => 'other');
SELECT * FROM aevon_chain_head();
SELECT aevon_chain_check(1, :'head');
RESET ROLE;
SELECT aevon_revoke('verify', 'regress_verifier', 'operate');
DROP ROLE regress_verifier;
BEGIN READ ONLY;
SELECT * FROM aevon_verify(tenant => 'verify');
SELECT * FROM aevon_verify(tenant => 'verify', repair => true);
ROLLBACK;

-- a dropped rule's snapshots are still proved
SELECT aevon_drop_rule('paid', 'verify');
SELECT aevon_drop_rule('pays', 'verify');
SELECT more FROM aevon_sweep();
SELECT * FROM aevon_verify(tenant => 'verify');
DROP FUNCTION findings, breaks;
DROP VIEW series_of;
