/*
 * grouptable.c
 *		Groups of events, kept in the order in which they were made.
 *
 * There are many, and each is looked for at random: what finds one is eight
 * bytes long, and nothing but these moves when the table grows.
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
	uint32		hash;
	uint32		number;			/* of the group, from 1; 0: free */
} Finding;

struct AevonGroupTable
{
	MemoryContext context;
	int			count;
	int			chunk_capacity;
	AevonFoldGroup **chunks;
	uint32		mask;			/* findings, less one */
	Finding    *findings;
};

static AevonFoldGroup *add_group(AevonGroupTable *table, const AevonFoldKey *key);
static void grow_findings(AevonGroupTable *table);

static inline AevonFoldGroup *
group_at(const AevonGroupTable *table, int number)
{
	return &table->chunks[number >> CHUNK_BITS][number & (CHUNK_GROUPS - 1)];
}

static inline uint32
hash_key(const AevonFoldKey *key)
{
	uint64		series = (uint64) key->measure << 32 | (uint32) key->principal_key;
	uint64		minute = (uint64) (key->dims ? key->dims->number : 0) << 34 ^ (uint64) key->minute;
	uint64		mixed = (series ^ minute * UINT64CONST(0x9e3779b97f4a7c15)) *
	UINT64CONST(0xbf58476d1ce4e5b9);

	return (uint32) ((mixed ^ mixed >> 29) * UINT64CONST(0x94d049bb133111eb) >> 32);
}

AevonGroupTable *
aevon_grouptable_create(void)
{
	AevonGroupTable *table = palloc0(sizeof(AevonGroupTable));

	table->context = CurrentMemoryContext;
	table->chunk_capacity = FIRST_CHUNKS;
	table->chunks = palloc(FIRST_CHUNKS * sizeof(AevonFoldGroup *));
	table->mask = FIRST_FINDINGS - 1;
	table->findings = palloc0(FIRST_FINDINGS * sizeof(Finding));
	return table;
}

AevonFoldGroup *
aevon_grouptable_find(AevonGroupTable *table, const AevonFoldKey *key, int32 tenant_key)
{
	uint32		hash = hash_key(key);
	uint32		at = hash & table->mask;
	AevonFoldGroup *group;

	for (; table->findings[at].number != 0; at = (at + 1) & table->mask)
	{
		if (table->findings[at].hash != hash)
			continue;
		group = group_at(table, table->findings[at].number - 1);
		if (aevon_group_is(group, key))
			return group;
	}
	group = add_group(table, key);
	group->tenant_key = tenant_key;
	table->findings[at].hash = hash;
	table->findings[at].number = table->count;
	/* a third of the places stays free */
	if ((uint32) table->count > table->mask / 3 * 2)
		grow_findings(table);
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

static void
grow_findings(AevonGroupTable *table)
{
	uint32		mask = 2 * table->mask + 1;
	Finding    *findings = MemoryContextAllocZero(table->context, (mask + 1) * sizeof(Finding));

	for (uint32 i = 0; i <= table->mask; i++)
	{
		uint32		at = table->findings[i].hash & mask;

		if (table->findings[i].number == 0)
			continue;
		while (findings[at].number != 0)
			at = (at + 1) & mask;
		findings[at] = table->findings[i];
	}
	pfree(table->findings);
	table->findings = findings;
	table->mask = mask;
}
