-- A tenant's rule hides the global rule of its name for that tenant, at once,
-- and no other; dropped, the global one answers again.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_define_rule('hidden', 'use', '{count}');
SELECT aevon_define_rule('shared', 'use', '{sum}', 'n');
SELECT aevon_test.fill('hide_one', 2, 50);
SELECT aevon_test.fill('hide_two', 2, 30);
SELECT aevon_test.sweep();
SELECT * FROM aevon_test.recount('hide_one');

SELECT aevon_define_rule('hidden', 'use', '{max}', 'n', tenant => 'hide_one');
SELECT rule, stats ? 'max' AS is_max FROM aevon_windows('hide_one', rule => 'hidden');
SELECT rule, event_count = value AS is_count FROM aevon_windows('hide_two', rule => 'hidden');
SELECT * FROM aevon_test.recount('hide_one');
SELECT * FROM aevon_test.recount('hide_two');
SELECT aevon_test.sweep();
SELECT rule, stats ? 'max' AS is_max FROM aevon_windows('hide_one', rule => 'hidden');
SELECT * FROM aevon_test.recount('hide_one');
SELECT * FROM aevon_test.recount('hide_two');

-- a change of the global rule does not touch the tenant's
SELECT aevon_define_rule('hidden', 'use', '{min}', 'n');
SELECT aevon_test.sweep();
SELECT rule, stats ? 'max' AS is_max FROM aevon_windows('hide_one', rule => 'hidden');
SELECT rule, stats ? 'min' AS is_min FROM aevon_windows('hide_two', rule => 'hidden');
SELECT * FROM aevon_test.recount('hide_one');
SELECT * FROM aevon_test.recount('hide_two');

SELECT aevon_drop_rule('hidden', 'hide_one');
SELECT rule, stats ? 'min' AS is_min FROM aevon_windows('hide_one', rule => 'hidden');
SELECT * FROM aevon_test.recount('hide_one');

-- another tenant's rules are unknown
SELECT aevon_define_rule('own', 'use', '{count}', tenant => 'hide_one');
SELECT aevon_test.try($$SELECT * FROM aevon_windows('hide_two', rule => 'own')$$);
SELECT rule FROM aevon_windows('hide_two') WHERE rule IN ('hidden', 'shared', 'own');

SELECT aevon_drop_rule('hidden');
SELECT aevon_drop_rule('shared');
SELECT rule FROM aevon_windows('hide_two') WHERE rule IN ('hidden', 'shared', 'own');
SELECT aevon_test.sweep();
SELECT * FROM aevon_test.recount('hide_one');
