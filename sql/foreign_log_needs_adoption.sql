-- The restore guard: tables whose stamps are not of this cluster are neither
-- read nor written before aevon_adopt().  All of it is rolled back.
SELECT aevon_ingest('foreign', 'p', 'e1', 'use', '2024-01-01 00:00+00');
SELECT aevon_define_rule('use', 'use', '{count}', tenant => 'foreign');
SELECT max(stamp) AS stamp FROM aevon.event_log \gset

-- as after a restore: the row is of another cluster, with other numbers
BEGIN;
UPDATE aevon.installation SET system_identifier = 1, base = base - 1000000000000;
-- (backends look at the row again when its table was altered)
ALTER TABLE aevon.installation SET (fillfactor = 90);
SAVEPOINT before;
SELECT aevon_ingest('foreign', 'p', 'e2', 'use', '2024-01-01 00:00+00');
ROLLBACK TO before;
SELECT aevon_state('foreign');
ROLLBACK TO before;
SELECT * FROM aevon_events('foreign', 'p');
ROLLBACK TO before;
SELECT * FROM aevon_sweep();
ROLLBACK TO before;
SELECT aevon_define_rule('more', 'use', '{count}', tenant => 'foreign');
ROLLBACK TO before;

SELECT aevon_adopt();
SELECT aevon_ingest('foreign', 'p', 'e1', 'use', '2024-01-01 00:00+00');
SELECT aevon_ingest('foreign', 'p', 'e2', 'use', '2024-01-01 00:00+00');
SELECT event_id, stamp > :stamp AS is_new FROM aevon.events WHERE tenant = 'foreign' ORDER BY event_id;
SELECT event_count FROM aevon_windows('foreign');
-- once is enough
SELECT base AS adopted FROM aevon.installation \gset
SELECT aevon_adopt();
SELECT base = :adopted AS unchanged FROM aevon.installation;
ROLLBACK;

-- stamps of the future, as after a restore into a cluster with lower ids
BEGIN;
UPDATE aevon.installation SET base = base - 1000000000000;
ALTER TABLE aevon.installation SET (fillfactor = 90);
SAVEPOINT before;
SELECT aevon_ingest('foreign', 'p', 'e2', 'use', '2024-01-01 00:00+00');
ROLLBACK TO before;
SELECT aevon_adopt();
SELECT aevon_ingest('foreign', 'p', 'e2', 'use', '2024-01-01 00:00+00');
SELECT event_id, stamp > :stamp AS is_new FROM aevon.events WHERE tenant = 'foreign' ORDER BY event_id;
ROLLBACK;

-- events without a row
BEGIN;
DELETE FROM aevon.installation;
ALTER TABLE aevon.installation SET (fillfactor = 90);
SAVEPOINT before;
SELECT aevon_ingest('foreign', 'p', 'e2', 'use', '2024-01-01 00:00+00');
ROLLBACK TO before;
SELECT aevon_adopt();
SELECT aevon_ingest('foreign', 'p', 'e2', 'use', '2024-01-01 00:00+00');
SELECT event_id, stamp > :stamp AS is_new FROM aevon.events WHERE tenant = 'foreign' ORDER BY event_id;
ROLLBACK;

-- nothing of it has happened; stamps of rows that were rolled back do not count
\c -
SELECT event_id FROM aevon.events WHERE tenant = 'foreign';
SELECT aevon_ingest('foreign', 'p', 'e2', 'use', '2024-01-01 00:00+00');
SELECT event_count FROM aevon_windows('foreign');
BEGIN READ ONLY;
SELECT aevon_adopt();
ROLLBACK;
