/*
 * names.c
 *		Names by key, each looked up once.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "names.h"

#define MANY 100000

typedef struct NameKey
{
	int32		dictionary;
	int32		key;
} NameKey;

typedef struct NameEntry
{
	NameKey		key;
	char	   *name;			/* NULL: there is none */
} NameEntry;

struct AevonNames
{
	MemoryContext memory;		/* of the table and the names */
	HTAB	   *table;
};

static HTAB *make_table(MemoryContext memory);

AevonNames *
aevon_names_create(void)
{
	AevonNames *names = palloc(sizeof(AevonNames));

	names->memory = AllocSetContextCreate(CurrentMemoryContext, "aevon names",
										  ALLOCSET_DEFAULT_SIZES);
	names->table = make_table(names->memory);
	return names;
}

const char *
aevon_names_find(AevonNames *names, AevonDictionary dictionary, int32 key)
{
	NameKey		wanted = {dictionary, key};
	NameEntry  *entry;
	bool		found;

	entry = hash_search(names->table, &wanted, HASH_ENTER, &found);
	if (!found)
	{
		MemoryContext outer = MemoryContextSwitchTo(names->memory);

		entry->name = NULL;
		entry->name = aevon_dictionary_find_name(dictionary, key);
		MemoryContextSwitchTo(outer);
	}
	return entry->name;
}

void
aevon_names_trim(AevonNames *names)
{
	if (hash_get_num_entries(names->table) <= MANY)
		return;
	MemoryContextReset(names->memory);
	names->table = make_table(names->memory);
}

static HTAB *
make_table(MemoryContext memory)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(NameKey);
	control.entrysize = sizeof(NameEntry);
	control.hcxt = memory;
	return hash_create("aevon names", 1024, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}
