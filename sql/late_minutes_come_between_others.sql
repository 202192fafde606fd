-- Minutes come between, before, into and behind those of closed rows: the same
-- comes of it as of one sweep of them all, whatever the order; and the rows of many
-- series are found whether one or most of them are swept.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SET aevon.max_future = -1;
SET aevon.open_minutes = 0;
SELECT aevon_define_rule('plain', 'use', '{sum,count,min,max}', 'n', tenant => t),
	aevon_define_rule('sketched', 'use', '{p50,distinct,last}', 'n', tenant => t)
FROM unnest('{between,at-once}'::text[]) t;
-- 280 minutes of two weeks, two events in each third one, one without a value in each seventh
CREATE TABLE sent AS
SELECT i, 'p' || i % 2 AS principal, '2024-03-01'::timestamptz + i / 3 * 71 * interval '1 minute' + i % 3 * interval '20 seconds' AS at,
	CASE WHEN i % 7 = 0 THEN '{}' ELSE jsonb_build_object('n', i * 37 % 101) END AS data,
	1 + hashint4(i) & 7 AS batch
FROM generate_series(1, 840) i WHERE i % 3 < 2;
CREATE PROCEDURE pg_temp.send() LANGUAGE plpgsql AS $$
BEGIN
	FOR nth IN 0 .. 8 LOOP
		PERFORM aevon_ingest('between', principal, 'e' || i, 'use', at, data) FROM sent WHERE batch = nth ORDER BY hashint4(i + 7);
		COMMIT;
		PERFORM aevon_test.sweep();
		COMMIT;
	END LOOP;
END
$$;
CALL pg_temp.send();
SELECT count(aevon_ingest('at-once', principal, 'e' || i, 'use', at, data)) FROM sent;
SELECT aevon_test.sweep();
CREATE VIEW pg_temp.kept AS
	SELECT t.tenant, r.name, s.subject_key > 0 AND p.principal = 'p1' AS p1, s.subject_key > 0 AS own, u.*
	FROM aevon.rules r JOIN aevon.tenants t USING (tenant_key) JOIN aevon.series s USING (measure_key)
	LEFT JOIN aevon.principals p ON p.principal_key = s.subject_key
	JOIN aevon.buckets_1m b USING (series_key) CROSS JOIN LATERAL aevon.unpack_bucket(b.state, 1) u
	WHERE t.tenant IN ('between', 'at-once');
SELECT tenant, count(*) AS minutes, sum(event_count) AS events, sum(skipped) AS skipped FROM pg_temp.kept GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM (SELECT name, p1, own, window_start, event_count, skipped, sum, min, max FROM pg_temp.kept WHERE tenant = 'between'
	EXCEPT ALL SELECT name, p1, own, window_start, event_count, skipped, sum, min, max FROM pg_temp.kept WHERE tenant = 'at-once') d;
SELECT count(*) FROM aevon_verify(tenant => 'between');
SELECT count(*) FROM aevon_test.differences('between');
SELECT (SELECT array_agg((rule, window_start, event_count, stats) ORDER BY rule, window_start) FROM aevon_windows('between', NULL, granularity => '1d', since => '2024-03-01', until => '2024-03-16'))
	= (SELECT array_agg((rule, window_start, event_count, stats) ORDER BY rule, window_start) FROM aevon_windows('at-once', NULL, granularity => '1d', since => '2024-03-01', until => '2024-03-16')) AS same;

-- most of many series at once, then one, then all with some that are new
SELECT count(aevon_ingest('between', 'm' || i, 'm' || i, 'use', '2024-04-01', '{"n": 1}')) FROM generate_series(1, 1500) i WHERE i % 5 > 0;
SELECT aevon_test.sweep();
SELECT aevon_ingest('between', 'm7', 'one', 'use', '2024-04-01 01:00', '{"n": 2}');
SELECT aevon_test.sweep();
SELECT count(aevon_ingest('between', 'm' || i, 'again' || i, 'use', '2024-04-02', '{"n": 3}')) FROM generate_series(1, 1500) i;
SELECT aevon_test.sweep();
SELECT count(*) AS series, count(DISTINCT (measure_key, subject_key)) AS different FROM aevon.series s
JOIN aevon.tenants t USING (tenant_key) WHERE t.tenant = 'between';
SELECT count(*) FROM aevon_verify(tenant => 'between');
SELECT p, aevon_state('between', p, 'plain') #>> '{rules,plain,values,0,event_count}' AS events FROM unnest('{m5,m7,m8}'::text[]) p;
DROP TABLE sent;
