-- The public API: every function's arguments, defaults, result, volatility,
-- strictness and parallel safety, and nothing beside them.
BEGIN;

CREATE TEMP TABLE contract (name text, arguments text, result text, volatility text);
INSERT INTO contract VALUES
('aevon_adopt', '', 'void', 'volatile'),
('aevon_chain_check', 'link_number bigint, link text', 'boolean', 'stable'),
('aevon_chain_head', '', 'TABLE(link_number bigint, link text, cut text, made_at timestamptz)', 'stable'),
('aevon_daily_metrics', 'tenant text, principal text DEFAULT NULL, rule text DEFAULT NULL, since date DEFAULT ''-infinity'', '
	'until date DEFAULT ''infinity'', dims jsonb DEFAULT NULL', 'SETOF aevon.daily_metrics', 'stable'),
('aevon_define_rule', 'name text, event_type text, operators text[], value text DEFAULT NULL, filter text DEFAULT NULL, '
	'dimensions jsonb DEFAULT ''{}'', tenant text DEFAULT NULL, rollups text[] DEFAULT NULL', 'integer', 'volatile'),
('aevon_drop_rule', 'name text, tenant text DEFAULT NULL', 'void', 'volatile'),
('aevon_events', 'tenant text, principal text, since timestamptz DEFAULT ''-infinity'', until timestamptz DEFAULT ''infinity'', '
	'max_rows integer DEFAULT 1000, after text DEFAULT NULL', 'SETOF aevon.events', 'stable'),
('aevon_explain', 'tenant text, principal text, rule text, day date, revision integer DEFAULT NULL, dims jsonb DEFAULT NULL, '
	'max_rows integer DEFAULT 1000, after text DEFAULT NULL',
	'TABLE(principal text, event_id text, change text, occurred_at timestamptz, ingested_at timestamptz, delay interval, '
	'late boolean, count_change integer, value_change numeric, voided_at timestamptz, reason text, voided_by text, "position" text)',
	'stable'),
('aevon_grant', 'tenant text, role regrole, privilege text', 'void', 'volatile'),
('aevon_health', '', 'TABLE(check_name text, status text, value double precision, threshold double precision, unit text, '
	'detail text, hint text)', 'volatile'),
('aevon_history', 'tenant text, principal text DEFAULT NULL, rule text DEFAULT NULL, since date DEFAULT ''-infinity'', '
	'until date DEFAULT ''infinity'', dims jsonb DEFAULT NULL',
	'TABLE(rule text, day date, revision integer, taken_at timestamptz, status text, event_count bigint, late_count bigint, '
	'value numeric, delta numeric, stats jsonb, cut text)', 'stable'),
('aevon_ingest', 'tenant text, principal text, event_id text, event_type text, occurred_at timestamptz DEFAULT NULL, '
	'data jsonb DEFAULT ''{}'', metadata jsonb DEFAULT NULL', 'text', 'volatile'),
('aevon_ingest_batch', 'tenant text, events jsonb, on_error text DEFAULT ''abort'', '
	'OUT accepted bigint, OUT duplicate bigint, OUT rejected bigint', 'SETOF record', 'volatile'),
('aevon_ingest_from', 'source regclass, tenant text DEFAULT NULL, on_error text DEFAULT ''abort'', '
	'OUT accepted bigint, OUT duplicate bigint, OUT rejected bigint', 'SETOF record', 'volatile'),
('aevon_load_rules', 'directory text, OUT rule text, OUT version integer, OUT changed boolean', 'SETOF record', 'volatile'),
('aevon_metrics', 'tenant text DEFAULT NULL', 'text', 'volatile'),
('aevon_rebuild', 'rule text, tenant text DEFAULT NULL', 'void', 'volatile'),
('aevon_revoke', 'tenant text, role regrole, privilege text', 'void', 'volatile'),
('aevon_schedule', 'sweep_schedule text DEFAULT ''* * * * *''', 'bigint', 'volatile'),
('aevon_snapshot', '', 'bigint', 'volatile'),
('aevon_stat_reset', 'what text DEFAULT NULL', 'void', 'volatile'),
('aevon_state', 'tenant text, principal text DEFAULT NULL, rule text DEFAULT NULL, since timestamptz DEFAULT ''-infinity'', '
	'until timestamptz DEFAULT ''infinity'', granularity text DEFAULT ''total'', as_of timestamptz DEFAULT NULL, '
	'dims jsonb DEFAULT NULL, group_by text[] DEFAULT NULL, timezone text DEFAULT ''UTC''', 'jsonb', 'stable'),
