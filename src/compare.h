/*
 * compare.h
 *		What the store holds of a series against a recount of the log, and
 *		putting it right.
 *
 * Both go through the series' time piece by piece, so that memory does not
 * grow with it.  Layer 2.
 */
#ifndef AEVON_COMPARE_H
#define AEVON_COMPARE_H

#include "postgres.h"

#include "difference.h"
#include "recount.h"
#include "rule.h"
#include "store.h"

/*
 * Compare the series of a subject's totals, which may be missing; the number of
 * differences.  `recount` says of which subject, by which snapshot and at which
 * cut (its range does not matter); its snapshot is the active one and the
 * store's.  SPI is connected.  What a visitor gets goes when it returns.
 */
extern int64 aevon_compare_series(AevonStore *store, const AevonMeasure *measure,
								  const AevonRecount *recount,
								  AevonDifferenceVisitor visitor, void *context);

/*
 * Replace all that the store holds of the series by the recount, making the
 * series if needed, and note its days for the next snapshot.  The checkpoints
 * are locked, and `recount` is as above.  `groupings`, an integer[]: those that
 * the subject's series have; 0: there are no series.
 */
extern void aevon_compare_rewrite(const AevonMeasure *measure, const AevonRecount *recount,
								  Datum groupings);

/*
 * Steps of both, for those who recount otherwise.
 */

/*
 * What is stored of the minutes [from, until) against a recount of them.
 * True if anything is stored.  Allocates in the current memory context.
 */
extern bool aevon_compare_windows(AevonComparison *state, int64 from, int64 until,
								  const AevonPacked *minutes);

/* The first day from `from` on, in minutes, that has something. */
extern int64 aevon_compare_next_stored(const AevonComparison *state, int64 from);
extern int64 aevon_compare_next_event(const AevonRecount *recount, int64 from);

/* Take all buckets of a subject away. */
extern void aevon_compare_empty(const AevonMeasure *measure, const AevonRecount *recount,
								Datum groupings);

/* Write minutes of a series, of which the writable store holds nothing there. */
extern void aevon_compare_write(AevonStore *store, const AevonMeasure *measure,
								const AevonSeries *series, const AevonPacked *minutes);

#endif							/* AEVON_COMPARE_H */
