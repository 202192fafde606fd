/*
 * queries.h
 *		Every SQL text: AEVON_QUERY(NAME, "text", parameter type OIDs ...).
 *
 * Included by catalog.h and catalog.c only, with AEVON_QUERY defined.  Names
 * and operators are schema-qualified; values are bound parameters.
 */
/* *INDENT-OFF* */
AEVON_QUERY(LOCK_CHECKPOINTS,
	"SELECT c.measure_key, c.cut_xmax, c.cut_xip, c.caught_up"
	" FROM aevon.sweep_checkpoints c WHERE c.measure_key OPERATOR(pg_catalog.>) 0"
	" AND EXISTS (SELECT FROM aevon.rules r"
	" WHERE r.measure_key OPERATOR(pg_catalog.=) c.measure_key"
	" AND r.state OPERATOR(pg_catalog.<>) 'retired')"
	" ORDER BY c.measure_key FOR UPDATE OF c")
AEVON_QUERY(LOCK_ALL_CHECKPOINTS,
	"SELECT c.measure_key, c.cut_xmax, c.cut_xip, c.caught_up"
	" FROM aevon.sweep_checkpoints c WHERE c.measure_key OPERATOR(pg_catalog.>) 0"
	" ORDER BY c.measure_key FOR UPDATE OF c")
AEVON_QUERY(MOVE_CHECKPOINT,
	"UPDATE aevon.sweep_checkpoints SET cut_xmax = $2, cut_xip = $3, caught_up = $4,"
	" swept_at = $5, event_count = event_count OPERATOR(pg_catalog.+) $6"
	" WHERE measure_key OPERATOR(pg_catalog.=) $1",
	INT4OID, INT8OID, INT8ARRAYOID, BOOLOID, TIMESTAMPTZOID, INT8OID)
AEVON_QUERY(SAVE_SERIES_COUNT,
	"INSERT INTO aevon.series_counts (tenant_key, measure_key, series_count, series_full)"
	" VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_key, measure_key)"
	" DO UPDATE SET series_count = EXCLUDED.series_count, series_full = EXCLUDED.series_full",
	INT4OID, INT4OID, INT8OID, BOOLOID)
AEVON_QUERY(LOG_SWEEP,
	"INSERT INTO aevon.sweeps (sweep_id, started_at, duration_ms, event_count,"
	" bucket_count, measure_count, cut_xmax, cut_xip, by_worker, error_state, error_message)"
	" VALUES (pg_catalog.nextval('aevon.sweep_id_seq'), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
	TIMESTAMPTZOID, FLOAT8OID, INT8OID, INT8OID, INT4OID, INT8OID, INT8ARRAYOID,
	BOOLOID, TEXTOID, TEXTOID)
AEVON_QUERY(PRUNE_SWEEPS,
	"DELETE FROM aevon.sweeps WHERE started_at OPERATOR(pg_catalog.<) $1",
	TIMESTAMPTZOID)
AEVON_QUERY(SWEEP_COMMAND,
	"SELECT pg_catalog.concat('SELECT ', pg_catalog.quote_ident($1), '.aevon_sweep()')",
	TEXTOID)
AEVON_QUERY(SCHEDULE_JOB,
	"SELECT cron.schedule($1, $2, $3)",
	TEXTOID, TEXTOID, TEXTOID)
AEVON_QUERY(BUMP_GENERATION,
	"INSERT INTO aevon.generation (generation)"
	" VALUES (pg_catalog.nextval('aevon.generation_seq'))"
	" ON CONFLICT (only_row) DO UPDATE SET generation = EXCLUDED.generation")
AEVON_QUERY(LOCK_GENERATION,
	"SELECT generation FROM aevon.generation FOR UPDATE")
AEVON_QUERY(TRY_LOCK_GENERATION,
	"SELECT generation FROM aevon.generation FOR UPDATE SKIP LOCKED")
AEVON_QUERY(NEWEST_VERSION,
	"SELECT version, state, fingerprint FROM aevon.rules"
	" WHERE tenant_key OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2"
	" ORDER BY version DESC LIMIT 1",
	INT4OID, TEXTOID)
AEVON_QUERY(FIND_MEASURE,
	"SELECT m.measure_key, c.caught_up FROM aevon.measures m"
	" JOIN aevon.sweep_checkpoints c ON c.measure_key OPERATOR(pg_catalog.=) m.measure_key"
	" WHERE m.fingerprint OPERATOR(pg_catalog.=) $1"
	" ORDER BY m.measure_key DESC LIMIT 1",
	BYTEAOID)
AEVON_QUERY(NEWEST_EVENTS,
	"SELECT n.data FROM (SELECT e.type_key, e.data FROM aevon.event_log e"
	" ORDER BY e.stamp DESC LIMIT $3) n"
	" WHERE $1 OPERATOR(pg_catalog.=) 0"
	" AND ($2 OPERATOR(pg_catalog.=) 0 OR n.type_key OPERATOR(pg_catalog.=) $2) LIMIT $4",
	INT4OID, INT4OID, INT8OID, INT8OID)
AEVON_QUERY(NEWEST_EVENTS_OF_TENANT,
	"SELECT n.data FROM (SELECT e.type_key, e.data FROM aevon.event_log e"
	" WHERE e.tenant_key OPERATOR(pg_catalog.=) $1"
	" ORDER BY e.occurred_at DESC LIMIT $3) n"
	" WHERE $2 OPERATOR(pg_catalog.=) 0 OR n.type_key OPERATOR(pg_catalog.=) $2 LIMIT $4",
	INT4OID, INT4OID, INT8OID, INT8OID)
AEVON_QUERY(ADD_MEASURE,
	"INSERT INTO aevon.measures (measure_key, tenant_key, features, event_type, value,"
	" filter, dimensions, fingerprint, created_at, rollups, quantiles)"
	" VALUES (pg_catalog.nextval('aevon.measure_key_seq'), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
	" RETURNING measure_key",
	INT4OID, INT4OID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, BYTEAOID, TIMESTAMPTZOID,
	TEXTARRAYOID, TEXTARRAYOID)
