-- Snapshots, history and explanations of series with dimension values: each
-- adds up to its bucket, over a guard and its rebuild too.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SET client_min_messages = error;
SELECT aevon_define_rule('spent', 'buy', '{sum,count}', 'n', dimensions => '{"kind": "kind", "shop": "shop"}', rollups => '{shop}', tenant => 'past');
-- each event in a transaction of its own: which combinations come first decides which are folded
CREATE PROCEDURE buy(first integer, last integer, shops integer) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN first .. last LOOP
		PERFORM aevon_ingest('past', 'p' || i % 2, 'e' || i, 'buy', '2024-05-01 00:00+00'::timestamptz + i % 20 * interval '4 hours',
			jsonb_build_object('n', i, 'kind', 'k' || i % 2, 'shop', i % shops));
		COMMIT;
	END LOOP;
END
$$;
-- what the snapshots of each series say, and the events that explain them
CREATE VIEW told AS
	SELECT p.principal, s.dims, h.day, h.revision, h.status, h.event_count, h.value, h.delta, x.events, x.value AS explained, x.changes
	FROM aevon.series s JOIN aevon.tenants t USING (tenant_key) LEFT JOIN aevon.principals p ON p.principal_key = s.subject_key
	CROSS JOIN LATERAL aevon_history('past', p.principal, 'spent', dims => s.dims) h
	CROSS JOIN LATERAL (SELECT sum(e.count_change) AS events, sum(e.value_change) AS value, array_agg(DISTINCT e.change) AS changes FROM aevon_explain('past', p.principal, 'spent', h.day, h.revision, dims => s.dims) e) x
	WHERE t.tenant = 'past';
CREATE VIEW untold AS
	SELECT t.principal, t.dims, t.day, count(*) AS revisions, bool_and(t.explained IS NOT DISTINCT FROM t.delta) AS explained, sum(t.delta) = (array_agg(t.value ORDER BY t.revision DESC))[1] AS adds_up
	FROM told t GROUP BY 1, 2, 3;
