-- The events of the suite, a function of their numbers: the same in every run,
-- whatever part of them is made.
--
-- 10,000 principals in 50 tenants, skewed: rank k has the share of (u to the
-- third), so the heaviest, 100000000000 of tenant 10000000, has 4.6 % of all events and
-- rank 100, 100000000100 of the same tenant, 0.07 %.  One row in a hundred is an event
-- sent before, again.  Names are as long as real ones, but digits, since that is what
-- pgbench can make; data takes some 170 bytes.
CREATE SCHEMA bench;

-- A number in [0, 1) that depends on n and on what it is for.
CREATE FUNCTION bench.luck(n bigint, what integer) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ((hashint8extended(n, what) >> 11) & 9007199254740991) / 9007199254740992.0::double precision;

-- Rows first .. last, `rate` a second; the share `late` up to three days before
-- their time.
CREATE FUNCTION bench.events(first bigint, last bigint, rate double precision, late double precision)
RETURNS TABLE (tenant text, principal text, event_id text, event_type text, occurred_at timestamptz, data jsonb)
LANGUAGE sql STABLE AS $$
	SELECT (10000000 + who % 50)::text, (100000000000 + who)::text, (1000000000000000 + i)::text, 'api.call',
		'2026-01-01'::timestamptz + (i / rate
			- CASE WHEN bench.luck(i, 2) < late THEN bench.luck(i, 3) * 3 * 86400 ELSE 0 END) * interval '1 second',
		jsonb_build_object('amount', round((bench.luck(i, 4) * 1000)::numeric, 2),
			'path', '/v1/item/' || i % 1000, 'status', 200, 'method', 'GET', 'region', 'eu-central-1',
			'client', 'library/2.17.' || i % 7, 'duration_ms', i % 250)
	FROM (SELECT i, floor(10000 * bench.luck(i, 1) ^ 3)::integer AS who
		  FROM (SELECT n - CASE WHEN n > 5000 AND bench.luck(n, 5) < 0.01
								THEN 1 + floor(bench.luck(n, 6) * 4000)::bigint ELSE 0 END AS i
				FROM generate_series(first, last) n) numbered) e
$$;

-- They, in a table.
CREATE PROCEDURE bench.stage(first bigint, last bigint, rate double precision, late double precision)
LANGUAGE plpgsql AS $$
BEGIN
	DROP TABLE IF EXISTS bench.staging;
	CREATE UNLOGGED TABLE bench.staging AS
	SELECT * FROM bench.events(first, last, rate, late);
END
$$;

-- Four rules on one value, for every tenant.
CREATE PROCEDURE bench.define_rules() LANGUAGE plpgsql AS $$
BEGIN
	PERFORM aevon_define_rule('calls', 'api.call', '{count}', value => 'amount');
	PERFORM aevon_define_rule('amount', 'api.call', '{sum}', value => 'amount');
	PERFORM aevon_define_rule('least', 'api.call', '{min}', value => 'amount');
	PERFORM aevon_define_rule('most', 'api.call', '{max}', value => 'amount');
END
$$;

-- The ancestor: text keys, a unique sequence, an index for tails, and buckets of
-- a minute, a row for each rule, that its service upserts one by one.
CREATE SCHEMA ancestor;
CREATE TABLE ancestor.events (
	tenant      text NOT NULL,
	principal   text NOT NULL,
	id          text NOT NULL,
	type        text NOT NULL,
	occurred_at timestamptz NOT NULL,
	ingested_at timestamptz NOT NULL DEFAULT now(),
	data        jsonb NOT NULL,
	seq         bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
	PRIMARY KEY (tenant, principal, id)
);
CREATE INDEX events_tail ON ancestor.events (tenant, principal, type, seq);
CREATE TABLE ancestor.buckets (
	tenant      text NOT NULL,
	principal   text NOT NULL,
	rule        text NOT NULL,
	minute      timestamptz NOT NULL,
	event_count bigint NOT NULL,
	value       numeric NOT NULL,
	PRIMARY KEY (tenant, principal, rule, minute)
) WITH (fillfactor = 70);
CREATE TABLE ancestor.cursor (seq bigint NOT NULL);
INSERT INTO ancestor.cursor VALUES (0);

-- No index at all.
CREATE SCHEMA bare;
CREATE TABLE bare.events (
	tenant      text NOT NULL,
	principal   text NOT NULL,
	id          text NOT NULL,
	type        text NOT NULL,
	occurred_at timestamptz NOT NULL,
	ingested_at timestamptz NOT NULL DEFAULT now(),
	data        jsonb NOT NULL
);

-- What reads on the fly like best: the value in a column, and in the index.
CREATE SCHEMA fly;
CREATE TABLE fly.events (
	tenant      text NOT NULL,
	principal   text NOT NULL,
	occurred_at timestamptz NOT NULL,
	amount      numeric NOT NULL
);

-- The set-based roll-up: integer keys, one row for all four statistics.  Both
-- tables hold the same, written in the order of the grouping or of the key.
CREATE SCHEMA rollup;
CREATE TABLE rollup.plain (
	tenant_key    integer NOT NULL,
	principal_key integer NOT NULL,
	minute        timestamptz NOT NULL,
	event_count   bigint NOT NULL,
	sum           numeric NOT NULL,
	min           numeric NOT NULL,
	max           numeric NOT NULL,
	PRIMARY KEY (tenant_key, principal_key, minute)
) WITH (fillfactor = 70);
CREATE TABLE rollup.ordered (LIKE rollup.plain INCLUDING ALL) WITH (fillfactor = 70);
