-- oracle.sql
--		What every answer must be: a recount of the raw log in plain SQL.
--
-- It knows the tables of the log, the names and the rules, jsonb and numeric;
-- it shares no code with Aevon's fold, buckets, cuts or version switch.  Run
-- as superuser after CREATE EXTENSION aevon.  Plain SQL without psql commands,
-- so that any client can load it; loading it again changes nothing.
--
-- To see the differences of a tenant (no rows: every answer is right):
--		SELECT * FROM aevon_test.differences('tenant');

CREATE SCHEMA IF NOT EXISTS aevon_test;

-- The jsonpath that a rule's text means.
CREATE OR REPLACE FUNCTION aevon_test.path(source text) RETURNS jsonpath
	LANGUAGE sql IMMUTABLE STRICT
	AS $$
	SELECT (CASE WHEN source ~ '^[A-Za-z_][A-Za-z0-9_]*$'
			THEN '$."' || source || '"' ELSE source END)::jsonpath
$$;

-- The number that an event gives to a rule; NULL: none that can be used.
CREATE OR REPLACE FUNCTION aevon_test.number_of(data jsonb, value text) RETURNS numeric
	LANGUAGE plpgsql IMMUTABLE
	AS $$
DECLARE
	item jsonb;
	number numeric;
BEGIN
	BEGIN
		item := jsonb_path_query_first(data, aevon_test.path(value));
	EXCEPTION WHEN others THEN
		RETURN NULL;
	END;
	IF jsonb_typeof(item) IS DISTINCT FROM 'number' THEN
		RETURN NULL;
	END IF;
	number := trim_scale(item::numeric);
	IF abs(number) >= '1e308'::numeric OR scale(number) > 308 THEN
		RETURN NULL;
	END IF;
	RETURN number;
END
$$;

-- The JSON value that an event gives to a rule; NULL: none, or null.
CREATE OR REPLACE FUNCTION aevon_test.item_of(data jsonb, value text) RETURNS jsonb
	LANGUAGE plpgsql IMMUTABLE
	AS $$
BEGIN
	RETURN nullif(jsonb_path_query_first(data, aevon_test.path(value)), 'null');
EXCEPTION WHEN others THEN
	RETURN NULL;
END
$$;

-- Does an event match a filter?  NULL: evaluating it raised an error.
CREATE OR REPLACE FUNCTION aevon_test.matches(data jsonb, filter text) RETURNS boolean
	LANGUAGE plpgsql IMMUTABLE
	AS $$
DECLARE
	items jsonb;
BEGIN
	IF filter IS NULL THEN
		RETURN true;
	END IF;
	BEGIN
		items := jsonb_path_query_array(data, aevon_test.path(filter));
	EXCEPTION WHEN others THEN
		RETURN NULL;
	END;
	IF jsonb_array_length(items) = 0 THEN
		RETURN false;
	ELSIF aevon_test.path(filter)::text ~ '^(strict )?\$.*\?\(.*\)$' THEN
		RETURN true;			-- a selection: anything selected is a match
	ELSIF jsonb_typeof(items -> 0) = 'boolean' THEN
		RETURN items -> 0 = 'true';
	ELSIF jsonb_typeof(items -> 0) = 'null' THEN
		RETURN false;
	ELSE
		RETURN NULL;
	END IF;
END
$$;

-- The rule versions that answer for a tenant: per name the tenant's own rule,
-- else the global one; of several live versions the active one.
CREATE OR REPLACE FUNCTION aevon_test.rules_of(of_tenant text)
	RETURNS TABLE (rule text, version integer, event_type text, operators text[],
		value text, filter text)
	LANGUAGE sql STABLE
	AS $$
	SELECT DISTINCT ON (r.name) r.name, r.version, r.event_type, r.operators, r.value, r.filter
	FROM aevon.rules r
	WHERE r.state <> 'retired'
		AND (r.tenant_key = 0 OR r.tenant_key =
			 (SELECT t.tenant_key FROM aevon.tenants t WHERE t.tenant = of_tenant))
	ORDER BY r.name, r.tenant_key = 0, r.state <> 'active', r.version DESC
$$;

-- The raw log of a tenant by names, voided events left out.
CREATE OR REPLACE FUNCTION aevon_test.log_of(of_tenant text)
	RETURNS TABLE (principal text, event_id text, event_type text,
		occurred_at timestamptz, data jsonb)
	LANGUAGE sql STABLE
	AS $$
	SELECT p.principal, e.event_id, y.event_type, e.occurred_at, e.data
	FROM aevon.tenants t
	JOIN aevon.event_log e ON e.tenant_key = t.tenant_key
	JOIN aevon.principals p ON p.principal_key = e.principal_key
	JOIN aevon.event_types y ON y.type_key = e.type_key
	WHERE t.tenant = of_tenant
		AND NOT EXISTS (SELECT FROM aevon.voids v
						WHERE v.principal_key = e.principal_key AND v.event_id = e.event_id)
$$;

-- The events that each rule of a tenant counts, with the number they give.
-- skipped: the event counts, but gives none; item: what its distinct counts;
-- ranked: the rule has quantiles.
CREATE OR REPLACE FUNCTION aevon_test.counted(of_tenant text)
	RETURNS TABLE (rule text, principal text, event_id text, occurred_at timestamptz,
		number numeric, skipped boolean, item jsonb, ranked boolean)
	LANGUAGE sql STABLE
	AS $$
	SELECT x.rule, x.principal, x.event_id, x.occurred_at, x.number,
		x.matched IS NULL OR (x.value IS NOT NULL AND x.number IS NULL), x.item, x.ranked
	FROM (SELECT r.rule, r.value, l.principal, l.event_id, l.occurred_at, m.matched,
			CASE WHEN m.matched AND r.value IS NOT NULL
				THEN aevon_test.number_of(l.data, r.value) END AS number,
			CASE WHEN m.matched AND 'distinct' = ANY (r.operators)
				THEN aevon_test.item_of(l.data, r.value) END AS item,
			array_to_string(r.operators, ' ') ~ '\mp[0-9]' AS ranked
		  FROM aevon_test.rules_of(of_tenant) r
		  JOIN aevon_test.log_of(of_tenant) l ON r.event_type IN ('*', l.event_type)
		  CROSS JOIN LATERAL (SELECT aevon_test.matches(l.data, r.filter) AS matched) m) x
	WHERE x.matched IS NOT FALSE
