-- The settings: unit, default, bounds, and who may change them.
BEGIN;
LOAD 'aevon';

CREATE TEMP TABLE contract (name text, unit text, boot_val text, context text);
INSERT INTO contract VALUES
('aevon.sweep_interval', 'ms', '120000', 'sighup'),
('aevon.sweep_batch_events', NULL, '50000', 'sighup'),
('aevon.tail_target_events', NULL, '500', 'sighup'),
('aevon.snapshot_interval', 'ms', '3600000', 'sighup'),
('aevon.allowed_lateness', 's', '172800', 'superuser'),
('aevon.max_event_size', 'kB', '1024', 'superuser'),
('aevon.max_future', 's', '86400', 'superuser'),
('aevon.max_windows', NULL, '100000', 'superuser'),
('aevon.chain', NULL, 'on', 'superuser'),
('aevon.alert_read_latency', 'ms', '100', 'superuser'),
('aevon.alert_tail_events', NULL, '50000', 'superuser'),
('aevon.alert_lag', 's', '600', 'superuser'),
('aevon.alert_backfill', 's', '3600', 'superuser'),
('aevon.alert_rejected_rate', NULL, '10', 'superuser'),
('aevon.alert_conflict_rate', NULL, '10', 'superuser'),
('aevon.alert_late_share', NULL, '0.2', 'superuser'),
('aevon.alert_series_share', NULL, '0.8', 'superuser'),
('aevon.alert_snapshot', 's', '10800', 'superuser'),
('aevon.config_dir', NULL, '', 'sighup'),
('aevon.clock', NULL, '', 'superuser');
SELECT plan((6 + (SELECT count(*) FROM contract))::integer);

SELECT is((s.unit, s.boot_val, s.context)::text, (c.unit, c.boot_val, c.context)::text, c.name || ': unit, default, context')
FROM contract c LEFT JOIN pg_settings s USING (name) ORDER BY c.name;

-- limits are for superusers, whoever owns the database
CREATE ROLE aevon_test_application;
SET LOCAL ROLE aevon_test_application;
SELECT throws_ok($$SET aevon.max_event_size = '1GB'$$, '42501', NULL, 'max_event_size is for superusers');
SELECT throws_ok($$SET aevon.max_future = -1$$, '42501', NULL, 'max_future is for superusers');
SELECT throws_ok($$SET aevon.max_windows = 1000000$$, '42501', NULL, 'max_windows is for superusers');
SELECT throws_ok($$SET aevon.clock = '2000-01-01 00:00+00'$$, '42501', NULL, 'the clock is for superusers');
RESET ROLE;
SELECT throws_ok($$SET aevon.clock = 'teatime'$$, '22023', NULL, 'the clock takes a time');
SELECT throws_ok($$SET aevon.sweep_intervall = '1s'$$, '42602', NULL, 'a misspelt setting is refused');

SELECT * FROM finish();
ROLLBACK;
