/*
 * logwriter.c
 *		Writing rows of the log, and their index entries.
 *
 * The table and index functions are called directly, which saves the
 * executor's share of the cost: most of it, for a single row.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/generic_xlog.h"
#include "access/heapam.h"
#include "access/heaptoast.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "digest.h"
#include "logwriter.h"

/* Rows that are written together, until there are this many, or bytes. */
#define GROUP_ROWS 1000
#define GROUP_BYTES 65536

struct AevonLogWriter
{
	MemoryContext group_context;	/* reset with each group of rows */
	int64		stamp;
	CommandId	command;
	int32		part;
	Relation	heap;
	Relation	indexes[AEVON_LOG_INDEXES];
	EState	   *estate;			/* of the other indexes; NULL: there are none */
	ResultRelInfo *others;
	int			slot_count;
	int			group_count;	/* rows in the first so many slots */
	Size		group_bytes;
	TupleTableSlot *slots[GROUP_ROWS];
	AevonLogRecord *group[GROUP_ROWS];
};

/* A digest with a varlena header, to be stored without a copy. */
typedef struct StoredDigest
{
	int32		header;
	uint8		bytes[AEVON_DIGEST_LENGTH];
} StoredDigest;

static void open_others(AevonLogWriter *writer);
static TupleTableSlot *group_slot(AevonLogWriter *writer);
static HeapTuple form_row(const AevonLogWriter *writer, const AevonLogRecord *record);
static bool insert_entry(AevonLogWriter *writer, AevonLogIndex index, Datum *values,
						 const AevonLogRecord *record);
static void delete_large_values(AevonLogWriter *writer, Buffer buffer,
								const AevonLogRecord *record);

AevonLogWriter *
aevon_logwriter_open(int64 stamp)
{
	AevonLogWriter *writer = palloc(sizeof(AevonLogWriter));
	AevonLogPart part;

	memset(writer, 0, offsetof(AevonLogWriter, slots));
	writer->stamp = stamp;
	writer->command = GetCurrentCommandId(true);
	writer->group_context = AllocSetContextCreate(CurrentMemoryContext, "Aevon rows",
												  ALLOCSET_DEFAULT_SIZES);
	writer->heap = aevon_log_open_last(&part);
	writer->part = part.number;
	for (int i = 0; i < AEVON_LOG_INDEXES; i++)
		writer->indexes[i] = index_open(part.indexes[i], RowExclusiveLock);
	if (part.has_others)
		open_others(writer);
	return writer;
}

/* The locks are kept to the end of the transaction, as any writer does. */
void
aevon_logwriter_close(AevonLogWriter *writer)
{
	for (int i = 0; i < writer->slot_count; i++)
		ExecDropSingleTupleTableSlot(writer->slots[i]);
	if (writer->estate != NULL)
	{
		ExecCloseIndices(writer->others);
		FreeExecutorState(writer->estate);
	}
	for (int i = 0; i < AEVON_LOG_INDEXES; i++)
		index_close(writer->indexes[i], NoLock);
	table_close(writer->heap, NoLock);
	MemoryContextDelete(writer->group_context);
	pfree(writer);
}

Relation
aevon_logwriter_heap(const AevonLogWriter *writer)
{
	return writer->heap;
}

AevonFinder *
aevon_logwriter_finder(const AevonLogWriter *writer, Snapshot snapshot)
{
	return aevon_identity_open_beside(snapshot, writer->heap, writer->indexes[AEVON_LOG_KEY]);
}

void
aevon_logwriter_put(AevonLogWriter *writer, AevonLogRecord *record)
{
	TupleTableSlot *slot = group_slot(writer);
	MemoryContext caller = MemoryContextSwitchTo(writer->group_context);
	HeapTuple	tuple = form_row(writer, record);

	ExecStoreHeapTuple(tuple, slot, true);
	MemoryContextSwitchTo(caller);
	writer->group[writer->group_count++] = record;
	writer->group_bytes += tuple->t_len;
	if (writer->group_count == GROUP_ROWS || writer->group_bytes > GROUP_BYTES)
		aevon_logwriter_flush(writer);
}

void
aevon_logwriter_flush(AevonLogWriter *writer)
{
	MemoryContext caller = MemoryContextSwitchTo(writer->group_context);
	int			count = writer->group_count;

	if (count == 1)
		table_tuple_insert(writer->heap, writer->slots[0], writer->command, 0, NULL);
	else if (count > 1)
		table_multi_insert(writer->heap, writer->slots, count, writer->command, 0, NULL);
	for (int i = 0; i < count; i++)
	{
		writer->group[i]->tid = writer->slots[i]->tts_tid;
		if (writer->estate != NULL)
		{
			(void) ExecInsertIndexTuples(writer->others, writer->slots[i], writer->estate,
										 false, false, NULL, NIL);
			ResetPerTupleExprContext(writer->estate);
		}
		ExecClearTuple(writer->slots[i]);
	}
	writer->group_count = 0;
	writer->group_bytes = 0;
	MemoryContextSwitchTo(caller);
	MemoryContextReset(writer->group_context);
}

