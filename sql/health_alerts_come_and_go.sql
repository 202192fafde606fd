-- Each check of aevon_health: provoked once, then well again.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SET aevon.clock = '2024-09-01 12:00:00+00';
SELECT aevon_define_rule('alert_spent', 'use', '{sum}', 'n', tenant => 'alert_a');
SELECT count(aevon_ingest('alert_a', 'p', 'e' || n, 'use', data => '{"n": 1}')) FROM generate_series(1, 2) n;
SELECT aevon_test.sweep();
SELECT aevon_snapshot() > 0 AS taken;
SELECT aevon_stat_reset();
CREATE FUNCTION pg_temp.checks(VARIADIC names text[]) RETURNS TABLE (check_name text, status text, value numeric, threshold numeric, unit text, detail text, hint boolean)
	LANGUAGE sql
	AS $$
	SELECT h.check_name, h.status, round(h.value::numeric, 3), h.threshold::numeric, h.unit, h.detail, h.hint IS NOT NULL
	FROM public.aevon_health() h WHERE h.check_name = ANY (names) ORDER BY h.check_name
$$;

-- all is well; what an alert is
SELECT check_name, status, value, threshold, unit, detail, hint FROM aevon_health() WHERE check_name <> 'series';
SELECT * FROM aevon.alerts WHERE check_name <> 'series';

-- tail and lag: counted up to where it is critical
SET aevon.alert_tail_events = 3;
SELECT count(aevon_ingest('alert_a', 'p', 't' || n, 'use', data => '{"n": 1}')) FROM generate_series(1, 3) n;
SELECT * FROM pg_temp.checks('tail', 'lag');
SELECT count(aevon_ingest('alert_a', 'p', 't' || n, 'use', data => '{"n": 1}')) FROM generate_series(4, 5) n;
SELECT * FROM pg_temp.checks('tail', 'lag');
SELECT count(aevon_ingest('alert_a', 'p', 't' || n, 'use', data => '{"n": 1}')) FROM generate_series(6, 30) n;
SET aevon.clock = '2024-09-01 12:10:00.5+00';
SELECT * FROM pg_temp.checks('tail', 'lag', 'chain');
SET aevon.clock = '2024-09-01 12:40:01+00';
SELECT * FROM pg_temp.checks('lag');
SELECT check_name, status FROM aevon.alerts WHERE check_name <> 'series' ORDER BY check_name;
SET aevon.alert_tail_events = -1;
SET aevon.alert_lag = -1;
SELECT * FROM pg_temp.checks('tail', 'lag', 'chain');
RESET aevon.alert_tail_events;
RESET aevon.alert_lag;

-- the chain alone
SET aevon.chain = off;
SELECT aevon_test.sweep();
SELECT * FROM pg_temp.checks('tail', 'lag', 'chain');
RESET aevon.chain;
SELECT * FROM pg_temp.checks('tail', 'lag', 'chain');
SELECT aevon_test.sweep();
SELECT * FROM pg_temp.checks('tail', 'lag', 'chain');

-- snapshots: days have changed, and nobody took any
SELECT max(taken_at) + interval '3 hours 1 second' AS overdue FROM aevon.snapshots \gset
SET aevon.clock = :'overdue';
SELECT * FROM pg_temp.checks('snapshots');
SELECT aevon_snapshot() > 0 AS taken;
SELECT * FROM pg_temp.checks('snapshots');

SET aevon.clock = '2024-09-01 15:00:01+00';

-- backfill: its rule is named to who may know it; never critical
SELECT aevon_define_rule('alert_new', 'use', '{max}', 'other', tenant => 'alert_a');
SET aevon.clock = '2024-09-01 16:00:02+00';
SELECT * FROM pg_temp.checks('backfill');
SET aevon.clock = '2024-09-02 16:00:02+00';
SELECT * FROM pg_temp.checks('backfill', 'tail');
SELECT aevon_test.sweep();
SELECT * FROM pg_temp.checks('backfill');
-- rebuilt it is no older than that, and only one that stands still is told
SELECT aevon_rebuild('alert_new', 'alert_a');
SELECT * FROM pg_temp.checks('backfill');
SET aevon.clock = '2024-09-02 17:00:03+00';
SELECT * FROM pg_temp.checks('backfill');
SELECT more FROM aevon_sweep(1);
SELECT * FROM pg_temp.checks('backfill');
SELECT aevon_test.sweep();
SET aevon.clock = '2024-09-02 16:00:02+00';

