/*
 * catalog.h
 *		Aevon's relations by number, their columns, and every SQL text with its
 *		saved plan.
 *
 * Layer 1.  OIDs are looked up once per backend and forgotten when the
 * extension is dropped or created again (relcache invalidation).
 */
#ifndef AEVON_CATALOG_H
#define AEVON_CATALOG_H

#include "postgres.h"
#include "executor/spi.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

typedef enum AevonRelation
{
	AEVON_INSTALLATION,
	AEVON_GENERATION,
	AEVON_TENANTS,
	AEVON_TENANTS_NAME,
	AEVON_TENANTS_KEY,
	AEVON_PRINCIPALS,
	AEVON_PRINCIPALS_NAME,
	AEVON_PRINCIPALS_KEY,
	AEVON_EVENT_TYPES,
	AEVON_EVENT_TYPES_NAME,
	AEVON_EVENT_TYPES_KEY,
	AEVON_EVENT_LOG,
	AEVON_LOG_PARTS,
	AEVON_VOIDS,
	AEVON_VOIDS_KEY,
	AEVON_VOIDS_STAMP,
	AEVON_VOIDS_EVENT_STAMP,
	AEVON_VOIDS_PRINCIPAL,
	AEVON_VOIDS_TENANT,
	AEVON_VOIDS_TENANT_STAMP,
	AEVON_VOIDS_TENANT_TIME,
	AEVON_VOIDS_PRINCIPAL_STAMP,
	AEVON_VOIDS_PRINCIPAL_TIME,
	AEVON_MEASURES,
	AEVON_RULES,
	AEVON_SWEEP_CHECKPOINTS,
	AEVON_SERIES,
	AEVON_SERIES_PKEY,
	AEVON_SERIES_SUBJECT,
	AEVON_SERIES_COUNTS,
	AEVON_SERIES_COUNTS_KEY,
	AEVON_BUCKETS_1M,
	AEVON_BUCKETS_1M_KEY,
	AEVON_BUCKETS_1H,
	AEVON_BUCKETS_1H_KEY,
	AEVON_BUCKETS_1D,
	AEVON_BUCKETS_1D_KEY,
	AEVON_CHAIN,
	AEVON_CHAIN_KEY,
	AEVON_TOUCHED_DAYS,
	AEVON_TOUCHED_DAYS_KEY,
	AEVON_GRANTS,
	AEVON_TENANT_KEY_SEQ,
	AEVON_PRINCIPAL_KEY_SEQ,
	AEVON_TYPE_KEY_SEQ,
	AEVON_SERIES_KEY_SEQ,
	AEVON_TOUCHED_RUN_SEQ,
	AEVON_RELATION_COUNT
} AevonRelation;

/* OID of a relation; 55000 if the extension is not installed here. */
extern Oid	aevon_catalog_oid(AevonRelation which);

/* OID of the owner role, and whether the extension is installed. */
extern Oid	aevon_catalog_owner(void);
extern bool aevon_catalog_installed(void);

/* Column numbers. */
#define Anum_installation_system_identifier 1
#define Anum_installation_base 2
#define Anum_installation_log_oid 3
#define Anum_installation_written_at 4
#define Anum_installation_only_row 5
#define Natts_installation 5

#define Anum_generation_generation 1

/* tenants, principals, event_types alike */
#define Anum_dictionary_key 1
#define Anum_dictionary_scope 2
#define Anum_dictionary_name 3
#define Natts_dictionary 3

#define Anum_event_log_stamp 1
#define Anum_event_log_occurred_at 2
#define Anum_event_log_ingested_at 3
#define Anum_event_log_part 4
#define Anum_event_log_tenant_key 5
#define Anum_event_log_principal_key 6
#define Anum_event_log_type_key 7
#define Anum_event_log_event_id 8
#define Anum_event_log_content_hash 9
#define Anum_event_log_data 10
#define Anum_event_log_metadata 11
#define Natts_event_log 11

#define Anum_voids_stamp 1
#define Anum_voids_voided_at 2
#define Anum_voids_event_stamp 3
#define Anum_voids_occurred_at 4
#define Anum_voids_part 5
#define Anum_voids_tenant_key 6
#define Anum_voids_principal_key 7
#define Anum_voids_event_id 8
#define Anum_voids_reason 9
#define Anum_voids_voided_by 10

