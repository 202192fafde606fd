/*
 * stats.c
 *		Cumulative statistics in shared memory, in the manner of pg_stat_*.
 *
 * The lock guards which block and which entries there are.  Entries and blocks
 * go only with their database or their extension, so a backend that has found
 * its own keeps pointers to them.
 *
 * statsnotes.c collects what is to be counted at commit.
 */
#include "postgres.h"

#include "catalog/pg_database.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/hsearch.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "guc.h"
#include "stats.h"
#include "statsnotes.h"

#define TRANCHE_NAME "aevon statistics"
#define PERIOD (10 * 60 * USECS_PER_SEC)
#define CACHED_ENTRIES 256		/* a power of two */
#define RETRY_CALLS 1000		/* before a block is looked for again */

typedef enum EntryKind
{
	ENTRY_TENANT,
	ENTRY_RULE
} EntryKind;

/* Counters of sweeps; the longest stands apart. */
typedef enum SweepCounter
{
	SWEEPS,
	SWEEPS_BY_WORKER,
	SWEEP_EVENTS,
	SWEEP_BUCKETS,
	SWEEP_TOTAL_US
} SweepCounter;

#define SWEEP_COUNTERS (SWEEP_TOTAL_US + 1)

typedef struct EntryKey
{
	Oid			database;
	Oid			log;			/* aevon.event_log: which installation */
	int32		kind;			/* EntryKind */
	int32		key;
} EntryKey;

typedef struct Entry
{
	EntryKey	key;			/* hash key */
	pg_atomic_uint64 counts[AEVON_TENANT_COUNTERS]; /* of a rule: reads first */
	pg_atomic_uint64 period;	/* number of the current one */
	pg_atomic_uint32 recent[AEVON_TENANT_COUNTERS]; /* in that one */
	pg_atomic_uint32 previous[AEVON_TENANT_COUNTERS];	/* in the one before */
} Entry;


typedef struct FunctionStats
{
	pg_atomic_uint64 total_us;
	pg_atomic_uint64 max_us;
	pg_atomic_uint64 buckets[AEVON_HISTOGRAM_BUCKETS];
} FunctionStats;

typedef struct Block
{
	Oid			database;		/* InvalidOid: free */
	Oid			log;
	pg_atomic_uint64 reset_at[AEVON_STATS_GROUPS];
	pg_atomic_uint64 sweep[SWEEP_COUNTERS];
	pg_atomic_uint64 longest_sweep_us;
	pg_atomic_uint64 sweep_errors;
	pg_atomic_uint64 last_sweep_at;
	FunctionStats functions[AEVON_READ_FUNCTIONS];
	pg_atomic_uint64 period;	/* of the durations that follow */
	pg_atomic_uint32 recent[AEVON_HISTOGRAM_BUCKETS];
	pg_atomic_uint32 previous[AEVON_HISTOGRAM_BUCKETS];
	Entry		others;			/* tenants that found no room */
} Block;

typedef struct SharedStats
{
	LWLock	   *lock;
	int			block_count;
	Block		blocks[FLEXIBLE_ARRAY_MEMBER];
} SharedStats;

static SharedStats *shared = NULL;
static HTAB *entries = NULL;
static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

/* what this backend knows; good while the block is its installation's */
static Block *own_block = NULL;
static Entry *cached[CACHED_ENTRIES];

static void add_tenant_note(void *target, const AevonNote *note);
static void add_sweep_note(void *target, const AevonNote *note);
static void request_memory(void);
static void start_up(void);
static Size area_size(void);
static Block *block(void);
static Block *find_block(Oid log);
static Block *claim_block(Oid log);
static Block *abandoned_block(void);
static void clear_block(Block *which, Oid log);
static void clear_functions(Block *which);
static Entry *find_entry(EntryKind kind, int32 key, bool make);
static Entry *make_entry(const EntryKey *key);
static void drop_foreign_entries(void);
static bool has_block(const EntryKey *key);
static void clear_entry(Entry *entry);
static void add_recent(pg_atomic_uint64 *period, pg_atomic_uint32 *recent,
					   pg_atomic_uint32 *previous, int count);
