/*
 * status.c
 *		aevon.rule_status(): how far each live rule version is.
 *
 * Tail and lag count the events of tenants that the caller may read, no
 * others.  They are exact, so while a rule is being built this reads as much
 * of the log as is still to be folded.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "access.h"
#include "catalog.h"
#include "cut.h"
#include "guard.h"
#include "guc.h"
#include "log.h"
#include "rule.h"

#define COLUMN_COUNT 11

/* A tenant that the caller may read, and its events behind the cut at hand. */
typedef struct TenantTail
{
	int32		tenant_key;		/* hash key */
	const char *name;
	int64		event_count;
	TimestampTz oldest;			/* least ingested_at; of no events: nothing */
} TenantTail;

typedef struct Tail
{
	int64		event_count;
	TimestampTz oldest;
} Tail;

typedef struct SweepError
{
	char	   *text;			/* NULL: the newest sweep was fine */
	TimestampTz at;
} SweepError;

typedef struct StatusReader
{
	Snapshot	snapshot;
	HTAB	   *tenants;		/* TenantTail, by key */
	AevonCheckpoint *checkpoints;
	int			checkpoint_count;
	const AevonCut *counted;	/* the cut that `tenants` holds the tails of */
	int64		base;
	int64		first_stamp;	/* of the log; -1: it is empty */
	TimestampTz now;
	SweepError	error;
} StatusReader;

static void start_reader(StatusReader *reader);
static HTAB *readable_tenants(void);
static SweepError last_error(void);
static int64 first_stamp(Snapshot snapshot);
static void put_rules(StatusReader *reader, const AevonRuleSet *rules, ReturnSetInfo *result);
static const AevonCut *cut_of(const StatusReader *reader, const AevonRule *rule);
static void put_rule(StatusReader *reader, const AevonRule *rule, const AevonCut *cut,
					 ReturnSetInfo *result);
static const AevonCheckpoint *find_checkpoint(const StatusReader *reader, int32 measure_key);
static Tail tail_of(StatusReader *reader, const AevonCut *cut, int32 tenant_key);
static void count_tails(StatusReader *reader, const AevonCut *cut);
static void count_stamps(StatusReader *reader, int64 from, int64 until);
static void add_tail(Tail *tail, const TenantTail *tenant);
static double progress_of(const StatusReader *reader, const AevonCheckpoint *checkpoint);
static const char *state_name(AevonRuleState state);

PG_FUNCTION_INFO_V1(aevon_rule_status);
Datum
aevon_rule_status(PG_FUNCTION_ARGS)
{
	StatusReader reader = {.snapshot = GetActiveSnapshot()};

	InitMaterializedSRF(fcinfo, 0);
	if (!aevon_guard_check(&reader.base))
		return (Datum) 0;
	start_reader(&reader);
	put_rules(&reader, aevon_rule_load(reader.snapshot), (ReturnSetInfo *) fcinfo->resultinfo);
	return (Datum) 0;
}

static void
start_reader(StatusReader *reader)
{
	reader->tenants = readable_tenants();
	reader->error = last_error();
	reader->checkpoints = aevon_cut_read_checkpoints(reader->snapshot, &reader->checkpoint_count);
	reader->first_stamp = first_stamp(reader->snapshot);
	reader->now = aevon_clock_now();
}

