-- A link of the chain is the SHA-256 that docs/design.md says, computed here
-- in plain SQL: of many transactions, of voids, of snapshots and compactions.
SET timezone = 'UTC';
SET client_min_messages = warning;
SELECT more FROM aevon_sweep();
SELECT coalesce(max(link_number), 0) AS start FROM aevon.chain \gset
SELECT aevon_define_rule('linked', 'link', '{count}', tenant => 'links');
-- out of order within a transaction, many transactions, some voided
CREATE TEMP TABLE few AS
	SELECT 'p' || i % 7 AS principal, 'e' || i * 7919 % 1000 || repeat('x', i % 12) AS event_id, 'link' AS event_type,
		'2021-07-01 10:00+00'::timestamptz + i * interval '1 hour' AS occurred_at
	FROM generate_series(1, 100) i;
SELECT * FROM aevon_ingest_from('few', 'links');
DO $$ BEGIN
	FOR i IN 1 .. 20 LOOP
		PERFORM aevon_ingest('links', 'p' || j % 3, 'one' || i || '-' || j, 'link', '2021-07-02') FROM generate_series(1, 3) j;
		PERFORM aevon_void('links', 'p' || i % 3, 'one' || i || '-' || 3 - (3 - i % 3) % 3, 'a test') WHERE i % 3 = 0;
		COMMIT;
	END LOOP;
END $$;
SELECT count(aevon_void('links', principal, event_id, 'a test')) FROM few WHERE principal IN ('p3', 'p4');
SELECT more FROM aevon_sweep(50);
SELECT more FROM aevon_sweep();
SELECT aevon_snapshot() > 0 AS snapshots;
SELECT count(aevon_ingest('links', 'p1', 'late' || i, 'link', '2021-07-02')) FROM generate_series(1, 2) i;
SELECT aevon_snapshot() > 0 AS snapshots;
SELECT count(aevon_ingest('links', 'p1', 'later' || i, 'link', '2021-07-02')) FROM generate_series(1, 2) i;
BEGIN;
SET LOCAL aevon.compact_after = '1d';
SET LOCAL aevon.compact_threshold = 1000;
SELECT aevon_snapshot() > 0 AS snapshots;
COMMIT;
SELECT event_count FROM aevon_sweep();
SELECT sum(event_count) AS events, sum(void_count) AS voids, sum(snapshot_count) > 10 AS snapshots,
	sum(compaction_count) > 0 AS compactions, max(event_count) AS most
FROM aevon.chain WHERE link_number > :start;
WITH links AS (
	SELECT c.*, coalesce(b.link, decode(repeat('00', 32), 'hex')) AS previous,
		coalesce(b.cut_xmax, 0) AS before_xmax, coalesce(b.cut_xip, '{}') AS before_xip
	FROM aevon.chain c LEFT JOIN aevon.chain b ON b.link_number = c.link_number - 1
	WHERE c.link_number > :start
)
SELECT count(*) > 6 AS enough,
	count(*) FILTER (WHERE l.link = sha256(l.previous || coalesce(i.items, '') || int8send(l.event_count)
		|| int8send(l.void_count) || int8send(l.snapshot_count) || int8send(l.compaction_count)
		|| timestamptz_send(l.made_at) || int8send(l.cut_xmax) || int8send(cardinality(l.cut_xip))
		|| coalesce((SELECT string_agg(int8send(x), '' ORDER BY n) FROM unnest(l.cut_xip) WITH ORDINALITY u (x, n)), '')))
		= count(*) AS all_right
FROM links l
CROSS JOIN LATERAL (
	SELECT string_agg(set_byte('\x00', 0, kind) || int8send(number) || hash, ''
		ORDER BY greatest(kind, 1), number, kind, minor, id COLLATE "C") AS items
	FROM (
		SELECT 0 AS kind, e.stamp AS number, e.principal_key AS minor, e.event_id AS id, e.content_hash AS hash
		FROM aevon.event_log e
		WHERE e.stamp < l.cut_xmax AND e.stamp <> ALL (l.cut_xip)
			AND (e.stamp >= l.before_xmax OR e.stamp = ANY (l.before_xip))
		UNION ALL
		SELECT 1, v.stamp, v.principal_key, v.event_id, aevon.row_hash(v) FROM aevon.voids v
		WHERE v.stamp < l.cut_xmax AND v.stamp <> ALL (l.cut_xip)
			AND (v.stamp >= l.before_xmax OR v.stamp = ANY (l.before_xip))
		UNION ALL
		SELECT 2, n.series_key, n.day, to_char(n.revision, '000000'), n.hash
		FROM aevon.snapshots n WHERE n.link_number = l.link_number
		UNION ALL
		SELECT 2, c.series_key, c.day, to_char(u.revision, '000000'), u.hash
		FROM aevon.compactions c, unnest(c.revisions, c.link_numbers, c.hashes) u (revision, link_number, hash)
		WHERE u.link_number = l.link_number
		UNION ALL
		SELECT 3, c.series_key, c.day, '', aevon.row_hash(c)
		FROM aevon.compactions c WHERE c.link_number = l.link_number) x) i;
SELECT what, stored, recomputed FROM aevon_verify() WHERE what = 'chain';
SELECT aevon.row_hash(r) FROM (SELECT 1.5) r;                                              -- ERROR: 0A000
SELECT aevon_drop_rule('linked', 'links');
SELECT more FROM aevon_sweep();
