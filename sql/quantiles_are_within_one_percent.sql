-- Quantiles against the exact ones, over many distributions and ranks, from
-- the tail and from the buckets.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SET aevon.max_future = -1;
CREATE TEMP TABLE ranks AS
	SELECT n::text AS percent FROM generate_series(1, 99) n
	UNION ALL SELECT unnest('{0.0001,0.01,0.1,0.5,12.5,33.3333,66.6667,99.5,99.9,99.99,99.9999}'::text[]);
SELECT count(*) FROM ranks;
SELECT aevon_define_rule('ranked', 'use', array_agg('p' || percent ORDER BY percent::numeric), 'n', tenant => 'quantiles') FROM ranks;

-- a principal for each distribution
CREATE TEMP TABLE samples (distribution text, i integer, n numeric);
SELECT setseed(0.4);
INSERT INTO samples SELECT d, i, CASE d
		WHEN 'uniform' THEN random() * 1000
		WHEN 'exponential' THEN -ln(1 - random())
		WHEN 'log-normal' THEN exp(3 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()))
		WHEN 'normal, both signs' THEN sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())
		WHEN 'negative' THEN -1000 * random() - 1
		WHEN 'pareto' THEN (1 - random()) ^ -2
		WHEN 'two lumps' THEN CASE WHEN random() < 0.5 THEN random() ELSE 1e6 + random() END
		WHEN 'mostly zero' THEN CASE WHEN random() < 0.9 THEN 0 ELSE random() - 0.5 END
		WHEN 'whole numbers' THEN floor(random() * 50) END
	FROM unnest('{uniform,exponential,log-normal,"normal, both signs",negative,pareto,two lumps,mostly zero,whole numbers}'::text[]) d,
		generate_series(1, 2000) i;
-- amounts from 10^-308 to 10^308, of both signs
INSERT INTO samples SELECT 'every magnitude', i,
	CASE WHEN random() < 0.5 THEN -1 ELSE 1 END * (random() + 0.1)::numeric(5, 4) * (CASE WHEN e < 0 THEN ('1e' || e)::numeric ELSE 10::numeric ^ e END)
	FROM (SELECT i, floor(random() * 600)::integer - 300 AS e FROM generate_series(1, 1000) i) x;
INSERT INTO samples VALUES ('ends', 1, '1e-308'), ('ends', 2, '-1e-308'), ('ends', 3, repeat('9', 308)::numeric),
	('ends', 4, -(repeat('9', 308)::numeric)), ('ends', 5, 0);
INSERT INTO samples SELECT 'all the same', i, 1234567.891 FROM generate_series(1, 100) i;
INSERT INTO samples VALUES ('one', 1, -0.000123456789);
INSERT INTO samples VALUES ('two', 1, 1), ('two', 2, 1000);
-- the very ends of bins: the powers of 1.02, and their neighbours
INSERT INTO samples SELECT 'ends of bins', i * 3 + d, power(1.02::numeric(200, 60), i) + d * 1e-12 FROM generate_series(0, 300) i, generate_series(-1, 1) d;

SELECT sum(accepted) FROM (SELECT DISTINCT distribution FROM samples) d, aevon_ingest_batch('quantiles', (
	SELECT jsonb_agg(jsonb_build_object('principal', distribution, 'event_id', 'e' || i, 'event_type', 'use',
		'occurred_at', '2024-05-01 00:00+00'::timestamptz + i * interval '13 minutes', 'data', jsonb_build_object('n', n)))
	FROM samples s WHERE s.distribution = d.distribution)) b;

-- rank ceil(q * n), as percentile_disc takes it, in exact arithmetic
CREATE TEMP TABLE exact AS
	SELECT s.distribution, r.percent, s.numbers[ceil(cardinality(s.numbers) * r.percent::numeric / 100)::integer] AS n,
		percentile_disc, s.numbers[1] AS least, s.numbers[cardinality(s.numbers)] AS greatest
	FROM (SELECT distribution, array_agg(n ORDER BY n) AS numbers,
			percentile_disc(0.5) WITHIN GROUP (ORDER BY n) FROM samples GROUP BY 1) s, ranks r;
SELECT count(*) AS medians, count(*) FILTER (WHERE n = percentile_disc) AS the_same FROM exact WHERE percent = '50';
CREATE FUNCTION pg_temp.worst()
	RETURNS TABLE (distribution text, ranks bigint, within boolean, inside boolean, six_digits boolean)
	LANGUAGE sql
	AS $$
	SELECT e.distribution, count(*), bool_and(abs(a.n - e.n) <= 0.00991 * abs(e.n)),
		bool_and(a.n BETWEEN e.least AND e.greatest),
		bool_and(a.n IN (e.least, e.greatest) OR length(trim('0' FROM translate(a.n::text, '-.', ''))) <= 6)
	FROM exact e
	JOIN (SELECT p.distribution, substr(s.key, 2) AS percent, s.value::numeric AS n
		  FROM (SELECT DISTINCT distribution FROM samples) p,
			aevon_windows('quantiles', p.distribution, 'ranked') w, jsonb_each(w.stats) s) a USING (distribution, percent)
	GROUP BY 1 ORDER BY 1
$$;
SELECT * FROM pg_temp.worst();
SELECT percent, a.value AS answer FROM ranks, aevon_windows('quantiles', 'all the same', 'ranked') w, jsonb_each(w.stats) a
WHERE a.key = 'p' || percent AND percent IN ('1', '50', '99.9');
CREATE TEMP TABLE before AS SELECT p.distribution, w.stats FROM (SELECT DISTINCT distribution FROM samples) p,
	aevon_windows('quantiles', p.distribution, 'ranked') w;
SELECT aevon_test.sweep();
SELECT count(*) AS principals, count(*) FILTER (WHERE b.stats = w.stats) AS the_same
FROM before b, aevon_windows('quantiles', b.distribution, 'ranked') w;
SELECT * FROM aevon_verify('ranked', 'quantiles');
-- of nothing
SELECT DISTINCT value FROM jsonb_each((SELECT stats FROM aevon_windows('quantiles', NULL, 'ranked', until => '2024-01-01')));
SELECT aevon_drop_rule('ranked', 'quantiles');
