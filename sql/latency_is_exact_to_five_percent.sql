-- The histogram behind aevon.stat_query against percentile_disc, on samples of
-- many shapes and sizes, from microseconds to hours.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT setseed(0.4);
CREATE TEMP TABLE samples AS
SELECT shape, CASE shape
		WHEN 'uniform' THEN 0.02 + random() * 500
		WHEN 'exponential' THEN 0.02 - ln(1 - random()) * 3
		WHEN 'log normal' THEN exp(sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()) * 2)
		WHEN 'two humps' THEN CASE WHEN random() < 0.93 THEN 0.2 + random() / 10 ELSE 80 + random() * 30 END
		WHEN 'one' THEN 1.7
		WHEN 'powers of two' THEN 2 ^ floor(random() * 22) / 1000
		WHEN 'just below' THEN (2 ^ (5 + floor(random() * 22)) - 1) / 1000
		WHEN 'long' THEN 600000 * random() * 10
	END AS ms
FROM unnest('{uniform,exponential,log normal,two humps,one,powers of two,just below,long}'::text[]) shape, generate_series(1, 5000);
-- whole microseconds are what is measured
UPDATE samples SET ms = greatest(ceil(ms * 1000), 16) / 1000;
CREATE TEMP VIEW compared AS
SELECT shape, q, percentile_disc(q) WITHIN GROUP (ORDER BY ms) AS exact, aevon.latency_quantile(array_agg(ms), q) AS shown
FROM samples, unnest('{0,0.01,0.5,0.9,0.95,0.99,0.999,1}'::float8[]) q GROUP BY shape, q;
SELECT count(*) AS compared, count(*) FILTER (WHERE shown IS NULL) AS missing, max(abs(shown - exact) / exact) < 0.04 AS within_bound,
	max(abs(shown - exact) / exact) > 0.01 AS bound_is_felt
FROM compared;
SELECT shape, q, exact, shown FROM compared WHERE abs(shown - exact) > 0.04 * exact;

-- one sample, below the microsecond, none, no number, and past the scale
SELECT aevon.latency_quantile('{0.1}', 0.95) BETWEEN 0.095 AND 0.105 AS one, aevon.latency_quantile('{0.0004}', 1) AS tiny,
	aevon.latency_quantile('{}', 0.5) AS none, aevon.latency_quantile('{NaN,-1,null}', 0.5) AS no_number,
	aevon.latency_quantile('{infinity,1e300}', 0.5) AS past, aevon.latency_quantile('{1,2,3}', 'NaN') AS nan, aevon.latency_quantile('{1,2,3}', 1.01) AS above;