static uint32 recent_sum(pg_atomic_uint64 *period, pg_atomic_uint32 *recent,
						 pg_atomic_uint32 *previous);
static uint64 current_period(void);
static void raise_to(pg_atomic_uint64 *counter, uint64 value);
static void add_tenant(AevonTenantStats *out, Entry *entry);
static void reset_entries(Block *which, int groups);

void
aevon_stats_request(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_memory;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = start_up;
}

const char *
aevon_stats_function_name(AevonReadFunction function)
{
	static const char *const names[AEVON_READ_FUNCTIONS] = {
		[AEVON_READ_STATE] = "aevon_state",
		[AEVON_READ_WINDOWS] = "aevon_windows",
		[AEVON_READ_TOP] = "aevon_top",
		[AEVON_READ_EVENTS] = "aevon_events",
		[AEVON_READ_HISTORY] = "aevon_history",
		[AEVON_READ_DAILY_METRICS] = "aevon_daily_metrics",
		[AEVON_READ_EXPLAIN] = "aevon_explain",
	};

	return names[function];
}

void
aevon_stats_count_read(AevonReadFunction function, instr_time start)
{
	Block	   *mine = block();
	FunctionStats *stats;
	instr_time	duration;
	int64		us;
	int			bucket;

	if (mine == NULL)
		return;
	INSTR_TIME_SET_CURRENT(duration);
	INSTR_TIME_SUBTRACT(duration, start);
	us = INSTR_TIME_GET_MICROSEC(duration);
	bucket = aevon_histogram_bucket(us);
	stats = &mine->functions[function];
	pg_atomic_fetch_add_u64(&stats->buckets[bucket], 1);
	pg_atomic_fetch_add_u64(&stats->total_us, us);
	raise_to(&stats->max_us, us);
	add_recent(&mine->period, mine->recent, mine->previous, AEVON_HISTOGRAM_BUCKETS);
	pg_atomic_fetch_add_u32(&mine->recent[bucket], 1);
}

void
aevon_stats_count_rule(int32 rule_key)
{
	Entry	   *entry = find_entry(ENTRY_RULE, rule_key, true);

	if (entry != NULL)
		pg_atomic_fetch_add_u64(&entry->counts[0], 1);
}

void
aevon_stats_note(int32 tenant_key, AevonTenantCounter counter, int64 n)
{
	Entry	   *entry = find_entry(ENTRY_TENANT, tenant_key, true);

	if (entry != NULL)
		aevon_statsnotes_of(entry, add_tenant_note)->sums[counter] += n;
}

void
aevon_stats_count(int32 tenant_key, AevonTenantCounter counter)
{
	Entry	   *entry = find_entry(ENTRY_TENANT, tenant_key, true);
	AevonNote	note = {0};

	note.sums[counter] = 1;
	if (entry != NULL)
		add_tenant_note(entry, &note);
}

void
aevon_stats_note_sweep(int64 events, int64 buckets, double duration_ms, bool by_worker)
{
	Block	   *mine = block();
	int64		duration_us = (int64) (duration_ms * 1000);
	AevonNote  *note;

	if (mine == NULL)
		return;
	note = aevon_statsnotes_of(mine, add_sweep_note);
	note->sums[SWEEPS]++;
	note->sums[SWEEPS_BY_WORKER] += by_worker;
	note->sums[SWEEP_EVENTS] += events;
	note->sums[SWEEP_BUCKETS] += buckets;
	note->sums[SWEEP_TOTAL_US] += duration_us;
	note->maximum = Max(note->maximum, duration_us);
}

void
aevon_stats_count_sweep_error(void)
{
	Block	   *mine = block();

	if (mine != NULL)
		pg_atomic_fetch_add_u64(&mine->sweep_errors, 1);
}

bool
aevon_stats_available(void)
{
	return block() != NULL;
}

