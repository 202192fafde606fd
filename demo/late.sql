-- The late-data chapter: one network's day, as it was known at each time, and
-- the events behind each change.  Ends with a recount in plain SQL that fails
-- the demo if it differs.
\set net nc
\set day 2018-02-03

\echo '== 7. Why did the number change? ================================================'
\echo
\echo 'Northern California (nc), earthquakes of 3 February. After each part that arrived a'
\echo 'snapshot wrote down what was known of each day, never to be changed. Late events are'
\echo 'those that arrived when the day was over:'
\echo
\set ECHO queries
SELECT revision, date_trunc('second', taken_at) AS taken_at, status, event_count AS quakes, late_count AS late,
	delta AS change, stats -> 'max' AS strongest, round((stats ->> 'avg')::numeric, 2) AS mean
FROM aevon_history('usgs', 'nc', 'quakes', '2018-02-03', '2018-02-04');
\set ECHO none
\echo 'The events behind each change (the three that took longest to arrive, of each):'
\echo
\set ECHO queries
SELECT revision, event_id, date_trunc('second', occurred_at) AS shook_at, date_trunc('second', delay) AS arrived_after,
	late, count_change AS counts, magnitude, of AS "of"
FROM (
	SELECT h.revision, e.event_id, e.occurred_at, e.delay, e.late, e.count_change, e.value_change AS magnitude,
		count(*) OVER revision AS of, row_number() OVER (revision ORDER BY e.delay DESC) AS place
	FROM aevon_history('usgs', 'nc', 'quakes', '2018-02-03', '2018-02-04') h,
		aevon_explain('usgs', 'nc', 'quakes', '2018-02-03', h.revision) e
	WINDOW revision AS (PARTITION BY h.revision)) e
WHERE place <= 3
ORDER BY revision, place;
\set ECHO none

\echo 'One report is taken back, with the reason (both are the demo''s invention): the event'
\echo 'stays in the log, and counts no more.'
\echo
SELECT event_id AS voided_id
FROM feed
WHERE principal = :'net' AND event_type = 'earthquake' AND date_trunc('day', occurred_at) = :'day'
ORDER BY (data ->> 'mag')::numeric DESC, event_id LIMIT 1 \gset
SELECT aevon.clock() AS before_void, aevon.clock() + interval '1 hour' AS clock \gset
SET aevon.clock = :'clock';
\set ECHO queries
SELECT aevon_void('usgs', 'nc', :'voided_id', 'withdrawn by the network');
SELECT aevon_snapshot() AS snapshots_added;
SELECT h.revision, h.status, h.delta AS change, h.event_count AS quakes, h.stats -> 'max' AS strongest,
	e.event_id, e.change AS why, e.value_change AS magnitude, e.reason
FROM aevon_history('usgs', 'nc', 'quakes', '2018-02-03', '2018-02-04') h,
	aevon_explain('usgs', 'nc', 'quakes', '2018-02-03', h.revision) e
WHERE e.change = 'voided';
\set ECHO none
\echo 'A report for people: what was said first after the day''s end, and what is said now.'
\echo '"complete" is the share that earlier days had in at the same age, if enough are known.'
\echo
\set ECHO queries
SELECT day, value AS quakes, late_count AS late, status, revisions, first_value AS first_said, change,
	coalesce('about ' || round(completeness * 100) || ' %', '-') AS complete
FROM aevon.daily_metrics
WHERE tenant = 'usgs' AND principal = 'nc' AND rule = 'quakes'
ORDER BY day;
\set ECHO none

\echo 'The same day as it was known at earlier times: Aevon (as_of), and beside it the recount'
\echo 'of the raw log by plain SQL, of what had arrived and was not yet taken back:'
\echo
CREATE TEMP TABLE moment AS
SELECT taken_at + n * interval '1 hour' AS moment
FROM snapshotted, unnest('{0,-7}'::integer[]) n
UNION
SELECT unnest(ARRAY[:'before_void', :'clock']::timestamptz[]);
CREATE TEMP TABLE known AS
SELECT m.moment, a.event_count AS aevon, r.quakes AS plain_sql,
	(a.stats ->> 'max')::numeric AS aevon_max, r.strongest AS plain_max,
	round((a.stats ->> 'avg')::numeric, 6) AS aevon_mean, round(r.mean, 6) AS plain_mean
FROM moment m,
	aevon_windows('usgs', :'net', 'quakes', :'day', :'day'::timestamptz + interval '1 day', as_of => m.moment) a,
	LATERAL (
		SELECT count(*) AS quakes, max((e.data ->> 'mag')::numeric) AS strongest, avg((e.data ->> 'mag')::numeric) AS mean
		FROM aevon.events e
		WHERE e.tenant = 'usgs' AND e.principal = :'net' AND e.event_type = 'earthquake'
			AND e.occurred_at >= :'day' AND e.occurred_at < :'day'::timestamptz + interval '1 day'
			AND e.ingested_at <= m.moment
			AND NOT EXISTS (
				SELECT FROM aevon.voids v
				JOIN aevon.principals p USING (principal_key)
				WHERE p.principal = e.principal AND v.event_id = e.event_id AND v.voided_at <= m.moment)) r;
SELECT date_trunc('second', moment) AS as_of, aevon, plain_sql, aevon_max, plain_max,
	round(aevon_mean, 2) AS aevon_mean, round(plain_mean, 2) AS plain_mean,
	(aevon, aevon_max, aevon_mean) IS NOT DISTINCT FROM (plain_sql, plain_max, plain_mean) AS same
FROM known ORDER BY moment;

\echo 'aevon_verify counts everything again from the log: buckets, snapshots at their own cuts,'
\echo 'the chain of hashes over the log. It lists what differs:'
\echo
\set ECHO queries
SELECT count(*) AS differences FROM aevon_verify();
\set ECHO none

-- what the chapter claims; any of it untrue fails the demo
SELECT set_config('demo.net', :'net', false) AS net, set_config('demo.day', :'day', false) AS day \gset
DO $check$
DECLARE
	of_net text := current_setting('demo.net');
	of_day date := current_setting('demo.day');
BEGIN
	IF (SELECT count(*) FROM known) < 10
		OR EXISTS (
			SELECT FROM known
			WHERE (aevon, aevon_max, aevon_mean) IS DISTINCT FROM (plain_sql, plain_max, plain_mean))
	THEN
		RAISE EXCEPTION 'demo failed: the day as it was known differs from the recount in plain SQL';
	END IF;
	IF (SELECT sum(e.count_change) FROM aevon_history('usgs', of_net, 'quakes', of_day, of_day + 1) h,
			aevon_explain('usgs', of_net, 'quakes', of_day, h.revision) e)
		IS DISTINCT FROM (SELECT plain_sql FROM known ORDER BY moment DESC LIMIT 1)
	THEN
		RAISE EXCEPTION 'demo failed: the explanations do not add up to the day';
	END IF;
	IF EXISTS (SELECT FROM aevon_verify()) THEN
		RAISE EXCEPTION 'demo failed: aevon_verify lists differences';
	END IF;
END
$check$;
\echo 'Checked: what was known at each time equals the recount, and the explanations of all'
\echo 'revisions add up to the day.'
\echo
RESET aevon.clock;
