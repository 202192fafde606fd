-- CloudEvents 1.0 in a batch: which attribute is what, and which are bad.
SET aevon.clock = '2024-06-01 00:00:00+00';
SET timezone = 'UTC';
SELECT * FROM aevon_ingest_batch('cloud', '[
	{"specversion": "1.0", "source": "/sensors/a", "id": "1", "type": "com.example.read", "subject": "s1",
	 "time": "2024-01-01T00:00:00.123456Z", "data": {"n": 1}},
	{"specversion": "1.0", "source": "/sensors/b", "id": "1", "type": "com.example.read", "subject": "s1",
	 "time": "2024-01-01T02:00:00+02:00", "data": {"n": 2}, "datacontenttype": "application/json",
	 "traceparent": "00-4b-00", "sequence": 7, "metadata": {"own": true}},
	{"specversion": "1.0", "source": "/sensors/a", "id": "1", "type": "com.example.read", "subject": "s1",
	 "time": "2024-01-01T00:00:00.123456Z", "data": {"n": 1.0}, "traceparent": "00-4c-00"},
	{"specversion": "1.0", "source": "urn:x", "id": "two words", "type": "t", "subject": "s2"}]');
SELECT principal, event_id, event_type, occurred_at, data, metadata
FROM aevon.events WHERE tenant = 'cloud' ORDER BY event_id;

SELECT * FROM aevon_ingest_batch('cloud_bad', '[
	{"specversion": "0.3", "source": "/a", "id": "1", "type": "t", "subject": "s"},
	{"specversion": null, "source": "/a", "id": "2", "type": "t", "subject": "s"},
	{"specversion": "1.0", "id": "3", "type": "t", "subject": "s"},
	{"specversion": "1.0", "source": "/a", "type": "t", "subject": "s"},
	{"specversion": "1.0", "source": "/a", "id": "5", "subject": "s"},
	{"specversion": "1.0", "source": "/a", "id": "6", "type": "t"},
	{"specversion": "1.0", "source": "/a b", "id": "7", "type": "t", "subject": "s"},
	{"specversion": "1.0", "source": "/a", "id": 8, "type": "t", "subject": "s"},
	{"specversion": "1.0", "source": "/a", "id": "9", "type": "t", "subject": "s", "data": "text"},
	{"specversion": "1.0", "source": "/a", "id": "10", "type": "t", "subject": "s", "time": "now"},
	{"specversion": "1.0", "source": "/a", "id": "", "type": "t", "subject": "s"}]', 'reject');
SELECT sqlstate, reason, detail FROM aevon.rejected_events WHERE tenant = 'cloud_bad'
ORDER BY (payload ->> 'id')::text COLLATE "C", reason COLLATE "C";

-- a source and an id that are too long only together
SELECT * FROM aevon_ingest_batch('cloud_bad', jsonb_build_array(jsonb_build_object('specversion', '1.0',
	'source', repeat('s', 200), 'id', repeat('i', 100), 'type', 't', 'subject', 's')));
-- members that are not ours, and a batch of another tenant
SELECT * FROM aevon_ingest_batch('cloud_bad', '[{"principal": "p", "event_id": "e", "event_type": "t", "occured_at": "2024-01-01"}]');
SELECT * FROM aevon_ingest_batch('cloud_bad', '[{"tenant": "other", "principal": "p", "event_id": "e", "event_type": "t"}]');
SELECT * FROM aevon_ingest_batch('cloud_bad', '[{"tenant": "cloud_bad", "principal": "p", "event_id": "e", "event_type": "t"}]');
-- times that are none, or that PostgreSQL would take
SELECT * FROM aevon_ingest_batch('cloud_bad', (SELECT jsonb_agg(jsonb_build_object(
	'principal', 'p', 'event_id', 't' || i, 'event_type', 't', 'occurred_at', time))
	FROM unnest('{infinity,today,2024-01-01 00:00 Europe/Nowhere,2024-01-01 00:00 Z-05:xx,01/02/2024,2024-13-01,
		2024-01-01T25:00,2024-01-01T00:00:00+99,20240101,2024-1-1,J2451545,"",2024-01-01T,2024-01-01T00,0000-01-01}'::text[])
	WITH ORDINALITY AS x (time, i)), 'reject');
SELECT sqlstate, reason FROM aevon.rejected_events WHERE tenant = 'cloud_bad' AND payload ? 'principal'
ORDER BY payload ->> 'occurred_at' COLLATE "C";
SELECT * FROM aevon_ingest_batch('cloud_bad', (SELECT jsonb_agg(jsonb_build_object(
	'principal', 'q', 'event_id', time, 'event_type', 't', 'occurred_at', time))
	FROM unnest('{2024-01-01,2024-01-01 10:00,2024-01-01t10:00:01z,2024-01-01T10:00:02.5+0530,2024-01-01T10:00:03-08}'::text[]) time));
SELECT event_id, occurred_at FROM aevon.events WHERE tenant = 'cloud_bad' AND principal = 'q' ORDER BY event_id;