AEVON_QUERY(ADD_CHECKPOINT,
	"INSERT INTO aevon.sweep_checkpoints (cut_xmax, measure_key, cut_xip) VALUES (0, $1, '{}')",
	INT4OID)
AEVON_QUERY(RETIRE_VERSIONS,
	"UPDATE aevon.rules SET state = 'retired', retired_at = $3"
	" WHERE tenant_key OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2"
	" AND state OPERATOR(pg_catalog.<>) 'retired'",
	INT4OID, TEXTOID, TIMESTAMPTZOID)
AEVON_QUERY(RETIRE_BUILDING,
	"UPDATE aevon.rules SET state = 'retired', retired_at = $3"
	" WHERE tenant_key OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2"
	" AND state OPERATOR(pg_catalog.=) 'building'",
	INT4OID, TEXTOID, TIMESTAMPTZOID)
AEVON_QUERY(ADD_VERSION,
	"INSERT INTO aevon.rules (rule_key, tenant_key, version, measure_key, name, state,"
	" event_type, operators, value, filter, dimensions, fingerprint, defined_by,"
	" defined_at, active_at, rollups)"
	" VALUES (pg_catalog.nextval('aevon.rule_key_seq'), $1, $2, $3, $4, $5, $6, $7, $8, $9,"
	" $10, $11, $12, $13, $14, $15)",
	INT4OID, INT4OID, INT4OID, TEXTOID, TEXTOID, TEXTOID, TEXTARRAYOID, TEXTOID, TEXTOID,
	JSONBOID, BYTEAOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTARRAYOID)
/* Checkpoints c of stopped measures that may go: who stopped since $1 may wait for a snapshot. */
#define STOPPED_CHECKPOINTS \
	" FROM aevon.sweep_checkpoints c" \
	" WHERE c.measure_key OPERATOR(pg_catalog.>) 0" \
	" AND NOT EXISTS (SELECT FROM aevon.rules r" \
	" WHERE r.measure_key OPERATOR(pg_catalog.=) c.measure_key" \
	" AND r.state OPERATOR(pg_catalog.<>) 'retired')" \
	" AND (NOT c.caught_up" \
	" OR NOT EXISTS (SELECT FROM aevon.rules r" \
	" WHERE r.measure_key OPERATOR(pg_catalog.=) c.measure_key" \
	" AND r.retired_at OPERATOR(pg_catalog.>=) $1)" \
	" OR NOT EXISTS (SELECT FROM aevon.series s JOIN aevon.touched_days d" \
	" ON d.series_key OPERATOR(pg_catalog.=) s.series_key" \
	" WHERE s.measure_key OPERATOR(pg_catalog.=) c.measure_key))"
AEVON_QUERY(VERSION_WORK,
	"SELECT EXISTS (SELECT FROM aevon.rules r JOIN aevon.sweep_checkpoints c"
	" ON c.measure_key OPERATOR(pg_catalog.=) r.measure_key"
	" WHERE r.state OPERATOR(pg_catalog.=) 'building' AND c.caught_up),"
	" EXISTS (SELECT" STOPPED_CHECKPOINTS "),"
	" EXISTS (SELECT FROM aevon.measures m WHERE m.cleared_at IS NULL"
	" AND NOT EXISTS (SELECT FROM aevon.sweep_checkpoints c"
	" WHERE c.measure_key OPERATOR(pg_catalog.=) m.measure_key))",
	TIMESTAMPTZOID)
AEVON_QUERY(RETIRE_REPLACED,
	"UPDATE aevon.rules o SET state = 'retired', retired_at = $1"
	" FROM aevon.rules n JOIN aevon.sweep_checkpoints c"
	" ON c.measure_key OPERATOR(pg_catalog.=) n.measure_key"
	" WHERE n.state OPERATOR(pg_catalog.=) 'building' AND c.caught_up"
	" AND o.state OPERATOR(pg_catalog.=) 'active'"
	" AND o.tenant_key OPERATOR(pg_catalog.=) n.tenant_key"
	" AND o.name OPERATOR(pg_catalog.=) n.name",
	TIMESTAMPTZOID)
AEVON_QUERY(ACTIVATE_BUILT,
	"UPDATE aevon.rules n SET state = 'active', active_at = $1"
	" FROM aevon.sweep_checkpoints c"
	" WHERE c.measure_key OPERATOR(pg_catalog.=) n.measure_key"
	" AND n.state OPERATOR(pg_catalog.=) 'building' AND c.caught_up",
	TIMESTAMPTZOID)
AEVON_QUERY(DROP_CHECKPOINTS,
	"WITH gone AS (DELETE FROM aevon.sweep_checkpoints x"
	" WHERE x.measure_key OPERATOR(pg_catalog.=) ANY (ARRAY("
	"SELECT c.measure_key" STOPPED_CHECKPOINTS " FOR UPDATE OF c SKIP LOCKED))"
	" RETURNING x.measure_key)"
	/* what is read from the log alone is not folded together */
	" DELETE FROM aevon.series_counts n USING gone"
	" WHERE n.measure_key OPERATOR(pg_catalog.=) gone.measure_key",
	TIMESTAMPTZOID)
AEVON_QUERY(PICK_LEFTOVER,
	"SELECT m.measure_key FROM aevon.measures m WHERE m.cleared_at IS NULL"
	" AND NOT EXISTS (SELECT FROM aevon.sweep_checkpoints c"
	" WHERE c.measure_key OPERATOR(pg_catalog.=) m.measure_key)"
	" ORDER BY m.measure_key LIMIT 1 FOR UPDATE SKIP LOCKED")
AEVON_QUERY(MARK_CLEARED,
	"UPDATE aevon.measures SET cleared_at = $2"
	" WHERE measure_key OPERATOR(pg_catalog.=) $1",
	INT4OID, TIMESTAMPTZOID)
AEVON_QUERY(CLEAR_OPEN_MINUTES,
	"UPDATE aevon.series SET open_minutes = NULL WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
	"SELECT s.ctid FROM aevon.series s WHERE s.measure_key OPERATOR(pg_catalog.=) $1"
	" AND s.open_minutes IS NOT NULL LIMIT $2))",
	INT4OID, INT8OID)
