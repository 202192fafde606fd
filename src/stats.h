/*
 * stats.h
 *		Cumulative statistics in shared memory, in the manner of pg_stat_*.
 *
 * Counters of a database live in a block, found by (database, event log): an
 * extension that is dropped and made again begins at zero.  Those of a tenant
 * or a rule are entries of one hash table for all databases.  They are atomics:
 * counting waits for nobody once a backend knows its block and entries.  They
 * are lost when the server stops or crashes, and are kept on standbys too.
 *
 * Without shared memory (not preloaded, or aevon.stat_databases = 0), or with
 * more databases than that, counting does nothing and reading returns false.
 * Past aevon.stat_entries, tenants are counted together as tenant 0 and rules
 * not at all.
 *
 * Outcomes of a transaction are counted when it commits (or is prepared), and
 * not those of a subtransaction that rolled back; what never commits, such as
 * conflicts, at the call.  All functions need a transaction.  Layer 1.
 */
#ifndef AEVON_STATS_H
#define AEVON_STATS_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "portability/instr_time.h"

#include "histogram.h"
#include "statskinds.h"

/* "aevon_state", ... */
extern const char *aevon_stats_function_name(AevonReadFunction function);

/* Requests shared memory; from _PG_init when preloading. */
extern void aevon_stats_request(void);

/*
 * Counting.
 */

/* The time of a call's beginning, to be given to aevon_stats_count_read. */
static inline instr_time
aevon_stats_start(void)
{
	instr_time	start;

	INSTR_TIME_SET_CURRENT(start);
	return start;
}

/* A call returned.  (One that raises an error is not counted.) */
extern void aevon_stats_count_read(AevonReadFunction function, instr_time start);

/* A read asked for a rule. */
extern void aevon_stats_count_rule(int32 rule_key);

/* An outcome of the transaction, to be counted when it commits. */
extern void aevon_stats_note(int32 tenant_key, AevonTenantCounter counter, int64 n);

/* An outcome that stands whether or not the transaction commits. */
extern void aevon_stats_count(int32 tenant_key, AevonTenantCounter counter);

/* A sweep that moved cuts, to be counted when it commits. */
extern void aevon_stats_note_sweep(int64 events, int64 buckets, double duration_ms,
								   bool by_worker);

/* A sweep of the worker failed. */
extern void aevon_stats_count_sweep_error(void);

/*
 * Reading.  The statistics of this database; false if there are none.
 */

typedef struct AevonTenantStats
{
	int64		counts[AEVON_TENANT_COUNTERS];
	int64		recent[AEVON_TENANT_COUNTERS];	/* see below */
} AevonTenantStats;

typedef struct AevonReadStats
{
	int64		call_count;
	int64		total_us;
	int64		max_us;
	uint64		buckets[AEVON_HISTOGRAM_BUCKETS];
} AevonReadStats;

typedef struct AevonSweepStats
{
	int64		sweep_count;
	int64		worker_count;	/* of these, by the worker */
	int64		event_count;
	int64		bucket_count;
	int64		total_us;
	int64		max_us;
	int64		error_count;
	TimestampTz last_at;		/* 0: none yet */
} AevonSweepStats;

extern bool aevon_stats_available(void);
extern bool aevon_stats_read_tenant(int32 tenant_key, AevonTenantStats *out);
extern bool aevon_stats_read_rule(int32 rule_key, int64 *reads);
extern bool aevon_stats_read_function(AevonReadFunction function, AevonReadStats *out);
extern bool aevon_stats_read_sweeps(AevonSweepStats *out);

/*
 * The sum over all tenants of the database, those past the limit too.
 */
extern bool aevon_stats_read_total(AevonTenantStats *out);

/*
 * What is recent: the current period of ten minutes (by aevon_clock_now) and
 * the one before it.  aevon_stats_recent_seconds: how long that is by now.
 */
extern double aevon_stats_recent_seconds(void);

/* Durations of all recent calls of all functions. */
extern bool aevon_stats_read_recent(uint64 *buckets);

/* When a group of counters began at zero; 0 without statistics. */
extern TimestampTz aevon_stats_reset_at(int group);

/* Set groups of counters of this database to zero.  Not undone by a rollback. */
extern void aevon_stats_reset(int groups);

#endif							/* AEVON_STATS_H */
