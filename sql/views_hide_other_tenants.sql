-- Views show rows of granted tenants only, and plans tell nothing of the others:
-- EXPLAIN ANALYZE counts no foreign row, and no estimate depends on one.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
CREATE ROLE regress_viewer;
SET aevon.clock = '2024-02-01 00:00+00';
SELECT aevon_define_rule('own', 'use', '{sum}', 'n', tenant => 'view_own');
SELECT aevon_define_rule('foreign_rule', 'use', '{sum}', 'n', tenant => 'view_foreign');
SELECT aevon_ingest('view_own', 'p', 'own-' || i, 'use', '2024-01-01 00:00+00', '{"n": 1}') FROM generate_series(1, 3) i;
SELECT count(*) FROM aevon_ingest_batch('view_own', '[{"principal": "p", "event_id": "", "event_type": "use"}]', 'reject');
SELECT aevon_grant('view_own', 'regress_viewer', 'read');
CREATE FUNCTION pg_temp.add_foreign(first_id int, last_id int) RETURNS bigint
	LANGUAGE sql
	AS $$
	SELECT count(public.aevon_ingest('view_foreign', 'stranger', 'foreign-' || i, 'foreign_type',
		'2024-01-01 00:00+00'::timestamptz + i * interval '1 minute', '{"n": 1}')) +
		count(public.aevon_ingest('view_foreign', 'stranger', 'used-' || i, 'use',
		'2024-01-01 00:00+00'::timestamptz + i * interval '1 minute', '{"n": 1}'))
	FROM generate_series(first_id, last_id) i
$$;
SELECT pg_temp.add_foreign(1, 300);
SELECT count(*) FROM aevon_ingest_batch('view_foreign', '[{"principal": "stranger", "event_id": "", "event_type": "use"}]', 'reject');
SELECT aevon_test.sweep();
SELECT aevon_snapshot() > 0 AS taken;
ANALYZE aevon.event_log, aevon.principals, aevon.event_types, aevon.series, aevon.rules, aevon.rejections, aevon.snapshots;

-- every view, with a condition on what belongs to the other tenant only
CREATE TEMP TABLE looks (view text, condition text, foreign_value text);
INSERT INTO looks VALUES ('events', 'tenant = %L', 'view_foreign'), ('events', 'principal = %L', 'stranger'),
	('events', 'event_id = %L', 'foreign-77'), ('events', 'event_type = %L', 'foreign_type'),
	('events', 'occurred_at = %L', '2024-01-01 01:00:00+00'), ('events', 'occurred_at > %L', '2024-01-01 04:00:00+00'),
	('pre_aggregates', 'tenant = %L', 'view_foreign'), ('pre_aggregates', 'principal = %L', 'stranger'),
	('pre_aggregates', 'rule = %L', 'foreign_rule'), ('rejected_events', 'tenant = %L', 'view_foreign'),
	('rejected_events', 'payload @> jsonb_build_object(''principal'', %L::text)', 'stranger'),
	('rule_versions', 'tenant = %L', 'view_foreign'), ('rule_versions', 'rule = %L', 'foreign_rule'),
	('daily_metrics', 'tenant = %L', 'view_foreign'), ('daily_metrics', 'principal = %L', 'stranger'),
	('daily_metrics', 'rule = %L', 'foreign_rule'), ('status', 'rule = %L', 'foreign_rule');
CREATE FUNCTION pg_temp.plan_of(query text) RETURNS jsonb
	LANGUAGE plpgsql
	AS $$
DECLARE
	plan jsonb;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, VERBOSE, TIMING OFF, SUMMARY OFF, FORMAT JSON) ' || query INTO plan;
	RETURN plan;
END
$$;
CREATE FUNCTION pg_temp.look_at(view text, condition text, value text) RETURNS jsonb
	LANGUAGE sql
	AS $$
	SELECT replace(pg_temp.plan_of(format('SELECT * FROM aevon.%I WHERE ', view) || format(condition, value))::text, value, 'VALUE')::jsonb
$$;
CREATE TEMP TABLE plans AS SELECT *, NULL::jsonb AS plan FROM looks;
CREATE TEMP TABLE seen (view text, tenant text);
GRANT SELECT, INSERT, UPDATE ON looks, plans, seen TO regress_viewer;

SET ROLE regress_viewer;
-- a foreign value looks as one that does not exist
SELECT view, condition FROM looks
WHERE pg_temp.look_at(view, condition, foreign_value) <> pg_temp.look_at(view, condition,
	CASE WHEN condition LIKE 'occurred%' THEN '2999-01-01 01:00:00+00' ELSE 'nonesuch' END);
