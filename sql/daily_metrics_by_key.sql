-- aevon_daily_metrics: the rows of the view for one tenant or principal.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE ROLE regress_daily_reader;
SELECT aevon_define_rule('count', 'x', '{count}', tenant => 'keys_b');
SELECT aevon_define_rule('most', 'x', '{max}', 'v', tenant => 'keys_a');
SELECT aevon_define_rule('n', 'x', '{min,sum}', 'v', tenant => 'keys_a');
SELECT aevon_grant('keys_a', 'regress_daily_reader', 'read');
-- 30 days of two tenants with a principal of the same name; some events come later
DO $$
BEGIN
	FOR d IN 0..29 LOOP
		PERFORM set_config('aevon.clock', (timestamptz '2024-03-01 23:00+00' + d * interval '1 day')::text, false);
		PERFORM aevon_ingest(tenant, principal, d || '-' || i, 'x', '2024-03-01 11:00+00'::timestamptz + d * interval '1 day',
			jsonb_build_object('v', i * length(principal) + d % 7 + CASE WHEN d = 28 THEN 1000 ELSE 0 END))
		FROM generate_series(1, 3) i, unnest('{keys_a,keys_b}'::text[]) tenant, unnest('{p,other}'::text[]) principal
		WHERE principal = 'p' OR d % 2 = 0;
		COMMIT;
		PERFORM aevon_snapshot();
		PERFORM set_config('aevon.clock', (timestamptz '2024-03-02 07:00+00' + d * interval '1 day')::text, false);
		PERFORM aevon_ingest('keys_a', 'p', d || '-late', 'x', '2024-03-01 11:00+00'::timestamptz + d * interval '1 day', '{"v": 1}');
		COMMIT;
		PERFORM aevon_snapshot();
		COMMIT;
	END LOOP;
END
$$;
SET aevon.clock = '2024-03-31 08:00+00';
-- a rule for all tenants comes later, and goes again with the transaction
BEGIN;
SELECT aevon_define_rule('n', 'x', '{sum,count}', 'v');
-- the days of other tests too
SELECT aevon_snapshot() >= 150 AS taken;
-- every question, against the view with the same conditions
CREATE TEMP TABLE questions AS
SELECT tenant, principal, rule, since, until
FROM unnest('{keys_a,keys_b}'::text[]) tenant, unnest('{p,other,nobody,NULL}'::text[]) principal,
	unnest('{n,NULL}'::text[]) rule, (VALUES (date '-infinity', date 'infinity'), ('2024-03-10', '2024-03-12'),
	('2024-03-29', 'infinity'), ('-infinity', '2024-03-02'), ('2024-03-10', '2024-03-10')) days (since, until);
SELECT count(*) AS questions, sum((SELECT count(*) FROM aevon_daily_metrics(q.tenant, q.principal, q.rule, q.since, q.until))) AS rows FROM questions q;
SELECT * FROM questions q CROSS JOIN LATERAL (
	(SELECT m::text FROM aevon_daily_metrics(q.tenant, q.principal, q.rule, q.since, q.until) m
	 EXCEPT ALL
	 SELECT m::text FROM aevon.daily_metrics m WHERE m.tenant = q.tenant AND m.principal IS NOT DISTINCT FROM q.principal
		AND (q.rule IS NULL OR m.rule = q.rule) AND m.day >= q.since AND m.day < q.until)
	UNION ALL
	(SELECT m::text FROM aevon.daily_metrics m WHERE m.tenant = q.tenant AND m.principal IS NOT DISTINCT FROM q.principal
		AND (q.rule IS NULL OR m.rule = q.rule) AND m.day >= q.since AND m.day < q.until
	 EXCEPT ALL
	 SELECT m::text FROM aevon_daily_metrics(q.tenant, q.principal, q.rule, q.since, q.until) m)) differs;
-- a tenant's own rule hides the global one; rows come by rule and day
SELECT tenant, principal, rule, day, value, event_count, late_count, status, revisions, first_value, change, completeness, completeness_days,
	jsonb_object_keys(anomaly) AS odd
FROM aevon_daily_metrics('keys_a', 'p', since => '2024-03-29');
SELECT tenant, principal, rule, day, value FROM aevon_daily_metrics('keys_b', NULL, 'n', '2024-03-01', '2024-03-03');
ROLLBACK;
-- what is wrong
\set VERBOSITY sqlstate
SELECT aevon_daily_metrics(NULL);
SELECT aevon_daily_metrics('keys_a', since => NULL);
SELECT aevon_daily_metrics('keys_a', until => NULL);
SELECT aevon_daily_metrics('keys_a', 'p', 'nope');
SELECT aevon_daily_metrics('keys_a', 'p', 'n@9');
SELECT aevon_daily_metrics('keys_a', 'p', 'n', '2024-03-12', '2024-03-11');
SELECT aevon_daily_metrics('keys_a', 'p', dims => '{"a": 1}');
SELECT aevon_daily_metrics('no_such_tenant');
SET ROLE regress_daily_reader;
SELECT count(*) FROM aevon_daily_metrics('keys_a');
SELECT aevon_daily_metrics('keys_b');
SELECT aevon_daily_metrics('no_such_tenant');
RESET ROLE;
RESET aevon.clock;
SELECT aevon_drop_rule('n', 'keys_a'), aevon_drop_rule('most', 'keys_a'), aevon_drop_rule('count', 'keys_b');
DROP OWNED BY regress_daily_reader;
SELECT aevon_revoke('keys_a', 'regress_daily_reader', 'read');
DROP ROLE regress_daily_reader;
