-- Past the guard combinations are folded together: totals stay exact, what is
-- filtered or grouped says so, and the other group is no event's own value.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
-- other tests' events are not for so small a guard
SELECT aevon_test.sweep();
SET aevon.max_series_per_rule = 12;
SELECT aevon_define_rule('few', 'use', '{count,sum}', 'n', dimensions => '{"a": "a", "b": "b"}', tenant => 'fold');
CREATE FUNCTION fill(first integer, many integer) RETURNS bigint LANGUAGE sql AS $$
	SELECT accepted FROM aevon_ingest_batch('fold', (SELECT jsonb_agg(jsonb_build_object('principal', 'p' || i % 2, 'event_id', 'e' || i,
		'event_type', 'use', 'occurred_at', '2024-03-01 00:00+00'::timestamptz + i * interval '97 seconds',
		'data', jsonb_build_object('n', i, 'a', 'a' || i % many, 'b', '__other__')) ORDER BY i)
		FROM generate_series(first, first + 99) i))
$$;
SELECT fill(0, 2);
SELECT aevon_test.sweep();
SELECT dims, event_count, stats FROM aevon_windows('fold', rule => 'few', group_by => '{a,b}');
SELECT aevon_state('fold', rule => 'few', group_by => '{a}') #> '{rules,few,complete}' AS complete;
-- new values, past the guard: their own until they are swept, and folded since
SELECT fill(100, 40);
SELECT count(*) AS groups FROM aevon_windows('fold', rule => 'few', group_by => '{a}');
SELECT aevon_test.sweep();
SELECT dims ? '__other__' AS folded, count(*) AS groups, sum(event_count) AS events, min(dims::text) FILTER (WHERE dims ? '__other__') AS dims
FROM aevon_windows('fold', rule => 'few', group_by => '{a,b}') GROUP BY 1 ORDER BY 1;
SELECT key, event_count, stats FROM aevon_top('fold', 'few', 100, of => 'b');
SELECT event_count, stats FROM aevon_windows('fold', rule => 'few');
SELECT (SELECT sum(event_count) FROM aevon_windows('fold', rule => 'few', group_by => '{a}')) AS of_a,
	(SELECT sum(event_count) FROM aevon_windows('fold', rule => 'few', group_by => '{a,b}')) AS of_both,
	(SELECT sum(event_count) FROM aevon_top('fold', 'few')) AS of_principals;
SELECT f AS filter, r -> 'complete' AS complete, r #> '{values,0,event_count}' AS events FROM unnest(ARRAY['{"a": "a1"}', '{"b": "__other__"}', '{"a": "a39"}']) f
	CROSS JOIN LATERAL (SELECT aevon_state('fold', rule => 'few', dims => f::jsonb) #> '{rules,few}' AS r) s;
SELECT aevon_state('fold', rule => 'few') #> '{rules,few}' ? 'complete' AS says;
-- nothing is missing of a range without folded events, whoever filled the rule
SELECT u AS until, aevon_state('fold', rule => 'few', dims => '{"a": "a1"}', until => u) #> '{rules,few,complete}' AS complete
FROM unnest('{2024-03-01 00:30+00,infinity}'::timestamptz[]) u;
-- new events of both kinds, in the tail and swept
SELECT fill(200, 40), fill(300, 2);
SELECT * FROM aevon_test.slice_differences('fold', 40);
SELECT * FROM aevon_test.top_differences('fold', 10);
SELECT aevon_test.sweep();
SELECT * FROM aevon_test.slice_differences('fold', 40);
SELECT * FROM aevon_test.top_differences('fold', 10);
SELECT * FROM aevon_test.differences('fold');
RESET aevon.max_series_per_rule;
