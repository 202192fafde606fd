-- Hours and days take in a minute when its row is no longer the series' last.
-- Reads put the two together: past states, odd zones and corrections too.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SET aevon.max_future = -1;
SELECT aevon_define_rule('plain', 'use', '{sum,count,min,max,last}', 'n', tenant => 'open'),
	aevon_define_rule('sketched', 'use', '{p50,sum,distinct}', 'n', tenant => 'open');
CREATE TABLE taken (at timestamptz);
-- twenty batches in order of time, each swept; in some there are older events
CREATE PROCEDURE pg_temp.send() LANGUAGE plpgsql AS $$
BEGIN
	FOR batch IN 0 .. 19 LOOP
		PERFORM count(aevon_ingest('open', CASE i % 4 WHEN 0 THEN 'q' ELSE 'p' END, 'e' || batch || '-' || i, 'use',
			'2024-05-01 20:00+00'::timestamptz + ((batch * 20 + i - CASE WHEN batch > 4 AND i % 9 = 0 THEN i * 9 ELSE 0 END) * 11) * interval '1 minute',
			jsonb_build_object('n', batch * 3 + i)))
		FROM generate_series(1, 20) i;
		COMMIT;
		PERFORM aevon_test.sweep();
		INSERT INTO taken VALUES (clock_timestamp());
		COMMIT;
	END LOOP;
END
$$;
CALL pg_temp.send();
-- and older events alone, into what is closed of the last day
SELECT count(aevon_ingest('open', 'p', 'old' || i, 'use', '2024-05-04 02:00+00'::timestamptz + i * interval '3 minutes', jsonb_build_object('n', 1000 + i)))
FROM generate_series(1, 9) i;
SELECT aevon_test.sweep();
INSERT INTO taken VALUES (clock_timestamp());
-- each event is in the days, or in the last row of minutes
CREATE VIEW pg_temp.held AS
	SELECT p.principal, d.events AS in_days, m.events AS in_last_row, n.events
	FROM aevon.rules r JOIN aevon.tenants t USING (tenant_key) JOIN aevon.series s USING (measure_key)
	LEFT JOIN aevon.principals p ON p.principal_key = s.subject_key
	CROSS JOIN LATERAL (SELECT sum(u.event_count) AS events FROM aevon.buckets_1d b, aevon.unpack_bucket(b.state, 1440) u WHERE b.series_key = s.series_key) d
	CROSS JOIN LATERAL (SELECT sum(u.event_count) AS events FROM (SELECT state FROM aevon.buckets_1m b WHERE b.series_key = s.series_key
		ORDER BY first_window DESC LIMIT 1) b, aevon.unpack_bucket(b.state, 1) u) m
	CROSS JOIN LATERAL (SELECT sum(u.event_count) AS events FROM aevon.buckets_1m b, aevon.unpack_bucket(b.state, 1) u WHERE b.series_key = s.series_key) n
	WHERE t.tenant = 'open' AND r.name = 'plain';
SELECT principal, in_days > 0 AS in_days, in_last_row > 0 AS in_last_row, coalesce(in_days, 0) + in_last_row = events AS together, events FROM pg_temp.held ORDER BY 1;
SELECT rule, event_count FROM aevon.rule_totals_of(ARRAY[(SELECT tenant_key FROM aevon.tenants WHERE tenant = 'open')]) ORDER BY 1;
SELECT count(*) FROM aevon_test.differences('open', zones => '{UTC,Asia/Kathmandu,America/New_York}');
SELECT count(*) FROM aevon_verify(tenant => 'open');

-- every past state, by hours and days of three zones, against the log
CREATE FUNCTION pg_temp.past_differences() RETURNS TABLE (compared bigint, different bigint) LANGUAGE sql AS $$
	SELECT count(*), count(*) FILTER (WHERE (w.event_count, w.sum) IS DISTINCT FROM (o.event_count, o.sum))
	FROM (SELECT at, subject, zone, unit, x.window_start, x.event_count, (x.stats ->> 'sum')::numeric AS sum
		  FROM taken, unnest('{p,q,NULL}'::text[]) subject, unnest('{UTC,Asia/Kathmandu,America/New_York}'::text[]) zone,
			  (VALUES ('hour', '1h'), ('day', '1d'), ('total', 'total')) g (unit, granularity), unnest('{plain,sketched}'::text[]) rule,
			  aevon_windows('open', subject, rule, granularity => granularity, as_of => at, timezone => zone) x
		  WHERE x.event_count > 0) w
	FULL JOIN (SELECT at, subject, zone, unit, CASE WHEN unit <> 'total' THEN date_trunc(unit, e.occurred_at, zone) END AS start,
				   count(*) AS event_count, sum((e.data ->> 'n')::numeric) AS sum
			   FROM taken, unnest('{p,q,NULL}'::text[]) subject, unnest('{UTC,Asia/Kathmandu,America/New_York}'::text[]) zone,
				   unnest('{hour,day,total}'::text[]) unit, aevon.events e
			   WHERE e.tenant = 'open' AND e.ingested_at <= at AND (e.principal = subject OR subject IS NULL)
				   AND NOT EXISTS (SELECT FROM aevon.voids v JOIN aevon.principals k USING (principal_key)
					   WHERE k.principal = e.principal AND v.event_id = e.event_id AND v.voided_at <= at)
			   GROUP BY 1, 2, 3, 4, 5) o
		ON w.at = o.at AND w.subject IS NOT DISTINCT FROM o.subject AND w.zone = o.zone AND w.unit = o.unit
			AND (w.window_start = o.start OR o.start IS NULL)
$$;
SELECT compared > 1000 AS many, different FROM pg_temp.past_differences();

-- voids of events in closed rows, and in the last one
SELECT count(aevon_void('open', principal, event_id, 'wrong')) FROM aevon.events
WHERE tenant = 'open' AND (data ->> 'n')::int % 7 = 0;
INSERT INTO taken VALUES (clock_timestamp());
SELECT count(*) FROM aevon_test.differences('open', zones => '{UTC,Asia/Kathmandu}');
SELECT aevon_test.sweep();
SELECT count(*) FROM aevon_test.differences('open', zones => '{UTC,Asia/Kathmandu}');
SELECT compared > 1000 AS many, different FROM pg_temp.past_differences();
SELECT count(*) FROM aevon_verify(tenant => 'open');
SELECT principal, coalesce(in_days, 0) + in_last_row = events AS together, events FROM pg_temp.held ORDER BY 1;
-- a repair writes both anew
BEGIN;
DELETE FROM aevon.buckets_1d b USING aevon.series s, aevon.rules r JOIN aevon.tenants t USING (tenant_key)
WHERE b.series_key = s.series_key AND s.measure_key = r.measure_key AND t.tenant = 'open';
SELECT count(*) > 0 AS found FROM aevon_verify(tenant => 'open', repair => true);
SELECT count(*) FROM aevon_verify(tenant => 'open');
SELECT principal, in_days > 0 AS in_days, coalesce(in_days, 0) + in_last_row = events AS together, events FROM pg_temp.held ORDER BY 1;
ROLLBACK;
DROP TABLE taken CASCADE;
SELECT aevon_drop_rule(r, 'open') FROM unnest('{plain,sketched}'::text[]) r;
