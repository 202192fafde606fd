-- Quantiles and distinct counts in the tail, at the edges, in minutes, hours and
-- days; after voids, as of a time, in snapshots; rebuilt, damaged and mended.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
-- all minutes are closed
SET aevon.open_minutes = 0;
SET aevon.max_future = -1;
SELECT aevon_define_rule('sized', 'use', '{p95,p50,distinct,count,min,max}', 'n', tenant => 'corrected');
SELECT aevon_define_rule('plain', 'use', '{sum}', 'n', tenant => 'corrected');
SELECT aevon_test.fill('corrected', 3, 1500);
CREATE FUNCTION pg_temp.recount(OUT events bigint, OUT differences bigint)
	LANGUAGE sql
	AS $$
	SELECT (SELECT count(*) FROM aevon_test.log_of('corrected')),
		(SELECT count(*) FROM aevon_test.differences('corrected', NULL, '{total,15m,1h,6h,1d}'))
$$;
CREATE FUNCTION pg_temp.answers() RETURNS SETOF jsonb
	LANGUAGE sql
	AS $$
	SELECT jsonb_build_array(p, w.window_start, w.stats) FROM unnest('{p0,NULL}'::text[]) p,
		(VALUES ('-infinity'::timestamptz, 'infinity'::timestamptz, 'total'), ('2024-03-01 03:17:22.5+00', '2024-03-03 21:44:31+00', 'total'),
			('2024-03-01 03:17:22.5+00', '2024-03-03 21:44:31+00', '1h'), ('2024-03-01 03:17:22.5+00', '2024-03-03 21:44:31+00', '5m')) r (since, until, granularity),
		aevon_windows('corrected', p, 'sized', r.since, r.until, r.granularity) w
$$;
CREATE TEMP TABLE tail AS SELECT * FROM pg_temp.answers() AS answer;
SELECT * FROM pg_temp.recount();
SELECT aevon_test.sweep();
SELECT count(*) AS changed FROM (SELECT * FROM tail EXCEPT SELECT * FROM pg_temp.answers()) x;
SELECT * FROM pg_temp.recount();
-- hours are kept for the rule that has sketches, not for the other
SELECT r.name, count(h.series_key) > 0 AS hours, count(d.series_key) > 0 AS days
FROM aevon.rules r JOIN aevon.series s USING (measure_key) JOIN aevon.tenants t ON t.tenant_key = s.tenant_key
LEFT JOIN aevon.buckets_1h h USING (series_key) LEFT JOIN aevon.buckets_1d d USING (series_key)
WHERE t.tenant = 'corrected' GROUP BY 1 ORDER BY 1;

-- voids, before and after the sweep, of events that lie in the middle of a day
SELECT aevon_snapshot() > 0 AS taken;
SELECT clock_timestamp() AS before_voids \gset
SELECT count(aevon_void('corrected', principal, event_id, 'wrong')) FROM aevon.events
WHERE tenant = 'corrected' AND event_type = 'use' AND (data ->> 'n')::numeric > 300;
SELECT * FROM pg_temp.recount();
SELECT aevon_test.sweep();
SELECT * FROM pg_temp.recount();
SELECT count(*) FROM aevon_verify(tenant => 'corrected');
SELECT count(*) AS changed FROM (SELECT answer -> 2 FROM tail LIMIT 1) x (before), aevon_windows('corrected', 'p0', 'sized', as_of => :'before_voids') w
WHERE w.stats <> before;
-- a snapshot's delta: now less before, for each statistic
SELECT aevon_snapshot() > 0 AS taken;
WITH revisions AS (
	SELECT s.series_key, s.day, s.revision, s.stats, s.delta, lag(s.stats) OVER (PARTITION BY s.series_key, s.day ORDER BY s.revision) AS before
	FROM aevon.snapshots s JOIN aevon.series x USING (series_key) JOIN aevon.rules r USING (measure_key) JOIN aevon.tenants t ON t.tenant_key = x.tenant_key
	WHERE t.tenant = 'corrected' AND r.name = 'sized'
)
SELECT k, count(*) > 5 AS many, bool_and((delta ->> k)::numeric IS NOT DISTINCT FROM (stats ->> k)::numeric - (before ->> k)::numeric) AS right
FROM revisions, unnest('{p50,p95,distinct,max}'::text[]) k WHERE revision = 2 GROUP BY 1 ORDER BY 1;
SELECT day, revision, value, stats ->> 'distinct' AS "distinct" FROM aevon_history('corrected', 'p0', 'sized', '2024-03-01', '2024-03-02');
SELECT count(*) > 0 AS explained FROM aevon_explain('corrected', 'p0', 'sized', '2024-03-01', 2);
SELECT count(*) FROM aevon_verify('sized', 'corrected');

-- the same after a rebuild
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.answers() AS answer;
SELECT aevon_rebuild('sized', 'corrected');
SELECT count(*) AS changed FROM (SELECT * FROM before EXCEPT SELECT * FROM pg_temp.answers()) x;
SELECT aevon_test.sweep();
SELECT count(*) AS changed FROM (SELECT * FROM before EXCEPT SELECT * FROM pg_temp.answers()) x;

-- damaged sketches: every byte of a row of each tier, one at a time; reads say
-- so or are unharmed, nothing else, and verify finds each, as it finds a row
-- that is another one's
CREATE FUNCTION pg_temp.row_of(tier text, OUT series_key bigint, OUT first_window bigint, OUT state bytea)
	LANGUAGE plpgsql
	AS $$
BEGIN
	EXECUTE format('SELECT b.series_key, b.first_window, b.state FROM aevon.%I b JOIN aevon.series s USING (series_key)
		JOIN aevon.tenants t USING (tenant_key) JOIN aevon.rules r USING (measure_key)
		WHERE t.tenant = ''corrected'' AND r.name = ''sized'' ORDER BY length(b.state), 1, 2 LIMIT 1', tier)
	INTO series_key, first_window, state;
END
$$;
CREATE FUNCTION pg_temp.damage(tier text) RETURNS TABLE (state text)
	LANGUAGE plpgsql
	AS $$
DECLARE
	r record;
BEGIN
	SELECT * INTO r FROM pg_temp.row_of(tier);
	FOR i IN 0 .. length(r.state) - 1 LOOP
		BEGIN
			PERFORM * FROM aevon.unpack_bucket(set_byte(r.state, i, get_byte(r.state, i) # 85), 1);
			state := 'read';
		EXCEPTION WHEN others THEN
			state := SQLSTATE;
		END;
		RETURN NEXT;
	END LOOP;
END
$$;
SELECT t, array_agg(DISTINCT d.state ORDER BY d.state) <@ '{XX001,read}' AS known FROM unnest('{buckets_1m,buckets_1h,buckets_1d}'::text[]) t, pg_temp.damage(t) d GROUP BY 1 ORDER BY 1;
UPDATE aevon.buckets_1h b SET state = o.state FROM pg_temp.row_of('buckets_1h') o
WHERE (b.series_key, b.first_window) = (SELECT h.series_key, h.first_window FROM aevon.buckets_1h h WHERE h.series_key <> o.series_key ORDER BY length(h.state) DESC LIMIT 1);
SELECT DISTINCT what FROM aevon_verify('sized', 'corrected', repair => true);
SELECT count(*) FROM aevon_verify('sized', 'corrected');
SELECT count(*) AS changed FROM (SELECT * FROM before EXCEPT SELECT * FROM pg_temp.answers()) x;
SELECT aevon_drop_rule('sized', 'corrected'), aevon_drop_rule('plain', 'corrected');
