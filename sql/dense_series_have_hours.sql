-- A series of a plain rule gets hours once at least every other of its minutes has
-- events, from a day on of which nothing has closed; reads of long ranges take them.
-- Other series have none.  Corrections, past states and late events go by them too,
-- and what says from when on they are, or until when minutes have closed, is verified.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SET aevon.max_future = -1;
SET aevon.open_minutes = 64;
SELECT aevon_define_rule('plain', 'use', '{sum,count,min,max,last}', 'n', tenant => 'dense');
CREATE TABLE taken (at timestamptz);
-- p: an event each minute of four days, q: of every seventeenth, r: of each once the
-- third day begins, before of every twentieth; some come up to a day late
CREATE PROCEDURE pg_temp.send() LANGUAGE plpgsql AS $$
BEGIN
	FOR batch IN 0 .. 47 LOOP
		PERFORM count(aevon_ingest('dense', principal, minute::text, 'use',
			'2024-05-01 06:00+00'::timestamptz + (CASE WHEN minute % 40 = 7 THEN minute - (minute * 7919) % 1440 ELSE minute END) * interval '1 minute' + (minute * 7919) % 60 * interval '1 second',
			jsonb_build_object('n', (minute * 7919) % 1000)))
		FROM generate_series(batch * 120, batch * 120 + 119) minute, unnest('{p,q,r}'::text[]) principal
		WHERE principal = 'p' OR (principal = 'q' AND minute % 17 = 0) OR (principal = 'r' AND (minute > 2520 OR minute % 20 = 7));
		COMMIT;
		PERFORM aevon_test.sweep();
		COMMIT;
		INSERT INTO taken SELECT clock_timestamp() WHERE batch % 16 = 3;
		COMMIT;
	END LOOP;
END
$$;
CALL pg_temp.send();
CREATE VIEW pg_temp.held AS
	SELECT s.*, p.principal FROM aevon.series s JOIN aevon.tenants t USING (tenant_key) LEFT JOIN aevon.principals p ON p.principal_key = s.subject_key
	WHERE t.tenant = 'dense';
SELECT principal, CASE WHEN hours_from < 2147483647 THEN '2000-01-01'::date + hours_from END AS hours_from,
	(SELECT count(*) FROM aevon.buckets_1h b, aevon.unpack_bucket(b.state, 60) u WHERE b.series_key = h.series_key) AS hours
FROM pg_temp.held h ORDER BY 1;
-- hours hold what the closed minutes of their days do
SELECT principal, sum(u.event_count) = (SELECT sum(m.event_count) FROM aevon.buckets_1m b, aevon.unpack_bucket(b.state, 1) m
	WHERE b.series_key = h.series_key AND m.window_start >= '2000-01-01'::timestamptz + h.hours_from * interval '24 hours') AS same
FROM pg_temp.held h, aevon.buckets_1h b, aevon.unpack_bucket(b.state, 60) u
WHERE b.series_key = h.series_key GROUP BY h.series_key, h.hours_from, principal ORDER BY 1;
SELECT count(*) FROM aevon_verify(tenant => 'dense');
SELECT count(*) FROM aevon_test.differences('dense', zones => '{Asia/Kathmandu}');

-- ranges that begin and end anywhere, now and in the past, against the log
CREATE TABLE known (principal text, occurred_at timestamptz, n numeric, ingested_at timestamptz, voided_at timestamptz);
CREATE FUNCTION pg_temp.wrong_ranges(past timestamptz[]) RETURNS TABLE (compared bigint, wrong bigint) LANGUAGE sql AS $$
	TRUNCATE known;
	INSERT INTO known SELECT e.principal, e.occurred_at, (e.data ->> 'n')::numeric, e.ingested_at, coalesce(v.voided_at, 'infinity') FROM aevon.events e
		JOIN aevon.tenants t USING (tenant) JOIN aevon.principals k ON k.tenant_key = t.tenant_key AND k.principal = e.principal
		LEFT JOIN aevon.voids v ON v.principal_key = k.principal_key AND v.event_id = e.event_id
	WHERE e.tenant = 'dense';
	WITH question AS (
		SELECT principal, as_of, since, since + length * interval '37 minutes 11 seconds' AS until
		FROM unnest('{p,q,r,NULL}'::text[]) principal, unnest(past) as_of, generate_series(0, 11) i, unnest('{10,25,60,150}'::int[]) length,
			LATERAL (SELECT '2024-05-01 03:00+00'::timestamptz + i * interval '7 hours 59 minutes 30 seconds' AS since) s)
	SELECT count(*), count(*) FILTER (WHERE (w.event_count, w.stats ->> 'sum', w.stats ->> 'min', w.stats ->> 'max') IS DISTINCT FROM
		(l.events, l.sum::text, l.min::text, l.max::text))
	FROM question q
	CROSS JOIN LATERAL (SELECT x.event_count, x.stats FROM jsonb_path_query(aevon_state('dense', q.principal, 'plain', q.since, q.until, as_of => q.as_of), '$.rules.plain.values[0]') v,
		jsonb_to_record(v) x (event_count bigint, stats jsonb)) w
	CROSS JOIN LATERAL (SELECT count(*) AS events, coalesce(sum(n), 0) AS sum, min(n), max(n) FROM known e
		WHERE (q.principal IS NULL OR e.principal = q.principal) AND occurred_at >= q.since AND occurred_at < q.until
			AND ingested_at <= coalesce(q.as_of, 'infinity') AND (voided_at = 'infinity' OR voided_at > q.as_of)) l
