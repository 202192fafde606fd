-- A compaction reads the days that have become old, and those that got another
-- snapshot since, and nothing else; what it leaves is what one over all days
-- would leave.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT aevon_define_rule('n', 'x', '{sum,count}', 'v', tenant => 'thinned');
CREATE VIEW pg_temp.here AS
SELECT n.* FROM aevon.snapshots n JOIN aevon.series USING (series_key) JOIN aevon.tenants t USING (tenant_key) WHERE tenant = 'thinned';
-- every snapshot there ever was
CREATE TEMP TABLE taken AS SELECT * FROM pg_temp.here;
-- which of them stay, by plain SQL
CREATE VIEW pg_temp.kept AS
SELECT series_key, day, revision FROM (
	SELECT *, max(revision) OVER d AS last,
		min(revision) FILTER (WHERE taken_at >= timestamptz '2000-01-02 00:00+00' + day * interval '24 hours') OVER d AS first,
		coalesce(lag((stats ->> 'sum')::numeric) OVER r, 0) AS sum_before, coalesce(lag((stats ->> 'count')::numeric) OVER r, 0) AS count_before
	FROM taken WINDOW d AS (PARTITION BY series_key, day), r AS (PARTITION BY series_key, day ORDER BY revision)) x
WHERE day >= current_setting('aevon.clock')::timestamptz::date - date '2000-01-01' - 5 OR revision IN (first, last)
	OR abs((stats ->> 'sum')::numeric - sum_before) > current_setting('aevon.compact_threshold')::numeric * abs(sum_before)
	OR abs((stats ->> 'count')::numeric - count_before) > current_setting('aevon.compact_threshold')::numeric * abs(count_before);
-- rows of aevon.snapshots that this transaction has visited
CREATE FUNCTION pg_temp.visited() RETURNS bigint LANGUAGE sql AS
$$SELECT (sum(pg_stat_get_xact_tuples_fetched(o)) + pg_stat_get_xact_tuples_returned('aevon.snapshots'::regclass))::bigint
FROM (SELECT 'aevon.snapshots'::regclass::oid AS o UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = 'aevon.snapshots'::regclass) x$$;
CREATE FUNCTION pg_temp.wrong() RETURNS bigint LANGUAGE sql AS
$$SELECT (SELECT count(*) FROM ((SELECT series_key, day, revision FROM pg_temp.here) EXCEPT TABLE pg_temp.kept) x)
	+ (SELECT count(*) FROM (TABLE pg_temp.kept EXCEPT (SELECT series_key, day, revision FROM pg_temp.here)) x)
	+ (SELECT count(*) FROM ((SELECT series_key, day, revision FROM taken) EXCEPT TABLE pg_temp.kept EXCEPT
		(SELECT series_key, day, unnest(revisions) FROM aevon.compactions)) x)$$;
SET aevon.compact_threshold = 0.5;
SELECT setseed(0.25);
-- 20 days, four snapshots a day, some events up to nine days late; compaction from the tenth day on
CREATE PROCEDURE pg_temp.run(from_day int, to_day int) LANGUAGE plpgsql AS $$
DECLARE
	now timestamptz;
BEGIN
	FOR h IN from_day * 4 .. to_day * 4 - 1 LOOP
		now := timestamptz '2024-03-01 00:00+00' + h * interval '6 hours';
		PERFORM set_config('aevon.clock', now::text, false);
		PERFORM aevon_ingest('thinned', 'p' || i % 3, h || '-' || i, 'x', now - random() ^ 8 * interval '9 days', jsonb_build_object('v', (random() ^ 4 * 100)::int))
		FROM generate_series(1, 6) i;
		COMMIT;
		SET LOCAL aevon.compact_after = -1;
		PERFORM aevon_snapshot();
		COMMIT;
		INSERT INTO taken SELECT * FROM pg_temp.here EXCEPT SELECT * FROM taken;
		COMMIT;
		PERFORM aevon_snapshot();
		COMMIT;
		IF pg_temp.wrong() > 0 AND current_setting('aevon.compact_after') <> '-1' THEN
			RAISE 'wrong after %: %', now, pg_temp.wrong();
		END IF;
		COMMIT;
	END LOOP;
END
$$;
CALL pg_temp.run(0, 10);
SELECT count(*) > 150 AS many, count(*) = (SELECT count(*) FROM pg_temp.here) AS all_there FROM taken;
SET aevon.compact_after = '5d';
CALL pg_temp.run(10, 20);
SELECT count(*) > 300 AS many, count(*) > (SELECT count(*) FROM pg_temp.here) AS some_gone FROM taken;
SELECT count(*) > 20 AS some, bool_or(compacted_at - (timestamptz '2000-01-01 00:00+00' + day * interval '24 hours') > '7 days') AS again
FROM aevon.compactions JOIN aevon.series USING (series_key) JOIN aevon.tenants t USING (tenant_key) WHERE tenant = 'thinned';
-- by another threshold all days are looked at again
SET aevon.compact_threshold = 2;
SELECT aevon_snapshot();
SELECT pg_temp.wrong();

-- what it costs: nothing new; a day more; an old day opened again
BEGIN;
SELECT pg_temp.visited() AS before \gset
SELECT aevon_snapshot();
SELECT pg_temp.visited() - :before < 5 AS none;
ROLLBACK;
SET aevon.clock = '2024-03-22 12:00+00';
SET aevon.compact_after = '6d';
SELECT aevon_ingest('thinned', 'p1', 'very late', 'x', '2024-03-03 12:00+00', '{"v": 1}');
SELECT count(*) AS of_the_day FROM aevon.snapshots WHERE day = date '2024-03-15' - date '2000-01-01' \gset
SELECT count(*) AS of_the_old_day FROM pg_temp.here WHERE day = date '2024-03-03' - date '2000-01-01' \gset
SELECT count(*) AS of_all FROM aevon.snapshots \gset
SET enable_seqscan = off;
DISCARD PLANS;
BEGIN;
SELECT pg_temp.visited() AS before \gset
SELECT aevon_snapshot() > 0 AS taken;
SELECT pg_temp.visited() - :before AS visited \gset
ROLLBACK;
-- each row once, the few that are looked up elsewhere aside
SELECT :visited BETWEEN :of_the_day AND :of_the_day + :of_the_old_day + 20 AS read, :visited < :of_all / 2 AS few;
RESET enable_seqscan;
RESET aevon.compact_after;
RESET aevon.compact_threshold;
RESET aevon.clock;
SELECT aevon_drop_rule('n', 'thinned');
