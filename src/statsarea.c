/*
 * statsarea.c
 *		The statistics' place in shared memory: blocks and entries.
 *
 * The lock guards which block and which entries there are.
 */
#include "postgres.h"

#include "catalog/pg_database.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/hsearch.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "guc.h"
#include "statsarea.h"

#define TRANCHE_NAME "aevon statistics"
#define CACHED_ENTRIES 256		/* a power of two */
#define RETRY_CALLS 1000		/* before a block is looked for again */

typedef struct SharedStats
{
	LWLock	   *lock;
	int			block_count;
	AevonStatBlock blocks[FLEXIBLE_ARRAY_MEMBER];
} SharedStats;

static SharedStats *shared = NULL;
static HTAB *entries = NULL;
static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

/* what this backend knows; good while the block is its installation's */
static AevonStatBlock *own_block = NULL;
static AevonStatEntry *cached[CACHED_ENTRIES];

static void request_memory(void);
static void start_up(void);
static Size area_size(void);
static AevonStatBlock *find_block(Oid log);
static AevonStatBlock *claim_block(Oid log);
static AevonStatBlock *abandoned_block(Oid *database);
static void clear_block(AevonStatBlock *which, Oid log);
static void clear_functions(AevonStatBlock *which);
static AevonStatEntry *make_entry(const AevonStatKey *key);
static void drop_foreign_entries(void);
static bool has_block(const AevonStatKey *key);
static void clear_entry(AevonStatEntry *entry);
static void reset_entries(AevonStatBlock *which, int groups);

void
aevon_statsarea_request(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_memory;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = start_up;
}

AevonStatBlock *
aevon_statsarea_block(void)
{
	static int	calls_left = 0;
	Oid			log;

	if (shared == NULL)
		return NULL;
	log = aevon_catalog_oid(AEVON_EVENT_LOG);
	if (own_block != NULL && own_block->log == log && own_block->database == MyDatabaseId)
		return own_block;
	if (own_block == NULL && calls_left-- > 0)
		return NULL;
	memset(cached, 0, sizeof(cached));
	LWLockAcquire(shared->lock, LW_SHARED);
	own_block = find_block(log);
	LWLockRelease(shared->lock);
	if (own_block == NULL)
		own_block = claim_block(log);
	calls_left = RETRY_CALLS;
	return own_block;
}

AevonStatEntry *
aevon_statsarea_entry(AevonStatKind kind, int32 key, bool make)
{
	AevonStatBlock *mine = aevon_statsarea_block();
	uint32		place = (murmurhash32((uint32) key) + kind) & (CACHED_ENTRIES - 1);
	AevonStatEntry *entry;
	AevonStatKey wanted;

	if (mine == NULL)
		return NULL;
	entry = cached[place];
	if (entry != NULL && entry->key.key == key && entry->key.kind == (int32) kind)
		return entry;
	wanted.database = mine->database;
	wanted.log = mine->log;
	wanted.kind = kind;
	wanted.key = key;
	LWLockAcquire(shared->lock, LW_SHARED);
	entry = hash_search(entries, &wanted, HASH_FIND, NULL);
	LWLockRelease(shared->lock);
	if (entry == NULL && make)
		entry = make_entry(&wanted);
	if (entry != NULL)
		cached[place] = entry;
	else if (make && kind == AEVON_STAT_TENANT)
		entry = &mine->others;
	return entry;
}

void
aevon_statsarea_visit(AevonStatKind kind, AevonStatVisitor visitor, void *context)
{
	AevonStatBlock *mine = aevon_statsarea_block();
	HASH_SEQ_STATUS all;
	AevonStatEntry *entry;

	if (mine == NULL)
		return;
	LWLockAcquire(shared->lock, LW_SHARED);
	hash_seq_init(&all, entries);
	while ((entry = hash_seq_search(&all)) != NULL)
		if (entry->key.kind == (int32) kind && entry->key.database == mine->database &&
			entry->key.log == mine->log)
			visitor(context, entry);
	LWLockRelease(shared->lock);
}

