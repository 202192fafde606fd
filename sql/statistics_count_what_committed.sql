-- aevon.stat_...: exact after known traffic, with rollbacks, duplicates,
-- rejections and conflicts; and what resets them.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SET aevon.clock = '2024-05-02 12:00:00+00';
SELECT aevon_define_rule('stat_spent', 'use', '{sum}', 'n', tenant => 'stat_a');
SELECT aevon_ingest('stat_a', 'p', 'first', 'use', data => '{"n": 1}');
SELECT aevon_stat_reset();
CREATE TEMP VIEW counted AS
SELECT tenant, accepted_count AS accepted, duplicate_count AS duplicate, rejected_count AS rejected, conflict_count AS conflict,
	refused_count AS refused, voided_count AS voided, late_count AS late
FROM aevon.stat_tenant WHERE tenant LIKE 'stat\_%' ORDER BY tenant;
SELECT * FROM counted;

-- what commits counts, once
SELECT count(aevon_ingest('stat_a', 'p', 'e' || n, 'use', data => '{"n": 1}')) FROM generate_series(1, 10) n;
SELECT aevon_ingest('stat_a', 'p', 'e1', 'use', data => '{"n": 1}');
SELECT aevon_ingest('stat_a', 'p', 'yesterday', 'use', '2024-05-01 23:59:59.999999+00', '{"n": 1}'),
	aevon_ingest('stat_a', 'p', 'today', 'use', '2024-05-02 00:00:00+00', '{"n": "none"}');
SELECT aevon_void('stat_a', 'p', 'e2', 'test'), aevon_void('stat_a', 'p', 'e2', 'again');
SELECT * FROM counted;

-- what rolls back does not, but a conflict and a bad event happened
BEGIN;
SELECT aevon_ingest('stat_a', 'p', 'rolled', 'use'), aevon_void('stat_a', 'p', 'e3', 'test'), aevon_ingest('stat_a', 'p', 'e1', 'use', data => '{"n": 1}');
ROLLBACK;
SELECT aevon_ingest('stat_a', 'p', 'e1', 'use', data => '{"n": 2}');
SELECT aevon_ingest('stat_a', 'p', '', 'use');
SELECT aevon_ingest_batch('stat_a', '[{"principal": "p", "event_id": "b1", "event_type": "use"}, {"principal": "p", "event_id": "e1", "event_type": "use"}]');
SELECT aevon_ingest_batch('stat_a', '[{"principal": "p", "event_id": "b1", "event_type": "use"}, {"principal": "p", "event_id": "b2"}]');
SELECT * FROM counted;

-- subtransactions, within one another
BEGIN;
SELECT aevon_ingest('stat_a', 'p', 's1', 'use');
SAVEPOINT one;
SELECT aevon_ingest('stat_a', 'p', 's2', 'use');
SAVEPOINT two;
SELECT aevon_ingest('stat_a', 'p', 's3', 'use');
RELEASE two;
SELECT aevon_ingest('stat_b', 'p', 's4', 'use');
ROLLBACK TO one;
SELECT aevon_ingest('stat_b', 'p', 's5', 'use');
SAVEPOINT three;
SELECT aevon_ingest('stat_a', 'p', 's6', 'use'), aevon_ingest('stat_b', 'p', 's7', 'use');
RELEASE three;
COMMIT;
SELECT * FROM counted;

-- more tenants and subtransactions than the notes have room for at first
DO $$
BEGIN
	FOR n IN 1 .. 600 LOOP
		BEGIN
			PERFORM aevon_ingest('stat_many_' || n % 60, 'p', 'm' || n, 'use');
			PERFORM 1 / (n % 5);
		EXCEPTION WHEN division_by_zero THEN
		END;
		PERFORM aevon_ingest('stat_many_' || n % 7, 'p', 'o' || n, 'use');
	END LOOP;
END
$$;
SELECT count(*) AS tenants, sum(accepted) AS accepted FROM counted WHERE tenant LIKE 'stat\_many%';
SELECT c.tenant, c.accepted, e.in_log FROM counted c
JOIN (SELECT tenant, count(*) AS in_log FROM aevon.events WHERE tenant LIKE 'stat\_many%' GROUP BY tenant) e USING (tenant) WHERE c.accepted <> e.in_log;

-- a batch and a staging table of several tenants, with rejections
SELECT * FROM aevon_ingest_batch('stat_b', '[{"principal": "p", "event_id": "s5", "event_type": "use"}, {"principal": "p", "event_id": "s7", "event_type": "other"},
	{"principal": "p", "event_id": "", "event_type": "use"}, {"principal": "p", "event_id": "b9", "event_type": "use", "occurred_at": "2024-04-30T10:00:00Z"}]', 'reject');
CREATE TEMP TABLE staged (tenant text, principal text, event_id text, event_type text, occurred_at timestamptz);
INSERT INTO staged SELECT 'stat_' || t, 'p', 'staged' || n, 'use', '2024-05-02 10:00+00'::timestamptz - n % 2 * interval '1 day' FROM unnest('{c,d}'::text[]) t, generate_series(1, 5) n;
INSERT INTO staged VALUES ('stat_d', 'p', NULL, 'use', NULL);
SELECT * FROM aevon_ingest_from('staged', on_error => 'reject');
SELECT * FROM counted WHERE tenant NOT LIKE 'stat\_many%';

