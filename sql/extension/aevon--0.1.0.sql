-- Aevon 0.1.0: the full install script.
--
-- Tables, views and internal functions live in schema "aevon" and belong to
-- the role "aevon_owner"; the public API is the aevon_* functions, which live
-- in the schema chosen at CREATE EXTENSION.  Sections: 1 the owner role,
-- 2 tables, 3 internal functions, 4 views, 5 the public API, 6 dump settings.

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

CREATE TABLE aevon.event_log_p1 PARTITION OF aevon.event_log FOR VALUES IN (1);
ALTER TABLE aevon.event_log_p1
	ALTER COLUMN content_hash SET STORAGE plain;

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

-- Identity of events: what idempotency needs, apart from the log.
CREATE TABLE aevon.event_keys (
	stamp          bigint NOT NULL,
	occurred_at    timestamptz NOT NULL,
	part           integer NOT NULL,
	principal_key  integer NOT NULL,
	event_id       text COLLATE "C" NOT NULL,
	content_digest bytea NOT NULL,
	PRIMARY KEY (principal_key, event_id)
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

-- What a rule measures: rules that ask for the same thing share a measure.
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
	PRIMARY KEY (measure_key),
	UNIQUE (fingerprint)
);

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
	PRIMARY KEY (rule_key),
	UNIQUE (tenant_key, name, version)
);

-- Cuts: which transactions' events are inside the buckets of a measure.
-- measure_key 0 is the cut of the log itself.
CREATE TABLE aevon.sweep_checkpoints (
	xmax        bigint NOT NULL,
	swept_at    timestamptz,
	event_count bigint NOT NULL DEFAULT 0,
	measure_key integer NOT NULL,
	caught_up   boolean NOT NULL DEFAULT false,
	xip         bigint[] NOT NULL,
	PRIMARY KEY (measure_key)
) WITH (fillfactor = 50);

-- Series: subject_key is a principal_key, or minus a tenant_key for the
-- whole tenant.
CREATE SEQUENCE aevon.series_key_seq;
CREATE TABLE aevon.series (
	series_key  bigint NOT NULL,
	measure_key integer NOT NULL,
	tenant_key  integer NOT NULL,
	subject_key integer NOT NULL,
	dims_digest bytea NOT NULL,
	dims        jsonb NOT NULL,
	PRIMARY KEY (series_key)
);
CREATE UNIQUE INDEX series_subject ON aevon.series (measure_key, subject_key, dims_digest);

-- Buckets: a series' active minutes, and its active days, many to a row.
-- first_window counts windows since 2000-01-01 UTC; the leftmost row of a
-- series has the smallest bigint, as the leftmost page of a B-tree has.
CREATE TABLE aevon.buckets_1m (
	series_key   bigint NOT NULL,
	first_window bigint NOT NULL,
	state        bytea NOT NULL,
	PRIMARY KEY (series_key, first_window)
) WITH (fillfactor = 70, toast_tuple_target = 8160);
ALTER TABLE aevon.buckets_1m ALTER COLUMN state SET STORAGE main;
CREATE TABLE aevon.buckets_1d (
	series_key   bigint NOT NULL,
	first_window bigint NOT NULL,
	state        bytea NOT NULL,
	PRIMARY KEY (series_key, first_window)
) WITH (fillfactor = 70, toast_tuple_target = 8160);
ALTER TABLE aevon.buckets_1d ALTER COLUMN state SET STORAGE main;

-- Sketches (quantiles, distinct) of buckets, in rows of their own.
CREATE TABLE aevon.sketches (
	series_key   bigint NOT NULL,
	first_window bigint NOT NULL,
	window_unit  smallint NOT NULL,        -- 1: minutes, 1440: days
	kind         smallint NOT NULL,
	state        bytea NOT NULL,
	PRIMARY KEY (series_key, window_unit, first_window, kind)
) WITH (fillfactor = 70, toast_tuple_target = 8160);
ALTER TABLE aevon.sketches ALTER COLUMN state SET STORAGE main;

-- (series, day) pairs whose metric changed since their last snapshot.
CREATE TABLE aevon.touched_days (
	series_key bigint NOT NULL,
	day        integer NOT NULL,           -- days since 2000-01-01
	PRIMARY KEY (series_key, day)
);

