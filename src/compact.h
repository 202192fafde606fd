/*
 * compact.h
 *		Compaction: thinning out the snapshots of old days.
 *
 * Layer 3.
 */
#ifndef AEVON_COMPACT_H
#define AEVON_COMPACT_H

#include "postgres.h"

/*
 * Delete what aevon.compact_after lets go of: of the days older than it, all
 * snapshots but the first after the day's end, each that changed count or sum
 * by more than aevon.compact_threshold, and the last.  Writes down what went
 * (aevon.compactions); the number of (series, day) pairs compacted.
 *
 * Looks at days that have become old since the last call, and at older ones
 * with snapshots added since (aevon.reopened_days); at all of them when the
 * threshold has changed.  Holds off sweeps and runs of snapshots, nothing else,
 * to the end of the transaction.
 */
extern int64 aevon_compact_run(void);

#endif							/* AEVON_COMPACT_H */
