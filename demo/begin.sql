-- Common beginning: how output looks, the extension, and the bookkeeping of
-- the demo itself (temporary tables, not Aevon's).
\pset footer off
\pset null '-'
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION aevon;

-- the stream as it arrives; filled by usgs.sql or log.sql
CREATE TEMP TABLE feed (
	part        integer,
	arrival     bigint,
	principal   text,
	event_id    text,
	event_type  text,
	occurred_at timestamptz,
	data        jsonb,
	arrived_at  timestamptz			-- NULL: the feed does not say
);

-- snapshots taken after each part
CREATE TEMP TABLE snapshotted (
	part       integer,
	taken_at   timestamptz,
	rows       bigint
);

-- what happened to each part
CREATE TEMP TABLE progress (
	part       integer,
	events     bigint,
	accepted   bigint,
	duplicate  bigint,
	late       bigint,
	ingest_ms  numeric,
	tail       bigint,
	swept      bigint,
	rows       bigint,
	sweep_ms   numeric,
	watched    bigint
);
