-- aevon_verify takes each subject that has series, however many it has, and
-- looks for nothing but its series: not through those of others.
SELECT current_database() AS home \gset
CREATE DATABASE regress_subjects;
\c regress_subjects
CREATE EXTENSION aevon;
SET timezone = 'UTC';
-- all minutes are closed
SET aevon.open_minutes = 0;
SET aevon.clock = '2024-03-05 00:00+00';
SELECT aevon_define_rule('plain', 'use', '{sum,count}', 'n');
SELECT aevon_define_rule('split', 'use', '{sum,count}', 'n', dimensions => '{"k": "$.k"}');
SELECT aevon_ingest(tenant, tenant || i, 'e' || i, 'use', '2024-03-01 10:00+00', jsonb_build_object('n', i, 'k', i))
FROM unnest('{few,many}'::text[]) tenant, generate_series(1, 3) i;
SELECT aevon_snapshot() > 0 AS snapshots;
CREATE VIEW principals_of AS
	SELECT t.tenant, t.tenant_key, p.principal, p.principal_key
	FROM aevon.tenants t JOIN aevon.principals p USING (tenant_key);

-- series of keys that no principal has: one has more than are read at a time
INSERT INTO aevon.series (series_key, measure_key, tenant_key, subject_key, dims_grouping, dims_digest, dims)
SELECT nextval('aevon.series_key_seq'), m.measure_key, t.tenant_key, 1000000, 1, int4send(i), '{}'
FROM aevon.measures m, aevon.tenants t, generate_series(1, 1001) i WHERE t.tenant = 'many';
INSERT INTO aevon.series (series_key, measure_key, tenant_key, subject_key, dims_grouping, dims_digest, dims)
SELECT nextval('aevon.series_key_seq'), m.measure_key, t.tenant_key, 2000000 + i, 0, '', '{}'
FROM aevon.measures m, aevon.tenants t, generate_series(1, 2000) i WHERE t.tenant = 'many';
-- the last of them, and one of a grouping that its measure has not, hold a
-- snapshot of nobody's events
CREATE FUNCTION copy_snapshot(of_rule text, subject integer) RETURNS void LANGUAGE sql AS $$
	INSERT INTO aevon.snapshots
	SELECT f.series_key, n.cut_xmax, n.taken_at, n.event_count, n.late_count, n.link_number, n.day, n.revision,
		n.status, n.cut_xip, n.stats, n.delta, n.hash
	FROM aevon.rules r
	JOIN aevon.series f ON f.measure_key = r.measure_key AND f.subject_key = subject
	JOIN aevon.series s ON s.measure_key = r.measure_key AND s.dims_grouping = 0
	JOIN principals_of p ON p.principal_key = s.subject_key AND p.principal = 'many2'
	JOIN aevon.snapshots n ON n.series_key = s.series_key
	WHERE r.name = of_rule ORDER BY f.series_key DESC LIMIT 1
$$;
SELECT copy_snapshot('plain', 2002000), copy_snapshot('split', 2002000), copy_snapshot('plain', 1000000);
ANALYZE aevon.series;
SELECT rule, tenant, principal, what, window_start::date AS day, stored -> 'event_count' AS stored, recomputed -> 'event_count' AS recomputed
FROM aevon_verify('plain') ORDER BY 1, 2, 3, 4, 5;
SELECT rule, tenant, principal, what, window_start::date AS day, stored -> 'event_count' AS stored, recomputed -> 'event_count' AS recomputed
FROM aevon_verify('split') ORDER BY 1, 2, 3, 4, 5;

-- pages of the index that are read: a few for each subject
CREATE FUNCTION pages() RETURNS bigint LANGUAGE sql AS $$
	SELECT pg_stat_get_xact_blocks_fetched('aevon.series_subject'::regclass)
$$;
SELECT pg_relation_size('aevon.series_subject') / 8192 > 40 AS large_index;
BEGIN;
SELECT pages() AS before \gset
SELECT count(*) FROM aevon_verify('plain');
SELECT (pages() - :before) / 2000 < 10 AS few_pages;
COMMIT;
BEGIN;
SELECT pages() AS before \gset
SELECT count(*) FROM aevon_verify('split');
SELECT (pages() - :before) / 2000 < 16 AS few_pages;
COMMIT;
-- and what is mended is found at once, too
DELETE FROM aevon.buckets_1m b USING aevon.series s, principals_of p
WHERE s.series_key = b.series_key AND p.principal_key = s.subject_key AND p.tenant = 'few';
BEGIN;
SELECT pages() AS before \gset
SELECT rule, principal, what, repaired, count(*) FROM aevon_verify('plain', 'few', repair => true) GROUP BY 1, 2, 3, 4 ORDER BY 2;
SELECT pages() - :before < 100 AS few_pages;
COMMIT;
BEGIN;
SELECT pages() AS before \gset
SELECT rule, principal, what, repaired, count(*) FROM aevon_verify('split', 'few', repair => true) GROUP BY 1, 2, 3, 4 ORDER BY 2;
SELECT pages() - :before < 150 AS few_pages;
COMMIT;
SELECT count(*) AS findings FROM aevon_verify(tenant => 'few');
\c :home
DROP DATABASE regress_subjects;