('aevon_sweep', 'max_events bigint DEFAULT NULL, OUT event_count bigint, OUT bucket_count bigint, OUT measure_count integer, '
	'OUT duration_ms double precision, OUT more boolean', 'record', 'volatile'),
('aevon_top', 'tenant text, rule text, n integer DEFAULT 10, by text DEFAULT NULL, of text DEFAULT ''principal'', '
	'since timestamptz DEFAULT ''-infinity'', until timestamptz DEFAULT ''infinity'', dims jsonb DEFAULT NULL',
	'TABLE(rank integer, key text, event_count bigint, value numeric, stats jsonb)', 'stable'),
('aevon_verify', 'rule text DEFAULT NULL, tenant text DEFAULT NULL, repair boolean DEFAULT false',
	'TABLE(rule text, version integer, tenant text, principal text, what text, window_start timestamptz, stored jsonb, '
	'recomputed jsonb, repaired boolean)', 'volatile'),
('aevon_void', 'tenant text, principal text, event_id text, reason text', 'text', 'volatile'),
('aevon_windows', 'tenant text, principal text DEFAULT NULL, rule text DEFAULT NULL, since timestamptz DEFAULT ''-infinity'', '
	'until timestamptz DEFAULT ''infinity'', granularity text DEFAULT ''total'', as_of timestamptz DEFAULT NULL, '
	'dims jsonb DEFAULT NULL, group_by text[] DEFAULT NULL, timezone text DEFAULT ''UTC''',
	'TABLE(rule text, dims jsonb, window_start timestamptz, window_end timestamptz, event_count bigint, value numeric, stats jsonb)',
	'stable');

-- what is there, in the words of the list
CREATE TEMP TABLE found AS
SELECT p.oid, p.proname::text AS name,
	regexp_replace(replace(pg_get_function_arguments(p.oid), 'timestamp with time zone', 'timestamptz'),
		'::(text\[\]|text|jsonb|timestamptz|bigint|integer|date)', '', 'g') AS arguments,
	replace(pg_get_function_result(p.oid), 'timestamp with time zone', 'timestamptz') AS result,
	CASE p.provolatile WHEN 'v' THEN 'volatile' WHEN 's' THEN 'stable' ELSE 'immutable' END AS volatility,
	p.proisstrict, p.proparallel, p.prosecdef, p.proconfig, p.proleakproof
FROM pg_proc p
JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'aevon'
WHERE p.pronamespace <> 'aevon'::regnamespace;

SELECT plan((3 + 7 * (SELECT count(*) FROM contract))::integer);

SELECT set_eq('SELECT name FROM found', 'SELECT name FROM contract', 'these functions, and no others');
SELECT is_empty('SELECT name FROM found GROUP BY name HAVING count(*) > 1', 'each once');
SELECT is_empty($$SELECT name FROM found WHERE name !~ '^aevon_'$$, 'all of them are called aevon_...');

SELECT is(f.arguments, c.arguments, c.name || ': arguments and defaults') FROM contract c LEFT JOIN found f USING (name) ORDER BY c.name;
SELECT is(f.result, c.result, c.name || ': result') FROM contract c LEFT JOIN found f USING (name) ORDER BY c.name;
SELECT is(f.volatility, c.volatility, c.name || ': ' || c.volatility) FROM contract c LEFT JOIN found f USING (name) ORDER BY c.name;
-- NULL has a meaning, or is refused with 22004: never skipped
SELECT ok(NOT f.proisstrict, c.name || ': called on NULL') FROM contract c LEFT JOIN found f USING (name) ORDER BY c.name;
SELECT is(f.proparallel::text, 'u', c.name || ': parallel unsafe') FROM contract c LEFT JOIN found f USING (name) ORDER BY c.name;
-- they switch users themselves, after checking the caller
SELECT ok(NOT f.prosecdef AND f.proconfig IS NULL AND NOT f.proleakproof, c.name || ': runs as the caller')
FROM contract c LEFT JOIN found f USING (name) ORDER BY c.name;
SELECT ok(has_function_privilege('public', f.oid, 'EXECUTE'), c.name || ': may be called by everybody')
FROM contract c LEFT JOIN found f USING (name) ORDER BY c.name;

SELECT * FROM finish();
ROLLBACK;
