-- Arguments of aevon_ingest_batch that are no batch, and elements that are no
-- event.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SET aevon.clock = '2024-06-01 00:00:00+00';
SELECT aevon_test.try(format('SELECT * FROM aevon_ingest_batch(%L, %L, %L)', 'bad_batch', events, on_error)) AS error,
	events, on_error
FROM (VALUES (1, NULL, 'abort'), (2, '{}', 'abort'), (3, '1', 'abort'), (4, 'null', 'abort'), (5, '"x"', 'abort'),
	(6, '[]', NULL), (7, '[]', 'ABORT'), (8, '[]', 'ignore'), (9, '[]', ''),
	(10, '[1]', 'abort'), (11, '[null]', 'abort'), (12, '[[]]', 'abort'), (13, '["x"]', 'abort'), (14, '[{}]', 'abort'),
	(15, '[{"principal": 1, "event_id": "e", "event_type": "use"}]', 'abort'),
	(16, '[{"principal": "p", "event_id": {}, "event_type": "use"}]', 'abort'),
	(17, '[{"principal": "p", "event_id": "e", "event_type": "use", "occurred_at": "yesterday-ish"}]', 'abort'),
	(18, '[{"principal": "p", "event_id": "e", "event_type": "use", "occurred_at": 5}]', 'abort'),
	(19, '[{"principal": "p", "event_id": "e", "event_type": "use", "occurred_at": "2024-02-30T00:00:00Z"}]', 'abort'),
	(20, '[{"principal": "p", "event_id": "e", "event_type": "use", "data": "x"}]', 'abort')) AS x (n, events, on_error)
ORDER BY n;
SELECT count(*) FROM aevon.events WHERE tenant = 'bad_batch';

-- an empty batch is fine
SELECT * FROM aevon_ingest_batch('bad_batch', '[]');
SELECT * FROM aevon_ingest_batch('bad_batch', '[]', 'reject');

-- rejected, whatever it was
SELECT * FROM aevon_ingest_batch('bad_batch',
	'[1, null, [], "x", {}, {"principal": 1, "event_id": "e", "event_type": "use"},
	  {"principal": "p", "event_id": "e", "event_type": "use", "occurred_at": "yesterday-ish"}]', 'reject');
SELECT payload, sqlstate, reason FROM aevon.rejected_events WHERE tenant = 'bad_batch' ORDER BY payload;
SELECT count(*) FROM aevon.events WHERE tenant = 'bad_batch';