#define Anum_sweep_checkpoints_xmax 1
#define Anum_sweep_checkpoints_swept_at 2
#define Anum_sweep_checkpoints_event_count 3
#define Anum_sweep_checkpoints_measure_key 4
#define Anum_sweep_checkpoints_caught_up 5
#define Anum_sweep_checkpoints_xip 6
#define Natts_sweep_checkpoints 6

#define Anum_measures_measure_key 1
#define Anum_measures_tenant_key 2
#define Anum_measures_features 3
#define Anum_measures_event_type 4
#define Anum_measures_value 5
#define Anum_measures_filter 6
#define Anum_measures_dimensions 7
#define Anum_measures_rollups 11
#define Anum_measures_quantiles 12
#define Natts_measures 12

#define Anum_rules_rule_key 1
#define Anum_rules_tenant_key 2
#define Anum_rules_version 3
#define Anum_rules_measure_key 4
#define Anum_rules_name 5
#define Anum_rules_state 6
#define Anum_rules_operators 8
#define Natts_rules 17

#define Anum_series_series_key 1
#define Anum_series_measure_key 2
#define Anum_series_tenant_key 3
#define Anum_series_subject_key 4
#define Anum_series_grouping 5
#define Anum_series_made_xmax 6
#define Anum_series_touched_mask 7
#define Anum_series_touched_run 8
#define Anum_series_closed_until 9
#define Anum_series_touched_day 10
#define Anum_series_hours_from 11
#define Anum_series_dims_digest 12
#define Anum_series_dims 13
#define Anum_series_open_minutes 14
#define Natts_series 14

#define Anum_series_counts_series_count 1
#define Anum_series_counts_measure_key 2
#define Anum_series_counts_tenant_key 3
#define Anum_series_counts_full 4

/* buckets_1m, buckets_1h and buckets_1d alike */
#define Anum_buckets_series_key 1
#define Anum_buckets_first_window 2
#define Anum_buckets_state 3
#define Natts_buckets 3

#define Anum_touched_days_series_key 1
#define Anum_touched_days_day 2
#define Natts_touched_days 2

#define Anum_log_parts_part 7
#define Anum_log_parts_part_name 8

#define Anum_grants_tenant 1
#define Anum_grants_role 2
#define Anum_grants_privilege 3

/*
 * SQL texts.  Each has bound parameters and schema-qualified names and
 * operators; its plan is saved at first use.  To add one: a member here, the
 * text and parameter types in catalog.c.
 */
typedef enum AevonQuery
{
	AEVON_QUERY_NONE,			/* see catalog.c for the texts */
#define AEVON_QUERY(name, text, ...) AEVON_QUERY_##name,
#include "queries.h"
#undef AEVON_QUERY
	AEVON_QUERY_COUNT
} AevonQuery;

/* SPI_connect and SPI_finish, with their results checked. */
extern void aevon_catalog_connect(void);
extern void aevon_catalog_finish(void);

/*
 * Run a query through SPI (the caller has connected) and check its result
 * code: anything but success raises an internal error.  `nulls` as for
 * SPI_execute_plan, or NULL.  Results are in SPI_tuptable and SPI_processed.
 * The current memory context stays what it was.
 */
extern void aevon_catalog_run(AevonQuery query, Datum *values, const char *nulls,
							  bool read_only);

/*
 * Open a cursor over a query that only reads, by the active snapshot; fetch and
 * close it by SPI_cursor_fetch and SPI_cursor_close.  Never NULL.
 */
extern Portal aevon_catalog_open(AevonQuery query, Datum *values);

/*
 * The generation of rules and grants that a snapshot sees; -1: none yet.  The
 * same generation means the same rules and grants.
 */
extern int64 aevon_catalog_generation(Snapshot snapshot);

/*
 * Give rules and grants a new generation, in this transaction; in the owner's
 * context, after the change.  A generation is never used twice, whatever is
 * rolled back.  Connects to SPI itself.
 */
extern void aevon_catalog_bump_generation(void);

#endif							/* AEVON_CATALOG_H */