/* The tenants that the caller may read. */
static HTAB *
readable_tenants(void)
{
	HASHCTL		control = {
		.keysize = sizeof(int32),
		.entrysize = sizeof(TenantTail),
		.hcxt = CurrentMemoryContext
	};
	HTAB	   *tenants = hash_create("aevon tenants", 64, &control,
									  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	ListCell   *cell;

	foreach(cell, aevon_access_readable())
	{
		const AevonTenant *readable = lfirst(cell);
		TenantTail *tenant = hash_search(tenants, &readable->tenant_key, HASH_ENTER, NULL);

		tenant->name = readable->name;
		tenant->event_count = 0;
		tenant->oldest = 0;
	}
	return tenants;
}

/*
 * The error of the newest sweep, if it had one.  What it says may be about any
 * tenant: a caller who may not read all of them gets the SQLSTATE only.
 */
static SweepError
last_error(void)
{
	SweepError	error = {0};
	bool		whole = aevon_access_allowed(NULL, AEVON_PRIVILEGE_READ);
	MemoryContext caller = CurrentMemoryContext;
	AevonAccess access;

	aevon_access_enter(&access);
	aevon_catalog_connect();
	aevon_catalog_run(AEVON_QUERY_LAST_SWEEP_ERROR, NULL, NULL, true);
	if (SPI_processed > 0)
	{
		HeapTuple	tuple = SPI_tuptable->vals[0];
		TupleDesc	descriptor = SPI_tuptable->tupdesc;
		char	   *state = SPI_getvalue(tuple, descriptor, 1);
		char	   *message = SPI_getvalue(tuple, descriptor, 2);
		bool		isnull;

		error.text = MemoryContextStrdup(caller, whole && message != NULL ?
										 psprintf("%s: %s", state, message) : state);
		error.at = DatumGetTimestampTz(SPI_getbinval(tuple, descriptor, 3, &isnull));
	}
	aevon_catalog_finish();
	aevon_access_leave(&access);
	return error;
}

static int64
first_stamp(Snapshot snapshot)
{
	AevonLogScan *scan = aevon_log_scan_stamps(snapshot, 0, PG_INT64_MAX);
	AevonLogRow row;
	int64		stamp = aevon_log_scan_next(scan, &row) ? row.stamp : -1;

	aevon_log_scan_end(scan);
	return stamp;
}

/* All live rules; those with the same cut together, so that its tail is read once. */
static void
put_rules(StatusReader *reader, const AevonRuleSet *rules, ReturnSetInfo *result)
{
	List	   *left = NIL;

	for (int i = 0; i < rules->rule_count; i++)
		if (rules->rules[i].state != AEVON_RULE_RETIRED)
			left = lappend(left, &rules->rules[i]);
	while (left != NIL)
	{
		const AevonCut *cut = cut_of(reader, linitial(left));
		ListCell   *cell;

		foreach(cell, left)
		{
			const AevonRule *rule = lfirst(cell);

			if (!aevon_cut_equal(cut_of(reader, rule), cut))
				continue;
			put_rule(reader, rule, cut, result);
			left = foreach_delete_current(left, cell);
		}
	}
}

static const AevonCut *
cut_of(const StatusReader *reader, const AevonRule *rule)
{
	const AevonCheckpoint *checkpoint = find_checkpoint(reader, rule->measure->measure_key);

	return checkpoint != NULL ? checkpoint->cut : aevon_cut_empty();
}

/* A row for a rule, if the caller may read its tenant, or any for a global rule. */
static void
put_rule(StatusReader *reader, const AevonRule *rule, const AevonCut *cut, ReturnSetInfo *result)
{
	const AevonCheckpoint *checkpoint = find_checkpoint(reader, rule->measure->measure_key);
	const TenantTail *owner = hash_search(reader->tenants, &rule->tenant_key, HASH_FIND, NULL);
	Tail		tail;
	Datum		values[COLUMN_COUNT] = {0};
	bool		nulls[COLUMN_COUNT] = {false};

	if (rule->tenant_key == 0 ? hash_get_num_entries(reader->tenants) == 0 &&
		!aevon_access_allowed(NULL, AEVON_PRIVILEGE_READ) : owner == NULL)
		return;
	tail = tail_of(reader, cut, rule->tenant_key);
	nulls[0] = owner == NULL;
	if (owner != NULL)
		values[0] = CStringGetTextDatum(owner->name);
	values[1] = CStringGetTextDatum(rule->name);
	values[2] = Int32GetDatum(rule->version);
	values[3] = CStringGetTextDatum(state_name(rule->state));
	values[4] = CStringGetTextDatum(aevon_cut_text(cut));
	values[5] = Int64GetDatum(tail.event_count);
	values[6] = Float8GetDatum(tail.event_count == 0 ? 0 :
							   Max(0, (double) (reader->now - tail.oldest) / USECS_PER_SEC));
	values[7] = Float8GetDatum(progress_of(reader, checkpoint));
	nulls[8] = checkpoint == NULL || checkpoint->swept_at == 0;
	if (!nulls[8])
		values[8] = TimestampTzGetDatum(checkpoint->swept_at);
	nulls[9] = nulls[10] = reader->error.text == NULL;
	if (!nulls[9])
	{
		values[9] = CStringGetTextDatum(reader->error.text);
		values[10] = TimestampTzGetDatum(reader->error.at);
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static const AevonCheckpoint *
find_checkpoint(const StatusReader *reader, int32 measure_key)
{
	for (int i = 0; i < reader->checkpoint_count; i++)
		if (reader->checkpoints[i].measure_key == measure_key)
			return &reader->checkpoints[i];
	return NULL;
}

/* What lies behind a cut, of one tenant, or of all (0) that the caller may read. */
static Tail
tail_of(StatusReader *reader, const AevonCut *cut, int32 tenant_key)
{
	Tail		tail = {0};
	TenantTail *tenant;

	if (reader->counted == NULL || !aevon_cut_equal(reader->counted, cut))
		count_tails(reader, cut);
	if (tenant_key != 0)
		add_tail(&tail, hash_search(reader->tenants, &tenant_key, HASH_FIND, NULL));
	else
	{
		HASH_SEQ_STATUS all;

		hash_seq_init(&all, reader->tenants);
		while ((tenant = hash_seq_search(&all)) != NULL)
			add_tail(&tail, tenant);
	}
	return tail;
}

static void
count_tails(StatusReader *reader, const AevonCut *cut)
{
	HASH_SEQ_STATUS all;
	TenantTail *tenant;

	hash_seq_init(&all, reader->tenants);
	while ((tenant = hash_seq_search(&all)) != NULL)
		tenant->event_count = 0;
	for (int i = 0; i < cut->nxip; i++)
		count_stamps(reader, cut->xip[i], cut->xip[i] + 1);
	count_stamps(reader, cut->xmax, PG_INT64_MAX);
	reader->counted = cut;
}

static void
count_stamps(StatusReader *reader, int64 from, int64 until)
{
	AevonLogScan *scan = aevon_log_scan_stamps(reader->snapshot, from, until);
	AevonLogRow row;

	while (aevon_log_scan_next(scan, &row))
	{
		TenantTail *tenant = hash_search(reader->tenants, &row.tenant_key, HASH_FIND, NULL);

		if (tenant == NULL)
			continue;
		if (tenant->event_count++ == 0 || row.ingested_at < tenant->oldest)
			tenant->oldest = row.ingested_at;
	}
	aevon_log_scan_end(scan);
}

static void
add_tail(Tail *tail, const TenantTail *tenant)
{
	if (tenant->event_count == 0)
		return;
	if (tail->event_count == 0 || tenant->oldest < tail->oldest)
		tail->oldest = tenant->oldest;
	tail->event_count += tenant->event_count;
}

/*
 * The share of the log's stamps, from its first event to the next transaction
 * of all, that lies below the cut.
 */
static double
progress_of(const StatusReader *reader, const AevonCheckpoint *checkpoint)
{
	int64		end;

	if (checkpoint != NULL && checkpoint->caught_up)
		return 1;
	if (checkpoint == NULL || reader->first_stamp < 0 ||
		checkpoint->cut->xmax <= reader->first_stamp)
		return 0;
	end = reader->base + (int64) U64FromFullTransactionId(ReadNextFullTransactionId());
	return Min(1, (double) (checkpoint->cut->xmax - reader->first_stamp) /
			   Max(1, end - reader->first_stamp));
}

static const char *
state_name(AevonRuleState state)
{
	return state == AEVON_RULE_BUILDING ? "building" :
		state == AEVON_RULE_ACTIVE ? "active" : "retired";
}
