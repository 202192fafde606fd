/*
 * split.h
 *		A recount of the log split by series: totals, combinations of dimension
 *		values and roll-ups, all in one pass over a subject's events.
 *
 * Layer 2.
 */
#ifndef AEVON_SPLIT_H
#define AEVON_SPLIT_H

#include "postgres.h"

#include "dims.h"
#include "recount.h"
#include "store.h"

typedef struct AevonSplitSeries
{
	const AevonDims *dims;		/* NULL: totals */
	bool		voided;			/* an event was left out for its void */
	bool		done;			/* for the caller */
	AevonPacked windows;
} AevonSplitSeries;

typedef struct AevonSplit
{
	AevonStore *store;			/* says which combinations a tenant has */
	int64		known_xmax;		/* combinations as a cut of this xmax had
								 * them; 0: as they are now */
	int64		unit;			/* of the windows: AEVON_MINUTE or AEVON_DAY */
	int			part;			/* only the series of one of so many parts; */
	int			parts;			/* 1: all.  aevon_split_part says whose. */
	int			max_windows;	/* give up past so many; 0: no limit */

	AevonDimsTable *table;		/* of the series' dims; the caller's */

	/* the result, in the current memory context */
	int			count;
	AevonSplitSeries **series;	/* by the dims' number, 0: totals; NULL: none */
} AevonSplit;

/*
 * Recount; false if there are too many windows.  Of a measure without
 * dimensions there are only totals.
 * An event that does not count for its void is noted in its series, which then
 * may have no windows.
 */
extern bool aevon_split_recount(const AevonRecount *recount, const AevonMeasure *measure,
								AevonSplit *split);

/* Which of so many parts a series belongs to. */
extern int	aevon_split_part(const AevonDims *dims, int parts);

/* The series with these dims, which are of the split's table; or NULL. */
extern AevonSplitSeries *aevon_split_find(const AevonSplit *split, const AevonDims *dims);

#endif							/* AEVON_SPLIT_H */
