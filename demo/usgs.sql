-- The demo on a week of the USGS earthquake feed.  Variable: file.
\ir begin.sql
\set tenant usgs
\set watched_rule quakes
\set watched_day 2018-02-03

\echo
\echo '== Aevon: events in, exact state out ==========================================='
\echo
\echo 'The input is real: one week of earthquakes as the USGS published them, 31 January'
\echo 'to 7 February 2018. Seismic networks report to it (ci: southern California, nc:'
\echo 'northern California, ak: Alaska, ...). Every report has an id, the time the earth'
\echo 'shook, and the time the report came in: minutes later, or days later.'
\echo 'So: tenant = usgs, principal = the network, one event per report.'
\echo

\set doc `cat :file`
INSERT INTO feed
SELECT ntile(5) OVER arrived, row_number() OVER arrived,
	p ->> 'net', f ->> 'id', p ->> 'type',
	timestamptz 'epoch' + (p ->> 'time')::bigint * interval '1 millisecond',
	jsonb_build_object('mag', p -> 'mag', 'sig', p -> 'sig', 'place', p -> 'place', 'status', p -> 'status'),
	timestamptz 'epoch' + (p ->> 'updated')::bigint * interval '1 millisecond'
FROM jsonb_array_elements(:'doc'::jsonb -> 'features') f,
	LATERAL (SELECT f -> 'properties') q (p)
WINDOW arrived AS (ORDER BY (p ->> 'updated')::bigint, f ->> 'id');
\unset doc

\echo 'Three of them, as they arrive:'
\echo
SELECT event_id, principal, event_type, occurred_at, arrived_at, data FROM feed ORDER BY arrival LIMIT 3;

\echo '== 1. Rules say what to measure ================================================='
\echo
\set ECHO queries
SELECT aevon_define_rule('quakes', 'earthquake', '{count,max,avg,min}', value => 'mag', tenant => 'usgs') AS version;
SELECT aevon_define_rule('strong', 'earthquake', '{count,max}', value => 'mag',
						 filter => '$.mag >= 4.5', tenant => 'usgs') AS version;
SELECT aevon_define_rule('reports', '*', '{count,sum}', value => 'sig', tenant => 'usgs') AS version;
\set ECHO none
SELECT rule, version, event_type, operators, value, filter FROM aevon.rule_versions ORDER BY rule;

\echo '== 2. The week arrives in five parts; a sweep after each ========================'
\echo
\echo 'A part is ingested by aevon_ingest_from, then aevon_sweep() folds the tail (what is'
\echo 'not yet in the pre-aggregates) into one-minute buckets. "late" are events older than'
\echo 'one of an earlier part: an aggregate that only moves forward would lose them.'
\echo 'Each part comes at its own time (the clock is set to it), and after each a snapshot is'
\echo 'taken: section 7 tells what became of a day in them.'
\echo 'Watch 3 February in the last column: it goes on growing when the day is long over.'
\echo 'Part 5 is not swept yet: that comes next.'
\echo
\set part 1
\ir arrive_part.sql
\ir sweep_part.sql
\ir snapshot_part.sql
\set part 2
\ir arrive_part.sql
\ir sweep_part.sql
\ir snapshot_part.sql
\set part 3
\ir arrive_part.sql
\ir sweep_part.sql
\ir snapshot_part.sql
\set part 4
\ir arrive_part.sql
\ir sweep_part.sql
\ir snapshot_part.sql
\set part 5
\ir arrive_part.sql
SELECT part, events, accepted, duplicate, late, round(ingest_ms, 1) AS ingest_ms, tail AS tail_before,
	swept, rows AS bucket_rows, round(sweep_ms, 1) AS sweep_ms, watched AS "quakes on 3 Feb"
FROM progress ORDER BY part;

\echo '== 3. The same question before and after a sweep ================================'
\echo
\echo 'Part 5 is ingested and not yet swept. Northern California, the whole week:'
\echo
\set question 'SELECT event_count, value, stats FROM aevon_windows(''usgs'', ''nc'', ''quakes'', ''2018-01-31'', ''2018-02-08'')'
\set ECHO queries
:question;
\set ECHO none
CREATE TEMP TABLE before AS :question;
SELECT aevon_state('usgs') -> 'tail_events' AS "events in the tail";
\echo 'Now the sweep, and the question again:'
\echo
\ir sweep_part.sql
\ir snapshot_part.sql
:question;
CREATE TEMP TABLE after AS :question;
SELECT aevon_state('usgs') -> 'tail_events' AS "events in the tail",
	NOT EXISTS (TABLE before EXCEPT TABLE after) AS "same answer";

