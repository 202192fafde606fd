-- The demo on a web server's access log (common or combined format).
-- Variables: file (plain or gzipped), encoding, site (empty: found out).
\ir begin.sql
\set watched_rule requests

\echo
\echo '== Aevon: events in, exact state out ==========================================='
\echo
\echo 'The input is your web server''s access log. Tenant = the site, principal = the'
\echo 'client, one event per request; its id is the line number, so the same line of the'
\echo 'same log never counts twice.'
\echo

CREATE TEMP TABLE raw_log (line_number bigint GENERATED ALWAYS AS IDENTITY, line text);
\setenv DEMO_FILE :file
SELECT set_config('client_encoding', :'encoding', false) AS encoding \gset
\copy raw_log (line) FROM PROGRAM 'gzip -cdf -- "$DEMO_FILE" | tr -d "\\000\\r" | sed "s/\\\\/\\\\\\\\/g; s/\\t/\\\\t/g"'
SET client_encoding = 'UTF8';

-- client, identity, user, [time], "request", status, bytes, "referer", ...
CREATE TEMP TABLE request AS
SELECT line_number, m[1] AS client,
	to_timestamp(m[2], 'DD/Mon/YYYY:HH24:MI:SSTZHTZM') AS occurred_at,
	split_part(m[3], ' ', 1) AS method,
	left(split_part(m[3], ' ', 2), 2000) AS path,
	m[4]::integer AS status,
	nullif(m[5], '-')::numeric AS bytes,
	(regexp_match(m[6], '^https?://(?:www\.)?([^/:"]+)'))[1] AS referring_host
FROM raw_log,
	regexp_match(line, '^(\S+) [^[]*\[([^]]+)\] "([^"\\]*(?:\\.[^"\\]*)*)" (\d\d\d) (\d+|-)(?: "([^"]*)")?') m
WHERE length(m[1]) <= 255
	AND m[2] ~ '^[0-3]\d/(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)/\d{4}:[0-2]\d:[0-5]\d:[0-5]\d [-+]\d{4}$';

-- The site: as given, else the host that most requests came from by a link
-- (links within a site outnumber others), else "site".
SELECT coalesce(nullif(:'site', ''),
	(SELECT referring_host FROM request WHERE referring_host IS NOT NULL
	 GROUP BY referring_host ORDER BY count(*) DESC, referring_host LIMIT 1),
	'site') AS tenant \gset
\echo 'Tenant:' :tenant
\echo '(make demo LOG=... SITE=name gives it another name)'
\echo
SELECT (SELECT count(*) FROM raw_log) AS lines,
	count(*) AS requests,
	(SELECT count(*) FROM raw_log) - count(*) AS "lines that are no request",
	count(DISTINCT client) AS clients,
	min(occurred_at) AS first, max(occurred_at) AS last
FROM request;
SELECT count(*) > 0 AS has_requests, count(*) AS events FROM request \gset
\if :has_requests
\else
	\echo 'No line of this file looks like an access log in common or combined format.'
	DO $$ BEGIN RAISE EXCEPTION 'demo failed: no requests'; END $$;
\endif

INSERT INTO feed
SELECT ntile(5) OVER (ORDER BY line_number), line_number, client, line_number::text, 'http.request',
	occurred_at,
	jsonb_strip_nulls(jsonb_build_object('method', method, 'path', path, 'status', status, 'bytes', bytes))
FROM request;
SELECT date_trunc('day', occurred_at) AS watched_day
FROM request GROUP BY date_trunc('day', occurred_at) ORDER BY count(*) DESC, 1 LIMIT 1 \gset
SELECT :'watched_day'::timestamptz::date AS busiest_day,
	min(date_trunc('day', occurred_at)) AS first_day,
	max(date_trunc('day', occurred_at)) + interval '1 day' AS end_day
FROM request \gset

\echo 'Three of them:'
\echo
SELECT event_id, principal, event_type, occurred_at, left(data::text, 70) AS data FROM feed ORDER BY arrival LIMIT 3;

