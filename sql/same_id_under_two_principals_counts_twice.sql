-- An event's identity is (tenant, principal, event_id): the same id under two
-- principals, or two tenants, is two events.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_define_rule('use', 'use', '{sum}', 'n', tenant => 'same_id');
SELECT aevon_define_rule('use', 'use', '{sum}', 'n', tenant => 'same_id_too');
SELECT aevon_ingest('same_id', 'p', 'order-1', 'use', '2024-01-01 00:00+00', '{"n": 1}');
SELECT aevon_ingest('same_id', 'q', 'order-1', 'use', '2024-01-01 00:00+00', '{"n": 1}');
SELECT aevon_ingest('same_id_too', 'p', 'order-1', 'use', '2024-01-01 00:00+00', '{"n": 1}');
SELECT aevon_ingest('same_id', 'p', 'order-1', 'use', '2024-01-01 00:00+00', '{"n": 1}');
SELECT event_count, value FROM aevon_windows('same_id');
SELECT event_count, value FROM aevon_windows('same_id', 'p');
SELECT event_count, value FROM aevon_windows('same_id', 'q');
SELECT event_count, value FROM aevon_windows('same_id_too');
SELECT aevon_test.sweep();
SELECT event_count, value FROM aevon_windows('same_id');
SELECT * FROM aevon_test.recount('same_id');
