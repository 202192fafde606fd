/*
 * chainhash.c
 *		The SHA-256 of a link of the chain, over items put in order.
 *
 * A link may be a transaction of a million events, so what an item costs is
 * what the chain costs: items with the same number are sorted in memory by
 * fixed-size entries that mostly decide by themselves, and handed to SHA-256
 * in blocks.  PostgreSQL's sort, which takes several times as long, is left to
 * what does not fit.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/memutils.h"
#include "utils/tuplesort.h"
#include "utils/typcache.h"

#include "chainhash.h"

/* Memory of items before they are sorted on disk, and of that sort. */
#define ITEMS_BYTES (64 * 1024 * 1024)
#define SORT_KB (32 * 1024)

#define BUFFER_BYTES 8192
#define FIRST_ENTRIES 64
#define FIRST_BYTES 8192

/* Items looked at ahead of the one that is hashed, so that memory keeps up. */
#define AHEAD 12

/* An item with the number at hand: what it is sorted by first, and where it is. */
typedef struct Entry
{
	uint64		prefix;			/* first bytes of the id, as a number */
	int32		minor;
	uint32		offset;			/* of a StoredItem and its bytes */
} Entry;

typedef struct StoredItem
{
	uint16		id_length;
	uint16		hash_length;
} StoredItem;

struct AevonChainHash
{
	pg_cryptohash_ctx *sha;
	MemoryContext context;
	uint8		kind;			/* of the items at hand, as the number */
	int64		number;
	int			count;
	int			capacity;
	Entry	   *entries;
	Size		used;
	Size		size;
	char	   *bytes;			/* of the items */
	Tuplesortstate *sort;		/* has the items at hand; NULL: they fit */
	int			buffered;
	uint8		buffer[BUFFER_BYTES];
};

static void store_item(AevonChainHash *hash, const AevonChainItem *item);
static uint64 prefix_of(const AevonChainItem *item);
static void spill(AevonChainHash *hash);
static void spill_item(AevonChainHash *hash, const AevonChainItem *item);
static AevonChainItem entry_item(const AevonChainHash *hash, const Entry *entry);
static void hash_items(AevonChainHash *hash);
static void hash_entries(AevonChainHash *hash);
static void sort_minors(AevonChainHash *hash);
static void hash_sorted(AevonChainHash *hash);
static void hash_item(AevonChainHash *hash, const void *bytes, Size length);
static void put_bytes(AevonChainHash *hash, const void *bytes, Size length);
static void put_buffer(AevonChainHash *hash);

/* Where the prefix and minor of two entries are the same, their bytes decide. */
static inline int
compare_entries(const Entry *a, const Entry *b, const char *bytes)
{
	StoredItem	x;
	StoredItem	y;
	const char *p = bytes + a->offset;
	const char *q = bytes + b->offset;
	int			result;

	if (a->minor != b->minor)
		return a->minor < b->minor ? -1 : 1;
	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	memcpy(&x, p, sizeof(x));
	memcpy(&y, q, sizeof(y));
	p += sizeof(x);
	q += sizeof(y);
	result = memcmp(p, q, Min(x.id_length, y.id_length));
	if (result == 0)
		result = x.id_length - y.id_length;
	if (result == 0)
		result = memcmp(p + x.id_length, q + y.id_length, Min(x.hash_length, y.hash_length));
	return result != 0 ? result : x.hash_length - y.hash_length;
}

/* A batch of events comes in runs in order of principal and time. */
#define RUNSORT sort_entries
#define RUNSORT_TYPE Entry
#define RUNSORT_COMPARE(a, b, bytes) compare_entries(a, b, bytes)
#define RUNSORT_ARG const char
#include "runsort.h"

AevonChainHash *
aevon_chainhash_begin(const void *bytes, Size length)
{
	AevonChainHash *hash = palloc(sizeof(AevonChainHash));

	memset(hash, 0, offsetof(AevonChainHash, buffer));
	hash->context = CurrentMemoryContext;
	hash->sha = pg_cryptohash_create(PG_SHA256);
	if (hash->sha == NULL || pg_cryptohash_init(hash->sha) < 0)
		elog(ERROR, "SHA-256 failed: %s", pg_cryptohash_error(hash->sha));
	hash->capacity = FIRST_ENTRIES;
	hash->entries = palloc(hash->capacity * sizeof(Entry));
	hash->size = FIRST_BYTES;
	hash->bytes = palloc(hash->size);
	put_bytes(hash, bytes, length);
	return hash;
}

