-- An answer, which Aevon writes itself, is byte for byte what PostgreSQL makes
-- of its text: members sorted, whatever the order of rules and statistics.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
CREATE FUNCTION pg_temp.is_as_stored(document jsonb) RETURNS boolean
	RETURN record_image_eq(ROW(document), ROW(document::text::jsonb));

-- more members than jsonb has lengths between two offsets
SELECT count(aevon_define_rule(repeat(chr(96 + number % 5 + 1), number % 7 + 1) || number, '*',
	'{sum,count,max,min,last,avg}', 'n', tenant => 'stored'))
FROM generate_series(1, 70) AS number;
SELECT pg_temp.is_as_stored(aevon_state('stored'));
SELECT aevon_test.fill('stored', 3, 50);
SELECT aevon_test.sweep();
SELECT pg_temp.is_as_stored(aevon_state('stored')),
	pg_temp.is_as_stored(aevon_state('stored', 'p1', granularity => '1h', since => '2024-01-01',
		until => '2024-01-03'));
SELECT count(*), bool_and(document -> 'rules' -> key = value)
FROM (SELECT aevon_state('stored') AS document) AS answer, jsonb_each(document -> 'rules');
SELECT bool_and(pg_temp.is_as_stored(stats)) FROM aevon_windows('stored', granularity => '1d');

-- values of dimensions: of every type, and documents within
SELECT aevon_define_rule('sliced', '*', '{count}', tenant => 'sliced', dimensions => '{"b": "$.b", "a": "$.a"}');
SELECT aevon_ingest('sliced', 'p', 'e' || number, 'use', '2024-01-01',
	jsonb_build_object('a', '["x", 1.50, true, null]'::jsonb -> number % 4, 'b', repeat('y', number)))
	IS NOT NULL FROM generate_series(1, 9) AS number;
SELECT pg_temp.is_as_stored(aevon_state('sliced', group_by => '{b,a}')),
	pg_temp.is_as_stored(aevon_state('sliced', 'p', group_by => '{a}', dims => '{"b": ["y", "yyy"]}'));
