-- aevon.daily_metrics: numbers that double precision cannot hold, and a session
-- in a time zone with daylight saving.
SET client_min_messages = warning;
SET timezone = 'Europe/Berlin';
SET datestyle = 'ISO';
SELECT aevon_define_rule('n', 'x', '{sum}', 'v', tenant => 'numbers');
SET aevon.clock = '2024-03-31 12:00+00';
DO $$
BEGIN
	FOR w IN 0..6 LOOP
		PERFORM aevon_ingest('numbers', 'huge', w || '-' || i, 'x', '2024-02-16 11:00+00'::timestamptz + w * interval '168 hours',
			format('{"v": %s9e307}', CASE WHEN w % 2 = 0 THEN '-' END)::jsonb) FROM generate_series(1, 20) i;
		PERFORM aevon_ingest('numbers', 'tiny', w || '', 'x', '2024-02-16 11:00+00'::timestamptz + w * interval '168 hours',
			format('{"v": %s}', CASE WHEN w = 6 THEN '1e307' ELSE w || 'e-307' END)::jsonb);
	END LOOP;
END
$$;
SELECT aevon_snapshot();
SELECT principal, count(*), count(DISTINCT value) FROM aevon.daily_metrics WHERE tenant = 'numbers' GROUP BY 1 ORDER BY 1;
-- two days are 48 hours, also where a day of the time zone has 23
SET aevon.clock = '2024-03-31 23:30+00';
SELECT principal, day, status FROM aevon.daily_metrics WHERE tenant = 'numbers' AND principal = 'tiny' AND day = '2024-03-29';
SET aevon.clock = '2024-04-01 00:00+00';
SELECT principal, day, status FROM aevon.daily_metrics WHERE tenant = 'numbers' AND principal = 'tiny' AND day = '2024-03-29';
-- a settled day's flag has its figures to the last digit: here the score is 0.6745 * (1e307 - 2.5e-307) / 1.5e-307
SELECT principal, day, (anomaly->'value'->>'value')::numeric = 1e307 AS value, anomaly->'value'->>'median' = (2.5e-307)::text AS median,
	(anomaly->'value'->>'mad')::numeric = 1.5e-307 AS mad, anomaly->'value'->'days' AS days,
	abs((anomaly->'value'->>'score')::numeric - 0.6745 * (1e307 - 2.5e-307) / 1.5e-307) < 0.01 AS score FROM aevon.daily_metrics
WHERE tenant = 'numbers' AND principal IS NOT NULL AND anomaly IS NOT NULL ORDER BY 1, 2;
RESET aevon.clock;
SELECT aevon_drop_rule('n', 'numbers');