void
aevon_chainhash_put(AevonChainHash *hash, const AevonChainItem *item)
{
	CHECK_FOR_INTERRUPTS();
	if (item->number != hash->number || item->kind != hash->kind)
	{
		hash_items(hash);
		hash->number = item->number;
		hash->kind = item->kind;
	}
	if (hash->sort != NULL)
		spill_item(hash, item);
	else
		store_item(hash, item);
}

void
aevon_chainhash_put_number(AevonChainHash *hash, int64 number)
{
	uint64		bytes = pg_hton64((uint64) number);

	hash_items(hash);
	put_bytes(hash, &bytes, sizeof(bytes));
}

void
aevon_chainhash_end(AevonChainHash *hash, uint8 out[AEVON_DIGEST_LENGTH])
{
	if (out != NULL)
	{
		hash_items(hash);
		put_buffer(hash);
		if (pg_cryptohash_final(hash->sha, out, AEVON_DIGEST_LENGTH) < 0)
			elog(ERROR, "SHA-256 failed: %s", pg_cryptohash_error(hash->sha));
	}
	pg_cryptohash_free(hash->sha);
	if (hash->sort != NULL)
		tuplesort_end(hash->sort);
	pfree(hash->entries);
	pfree(hash->bytes);
	pfree(hash);
}

static void
store_item(AevonChainHash *hash, const AevonChainItem *item)
{
	StoredItem	head = {(uint16) item->id_length, (uint16) item->hash_length};
	Size		needed = sizeof(head) + item->id_length + item->hash_length;
	Entry	   *entry;
	char	   *to;

	if (hash->used + needed + (hash->count + 1) * sizeof(Entry) > ITEMS_BYTES)
	{
		spill(hash);
		spill_item(hash, item);
		return;
	}
	while (hash->used + needed > hash->size)
	{
		hash->size *= 2;
		hash->bytes = repalloc_huge(hash->bytes, hash->size);
	}
	if (hash->count == hash->capacity)
	{
		hash->capacity *= 2;
		hash->entries = repalloc_huge(hash->entries, hash->capacity * sizeof(Entry));
	}
	entry = &hash->entries[hash->count++];
	entry->prefix = prefix_of(item);
	entry->minor = item->minor;
	entry->offset = (uint32) hash->used;
	to = hash->bytes + hash->used;
	memcpy(to, &head, sizeof(head));
	memcpy(to + sizeof(head), item->id, item->id_length);
	memcpy(to + sizeof(head) + item->id_length, item->hash, item->hash_length);
	hash->used += needed;
}

static uint64
prefix_of(const AevonChainItem *item)
{
	uint64		prefix = 0;

	memcpy(&prefix, item->id, Min((Size) item->id_length, sizeof(prefix)));
	return pg_ntoh64(prefix);
}

/* Hand the items at hand over to a sort on disk. */
static void
spill(AevonChainHash *hash)
{
	MemoryContext outer = MemoryContextSwitchTo(hash->context);
	TypeCacheEntry *type = lookup_type_cache(BYTEAOID, TYPECACHE_LT_OPR);

	hash->sort = tuplesort_begin_datum(BYTEAOID, type->lt_opr, InvalidOid, false, SORT_KB, NULL,
									   TUPLESORT_NONE);
	MemoryContextSwitchTo(outer);
	for (int i = 0; i < hash->count; i++)
	{
		AevonChainItem item = entry_item(hash, &hash->entries[i]);

		CHECK_FOR_INTERRUPTS();
		spill_item(hash, &item);
	}
	hash->count = 0;
	hash->used = 0;
	hash->capacity = FIRST_ENTRIES;
	hash->entries = repalloc(hash->entries, hash->capacity * sizeof(Entry));
	hash->size = FIRST_BYTES;
	hash->bytes = repalloc(hash->bytes, hash->size);
}

