-- An id is looked at in rows whose transaction may take them back meanwhile, and
-- with them what lies beside them: so it lies in the row, be it ever so long.
SELECT * FROM aevon_ingest_batch('long_ids', (SELECT jsonb_agg(jsonb_build_object('principal', 'p', 'event_id', id,
	'event_type', 'use', 'data', jsonb_build_object('x', x), 'metadata', jsonb_build_object('x', x)))
	FROM (SELECT (SELECT string_agg(chr(65536 + (i * 7919 + j * j * 1049) % 99991), '') FROM generate_series(1, 255) AS j) AS id,
		(SELECT string_agg(md5(i || '-' || j), '') FROM generate_series(1, 25) AS j) AS x
		FROM generate_series(1, 5) AS i) AS ids));
SELECT count(*) AS stored, min(octet_length(event_id)) AS bytes FROM aevon.events WHERE tenant = 'long_ids';
SELECT reltoastrelid::regclass AS beside FROM pg_class WHERE oid = 'aevon.event_log_p1'::regclass \gset
SELECT count(*) FROM aevon.events JOIN :beside ON position(convert_to(left(event_id, 100), 'UTF8') IN chunk_data) > 0
WHERE tenant = 'long_ids';
