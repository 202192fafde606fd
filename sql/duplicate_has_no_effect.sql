-- A retry is a duplicate and has no effect, for ever; the same id with other
-- content is a conflict and changes nothing.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_define_rule('use', '*', '{sum,count}', 'n', tenant => 'duplicate');
SELECT aevon_ingest('duplicate', 'p', 'e', 'use', '2024-01-01 12:00+00', '{"n": 5, "m": {"a": 1, "b": [1, 2]}}', '{"trace": 1}');

-- the same content: another order of keys, another form of numbers, other metadata
SELECT aevon_ingest('duplicate', 'p', 'e', 'use', '2024-01-01 12:00+00', '{"n": 5, "m": {"a": 1, "b": [1, 2]}}', '{"trace": 1}');
SELECT aevon_ingest('duplicate', 'p', 'e', 'use', '2024-01-01 12:00+00', '{"m": {"b": [1.0, 2], "a": 1.00}, "n": 5.0}', '{"trace": 2}');
SELECT aevon_ingest('duplicate', 'p', 'e', 'use', '2024-01-01 14:00+02', '{"n": 0.5e1, "m": {"a": 1, "b": [1, 2]}}');
-- a retry without a time repeats the time
SELECT aevon_ingest('duplicate', 'p', 'e', 'use', NULL, '{"n": 5, "m": {"a": 1, "b": [1, 2]}}');
SELECT aevon_test.sweep();
SELECT aevon_ingest('duplicate', 'p', 'e', 'use', '2024-01-01 12:00+00', '{"n": 5, "m": {"a": 1, "b": [1, 2]}}');

-- other content
SELECT aevon_test.try($$SELECT aevon_ingest('duplicate', 'p', 'e', 'use', '2024-01-01 12:00+00', '{"n": 6, "m": {"a": 1, "b": [1, 2]}}')$$);
SELECT aevon_test.try($$SELECT aevon_ingest('duplicate', 'p', 'e', 'use', '2024-01-01 12:00+00', '{"n": "5", "m": {"a": 1, "b": [1, 2]}}')$$);
SELECT aevon_test.try($$SELECT aevon_ingest('duplicate', 'p', 'e', 'use', '2024-01-01 12:00+00', '{"n": 5, "m": {"a": 1, "b": [2, 1]}}')$$);
SELECT aevon_test.try($$SELECT aevon_ingest('duplicate', 'p', 'e', 'use', '2024-01-01 12:00+00', '{"n": 5, "m": {"a": 1, "b": [1, 2]}, "x": null}')$$);
SELECT aevon_test.try($$SELECT aevon_ingest('duplicate', 'p', 'e', 'other', '2024-01-01 12:00+00', '{"n": 5, "m": {"a": 1, "b": [1, 2]}}')$$);
SELECT aevon_test.try($$SELECT aevon_ingest('duplicate', 'p', 'e', 'use', '2024-01-01 12:00:00.000001+00', '{"n": 5, "m": {"a": 1, "b": [1, 2]}}')$$);
SELECT aevon_test.try($$SELECT aevon_ingest('duplicate', 'p', 'e', 'use')$$);

SELECT event_id, event_type, occurred_at, data, metadata FROM aevon.events WHERE tenant = 'duplicate';
SELECT event_count, value FROM aevon_windows('duplicate');

-- an event without a time: its retry, and a retry with another time
SELECT aevon_ingest('duplicate', 'p', 'now', 'use', data => '{"n": 1}');
SELECT aevon_ingest('duplicate', 'p', 'now', 'use', data => '{"n": 1}');
SELECT occurred_at BETWEEN ingested_at - interval '1 minute' AND ingested_at AS at_the_call
FROM aevon.events WHERE tenant = 'duplicate' AND event_id = 'now';
SELECT aevon_ingest('duplicate', 'p', 'now', 'use', occurred_at, data)
FROM aevon.events WHERE tenant = 'duplicate' AND event_id = 'now';
SELECT aevon_test.state_of($$SELECT aevon_ingest('duplicate', 'p', 'now', 'use', '2024-01-01 12:00+00', '{"n": 1}')$$);
SELECT event_count, value FROM aevon_windows('duplicate');

-- within one transaction, and within one batch
BEGIN;
SELECT aevon_ingest('duplicate', 'p', 'again', 'use', '2024-01-01 12:00+00', '{"n": 10}');
SELECT aevon_ingest('duplicate', 'p', 'again', 'use', '2024-01-01 12:00+00', '{"n": 10}');
SAVEPOINT s;
SELECT aevon_ingest('duplicate', 'p', 'again', 'use', '2024-01-01 12:00+00', '{"n": 11}');
ROLLBACK TO s;
SELECT event_count, value FROM aevon_windows('duplicate');
COMMIT;
SELECT * FROM aevon_ingest_batch('duplicate', '[
	{"principal": "p", "event_id": "b", "event_type": "use", "occurred_at": "2024-01-01T12:00:00Z", "data": {"n": 100}},
	{"principal": "p", "event_id": "b", "event_type": "use", "occurred_at": "2024-01-01T12:00:00Z", "data": {"n": 100}},
	{"principal": "p", "event_id": "again", "event_type": "use", "occurred_at": "2024-01-01T12:00:00Z", "data": {"n": 10}}]');
SELECT aevon_test.try($$SELECT aevon_ingest_batch('duplicate', '[
	{"principal": "p", "event_id": "c", "event_type": "use", "occurred_at": "2024-01-01T12:00:00Z", "data": {"n": 1000}},
	{"principal": "p", "event_id": "c", "event_type": "use", "occurred_at": "2024-01-01T12:00:00Z", "data": {"n": 1001}}]')$$);
SELECT event_count, value FROM aevon_windows('duplicate');
SELECT * FROM aevon_test.recount('duplicate');

-- an id of a rolled-back event is free
BEGIN;
SELECT aevon_ingest('duplicate', 'p', 'free', 'use', '2024-01-01 12:00+00', '{"n": 7}');
ROLLBACK;
SELECT aevon_ingest('duplicate', 'p', 'free', 'use', '2024-01-01 12:00+00', '{"n": 8}');
SELECT aevon_test.sweep();
SELECT event_count, value FROM aevon_windows('duplicate');
SELECT * FROM aevon_test.recount('duplicate');
