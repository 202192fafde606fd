/*
 * statsnotes.h
 *		What a transaction counts when it commits: the inner half of stats.h.
 *
 * Notes belong to the subtransaction that made them: to its parent when it
 * commits, to nobody when it rolls back.  Layer 1.
 */
#ifndef AEVON_STATSNOTES_H
#define AEVON_STATSNOTES_H

#include "postgres.h"

#include "stats.h"

/* A tenant's counters in shared memory. */
typedef struct AevonStatsEntry AevonStatsEntry;

/* Of sweeps. */
typedef enum AevonSweepCounter
{
	AEVON_SWEEPS,
	AEVON_SWEEPS_BY_WORKER,
	AEVON_SWEEP_EVENTS,
	AEVON_SWEEP_BUCKETS,
	AEVON_SWEEP_TOTAL_US,
	AEVON_SWEEP_MAX_US
} AevonSweepCounter;

#define AEVON_SWEEP_COUNTERS (AEVON_SWEEP_MAX_US + 1)

/* Note n of a tenant's outcomes. */
extern void aevon_statsnotes_add(AevonStatsEntry *entry, AevonTenantCounter counter, int64 n);

/* Note a sweep. */
extern void aevon_statsnotes_add_sweep(const int64 *counts);

/* For statsnotes.c, at commit; they raise no error. */
extern void aevon_stats_add_tenant(AevonStatsEntry *entry, const int64 *counts);
extern void aevon_stats_add_sweep(const int64 *counts);

#endif							/* AEVON_STATSNOTES_H */
