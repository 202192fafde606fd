-- A revision is explained by what entered between two cuts, whatever else the
-- day holds; its events are those that plain SQL finds between the cuts.
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT aevon_define_rule('n', 'x', '{sum,count}', 'v', '$.v < 1000', tenant => 'crowded');
-- rows of the log that this transaction has read through an index
CREATE FUNCTION pg_temp.rows_read() RETURNS bigint LANGUAGE sql AS
$$SELECT sum(pg_stat_get_xact_tuples_fetched(indexrelid))::bigint FROM pg_index WHERE indrelid = 'aevon.event_log_p1'::regclass$$;
-- what explains a revision, from the log and the cuts of the snapshots
CREATE FUNCTION pg_temp.inside(stamp bigint, xmax bigint, xip bigint[]) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$SELECT stamp < xmax AND stamp <> ALL (xip)$$;
CREATE VIEW pg_temp.revisions AS
SELECT p.principal, n.revision, n.day, s.tenant_key, s.subject_key, n.cut_xmax, n.cut_xip,
	lag(n.cut_xmax, 1, 0::bigint) OVER w AS old_xmax, lag(n.cut_xip, 1, '{}') OVER w AS old_xip
FROM aevon.snapshots n JOIN aevon.series s USING (series_key) JOIN aevon.tenants t USING (tenant_key)
	LEFT JOIN aevon.principals p ON p.principal_key = s.subject_key
WHERE t.tenant = 'crowded' WINDOW w AS (PARTITION BY n.series_key, n.day ORDER BY n.revision);
CREATE VIEW pg_temp.expected AS
SELECT * FROM (
	SELECT r.principal AS subject, r.revision, q.principal, e.event_id, e.occurred_at, (CASE jsonb_typeof(e.data -> 'v') WHEN 'number' THEN e.data -> 'v' END)::numeric AS v,
		(pg_temp.inside(e.stamp, r.cut_xmax, r.cut_xip) AND NOT coalesce(pg_temp.inside(v.stamp, r.cut_xmax, r.cut_xip), false))::int
		- (pg_temp.inside(e.stamp, r.old_xmax, r.old_xip) AND NOT coalesce(pg_temp.inside(v.stamp, r.old_xmax, r.old_xip), false))::int AS change
	FROM pg_temp.revisions r
	JOIN aevon.event_log e ON e.tenant_key = r.tenant_key AND (r.subject_key < 0 OR e.principal_key = r.subject_key)
		AND e.occurred_at >= '2000-01-01 00:00+00'::timestamptz + r.day * interval '24 hours'
		AND e.occurred_at < '2000-01-02 00:00+00'::timestamptz + r.day * interval '24 hours'
	JOIN aevon.principals q ON q.principal_key = e.principal_key
	LEFT JOIN aevon.voids v ON v.principal_key = e.principal_key AND v.event_id = e.event_id
	WHERE (CASE jsonb_typeof(e.data -> 'v') WHEN 'number' THEN e.data -> 'v' END)::numeric < 1000) x
WHERE change <> 0;
CREATE VIEW pg_temp.explained AS
SELECT r.principal AS subject, r.revision, e.principal, e.event_id, e.occurred_at, abs(e.value_change) AS v, e.count_change AS change
FROM (SELECT * FROM pg_temp.revisions WHERE day = date '2024-03-01' - '2000-01-01') r, aevon_explain('crowded', r.principal, 'n', '2024-03-01', r.revision, max_rows => 100000) e;

SET aevon.clock = '2024-03-02 00:05+00';
SELECT accepted FROM aevon_ingest_batch('crowded', (SELECT jsonb_agg(jsonb_build_object('principal', 'p' || i % 7, 'event_id', 'e' || i,
	'event_type', 'x', 'occurred_at', timestamptz '2024-03-01 00:00+00' + i * interval '4 seconds', 'data', jsonb_build_object('v', i % 1003)))
	FROM generate_series(1, 20000) i));
SELECT aevon_snapshot() >= 8 AS taken;
-- late: ten events, three of the same time, one that the filter leaves out; two old ones void, one new one
SET aevon.clock = '2024-03-02 10:00+00';
SELECT count(aevon_ingest('crowded', 'p' || i % 3, 'late' || i, 'x', '2024-03-01 12:00+00'::timestamptz + i / 4 * interval '3 hours', jsonb_build_object('v', CASE i WHEN 9 THEN 1000 ELSE i END)))
FROM generate_series(1, 10) i;
SELECT aevon_ingest('crowded', 'p1', 'other day', 'x', '2024-03-02 09:00+00', '{"v": 1}'), aevon_ingest('neighbour of crowded', 'p1', 'x', 'x', '2024-03-01 12:00+00', '{"v": 1}');
SELECT e, aevon_void('crowded', p, e, 'wrong') FROM (VALUES ('p1', 'e8'), ('p1', 'e15'), ('p2', 'late2'), ('p1', 'e1002')) v (p, e);
SELECT aevon_snapshot() > 0 AS taken;
SET aevon.clock = '2024-03-02 11:00+00';
SELECT aevon_ingest('crowded', 'p1', 'last', 'x', '2024-03-01 12:00+00', '{"v": 2}'), aevon_void('crowded', 'p1', 'late1', 'wrong');
SELECT aevon_snapshot() > 0 AS taken;

BEGIN;
SELECT pg_temp.rows_read() AS before \gset
SELECT principal, event_id, change, occurred_at, value_change FROM aevon_explain('crowded', NULL, 'n', '2024-03-01', 2);
SELECT pg_temp.rows_read() - :before BETWEEN 10 AND 100 AS few;
SELECT pg_temp.rows_read() AS before \gset
SELECT principal, event_id, change, occurred_at, value_change FROM aevon_explain('crowded', 'p1', 'n', '2024-03-01', 3);
SELECT pg_temp.rows_read() - :before BETWEEN 2 AND 20 AS few;
-- page by page
SELECT pg_temp.rows_read() AS before \gset
WITH RECURSIVE page AS (
	SELECT 1 AS n, NULL::text AS last, '{}'::text[] AS events
	UNION ALL
	SELECT n + 1, e.last, e.events
	FROM page, LATERAL (SELECT (array_agg("position"))[count(*)] AS last, array_agg(event_id) AS events
		FROM aevon_explain('crowded', NULL, 'n', '2024-03-01', 2, max_rows => 4, after => page.last)) e
	WHERE n = 1 OR page.last IS NOT NULL)
SELECT n, events FROM page WHERE n > 1;
SELECT pg_temp.rows_read() - :before BETWEEN 10 AND 400 AS few;
-- the first page of a large revision does not wait for the whole of it
SELECT pg_temp.rows_read() AS before \gset
SELECT count(*) FROM aevon_explain('crowded', NULL, 'n', '2024-03-01', 1, max_rows => 10);
SELECT pg_temp.rows_read() - :before BETWEEN 10 AND 50 AS few;
COMMIT;

-- every revision of every subject, against the log
SELECT count(*) FROM pg_temp.revisions WHERE day = date '2024-03-01' - '2000-01-01';
SELECT count(*) FROM pg_temp.expected WHERE occurred_at < '2024-03-02';
SELECT * FROM (TABLE pg_temp.expected EXCEPT ALL TABLE pg_temp.explained) x WHERE occurred_at < '2024-03-02';
SELECT * FROM (TABLE pg_temp.explained EXCEPT ALL TABLE pg_temp.expected) x WHERE occurred_at < '2024-03-02';
RESET aevon.clock;
SELECT aevon_drop_rule('n', 'crowded');
