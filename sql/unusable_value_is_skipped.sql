-- What is no JSON number, is too long a number, or raises an error while its
-- path or filter is evaluated, is counted and shown as skipped, and breaks
-- neither a sweep nor a read.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_define_rule(name, 'use', operators, value, filter, tenant => 'unusable'), name
FROM (VALUES ('plain', '{sum,count,min,max,avg,last}'::text[], 'n', NULL),
	('strict', '{sum,count}', 'strict $.n', NULL),
	('computed', '{sum,count,max}', '$.n / $.d', NULL),
	('double', '{sum,count}', '$.n.double()', NULL),
	('elements', '{sum,count}', '$.list[*].double()', NULL),
	('filtered', '{sum,count}', 'n', '$.ok == true'),
	('flag', '{count}', NULL, 'ok'),
	('failing', '{count,sum}', 'n', 'strict $.sub.ok'),
	('failing_count', '{count}', NULL, 'strict $.sub.ok'),
	('selection', '{count,sum}', 'n', '$.n ? (@ > 2)'),
	('counted', '{count}', NULL, NULL)) AS r (name, operators, value, filter);

CREATE TEMP TABLE documents (n serial, data jsonb);
INSERT INTO documents (data) VALUES
	('{"n": 1}'), ('{"n": 2.50, "d": 4}'), ('{"n": -3e0, "d": 0}'), ('{}'), ('{"n": null}'), ('{"n": "1"}'),
	('{"n": " 7 "}'), ('{"n": "NaN"}'), ('{"n": "Infinity"}'), ('{"n": "1e400000"}'), ('{"n": true}'), ('{"n": []}'),
	('{"n": [5]}'), ('{"n": [5, 6]}'), ('{"n": ["x", 6]}'), ('{"n": {"n": 1}}'), ('{"n": {}}'),
	('{"N": 9}'), ('{"n ": 9}'), ('{"n": 3, "d": 7}'), ('{"n": 1e307, "d": 1}'), ('{"n": 1e308, "d": 1}'),
	('{"n": 1e-308}'), ('{"n": 1e-309}'), ('{"n": 9.99e307}'), ('{"n": 1e131071}'), ('{"n": 1e131071, "d": 2}'),
	('{"n": 1e-16383}'), ('{"n": -1e-16383, "d": 1e131071}'),
	('{"n": 7, "ok": true, "sub": {"ok": true}}'), ('{"n": 8, "ok": false, "sub": {"ok": false}}'),
	('{"n": 9, "ok": "true", "sub": {"ok": "true"}}'), ('{"n": 10, "ok": 1, "sub": {"ok": 1}}'),
	('{"n": 11, "ok": null, "sub": {"ok": null}}'), ('{"ok": true, "sub": {"ok": true}}'),
	('{"ok": [true], "sub": [{"ok": true}]}'), ('{"ok": {}, "sub": {"ok": {}}}'),
	('{"list": [1, "2", 3]}'), ('{"list": [1, "x"]}'), ('{"list": ["x"]}'), ('{"list": []}'), ('{"list": 4}');
INSERT INTO documents (data)
SELECT jsonb_build_object('n', ('1' || repeat('0', 307) || '.' || repeat('0', 307) || '1')::numeric)
UNION ALL SELECT jsonb_build_object('n', (repeat('9', 308) || '.' || repeat('9', 308))::numeric)
UNION ALL SELECT jsonb_build_object('n', repeat('9', 309)::numeric)
UNION ALL SELECT jsonb_build_object('n', ('0.' || repeat('1', 309))::numeric)
UNION ALL SELECT jsonb_build_object('n', ('1.' || repeat('0', 1000))::numeric)
UNION ALL SELECT jsonb_build_object('n', repeat('9', 5000)::numeric);
SELECT aevon_ingest('unusable', CASE n % 2 WHEN 0 THEN 'even' ELSE 'odd' END, 'e' || n, 'use',
	'2024-01-01 00:00+00'::timestamptz + n * interval '41 seconds', data), count(*)
FROM documents GROUP BY 1;

SELECT key AS rule, value -> 'skipped' AS skipped, value #> '{values,0,event_count}' AS event_count,
	left(value #>> '{values,0,stats}', 60) AS stats
FROM jsonb_each(aevon_state('unusable') -> 'rules') ORDER BY key COLLATE "C";
SELECT * FROM aevon_test.recount('unusable');
SELECT aevon_test.sweep();
SELECT key AS rule, value -> 'skipped' AS skipped, value #> '{values,0,event_count}' AS event_count,
	left(value #>> '{values,0,stats}', 60) AS stats
FROM jsonb_each(aevon_state('unusable') -> 'rules') ORDER BY key COLLATE "C";
SELECT * FROM aevon_test.recount('unusable');
SELECT count(*) FROM aevon_test.bucket_differences('unusable');
SELECT max(last_error) FROM aevon.status WHERE tenant = 'unusable';
