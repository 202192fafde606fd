-- Events of any age count, swept before or after newer ones.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SET aevon.max_future = -1;
SELECT aevon_define_rule('use', 'use', '{sum,count,min,max,last}', 'n', tenant => 'late');
SELECT aevon_ingest('late', 'p', 'now', 'use', '2024-06-01 00:00:30+00', '{"n": 1}');
SELECT aevon_test.sweep();
CREATE TEMP TABLE late (n serial, at timestamptz);
INSERT INTO late (at) VALUES ('2024-06-01 00:00:10+00'), ('2024-05-31 23:59:59.999999+00'), ('2024-05-31 00:00+00'),
	('2023-01-01 00:00+00'), ('2000-01-01 00:00+00'), ('1999-12-31 23:59:59.999999+00'), ('1970-01-01 00:00+00'),
	('1900-02-28 12:00+00'), ('1582-10-10 00:00+00'), ('1000-01-01 00:00+00'), ('0004-02-29 00:00+00'),
	('0001-01-01 00:00:00.000001+00'), ('0001-01-01 00:00:00+00'), ('9999-12-31 23:59:59.999999+00'), ('9999-12-31 23:59:00+00');
SELECT aevon_ingest('late', CASE n % 2 WHEN 0 THEN 'p' ELSE 'q' END, 'late' || n, 'use', at, jsonb_build_object('n', n * 10)),
	count(*)
FROM late GROUP BY 1;
SELECT event_count, value, stats FROM aevon_windows('late', 'p');
SELECT * FROM aevon_test.recount('late');
SELECT aevon_test.sweep();
SELECT event_count, value, stats FROM aevon_windows('late', 'p');
SELECT * FROM aevon_test.recount('late');
SELECT count(*) FROM aevon_test.bucket_differences('late');
SELECT window_start, window_end, event_count, value FROM aevon_windows('late', NULL, 'use', granularity => '1d');

-- and again into the same windows
SELECT aevon_ingest('late', 'p', 'later' || n, 'use', at, jsonb_build_object('n', n * 1000)), count(*) FROM late GROUP BY 1;
SELECT * FROM aevon_test.recount('late');
SELECT aevon_test.sweep();
SELECT * FROM aevon_test.recount('late');
SELECT event_count, value FROM aevon_windows('late', NULL, 'use', '0001-01-01 00:00+00', '0001-01-01 00:00:00.000001+00');
SELECT event_count, value FROM aevon_windows('late', NULL, 'use', '9999-12-31 23:59:59.999999+00', '10000-01-01 00:00:00+00');
