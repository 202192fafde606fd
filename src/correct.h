/*
 * correct.h
 *		Taking voided events out of buckets.
 *
 * min, max and last cannot be subtracted, so the minutes concerned are summed
 * up again from the log, and their hours and days from the minutes.  Of a
 * measure with dimensions the series of voided events are.  Layer 2.
 */
#ifndef AEVON_CORRECT_H
#define AEVON_CORRECT_H

#include "postgres.h"
#include "utils/snapshot.h"

#include "cut.h"
#include "rule.h"

typedef struct AevonCorrection
{
	Snapshot	snapshot;		/* the sweep's */
	const AevonCut *before;		/* the buckets' cut until now */
	const AevonCut *after;		/* and from now on; its events are written */
	int			count;
	const AevonMeasure **measures;
} AevonCorrection;

/*
 * Make the buckets right for all events inside `after` whose void is inside
 * it too, if either was not inside `before`.  The number of such events;
 * *written grows by the rows written.  Needs SPI's or another active snapshot;
 * pushes its own.
 */
extern int64 aevon_correct_buckets(const AevonCorrection *correction, int64 *written);

#endif							/* AEVON_CORRECT_H */