SET aevon.clock = '2024-05-05 12:00:00+00';
SET aevon.max_series_per_rule = 20;
CALL buy(1, 20, 3);
SELECT aevon_test.sweep();
SELECT aevon_snapshot() > 0;
SET aevon.clock = '2024-05-09 12:00:00+00';
CALL buy(21, 60, 6);
SELECT aevon_void('past', 'p1', 'e7', 'a test');
SELECT aevon_void('past', 'p0', 'e26', 'a test');
SELECT aevon_test.sweep();
SELECT aevon_snapshot() > 0;
SELECT series_full FROM aevon.series_counts JOIN aevon.rules USING (measure_key) WHERE name = 'spent';
SELECT * FROM aevon_test.dimension_differences('past');
SELECT count(*), sum(revisions) AS revisions, bool_and(explained) AS explained, bool_and(adds_up) AS adds_up FROM untold;
SELECT dims, day, revision, status, event_count, value, delta, events, explained, changes FROM told WHERE principal IS NULL AND day = '2024-05-02' ORDER BY 1, 2, 3;
SELECT * FROM aevon_verify(tenant => 'past');
-- the same by aevon.daily_metrics
SELECT count(*) AS days, bool_and(m.value = t.value AND m.event_count = t.event_count) AS same FROM aevon.daily_metrics m
JOIN (SELECT DISTINCT ON (principal, dims, day) * FROM told ORDER BY principal, dims, day, revision DESC) t ON t.principal IS NOT DISTINCT FROM m.principal AND t.dims = m.dims AND t.day = m.day WHERE m.tenant = 'past';
SELECT dims, day, value FROM aevon_daily_metrics('past', NULL, 'spent', dims => '{"shop": 1}') ORDER BY day;
SELECT dims, day, value FROM aevon_daily_metrics('past', NULL, 'spent') ORDER BY day;
SELECT dims, day, value FROM aevon_daily_metrics('past', 'p1', 'spent', dims => '{"shop": "__other__", "kind": "__other__"}') ORDER BY day;
-- rebuilt with room for all: what was told of __other__ stays, and what left it is explained
RESET aevon.max_series_per_rule;
SET aevon.clock = '2024-05-10 12:00:00+00';
SELECT aevon_rebuild('spent', 'past');
SELECT aevon_test.sweep(7);
SELECT aevon_snapshot() > 0;
SELECT count(*), sum(revisions) AS revisions, bool_and(explained) AS explained, bool_and(adds_up) AS adds_up FROM untold;
SELECT dims, day, revision, status, event_count, value, delta, events, explained, changes FROM told WHERE principal IS NULL AND day = '2024-05-02' AND (dims ->> 'shop' = '__other__' OR dims ->> 'shop' = '5') ORDER BY 1, 2, 3;
SELECT * FROM aevon_verify(tenant => 'past');
-- a snapshot that was tampered with, and one that is gone
BEGIN;
ALTER TABLE aevon.snapshots DISABLE TRIGGER ALL;
UPDATE aevon.snapshots n SET stats = jsonb_set(n.stats, '{sum}', '1') FROM aevon.series s
WHERE s.series_key = n.series_key AND s.dims = '{"kind": "k1", "shop": 1}' AND s.subject_key < 0 AND n.day = '2024-05-02'::date - '2000-01-01'::date AND n.revision = 1;
DELETE FROM aevon.snapshots n USING aevon.series s
WHERE s.series_key = n.series_key AND s.dims = '{"shop": "__other__"}' AND n.revision = 1 AND n.day = '2024-05-02'::date - '2000-01-01'::date;
SELECT rule, principal, what, window_start, coalesce(stored, recomputed) -> 'dims' AS dims, stored #> '{stats,sum}' AS stored, recomputed #> '{stats,sum}' AS recomputed, recomputed -> 'revision' AS revision
FROM aevon_verify(tenant => 'past') ORDER BY what, window_start;
ROLLBACK;
-- a day as of now, with events that no sweep has seen
SELECT aevon_ingest('past', 'p1', 'tail', 'buy', '2024-05-02 12:00+00', '{"n": 1000, "kind": "k1", "shop": 5}');
SELECT principal, event_id, change, value_change FROM aevon_explain('past', NULL, 'spent', '2024-05-02', dims => '{"kind": "k1", "shop": 5.0}');
SELECT principal, event_id, change, value_change FROM aevon_explain('past', 'p1', 'spent', '2024-05-02', dims => '{"kind": "k1", "shop": 9}');
SELECT count(*) FROM aevon_explain('past', NULL, 'spent', '2024-05-02') WHERE change = 'added';
SELECT sum(n) FROM (SELECT count(*) AS n FROM generate_series(0, 5) i, aevon_explain('past', NULL, 'spent', '2024-05-02', dims => jsonb_build_object('shop', i)) e WHERE e.change = 'added') x;
-- what cannot be asked
SELECT d, p, aevon_test.try(format('SELECT count(*) FROM aevon_history(%L, %L, %L, dims => %L)', 'past', p, r, d)) FROM (VALUES ('[]', NULL, 'spent'), ('"a"', NULL, 'spent'), ('{"kind": "k1"}', NULL, 'spent'),
	('{"shop": 1}', 'p1', 'spent'), ('{"shop": 1}', NULL, 'spent'), ('{"shop": [1], "kind": "k1"}', NULL, 'spent'), ('{"shop": 1, "colour": 1}', NULL, 'spent'), ('{"shop": 1}', NULL, NULL), ('{}', NULL, 'spent'), ('{"shop": 77}', NULL, 'spent')) v (d, p, r);
SELECT * FROM aevon_history('past', NULL, 'spent', dims => '{"shop": 1, "colour": 1}');
SELECT * FROM aevon_history('past', 'p1', 'spent', dims => '{"shop": 1}');
SELECT * FROM aevon_explain('past', NULL, 'spent', '2024-05-02', 1, dims => '{"shop": 77}');
RESET aevon.clock;
