-- A role sees figures of its tenants only, in no view, check or metric another's;
-- members of pg_monitor see totals without names.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SET aevon.clock = '2024-10-02 12:00:00+00';
SELECT aevon_test.sweep();
SELECT aevon_stat_reset();
SELECT aevon_define_rule('hidden_mine', 'use', '{sum}', 'n', tenant => 'hide_a');
SELECT aevon_define_rule('hidden_theirs', 'use', '{sum}', 'm', tenant => 'hide_b');
SELECT aevon_define_rule('hidden_everybody', 'use', '{count}');
SELECT aevon_ingest('hide_a', 'p', 'e' || n, 'use', data => '{"n": 1}') FROM generate_series(1, 2) n;
SELECT aevon_test.sweep();
-- the other tenant has all there is to hide: tail, lag, rejections, conflicts, late events, a rule at the guard, a backfill
SELECT count(aevon_ingest('hide_b', 'q', 'e' || n, 'use', '2024-10-01 10:00+00', '{"m": 1, "d": 1}')) FROM generate_series(1, 50) n;
SELECT rejected FROM aevon_ingest_batch('hide_b', '[{"principal": "q", "event_id": "e1", "event_type": "other"}, {"principal": "q", "event_id": "", "event_type": "use"}]', 'reject');
SELECT aevon_ingest('hide_b', 'q', 'e1', 'other');
SELECT aevon_void('hide_b', 'q', 'e2', 'test');
SELECT aevon_state('hide_b') IS NOT NULL AS read;
SELECT aevon_define_rule('hidden_backfill', 'use', '{sum}', 'never', tenant => 'hide_b');
SET aevon.alert_tail_events = 10;
SET aevon.alert_lag = 0;
SET aevon.alert_backfill = 0;
SET aevon.alert_rejected_rate = 0;
SET aevon.alert_conflict_rate = 0;
SET aevon.alert_late_share = 0;
SET aevon.clock = '2024-10-02 12:00:30+00';
CREATE ROLE regress_monitored;
CREATE ROLE regress_scraper IN ROLE pg_monitor;
CREATE VIEW pg_temp.looked AS SELECT check_name, status, value > 0 AS above_zero, detail FROM aevon_health();
GRANT SELECT ON pg_temp.looked TO PUBLIC;

-- with no grant: nothing
SET ROLE regress_monitored;
SELECT count(*) FROM aevon_health();
SELECT count(*) FROM aevon.alerts;
SELECT (SELECT count(*) FROM aevon.stat_tenant) + (SELECT count(*) FROM aevon.stat_rule) + (SELECT count(*) FROM aevon.stat_query) + (SELECT count(*) FROM aevon.stat_sweep) AS rows;
SELECT aevon_metrics();
SELECT aevon_metrics('hide_a');
SELECT aevon_metrics('nonesuch');
SELECT aevon_stat_reset();
RESET ROLE;

-- bound to one tenant: its figures
SELECT aevon_grant('hide_a', 'regress_monitored', 'read');
SET ROLE regress_monitored;
SELECT * FROM pg_temp.looked ORDER BY check_name;
SELECT * FROM aevon.alerts;
SELECT tenant, accepted_count, rejected_count, conflict_count, voided_count, late_count FROM aevon.stat_tenant;
SELECT tenant, rule, series_count, event_count, read_count FROM aevon.stat_rule ORDER BY rule;
SELECT count(*) FROM aevon.stat_query;
SELECT count(*) FROM aevon.stat_sweep;
SELECT aevon_metrics();
SELECT aevon_metrics('hide_b');
SELECT line FROM string_to_table(aevon_metrics('hide_a'), E'\n') line WHERE line !~ '^#' ORDER BY line;
RESET ROLE;
-- and after the other tenant is swept, too
SELECT aevon_test.sweep();
SET ROLE regress_monitored;
SELECT tenant, rule, series_count, event_count FROM aevon.stat_rule ORDER BY rule;
SELECT aevon_metrics('hide_a') ~ 'hide_b|hidden|[^a]"q"' AS names_others;
SELECT count(*) FROM aevon.stat_rules() WHERE rule IN ('hidden_theirs', 'hidden_backfill');
SELECT count(*) FROM aevon.stat_tenants() WHERE tenant IS DISTINCT FROM 'hide_a';
SELECT count(*) FROM aevon.stat_sweeps();
SELECT count(*) FROM aevon.stat_queries();
SELECT count(*) FROM aevon.health_checks() WHERE check_name IN ('worker', 'read_latency', 'snapshots', 'chain');
SELECT * FROM aevon.rule_totals_of('{1,2,3,4,5,6,7,8,9}');
RESET ROLE;
SELECT count(aevon_ingest('hide_b', 'q', 'f' || n, 'use', '2024-10-01 10:00+00', '{"m": 1}')) FROM generate_series(1, 50) n;
SELECT aevon_define_rule('hidden_again', 'use', '{sum}', 'nowhere', tenant => 'hide_b');
SET aevon.clock = '2024-10-02 12:01:00+00';

