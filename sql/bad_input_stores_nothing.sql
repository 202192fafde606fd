-- Each bad input gets its SQLSTATE and a message, and leaves nothing behind,
-- through aevon_ingest, aborting a batch, or rejected from one.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SET aevon.clock = '2024-06-01 00:00:00+00';
SELECT aevon_define_rule('use', '*', '{count}', tenant => 'bad_input');
SELECT aevon_ingest('bad_input', 'p', 'good', 'use', '2024-01-01 00:00+00', '{"n": 1}');

CREATE TEMP TABLE bad (n serial, what text, principal text DEFAULT 'p', event_id text DEFAULT 'bad',
	event_type text DEFAULT 'use', occurred_at timestamptz DEFAULT '2024-01-01 00:00+00',
	data jsonb DEFAULT '{}', metadata jsonb, rejected boolean DEFAULT true);
INSERT INTO bad (what, principal) VALUES ('no principal', NULL), ('empty principal', ''),
	('long principal', repeat('x', 256)), ('long principal of wide characters', repeat('😀', 256)),
	('control character in principal', E'a\tb'), ('delete in principal', E'a\x7f');
INSERT INTO bad (what, event_id) VALUES ('no event_id', NULL), ('empty event_id', ''),
	('long event_id', repeat('x', 256)), ('control character in event_id', E'a\nb');
INSERT INTO bad (what, event_type) VALUES ('no event_type', NULL), ('empty event_type', ''),
	('long event_type', repeat('x', 256)), ('control character in event_type', E'\x01'), ('every event_type', '*');
INSERT INTO bad (what, occurred_at) VALUES ('infinity', 'infinity'), ('-infinity', '-infinity'),
	('year 294276', '294276-12-31 23:59:59.999999+00'), ('year 10000', '10000-01-01 00:00:00+00'),
	('BC', '0001-12-31 23:59:59.999999+00 BC'), ('4713 BC', '4713-01-01 00:00:00+00 BC'),
	('far future', '2024-06-02 00:00:00.000001+00');
INSERT INTO bad (what, data) VALUES ('array', '[1]'), ('string', '"x"'), ('number', '1'), ('null', 'null'),
	('boolean', 'true'),
	('deep nesting', (repeat('{"a":', 101) || '1' || repeat('}', 101))::jsonb),
	('very deep nesting', ('{"a":' || repeat('[', 5000) || repeat(']', 5000) || '}')::jsonb),
	('2 MB', jsonb_build_object('a', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 65536) i)));
INSERT INTO bad (what, metadata) VALUES
	('2 MB of metadata', jsonb_build_object('a', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 65536) i)));
INSERT INTO bad (what, data) VALUES ('conflict', '{"n": 2}');
UPDATE bad SET event_id = 'good' WHERE what = 'conflict';

-- one by one
SELECT what, aevon_test.try(format('SELECT aevon_ingest(%L, %L, %L, %L, %L, %L, %L)', 'bad_input',
	principal, event_id, event_type, occurred_at, data, metadata)) AS error
FROM bad ORDER BY n;
SELECT aevon_test.try($$SELECT aevon_ingest('bad_input', 'p', 'bad', 'use', '2024-01-01', NULL)$$);
SELECT aevon_test.try($$SELECT aevon_ingest(NULL, 'p', 'bad', 'use')$$);
SELECT aevon_test.try($$SELECT aevon_ingest('', 'p', 'bad', 'use')$$);
SELECT aevon_test.try($$SELECT aevon_ingest('*', 'p', 'bad', 'use')$$);
SELECT aevon_test.try($$SELECT aevon_ingest(repeat('x', 256), 'p', 'bad', 'use')$$);
SELECT aevon_test.try($$SELECT aevon_ingest(E'a\nb', 'p', 'bad', 'use')$$);
SELECT count(*) FROM aevon.events WHERE tenant = 'bad_input';

-- the last permitted of each
SELECT aevon_ingest('bad_input', repeat('😀', 255), repeat('x', 255), repeat('x', 255), '0001-01-01 00:00:00+00',
	(repeat('{"a":', 100) || '1' || repeat('}', 100))::jsonb, 'null');
SELECT aevon_ingest('bad_input', 'p', 'edge 1', 'use', '2024-06-02 00:00:00+00', '{}', '[]');
SET aevon.max_future = -1;
SELECT aevon_ingest('bad_input', 'p', 'edge 2', 'use', '9999-12-31 23:59:59.999999+00');
SELECT aevon_test.try($$SELECT aevon_ingest('bad_input', 'p', 'edge 3', 'use', '10000-01-01 00:00:00+00')$$);
RESET aevon.max_future;

-- in a batch: 'abort' raises the same, and stores nothing of the batch
SELECT what, aevon_test.try(format('SELECT * FROM aevon_ingest_batch(%L, %L)', 'bad_input', jsonb_build_array(
	'{"principal": "p", "event_id": "first", "event_type": "use"}'::jsonb,
	jsonb_build_object('principal', principal, 'event_id', event_id, 'event_type', event_type,
		'occurred_at', occurred_at, 'data', data, 'metadata', metadata),
	'{"principal": "p", "event_id": "last", "event_type": "use"}'::jsonb))) AS error
FROM bad ORDER BY n;
SELECT count(*) FROM aevon.events WHERE tenant = 'bad_input';

-- 'reject' stores the good ones, and the bad ones with their reason
SELECT * FROM aevon_ingest_batch('bad_input', (
	SELECT jsonb_agg(jsonb_build_object('principal', principal, 'event_id', event_id,
		'event_type', event_type, 'occurred_at', occurred_at, 'data', data, 'metadata', metadata) ORDER BY n)
		|| '{"principal": "p", "event_id": "last", "event_type": "use", "occurred_at": "2024-01-01T00:00:00Z"}'
	FROM bad), 'reject');
SELECT sqlstate, reason, octet_length(payload::text) > 1000000 AS large, payload ->> 'event_id' = 'good' AS conflict
FROM aevon.rejected_events WHERE tenant = 'bad_input' ORDER BY rejected_at, sqlstate, reason;
SELECT count(*) FROM aevon.events WHERE tenant = 'bad_input';
SELECT * FROM aevon_test.recount('bad_input');
SELECT aevon_test.sweep();
SELECT * FROM aevon_test.recount('bad_input');
