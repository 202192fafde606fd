-- No byte of a series' open minutes can be changed so that verification finds
-- nothing and the next sweep goes wrong.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SET aevon.max_future = -1;
SET aevon.open_minutes = 64;
SELECT aevon_define_rule('plain', 'use', '{sum,last}', 'n', tenant => 'bytes'),
	aevon_define_rule('sketched', 'use', '{p50,distinct}', 'n', tenant => 'bytes');
CREATE FUNCTION pg_temp.send(name text, minutes int[]) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(aevon_ingest('bytes', 'p', name || minute, 'use', '2024-05-01 20:00+00'::timestamptz + minute * interval '1 minute', jsonb_build_object('n', minute)))
	FROM unnest(minutes) minute
$$;
SELECT pg_temp.send('a', '{1,5,9}');
SELECT aevon_test.sweep();
SELECT pg_temp.send('b', '{3,5,9,12}');
SELECT aevon_test.sweep();
-- older minutes, the newest and a later one wait to be put to them
SELECT pg_temp.send('c', '{2,12,14}');
-- each byte of the rows of p, raised by so much: is it found at once, and if not, does a sweep go right?
CREATE FUNCTION pg_temp.outcome(key bigint, place int, by int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	BEGIN
		UPDATE aevon.series SET open_minutes = set_byte(open_minutes, place, (get_byte(open_minutes, place) + by) & 255) WHERE series_key = key;
		result := 'found';
		IF NOT EXISTS (SELECT FROM aevon_verify(tenant => 'bytes')) THEN
			PERFORM aevon_sweep();
			result := CASE WHEN EXISTS (SELECT FROM aevon_verify(tenant => 'bytes')) THEN 'found late' ELSE 'harmless' END;
		END IF;
		RAISE EXCEPTION SQLSTATE 'AE001' USING MESSAGE = result;
	EXCEPTION
		WHEN SQLSTATE 'AE001' THEN RETURN SQLERRM;
		WHEN data_corrupted THEN RETURN 'sweep fails';
	END;
END
$$;
CREATE TABLE outcomes AS
	SELECT r.name, place, by, pg_temp.outcome(s.series_key, place, by) AS outcome
	FROM aevon.rules r JOIN aevon.tenants t USING (tenant_key) JOIN aevon.series s USING (measure_key),
		generate_series(0, octet_length(s.open_minutes) - 1) place, unnest('{1,3,255}'::int[]) by
	WHERE t.tenant = 'bytes' AND s.subject_key > 0;
SELECT name, count(*) > 250 AS many, count(*) FILTER (WHERE outcome = 'found') > 0.9 * count(*) AS found FROM outcomes GROUP BY 1 ORDER BY 1;
SELECT * FROM outcomes WHERE outcome NOT IN ('found', 'harmless') ORDER BY 1, 2, 3;
-- bytes behind the last minute
BEGIN;
UPDATE aevon.series s SET open_minutes = s.open_minutes || '\x00' FROM aevon.rules r JOIN aevon.tenants t USING (tenant_key)
WHERE s.measure_key = r.measure_key AND t.tenant = 'bytes' AND r.name = 'plain' AND s.subject_key > 0;
SELECT what, stored FROM aevon_verify(tenant => 'bytes');
ROLLBACK;
SELECT aevon_test.sweep();
SELECT count(*) FROM aevon_verify(tenant => 'bytes');
SELECT count(*) FROM aevon_test.differences('bytes', zones => '{UTC}');
DROP TABLE outcomes;
