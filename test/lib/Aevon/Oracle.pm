# The oracle: what states must be, recounted from the raw log in plain SQL.
#
# Nothing here shares code with the extension: values and filters of the rule
# shapes below are read with the plain JSON operators; windows are made with
# date_bin, and with date_trunc where there is a zone, a week or a month.
# Comparisons are set-based, so that thousands of them take seconds.
package Aevon::Oracle;

use strict;
use warnings;

# The rule shapes the oracle understands: event type, value, filter.  Each path
# has its reading in plain SQL in install() below.
our @SHAPES = (
	[ 'order', '$.amount', undef ],
	[ 'order', 'amount', '$.plan == "pro"' ],
	[ '*', '$.amount', '$.amount > 10' ],
	[ 'click', '$.a.b', undef ],
	[ 'order', '$.amount', '$.flag' ],
	[ '*', '$.items[0].n', '$.items[*] ? (@.n > 1)' ],
	[ 'order', '$.amount * 2', undef ],
	[ 'click', 'strict $.amount', undef ],
	[ '*', 'amount', undef ]);

sub install
{
	my ($class, $wire) = @_;
	$wire->must(<<'SQL');
CREATE SCHEMA oracle;

-- A path as it is stored, without the spaces, quotes and parentheses that
-- PostgreSQL puts into it.
CREATE FUNCTION oracle.plain(path text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT translate(path, ' "()', '') $$;

-- Fails, for a path that the functions below do not know.
CREATE FUNCTION oracle.unknown(path text) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	RAISE EXCEPTION 'the oracle does not know the path %', path;
END $$;

-- Does the filter match?  'yes', 'no', or 'error' when it cannot be evaluated.
CREATE FUNCTION oracle.matches(filter text, data jsonb) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE oracle.plain(filter)
		WHEN '$.plan==pro' THEN
			CASE WHEN data->'plan' = '"pro"' THEN 'yes' ELSE 'no' END
		WHEN '$.amount>10' THEN
			CASE WHEN jsonb_typeof(data->'amount') = 'number'
					AND (data->'amount')::numeric > 10 THEN 'yes' ELSE 'no' END
		WHEN '$.flag' THEN
			CASE WHEN data->'flag' = 'true' THEN 'yes'
				WHEN coalesce(jsonb_typeof(data->'flag'), 'null') IN ('null', 'boolean') THEN 'no'
				ELSE 'error' END
		WHEN '$.items[*]?@.n>1' THEN
			CASE WHEN jsonb_typeof(data->'items') = 'array'
					AND EXISTS (SELECT FROM jsonb_array_elements(data->'items') e
						WHERE jsonb_typeof(e->'n') = 'number' AND (e->'n')::numeric > 1)
				THEN 'yes' ELSE 'no' END
		ELSE CASE WHEN filter IS NULL THEN 'yes' ELSE oracle.unknown(filter) END
	END $$;

-- The item a value path yields.
CREATE FUNCTION oracle.item(path text, data jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE oracle.plain(path)
		WHEN '$.amount' THEN data->'amount'
		WHEN 'strict$.amount' THEN data->'amount'
		WHEN '$.a.b' THEN data->'a'->'b'
		WHEN '$.items[0].n' THEN data->'items'->0->'n'
		WHEN '$.amount*2' THEN CASE WHEN jsonb_typeof(data->'amount') = 'number'
			THEN to_jsonb((data->'amount')::numeric * 2) END
		ELSE CASE WHEN path IS NOT NULL THEN oracle.unknown(path)::jsonb END
	END $$;

-- A usable number: at most 308 digits on either side of the point.
CREATE FUNCTION oracle.number(item jsonb) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN jsonb_typeof(item) = 'number'
		AND abs(item::numeric) < ('1e308')::numeric
		AND min_scale(item::numeric) <= 308
		THEN trim_scale(item::numeric) END $$;

-- Length of windows that are all of one length.
CREATE FUNCTION oracle.step(granularity text) RETURNS interval
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN granularity ~ '^[0-9]+[mh]$' THEN
		regexp_replace(granularity, '(m|h)$', ' \1')::interval END $$;

-- Start of a window, and start of the next: the calendar's by date_trunc,
-- minutes counted from its midnight.  Not for zones whose midnight comes twice.
CREATE FUNCTION oracle.window_start(granularity text, zone text, at timestamptz) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	RETURN CASE granularity
		WHEN '1d' THEN date_trunc('day', at, zone)
		WHEN '1w' THEN date_trunc('week', at, zone)
		WHEN '1mo' THEN date_trunc('month', at, zone)
		ELSE date_bin(oracle.step(granularity), at, date_trunc('day', at, zone)) END;
END $$;
CREATE FUNCTION oracle.window_end(granularity text, zone text, at timestamptz) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	local timestamp := at AT TIME ZONE zone;
BEGIN
	RETURN CASE granularity
		WHEN '1w' THEN (date_trunc('week', local) + interval '7 days') AT TIME ZONE zone
		WHEN '1mo' THEN (date_trunc('month', local) + interval '1 month') AT TIME ZONE zone
		-- nothing but a week or a month lasts longer than its day
		ELSE least((date_trunc('day', local) + interval '1 day') AT TIME ZONE zone,
			at + oracle.step(granularity)) END;
END $$;
CREATE FUNCTION oracle.windows(granularity text, zone text, since timestamptz, until timestamptz)
RETURNS SETOF timestamptz
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	at timestamptz := oracle.window_start(granularity, zone, since);
BEGIN
	WHILE at < until LOOP
		RETURN NEXT at;
		at := oracle.window_end(granularity, zone, at);
	END LOOP;
END $$;

-- The raw log with its names.
CREATE VIEW oracle.log AS
	SELECT t.tenant, p.principal, e.event_id, y.event_type, e.occurred_at,
		e.ingested_at, e.stamp, e.data, e.principal_key
	FROM aevon.event_log e
	LEFT JOIN aevon.tenants t USING (tenant_key)
	LEFT JOIN aevon.principals p USING (principal_key)
	LEFT JOIN aevon.event_types y USING (type_key);

-- The same, and when each event was voided, if it was.
CREATE VIEW oracle.judged AS
	SELECT l.*, v.voided_at
	FROM oracle.log l
	LEFT JOIN aevon.voids v ON v.principal_key = l.principal_key AND v.event_id = l.event_id;

-- Of these, the events that are not void: what counts.
CREATE VIEW oracle.counted AS
	SELECT * FROM oracle.judged WHERE voided_at IS NULL;

-- The value that an item gives to a dimension.
CREATE FUNCTION oracle.dimension(item jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN jsonb_typeof(item) IN ('string', 'number', 'boolean') THEN item ELSE 'null' END $$;

-- What the rules "few" and "many" count, with the combination of dimension
-- values that each event counts for: its own, or, if the tenant has its fill and
-- no series for that, the other one.
CREATE VIEW oracle.split AS
	WITH rules AS MATERIALIZED (
		SELECT r.name, r.measure_key
		FROM aevon.rules r
		WHERE r.tenant_key = 0 AND r.name IN ('few', 'many') AND r.state = 'active'
	), events AS MATERIALIZED (
		SELECT r.name, l.tenant, l.principal, l.occurred_at, oracle.number(l.data->'amount') AS v,
			r.measure_key, jsonb_build_object('x', oracle.dimension(CASE r.name
				WHEN 'few' THEN l.data->'flag' ELSE l.data->'a'->'b' END),
				'y', oracle.dimension(l.data->'plan')) AS dims
		FROM oracle.counted l CROSS JOIN rules r
		WHERE l.event_type = 'order'
	)
	SELECT e.name, e.tenant, e.principal, e.occurred_at, e.v,
		CASE WHEN c.series_full IS NOT TRUE OR s.series_key IS NOT NULL THEN e.dims
			ELSE '{"x": "__other__", "y": "__other__"}' END AS dims
	FROM events e
	JOIN aevon.tenants t ON t.tenant = e.tenant
	LEFT JOIN aevon.series_counts c ON c.measure_key = e.measure_key AND c.tenant_key = t.tenant_key
	LEFT JOIN aevon.series s ON s.measure_key = e.measure_key AND s.tenant_key = t.tenant_key
		AND s.subject_key = -t.tenant_key AND s.dims = e.dims AND octet_length(s.dims_digest) > 1;

-- The voids with their names.
CREATE VIEW oracle.voids AS
	SELECT t.tenant, p.principal, v.event_id
	FROM aevon.voids v
	LEFT JOIN aevon.tenants t USING (tenant_key)
	LEFT JOIN aevon.principals p USING (principal_key);

-- Which version of which rule answers for a tenant.
CREATE VIEW oracle.effective AS
	SELECT DISTINCT ON (t.tenant, r.name) t.tenant, r.name, r.version, r.state,
		r.event_type, r.value, r.filter, r.operators
	FROM aevon.tenants t
	JOIN aevon.rules r ON r.tenant_key IN (0, t.tenant_key)
	WHERE r.state = 'active'
	ORDER BY t.tenant, r.name, r.tenant_key DESC, r.version DESC;

-- One operator's value from what was recounted.
CREATE FUNCTION oracle.final(op text, n bigint, skipped bigint, total numeric,
	lowest numeric, highest numeric, latest numeric, different bigint, numbers numeric[])
	RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE op
		WHEN 'count' THEN n
		WHEN 'sum' THEN coalesce(trim_scale(total), 0)
		WHEN 'min' THEN lowest
		WHEN 'max' THEN highest
		WHEN 'last' THEN latest
		WHEN 'avg' THEN CASE WHEN n > skipped THEN trim_scale(trim_scale(total) / (n - skipped)) END
		WHEN 'distinct' THEN different
		ELSE numbers[ceil(cardinality(numbers) * substr(op, 2)::numeric / 100)::integer]
	END $$;

-- Is an answer's stats what was recounted: quantiles within 1 %, distinct
-- counts within 5 % where they are more than are kept exactly?
CREATE FUNCTION oracle.same(recounted jsonb, answer jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
	SELECT recounted IS NOT DISTINCT FROM answer OR coalesce(
		(SELECT count(*) FROM jsonb_object_keys(answer)) = (SELECT count(*) FROM jsonb_object_keys(recounted))
		AND (SELECT bool_and(CASE
				WHEN r.value = answer->r.key THEN true
				WHEN jsonb_typeof(r.value) <> 'number' OR jsonb_typeof(answer->r.key) <> 'number' THEN false
				WHEN r.key ~ '^p[0-9]' THEN abs((answer->r.key)::numeric - r.value::numeric) <= 0.01 * abs(r.value::numeric)
				WHEN r.key = 'distinct' AND r.value::numeric > 256
					THEN abs((answer->r.key)::numeric - r.value::numeric) <= 0.05 * r.value::numeric
				ELSE false END)
			FROM jsonb_each(recounted) r), false) $$;
SQL
	return;
}

# One statement, so one snapshot: the recount of the cases, what the extension
# says, and the differences.  %s: the cases, as rows of VALUES.
my $COMPARISON = <<'SQL';
WITH given (case_id, tenant, principal, rule, since, until, granularity, as_of, zone) AS (VALUES %s),
cases AS MATERIALIZED (
	SELECT case_id, tenant COLLATE "C" AS tenant, principal COLLATE "C" AS principal,
		rule COLLATE "C" AS rule, since::timestamptz AS since, until::timestamptz AS until,
		granularity, as_of::timestamptz AS as_of, zone
	FROM given
), effective AS MATERIALIZED (
	SELECT tenant, name, event_type, value, filter, operators
	FROM oracle.effective
	WHERE tenant IN (SELECT tenant FROM cases)
), measured AS MATERIALIZED (
	SELECT l.tenant, e.name, l.principal, l.event_id, l.occurred_at, l.ingested_at, l.voided_at,
		m.match = 'error' OR (e.value IS NOT NULL AND n.v IS NULL) AS skipped, n.v,
		nullif(n.item, 'null') AS item
	FROM oracle.judged l
	JOIN effective e ON e.tenant = l.tenant AND e.event_type IN ('*', l.event_type)
	CROSS JOIN LATERAL (SELECT oracle.matches(e.filter, l.data) AS match OFFSET 0) m
	CROSS JOIN LATERAL (SELECT CASE WHEN m.match = 'yes'
		THEN oracle.item(e.value, l.data) END AS item OFFSET 0) i
	CROSS JOIN LATERAL (SELECT oracle.number(i.item) AS v, i.item OFFSET 0) n
	WHERE m.match <> 'no'
), wanted AS MATERIALIZED (
	SELECT c.case_id, c.tenant, c.principal, e.name, c.since, c.until, c.granularity, c.as_of,
		c.zone, e.operators
	FROM cases c
	JOIN effective e ON e.tenant = c.tenant AND (c.rule IS NULL OR c.rule = e.name)
), found AS (
	SELECT w.case_id, w.granularity, w.zone, w.since, w.as_of, m.*
	FROM wanted w
	JOIN measured m ON m.tenant = w.tenant AND m.name = w.name AND m.principal = w.principal
		AND m.occurred_at >= w.since AND m.occurred_at < w.until
	UNION ALL
	SELECT w.case_id, w.granularity, w.zone, w.since, w.as_of, m.*
	FROM wanted w
	JOIN measured m ON m.tenant = w.tenant AND m.name = w.name AND w.principal IS NULL
		AND m.occurred_at >= w.since AND m.occurred_at < w.until
), counted AS (
	SELECT * FROM found
	WHERE CASE WHEN as_of IS NULL THEN voided_at IS NULL
		ELSE ingested_at <= as_of AND (voided_at IS NULL OR voided_at > as_of) END
), folded AS (
	SELECT case_id, name,
		CASE granularity WHEN 'total' THEN since
			ELSE oracle.window_start(granularity, zone, occurred_at) END AS at,
		count(*) AS n, count(*) FILTER (WHERE skipped) AS skipped,
		sum(v) AS total, min(v) AS lowest, max(v) AS highest,
		(array_agg(v ORDER BY occurred_at DESC, principal DESC, event_id DESC)
			FILTER (WHERE v IS NOT NULL))[1] AS latest,
		count(DISTINCT item) AS different, array_agg(v ORDER BY v) FILTER (WHERE v IS NOT NULL) AS numbers
	FROM counted
	GROUP BY 1, 2, 3
), grid AS (
	SELECT case_id, name, since AS at FROM wanted WHERE granularity = 'total'
	UNION
	SELECT w.case_id, w.name, g.at
	FROM wanted w
	CROSS JOIN LATERAL oracle.windows(w.granularity, w.zone, w.since, w.until) AS g (at)
	WHERE w.granularity <> 'total' AND isfinite(w.since) AND isfinite(w.until)
	UNION
	SELECT f.case_id, f.name, f.at FROM folded f
), expected AS MATERIALIZED (
	SELECT g.case_id, g.name AS rule, g.at AS window_start,
		CASE w.granularity WHEN 'total' THEN w.until
			ELSE oracle.window_end(w.granularity, w.zone, g.at) END AS window_end,
		coalesce(f.n, 0) AS event_count, coalesce(f.skipped, 0) AS skipped,
		oracle.final(w.operators[1], coalesce(f.n, 0), f.skipped, f.total, f.lowest, f.highest,
			f.latest, coalesce(f.different, 0), f.numbers) AS value,
		(SELECT jsonb_object_agg(o.op, oracle.final(o.op, coalesce(f.n, 0), f.skipped,
				f.total, f.lowest, f.highest, f.latest, coalesce(f.different, 0), f.numbers))
			FROM unnest(w.operators) o (op)) AS stats, w.operators[1] AS first
	FROM grid g
	JOIN wanted w USING (case_id, name)
	LEFT JOIN folded f USING (case_id, name, at)
), windows AS MATERIALIZED (
	SELECT c.case_id, w.*
	FROM cases c
	CROSS JOIN LATERAL aevon_windows(c.tenant, c.principal, c.rule, c.since, c.until,
		c.granularity, c.as_of, timezone => c.zone) w
), states AS MATERIALIZED (
	SELECT c.case_id, r.key COLLATE "C" AS rule, (r.value->>'skipped')::bigint AS skipped,
		(SELECT coalesce(jsonb_agg(jsonb_build_array(i->'event_count', i->'value', i->'stats')
				ORDER BY (i->>'window_start')::timestamptz), '[]')
			FROM jsonb_array_elements(r.value->'values') i) AS figures
	FROM cases c
	CROSS JOIN LATERAL jsonb_each(aevon_state(c.tenant, c.principal, c.rule, c.since, c.until,
		c.granularity, c.as_of, timezone => c.zone)->'rules') r
)
SELECT format('%%s of %%s, window %%s: expected %%s, %%s, %%s; got %%s, %%s, %%s', coalesce(e.rule, w.rule), c,
	coalesce(e.window_start, w.window_start),
	e.event_count, left(e.value::text, 60), left(e.stats::text, 300),
	w.event_count, left(w.value::text, 60), left(w.stats::text, 300))
FROM expected e
FULL JOIN windows w USING (case_id, rule, window_start)
JOIN cases c USING (case_id)
WHERE (e.event_count, e.window_end) IS DISTINCT FROM (w.event_count, w.window_end)
	OR w.value::text IS DISTINCT FROM w.stats->>e.first OR NOT oracle.same(e.stats, w.stats)
UNION ALL
SELECT format('%%s of %%s: aevon_state expected %%s skipped, %%s; got %%s, %%s', coalesce(s.rule, e.rule), c,
	e.skipped, left(e.figures::text, 300), s.skipped, left(s.figures::text, 300))
FROM states s
FULL JOIN (
	-- the figures of aevon_windows, which are compared above
	SELECT x.case_id, x.rule, sum(x.skipped) AS skipped, jsonb_agg(jsonb_build_array(w.event_count,
		w.value, w.stats) ORDER BY x.window_start) AS figures
	FROM expected x LEFT JOIN windows w USING (case_id, rule, window_start) GROUP BY 1, 2
) e USING (case_id, rule)
JOIN cases c USING (case_id)
WHERE coalesce(s.skipped, 0) <> coalesce(e.skipped, 0)
	OR s.figures IS DISTINCT FROM coalesce(e.figures, '[]') AND NOT (s.figures = '[]' AND e.figures IS NULL)
LIMIT 5
SQL

sub literal
{
	my ($text) = @_;
	return 'NULL' unless defined $text;
	$text =~ s/'/''/g;
	return "'$text'";
}

# The statement that compares the cases: each [tenant, principal or undef, rule
# or undef, since, until, granularity, as_of or undef, time zone or undef for
# UTC].  Its rows are texts, one per difference (five at most).
sub comparison_sql
{
	my ($class, $cases) = @_;
	my $id = 0;
	my @rows = map { $id++; "($id, " . join(', ', map { literal($_) . '::text' } @$_[0 .. 6], $_->[7] // 'UTC') . ')' } @$cases;
	return sprintf $COMPARISON, join(', ', @rows);
}

# Settings that keep such a statement quick.
sub session_sql { return 'SET jit = off; SET enable_nestloop = off; SET enable_mergejoin = off; SET work_mem = \'64MB\''; }

# Compare now; a list of differences.  Dies on an SQL error.
# The answers grouped by dimensions, and (after a sweep) the buckets, each in one
# statement with its recount; and what aevon_verify finds.
my $GROUPED = <<'SQL';
WITH split AS MATERIALIZED (SELECT * FROM oracle.split),
expected AS (
	SELECT name, tenant, s.principal, dims, count(*) AS n, coalesce(trim_scale(sum(v)), 0) AS total
	FROM split e CROSS JOIN LATERAL (VALUES (e.principal), (NULL)) s (principal)
	GROUP BY 1, 2, 3, 4
), asked AS (
	SELECT DISTINCT name, tenant, s.principal
	FROM split e CROSS JOIN LATERAL (VALUES (e.principal), (NULL)) s (principal)
), answers AS (
	SELECT a.name, a.tenant, a.principal, w.dims - '__other__' AS dims, w.event_count AS n, w.value AS total
	FROM asked a
	CROSS JOIN LATERAL aevon_windows(a.tenant, a.principal, a.name, group_by => '{x,y}') w
)
SELECT format('%s of %s, %s, grouped %s: expected %s, %s; got %s, %s', name, tenant, coalesce(e.principal, w.principal),
	dims, e.n, left(e.total::text, 60), w.n, left(w.total::text, 60))
FROM (SELECT *, coalesce(principal, '') AS subject FROM expected) e
FULL JOIN (SELECT *, coalesce(principal, '') AS subject FROM answers) w USING (name, tenant, subject, dims)
WHERE (e.n, e.total::text) IS DISTINCT FROM (w.n, w.total::text)
LIMIT 5
SQL

my $SPLIT_BUCKETS = <<'SQL';
WITH expected AS (
	SELECT e.name, e.tenant, coalesce(s.principal, '') AS subject, g.dims,
		date_trunc('minute', e.occurred_at, 'UTC') AS at, count(*) AS n, coalesce(trim_scale(sum(e.v)), 0) AS total
	FROM oracle.split e
	CROSS JOIN LATERAL (VALUES (e.principal), (NULL)) s (principal)
	CROSS JOIN LATERAL (SELECT '{}'::jsonb UNION ALL SELECT e.dims
		UNION ALL SELECT jsonb_build_object('x', e.dims->'x') WHERE s.principal IS NULL AND e.name = 'few'
		UNION ALL SELECT jsonb_build_object('y', e.dims->'y') WHERE s.principal IS NULL) g (dims)
	GROUP BY 1, 2, 3, 4, 5
), buckets AS (
	SELECT rule AS name, tenant, coalesce(principal, '') AS subject, dims, window_start AS at, event_count AS n,
		sum AS total
	FROM aevon.pre_aggregates WHERE rule IN ('few', 'many')
)
SELECT format('bucket of %s, %s, %s, %s at %s: expected %s, %s; got %s, %s', name, tenant, subject, dims, at,
	e.n, left(e.total::text, 60), b.n, left(b.total::text, 60))
FROM expected e FULL JOIN buckets b USING (name, tenant, subject, dims, at)
WHERE (e.n, e.total::text) IS DISTINCT FROM (b.n, b.total::text)
LIMIT 5
SQL

sub compare_split
{
	my ($class, $wire, $swept) = @_;
	my @found = map { $_->[0] } @{ $wire->must($GROUPED) };
	return @found unless $swept;
	push @found, map { $_->[0] } @{ $wire->must($SPLIT_BUCKETS) };
	push @found, map { "aevon_verify: $_->[0]" } @{ $wire->must(
		"SELECT v FROM unnest('{few,many}'::text[]) r, aevon_verify(r) v LIMIT 3") };
	return @found;
}

sub compare
{
	my ($class, $wire, $cases) = @_;
	$wire->must($class->session_sql);
	my @found = map { $_->[0] } @{ $wire->must($class->comparison_sql($cases)) };
	$wire->must('RESET jit; RESET enable_nestloop; RESET enable_mergejoin; RESET work_mem');
	return @found;
}

1;