/* As bytes that compare as the entries do: minor, id, a zero, hash. */
static void
spill_item(AevonChainHash *hash, const AevonChainItem *item)
{
	uint32		minor = pg_hton32((uint32) item->minor ^ 0x80000000);
	Size		length = VARHDRSZ + sizeof(minor) + item->id_length + 1 + item->hash_length;
	bytea	   *bytes = palloc(length);
	char	   *to = VARDATA(bytes);

	SET_VARSIZE(bytes, length);
	memcpy(to, &minor, sizeof(minor));
	to += sizeof(minor);
	memcpy(to, item->id, item->id_length);
	to += item->id_length;
	*to++ = '\0';
	memcpy(to, item->hash, item->hash_length);
	tuplesort_putdatum(hash->sort, PointerGetDatum(bytes), false);
	pfree(bytes);
}

static AevonChainItem
entry_item(const AevonChainHash *hash, const Entry *entry)
{
	const char *at = hash->bytes + entry->offset;
	AevonChainItem item = {.kind = hash->kind,.number = hash->number,.minor = entry->minor};
	StoredItem	head;

	memcpy(&head, at, sizeof(head));
	item.id_length = head.id_length;
	item.hash_length = head.hash_length;
	item.id = at + sizeof(head);
	item.hash = at + sizeof(head) + head.id_length;
	return item;
}

/* The items at hand, in order. */
static void
hash_items(AevonChainHash *hash)
{
	if (hash->sort != NULL)
		hash_sorted(hash);
	else if (hash->count > 0)
		hash_entries(hash);
}

static void
hash_entries(AevonChainHash *hash)
{
	sort_minors(hash);
	sort_entries(hash->entries, hash->count, hash->bytes);
	for (int i = 0; i < hash->count; i++)
	{
		AevonChainItem item = entry_item(hash, &hash->entries[i]);

		if (i + AHEAD < hash->count)
			__builtin_prefetch(hash->bytes + hash->entries[i + AHEAD].offset);
		hash_item(hash, item.hash, item.hash_length);
	}
	hash->count = 0;
	hash->used = 0;
}

/*
 * Late events of a principal are out of order, a few among many: sort them where
 * they are, so that a batch stays a run.
 */
static void
sort_minors(AevonChainHash *hash)
{
	Entry	   *entries = hash->entries;

	for (int first = 0, end; first < hash->count; first = end)
	{
		for (end = first + 1; end < hash->count && entries[end].minor == entries[first].minor; end++)
			continue;
		if (end > first + 1)
			sort_entries_anew(&entries[first], end - first, hash->bytes);
	}
}

static void
hash_sorted(AevonChainHash *hash)
{
	Datum		datum;
	bool		isnull;

	tuplesort_performsort(hash->sort);
	while (tuplesort_getdatum(hash->sort, true, &datum, &isnull, NULL))
	{
		bytea	   *bytes = (bytea *) DatumGetPointer(datum);
		const char *end = (const char *) bytes + VARSIZE(bytes);
		const char *id = VARDATA(bytes) + sizeof(uint32);
		const char *zero = memchr(id, '\0', end - id);

		CHECK_FOR_INTERRUPTS();
		hash_item(hash, zero + 1, end - zero - 1);
		pfree(bytes);
	}
	tuplesort_end(hash->sort);
	hash->sort = NULL;
}

static void
hash_item(AevonChainHash *hash, const void *bytes, Size length)
{
	uint64		number = pg_hton64((uint64) hash->number);

	put_bytes(hash, &hash->kind, sizeof(hash->kind));
	put_bytes(hash, &number, sizeof(number));
	put_bytes(hash, bytes, length);
}

static void
put_bytes(AevonChainHash *hash, const void *bytes, Size length)
{
	if (length > sizeof(hash->buffer) - hash->buffered)
		put_buffer(hash);
	if (length > sizeof(hash->buffer))
	{
		if (pg_cryptohash_update(hash->sha, bytes, length) < 0)
			elog(ERROR, "SHA-256 failed: %s", pg_cryptohash_error(hash->sha));
		return;
	}
	memcpy(hash->buffer + hash->buffered, bytes, length);
	hash->buffered += (int) length;
}

static void
put_buffer(AevonChainHash *hash)
{
	if (pg_cryptohash_update(hash->sha, hash->buffer, hash->buffered) < 0)
		elog(ERROR, "SHA-256 failed: %s", pg_cryptohash_error(hash->sha));
	hash->buffered = 0;
}
