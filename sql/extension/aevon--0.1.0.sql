-- Aevon 0.1.0: the full install script.
--
-- Tables, views and internal functions live in schema "aevon" and belong to
-- the role "aevon_owner"; the public API is the aevon_* functions, which live
-- in the schema chosen at CREATE EXTENSION.  Sections: 1 the owner role,
-- 2 tables, 3 internal functions, 4 views, 5 the public API, 6 dump settings,
-- 7 comments.

-- complain if the script is sourced in psql rather than by CREATE EXTENSION
\echo Use "CREATE EXTENSION aevon" to load this file. \quit

-- ---------------------------------------------------------------------------
-- 1. The owner role: no login, no superuser, no members.
-- ---------------------------------------------------------------------------
DO $role$
DECLARE
	owner pg_catalog.pg_roles;
BEGIN
	SELECT * INTO owner FROM pg_catalog.pg_roles r
	WHERE r.rolname OPERATOR(pg_catalog.=) 'aevon_owner';

	IF NOT FOUND THEN
		CREATE ROLE aevon_owner NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE
			NOREPLICATION NOBYPASSRLS NOINHERIT;
	ELSIF owner.rolcanlogin OR owner.rolsuper OR owner.rolcreaterole
		OR owner.rolcreatedb OR owner.rolreplication OR owner.rolbypassrls
	THEN
		RAISE EXCEPTION 'role "aevon_owner" exists and has attributes that Aevon''s owner must not have'
			USING ERRCODE = '55000',
				DETAIL = 'The owner of Aevon''s tables may not log in, be superuser, bypass row security, replicate, or create roles or databases.',
				HINT = 'Drop or rename the role, then run CREATE EXTENSION aevon again.';
	ELSIF EXISTS (SELECT 1 FROM pg_catalog.pg_auth_members m
				  WHERE m.roleid OPERATOR(pg_catalog.=) owner.oid)
	THEN
		RAISE EXCEPTION 'role "aevon_owner" exists and has members'
			USING ERRCODE = '55000',
				DETAIL = 'A member of the owner role could read and change every tenant''s data.',
				HINT = 'Revoke the memberships, then run CREATE EXTENSION aevon again.';
	END IF;
END
$role$;

-- ---------------------------------------------------------------------------
-- 2. Tables.  Column order is chosen for alignment: 8-byte columns first.
-- Text keys compare bytewise (COLLATE "C").
-- ---------------------------------------------------------------------------
CREATE SCHEMA aevon AUTHORIZATION aevon_owner;

-- The restore guard: one row, written by the first define_rule or ingest.
CREATE TABLE aevon.installation (
	system_identifier bigint NOT NULL,
	base              bigint NOT NULL,
	log_oid           bigint NOT NULL,
	written_at        timestamptz NOT NULL,
	only_row          boolean NOT NULL DEFAULT true CHECK (only_row),
	PRIMARY KEY (only_row)
);

-- The generation of rules and grants: a new value with each change of either.
CREATE TABLE aevon.generation (
	generation bigint NOT NULL,
	only_row   boolean NOT NULL DEFAULT true CHECK (only_row),
	PRIMARY KEY (only_row)
);
CREATE SEQUENCE aevon.generation_seq;

-- Dictionaries: names to integer keys.  Rows are written outside of
-- transactions (src/dictionary.h says how and why) and never change.
CREATE SEQUENCE aevon.tenant_key_seq AS integer;
CREATE TABLE aevon.tenants (
	tenant_key integer NOT NULL,
	scope_key  integer NOT NULL,
	tenant     text COLLATE "C" NOT NULL,
	PRIMARY KEY (tenant_key)
);
CREATE UNIQUE INDEX tenants_name ON aevon.tenants (scope_key, tenant);

CREATE SEQUENCE aevon.principal_key_seq AS integer;
CREATE TABLE aevon.principals (
	principal_key integer NOT NULL,
	tenant_key    integer NOT NULL,
	principal     text COLLATE "C" NOT NULL,
	PRIMARY KEY (principal_key)
);
CREATE UNIQUE INDEX principals_name ON aevon.principals (tenant_key, principal);

CREATE SEQUENCE aevon.type_key_seq AS integer;
CREATE TABLE aevon.event_types (
	type_key   integer NOT NULL,
	scope_key  integer NOT NULL,
	event_type text COLLATE "C" NOT NULL,
	PRIMARY KEY (type_key)
);
CREATE UNIQUE INDEX event_types_name ON aevon.event_types (scope_key, event_type);

-- Leads to an event by what it is: a number of the principal and a hash of the
-- id.  Other ids may have the same, so no index on it is unique: ingest sees to
-- it that an event is there once (src/append.c).
CREATE FUNCTION aevon.event_key(principal_key integer, event_id text) RETURNS bigint
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'aevon_event_key_sql';
REVOKE ALL ON FUNCTION aevon.event_key(integer, text) FROM PUBLIC;
ALTER FUNCTION aevon.event_key(integer, text) OWNER TO aevon_owner;
COMMENT ON FUNCTION aevon.event_key(integer, text) IS 'By what the index of the log finds an event: its principal''s key and a hash of its id.';

-- The event log, in parts.  Append only.
CREATE TABLE aevon.event_log (
	stamp         bigint NOT NULL,
	occurred_at   timestamptz NOT NULL,
	ingested_at   timestamptz NOT NULL,
	part          integer NOT NULL,
	tenant_key    integer NOT NULL,
	principal_key integer NOT NULL,
	type_key      integer NOT NULL,
	event_id      text COLLATE "C" NOT NULL,
	content_hash  bytea NOT NULL,
	data          jsonb NOT NULL,
	metadata      jsonb
) PARTITION BY LIST (part);
CREATE INDEX event_log_stamp ON aevon.event_log (stamp);
CREATE INDEX event_log_principal ON aevon.event_log (principal_key, occurred_at);
CREATE INDEX event_log_tenant ON aevon.event_log (tenant_key, occurred_at);
CREATE INDEX event_log_key ON aevon.event_log (aevon.event_key(principal_key, event_id));

CREATE TABLE aevon.event_log_p1 PARTITION OF aevon.event_log FOR VALUES IN (1);
ALTER TABLE aevon.event_log_p1
	ALTER COLUMN content_hash SET STORAGE main, -- in the row, under a header of one byte
	ALTER COLUMN event_id SET STORAGE main; -- looked at in rows that may be taken back

-- Which part new events go to (the highest open one) and what each part holds.
CREATE TABLE aevon.log_parts (
	opened_at    timestamptz NOT NULL,
	closed_at    timestamptz,
	min_stamp    bigint,
	max_stamp    bigint,
	min_occurred timestamptz,
	max_occurred timestamptz,
	part         integer NOT NULL,
	part_name    text COLLATE "C" NOT NULL,
	closing_link bytea,
	PRIMARY KEY (part)
);

-- Corrections: an event named here does not count.
CREATE TABLE aevon.voids (
	stamp         bigint NOT NULL,
	voided_at     timestamptz NOT NULL,
	event_stamp   bigint NOT NULL,
	occurred_at   timestamptz NOT NULL,
	part          integer NOT NULL,
	tenant_key    integer NOT NULL,
	principal_key integer NOT NULL,
	event_id      text COLLATE "C" NOT NULL,
	reason        text NOT NULL,
	voided_by     text NOT NULL,
	PRIMARY KEY (principal_key, event_id)
);
CREATE INDEX voids_stamp ON aevon.voids (stamp);
CREATE INDEX voids_event_stamp ON aevon.voids (event_stamp);
CREATE INDEX voids_principal ON aevon.voids (principal_key, voided_at);
CREATE INDEX voids_tenant ON aevon.voids (tenant_key, voided_at);
CREATE INDEX voids_tenant_stamp ON aevon.voids (tenant_key, stamp);
CREATE INDEX voids_tenant_time ON aevon.voids (tenant_key, occurred_at);
CREATE INDEX voids_principal_stamp ON aevon.voids (principal_key, stamp);
CREATE INDEX voids_principal_time ON aevon.voids (principal_key, occurred_at);

-- What a rule measures: rules that ask for the same thing share a measure.
-- One that no live rule needs is swept no more, and loses its checkpoint once
-- its last days are in snapshots.  One without a checkpoint is dead: what is
-- left of its buckets is cleared.
CREATE SEQUENCE aevon.measure_key_seq AS integer;
CREATE TABLE aevon.measures (
	measure_key integer NOT NULL,
	tenant_key  integer NOT NULL,          -- 0: every tenant
	features    integer NOT NULL,          -- which statistics beyond count, sum, min, max
	event_type  text COLLATE "C" NOT NULL, -- '*': every type
	value       text COLLATE "C",
	filter      text COLLATE "C",
	dimensions  jsonb NOT NULL,
	fingerprint bytea NOT NULL,
	created_at  timestamptz NOT NULL,
	cleared_at  timestamptz,
	rollups     text[] NOT NULL,           -- dimensions whose values have series alone
	quantiles   text[] NOT NULL,           -- those that were asked for
	PRIMARY KEY (measure_key)
);
CREATE INDEX measures_fingerprint ON aevon.measures (fingerprint);

-- Rules and their versions.
CREATE SEQUENCE aevon.rule_key_seq AS integer;
CREATE TABLE aevon.rules (
	rule_key    integer NOT NULL,
	tenant_key  integer NOT NULL,          -- 0: every tenant
	version     integer NOT NULL,
	measure_key integer NOT NULL,
	name        text COLLATE "C" NOT NULL,
	state       text COLLATE "C" NOT NULL CHECK (state IN ('building', 'active', 'retired')),
	event_type  text COLLATE "C" NOT NULL,
	operators   text[] NOT NULL,
	value       text COLLATE "C",
	filter      text COLLATE "C",
	dimensions  jsonb NOT NULL,
	fingerprint bytea NOT NULL,
	defined_by  text NOT NULL,
	defined_at  timestamptz NOT NULL,
	active_at   timestamptz,
	retired_at  timestamptz,
	rollups     text[] NOT NULL,
	PRIMARY KEY (rule_key),
	UNIQUE (tenant_key, name, version)
);

-- Cuts: which transactions' events are inside the buckets of a measure.
-- measure_key 0 is the cut of the log itself.
CREATE TABLE aevon.sweep_checkpoints (
	cut_xmax    bigint NOT NULL,
	swept_at    timestamptz,
	event_count bigint NOT NULL DEFAULT 0,
	measure_key integer NOT NULL,
	caught_up   boolean NOT NULL DEFAULT false,
	cut_xip     bigint[] NOT NULL,
	PRIMARY KEY (measure_key)
) WITH (fillfactor = 50);

-- Series: subject_key is a principal_key, or minus a tenant_key for the
-- whole tenant.
CREATE SEQUENCE aevon.series_key_seq;
CREATE SEQUENCE aevon.touched_run_seq;     -- one number for each run of snapshots
CREATE TABLE aevon.series (
	series_key  bigint NOT NULL,
	measure_key integer NOT NULL,
	tenant_key  integer NOT NULL,
	subject_key integer NOT NULL,
	dims_grouping integer NOT NULL,        -- bit i: dimension i, by name; 0: totals
	made_xmax   bigint NOT NULL DEFAULT 0, -- cuts below it do not know the series
	touched_mask bigint NOT NULL DEFAULT 0, -- bit i: day touched_day - i is in touched_days,
	touched_run bigint NOT NULL DEFAULT 0, -- if no run of snapshots has come since this one
	closed_until bigint NOT NULL DEFAULT -9223372036854775808, -- the last minute in buckets; the smallest bigint: none
	touched_day integer NOT NULL DEFAULT 0,
	hours_from  integer NOT NULL DEFAULT 2147483647, -- a day; the largest integer: no hours are kept
	dims_digest bytea NOT NULL,
	dims        jsonb NOT NULL,
	open_minutes bytea,                    -- what its buckets lack
	PRIMARY KEY (series_key)
) WITH (fillfactor = 50, toast_tuple_target = 8160);
ALTER TABLE aevon.series ALTER COLUMN open_minutes SET STORAGE main;
CREATE UNIQUE INDEX series_subject
	ON aevon.series (measure_key, tenant_key, dims_grouping, subject_key, dims_digest);

-- What a tenant has of the series of a measure with dimensions; no row: none.
CREATE TABLE aevon.series_counts (
	series_count bigint NOT NULL,
	measure_key integer NOT NULL,
	tenant_key  integer NOT NULL,
	series_full boolean NOT NULL,          -- no series for new combinations
	PRIMARY KEY (tenant_key, measure_key)
) WITH (fillfactor = 50);

-- Buckets: a series' active minutes, hours and days, many to a row.
-- first_window counts windows since 2000-01-01 UTC; the leftmost row of a
-- series has the smallest bigint, as the leftmost page of a B-tree has.
CREATE TABLE aevon.buckets_1m (
	series_key   bigint NOT NULL,
	first_window bigint NOT NULL,
	state        bytea NOT NULL,
	PRIMARY KEY (series_key, first_window)
) WITH (fillfactor = 70, toast_tuple_target = 8160);
ALTER TABLE aevon.buckets_1m ALTER COLUMN state SET STORAGE main;
CREATE TABLE aevon.buckets_1h (                -- from series.hours_from on
	series_key   bigint NOT NULL,
	first_window bigint NOT NULL,
	state        bytea NOT NULL,
	PRIMARY KEY (series_key, first_window)
) WITH (fillfactor = 70, toast_tuple_target = 8160);
ALTER TABLE aevon.buckets_1h ALTER COLUMN state SET STORAGE main;
CREATE TABLE aevon.buckets_1d (
	series_key   bigint NOT NULL,
	first_window bigint NOT NULL,
	state        bytea NOT NULL,
	PRIMARY KEY (series_key, first_window)
) WITH (fillfactor = 70, toast_tuple_target = 8160);
ALTER TABLE aevon.buckets_1d ALTER COLUMN state SET STORAGE main;

-- (series, day) pairs whose metric changed since their last snapshot.
CREATE TABLE aevon.touched_days (
	series_key bigint NOT NULL,
	day        integer NOT NULL,           -- days since 2000-01-01
	PRIMARY KEY (series_key, day)
);

-- Snapshots: the value of one day's metric at one cut.
CREATE TABLE aevon.snapshots (
	series_key  bigint NOT NULL,
	cut_xmax    bigint NOT NULL,
	taken_at    timestamptz NOT NULL,
	event_count bigint NOT NULL,
	late_count  bigint NOT NULL,
	link_number bigint NOT NULL,
	day         integer NOT NULL,
	revision    integer NOT NULL,
	status      text COLLATE "C" NOT NULL CHECK (status IN ('provisional', 'final', 'revised')),
	cut_xip     bigint[] NOT NULL,
	stats       jsonb NOT NULL,
	delta       jsonb NOT NULL,
	hash        bytea NOT NULL,
	PRIMARY KEY (series_key, day, revision)
);
CREATE INDEX snapshots_taken_at ON aevon.snapshots (taken_at);
CREATE INDEX snapshots_day ON aevon.snapshots (day);