\echo '== 4. The same file again, whole: all duplicates ================================'
\echo
\echo 'This time as one JSON array:'
\echo
\echo 'SELECT * FROM aevon_ingest_batch(''usgs'', (SELECT jsonb_agg(...) FROM feed));'
CREATE TEMP TABLE replay AS
SELECT * FROM aevon_ingest_batch('usgs',
	(SELECT jsonb_agg(to_jsonb(f) - 'part' - 'arrival' - 'arrived_at') FROM feed f));
SELECT * FROM replay;

\echo 'And a report that comes again with another magnitude is refused; a duplicate must be one:'
\echo
\set ON_ERROR_STOP off
\set ECHO queries
SELECT aevon_ingest('usgs', 'ci', 'ci37868143', 'earthquake', data => '{"mag": 9.9}');
\set ECHO none
\set ON_ERROR_STOP on
\set conflict_state :SQLSTATE

\echo
\echo '== 5. Three networks by day ====================================================='
\echo
\set ECHO queries
SELECT n.net, w.window_start::date AS day, w.event_count AS quakes,
	w.stats -> 'max' AS strongest, round((w.stats ->> 'avg')::numeric, 2) AS mean
FROM (VALUES ('ak'), ('ci'), ('nc')) n (net),
	aevon_windows('usgs', n.net, 'quakes', '2018-01-31', '2018-02-08', granularity => '1d') w
ORDER BY n.net, day;
\set ECHO none
\echo 'The tenant as a whole, to the second; a range need not fit any bucket:'
\echo
\set ECHO queries
SELECT rule, event_count, stats
FROM aevon_windows('usgs', since => '2018-02-01 11:22:33', until => '2018-02-06 12:34:56.789')
ORDER BY rule;
\set ECHO none

\echo '== 6. The recount in plain SQL beside it ========================================'
\echo
\echo 'Every network, every day, counted from the raw log by GROUP BY, against Aevon:'
\echo
CREATE TEMP TABLE recount AS
SELECT principal AS net, date_trunc('day', occurred_at) AS day, count(*) AS quakes,
	max((data ->> 'mag')::numeric) AS strongest, avg((data ->> 'mag')::numeric) AS mean
FROM aevon.events
WHERE tenant = 'usgs' AND event_type = 'earthquake'
GROUP BY principal, date_trunc('day', occurred_at);
CREATE TEMP TABLE answer AS
SELECT n.net, w.window_start AS day, w.event_count AS quakes,
	(w.stats ->> 'max')::numeric AS strongest, (w.stats ->> 'avg')::numeric AS mean
FROM (SELECT DISTINCT principal FROM feed) n (net),
	aevon_windows('usgs', n.net, 'quakes', '2018-01-31', '2018-02-08', granularity => '1d') w
WHERE w.event_count > 0;
CREATE TEMP TABLE compared AS
SELECT net, day, a.quakes, r.quakes AS quakes_sql, a.strongest, r.strongest AS strongest_sql,
	round(a.mean, 6) AS mean, round(r.mean, 6) AS mean_sql,
	(a.quakes, a.strongest, round(a.mean, 6))
		IS NOT DISTINCT FROM (r.quakes, r.strongest, round(r.mean, 6)) AS same
FROM answer a FULL JOIN recount r USING (net, day);
SELECT net, sum(quakes) AS aevon, sum(quakes_sql) AS plain_sql,
	max(strongest) AS aevon_max, max(strongest_sql) AS plain_max,
	count(*) AS days, count(*) FILTER (WHERE same) AS days_the_same
FROM compared GROUP BY net ORDER BY net;

-- what the demo claims; any of it untrue fails the demo
\set events 1707
\ir check.sql
DO $check$
BEGIN
	IF (SELECT f.quakes FROM (SELECT sum(quakes) FROM recount) f (quakes)) <> 1679 THEN
		RAISE EXCEPTION 'demo failed: the week had 1679 earthquakes';
	END IF;
END
$check$;

\set timed_question 'SELECT * FROM aevon_windows(''usgs'', NULL, ''quakes'', ''2018-01-31'', ''2018-02-08'', ''1d'')'
\set timed_recount 'SELECT date_trunc(''day'', occurred_at), count(*), max((data ->> ''mag'')::numeric), avg((data ->> ''mag'')::numeric) FROM aevon.events WHERE tenant = ''usgs'' AND event_type = ''earthquake'' GROUP BY 1'
\ir late.sql
\ir slices.sql
\set timing_section 9
\set worker_section 10
\ir timing.sql
\ir worker.sql
