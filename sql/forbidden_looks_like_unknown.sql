-- A role learns nothing of tenants it has no grant for: what it may not see and
-- what does not exist give the same error, text by text, and views are empty.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
CREATE ROLE regress_tenant_one;
SELECT aevon_define_rule('use', 'use', '{count,sum}', 'n', tenant => 'secret');
SELECT aevon_define_rule('use', 'use', '{count,sum}', 'n', tenant => 'granted');
SELECT aevon_ingest('secret', 'p', 'e', 'use', '2024-01-01 00:00+00', '{"n": 1, "pin": 1234}');
SELECT aevon_ingest('granted', 'p', 'e', 'use', '2024-01-01 00:00+00', '{"n": 2}');
SELECT * FROM aevon_ingest_batch('secret', '[{"principal": "p", "event_id": "", "event_type": "use"}]', 'reject');
SELECT aevon_test.sweep();
SELECT aevon_ingest('secret', 'p', 'tail', 'use', '2024-01-01 00:00+00', '{"n": 1}');
SELECT aevon_grant('granted', 'regress_tenant_one', p) FROM unnest('{ingest,read,operate}'::text[]) p;

-- the whole error of a statement
CREATE FUNCTION pg_temp.error_of(statement text) RETURNS text
	LANGUAGE plpgsql
	AS $$
DECLARE
	state text;
	message text;
	detail text;
	hint text;
	context text;
BEGIN
	EXECUTE statement;
	RETURN 'ok';
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', state, message, nullif(detail, ''), nullif(hint, ''));
END
$$;
CREATE TEMP TABLE staged AS SELECT 'p' AS principal, 'e' AS event_id, 'use' AS event_type;
CREATE TEMP TABLE calls (n serial, call text);
INSERT INTO calls (call) VALUES
	($$SELECT aevon_ingest(%L, 'p', 'e', 'use', '2024-01-01 00:00+00', '{"n": 1, "pin": 1234}')$$),
	($$SELECT aevon_ingest(%L, 'p', 'e', 'use', '2024-01-01 00:00+00', '{"n": 3}')$$),
	($$SELECT aevon_ingest(%L, 'p', NULL, 'use')$$),
	($$SELECT aevon_ingest_batch(%L, '[{"principal": "p", "event_id": "e", "event_type": "use", "data": {"n": 3}}]')$$),
	($$SELECT aevon_ingest_batch(%L, '[{"principal": "p", "event_id": "e", "event_type": "use", "data": {"n": 3}}]', 'reject')$$),
	($$SELECT aevon_ingest_from('pg_temp.staged', %L)$$),
	($$SELECT aevon_state(%L)$$), ($$SELECT aevon_state(%L, 'p', 'use')$$), ($$SELECT aevon_state(%L, 'p', 'none')$$),
	($$SELECT * FROM aevon_windows(%L, 'p')$$), ($$SELECT * FROM aevon_windows(%L, 'p', 'use@1')$$),
	($$SELECT * FROM aevon_events(%L, 'p')$$), ($$SELECT * FROM aevon_events(%L, 'p', after => 'e')$$),
	($$SELECT * FROM aevon_events(%L, 'p', after => 'none')$$),
	($$SELECT aevon_define_rule('use', 'use', '{count}', tenant => %L)$$),
	($$SELECT aevon_drop_rule('use', %L)$$), ($$SELECT aevon_drop_rule('none', %L)$$),
	($$SELECT aevon_grant(%L, 'regress_tenant_one', 'read')$$), ($$SELECT aevon_revoke(%L, 'regress_tenant_one', 'read')$$);
GRANT SELECT ON calls, staged TO regress_tenant_one;
SET ROLE regress_tenant_one;
SELECT call, pg_temp.error_of(format(call, 'secret')) AS error,
	pg_temp.error_of(format(call, 'secret')) = replace(pg_temp.error_of(format(call, 'nobody')), 'nobody', 'secret') AS as_unknown
FROM calls ORDER BY n;

-- what concerns all tenants
SELECT pg_temp.error_of(statement)
FROM unnest(ARRAY['SELECT aevon_sweep()', 'SELECT aevon_adopt()', 'SELECT aevon_drop_rule(''use'')',
	'SELECT aevon_define_rule(''x'', ''use'', ''{count}'')', 'SELECT aevon_load_rules(''/'')', 'SELECT aevon_schedule()',
	'SELECT aevon_grant(''*'', ''regress_tenant_one'', ''read'')']) statement;

-- views
SELECT DISTINCT tenant FROM aevon.events;
SELECT DISTINCT tenant FROM aevon.pre_aggregates;
SELECT DISTINCT tenant FROM aevon.rejected_events;
SELECT DISTINCT tenant FROM aevon.status;
SELECT DISTINCT tenant FROM aevon.rule_versions;
SELECT sum(tail_events) FROM aevon.status;
SELECT tail_events FROM (SELECT aevon_state('granted') -> 'tail_events' AS tail_events) x;

-- a function of one's own in a view's condition sees no row of others
CREATE FUNCTION pg_temp.peek(text, text) RETURNS boolean
	LANGUAGE plpgsql COST 0.0000001
	AS $$
BEGIN
	RAISE NOTICE 'sees % %', $1, $2;
	RETURN true;
END
$$;
SELECT event_id FROM aevon.events WHERE pg_temp.peek(tenant, data::text);
SELECT sum FROM aevon.pre_aggregates WHERE pg_temp.peek(tenant, sum::text) AND principal IS NULL;
SELECT rule FROM aevon.rule_versions WHERE pg_temp.peek(tenant, rule);

-- no way to the tables, or to internals that show more
SELECT statement, pg_temp.error_of(statement)
FROM unnest(ARRAY['SELECT * FROM aevon.event_log', 'SELECT * FROM aevon.event_log_p1', 'SELECT * FROM aevon.tenants',
	'SELECT * FROM aevon.principals', 'SELECT * FROM aevon.voids', 'SELECT * FROM aevon.series', 'SELECT * FROM aevon.buckets_1m',
	'SELECT * FROM aevon.rules', 'SELECT * FROM aevon.grants', 'SELECT * FROM aevon.sweeps', 'SELECT * FROM aevon.rejections',
	'INSERT INTO aevon.grants DEFAULT VALUES', 'UPDATE aevon.installation SET base = 0', 'DELETE FROM aevon.voids',
	'SELECT last_value FROM aevon.principal_key_seq', 'SELECT nextval(''aevon.rule_key_seq'')', 'CREATE TABLE aevon.t ()',
	'SELECT aevon.refuse_change()']) statement;
SELECT tenant FROM aevon.readable_tenants();
RESET ROLE;

-- and once everything is revoked, the granted tenant looks like any other
SELECT aevon_revoke('granted', 'regress_tenant_one', p) FROM unnest('{ingest,read,operate}'::text[]) p;
SET ROLE regress_tenant_one;
SELECT call FROM calls WHERE pg_temp.error_of(format(call, 'granted')) <> replace(pg_temp.error_of(format(call, 'nobody')), 'nobody', 'granted');
SELECT count(*) FROM aevon.events;
RESET ROLE;
SELECT * FROM aevon_test.recount('secret');
DROP OWNED BY regress_tenant_one;
DROP ROLE regress_tenant_one;
