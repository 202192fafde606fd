-- Minutes, late ones too, wait in their series' row until they are too many; only
-- then minutes, hours and days take them in.  Reads put the two together: past
-- states, odd zones and corrections too, also of a minute that is in both.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SET aevon.max_future = -1;
SET aevon.open_minutes = 64;
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
-- each event is in days and closed minutes, or in the open ones
CREATE VIEW pg_temp.held AS
	SELECT p.principal, d.events AS in_days, n.events AS closed, m.events AS open, b.minutes AS in_both
	FROM aevon.rules r JOIN aevon.tenants t USING (tenant_key) JOIN aevon.series s USING (measure_key)
	LEFT JOIN aevon.principals p ON p.principal_key = s.subject_key
	CROSS JOIN LATERAL (SELECT sum(u.event_count) AS events FROM aevon.buckets_1d b, aevon.unpack_bucket(b.state, 1440) u WHERE b.series_key = s.series_key) d
	CROSS JOIN LATERAL (SELECT coalesce(sum(u.event_count), 0) AS events FROM aevon.unpack_bucket(s.open_minutes, 1) u) m
	CROSS JOIN LATERAL (SELECT sum(u.event_count) AS events FROM aevon.buckets_1m b, aevon.unpack_bucket(b.state, 1) u WHERE b.series_key = s.series_key) n
	CROSS JOIN LATERAL (SELECT count(*) AS minutes FROM aevon.unpack_bucket(s.open_minutes, 1) o
		JOIN (SELECT u.window_start FROM aevon.buckets_1m b, aevon.unpack_bucket(b.state, 1) u WHERE b.series_key = s.series_key) c USING (window_start)) b
	WHERE t.tenant = 'open' AND r.name = 'plain';
SELECT principal, in_days > 0 AS in_days, open > 0 AS open, in_days = closed AS same, closed + open AS events FROM pg_temp.held ORDER BY 1;
-- older events into minutes that are closed: they are in both
SELECT count(aevon_ingest('open', principal, 'again' || event_id, 'use', occurred_at, '{"n": 7}')) FROM aevon.events
WHERE tenant = 'open' AND (data ->> 'n')::int BETWEEN 30 AND 38;
SELECT aevon_test.sweep();
INSERT INTO taken VALUES (clock_timestamp());
SELECT principal, in_both > 2 AS in_both, in_days = closed AS same, closed + open AS events FROM pg_temp.held ORDER BY 1;
SELECT count(*) AS minutes, count(DISTINCT (principal, rule, window_start)) = count(*) AS once, sum(event_count) AS events
FROM aevon.pre_aggregates WHERE tenant = 'open';
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

-- voids of closed and of open events, some of minutes that are in both
SELECT count(aevon_void('open', principal, event_id, 'wrong')) FROM aevon.events
WHERE tenant = 'open' AND ((data ->> 'n')::int % 7 = 0 AND event_id <> 'againe9-9' OR event_id IN ('e10-1', 'e10-3'));
INSERT INTO taken VALUES (clock_timestamp());
SELECT count(*) FROM aevon_test.differences('open', zones => '{UTC,Asia/Kathmandu}');
SELECT aevon_test.sweep();
SELECT count(*) FROM aevon_test.differences('open', zones => '{UTC,Asia/Kathmandu}');
SELECT compared > 1000 AS many, different FROM pg_temp.past_differences();
SELECT count(*) FROM aevon_verify(tenant => 'open');
-- a correction closes what was open
SELECT principal, open, in_days = closed AS same, closed AS events FROM pg_temp.held ORDER BY 1;
-- a repair writes both anew
BEGIN;
DELETE FROM aevon.buckets_1d b USING aevon.series s, aevon.rules r JOIN aevon.tenants t USING (tenant_key)
WHERE b.series_key = s.series_key AND s.measure_key = r.measure_key AND t.tenant = 'open';
SELECT count(*) > 0 AS found FROM aevon_verify(tenant => 'open', repair => true);
SELECT count(*) FROM aevon_verify(tenant => 'open');
SELECT principal, in_days = closed AS same, closed + open AS events FROM pg_temp.held ORDER BY 1;
ROLLBACK;

