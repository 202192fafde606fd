-- Sums are exact whatever the size of the numbers, and in any order.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_define_rule('use', 'use', '{sum,min,max,avg,last,count}', 'n', tenant => 'huge');
CREATE TEMP TABLE numbers (n serial, subject text, value numeric);
INSERT INTO numbers (subject, value) VALUES
	-- large and small at once
	('spread', 1e300), ('spread', 1e-300), ('spread', -1e300), ('spread', 1),
	-- at the ends of 64 and 128 bits, and across them
	('int64', 9223372036854775807), ('int64', 1), ('int64', 9223372036854775807), ('int64', -9223372036854775808),
	('int128', 170141183460469231731687303715884105727), ('int128', 1), ('int128', 170141183460469231731687303715884105727),
	('int128 down', -170141183460469231731687303715884105728), ('int128 down', -1),
	('back', 170141183460469231731687303715884105727), ('back', 170141183460469231731687303715884105727),
	('back', -170141183460469231731687303715884105727), ('back', -170141183460469231731687303715884105727),
	('scaled', 99999999999999999999.999999999999999999), ('scaled', 0.000000000000000001), ('scaled', 1e38), ('scaled', -1e38),
	('scales', 0.1), ('scales', 0.02), ('scales', 0.003), ('scales', 0.0004), ('scales', 1e-38), ('scales', 1e-39), ('scales', 1e-40),
	('thirds', 1), ('thirds', 1), ('thirds', 0), ('zeros', 0.00), ('zeros', -0.0), ('zeros', 0e10),
	('digits', repeat('7', 308)::numeric), ('digits', repeat('7', 308)::numeric), ('digits', ('0.' || repeat('7', 308))::numeric),
	('unusable', 1e131071), ('unusable', 1e131071), ('unusable', 1e-16383), ('unusable', 1e-16383);
-- hundreds of the largest: the sum has more digits than any of them
INSERT INTO numbers (subject, value) SELECT 'many', (repeat('9', 308) || '.' || repeat('9', 308))::numeric FROM generate_series(1, 300);
INSERT INTO numbers (subject, value) SELECT 'cents', 0.1 FROM generate_series(1, 300);

SELECT count(*) FROM (SELECT aevon_ingest('huge', subject, 'e' || n, 'use',
	'2024-01-01 00:00+00'::timestamptz + n * interval '7 seconds', jsonb_build_object('n', value)) FROM numbers) x;
CREATE FUNCTION pg_temp.answers() RETURNS TABLE (principal text, event_count bigint, sum text, min text, max text, avg text)
	LANGUAGE sql
	AS $$
	SELECT s.subject, w.event_count, stats ->> 'sum', stats ->> 'min', stats ->> 'max', stats ->> 'avg'
	FROM (SELECT DISTINCT subject FROM numbers WHERE subject NOT IN ('many', 'digits', 'spread')) s,
		aevon_windows('huge', s.subject) w
	ORDER BY 1
$$;
CREATE FUNCTION pg_temp.wide_answers() RETURNS TABLE (principal text, event_count bigint, sum_is_exact boolean)
	LANGUAGE sql
	AS $$
	SELECT s.subject, w.event_count, w.value = sum(n.value)
	FROM unnest('{spread,many,digits}'::text[]) AS s (subject)
	JOIN numbers n USING (subject)
	CROSS JOIN LATERAL aevon_windows('huge', s.subject) w
	GROUP BY s.subject, w.event_count, w.value ORDER BY 1
$$;
SELECT * FROM pg_temp.answers();
SELECT * FROM pg_temp.wide_answers();
SELECT * FROM aevon_test.recount('huge');
SELECT aevon_test.sweep();
SELECT * FROM pg_temp.answers();
SELECT * FROM pg_temp.wide_answers();
SELECT * FROM aevon_test.recount('huge');
SELECT count(*) FROM aevon_test.bucket_differences('huge');

-- the same values in another order give the same states
SELECT count(*) FROM (SELECT aevon_ingest('huge', 'reversed ' || subject, 'e' || n, 'use',
	'2024-01-01 00:00+00'::timestamptz + n * interval '7 seconds', jsonb_build_object('n', value))
	FROM (SELECT * FROM numbers ORDER BY n DESC) o) x;
SELECT aevon_test.sweep();
SELECT count(*) AS minutes, count(*) FILTER (WHERE (p.event_count, p.skipped, p.sum::text, p.min::text, p.max::text, p.last::text)
	IS DISTINCT FROM (r.event_count, r.skipped, r.sum::text, r.min::text, r.max::text, r.last::text)) AS different
FROM aevon.pre_aggregates p
LEFT JOIN aevon.pre_aggregates r ON r.tenant = 'huge' AND r.principal = 'reversed ' || p.principal AND r.window_start = p.window_start
WHERE p.tenant = 'huge' AND p.principal IN (SELECT subject FROM numbers);
