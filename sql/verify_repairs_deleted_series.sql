-- A series whose row is deleted, and that a sweep makes again meanwhile, is mended,
-- also for a session that remembers the row that was; so is what an ended version
-- of a rule keeps.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SET aevon.max_future = -1;
SELECT aevon_define_rule('lost', 'use', '{sum}', 'n', tenant => 'lost');
CREATE FUNCTION pg_temp.send(name text, count int) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(aevon_ingest('lost', 'p', name || i, 'use', '2024-05-01 20:00+00'::timestamptz + i * interval '7 minutes', jsonb_build_object('n', i)))
	FROM generate_series(1, count) i
$$;
CREATE FUNCTION pg_temp.lose(of_version int) RETURNS void LANGUAGE sql AS $$
	DELETE FROM aevon.series s USING aevon.rules r JOIN aevon.tenants t USING (tenant_key)
	WHERE s.measure_key = r.measure_key AND t.tenant = 'lost' AND r.version = of_version
$$;
CREATE FUNCTION pg_temp.total(subject text) RETURNS numeric LANGUAGE sql AS $$
	SELECT (stats ->> 'sum')::numeric FROM aevon_windows('lost', subject, 'lost')
$$;
SELECT pg_temp.send('a', 100);
SELECT aevon_test.sweep();
SELECT pg_temp.total('p') AS value, pg_temp.total(NULL) AS whole;
SELECT pg_temp.lose(1);
SELECT pg_temp.send('b', 10);
SELECT aevon_test.sweep();
SELECT what, count(*) > 0 AS any, bool_and(repaired) AS repaired FROM aevon_verify(tenant => 'lost', repair => true) GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM aevon_verify(tenant => 'lost');
SELECT pg_temp.total('p') AS value, pg_temp.total(NULL) AS whole, sum((data ->> 'n')::int) AS recount
FROM aevon.events WHERE tenant = 'lost';
-- of an ended version
SELECT aevon_define_rule('lost', 'use', '{max}', 'n', filter => '$.n > 1', tenant => 'lost');
SELECT aevon_test.sweep();
SELECT version, state FROM aevon.rule_versions WHERE tenant = 'lost' ORDER BY 1;
SELECT pg_temp.lose(1);
SELECT version, count(*) > 0 AS any, bool_or(repaired) AS repaired FROM aevon_verify(tenant => 'lost') GROUP BY 1;
SELECT version, count(*) > 0 AS any, bool_and(repaired) AS repaired FROM aevon_verify(tenant => 'lost', repair => true) GROUP BY 1;
SELECT count(*) FROM aevon_verify(tenant => 'lost');
SELECT count(*) FROM aevon_test.differences('lost', zones => '{UTC}');
-- values of a series that are not those of its digest
SELECT aevon_define_rule('parted', 'use', '{sum}', 'n', dimensions => '{"k": "k"}', tenant => 'lost');
SELECT count(aevon_ingest('lost', principal, 'k' || i, 'use', '2024-05-02 20:00+00'::timestamptz + i * interval '7 minutes', jsonb_build_object('n', i, 'k', chr(97 + i % 2))))
FROM generate_series(1, 100) i, unnest('{p,q}'::text[]) principal;
SELECT aevon_test.sweep();
CREATE FUNCTION pg_temp.values_changed(other jsonb) RETURNS TABLE (before boolean, repaired boolean, after bigint, same boolean) LANGUAGE plpgsql AS $$
DECLARE
	was text := (SELECT string_agg(w::text, ' ' ORDER BY w::text) FROM aevon_windows('lost', 'p', 'parted', group_by => '{k}') w);
BEGIN
	UPDATE aevon.series s SET dims = other FROM aevon.rules r JOIN aevon.tenants t USING (tenant_key)
	WHERE s.measure_key = r.measure_key AND t.tenant = 'lost' AND r.name = 'parted' AND s.dims = '{"k": "a"}';
	SELECT count(*) > 0 INTO before FROM aevon_verify(tenant => 'lost');
	SELECT bool_and(v.repaired) INTO repaired FROM aevon_verify(tenant => 'lost', repair => true) v;
	SELECT count(*) INTO after FROM aevon_verify(tenant => 'lost');
	same := was = (SELECT string_agg(w::text, ' ' ORDER BY w::text) FROM aevon_windows('lost', 'p', 'parted', group_by => '{k}') w);
	RETURN NEXT;
END
$$;
SELECT other, c.* FROM unnest('{"{\"k\": \"z\"}","{\"k\": \"b\"}","{}","3"}'::jsonb[]) other, pg_temp.values_changed(other) c;