void
aevon_statsarea_reset(int groups)
{
	AevonStatBlock *mine = aevon_statsarea_block();
	TimestampTz now = GetCurrentTimestamp();

	if (mine == NULL)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < AEVON_STATS_GROUPS; i++)
		if (groups & 1 << i)
			pg_atomic_write_u64(&mine->reset_at[i], now);
	if (groups & AEVON_STATS_SWEEP)
	{
		for (int i = 0; i < AEVON_SWEEP_COUNTERS; i++)
			pg_atomic_write_u64(&mine->sweep[i], 0);
		pg_atomic_write_u64(&mine->longest_sweep_us, 0);
		pg_atomic_write_u64(&mine->sweep_errors, 0);
		pg_atomic_write_u64(&mine->last_sweep_at, 0);
	}
	if (groups & AEVON_STATS_QUERY)
		clear_functions(mine);
	reset_entries(mine, groups);
	LWLockRelease(shared->lock);
}

static void
request_memory(void)
{
	if (previous_request_hook != NULL)
		previous_request_hook();
	if (aevon_stat_databases == 0)
		return;
	RequestAddinShmemSpace(add_size(area_size(),
									hash_estimate_size(aevon_stat_entries,
													   sizeof(AevonStatEntry))));
	RequestNamedLWLockTranche(TRANCHE_NAME, 1);
}

static void
start_up(void)
{
	HASHCTL		control = {
		.keysize = sizeof(AevonStatKey),
		.entrysize = sizeof(AevonStatEntry)
	};
	bool		found;

	if (previous_startup_hook != NULL)
		previous_startup_hook();
	if (aevon_stat_databases == 0)
		return;
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("aevon statistics", area_size(), &found);
	if (!found)
	{
		memset(shared, 0, area_size());
		shared->lock = &GetNamedLWLockTranche(TRANCHE_NAME)->lock;
		shared->block_count = aevon_stat_databases;
	}
	entries = ShmemInitHash("aevon statistics entries", aevon_stat_entries, aevon_stat_entries,
							&control, HASH_ELEM | HASH_BLOBS | HASH_FIXED_SIZE);
	LWLockRelease(AddinShmemInitLock);
}

static Size
area_size(void)
{
	return add_size(offsetof(SharedStats, blocks),
					mul_size(aevon_stat_databases, sizeof(AevonStatBlock)));
}

/* The block of an installation; the lock is held. */
static AevonStatBlock *
find_block(Oid log)
{
	for (int i = 0; i < shared->block_count; i++)
		if (shared->blocks[i].database == MyDatabaseId && shared->blocks[i].log == log)
			return &shared->blocks[i];
	return NULL;
}

/* Take a block that is free, or an earlier installation's, or a lost database's. */
static AevonStatBlock *
claim_block(Oid log)
{
	Oid			lost = InvalidOid;
	AevonStatBlock *abandoned = abandoned_block(&lost);
	AevonStatBlock *claimed;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	claimed = find_block(log);
	if (claimed == NULL)
	{
		for (int i = 0; i < shared->block_count; i++)
			if (shared->blocks[i].database == MyDatabaseId)
				claimed = &shared->blocks[i];
		for (int i = 0; claimed == NULL && i < shared->block_count; i++)
			if (!OidIsValid(shared->blocks[i].database))
				claimed = &shared->blocks[i];
		/* another database may have taken it meanwhile */
		if (claimed == NULL && abandoned != NULL && abandoned->database == lost)
			claimed = abandoned;
		if (claimed != NULL)
			clear_block(claimed, log);
	}
	LWLockRelease(shared->lock);
	return claimed;
}

/*
 * A block whose *database is gone, or NULL.  Looks at the catalogue, so the lock
 * is not held: but a database that is gone does not come back.
 */
