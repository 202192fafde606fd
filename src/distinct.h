/*
 * distinct.h
 *		How many distinct values: exact while few, then HyperLogLog.
 *
 * Values are known by a 64-bit hash.  Up to AEVON_DISTINCT_EXACT different
 * hashes are kept as they are; past that, the 4,096 registers of PostgreSQL's
 * HyperLogLog (Flajolet et al. 2007, 12 bits: standard error 1.6 %).
 *
 * The state depends only on the set of what was added, not on the order of
 * additions and merges.  Memory: 8 bytes for each hash, or 4 kB, in the context
 * that was current when the state was made.  Layer 0.
 */
#ifndef AEVON_DISTINCT_H
#define AEVON_DISTINCT_H

#include "postgres.h"
#include "lib/hyperloglog.h"
#include "lib/stringinfo.h"

#define AEVON_DISTINCT_EXACT 256

typedef struct AevonDistinct
{
	int			count;			/* of hashes; registers: not kept */
	int			capacity;
	uint64	   *hashes;			/* ascending; NULL with capacity 0 */
	hyperLogLogState *registers;	/* NULL: the hashes are */
} AevonDistinct;

/* A palloc'd state of nothing. */
extern AevonDistinct *aevon_distinct_make(void);

extern void aevon_distinct_add(AevonDistinct *into, uint64 hash);

/* Add all of `from`, which stays as it is. */
extern void aevon_distinct_merge(AevonDistinct *into, const AevonDistinct *from);

extern int64 aevon_distinct_count(const AevonDistinct *distinct);

extern bool aevon_distinct_equal(const AevonDistinct *a, const AevonDistinct *b);

/*
 * Append the encoding to buf; read one from *at, which moves, below end.
 * Equal states have equal encodings.
 */
extern void aevon_distinct_encode(StringInfo buf, const AevonDistinct *distinct);
extern AevonDistinct *aevon_distinct_decode(const char **at, const char *end);

#endif							/* AEVON_DISTINCT_H */
