/*
 * chainhash.h
 *		The SHA-256 of a link of the chain, over items put in order.
 *
 * Items come in ascending order of (number, kind); those that have both in
 * common come in any order, and are sorted here by (minor, id bytewise, hash
 * bytewise).  Of an item go into the link: kind (a byte), number (8 bytes,
 * big-endian) and hash.  Layer 2.
 */
#ifndef AEVON_CHAINHASH_H
#define AEVON_CHAINHASH_H

#include "postgres.h"

#include "digest.h"

typedef struct AevonChainItem
{
	uint8		kind;
	int64		number;
	int32		minor;
	int			id_length;		/* at most 65535, as that of the hash */
	int			hash_length;
	const void *id;				/* without zero bytes */
	const void *hash;
} AevonChainItem;

typedef struct AevonChainHash AevonChainHash;

/*
 * Begin with some bytes.  Lives in the current memory context, in at most 64
 * MB and twice that for a moment; past that, items are sorted on disk.
 */
extern AevonChainHash *aevon_chainhash_begin(const void *bytes, Size length);

/* Put an item; copied.  Interruptible. */
extern void aevon_chainhash_put(AevonChainHash *hash, const AevonChainItem *item);

/* After the last item: 8 bytes, big-endian. */
extern void aevon_chainhash_put_number(AevonChainHash *hash, int64 number);

/* The digest; `out` may be NULL.  Frees the hash. */
extern void aevon_chainhash_end(AevonChainHash *hash, uint8 out[AEVON_DIGEST_LENGTH]);

#endif							/* AEVON_CHAINHASH_H */