AEVON_QUERY(CLEAR_BUCKETS_1M,
	"DELETE FROM aevon.buckets_1m WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
	"SELECT x.ctid FROM aevon.series s JOIN aevon.buckets_1m x"
	" ON x.series_key OPERATOR(pg_catalog.=) s.series_key"
	" WHERE s.measure_key OPERATOR(pg_catalog.=) $1 LIMIT $2))",
	INT4OID, INT8OID)
AEVON_QUERY(CLEAR_BUCKETS_1D,
	"DELETE FROM aevon.buckets_1d WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
	"SELECT x.ctid FROM aevon.series s JOIN aevon.buckets_1d x"
	" ON x.series_key OPERATOR(pg_catalog.=) s.series_key"
	" WHERE s.measure_key OPERATOR(pg_catalog.=) $1 LIMIT $2))",
	INT4OID, INT8OID)
AEVON_QUERY(CLEAR_BUCKETS_1H,
	"DELETE FROM aevon.buckets_1h WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
	"SELECT x.ctid FROM aevon.series s JOIN aevon.buckets_1h x"
	" ON x.series_key OPERATOR(pg_catalog.=) s.series_key"
	" WHERE s.measure_key OPERATOR(pg_catalog.=) $1 LIMIT $2))",
	INT4OID, INT8OID)
AEVON_QUERY(CLEAR_TOUCHED_DAYS,
	"DELETE FROM aevon.touched_days WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
	"SELECT x.ctid FROM aevon.series s JOIN aevon.touched_days x"
	" ON x.series_key OPERATOR(pg_catalog.=) s.series_key"
	" WHERE s.measure_key OPERATOR(pg_catalog.=) $1 LIMIT $2))",
	INT4OID, INT8OID)
AEVON_QUERY(CLEAR_SERIES,
	"DELETE FROM aevon.series WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
	"SELECT s.ctid FROM aevon.series s"
	" WHERE s.measure_key OPERATOR(pg_catalog.=) $1"
	" AND NOT EXISTS (SELECT FROM aevon.snapshots x"
	" WHERE x.series_key OPERATOR(pg_catalog.=) s.series_key) LIMIT $2))",
	INT4OID, INT8OID)
AEVON_QUERY(VIEW_EVENTS,
	"SELECT * FROM aevon.events_of($1)",
	INT4ARRAYOID)
AEVON_QUERY(VIEW_PRE_AGGREGATES,
	"SELECT * FROM aevon.pre_aggregates_of($1)",
	INT4ARRAYOID)
AEVON_QUERY(VIEW_REJECTED_EVENTS,
	"SELECT * FROM aevon.rejected_events_of($1)",
	INT4ARRAYOID)
AEVON_QUERY(VIEW_RULE_VERSIONS,
	"SELECT * FROM aevon.rule_versions_of($1)",
	INT4ARRAYOID)
AEVON_QUERY(DAILY_SERIES,
	"SELECT s.series_key, t.tenant, p.principal, r.name, r.version, r.operators[1], s.dims"
	" FROM aevon.series s"
	" JOIN aevon.tenants t ON t.tenant_key OPERATOR(pg_catalog.=) s.tenant_key"
	" JOIN aevon.rules r ON r.measure_key OPERATOR(pg_catalog.=) s.measure_key"
	" AND r.state OPERATOR(pg_catalog.=) 'active'"
	" AND (r.tenant_key OPERATOR(pg_catalog.=) t.tenant_key"
	" OR r.tenant_key OPERATOR(pg_catalog.=) 0 AND NOT EXISTS (SELECT FROM aevon.rules o"
	" WHERE o.tenant_key OPERATOR(pg_catalog.=) t.tenant_key"
	" AND o.name OPERATOR(pg_catalog.=) r.name"
	" AND o.state OPERATOR(pg_catalog.=) 'active'))"
	" LEFT JOIN aevon.principals p ON p.principal_key OPERATOR(pg_catalog.=) s.subject_key"
	" WHERE s.tenant_key OPERATOR(pg_catalog.=) ANY ($1)"
	" ORDER BY s.series_key, r.name",
	INT4ARRAYOID)
AEVON_QUERY(DAYS_OF_SERIES,
	"SELECT day, taken_at, event_count, late_count, status, stats FROM aevon.snapshots"
	" WHERE series_key OPERATOR(pg_catalog.=) $1 AND day OPERATOR(pg_catalog.>=) $2"
	" AND day OPERATOR(pg_catalog.<) $3"
	" ORDER BY day, revision",
	INT8OID, INT4OID, INT4OID)
AEVON_QUERY(RULE_TOTALS,
	"SELECT * FROM aevon.rule_totals_of($1)",
	INT4ARRAYOID)
AEVON_QUERY(RULE_COUNTS,
	"SELECT r.rule_key, r.tenant_key, t.tenant, r.name, r.version, c.event_count, c.caught_up"
	" FROM aevon.rules r JOIN aevon.sweep_checkpoints c"
	" ON c.measure_key OPERATOR(pg_catalog.=) r.measure_key"
	" LEFT JOIN aevon.tenants t ON t.tenant_key OPERATOR(pg_catalog.=) r.tenant_key"
	" WHERE r.state OPERATOR(pg_catalog.<>) 'retired' AND (r.tenant_key OPERATOR(pg_catalog.=) 0"
	" OR r.tenant_key OPERATOR(pg_catalog.=) ANY ($1))"
	" ORDER BY t.tenant NULLS FIRST, r.name, r.version",
	INT4ARRAYOID)
AEVON_QUERY(TABLE_SIZES,
	"SELECT n.relname, (SELECT pg_catalog.sum(pg_catalog.pg_total_relation_size(p.relid))::bigint"
	" FROM pg_catalog.pg_partition_tree(n.oid) p)"
	" FROM pg_catalog.pg_class n"
	" WHERE n.relnamespace OPERATOR(pg_catalog.=) 'aevon'::pg_catalog.regnamespace"
	" AND n.relname OPERATOR(pg_catalog.=) 'event_log'"
	" UNION ALL SELECT n.relname, pg_catalog.pg_total_relation_size(n.oid)"
	" FROM pg_catalog.pg_class n"
	" WHERE n.relnamespace OPERATOR(pg_catalog.=) 'aevon'::pg_catalog.regnamespace"
	" AND n.relkind OPERATOR(pg_catalog.=) 'r' AND n.relname OPERATOR(pg_catalog.!~) '^event_log'"
	" ORDER BY 1")