$$;

-- Length of windows of up to a day: total has none.
CREATE OR REPLACE FUNCTION aevon_test.step_of(granularity text) RETURNS interval
	LANGUAGE sql IMMUTABLE
	AS $$
	SELECT CASE WHEN granularity <> 'total' THEN left(granularity, -1)::integer
		* CASE right(granularity, 1) WHEN 'm' THEN '1 minute' WHEN 'h' THEN '1 hour'
			WHEN 'd' THEN '24 hours' END::interval END
$$;

-- Where a date begins in a zone: where the zone's date stops being an earlier
-- one.  PostgreSQL's midnight is that but for zones that set their clocks back
-- from one o'clock to midnight: it takes the second midnight then.  (Not for
-- clocks that were set ahead from before midnight past it: Toronto in 1919.)
CREATE OR REPLACE FUNCTION aevon_test.day_start(day date, zone text) RETURNS timestamptz
	LANGUAGE plpgsql IMMUTABLE
	AS $$
DECLARE
	midnight timestamptz := day::timestamp AT TIME ZONE zone;
	moment_before timestamp := (midnight - '1 us'::interval) AT TIME ZONE zone;
BEGIN
	RETURN midnight - greatest(moment_before + '1 us'::interval - day::timestamp, '0'::interval);
END
$$;

-- First day of the zone's day, week or month that holds a time, or (further
-- => 1) of the next.
CREATE OR REPLACE FUNCTION aevon_test.first_day(granularity text, at timestamptz, zone text,
		further integer DEFAULT 0)
	RETURNS date
	LANGUAGE plpgsql IMMUTABLE
	AS $$
DECLARE
	day date := at AT TIME ZONE zone;
BEGIN
	IF at < aevon_test.day_start(day, zone) THEN
		day := day - 1;
	END IF;
	RETURN CASE granularity
		WHEN '1w' THEN date_trunc('week', day::timestamp) + further * '7 days'::interval
		WHEN '1mo' THEN date_trunc('month', day::timestamp) + further * '1 month'::interval
		ELSE day + further END;
END
$$;

-- First moment of the window that holds a time.
CREATE OR REPLACE FUNCTION aevon_test.window_of(granularity text, at timestamptz,
		zone text DEFAULT 'UTC')
	RETURNS timestamptz
	LANGUAGE plpgsql IMMUTABLE
	AS $$
DECLARE
	first timestamptz;
BEGIN
	IF zone = 'UTC' AND granularity NOT IN ('1w', '1mo') THEN
		RETURN date_bin(aevon_test.step_of(granularity), at, '0001-01-01 00:00+00');
	END IF;
	first := aevon_test.day_start(aevon_test.first_day(granularity, at, zone), zone);
	IF granularity IN ('1d', '24h', '1w', '1mo') THEN
		RETURN first;
	END IF;
	RETURN date_bin(aevon_test.step_of(granularity), at, first);
END
$$;

-- First moment after the window that begins at a time: no window of minutes
-- outlasts its day.
CREATE OR REPLACE FUNCTION aevon_test.window_end(granularity text, at timestamptz,
		zone text DEFAULT 'UTC')
	RETURNS timestamptz
	LANGUAGE plpgsql IMMUTABLE
	AS $$
DECLARE
	step_end timestamptz;
BEGIN
	IF granularity NOT IN ('1d', '24h', '1w', '1mo') THEN
		step_end := at + aevon_test.step_of(granularity);
	END IF;
	RETURN least(step_end,
		aevon_test.day_start(aevon_test.first_day(granularity, at, zone, 1), zone));
END
$$;

-- The starts of all windows that meet a finite range.
CREATE OR REPLACE FUNCTION aevon_test.windows_of(granularity text, zone text,
		since timestamptz, until timestamptz)
	RETURNS SETOF timestamptz
	LANGUAGE plpgsql IMMUTABLE
	AS $$
DECLARE
	at timestamptz := aevon_test.window_of(granularity, since, zone);
BEGIN
	WHILE at < until LOOP
		RETURN NEXT at;
		at := aevon_test.window_end(granularity, at, zone);
	END LOOP;
END
$$;

-- A rule's statistics by operator.
CREATE OR REPLACE FUNCTION aevon_test.stats_of(operators text[], event_count bigint,
		skipped bigint, sum numeric, min numeric, max numeric, last numeric,
		"distinct" bigint, numbers numeric[])
	RETURNS jsonb
	LANGUAGE sql IMMUTABLE
	AS $$
	SELECT jsonb_object_agg(o.operator, CASE o.operator
			WHEN 'count' THEN event_count
			WHEN 'sum' THEN coalesce(sum, 0)
			WHEN 'min' THEN min
			WHEN 'max' THEN max
			WHEN 'avg' THEN trim_scale(sum) / nullif(event_count - skipped, 0)
			WHEN 'last' THEN last
			WHEN 'distinct' THEN "distinct"
			ELSE numbers[ceil(cardinality(numbers) * substr(o.operator, 2)::numeric / 100)::integer] END)
	FROM unnest(operators) AS o (operator)
$$;

-- Is one operator's answer what it must be: quantiles within 1 %, distinct
-- counts within three standard errors once they are no longer exact?
CREATE OR REPLACE FUNCTION aevon_test.near(operator text, answer jsonb, recount jsonb)
	RETURNS boolean
	LANGUAGE sql IMMUTABLE
	AS $$
	SELECT answer IS NOT DISTINCT FROM recount
		OR (jsonb_typeof(answer) = 'number' AND jsonb_typeof(recount) = 'number' AND CASE
			WHEN operator = 'distinct' AND recount::numeric > 256
				THEN abs(answer::numeric - recount::numeric) <= 0.05 * recount::numeric
			WHEN operator ~ '^p[0-9]'
				THEN abs(answer::numeric - recount::numeric) <= 0.01 * abs(recount::numeric)
			ELSE false END)
