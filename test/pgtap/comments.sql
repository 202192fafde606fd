-- Everything public explains itself: functions, tables, views, columns,
-- settings.
BEGIN;

-- settings are there once the library is loaded
LOAD 'aevon';

CREATE TEMP TABLE objects (name text, comment text);
INSERT INTO objects
SELECT p.oid::regprocedure::text, obj_description(p.oid, 'pg_proc')
FROM pg_proc p
JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'aevon';
INSERT INTO objects
SELECT c.oid::regclass::text, obj_description(c.oid, 'pg_class')
FROM pg_class c WHERE c.relnamespace = 'aevon'::regnamespace AND c.relkind IN ('r', 'p', 'v');
INSERT INTO objects
SELECT c.oid::regclass::text || '.' || a.attname, col_description(c.oid, a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'aevon'::regnamespace AND c.relkind IN ('r', 'p', 'v');
INSERT INTO objects VALUES ('aevon', obj_description('aevon'::regnamespace, 'pg_namespace'));
INSERT INTO objects
SELECT 'setting ' || name, short_desc FROM pg_settings WHERE name LIKE 'aevon.%'
UNION ALL
SELECT 'setting ' || name || ', more', extra_desc FROM pg_settings WHERE name LIKE 'aevon.%';

SELECT plan(9);
SELECT cmp_ok((SELECT count(*) FROM objects), '>', 200::bigint, 'there is something to explain');
SELECT is_empty($$SELECT name FROM objects WHERE coalesce(btrim(comment), '') = ''$$, 'every object has a comment');
SELECT is_empty($$SELECT name, comment FROM objects WHERE length(comment) < 8$$, 'that says something');
SELECT is_empty($$SELECT name, comment FROM objects WHERE comment !~ '[.)]$'$$, 'in sentences');
SELECT is_empty($$SELECT name FROM objects WHERE comment ~* 'todo|fixme|xxx'$$, 'and is finished');

-- a function's says what it takes, gives and raises
SELECT is_empty($$SELECT name FROM objects WHERE name LIKE 'aevon\_%' AND name LIKE '%(%' AND name NOT LIKE '%()' AND comment !~ E'\nArguments: |\nErrors: those of aevon_grant'$$, 'functions: their arguments');
SELECT is_empty($$SELECT name FROM objects WHERE name LIKE 'aevon\_%' AND name LIKE '%(%' AND comment !~ 'Errors: '$$, 'functions: their errors');
SELECT is_empty($$SELECT o.name FROM objects o JOIN pg_proc p ON p.oid::regprocedure::text = o.name
	WHERE o.name LIKE 'aevon\_%' AND p.prorettype <> 'void'::regtype AND o.comment !~ E'\nResult: '$$, 'functions: their result');
-- and names every argument
SELECT is_empty($$SELECT o.name, a.name FROM objects o JOIN pg_proc p ON p.oid::regprocedure::text = o.name
	CROSS JOIN LATERAL unnest(p.proargnames[1:p.pronargs]) AS a (name)
	WHERE o.name LIKE 'aevon\_%' AND o.comment !~ ('\m' || a.name || '\M') AND o.comment !~ 'those of aevon_(state|grant)'$$, 'functions: each argument by name');

SELECT * FROM finish();
ROLLBACK;