AEVON_QUERY(SLOWEST_BACKFILL,
	"SELECT r.name, r.tenant_key, GREATEST(r.defined_at, c.swept_at) FROM aevon.rules r JOIN aevon.sweep_checkpoints c"
	" ON c.measure_key OPERATOR(pg_catalog.=) r.measure_key"
	" WHERE r.state OPERATOR(pg_catalog.<>) 'retired' AND NOT c.caught_up"
	" AND ($1 OR r.tenant_key OPERATOR(pg_catalog.=) 0"
	" OR r.tenant_key OPERATOR(pg_catalog.=) ANY ($2))"
	" ORDER BY 3 LIMIT 1",
	BOOLOID, INT4ARRAYOID)
AEVON_QUERY(SNAPSHOTS_DUE,
	"SELECT EXISTS (SELECT FROM aevon.touched_days),"
	" (SELECT pg_catalog.max(n.taken_at) FROM aevon.snapshots n),"
	" (SELECT i.written_at FROM aevon.installation i)")
AEVON_QUERY(RECENT_REJECTIONS,
	"SELECT pg_catalog.sum((SELECT pg_catalog.count(*) FROM aevon.rejections x"
	" WHERE x.tenant_key OPERATOR(pg_catalog.=) t.tenant_key"
	" AND x.rejected_at OPERATOR(pg_catalog.>) $1"
	" AND x.rejected_at OPERATOR(pg_catalog.<=) $2))::bigint FROM aevon.tenants t"
	" WHERE $3 OR t.tenant_key OPERATOR(pg_catalog.=) ANY ($4)",
	TIMESTAMPTZOID, TIMESTAMPTZOID, BOOLOID, INT4ARRAYOID)
AEVON_QUERY(LAST_SWEEP_ERROR,
	"SELECT s.error_state, s.error_message, s.started_at FROM aevon.sweeps s"
	" WHERE s.error_state IS NOT NULL AND NOT EXISTS (SELECT FROM aevon.sweeps n"
	" WHERE n.error_state IS NULL AND n.sweep_id OPERATOR(pg_catalog.>) s.sweep_id)"
	" ORDER BY s.sweep_id DESC LIMIT 1")
AEVON_QUERY(GRANT,
	"INSERT INTO aevon.grants (tenant, role, privilege, granted_by, granted_at)"
	" VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, role, privilege) DO NOTHING",
	TEXTOID, REGROLEOID, TEXTOID, TEXTOID, TIMESTAMPTZOID)
AEVON_QUERY(REVOKE,
	"DELETE FROM aevon.grants WHERE tenant OPERATOR(pg_catalog.=) $1"
	" AND role OPERATOR(pg_catalog.=) $2::pg_catalog.oid"
	" AND privilege OPERATOR(pg_catalog.=) $3",
	TEXTOID, REGROLEOID, TEXTOID)
AEVON_QUERY(ADOPT,
	"INSERT INTO aevon.installation (system_identifier, base, log_oid, written_at)"
	" VALUES ($1, $2, $3, $4)"
	" ON CONFLICT (only_row) DO UPDATE SET system_identifier = EXCLUDED.system_identifier,"
	" base = EXCLUDED.base, log_oid = EXCLUDED.log_oid, written_at = EXCLUDED.written_at",
	INT8OID, INT8OID, INT8OID, TIMESTAMPTZOID)
AEVON_QUERY(MAX_STAMP,
	"SELECT pg_catalog.max(s.stamp) FROM ("
	"SELECT v.stamp FROM aevon.voids v"
	" UNION ALL SELECT v.event_stamp FROM aevon.voids v"
	" UNION ALL SELECT c.cut_xmax OPERATOR(pg_catalog.-) 1 FROM aevon.sweep_checkpoints c"
	" UNION ALL SELECT n.cut_xmax OPERATOR(pg_catalog.-) 1 FROM aevon.snapshots n"
	" UNION ALL SELECT h.cut_xmax OPERATOR(pg_catalog.-) 1 FROM aevon.chain h"
	" UNION ALL SELECT p.max_stamp FROM aevon.log_parts p) s")
AEVON_QUERY(RAISE_TENANT_KEYS,
	"SELECT pg_catalog.setval('aevon.tenant_key_seq', k.greatest_key)"
	" FROM (SELECT pg_catalog.max(t.tenant_key) AS greatest_key FROM aevon.tenants t) k,"
	" aevon.tenant_key_seq q"
	" WHERE k.greatest_key OPERATOR(pg_catalog.>=) q.last_value")
AEVON_QUERY(RAISE_PRINCIPAL_KEYS,
	"SELECT pg_catalog.setval('aevon.principal_key_seq', k.greatest_key)"
	" FROM (SELECT pg_catalog.max(p.principal_key) AS greatest_key FROM aevon.principals p) k,"
	" aevon.principal_key_seq q"
	" WHERE k.greatest_key OPERATOR(pg_catalog.>=) q.last_value")
AEVON_QUERY(RAISE_TYPE_KEYS,
	"SELECT pg_catalog.setval('aevon.type_key_seq', k.greatest_key)"
	" FROM (SELECT pg_catalog.max(y.type_key) AS greatest_key FROM aevon.event_types y) k,"
	" aevon.type_key_seq q"
	" WHERE k.greatest_key OPERATOR(pg_catalog.>=) q.last_value")
AEVON_QUERY(REJECT,
	"INSERT INTO aevon.rejections (rejection_id, rejected_at, tenant_key, sqlstate,"
	" reason, detail, payload)"
	" VALUES (pg_catalog.nextval('aevon.rejection_id_seq'), $1, $2, $3, $4, $5, $6)",
	TIMESTAMPTZOID, INT4OID, TEXTOID, TEXTOID, TEXTOID, JSONBOID)
