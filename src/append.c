/*
 * append.c
 *		Appending events to the log and to their keys, idempotently.
 *
 * A key is inserted speculatively, as INSERT ... ON CONFLICT DO NOTHING does:
 * look for it, insert the row with a token, insert the index entries, and take
 * the row back if another transaction's was there after all.  Calling the
 * table and index functions directly saves the executor's share of the cost,
 * which is most of it for a single row.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "append.h"
#include "catalog.h"
#include "cut.h"
#include "dictionary.h"
#include "digest.h"
#include "guard.h"
#include "log.h"

/* Log rows are written together, until there are this many, or bytes. */
#define PENDING_ROWS 1000
#define PENDING_BYTES 65536

/* A table that rows are inserted into. */
typedef struct Target
{
	Relation	relation;
	ResultRelInfo *info;
} Target;

struct AevonAppender
{
	MemoryContext event_context;	/* reset with each event */
	EState	   *estate;
	int64		stamp;
	int32		part;
	Target		keys;
	TupleTableSlot *key;		/* the row to insert */
	TupleTableSlot *stored;		/* the row that is in its way */
	Target		log;
	int			slot_count;
	int			pending_count;	/* rows in the first so many slots */
	Size		pending_bytes;
	TupleTableSlot *slots[PENDING_ROWS];
};

/* A digest with a varlena header, to be stored without a copy. */
typedef struct StoredDigest
{
	int32		header;
	uint8		bytes[AEVON_DIGEST_LENGTH];
} StoredDigest;

static void open_target(Target *target, Oid relid, bool speculative);
static void close_target(Target *target);
static AevonOutcome append_in_context(AevonAppender *appender, const AevonEvent *event);
static void fill_keys(AevonAppender *appender, const AevonEvent *event,
					  int32 principal_key, StoredDigest *digest);
static bool insert_key(AevonAppender *appender);
static bool find_key(AevonAppender *appender);
static bool try_key(AevonAppender *appender);
static void require_visible(AevonAppender *appender);
static AevonOutcome compare_stored(AevonAppender *appender, const AevonEvent *event,
								   const StoredDigest *digest);
static void put_log_row(AevonAppender *appender, const AevonEvent *event, int32 tenant_key,
						int32 principal_key, StoredDigest *hash);
static TupleTableSlot *pending_slot(AevonAppender *appender);
static void write_pending(AevonAppender *appender);

AevonAppender *
aevon_append_begin(void)
{
	AevonAppender *appender = palloc(sizeof(AevonAppender));
	Oid			part_oid;

	memset(appender, 0, offsetof(AevonAppender, slots));
	appender->stamp = aevon_cut_stamp(aevon_guard_base());
	appender->event_context = AllocSetContextCreate(CurrentMemoryContext, "Aevon event",
													ALLOCSET_DEFAULT_SIZES);
	appender->estate = CreateExecutorState();
	appender->estate->es_output_cid = GetCurrentCommandId(true);
	open_target(&appender->keys, aevon_catalog_oid(AEVON_EVENT_KEYS), true);
	appender->key = table_slot_create(appender->keys.relation, NULL);
	appender->stored = table_slot_create(appender->keys.relation, NULL);
	part_oid = aevon_log_current_part(&appender->part);
	open_target(&appender->log, part_oid, false);
	return appender;
}

AevonOutcome
aevon_append_event(AevonAppender *appender, const AevonEvent *event)
{
	MemoryContext caller = MemoryContextSwitchTo(appender->event_context);
	AevonOutcome outcome = append_in_context(appender, event);

	if (appender->pending_count == PENDING_ROWS || appender->pending_bytes > PENDING_BYTES)
		write_pending(appender);
	MemoryContextSwitchTo(caller);
	ResetPerTupleExprContext(appender->estate);
	MemoryContextReset(appender->event_context);
	return outcome;
}

void
aevon_append_end(AevonAppender *appender)
{
	MemoryContext caller = MemoryContextSwitchTo(appender->event_context);

	write_pending(appender);
	MemoryContextSwitchTo(caller);
	for (int i = 0; i < appender->slot_count; i++)
		ExecDropSingleTupleTableSlot(appender->slots[i]);
	ExecDropSingleTupleTableSlot(appender->key);
	ExecDropSingleTupleTableSlot(appender->stored);
	close_target(&appender->keys);
	close_target(&appender->log);
	FreeExecutorState(appender->estate);
	MemoryContextDelete(appender->event_context);
	pfree(appender);
}

