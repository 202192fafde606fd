-- aevon.compact_after thins out the snapshots of old days: the first after the
-- day's end, large changes and the last stay; what went is written down, and
-- history and explanations still add up.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT aevon_define_rule('n', 'x', '{sum,count}', 'v', tenant => 'compacted');
DO $$
BEGIN
	-- every hour from noon on a snapshot; one large event at 15:00 the next day
	FOR h IN 0..40 LOOP
		PERFORM set_config('aevon.clock', (timestamptz '2024-03-01 12:00+00' + h * interval '1 hour')::text, false);
		PERFORM aevon_ingest('compacted', 'p', h::text, 'x', '2024-03-01 11:00+00',
			jsonb_build_object('v', CASE h WHEN 0 THEN 10000 WHEN 27 THEN 5000 ELSE 1 END));
		COMMIT;
		PERFORM aevon_snapshot();
		COMMIT;
	END LOOP;
END
$$;
SELECT count(*) FROM aevon_history('compacted', 'p', 'n');
SET aevon.clock = '2024-03-20';
-- off by default
SELECT aevon_snapshot();
SELECT count(*) FROM aevon_history('compacted', 'p', 'n');
SET aevon.compact_after = '30d';
SELECT aevon_snapshot();
SELECT count(*) FROM aevon_history('compacted', 'p', 'n');
SET aevon.compact_after = '10d';
SET aevon.compact_threshold = 0.5;
BEGIN;
SELECT aevon_snapshot();
SELECT revision, taken_at, event_count, value, delta FROM aevon_history('compacted', 'p', 'n') ORDER BY 1;
ROLLBACK;
SET aevon.compact_threshold = 0.2;
SELECT aevon_snapshot();
SELECT revision, taken_at, event_count, value, delta FROM aevon_history('compacted', 'p', 'n') ORDER BY 1;
SELECT h.revision, h.delta, sum(e.value_change) AS explained, sum(e.count_change) AS events
FROM aevon_history('compacted', 'p', 'n') h, aevon_explain('compacted', 'p', 'n', h.day, h.revision) e
GROUP BY 1, 2 ORDER BY 1;
SELECT c.day, c.revisions FROM aevon.compactions c JOIN aevon.series s USING (series_key)
JOIN aevon.tenants t USING (tenant_key) WHERE tenant = 'compacted' AND s.subject_key > 0;
-- once is enough
SELECT aevon_snapshot();
SELECT count(*) FROM aevon.compactions c JOIN aevon.series s USING (series_key)
JOIN aevon.tenants t USING (tenant_key) WHERE tenant = 'compacted';
-- nobody else may
RESET aevon.compact_after;
DELETE FROM aevon.snapshots;
RESET aevon.clock;
SELECT aevon_drop_rule('n', 'compacted');