-- Snapshots: the value of one day's metric at one cut.
CREATE TABLE aevon.snapshots (
	series_key  bigint NOT NULL,
	xmax        bigint NOT NULL,
	taken_at    timestamptz NOT NULL,
	event_count bigint NOT NULL,
	late_count  bigint NOT NULL,
	day         integer NOT NULL,
	revision    integer NOT NULL,
	delta       numeric,
	status      text COLLATE "C" NOT NULL CHECK (status IN ('provisional', 'final', 'revised')),
	xip         bigint[] NOT NULL,
	stats       jsonb NOT NULL,
	PRIMARY KEY (series_key, day, revision)
);

-- The log of sweeps.
CREATE SEQUENCE aevon.sweep_id_seq;
CREATE TABLE aevon.sweeps (
	sweep_id      bigint NOT NULL,
	started_at    timestamptz NOT NULL,
	duration_ms   double precision NOT NULL,
	event_count   bigint NOT NULL,
	bucket_count  bigint NOT NULL,
	xmax          bigint,
	measure_count integer NOT NULL,
	by_worker     boolean NOT NULL,
	xip           bigint[],
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
CREATE TRIGGER snapshots_append_only
	BEFORE UPDATE OR DELETE OR TRUNCATE ON aevon.snapshots
	FOR EACH STATEMENT EXECUTE FUNCTION aevon.refuse_change();
ALTER TABLE aevon.event_log ENABLE ALWAYS TRIGGER event_log_append_only;
ALTER TABLE aevon.event_log_p1 ENABLE ALWAYS TRIGGER event_log_append_only;
ALTER TABLE aevon.snapshots ENABLE ALWAYS TRIGGER snapshots_append_only;

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
-- 3. Internal functions.  Those that views need check their caller.
-- ---------------------------------------------------------------------------

-- Keys and names of the tenants the caller may read.
CREATE FUNCTION aevon.readable_tenants(OUT tenant_key integer, OUT tenant text)
	RETURNS SETOF record
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100
	AS 'MODULE_PATHNAME', 'aevon_readable_tenants';

-- The buckets packed in one row; pure.
CREATE FUNCTION aevon.unpack_bucket(state bytea, window_minutes integer,
		OUT window_start timestamptz, OUT event_count bigint, OUT skipped bigint,
		OUT sum numeric, OUT min numeric, OUT max numeric, OUT last numeric,
		OUT first_ingested_at timestamptz, OUT last_ingested_at timestamptz,
		OUT min_stamp bigint, OUT max_stamp bigint)
	RETURNS SETOF record
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 60
	AS 'MODULE_PATHNAME', 'aevon_unpack_bucket';

-- One row per rule version the caller may see; the view aevon.status.
CREATE FUNCTION aevon.rule_status(
		OUT tenant text, OUT rule text, OUT version integer, OUT state text,
		OUT cut text, OUT tail_events bigint, OUT lag_seconds double precision,
		OUT backfill_progress double precision, OUT last_sweep_at timestamptz,
		OUT last_error text, OUT last_error_at timestamptz)
	RETURNS SETOF record
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 10
	AS 'MODULE_PATHNAME', 'aevon_rule_status';

-- ---------------------------------------------------------------------------
-- 4. Views: names instead of keys, rows of granted tenants only.
-- ---------------------------------------------------------------------------
CREATE VIEW aevon.events WITH (security_barrier) AS
	SELECT t.tenant, p.principal, e.event_id, y.event_type, e.occurred_at,
		e.ingested_at, e.data, e.metadata, e.stamp
	FROM aevon.readable_tenants() t
	JOIN aevon.event_log e ON e.tenant_key OPERATOR(pg_catalog.=) t.tenant_key
	JOIN aevon.principals p ON p.principal_key OPERATOR(pg_catalog.=) e.principal_key
	JOIN aevon.event_types y ON y.type_key OPERATOR(pg_catalog.=) e.type_key;

CREATE VIEW aevon.pre_aggregates WITH (security_barrier) AS
	SELECT t.tenant, p.principal, r.name AS rule, r.version, s.dims,
		u.window_start,
		u.window_start OPERATOR(pg_catalog.+) '00:01:00'::pg_catalog.interval AS window_end,
		u.event_count, u.skipped, u.sum, u.min, u.max, u.last,
		u.first_ingested_at, u.last_ingested_at
	FROM aevon.readable_tenants() t
	JOIN aevon.series s ON s.tenant_key OPERATOR(pg_catalog.=) t.tenant_key
	JOIN aevon.rules r ON r.measure_key OPERATOR(pg_catalog.=) s.measure_key
		AND r.state OPERATOR(pg_catalog.<>) 'retired'
		AND (r.tenant_key OPERATOR(pg_catalog.=) 0
			OR r.tenant_key OPERATOR(pg_catalog.=) t.tenant_key)
	LEFT JOIN aevon.principals p ON p.principal_key OPERATOR(pg_catalog.=) s.subject_key
	JOIN aevon.buckets_1m b ON b.series_key OPERATOR(pg_catalog.=) s.series_key
	CROSS JOIN LATERAL aevon.unpack_bucket(b.state, 1) u;

CREATE VIEW aevon.status WITH (security_barrier) AS
	SELECT * FROM aevon.rule_status();

CREATE VIEW aevon.rejected_events WITH (security_barrier) AS
	SELECT t.tenant, x.rejected_at, x.sqlstate, x.reason, x.detail, x.payload
	FROM aevon.readable_tenants() t
	JOIN aevon.rejections x ON x.tenant_key OPERATOR(pg_catalog.=) t.tenant_key;

CREATE VIEW aevon.rule_versions WITH (security_barrier) AS
	SELECT t.tenant, r.name AS rule, r.version, r.state, r.event_type, r.operators,
		r.value, r.filter, r.dimensions,
		pg_catalog.encode(r.fingerprint, 'hex') AS fingerprint,
		r.defined_by, r.defined_at, r.active_at, r.retired_at
	FROM (SELECT a.tenant_key, a.tenant FROM aevon.readable_tenants() a
		  UNION ALL SELECT 0, NULL) t
	JOIN aevon.rules r ON r.tenant_key OPERATOR(pg_catalog.=) t.tenant_key;

ALTER VIEW aevon.events OWNER TO aevon_owner;
ALTER VIEW aevon.pre_aggregates OWNER TO aevon_owner;
ALTER VIEW aevon.status OWNER TO aevon_owner;
ALTER VIEW aevon.rejected_events OWNER TO aevon_owner;
ALTER VIEW aevon.rule_versions OWNER TO aevon_owner;
GRANT USAGE ON SCHEMA aevon TO PUBLIC;
GRANT SELECT ON aevon.events, aevon.pre_aggregates, aevon.status,
	aevon.rejected_events, aevon.rule_versions TO PUBLIC;

-- ---------------------------------------------------------------------------
-- 5. The public API.  Each function checks its caller itself.
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

CREATE FUNCTION aevon_events(tenant text, principal text,
		since timestamptz DEFAULT '-infinity', until timestamptz DEFAULT 'infinity',
		max_rows integer DEFAULT 1000, after text DEFAULT NULL)
	RETURNS SETOF aevon.events
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 1000
	AS 'MODULE_PATHNAME', 'aevon_events_sql';

CREATE FUNCTION aevon_define_rule(name text, event_type text, operators text[],
		value text DEFAULT NULL, filter text DEFAULT NULL, dimensions jsonb DEFAULT '{}',
		tenant text DEFAULT NULL)
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

CREATE FUNCTION aevon_schedule(sweep_schedule text DEFAULT '* * * * *')
	RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'aevon_schedule_sql';

-- ---------------------------------------------------------------------------
-- 6. What a dump carries: all that is not derived from the install script.
-- ---------------------------------------------------------------------------
SELECT pg_catalog.pg_extension_config_dump(c.oid, '')
FROM pg_catalog.pg_class c
WHERE c.relnamespace OPERATOR(pg_catalog.=) 'aevon'::pg_catalog.regnamespace
	AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,S}'::"char"[])
	AND c.relname OPERATOR(pg_catalog.<>) 'log_parts';
SELECT pg_catalog.pg_extension_config_dump('aevon.log_parts', 'WHERE part > 1');