static void
open_target(Target *target, Oid relid, bool speculative)
{
	target->relation = table_open(relid, RowExclusiveLock);
	target->info = makeNode(ResultRelInfo);
	InitResultRelInfo(target->info, target->relation, 0, NULL, 0);
	ExecOpenIndices(target->info, speculative);
}

/* The locks are kept to the end of the transaction, as any writer does. */
static void
close_target(Target *target)
{
	ExecCloseIndices(target->info);
	table_close(target->relation, NoLock);
}

static AevonOutcome
append_in_context(AevonAppender *appender, const AevonEvent *event)
{
	int32		tenant_key = aevon_dictionary_intern(AEVON_DICTIONARY_TENANT, 0, event->tenant);
	int32		principal_key = aevon_dictionary_intern(AEVON_DICTIONARY_PRINCIPAL, tenant_key,
														event->principal);
	StoredDigest content;
	StoredDigest whole;
	AevonEventIdentity identity = {
		.tenant = event->tenant,
		.principal = event->principal,
		.event_id = event->event_id,
		.event_type = event->event_type,
		.occurred_at = event->occurred_at,
		.ingested_at = event->ingested_at,
		.data = event->data,
		.metadata = event->metadata,
	};

	aevon_digest_content(event->event_type, event->data, content.bytes);
	fill_keys(appender, event, principal_key, &content);
	if (!insert_key(appender))
		return compare_stored(appender, event, &content);

	aevon_digest_event(&identity, content.bytes, whole.bytes);
	put_log_row(appender, event, tenant_key, principal_key, &whole);
	return AEVON_ACCEPTED;
}

static void
fill_keys(AevonAppender *appender, const AevonEvent *event, int32 principal_key,
		  StoredDigest *digest)
{
	TupleTableSlot *slot = appender->key;
	Datum	   *values = slot->tts_values;

	ExecClearTuple(slot);
	memset(slot->tts_isnull, false, Natts_event_keys * sizeof(bool));
	SET_VARSIZE(digest, VARHDRSZ + AEVON_KEY_DIGEST_LENGTH);
	values[Anum_event_keys_stamp - 1] = Int64GetDatum(appender->stamp);
	values[Anum_event_keys_occurred_at - 1] = TimestampTzGetDatum(event->occurred_at);
	values[Anum_event_keys_part - 1] = Int32GetDatum(appender->part);
	values[Anum_event_keys_principal_key - 1] = Int32GetDatum(principal_key);
	values[Anum_event_keys_event_id - 1] = CStringGetTextDatum(event->event_id);
	values[Anum_event_keys_content_digest - 1] = PointerGetDatum(digest);
	ExecStoreVirtualTuple(slot);
}

/*
 * Insert the key.  False if one was there before, whose row is then in
 * appender->stored.
 */
static bool
insert_key(AevonAppender *appender)
{
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (find_key(appender))
		{
			require_visible(appender);
			return false;
		}
		if (try_key(appender))
			return true;
	}
}

/* Look for the key, waiting for the end of a transaction that has inserted it. */
static bool
find_key(AevonAppender *appender)
{
	ItemPointerData tid;

	ItemPointerSetInvalid(&tid);
	if (ExecCheckIndexConstraints(appender->keys.info, appender->key,
								  appender->estate, &tid, NIL))
		return false;
	/* gone again: its deleter has committed, so look again */
	return table_tuple_fetch_row_version(appender->keys.relation, &tid, SnapshotAny,
										 appender->stored);
}

/* Insert the key's row; false if another transaction's came in between. */
static bool
try_key(AevonAppender *appender)
{
	Target	   *keys = &appender->keys;
	bool		conflict = false;
	uint32		token = SpeculativeInsertionLockAcquire(GetCurrentTransactionId());

	table_tuple_insert_speculative(keys->relation, appender->key,
								   appender->estate->es_output_cid, 0, NULL, token);
	(void) ExecInsertIndexTuples(keys->info, appender->key, appender->estate, false, true,
								 &conflict, NIL);
	table_tuple_complete_speculative(keys->relation, appender->key, token, !conflict);
	SpeculativeInsertionLockRelease(GetCurrentTransactionId());
	return !conflict;
}

/*
 * Under REPEATABLE READ and above, a row that the snapshot does not see must
 * not decide what the transaction does, unless it is the transaction's own.
 */