bool
aevon_stats_read_tenant(int32 tenant_key, AevonTenantStats *out)
{
	Block	   *mine = block();
	Entry	   *entry;

	memset(out, 0, sizeof(*out));
	if (mine == NULL)
		return false;
	entry = tenant_key == 0 ? &mine->others : find_entry(ENTRY_TENANT, tenant_key, false);
	if (entry != NULL)
		add_tenant(out, entry);
	return true;
}

bool
aevon_stats_read_total(AevonTenantStats *out)
{
	Block	   *mine = block();
	HASH_SEQ_STATUS all;
	Entry	   *entry;

	memset(out, 0, sizeof(*out));
	if (mine == NULL)
		return false;
	LWLockAcquire(shared->lock, LW_SHARED);
	hash_seq_init(&all, entries);
	while ((entry = hash_seq_search(&all)) != NULL)
		if (entry->key.kind == ENTRY_TENANT && entry->key.database == mine->database &&
			entry->key.log == mine->log)
			add_tenant(out, entry);
	LWLockRelease(shared->lock);
	add_tenant(out, &mine->others);
	return true;
}

bool
aevon_stats_read_rule(int32 rule_key, int64 *reads)
{
	Entry	   *entry;

	*reads = 0;
	if (block() == NULL)
		return false;
	entry = find_entry(ENTRY_RULE, rule_key, false);
	if (entry != NULL)
		*reads = (int64) pg_atomic_read_u64(&entry->counts[0]);
	return true;
}

bool
aevon_stats_read_function(AevonReadFunction function, AevonReadStats *out)
{
	Block	   *mine = block();
	FunctionStats *stats;

	memset(out, 0, sizeof(*out));
	if (mine == NULL)
		return false;
	stats = &mine->functions[function];
	out->total_us = (int64) pg_atomic_read_u64(&stats->total_us);
	out->max_us = (int64) pg_atomic_read_u64(&stats->max_us);
	for (int i = 0; i < AEVON_HISTOGRAM_BUCKETS; i++)
	{
		out->buckets[i] = pg_atomic_read_u64(&stats->buckets[i]);
		out->call_count += (int64) out->buckets[i];
	}
	return true;
}

bool
aevon_stats_read_sweeps(AevonSweepStats *out)
{
	Block	   *mine = block();
	int64		counts[SWEEP_COUNTERS];

	memset(out, 0, sizeof(*out));
	if (mine == NULL)
		return false;
	for (int i = 0; i < SWEEP_COUNTERS; i++)
		counts[i] = (int64) pg_atomic_read_u64(&mine->sweep[i]);
	out->sweep_count = counts[SWEEPS];
	out->worker_count = counts[SWEEPS_BY_WORKER];
	out->event_count = counts[SWEEP_EVENTS];
	out->bucket_count = counts[SWEEP_BUCKETS];
	out->total_us = counts[SWEEP_TOTAL_US];
	out->max_us = (int64) pg_atomic_read_u64(&mine->longest_sweep_us);
	out->error_count = (int64) pg_atomic_read_u64(&mine->sweep_errors);
	out->last_at = (TimestampTz) pg_atomic_read_u64(&mine->last_sweep_at);
	return true;
}

double
aevon_stats_recent_seconds(void)
{
	TimestampTz now = aevon_clock_now();

	return (double) (PERIOD + now % PERIOD) / USECS_PER_SEC;
}

bool
aevon_stats_read_recent(uint64 *buckets)
{
	Block	   *mine = block();

	if (mine == NULL)
		return false;
	for (int i = 0; i < AEVON_HISTOGRAM_BUCKETS; i++)
		buckets[i] = recent_sum(&mine->period, &mine->recent[i], &mine->previous[i]);
	return true;
}

TimestampTz
aevon_stats_reset_at(int group)
{
	Block	   *mine = block();

	for (int i = 0; mine != NULL && i < AEVON_STATS_GROUPS; i++)
		if (group == 1 << i)
			return (TimestampTz) pg_atomic_read_u64(&mine->reset_at[i]);
	return 0;
}

