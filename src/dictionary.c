/*
 * dictionary.c
 *		Integer keys for the names of tenants, principals and event types.
 *
 * Look-ups use SnapshotSelf: a row counts as soon as it is frozen, whatever
 * snapshot the transaction has; and such scans take no predicate locks, so
 * that serializable transactions do not conflict over neighbours in an index.
 *
 * Two caches per backend, by name and by key, hold rows that are there for
 * good.  They are emptied when they grow too large, and when the tables are
 * other ones than before.
 */
#include "postgres.h"

#include "access/generic_xlog.h"
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/skey.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "commands/sequence.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "catalog.h"
#include "dictionary.h"

#define CACHE_LIMIT 100000		/* entries */
#define LOCK_COUNT 1024			/* locks a dictionary's names are spread over */

/* Where a dictionary lives. */
typedef struct DictionaryTable
{
	AevonRelation heap;
	AevonRelation name_index;
	AevonRelation key_index;
	AevonRelation sequence;
} DictionaryTable;

static const DictionaryTable tables[] = {
	[AEVON_DICTIONARY_TENANT] = {AEVON_TENANTS, AEVON_TENANTS_NAME,
	AEVON_TENANTS_KEY, AEVON_TENANT_KEY_SEQ},
	[AEVON_DICTIONARY_PRINCIPAL] = {AEVON_PRINCIPALS, AEVON_PRINCIPALS_NAME,
	AEVON_PRINCIPALS_KEY, AEVON_PRINCIPAL_KEY_SEQ},
	[AEVON_DICTIONARY_EVENT_TYPE] = {AEVON_EVENT_TYPES, AEVON_EVENT_TYPES_NAME,
	AEVON_EVENT_TYPES_KEY, AEVON_TYPE_KEY_SEQ},
};

#define DICTIONARY_COUNT lengthof(tables)

typedef struct NameId
{
	AevonDictionary dictionary;
	int32		scope;
	const char *name;
} NameId;

typedef struct NameEntry
{
	NameId		id;
	uint32		hash;
	int32		key;
	char		status;
} NameEntry;

typedef struct KeyId
{
	AevonDictionary dictionary;
	int32		key;
} KeyId;

typedef struct KeyEntry
{
	KeyId		id;
	const char *name;
	char		status;
} KeyEntry;

static uint32 hash_name(NameId id);
static bool same_name(NameId a, NameId b);

#define SH_PREFIX names
#define SH_ELEMENT_TYPE NameEntry
#define SH_KEY_TYPE NameId
#define SH_KEY id
#define SH_HASH_KEY(table, key) hash_name(key)
#define SH_EQUAL(table, a, b) same_name(a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(table, entry) (entry)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

#define SH_PREFIX keys
#define SH_ELEMENT_TYPE KeyEntry
#define SH_KEY_TYPE KeyId
#define SH_KEY id
#define SH_HASH_KEY(table, value) hash_combine(murmurhash32((value).key), (value).dictionary)
#define SH_EQUAL(table, a, b) ((a).key == (b).key && (a).dictionary == (b).dictionary)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

static struct
{
	MemoryContext context;		/* of both tables and the names */
	names_hash *by_name;
	keys_hash  *by_key;
	Oid			relids[DICTIONARY_COUNT];	/* what the caches are of */
}			cache;

static int32 find_stored(NameId id, bool *for_good);
static int32 insert_name(NameId id);
static uint16 lock_of_name(NameId id);
static void insert_entry(Relation relation, TupleTableSlot *slot);
static void freeze_row(Relation relation, ItemPointer tid);
static void ready_caches(void);
static void reset_caches(void);
static void remember(NameId id, int32 key);

int32
aevon_dictionary_find(AevonDictionary dictionary, int32 scope, const char *name)
{
	NameId		id = {dictionary, scope, name};
	NameEntry  *entry;
	int32		key;
	bool		for_good;

	ready_caches();
	entry = names_lookup(cache.by_name, id);
	if (entry != NULL)
		return entry->key;
	key = find_stored(id, &for_good);
	if (key != 0 && for_good)
		remember(id, key);
	return key;
}

int32
aevon_dictionary_intern(AevonDictionary dictionary, int32 scope, const char *name)
{
	NameId		id = {dictionary, scope, name};
	int32		key = aevon_dictionary_find(dictionary, scope, name);

	if (key == 0)
	{
		key = insert_name(id);
		remember(id, key);
	}
	return key;
}