static AevonStatBlock *
abandoned_block(Oid *database)
{
	for (int i = 0; i < shared->block_count; i++)
	{
		*database = shared->blocks[i].database;
		if (OidIsValid(*database) &&
			!SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(*database)))
			return &shared->blocks[i];
	}
	return NULL;
}

static void
clear_block(AevonStatBlock *which, Oid log)
{
	TimestampTz now = GetCurrentTimestamp();

	which->database = MyDatabaseId;
	which->log = log;
	for (int i = 0; i < AEVON_STATS_GROUPS; i++)
		pg_atomic_init_u64(&which->reset_at[i], now);
	for (int i = 0; i < AEVON_SWEEP_COUNTERS; i++)
		pg_atomic_init_u64(&which->sweep[i], 0);
	pg_atomic_init_u64(&which->longest_sweep_us, 0);
	pg_atomic_init_u64(&which->sweep_errors, 0);
	pg_atomic_init_u64(&which->last_sweep_at, 0);
	clear_functions(which);
	clear_entry(&which->others);
}

static void
clear_functions(AevonStatBlock *which)
{
	for (int f = 0; f < AEVON_READ_FUNCTIONS; f++)
	{
		pg_atomic_init_u64(&which->functions[f].total_us, 0);
		pg_atomic_init_u64(&which->functions[f].max_us, 0);
		for (int i = 0; i < AEVON_HISTOGRAM_BUCKETS; i++)
			pg_atomic_init_u64(&which->functions[f].buckets[i], 0);
	}
	pg_atomic_init_u64(&which->period, 0);
	for (int i = 0; i < AEVON_HISTOGRAM_BUCKETS; i++)
	{
		pg_atomic_init_u32(&which->recent[i], 0);
		pg_atomic_init_u32(&which->previous[i], 0);
	}
}

static AevonStatEntry *
make_entry(const AevonStatKey *key)
{
	AevonStatEntry *entry;
	bool		found;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	entry = hash_search(entries, key, HASH_ENTER_NULL, &found);
	if (entry == NULL)
	{
		drop_foreign_entries();
		entry = hash_search(entries, key, HASH_ENTER_NULL, &found);
	}
	if (entry != NULL && !found)
		clear_entry(entry);
	LWLockRelease(shared->lock);
	return entry;
}

/* Make room: entries of installations that have lost their block. */
static void
drop_foreign_entries(void)
{
	HASH_SEQ_STATUS all;
	AevonStatEntry *entry;

	hash_seq_init(&all, entries);
	while ((entry = hash_seq_search(&all)) != NULL)
		if (!has_block(&entry->key))
			(void) hash_search(entries, &entry->key, HASH_REMOVE, NULL);
}

static bool
has_block(const AevonStatKey *key)
{
	for (int i = 0; i < shared->block_count; i++)
		if (shared->blocks[i].database == key->database && shared->blocks[i].log == key->log)
			return true;
	return false;
}

/* All but the key. */
static void
clear_entry(AevonStatEntry *entry)
{
	pg_atomic_init_u64(&entry->period, 0);
	for (int i = 0; i < AEVON_TENANT_COUNTERS; i++)
	{
		pg_atomic_init_u64(&entry->counts[i], 0);
		pg_atomic_init_u32(&entry->recent[i], 0);
		pg_atomic_init_u32(&entry->previous[i], 0);
	}
}

static void
reset_entries(AevonStatBlock *which, int groups)
{
	HASH_SEQ_STATUS all;
	AevonStatEntry *entry;

	if (groups & AEVON_STATS_TENANT)
		clear_entry(&which->others);
	hash_seq_init(&all, entries);
	while ((entry = hash_seq_search(&all)) != NULL)
		if (entry->key.database == which->database && entry->key.log == which->log &&
			(groups & (entry->key.kind == AEVON_STAT_TENANT ? AEVON_STATS_TENANT : AEVON_STATS_RULE)))
			clear_entry(entry);
}