void
aevon_stats_reset(int groups)
{
	Block	   *mine = block();
	TimestampTz now = GetCurrentTimestamp();

	if (mine == NULL)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < AEVON_STATS_GROUPS; i++)
		if (groups & 1 << i)
			pg_atomic_write_u64(&mine->reset_at[i], now);
	if (groups & AEVON_STATS_SWEEP)
	{
		for (int i = 0; i < SWEEP_COUNTERS; i++)
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
add_tenant_note(void *target, const AevonNote *note)
{
	Entry	   *entry = target;

	StaticAssertStmt(AEVON_TENANT_COUNTERS <= AEVON_NOTE_SUMS, "a note has room for them");
	add_recent(&entry->period, entry->recent, entry->previous, AEVON_TENANT_COUNTERS);
	for (int i = 0; i < AEVON_TENANT_COUNTERS; i++)
		if (note->sums[i] != 0)
		{
			pg_atomic_fetch_add_u64(&entry->counts[i], note->sums[i]);
			pg_atomic_fetch_add_u32(&entry->recent[i], (int32) note->sums[i]);
		}
}

static void
add_sweep_note(void *target, const AevonNote *note)
{
	Block	   *mine = target;

	StaticAssertStmt(SWEEP_COUNTERS <= AEVON_NOTE_SUMS, "a note has room for them");
	for (int i = 0; i < SWEEP_COUNTERS; i++)
		pg_atomic_fetch_add_u64(&mine->sweep[i], note->sums[i]);
	raise_to(&mine->longest_sweep_us, note->maximum);
	pg_atomic_write_u64(&mine->last_sweep_at, GetCurrentTimestamp());
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
													   sizeof(Entry))));
	RequestNamedLWLockTranche(TRANCHE_NAME, 1);
}

static void
start_up(void)
{
	HASHCTL		control = {
		.keysize = sizeof(EntryKey),
		.entrysize = sizeof(Entry)
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
					mul_size(aevon_stat_databases, sizeof(Block)));
}

/* This database's block, or NULL; needs no lock once it is known. */
static Block *
block(void)
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

/* The block of an installation; the lock is held. */
static Block *
find_block(Oid log)
{
	for (int i = 0; i < shared->block_count; i++)
		if (shared->blocks[i].database == MyDatabaseId && shared->blocks[i].log == log)
			return &shared->blocks[i];
	return NULL;
}

/* Take a block that is free, or an earlier installation's, or a lost database's. */
static Block *
claim_block(Oid log)
{
	Block	   *abandoned = abandoned_block();
	Block	   *claimed;

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
		if (claimed == NULL)
			claimed = abandoned;
		if (claimed != NULL)
			clear_block(claimed, log);
	}
	LWLockRelease(shared->lock);
	return claimed;
}

/*
 * A block whose database is gone, or NULL.  Looks at the catalogue, so the lock
 * is not held: but a database that is gone does not come back.
 */
static Block *
abandoned_block(void)
{
	for (int i = 0; i < shared->block_count; i++)
	{
		Oid			database = shared->blocks[i].database;

		if (OidIsValid(database) &&
			!SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(database)))
			return &shared->blocks[i];
	}
	return NULL;
}

static void
clear_block(Block *which, Oid log)
{
	TimestampTz now = GetCurrentTimestamp();

	which->database = MyDatabaseId;
	which->log = log;
	for (int i = 0; i < AEVON_STATS_GROUPS; i++)
		pg_atomic_init_u64(&which->reset_at[i], now);
	for (int i = 0; i < SWEEP_COUNTERS; i++)
		pg_atomic_init_u64(&which->sweep[i], 0);
	pg_atomic_init_u64(&which->longest_sweep_us, 0);
	pg_atomic_init_u64(&which->sweep_errors, 0);
	pg_atomic_init_u64(&which->last_sweep_at, 0);
	clear_functions(which);
	clear_entry(&which->others);
}