char *
aevon_dictionary_name(AevonDictionary dictionary, int32 key)
{
	char	   *name = aevon_dictionary_find_name(dictionary, key);

	if (name == NULL)
		elog(ERROR, "key %d is in no dictionary", key);
	return name;
}

char *
aevon_dictionary_find_name(AevonDictionary dictionary, int32 key)
{
	KeyId		id = {dictionary, key};
	KeyEntry   *entry;
	Relation	relation;
	Relation	index;
	IndexScanDesc scan;
	ScanKeyData scankey;
	TupleTableSlot *slot;
	bool		isnull;
	char	   *name = NULL;

	ready_caches();
	entry = keys_lookup(cache.by_key, id);
	if (entry != NULL)
		return pstrdup(entry->name);

	relation = table_open(aevon_catalog_oid(tables[dictionary].heap), AccessShareLock);
	index = index_open(aevon_catalog_oid(tables[dictionary].key_index), AccessShareLock);
	slot = table_slot_create(relation, NULL);
	scan = index_beginscan(relation, index, SnapshotSelf, 1, 0);
	ScanKeyInit(&scankey, 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(key));
	index_rescan(scan, &scankey, 1, NULL, 0);
	if (index_getnext_slot(scan, ForwardScanDirection, slot))
		name = TextDatumGetCString(slot_getattr(slot, Anum_dictionary_name, &isnull));
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
	table_close(relation, AccessShareLock);
	return name;
}

void
aevon_dictionary_insert_frozen(Relation relation, Datum *values, bool *nulls)
{
	TupleTableSlot *slot = table_slot_create(relation, NULL);
	int			natts = RelationGetDescr(relation)->natts;

	ExecClearTuple(slot);
	memcpy(slot->tts_values, values, natts * sizeof(Datum));
	memcpy(slot->tts_isnull, nulls, natts * sizeof(bool));
	ExecStoreVirtualTuple(slot);

	insert_entry(relation, slot);
	freeze_row(relation, &slot->tts_tid);
	ExecDropSingleTupleTableSlot(slot);
}

/*
 * The stored key of a name, or 0.  *for_good: the row is no work of the
 * current transaction that its abort would undo (a restore may do that).
 */
static int32
find_stored(NameId id, bool *for_good)
{
	const DictionaryTable *table = &tables[id.dictionary];
	Relation	relation = table_open(aevon_catalog_oid(table->heap), AccessShareLock);
	Relation	index = index_open(aevon_catalog_oid(table->name_index), AccessShareLock);
	TupleTableSlot *slot = table_slot_create(relation, NULL);
	IndexScanDesc scan = index_beginscan(relation, index, SnapshotSelf, 2, 0);
	ScanKeyData scankeys[2];
	int32		key = 0;

	ScanKeyInit(&scankeys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(id.scope));
	ScanKeyInit(&scankeys[1], 2, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(id.name));
	scankeys[1].sk_collation = C_COLLATION_OID;
	index_rescan(scan, scankeys, 2, NULL, 0);
	if (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		HeapTuple	tuple = ExecFetchSlotHeapTuple(slot, false, NULL);

		key = DatumGetInt32(slot_getattr(slot, Anum_dictionary_key, &isnull));
		*for_good = HeapTupleHeaderXminFrozen(tuple->t_data) ||
			!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetRawXmin(tuple->t_data));
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
	table_close(relation, AccessShareLock);
	return key;
}

/*
 * Make the row of a name, unless another backend just has.  While the lock is
 * held nothing waits for another transaction: the transaction id and the key
 * are taken before, no other backend can be inserting this name, and a key of
 * the sequence is nobody else's.
 */
static int32
insert_name(NameId id)
{
	const DictionaryTable *table = &tables[id.dictionary];
	Relation	relation = table_open(aevon_catalog_oid(table->heap), RowExclusiveLock);
	int32		key = (int32) nextval_internal(aevon_catalog_oid(table->sequence), false);
	uint16		lock = lock_of_name(id);
	int32		stored;
	bool		for_good;

	(void) GetCurrentTransactionId();
	LockDatabaseObject(RelationRelationId, RelationGetRelid(relation), lock, ExclusiveLock);
	stored = find_stored(id, &for_good);
	if (stored == 0)
	{
		Datum		values[Natts_dictionary] = {
			Int32GetDatum(key), Int32GetDatum(id.scope), CStringGetTextDatum(id.name)
		};
		bool		nulls[Natts_dictionary] = {false};

		aevon_dictionary_insert_frozen(relation, values, nulls);
		stored = key;
	}
	UnlockDatabaseObject(RelationRelationId, RelationGetRelid(relation), lock, ExclusiveLock);
	table_close(relation, NoLock);
	return stored;
}

