-- Random days with late, out-of-order, repeated and voided events, sweeps and
-- snapshots in between: answers now and as of any time equal a recount of what
-- was sent, a repeated event or void changes nothing, the last snapshot of every
-- day equals a recount, deltas add up to it, each revision's explanation adds up
-- to its delta, and no snapshot ever changes by a byte.
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
-- what was accepted, by this test's own book: each event once
CREATE TEMP TABLE sent (principal text COLLATE "C", event_id text COLLATE "C", occurred_at timestamptz, data jsonb,
	PRIMARY KEY (principal, event_id));
CREATE TEMP TABLE repeated (what text, times int);
CREATE TEMP TABLE kept AS SELECT * FROM aevon.snapshots LIMIT 0;

DO $$
DECLARE
	now timestamptz := '2026-01-10';
	who text;
	since timestamptz;
	until timestamptz;
	back timestamptz;
	event record;
	answer text;
	got record;
	want record;
BEGIN
	FOR round IN 1..40 LOOP
		now := now + pg_temp.below(3600) * interval '20 s';
		PERFORM set_config('aevon.clock', now::text, false);
		FOR j IN 1..1 + pg_temp.below(40) LOOP
			INSERT INTO sent VALUES ('p' || pg_temp.below(4), 'e' || round || '-' || j,
				now - power(random(), 4) * interval '20 days' + random() * interval '1 h',
				CASE pg_temp.below(10) WHEN 0 THEN '{}'::jsonb
					ELSE jsonb_build_object('v', (random() * 1000 - 300)::numeric(10, 3)) END)
			RETURNING * INTO event;
			IF aevon_ingest('history_adds_up', event.principal, event.event_id, 'x', event.occurred_at, event.data) <> 'accepted' THEN
				INSERT INTO difference VALUES (round, 'not accepted', event::text, NULL);
			END IF;
		END LOOP;
		COMMIT;
		-- some of all that were ever sent, void ones too, once more or twice, single and in a batch
		FOR event IN SELECT * FROM sent WHERE random() < 0.03 ORDER BY event_id, principal LOOP
			FOR k IN 0..pg_temp.below(2) LOOP
				answer := aevon_ingest('history_adds_up', event.principal, event.event_id, 'x', event.occurred_at, event.data);
				INSERT INTO repeated VALUES ('event ' || answer, 1);
			END LOOP;
		END LOOP;
		INSERT INTO repeated
		SELECT what, times FROM (
			SELECT jsonb_agg(jsonb_build_object('principal', principal, 'event_id', event_id, 'event_type', 'x',
				'occurred_at', occurred_at, 'data', data) ORDER BY random()) AS batch
			FROM (SELECT * FROM sent ORDER BY random() LIMIT 10) s) b,
			aevon_ingest_batch('history_adds_up', b.batch) r,
			LATERAL (VALUES ('event accepted', r.accepted), ('event duplicate', r.duplicate)) x(what, times);
		IF pg_temp.below(2) = 0 THEN COMMIT; END IF;
		FOR event IN
			SELECT p.principal, e.event_id FROM aevon.event_log e
			JOIN aevon.principals p USING (principal_key)
			JOIN aevon.tenants t ON t.tenant_key = e.tenant_key
			WHERE t.tenant = 'history_adds_up' AND random() < 0.02
			ORDER BY 1, 2
		LOOP
			-- one that is void already stays void as it was
			answer := aevon_void('history_adds_up', event.principal, event.event_id, 'wrong');
			answer := aevon_void('history_adds_up', event.principal, event.event_id, 'again');
			INSERT INTO repeated VALUES ('void ' || answer, 1);
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
-- the log is the book, each event once, and nothing that was repeated took effect
SELECT count(*) FROM (
	(SELECT principal, event_id, occurred_at, data FROM aevon.events WHERE tenant = 'history_adds_up' EXCEPT ALL TABLE sent)
	UNION ALL
	(TABLE sent EXCEPT ALL SELECT principal, event_id, occurred_at, data FROM aevon.events WHERE tenant = 'history_adds_up')) x;
SELECT what, sum(times) > 20 AS many FROM repeated GROUP BY what HAVING sum(times) > 0 ORDER BY what;
-- of every kind there was enough: late by days, out of order, void
SELECT count(*) FILTER (WHERE ingested_at - occurred_at > interval '2 days') > 100 AS late,
	count(*) FILTER (WHERE occurred_at < highest) > 300 AS out_of_order
FROM (SELECT *, max(occurred_at) OVER (ORDER BY ingested_at, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS highest
	FROM aevon.events WHERE tenant = 'history_adds_up') e;

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
-- what was once written never changed, not by a byte; most of it was written long before the end
SELECT count(*) > 200 AS many FROM kept;
SELECT k.series_key, k.day, k.revision FROM kept k
LEFT JOIN aevon.snapshots s USING (series_key, day, revision)
WHERE (k *= s) IS NOT TRUE;
-- nobody changes a snapshot
DELETE FROM aevon.snapshots;
UPDATE aevon.snapshots SET event_count = 0;
TRUNCATE aevon.snapshots;
RESET aevon.clock;
SELECT aevon_drop_rule('r', 'history_adds_up');
