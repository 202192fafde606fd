-- What a rule's dimensions and roll-ups may be, and that a path to an object
-- or an array is noticed where events are there to show it.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
CREATE FUNCTION shape_refusal(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	state := 'ok';
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END
$$;
SELECT aevon_ingest('shape', 'p', 'e' || i, t, '2024-01-01 00:00+00'::timestamptz + i * interval '1 minute', d::jsonb)
FROM (VALUES (1, 'use', '{"s": "x", "o": {"k": 1}, "l": [1, 2], "e": [], "n": null, "ll": [[1]], "nested": {"o": {}}, "c": "secret"}'), (2, 'other', '{"s": {"a": 1}, "q": [1]}')) v (i, t, d);
SELECT aevon_ingest('elsewhere', 'p', 'e1', 'use', '2024-01-01 00:00+00', '{"s": ["not yours"]}');
SELECT path, r.* FROM unnest('{s,o,l,e,n,ll,$.l[0],$.ll[0],$.ll[0][0],$.nested.o,$.nested,$.missing,$.l.size(),$.*}'::text[]) WITH ORDINALITY p (path, i),
	shape_refusal(format('SELECT aevon_define_rule(%L, %L, %L, dimensions => %L, tenant => %L)', 'r' || i, 'use', '{count}', jsonb_build_object('d', path), 'shape')) r ORDER BY i;
BEGIN;
-- every type, all tenants; a type of which there are no events; another tenant
SELECT type, owner, path, r.* FROM (VALUES ('*', 'shape', 's'), ('other', 'shape', 'q'), ('unheard of', 'shape', 'l'), ('use', 'elsewhere', 'o'), ('use', 'elsewhere', 's'), ('use', NULL, 's'), ('use', NULL, 'c')) v (type, owner, path),
	shape_refusal(format('SELECT aevon_define_rule(%L, %L, %L, dimensions => %L, tenant => %L)', 'shaped', type, '{count}', jsonb_build_object('d', path), owner)) r;
ROLLBACK;
-- the same definition again is no new definition: later events do not matter
SELECT aevon_define_rule('kept', 'use', '{count}', dimensions => '{"s": "s"}', tenant => 'shape');
SELECT aevon_ingest('shape', 'p', 'later', 'use', '2024-02-01 00:00+00', '{"s": {"k": 1}}');
SELECT aevon_define_rule('kept', 'use', '{count}', dimensions => '{"s": "s"}', tenant => 'shape');
SELECT r.* FROM shape_refusal($$SELECT aevon_define_rule('kept', 'use', '{count}', filter => '$.a > 1', dimensions => '{"s": "s"}', tenant => 'shape')$$) r;
-- such a value counts as null
SELECT aevon_test.sweep();
SELECT dims, sum(event_count) FROM aevon.pre_aggregates WHERE tenant = 'shape' AND rule = 'kept' AND principal IS NULL GROUP BY 1 ORDER BY 1;

-- roll-ups
SELECT rollups, r.* FROM unnest(ARRAY['{a,b}', '{b,a}', '{}', '{a}', '{c}', '{a,a}', '{NULL}', '{a,NULL}', '{""}', '{A}', '{{a},{b}}']) WITH ORDINALITY n (rollups, i),
	shape_refusal(format('SELECT aevon_define_rule(%L, %L, %L, dimensions => %L, tenant => %L, rollups => %L)', 'rolled', 'use', '{count}', '{"a": "a", "b": "b"}', 'shape', rollups)) r ORDER BY i;
SELECT r.version, r.rollups, count(*) OVER (PARTITION BY r.measure_key) AS sharing FROM aevon.rules r JOIN aevon.tenants t USING (tenant_key) WHERE tenant = 'shape' AND name = 'rolled' ORDER BY version;
-- one dimension rolled up is the rule's combinations, so that is no roll-up
SELECT aevon_define_rule('single', 'use', '{count}', dimensions => '{"a": "a"}', rollups => '{a}', tenant => 'shape');
SELECT aevon_define_rule('single', 'use', '{count}', dimensions => '{"a": "a"}', tenant => 'shape');
-- names of operators are names of dimensions like any other
SELECT aevon_define_rule('names', 'use', '{count}', 'n', dimensions => '{"a": "a", "sum": "b"}', rollups => '{a,sum}', tenant => 'shape');
SELECT aevon_define_rule('names', 'use', '{sum,count}', 'n', dimensions => '{"a": "a", "sum": "b"}', rollups => '{a}', tenant => 'shape');
-- but not the mark of the group of what is folded together
SELECT r.* FROM shape_refusal($$SELECT aevon_define_rule('marked', 'use', '{count}', dimensions => '{"a": "a", "__other__": "b"}', tenant => 'shape')$$) r;
SELECT r.* FROM shape_refusal($$SELECT aevon_define_rule('marked', 'use', '{count}', dimensions => '{"a": "a", "principal": "b"}', tenant => 'shape')$$) r;
-- sixteen dimensions are the most
SELECT n, r.state, r.detail FROM generate_series(15, 17) n, LATERAL (SELECT jsonb_object_agg('d' || lpad(i::text, 2, '0'), '$.d' || i) AS d FROM generate_series(1, n) i) x,
	shape_refusal(format('SELECT aevon_define_rule(%L, %L, %L, dimensions => %L, tenant => %L, rollups => %L)', 'wide', 'use', '{count}', d, 'shape', '{}')) r;
-- from a file: one, a list, none, and not said
COPY (SELECT E'[{name: f1, rollups: a}, {name: f2, rollups: [b, a]}, {name: f3, rollups: []}, {name: f4}, {name: f5, rollups: ~}]')
	TO PROGRAM 'rm -rf rollup_files && mkdir rollup_files && sed "s/name/source_event: use, operator: count, tenant: shape, dimensions: {a: a, b: b}, name/g" > rollup_files/a.yaml';
SELECT name, version FROM aevon_load_rules('rollup_files') l (name, version, changed);
SELECT r.name, r.rollups FROM aevon.rules r JOIN aevon.tenants t USING (tenant_key) WHERE tenant = 'shape' AND name ~ '^f.$' ORDER BY 1;
COPY (SELECT 'name: f6') TO PROGRAM 'sed "s/name/source_event: use\noperator: count\ndimensions: {a: a, b: b}\nrollups: {a: b}\nname/" > rollup_files/a.yaml';
SELECT aevon_test.try($$SELECT * FROM aevon_load_rules('rollup_files')$$);
SELECT aevon_test.sweep();
SELECT * FROM aevon_test.dimension_differences('shape');
SELECT aevon_drop_rule(name, 'shape') FROM (SELECT DISTINCT name FROM aevon.rules r JOIN aevon.tenants t USING (tenant_key) WHERE tenant = 'shape' AND state <> 'retired') x;
