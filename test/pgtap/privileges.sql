-- Who owns what, and what applications may touch: views and checked functions.
BEGIN;

CREATE TEMP TABLE relations AS
SELECT c.oid, c.relname::text AS name, c.relkind, c.relowner::regrole::text AS owner, c.relacl, c.reloptions
FROM pg_class c
WHERE c.relnamespace = 'aevon'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f');
CREATE TEMP TABLE internals AS
SELECT p.oid, p.proname::text AS name FROM pg_proc p WHERE p.pronamespace = 'aevon'::regnamespace;
CREATE ROLE aevon_test_application;

SELECT plan((15 + 2 * (SELECT count(*) FROM relations) + (SELECT count(*) FROM internals))::integer);

-- the owner
SELECT ok(NOT (r.rolcanlogin OR r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls),
	'aevon_owner cannot log in and has no special power') FROM pg_roles r WHERE r.rolname = 'aevon_owner';
SELECT is_empty($$SELECT 1 FROM pg_auth_members WHERE roleid = 'aevon_owner'::regrole$$, 'aevon_owner has no members');
SELECT is_empty($$SELECT 1 FROM pg_auth_members WHERE member = 'aevon_owner'::regrole$$, 'aevon_owner is a member of nothing');
SELECT is_empty($$SELECT 1 FROM pg_class WHERE relowner = 'aevon_owner'::regrole
	AND relnamespace NOT IN ('aevon'::regnamespace, 'pg_toast'::regnamespace)$$, 'aevon_owner owns nothing elsewhere');
SELECT schema_owner_is('aevon', 'aevon_owner');
SELECT is(r.owner, 'aevon_owner', r.name || ': belongs to aevon_owner') FROM relations r ORDER BY r.name;

-- tables and sequences: nothing for anybody; views: SELECT
SELECT is(
	ARRAY(SELECT p FROM unnest(CASE WHEN r.relkind = 'S' THEN '{SELECT,UPDATE,USAGE}'::text[]
			ELSE '{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}' END) AS p
		  WHERE CASE WHEN r.relkind = 'S' THEN has_sequence_privilege('aevon_test_application', r.oid, p)
			ELSE has_table_privilege('aevon_test_application', r.oid, p)
				OR (p IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
					AND has_any_column_privilege('aevon_test_application', r.oid, p)) END),
	CASE WHEN r.relkind = 'v' THEN '{SELECT}'::text[] ELSE '{}' END,
	r.name || ': what an application may do') FROM relations r ORDER BY r.name;
SELECT is_empty($$SELECT name FROM relations WHERE relkind = 'v' AND coalesce(NOT 'security_barrier=true' = ANY (reloptions), true)$$,
	'all views are security barriers');
SELECT set_eq($$SELECT name FROM relations WHERE relkind = 'v'$$,
	$$SELECT c.relname::text FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
		AND d.deptype = 'e' WHERE c.relkind = 'v' AND c.relnamespace = 'aevon'::regnamespace$$, 'all views are the extension''s');
SELECT ok(has_schema_privilege('aevon_test_application', 'aevon', 'USAGE'), 'names in the schema can be used');
SELECT ok(NOT has_schema_privilege('aevon_test_application', 'aevon', 'CREATE'), 'nothing can be made in the schema');

-- internal functions: those of the views only, and not their queries
SELECT is(has_function_privilege('aevon_test_application', i.oid, 'EXECUTE'), i.name !~ '(^refuse_change|^row_hash|^event_key|_of)$',
	i.name || ': called by views, or by nobody') FROM internals i ORDER BY i.name;

-- default privileges of the schema would open later tables
SELECT is_empty($$SELECT 1 FROM pg_default_acl WHERE defaclnamespace = 'aevon'::regnamespace$$, 'no default privileges');

-- the log refuses change by triggers that always fire, on every part
SELECT is_empty($$SELECT c.relname FROM pg_class c
	WHERE c.relnamespace = 'aevon'::regnamespace
		AND (c.relname IN ('event_log', 'snapshots') OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'aevon.event_log'::regclass))
		AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgfoid = 'aevon.refuse_change'::regproc
						AND t.tgenabled = 'A' AND t.tgtype & 2 > 0 AND t.tgtype & 8 > 0 AND t.tgtype & 16 > 0 AND t.tgtype & 32 > 0)$$,
	'UPDATE, DELETE and TRUNCATE of the log and of snapshots meet an always firing trigger');

-- text keys compare bytewise: no index breaks with the C library's collations
SELECT is_empty($$SELECT i.indrelid::regclass, a.attname FROM pg_index i
	JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
	JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = 'aevon'::regnamespace
	WHERE a.attcollation <> 0 AND a.attcollation <> '"C"'::regcollation$$, 'indexed text is COLLATE "C"');

-- what a dump carries: all tables but what the script fills, and all sequences
SELECT is_empty($$SELECT r.name FROM relations r WHERE r.relkind IN ('r', 'S')
	AND NOT r.oid = ANY (SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'aevon')$$, 'every table and sequence is dumped');
SELECT ok(NOT (SELECT extrelocatable FROM pg_extension WHERE extname = 'aevon'), 'the extension is not relocatable');
SELECT ok(NOT trusted AND superuser, 'only a superuser may create it')
FROM pg_available_extension_versions WHERE name = 'aevon' ORDER BY version DESC LIMIT 1;

SELECT * FROM finish();
ROLLBACK;
