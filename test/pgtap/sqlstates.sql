-- Every SQLSTATE that the reference names, provoked at each function that
-- raises it.
BEGIN;
SELECT plan(80);

SELECT aevon_define_rule('r', 'use', '{count,sum}', 'n', tenant => 't') \g /dev/null
SELECT aevon_ingest('t', 'p', 'e', 'use', '2024-01-01 00:00+00', '{"n": 1}') \g /dev/null
CREATE TEMP TABLE staged (principal text, event_id text, event_type text, occurred_at timestamptz, data jsonb);
INSERT INTO staged VALUES ('p', 's', 'use', 'infinity', '{}');
CREATE TEMP TABLE unstaged (principal text);
CREATE ROLE aevon_test_application;
GRANT SELECT ON staged TO aevon_test_application;

-- 22004: missing
SELECT throws_ok(format('SELECT aevon_ingest(%s)', a), '22004', NULL, 'aevon_ingest(' || a || ')')
FROM unnest(ARRAY['NULL, ''p'', ''x'', ''use''', '''t'', NULL, ''x'', ''use''', '''t'', ''p'', NULL, ''use''',
	'''t'', ''p'', ''x'', NULL', '''t'', ''p'', ''x'', ''use'', NULL, NULL']) a;
SELECT throws_ok('SELECT aevon_ingest_batch(NULL, ''[]'')', '22004');
SELECT throws_ok('SELECT aevon_ingest_batch(''t'', NULL)', '22004');
SELECT throws_ok('SELECT aevon_ingest_batch(''t'', ''[]'', NULL)', '22004');
SELECT throws_ok('SELECT aevon_ingest_from(NULL, ''t'')', '22004');
SELECT throws_ok('SELECT aevon_state(NULL)', '22004');
SELECT throws_ok('SELECT aevon_windows(''t'', since => NULL)', '22004');
SELECT throws_ok('SELECT aevon_windows(''t'', granularity => NULL)', '22004');
SELECT throws_ok('SELECT aevon_windows(''t'', timezone => NULL)', '22004');
SELECT throws_ok('SELECT aevon_events(NULL, ''p'')', '22004');
SELECT throws_ok('SELECT aevon_events(''t'', NULL)', '22004');
SELECT throws_ok('SELECT aevon_define_rule(NULL, ''use'', ''{count}'')', '22004');
SELECT throws_ok('SELECT aevon_define_rule(''x'', NULL, ''{count}'')', '22004');
SELECT throws_ok('SELECT aevon_define_rule(''x'', ''use'', NULL)', '22004');
SELECT throws_ok('SELECT aevon_define_rule(''x'', ''use'', ''{NULL}'')', '22004');
SELECT throws_ok('SELECT aevon_drop_rule(NULL)', '22004');
SELECT throws_ok('SELECT aevon_load_rules(NULL)', '22004');
SELECT throws_ok('SELECT aevon_grant(NULL, ''aevon_test_application'', ''read'')', '22004');
SELECT throws_ok('SELECT aevon_grant(''t'', NULL, ''read'')', '22004');
SELECT throws_ok('SELECT aevon_revoke(''t'', ''aevon_test_application'', NULL)', '22004');

-- 22023: bad argument
SELECT throws_ok(format('SELECT aevon_ingest(%s)', a), '22023', NULL, 'aevon_ingest(' || a || ')')
FROM unnest(ARRAY['''t'', '''', ''x'', ''use''', '''t'', ''p'', E''\t'', ''use''', '''*'', ''p'', ''x'', ''use''',
	'''t'', ''p'', ''x'', ''*''', '''t'', ''p'', ''x'', ''use'', NULL, ''[]''']) a;
SELECT throws_ok('SELECT aevon_ingest_batch(''t'', ''{}'')', '22023');
SELECT throws_ok('SELECT aevon_ingest_batch(''t'', ''[1]'')', '22023');
SELECT throws_ok('SELECT aevon_ingest_batch(''t'', ''[]'', ''maybe'')', '22023');
SELECT throws_ok('SELECT aevon_ingest_from(''staged'', ''t'', ''maybe'')', '22023');
SELECT throws_ok('SELECT aevon_state(''t'', since => ''2024-01-02'', until => ''2024-01-01'')', '22023');
SELECT throws_ok('SELECT aevon_windows(''t'', granularity => ''week'')', '22023');
SELECT throws_ok('SELECT aevon_windows(''t'', timezone => ''Nowhere'')', '22023');
SELECT throws_ok('SELECT aevon_events(''t'', ''p'', max_rows => 0)', '22023');
SELECT throws_ok('SELECT aevon_events(''t'', ''p'', after => ''none'')', '22023');
SELECT throws_ok('SELECT aevon_events(''t'', ''p'', ''2024-01-02'', ''2024-01-01'')', '22023');
SELECT throws_ok('SELECT aevon_define_rule(''a@b'', ''use'', ''{count}'')', '22023');
SELECT throws_ok('SELECT aevon_define_rule(''x'', ''use'', ''{}'')', '22023');
SELECT throws_ok('SELECT aevon_define_rule(''x'', ''use'', ''{median}'')', '22023');
SELECT throws_ok('SELECT aevon_define_rule(''x'', ''use'', ''{sum}'')', '22023', NULL, 'a sum of no value');
SELECT throws_ok('SELECT aevon_define_rule(''x'', ''use'', ''{sum}'', ''$.['')', '22023', NULL, 'a broken jsonpath');
SELECT throws_ok('SELECT aevon_define_rule(''x'', ''use'', ''{sum}'', ''$.t.datetime()'')', '22023', NULL, '.datetime()');
SELECT throws_ok('SELECT aevon_define_rule(''x'', ''use'', ''{count}'', NULL, ''$.a ? ('')', '22023', NULL, 'a broken filter');
SELECT throws_ok('SELECT aevon_define_rule(''x'', ''use'', ''{count}'', tenant => ''*'')', '22023');
SELECT throws_ok('SELECT aevon_define_rule(''x'', ''use'', ''{count}'', dimensions => ''[]'')', '22023');
SELECT throws_ok('SELECT aevon_grant(''t'', ''aevon_test_application'', ''own'')', '22023');
SELECT throws_ok('SELECT aevon_revoke('''', ''aevon_test_application'', ''read'')', '22023');
SELECT throws_ok('SELECT aevon_sweep(0)', '22023');

-- 22001: too long
SELECT throws_ok(format('SELECT aevon_ingest(%s)', a), '22001', NULL, 'aevon_ingest(' || a || ')')
FROM unnest(ARRAY['repeat(''x'', 256), ''p'', ''x'', ''use''', '''t'', repeat(''x'', 256), ''x'', ''use''',
	'''t'', ''p'', repeat(''x'', 256), ''use''', '''t'', ''p'', ''x'', repeat(''x'', 256)']) a;
SELECT throws_ok('SELECT aevon_define_rule(repeat(''x'', 256), ''use'', ''{count}'')', '22001');
SELECT throws_ok('SELECT aevon_grant(repeat(''x'', 256), ''aevon_test_application'', ''read'')', '22001');

-- 54000: too large
SELECT throws_ok('SELECT aevon_ingest(''t'', ''p'', ''x'', ''use'', NULL, jsonb_build_object(''a'', repeat(''x'', 1100000)))', '54000');
SELECT throws_ok('SELECT aevon_ingest(''t'', ''p'', ''x'', ''use'', NULL, (repeat(''{"a":'', 101) || 1 || repeat(''}'', 101))::jsonb)', '54000');
SELECT throws_ok('SELECT aevon_windows(''t'', since => ''2000-01-01'', until => ''2030-01-01'', granularity => ''1m'')', '54000');

-- 22008: bad time
SELECT throws_ok(format('SELECT aevon_ingest(''t'', ''p'', ''x'', ''use'', %L)', at), '22008', NULL, 'aevon_ingest at ' || at)
FROM unnest('{infinity,-infinity,294276-12-31,0001-01-01 BC,10000-01-01}'::text[]) at;
SELECT throws_ok('SELECT aevon_ingest(''t'', ''p'', ''x'', ''use'', now() + interval ''2 days'')', '22008');
SELECT throws_ok('SELECT aevon_ingest_batch(''t'', ''[{"principal": "p", "event_id": "x", "event_type": "use", "occurred_at": "soon"}]'')', '22008');
SELECT throws_ok('SELECT aevon_ingest_from(''staged'', ''t'')', '22008');

-- 42704: unknown rule
SELECT throws_ok('SELECT aevon_state(''t'', rule => ''none'')', '42704');
SELECT throws_ok('SELECT aevon_windows(''t'', rule => ''r@9'')', '42704');
SELECT throws_ok('SELECT aevon_drop_rule(''none'')', '42704');

-- 23505: conflict
SELECT throws_ok('SELECT aevon_ingest(''t'', ''p'', ''e'', ''use'', ''2024-01-01 00:00+00'', ''{"n": 2}'')', '23505');

-- 22023: a dimension that the rule does not have
SELECT throws_ok('SELECT aevon_history(''t'', ''p'', ''r'', ''2024-01-01'', ''2024-01-02'', ''{"d": 1}'')', '22023');

-- 55000: wrong state
SELECT throws_ok('DELETE FROM aevon.event_log', '55000');

-- 42501: forbidden or unknown
SELECT throws_ok('SELECT aevon_state(''nobody'')', '42501');
SET LOCAL ROLE aevon_test_application;
SELECT throws_ok('SELECT aevon_ingest(''t'', ''p'', ''x'', ''use'')', '42501', 'permission denied for tenant "t"');
SELECT throws_ok('SELECT aevon_state(''t'')', '42501', 'permission denied for tenant "t"');
SELECT throws_ok('SELECT aevon_sweep()', '42501', 'permission denied for all tenants');
RESET ROLE;

-- and nothing of all this was stored
SELECT is((SELECT count(*) FROM aevon.events), 1::bigint, 'one event is there');
SELECT is((SELECT count(*) FROM aevon.rule_versions), 1::bigint, 'one rule is there');

SELECT * FROM finish();
ROLLBACK;
