-- aevon_ingest_from: columns by name, duplicates, rejections, bad sources; the
-- source is read with the caller's rights.
SET client_min_messages = warning;
SET aevon.clock = '2024-06-01 00:00:00+00';
SET timezone = 'UTC';
CREATE ROLE regress_staging;
CREATE SCHEMA staging;
GRANT ALL ON SCHEMA staging TO regress_staging;

CREATE TABLE staging.plain (event_type varchar(40), extra integer, event_id text, principal text, data jsonb);
INSERT INTO staging.plain
SELECT 'use', i, 'e' || i, 'p' || i % 7, jsonb_build_object('n', i) FROM generate_series(1, 10500) i;
SELECT * FROM aevon_ingest_from('staging.plain', 'staging');
SELECT * FROM aevon_ingest_from('staging.plain', 'staging');
SELECT count(*), count(DISTINCT principal), sum((data ->> 'n')::int), min(occurred_at), max(ingested_at)
FROM aevon.events WHERE tenant = 'staging';

-- every column, the tenant among them
CREATE TABLE staging.wide ("tenant" text, principal text, event_id text, event_type text,
	occurred_at timestamptz, data jsonb, metadata jsonb, ingested_at timestamptz);
INSERT INTO staging.wide VALUES
	('staging_b', 'p', 'e2', 'use', '2024-01-02 00:00+00', '{"n": 2}', '{"m": 1}', '2024-01-03 00:00+00'),
	('staging_a', 'p', 'e1', 'use', '2024-01-01 00:00+00', '{"n": 1}', NULL, NULL),
	('staging_a', 'p', 'e1', 'use', '2024-01-01 00:00+00', '{"n": 1}', NULL, NULL),
	('staging_a', 'p', 'e3', 'use', NULL, '{}', '[]', '2023-01-01 00:00+00');
SELECT * FROM aevon_ingest_from('staging.wide');
SELECT tenant, principal, event_id, event_type, occurred_at, ingested_at, data, metadata
FROM aevon.events WHERE tenant LIKE 'staging\__' ORDER BY tenant, event_id;

-- the first bad row ends it, and nothing is stored
CREATE TABLE staging.bad (principal text, event_id text, event_type text, occurred_at timestamptz, data jsonb,
	ingested_at timestamptz);
INSERT INTO staging.bad VALUES
	('p', 'good', 'use', '2024-01-01 00:00+00', '{}', NULL),
	('p', NULL, 'use', '2024-01-01 00:00+00', '{}', NULL),
	('p', 'infinite', 'use', 'infinity', '{}', NULL),
	('p', 'no data', 'use', '2024-01-01 00:00+00', NULL, NULL),
	('p', 'array', 'use', '2024-01-01 00:00+00', '[1]', NULL),
	('p', 'from tomorrow', 'use', '2024-01-01 00:00+00', '{}', '2024-06-02 00:00+00'),
	('p', 'good', 'use', '2024-01-01 00:00+00', '{"n": 1}', NULL);
SELECT * FROM aevon_ingest_from('staging.bad', 'staging_bad');
SELECT count(*) FROM aevon.events WHERE tenant = 'staging_bad';
SELECT * FROM aevon_ingest_from('staging.bad', 'staging_bad', 'reject');
SELECT event_id FROM aevon.events WHERE tenant = 'staging_bad';
SELECT sqlstate, reason, detail, payload FROM aevon.rejected_events WHERE tenant = 'staging_bad' ORDER BY payload ->> 'event_id', sqlstate;

-- sources and arguments that are none
CREATE VIEW staging.no_type AS SELECT principal, event_id FROM staging.plain;
CREATE VIEW staging.numbered AS SELECT principal, event_type, extra AS event_id FROM staging.plain;
CREATE SEQUENCE staging.counter;
SELECT * FROM aevon_ingest_from(NULL, 'staging');
SELECT * FROM aevon_ingest_from('staging.plain');
SELECT * FROM aevon_ingest_from('staging.plain', '*');
SELECT * FROM aevon_ingest_from('staging.plain', '');
SELECT * FROM aevon_ingest_from('staging.plain', 'staging', 'ignore');
SELECT * FROM aevon_ingest_from('staging.plain', 'staging', NULL);
SELECT * FROM aevon_ingest_from('staging.no_type', 'staging');
SELECT * FROM aevon_ingest_from('staging.numbered', 'staging');
SELECT * FROM aevon_ingest_from('staging.counter', 'staging');
SELECT * FROM aevon_ingest_from(1::regclass, 'staging');
SELECT * FROM aevon_ingest_from('staging.wide', 'staging');
UPDATE staging.wide SET tenant = NULL WHERE event_id = 'e2';
SELECT * FROM aevon_ingest_from('staging.wide', NULL, 'reject');

-- as somebody else: no right to the tenant, none to the source, none to say
-- when something was ingested; row security hides rows
SET ROLE regress_staging;
SELECT * FROM aevon_ingest_from('staging.plain', 'staging');
RESET ROLE;
SELECT aevon_grant('staging', 'regress_staging', 'ingest');
SET ROLE regress_staging;
SELECT * FROM aevon_ingest_from('staging.plain', 'staging');
RESET ROLE;
GRANT SELECT ON ALL TABLES IN SCHEMA staging TO regress_staging;
SET ROLE regress_staging;
SELECT * FROM aevon_ingest_from('staging.plain', 'staging');
SELECT * FROM aevon_ingest_from('staging.bad', 'staging');
SELECT * FROM aevon_ingest_from('staging.wide');
RESET ROLE;
ALTER TABLE staging.plain ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON staging.plain USING (extra <= 3);
SET ROLE regress_staging;
SELECT * FROM aevon_ingest_from('staging.plain', 'staging');

-- code in the source runs as the caller
CREATE FUNCTION staging.who() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN current_user; END $$;
CREATE VIEW staging.code AS SELECT staging.who() AS principal, 'spy' || i AS event_id, 'spy'::text AS event_type FROM generate_series(1, 3) i;
SELECT * FROM aevon_ingest_from('staging.code', 'staging');
RESET ROLE;
SELECT principal, event_id FROM aevon.events WHERE tenant = 'staging' AND event_type = 'spy' ORDER BY event_id;

-- in a transaction that only reads
BEGIN READ ONLY;
SELECT * FROM aevon_ingest_from('staging.plain', 'staging');
ROLLBACK;

SELECT aevon_revoke('staging', 'regress_staging', 'ingest');
DROP SCHEMA staging CASCADE;
DROP OWNED BY regress_staging;
DROP ROLE regress_staging;
