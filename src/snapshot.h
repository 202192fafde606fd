/*
 * snapshot.h
 *		Snapshots: the value of a day's metric at a cut, never changed after.
 *
 * Layer 3.
 */
#ifndef AEVON_SNAPSHOT_H
#define AEVON_SNAPSHOT_H

#include "postgres.h"
#include "datatype/timestamp.h"

typedef struct AevonSnapshotResult
{
	int64		snapshot_count; /* rows added */
	bool		more;			/* a bounded run left changed days behind */
} AevonSnapshotResult;

/*
 * Add a snapshot for each (series, day) that has changed since its last one,
 * of at most max_days days (<= 0: no bound), in the current transaction.
 * Holds the checkpoints as a sweep does, and raises the same errors; measures
 * that are still catching up are left for later.
 */
extern void aevon_snapshot_run(int64 max_days, AevonSnapshotResult *result);

/* When the last snapshot was taken; 0: never. */
extern TimestampTz aevon_snapshot_last_taken(void);

#endif							/* AEVON_SNAPSHOT_H */
