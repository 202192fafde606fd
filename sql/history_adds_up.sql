-- Random days with late and voided events, sweeps and snapshots in between:
-- answers as of any time equal a recount, the last snapshot of every day equals
-- a recount, deltas add up to it, and each revision's explanation adds up to
-- its delta.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT setseed(0.42);
SELECT aevon_define_rule('r', 'x', '{sum,count,min,max,last,avg}', 'v', tenant => 'history_adds_up');

CREATE FUNCTION pg_temp.recount(who text, since timestamptz, until timestamptz, as_of timestamptz,
	OUT count bigint, OUT sum numeric, OUT min numeric, OUT max numeric, OUT last numeric)
LANGUAGE sql AS $$
	WITH e AS (
		SELECT e.occurred_at, e.event_id, p.principal, (e.data->>'v')::numeric AS v
		FROM aevon.event_log e
		JOIN aevon.principals p USING (principal_key)
		JOIN aevon.tenants t ON t.tenant_key = e.tenant_key
		WHERE t.tenant = 'history_adds_up' AND (who IS NULL OR p.principal = who)
			AND e.occurred_at >= since AND e.occurred_at < until AND e.ingested_at <= as_of
			AND NOT EXISTS (SELECT FROM aevon.voids x WHERE x.principal_key = e.principal_key
				AND x.event_id = e.event_id AND x.voided_at <= as_of))
	SELECT count(*), coalesce(sum(v), 0), min(v), max(v),
		(array_agg(v ORDER BY occurred_at DESC, principal DESC, event_id DESC)
			FILTER (WHERE v IS NOT NULL))[1]
	FROM e
$$;
CREATE FUNCTION pg_temp.below(n int) RETURNS int LANGUAGE sql AS $$ SELECT floor(random() * n)::int $$;
CREATE TEMP TABLE difference (round int, what text, got text, want text);
CREATE TEMP TABLE kept AS SELECT * FROM aevon.snapshots LIMIT 0;

DO $$
DECLARE
	now timestamptz := '2026-01-10';
	who text;
	since timestamptz;
	until timestamptz;
	back timestamptz;
	event record;
	got record;
	want record;
BEGIN
	FOR round IN 1..40 LOOP
		now := now + pg_temp.below(3600) * interval '20 s';
		PERFORM set_config('aevon.clock', now::text, false);
		FOR j IN 1..1 + pg_temp.below(40) LOOP
			PERFORM aevon_ingest('history_adds_up', 'p' || pg_temp.below(4), 'e' || round || '-' || j, 'x',
				now - power(random(), 4) * interval '20 days' + random() * interval '1 h',
				CASE pg_temp.below(10) WHEN 0 THEN '{}'::jsonb
					ELSE jsonb_build_object('v', (random() * 1000 - 300)::numeric(10, 3)) END);
		END LOOP;
		COMMIT;
		FOR event IN
			SELECT p.principal, e.event_id FROM aevon.event_log e
			JOIN aevon.principals p USING (principal_key)
			JOIN aevon.tenants t ON t.tenant_key = e.tenant_key
			WHERE t.tenant = 'history_adds_up' AND random() < 0.02
			ORDER BY 1, 2
		LOOP
			PERFORM aevon_void('history_adds_up', event.principal, event.event_id, 'wrong');
		END LOOP;
		IF pg_temp.below(2) = 0 THEN COMMIT; END IF;
		IF pg_temp.below(3) = 0 THEN
			PERFORM aevon_sweep(CASE pg_temp.below(3) WHEN 0 THEN 1 + pg_temp.below(80) END);
		END IF;
		IF pg_temp.below(3) > 0 THEN COMMIT; END IF;
		IF pg_temp.below(6) = 0 THEN
			PERFORM aevon_snapshot();
			COMMIT;
		END IF;
		INSERT INTO kept SELECT s.* FROM aevon.snapshots s
		WHERE NOT EXISTS (SELECT FROM kept k WHERE (k.series_key, k.day, k.revision) = (s.series_key, s.day, s.revision));
		FOR j IN 1..5 LOOP
			who := CASE pg_temp.below(3) WHEN 0 THEN NULL ELSE 'p' || pg_temp.below(4) END;
			since := now - random() * interval '20 days';
			until := since + random() * interval '8 days';
			back := CASE pg_temp.below(2) WHEN 0 THEN 'infinity' ELSE now - random() * interval '8 days' END;
			SELECT * INTO want FROM pg_temp.recount(who, since, until, back);
			SELECT event_count AS count, (stats->>'sum')::numeric AS sum, (stats->>'min')::numeric AS min,
				(stats->>'max')::numeric AS max, (stats->>'last')::numeric AS last
			INTO got FROM aevon_windows('history_adds_up', who, 'r', since, until, as_of => nullif(back, 'infinity'));
			IF got IS DISTINCT FROM want THEN
				INSERT INTO difference VALUES (round, format('%s %s %s %s', who, since, until, back), got::text, want::text);
			END IF;
		END LOOP;
	END LOOP;