static void
clear_functions(Block *which)
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

/*
 * The entry of a tenant or rule; NULL without statistics.  If there is none and
 * it is not made: NULL, or that of all tenants that found no room.
 */
static Entry *
find_entry(EntryKind kind, int32 key, bool make)
{
	Block	   *mine = block();
	uint32		place = (murmurhash32((uint32) key) + kind) & (CACHED_ENTRIES - 1);
	Entry	   *entry;
	EntryKey	wanted;

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
	else if (make && kind == ENTRY_TENANT)
		entry = &mine->others;
	return entry;
}

static Entry *
make_entry(const EntryKey *key)
{
	Entry	   *entry;
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
	Entry	   *entry;

	hash_seq_init(&all, entries);
	while ((entry = hash_seq_search(&all)) != NULL)
		if (!has_block(&entry->key))
			(void) hash_search(entries, &entry->key, HASH_REMOVE, NULL);
}

static bool
has_block(const EntryKey *key)
{
	for (int i = 0; i < shared->block_count; i++)
		if (shared->blocks[i].database == key->database && shared->blocks[i].log == key->log)
			return true;
	return false;
}

/* All but the key. */
static void
clear_entry(Entry *entry)
{
	pg_atomic_init_u64(&entry->period, 0);
	for (int i = 0; i < AEVON_TENANT_COUNTERS; i++)
	{
		pg_atomic_init_u64(&entry->counts[i], 0);
		pg_atomic_init_u32(&entry->recent[i], 0);
		pg_atomic_init_u32(&entry->previous[i], 0);
	}
}

/*
 * Begin a new period if it is time.  Who changes the number moves the counters;
 * what others add at that very moment may be counted in either period.
 */
static void
add_recent(pg_atomic_uint64 *period, pg_atomic_uint32 *recent, pg_atomic_uint32 *previous,
		   int count)
{
	uint64		now = current_period();
	uint64		was = pg_atomic_read_u64(period);

	if (was == now || !pg_atomic_compare_exchange_u64(period, &was, now))
		return;
	for (int i = 0; i < count; i++)
	{
		uint32		ended = pg_atomic_exchange_u32(&recent[i], 0);

		pg_atomic_write_u32(&previous[i], was + 1 == now ? ended : 0);
	}
}

static uint32
recent_sum(pg_atomic_uint64 *period, pg_atomic_uint32 *recent, pg_atomic_uint32 *previous)
{
	uint64		now = current_period();
	uint64		was = pg_atomic_read_u64(period);

	if (was == now)
		return pg_atomic_read_u32(recent) + pg_atomic_read_u32(previous);
	return was + 1 == now ? pg_atomic_read_u32(recent) : 0;
}

static uint64
current_period(void)
{
	return (uint64) (aevon_clock_now() / PERIOD);
}

static void
raise_to(pg_atomic_uint64 *counter, uint64 value)
{
	uint64		before = pg_atomic_read_u64(counter);

	while (before < value && !pg_atomic_compare_exchange_u64(counter, &before, value))
		;
}

static void
add_tenant(AevonTenantStats *out, Entry *entry)
{
	for (int i = 0; i < AEVON_TENANT_COUNTERS; i++)
	{
		out->counts[i] += (int64) pg_atomic_read_u64(&entry->counts[i]);
		out->recent[i] += recent_sum(&entry->period, &entry->recent[i], &entry->previous[i]);
	}
}

static void
reset_entries(Block *which, int groups)
{
	HASH_SEQ_STATUS all;
	Entry	   *entry;

	if (groups & AEVON_STATS_TENANT)
		clear_entry(&which->others);
	hash_seq_init(&all, entries);
	while ((entry = hash_seq_search(&all)) != NULL)
		if (entry->key.database == which->database && entry->key.log == which->log &&
			(groups & (entry->key.kind == ENTRY_TENANT ? AEVON_STATS_TENANT : AEVON_STATS_RULE)))
			clear_entry(entry);
}
