-- Rules from YAML files: every form, idempotent, changed ones as new versions.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
-- a file below the server's data directory
CREATE FUNCTION write_file(name text, content text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	object oid := lo_from_bytea(0, convert_to(content, 'UTF8'));
BEGIN
	PERFORM lo_export(object, name);
	PERFORM lo_unlink(object);
	RETURN name;
END
$$;
COPY (SELECT 1) TO PROGRAM 'rm -rf rule_files && mkdir -p rule_files/sub.yaml';
SELECT * FROM aevon_load_rules('rule_files');
SELECT write_file('rule_files/b.yml', $$# a list
- name: two
  source_event: use
  operators: [sum, count]
  field: n
  tenant: rule_files
- {name: three, event_type: '*', operator: count, tenant: rule_files,
   filter: '$.n > 5 && $.ok == true'}
- name: "four"
  event_type: use
  operators:
    - min
    - max
  value: >
    $.n
  filter:
  dimensions: {}
  tenant: rule_files
$$);
SELECT write_file('rule_files/a.yaml', $$---
name: one
source_event: use
operator: last
field: '$.n'
tenant: rule_files
...
---
# nothing here
---
tenant: rule_files
operator:   avg
field: 'strict $.n ? (@ > 0)'
name: été
source_event: "utilisé"
$$);
-- these are not rule files
SELECT write_file('rule_files/' || name, 'not a rule') FROM unnest('{.hidden.yaml,notes.txt,yaml,old.yaml~}'::text[]) AS name;
SELECT * FROM aevon_load_rules('rule_files');
SELECT rule, version, event_type, operators, value, filter, dimensions, state
FROM aevon.rule_versions WHERE tenant = 'rule_files' ORDER BY rule, version;

-- again: no change
SELECT * FROM aevon_load_rules('rule_files');
-- written otherwise, but the same
SELECT write_file('rule_files/a.yaml', $$
- {name: one, event_type: use, operators: [last], value: "$  . n", tenant: rule_files}
- {name: "\u00e9t\u00e9", event_type: utilisé, operators: [avg], value: 'strict $."n"?(@>0)', tenant: rule_files}
$$);
SELECT * FROM aevon_load_rules('rule_files');
-- one changed, one gone from the files: it stays
SELECT write_file('rule_files/b.yml', $$
{name: two, source_event: use, operators: [count, sum], field: n, tenant: rule_files}
$$);
SELECT * FROM aevon_load_rules('rule_files');
SELECT rule, version, operators, state FROM aevon.rule_versions
WHERE tenant = 'rule_files' AND rule IN ('two', 'three') ORDER BY rule, version;

-- they answer
SELECT aevon_ingest('rule_files', 'p', 'e' || n, 'use', '2024-01-01 00:00+00', jsonb_build_object('n', n, 'ok', n > 6))
FROM generate_series(5, 8) n;
SELECT rule, value FROM aevon_windows('rule_files', 'p') ORDER BY rule;

-- for one tenant and for all, by the same name
BEGIN;
SELECT write_file('rule_files/b.yml', $$
- {name: same, event_type: use, operator: count, tenant: rule_files}
- {name: same, event_type: use, operator: count}
$$);
SELECT * FROM aevon_load_rules('rule_files');
ROLLBACK;

-- a member of pg_read_server_files who may operate on all tenants
CREATE ROLE rule_loader;
SELECT aevon_grant('*', 'rule_loader', 'operate');
GRANT pg_read_server_files TO rule_loader;
SELECT write_file('rule_files/b.yml', $$
- {name: loaded, event_type: use, operator: count, tenant: rule_files}
$$);
SET ROLE rule_loader;
SELECT * FROM aevon_load_rules('rule_files');
RESET ROLE;
SELECT rule, defined_by FROM aevon.rule_versions WHERE tenant = 'rule_files' AND rule = 'loaded';
SELECT aevon_revoke('*', 'rule_loader', 'operate');
DROP ROLE rule_loader;
SELECT count(aevon_drop_rule(rule, tenant)) FROM aevon.rule_versions WHERE tenant = 'rule_files' AND state = 'active';
DROP FUNCTION write_file(text, text);
COPY (SELECT 1) TO PROGRAM 'rm -rf rule_files';
