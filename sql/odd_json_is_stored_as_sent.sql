-- Deep nesting, duplicate keys and large documents.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_define_rule('use', 'use', '{sum,count}', 'n', tenant => 'odd_json');
SELECT aevon_define_rule('deep', 'use', '{sum,count}', '$.a.a.a.a.a.a.a.a.a.a.n', tenant => 'odd_json');
SELECT aevon_define_rule('anywhere', 'use', '{max,count}', '$.**.n', tenant => 'odd_json');

-- of duplicate keys the last counts, as everywhere in jsonb
SELECT aevon_ingest('odd_json', 'p', 'duplicate keys', 'use', '2024-01-01 00:00+00', '{"n": 1, "n": "x", "n": 3}');
SELECT aevon_ingest('odd_json', 'p', 'duplicate keys', 'use', '2024-01-01 00:00+00', '{"n": 3}');
SELECT aevon_ingest('odd_json', 'p', 'nested', 'use', '2024-01-01 00:00+00',
	(repeat('{"a":', 10) || '{"n": 5}' || repeat('}', 10))::jsonb);
SELECT aevon_ingest('odd_json', 'p', 'deepest', 'use', '2024-01-01 00:00+00',
	(repeat('{"a":', 99) || '{"n": 7}' || repeat('}', 99))::jsonb);
SELECT aevon_ingest('odd_json', 'p', 'arrays', 'use', '2024-01-01 00:00+00',
	('{"a": ' || repeat('[', 99) || repeat(']', 99) || '}')::jsonb);
SELECT aevon_test.try($$SELECT aevon_ingest('odd_json', 'p', 'too deep', 'use', '2024-01-01 00:00+00',
	('{"a": ' || repeat('[', 100) || repeat(']', 100) || '}')::jsonb)$$);
SELECT aevon_ingest('odd_json', 'p', 'odd keys', 'use', '2024-01-01 00:00+00',
	'{"": 1, " ": 2, "$": 3, "*": 4, "n\"": 5, "\u00e4": 6, "😀": 7, "a.n": 8}');
SELECT aevon_ingest('odd_json', 'p', 'wide', 'use', '2024-01-01 00:00+00',
	(SELECT jsonb_object_agg('k' || i, i) FROM generate_series(1, 20000) i) || '{"n": 11}');

-- 2 MB: refused by default, stored and measured where it is permitted
SELECT aevon_test.try($$SELECT aevon_ingest('odd_json', 'p', '2 MB', 'use', '2024-01-01 00:00+00',
	jsonb_build_object('n', 13, 'a', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 65536) i)))$$);
SET aevon.max_event_size = '4MB';
SELECT aevon_ingest('odd_json', 'p', '2 MB', 'use', '2024-01-01 00:00+00',
	jsonb_build_object('n', 13, 'a', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 65536) i)));
SELECT aevon_ingest('odd_json', 'p', '2 MB', 'use', '2024-01-01 00:00+00',
	jsonb_build_object('n', 13, 'a', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 65536) i)));
RESET aevon.max_event_size;

SELECT event_id, length(data::text) FROM aevon.events WHERE tenant = 'odd_json' ORDER BY event_id COLLATE "C";
SELECT rule, event_count, value FROM aevon_windows('odd_json', 'p');
SELECT * FROM aevon_test.recount('odd_json');
SELECT aevon_test.sweep();
SELECT rule, event_count, value FROM aevon_windows('odd_json', 'p');
SELECT * FROM aevon_test.recount('odd_json');