$$;

-- The same for a whole answer, which has a value and stats.
CREATE OR REPLACE FUNCTION aevon_test.agrees(answer jsonb, recount jsonb, operators text[])
	RETURNS boolean
	LANGUAGE sql IMMUTABLE
	AS $$
	SELECT coalesce(answer - '{value,stats}'::text[] = recount - '{value,stats}'::text[]
		AND answer -> 'value' IS NOT DISTINCT FROM answer -> 'stats' -> operators[1]
		AND (SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(answer -> 'stats') k)
			= (SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(recount -> 'stats') k)
		AND (SELECT bool_and(aevon_test.near(o, answer -> 'stats' -> o, recount -> 'stats' -> o))
			 FROM unnest(operators) o), false)
$$;

-- Ranges worth asking a tenant about: everything; around a sample of its
-- events, with ends exactly on an event, a microsecond off, and unaligned.
CREATE OR REPLACE FUNCTION aevon_test.ranges_of(of_tenant text, samples integer DEFAULT 2)
	RETURNS tstzrange[]
	LANGUAGE sql STABLE
	AS $$
	SELECT array_agg(DISTINCT range) FROM (
		SELECT '[-infinity,infinity)'::tstzrange
		UNION ALL
		SELECT unnest(ARRAY[
			tstzrange('-infinity', at), tstzrange('-infinity', at + '1 us'),
			tstzrange(at, 'infinity'), tstzrange(at + '1 us', 'infinity'),
			tstzrange(at, at + '1 us'),
			tstzrange(at - '17 seconds'::interval, at + '43 seconds'),
			tstzrange(at - '00:40:29.999999'::interval, at + '02:10:00.000001'),
			tstzrange(at - '27:13:11.5'::interval, at + '49:01:00.25')])
		FROM (SELECT l.occurred_at AS at,
				row_number() OVER (ORDER BY l.occurred_at, l.event_id) AS n,
				count(*) OVER () AS total
			  FROM aevon_test.log_of(of_tenant) l
			  WHERE l.occurred_at BETWEEN '0001-01-03 00:00+00' AND '9999-12-28 00:00+00') s
		WHERE n = 1 OR n = total OR n % greatest(total / greatest(samples, 1), 1) = 0
		) AS r (range)
$$;

-- Every answer about a tenant, for every principal and the whole of it, every
-- rule, each range, granularity and zone: the rows where Aevon's answer is not the
-- recount.  One statement, so one snapshot.  Ranges may not be empty.
CREATE OR REPLACE FUNCTION aevon_test.differences(of_tenant text,
		ranges tstzrange[] DEFAULT NULL,
		granularities text[] DEFAULT '{total,1m,1h,1d}', zones text[] DEFAULT '{UTC}')
	RETURNS TABLE (principal text, rule text, range tstzrange, granularity text, zone text,
		window_start timestamptz, answer jsonb, recount jsonb)
	LANGUAGE sql STABLE SET jit = off
	AS $$
	WITH rules AS MATERIALIZED (
		SELECT * FROM aevon_test.rules_of(of_tenant)
	), counted AS MATERIALIZED (
		SELECT c.*, g.granularity, z.zone,
			CASE WHEN g.granularity <> 'total'
				THEN aevon_test.window_of(g.granularity, c.occurred_at, z.zone) END AS window_start,
			row_number() OVER (ORDER BY c.occurred_at, c.principal COLLATE "C", c.event_id COLLATE "C") AS place
		FROM aevon_test.counted(of_tenant) c
		CROSS JOIN unnest(granularities) AS g (granularity)
		CROSS JOIN unnest(zones) AS z (zone)
	), asked AS MATERIALIZED (
		SELECT row_number() OVER () AS question, s.principal, r.range,
			lower(r.range) AS since, upper(r.range) AS until, g.granularity, z.zone
		FROM (SELECT DISTINCT l.principal FROM aevon_test.log_of(of_tenant) l
			  UNION ALL SELECT NULL) s
		CROSS JOIN unnest(coalesce(ranges, aevon_test.ranges_of(of_tenant))) AS r (range)
		CROSS JOIN unnest(granularities) AS g (granularity)
		CROSS JOIN unnest(zones) AS z (zone)
		-- minutes of long finite ranges would be mostly empty windows
		WHERE NOT (g.granularity = '1m' AND isfinite(lower(r.range)) AND isfinite(upper(r.range))
			AND upper(r.range) - lower(r.range) > '6 hours'::interval)
	), answers AS (
		SELECT a.question, w.rule, w.window_start,
			jsonb_build_object('window_end', w.window_end, 'event_count', w.event_count,
				'value', w.value, 'stats', w.stats) AS answer
		FROM asked a
		CROSS JOIN LATERAL aevon_windows(of_tenant, a.principal, NULL, a.since, a.until,
			a.granularity, timezone => a.zone) w
	), frames AS (
		-- the windows that must be there, empty or not
		SELECT a.question, r.rule, w.window_start
		FROM asked a
		CROSS JOIN rules r
		CROSS JOIN LATERAL (
			SELECT a.since WHERE a.granularity = 'total'
			UNION ALL
			SELECT aevon_test.windows_of(a.granularity, a.zone, a.since, a.until)
			WHERE a.granularity <> 'total'
				AND isfinite(a.since) AND isfinite(a.until)) AS w (window_start)
	), folded AS MATERIALIZED (
		SELECT a.question, c.rule, coalesce(c.window_start, a.since) AS window_start,
			count(*) AS event_count, count(*) FILTER (WHERE c.skipped) AS skipped,
			sum(c.number) AS sum, min(c.number) AS min, max(c.number) AS max,
			(array_agg(c.number ORDER BY c.place DESC) FILTER (WHERE c.number IS NOT NULL))[1] AS last,
			count(DISTINCT c.item) AS "distinct",
			array_agg(c.number ORDER BY c.number) FILTER (WHERE c.ranked AND c.number IS NOT NULL) AS numbers
		FROM asked a
		JOIN counted c ON c.granularity = a.granularity AND c.zone = a.zone
			AND c.occurred_at >= a.since AND c.occurred_at < a.until
			AND (a.principal IS NULL OR a.principal = c.principal)
		GROUP BY 1, 2, 3
	), recounts AS (
		SELECT k.question, k.rule, k.window_start,
			jsonb_build_object(
				'window_end', CASE a.granularity WHEN 'total' THEN a.until
					ELSE aevon_test.window_end(a.granularity, k.window_start, a.zone) END,
				'event_count', coalesce(f.event_count, 0),
				'value', s.stats -> r.operators[1],
				'stats', s.stats) AS recount, r.operators
		FROM (SELECT * FROM frames
			  UNION SELECT d.question, d.rule, d.window_start FROM folded d) k
		JOIN asked a ON a.question = k.question
		JOIN rules r ON r.rule = k.rule
		LEFT JOIN folded f ON f.question = k.question AND f.rule = k.rule
			AND f.window_start = k.window_start
		CROSS JOIN LATERAL (SELECT aevon_test.stats_of(r.operators, coalesce(f.event_count, 0),
			coalesce(f.skipped, 0), f.sum, f.min, f.max, f.last,
			coalesce(f."distinct", 0), f.numbers) AS stats) s
	)
	SELECT q.principal, coalesce(a.rule, x.rule), q.range, q.granularity, q.zone,
		coalesce(a.window_start, x.window_start), a.answer, x.recount
	FROM answers a
	FULL JOIN recounts x ON x.question = a.question AND x.rule = a.rule
		AND x.window_start = a.window_start
	JOIN asked q ON q.question = coalesce(a.question, x.question)
	WHERE a.answer IS DISTINCT FROM x.recount
		AND NOT aevon_test.agrees(a.answer, x.recount, x.operators)
	ORDER BY 1, 2, 3, 4, 5, 6