-- a tenant's counts agree with its log
SELECT c.tenant, c.accepted, c.late, e.in_log, e.late FROM counted c
JOIN (SELECT tenant, count(*) AS in_log, count(*) FILTER (WHERE (occurred_at AT TIME ZONE 'UTC')::date < (ingested_at AT TIME ZONE 'UTC')::date) AS late
	FROM aevon.events WHERE tenant IN ('stat_b', 'stat_c', 'stat_d') GROUP BY tenant) e USING (tenant) ORDER BY tenant;

-- sweeps: those that committed
SELECT sweep_count, worker_sweep_count, event_count, error_count, last_sweep_at FROM aevon.stat_sweep;
BEGIN;
SELECT event_count > 0 AS swept FROM aevon_sweep();
ROLLBACK;
SELECT sweep_count, event_count, total_ms, max_ms FROM aevon.stat_sweep;
CREATE TEMP TABLE sweeps AS SELECT * FROM aevon_sweep(3);
INSERT INTO sweeps SELECT * FROM aevon_sweep();
SELECT count(*) AS sweeps, sum(w.event_count) > 600 AS events, s.sweep_count, s.event_count = sum(w.event_count) AS same_events,
	s.bucket_count = sum(w.bucket_count) AS same_buckets, abs(s.total_ms - sum(w.duration_ms)) < 0.01 AS same_time,
	abs(s.max_ms - max(w.duration_ms)) < 0.01 AS same_longest, s.last_sweep_at IS NOT NULL AS last
FROM sweeps w, aevon.stat_sweep s GROUP BY s.sweep_count, s.event_count, s.bucket_count, s.total_ms, s.max_ms, s.last_sweep_at;
SELECT event_count FROM aevon_sweep();
SELECT sweep_count FROM aevon.stat_sweep;

-- reads, by function and by rule; one that fails is none
SELECT aevon_stat_reset('query'), aevon_stat_reset('rule');
SELECT count(aevon_state('stat_a', 'p', 'stat_spent', since => '2024-05-01 00:00+00'::timestamptz + n * interval '0')) FROM generate_series(1, 20) n;
SELECT aevon_state('stat_a', 'p', 'nonesuch');
SELECT count(*) FROM aevon_windows('stat_a');
SELECT count(*) FROM aevon_events('stat_a', 'p');
SELECT count(*) FROM aevon_explain('stat_a', 'p', 'stat_spent', '2024-05-02', max_rows => 1);
SELECT count(*) FROM aevon_explain('stat_a', 'p', 'nonesuch', '2024-05-02');
SELECT count(*) FROM aevon_daily_metrics('stat_a', 'p', 'stat_spent', since => '2024-05-02', until => '2024-05-02');
SELECT function, call_count, total_ms > 0 AS total, mean_ms BETWEEN p50_ms / 50 AND max_ms AS mean, p50_ms <= p95_ms AND p95_ms <= p99_ms AND p99_ms <= max_ms AS ordered
FROM aevon.stat_query WHERE function <> 'aevon_top' ORDER BY function;
SELECT tenant, rule, version, state, series_count, event_count, skipped_count, late_count, read_count FROM aevon.stat_rule WHERE tenant = 'stat_a';
-- as the log has it, voids apart
SELECT count(*) AS events, count(*) FILTER (WHERE jsonb_typeof(data -> 'n') IS DISTINCT FROM 'number') AS skipped FROM aevon.events e
WHERE tenant = 'stat_a' AND event_type = 'use' AND NOT EXISTS (SELECT FROM aevon.voids v WHERE v.event_id = e.event_id AND v.event_stamp = e.stamp);

-- resets: one group, all, and no such group; no transaction brings them back
BEGIN;
SELECT aevon_stat_reset('tenant');
ROLLBACK;
SELECT DISTINCT accepted, duplicate, rejected, conflict, refused, voided, late FROM counted;
SELECT sweep_count > 0 AS sweeps FROM aevon.stat_sweep;
SELECT aevon_stat_reset('sweep');
SELECT sweep_count, event_count, total_ms, mean_ms, max_ms, last_sweep_at FROM aevon.stat_sweep;
SELECT count(*) FROM aevon.stat_query WHERE call_count > 0;
SELECT aevon_stat_reset(NULL);
SELECT count(*) FROM aevon.stat_query WHERE call_count > 0 OR p95_ms IS NOT NULL;
SELECT read_count FROM aevon.stat_rule WHERE tenant = 'stat_a';
SELECT aevon_stat_reset('everything');
SELECT count(DISTINCT reset_at) FROM (SELECT reset_at FROM aevon.stat_tenant UNION ALL SELECT reset_at FROM aevon.stat_rule
	UNION ALL SELECT reset_at FROM aevon.stat_query UNION ALL SELECT reset_at FROM aevon.stat_sweep) r;

SELECT * FROM aevon_test.recount('stat_a');
SELECT aevon_drop_rule('stat_spent', 'stat_a');
