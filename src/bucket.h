/*
 * bucket.h
 *		Partial states of a series over windows, and how many of them are
 *		packed into one row.
 *
 * Windows are numbered from 2000-01-01 00:00 UTC, downwards before it: minutes
 * by AEVON_MINUTE, hours and days likewise.  Layer 0: no database access.
 */
#ifndef AEVON_BUCKET_H
#define AEVON_BUCKET_H

#include "postgres.h"
#include "datatype/timestamp.h"

#include "decimal.h"
#include "distinct.h"
#include "quantiles.h"

#define AEVON_MINUTE INT64CONST(60000000)	/* microseconds */
#define AEVON_DAY (1440 * AEVON_MINUTE)

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

/* Are the sketches the same? */
extern bool aevon_partial_equal_sketches(const AevonPartial *a, const AevonPartial *b);

/* Number of the window of `unit` microseconds that holds a time. */
static inline int64
aevon_window_of(TimestampTz at, int64 unit)
{
	int64		quotient = at / unit;

	return quotient - (at % unit < 0 ? 1 : 0);
}

/* The state of one window. */
typedef struct AevonWindowState
{
	int64		window;
	AevonPartial *partial;
} AevonWindowState;

/* One packed row, decoded. */
typedef struct AevonPackedEntry
{
	int64		window;
	const char *bytes;			/* as in the row it was read from; NULL: not
								 * known, or changed since */
	int			length;
	AevonPartial partial;
} AevonPackedEntry;

typedef struct AevonPacked
{
	AevonPartial merged;		/* of all entries */
	int64		first;			/* windows of the first and last entry */
	int64		last;
	int			count;
	int			capacity;
	AevonPackedEntry *entries;	/* by window, ascending */
	int64		base_stamp;		/* what the entries' bytes are relative to */
	TimestampTz base_ingested;
	bool		open;			/* it is encoded as an open row */
} AevonPacked;

/* A row holds at most this many windows, and about this many bytes. */
#define AEVON_PACKED_WINDOWS 64
#define AEVON_PACKED_BYTES 6000

/*
 * Entries of an open row are in the order in which they came, so that it grows
 * without being decoded, and a window may have several; but the last window,
 * which mostly grows, has one entry, the last.  Decoded it is as any other.
 */

/*
 * Decode a row.  With merged_only the entries are left out (count is set, the
 * array is NULL): this does not depend on the number of entries.  Quantiles
 * stay as they are encoded until they are asked for or added to, and entries that
 * have not changed are encoded again by copying their bytes: so `state` must
 * stay where it is.
 * Damaged bytes raise data_corrupted; within quantiles, once they are decoded.
 */
extern void aevon_packed_decode(const bytea *state, bool merged_only, AevonPacked *out);

/* Raise data_corrupted if any quantiles of a whole decoded row are damaged. */
extern void aevon_packed_check(const AevonPacked *packed);

/* Reading a row, entry by entry; nothing of it is allocated but `last` and distinct. */
typedef struct AevonPackedReader
{
	bool		open;
	AevonPartial merged;		/* of all entries */
	AevonQuantiles merged_quantiles;
	int64		first;			/* windows of the first and last entry */
	int64		last;
	int			count;
	int			left;			/* entries not yet read */
	int			before;			/* bytes of the entries but the last */
	const char *at;
	const char *end;
	int64		window;			/* the entry read last, */
	AevonPartial partial;		/* good until the next */
	AevonQuantiles quantiles;
} AevonPackedReader;

/* The merged state; the reader must not be moved. */
extern void aevon_packed_open(const bytea *state, AevonPackedReader *reader);

/*
 * The next entry in [from, until), or false; the entries are by window,
 * ascending, if the row is not open.  The range must be the same each time.
 */
extern bool aevon_packed_next(AevonPackedReader *reader, int64 from, int64 until);

extern bytea *aevon_packed_encode(const AevonPacked *packed);

/*
 * A row with states merged into its last window or put behind it, or (open)
 * beside it, windows strictly ascending; the entries before are neither decoded
 * nor encoded anew.  NULL: that does not do, or would be too much for one row.
 */
extern bytea *aevon_packed_append(const bytea *state, const AevonWindowState *states, int count,
								  int max_windows, int max_bytes);

/*
 * The same with states merged into any windows of a row that is not open, or put
 * between them; only entries that change are decoded.
 */
extern bytea *aevon_packed_splice(const bytea *state, const AevonWindowState *states, int count,
								  int max_windows, int max_bytes);

/* Merge a partial state into the entry of `window`, made if missing. */
extern void aevon_packed_add(AevonPacked *packed, int64 window, const AevonPartial *partial);

/*
 * Replace the state of `window` by another, or take it away (NULL, or no
 * events).  The merged state is stale until aevon_packed_remerge.
 */
extern void aevon_packed_set(AevonPacked *packed, int64 window, const AevonPartial *partial);
extern void aevon_packed_remerge(AevonPacked *packed);

/*
 * The entries [from, from + count), count > 0, as a row of its own, to be
 * encoded.  They still belong to `packed` and must not be added to.
 */
extern void aevon_packed_slice(const AevonPacked *packed, int from, int count,
							   AevonPacked *slice);

#endif							/* AEVON_BUCKET_H */
