-- What the rows of this database take: a label and a figure a line.  The
-- extension's tables must hold what is measured and nothing else, swept.
WITH log AS (
	SELECT count(*) AS events, avg(pg_column_size(e.*)) AS row_bytes, avg(pg_column_size(e.data)) AS data_bytes
	FROM aevon.event_log e
), size AS (
	SELECT sum(pg_table_size(r)) FILTER (WHERE part = 'log') AS log,
		sum(pg_indexes_size(r)) FILTER (WHERE part = 'log') AS log_indexes,
		sum(pg_total_relation_size(r)) FILTER (WHERE part = 'minutes') AS minutes,
		sum(pg_total_relation_size(r)) FILTER (WHERE part = 'days') AS days,
		sum(pg_total_relation_size(r)) FILTER (WHERE part = 'series') AS series
	FROM (VALUES ('log', 'aevon.event_log_p1'::regclass), ('minutes', 'aevon.buckets_1m'), ('days', 'aevon.buckets_1d'), ('series', 'aevon.series')) s (part, r)
), minute AS (
	SELECT count(DISTINCT b.ctid) AS rows, count(*) AS windows
	FROM aevon.buckets_1m b, aevon.unpack_bucket(b.state, 1)
), open AS (
	SELECT count(*) AS windows FROM aevon.series s, aevon.unpack_bucket(s.open_minutes, 1)
), series AS (
	SELECT count(*) AS rows, avg(pg_column_size(s.*)) AS row_bytes, max(pg_column_size(s.*)) AS largest FROM aevon.series s
), packed AS (
	SELECT sum(pg_column_size(b.state)) AS bytes, avg(pg_column_size(b.*)) AS row_bytes, max(pg_column_size(b.*)) AS largest
	FROM aevon.buckets_1m b
), day AS (
	SELECT count(*) AS rows, avg(pg_column_size(b.*)) AS row_bytes FROM aevon.buckets_1d b
)
SELECT f.label || '|' || coalesce(f.figure::text, '')
FROM log l, size s, minute m, open o, series r, packed p, day d, LATERAL (VALUES
	('events', l.events),
	('`data` of an event, bytes', round(l.data_bytes)),
	('row of `event_log`, bytes', round(l.row_bytes)),
	('`event_log` per event, bytes', round(s.log / l.events)),
	('its four indexes', round(s.log_indexes / l.events)),
	('**log with indexes, per event, bytes**', round((s.log + s.log_indexes) / l.events)),
	('active minutes of all series, per event', round((m.windows + o.windows)::numeric / l.events, 2)),
	('series', r.rows),
	('open minutes in a row of `series`', round(o.windows::numeric / r.rows, 1)),
	('such a row, bytes', round(r.row_bytes)),
	('the largest, bytes', r.largest),
	('rows of `buckets_1m`, per event', round(m.rows::numeric / l.events, 3)),
	('minutes in such a row', round(m.windows::numeric / nullif(m.rows, 0), 1)),
	('such a row, bytes', round(p.row_bytes)),
	('the largest, bytes', p.largest),
	('a packed minute, bytes', round(p.bytes::numeric / nullif(m.windows, 0), 1)),
	('row of `buckets_1d`, bytes', round(d.row_bytes)),
	('`buckets_1m` with index, per event, bytes', round(s.minutes / l.events)),
	('`buckets_1d` with index', round(s.days / l.events)),
	('`series` with indexes', round(s.series / l.events)),
	('**all buckets, per event, bytes**', round((s.minutes + s.days + s.series) / l.events))) f (label, figure);
