-- Voids that no sweep has taken in yet: a read goes through each bucket row, and
-- each event of the minutes concerned, once, a principal's read through its own
-- voids only; and the answers are a recount's.
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT aevon_define_rule('w', 'x', '{sum,count,min,max,last}', 'v', tenant => 'touched');
SET aevon.clock = '2024-06-10 12:00+00';
-- 30 minutes with 20 events each, and 600 minutes with one
CREATE TEMP TABLE feed AS
SELECT CASE WHEN i % 3 = 0 THEN 'b' ELSE 'a' END AS principal, i::text AS event_id, 'x'::text AS event_type,
	'2024-06-01 00:00+00'::timestamptz + i * interval '3 seconds' AS occurred_at, jsonb_build_object('v', i % 97) AS data
FROM generate_series(0, 599) i
UNION ALL
SELECT 'a', 'm' || i, 'x', '2024-06-02 12:00:05+00'::timestamptz + i * interval '3 minutes', jsonb_build_object('v', -i)
FROM generate_series(1, 600) i;
SELECT * FROM aevon_ingest_from('feed', tenant => 'touched');
SELECT aevon_sweep() IS NOT NULL AS swept;
CREATE FUNCTION pg_temp.recount(who text, since timestamptz, until timestamptz, as_of timestamptz,
	OUT count bigint, OUT sum numeric, OUT min numeric, OUT max numeric, OUT last numeric)
LANGUAGE sql AS $$
	SELECT count(*), coalesce(sum((e.data->>'v')::numeric), 0), min((e.data->>'v')::numeric), max((e.data->>'v')::numeric),
		(array_agg((e.data->>'v')::numeric ORDER BY e.occurred_at DESC, p.principal DESC, e.event_id DESC))[1]
	FROM aevon.event_log e
	JOIN aevon.principals p USING (principal_key)
	JOIN aevon.tenants t ON t.tenant_key = e.tenant_key
	LEFT JOIN aevon.voids x ON x.principal_key = e.principal_key AND x.event_id = e.event_id
	WHERE t.tenant = 'touched' AND (who IS NULL OR p.principal = who) AND e.occurred_at >= since AND e.occurred_at < until
		AND e.ingested_at <= as_of AND (x.voided_at > as_of) IS NOT FALSE
$$;
-- whole, unaligned, and a few windows; of each subject; now and before the voids
CREATE TEMP VIEW differences AS
	WITH question AS (
		SELECT who, since, until, as_of
		FROM (VALUES ('a'), ('b'), (NULL)) p(who),
			(VALUES ('2024-05-31 00:00+00'::timestamptz, '2024-06-09 00:00+00'::timestamptz),
				('2024-06-01 00:10:07.5+00', '2024-06-03 01:02:03.4+00'), ('2024-06-02 12:03+00', '2024-06-02 12:03:30+00')) r(since, until),
			(VALUES (NULL::timestamptz), ('2024-06-10 12:00+00'), ('2024-06-11 12:00+00')) t(as_of)
	), answer AS (
		SELECT q.*, g, sum(w.event_count) AS count, sum((w.stats->>'sum')::numeric) AS sum,
			min((w.stats->>'min')::numeric) AS min, max((w.stats->>'max')::numeric) AS max,
			(array_agg((w.stats->>'last')::numeric ORDER BY w.window_start DESC) FILTER (WHERE w.event_count > 0))[1] AS last
		FROM question q, (VALUES ('total'), ('1d'), ('1h'), ('1m')) g(g),
			aevon_windows('touched', q.who, 'w', q.since, q.until, g, as_of => q.as_of) w
		GROUP BY q.who, q.since, q.until, q.as_of, g
	)
	SELECT a.*, r::text AS recounted
	FROM answer a, pg_temp.recount(a.who, a.since, a.until, coalesce(a.as_of, 'infinity')) r
	WHERE (a.count, a.sum, a.min, a.max, a.last) IS DISTINCT FROM (r.count, r.sum, r.min, r.max, r.last);
-- what this transaction has fetched so far
CREATE FUNCTION pg_temp.fetched(OUT events bigint, OUT voids bigint, OUT buckets bigint) LANGUAGE sql VOLATILE AS $$
	SELECT sum(n) FILTER (WHERE indrelid::regclass::text LIKE 'aevon.event\_log%'),
		sum(n) FILTER (WHERE indrelid = 'aevon.voids'::regclass),
		sum(n) FILTER (WHERE indrelid::regclass::text LIKE 'aevon.buckets%')
	FROM pg_index, pg_stat_get_xact_tuples_fetched(indexrelid) n
$$;
SELECT * FROM pg_temp.differences;
BEGIN;
SELECT events, voids, buckets FROM pg_temp.fetched() \gset before_
SELECT event_count FROM aevon_windows('touched', NULL, 'w', granularity => '1h', since => '2024-06-01', until => '2024-06-08')
WHERE event_count > 20;
SELECT events - :before_events AS events, voids - :before_voids AS voids, buckets - :before_buckets AS buckets FROM pg_temp.fetched() \gset without_
COMMIT;

-- half of the events in the dense minutes, and every third of the lonely ones
SET aevon.clock = '2024-06-11 12:00+00';
SELECT count(aevon_void('touched', principal, event_id, 'wrong')) FROM feed
WHERE principal = 'a' AND (event_id LIKE 'm%' AND substr(event_id, 2)::int % 3 = 0 OR event_id NOT LIKE 'm%' AND event_id::int % 2 = 0);
SELECT * FROM pg_temp.differences;
-- events of the tenant: 600 in the dense minutes, 200 in lonely ones; voids: twice 400, and what there is to
-- see if there are any; bucket rows: as many as without voids
BEGIN;
SELECT events, voids, buckets FROM pg_temp.fetched() \gset before_
SELECT event_count FROM aevon_windows('touched', NULL, 'w', granularity => '1h', since => '2024-06-01', until => '2024-06-08')
WHERE event_count > 20;
SELECT events - :before_events AS events, voids - :before_voids AS voids,
	buckets - :before_buckets <= :without_buckets AS no_more_buckets FROM pg_temp.fetched();
-- of a principal without voids: nothing but a look whether there are any
SELECT events, voids, buckets FROM pg_temp.fetched() \gset before_
SELECT event_count FROM aevon_windows('touched', 'b', 'w');
SELECT events - :before_events AS events, voids - :before_voids AS voids FROM pg_temp.fetched();
COMMIT;
-- some swept, some not
SELECT aevon_sweep() IS NOT NULL AS swept;
SELECT * FROM pg_temp.differences;
SET aevon.clock = '2024-06-12 12:00+00';
SELECT count(aevon_void('touched', principal, event_id, 'wrong too')) FROM feed
WHERE event_id LIKE 'm%' AND substr(event_id, 2)::int % 5 = 1 OR event_id NOT LIKE 'm%' AND event_id::int % 7 = 1;
SELECT * FROM pg_temp.differences;
SELECT aevon_sweep() IS NOT NULL AS swept;
SELECT * FROM pg_temp.differences;
RESET aevon.clock;
SELECT aevon_drop_rule('w', 'touched');
