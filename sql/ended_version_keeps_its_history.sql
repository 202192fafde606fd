-- A version that ends, replaced or dropped, gets the last snapshots of the days
-- that had changed; only then its buckets go.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
-- the days of other tests
SELECT aevon_snapshot() >= 0 AS taken;
CREATE VIEW pg_temp.left_of AS
SELECT r.version, r.state, EXISTS (SELECT FROM aevon.sweep_checkpoints c WHERE c.measure_key = r.measure_key) AS checkpoint,
	(SELECT count(*) FROM aevon.series s WHERE s.measure_key = r.measure_key AND (s.open_minutes IS NOT NULL
		OR EXISTS (SELECT FROM aevon.buckets_1m b WHERE b.series_key = s.series_key))) > 0 AS buckets,
	(SELECT count(*) FROM aevon.series s JOIN aevon.touched_days b USING (series_key) WHERE s.measure_key = r.measure_key) AS touched
FROM aevon.rules r JOIN aevon.tenants t USING (tenant_key) WHERE t.tenant = 'ended' ORDER BY r.version;
SET aevon.clock = '2024-03-02 12:00+00';
SELECT aevon_define_rule('r', 'x', '{sum}', 'a', tenant => 'ended');
SELECT aevon_ingest('ended', 'p', '1', 'x', '2024-03-01 10:00+00', '{"a": 1, "b": 10}');
SELECT aevon_snapshot();
SELECT aevon_ingest('ended', 'p', '2', 'x', '2024-03-01 11:00+00', '{"a": 2, "b": 20}');
SELECT aevon_ingest('ended', 'p', '3', 'x', '2024-03-02 11:00+00', '{"a": 4, "b": 40}');
-- replaced
SELECT aevon_define_rule('r', 'x', '{sum}', 'b', tenant => 'ended');
SELECT event_count > 0 AS swept FROM aevon_sweep();
SELECT * FROM pg_temp.left_of;
SELECT event_count FROM aevon_sweep();
SELECT rule, value FROM aevon_windows('ended', 'p', 'r@1');
SELECT aevon_ingest('ended', 'p', '4', 'x', '2024-03-02 11:30+00', '{"a": 8, "b": 80}');
SELECT rule, value FROM aevon_windows('ended', 'p', 'r@1');
SELECT count(*) FROM aevon_verify('r', 'ended');
SELECT aevon_snapshot();
SELECT * FROM pg_temp.left_of;
SELECT v, day, revision, value, delta FROM unnest('{1,2}'::int[]) v, aevon_history('ended', 'p', 'r@' || v) ORDER BY v, day, revision;
SELECT event_count FROM aevon_sweep();
SELECT * FROM pg_temp.left_of;
SELECT v, day, revision, value, delta FROM unnest('{1,2}'::int[]) v, aevon_history('ended', 'p', 'r@' || v) ORDER BY v, day, revision;
SELECT revision, event_id, value_change FROM unnest('{1,2}'::int[]) revision, aevon_explain('ended', 'p', 'r@1', '2024-03-01', revision);
SELECT count(*) FROM aevon_verify('r@1', 'ended');
-- replaced, and asked again before the last snapshots: goes on where it was
SELECT aevon_define_rule('r', 'x', '{sum}', 'a', tenant => 'ended');
SELECT aevon_ingest('ended', 'p', '5', 'x', '2024-03-03 11:00+00', '{"a": 16, "b": 160}');
SELECT event_count > 0 AS swept FROM aevon_sweep();
SELECT * FROM pg_temp.left_of;
SELECT aevon_define_rule('r', 'x', '{sum}', 'b', tenant => 'ended');
SELECT * FROM pg_temp.left_of;
SELECT aevon_snapshot();
SELECT v, day, revision, value FROM unnest('{2,3,4}'::int[]) v, aevon_history('ended', 'p', 'r@' || v, '2024-03-02') ORDER BY v, day, revision;
-- dropped
SET aevon.clock = '2024-03-04 12:00+00';
SELECT aevon_ingest('ended', 'p', '6', 'x', '2024-03-04 11:00+00', '{"a": 32, "b": 320}');
SELECT event_count > 0 AS swept FROM aevon_sweep();
SELECT aevon_drop_rule('r', 'ended');
SELECT event_count FROM aevon_sweep();
SELECT aevon_snapshot();
SELECT event_count FROM aevon_sweep();
SELECT * FROM pg_temp.left_of;
SELECT aevon_define_rule('r', 'x', '{count}', tenant => 'ended');
SELECT v, day, revision, value FROM unnest('{4}'::int[]) v, aevon_history('ended', 'p', 'r@' || v, '2024-03-04') ORDER BY v, day, revision;
RESET aevon.clock;
SELECT aevon_drop_rule('r', 'ended');
SELECT aevon_snapshot() >= 0 AS taken;
