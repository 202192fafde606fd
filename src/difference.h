/*
 * difference.h
 *		A difference between what the store holds of a series and a recount of
 *		the log: finding it, and telling of it.
 *
 * Layer 2.
 */
#ifndef AEVON_DIFFERENCE_H
#define AEVON_DIFFERENCE_H

#include "postgres.h"
#include "utils/jsonb.h"

#include "bucket.h"
#include "dims.h"
#include "rule.h"
#include "store.h"

/*
 * Series are compared by times in minutes (bucket.h), whole days, from
 * AEVON_COMPARE_FIRST on, AEVON_COMPARE_PIECE of them at a time;
 * AEVON_COMPARE_NONE: there is nothing.
 */
#define AEVON_COMPARE_DAY 1440
#define AEVON_COMPARE_PIECE (31 * AEVON_COMPARE_DAY)
#define AEVON_COMPARE_FIRST \
	(MIN_TIMESTAMP / AEVON_MINUTE / AEVON_COMPARE_DAY * AEVON_COMPARE_DAY)
#define AEVON_COMPARE_END \
	(END_TIMESTAMP / AEVON_MINUTE / AEVON_COMPARE_DAY * AEVON_COMPARE_DAY)
#define AEVON_COMPARE_NONE PG_INT64_MAX

/* One window, or a row of windows, that is not what it must be. */
typedef struct AevonDifference
{
	AevonTier	tier;
	const char *what;			/* "bucket_1m", "bucket_1h" or "bucket_1d" */
	int64		series_key;		/* 0: there is no such series */
	bool		unreadable;		/* a row without any readable window */
	TimestampTz window_start;	/* unless unreadable */
	Jsonb	   *stored;			/* NULL: nothing */
	Jsonb	   *recomputed;		/* NULL: nothing */
} AevonDifference;

typedef void (*AevonDifferenceVisitor) (void *context, const AevonDifference *difference);

/* A series being compared. */
typedef struct AevonComparison
{
	AevonStore *store;
	const AevonMeasure *measure;
	const AevonDims *dims;		/* of the series; NULL: totals */
	int64		series_key;		/* 0: there is none */
	AevonDifferenceVisitor visitor;
	void	   *context;
	int64		found;
} AevonComparison;

/* Of everything, provenance too: reads as of a time go by it. */
extern bool aevon_difference_equal(const AevonPartial *a, const AevonPartial *b);

/* Tell of a window; either partial may be NULL: there is nothing. */
extern void aevon_difference_report(AevonComparison *state, AevonTier tier, int64 window,
									const AevonPartial *stored, const AevonPartial *recomputed);

/* Tell of a row as a whole: what is wrong with it. */
extern void aevon_difference_report_fault(AevonComparison *state, AevonTier tier,
										  const char *fault);

#endif							/* AEVON_DIFFERENCE_H */