\echo '== 1. Rules say what to measure ================================================='
\echo
\set ECHO queries
SELECT aevon_define_rule('requests', 'http.request', '{count}', tenant => :'tenant') AS version;
SELECT aevon_define_rule('bytes', 'http.request', '{sum,max,avg}', value => 'bytes', tenant => :'tenant') AS version;
SELECT aevon_define_rule('errors', 'http.request', '{count}', filter => '$.status >= 400', tenant => :'tenant') AS version;
\set ECHO none
SELECT rule, version, event_type, operators, value, filter FROM aevon.rule_versions ORDER BY rule;

\echo '== 2. The log arrives in five parts; a sweep after each ========================='
\echo
\echo 'A part is ingested by aevon_ingest_from, then aevon_sweep() folds the tail (what is'
\echo 'not yet in the pre-aggregates) into one-minute buckets. "late" are requests older'
\echo 'than one of an earlier part: logs are not in order of time, and need not be.'
\echo 'The last column: requests of the busiest day so far. Part 5 is not swept yet: that'
\echo 'comes next.'
\echo
\set part 1
\ir ingest_part.sql
\ir sweep_part.sql
\set part 2
\ir ingest_part.sql
\ir sweep_part.sql
\set part 3
\ir ingest_part.sql
\ir sweep_part.sql
\set part 4
\ir ingest_part.sql
\ir sweep_part.sql
\set part 5
\ir ingest_part.sql
SELECT part, events, accepted, duplicate, late, round(ingest_ms, 1) AS ingest_ms, tail AS tail_before,
	swept, rows AS bucket_rows, round(sweep_ms, 1) AS sweep_ms, watched AS :"busiest_day"
FROM progress ORDER BY part;

\echo '== 3. The same question before and after a sweep ================================'
\echo
\echo 'Part 5 is ingested and not yet swept. The site as a whole:'
\echo
SELECT format('SELECT rule, event_count, value, stats FROM aevon_windows(%L) ORDER BY rule', :'tenant') AS question \gset
\set ECHO queries
:question;
\set ECHO none
CREATE TEMP TABLE before AS :question;
SELECT aevon_state(:'tenant') -> 'tail_events' AS "events in the tail";
\echo 'Now the sweep, and the question again:'
\echo
\ir sweep_part.sql
:question;
CREATE TEMP TABLE after AS :question;
SELECT aevon_state(:'tenant') -> 'tail_events' AS "events in the tail",
	NOT EXISTS (TABLE before EXCEPT TABLE after) AS "same answer";

\echo 'Lines that give no size are counted, and add nothing to sum, max and avg:'
\echo
SELECT aevon_state(:'tenant', rule => 'bytes') #> '{rules,bytes,skipped}' AS "requests without a size";

\echo '== 4. The same log again, whole: all duplicates ================================='
\echo
CREATE TEMP TABLE staging AS
SELECT principal, event_id, event_type, occurred_at, data FROM feed;
\set ECHO queries
CREATE TEMP TABLE replay AS SELECT * FROM aevon_ingest_from('staging', tenant => :'tenant');
\set ECHO none
SELECT * FROM replay;
\echo 'And a line that comes again with other content is refused; a duplicate must be one:'
\echo
SELECT principal AS some_client, event_id AS some_id FROM feed ORDER BY arrival LIMIT 1 \gset
\set ON_ERROR_STOP off
\set ECHO queries
SELECT aevon_ingest(:'tenant', :'some_client', :'some_id', 'http.request', data => '{"bytes": 1}');
\set ECHO none
\set ON_ERROR_STOP on
\set conflict_state :SQLSTATE

\echo
\echo '== 5. The three busiest clients by day =========================================='
\echo
\set ECHO queries
SELECT c.client, q.window_start::date AS day, q.event_count AS requests,
	b.stats -> 'sum' AS bytes, b.stats -> 'max' AS largest, e.event_count AS errors
FROM (SELECT principal FROM feed GROUP BY principal ORDER BY count(*) DESC, principal LIMIT 3) c (client),
	aevon_windows(:'tenant', c.client, 'requests', :'first_day', :'end_day', '1d') q
	JOIN aevon_windows(:'tenant', c.client, 'bytes', :'first_day', :'end_day', '1d') b USING (window_start)
	JOIN aevon_windows(:'tenant', c.client, 'errors', :'first_day', :'end_day', '1d') e USING (window_start)
