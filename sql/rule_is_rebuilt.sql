-- aevon_rebuild empties a rule's buckets; answers stay right from the log, and
-- sweeps fill the buckets again.
SET client_min_messages = warning;
-- all minutes are closed
SET aevon.open_minutes = 0;
SET timezone = 'UTC';
SELECT aevon_define_rule('n', 'x', '{sum,count,min,max,last}', 'v', tenant => 'rebuilt');
SELECT count(aevon_ingest('rebuilt', 'p' || i % 3, i::text, 'x', '2024-03-01 00:00+00'::timestamptz + i * interval '7 minutes',
	jsonb_build_object('v', i))) FROM generate_series(1, 500) i;
SELECT event_count >= 500 AS swept FROM aevon_sweep();
CREATE VIEW rebuilt_state AS
	SELECT w.event_count, w.stats FROM (VALUES (1, 'p0'), (2, 'p1'), (3, 'p2'), (4, NULL)) x(i, p),
		aevon_windows('rebuilt', p, 'n', '2024-03-01 00:00:30+00', '2024-03-02 12:00:00.5+00') w;
CREATE TEMP TABLE before AS SELECT * FROM rebuilt_state;
SELECT * FROM before;
-- damage that no read can see through
UPDATE aevon.buckets_1m b SET state = (SELECT state FROM aevon.buckets_1m o WHERE o.series_key <> b.series_key AND o.series_key = ANY (
	SELECT series_key FROM aevon.series JOIN aevon.tenants USING (tenant_key) WHERE tenant = 'rebuilt') ORDER BY series_key LIMIT 1)
WHERE series_key = ANY (SELECT series_key FROM aevon.series JOIN aevon.tenants USING (tenant_key) WHERE tenant = 'rebuilt');
SELECT count(*) > 0 AS wrong FROM (SELECT * FROM rebuilt_state EXCEPT SELECT * FROM before) x;
SELECT aevon_rebuild('n', 'rebuilt');
SELECT * FROM rebuilt_state EXCEPT SELECT * FROM before;
SELECT count(*) FROM aevon.pre_aggregates WHERE tenant = 'rebuilt';
SELECT backfill_progress < 1 AS behind FROM aevon.status WHERE tenant = 'rebuilt';
SELECT aevon_sweep(100) IS NOT NULL AS swept;
SELECT * FROM rebuilt_state EXCEPT SELECT * FROM before;
SELECT aevon_sweep() IS NOT NULL AS swept;
SELECT * FROM rebuilt_state EXCEPT SELECT * FROM before;
SELECT count(*), sum(event_count) FROM aevon.pre_aggregates WHERE tenant = 'rebuilt' AND principal IS NULL;
SELECT backfill_progress FROM aevon.status WHERE tenant = 'rebuilt';
-- rolled back, nothing happened
BEGIN;
SELECT aevon_rebuild('n@1', 'rebuilt');
ROLLBACK;
SELECT sum(event_count) FROM aevon.pre_aggregates WHERE tenant = 'rebuilt' AND principal IS NULL;
-- what is wrong
\set VERBOSITY sqlstate
SELECT aevon_rebuild(NULL);
SELECT aevon_rebuild('nope', 'rebuilt');
SELECT aevon_rebuild('n');
SELECT aevon_rebuild('n', 'nobody');
CREATE ROLE rebuilt_reader;
SELECT aevon_grant('rebuilt', 'rebuilt_reader', 'read');
SET ROLE rebuilt_reader;
SELECT aevon_rebuild('n', 'rebuilt');
RESET ROLE;
SELECT aevon_revoke('rebuilt', 'rebuilt_reader', 'read');
DROP ROLE rebuilt_reader;
DROP VIEW rebuilt_state;
SELECT aevon_drop_rule('n', 'rebuilt');
