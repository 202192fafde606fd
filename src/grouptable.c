/*
 * grouptable.c
 *		Groups of events, kept in the order in which they were made.
 *
 * There are many, and each is looked for at random: what finds one is short,
 * and nothing but these moves when the table grows.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "grouptable.h"

/* So many groups are allocated in one go. */
#define CHUNK_BITS 8
#define CHUNK_GROUPS (1 << CHUNK_BITS)

#define FIRST_CHUNKS 16
#define FIRST_FINDINGS 1024

typedef struct Finding
{
	const AevonFoldKey *key;	/* the first member of a group */
	uint32		hash;
	char		status;			/* of simplehash.h */
} Finding;

static inline uint32
hash_key(const AevonFoldKey *key)
{
	uint64		series = (uint64) key->measure << 32 | (uint32) key->principal_key;
	uint64		minute = (uint64) (key->dims ? key->dims->number : 0) << 34 ^ (uint64) key->minute;
	uint64		mixed = (series ^ minute * UINT64CONST(0x9e3779b97f4a7c15)) *
	UINT64CONST(0xbf58476d1ce4e5b9);

	return (uint32) ((mixed ^ mixed >> 29) * UINT64CONST(0x94d049bb133111eb) >> 32);
}

#define SH_PREFIX findings
#define SH_ELEMENT_TYPE Finding
#define SH_KEY_TYPE const AevonFoldKey *
#define SH_KEY key
#define SH_HASH_KEY(table, key) hash_key(key)
#define SH_EQUAL(table, a, b) aevon_foldkey_equal(a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(table, finding) (finding)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct AevonGroupTable
{
	MemoryContext context;
	int			count;
	int			chunk_capacity;
	AevonFoldGroup **chunks;
	findings_hash *findings;
};

static AevonFoldGroup *add_group(AevonGroupTable *table, const AevonFoldKey *key);

static inline AevonFoldGroup *
group_at(const AevonGroupTable *table, int number)
{
	return &table->chunks[number >> CHUNK_BITS][number & (CHUNK_GROUPS - 1)];
}

AevonGroupTable *
aevon_grouptable_create(void)
{
	AevonGroupTable *table = palloc0(sizeof(AevonGroupTable));

	table->context = CurrentMemoryContext;
	table->chunk_capacity = FIRST_CHUNKS;
	table->chunks = palloc(FIRST_CHUNKS * sizeof(AevonFoldGroup *));
	table->findings = findings_create(CurrentMemoryContext, FIRST_FINDINGS, NULL);
	return table;
}

AevonFoldGroup *
aevon_grouptable_find(AevonGroupTable *table, const AevonFoldKey *key, int32 tenant_key)
{
	bool		found;
	Finding    *finding = findings_insert(table->findings, key, &found);
	AevonFoldGroup *group;

	if (found)
		return (AevonFoldGroup *) finding->key;
	group = add_group(table, key);
	group->tenant_key = tenant_key;
	finding->key = &group->key;
	return group;
}

int
aevon_grouptable_count(const AevonGroupTable *table)
{
	return table->count;
}

AevonFoldGroup **
aevon_grouptable_list(const AevonGroupTable *table, int *count)
{
	AevonFoldGroup **list = palloc(table->count * sizeof(AevonFoldGroup *));

	*count = table->count;
	for (int i = 0; i < table->count; i++)
		list[i] = group_at(table, i);
	return list;
}

static AevonFoldGroup *
add_group(AevonGroupTable *table, const AevonFoldKey *key)
{
	int			chunk = table->count >> CHUNK_BITS;
	AevonFoldGroup *group;

	if (chunk == table->chunk_capacity)
	{
		table->chunk_capacity *= 2;
		table->chunks = repalloc(table->chunks, table->chunk_capacity * sizeof(AevonFoldGroup *));
	}
	if ((table->count & (CHUNK_GROUPS - 1)) == 0)
		table->chunks[chunk] = MemoryContextAlloc(table->context,
												  CHUNK_GROUPS * sizeof(AevonFoldGroup));
	group = group_at(table, table->count++);
	group->key = *key;
	memset(&group->partial, 0, sizeof(group->partial));
	return group;
}
