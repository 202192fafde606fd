/*
 * statsarea.h
 *		The statistics' place in shared memory: blocks and entries.  stats.h
 *		says what they are.
 *
 * The counters are atomics, to be changed by whoever holds a pointer.  Blocks
 * and entries go only with their database or their extension, so pointers are
 * good for the rest of the transaction.  Layer 1.
 */
#ifndef AEVON_STATSAREA_H
#define AEVON_STATSAREA_H

#include "postgres.h"
#include "port/atomics.h"

#include "histogram.h"
#include "statskinds.h"

typedef enum AevonStatKind
{
	AEVON_STAT_TENANT,
	AEVON_STAT_RULE
} AevonStatKind;

/* Counters of sweeps; the longest stands apart. */
typedef enum AevonSweepCounter
{
	AEVON_SWEEPS,
	AEVON_SWEEPS_BY_WORKER,
	AEVON_SWEEP_EVENTS,
	AEVON_SWEEP_BUCKETS,
	AEVON_SWEEP_TOTAL_US
} AevonSweepCounter;

#define AEVON_SWEEP_COUNTERS (AEVON_SWEEP_TOTAL_US + 1)

typedef struct AevonStatKey
{
	Oid			database;
	Oid			log;			/* aevon.event_log: which installation */
	int32		kind;			/* AevonStatKind */
	int32		key;
} AevonStatKey;

typedef struct AevonStatEntry
{
	AevonStatKey key;			/* hash key */
	pg_atomic_uint64 counts[AEVON_TENANT_COUNTERS]; /* of a rule: reads first */
	pg_atomic_uint64 period;	/* number of the current one */
	pg_atomic_uint32 recent[AEVON_TENANT_COUNTERS]; /* in that one */
	pg_atomic_uint32 previous[AEVON_TENANT_COUNTERS];	/* in the one before */
} AevonStatEntry;


typedef struct AevonStatFunction
{
	pg_atomic_uint64 total_us;
	pg_atomic_uint64 max_us;
	pg_atomic_uint64 buckets[AEVON_HISTOGRAM_BUCKETS];
} AevonStatFunction;

typedef struct AevonStatBlock
{
	Oid			database;		/* InvalidOid: free */
	Oid			log;
	pg_atomic_uint64 reset_at[AEVON_STATS_GROUPS];
	pg_atomic_uint64 sweep[AEVON_SWEEP_COUNTERS];
	pg_atomic_uint64 longest_sweep_us;
	pg_atomic_uint64 sweep_errors;
	pg_atomic_uint64 last_sweep_at;
	AevonStatFunction functions[AEVON_READ_FUNCTIONS];
	pg_atomic_uint64 period;	/* of the durations that follow */
	pg_atomic_uint32 recent[AEVON_HISTOGRAM_BUCKETS];
	pg_atomic_uint32 previous[AEVON_HISTOGRAM_BUCKETS];
	AevonStatEntry others;		/* tenants that found no room */
} AevonStatBlock;

/* Requests shared memory; from _PG_init when preloading. */
extern void aevon_statsarea_request(void);

/* This database's block, or NULL; needs no lock once it is known. */
extern AevonStatBlock *aevon_statsarea_block(void);

/*
 * The entry of a tenant or rule; NULL without statistics.  If there is none and
 * it is not made: NULL, or that of all tenants that found no room.
 */
extern AevonStatEntry *aevon_statsarea_entry(AevonStatKind kind, int32 key, bool make);

/* Visit this database's entries of a kind; the lock is held meanwhile. */
typedef void (*AevonStatVisitor) (void *context, AevonStatEntry *entry);

extern void aevon_statsarea_visit(AevonStatKind kind, AevonStatVisitor visitor, void *context);

/* Set groups of counters of this database (AEVON_STATS_...) to zero. */
extern void aevon_statsarea_reset(int groups);

#endif							/* AEVON_STATSAREA_H */