/* 1 .. LOCK_COUNT; 0 is what PostgreSQL itself locks of an object. */
static uint16
lock_of_name(NameId id)
{
	return hash_name(id) % LOCK_COUNT + 1;
}

/* Insert the row and its index entries, as the current transaction's. */
static void
insert_entry(Relation relation, TupleTableSlot *slot)
{
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *info = makeNode(ResultRelInfo);

	InitResultRelInfo(info, relation, 0, NULL, 0);
	ExecOpenIndices(info, false);
	slot->tts_tableOid = RelationGetRelid(relation);
	table_tuple_insert(relation, slot, GetCurrentCommandId(true), 0, NULL);
	if (info->ri_NumIndices > 0)
		ExecInsertIndexTuples(info, slot, estate, false, false, NULL, NIL);
	ExecCloseIndices(info);
	FreeExecutorState(estate);
}

/*
 * Mark the row as frozen, which makes it visible to all.  It is ours and in
 * progress, so that nothing prunes or moves it before; the change is logged
 * under the buffer's lock, so that whoever sees it is logged later.
 */
static void
freeze_row(Relation relation, ItemPointer tid)
{
	Buffer		buffer = ReadBuffer(relation, ItemPointerGetBlockNumber(tid));
	GenericXLogState *state;
	Page		page;
	ItemId		item;
	HeapTupleHeader header;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	state = GenericXLogStart(relation);
	page = GenericXLogRegisterBuffer(state, buffer, 0);
	item = PageGetItemId(page, ItemPointerGetOffsetNumber(tid));
	if (!ItemIdIsNormal(item))
		elog(ERROR, "row to freeze is not there");
	header = (HeapTupleHeader) PageGetItem(page, item);
	if (!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetRawXmin(header)))
		elog(ERROR, "row to freeze is not this transaction's");
	header->t_infomask |= HEAP_XMIN_FROZEN;
	GenericXLogFinish(state);
	UnlockReleaseBuffer(buffer);
}

static void
ready_caches(void)
{
	bool		same = cache.by_key != NULL;

	for (int i = 0; i < DICTIONARY_COUNT; i++)
	{
		Oid			relid = aevon_catalog_oid(tables[i].heap);

		if (cache.relids[i] != relid)
		{
			cache.relids[i] = relid;
			same = false;
		}
	}
	if (!same)
		reset_caches();
}

static void
reset_caches(void)
{
	if (cache.context == NULL)
		cache.context = AllocSetContextCreate(CacheMemoryContext, "Aevon dictionary",
											  ALLOCSET_DEFAULT_SIZES);
	cache.by_name = NULL;
	cache.by_key = NULL;
	MemoryContextReset(cache.context);
	cache.by_name = names_create(cache.context, 256, NULL);
	cache.by_key = keys_create(cache.context, 256, NULL);
}

static void
remember(NameId id, int32 key)
{
	KeyId		key_id = {id.dictionary, key};
	char	   *name;
	bool		found;
	NameEntry  *by_name;
	KeyEntry   *by_key;

	if (cache.by_name->members >= CACHE_LIMIT)
		reset_caches();
	name = MemoryContextStrdup(cache.context, id.name);
	id.name = name;
	by_name = names_insert(cache.by_name, id, &found);
	by_name->key = key;
	by_key = keys_insert(cache.by_key, key_id, &found);
	by_key->name = name;
}

static uint32
hash_name(NameId id)
{
	uint32		hash = hash_bytes((const unsigned char *) id.name, strlen(id.name));

	return hash_combine(hash, murmurhash32((uint32) id.scope * 4 + id.dictionary));
}

static bool
same_name(NameId a, NameId b)
{
	return a.scope == b.scope && a.dictionary == b.dictionary && strcmp(a.name, b.name) == 0;
}