bool
aevon_logwriter_index(AevonLogWriter *writer, AevonLogIndex index, const AevonLogRecord *record)
{
	Datum		values[2];

	if (index == AEVON_LOG_KEY)
		values[0] = Int64GetDatum(record->identity.key);
	else if (index == AEVON_LOG_STAMP)
		values[0] = Int64GetDatum(writer->stamp);
	else
	{
		values[0] = Int32GetDatum(index == AEVON_LOG_TENANT ? record->tenant_key :
								  record->identity.principal_key);
		values[1] = TimestampTzGetDatum(record->event->occurred_at);
	}
	return insert_entry(writer, index, values, record);
}

void
aevon_logwriter_take_back(AevonLogWriter *writer, const AevonLogRecord *record)
{
	Buffer		buffer = ReadBuffer(writer->heap, ItemPointerGetBlockNumber(&record->tid));
	OffsetNumber offset = ItemPointerGetOffsetNumber(&record->tid);
	GenericXLogState *state;
	Page		page;
	HeapTupleHeader header;

	delete_large_values(writer, buffer, record);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	state = GenericXLogStart(writer->heap);
	page = GenericXLogRegisterBuffer(state, buffer, 0);
	header = (HeapTupleHeader) PageGetItem(page, PageGetItemId(page, offset));
	if (!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetRawXmin(header)))
		elog(ERROR, "row to take back is not this transaction's");
	HeapTupleHeaderSetXmin(header, InvalidTransactionId);
	PageSetPrunable(page, GetCurrentTransactionId());
	GenericXLogFinish(state);
	UnlockReleaseBuffer(buffer);
}

/* Indexes that somebody made on the log are the executor's. */
static void
open_others(AevonLogWriter *writer)
{
	writer->estate = CreateExecutorState();
	writer->others = makeNode(ResultRelInfo);
	InitResultRelInfo(writer->others, writer->heap, 0, NULL, 0);
	ExecOpenIndices(writer->others, false);
	for (int i = 0; i < writer->others->ri_NumIndices; i++)
	{
		Relation   *index = &writer->others->ri_IndexRelationDescs[i];

		for (int j = 0; j < AEVON_LOG_INDEXES; j++)
			if (*index == writer->indexes[j])
			{
				index_close(*index, NoLock);
				*index = NULL;
				break;
			}
	}
}

/* A slot for one more row; it belongs to the appender. */
static TupleTableSlot *
group_slot(AevonLogWriter *writer)
{
	if (writer->group_count == writer->slot_count)
	{
		MemoryContext caller = MemoryContextSwitchTo(GetMemoryChunkContext(writer));

		writer->slots[writer->slot_count++] =
			MakeSingleTupleTableSlot(RelationGetDescr(writer->heap), &TTSOpsHeapTuple);
		MemoryContextSwitchTo(caller);
	}
	return writer->slots[writer->group_count];
}

static HeapTuple
form_row(const AevonLogWriter *writer, const AevonLogRecord *record)
{
	const AevonEvent *event = record->event;
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
	StoredDigest hash;
	Datum		values[Natts_event_log];
	bool		nulls[Natts_event_log] = {false};

	aevon_digest_event(&identity, hash.bytes);
	SET_VARSIZE(&hash, VARHDRSZ + AEVON_DIGEST_LENGTH);
	values[Anum_event_log_stamp - 1] = Int64GetDatum(writer->stamp);
	values[Anum_event_log_occurred_at - 1] = TimestampTzGetDatum(event->occurred_at);
	values[Anum_event_log_ingested_at - 1] = TimestampTzGetDatum(event->ingested_at);
	values[Anum_event_log_part - 1] = Int32GetDatum(writer->part);
	values[Anum_event_log_tenant_key - 1] = Int32GetDatum(record->tenant_key);
	values[Anum_event_log_principal_key - 1] = Int32GetDatum(record->identity.principal_key);
	values[Anum_event_log_type_key - 1] = Int32GetDatum(record->type_key);
	values[Anum_event_log_event_id - 1] = CStringGetTextDatum(event->event_id);
	values[Anum_event_log_content_hash - 1] = PointerGetDatum(&hash);
	values[Anum_event_log_data - 1] = JsonbPGetDatum(event->data);
	values[Anum_event_log_metadata - 1] = PointerGetDatum(event->metadata);
	nulls[Anum_event_log_metadata - 1] = event->metadata == NULL;
	return heap_form_tuple(RelationGetDescr(writer->heap), values, nulls);
}

static bool
insert_entry(AevonLogWriter *writer, AevonLogIndex index, Datum *values, const AevonLogRecord *record)
{
	static bool no_nulls[2] = {false, false};
	ItemPointerData tid = record->tid;

	return index_insert(writer->indexes[index], values, no_nulls, &tid, writer->heap,
						index == AEVON_LOG_KEY ? UNIQUE_CHECK_PARTIAL : UNIQUE_CHECK_NO,
						false, NULL);
}

static void
delete_large_values(AevonLogWriter *writer, Buffer buffer, const AevonLogRecord *record)
{
	ItemId		item = PageGetItemId(BufferGetPage(buffer), ItemPointerGetOffsetNumber(&record->tid));
	HeapTupleData tuple = {
		.t_self = record->tid,
		.t_tableOid = RelationGetRelid(writer->heap),
	};
	HeapTuple	copy;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	tuple.t_data = (HeapTupleHeader) PageGetItem(BufferGetPage(buffer), item);
	tuple.t_len = ItemIdGetLength(item);
	copy = heap_copytuple(&tuple);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	if (HeapTupleHasExternal(copy))
		heap_toast_delete(writer->heap, copy, true);
	heap_freetuple(copy);
}
