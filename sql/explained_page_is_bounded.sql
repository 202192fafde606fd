-- However many events have the same time, a page of the explanation takes the
-- memory of a page, and pages follow one another by principal and id.
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT aevon_define_rule('n', 'x', '{sum}', 'v', tenant => 'at_once');
SET aevon.clock = '2024-03-02 00:05+00';
SELECT accepted FROM aevon_ingest_batch('at_once', (SELECT jsonb_agg(jsonb_build_object('principal', 'p' || i % 7, 'event_id', 'e' || i * 7919 % 60013,
	'event_type', 'x', 'occurred_at', '2024-03-01 00:00+00', 'data', '{"v": 1}'::jsonb)) FROM generate_series(1, 60000) i));
SELECT aevon_void('at_once', 'p' || i % 7, 'e' || i * 7919 % 60013, 'wrong') FROM generate_series(1, 3) i;
SELECT aevon_snapshot() >= 8 AS taken;
\c -
SET timezone = 'UTC';
-- kilobytes; NULL on systems that do not tell
CREATE FUNCTION pg_temp.peak() RETURNS bigint LANGUAGE sql AS
$$SELECT substring(pg_read_file('/proc/self/status', 0, 100000, true) FROM 'VmPeak:\s+(\d+)')::bigint$$;
SELECT count(*) FROM aevon_explain('at_once', 'p1', 'n', '2024-03-02');
SELECT pg_temp.peak() AS before \gset
SELECT count(*) FROM aevon_explain('at_once', NULL, 'n', '2024-03-01', max_rows => 1);
SELECT coalesce(pg_temp.peak() - :before < 8000, true) AS little;
-- pages far larger than what is kept beside them, and smaller
CREATE VIEW pg_temp.expected AS
SELECT principal, event_id, row_number() OVER (ORDER BY principal COLLATE "C", event_id COLLATE "C") AS n
FROM aevon.events WHERE tenant = 'at_once';
SELECT size, count(*), count(*) FILTER (WHERE (e.principal, e.event_id) = (x.principal, x.event_id)) AS in_place
FROM unnest('{3,1000,20000}'::int[]) size,
	LATERAL (SELECT * FROM aevon_explain('at_once', NULL, 'n', '2024-03-01', max_rows => size) WITH ORDINALITY) AS e
	JOIN pg_temp.expected x ON x.n = e.ordinality
GROUP BY size ORDER BY size;
SELECT count(*), count(*) FILTER (WHERE (e.principal, e.event_id) = (x.principal, x.event_id)) AS in_place
FROM aevon_explain('at_once', NULL, 'n', '2024-03-01', max_rows => 500,
	after => (SELECT "position" FROM aevon_explain('at_once', NULL, 'n', '2024-03-01', max_rows => 7000) OFFSET 6999)) WITH ORDINALITY AS e
	JOIN pg_temp.expected x ON x.n = e.ordinality + 7000;
SELECT aevon_drop_rule('n', 'at_once');