-- open minutes that others had, that were closed since, or that are damaged
CREATE FUNCTION pg_temp.send_more(batch int) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(aevon_ingest('open', CASE i % 4 WHEN 0 THEN 'q' ELSE 'p' END, 'm' || batch || '-' || i, 'use',
		'2024-06-01 00:00+00'::timestamptz + (batch * 40 + i) * interval '3 minutes', jsonb_build_object('n', i)))
	FROM generate_series(1, 40) i
$$;
SELECT pg_temp.send_more(1);
SELECT aevon_test.sweep();
CREATE VIEW pg_temp.plain AS
	SELECT s.series_key, p.principal, s.open_minutes FROM aevon.rules r JOIN aevon.tenants t USING (tenant_key) JOIN aevon.series s USING (measure_key)
	LEFT JOIN aevon.principals p ON p.principal_key = s.subject_key WHERE t.tenant = 'open' AND r.name = 'plain';
CREATE TABLE earlier AS SELECT * FROM pg_temp.plain;
SELECT pg_temp.send_more(batch) FROM generate_series(2, 4) batch;
SELECT aevon_test.sweep();
SELECT count(*) FROM aevon_verify(tenant => 'open');
BEGIN;
UPDATE aevon.series s SET open_minutes = e.open_minutes FROM earlier e WHERE e.principal = 'p' AND s.series_key = e.series_key;
SELECT what, count(*), count(stored) AS stored, count(recomputed) AS recomputed, sum((stored ->> 'event_count')::int - coalesce((recomputed ->> 'event_count')::int, 0)) AS more
FROM aevon_verify(tenant => 'open') GROUP BY 1 ORDER BY 1;
ROLLBACK;
BEGIN;
UPDATE aevon.series s SET open_minutes = e.open_minutes FROM earlier e, pg_temp.plain x WHERE e.principal = 'p' AND x.principal = 'q' AND s.series_key = x.series_key;
SELECT count(*) > 10 AS found FROM aevon_verify(tenant => 'open', repair => true);
SELECT count(*) FROM aevon_verify(tenant => 'open');
SELECT principal, in_days = closed AS same, closed + open AS events FROM pg_temp.held ORDER BY 1;
ROLLBACK;
BEGIN;
UPDATE aevon.series s SET open_minutes = d.damaged FROM pg_temp.plain x JOIN (VALUES
	('p', '\x0bad'::bytea),
	('q', (SELECT b.state FROM pg_temp.plain x JOIN aevon.buckets_1m b USING (series_key) WHERE x.principal = 'q' ORDER BY b.first_window DESC LIMIT 1))) d (principal, damaged)
	ON d.principal = x.principal WHERE s.series_key = x.series_key;
SELECT principal, stored ->> 'row' AS row FROM aevon_verify(tenant => 'open') WHERE stored ? 'row' ORDER BY 1, 2;
SAVEPOINT read;
SELECT aevon_state('open', 'p', 'plain');
ROLLBACK TO read;
SELECT count(*) > 2 AS found FROM aevon_verify(tenant => 'open', repair => true);
SELECT count(*) FROM aevon_verify(tenant => 'open');
ROLLBACK;
SELECT count(*) FROM aevon_test.differences('open', zones => '{UTC}');

-- none are kept open, and all again
SET aevon.open_minutes = 0;
SELECT pg_temp.send_more(5);
SELECT aevon_test.sweep();
SELECT principal, open, in_days = closed AS same, closed AS events FROM pg_temp.held ORDER BY 1;
SET aevon.open_minutes = 3;
SELECT pg_temp.send_more(6);
SELECT aevon_test.sweep();
SET aevon.open_minutes = 64;
SELECT count(*) FROM aevon_test.differences('open', zones => '{UTC}');
SELECT count(*) FROM aevon_verify(tenant => 'open');
DROP TABLE earlier;
DROP TABLE taken CASCADE;
SELECT aevon_drop_rule(r, 'open') FROM unnest('{plain,sketched}'::text[]) r;
-- the days of this test are not for others
SELECT aevon_test.sweep();
SELECT aevon_snapshot() > 0 AS taken;
