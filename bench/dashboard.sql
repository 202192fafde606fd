-- The dashboard's workload: executions of a few hundred rules, and the same rows
-- in a plain table with its hourly and daily roll-ups.
CREATE SCHEMA dashboard;

-- Executions first .. last, the first at `starts`, then one each `step`.  500 rules,
-- skewed; times are log-normal around a median of each rule's own; 2 % fail.
CREATE PROCEDURE dashboard.stage(first bigint, last bigint, starts timestamptz, step interval)
LANGUAGE plpgsql AS $$
BEGIN
	DROP TABLE IF EXISTS dashboard.staging;
	PERFORM setseed(0.25 + 0.5 / first);
	CREATE UNLOGGED TABLE dashboard.staging AS
	SELECT 'engine-' || 1 + i % 20 AS principal, 'x' || i AS event_id, 'execution'::text AS event_type,
		starts + (i - first) * step AS occurred_at,
		jsonb_build_object('metric_type', 'rule', 'rule_id', 'rule-' || rule,
			'parser_id', 'parser-' || rule % 40, 'category', 'category-' || rule % 8,
			'status', CASE WHEN luck < 0.02 THEN CASE WHEN luck < 0.005 THEN 'timeout' ELSE 'error' END ELSE 'ok' END,
			'ms', round(exp(1 + rule % 7 * 0.5 + 0.6 * (random() + random() + random() + random() - 2) * 1.73)::numeric, 3)) AS data
	FROM (SELECT i, 1 + floor(500 * random() ^ 2)::integer AS rule, random() AS luck
		  FROM generate_series(first, last) i) e;
END
$$;

-- The same rows as a dashboard without Aevon keeps them.
CREATE UNLOGGED TABLE dashboard.metrics (
	occurred_at timestamptz NOT NULL,
	rule_id text COLLATE "C" NOT NULL,
	parser_id text COLLATE "C" NOT NULL,
	category text COLLATE "C" NOT NULL,
	status text COLLATE "C" NOT NULL,
	ms numeric NOT NULL
);

CREATE PROCEDURE dashboard.copy_staged() LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO dashboard.metrics
	SELECT occurred_at, data ->> 'rule_id', data ->> 'parser_id', data ->> 'category', data ->> 'status',
		(data ->> 'ms')::numeric
	FROM dashboard.staging;
END
$$;

-- Roll-ups by the hour and by the day.  A percentile over several rows of one is
-- a mean of percentiles: the usual way, and wrong.
CREATE PROCEDURE dashboard.roll_up() LANGUAGE plpgsql AS $$
DECLARE
	unit text;
BEGIN
	FOREACH unit IN ARRAY '{hour,day}'::text[] LOOP
		EXECUTE format(
			'CREATE UNLOGGED TABLE dashboard.by_%1$s AS
			 SELECT date_trunc(%1$L, occurred_at) AS since, rule_id, category, status, count(*) AS executions,
				sum(ms) AS ms, max(ms) AS most,
				percentile_disc(0.5) WITHIN GROUP (ORDER BY ms) AS p50,
				percentile_disc(0.95) WITHIN GROUP (ORDER BY ms) AS p95,
				percentile_disc(0.99) WITHIN GROUP (ORDER BY ms) AS p99
			 FROM dashboard.metrics GROUP BY 1, 2, 3, 4', unit);
		EXECUTE format('CREATE INDEX ON dashboard.by_%s (since)', unit);
		EXECUTE format('CREATE INDEX ON dashboard.by_%s (rule_id, since)', unit);
	END LOOP;
	CREATE INDEX ON dashboard.metrics (occurred_at);
	CREATE INDEX ON dashboard.metrics (rule_id, occurred_at);
END
$$;

CREATE PROCEDURE dashboard.define_rules() LANGUAGE plpgsql AS $$
BEGIN
	PERFORM aevon_define_rule('execution', 'execution', '{count,avg,p50,p95,p99,max,sum}',
		value => 'ms', dimensions => '{"rule_id": "$.rule_id"}', tenant => 'org');
	PERFORM aevon_define_rule('errors', 'execution', '{count}', filter => '$.status != "ok"',
		dimensions => '{"category": "$.category", "status": "$.status"}', tenant => 'org');
END
$$;