AEVON_QUERY(EVENTS_OF_PRINCIPAL,
	"SELECT $1, $2, e.event_id, y.event_type, e.occurred_at, e.ingested_at,"
	" e.data, e.metadata, e.stamp"
	" FROM aevon.event_log e"
	" JOIN aevon.event_types y ON y.type_key OPERATOR(pg_catalog.=) e.type_key"
	" WHERE e.principal_key OPERATOR(pg_catalog.=) $3"
	" AND e.occurred_at OPERATOR(pg_catalog.>=) $4"
	" AND e.occurred_at OPERATOR(pg_catalog.<) $5"
	" AND (e.occurred_at, e.event_id) OPERATOR(pg_catalog.>) ($6, $7)"
	" ORDER BY e.occurred_at, e.event_id LIMIT $8",
	TEXTOID, TEXTOID, INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID,
	INT4OID)
AEVON_QUERY(ADD_VOID,
	"INSERT INTO aevon.voids (event_stamp, occurred_at, part, stamp, voided_at, tenant_key,"
	" principal_key, event_id, reason, voided_by)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
	" ON CONFLICT (principal_key, event_id) DO NOTHING",
	INT8OID, TIMESTAMPTZOID, INT4OID, INT8OID, TIMESTAMPTZOID, INT4OID, INT4OID, TEXTOID,
	TEXTOID, TEXTOID)
AEVON_QUERY(TAKE_TOUCHED_DAYS,
	"DELETE FROM aevon.touched_days d USING aevon.series s"
	" WHERE s.series_key OPERATOR(pg_catalog.=) d.series_key"
	" AND d.ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
	"SELECT t.ctid FROM aevon.touched_days t"
	" JOIN aevon.series x ON x.series_key OPERATOR(pg_catalog.=) t.series_key"
	" WHERE x.measure_key OPERATOR(pg_catalog.=) ANY ($2) LIMIT $1))"
	" RETURNING d.series_key, d.day, s.measure_key, s.tenant_key, s.subject_key,"
	" s.dims_grouping, s.dims, s.dims_digest",
	INT8OID, INT4ARRAYOID)
AEVON_QUERY(HISTORY,
	"SELECT '2000-01-01'::pg_catalog.date OPERATOR(pg_catalog.+) day, revision, taken_at, status,"
	" event_count, late_count, stats,"
	" pg_catalog.lag(stats) OVER (PARTITION BY day ORDER BY revision), cut_xmax, cut_xip"
	" FROM aevon.snapshots"
	" WHERE series_key OPERATOR(pg_catalog.=) $1 AND day OPERATOR(pg_catalog.>=) $2"
	" AND day OPERATOR(pg_catalog.<) $3"
	" ORDER BY day, revision",
	INT8OID, INT4OID, INT4OID)
AEVON_QUERY(SNAPSHOT_CUT,
	"SELECT cut_xmax, cut_xip FROM aevon.snapshots"
	" WHERE series_key OPERATOR(pg_catalog.=) $1 AND day OPERATOR(pg_catalog.=) $2"
	" AND revision OPERATOR(pg_catalog.<=) $3 AND revision OPERATOR(pg_catalog.>=) $4"
	" ORDER BY revision DESC LIMIT 1",
	INT8OID, INT4OID, INT4OID, INT4OID)
/* as of a new series: its hours are decided on again when minutes close */
#define NONE_CLOSED "'-9223372036854775808'::pg_catalog.int8"
AEVON_QUERY(EMPTY_OPEN_MINUTES,
	"UPDATE aevon.series SET open_minutes = NULL, closed_until = " NONE_CLOSED
	" WHERE measure_key OPERATOR(pg_catalog.=) $1 AND (open_minutes IS NOT NULL"
	" OR closed_until OPERATOR(pg_catalog.<>) " NONE_CLOSED ")",
	INT4OID)
AEVON_QUERY(EMPTY_BUCKETS_1M,
	"DELETE FROM aevon.buckets_1m b USING aevon.series s"
	" WHERE s.series_key OPERATOR(pg_catalog.=) b.series_key"
	" AND s.measure_key OPERATOR(pg_catalog.=) $1",
	INT4OID)
AEVON_QUERY(EMPTY_BUCKETS_1D,
	"DELETE FROM aevon.buckets_1d b USING aevon.series s"
	" WHERE s.series_key OPERATOR(pg_catalog.=) b.series_key"
	" AND s.measure_key OPERATOR(pg_catalog.=) $1",
	INT4OID)
AEVON_QUERY(EMPTY_BUCKETS_1H,
	"DELETE FROM aevon.buckets_1h b USING aevon.series s"
	" WHERE s.series_key OPERATOR(pg_catalog.=) b.series_key"
	" AND s.measure_key OPERATOR(pg_catalog.=) $1",
	INT4OID)
AEVON_QUERY(TOUCH_OTHER_DAYS,
	"INSERT INTO aevon.touched_days (series_key, day)"
	" SELECT DISTINCT n.series_key, n.day FROM aevon.series s"
	" JOIN aevon.snapshots n ON n.series_key OPERATOR(pg_catalog.=) s.series_key"
	" WHERE s.measure_key OPERATOR(pg_catalog.=) $1"
	" AND pg_catalog.octet_length(s.dims_digest) OPERATOR(pg_catalog.=) 1"
	" ON CONFLICT (series_key, day) DO NOTHING",
	INT4OID)
AEVON_QUERY(EMPTY_CHECKPOINT,
	"UPDATE aevon.sweep_checkpoints SET cut_xmax = 0, cut_xip = '{}', caught_up = false,"
	" event_count = 0, swept_at = $2"
	" WHERE measure_key OPERATOR(pg_catalog.=) $1",
	INT4OID, TIMESTAMPTZOID)
AEVON_QUERY(ADMIT_SERIES,
	"UPDATE aevon.series_counts SET series_full = false"
	" WHERE measure_key OPERATOR(pg_catalog.=) $1 AND series_full",
	INT4OID)