-- What the compaction of old days took out of the snapshots.
CREATE TABLE aevon.compactions (
	series_key   bigint NOT NULL,
	link_number  bigint NOT NULL,
	compacted_at timestamptz NOT NULL,
	day          integer NOT NULL,
	revisions    integer[] NOT NULL,
	link_numbers bigint[] NOT NULL,
	hashes       bytea[] NOT NULL
);
CREATE INDEX compactions_day ON aevon.compactions (series_key, day);

-- How far that has come, and the days before it that got snapshots since.
CREATE TABLE aevon.compaction_progress (
	threshold   double precision,
	through_day integer,
	only_row    boolean NOT NULL DEFAULT true CHECK (only_row),
	PRIMARY KEY (only_row)
);
INSERT INTO aevon.compaction_progress DEFAULT VALUES;
CREATE TABLE aevon.reopened_days (
	series_key bigint NOT NULL,
	day        integer NOT NULL,           -- days since 2000-01-01
	PRIMARY KEY (series_key, day)
);

-- The tamper-evident chain: a link for what entered the log's own cut, for a
-- run of snapshots, and for a compaction of them.
CREATE TABLE aevon.chain (
	link_number      bigint NOT NULL,
	event_count      bigint NOT NULL,
	void_count       bigint NOT NULL,
	snapshot_count   bigint NOT NULL,
	compaction_count bigint NOT NULL,
	made_at          timestamptz NOT NULL,
	cut_xmax         bigint NOT NULL,
	cut_xip          bigint[] NOT NULL,
	link             bytea NOT NULL,
	PRIMARY KEY (link_number)
);

-- What aevon_verify has mended.
CREATE SEQUENCE aevon.repair_id_seq;
CREATE TABLE aevon.repairs (
	repair_id    bigint NOT NULL,
	repaired_at  timestamptz NOT NULL,
	window_start timestamptz,
	series_key   bigint NOT NULL,
	tenant_key   integer NOT NULL,
	subject_key  integer NOT NULL,
	measure_key  integer,
	version      integer,
	rule         text COLLATE "C",
	what         text COLLATE "C" NOT NULL,
	repaired_by  text NOT NULL,
	stored       jsonb,
	recomputed   jsonb,
	PRIMARY KEY (repair_id)
);

-- The log of sweeps.
CREATE SEQUENCE aevon.sweep_id_seq;
CREATE TABLE aevon.sweeps (
	sweep_id      bigint NOT NULL,
	started_at    timestamptz NOT NULL,
	duration_ms   double precision NOT NULL,
	event_count   bigint NOT NULL,
	bucket_count  bigint NOT NULL,
	cut_xmax      bigint,
	measure_count integer NOT NULL,
	by_worker     boolean NOT NULL,
	cut_xip       bigint[],
	error_state   text,
	error_message text,
	PRIMARY KEY (sweep_id)
);
CREATE INDEX sweeps_started_at ON aevon.sweeps (started_at);

-- Events refused by on_error => 'reject'.
CREATE SEQUENCE aevon.rejection_id_seq;
CREATE TABLE aevon.rejections (
	rejection_id bigint NOT NULL,
	rejected_at  timestamptz NOT NULL,
	tenant_key   integer NOT NULL,
	sqlstate     text COLLATE "C" NOT NULL,
	reason       text NOT NULL,
	detail       text,
	payload      jsonb NOT NULL,
	PRIMARY KEY (rejection_id)
);
CREATE INDEX rejections_tenant ON aevon.rejections (tenant_key, rejected_at);

-- Who may do what: bindings of a role to a tenant ('*': all).
CREATE TABLE aevon.grants (
	tenant     text COLLATE "C" NOT NULL,
	role       regrole NOT NULL,
	privilege  text COLLATE "C" NOT NULL CHECK (privilege IN ('ingest', 'read', 'void', 'operate')),
	granted_by text NOT NULL,
	granted_at timestamptz NOT NULL,
	PRIMARY KEY (tenant, role, privilege)
);

-- The log is append only, for everyone, on the parent and on every part
-- (TRUNCATE triggers are not inherited).
CREATE FUNCTION aevon.refuse_change() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'aevon_refuse_change';
REVOKE ALL ON FUNCTION aevon.refuse_change() FROM PUBLIC;

CREATE TRIGGER event_log_append_only
	BEFORE UPDATE OR DELETE OR TRUNCATE ON aevon.event_log
	FOR EACH STATEMENT EXECUTE FUNCTION aevon.refuse_change();
CREATE TRIGGER event_log_append_only
	BEFORE UPDATE OR DELETE OR TRUNCATE ON aevon.event_log_p1
	FOR EACH STATEMENT EXECUTE FUNCTION aevon.refuse_change();
CREATE TRIGGER voids_append_only
	BEFORE UPDATE OR DELETE OR TRUNCATE ON aevon.voids
	FOR EACH STATEMENT EXECUTE FUNCTION aevon.refuse_change();
CREATE TRIGGER snapshots_append_only
	BEFORE UPDATE OR DELETE OR TRUNCATE ON aevon.snapshots
	FOR EACH STATEMENT EXECUTE FUNCTION aevon.refuse_change();
CREATE TRIGGER compactions_append_only
	BEFORE UPDATE OR DELETE OR TRUNCATE ON aevon.compactions
	FOR EACH STATEMENT EXECUTE FUNCTION aevon.refuse_change();
CREATE TRIGGER chain_append_only
	BEFORE UPDATE OR DELETE OR TRUNCATE ON aevon.chain
	FOR EACH STATEMENT EXECUTE FUNCTION aevon.refuse_change();
ALTER TABLE aevon.chain ENABLE ALWAYS TRIGGER chain_append_only;
ALTER TABLE aevon.event_log ENABLE ALWAYS TRIGGER event_log_append_only;
ALTER TABLE aevon.event_log_p1 ENABLE ALWAYS TRIGGER event_log_append_only;
ALTER TABLE aevon.voids ENABLE ALWAYS TRIGGER voids_append_only;
ALTER TABLE aevon.snapshots ENABLE ALWAYS TRIGGER snapshots_append_only;
ALTER TABLE aevon.compactions ENABLE ALWAYS TRIGGER compactions_append_only;

INSERT INTO aevon.log_parts (part, part_name, opened_at)
VALUES (1, 'event_log_p1', pg_catalog.now());

-- Every table and sequence belongs to the owner role, and nobody else may
-- touch it.
DO $owner$
DECLARE
	rel record;
BEGIN
	FOR rel IN
		SELECT c.relname, c.relkind
		FROM pg_catalog.pg_class c
		WHERE c.relnamespace OPERATOR(pg_catalog.=) 'aevon'::pg_catalog.regnamespace
			AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,S}'::"char"[])
	LOOP
		IF rel.relkind OPERATOR(pg_catalog.=) 'S' THEN
			EXECUTE pg_catalog.format('ALTER SEQUENCE aevon.%I OWNER TO aevon_owner', rel.relname);
		ELSE
			EXECUTE pg_catalog.format('ALTER TABLE aevon.%I OWNER TO aevon_owner', rel.relname);
		END IF;
	END LOOP;
END
$owner$;

-- ---------------------------------------------------------------------------
-- 3. Internal functions.  PostgreSQL checks a view's functions against the
-- role that reads the view, so those that the views need are granted to PUBLIC
-- on purpose: they check their caller themselves, or see nothing but their
-- arguments.
-- ---------------------------------------------------------------------------

-- Keys and names of the tenants the caller may read.
CREATE FUNCTION aevon.readable_tenants(OUT tenant_key integer, OUT tenant text)
	RETURNS SETOF record
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100
	AS 'MODULE_PATHNAME', 'aevon_readable_tenants';
REVOKE ALL ON FUNCTION aevon.readable_tenants() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aevon.readable_tenants() TO PUBLIC;

-- The buckets packed in one row; pure.
CREATE FUNCTION aevon.unpack_bucket(state bytea, window_minutes integer,
		OUT window_start timestamptz, OUT event_count bigint, OUT skipped bigint,
		OUT sum numeric, OUT min numeric, OUT max numeric, OUT last numeric,
		OUT first_ingested_at timestamptz, OUT last_ingested_at timestamptz,
		OUT min_stamp bigint, OUT max_stamp bigint, OUT quantiles bytea, OUT "distinct" bytea)
	RETURNS SETOF record
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 60
	AS 'MODULE_PATHNAME', 'aevon_unpack_bucket';