-- rejected events
SELECT rejected FROM aevon_ingest_batch('alert_a', (SELECT jsonb_agg('{"principal": "p", "event_id": "", "event_type": "use"}'::jsonb) FROM generate_series(1, 101)), 'reject');
SELECT * FROM pg_temp.checks('rejected_events');
SET aevon.alert_rejected_rate = 2;
SELECT * FROM pg_temp.checks('rejected_events');
SET aevon.clock = '2024-09-02 16:10:03+00';
SELECT * FROM pg_temp.checks('rejected_events');

-- conflicts: a rate over the last ten to twenty minutes
SET aevon.clock = '2024-09-02 17:00:00+00';
SELECT rejected FROM aevon_ingest_batch('alert_a', (SELECT jsonb_agg('{"principal": "p", "event_id": "e1", "event_type": "other"}'::jsonb) FROM generate_series(1, 101)), 'reject');
SELECT * FROM pg_temp.checks('conflicts');
SET aevon.clock = '2024-09-02 17:11:00+00';
SELECT * FROM pg_temp.checks('conflicts');
SET aevon.alert_conflict_rate = 1;
SELECT * FROM pg_temp.checks('conflicts');
SET aevon.clock = '2024-09-02 17:20:00+00';
SELECT * FROM pg_temp.checks('conflicts');

-- late events
SELECT count(aevon_ingest('alert_a', 'p', 'late' || n, 'use', '2024-09-02 17:00+00'::timestamptz - n % 3 * interval '1 day', '{"n": 1}')) FROM generate_series(1, 30) n;
SELECT * FROM pg_temp.checks('late_events');
SET aevon.clock = '2024-09-02 17:41:00+00';
SELECT * FROM pg_temp.checks('late_events');

-- read latency
SET aevon.alert_read_latency = 0;
SELECT aevon_state('alert_a', 'p', 'alert_spent') IS NOT NULL AS read;
SELECT check_name, status, value > 0 AS value, threshold, unit FROM pg_temp.checks('read_latency');
SELECT aevon_stat_reset('query');
SELECT * FROM pg_temp.checks('read_latency');
RESET aevon.alert_read_latency;

-- series with dimension values, near the guard and past it: of the reader's tenant
CREATE ROLE regress_alerted;
SELECT aevon_grant('alert_a', 'regress_alerted', 'read');
SELECT aevon_define_rule('alert_dims', 'visit', '{count}', dimensions => '{"page": "page"}', tenant => 'alert_a');
SET aevon.max_series_per_rule = 20;
SET aevon.alert_series_share = 0.5;
SELECT count(aevon_ingest('alert_a', 'p', 'v' || n, 'visit', data => jsonb_build_object('page', n))) FROM generate_series(1, 7) n;
SELECT aevon_test.sweep();
SET ROLE regress_alerted;
SELECT * FROM pg_temp.checks('series');
RESET ROLE;
SELECT count(aevon_ingest('alert_a', 'p', 'v' || n, 'visit', data => jsonb_build_object('page', n))) FROM generate_series(8, 30) n;
SET client_min_messages = error;
SELECT aevon_test.sweep();
RESET client_min_messages;
SET ROLE regress_alerted;
SELECT * FROM pg_temp.checks('series');
RESET ROLE;
SELECT aevon_drop_rule('alert_dims', 'alert_a');
SELECT aevon_test.sweep();
SET ROLE regress_alerted;
SELECT * FROM pg_temp.checks('series');
RESET ROLE;
SELECT aevon_revoke('alert_a', 'regress_alerted', 'read');
DROP ROLE regress_alerted;

-- a log that another cluster wrote: nothing else is looked at, nothing raised
UPDATE aevon.installation SET system_identifier = system_identifier + 1;
\c -
SET aevon.clock = '2024-09-02 18:00:00+00';
SELECT check_name, status, detail, hint FROM aevon_health() WHERE check_name IN ('restore_guard', 'tail', 'lag', 'chain');
SELECT check_name, status FROM aevon.alerts WHERE check_name = 'restore_guard';
SELECT aevon_adopt();
SELECT check_name, status FROM aevon_health() WHERE check_name IN ('restore_guard', 'tail', 'lag', 'chain');
SELECT aevon_drop_rule('alert_spent', 'alert_a'), aevon_drop_rule('alert_new', 'alert_a');