AEVON_QUERY(START_COMPACTION,
	"INSERT INTO aevon.compaction_progress (only_row) VALUES (true)"
	" ON CONFLICT (only_row) DO NOTHING")
AEVON_QUERY(LOCK_COMPACTION,
	"SELECT through_day, threshold FROM aevon.compaction_progress FOR UPDATE")
AEVON_QUERY(MOVE_COMPACTION,
	"UPDATE aevon.compaction_progress SET through_day = $1, threshold = $2",
	INT4OID, FLOAT8OID)
AEVON_QUERY(REOPEN_DAY,
	"INSERT INTO aevon.reopened_days (series_key, day) VALUES ($1, $2)"
	" ON CONFLICT (series_key, day) DO NOTHING",
	INT8OID, INT4OID)
AEVON_QUERY(COMPACT_SNAPSHOTS,
	"WITH reopened AS ("
	"DELETE FROM aevon.reopened_days r WHERE r.day OPERATOR(pg_catalog.<) $2"
	" RETURNING r.series_key, r.day"
	"), seen AS ("
	"SELECT n.ctid AS place, n.series_key, n.day, n.revision, n.taken_at, n.stats, n.delta"
	" FROM aevon.snapshots n"
	" WHERE n.day OPERATOR(pg_catalog.>=) $1 AND n.day OPERATOR(pg_catalog.<) $2"
	/* OFFSET 0: by the key, whatever the planner thinks of the list's length */
	" UNION ALL SELECT n.* FROM reopened r, LATERAL ("
	"SELECT x.ctid, x.series_key, x.day, x.revision, x.taken_at, x.stats, x.delta"
	" FROM aevon.snapshots x"
	" WHERE x.series_key OPERATOR(pg_catalog.=) r.series_key"
	" AND x.day OPERATOR(pg_catalog.=) r.day OFFSET 0) n"
	" WHERE r.day OPERATOR(pg_catalog.<) $1"
	"), old AS ("
	"SELECT n.place,"
	" n.revision OPERATOR(pg_catalog.=) pg_catalog.max(n.revision) OVER w"
	" OR n.revision OPERATOR(pg_catalog.=) pg_catalog.min(n.revision) FILTER (WHERE n.taken_at"
	" OPERATOR(pg_catalog.>=) ('2000-01-01 00:00:00+00'::pg_catalog.timestamptz"
	" OPERATOR(pg_catalog.+) ((n.day OPERATOR(pg_catalog.+) 1)"
	" OPERATOR(pg_catalog.*) '24:00:00'::pg_catalog.interval))) OVER w"
	" OR EXISTS (SELECT FROM pg_catalog.jsonb_each(n.delta) d (name, change)"
	" WHERE d.name OPERATOR(pg_catalog.=) ANY ('{count,sum}'::pg_catalog.text[])"
	" AND pg_catalog.jsonb_typeof(d.change) OPERATOR(pg_catalog.=) 'number'"
	" AND pg_catalog.abs(d.change::pg_catalog.numeric) OPERATOR(pg_catalog.>)"
	" ($3::pg_catalog.numeric OPERATOR(pg_catalog.*) pg_catalog.abs((n.stats OPERATOR(pg_catalog.->) d.name)"
	"::pg_catalog.numeric OPERATOR(pg_catalog.-) d.change::pg_catalog.numeric))) AS kept"
	" FROM seen n WINDOW w AS (PARTITION BY n.series_key, n.day)"
	"), gone AS ("
	"DELETE FROM aevon.snapshots x WHERE x.ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
	"SELECT o.place FROM old o WHERE NOT o.kept))"
	" RETURNING x.series_key, x.day, x.revision, x.link_number, x.hash)"
	" INSERT INTO aevon.compactions (series_key, link_number, compacted_at, day, revisions,"
	" link_numbers, hashes)"
	" SELECT series_key, $5, $4, day, pg_catalog.array_agg(revision ORDER BY revision),"
	" pg_catalog.array_agg(link_number ORDER BY revision),"
	" pg_catalog.array_agg(hash ORDER BY revision)"
	" FROM gone GROUP BY series_key, day",
	INT4OID, INT4OID, FLOAT8OID, TIMESTAMPTZOID, INT8OID)
AEVON_QUERY(LAST_TAKEN,
	"SELECT pg_catalog.max(taken_at) FROM aevon.snapshots")
AEVON_QUERY(LAST_SNAPSHOT,
	"SELECT revision, event_count, late_count, stats,"
	" status OPERATOR(pg_catalog.<>) 'provisional'"
	" FROM aevon.snapshots"
	" WHERE series_key OPERATOR(pg_catalog.=) $1 AND day OPERATOR(pg_catalog.=) $2"
	" ORDER BY revision DESC LIMIT 1",
	INT8OID, INT4OID)
AEVON_QUERY(ADD_SNAPSHOT,
	"INSERT INTO aevon.snapshots (series_key, cut_xmax, taken_at, event_count, late_count,"
	" link_number, day, revision, status, cut_xip, stats, delta, hash)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
	INT8OID, INT8OID, TIMESTAMPTZOID, INT8OID, INT8OID, INT8OID, INT4OID, INT4OID, TEXTOID,
	INT8ARRAYOID, JSONBOID, JSONBOID, BYTEAOID)
AEVON_QUERY(LOCK_LOG_CUT,
	"SELECT cut_xmax, cut_xip FROM aevon.sweep_checkpoints"
	" WHERE measure_key OPERATOR(pg_catalog.=) 0 FOR UPDATE")
AEVON_QUERY(LOG_CUT,
	"SELECT cut_xmax, cut_xip FROM aevon.sweep_checkpoints"
	" WHERE measure_key OPERATOR(pg_catalog.=) 0")
AEVON_QUERY(ADD_LOG_CUT,
	"INSERT INTO aevon.sweep_checkpoints (cut_xmax, measure_key, cut_xip) VALUES (0, 0, '{}')"
	" ON CONFLICT (measure_key) DO NOTHING")
AEVON_QUERY(ADD_LINK,
	"INSERT INTO aevon.chain (link_number, event_count, void_count, snapshot_count,"
	" compaction_count, made_at, cut_xmax, cut_xip, link)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
	INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, TIMESTAMPTZOID, INT8OID, INT8ARRAYOID, BYTEAOID)
