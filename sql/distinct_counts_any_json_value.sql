-- distinct counts JSON values that differ, of any type, as jsonb compares them;
-- null is none.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SET aevon.max_future = -1;
SELECT aevon_define_rule('different', 'use', '{distinct,count,sum}', 'v', tenant => 'distinct');
CREATE TEMP TABLE items (n serial, v jsonb);
INSERT INTO items (v) VALUES ('1'), ('1.0'), ('1.00e0'), ('-1'), ('10000'), ('"1"'), ('"a"'), ('"A"'), ('"ä"'), ('true'), ('false'),
	('null'), (NULL), ('0'), ('-0'), ('0.0'), ('1e-30'), ('1e400'), ('1e401'), ('""'), ('[]'), ('{}'), ('[1]'), ('[[1]]'), ('[1, 1]'),
	('["a", "b"]'), ('["b", "a"]'), ('{"a": 1, "b": 2}'), ('{"b": 2, "a": 1.0}'), ('{"a": "b"}'), ('{"a": ["b"]}'), ('8513'), ('"A!"'), ('2'), ('4');
SELECT count(aevon_ingest('distinct', 'p', 'e' || n, 'use', '2024-05-01 00:00+00'::timestamptz + n * interval '1 second',
	CASE WHEN v IS NULL THEN '{}' ELSE jsonb_build_object('v', v) END)) FROM items;
SELECT count(DISTINCT nullif(v, 'null')) FROM items;
-- those that are no numbers are skipped by sum, as ever
SELECT stats FROM aevon_windows('distinct', 'p');
SELECT aevon_state('distinct') #> '{rules,different,skipped}' AS skipped;
SELECT aevon_test.sweep();
SELECT stats FROM aevon_windows('distinct', 'p');
SELECT * FROM aevon_test.recount('distinct');
-- minutes: one holds some of the values again
SELECT aevon_ingest('distinct', 'q', 'f' || n, 'use', '2024-05-01 00:01+00'::timestamptz, jsonb_build_object('v', n)) FROM generate_series(1, 3) n GROUP BY 1;
SELECT window_start, stats FROM aevon_windows('distinct', NULL, 'different', '2024-05-01 00:00+00', '2024-05-01 00:03+00', '1m');
SELECT stats FROM aevon_windows('distinct', NULL, 'different', '2024-05-01 00:00+00', '2024-05-01 00:03+00', '1h');

-- exact up to 256 values, then within three standard errors (5 %)
SELECT aevon_define_rule('users', 'visit', '{distinct}', '$.user', tenant => 'distinct');
CREATE TEMP TABLE visited (n integer, answer numeric);
CREATE PROCEDURE pg_temp.visit(until integer)
	LANGUAGE plpgsql
	AS $$
DECLARE
	first integer := coalesce((SELECT max(n) FROM visited), 0);
BEGIN
	-- every user twice
	PERFORM aevon_ingest_batch('distinct', (
		SELECT jsonb_agg(jsonb_build_object('principal', 'all', 'event_id', 'v' || i || '.' || k, 'event_type', 'visit',
			'occurred_at', '2024-05-01 00:00+00'::timestamptz + i * interval '1 second', 'data', jsonb_build_object('user', 'u' || i)))
		FROM generate_series(first + 1, until) i, generate_series(1, 2) k));
	COMMIT;
	INSERT INTO visited SELECT until, value FROM aevon_windows('distinct', 'all', 'users');
	PERFORM aevon_test.sweep();
	INSERT INTO visited SELECT until, value FROM aevon_windows('distinct', 'all', 'users');
END
$$;
CALL pg_temp.visit(1);
CALL pg_temp.visit(255);
CALL pg_temp.visit(256);
CALL pg_temp.visit(257);
CALL pg_temp.visit(1000);
CALL pg_temp.visit(5000);
CALL pg_temp.visit(12000);
CALL pg_temp.visit(100000);
SELECT n, count(*), bool_and(answer = n) AS exact, bool_and(abs(answer - n) <= 0.05 * n) AS within, count(DISTINCT answer) AS answers
FROM visited GROUP BY n ORDER BY n;
-- never more than there are events
SELECT count(*) AS windows, bool_and(value <= event_count) AS possible, bool_and(value = 60) AS exact
FROM aevon_windows('distinct', 'all', 'users', '2024-05-01 00:01+00', '2024-05-02 00:00+00', '1m');
SELECT * FROM aevon_verify('users', 'distinct');
SELECT aevon_drop_rule('users', 'distinct'), aevon_drop_rule('different', 'distinct');