-- no count is above that of the rows one may see, and only functions are scanned
UPDATE plans SET plan = pg_temp.look_at(view, condition, foreign_value);
SELECT DISTINCT view, jsonb_path_query_array(plan, 'strict $.**."Node Type"') - 'Subquery Scan' AS nodes,
	jsonb_path_query_array(plan, 'strict $.**."Relation Name"') AS relations
FROM plans ORDER BY view;
SELECT view, condition, greatest(
	jsonb_path_query_first(plan, 'strict $.**."Actual Rows"')::int, jsonb_path_query_first(plan, 'strict $.**."Rows Removed by Filter"')::int) AS counted
FROM plans WHERE view NOT IN ('rule_versions', 'status') ORDER BY view, condition;
RESET ROLE;

-- plans do not change when the other tenant's data does
SELECT pg_temp.add_foreign(301, 400);
SELECT aevon_test.sweep();
SELECT aevon_snapshot() > 0 AS taken;
ANALYZE aevon.event_log, aevon.principals, aevon.event_types, aevon.series, aevon.rules, aevon.rejections, aevon.snapshots;
SET ROLE regress_viewer;
SELECT view, condition FROM plans WHERE plan <> pg_temp.look_at(view, condition, foreign_value);
RESET ROLE;
-- those of the tables do: the comparison can fail
SELECT pg_temp.plan_of('SELECT FROM aevon.event_log WHERE event_id = ''foreign-77''') <>
	pg_temp.plan_of('SELECT FROM aevon.event_log WHERE event_id = ''nonesuch''') AS differs;

-- a function of one's own in the condition sees no foreign value
SET ROLE regress_viewer;
CREATE FUNCTION pg_temp.peek(view text, tenant text) RETURNS boolean
	LANGUAGE plpgsql COST 0.0000001
	AS $$
BEGIN
	INSERT INTO seen VALUES (view, tenant);
	RETURN true;
END
$$;
SELECT count(*) FROM aevon.events WHERE pg_temp.peek('events', tenant);
SELECT count(*) FROM aevon.pre_aggregates WHERE pg_temp.peek('pre_aggregates', tenant);
SELECT count(*) FROM aevon.rejected_events WHERE pg_temp.peek('rejected_events', tenant);
SELECT count(*) FROM aevon.rule_versions WHERE pg_temp.peek('rule_versions', tenant) AND tenant IS NOT NULL;
SELECT count(*) FROM aevon.daily_metrics WHERE pg_temp.peek('daily_metrics', tenant);
SELECT count(*) FROM aevon.status WHERE pg_temp.peek('status', tenant) AND tenant IS NOT NULL;
SELECT DISTINCT view, tenant FROM seen WHERE tenant IS NOT NULL ORDER BY view, tenant;

-- the functions by themselves check their caller; the queries are for nobody
SELECT DISTINCT tenant FROM aevon.view_events();
SELECT (aevon.view_pre_aggregates()).tenant;
SELECT DISTINCT tenant FROM aevon.view_rejected_events();
SELECT DISTINCT tenant FROM aevon.view_rule_versions() WHERE tenant IS NOT NULL;
SELECT DISTINCT tenant FROM aevon.view_daily_metrics();
SELECT * FROM aevon.events_of('{1,2,3,4,5,6,7,8,9}');
SELECT * FROM aevon.pre_aggregates_of('{1,2,3,4,5,6,7,8,9}');
SELECT * FROM aevon.rejected_events_of('{1,2,3,4,5,6,7,8,9}');
SELECT * FROM aevon.rule_versions_of('{1,2,3,4,5,6,7,8,9}');

-- nor does the server print the plan of what runs inside
SET client_min_messages = log;
SET debug_print_plan = on;
\set VERBOSITY terse
SELECT event_id FROM aevon_events('view_own', 'p', max_rows => 1);
RESET debug_print_plan;
RESET client_min_messages;
\set VERBOSITY default

-- cursors, in the snapshot of the statement
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
DECLARE c SCROLL CURSOR FOR SELECT tenant, principal, event_id, data FROM aevon.events ORDER BY event_id;
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
COMMIT;
RESET ROLE;

-- a role with no grant sees nothing at all
SELECT aevon_revoke('view_own', 'regress_viewer', 'read');
SET ROLE regress_viewer;
SELECT count(*) FROM aevon.events;
SELECT count(*) FROM aevon.pre_aggregates;
SELECT count(*) FROM aevon.rejected_events;
SELECT count(*) FROM aevon.rule_versions WHERE tenant IS NOT NULL;
SELECT count(*) FROM aevon.daily_metrics;
SELECT count(*) FROM aevon.status;
RESET ROLE;
SELECT * FROM aevon_test.recount('view_own');
DROP OWNED BY regress_viewer;
DROP ROLE regress_viewer;
