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
#include "utils/jsonb.h"

#include "bucket.h"
#include "recount.h"
#include "rule.h"
#include "store.h"

/* One window, or a row of windows, that is not what it must be. */
typedef struct AevonDifference
{
	AevonTier	tier;
	const char *what;			/* "bucket_1m" or "bucket_1d" */
	int64		series_key;		/* 0: there is no such series */
	bool		unreadable;		/* a row without any readable window */
	TimestampTz window_start;	/* unless unreadable */
	Jsonb	   *stored;			/* NULL: nothing */
	Jsonb	   *recomputed;		/* NULL: nothing */
} AevonDifference;

typedef void (*AevonDifferenceVisitor) (void *context, const AevonDifference *difference);

/*
 * Compare a series, which may be missing; the number of differences.  `recount`
 * says of which subject, by which snapshot and at which cut (its range does
 * not matter); its snapshot is the active one and the store's.  SPI is
 * connected.  What a visitor gets goes when it returns.
 */
extern int64 aevon_compare_series(AevonStore *store, const AevonMeasure *measure,
								  const AevonRecount *recount,
								  AevonDifferenceVisitor visitor, void *context);

/*
 * Replace all that the store holds of the series by the recount, making the
 * series if needed, and note its days for the next snapshot.  The checkpoints
 * are locked, and `recount` is as above.
 */
extern void aevon_compare_rewrite(const AevonMeasure *measure, const AevonRecount *recount);

#endif							/* AEVON_COMPARE_H */
