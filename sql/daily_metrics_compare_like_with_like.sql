-- aevon.daily_metrics compares a day with what other days were at the same age:
-- a regular stream with late events is never flagged, whenever one looks, and
-- an odd day is.  Completeness rests on snapshots up to that age only.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
-- little is enough to stand out
SET aevon.anomaly_threshold = 1;
SELECT aevon_define_rule('n', 'x', '{sum}', 'v', tenant => 'regular');
CREATE TEMP TABLE seen (at timestamptz, day date, status text, event_count bigint, late_count bigint, anomaly jsonb, completeness numeric,
	completeness_days bigint, truth numeric);
-- what is said now, and which share of the days before was in at that age, in truth
CREATE FUNCTION pg_temp.look(who text) RETURNS void
	LANGUAGE sql
	AS $$
	INSERT INTO seen
	SELECT aevon.clock(), m.day, m.status, m.event_count, m.late_count, m.anomaly, m.completeness, m.completeness_days,
		CASE WHEN m.completeness IS NOT NULL THEN (
			SELECT avg(d.share) FROM (
				SELECT (count(*) FILTER (WHERE e.ingested_at - (e.occurred_at::date + 1)::timestamptz
					<= aevon.clock() - (m.day + 1)::timestamptz))::numeric / count(*) AS share
				FROM aevon.events e
				WHERE e.tenant = 'regular' AND e.occurred_at::date BETWEEN m.day - 60 AND m.day - 1
					AND (e.occurred_at::date + 1)::timestamptz + interval '48 hours' <= aevon.clock()
				GROUP BY e.occurred_at::date) d) END
	FROM public.aevon_daily_metrics('regular', who, 'n', (aevon.clock() - interval '4 days')::date) m
$$;
CREATE FUNCTION pg_temp.send(day date, at time, name text, how_many int) RETURNS void
	LANGUAGE sql
	AS $$
	SELECT count(public.aevon_ingest('regular', 'p', format('%s-%s-%s', day, name, i), 'x', (day + at)::timestamptz,
		jsonb_build_object('v', CASE WHEN extract(isodow FROM day) > 5 THEN 2 ELSE 1 END)))
	FROM generate_series(1, how_many) i
$$;
-- each day 12 events come at noon, 6 at 23:20, and 2 at nine the next morning;
-- an hourly worker takes snapshots, on each day at another minute
DO $$
DECLARE
	today date;
	step record;
BEGIN
	FOR d IN 0..72 LOOP
		today := date '2024-01-01' + d;
		FOR step IN
			SELECT at, what FROM (
				SELECT today + make_time(h, 3 + d * 17 % 56, 0) AS at, 'snapshot' AS what FROM unnest('{0,1,2,9,10,12,13,23}'::int[]) h
				UNION ALL VALUES (today + time '09:00', 'late'), (today + time '12:00', 'noon'), (today + time '23:20', 'evening')
				UNION ALL SELECT today + t, 'look' FROM unnest('{00:01,02:30,02:59,09:01,09:59,11:59,12:01,21:00,23:59}'::time[]) t WHERE d > 55) s
			ORDER BY at, what DESC
		LOOP
			PERFORM set_config('aevon.clock', (step.at AT TIME ZONE 'UTC')::text, false);
			CASE step.what
				WHEN 'snapshot' THEN PERFORM aevon_snapshot();
				WHEN 'look' THEN PERFORM pg_temp.look('p');
				-- Saturday 2 March: seven are late, five of them were missing at noon
				WHEN 'late' THEN PERFORM pg_temp.send(today - 1, '11:45', 'late', CASE today - 1 WHEN '2023-12-31' THEN 0 WHEN '2024-03-02' THEN 7 ELSE 2 END);
				WHEN 'noon' THEN PERFORM pg_temp.send(today, '11:00', 'noon', CASE today WHEN '2024-03-02' THEN 7 ELSE 12 END);
				-- Monday 4 March: nothing after noon; Thursday 7 March: ten times as much
				WHEN 'evening' THEN PERFORM pg_temp.send(today, '23:15', 'evening', CASE today WHEN '2024-03-04' THEN 0 WHEN '2024-03-07' THEN 60 ELSE 6 END);
			END CASE;
			COMMIT;
		END LOOP;
	END LOOP;
END
$$;
-- looks, all told: at days that are not over, over and settled
SELECT at < (day + 1)::timestamptz AS going_on, status, count(*), count(DISTINCT event_count) > 1 AS counts_differ FROM seen GROUP BY 1, 2 ORDER BY 1 DESC, 2;
-- no ordinary day was ever flagged, and no day that was not over
SELECT * FROM seen WHERE anomaly IS NOT NULL AND (day NOT IN ('2024-03-02', '2024-03-04', '2024-03-07') OR at < (day + 1)::timestamptz);
-- the odd ones were, from when on and why; late_share once they were settled
SELECT day, min(at - (day + 1)::timestamptz) AS age, string_agg(DISTINCT status, ' ') AS status, odd, string_agg(DISTINCT figures ->> 'median', ' ') AS median,
	string_agg(DISTINCT figures ->> 'value', ' ') AS value, string_agg(DISTINCT figures ->> 'days', ' ') AS days
FROM seen, jsonb_each(anomaly) o (odd, figures) GROUP BY day, odd ORDER BY day, odd;
-- 18 of 20 in truth, said to be less as long as some snapshots date from before 23:20; all from nine on, said
-- to be so once the snapshots of ten are there
SELECT DISTINCT ON (day, at::time) at, day, completeness, completeness_days, round(truth, 4) AS truth
FROM seen WHERE completeness IS NOT NULL AND day = '2024-02-28' ORDER BY day, at::time, at;
SELECT count(*) > 100 AS enough, bool_and(completeness <= round(truth, 4)) AS not_overstated,
	count(*) FILTER (WHERE completeness < round(truth, 4)) > 0 AS sometimes_less FROM seen WHERE completeness IS NOT NULL;
-- the same by a recount of the snapshots: at this age, and not of any later
SET aevon.clock = '2024-03-12 09:30+00';
SELECT m.day, m.completeness, round((
	SELECT avg((SELECT coalesce(max(s.event_count), 0) FROM aevon.snapshots s WHERE (s.series_key, s.day) = (d.series_key, d.day)
		AND s.taken_at - (date '2000-01-01' + d.day + 1)::timestamptz <= aevon.clock() - (m.day + 1)::timestamptz)::numeric / d.event_count)
	FROM (SELECT DISTINCT ON (n.day) n.series_key, n.day, n.event_count FROM aevon.snapshots n JOIN aevon.series USING (series_key)
		JOIN aevon.tenants t ON t.tenant_key = -series.subject_key AND t.tenant = 'regular'
		WHERE date '2000-01-01' + n.day BETWEEN m.day - 60 AND m.day - 1 AND (date '2000-01-01' + n.day + 3)::timestamptz <= aevon.clock()
		ORDER BY n.day, n.revision DESC) d), 4) AS recounted
FROM aevon_daily_metrics('regular') m WHERE m.completeness IS NOT NULL ORDER BY 1;
RESET aevon.clock;
SELECT aevon_drop_rule('n', 'regular');
