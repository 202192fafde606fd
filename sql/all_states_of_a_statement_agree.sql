-- A principal's states add up to the tenant's, and windows to their total, in
-- one statement, swept or not.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_define_rule('use', '*', '{sum,count,min,max}', 'n', tenant => 'agree');
SELECT aevon_test.fill('agree', 7, 500);
SELECT aevon_test.sweep();
SELECT aevon_test.fill('agree', 7, 100, 501);
SELECT (SELECT sum(w.value) FROM unnest('{p0,p1,p2,p3,p4,p5,p6}'::text[]) p, aevon_windows('agree', p) w) = t.value AS sums,
	(SELECT sum(w.event_count) FROM unnest('{p0,p1,p2,p3,p4,p5,p6}'::text[]) p, aevon_windows('agree', p) w) = t.event_count AS counts,
	(SELECT sum(w.value) FROM aevon_windows('agree', granularity => '1m') w) = t.value AS minutes,
	(SELECT sum(w.value) FROM aevon_windows('agree', granularity => '1h') w) = t.value AS hours,
	(SELECT min((w.stats ->> 'min')::numeric) FROM aevon_windows('agree', granularity => '1d') w) = (t.stats ->> 'min')::numeric AS days,
	(aevon_state('agree') #>> '{rules,use,values,0,value}')::numeric = t.value AS state
FROM aevon_windows('agree') t;
SELECT * FROM aevon_test.state_differences('agree');

-- the document
SELECT jsonb_object_keys(aevon_state('agree')) AS key ORDER BY 1;
SELECT s -> 'tenant' AS tenant, s -> 'principal' AS principal, s -> 'since' AS since, s -> 'until' AS until,
	s -> 'granularity' AS granularity, s -> 'timezone' AS timezone, s -> 'as_of' AS as_of, s -> 'tail_events' AS tail_events,
	(s ->> 'data_through')::timestamptz BETWEEN now() - interval '1 minute' AND clock_timestamp() AS fresh,
	s -> 'staleness_seconds' AS staleness_seconds, jsonb_typeof(s -> 'cut') AS cut
FROM aevon_state('agree', 'p1', since => '2024-03-01 00:00+00') s;
SELECT jsonb_pretty(aevon_state('agree', 'nobody', 'use', '2024-03-01 00:00+00', '2024-03-01 02:00+00', '1h') -> 'rules');
SELECT jsonb_object_keys(aevon_state('agree', rule => 'use') -> 'rules');
SELECT jsonb_typeof(aevon_state('agree') -> 'principal') AS principal;
