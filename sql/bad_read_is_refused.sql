-- Arguments of reads that mean nothing, each with its SQLSTATE.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_define_rule('use', 'use', '{count,sum}', 'n', tenant => 'bad_read');
SELECT aevon_ingest('bad_read', 'p', 'e', 'use', '2024-01-01 12:00:30+00', '{"n": 1}');

CREATE TEMP TABLE reads (n serial, arguments text);
INSERT INTO reads (arguments) VALUES
	($$NULL$$), ($$''$$), ($$repeat('x', 256)$$), ($$'*'$$), ($$'bad_read', 'p', ''$$),
	($$'bad_read', 'p', 'unknown'$$), ($$'bad_read', 'p', 'USE'$$),
	($$'bad_read', 'p', 'use@2'$$), ($$'bad_read', 'p', 'use@'$$), ($$'bad_read', 'p', 'use@x'$$),
	($$'bad_read', 'p', 'use@0'$$), ($$'bad_read', 'p', 'use@99999999999999'$$), ($$'bad_read', 'p', '@1'$$),
	($$'bad_read', since => '2024-01-02', until => '2024-01-01'$$),
	($$'bad_read', since => 'infinity', until => '-infinity'$$),
	($$'bad_read', since => '2024-01-01 00:00:00.000001+00', until => '2024-01-01 00:00:00+00'$$),
	($$'bad_read', since => NULL$$), ($$'bad_read', until => NULL$$),
	($$'bad_read', granularity => NULL$$), ($$'bad_read', granularity => ''$$),
	($$'bad_read', granularity => 'hour'$$), ($$'bad_read', granularity => '1H'$$),
	($$'bad_read', granularity => '7m'$$), ($$'bad_read', granularity => '0m'$$),
	($$'bad_read', granularity => '-1m'$$), ($$'bad_read', granularity => '2d'$$),
	($$'bad_read', granularity => '2w'$$), ($$'bad_read', granularity => '1M'$$),
	($$'bad_read', timezone => 'Mars/Olympus'$$), ($$'bad_read', timezone => NULL$$),
	($$'bad_read', timezone => ''$$), ($$'bad_read', timezone => '+02:00'$$),
	($$'bad_read', timezone => 'CEST'$$), ($$'bad_read', timezone => 'XYZ-5'$$),
	($$'bad_read', timezone => 'UTC+5'$$), ($$'bad_read', timezone => '../UTC'$$),
	($$'bad_read', timezone => 'Europe'$$), ($$'bad_read', timezone => repeat('x', 300)$$);
SELECT arguments, aevon_test.try('SELECT * FROM aevon_windows(' || arguments || ')') AS windows
FROM reads ORDER BY n;
SELECT arguments
FROM reads
WHERE aevon_test.try('SELECT aevon_state(' || arguments || ')')
	<> aevon_test.try('SELECT * FROM aevon_windows(' || arguments || ')');

-- what comes later says so
SELECT arguments, aevon_test.try('SELECT * FROM aevon_windows(''bad_read'', ' || arguments || ')')
FROM (VALUES ($$as_of => '2024-01-01'$$), ($$dims => '{"a": 1}'$$), ($$group_by => '{a}'$$),
	($$granularity => '5m'$$)) AS x (arguments);

-- a principal that cannot be is nobody; an empty range holds nothing
SELECT event_count, value FROM aevon_windows('bad_read', '', 'use');
SELECT event_count, value FROM aevon_windows('bad_read', repeat('x', 300), 'use');
SELECT * FROM aevon_windows('bad_read', 'p', 'use', '2024-01-01 12:00:30+00', '2024-01-01 12:00:30+00');
SELECT * FROM aevon_windows('bad_read', 'p', 'use', '2024-01-01 12:00:30+00', '2024-01-01 12:00:30+00', '1m');
SELECT * FROM aevon_windows('bad_read', 'p', 'use', '-infinity', '-infinity');
SELECT * FROM aevon_windows('bad_read', 'p', 'use', 'infinity', 'infinity', '1d');

-- events of a principal
SELECT call, aevon_test.try('SELECT * FROM aevon_events(' || call || ')')
FROM unnest(ARRAY[$$NULL, 'p'$$, $$'bad_read', NULL$$, $$'bad_read', 'p', '2024-01-02', '2024-01-01'$$,
	$$'bad_read', 'p', since => NULL$$, $$'bad_read', 'p', until => NULL$$, $$'bad_read', 'p', max_rows => NULL$$,
	$$'bad_read', 'p', max_rows => 0$$, $$'bad_read', 'p', max_rows => -1$$, $$'bad_read', 'p', after => 'nothing'$$,
	$$'nobody', 'p'$$]) AS call;
