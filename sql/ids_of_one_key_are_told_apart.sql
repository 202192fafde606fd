-- The index by which ingest finds an event holds a hash of its id.  These two
-- ids have the same one.
SET timezone = 'UTC';
SELECT aevon_define_rule('uses', 'use', ARRAY['count', 'sum'], 'n', tenant => 'one_key');
SELECT aevon.event_key(1, 'e92502') = aevon.event_key(1, 'e157653') AS same_key,
	aevon.event_key(1, 'e92502') = aevon.event_key(2, 'e92502') AS of_another_principal,
	aevon.event_key(7, 'e1') >> 32 AS principal_key;

-- one by one
SELECT aevon_ingest('one_key', 'p', 'e92502', 'use', '2024-01-01', '{"n": 1}');
SELECT aevon_ingest('one_key', 'p', 'e157653', 'use', '2024-01-02', '{"n": 10}');
SELECT aevon_ingest('one_key', 'p', 'e92502', 'use', '2024-01-01', '{"n": 1}');
SELECT aevon_ingest('one_key', 'p', 'e157653', 'use', '2024-01-02', '{"n": 10}');
SELECT aevon_ingest('one_key', 'p', 'e157653', 'use', '2024-01-01', '{"n": 1}');                          -- ERROR: 23505

-- together, in both orders, each of them twice, beside one that is stored
SELECT * FROM aevon_ingest_batch('one_key', (SELECT jsonb_agg(jsonb_build_object('principal', 'q', 'event_id', id,
	'event_type', 'use', 'occurred_at', '2024-01-01', 'data', jsonb_build_object('n', n)) ORDER BY o)
	FROM (VALUES (1, 'e92502', 1), (2, 'e157653', 10), (3, 'e92502', 1.0), (4, 'e157653', 10)) AS v (o, id, n)));
SELECT * FROM aevon_ingest_batch('one_key', (SELECT jsonb_agg(jsonb_build_object('principal', p, 'event_id', id,
	'event_type', 'use', 'occurred_at', '2024-01-01', 'data', jsonb_build_object('n', n)) ORDER BY o)
	FROM (VALUES (1, 'r', 'e157653', 10), (2, 'r', 'e92502', 1), (3, 'q', 'e92502', 1), (4, 'r', 'e92502', 1)) AS v (o, p, id, n)));
-- the first of a batch decides what the others are; nothing of the batch is left
SELECT * FROM aevon_ingest_batch('one_key', (SELECT jsonb_agg(jsonb_build_object('principal', 's', 'event_id', id,
	'event_type', 'use', 'occurred_at', '2024-01-01', 'data', jsonb_build_object('n', n)) ORDER BY o)
	FROM (VALUES (1, 'e92502', 1), (2, 'e157653', 10), (3, 'e92502', 2), (4, 'e157653', 20)) AS v (o, id, n)));  -- ERROR: 23505
SELECT * FROM aevon_ingest_batch('one_key', (SELECT jsonb_agg(jsonb_build_object('principal', 's', 'event_id', id,
	'event_type', 'use', 'occurred_at', '2024-01-01', 'data', jsonb_build_object('n', n)) ORDER BY o)
	FROM (VALUES (1, 'e92502', 1), (2, 'e157653', 10), (3, 'e92502', 2), (4, 'e157653', 10)) AS v (o, id, n)), on_error => 'reject');
SELECT principal, event_id, count(*) FROM aevon.events WHERE tenant = 'one_key' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT rule, event_count, value FROM aevon_windows('one_key');

-- each is voided, and paged from, by its own id
SELECT aevon_void('one_key', 'p', 'e157653', 'the other one stays');
SELECT event_count, value FROM aevon_windows('one_key', 'p');
SELECT event_id FROM aevon_events('one_key', 'p', '-infinity', 'infinity', 10, 'e92502');
SELECT event_id FROM aevon_events('one_key', 'p', '-infinity', 'infinity', 10, 'e157653');
SELECT count(*) FROM aevon_verify(tenant => 'one_key');

-- an index that somebody makes on the log is filled, by one event and by many
CREATE INDEX extra_of_log ON aevon.event_log_p1 (event_id, (data ->> 'n')) WHERE event_id LIKE 'extra%';
SELECT aevon_ingest('one_key', 'p', 'extra1', 'use', '2024-01-03', '{"n": 100}');
SELECT * FROM aevon_ingest_batch('one_key', (SELECT jsonb_agg(jsonb_build_object('principal', 'p', 'event_id', 'extra' || i,
	'event_type', 'use', 'occurred_at', '2024-01-03', 'data', jsonb_build_object('n', 100))) FROM generate_series(1, 3) i));
BEGIN;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
SELECT event_id, data FROM aevon.event_log_p1 WHERE event_id LIKE 'extra%' ORDER BY event_id;
ROLLBACK;
DROP INDEX aevon.extra_of_log;
-- and values too large for the row are kept beside it
SELECT * FROM aevon_ingest_batch('one_key', (SELECT jsonb_agg(jsonb_build_object('principal', 'large', 'event_id', i,
	'event_type', 'other', 'data', jsonb_build_object('text', (SELECT string_agg(md5(i || '-' || j), '') FROM generate_series(1, 300) j)))) FROM (SELECT i::text FROM generate_series(1, 3) i) v (i)));
SELECT length(data ->> 'text') FROM aevon.events WHERE tenant = 'one_key' AND principal = 'large' ORDER BY event_id;
