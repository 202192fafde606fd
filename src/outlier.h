/*
 * outlier.h
 *		Is a number far outside its own record?  In exact arithmetic.
 *
 * Layer 0.
 */
#ifndef AEVON_OUTLIER_H
#define AEVON_OUTLIER_H

#include "postgres.h"
#include "utils/numeric.h"

/* Of fewer numbers than this nothing is concluded. */
#define AEVON_OUTLIER_RECORD 4

typedef struct AevonOutlier
{
	Numeric		value;
	Numeric		median;			/* of the record */
	Numeric		mad;			/* median absolute deviation of the record */
	Numeric		score;			/* to two places; NULL: the record is all
								 * alike */
	int			count;			/* of the record */
} AevonOutlier;

/*
 * The modified z-score (Iglewicz and Hoaglin, How to Detect and Handle
 * Outliers, 1993) of a number against its record, which is put in order: by
 * the median absolute deviation, or by the mean one where that is 0.  True if
 * it lies past the threshold, or if it differs from a record that is all alike
 * (then there is no score); `outlier` is set then, palloc'd.
 */
extern bool aevon_outlier_judge(Numeric value, Numeric *record, int count, Numeric threshold,
								AevonOutlier *outlier);

#endif							/* AEVON_OUTLIER_H */