END
$$;
SELECT * FROM difference;

SELECT aevon_sweep() IS NOT NULL AS swept;
SET aevon.clock = '2026-06-01';
SELECT aevon_snapshot() > 0 AS taken;
SELECT aevon_snapshot() AS nothing_changed_since;
CREATE TEMP VIEW own AS
	SELECT n.*, p.principal FROM aevon.snapshots n
	JOIN aevon.series s USING (series_key)
	JOIN aevon.tenants t ON t.tenant_key = s.tenant_key AND t.tenant = 'history_adds_up'
	LEFT JOIN aevon.principals p ON p.principal_key = s.subject_key;
SELECT count(*) > 200 AS many, max(revision) > 3 AS with_revisions, array_agg(DISTINCT status ORDER BY status) AS statuses FROM own;
-- the last snapshot of each day equals a recount
SELECT l.principal, l.day, l.stats, r.*
FROM (SELECT DISTINCT ON (series_key, day) * FROM own ORDER BY series_key, day, revision DESC) l,
	pg_temp.recount(l.principal, '2000-01-01'::timestamptz + l.day * interval '1 day',
		'2000-01-01'::timestamptz + (l.day + 1) * interval '1 day', 'infinity') r
WHERE (l.event_count, (l.stats->>'sum')::numeric, (l.stats->>'min')::numeric, (l.stats->>'max')::numeric,
	(l.stats->>'last')::numeric) IS DISTINCT FROM (r.count, r.sum, r.min, r.max, r.last);
-- deltas add up
SELECT series_key, day FROM own GROUP BY 1, 2
HAVING sum((delta->>'sum')::numeric) <> (array_agg((stats->>'sum')::numeric ORDER BY revision DESC))[1]
	OR sum((delta->>'count')::bigint) <> (array_agg(event_count ORDER BY revision DESC))[1];
-- each revision's explanation adds up to its delta
SELECT o.principal, o.day, o.revision, o.delta, e.*
FROM own o, LATERAL (
	SELECT coalesce(sum(count_change), 0) AS count, coalesce(sum(value_change), 0) AS sum
	FROM aevon_explain('history_adds_up', o.principal, 'r', '2000-01-01'::date + o.day, o.revision)) e
WHERE (e.count, e.sum) IS DISTINCT FROM ((o.delta->>'count')::bigint, (o.delta->>'sum')::numeric);
-- what was once written never changed
SELECT k.series_key, k.day, k.revision FROM kept k
LEFT JOIN aevon.snapshots s USING (series_key, day, revision)
WHERE k IS DISTINCT FROM s;
-- nobody changes a snapshot
DELETE FROM aevon.snapshots;
UPDATE aevon.snapshots SET event_count = 0;
TRUNCATE aevon.snapshots;
RESET aevon.clock;
SELECT aevon_drop_rule('r', 'history_adds_up');
