/*
 * histogram.c
 *		A fixed histogram of durations on a scale that is logarithmic in octaves
 *		and linear within each.
 */
#include "postgres.h"

#include <math.h>

#include "port/pg_bitutils.h"

#include "histogram.h"

#define SUBBUCKETS (1 << AEVON_HISTOGRAM_SUBBITS)

int
aevon_histogram_bucket(int64 microseconds)
{
	int			octave;
	int			bucket;

	if (microseconds < SUBBUCKETS)
		return microseconds < 0 ? 0 : (int) microseconds;
	octave = pg_leftmost_one_pos64(microseconds) - AEVON_HISTOGRAM_SUBBITS;
	bucket = (octave << AEVON_HISTOGRAM_SUBBITS) + (int) (microseconds >> octave);
	return Min(bucket, AEVON_HISTOGRAM_BUCKETS - 1);
}

int64
aevon_histogram_start(int bucket)
{
	int			octave = (bucket >> AEVON_HISTOGRAM_SUBBITS) - 1;

	if (octave <= 0)
		return bucket;
	return (int64) (bucket - (octave << AEVON_HISTOGRAM_SUBBITS)) << octave;
}

double
aevon_histogram_quantile(const uint64 *counts, double q)
{
	uint64		total = 0;
	uint64		below = 0;
	double		rank;

	for (int i = 0; i < AEVON_HISTOGRAM_BUCKETS; i++)
		total += counts[i];
	if (total == 0)
		return -1;
	rank = Max(1, ceil(q * (double) total));
	for (int i = 0; i < AEVON_HISTOGRAM_BUCKETS - 1; i++)
	{
		below += counts[i];
		if ((double) below >= rank)
			return (double) (aevon_histogram_start(i) + aevon_histogram_start(i + 1)) / 2;
	}
	return (double) aevon_histogram_start(AEVON_HISTOGRAM_BUCKETS - 1);
}
