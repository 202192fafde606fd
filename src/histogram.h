/*
 * histogram.h
 *		A fixed histogram of durations on a scale that is logarithmic in octaves
 *		and linear within each.
 *
 * Durations are whole microseconds.  Below 16 each has a bucket of its own;
 * above, each power of two is cut into 16 buckets, so that the middle of a
 * bucket is at most 1/32, about 3 percent, away from whatever fell into it.
 * The last bucket begins at about 2.3 hours and holds all that is longer.
 * Layer 0.
 */
#ifndef AEVON_HISTOGRAM_H
#define AEVON_HISTOGRAM_H

#include "postgres.h"

#define AEVON_HISTOGRAM_SUBBITS 4
#define AEVON_HISTOGRAM_OCTAVES 30
#define AEVON_HISTOGRAM_BUCKETS ((AEVON_HISTOGRAM_OCTAVES << AEVON_HISTOGRAM_SUBBITS) + 1)

/* The bucket of a duration; negative ones count as 0. */
extern int	aevon_histogram_bucket(int64 microseconds);

/* The least duration of a bucket: it holds [start of i, start of i + 1). */
extern int64 aevon_histogram_start(int bucket);

/*
 * The duration, in microseconds, that the share q (0 to 1) of all samples does
 * not exceed: the middle of the bucket that holds the sample of rank
 * ceil(q * n), as percentile_disc counts.  Negative if there are no samples.
 */
extern double aevon_histogram_quantile(const uint64 *counts, double q);

#endif							/* AEVON_HISTOGRAM_H */
