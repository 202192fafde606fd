-- aevon.daily_metrics: status by time, what was first reported, how complete a
-- provisional day is by the record of earlier days, and days that stand out.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT aevon_define_rule('n', 'x', '{sum,count}', 'v', tenant => 'daily');
-- 43 days: of each day's 20 events 18 come at noon, one a day later, one 30 hours later
DO $$
BEGIN
	FOR d IN 0..42 LOOP
		PERFORM set_config('aevon.clock', (timestamptz '2024-03-01 12:00+00' + d * interval '1 day')::text, false);
		PERFORM aevon_ingest('daily', 'p', d || '-' || i, 'x', '2024-03-01 11:00+00'::timestamptz + d * interval '1 day',
			'{"v": 1}') FROM generate_series(1, CASE WHEN d = 42 THEN 200 ELSE 18 END) i;
		IF d > 0 THEN
			PERFORM aevon_ingest('daily', 'p', d - 1 || '-late', 'x', '2024-03-01 11:30+00'::timestamptz + (d - 1) * interval '1 day', '{"v": 1}');
			COMMIT;
			PERFORM set_config('aevon.clock', (timestamptz '2024-03-01 18:00+00' + d * interval '1 day')::text, false);
			PERFORM aevon_snapshot();
			PERFORM aevon_ingest('daily', 'p', d - 1 || '-later', 'x', '2024-03-01 11:45+00'::timestamptz + (d - 1) * interval '1 day', '{"v": 1}');
		END IF;
		COMMIT;
		PERFORM set_config('aevon.clock', (timestamptz '2024-03-01 23:00+00' + d * interval '1 day')::text, false);
		PERFORM aevon_snapshot();
		COMMIT;
	END LOOP;
END
$$;
-- 18 hours after the day's end 19 of 20 are in, 23 hours after all are
SET aevon.clock = '2024-04-12 18:30+00';
SELECT principal, day, value, status, revisions, first_value, change, completeness, completeness_days
FROM aevon.daily_metrics WHERE tenant = 'daily' AND day BETWEEN '2024-04-08' AND '2024-04-12' ORDER BY 1, 2;
SET aevon.clock = '2024-04-12 23:30+00';
SELECT day, status, completeness, completeness_days
FROM aevon.daily_metrics WHERE tenant = 'daily' AND principal = 'p' AND day BETWEEN '2024-04-10' AND '2024-04-12' ORDER BY 1;
SET aevon.allowed_lateness = '6h';
SELECT day, status FROM aevon.daily_metrics WHERE tenant = 'daily' AND principal = 'p' AND day >= '2024-04-10' ORDER BY 1;
RESET aevon.allowed_lateness;
-- too little of a record: no estimate
SET aevon.clock = '2024-03-04 12:00+00';
SELECT completeness, completeness_days FROM aevon.daily_metrics WHERE tenant = 'daily' AND principal = 'p' AND day = '2024-03-03';
-- the last day stands out against its weekday
SET aevon.clock = '2024-04-20';
SELECT day, status, anomaly->'value' AS value, anomaly->'event_count' AS event_count FROM aevon.daily_metrics
WHERE tenant = 'daily' AND principal = 'p' AND anomaly IS NOT NULL AND day > '2024-04-04' ORDER BY 1;
-- a change after that makes it revised
SELECT aevon_void('daily', 'p', '42-1', 'counted twice');
SELECT aevon_snapshot();
SELECT value, status, first_value, change FROM aevon.daily_metrics WHERE tenant = 'daily' AND principal = 'p' AND day = '2024-04-12';
SELECT day, revision, status, event_count, late_count, value, delta FROM aevon_history('daily', 'p', 'n', '2024-04-11', '2024-04-13') ORDER BY 1, 2;
SELECT event_id, change, count_change, value_change, reason FROM aevon_explain('daily', 'p', 'n', '2024-04-12',
	(SELECT max(revision) FROM aevon_history('daily', 'p', 'n', '2024-04-12', '2024-04-13')));
-- what is wrong
\set VERBOSITY sqlstate
SELECT aevon_history('daily', 'p', 'nope');
SELECT aevon_history('daily', 'p', 'n', '2024-04-12', '2024-04-11');
SELECT aevon_history(NULL);
SELECT aevon_explain('daily', 'p', 'n', '2024-04-12', 99);
SELECT aevon_explain('daily', 'p', 'n', '2024-04-12', 0);
SELECT aevon_explain('daily', 'p', NULL, '2024-04-12');
SELECT aevon_explain('daily', 'p', 'n', 'infinity');
SELECT aevon_explain('daily', 'p', 'n', '2024-04-12', max_rows => 0);
SELECT aevon_explain('daily', 'p', 'n', '2024-04-12', after => 'x');
SELECT aevon_explain('daily', 'p', 'n', '2024-04-12', after => '[1]');
SELECT aevon_explain('daily', 'p', 'n', '2024-04-12', after => '[');
-- 2^64 microseconds later: no events
SELECT count(*) FROM generate_series(-2, 2) d, aevon_explain('daily', 'p', 'n', date '2024-04-12' + 213503982 + d);
-- pages: every event once, whatever the page's size
WITH RECURSIVE page AS (
	SELECT 1 AS n, (SELECT array_agg(e.event_id) FROM aevon_explain('daily', NULL, 'n', '2024-04-12', max_rows => 7) e) AS ids,
		(SELECT (array_agg(e.position))[count(*)] FROM aevon_explain('daily', NULL, 'n', '2024-04-12', max_rows => 7) e) AS last
	UNION ALL
	SELECT n + 1, (SELECT array_agg(e.event_id) FROM aevon_explain('daily', NULL, 'n', '2024-04-12', max_rows => 7, after => page.last) e),
		(SELECT (array_agg(e.position))[count(*)] FROM aevon_explain('daily', NULL, 'n', '2024-04-12', max_rows => 7, after => page.last) e)
	FROM page WHERE page.last IS NOT NULL)
SELECT count(*), count(DISTINCT id) FROM page, unnest(ids) id;
RESET aevon.clock;
SELECT aevon_drop_rule('n', 'daily');
