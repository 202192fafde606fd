/*
 * queries.h
 *		Every SQL text: AEVON_QUERY(NAME, "text", parameter type OIDs ...).
 *
 * Included by catalog.h and catalog.c only, with AEVON_QUERY defined.  Names
 * and operators are schema-qualified; values are bound parameters.
 */
/* *INDENT-OFF* */
AEVON_QUERY(LOCK_CHECKPOINTS,
	"SELECT measure_key, cut_xmax, cut_xip, caught_up FROM aevon.sweep_checkpoints"
	" WHERE measure_key OPERATOR(pg_catalog.>) 0"
	" ORDER BY measure_key FOR UPDATE")
AEVON_QUERY(MOVE_CHECKPOINT,
	"UPDATE aevon.sweep_checkpoints SET cut_xmax = $2, cut_xip = $3, caught_up = $4,"
	" swept_at = $5, event_count = event_count OPERATOR(pg_catalog.+) $6"
	" WHERE measure_key OPERATOR(pg_catalog.=) $1",
	INT4OID, INT8OID, INT8ARRAYOID, BOOLOID, TIMESTAMPTZOID, INT8OID)
AEVON_QUERY(LOG_SWEEP,
	"INSERT INTO aevon.sweeps (sweep_id, started_at, duration_ms, event_count,"
	" bucket_count, measure_count, cut_xmax, cut_xip, by_worker, error_state, error_message)"
	" VALUES (pg_catalog.nextval('aevon.sweep_id_seq'), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
	TIMESTAMPTZOID, FLOAT8OID, INT8OID, INT8OID, INT4OID, INT8OID, INT8ARRAYOID,
	BOOLOID, TEXTOID, TEXTOID)
AEVON_QUERY(BUMP_GENERATION,
	"INSERT INTO aevon.generation (generation)"
	" VALUES (pg_catalog.nextval('aevon.generation_seq'))"
	" ON CONFLICT (only_row) DO UPDATE SET generation = EXCLUDED.generation")
/* *INDENT-ON* */
