-- One bad file: a clear error naming file and line, and nothing changed.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
\set SHOW_CONTEXT never
-- a file below the server's data directory, byte by byte
CREATE FUNCTION write_file(name text, content bytea) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	object oid := lo_from_bytea(0, content);
BEGIN
	PERFORM lo_export(object, name);
	PERFORM lo_unlink(object);
END
$$;
CREATE FUNCTION refusal(command text, OUT state text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	state := 'ok';
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END
$$;
CREATE FUNCTION load(content bytea, OUT state text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM write_file('bad_rule_files/rules.yaml', content);
	SELECT r.* INTO state, message, detail, hint FROM refusal('SELECT aevon_load_rules(''bad_rule_files'')') r;
END
$$;
COPY (SELECT 1) TO PROGRAM 'rm -rf bad_rule_files && mkdir bad_rule_files';
SELECT write_file('bad_rule_files/a_good.yaml', '{name: good, event_type: use, operator: count, tenant: bad_rule_files}');
CREATE TEMP TABLE files (i serial, content text);
INSERT INTO files (content) VALUES
	-- not YAML
	('name: [a'), (E'name: a\n  b: c'), (E'name: a\n\tevent_type: b'), ('name: "a'), ('%YAML 9.9'), ('{{{{'), ('name: @a'),
	('a: &x b' || E'\nc: *x'), ('name: *'), ('name: "a\x00b"'), (repeat('[', 1000000)), ('?'),
	-- not a rule
	('word'), ('- word'), (E'- name: a\n  event_type: use\n  operator: count\n- 5'), ('[[]]'), ('- - name: a'), ('[1, 2]'), ('{}'), (E'---\n---\n- {}'),
	('name: a'), (E'name: a\nevent_type: use'), (E'event_type: use\noperator: count'), (E'name: a\noperator: count'),
	(E'name:\nevent_type: use\noperator: count'), (E'name: a\nevent_type: ~\noperator: count'), (E'name: a\nevent_type: use\noperator: null'),
	-- keys
	(E'name: a\nevent_type: use\noperator: count\nfoo: bar'), (E'name: a\nname: b'), (E'event_type: a\nsource_event: b'),
	(E'operator: sum\noperators: [sum]'), (E'value: a\nfield: b'), (E'Name: a'), (E'? [a]\n: b'), (E'~: b'), (E'1: b'),
	-- types
	(E'name: [a]'), (E'name: {a: b}'), (E'event_type:\n- a'), (E'operator: {a: b}'), (E'operator: [[sum]]'), (E'operators:\n- sum\n- {a: b}'),
	(E'field: [a]'), (E'filter: {}'), (E'tenant: []'), (E'dimensions: a'), (E'dimensions: [a]'), (E'dimensions: {a: [b]}'),
	(E'dimensions:\n  a: $.a\n  ? [b]\n  : c'), (E'dimensions:\n  a: $.a\n  a: $.b'), (E'dimensions: {a: ~}'),
	-- what no rule may be
	(E'# first\n\nname: a@b\nevent_type: use\noperator: count'), (E'name: a\nevent_type: use\noperator: total'), (E'name: a\nevent_type: use\noperators: []'),
	(E'name: a\nevent_type: use\noperators: [count, ~]'), (E'name: a\nevent_type: use\noperators: [count, count]'),
	(E'name: a\nevent_type: use\noperator: sum'), (E'name: a\nevent_type: use\noperator: sum\nfield: $.a['), (E'name: a\nevent_type: use\noperator: p100\nfield: a'),
	(E'name: a\nevent_type: use\noperator: count\nfilter: $.a.datetime() > 1'), (E'name: a\nevent_type: use\noperator: count\ndimensions: {a: $}'),
	(E'name: ""\nevent_type: use\noperator: count'), (E'name: a\nevent_type: use\noperator: count\ntenant: "*"'),
	('name: ' || repeat('x', 256) || E'\nevent_type: use\noperator: count'),
	-- twice
	(E'- {name: a, event_type: use, operator: count, tenant: t}\n\n- {name: a, event_type: use, operator: count, tenant: t}'),
	(E'{name: good, event_type: use, operator: count, tenant: bad_rule_files}'),
	-- too large
	(repeat('#', 1024 * 1024 + 1)), (repeat(E'[]\n---\n', 140000));
\pset format unaligned
\x on
SELECT left(content, 60) AS content, r.* FROM files, load(convert_to(content, 'UTF8')) r ORDER BY i;
SELECT content, r.* FROM unnest(ARRAY['\x6e616d653a20ff', '\xfffe6e0061006d0065003a0020006100', '\x6e616d653a20610062', '\xefbbbf2d20ff', '\xff']::bytea[]) WITH ORDINALITY AS f (content, i), load(content) r ORDER BY i;
-- places that cannot be read
COPY (SELECT 1) TO PROGRAM 'ln -s nowhere bad_rule_files/rules.yml; ln -s loop bad_rule_files/loop';
SELECT r.* FROM unnest('{NULL,"",no/such/directory,PG_VERSION,bad_rule_files,bad_rule_files/loop}'::text[]) WITH ORDINALITY AS d (directory, i),
	refusal(format('SELECT aevon_load_rules(%L)', directory)) r
ORDER BY i;
SELECT state, hint FROM refusal(format('SELECT aevon_load_rules(%L)', repeat('x', 10000)));
COPY (SELECT 1) TO PROGRAM 'rm bad_rule_files/rules.yml && ln -s rules.yml bad_rule_files/rules.yml';
SELECT * FROM refusal('SELECT aevon_load_rules(''bad_rule_files'')');
\x off
\pset format aligned
-- nothing changed
SELECT count(*) FROM aevon.rule_versions WHERE tenant = 'bad_rule_files';
COPY (SELECT 1) TO PROGRAM 'rm -rf bad_rule_files/rules.y*ml';
SELECT * FROM aevon_load_rules('bad_rule_files');
SELECT aevon_drop_rule('good', 'bad_rule_files');
DROP FUNCTION load(bytea);
DROP FUNCTION refusal(text);
DROP FUNCTION write_file(text, bytea);
COPY (SELECT 1) TO PROGRAM 'rm -rf bad_rule_files';
