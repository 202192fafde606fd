/*
 * sweep.h
 *		A sweep: fold the tail into buckets and move the cuts, in the current
 *		transaction.
 *
 * Layer 3.
 */
#ifndef AEVON_SWEEP_H
#define AEVON_SWEEP_H

#include "postgres.h"

typedef struct AevonSweepResult
{
	int64		event_count;	/* log rows read, once for each distinct cut */
	int64		bucket_count;	/* bucket rows written */
	int			measure_count;	/* measures whose cut moved */
	double		duration_ms;
	bool		more;			/* a bounded sweep left a backlog behind */
} AevonSweepResult;

/*
 * Sweep all measures; max_events <= 0: no bound, else the sweep stops at the
 * first transaction boundary past that many events.  Needs a transaction and an active snapshot;
 * enters the owner's context itself; does nothing without an installation row.
 * Waits for another sweep's end (lock_timeout applies).  Errors: 25006 in
 * recovery or a read-only transaction, 40001 under REPEATABLE READ, 55000 from the guard.
 */
extern void aevon_sweep_run(int64 max_events, bool by_worker, AevonSweepResult *result);

#endif							/* AEVON_SWEEP_H */
