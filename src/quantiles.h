/*
 * quantiles.h
 *		Quantiles of a multiset of decimals, by DDSketch.
 *
 * Method: Masson, Rim and Lee, "DDSketch: A Fast and Fully-Mergeable Quantile
 * Sketch with Relative-Error Guarantees", PVLDB 12(12), 2019.  A value x > 0 is
 * counted in the bin i for which 1.02^(i-1) < x <= 1.02^i, a value below zero
 * in the bin of its amount among the negative ones, and zero by itself.  The
 * bin's middle, 2 * 1.02^i / 2.02, is within 1/101 (0.991 %) of each of its
 * values.  Bins are never joined, so that holds for every quantile.
 *
 * A sketch depends only on the multiset of what was added, not on the order of
 * additions and merges, nor on the machine's mathematical library.
 *
 * Memory: 16 bytes for each bin that holds a value, or four times as much, in the
 * context that was current when the sketch was made or grew.  At most 72,000
 * bins, if values fill the whole range of decimals; values within a factor of
 * 1000 of one another need 350.  Layer 0.
 */
#ifndef AEVON_QUANTILES_H
#define AEVON_QUANTILES_H

#include "postgres.h"
#include "lib/stringinfo.h"

#include "decimal.h"

typedef struct AevonQuantileBin
{
	int32		key;			/* in the order of the values */
	int64		count;			/* > 0 */
} AevonQuantileBin;

typedef struct AevonQuantiles
{
	int64		total;			/* values */
	int			count;			/* bins that hold any */
	int			capacity;		/* a list: */
	AevonQuantileBin *bins;		/* by key, ascending */
	int32		low;			/* an array: the first key, */
	int32		span;			/* how many keys, */
	int64	   *counts;			/* and their counts; NULL: none */
	const char *encoded;		/* as encoded; NULL: none */
	const char *end;
} AevonQuantiles;

/* A palloc'd sketch of nothing. */
extern AevonQuantiles *aevon_quantiles_make(void);

extern void aevon_quantiles_add(AevonQuantiles *into, const AevonDecimal *value);

/* Add all of `from`, which stays as it is. */
extern void aevon_quantiles_merge(AevonQuantiles *into, const AevonQuantiles *from);

/*
 * The value of rank ceil(parts / 1,000,000 * n) among n > 0 values, within
 * 0.991 %: percentile_disc.  0 for nothing.
 */
#define AEVON_QUANTILE_PARTS 1000000
extern double aevon_quantiles_at(const AevonQuantiles *quantiles, int32 parts);

extern bool aevon_quantiles_equal(const AevonQuantiles *a, const AevonQuantiles *b);

/* Append the encoding to buf.  Equal sketches have equal encodings. */
extern void aevon_quantiles_encode(StringInfo buf, const AevonQuantiles *quantiles);

/*
 * The sketch of `total` values that is encoded between `at` and `end`, which
 * must stay there: it is decoded when it is asked for, and copied when added to.
 * Damaged bytes raise data_corrupted, now or then.
 */
extern void aevon_quantiles_view(const char *at, const char *end, int64 total,
								 AevonQuantiles *out);
extern void aevon_quantiles_check(const AevonQuantiles *quantiles);

#endif							/* AEVON_QUANTILES_H */
