-- Hand over to the background worker, and wait for its sweep.  Variables:
-- tenant, worker_section.
\echo '== ':worker_section'. Nobody has to call aevon_sweep() ==========================================='
\echo
\echo 'The library is preloaded, so that a background worker can do it, every two minutes'
\echo 'or sooner when there is much. It was off, to show things step by step; now it goes'
\echo 'on. One more event, and who sweeps it:'
\echo
ALTER SYSTEM SET aevon.max_workers = 4;
ALTER SYSTEM SET aevon.sweep_interval = '1s';
SELECT pg_reload_conf() AS reloaded \gset
SELECT aevon_ingest(:'tenant', 'demo', 'one more', 'demo');
CREATE PROCEDURE pg_temp.await_worker() LANGUAGE plpgsql AS $wait$
BEGIN
	FOR i IN 1 .. 300 LOOP
		EXIT WHEN EXISTS (SELECT FROM aevon.sweeps WHERE by_worker AND event_count > 0);
		COMMIT;
		PERFORM pg_sleep(0.1);
	END LOOP;
	IF NOT EXISTS (SELECT FROM aevon.sweeps WHERE by_worker AND event_count > 0) THEN
		RAISE EXCEPTION 'demo failed: no sweep by the worker within 30 seconds';
	END IF;
END
$wait$;
CALL pg_temp.await_worker();
SELECT date_trunc('milliseconds', started_at) AS started_at, event_count, bucket_count,
	round(duration_ms::numeric, 1) AS duration_ms, by_worker
FROM aevon.sweeps
WHERE event_count > 0
ORDER BY sweep_id DESC LIMIT 3;
SELECT rule, version, state, tail_events, round(lag_seconds::numeric, 1) AS lag_seconds
FROM aevon.status
ORDER BY rule;
\echo 'End of the demo. The SQL is in demo/, and what each function does in its comment (\\df+).'
\echo