AEVON_QUERY(SNAPSHOTS_BY_LINK,
	"SELECT n.link_number, n.series_key, n.day, n.revision, aevon.row_hash(n)"
	" FROM aevon.snapshots n"
	" UNION ALL SELECT u.link_number, c.series_key, c.day, u.revision, u.hash"
	" FROM aevon.compactions c, ROWS FROM (pg_catalog.unnest(c.link_numbers),"
	" pg_catalog.unnest(c.revisions), pg_catalog.unnest(c.hashes)) u (link_number, revision, hash)"
	" ORDER BY 1, 2, 3, 4")
AEVON_QUERY(COMPACTIONS_BY_LINK,
	"SELECT c.link_number, c.series_key, c.day, 0, aevon.row_hash(c)"
	" FROM aevon.compactions c ORDER BY 1, 2, 3")
AEVON_QUERY(COMPACTIONS_OF_LINK,
	"SELECT c.link_number, c.series_key, c.day, 0, aevon.row_hash(c)"
	" FROM aevon.compactions c WHERE c.link_number OPERATOR(pg_catalog.=) $1 ORDER BY 1, 2, 3",
	INT8OID)
AEVON_QUERY(FIND_LINK,
	"SELECT link_number, event_count, void_count, snapshot_count, compaction_count,"
	" made_at, cut_xmax, cut_xip, link"
	" FROM aevon.chain WHERE link_number OPERATOR(pg_catalog.=) $1",
	INT8OID)
AEVON_QUERY(LINKS_FROM,
	"SELECT link_number, event_count, void_count, snapshot_count, compaction_count,"
	" made_at, cut_xmax, cut_xip, link"
	" FROM aevon.chain WHERE link_number OPERATOR(pg_catalog.>=) $1"
	" ORDER BY link_number LIMIT $2",
	INT8OID, INT8OID)
AEVON_QUERY(NEXT_OF_PRINCIPAL,
	"SELECT pg_catalog.min(e.occurred_at) FROM aevon.event_log e"
	" WHERE e.principal_key OPERATOR(pg_catalog.=) $1"
	" AND e.occurred_at OPERATOR(pg_catalog.>=) $2",
	INT4OID, TIMESTAMPTZOID)
AEVON_QUERY(NEXT_OF_TENANT,
	"SELECT pg_catalog.min(e.occurred_at) FROM aevon.event_log e"
	" WHERE e.tenant_key OPERATOR(pg_catalog.=) $1"
	" AND e.occurred_at OPERATOR(pg_catalog.>=) $2",
	INT4OID, TIMESTAMPTZOID)
/* With the groupings, or all of the measure in the index would be read for each subject. */
#define SERIES_OF_SUBJECT \
	" WHERE s.measure_key OPERATOR(pg_catalog.=) $1 AND s.tenant_key OPERATOR(pg_catalog.=) $2" \
	" AND s.dims_grouping OPERATOR(pg_catalog.=) ANY ($3)" \
	" AND s.subject_key OPERATOR(pg_catalog.=) $4"
AEVON_QUERY(MEND_DIMS,
	"UPDATE aevon.series s SET dims = $6 WHERE s.measure_key OPERATOR(pg_catalog.=) $1"
	" AND s.tenant_key OPERATOR(pg_catalog.=) $2 AND s.dims_grouping OPERATOR(pg_catalog.=) $3"
	" AND s.subject_key OPERATOR(pg_catalog.=) $4 AND s.dims_digest OPERATOR(pg_catalog.=) $5"
	" AND s.dims OPERATOR(pg_catalog.<>) $6",
	INT4OID, INT4OID, INT4OID, INT4OID, BYTEAOID, JSONBOID)
AEVON_QUERY(DELETE_OPEN_MINUTES,
	"UPDATE aevon.series s SET open_minutes = NULL, closed_until = " NONE_CLOSED SERIES_OF_SUBJECT
	" AND (s.open_minutes IS NOT NULL"
	" OR s.closed_until OPERATOR(pg_catalog.<>) " NONE_CLOSED ")",
	INT4OID, INT4OID, INT4ARRAYOID, INT4OID)
AEVON_QUERY(DELETE_BUCKETS_1M,
	"DELETE FROM aevon.buckets_1m b USING aevon.series s" SERIES_OF_SUBJECT
	" AND b.series_key OPERATOR(pg_catalog.=) s.series_key",
	INT4OID, INT4OID, INT4ARRAYOID, INT4OID)
AEVON_QUERY(DELETE_BUCKETS_1H,
	"DELETE FROM aevon.buckets_1h b USING aevon.series s" SERIES_OF_SUBJECT
	" AND b.series_key OPERATOR(pg_catalog.=) s.series_key",
	INT4OID, INT4OID, INT4ARRAYOID, INT4OID)
AEVON_QUERY(DELETE_BUCKETS_1D,
	"DELETE FROM aevon.buckets_1d b USING aevon.series s" SERIES_OF_SUBJECT
	" AND b.series_key OPERATOR(pg_catalog.=) s.series_key",
	INT4OID, INT4OID, INT4ARRAYOID, INT4OID)
/* of one measure, for the tenant $2 or (0) for all */
AEVON_QUERY(MISCOUNTED_SERIES,
	"WITH s AS (SELECT x.tenant_key, pg_catalog.count(*) AS series_count FROM aevon.series x"
	" WHERE x.measure_key OPERATOR(pg_catalog.=) $1"
	" AND x.dims_grouping OPERATOR(pg_catalog.<>) 0 GROUP BY x.tenant_key),"
	" n AS (SELECT x.tenant_key, x.series_count FROM aevon.series_counts x"
	" WHERE x.measure_key OPERATOR(pg_catalog.=) $1)"
	" SELECT tenant_key, n.series_count, s.series_count FROM s FULL JOIN n USING (tenant_key)"
	" WHERE ($2 OPERATOR(pg_catalog.=) 0 OR tenant_key OPERATOR(pg_catalog.=) $2)"
	" AND COALESCE(n.series_count, 0) OPERATOR(pg_catalog.<>) COALESCE(s.series_count, 0)"
	" ORDER BY tenant_key",
	INT4OID, INT4OID)
