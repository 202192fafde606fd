-- A search_path that leads with somebody's own operators, functions, types and
-- tables calls none of them, whoever calls, and changes no answer.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
CREATE ROLE regress_mallory;
CREATE SCHEMA planted AUTHORIZATION regress_mallory;
SET ROLE regress_mallory;
CREATE SEQUENCE planted.calls;
-- each kind of operator that comparisons of ours could resolve to
DO $$
DECLARE
	kind text;
	op text;
BEGIN
	FOREACH kind IN ARRAY '{text,integer,bigint,boolean,bytea,timestamptz,jsonb,numeric,name,oid}'::text[] LOOP
		EXECUTE format('CREATE FUNCTION planted.compare(%1$s, %1$s) RETURNS boolean LANGUAGE sql AS '
			'''SELECT pg_catalog.nextval(''''planted.calls'''') > 0''', kind);
		FOREACH op IN ARRAY '{=,<>,<,<=,>,>=}'::text[] LOOP
			EXECUTE format('CREATE OPERATOR planted.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = planted.compare)', op, kind, kind);
		END LOOP;
	END LOOP;
END
$$;
CREATE FUNCTION planted.nextval(text) RETURNS bigint LANGUAGE sql AS $$SELECT pg_catalog.nextval('planted.calls')$$;
CREATE FUNCTION planted.nextval(regclass) RETURNS bigint LANGUAGE sql AS $$SELECT pg_catalog.nextval('planted.calls')$$;
CREATE FUNCTION planted.now() RETURNS timestamptz LANGUAGE sql AS $$SELECT pg_catalog.to_timestamp(pg_catalog.nextval('planted.calls'))$$;
CREATE FUNCTION planted.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$SELECT pg_catalog.to_timestamp(pg_catalog.nextval('planted.calls'))$$;
CREATE FUNCTION planted.encode(bytea, text) RETURNS text LANGUAGE sql AS $$SELECT pg_catalog.nextval('planted.calls')::pg_catalog.text$$;
CREATE TABLE planted.event_log AS SELECT 1 AS stamp;
CREATE TABLE planted.rules AS SELECT 1 AS rule_key;
CREATE DOMAIN planted.jsonb AS text CHECK (pg_catalog.nextval('planted.calls') < 0);
RESET ROLE;
CREATE TEMP TABLE grants (tenant text, role regrole, privilege text);
CREATE FUNCTION pg_temp.called() RETURNS boolean LANGUAGE sql SET search_path = pg_catalog AS $$SELECT is_called FROM planted.calls$$;
CREATE TABLE staged (principal text, event_id text, event_type text, occurred_at timestamptz, data pg_catalog.jsonb);
INSERT INTO staged VALUES ('p', 'staged', 'use', '2024-01-01 00:00+00', '{"n": 100}');
GRANT SELECT ON staged TO regress_mallory;
SELECT aevon_grant('planted', 'regress_mallory', p) FROM unnest('{ingest,read,operate}'::text[]) p;

-- as a role that has planted them, and as a superuser who was lured
CREATE FUNCTION pg_temp.use_everything(mark text) RETURNS text
	LANGUAGE plpgsql
	AS $body$
BEGIN
	PERFORM public.aevon_define_rule('r', 'use', '{count,sum,last}', 'n', '$.n > 0', tenant => 'planted');
	PERFORM public.aevon_ingest('planted', 'p', mark, 'use', '2024-01-01 00:00+00', '{"n": 1}');
	PERFORM public.aevon_ingest('planted', 'p', mark, 'use', '2024-01-01 00:00+00', '{"n": 1}');
	PERFORM public.aevon_ingest_batch('planted', '[{"principal": "q", "event_id": "b", "event_type": "use", "occurred_at": "2024-01-01T00:00:00Z", "data": {"n": 10}}]');
	PERFORM public.aevon_ingest_batch('planted', '[{"principal": "", "event_id": "b", "event_type": "use"}]', 'reject');
	PERFORM public.aevon_ingest_from('public.staged', 'planted');
	PERFORM public.aevon_events('planted', 'p', '2024-01-01', '2024-01-02');
	PERFORM public.aevon_windows('planted', 'p', 'r', '2024-01-01 00:00:00.5', '2024-01-02', '1h');
	PERFORM public.aevon_grant('planted', 'regress_mallory', 'void');
	PERFORM public.aevon_revoke('planted', 'regress_mallory', 'void');
	PERFORM public.aevon_define_rule('gone', 'use', '{count}', tenant => 'planted');
	PERFORM public.aevon_drop_rule('gone', 'planted');
	RETURN public.aevon_state('planted', NULL, 'r') #>> '{rules,r,values,0,stats}';
END
$body$;
GRANT EXECUTE ON FUNCTION pg_temp.use_everything(text) TO regress_mallory;
SET ROLE regress_mallory;
SET search_path = planted, pg_temp, pg_catalog, public;
SELECT pg_temp.use_everything('one');
SELECT tenant, principal, event_id FROM aevon.events ORDER BY event_id USING OPERATOR(pg_catalog.<);
SELECT rule, version, state FROM aevon.rule_versions ORDER BY rule, version;
SELECT rule, tail_events FROM aevon.status;
SELECT sqlstate FROM aevon.rejected_events;
RESET ROLE;
SELECT pg_temp.use_everything('two');
SELECT more FROM aevon_sweep();
SELECT pg_temp.use_everything('two');
SELECT principal, event_count FROM aevon.pre_aggregates WHERE tenant OPERATOR(pg_catalog.=) 'planted' ORDER BY event_count USING OPERATOR(pg_catalog.<), principal USING OPERATOR(pg_catalog.<);
SELECT pg_temp.called() AS called;
-- they do bite
SELECT 'a'::text = 'b'::text AS equal;
SELECT pg_temp.called() AS called;

RESET search_path;
SELECT * FROM aevon_test.recount('planted');
SELECT aevon_revoke('planted', 'regress_mallory', p) FROM unnest('{ingest,read,operate}'::text[]) p;
DROP TABLE staged;
SET client_min_messages = warning;
DROP SCHEMA planted CASCADE;
DROP OWNED BY regress_mallory;
DROP ROLE regress_mallory;