$$;

-- aevon_state against aevon_windows and the recount's skipped, over
-- everything: the rules and subjects where they do not agree.
CREATE OR REPLACE FUNCTION aevon_test.state_differences(of_tenant text)
	RETURNS TABLE (principal text, rule text, answer jsonb, recount jsonb)
	LANGUAGE sql STABLE SET jit = off
	AS $$
	WITH subjects AS (
		SELECT DISTINCT l.principal FROM aevon_test.log_of(of_tenant) l
		UNION ALL SELECT NULL
	), answers AS (
		SELECT s.principal, r.key AS rule, r.value AS answer
		FROM subjects s
		CROSS JOIN LATERAL jsonb_each(aevon_state(of_tenant, s.principal) -> 'rules') r
	), recounts AS (
		SELECT s.principal, r.rule, r.version, r.operators,
			(SELECT count(*) FROM aevon_test.counted(of_tenant) c
			 WHERE c.rule = r.rule AND c.skipped
				AND (s.principal IS NULL OR c.principal = s.principal)) AS skipped,
			w.event_count, w.stats
		FROM subjects s
		CROSS JOIN aevon_test.rules_of(of_tenant) r
		CROSS JOIN LATERAL aevon_windows(of_tenant, s.principal, r.rule) w
	)
	SELECT coalesce(a.principal, x.principal), coalesce(a.rule, x.rule), a.answer, to_jsonb(x)
	FROM answers a
	FULL JOIN recounts x ON x.rule = a.rule AND coalesce(x.principal, '') = coalesce(a.principal, '')
	WHERE (a.answer ->> 'version')::integer IS DISTINCT FROM x.version
		OR a.answer -> 'operators' IS DISTINCT FROM to_jsonb(x.operators)
		OR (a.answer ->> 'skipped')::bigint IS DISTINCT FROM x.skipped
		OR jsonb_array_length(a.answer -> 'values') IS DISTINCT FROM 1
		OR (a.answer #>> '{values,0,event_count}')::bigint IS DISTINCT FROM x.event_count
		OR a.answer #> '{values,0,stats}' IS DISTINCT FROM x.stats
		OR a.answer #> '{values,0,value}' IS DISTINCT FROM x.stats -> x.operators[1]
	ORDER BY 1, 2
$$;

-- The view of the buckets against the recount by minutes: meant for a tenant
-- whose events are all swept.  No rows: the view is right.
CREATE OR REPLACE FUNCTION aevon_test.bucket_differences(of_tenant text)
	RETURNS TABLE (principal text, rule text, window_start timestamptz, buckets jsonb, recount jsonb)
	LANGUAGE sql STABLE SET jit = off
	AS $$
	WITH buckets AS (
		SELECT b.principal, b.rule, b.window_start,
			jsonb_build_object('event_count', b.event_count, 'skipped', b.skipped,
				'sum', b.sum, 'min', b.min, 'max', b.max) AS state
		FROM aevon.pre_aggregates b
		JOIN aevon_test.rules_of(of_tenant) r ON r.rule = b.rule AND r.version = b.version
		WHERE b.tenant = of_tenant
	), recounts AS (
		SELECT s.principal, c.rule, aevon_test.window_of('1m', c.occurred_at) AS window_start,
			jsonb_build_object('event_count', count(*),
				'skipped', count(*) FILTER (WHERE c.skipped),
				'sum', coalesce(sum(c.number), 0), 'min', min(c.number), 'max', max(c.number)) AS state
		FROM aevon_test.counted(of_tenant) c
		CROSS JOIN LATERAL (VALUES (c.principal), (NULL)) AS s (principal)
		GROUP BY 1, 2, 3
	)
	SELECT coalesce(b.principal, x.principal), coalesce(b.rule, x.rule),
		coalesce(b.window_start, x.window_start), b.state, x.state
	FROM buckets b
	FULL JOIN recounts x ON (x.rule, x.window_start) = (b.rule, b.window_start)
		AND coalesce(x.principal, '') = coalesce(b.principal, '')
	WHERE b.state IS DISTINCT FROM x.state
	ORDER BY 1, 2, 3
$$;

-- The value that an event gives to a dimension: a string, number or boolean,
-- else null; a string that is too long for a series is an array.
CREATE OR REPLACE FUNCTION aevon_test.dimension_of(data jsonb, dimension text) RETURNS jsonb
	LANGUAGE plpgsql IMMUTABLE
	AS $$
DECLARE
	item jsonb;
BEGIN
	BEGIN
		item := jsonb_path_query_first(data, aevon_test.path(dimension));
	EXCEPTION WHEN others THEN
		RETURN 'null';
	END;
	IF jsonb_typeof(item) = 'string' AND octet_length(item #>> '{}') > 1000 THEN
		RETURN '[]';
	ELSIF jsonb_typeof(item) IN ('string', 'number', 'boolean') THEN
		RETURN item;
	END IF;
	RETURN 'null';
END
$$;

-- The events that each rule with dimensions counts, with the combination that
-- each belongs to: its own, or the other one.  Which it is is the one thing
-- taken from Aevon: once a rule has its fill, series say what they are for.
CREATE OR REPLACE FUNCTION aevon_test.combined(of_tenant text)
	RETURNS TABLE (rule text, version integer, rollups text[], principal text, event_id text,
		occurred_at timestamptz, number numeric, skipped boolean, item jsonb, ranked boolean,
		other boolean, dims jsonb)
	LANGUAGE sql STABLE SET jit = off
	AS $$
	WITH rules AS MATERIALIZED (
		SELECT r.rule, r.version, m.measure_key, m.dimensions, m.rollups,
			EXISTS (SELECT FROM aevon.series_counts c WHERE c.measure_key = m.measure_key
				AND c.tenant_key = t.tenant_key AND c.series_full) AS series_full, t.tenant_key,
			(SELECT jsonb_object_agg(d.key, '__other__') FROM jsonb_object_keys(m.dimensions) d (key)) AS other
		FROM aevon_test.rules_of(of_tenant) r
		JOIN aevon.tenants t ON t.tenant = of_tenant
		JOIN aevon.rules x ON x.name = r.rule AND x.version = r.version
			AND x.tenant_key = (SELECT max(y.tenant_key) FROM aevon.rules y
				WHERE y.name = r.rule AND y.tenant_key IN (0, t.tenant_key) AND y.state <> 'retired')
		JOIN aevon.measures m ON m.measure_key = x.measure_key
		WHERE m.dimensions <> '{}'
	), own AS MATERIALIZED (
		SELECT c.*, r.version, r.rollups, r.measure_key, r.tenant_key, r.series_full, r.other, o.dims
		FROM aevon_test.counted(of_tenant) c
		JOIN rules r ON r.rule = c.rule
		JOIN aevon.event_log e ON e.tenant_key = r.tenant_key AND e.event_id = c.event_id
			AND e.occurred_at = c.occurred_at
		JOIN aevon.principals p ON p.principal_key = e.principal_key AND p.principal = c.principal
		CROSS JOIN LATERAL (SELECT jsonb_object_agg(d.key, aevon_test.dimension_of(e.data, d.value)) AS dims
			FROM jsonb_each_text(r.dimensions) d) o
	)
	SELECT o.rule, o.version, o.rollups, o.principal, o.event_id, o.occurred_at, o.number, o.skipped,
		o.item, o.ranked, x.other, CASE WHEN x.other THEN o.other ELSE o.dims END
	FROM own o
	LEFT JOIN aevon.series s ON s.measure_key = o.measure_key AND s.tenant_key = o.tenant_key
		AND s.subject_key = -o.tenant_key AND s.dims = o.dims AND octet_length(s.dims_digest) > 1
	CROSS JOIN LATERAL (SELECT o.dims @? 'strict $.* ? (@.type() == "array")'
		OR (o.series_full AND s.measure_key IS NULL)) x (other)
$$;

-- Does a combination pass a filter?
CREATE OR REPLACE FUNCTION aevon_test.passes(dims jsonb, other boolean, filter jsonb) RETURNS boolean
	LANGUAGE sql IMMUTABLE
	AS $$
	SELECT coalesce(filter, '{}') = '{}' OR (NOT other AND NOT EXISTS (
		SELECT FROM jsonb_each(filter) f
		WHERE NOT CASE jsonb_typeof(f.value) WHEN 'array'
			THEN EXISTS (SELECT FROM jsonb_array_elements(f.value) e WHERE e = dims -> f.key)
			ELSE f.value = dims -> f.key END))
$$;

-- The group of a combination, as answers show it; {} without names.
CREATE OR REPLACE FUNCTION aevon_test.group_of(dims jsonb, other boolean, names text[]) RETURNS jsonb
	LANGUAGE sql IMMUTABLE
	AS $$
	SELECT coalesce(jsonb_object_agg(n, dims -> n), '{}')
		|| CASE WHEN other AND cardinality(names) > 0 THEN '{"__other__": true}'::jsonb ELSE '{}' END
	FROM unnest(names) n
$$;

-- Questions about dimensions worth asking each rule that has any: filters by
-- some of the values that there are, and by none, each with every grouping.
CREATE OR REPLACE FUNCTION aevon_test.slices_of(of_tenant text)
	RETURNS TABLE (rule text, filter jsonb, names text[])
	LANGUAGE sql STABLE SET jit = off
	AS $$
	WITH combinations AS MATERIALIZED (
		SELECT c.rule, c.dims, row_number() OVER (PARTITION BY c.rule ORDER BY md5(c.dims::text)) AS n
		FROM (SELECT DISTINCT b.rule, b.dims FROM aevon_test.combined(of_tenant) b WHERE NOT b.other) c
	), names AS MATERIALIZED (
		SELECT DISTINCT c.rule, k.name FROM combinations c, jsonb_object_keys(c.dims) k (name)
	), filters AS (
		SELECT DISTINCT c.rule, NULL::jsonb AS filter FROM combinations c
		UNION SELECT c.rule, c.dims FROM combinations c WHERE c.n <= 2
		UNION SELECT c.rule, c.dims - k.name FROM combinations c JOIN names k USING (rule) WHERE c.n = 3
		UNION SELECT c.rule, jsonb_build_object(k.name, c.dims -> k.name)
			FROM combinations c JOIN names k USING (rule) WHERE c.n IN (1, 4)
		UNION SELECT k.rule, jsonb_build_object(k.name, (SELECT jsonb_agg(c.dims -> k.name)
				FROM combinations c WHERE c.rule = k.rule AND c.n BETWEEN 4 AND 6) || '["no such value", null]')
			FROM names k
		UNION SELECT k.rule, jsonb_build_object(k.name, '[]'::jsonb) FROM names k
		UNION SELECT k.rule, jsonb_object_agg(k.name, jsonb_build_array(c.dims -> k.name, 'x'))
			FROM names k JOIN combinations c USING (rule) WHERE c.n = 5 GROUP BY 1
	), groupings AS (
		SELECT n.rule, array_agg(n.name ORDER BY md5(n.name || m)) FILTER (WHERE m >> (n.i - 1) & 1 = 1) AS names
		FROM (SELECT k.rule, k.name, row_number() OVER (PARTITION BY k.rule ORDER BY k.name)::integer AS i,
				count(*) OVER (PARTITION BY k.rule)::integer AS of FROM names k) n
		CROSS JOIN LATERAL generate_series(0, (1 << n.of) - 1) m
		GROUP BY n.rule, m
	)
	SELECT f.rule, f.filter, g.names FROM filters f JOIN groupings g USING (rule)
$$;

-- Answers by dimensions about a tenant, one in `sparse` of those that can be
-- asked: the rows where Aevon's answer is not the recount.  One statement.
CREATE OR REPLACE FUNCTION aevon_test.slice_differences(of_tenant text, sparse integer DEFAULT 200,
		ranges tstzrange[] DEFAULT NULL, granularities text[] DEFAULT '{total,1m,1h,1d}',
		zones text[] DEFAULT '{UTC}')
	RETURNS TABLE (principal text, rule text, filter jsonb, names text[], range tstzrange,
		granularity text, dims jsonb, window_start timestamptz, answer jsonb, recount jsonb)
	LANGUAGE sql STABLE SET jit = off
	AS $$
	WITH rules AS MATERIALIZED (
		SELECT * FROM aevon_test.rules_of(of_tenant)
	), combined AS MATERIALIZED (
		SELECT c.*, row_number() OVER (ORDER BY c.occurred_at, c.principal COLLATE "C", c.event_id COLLATE "C") AS place
		FROM aevon_test.combined(of_tenant) c
	), asked AS MATERIALIZED (
		SELECT row_number() OVER () AS question, s.principal, q.rule, q.filter, q.names, r.range,
			lower(r.range) AS since, upper(r.range) AS until, g.granularity, z.zone
		FROM (SELECT DISTINCT l.principal FROM aevon_test.log_of(of_tenant) l
			  UNION ALL SELECT NULL) s
		CROSS JOIN aevon_test.slices_of(of_tenant) q
		CROSS JOIN unnest(coalesce(ranges, aevon_test.ranges_of(of_tenant, 1))) AS r (range)
		CROSS JOIN unnest(granularities) AS g (granularity)
		CROSS JOIN unnest(zones) AS z (zone)
		WHERE NOT (g.granularity = '1m' AND isfinite(lower(r.range)) AND isfinite(upper(r.range))
				AND upper(r.range) - lower(r.range) > '6 hours'::interval)
			AND (hashtext(concat(s.principal, q.rule, q.filter, q.names, r.range, g, z)) & 2147483647) % sparse = 0
	), answers AS (
		SELECT a.question, w.dims, w.window_start,
			jsonb_build_object('rule', w.rule, 'window_end', w.window_end, 'event_count', w.event_count,
				'value', w.value, 'stats', w.stats) AS answer
		FROM asked a
		CROSS JOIN LATERAL aevon_windows(of_tenant, a.principal, a.rule, a.since, a.until,
			a.granularity, NULL, a.filter, a.names, a.zone) w
	), taken AS MATERIALIZED (
		SELECT a.question, aevon_test.group_of(c.dims, c.other, a.names) AS dims,
			CASE a.granularity WHEN 'total' THEN a.since
				ELSE aevon_test.window_of(a.granularity, c.occurred_at, a.zone) END AS window_start,
			c.number, c.skipped, c.item, c.ranked, c.place
		FROM asked a
		JOIN combined c ON c.rule = a.rule AND c.occurred_at >= a.since AND c.occurred_at < a.until
			AND (a.principal IS NULL OR a.principal = c.principal)
			AND aevon_test.passes(c.dims, c.other, a.filter)
	), folded AS MATERIALIZED (
		SELECT t.question, t.dims, t.window_start,
			count(*) AS event_count, count(*) FILTER (WHERE t.skipped) AS skipped,
			sum(t.number) AS sum, min(t.number) AS min, max(t.number) AS max,
			(array_agg(t.number ORDER BY t.place DESC) FILTER (WHERE t.number IS NOT NULL))[1] AS last,
			count(DISTINCT t.item) AS "distinct",
			array_agg(t.number ORDER BY t.number) FILTER (WHERE t.ranked AND t.number IS NOT NULL) AS numbers
		FROM taken t GROUP BY 1, 2, 3
	), frames AS (
		-- the windows that must be there, empty or not, of every group
		SELECT a.question, g.dims, w.window_start
		FROM asked a
		CROSS JOIN LATERAL (
			SELECT DISTINCT t.dims FROM taken t WHERE t.question = a.question AND cardinality(a.names) > 0
			UNION ALL SELECT '{}' WHERE coalesce(cardinality(a.names), 0) = 0) AS g
		CROSS JOIN LATERAL (
			SELECT a.since WHERE a.granularity = 'total'
			UNION ALL SELECT aevon_test.windows_of(a.granularity, a.zone, a.since, a.until)
			WHERE a.granularity <> 'total'
				AND isfinite(a.since) AND isfinite(a.until)) AS w (window_start)
	), recounts AS (
		SELECT k.question, k.dims, k.window_start,
			jsonb_build_object('rule', r.rule,
				'window_end', CASE a.granularity WHEN 'total' THEN a.until
					ELSE aevon_test.window_end(a.granularity, k.window_start, a.zone) END,
				'event_count', coalesce(f.event_count, 0), 'value', s.stats -> r.operators[1],
				'stats', s.stats) AS recount, r.operators
		FROM (SELECT * FROM frames
			  UNION SELECT d.question, d.dims, d.window_start FROM folded d) k
		JOIN asked a ON a.question = k.question
		JOIN rules r ON r.rule = a.rule
		LEFT JOIN folded f ON f.question = k.question AND f.dims = k.dims
			AND f.window_start = k.window_start
		CROSS JOIN LATERAL (SELECT aevon_test.stats_of(r.operators, coalesce(f.event_count, 0),
			coalesce(f.skipped, 0), f.sum, f.min, f.max, f.last,
			coalesce(f."distinct", 0), f.numbers) AS stats) s
	)
	SELECT q.principal, q.rule, q.filter, q.names, q.range, q.granularity, coalesce(a.dims, x.dims),
		coalesce(a.window_start, x.window_start), a.answer, x.recount
	FROM answers a
	FULL JOIN recounts x ON x.question = a.question AND x.dims = a.dims
		AND x.window_start = a.window_start
	JOIN asked q ON q.question = coalesce(a.question, x.question)
	WHERE a.answer IS DISTINCT FROM x.recount
		AND NOT aevon_test.agrees(a.answer, x.recount, x.operators)
	ORDER BY q.question, 7, 8
$$;

-- A value as aevon_top's key.
CREATE OR REPLACE FUNCTION aevon_test.key_of(value jsonb) RETURNS text
	LANGUAGE sql IMMUTABLE
	AS $$
	SELECT CASE jsonb_typeof(value) WHEN 'number' THEN trim_scale(value::numeric)::text
		ELSE value #>> '{}' END
$$;

-- The same for aevon_top, by every operator that is exact, of principals and
-- every dimension.
CREATE OR REPLACE FUNCTION aevon_test.top_differences(of_tenant text, sparse integer DEFAULT 20,
		ranges tstzrange[] DEFAULT NULL)
	RETURNS TABLE (rule text, by text, of text, filter jsonb, range tstzrange, rank bigint,
		answer jsonb, recount jsonb)
	LANGUAGE sql STABLE SET jit = off
	AS $$
	WITH rules AS MATERIALIZED (
		SELECT * FROM aevon_test.rules_of(of_tenant)
	), combined AS MATERIALIZED (
		SELECT c.*, row_number() OVER (ORDER BY c.occurred_at, c.principal COLLATE "C", c.event_id COLLATE "C") AS place
		FROM aevon_test.combined(of_tenant) c
	), asked AS MATERIALIZED (
		SELECT row_number() OVER () AS question, q.rule, b.by, o.of, q.filter, r.range, n.n,
			lower(r.range) AS since, upper(r.range) AS until
		FROM (SELECT DISTINCT x.rule, x.filter FROM aevon_test.slices_of(of_tenant) x) q
		JOIN rules s ON s.rule = q.rule
		CROSS JOIN LATERAL unnest(s.operators) AS b (by)
		CROSS JOIN LATERAL (
			SELECT 'principal' UNION SELECT unnest(x.names) FROM aevon_test.slices_of(of_tenant) x
			WHERE x.rule = q.rule) AS o (of)
		CROSS JOIN unnest(coalesce(ranges, aevon_test.ranges_of(of_tenant, 1))) AS r (range)
		CROSS JOIN (VALUES (1), (3), (1000)) AS n (n)
		WHERE b.by !~ '^p[0-9]' AND (hashtext(concat(q.rule, b, o, q.filter, r.range, n)) & 2147483647) % sparse = 0
	), answers AS (
		SELECT a.question, t.rank::bigint,
			jsonb_build_object('key', t.key, 'event_count', t.event_count, 'value', t.value,
				'stats', t.stats) AS answer
		FROM asked a
		CROSS JOIN LATERAL aevon_top(of_tenant, a.rule, a.n, a.by, a.of, a.since, a.until, a.filter) t
	), folded AS MATERIALIZED (
		SELECT a.question, k.key, k.other,
			count(*) AS event_count, count(*) FILTER (WHERE c.skipped) AS skipped,
			sum(c.number) AS sum, min(c.number) AS min, max(c.number) AS max,
			(array_agg(c.number ORDER BY c.place DESC) FILTER (WHERE c.number IS NOT NULL))[1] AS last,
			count(DISTINCT c.item) AS "distinct",
			array_agg(c.number ORDER BY c.number) FILTER (WHERE c.ranked AND c.number IS NOT NULL) AS numbers
		FROM asked a
		JOIN combined c ON c.rule = a.rule AND c.occurred_at >= a.since AND c.occurred_at < a.until
			AND aevon_test.passes(c.dims, c.other, a.filter)
		CROSS JOIN LATERAL (SELECT CASE a.of WHEN 'principal' THEN to_jsonb(c.principal) ELSE c.dims -> a.of END,
			c.other AND a.of <> 'principal') AS k (key, other)
		GROUP BY 1, 2, 3
	), recounts AS (
		-- keys that look alike come in the order of groups
		SELECT f.question,
			row_number() OVER (PARTITION BY f.question ORDER BY s.stats -> a.by = 'null', (s.stats ->> a.by)::numeric DESC,
				aevon_test.key_of(f.key) COLLATE "C" NULLS LAST, f.other,
				array_position('{string,number,boolean}', jsonb_typeof(f.key))) AS rank,
			jsonb_build_object('key', aevon_test.key_of(f.key), 'event_count', f.event_count,
				'value', s.stats -> a.by,
				'stats', s.stats || CASE WHEN f.other THEN '{"__other__": true}'::jsonb ELSE '{}' END) AS recount,
			a.by || r.operators AS operators
		FROM folded f
		JOIN asked a ON a.question = f.question
		JOIN rules r ON r.rule = a.rule
		CROSS JOIN LATERAL (SELECT aevon_test.stats_of(r.operators, f.event_count, f.skipped,
			f.sum, f.min, f.max, f.last, f."distinct", f.numbers) AS stats) s
	)
	SELECT q.rule, q.by, q.of, q.filter, q.range, coalesce(a.rank, x.rank), a.answer, x.recount
	FROM answers a
	FULL JOIN (SELECT x.* FROM recounts x JOIN asked q USING (question) WHERE x.rank <= q.n) x
		ON x.question = a.question AND x.rank = a.rank
	JOIN asked q ON q.question = coalesce(a.question, x.question)
	WHERE a.answer IS DISTINCT FROM x.recount
		AND NOT aevon_test.agrees(a.answer, x.recount, x.operators)
	ORDER BY q.question, 6
$$;

-- The buckets of rules with dimensions against the recount, by minutes and
-- dimension values: meant for a tenant whose events are all swept.
CREATE OR REPLACE FUNCTION aevon_test.dimension_differences(of_tenant text)
	RETURNS TABLE (principal text, rule text, dims jsonb, window_start timestamptz,
		buckets jsonb, recount jsonb)
	LANGUAGE sql STABLE SET jit = off
	AS $$
	WITH combined AS MATERIALIZED (
		SELECT * FROM aevon_test.combined(of_tenant)
	), buckets AS (
		-- a value that is spelled like the other one is shown like it
		SELECT b.principal, b.rule, b.dims, b.window_start,
			jsonb_build_object('event_count', sum(b.event_count), 'skipped', sum(b.skipped),
				'sum', sum(b.sum), 'min', min(b.min), 'max', max(b.max)) AS state
		FROM aevon.pre_aggregates b
		WHERE b.tenant = of_tenant
			AND (b.rule, b.version) IN (SELECT DISTINCT c.rule, c.version FROM combined c)
		GROUP BY 1, 2, 3, 4
	), recounts AS (
		SELECT s.principal, c.rule, g.dims, aevon_test.window_of('1m', c.occurred_at) AS window_start,
			jsonb_build_object('event_count', count(*), 'skipped', count(*) FILTER (WHERE c.skipped),
				'sum', coalesce(sum(c.number), 0), 'min', min(c.number), 'max', max(c.number)) AS state
		FROM combined c
		CROSS JOIN LATERAL (VALUES (c.principal), (NULL)) AS s (principal)
		CROSS JOIN LATERAL (
			SELECT '{}'::jsonb
			UNION ALL SELECT c.dims
			UNION ALL SELECT jsonb_build_object(k.name, c.dims -> k.name)
			FROM unnest(c.rollups) k (name) WHERE s.principal IS NULL) AS g (dims)
		GROUP BY 1, 2, 3, 4
	)
	SELECT coalesce(b.principal, x.principal), coalesce(b.rule, x.rule), coalesce(b.dims, x.dims),
		coalesce(b.window_start, x.window_start), b.state, x.state
	FROM buckets b
	FULL JOIN recounts x ON (x.rule, x.dims, x.window_start) = (b.rule, b.dims, b.window_start)
		AND coalesce(x.principal, '') = coalesce(b.principal, '')
	WHERE b.state IS DISTINCT FROM x.state
	ORDER BY 1, 2, 3, 4
$$;

-- One line for a test's output: how much was compared, and what differed.
CREATE OR REPLACE FUNCTION aevon_test.recount(of_tenant text,
		OUT events bigint, OUT rules bigint, OUT differences bigint)
	LANGUAGE sql STABLE
	AS $$
	SELECT (SELECT count(*) FROM aevon_test.log_of(of_tenant)),
		(SELECT count(*) FROM aevon_test.rules_of(of_tenant)),
		(SELECT count(*) FROM aevon_test.differences(of_tenant))
			+ (SELECT count(*) FROM aevon_test.state_differences(of_tenant))
$$;

-- Helpers for tests ---------------------------------------------------------

-- Sweep until nothing is left to sweep.
CREATE OR REPLACE FUNCTION aevon_test.sweep(max_events bigint DEFAULT NULL) RETURNS void
	LANGUAGE plpgsql
	AS $$
BEGIN
	WHILE (SELECT s.more FROM aevon_sweep(max_events) s) LOOP
	END LOOP;
END
$$;

-- Run a statement; the SQLSTATE and message of its error, or 'ok'.  An error
-- undoes the statement, as it would undo a transaction.
CREATE OR REPLACE FUNCTION aevon_test.try(statement text) RETURNS text
	LANGUAGE plpgsql
	AS $$
DECLARE
	state text;
	message text;
BEGIN
	EXECUTE statement;
	RETURN 'ok';
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
	RETURN state || ': ' || message;
END
$$;

-- The same, when only the SQLSTATE is of interest.
CREATE OR REPLACE FUNCTION aevon_test.state_of(statement text) RETURNS text
	LANGUAGE sql
	AS $$
	SELECT split_part(aevon_test.try(statement), ':', 1)
$$;

-- Ingest pseudo-random events, the same ones for the same arguments: ids from
-- `first` up, spread over `days` days from 2024-03-01, some of another type,
-- some without a usable value.
CREATE OR REPLACE FUNCTION aevon_test.fill(tenant text, principals integer, events integer,
		first integer DEFAULT 1, days numeric DEFAULT 3)
	RETURNS bigint
	LANGUAGE sql
	AS $$
	SELECT b.accepted FROM aevon_ingest_batch(tenant, (
		SELECT jsonb_agg(jsonb_build_object(
			'principal', 'p' || (hashint4(i) & 1023) % principals,
			'event_id', 'e' || i,
			'event_type', CASE (hashint4(i + 1000003) & 7) WHEN 0 THEN 'other' ELSE 'use' END,
			'occurred_at', '2024-03-01 00:00+00'::timestamptz
				+ ((hashint4(i + 2000003) & 1048575) / 1048576.0 * days)::double precision * '1 day'::interval,
			'data', CASE (hashint4(i + 3000017) & 15)
				WHEN 0 THEN '{}'
				WHEN 1 THEN '{"n": "7"}'
				WHEN 2 THEN '{"n": null, "ok": true}'
				ELSE jsonb_build_object('n', (hashint4(i + 4000037) & 65535) / 100.0 - 100,
					'ok', (hashint4(i + 5000011) & 1) = 1)
			END) ORDER BY i)
		FROM generate_series(first, first + events - 1) i)) b
$$;
