-- Snapshots taken away, added or changed by a superuser with triggers off are
-- found: each names a link of the chain, which is made of all that name it.
-- In a database of its own: what other tests have left would be proved each time.
SELECT current_database() AS home \gset
CREATE DATABASE regress_snapshots;
\c regress_snapshots
CREATE EXTENSION aevon;
SET timezone = 'UTC';
SELECT aevon_define_rule('kept', 'keep', '{sum,count}', 'n', tenant => 'snaps');
SET aevon.clock = '2021-05-20 01:00+00';
SELECT count(aevon_ingest('snaps', 'p' || i % 2, 'e' || i, 'keep',
	'2021-05-01 10:00+00'::timestamptz + i % 3 * interval '1 day', jsonb_build_object('n', i)))
FROM generate_series(1, 12) i;
SELECT aevon_snapshot() > 0 AS snapshots;
SET aevon.clock = '2021-05-20 02:00+00';
SELECT count(aevon_ingest('snaps', 'p1', 'late' || i, 'keep', '2021-05-02 10:00+00', '{"n": 1}'))
FROM generate_series(1, 2) i;
SELECT aevon_snapshot();
SET aevon.clock = '2021-05-20 03:00+00';
SELECT aevon_ingest('snaps', 'p1', 'later', 'keep', '2021-05-02 10:00+00', '{"n": 2}');
SELECT aevon_snapshot();
-- a run with nothing to say makes no link
SELECT link_number AS head_number, link AS head FROM aevon_chain_head() \gset
SELECT aevon_snapshot();
SELECT aevon_chain_check(link_number, :'head') AS same_head FROM aevon_chain_head();
SELECT event_count, void_count, snapshot_count, compaction_count
FROM aevon.chain ORDER BY link_number DESC LIMIT 4;

CREATE VIEW snaps_of AS
	SELECT s.series_key FROM aevon.series s JOIN aevon.principals p ON p.principal_key = s.subject_key
	JOIN aevon.tenants t ON t.tenant_key = s.tenant_key WHERE t.tenant = 'snaps' AND p.principal = 'p1';
-- each row has the hash of its columns, and names the link of its run
SELECT n.revision, n.hash = aevon.row_hash(n) AS right_hash, :head_number - n.link_number AS links_before
FROM aevon.snapshots n JOIN snaps_of USING (series_key) WHERE n.day = '2021-05-02'::date - '2000-01-01'::date
ORDER BY 1;
CREATE FUNCTION findings(tenant text DEFAULT NULL)
	RETURNS TABLE (what text, principal text, day date, stored jsonb, recomputed jsonb, links_before integer)
	LANGUAGE sql AS $$
	SELECT v.what, v.principal, CASE WHEN v.what = 'snapshot' THEN v.window_start::date END,
		CASE v.what WHEN 'chain' THEN jsonb_build_object('snapshots', v.stored -> 'snapshot_count')
			ELSE v.stored - 'hash' - 'stats' END,
		CASE v.what WHEN 'chain' THEN jsonb_build_object('snapshots', v.recomputed -> 'snapshot_count')
			ELSE v.recomputed - 'hash' - 'stats' END,
		CASE v.what WHEN 'chain' THEN (SELECT max(link_number) FROM aevon.chain)
			- (coalesce(v.stored, v.recomputed) ->> 'link_number')::bigint END
	FROM aevon_verify(tenant => findings.tenant) v ORDER BY 1, 2, 4, 5
$$;
SELECT * FROM findings();

-- taken away: the middle one, which its number betrays to the tenant too
BEGIN;
ALTER TABLE aevon.snapshots DISABLE TRIGGER ALL;
DELETE FROM aevon.snapshots n USING snaps_of s
WHERE n.series_key = s.series_key AND n.day = '2021-05-02'::date - '2000-01-01'::date AND n.revision = 2;
SELECT * FROM findings();
SELECT * FROM findings('snaps');
-- that a compaction was forged for it does not help: the chain has none
INSERT INTO aevon.compactions (series_key, link_number, compacted_at, day, revisions, link_numbers, hashes)
SELECT series_key, :head_number + 1, now(), '2021-05-02'::date - '2000-01-01'::date, '{2}',
	ARRAY[:head_number - 2], ARRAY['\x00'::bytea] FROM snaps_of;
SELECT * FROM findings();
ROLLBACK;
-- the first, and the last
BEGIN;
ALTER TABLE aevon.snapshots DISABLE TRIGGER ALL;
DELETE FROM aevon.snapshots n USING snaps_of s
WHERE n.series_key = s.series_key AND n.day = '2021-05-02'::date - '2000-01-01'::date AND n.revision = 1;
SELECT * FROM findings();
ROLLBACK;
BEGIN;
ALTER TABLE aevon.snapshots DISABLE TRIGGER ALL;
DELETE FROM aevon.snapshots n USING snaps_of s
WHERE n.series_key = s.series_key AND n.day = '2021-05-02'::date - '2000-01-01'::date AND n.revision = 3;
SELECT * FROM findings();
-- the link as well: the head that was kept is not there any more
ALTER TABLE aevon.chain DISABLE TRIGGER ALL;
DELETE FROM aevon.chain WHERE link_number = :head_number;
SELECT * FROM findings();
SELECT aevon_chain_check(:head_number, :'head');
ROLLBACK;
-- all of a day
BEGIN;
ALTER TABLE aevon.snapshots DISABLE TRIGGER ALL;
DELETE FROM aevon.snapshots n USING snaps_of s
WHERE n.series_key = s.series_key AND n.day = '2021-05-02'::date - '2000-01-01'::date;
SELECT * FROM findings();
ROLLBACK;

