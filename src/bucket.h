/*
 * bucket.h
 *		Many partial states of a series over windows, packed into one row.
 *
 * Windows are numbered from 2000-01-01 00:00 UTC, downwards before it: minutes
 * by AEVON_MINUTE, hours and days likewise.  Layer 0: no database access.
 */
#ifndef AEVON_BUCKET_H
#define AEVON_BUCKET_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "lib/stringinfo.h"

#include "partial.h"
#include "varint.h"

#define AEVON_MINUTE INT64CONST(60000000)	/* microseconds */
#define AEVON_DAY (1440 * AEVON_MINUTE)

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

/*
 * For those who write rows otherwise: all of a row but its entries, in a new buffer
 * with room for these.  `start` is the window of the first, `before` what all but
 * the last take of the `entries` bytes.
 */
extern void aevon_packed_begin(StringInfo buf, const AevonPacked *packed, int64 start, int before,
							   int entries);

/* How far an entry's window is from that of the one before. */
static inline int64
aevon_packed_get_gap(const char **at, const char *end, bool open)
{
	return open ? aevon_varint_get_signed(at, end) : (int64) aevon_varint_get(at, end);
}

static inline void
aevon_packed_put_gap(StringInfo buf, int64 gap, bool open)
{
	if (open)
		aevon_varint_put_signed(buf, gap);
	else
		aevon_varint_put(buf, gap);
}

#endif							/* AEVON_BUCKET_H */