$$;
SELECT * FROM pg_temp.wrong_ranges('{NULL}');
SELECT * FROM pg_temp.wrong_ranges((SELECT array_agg(at) FROM taken));

-- voids, before and after they are swept
SELECT count(aevon_void('dense', principal, event_id, 'wrong')) FROM aevon.events
WHERE tenant = 'dense' AND event_id::int % 97 = 3;
INSERT INTO taken VALUES (clock_timestamp());
SELECT * FROM pg_temp.wrong_ranges('{NULL}');
SELECT aevon_test.sweep();
SELECT * FROM pg_temp.wrong_ranges('{NULL}');
SELECT * FROM pg_temp.wrong_ranges((SELECT array_agg(at) FROM taken));
SELECT count(*) FROM aevon_verify(tenant => 'dense');

-- what says which hours and closed minutes there are, changed (hours from before all
-- that has closed say nothing else)
CREATE FUNCTION pg_temp.outcome(what text, of_principal text) RETURNS TABLE (before boolean, repaired boolean, after bigint, wrong bigint) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('UPDATE aevon.series SET %s WHERE series_key = (SELECT series_key FROM pg_temp.held WHERE principal = %L)', what, of_principal);
	SELECT count(*) > 0 INTO before FROM aevon_verify(tenant => 'dense');
	SELECT bool_and(v.repaired) INTO repaired FROM aevon_verify(tenant => 'dense', repair => true) v;
	SELECT count(*) INTO after FROM aevon_verify(tenant => 'dense');
	SELECT w.wrong INTO wrong FROM pg_temp.wrong_ranges('{NULL}') w;
	RETURN NEXT;
END
$$;
SELECT what, o.* FROM unnest(ARRAY['hours_from = hours_from - 1', 'hours_from = hours_from + 1', 'hours_from = 2147483647', 'hours_from = -2147483648',
		'closed_until = -9223372036854775808', 'closed_until = extract(epoch FROM ''2024-05-05 01:00+00''::timestamptz - ''2000-01-01 00:00+00'') / 60']) what,
	pg_temp.outcome(what, 'r') o;
SELECT o.* FROM pg_temp.outcome('hours_from = 0', 'q') o;
-- a time after all days, of a series that then becomes dense
SELECT o.* FROM pg_temp.outcome('closed_until = (4294967296 + 8000) * 1440', 'q') o;
UPDATE aevon.series SET closed_until = (4294967296 + 8000) * 1440 WHERE series_key = (SELECT series_key FROM pg_temp.held WHERE principal = 'q');
SELECT count(aevon_ingest('dense', 'q', 'dense' || i, 'use', '2024-05-05 00:00+00'::timestamptz + i * interval '1 minute', '{"n": 1}')) FROM generate_series(1, 100) i;
SELECT aevon_test.sweep();
SELECT * FROM pg_temp.wrong_ranges('{NULL}');
SELECT hours_from = 2147483647 AS none FROM pg_temp.held WHERE principal = 'q';
SELECT count(*) > 0 AS mended FROM aevon_verify(tenant => 'dense', repair => true);
-- what is mended or rebuilt has the hours that it would have if it were new
CREATE TEMP TABLE new_hours AS SELECT principal, hours_from FROM pg_temp.held;
UPDATE aevon.series SET hours_from = 2147483647 WHERE series_key IN (SELECT series_key FROM pg_temp.held);
SELECT count(*) > 0 AS mended FROM aevon_verify(tenant => 'dense', repair => true);
SELECT principal, hours_from FROM pg_temp.held EXCEPT SELECT * FROM new_hours;
UPDATE aevon.series SET hours_from = 2147483647 WHERE series_key IN (SELECT series_key FROM pg_temp.held);
SELECT aevon_rebuild('plain', 'dense');
SELECT aevon_test.sweep();
SELECT principal, hours_from = 2147483647 AS none FROM pg_temp.held ORDER BY 1;
SELECT * FROM pg_temp.wrong_ranges('{NULL}');
SELECT count(*) FROM aevon_verify(tenant => 'dense');
-- and sweeps go on
SELECT count(aevon_ingest('dense', 'p', 'more' || i, 'use', '2024-05-03 00:00+00'::timestamptz + i * interval '19 minutes', '{"n": 5000}')) FROM generate_series(1, 200) i;
SELECT aevon_test.sweep();
SELECT * FROM pg_temp.wrong_ranges('{NULL}');
SELECT count(*) FROM aevon_verify(tenant => 'dense');
DROP TABLE taken, known;
