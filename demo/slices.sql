-- Dimensions, quantiles, distinct counts, top lists and time zones, on the week
-- of reports; then the same from the raw log.
\echo '== 8. By dimension, percentile and local day ===================================='
\echo
\echo 'A rule may name dimensions: here the state of a report, and whether the quake was significant.'
\echo 'Percentiles are within 1 %, counts of distinct values exact while they are few:'
\echo
\set ECHO queries
SELECT aevon_define_rule('shaking', 'earthquake', '{count,p50,p95,max}', value => 'mag', tenant => 'usgs',
						 dimensions => '{"status": "$.status", "significant": "$.sig > 100"}') AS version;
SELECT aevon_define_rule('places', 'earthquake', '{distinct}', value => 'place', tenant => 'usgs') AS version;
SELECT dims ->> 'status' AS status, event_count AS quakes, stats -> 'p50' AS median, stats -> 'p95' AS p95,
	stats -> 'max' AS strongest
FROM aevon_windows('usgs', NULL, 'shaking', group_by => '{status}');
SELECT rank, key AS net, event_count AS quakes, value AS p95
FROM aevon_top('usgs', 'shaking', 5, by => 'p95', dims => '{"status": "reviewed"}');
SELECT value AS places FROM aevon_windows('usgs', NULL, 'places');
\set ECHO none
\echo 'Days of Los Angeles, for southern California:'
\echo
\set ECHO queries
SELECT (window_start AT TIME ZONE 'America/Los_Angeles')::date AS day, event_count AS quakes, stats -> 'max' AS strongest
FROM aevon_windows('usgs', 'ci', 'shaking', '2018-01-31 00:00-08', '2018-02-07 00:00-08', '1d', timezone => 'America/Los_Angeles');
\set ECHO none
SELECT aevon_sweep() IS NOT NULL AS swept \gset
CREATE TEMP TABLE standing AS
SELECT e.* FROM aevon.events e
WHERE tenant = 'usgs' AND event_type = 'earthquake'
	AND NOT EXISTS (SELECT FROM aevon.voids v JOIN aevon.principals p USING (principal_key)
					WHERE p.principal = e.principal AND v.event_id = e.event_id);
CREATE TEMP TABLE sliced AS
SELECT 'status ' || (data ->> 'status') AS slice, count(*) AS quakes,
	percentile_disc(0.95) WITHIN GROUP (ORDER BY (data ->> 'mag')::numeric) AS p95
FROM standing GROUP BY 1
UNION ALL
SELECT 'net ' || principal, count(*), percentile_disc(0.95) WITHIN GROUP (ORDER BY (data ->> 'mag')::numeric)
FROM standing WHERE data ->> 'status' = 'reviewed' GROUP BY 1
UNION ALL
SELECT 'day ' || (occurred_at AT TIME ZONE 'America/Los_Angeles')::date, count(*), NULL
FROM standing
WHERE principal = 'ci' AND occurred_at >= '2018-01-31 00:00-08' AND occurred_at < '2018-02-07 00:00-08' GROUP BY 1
UNION ALL
SELECT 'places', count(DISTINCT data ->> 'place'), NULL FROM standing;
CREATE TEMP TABLE sliced_answer AS
SELECT 'status ' || (dims ->> 'status') AS slice, event_count AS quakes, (stats ->> 'p95')::numeric AS p95
FROM aevon_windows('usgs', NULL, 'shaking', group_by => '{status}')
UNION ALL
SELECT 'net ' || key, event_count, value
FROM aevon_top('usgs', 'shaking', 100, by => 'p95', dims => '{"status": "reviewed"}')
UNION ALL
SELECT 'day ' || (window_start AT TIME ZONE 'America/Los_Angeles')::date, event_count, NULL
FROM aevon_windows('usgs', 'ci', 'shaking', '2018-01-31 00:00-08', '2018-02-07 00:00-08', '1d', timezone => 'America/Los_Angeles')
UNION ALL
SELECT 'places', value::bigint, NULL FROM aevon_windows('usgs', NULL, 'places');
DO $check$
BEGIN
	IF (SELECT count(*) FROM sliced_answer) < 15 OR EXISTS (
		SELECT FROM sliced r FULL JOIN sliced_answer a USING (slice)
		WHERE r.slice IS NULL OR a.slice IS NULL
			OR CASE WHEN slice = 'places' THEN abs(a.quakes - r.quakes) > 0.05 * r.quakes
				ELSE a.quakes IS DISTINCT FROM r.quakes END
			OR abs(a.p95 - r.p95) > 0.01 * abs(r.p95))
	THEN
		RAISE EXCEPTION 'demo failed: a slice differs from the recount';
	END IF;
END
$check$;
\echo 'Checked: every slice equals the recount, percentiles within 1 %.'
\echo