static void
require_visible(AevonAppender *appender)
{
	TupleTableSlot *stored = appender->stored;
	bool		isnull;
	TransactionId xmin;

	if (!IsolationUsesXactSnapshot() ||
		table_tuple_satisfies_snapshot(appender->keys.relation, stored, GetActiveSnapshot()))
		return;
	xmin = DatumGetTransactionId(slot_getsysattr(stored, MinTransactionIdAttributeNumber,
												 &isnull));
	if (!TransactionIdIsCurrentTransactionId(xmin))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update")));
}

/* Is the event the one that is stored under its key? */
static AevonOutcome
compare_stored(AevonAppender *appender, const AevonEvent *event, const StoredDigest *digest)
{
	bool		isnull;
	Datum		occurred_at = slot_getattr(appender->stored, Anum_event_keys_occurred_at, &isnull);
	bytea	   *stored = DatumGetByteaPP(slot_getattr(appender->stored,
													  Anum_event_keys_content_digest, &isnull));

	if (VARSIZE_ANY_EXHDR(stored) != AEVON_KEY_DIGEST_LENGTH ||
		memcmp(VARDATA_ANY(stored), digest->bytes, AEVON_KEY_DIGEST_LENGTH) != 0)
		return AEVON_CONFLICT_CONTENT;
	if (event->occurred_given && DatumGetTimestampTz(occurred_at) != event->occurred_at)
		return AEVON_CONFLICT_TIME;
	return AEVON_DUPLICATE;
}

/* Make the log's row, to be written with others. */
static void
put_log_row(AevonAppender *appender, const AevonEvent *event, int32 tenant_key,
			int32 principal_key, StoredDigest *hash)
{
	TupleTableSlot *slot = pending_slot(appender);
	Datum	   *values = slot->tts_values;
	int32		type_key = aevon_dictionary_intern(AEVON_DICTIONARY_EVENT_TYPE, 0,
												   event->event_type);

	ExecClearTuple(slot);
	memset(slot->tts_isnull, false, Natts_event_log * sizeof(bool));
	SET_VARSIZE(hash, VARHDRSZ + AEVON_DIGEST_LENGTH);
	values[Anum_event_log_stamp - 1] = Int64GetDatum(appender->stamp);
	values[Anum_event_log_occurred_at - 1] = TimestampTzGetDatum(event->occurred_at);
	values[Anum_event_log_ingested_at - 1] = TimestampTzGetDatum(event->ingested_at);
	values[Anum_event_log_part - 1] = Int32GetDatum(appender->part);
	values[Anum_event_log_tenant_key - 1] = Int32GetDatum(tenant_key);
	values[Anum_event_log_principal_key - 1] = Int32GetDatum(principal_key);
	values[Anum_event_log_type_key - 1] = Int32GetDatum(type_key);
	values[Anum_event_log_event_id - 1] = CStringGetTextDatum(event->event_id);
	values[Anum_event_log_content_hash - 1] = PointerGetDatum(hash);
	values[Anum_event_log_data - 1] = JsonbPGetDatum(event->data);
	values[Anum_event_log_metadata - 1] = PointerGetDatum(event->metadata);
	slot->tts_isnull[Anum_event_log_metadata - 1] = event->metadata == NULL;
	ExecStoreVirtualTuple(slot);
	ExecMaterializeSlot(slot);
	appender->pending_bytes += VARSIZE(event->data) +
		(event->metadata != NULL ? VARSIZE(event->metadata) : 0);
	appender->pending_count++;
}

/* A slot for one more row; it belongs to the appender. */
static TupleTableSlot *
pending_slot(AevonAppender *appender)
{
	if (appender->pending_count == appender->slot_count)
	{
		MemoryContext event_context =
		MemoryContextSwitchTo(GetMemoryChunkContext(appender));

		appender->slots[appender->slot_count++] =
			table_slot_create(appender->log.relation, NULL);
		MemoryContextSwitchTo(event_context);
	}
	return appender->slots[appender->pending_count];
}

/* Write the pending rows and their index entries. */
static void
write_pending(AevonAppender *appender)
{
	Target	   *log = &appender->log;

	if (appender->pending_count == 1)
		table_tuple_insert(log->relation, appender->slots[0],
						   appender->estate->es_output_cid, 0, NULL);
	else if (appender->pending_count > 1)
		table_multi_insert(log->relation, appender->slots, appender->pending_count,
						   appender->estate->es_output_cid, 0, NULL);
	for (int i = 0; i < appender->pending_count; i++)
	{
		(void) ExecInsertIndexTuples(log->info, appender->slots[i], appender->estate,
									 false, false, NULL, NIL);
		ExecClearTuple(appender->slots[i]);
	}
	appender->pending_count = 0;
	appender->pending_bytes = 0;
}