WHERE q.event_count > 0
ORDER BY c.client, day;
\set ECHO none

\echo '== 6. The recount in plain SQL beside it ========================================'
\echo
\echo 'The site by day, counted from the raw log by GROUP BY, against Aevon; and, in the last'
\echo 'columns, how many of the clients'' days (of the 2,000 busiest clients) are the same:'
\echo
CREATE TEMP TABLE recount AS
SELECT principal, date_trunc('day', occurred_at) AS day, count(*) AS requests,
	coalesce(sum((data ->> 'bytes')::numeric), 0) AS bytes, max((data ->> 'bytes')::numeric) AS largest,
	count(*) FILTER (WHERE (data ->> 'status')::integer >= 400) AS errors
FROM aevon.events
WHERE tenant = :'tenant' AND event_type = 'http.request'
GROUP BY principal, date_trunc('day', occurred_at);

-- NULL: the site as a whole
CREATE TEMP TABLE chosen AS
SELECT NULL AS principal, min(day) AS since, max(day) + interval '1 day' AS until FROM recount
UNION ALL
(SELECT principal, min(day), max(day) + interval '1 day'
 FROM recount GROUP BY principal ORDER BY sum(requests) DESC, principal LIMIT 2000);
INSERT INTO recount
SELECT NULL, day, sum(requests), sum(bytes), max(largest), sum(errors) FROM recount GROUP BY day;

CREATE TEMP TABLE answer AS
SELECT c.principal, q.window_start AS day, q.event_count AS requests,
	(b.stats ->> 'sum')::numeric AS bytes, (b.stats ->> 'max')::numeric AS largest, e.event_count AS errors
FROM chosen c,
	aevon_windows(:'tenant', c.principal, 'requests', c.since, c.until, '1d') q
	JOIN aevon_windows(:'tenant', c.principal, 'bytes', c.since, c.until, '1d') b USING (window_start)
	JOIN aevon_windows(:'tenant', c.principal, 'errors', c.since, c.until, '1d') e USING (window_start)
WHERE q.event_count > 0;
CREATE TEMP TABLE compared AS
SELECT coalesce(a.principal, r.principal) AS principal, coalesce(a.day, r.day) AS day,
	a.requests, r.requests AS requests_sql, a.bytes, r.bytes AS bytes_sql,
	a.errors, r.errors AS errors_sql,
	(a.requests, a.bytes, a.largest, a.errors)
		IS NOT DISTINCT FROM (r.requests, r.bytes, r.largest, r.errors) AS same
FROM answer a
	FULL JOIN (SELECT r.* FROM recount r, chosen c WHERE coalesce(r.principal, '') = coalesce(c.principal, '')) r
		ON coalesce(r.principal, '') = coalesce(a.principal, '') AND r.day = a.day;
SELECT s.day::date, s.requests AS aevon, s.requests_sql AS plain_sql,
	s.bytes AS aevon_bytes, s.bytes_sql AS plain_bytes, s.errors AS aevon_errors, s.errors_sql AS plain_errors,
	c.clients, c.the_same
FROM compared s
	LEFT JOIN (SELECT day, count(*) AS clients, count(*) FILTER (WHERE same) AS the_same
			   FROM compared WHERE principal IS NOT NULL GROUP BY day) c USING (day)
WHERE s.principal IS NULL
ORDER BY s.day;
\ir check.sql
SELECT format('SELECT * FROM aevon_windows(%L, NULL, ''bytes'', %L, %L, ''1d'')',
		:'tenant', :'first_day', :'end_day') AS timed_question,
	format('SELECT date_trunc(''day'', occurred_at), count(*), sum((data ->> ''bytes'')::numeric), max((data ->> ''bytes'')::numeric) FROM aevon.events WHERE tenant = %L AND event_type = ''http.request'' GROUP BY 1',
		:'tenant') AS timed_recount \gset
\set timing_section 7
\set worker_section 8
\ir timing.sql
\ir worker.sql