AEVON_QUERY(MEND_SERIES_COUNT,
	"INSERT INTO aevon.series_counts (tenant_key, measure_key, series_count, series_full)"
	" SELECT t.tenant_key, $1, (SELECT pg_catalog.count(*) FROM aevon.series s"
	" WHERE s.measure_key OPERATOR(pg_catalog.=) $1"
	" AND s.tenant_key OPERATOR(pg_catalog.=) t.tenant_key"
	" AND s.dims_grouping OPERATOR(pg_catalog.<>) 0), false"
	" FROM (SELECT s.tenant_key FROM aevon.series s"
	" WHERE s.measure_key OPERATOR(pg_catalog.=) $1"
	" AND s.dims_grouping OPERATOR(pg_catalog.<>) 0"
	" UNION SELECT n.tenant_key FROM aevon.series_counts n"
	" WHERE n.measure_key OPERATOR(pg_catalog.=) $1) t"
	" WHERE $2 OPERATOR(pg_catalog.=) 0 OR t.tenant_key OPERATOR(pg_catalog.=) $2"
	" ON CONFLICT (tenant_key, measure_key) DO UPDATE SET series_count = EXCLUDED.series_count",
	INT4OID, INT4OID)
AEVON_QUERY(FULLEST_SERIES,
	"SELECT measure_key, pg_catalog.max(series_count), pg_catalog.bool_or(series_full)"
	" FROM aevon.series_counts"
	" WHERE $1 OR tenant_key OPERATOR(pg_catalog.=) ANY ($2)"
	" GROUP BY measure_key ORDER BY measure_key",
	BOOLOID, INT4ARRAYOID)
AEVON_QUERY(SUBJECTS,
	"SELECT u.tenant_key, u.subject_key,"
	" pg_catalog.array_agg(u.dims_grouping) FILTER (WHERE u.dims_grouping IS NOT NULL) FROM ("
	"SELECT t.tenant_key, OPERATOR(pg_catalog.-) t.tenant_key AS subject_key,"
	" NULL::pg_catalog.int4 AS dims_grouping FROM aevon.tenants t"
	" WHERE $2 OPERATOR(pg_catalog.=) 0 OR t.tenant_key OPERATOR(pg_catalog.=) $2"
	" UNION ALL SELECT p.tenant_key, p.principal_key, NULL FROM aevon.principals p"
	" WHERE $2 OPERATOR(pg_catalog.=) 0 OR p.tenant_key OPERATOR(pg_catalog.=) $2"
	" UNION ALL (SELECT DISTINCT s.tenant_key, s.subject_key, s.dims_grouping"
	" FROM aevon.series s WHERE s.measure_key OPERATOR(pg_catalog.=) $1"
	" AND ($2 OPERATOR(pg_catalog.=) 0 OR s.tenant_key OPERATOR(pg_catalog.=) $2))) u"
	" GROUP BY u.subject_key, u.tenant_key ORDER BY u.subject_key, u.tenant_key",
	INT4OID, INT4OID)
AEVON_QUERY(SNAPSHOTS_OF_SUBJECT,
	"SELECT n.day, n.revision, n.cut_xmax, n.cut_xip, n.event_count, n.late_count, n.stats,"
	" n.series_key, n.taken_at, n.status, n.hash, aevon.row_hash(n),"
	" pg_catalog.lag(n.revision, 1, 0) OVER (PARTITION BY n.series_key, n.day"
	" ORDER BY n.revision) OPERATOR(pg_catalog.+) 1,"
	" s.dims_grouping, s.dims, s.dims_digest"
	" FROM aevon.series s"
	" JOIN aevon.snapshots n ON n.series_key OPERATOR(pg_catalog.=) s.series_key" SERIES_OF_SUBJECT
	" ORDER BY n.day, n.cut_xmax, n.cut_xip, n.series_key, n.revision",
	INT4OID, INT4OID, INT4ARRAYOID, INT4OID)
AEVON_QUERY(ADD_REPAIR,
	"INSERT INTO aevon.repairs (repair_id, repaired_at, window_start, series_key, tenant_key,"
	" subject_key, measure_key, version, rule, what, repaired_by, stored, recomputed)"
	" VALUES (pg_catalog.nextval('aevon.repair_id_seq'), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10,"
	" $11, $12)",
	TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, INT4OID, INT4OID, INT4OID, INT4OID, TEXTOID, TEXTOID,
	TEXTOID, JSONBOID, JSONBOID)
AEVON_QUERY(LOST_REVISIONS,
	/* the first 1000 lie below this, however far a damaged row leads */
	"SELECT r::pg_catalog.int4 FROM pg_catalog.generate_series($3::pg_catalog.int8,"
	" LEAST($4, $3::pg_catalog.int8 OPERATOR(pg_catalog.+) 1000 OPERATOR(pg_catalog.+)"
	" (SELECT COALESCE(pg_catalog.sum(pg_catalog.cardinality(k.revisions)), 0)"
	"::pg_catalog.int8 FROM aevon.compactions k"
	" WHERE k.series_key OPERATOR(pg_catalog.=) $1 AND k.day OPERATOR(pg_catalog.=) $2))) r"
	" WHERE NOT EXISTS (SELECT FROM aevon.compactions c"
	" WHERE c.series_key OPERATOR(pg_catalog.=) $1 AND c.day OPERATOR(pg_catalog.=) $2"
	" AND r OPERATOR(pg_catalog.=) ANY (c.revisions)) ORDER BY r LIMIT 1000",
	INT8OID, INT4OID, INT4OID, INT4OID)
AEVON_QUERY(TOUCH_DAY,
	"INSERT INTO aevon.touched_days (series_key, day) VALUES ($1, $2)"
	" ON CONFLICT (series_key, day) DO NOTHING",
	INT8OID, INT4OID)
#undef STOPPED_CHECKPOINTS
#undef SERIES_OF_SUBJECT
/* *INDENT-ON* */
