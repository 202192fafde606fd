-- The views for people.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SET aevon.clock = '2024-06-01 12:00:00+00';
SELECT aevon_define_rule('use', 'use', '{sum,last}', 'n', '$.ok != false', tenant => 'views');
SELECT aevon_ingest('views', 'p', 'a', 'use', '2024-01-01 00:00:10+00', '{"n": 1, "ok": true}', '{"trace": 1}');
SELECT aevon_ingest('views', 'p', 'b', 'use', '2024-01-01 00:00:20+00', '{"n": 2.50, "ok": 1}');
SELECT aevon_ingest('views', 'q', 'c', 'use', '2024-01-01 00:00:30+00', '{"ok": true}');
SELECT aevon_ingest('views', 'q', 'd', 'other', '2024-01-02 00:00:40+00');

SELECT principal, event_id, event_type, occurred_at, ingested_at, data, metadata, stamp > 0 AS stamped
FROM aevon.events WHERE tenant = 'views' ORDER BY event_id;
SELECT count(DISTINCT stamp) FROM aevon.events WHERE tenant = 'views';

-- before and after a sweep
SELECT * FROM aevon.pre_aggregates WHERE tenant = 'views';
SELECT rule, version, state, tail_events, lag_seconds >= 0 AS has_lag, last_error FROM aevon.status WHERE tenant = 'views';
SELECT aevon_test.sweep();
SELECT principal, rule, version, dims, window_start, window_end, event_count, skipped, sum, min, max, last,
	first_ingested_at, last_ingested_at
FROM aevon.pre_aggregates WHERE tenant = 'views' ORDER BY principal, window_start;
SELECT rule, version, state, cut <> '' AS has_cut, tail_events, lag_seconds, backfill_progress,
	last_sweep_at IS NOT NULL AS swept, last_error
FROM aevon.status WHERE tenant = 'views';
SELECT count(*) FROM aevon_test.bucket_differences('views');

SELECT rule, version, state, event_type, operators, value, filter, dimensions, length(fingerprint) AS digits,
	defined_by = current_user AS mine, defined_at IS NOT NULL AS defined, active_at IS NOT NULL AS active, retired_at
FROM aevon.rule_versions WHERE tenant = 'views';

SELECT * FROM aevon_ingest_batch('views', '[{"principal": "p", "event_id": "", "event_type": "use"}]', 'reject');
SELECT tenant, sqlstate, reason, payload, rejected_at FROM aevon.rejected_events WHERE tenant = 'views';

-- the log of sweeps
SELECT event_count >= 4 AS events, bucket_count > 0 AS buckets, duration_ms >= 0 AS took, measure_count > 0 AS measures,
	cut_xmax > 0 AS cut, by_worker, error_state, error_message
FROM aevon.sweeps WHERE event_count > 0 ORDER BY sweep_id DESC LIMIT 1;
