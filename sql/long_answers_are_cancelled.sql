-- An answer of very many windows ends when its statement is cancelled, not when
-- it is complete.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT max(aevon_define_rule('long' || i, 'long', '{count,sum,min,max,avg}', 'n', '$.n >= ' || i, tenant => 'long_answer')) FROM generate_series(1, 20) i;
SELECT aevon_ingest('long_answer', 'p', 'e1', 'long', '2024-01-01 00:00+00', '{"n": 5}');
CREATE FUNCTION took(question text, of_rule text) RETURNS interval LANGUAGE plpgsql AS $$
DECLARE
	start timestamptz := clock_timestamp();
BEGIN
	EXECUTE format(question, quote_nullable(of_rule));
	RETURN clock_timestamp() - start;
EXCEPTION WHEN query_canceled THEN
	RETURN start - clock_timestamp();
END $$;
-- one rule of twenty tells how long all of them would take: it ends in a fifth of that
\set question '$$SELECT aevon_state(''long_answer'', ''p'', %s, ''2024-01-01 00:00+00'', ''2024-03-10 00:00+00'', ''1m'')$$'
SELECT took(:question, 'long7') * 20 AS whole \gset
SET statement_timeout = '300ms';
SELECT took(:question, NULL) AS took \gset
RESET statement_timeout;
SELECT :'whole'::interval > '0' AS answered, :'took'::interval < '0' AS cancelled, - :'took'::interval < :'whole'::interval / 5 AS in_time;
\set question '$$SELECT count(*) FROM aevon_windows(''long_answer'', ''p'', %s, ''2024-01-01 00:00+00'', ''2024-03-10 00:00+00'', ''1m'')$$'
SELECT took(:question, 'long7') * 20 AS whole \gset
SET statement_timeout = '300ms';
SELECT took(:question, NULL) AS took \gset
RESET statement_timeout;
SELECT :'whole'::interval > '0' AS answered, :'took'::interval < '0' AS cancelled, - :'took'::interval < :'whole'::interval / 5 AS in_time;
SELECT count(*) FROM (SELECT aevon_drop_rule('long' || i, 'long_answer') FROM generate_series(1, 20) i OFFSET 0) x;
