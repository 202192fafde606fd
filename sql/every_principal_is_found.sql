-- However many principals a tenant has and however odd their names, each is
-- found, before and after a sweep.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_define_rule('use', 'use', '{count,sum}', 'n', tenant => 'every_principal');
SELECT accepted FROM aevon_ingest_batch('every_principal', (
	SELECT jsonb_agg(jsonb_build_object('principal', 'principal ' || i, 'event_id', 'e',
		'event_type', 'use', 'occurred_at', '2024-01-01 00:00+00', 'data', jsonb_build_object('n', i)))
	FROM generate_series(1, 2500) i));
CREATE TEMP TABLE odd (n integer, name text);
INSERT INTO odd VALUES
	(1, 'a'), (2, 'A'), (3, ' a'), (4, 'a '), (5, 'ä'), (6, 'ä'), (7, 'O''Brien'),
	(8, '"quoted"'), (9, 'back\slash'), (10, '%'), (11, '*'), (12, '@'), (13, 'NULL'), (14, '{}'),
	(15, '日本'), (16, '😀'), (17, repeat('x', 255)), (18, repeat('😀', 255)), (19, '0'), (20, '-1');
SELECT aevon_ingest('every_principal', name, 'e', 'use', '2024-01-01 00:00+00', jsonb_build_object('n', n))
FROM odd GROUP BY 1;

CREATE FUNCTION pg_temp.found(OUT principals bigint, OUT right_ones bigint, OUT odd_ones bigint,
		OUT whole_tenant bigint)
	LANGUAGE sql
	AS $$
	SELECT count(*), count(*) FILTER (WHERE w.event_count = 1
			AND w.value = 1 AND w.stats = jsonb_build_object('count', 1, 'sum', e.data -> 'n')),
		count(*) FILTER (WHERE e.principal IN (SELECT name FROM odd)),
		(SELECT event_count FROM aevon_windows('every_principal'))
	FROM aevon.events e
	CROSS JOIN LATERAL aevon_windows('every_principal', e.principal, 'use') w
	WHERE e.tenant = 'every_principal'
$$;
SELECT * FROM pg_temp.found();
SELECT aevon_test.sweep();
SELECT * FROM pg_temp.found();

-- nobody is found as nothing
SELECT * FROM aevon_windows('every_principal', 'principal 0', 'use');