-- changed: what follows from the log, and what does not
BEGIN;
ALTER TABLE aevon.snapshots DISABLE TRIGGER ALL;
UPDATE aevon.snapshots n SET late_count = late_count + 1 FROM snaps_of s
WHERE n.series_key = s.series_key AND n.day = '2021-05-02'::date - '2000-01-01'::date AND n.revision = 2;
SELECT * FROM findings();
SELECT * FROM findings('snaps');
ROLLBACK;
BEGIN;
ALTER TABLE aevon.snapshots DISABLE TRIGGER ALL;
UPDATE aevon.snapshots n SET taken_at = '2021-05-20 02:30+00' FROM snaps_of s
WHERE n.series_key = s.series_key AND n.day = '2021-05-02'::date - '2000-01-01'::date AND n.revision = 2;
SELECT * FROM findings();
SELECT * FROM findings('snaps');
-- with a hash to match: the chain breaks
UPDATE aevon.snapshots n SET hash = aevon.row_hash(n) FROM snaps_of s
WHERE n.series_key = s.series_key AND n.day = '2021-05-02'::date - '2000-01-01'::date AND n.revision = 2;
SELECT * FROM findings();
ROLLBACK;
BEGIN;
ALTER TABLE aevon.snapshots DISABLE TRIGGER ALL;
UPDATE aevon.snapshots n SET status = 'provisional' FROM snaps_of s
WHERE n.series_key = s.series_key AND n.day = '2021-05-02'::date - '2000-01-01'::date AND n.revision = 3;
SELECT * FROM findings();
ROLLBACK;
-- added: to a run that was, and to one that was not
BEGIN;
INSERT INTO aevon.snapshots SELECT n.series_key, cut_xmax, taken_at, event_count, late_count, link_number, day,
	revision + 1, status, cut_xip, stats, delta, hash FROM aevon.snapshots n JOIN snaps_of USING (series_key)
WHERE n.day = '2021-05-02'::date - '2000-01-01'::date AND n.revision = 3;
SELECT what, stored, recomputed, links_before FROM findings() WHERE what = 'chain';
ROLLBACK;
BEGIN;
INSERT INTO aevon.snapshots SELECT n.series_key, cut_xmax, taken_at, event_count, late_count, link_number + x.ahead, day,
	revision + x.ahead, status, cut_xip, stats, delta, hash
FROM aevon.snapshots n JOIN snaps_of USING (series_key), generate_series(1, 2) x (ahead)
WHERE n.day = '2021-05-02'::date - '2000-01-01'::date AND n.revision = 3;
SELECT what, stored, recomputed, links_before FROM findings() WHERE what = 'chain';
ROLLBACK;
-- moved so far away that nobody could name all that is missing
BEGIN;
ALTER TABLE aevon.snapshots DISABLE TRIGGER ALL;
UPDATE aevon.snapshots n SET revision = 2147483647 FROM snaps_of s
WHERE n.series_key = s.series_key AND n.day = '2021-05-02'::date - '2000-01-01'::date AND n.revision = 3;
SET LOCAL statement_timeout = '10s';
SELECT min((recomputed ->> 'revision')::int) AS first, count(*) FROM aevon_verify('kept', 'snaps') WHERE what = 'snapshot' AND stored IS NULL;
ROLLBACK;

-- a compaction is a link of its own, which takes nothing from the others
BEGIN;
SET LOCAL aevon.compact_after = '1d';
SET LOCAL aevon.compact_threshold = 100;
SELECT aevon_snapshot();
SELECT c.revisions, c.link_number - :head_number AS link, c.link_numbers[1] - :head_number AS was_in
FROM aevon.compactions c JOIN snaps_of USING (series_key);
SELECT snapshot_count, compaction_count > 0 AS compacted FROM aevon.chain ORDER BY link_number DESC LIMIT 1;
SELECT * FROM findings();
SELECT aevon_chain_check(:head_number, :'head') AS still_there;
-- what it says cannot be changed or taken back either
SAVEPOINT before;
ALTER TABLE aevon.compactions DISABLE TRIGGER ALL;
UPDATE aevon.compactions SET compacted_at = '2021-05-21' WHERE series_key = (SELECT series_key FROM snaps_of);
SELECT what, stored, recomputed, links_before FROM findings() WHERE what = 'chain';
ROLLBACK TO before;
ALTER TABLE aevon.compactions DISABLE TRIGGER ALL;
DELETE FROM aevon.compactions WHERE series_key = (SELECT series_key FROM snaps_of);
SELECT * FROM findings();
ROLLBACK;

-- snapshots are taken in whether or not the log is
SET aevon.chain = off;
SELECT aevon_ingest('snaps', 'p1', 'off', 'keep', '2021-05-02 10:00+00', '{"n": 2}');
SELECT aevon_snapshot() AS snapshots;
SELECT link_number - :head_number AS after, event_count, snapshot_count
FROM aevon.chain ORDER BY link_number DESC LIMIT 1;
SELECT * FROM findings();
RESET aevon.chain;
SELECT more FROM aevon_sweep();
SELECT * FROM findings();

-- a cut that no run could have written
BEGIN;
ALTER TABLE aevon.snapshots DISABLE TRIGGER ALL;
ALTER TABLE aevon.chain DISABLE TRIGGER ALL;
UPDATE aevon.snapshots SET cut_xip = '{NULL}' WHERE (series_key, day, revision) = (SELECT n.series_key, n.day, max(n.revision) FROM aevon.snapshots n JOIN snaps_of USING (series_key) GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 1);
UPDATE aevon.chain SET cut_xip = '{{NULL}}' WHERE link_number = :head_number;
SELECT what, stored, recomputed, links_before FROM findings();
ROLLBACK;
\c :home
DROP DATABASE regress_snapshots;