-- a member of pg_monitor: everything in total, nothing by name
SET ROLE regress_scraper;
SELECT * FROM pg_temp.looked WHERE check_name NOT IN ('restore_guard', 'worker', 'series', 'snapshots', 'read_latency') ORDER BY check_name;
SELECT count(*) FROM aevon.stat_tenant;
SELECT tenant, rule, event_count, read_count FROM aevon.stat_rule WHERE rule LIKE 'hidden%';
SELECT count(*) > 0 AS functions FROM aevon.stat_query;
SELECT sweep_count > 0 AS sweeps FROM aevon.stat_sweep;
SELECT aevon_metrics() LIKE '%aevon_ingest_events_total{outcome="accepted"} 102%' AS total, aevon_metrics() ~ 'hide_|hidden_(mine|theirs|backfill|again)' AS names,
	aevon_metrics() LIKE '%rule="hidden_everybody"%' AS rule_of_all;
SELECT aevon_stat_reset('query');
RESET ROLE;

-- operate on all: everything; names still take the right to read
SELECT aevon_grant('*', 'regress_monitored', 'operate');
SET ROLE regress_monitored;
SELECT check_name, status, above_zero, detail FROM pg_temp.looked WHERE check_name IN ('tail', 'backfill') ORDER BY check_name;
SELECT aevon_metrics() ~ 'hide_b|hidden_theirs' AS names;
SELECT aevon_stat_reset('query');
RESET ROLE;
SELECT aevon_grant('*', 'regress_monitored', 'read');
SET ROLE regress_monitored;
SELECT check_name, status, above_zero, detail FROM pg_temp.looked WHERE check_name IN ('tail', 'backfill') ORDER BY check_name;
SELECT aevon_metrics() LIKE '%aevon_rule_reads_total{tenant="hide_b",rule="hidden_theirs",version="1"} 1%' AS names;
SELECT tenant, accepted_count FROM aevon.stat_tenant WHERE tenant LIKE 'hide\_%' ORDER BY tenant;
RESET ROLE;

-- the label's value is escaped; names may hold anything but control characters
SELECT aevon_ingest('hide "quoted" \slashed', 'p', 'e', 'use');
SELECT line FROM string_to_table(aevon_metrics('hide "quoted" \slashed'), E'\n') line WHERE line LIKE 'aevon_late%';
SELECT aevon_metrics('');

-- a hostile path: nothing planted is called
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.yes(text, text) RETURNS boolean
	LANGUAGE plpgsql
	AS $$ BEGIN RAISE EXCEPTION 'planted'; END $$;
CREATE FUNCTION hostile.yes(integer, integer) RETURNS boolean
	LANGUAGE plpgsql
	AS $$ BEGIN RAISE EXCEPTION 'planted'; END $$;
CREATE OPERATOR hostile.= (LEFTARG = text, RIGHTARG = text, FUNCTION = hostile.yes);
CREATE OPERATOR hostile.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = hostile.yes);
CREATE FUNCTION hostile.count(anyelement) RETURNS bigint
	LANGUAGE plpgsql
	AS $$ BEGIN RAISE EXCEPTION 'planted'; END $$;
SET search_path = hostile, pg_catalog, public, pg_temp;
DO $$
BEGIN
	PERFORM FROM public.aevon_health();
	PERFORM FROM aevon.alerts;
	PERFORM FROM aevon.stat_rule;
	PERFORM FROM aevon.stat_tenant;
	PERFORM FROM aevon.stat_query;
	PERFORM FROM aevon.stat_sweep;
	PERFORM public.aevon_metrics();
	PERFORM public.aevon_metrics('hide_a');
END
$$;
RESET search_path;
DROP SCHEMA hostile CASCADE;
SELECT aevon_drop_rule('hidden_mine', 'hide_a'), aevon_drop_rule('hidden_theirs', 'hide_b'), aevon_drop_rule('hidden_everybody'),
	aevon_drop_rule('hidden_backfill', 'hide_b'), aevon_drop_rule('hidden_again', 'hide_b');
SELECT aevon_revoke('*', 'regress_monitored', 'operate'), aevon_revoke('*', 'regress_monitored', 'read'), aevon_revoke('hide_a', 'regress_monitored', 'read');
DROP ROLE regress_monitored, regress_scraper;
