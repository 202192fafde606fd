-- The first snapshot after a day is settled is revised if the metric is not
-- what it was by then, and final if it is, whatever came since to make it so.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
-- the days of other tests
SELECT aevon_snapshot() >= 0 AS taken;
SELECT aevon_define_rule('paid', 'x', '{sum}', 'v', '$.paid == true', tenant => 'revising');
CREATE FUNCTION pg_temp.put(p text, e text, v numeric, paid boolean DEFAULT true) RETURNS text LANGUAGE sql AS
$$SELECT aevon_ingest('revising', p, e, 'x', '2024-04-01 10:00+00', jsonb_build_object('v', v, 'paid', paid))$$;
CREATE VIEW pg_temp.said AS
SELECT p AS principal, h.revision, h.status, h.event_count, h.late_count, h.value
FROM unnest('{rejected,none,same,other,undone,added,new}'::text[]) WITH ORDINALITY u(p, n), aevon_history('revising', p, 'paid') h ORDER BY n, revision;
SET aevon.clock = '2024-04-01 12:00+00';
SELECT p, pg_temp.put(p, 'e1', 1), pg_temp.put(p, 'unpaid', 1, false) FROM unnest('{rejected,none,same,other,undone,added}'::text[]) p;
SELECT aevon_snapshot();
-- changes that come in time, and are not written down before the day is settled
SET aevon.clock = '2024-04-02 12:00+00';
SELECT p, pg_temp.put(p, 'e2', 2) FROM unnest('{rejected,none,same,other,undone,added,new}'::text[]) p;
-- settled since 2024-04-04
SET aevon.clock = '2024-04-05 12:00+00';
SELECT aevon_void('revising', 'rejected', 'unpaid', 'does not count for the rule');
SELECT aevon_void('revising', 'same', 'e2', 'wrong'), pg_temp.put('same', 'e2 again', 2);
SELECT aevon_void('revising', 'other', 'e2', 'wrong'), pg_temp.put('other', 'e2 again', 3);
SELECT pg_temp.put('undone', 'e3', 3), aevon_void('revising', 'undone', 'e3', 'wrong');
SELECT pg_temp.put('added', 'e3', 3);
SELECT aevon_void('revising', 'new', 'e2', 'wrong'), pg_temp.put('new', 'e2 again', 4);
SELECT aevon_snapshot();
SELECT * FROM pg_temp.said;
-- what was final: only another metric makes a row
SELECT aevon_void('revising', 'none', 'unpaid', 'does not count for the rule'), pg_temp.put('none', 'unpaid too', 1, false);
SELECT aevon_void('revising', 'same', 'e2 again', 'wrong'), pg_temp.put('same', 'e2 once more', 2);
SELECT aevon_snapshot();
SELECT aevon_void('revising', 'none', 'e1', 'wrong');
SELECT pg_temp.put('same', 'e3', 3);
SELECT aevon_snapshot();
SELECT * FROM pg_temp.said WHERE principal IN ('none', 'same') AND revision > 1;
RESET aevon.clock;
SELECT aevon_drop_rule('paid', 'revising');
