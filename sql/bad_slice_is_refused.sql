-- Questions about dimensions that make no sense, and what bounds the others.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_define_rule('r', 'use', '{count,sum}', 'n', dimensions => '{"a": "a", "b": "b"}', tenant => 'slice');
SELECT aevon_define_rule('none', 'use', '{count}', tenant => 'slice');
SELECT count(aevon_ingest('slice', 'p' || i, 'e', 'use', '2024-03-01', jsonb_build_object('a', i, 'b', i % 3))) FROM generate_series(1, 20) i;
\x on
SELECT arguments, aevon_test.try(format('SELECT count(*) FROM aevon_windows(''slice'', %s)', arguments))
FROM unnest(ARRAY[
	$$dims => '{"c": 1}'$$, $$rule => 'r', dims => '{"c": 1}'$$, $$rule => 'none', dims => '{"a": 1}'$$, $$rule => 'none', group_by => '{a}'$$,
	$$group_by => '{a,c}'$$, $$rule => 'r', group_by => '{a,b,a}'$$, $$group_by => '{a,NULL}'$$, $$group_by => '{{a},{b}}'$$, $$group_by => '{A}'$$, $$group_by => '{""}'$$,
	$$dims => '[]'$$, $$dims => '1'$$, $$dims => 'null'$$, $$dims => '"a"'$$, $$dims => '{"a": {}}'$$, $$dims => '{"a": [[1]]}'$$, $$dims => '{"a": [1, {"b": 1}]}'$$,
	$$dims => '{"a": null}'$$, $$dims => '{"a": []}'$$, $$dims => '{"a": [null]}', group_by => '{}'$$, $$dims => NULL, group_by => NULL$$,
	$$rule => 'none', dims => '{}', group_by => '{}'$$]) arguments;
SELECT arguments, aevon_test.try(format('SELECT count(*) FROM aevon_top(''slice'', %s)', arguments))
FROM unnest(ARRAY[$$'r'$$, $$'r', 0$$, $$'r', -1$$, $$'r', 100001$$, $$'r', NULL$$, $$NULL$$, $$'x'$$, $$'r@2'$$, $$'r@1'$$, $$'r', by => 'avg'$$, $$'r', by => ''$$,
	$$'r', by => NULL$$, $$'r', of => 'c'$$, $$'r', of => NULL$$, $$'none', of => 'a'$$, $$'none'$$, $$'none', dims => '{"a": 1}'$$, $$'r', dims => '[]'$$,
	$$'r', since => NULL$$, $$'r', since => '2024-01-02', until => '2024-01-01'$$, $$'r', of => 'b', dims => '{"b": 1}'$$]) arguments;
\x off
SELECT aevon_windows('slice', group_by => '{c}');
SELECT aevon_windows('slice', rule => 'r', group_by => '{c}');
SELECT aevon_windows('slice', rule => 'none', group_by => '{c}');
-- names of any length are shown in part
SELECT call, length(r) < 200 AS short, left(r, 80) AS refusal FROM unnest(ARRAY[$$aevon_windows('slice', rule => 'r', group_by => ARRAY[%1$L])$$, $$aevon_windows('slice', rule => 'r', group_by => ARRAY[%1$L, %1$L])$$,
	$$aevon_windows('slice', rule => 'r', dims => jsonb_build_object(%1$L, 1))$$, $$aevon_windows('slice', rule => 'r', dims => jsonb_build_object(%1$L, '{}'::jsonb))$$,
	$$aevon_state('slice', rule => 'r', group_by => ARRAY[%1$L])$$, $$aevon_top('slice', 'r', of => %1$L)$$, $$aevon_top('slice', 'r', by => %1$L)$$, $$aevon_top('slice', 'r', dims => jsonb_build_object(%1$L, 1))$$,
	$$aevon_history('slice', NULL, 'r', dims => jsonb_build_object(%1$L, 1))$$, $$aevon_explain('slice', NULL, 'r', '2024-03-01', dims => jsonb_build_object(%1$L, 1))$$,
	$$aevon_define_rule('q', 'use', '{count}', dimensions => '{"a": "a"}', rollups => ARRAY[%1$L])$$, $$aevon_define_rule('q', 'use', '{count}', dimensions => jsonb_build_object(%1$L, 'a'))$$,
	$$aevon_define_rule('q', 'use', ARRAY[%1$L])$$, $$aevon_define_rule('q', 'use', ARRAY['p50', 'p' || %1$L])$$]) call
	CROSS JOIN LATERAL aevon_test.try(format('SELECT ' || call, repeat('x', 100000))) r;
-- and no rule has so many dimensions
SELECT n, aevon_test.try(format('SELECT aevon_windows(''slice'', rule => ''r'', group_by => %L)', (SELECT array_agg('d' || i) FROM generate_series(1, n) i)))
FROM unnest('{16,17,2000000}'::integer[]) n;
-- groups times windows are bounded, and groups alone; the ranked are not
SET aevon.max_windows = 19;
SELECT aevon_test.try($$SELECT aevon_windows('slice', group_by => '{a}')$$);
SELECT aevon_test.try($$SELECT aevon_state('slice', group_by => '{b}', since => '2024-03-01', until => '2024-03-01 06:00', granularity => '1h')$$);
SELECT aevon_test.try($$SELECT aevon_windows('slice', group_by => '{b}', since => '2024-03-01', until => '2024-03-01 07:00', granularity => '1h')$$);
SELECT aevon_test.try($$SELECT aevon_windows('slice', group_by => '{a}', granularity => '1h')$$);
SELECT count(*) FROM aevon_top('slice', 'r', 19, of => 'a');
SELECT aevon_test.try($$SELECT aevon_top('slice', 'r', 20, of => 'a')$$);
RESET aevon.max_windows;
-- very many values to filter by, some of them twice, are no trouble
SET statement_timeout = '5s';
SELECT dims, event_count FROM aevon_windows('slice', rule => 'r', group_by => '{b}', dims =>
	(SELECT jsonb_build_object('a', jsonb_agg(i % 50000) || '["x", null, true, 1.0, "x"]') FROM generate_series(6, 60000) i));
SELECT dims, event_count FROM aevon_windows('slice', rule => 'r', group_by => '{b}', dims =>
	(SELECT jsonb_build_object('a', jsonb_agg(i)) FROM generate_series(100000, 6, -1) i));
RESET statement_timeout;