REVOKE ALL ON FUNCTION aevon.unpack_bucket(bytea, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aevon.unpack_bucket(bytea, integer) TO PUBLIC;

-- The minutes of one row together with the open ones of its time; pure.
CREATE FUNCTION aevon.unpack_minutes(state bytea, open_minutes bytea, first_window bigint,
		next_window bigint,
		OUT window_start timestamptz, OUT event_count bigint, OUT skipped bigint,
		OUT sum numeric, OUT min numeric, OUT max numeric, OUT last numeric,
		OUT first_ingested_at timestamptz, OUT last_ingested_at timestamptz,
		OUT min_stamp bigint, OUT max_stamp bigint, OUT quantiles bytea, OUT "distinct" bytea)
	RETURNS SETOF record
	LANGUAGE c IMMUTABLE PARALLEL SAFE ROWS 60
	AS 'MODULE_PATHNAME', 'aevon_unpack_minutes';
REVOKE ALL ON FUNCTION aevon.unpack_minutes(bytea, bytea, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aevon.unpack_minutes(bytea, bytea, bigint, bigint) TO PUBLIC;

-- The present: the machine's clock, or aevon.clock.
CREATE FUNCTION aevon.clock() RETURNS timestamptz
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'aevon_clock_sql';
REVOKE ALL ON FUNCTION aevon.clock() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aevon.clock() TO PUBLIC;
-- The hash of a snapshot or a compaction, which the chain takes in.
CREATE FUNCTION aevon.row_hash(row_to_hash record) RETURNS bytea
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'aevon_row_hash_sql';
REVOKE ALL ON FUNCTION aevon.row_hash(record) FROM PUBLIC;
ALTER FUNCTION aevon.row_hash(record) OWNER TO aevon_owner;
COMMENT ON FUNCTION aevon.row_hash(record) IS 'SHA-256 over the columns of a row in order, but one named "hash": of a row of aevon.snapshots or aevon.compactions, as the chain takes it in.';
COMMENT ON FUNCTION aevon.clock() IS 'The present as Aevon sees it: the machine''s clock, or the setting aevon.clock.';

-- One row per rule version the caller may see; the view aevon.status.
CREATE FUNCTION aevon.rule_status(
		OUT tenant text, OUT rule text, OUT version integer, OUT state text,
		OUT cut text, OUT tail_events bigint, OUT lag_seconds double precision,
		OUT backfill_progress double precision, OUT last_sweep_at timestamptz,
		OUT last_error text, OUT last_error_at timestamptz)
	RETURNS SETOF record
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 10
	AS 'MODULE_PATHNAME', 'aevon_rule_status';
REVOKE ALL ON FUNCTION aevon.rule_status() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aevon.rule_status() TO PUBLIC;

-- One row per database with a worker, or waiting for one; the view aevon.workers.
CREATE FUNCTION aevon.worker_status(
		OUT database_id oid, OUT pid integer, OUT state text,
		OUT state_since timestamptz, OUT last_sweep_at timestamptz,
		OUT tail_events bigint, OUT failures integer, OUT error_state text,
		OUT last_error text, OUT last_error_at timestamptz)
	RETURNS SETOF record
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
	AS 'MODULE_PATHNAME', 'aevon_worker_status';
REVOKE ALL ON FUNCTION aevon.worker_status() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aevon.worker_status() TO PUBLIC;

-- The rows of the views aevon.stat_... and aevon.alerts.
CREATE FUNCTION aevon.stat_sweeps(
		OUT sweep_count bigint, OUT worker_sweep_count bigint, OUT event_count bigint,
		OUT bucket_count bigint, OUT total_ms double precision, OUT mean_ms double precision,
		OUT max_ms double precision, OUT error_count bigint, OUT last_sweep_at timestamptz,
		OUT reset_at timestamptz)
	RETURNS SETOF record
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
	AS 'MODULE_PATHNAME', 'aevon_stat_sweeps';
REVOKE ALL ON FUNCTION aevon.stat_sweeps() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aevon.stat_sweeps() TO PUBLIC;

CREATE FUNCTION aevon.stat_rules(
		OUT tenant text, OUT rule text, OUT version integer, OUT state text,
		OUT series_count bigint, OUT event_count bigint, OUT skipped_count bigint,
		OUT late_count bigint, OUT read_count bigint, OUT reset_at timestamptz)
	RETURNS SETOF record
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
	AS 'MODULE_PATHNAME', 'aevon_stat_rules';
REVOKE ALL ON FUNCTION aevon.stat_rules() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aevon.stat_rules() TO PUBLIC;

CREATE FUNCTION aevon.stat_tenants(
		OUT tenant text, OUT accepted_count bigint, OUT duplicate_count bigint,
		OUT rejected_count bigint, OUT conflict_count bigint, OUT refused_count bigint,
		OUT voided_count bigint, OUT late_count bigint, OUT reset_at timestamptz)
	RETURNS SETOF record
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
	AS 'MODULE_PATHNAME', 'aevon_stat_tenants';
REVOKE ALL ON FUNCTION aevon.stat_tenants() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aevon.stat_tenants() TO PUBLIC;

CREATE FUNCTION aevon.stat_queries(
		OUT function text, OUT call_count bigint, OUT total_ms double precision,
		OUT mean_ms double precision, OUT p50_ms double precision, OUT p95_ms double precision,
		OUT p99_ms double precision, OUT max_ms double precision, OUT reset_at timestamptz)
	RETURNS SETOF record
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 7
	AS 'MODULE_PATHNAME', 'aevon_stat_queries';
REVOKE ALL ON FUNCTION aevon.stat_queries() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aevon.stat_queries() TO PUBLIC;

CREATE FUNCTION aevon.health_checks(
		OUT check_name text, OUT status text, OUT value double precision,
		OUT threshold double precision, OUT unit text, OUT detail text, OUT hint text)
	RETURNS SETOF record
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 12
	AS 'MODULE_PATHNAME', 'aevon_health_sql';
REVOKE ALL ON FUNCTION aevon.health_checks() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aevon.health_checks() TO PUBLIC;

-- The counts of all that one row holds; pure.
CREATE FUNCTION aevon.bucket_totals(state bytea,
		OUT event_count bigint, OUT skipped_count bigint, OUT late_count bigint)
	RETURNS record
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'aevon_bucket_totals';
REVOKE ALL ON FUNCTION aevon.bucket_totals(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aevon.bucket_totals(bytea) TO PUBLIC;

-- The histogram of aevon.stat_query on samples of one's own; pure.
CREATE FUNCTION aevon.latency_quantile(samples_ms double precision[], quantile double precision)
	RETURNS double precision
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'aevon_latency_quantile';
REVOKE ALL ON FUNCTION aevon.latency_quantile(double precision[], double precision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aevon.latency_quantile(double precision[], double precision) TO PUBLIC;

-- The rows of the views: EXPLAIN shows a scan of a function, and nothing of
-- what is inside.  A plan over the tables would tell of other tenants, by its
-- row counts and its estimates.  Each checks its caller, then runs the query
-- of section 4 as the owner.
CREATE FUNCTION aevon.view_events(
		OUT tenant text, OUT principal text, OUT event_id text, OUT event_type text,
		OUT occurred_at timestamptz, OUT ingested_at timestamptz,
		OUT data jsonb, OUT metadata jsonb, OUT stamp bigint)
	RETURNS SETOF record
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 1000
	AS 'MODULE_PATHNAME', 'aevon_view_events';
REVOKE ALL ON FUNCTION aevon.view_events() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aevon.view_events() TO PUBLIC;

CREATE FUNCTION aevon.view_pre_aggregates(
		OUT tenant text, OUT principal text, OUT rule text, OUT version integer,
		OUT dims jsonb, OUT window_start timestamptz, OUT window_end timestamptz,
		OUT event_count bigint, OUT skipped bigint, OUT sum numeric, OUT min numeric,
		OUT max numeric, OUT last numeric, OUT first_ingested_at timestamptz,
		OUT last_ingested_at timestamptz)
	RETURNS SETOF record
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 1000
	AS 'MODULE_PATHNAME', 'aevon_view_pre_aggregates';
REVOKE ALL ON FUNCTION aevon.view_pre_aggregates() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aevon.view_pre_aggregates() TO PUBLIC;

CREATE FUNCTION aevon.view_rejected_events(
		OUT tenant text, OUT rejected_at timestamptz, OUT sqlstate text, OUT reason text,
		OUT detail text, OUT payload jsonb)
	RETURNS SETOF record
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 1000
	AS 'MODULE_PATHNAME', 'aevon_view_rejected_events';
REVOKE ALL ON FUNCTION aevon.view_rejected_events() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aevon.view_rejected_events() TO PUBLIC;

CREATE FUNCTION aevon.view_rule_versions(
		OUT tenant text, OUT rule text, OUT version integer, OUT state text,
		OUT event_type text, OUT operators text[], OUT value text, OUT filter text,
		OUT dimensions jsonb, OUT fingerprint text, OUT defined_by text,
		OUT defined_at timestamptz, OUT active_at timestamptz, OUT retired_at timestamptz)
	RETURNS SETOF record
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 1000
	AS 'MODULE_PATHNAME', 'aevon_view_rule_versions';
REVOKE ALL ON FUNCTION aevon.view_rule_versions() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aevon.view_rule_versions() TO PUBLIC;

CREATE FUNCTION aevon.view_daily_metrics(
		OUT tenant text, OUT principal text, OUT rule text, OUT version integer, OUT day date,
		OUT value numeric, OUT stats jsonb, OUT event_count bigint, OUT late_count bigint,
		OUT status text, OUT revisions bigint, OUT taken_at timestamptz,
		OUT first_value numeric, OUT change numeric, OUT completeness numeric,
		OUT completeness_days bigint, OUT anomaly jsonb, OUT dims jsonb)
	RETURNS SETOF record
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 1000
	AS 'MODULE_PATHNAME', 'aevon_view_daily_metrics';
REVOKE ALL ON FUNCTION aevon.view_daily_metrics() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aevon.view_daily_metrics() TO PUBLIC;

-- ---------------------------------------------------------------------------
-- 4. Views: names instead of keys, rows of granted tenants only.  Each is the
-- scan of a function, whose rows come from the query *_of, which nobody but
-- the owner may run: it takes the keys of the tenants that the reader may
-- read.  Names compare bytewise, as in the tables.
-- ---------------------------------------------------------------------------
CREATE VIEW aevon.events WITH (security_barrier) AS
	SELECT tenant, principal COLLATE "C" AS principal, event_id COLLATE "C" AS event_id,
		event_type COLLATE "C" AS event_type, occurred_at, ingested_at, data, metadata, stamp
	FROM aevon.view_events();

CREATE FUNCTION aevon.events_of(readable integer[]) RETURNS SETOF aevon.events
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT t.tenant, p.principal, e.event_id, y.event_type, e.occurred_at,
		e.ingested_at, e.data, e.metadata, e.stamp
	FROM aevon.event_log e
	JOIN aevon.tenants t ON t.tenant_key OPERATOR(pg_catalog.=) e.tenant_key
	JOIN aevon.principals p ON p.principal_key OPERATOR(pg_catalog.=) e.principal_key
	JOIN aevon.event_types y ON y.type_key OPERATOR(pg_catalog.=) e.type_key
	WHERE e.tenant_key OPERATOR(pg_catalog.=) ANY (readable);
END;
REVOKE ALL ON FUNCTION aevon.events_of(integer[]) FROM PUBLIC;

CREATE VIEW aevon.pre_aggregates WITH (security_barrier) AS
	SELECT tenant, principal COLLATE "C" AS principal, rule COLLATE "C" AS rule, version,
		dims, window_start, window_end, event_count, skipped, sum, min, max, last,
		first_ingested_at, last_ingested_at
	FROM aevon.view_pre_aggregates();

CREATE FUNCTION aevon.pre_aggregates_of(readable integer[]) RETURNS SETOF aevon.pre_aggregates
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT t.tenant, p.principal, r.name AS rule, r.version, s.dims,
		u.window_start,
		u.window_start OPERATOR(pg_catalog.+) '00:01:00'::pg_catalog.interval AS window_end,
		u.event_count, u.skipped, u.sum,
		CASE WHEN r.value IS NOT NULL THEN u.min END AS min,
		CASE WHEN r.value IS NOT NULL THEN u.max END AS max, u.last,
		u.first_ingested_at, u.last_ingested_at
	FROM aevon.series s
	JOIN aevon.tenants t ON t.tenant_key OPERATOR(pg_catalog.=) s.tenant_key
	JOIN aevon.rules r ON r.measure_key OPERATOR(pg_catalog.=) s.measure_key
		AND r.state OPERATOR(pg_catalog.<>) 'retired'
		AND (r.tenant_key OPERATOR(pg_catalog.=) 0
			OR r.tenant_key OPERATOR(pg_catalog.=) t.tenant_key)
	LEFT JOIN aevon.principals p ON p.principal_key OPERATOR(pg_catalog.=) s.subject_key
	LEFT JOIN LATERAL (
		SELECT m.state, m.first_window,
			pg_catalog.lead(m.first_window) OVER (ORDER BY m.first_window) AS next_window
		FROM aevon.buckets_1m m
		WHERE m.series_key OPERATOR(pg_catalog.=) s.series_key) b ON true
	CROSS JOIN LATERAL aevon.unpack_minutes(b.state, s.open_minutes, b.first_window,
		b.next_window) u
	WHERE s.tenant_key OPERATOR(pg_catalog.=) ANY (readable);
END;
REVOKE ALL ON FUNCTION aevon.pre_aggregates_of(integer[]) FROM PUBLIC;

CREATE VIEW aevon.status WITH (security_barrier) AS
	SELECT * FROM aevon.rule_status();

CREATE VIEW aevon.workers WITH (security_barrier) AS
	SELECT d.datname AS database, w.pid, w.state, w.state_since, w.last_sweep_at,
		w.tail_events, w.failures, w.error_state, w.last_error, w.last_error_at
	FROM aevon.worker_status() w
	LEFT JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) w.database_id;

CREATE VIEW aevon.stat_sweep WITH (security_barrier) AS
	SELECT * FROM aevon.stat_sweeps();

CREATE VIEW aevon.stat_rule WITH (security_barrier) AS
	SELECT * FROM aevon.stat_rules();

CREATE VIEW aevon.stat_tenant WITH (security_barrier) AS
	SELECT * FROM aevon.stat_tenants();

CREATE VIEW aevon.stat_query WITH (security_barrier) AS
	SELECT * FROM aevon.stat_queries();

CREATE VIEW aevon.alerts WITH (security_barrier) AS
	SELECT * FROM aevon.health_checks() c
	WHERE c.status OPERATOR(pg_catalog.=) ANY ('{warning,critical}'::pg_catalog.text[]);

-- What tables say of each live rule, of the tenants given; keys first.
CREATE FUNCTION aevon.rule_totals_of(readable integer[],
		OUT rule_key integer, OUT tenant_key integer, OUT tenant text, OUT rule text,
		OUT version integer, OUT state text, OUT series_count bigint, OUT event_count bigint,
		OUT skipped_count bigint, OUT late_count bigint)
	RETURNS SETOF record
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT r.rule_key, r.tenant_key, t.tenant, r.name, r.version, r.state, n.series_count,
		coalesce(e.event_count, 0), coalesce(e.skipped_count, 0), coalesce(e.late_count, 0)
	FROM aevon.rules r
	LEFT JOIN aevon.tenants t ON t.tenant_key OPERATOR(pg_catalog.=) r.tenant_key
	CROSS JOIN LATERAL (
		SELECT pg_catalog.count(*) AS series_count FROM aevon.series s
		WHERE s.measure_key OPERATOR(pg_catalog.=) r.measure_key
			AND s.tenant_key OPERATOR(pg_catalog.=) ANY (readable)) n
	CROSS JOIN LATERAL (
		SELECT pg_catalog.sum(u.event_count)::bigint AS event_count,
			pg_catalog.sum(u.skipped_count)::bigint AS skipped_count,
			pg_catalog.sum(u.late_count)::bigint AS late_count
		FROM aevon.series s
		CROSS JOIN LATERAL (
			SELECT d.state FROM aevon.buckets_1d d
			WHERE d.series_key OPERATOR(pg_catalog.=) s.series_key
			UNION ALL                   -- days lack the open minutes
			SELECT s.open_minutes WHERE s.open_minutes IS NOT NULL) b
		CROSS JOIN LATERAL aevon.bucket_totals(b.state) u
		WHERE s.measure_key OPERATOR(pg_catalog.=) r.measure_key
			AND s.subject_key OPERATOR(pg_catalog.<) 0
			AND s.dims_grouping OPERATOR(pg_catalog.=) 0
			AND s.tenant_key OPERATOR(pg_catalog.=) ANY (readable)) e
	WHERE r.state OPERATOR(pg_catalog.<>) 'retired'
		AND (r.tenant_key OPERATOR(pg_catalog.=) 0
			OR r.tenant_key OPERATOR(pg_catalog.=) ANY (readable));
END;
REVOKE ALL ON FUNCTION aevon.rule_totals_of(integer[]) FROM PUBLIC;

CREATE VIEW aevon.rejected_events WITH (security_barrier) AS
	SELECT tenant, rejected_at, sqlstate COLLATE "C" AS sqlstate, reason, detail, payload
	FROM aevon.view_rejected_events();

CREATE FUNCTION aevon.rejected_events_of(readable integer[]) RETURNS SETOF aevon.rejected_events
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT t.tenant, x.rejected_at, x.sqlstate, x.reason, x.detail, x.payload
	FROM aevon.rejections x
	JOIN aevon.tenants t ON t.tenant_key OPERATOR(pg_catalog.=) x.tenant_key
	WHERE x.tenant_key OPERATOR(pg_catalog.=) ANY (readable);
END;
REVOKE ALL ON FUNCTION aevon.rejected_events_of(integer[]) FROM PUBLIC;

CREATE VIEW aevon.rule_versions WITH (security_barrier) AS
	SELECT tenant, rule COLLATE "C" AS rule, version, state COLLATE "C" AS state,
		event_type COLLATE "C" AS event_type, operators, value COLLATE "C" AS value,
		filter COLLATE "C" AS filter, dimensions, fingerprint, defined_by, defined_at,
		active_at, retired_at
	FROM aevon.view_rule_versions();

CREATE FUNCTION aevon.rule_versions_of(readable integer[]) RETURNS SETOF aevon.rule_versions
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT t.tenant, r.name AS rule, r.version, r.state, r.event_type, r.operators,
		r.value, r.filter, r.dimensions,
		pg_catalog.encode(r.fingerprint, 'hex') AS fingerprint,
		r.defined_by, r.defined_at, r.active_at, r.retired_at
	FROM aevon.rules r
	LEFT JOIN aevon.tenants t ON t.tenant_key OPERATOR(pg_catalog.=) r.tenant_key
	WHERE r.tenant_key OPERATOR(pg_catalog.=) 0 OR r.tenant_key OPERATOR(pg_catalog.=) ANY (readable);
END;
REVOKE ALL ON FUNCTION aevon.rule_versions_of(integer[]) FROM PUBLIC;

CREATE VIEW aevon.daily_metrics WITH (security_barrier) AS
	SELECT tenant, principal COLLATE "C" AS principal, rule COLLATE "C" AS rule, version, day,
		value, stats, event_count, late_count, status COLLATE "C" AS status, revisions,
		taken_at, first_value, change, completeness, completeness_days, anomaly, dims
	FROM aevon.view_daily_metrics();

ALTER FUNCTION aevon.events_of(integer[]) OWNER TO aevon_owner;
ALTER FUNCTION aevon.pre_aggregates_of(integer[]) OWNER TO aevon_owner;
ALTER FUNCTION aevon.rejected_events_of(integer[]) OWNER TO aevon_owner;
ALTER FUNCTION aevon.rule_versions_of(integer[]) OWNER TO aevon_owner;
ALTER FUNCTION aevon.rule_totals_of(integer[]) OWNER TO aevon_owner;
ALTER VIEW aevon.events OWNER TO aevon_owner;
ALTER VIEW aevon.daily_metrics OWNER TO aevon_owner;
ALTER VIEW aevon.pre_aggregates OWNER TO aevon_owner;
ALTER VIEW aevon.status OWNER TO aevon_owner;
ALTER VIEW aevon.workers OWNER TO aevon_owner;
ALTER VIEW aevon.rejected_events OWNER TO aevon_owner;
ALTER VIEW aevon.stat_sweep OWNER TO aevon_owner;
ALTER VIEW aevon.stat_rule OWNER TO aevon_owner;
ALTER VIEW aevon.stat_tenant OWNER TO aevon_owner;
ALTER VIEW aevon.stat_query OWNER TO aevon_owner;
ALTER VIEW aevon.alerts OWNER TO aevon_owner;
ALTER VIEW aevon.rule_versions OWNER TO aevon_owner;
GRANT USAGE ON SCHEMA aevon TO PUBLIC;
GRANT SELECT ON aevon.daily_metrics, aevon.events, aevon.pre_aggregates, aevon.status, aevon.workers,
	aevon.rejected_events, aevon.rule_versions, aevon.stat_sweep, aevon.stat_rule,
	aevon.stat_tenant, aevon.stat_query, aevon.alerts TO PUBLIC;

-- ---------------------------------------------------------------------------
-- 5. The public API.  Each function checks its caller itself, before it
-- touches anything, and so keeps PostgreSQL's EXECUTE for PUBLIC on purpose.
-- A database that wants less can REVOKE it.
-- ---------------------------------------------------------------------------
CREATE FUNCTION aevon_ingest(tenant text, principal text, event_id text, event_type text,
		occurred_at timestamptz DEFAULT NULL, data jsonb DEFAULT '{}', metadata jsonb DEFAULT NULL)
	RETURNS text
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'aevon_ingest_sql';

CREATE FUNCTION aevon_ingest_batch(tenant text, events jsonb, on_error text DEFAULT 'abort',
		OUT accepted bigint, OUT duplicate bigint, OUT rejected bigint)
	RETURNS SETOF record
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
	AS 'MODULE_PATHNAME', 'aevon_ingest_batch_sql';

CREATE FUNCTION aevon_ingest_from(source regclass, tenant text DEFAULT NULL, on_error text DEFAULT 'abort',
		OUT accepted bigint, OUT duplicate bigint, OUT rejected bigint)
	RETURNS SETOF record
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
	AS 'MODULE_PATHNAME', 'aevon_ingest_from_sql';

CREATE FUNCTION aevon_void(tenant text, principal text, event_id text, reason text)
	RETURNS text
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'aevon_void_sql';

CREATE FUNCTION aevon_state(tenant text, principal text DEFAULT NULL, rule text DEFAULT NULL,
		since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity',
		granularity text DEFAULT 'total', as_of timestamptz DEFAULT NULL,
		dims jsonb DEFAULT NULL, group_by text[] DEFAULT NULL, timezone text DEFAULT 'UTC')
	RETURNS jsonb
	LANGUAGE c STABLE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'aevon_state_sql';

CREATE FUNCTION aevon_windows(tenant text, principal text DEFAULT NULL, rule text DEFAULT NULL,
		since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity',
		granularity text DEFAULT 'total', as_of timestamptz DEFAULT NULL,
		dims jsonb DEFAULT NULL, group_by text[] DEFAULT NULL, timezone text DEFAULT 'UTC')
	RETURNS TABLE (rule text, dims jsonb, window_start timestamptz, window_end timestamptz,
		event_count bigint, value numeric, stats jsonb)
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100
	AS 'MODULE_PATHNAME', 'aevon_windows_sql';

CREATE FUNCTION aevon_top(tenant text, rule text, n integer DEFAULT 10, by text DEFAULT NULL,
		of text DEFAULT 'principal', since timestamptz DEFAULT '-infinity',
		until timestamptz DEFAULT 'infinity', dims jsonb DEFAULT NULL)
	RETURNS TABLE (rank integer, key text, event_count bigint, value numeric, stats jsonb)
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 10
	AS 'MODULE_PATHNAME', 'aevon_top_sql';

CREATE FUNCTION aevon_events(tenant text, principal text,
		since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity',
		max_rows integer DEFAULT 1000, after text DEFAULT NULL)
	RETURNS SETOF aevon.events
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 1000
	AS 'MODULE_PATHNAME', 'aevon_events_sql';

CREATE FUNCTION aevon_define_rule(name text, event_type text, operators text[],
		value text DEFAULT NULL, filter text DEFAULT NULL, dimensions jsonb DEFAULT '{}',
		tenant text DEFAULT NULL, rollups text[] DEFAULT NULL)
	RETURNS integer
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'aevon_define_rule_sql';

CREATE FUNCTION aevon_drop_rule(name text, tenant text DEFAULT NULL)
	RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'aevon_drop_rule_sql';

CREATE FUNCTION aevon_load_rules(directory text, OUT rule text, OUT version integer, OUT changed boolean)
	RETURNS SETOF record
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
	AS 'MODULE_PATHNAME', 'aevon_load_rules_sql';

CREATE FUNCTION aevon_sweep(max_events bigint DEFAULT NULL,
		OUT event_count bigint, OUT bucket_count bigint, OUT measure_count integer,
		OUT duration_ms double precision, OUT more boolean)
	RETURNS record
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'aevon_sweep_sql';

CREATE FUNCTION aevon_snapshot()
	RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'aevon_snapshot_sql';

CREATE FUNCTION aevon_history(tenant text, principal text DEFAULT NULL, rule text DEFAULT NULL,
		since date DEFAULT '-infinity', until date DEFAULT 'infinity', dims jsonb DEFAULT NULL)
	RETURNS TABLE (rule text, day date, revision integer, taken_at timestamptz, status text,
		event_count bigint, late_count bigint, value numeric, delta numeric, stats jsonb, cut text)
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100
	AS 'MODULE_PATHNAME', 'aevon_history_sql';

CREATE FUNCTION aevon_daily_metrics(tenant text, principal text DEFAULT NULL,
		rule text DEFAULT NULL, since date DEFAULT '-infinity', until date DEFAULT 'infinity',
		dims jsonb DEFAULT NULL)
	RETURNS SETOF aevon.daily_metrics
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100
	AS 'MODULE_PATHNAME', 'aevon_daily_metrics_sql';

CREATE FUNCTION aevon_explain(tenant text, principal text, rule text, day date,
		revision integer DEFAULT NULL, dims jsonb DEFAULT NULL, max_rows integer DEFAULT 1000,
		after text DEFAULT NULL)
	RETURNS TABLE (principal text, event_id text, change text, occurred_at timestamptz,
		ingested_at timestamptz, delay interval, late boolean, count_change integer,
		value_change numeric, voided_at timestamptz, reason text, voided_by text,
		"position" text)
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100
	AS 'MODULE_PATHNAME', 'aevon_explain_sql';

CREATE FUNCTION aevon_rebuild(rule text, tenant text DEFAULT NULL)
	RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'aevon_rebuild_sql';

CREATE FUNCTION aevon_verify(rule text DEFAULT NULL, tenant text DEFAULT NULL,
		repair boolean DEFAULT false)
	RETURNS TABLE (rule text, version integer, tenant text, principal text, what text,
		window_start timestamptz, stored jsonb, recomputed jsonb, repaired boolean)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
	AS 'MODULE_PATHNAME', 'aevon_verify_sql';

CREATE FUNCTION aevon_chain_head()
	RETURNS TABLE (link_number bigint, link text, cut text, made_at timestamptz)
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 1
	AS 'MODULE_PATHNAME', 'aevon_chain_head_sql';

CREATE FUNCTION aevon_chain_check(link_number bigint, link text)
	RETURNS boolean
	LANGUAGE c STABLE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'aevon_chain_check_sql';

CREATE FUNCTION aevon_adopt()
	RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'aevon_adopt_sql';

CREATE FUNCTION aevon_grant(tenant text, role regrole, privilege text)
	RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'aevon_grant_sql';

CREATE FUNCTION aevon_revoke(tenant text, role regrole, privilege text)
	RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'aevon_revoke_sql';

CREATE FUNCTION aevon_health()
	RETURNS TABLE (check_name text, status text, value double precision,
		threshold double precision, unit text, detail text, hint text)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 12
	AS 'MODULE_PATHNAME', 'aevon_health_sql';

CREATE FUNCTION aevon_metrics(tenant text DEFAULT NULL)
	RETURNS text
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'aevon_metrics_sql';

CREATE FUNCTION aevon_stat_reset(what text DEFAULT NULL)
	RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'aevon_stat_reset_sql';

CREATE FUNCTION aevon_schedule(sweep_schedule text DEFAULT '* * * * *')
	RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'aevon_schedule_sql';

-- ---------------------------------------------------------------------------
-- 6. What a dump carries: all that is not derived from the install script.
-- ---------------------------------------------------------------------------
-- (One statement each: a query would update pg_extension's row but once.)
DO $dump$
DECLARE
	rel record;
BEGIN
	FOR rel IN
		SELECT c.oid, c.relname
		FROM pg_catalog.pg_class c
		WHERE c.relnamespace OPERATOR(pg_catalog.=) 'aevon'::pg_catalog.regnamespace
			AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,S}'::"char"[])
		ORDER BY c.oid
	LOOP
		PERFORM pg_catalog.pg_extension_config_dump(rel.oid,
			CASE rel.relname
				WHEN 'log_parts' THEN 'WHERE part > 1'
				-- the first compaction of the copy looks at every day
				WHEN 'compaction_progress' THEN 'WHERE false'
				WHEN 'reopened_days' THEN 'WHERE false'
				-- the number of a dropped role would name another one elsewhere
				WHEN 'grants' THEN 'WHERE role IN (SELECT r.oid FROM pg_catalog.pg_roles r)'
				ELSE ''
			END);
	END LOOP;
END
$dump$;

-- ---------------------------------------------------------------------------
-- 7. Comments: the reference that psql's \d+ and \df+ show.
-- ---------------------------------------------------------------------------
COMMENT ON SCHEMA aevon IS 'Tables, views and internals of Aevon, the event-sourced state store. Applications call the aevon_* functions and read the views; they have no privilege on the tables.';

-- Public functions ----------------------------------------------------------
COMMENT ON FUNCTION aevon_ingest(text, text, text, text, timestamptz, jsonb, jsonb) IS
'Append one immutable event, as part of the caller''s transaction.
Arguments: tenant, principal, event_id, event_type: names of 1 to 255 characters without control characters; occurred_at: when it happened, year 0001 to 9999 AD and at most aevon.max_future ahead, NULL: now; data: a JSON object; metadata: a JSON object or NULL, stored but neither measured nor compared.
Result: ''accepted'', or ''duplicate'' when the tenant''s principal has this event_id already with the same type, data and (if given) occurred_at: then nothing changes.
Errors: 22004 a name or data is NULL; 22023 empty name, control character, ''*'' as tenant or type, data not an object; 22001 name too long; 22008 time out of range; 54000 larger than aevon.max_event_size or nested deeper than 100; 23505 the event_id exists with other content; 42501 no ''ingest'' privilege on the tenant; 55000 restored tables not yet adopted.';

COMMENT ON FUNCTION aevon_ingest_batch(text, jsonb, text) IS
'Append many events at once, as part of the caller''s transaction.
Arguments: tenant: of all the events; events: a JSON array of objects with the members principal, event_id, event_type, occurred_at, data and metadata as in aevon_ingest, or of CloudEvents 1.0 (they have the member specversion; the event_id is source, a space and id, type is the event_type, time the occurred_at, subject the principal, and the other attributes go to metadata); times are in ISO 8601; on_error: ''abort'' (the first bad event raises its error and nothing is stored) or ''reject'' (bad events go to aevon.rejected_events with payload, reason and SQLSTATE; the others are stored).
Result: one row with the number of events accepted, duplicate and rejected.
Errors: those of aevon_ingest; 22023 when events is not an array, an event has an unknown member, or on_error is neither word.';

COMMENT ON FUNCTION aevon_ingest_from(regclass, text, text) IS
'Append all rows of a staging table or view, read with the caller''s own rights.
Arguments: source: relation with the columns principal, event_id, event_type and, if present, tenant, occurred_at, data, metadata, ingested_at (imports; needs the ''operate'' privilege); tenant: of all rows, NULL: taken from the column tenant; on_error: ''abort'' or ''reject'' as in aevon_ingest_batch.
Result: one row with the number of events accepted, duplicate and rejected.
Errors: those of aevon_ingest and of reading the source; 42703 a needed column is missing; 42804 a column is of another type. A bad tenant is never rejected, but raised: nobody could see the rejection.';

COMMENT ON FUNCTION aevon_state(text, text, text, timestamptz, timestamptz, text, timestamptz, jsonb, text[], text) IS
'The state of a principal or of a whole tenant, fresh and exact, as one JSON document.
Arguments: tenant; principal: NULL for the whole tenant; rule: name or name@version, NULL for every rule of the tenant; since, until: half-open range of occurred_at to the microsecond, infinite ends allowed; granularity: ''total'', ''1mo'', ''1w'', ''1d'', or minutes or hours that divide a day (''1m'', ''90m'', ''6h''); timezone: whose days, weeks and months, a name of pg_timezone_names; as_of: the answer from what was ingested, and not yet voided, by that time, exact to the microsecond; NULL: everything; dims: only events with these dimension values, an object of names, each with a value or an array of values (null: null or missing); group_by: names of dimensions, an answer for each combination of their values.
Result: {tenant, principal, since, until, granularity, timezone, as_of, data_through, staleness_seconds, tail_events, cut, rules: {NAME: {version, operators, skipped, complete, values: [{window_start, window_end, event_count, value, stats, dims}]}}}, values by group, then by time; complete (only with dims or group_by): false if events are folded together past aevon.max_series_per_rule; dims (only with group_by): the group''s values by name, with "__other__": true for what is folded together. Empty windows appear when the range is finite: count and sum 0, the rest null.
Errors: 22004 tenant is NULL; 22023 reversed range, unknown granularity or time zone, dims that is not an object of values, a dimension that the rule lacks (rule NULL: that no rule has); 22004 also a NULL in group_by; 22008 a window beyond what a timestamp can hold; 42704 unknown rule; 42501 no ''read'' privilege or unknown tenant; 54000 more than aevon.max_windows windows of all groups; 55000 restored tables not yet adopted.';

COMMENT ON FUNCTION aevon_windows(text, text, text, timestamptz, timestamptz, text, timestamptz, jsonb, text[], text) IS
'The same answer as aevon_state, as one row per rule and window with exact numerics.
Arguments: those of aevon_state.
Result: rule name; dims: the group''s values by name, {} without group_by; window_start, window_end: the window on the grid, of which only [since, until) counts; event_count: events that matched; value: the rule''s first operator; stats: every operator by name. Ordered by rule, then group, then window. Empty windows appear when the range is finite.
Errors: those of aevon_state.';

COMMENT ON FUNCTION aevon_top(text, text, integer, text, text, timestamptz, timestamptz, jsonb) IS
'The principals of a tenant, or the values of a dimension, with the greatest statistic.
Arguments: tenant; rule: name or name@version; n: at most so many rows, 1 to aevon.max_windows; by: one of the rule''s operators, NULL for the first; of: ''principal'', or the name of a dimension; since, until: half-open range of occurred_at; dims: only events with these dimension values, as in aevon_state.
Result: rank: from 1; key: the principal, or the dimension''s value as text, NULL for null and what is missing; event_count: events that matched; value: by''s value; stats: every operator by name. Descending by value, none last, then by key in the order of bytes. What was folded together past aevon.max_series_per_rule has the key ''__other__'', and the member "__other__": true in stats.
Errors: 22004 an argument other than by or dims is NULL; 22023 n below 1, an operator or a dimension that the rule lacks, dims is not an object of values, reversed range; 42704 unknown rule; 42501 no ''read'' privilege or unknown tenant; 54000 n beyond aevon.max_windows; 55000 restored tables not yet adopted.';

COMMENT ON FUNCTION aevon_events(text, text, timestamptz, timestamptz, integer, text) IS
'The raw events of one principal, page by page: the audit behind every number.
Arguments: tenant, principal; since, until: half-open range of occurred_at; max_rows: rows of a page, 1 to 100,000; after: event_id of the last row of the page before, NULL: the first page.
Result: rows of the view aevon.events, ordered by occurred_at, then event_id.
Errors: 22004 a needed argument is NULL; 22023 reversed range, max_rows out of range, after is no event of the principal; 42501 no ''read'' privilege or unknown tenant; 55000 restored tables not yet adopted.';

COMMENT ON FUNCTION aevon_define_rule(text, text, text[], text, text, jsonb, text, text[]) IS
'Define what to measure: a new rule, or the next version of one. It covers all retained history from its first read on; the version before it answers until it has caught up.
Arguments: name: 1 to 255 characters without ''@''; event_type: or ''*'' for every type; operators: of count, sum, min, max, avg, last, distinct (number of distinct JSON values, strings too) and quantiles (p50, p99.9: within 1 %), the first is the rule''s value; value: jsonpath of the number to measure, a bare key is short for $.key, NULL: only count; filter: jsonpath that an event must match, NULL: all; dimensions: object of names, any but principal and __other__, and the jsonpaths of their values, at most 16; tenant: whose rule, hiding a global one of the same name, NULL: a global rule, for every tenant; rollups: dimensions whose values alone get series of the whole tenant, so that a question about one of several dimensions need not read all combinations, NULL: each, {}: none.
Result: the version. The definition of the newest version again changes nothing and returns its number.
Errors: 22004, 22001, 22023 bad or missing argument, broken jsonpath, .datetime(); 54000 a jsonpath that nests too deep or may cost too much; 42501 no ''operate'' privilege on the tenant (on ''*'' for a global rule); 55000 restored tables not yet adopted.';

COMMENT ON FUNCTION aevon_drop_rule(text, text) IS
'Retire every version of a rule. Its name is unknown until it is defined again, which gives the next version. Events are not touched.
Arguments: name; tenant: whose rule, NULL: the global one.
Errors: 22004 name is NULL; 42704 unknown rule; 42501 no ''operate'' privilege on the tenant (on ''*'' for a global rule).';

COMMENT ON FUNCTION aevon_load_rules(text) IS
'Define the rules found in the YAML files (*.yaml, *.yml) of a directory on the server: all of them or, when one is bad, none.
Arguments: directory: path that the server can read.
Result: one row per rule: its name, its version, and whether it changed. An unchanged definition makes no new version.
Errors: 22023 a bad file, named with its line; 42501 no ''operate'' privilege on ''*'', or neither superuser nor member of pg_read_server_files; otherwise those of aevon_define_rule.';

COMMENT ON FUNCTION aevon_sweep(bigint) IS
'Fold committed events that no bucket holds yet into the buckets, in the caller''s transaction. No answer changes by it; reads get cheaper.
Arguments: max_events: stop at a transaction''s end past that many events; NULL: no bound.
Result: events read, bucket rows written, measures whose cut moved, duration in milliseconds, and whether a bounded sweep left a backlog.
Waits for another sweep''s transaction to end, for nothing else. Errors: 42501 no ''operate'' privilege on ''*''; 25006 in recovery or a read-only transaction; 40001 under REPEATABLE READ or above when another sweep moved the cut; 55000 restored tables not yet adopted, or PREPARE TRANSACTION after it.';

COMMENT ON FUNCTION aevon_adopt() IS
'Accept tables that were restored from a dump of another cluster: from here on new events are stamped above all that is stored. Until it is called, reads and writes of such tables fail with 55000. Does nothing when the tables are this cluster''s own.
Errors: 42501 no ''operate'' privilege on ''*''.';

COMMENT ON FUNCTION aevon_grant(text, regrole, text) IS
'Bind a role, and so its members, to a tenant.
Arguments: tenant: name, in use or not, ''*'': all; role; privilege: ''ingest'', ''read'', ''void'' or ''operate''. Granting twice changes nothing.
Errors: 22004 an argument is NULL; 22023 unknown privilege or bad name; 42704 unknown role; 42501 no ''operate'' privilege on the tenant.';

COMMENT ON FUNCTION aevon_revoke(text, regrole, text) IS
'Undo aevon_grant of the same arguments. Revoking what was not granted changes nothing.
Errors: those of aevon_grant.';

COMMENT ON FUNCTION aevon_void(text, text, text, text) IS
'Correct: from now on the event does not count, in any statistic; before (as_of) it does. The event itself stays in the log.
Arguments: tenant, principal, event_id: the event; it must be visible to the caller''s transaction; reason: why, one line of at most 1000 characters, kept for whoever asks later.
Result: ''voided'', or ''duplicate'' if it is void already, which changes nothing (its first reason stays). To replace an event, void it and ingest another one under a new event_id: the old id stays taken.
Errors: 22004 NULL argument; 22023 empty argument, control character; 22001 too long; 42501 without the void privilege; 42704 no such event; 25006 read-only transaction; 55000 restored tables not adopted; 40001 under REPEATABLE READ.';

COMMENT ON FUNCTION aevon_rebuild(text, text) IS
'Make a rule''s buckets again from the log: they go at once, the following sweeps fill them. Reads go on and are right meanwhile, from the log. Snapshots stay.
Arguments: rule: name or name@version of a live version; tenant: whose rule it is, NULL for a rule of all tenants. Rules that measure the same share the buckets.
Errors: 22004; 42501 without operate on the tenant, or on all; 42704 unknown rule; 25006; 40001; 55000.';

COMMENT ON FUNCTION aevon_history(text, text, text, date, date, jsonb) IS
'Every snapshot of the days of a metric: how each day''s value came to be what it is.
Arguments: tenant; principal: NULL for the whole tenant; rule: name or name@version, NULL for every rule; since, until: half-open range of UTC days; dims: dimension values of the rule''s series asked for, NULL: totals; a value for each dimension, or for the whole tenant one that the rule rolls up; all __other__: what was folded together.
Result: by rule, day and revision: when it was taken, its status (provisional, final, revised), event_count, late_count (of these, ingested after the day''s end), value (the rule''s first operator), delta (against the revision before), stats (every statistic), cut.
Errors: 22004, 22023 reversed range; 42501; 42704 unknown rule; 55000.';

COMMENT ON FUNCTION aevon_daily_metrics(text, text, text, date, date, jsonb) IS
'The rows of the view aevon.daily_metrics of one tenant or principal, in the time that these rows need.
Arguments: tenant; principal: NULL for the whole tenant; rule: name or name@version, NULL for every rule; since, until: half-open range of UTC days; dims: dimension values of the rule''s series asked for, NULL: totals; a value for each dimension, or for the whole tenant one that the rule rolls up; all __other__: what was folded together.
Result: by rule and day: the columns of aevon.daily_metrics.
Errors: 22004, 22023 reversed range; 42501; 42704 unknown rule; 55000.';

COMMENT ON FUNCTION aevon_explain(text, text, text, date, integer, jsonb, integer, text) IS
'The events behind a day of a metric, or behind one of its revisions.
Arguments: tenant; principal: NULL for the whole tenant; rule: name or name@version; day: a UTC day; revision: what changed from the snapshot before to this one, NULL for every event of the day as of now; dims: as for aevon_history, only events that count for that series; max_rows: 1 to 100000; after: "position" of the last row of the page before.
Result: by occurred_at, principal and event_id: change (added, or voided), delay (ingested_at less occurred_at), late (ingested after the day''s end), count_change and value_change (what the event added or took away; 0 for an event of the day that is void), and of voided ones when, why and by whom. The changes of a revision add up to its delta of count and sum.
Errors: 22004; 22008 infinite day; 22023 bad page; 42501; 42704 unknown rule or revision; 55000.';

COMMENT ON FUNCTION aevon_snapshot() IS
'Sweep, then add a snapshot for each (series, UTC day) whose metric changed since its last one: aevon.snapshots. The worker does it every aevon.snapshot_interval.
Result: number of snapshots added. The cost depends on the days that changed, not on history. Measures still catching up are left for later.
Errors: those of aevon_sweep.';

COMMENT ON FUNCTION aevon_verify(text, text, boolean) IS
'Prove the numbers: compute everything again from the raw log and list what differs. Nothing is listed when all is right. Ingest goes on meanwhile; with repair, sweeps wait.
Arguments: rule: name, all its versions, or name@version; NULL: every rule, and the events; tenant: NULL: every tenant; with rule NULL, the chain too; repair: mend buckets, in this transaction, and record each in aevon.repairs.
Result: rule, version, tenant, principal (NULL: the whole tenant) where they apply; what: ''bucket_1m'', ''bucket_1h'' or ''bucket_1d'' (a window of the store), ''series_count'' (how many series with dimension values a tenant has), ''snapshot'' (computed again at its own cut), ''event'' (a row of the log that does not match its stored hash), ''key'' (the identity of an event, which leads to several or to none) or ''chain'' (a link that does not follow from the one before it and the log); window_start: the window, the snapshot''s day, the event''s occurred_at or when the link was made; stored and recomputed: both sides, NULL where there is nothing; repaired: whether it was mended. Snapshots, events, keys and links never are.
Errors: 22004 repair is NULL; 42704 unknown rule; 42501 no ''operate'' privilege on the tenant (on ''*'' when it is NULL), or unknown tenant; with repair also 25006 in recovery or a read-only transaction and 40001 under REPEATABLE READ or above; 55000 restored tables not yet adopted.';

COMMENT ON FUNCTION aevon_chain_head() IS
'The last link of the tamper-evident chain over the log, to be kept elsewhere. No row before the first link.
Result: link_number; link: SHA-256 in hex over all events and voids inside the cut, by way of the links before; cut: as in aevon.status; made_at.
Errors: 42501 no ''operate'' privilege on ''*''.';

COMMENT ON FUNCTION aevon_chain_check(bigint, text) IS
'Check a head that aevon_chain_head gave earlier and that was kept elsewhere.
Arguments: link_number; link: 64 hexadecimal digits.
Result: whether the chain has this very link under this number. Together with an aevon_verify() that lists no ''chain'' and no ''event'', true means that since then no event and no void up to that link was changed, added or taken away.
Errors: 22004 NULL argument; 22023 not a link; 42501 no ''operate'' privilege on ''*''.';

COMMENT ON FUNCTION aevon_health() IS
'Is anything wrong, and what to do about it: one row per check. The view aevon.alerts shows the rows that are warning or critical.
Result: check_name: restore_guard, worker, read_latency, tail, lag, backfill, rejected_events, conflicts, late_events, series, snapshots, chain; status: ''ok'', ''warning'' (value past threshold), ''critical'' (past four times the threshold, or broken) or ''unknown'' (detail says why); value and threshold in unit; detail; hint: what to do. Thresholds are the settings aevon.alert_...; -1 switches a check off. Roles with ''operate'' on ''*'' or membership in pg_monitor get every check, over all tenants; other roles the checks that concern tenants, over those they may read; a role with no grant no row.
Errors: none of its own.';

COMMENT ON FUNCTION aevon_metrics(text) IS
'All figures in Prometheus''s text exposition format (version 0.0.4), for an exporter or a gateway to pass on.
Arguments: tenant: whose figures, each with the label tenant; NULL: those of the whole database, without names of tenants but for rules of tenants that the caller may read.
Result: the document, in the database''s encoding: Prometheus wants UTF-8, so set client_encoding to it.
Errors: 42501 no ''read'' privilege on the tenant or unknown tenant; with NULL, neither ''operate'' on ''*'' nor member of pg_monitor.';

COMMENT ON FUNCTION aevon_stat_reset(text) IS
'Set the cumulative statistics of this database to zero: those in shared memory. It is not undone by a rollback. What the views read from tables stays.
Arguments: what: ''sweep'', ''rule'', ''tenant'' or ''query'', for the view of that name; NULL: all.
Errors: 22023 unknown word; 42501 no ''operate'' privilege on ''*''.';

COMMENT ON FUNCTION aevon_schedule(text) IS
'Register a pg_cron job that calls aevon_sweep(), for servers that do not preload Aevon.
Arguments: sweep_schedule: in pg_cron''s syntax, at least one sweep a minute is advised.
Result: the job''s number. Registering again replaces the schedule.
Errors: 42501 no ''operate'' privilege on ''*''; 55000 pg_cron is not installed in this database.';

-- Internal functions --------------------------------------------------------
COMMENT ON FUNCTION aevon.refuse_change() IS
'Trigger: refuses UPDATE, DELETE and TRUNCATE with 55000. Events, voids and snapshots are immutable.';
COMMENT ON FUNCTION aevon.readable_tenants() IS
'Keys and names of the tenants that the current user may read.';
COMMENT ON FUNCTION aevon.unpack_bucket(bytea, integer) IS
'The windows packed in one row of a bucket table, by time; quantiles and distinct are the sketches as they are stored. Pure: it sees nothing but its arguments. For the views.';
COMMENT ON FUNCTION aevon.unpack_minutes(bytea, bytea, bigint, bigint) IS
'The minutes of one row of aevon.buckets_1m, by time, together with those open minutes of its series that lie in [first_window, next_window); NULL: no row, no open minutes, no bound. Pure: it sees nothing but its arguments. For the view aevon.pre_aggregates.';
COMMENT ON FUNCTION aevon.rule_status() IS
'One row per rule version that the current user may see. For the view aevon.status.';
COMMENT ON FUNCTION aevon.stat_sweeps() IS
'The row of the view aevon.stat_sweep, for the current user.';
COMMENT ON FUNCTION aevon.stat_rules() IS
'The rows of the view aevon.stat_rule, for the current user.';
COMMENT ON FUNCTION aevon.stat_tenants() IS
'The rows of the view aevon.stat_tenant, for the current user.';
COMMENT ON FUNCTION aevon.stat_queries() IS
'The rows of the view aevon.stat_query, for the current user.';
COMMENT ON FUNCTION aevon.health_checks() IS
'The rows of aevon_health(), for the view aevon.alerts.';
COMMENT ON FUNCTION aevon.bucket_totals(bytea) IS
'Events of one row of a bucket table: all, those without a usable value, and late ones. Pure: it sees nothing but its argument.';
COMMENT ON FUNCTION aevon.latency_quantile(double precision[], double precision) IS
'A quantile of durations in ms as aevon.stat_query would show it: within 5 percent of percentile_disc. Pure: it sees nothing but its arguments. NULL without samples, or with a quantile outside of 0 to 1.';
COMMENT ON FUNCTION aevon.rule_totals_of(integer[]) IS
'Query of the view aevon.stat_rule, for the owner only. Argument: keys of tenants.';
COMMENT ON FUNCTION aevon.view_events() IS
'The rows of the view aevon.events, for the current user.';
COMMENT ON FUNCTION aevon.view_pre_aggregates() IS
'The rows of the view aevon.pre_aggregates, for the current user.';
COMMENT ON FUNCTION aevon.view_rejected_events() IS
'The rows of the view aevon.rejected_events, for the current user.';
COMMENT ON FUNCTION aevon.view_rule_versions() IS
'The rows of the view aevon.rule_versions, for the current user.';
COMMENT ON FUNCTION aevon.view_daily_metrics() IS
'The rows of the view aevon.daily_metrics, for the current user.';
COMMENT ON FUNCTION aevon.events_of(integer[]) IS
'Query of the view aevon.events, for the owner only. Argument: keys of tenants.';
COMMENT ON FUNCTION aevon.pre_aggregates_of(integer[]) IS
'Query of the view aevon.pre_aggregates, for the owner only. Argument: keys of tenants.';
COMMENT ON FUNCTION aevon.rejected_events_of(integer[]) IS
'Query of the view aevon.rejected_events, for the owner only. Argument: keys of tenants.';
COMMENT ON FUNCTION aevon.rule_versions_of(integer[]) IS
'Query of the view aevon.rule_versions, for the owner only. Argument: keys of tenants.';
COMMENT ON FUNCTION aevon.worker_status() IS
'One row per database that has a background worker or waits for one, as far as the current user may see. For the view aevon.workers.';

-- Views -----------------------------------------------------------------------
COMMENT ON VIEW aevon.events IS 'The event log with names instead of keys; rows of tenants that the current user may read.';
COMMENT ON COLUMN aevon.events.tenant IS 'Whose event.';
COMMENT ON COLUMN aevon.events.principal IS 'The subject of the event: a user, device, project or the like of the tenant.';
COMMENT ON COLUMN aevon.events.event_id IS 'Identity of the event within its principal; a retry repeats it.';
COMMENT ON COLUMN aevon.events.event_type IS 'What kind of event; rules choose by it.';
COMMENT ON COLUMN aevon.events.occurred_at IS 'When it happened; ranges and windows go by this time.';
COMMENT ON COLUMN aevon.events.ingested_at IS 'Clock time of the call that ingested it.';
COMMENT ON COLUMN aevon.events.data IS 'What happened: a JSON object, which rules measure.';
COMMENT ON COLUMN aevon.events.metadata IS 'JSON that travels with the event and is not measured, or NULL.';
COMMENT ON COLUMN aevon.events.stamp IS 'The ingesting transaction: its 64-bit id plus the installation''s base.';

COMMENT ON VIEW aevon.pre_aggregates IS 'The buckets that sweeps have filled: one row per rule, series and active minute (UTC); rows of tenants that the current user may read. What is not swept yet is not here: ask aevon_windows for the whole truth.';
COMMENT ON COLUMN aevon.pre_aggregates.tenant IS 'Whose bucket.';
COMMENT ON COLUMN aevon.pre_aggregates.principal IS 'Of which principal; NULL: the whole tenant.';
COMMENT ON COLUMN aevon.pre_aggregates.rule IS 'Name of the rule.';
COMMENT ON COLUMN aevon.pre_aggregates.version IS 'Version of the rule.';
COMMENT ON COLUMN aevon.pre_aggregates.dims IS 'Dimension values of the series; {} without dimensions.';
COMMENT ON COLUMN aevon.pre_aggregates.window_start IS 'First moment of the minute.';
COMMENT ON COLUMN aevon.pre_aggregates.window_end IS 'First moment after the minute.';
COMMENT ON COLUMN aevon.pre_aggregates.event_count IS 'Events that matched the rule.';
COMMENT ON COLUMN aevon.pre_aggregates.skipped IS 'Of these, events that gave no usable number.';
COMMENT ON COLUMN aevon.pre_aggregates.sum IS 'Sum of the values, 0 without any.';
COMMENT ON COLUMN aevon.pre_aggregates.min IS 'Least value, NULL without any.';
COMMENT ON COLUMN aevon.pre_aggregates.max IS 'Greatest value, NULL without any.';
COMMENT ON COLUMN aevon.pre_aggregates.last IS 'Value of the greatest (occurred_at, principal, event_id); NULL without any, or if no rule asks for it.';
COMMENT ON COLUMN aevon.pre_aggregates.first_ingested_at IS 'When the first of the events was ingested.';
COMMENT ON COLUMN aevon.pre_aggregates.last_ingested_at IS 'When the last of the events was ingested.';

COMMENT ON VIEW aevon.status IS 'How far each rule version is: one row each, of tenants that the current user may read; figures count these tenants'' events only.';
COMMENT ON COLUMN aevon.status.tenant IS 'Whose rule; NULL: a global rule.';
COMMENT ON COLUMN aevon.status.rule IS 'Name of the rule.';
COMMENT ON COLUMN aevon.status.version IS 'Version of the rule.';
COMMENT ON COLUMN aevon.status.state IS 'active, or building (the version before it still answers); retired versions are not shown.';
COMMENT ON COLUMN aevon.status.cut IS 'The cut of its buckets, as "xmax:xip,...": stamps below xmax and not listed are inside.';
COMMENT ON COLUMN aevon.status.tail_events IS 'Committed events outside the cut: read from the log by each answer.';
COMMENT ON COLUMN aevon.status.lag_seconds IS 'Age in seconds of the oldest event outside the cut by ingested_at; 0 without any.';
COMMENT ON COLUMN aevon.status.backfill_progress IS 'Share of the log that the version''s buckets hold, from 0 to 1.';
COMMENT ON COLUMN aevon.status.last_sweep_at IS 'When its cut was last moved; NULL: never.';
COMMENT ON COLUMN aevon.status.last_error IS 'Message of the last sweep if that failed, else NULL.';
COMMENT ON COLUMN aevon.status.last_error_at IS 'When the last sweep failed, if it did.';
COMMENT ON VIEW aevon.workers IS 'The background workers: one row per database that has one, or waits for one. Members of pg_monitor see all; who may operate a database sees its row there; nobody else sees any. Empty unless aevon is in shared_preload_libraries.';
COMMENT ON COLUMN aevon.workers.database IS 'Name of the database.';
COMMENT ON COLUMN aevon.workers.pid IS 'Process id of the worker; NULL: none runs.';
COMMENT ON COLUMN aevon.workers.state IS 'waiting (for its turn, for the next try after an error, or for the end of a command that needs the database for itself), starting (connecting), checking (looking around), idle, sweeping, or refused (the restore guard forbids sweeping: see last_error).';
COMMENT ON COLUMN aevon.workers.state_since IS 'Since when it has been in that state.';
COMMENT ON COLUMN aevon.workers.last_sweep_at IS 'End of the last round of sweeps that left nothing behind; NULL: none since the server started.';
COMMENT ON COLUMN aevon.workers.tail_events IS 'About how many events were ingested since the last sweep: an estimate that lives in memory and wakes the worker.';
COMMENT ON COLUMN aevon.workers.failures IS 'Consecutive failures: 0 as soon as a sweep succeeds. The pause before the next try doubles with each.';
COMMENT ON COLUMN aevon.workers.error_state IS 'SQLSTATE of the last error; NULL: none, or the process ended without telling.';
COMMENT ON COLUMN aevon.workers.last_error IS 'Message of the last error since the server started, whether or not it is over; NULL: none.';
COMMENT ON COLUMN aevon.workers.last_error_at IS 'When it happened.';

COMMENT ON VIEW aevon.rejected_events IS 'Events refused under on_error => ''reject'', with the reason; rows of tenants that the current user may read.';
COMMENT ON COLUMN aevon.rejected_events.tenant IS 'For which tenant the event was sent.';
COMMENT ON COLUMN aevon.rejected_events.rejected_at IS 'When it was refused.';
COMMENT ON COLUMN aevon.rejected_events.sqlstate IS 'The error''s SQLSTATE, as on_error => ''abort'' would raise it.';
COMMENT ON COLUMN aevon.rejected_events.reason IS 'The error''s message.';
COMMENT ON COLUMN aevon.rejected_events.detail IS 'The error''s detail, or NULL.';
COMMENT ON COLUMN aevon.rejected_events.payload IS 'The event as it was sent.';

COMMENT ON VIEW aevon.rule_versions IS 'Every version of every rule, global ones and those of tenants that the current user may read.';
COMMENT ON COLUMN aevon.rule_versions.tenant IS 'Whose rule; NULL: a global rule.';
COMMENT ON COLUMN aevon.rule_versions.rule IS 'Name of the rule.';
COMMENT ON COLUMN aevon.rule_versions.version IS 'Version, from 1 up.';
COMMENT ON COLUMN aevon.rule_versions.state IS 'building, active, or retired (replaced or dropped).';
COMMENT ON COLUMN aevon.rule_versions.event_type IS 'Type of the events it measures; ''*'': every type.';
COMMENT ON COLUMN aevon.rule_versions.operators IS 'Statistics it keeps; the first is its value.';
COMMENT ON COLUMN aevon.rule_versions.value IS 'jsonpath of the number; NULL: none, it only counts.';
COMMENT ON COLUMN aevon.rule_versions.filter IS 'jsonpath that an event must match; NULL: every event of the type.';
COMMENT ON COLUMN aevon.rule_versions.dimensions IS 'Dimensions by name with their jsonpath.';
COMMENT ON COLUMN aevon.rule_versions.fingerprint IS 'SHA-256 of the definition, in hex: equal fingerprints mean the same rule.';
COMMENT ON COLUMN aevon.rule_versions.defined_by IS 'Role that defined it.';
COMMENT ON COLUMN aevon.rule_versions.defined_at IS 'When it was defined.';
COMMENT ON COLUMN aevon.rule_versions.active_at IS 'When it began to answer; NULL: not yet.';
COMMENT ON COLUMN aevon.rule_versions.retired_at IS 'When it was replaced or dropped; NULL: it was not.';

COMMENT ON VIEW aevon.stat_sweep IS 'Sweeps since the server started or the last reset: one row, for roles with operate on * or membership in pg_monitor. Empty when Aevon is not preloaded.';
COMMENT ON COLUMN aevon.stat_sweep.sweep_count IS 'Sweeps that moved a cut and committed.';
COMMENT ON COLUMN aevon.stat_sweep.worker_sweep_count IS 'Of these, by the background worker.';
COMMENT ON COLUMN aevon.stat_sweep.event_count IS 'Log rows read.';
COMMENT ON COLUMN aevon.stat_sweep.bucket_count IS 'Bucket rows written.';
COMMENT ON COLUMN aevon.stat_sweep.total_ms IS 'Time they took, in milliseconds.';
COMMENT ON COLUMN aevon.stat_sweep.mean_ms IS 'total_ms by sweep_count; NULL without sweeps.';
COMMENT ON COLUMN aevon.stat_sweep.max_ms IS 'The longest, in milliseconds.';
COMMENT ON COLUMN aevon.stat_sweep.error_count IS 'Failed sweeps of the worker.';
COMMENT ON COLUMN aevon.stat_sweep.last_sweep_at IS 'When the last one committed; NULL: none yet.';
COMMENT ON COLUMN aevon.stat_sweep.reset_at IS 'Since when this is counted.';

COMMENT ON VIEW aevon.stat_rule IS 'What live rules hold and how often they are read: rules of all tenants and of tenants that the current user may read, with the figures of these tenants. All but read_count comes from tables.';
COMMENT ON COLUMN aevon.stat_rule.tenant IS 'Whose rule; NULL: every tenant''s.';
COMMENT ON COLUMN aevon.stat_rule.rule IS 'Name of the rule.';
COMMENT ON COLUMN aevon.stat_rule.version IS 'Its version.';
COMMENT ON COLUMN aevon.stat_rule.state IS 'building or active.';
COMMENT ON COLUMN aevon.stat_rule.series_count IS 'Series that its measure keeps.';
COMMENT ON COLUMN aevon.stat_rule.event_count IS 'Events inside its buckets.';
COMMENT ON COLUMN aevon.stat_rule.skipped_count IS 'Of these, events that gave no usable number.';
COMMENT ON COLUMN aevon.stat_rule.late_count IS 'Of these, events ingested after the end of their UTC day.';
COMMENT ON COLUMN aevon.stat_rule.read_count IS 'Calls of aevon_state, aevon_windows, aevon_top, aevon_history, aevon_daily_metrics and aevon_explain that asked for it, by all tenants; NULL when Aevon is not preloaded, and for a rule of all tenants unless one may see all statistics.';
COMMENT ON COLUMN aevon.stat_rule.reset_at IS 'Since when read_count is counted; NULL when Aevon is not preloaded.';

COMMENT ON VIEW aevon.stat_tenant IS 'What became of the events of each tenant that the current user may read, since the server started or the last reset. Empty when Aevon is not preloaded. Tenants past aevon.stat_entries stand together in a row whose tenant is NULL, for who may read all.';
COMMENT ON COLUMN aevon.stat_tenant.tenant IS 'The tenant; NULL: those past aevon.stat_entries.';
COMMENT ON COLUMN aevon.stat_tenant.accepted_count IS 'Events accepted; counted at commit.';
COMMENT ON COLUMN aevon.stat_tenant.duplicate_count IS 'Events that were there already; counted at commit.';
COMMENT ON COLUMN aevon.stat_tenant.rejected_count IS 'Events stored in aevon.rejected_events; counted at commit.';
COMMENT ON COLUMN aevon.stat_tenant.conflict_count IS 'Events whose event_id was there with other content; counted at the call, as it mostly fails.';
COMMENT ON COLUMN aevon.stat_tenant.refused_count IS 'Calls that failed for any other fault of an event; counted at the call.';
COMMENT ON COLUMN aevon.stat_tenant.voided_count IS 'Events voided; counted at commit.';
COMMENT ON COLUMN aevon.stat_tenant.late_count IS 'Of accepted_count, events ingested after the end of their UTC day.';
COMMENT ON COLUMN aevon.stat_tenant.reset_at IS 'Since when this is counted.';

COMMENT ON VIEW aevon.stat_query IS 'Calls of the public functions that read, since the server started or the last reset, for roles with operate on * or membership in pg_monitor. Calls that raised an error are not counted. Empty when Aevon is not preloaded.';
COMMENT ON COLUMN aevon.stat_query.function IS 'Name of the function.';
COMMENT ON COLUMN aevon.stat_query.call_count IS 'Calls that returned.';
COMMENT ON COLUMN aevon.stat_query.total_ms IS 'Time they took, in milliseconds.';
COMMENT ON COLUMN aevon.stat_query.mean_ms IS 'total_ms by call_count; NULL without calls.';
COMMENT ON COLUMN aevon.stat_query.p50_ms IS 'Median, within 5 percent; NULL without calls.';
COMMENT ON COLUMN aevon.stat_query.p95_ms IS '95th percentile, within 5 percent; NULL without calls.';
COMMENT ON COLUMN aevon.stat_query.p99_ms IS '99th percentile, within 5 percent; NULL without calls.';
COMMENT ON COLUMN aevon.stat_query.max_ms IS 'The longest call; NULL without calls.';
COMMENT ON COLUMN aevon.stat_query.reset_at IS 'Since when this is counted.';

COMMENT ON VIEW aevon.alerts IS 'The checks of aevon_health() that are warning or critical. docs/operations.md says what to do about each.';
COMMENT ON COLUMN aevon.alerts.check_name IS 'Which check.';
COMMENT ON COLUMN aevon.alerts.status IS 'warning or critical.';
COMMENT ON COLUMN aevon.alerts.value IS 'What was measured, in unit.';
COMMENT ON COLUMN aevon.alerts.threshold IS 'Past which it is a warning; critical past four times that.';
COMMENT ON COLUMN aevon.alerts.unit IS 'Of value and threshold.';
COMMENT ON COLUMN aevon.alerts.detail IS 'What was found, where the value does not say it.';
COMMENT ON COLUMN aevon.alerts.hint IS 'What to do.';

-- Tables ----------------------------------------------------------------------
COMMENT ON TABLE aevon.installation IS 'The restore guard: at most one row, written by the first define_rule or ingest, that says for which cluster stamps are made.';
COMMENT ON COLUMN aevon.installation.system_identifier IS 'System identifier of the cluster.';
COMMENT ON COLUMN aevon.installation.base IS 'Added to full transaction ids to make stamps; raised by aevon_adopt().';
COMMENT ON COLUMN aevon.installation.log_oid IS 'OID of aevon.event_log: a restore into the same cluster makes another.';
COMMENT ON COLUMN aevon.installation.written_at IS 'When the row was written.';
COMMENT ON COLUMN aevon.installation.only_row IS 'Always true: there is no second row.';

COMMENT ON TABLE aevon.generation IS 'One row whose value changes with every change of rules or grants, so that caches know when to reload.';
COMMENT ON COLUMN aevon.generation.generation IS 'The generation, from a sequence.';
COMMENT ON COLUMN aevon.generation.only_row IS 'Always true: there is no second row.';

COMMENT ON TABLE aevon.tenants IS 'Dictionary: names of tenants and their keys. Rows never change.';
COMMENT ON COLUMN aevon.tenants.tenant_key IS 'The key; 0 is never used and means all tenants elsewhere.';
COMMENT ON COLUMN aevon.tenants.scope_key IS 'Always 0: names of tenants are unique by themselves.';
COMMENT ON COLUMN aevon.tenants.tenant IS 'The name.';

COMMENT ON TABLE aevon.principals IS 'Dictionary: names of principals and their keys. Rows never change.';
COMMENT ON COLUMN aevon.principals.principal_key IS 'The key.';
COMMENT ON COLUMN aevon.principals.tenant_key IS 'Whose principal; the name is unique within it.';
COMMENT ON COLUMN aevon.principals.principal IS 'The name.';

COMMENT ON TABLE aevon.event_types IS 'Dictionary: names of event types and their keys. Rows never change.';
COMMENT ON COLUMN aevon.event_types.type_key IS 'The key; 0 is never used and means every type elsewhere.';
COMMENT ON COLUMN aevon.event_types.scope_key IS 'Always 0: names of types are unique by themselves.';
COMMENT ON COLUMN aevon.event_types.event_type IS 'The name.';

COMMENT ON TABLE aevon.event_log IS 'The events, append only, in parts. The view aevon.events shows it with names.';
COMMENT ON COLUMN aevon.event_log.stamp IS 'The ingesting top-level transaction: its full id plus the base.';
COMMENT ON COLUMN aevon.event_log.occurred_at IS 'When it happened.';
COMMENT ON COLUMN aevon.event_log.ingested_at IS 'Clock time of the call that ingested it.';
COMMENT ON COLUMN aevon.event_log.part IS 'Which part holds it.';
COMMENT ON COLUMN aevon.event_log.tenant_key IS 'Key of the tenant.';
COMMENT ON COLUMN aevon.event_log.principal_key IS 'Key of the principal.';
COMMENT ON COLUMN aevon.event_log.type_key IS 'Key of the event type.';
COMMENT ON COLUMN aevon.event_log.event_id IS 'Identity within the principal.';
COMMENT ON COLUMN aevon.event_log.content_hash IS 'SHA-256 over all that is stored of the event.';
COMMENT ON COLUMN aevon.event_log.data IS 'What happened: a JSON object.';
COMMENT ON COLUMN aevon.event_log.metadata IS 'JSON that is stored but not measured, or NULL.';

COMMENT ON TABLE aevon.event_log_p1 IS 'The first part of the event log.';
COMMENT ON COLUMN aevon.event_log_p1.stamp IS 'As in aevon.event_log.';
COMMENT ON COLUMN aevon.event_log_p1.occurred_at IS 'As in aevon.event_log.';
COMMENT ON COLUMN aevon.event_log_p1.ingested_at IS 'As in aevon.event_log.';
COMMENT ON COLUMN aevon.event_log_p1.part IS 'As in aevon.event_log.';
COMMENT ON COLUMN aevon.event_log_p1.tenant_key IS 'As in aevon.event_log.';
COMMENT ON COLUMN aevon.event_log_p1.principal_key IS 'As in aevon.event_log.';
COMMENT ON COLUMN aevon.event_log_p1.type_key IS 'As in aevon.event_log.';
COMMENT ON COLUMN aevon.event_log_p1.event_id IS 'As in aevon.event_log.';
COMMENT ON COLUMN aevon.event_log_p1.content_hash IS 'As in aevon.event_log.';
COMMENT ON COLUMN aevon.event_log_p1.data IS 'As in aevon.event_log.';
COMMENT ON COLUMN aevon.event_log_p1.metadata IS 'As in aevon.event_log.';

COMMENT ON TABLE aevon.log_parts IS 'The parts of the event log; new events go to the highest open one.';
COMMENT ON COLUMN aevon.log_parts.opened_at IS 'When the part was made.';
COMMENT ON COLUMN aevon.log_parts.closed_at IS 'When it stopped taking events; NULL: it is open.';
COMMENT ON COLUMN aevon.log_parts.min_stamp IS 'Least stamp of a closed part.';
COMMENT ON COLUMN aevon.log_parts.max_stamp IS 'Greatest stamp of a closed part.';
COMMENT ON COLUMN aevon.log_parts.min_occurred IS 'First occurred_at of a closed part.';
COMMENT ON COLUMN aevon.log_parts.max_occurred IS 'Last occurred_at of a closed part.';
COMMENT ON COLUMN aevon.log_parts.part IS 'Number of the part.';
COMMENT ON COLUMN aevon.log_parts.part_name IS 'Its table in schema aevon.';
COMMENT ON COLUMN aevon.log_parts.closing_link IS 'Last link of the tamper-evident chain of a closed part.';

COMMENT ON TABLE aevon.voids IS 'Corrections: an event named here does not count.';
COMMENT ON COLUMN aevon.voids.stamp IS 'The voiding transaction.';
COMMENT ON COLUMN aevon.voids.voided_at IS 'Clock time of the call that voided it.';
COMMENT ON COLUMN aevon.voids.event_stamp IS 'Stamp of the event.';
COMMENT ON COLUMN aevon.voids.occurred_at IS 'Time of the event.';
COMMENT ON COLUMN aevon.voids.part IS 'Part of the log that holds the event.';
COMMENT ON COLUMN aevon.voids.tenant_key IS 'Key of the event''s tenant.';
COMMENT ON COLUMN aevon.voids.principal_key IS 'Key of the event''s principal.';
COMMENT ON COLUMN aevon.voids.event_id IS 'Identity of the event within its principal.';
COMMENT ON COLUMN aevon.voids.reason IS 'Why, in words.';
COMMENT ON COLUMN aevon.voids.voided_by IS 'Role that voided it.';

COMMENT ON TABLE aevon.measures IS 'What rules measure; rules that ask for the same thing share a measure, and so series, buckets and cut.';
COMMENT ON COLUMN aevon.measures.measure_key IS 'The key.';
COMMENT ON COLUMN aevon.measures.tenant_key IS 'Whose events; 0: every tenant''s.';
COMMENT ON COLUMN aevon.measures.features IS 'Bits: statistics kept beyond count, sum, min and max; 1: last, 2: quantiles, 4: distinct.';
COMMENT ON COLUMN aevon.measures.event_type IS 'Type of the events; ''*'': every type.';
COMMENT ON COLUMN aevon.measures.value IS 'jsonpath of the number; NULL: none.';
COMMENT ON COLUMN aevon.measures.filter IS 'jsonpath that an event must match; NULL: all.';
COMMENT ON COLUMN aevon.measures.dimensions IS 'Dimensions by name with their jsonpath.';
COMMENT ON COLUMN aevon.measures.rollups IS 'Dimensions whose values alone have series of the whole tenant.';
COMMENT ON COLUMN aevon.measures.fingerprint IS 'SHA-256 of all of this.';
COMMENT ON COLUMN aevon.measures.created_at IS 'When a rule first asked for it.';
COMMENT ON COLUMN aevon.measures.quantiles IS 'The quantiles that were asked for, by rank: p50, p95 and so on; snapshots keep them.';
COMMENT ON COLUMN aevon.measures.cleared_at IS 'When all that a dead measure left behind was deleted; NULL before.';

COMMENT ON TABLE aevon.rules IS 'Rules and their versions. The view aevon.rule_versions shows them with names.';
COMMENT ON COLUMN aevon.rules.rule_key IS 'The key of the version.';
COMMENT ON COLUMN aevon.rules.tenant_key IS 'Whose rule; 0: a global one.';
COMMENT ON COLUMN aevon.rules.version IS 'Version, from 1 up.';
COMMENT ON COLUMN aevon.rules.measure_key IS 'What it measures.';
COMMENT ON COLUMN aevon.rules.name IS 'Name of the rule.';
COMMENT ON COLUMN aevon.rules.state IS 'building, active or retired.';
COMMENT ON COLUMN aevon.rules.event_type IS 'Type of the events; ''*'': every type.';
COMMENT ON COLUMN aevon.rules.operators IS 'Statistics; the first is the rule''s value.';
COMMENT ON COLUMN aevon.rules.value IS 'jsonpath of the number; NULL: none.';
COMMENT ON COLUMN aevon.rules.filter IS 'jsonpath that an event must match; NULL: all.';
COMMENT ON COLUMN aevon.rules.dimensions IS 'Dimensions by name with their jsonpath.';
COMMENT ON COLUMN aevon.rules.rollups IS 'Dimensions whose values alone have series of the whole tenant.';
COMMENT ON COLUMN aevon.rules.fingerprint IS 'SHA-256 of the definition.';
COMMENT ON COLUMN aevon.rules.defined_by IS 'Role that defined it.';
COMMENT ON COLUMN aevon.rules.defined_at IS 'When it was defined.';
COMMENT ON COLUMN aevon.rules.active_at IS 'When it began to answer; NULL: not yet.';
COMMENT ON COLUMN aevon.rules.retired_at IS 'When it was replaced or dropped; NULL: it was not.';

COMMENT ON TABLE aevon.sweep_checkpoints IS 'The cut of each measure: which transactions'' events are inside its buckets.';
COMMENT ON COLUMN aevon.sweep_checkpoints.cut_xmax IS 'Stamps from here on are outside.';
COMMENT ON COLUMN aevon.sweep_checkpoints.swept_at IS 'When the cut was last moved, by a sweep or back by a rebuild; NULL: never.';
COMMENT ON COLUMN aevon.sweep_checkpoints.event_count IS 'Events folded so far.';
COMMENT ON COLUMN aevon.sweep_checkpoints.measure_key IS 'Whose cut; 0: that of the log itself.';
COMMENT ON COLUMN aevon.sweep_checkpoints.caught_up IS 'Whether the backfill from the log has been completed.';
COMMENT ON COLUMN aevon.sweep_checkpoints.cut_xip IS 'Stamps below cut_xmax that are outside too.';

COMMENT ON TABLE aevon.series IS 'One row per measure, subject and dimension values.';
COMMENT ON COLUMN aevon.series.series_key IS 'The key.';
COMMENT ON COLUMN aevon.series.measure_key IS 'What is measured.';
COMMENT ON COLUMN aevon.series.tenant_key IS 'Of which tenant.';
COMMENT ON COLUMN aevon.series.subject_key IS 'Of which principal, by key; minus the tenant''s key: the whole tenant.';
COMMENT ON COLUMN aevon.series.dims_grouping IS 'Which of the measure''s dimensions dims holds: bit i for dimension i, by name; 0: none, totals.';
COMMENT ON COLUMN aevon.series.dims_digest IS 'Digest of dims, for the unique index; empty without dimensions, one byte for __other__.';
COMMENT ON COLUMN aevon.series.made_xmax IS 'cut_xmax of the sweep that made the series: in snapshots of earlier cuts a combination of dimension values counts as __other__.';
COMMENT ON TABLE aevon.series_counts IS 'What the guard of aevon.max_series_per_rule goes by: how many series with dimension values a tenant has of a measure.';
COMMENT ON COLUMN aevon.series_counts.series_count IS 'Number of series with dimension values.';
COMMENT ON COLUMN aevon.series_counts.measure_key IS 'Key of the measure.';
COMMENT ON COLUMN aevon.series_counts.tenant_key IS 'Key of the tenant.';
COMMENT ON COLUMN aevon.series_counts.series_full IS 'Whether aevon.max_series_per_rule was reached: combinations of dimension values that the tenant had no series for then are folded together as __other__.';
COMMENT ON COLUMN aevon.series.dims IS 'Dimension values; {} without dimensions.';
COMMENT ON COLUMN aevon.series.touched_mask IS 'Which days are known to be in aevon.touched_days, so that sweeps need not look: bit i: touched_day - i.';
COMMENT ON COLUMN aevon.series.touched_run IS 'Number of the run of snapshots after which touched_mask was noted; it means nothing after a later one.';
COMMENT ON COLUMN aevon.series.touched_day IS 'The last day of touched_mask, in days since 2000-01-01.';
COMMENT ON COLUMN aevon.series.closed_until IS 'The last minute that its buckets hold, open minutes aside, in minutes since 2000-01-01 UTC; the least bigint: they hold none.';
COMMENT ON COLUMN aevon.series.hours_from IS 'From which day on, in days since 2000-01-01, aevon.buckets_1h has its hours; 2147483647: it has none. Those with quantiles or distinct counts have all but for a principal''s combinations of dimension values, others from when at least half of their minutes had events.';
COMMENT ON COLUMN aevon.series.open_minutes IS 'Minutes that wait to be merged into the series'' rows of aevon.buckets_1m, aevon.buckets_1h and aevon.buckets_1d, packed; NULL: none.';

COMMENT ON TABLE aevon.buckets_1m IS 'Partial states of a series'' active minutes, many to a row, but for its open minutes. The view aevon.pre_aggregates shows them.';
COMMENT ON COLUMN aevon.buckets_1m.series_key IS 'Which series.';
COMMENT ON COLUMN aevon.buckets_1m.first_window IS 'The row holds minutes from this one on, up to the next row''s: minutes since 2000-01-01 UTC; the least bigint in the first row of a series.';
COMMENT ON COLUMN aevon.buckets_1m.state IS 'The packed minutes with their merged state; aevon.unpack_bucket shows it.';
COMMENT ON TABLE aevon.buckets_1d IS 'Partial states of a series'' active days (UTC), many to a row, but for its open minutes.';
COMMENT ON COLUMN aevon.buckets_1d.series_key IS 'Which series.';
COMMENT ON COLUMN aevon.buckets_1d.first_window IS 'As in aevon.buckets_1m, in days.';
COMMENT ON COLUMN aevon.buckets_1d.state IS 'The packed days with their merged state.';

COMMENT ON TABLE aevon.buckets_1h IS 'Partial states of a series'' active hours (UTC), many to a row, from the day hours_from of the series on, but for its open minutes.';
COMMENT ON COLUMN aevon.buckets_1h.series_key IS 'Which series.';
COMMENT ON COLUMN aevon.buckets_1h.first_window IS 'As in aevon.buckets_1m, in hours.';
COMMENT ON COLUMN aevon.buckets_1h.state IS 'The packed hours with their merged state.';

COMMENT ON TABLE aevon.touched_days IS 'Days of a series whose metric changed since their last snapshot.';
COMMENT ON COLUMN aevon.touched_days.series_key IS 'Which series.';
COMMENT ON COLUMN aevon.touched_days.day IS 'Days since 2000-01-01.';

COMMENT ON TABLE aevon.snapshots IS 'The value of one day''s metric at one cut, never changed afterwards.';
COMMENT ON TABLE aevon.compactions IS 'What the compaction of old days took out of aevon.snapshots: see the settings aevon.compact_after and aevon.compact_threshold.';
COMMENT ON COLUMN aevon.compactions.series_key IS 'Which series.';
COMMENT ON COLUMN aevon.compactions.compacted_at IS 'When they were deleted.';
COMMENT ON COLUMN aevon.compactions.day IS 'Days since 2000-01-01 (UTC).';
COMMENT ON COLUMN aevon.compactions.link_number IS 'Link of the chain that took the compaction in.';
COMMENT ON COLUMN aevon.compactions.revisions IS 'Revisions that were deleted.';
COMMENT ON COLUMN aevon.compactions.link_numbers IS 'Of each of them, the link_number it had.';
COMMENT ON COLUMN aevon.compactions.hashes IS 'Of each of them, the hash it had.';

COMMENT ON TABLE aevon.compaction_progress IS 'How far the compaction of old days has come: one row.';
COMMENT ON COLUMN aevon.compaction_progress.threshold IS 'aevon.compact_threshold of the last compaction; by another one all days are looked at again.';
COMMENT ON COLUMN aevon.compaction_progress.through_day IS 'Days since 2000-01-01: those before it have been compacted; NULL: none.';
COMMENT ON COLUMN aevon.compaction_progress.only_row IS 'Always true: there is one row.';

COMMENT ON TABLE aevon.reopened_days IS 'Days that got a snapshot after they had been compacted: the next compaction looks at them again.';
COMMENT ON COLUMN aevon.reopened_days.series_key IS 'Which series.';
COMMENT ON COLUMN aevon.reopened_days.day IS 'Days since 2000-01-01 (UTC).';
COMMENT ON VIEW aevon.daily_metrics IS 'The latest snapshot of every UTC day of each active rule, for readable tenants: value, status, what was first reported, how complete, whether unusual.';
COMMENT ON COLUMN aevon.daily_metrics.dims IS 'Dimension values of the series; {} for totals.';
COMMENT ON COLUMN aevon.daily_metrics.tenant IS 'The tenant.';
COMMENT ON COLUMN aevon.daily_metrics.principal IS 'The principal; NULL: the whole tenant.';
COMMENT ON COLUMN aevon.daily_metrics.rule IS 'Name of the rule.';
COMMENT ON COLUMN aevon.daily_metrics.version IS 'Version of the rule.';
COMMENT ON COLUMN aevon.daily_metrics.day IS 'UTC day.';
COMMENT ON COLUMN aevon.daily_metrics.value IS 'The rule''s first operator over the day.';
COMMENT ON COLUMN aevon.daily_metrics.stats IS 'Every statistic of the day by name.';
COMMENT ON COLUMN aevon.daily_metrics.event_count IS 'Events of the day.';
COMMENT ON COLUMN aevon.daily_metrics.late_count IS 'Of these, ingested after the day''s end.';
COMMENT ON COLUMN aevon.daily_metrics.status IS 'provisional until the day and aevon.allowed_lateness are over, then final; revised by a later change.';
COMMENT ON COLUMN aevon.daily_metrics.revisions IS 'Number of snapshots kept of the day.';
COMMENT ON COLUMN aevon.daily_metrics.taken_at IS 'When the latest was taken.';
COMMENT ON COLUMN aevon.daily_metrics.first_value IS 'The value of the first snapshot after the day''s end; NULL: none yet.';
COMMENT ON COLUMN aevon.daily_metrics.change IS 'value less first_value.';
COMMENT ON COLUMN aevon.daily_metrics.completeness IS 'Of a provisional day that is over: mean share of the events of the series'' settled days of the last 60 that was in at this age, by their snapshots up to that age; 0.97 means about 97 % in. NULL with fewer than 5 such days.';
COMMENT ON COLUMN aevon.daily_metrics.completeness_days IS 'Number of days behind completeness.';
COMMENT ON COLUMN aevon.daily_metrics.anomaly IS 'NULL, or what is far outside the same weekdays of the last 8 weeks (4 at least): of value, event_count and late_share those whose modified z-score (Iglewicz and Hoaglin, 1993) exceeds aevon.anomaly_threshold, each with value, median, mad, score and days. Judged once the day is over; until it is settled against what those days were at the same age, and late_share not at all. A value that differs where all days were alike has score null.';
COMMENT ON COLUMN aevon.snapshots.series_key IS 'Which series.';
COMMENT ON COLUMN aevon.snapshots.cut_xmax IS 'The cut: stamps from here on are outside.';
COMMENT ON COLUMN aevon.snapshots.taken_at IS 'When it was taken.';
COMMENT ON COLUMN aevon.snapshots.event_count IS 'Events of the day inside the cut.';
COMMENT ON COLUMN aevon.snapshots.late_count IS 'Of these, events ingested after the day''s end.';
COMMENT ON COLUMN aevon.snapshots.day IS 'Days since 2000-01-01 (UTC).';
COMMENT ON COLUMN aevon.snapshots.revision IS 'Number within the day, from 1 up.';
COMMENT ON COLUMN aevon.snapshots.delta IS 'Change of each statistic against the revision before, by name; null where either has none.';
COMMENT ON COLUMN aevon.snapshots.status IS 'provisional, final or revised.';
COMMENT ON COLUMN aevon.snapshots.cut_xip IS 'The cut: stamps below cut_xmax that are outside too.';
COMMENT ON COLUMN aevon.snapshots.stats IS 'Every statistic of the measure by name.';
COMMENT ON COLUMN aevon.snapshots.link_number IS 'Link of the chain that took it in.';
COMMENT ON COLUMN aevon.snapshots.hash IS 'SHA-256 of the other columns (aevon.row_hash).';

COMMENT ON TABLE aevon.chain IS 'The tamper-evident chain: each link is a SHA-256 over the link before it and what it takes in: what entered the log''s own cut, a run of snapshots, or a compaction.';
COMMENT ON COLUMN aevon.chain.link_number IS 'Number of the link, from 1 up without gaps.';
COMMENT ON COLUMN aevon.chain.event_count IS 'Events that entered.';
COMMENT ON COLUMN aevon.chain.void_count IS 'Voids that entered.';
COMMENT ON COLUMN aevon.chain.snapshot_count IS 'Snapshots that name the link.';
COMMENT ON COLUMN aevon.chain.compaction_count IS 'Rows of aevon.compactions that name the link.';
COMMENT ON COLUMN aevon.chain.made_at IS 'When the link was made.';
COMMENT ON COLUMN aevon.chain.cut_xmax IS 'The cut from this link on: stamps from here on are outside.';
COMMENT ON COLUMN aevon.chain.cut_xip IS 'The cut: stamps below cut_xmax that are outside too.';
COMMENT ON COLUMN aevon.chain.link IS 'The SHA-256: previous link (32 zero bytes before the first), items, counts, made_at, cut.';

COMMENT ON TABLE aevon.repairs IS 'What aevon_verify(repair => true) has mended: one row per window.';
COMMENT ON COLUMN aevon.repairs.repair_id IS 'The key, ascending.';
COMMENT ON COLUMN aevon.repairs.repaired_at IS 'When it was mended.';
COMMENT ON COLUMN aevon.repairs.window_start IS 'First moment of the window; NULL: a row whose windows could not be read.';
COMMENT ON COLUMN aevon.repairs.series_key IS 'Which series; 0: none.';
COMMENT ON COLUMN aevon.repairs.tenant_key IS 'Of which tenant.';
COMMENT ON COLUMN aevon.repairs.subject_key IS 'Of which principal, by key; minus the tenant''s key: the whole tenant.';
COMMENT ON COLUMN aevon.repairs.measure_key IS 'What is measured.';
COMMENT ON COLUMN aevon.repairs.version IS 'Version of the rule.';
COMMENT ON COLUMN aevon.repairs.rule IS 'Name of the rule, one of them if several share the measure.';
COMMENT ON COLUMN aevon.repairs.what IS 'bucket_1m, bucket_1h or bucket_1d.';
COMMENT ON COLUMN aevon.repairs.repaired_by IS 'Role that called it.';
COMMENT ON COLUMN aevon.repairs.stored IS 'What was there; NULL: nothing.';
COMMENT ON COLUMN aevon.repairs.recomputed IS 'What is there now; NULL: nothing.';

COMMENT ON TABLE aevon.sweeps IS 'The log of sweeps, failed ones too.';
COMMENT ON COLUMN aevon.sweeps.sweep_id IS 'The key, ascending.';
COMMENT ON COLUMN aevon.sweeps.started_at IS 'When it began.';
COMMENT ON COLUMN aevon.sweeps.duration_ms IS 'How long it took, in milliseconds.';
COMMENT ON COLUMN aevon.sweeps.event_count IS 'Log rows read; one that measures with different cuts need is read for each.';
COMMENT ON COLUMN aevon.sweeps.bucket_count IS 'Bucket rows written.';
COMMENT ON COLUMN aevon.sweeps.cut_xmax IS 'The new cut: stamps from here on are outside.';
COMMENT ON COLUMN aevon.sweeps.measure_count IS 'Measures whose cut moved.';
COMMENT ON COLUMN aevon.sweeps.by_worker IS 'Whether the background worker ran it.';
COMMENT ON COLUMN aevon.sweeps.cut_xip IS 'The new cut: stamps below cut_xmax that are outside too.';
COMMENT ON COLUMN aevon.sweeps.error_state IS 'SQLSTATE if it failed, else NULL.';
COMMENT ON COLUMN aevon.sweeps.error_message IS 'Message if it failed, else NULL.';

COMMENT ON TABLE aevon.rejections IS 'Events refused under on_error => ''reject''. The view aevon.rejected_events shows them.';
COMMENT ON COLUMN aevon.rejections.rejection_id IS 'The key, ascending.';
COMMENT ON COLUMN aevon.rejections.rejected_at IS 'When it was refused.';
COMMENT ON COLUMN aevon.rejections.tenant_key IS 'For which tenant it was sent.';
COMMENT ON COLUMN aevon.rejections.sqlstate IS 'The error''s SQLSTATE.';
COMMENT ON COLUMN aevon.rejections.reason IS 'The error''s message.';
COMMENT ON COLUMN aevon.rejections.detail IS 'The error''s detail, or NULL.';
COMMENT ON COLUMN aevon.rejections.payload IS 'The event as it was sent.';

COMMENT ON TABLE aevon.grants IS 'Which role may do what with which tenant. Changed by aevon_grant and aevon_revoke.';
COMMENT ON COLUMN aevon.grants.tenant IS 'Name of the tenant; ''*'': all.';
COMMENT ON COLUMN aevon.grants.role IS 'The role; its members have the privilege too.';
COMMENT ON COLUMN aevon.grants.privilege IS 'ingest, read, void or operate.';
COMMENT ON COLUMN aevon.grants.granted_by IS 'Role that granted it.';
COMMENT ON COLUMN aevon.grants.granted_at IS 'When it was granted.';
