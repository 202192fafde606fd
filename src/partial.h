/*
 * partial.h
 *		What is known of a set of events, so that it can be merged with what is
 *		known of others.
 *
 * Layer 0: no database access.
 */
#ifndef AEVON_PARTIAL_H
#define AEVON_PARTIAL_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "lib/stringinfo.h"

#include "decimal.h"
#include "distinct.h"
#include "quantiles.h"

/* Statistics kept beyond count, sum, min and max; bits of a measure. */
#define AEVON_KEEP_LAST 0x01
#define AEVON_KEEP_QUANTILES 0x02
#define AEVON_KEEP_DISTINCT 0x04
#define AEVON_KEEP_SKETCHES (AEVON_KEEP_QUANTILES | AEVON_KEEP_DISTINCT)

/* The greatest (occurred_at, principal, event_id) with a value. */
typedef struct AevonLast
{
	TimestampTz occurred_at;
	char	   *principal;		/* palloc'd, zero-terminated */
	char	   *event_id;		/* palloc'd, zero-terminated */
	AevonDecimal value;
} AevonLast;

/*
 * What is known of a set of events.  All-zero is the state of no events.
 * sum, min, max, last and quantiles cover event_count - skipped events and mean
 * nothing when there are none; distinct covers every event that has a JSON
 * value, a number or not.  The provenance fields mean nothing when event_count
 * is 0.
 */
typedef struct AevonPartial
{
	int64		event_count;	/* events that matched */
	int64		skipped;		/* of these, without a usable value */
	int64		late;			/* of these, ingested after their UTC day's
								 * end */
	AevonDecimal sum;
	AevonDecimal min;
	AevonDecimal max;
	AevonLast  *last;			/* NULL: not kept, or no value */
	AevonQuantiles *quantiles;	/* likewise */
	AevonDistinct *distinct;	/* likewise */
	int64		min_stamp;		/* provenance: ends inclusive */
	int64		max_stamp;
	TimestampTz min_ingested;
	TimestampTz max_ingested;
} AevonPartial;

/*
 * Merge `from` into `into`, in any order with the same result.  What `into`
 * keeps is copied to the current memory context, or where it lies already.
 */
extern void aevon_partial_merge(AevonPartial *into, const AevonPartial *from);

/* Replace into->last by `last` if that is greater. */
extern void aevon_partial_offer_last(AevonPartial *into, const AevonLast *last);

/* Add one value, or one hash of a value, to a sketch, made if missing. */
extern void aevon_partial_add_quantile(AevonPartial *into, const AevonDecimal *value);
extern void aevon_partial_add_distinct(AevonPartial *into, uint64 hash);

/* Merge the sketches alone: of all values, whether numbers or not. */
extern void aevon_partial_merge_sketches(AevonPartial *into, const AevonPartial *from);

/* Are the sketches the same? */
extern bool aevon_partial_equal_sketches(const AevonPartial *a, const AevonPartial *b);

/* Write a state; `base` is what it refers to, NULL: this is what others refer to. */
extern void aevon_partial_encode(StringInfo buf, const AevonPartial *partial,
								 const AevonPartial *base);

/*
 * Read it; what is kept of quantiles is in *view, and in the bytes.  Damaged bytes
 * raise data_corrupted.
 */
extern void aevon_partial_decode(const char **at, const char *end, AevonPartial *out,
								 const AevonPartial *base, AevonQuantiles *view);

/* Step over it: most of it need not be looked at. */
extern void aevon_partial_skip(const char **at, const char *end);

#endif							/* AEVON_PARTIAL_H */
