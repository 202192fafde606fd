-- A backlog that brings a series ten thousands of minutes at once is swept
-- without a copy of the rest for each row it is cut into, and exactly.
SELECT aevon_define_rule('steps', 'step', '{sum,count,min,max,last}', 'n', tenant => 'long');
CREATE TEMP TABLE steps AS
	SELECT 'p' AS principal, 'e' || i AS event_id, 'step' AS event_type,
		'2020-01-01 00:00+00'::timestamptz + (i * 7 % 40000) * interval '1 minute' AS occurred_at,
		jsonb_build_object('n', i) AS data
	FROM generate_series(1, 40000) i;
SELECT * FROM aevon_ingest_from('steps', 'long');
CREATE FUNCTION pg_temp.differences() RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*)
	FROM (SELECT window_start, window_end, event_count, value, (stats->>'last')::numeric AS last
		  FROM aevon_windows('long', 'p', 'steps', granularity => '1m')) w
	FULL JOIN (SELECT date_trunc('minute', occurred_at) AS window_start, count(*) AS event_count,
				   sum((data->>'n')::numeric) AS value, max((data->>'n')::numeric) AS last
			   FROM steps GROUP BY 1) o USING (window_start)
	WHERE (w.event_count, w.value, w.last) IS DISTINCT FROM (o.event_count, o.value, o.last)
$$;
SELECT pg_temp.differences();
-- what this sweep may take: a hundred times what it needs
SET statement_timeout = '60s';
SELECT more FROM aevon_sweep();
RESET statement_timeout;
SELECT pg_temp.differences();
-- rows cut off at the end stay full
SELECT ceil(40000 / 64.0) AS least, count(*) AS rows
FROM aevon.series s JOIN aevon.buckets_1m b USING (series_key) JOIN aevon.principals p ON p.principal_key = s.subject_key
WHERE p.principal = 'p' AND s.tenant_key = (SELECT tenant_key FROM aevon.tenants WHERE tenant = 'long');
-- and once more into the middle
INSERT INTO steps SELECT 'p', 'late' || i, 'step', '2020-01-01 00:00:30+00'::timestamptz + i * 3 * interval '1 minute',
	jsonb_build_object('n', -i) FROM generate_series(1, 20000) i;
SELECT * FROM aevon_ingest_from('steps', 'long');
SELECT more FROM aevon_sweep();
SELECT count(*) AS windows, sum(event_count) AS events, sum(value) AS value
FROM aevon_windows('long', 'p', 'steps', granularity => '1m');
SELECT count(*) AS windows, count(*) FILTER (WHERE event_count = 1) AS single, sum(value) AS value
FROM (SELECT sum((data->>'n')::numeric) AS value, count(*) AS event_count FROM steps
	  GROUP BY date_trunc('minute', occurred_at)) o;
SELECT aevon_drop_rule('steps', 'long');
