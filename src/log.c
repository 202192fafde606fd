/*
 * log.c
 *		Reading the event log straight through its indexes, part by part.
 *
 * The planner is left out on purpose: these scans run in every read, their
 * best plan never changes, and statistics of a fresh part must not be able to
 * change it.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "miscadmin.h"
#include "nodes/primnodes.h"
#include "partitioning/partdesc.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "log.h"

/* The parts in order of number; forgotten when any of their relations changes. */
static struct
{
	bool		valid;
	bool		registered;
	uint64		epoch;			/* counts how often they were forgotten */
	Oid			log;
	int			count;
	AevonLogPart *parts;
}			part_cache = {.epoch = 1};

/* The columns that every event has, as they lie at the front of its row. */
typedef struct FixedColumns
{
	int64		stamp;
	TimestampTz occurred_at;
	TimestampTz ingested_at;
	int32		part;
	int32		tenant_key;
	int32		principal_key;
	int32		type_key;
} FixedColumns;

/* Rows of one page, read together.  They stay where they are while it is pinned. */
#define BATCH_ROWS 64
#define FIRST_ROWS 4			/* in the first batch: it may be all that is
								 * asked for */

typedef struct Batch
{
	Buffer		buffer;
	int			room;			/* rows to be read at once: at first a few */
	int			count;
	int			at;				/* the next one to be given out */
	ItemPointerData next;		/* what the index gave last, on another page */
	bool		ended;			/* the index has no more: next is invalid */
	HeapTupleData rows[BATCH_ROWS];
} Batch;

typedef struct PartScan
{
	Relation	heap;
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	bool		started;
	bool		exhausted;
	Batch	   *batch;			/* of scans by stamp; NULL: of others */
} PartScan;

struct AevonLogScan
{
	Snapshot	snapshot;
	MemoryContext context;		/* index scans keep in it what they allocate
								 * on the way */
	bool		by_stamp;		/* parts are merged by this, or by time */
	int			count;
	int			current;		/* the part that gave the last row */
	PartScan   *parts;
	int			nkeys;
	ScanKeyData keys[3];		/* by time: subject, since, until */
	bool		by_places;		/* for now: */
	const AevonLogPlace *places;
	int			place_count;
	int			next_place;
};

static AevonLogScan *begin_scan(Snapshot snapshot, AevonLogIndex index, ScanKey keys, int nkeys);
static void begin_part(PartScan *part, const AevonLogPart *where, AevonLogIndex index,
					   Snapshot snapshot, ScanKey keys, int nkeys);
static void end_part(PartScan *part);
static bool advance(PartScan *part);
static bool advance_batch(PartScan *part);
static bool next_place(PartScan *part);
static bool fill_batch(PartScan *part);
static void fetch_rows(PartScan *part, Snapshot snapshot, const ItemPointerData *tids,
					   const AevonLogPlace *places, int count);
static PartScan *next_placed(AevonLogScan *scan);
static void fetch_placed(AevonLogScan *scan);
static Batch *make_batch(void);
static PartScan *next_part(AevonLogScan *scan);
static int64 place_in_order(const AevonLogScan *scan, const PartScan *part);
static const FixedColumns *fixed_columns(TupleTableSlot *slot);
static const char *data_column(TupleTableSlot *slot);
static void load_parts(void);
static void load_part(Oid oid, AevonLogPart *part);
static AevonLogIndex index_kind(Relation index);
static bool indexes_key(Relation index);
static bool is_column(const Node *expression, AttrNumber number);
static int	compare_parts(const void *a, const void *b);
static void forget_parts(Datum argument, Oid relid);

Jsonb *
aevon_log_row_data(AevonLogRow *row)
{
	if (row->data == NULL)
		row->data = DatumGetJsonbP(PointerGetDatum(data_column(row->slot)));
	return row->data;
}

char *
aevon_log_row_event_id(const AevonLogRow *row)
{
	bool		isnull;

	return TextDatumGetCString(slot_getattr(row->slot, Anum_event_log_event_id, &isnull));
}

AevonLogScan *
aevon_log_scan_stamps(Snapshot snapshot, int64 from, int64 until)
{
	ScanKeyData keys[2];

	AevonLogScan *scan;

	ScanKeyInit(&keys[0], 1, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(from));
	ScanKeyInit(&keys[1], 1, BTLessStrategyNumber, F_INT8LT, Int64GetDatum(until));
	scan = begin_scan(snapshot, AEVON_LOG_STAMP, keys, until == PG_INT64_MAX ? 1 : 2);
	for (int i = 0; i < scan->count; i++)
		scan->parts[i].batch = make_batch();
	return scan;
}

AevonLogPlace
aevon_log_row_place(const AevonLogRow *row)
{
	AevonLogPlace place = {row->stamp, row->slot->tts_tableOid, row->slot->tts_tid};

	return place;
}

uint64
aevon_log_epoch(void)
{
	return part_cache.epoch;
}

AevonLogScan *
aevon_log_scan_places(Snapshot snapshot)
{
	AevonLogScan *scan = aevon_log_scan_stamps(snapshot, PG_INT64_MAX, PG_INT64_MAX);

	scan->by_places = true;
	return scan;
}

void
aevon_log_scan_name_places(AevonLogScan *scan, const AevonLogPlace *places, int count)
{
	scan->places = places;
	scan->place_count = count;
	scan->next_place = 0;
}

void
aevon_log_scan_go_on(AevonLogScan *scan, int64 from)
{
	scan->by_places = false;
	scan->current = 0;
	scan->keys[0].sk_argument = Int64GetDatum(from);
	for (int i = 0; i < scan->count; i++)
		index_rescan(scan->parts[i].scan, scan->keys, scan->nkeys, NULL, 0);
}

AevonLogScan *
aevon_log_scan_principal(Snapshot snapshot, int32 principal_key,
						 TimestampTz since, TimestampTz until)
{
	ScanKeyData keys[3];

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(principal_key));
	ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_TIMESTAMPTZ_GE,
				TimestampTzGetDatum(since));
	ScanKeyInit(&keys[2], 2, BTLessStrategyNumber, F_TIMESTAMPTZ_LT,
				TimestampTzGetDatum(until));
	return begin_scan(snapshot, AEVON_LOG_PRINCIPAL, keys, 3);
}

AevonLogScan *
aevon_log_scan_tenant(Snapshot snapshot, int32 tenant_key,
					  TimestampTz since, TimestampTz until)
{
	ScanKeyData keys[3];

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(tenant_key));
	ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_TIMESTAMPTZ_GE,
				TimestampTzGetDatum(since));
	ScanKeyInit(&keys[2], 2, BTLessStrategyNumber, F_TIMESTAMPTZ_LT,
				TimestampTzGetDatum(until));
	return begin_scan(snapshot, AEVON_LOG_TENANT, keys, 3);
}

void
aevon_log_scan_again(AevonLogScan *scan, TimestampTz since, TimestampTz until)
{
	Assert(scan->nkeys == 3);
	scan->keys[1].sk_argument = TimestampTzGetDatum(since);
	scan->keys[2].sk_argument = TimestampTzGetDatum(until);
	for (int i = 0; i < scan->count; i++)
	{
		scan->parts[i].started = false;
		scan->parts[i].exhausted = false;
		index_rescan(scan->parts[i].scan, scan->keys, scan->nkeys, NULL, 0);
	}
}

bool
aevon_log_scan_next(AevonLogScan *scan, AevonLogRow *row)
{
	PartScan   *part;
	MemoryContext caller;

	CHECK_FOR_INTERRUPTS();
	caller = MemoryContextSwitchTo(scan->context);
	part = scan->by_places ? next_placed(scan) : next_part(scan);
	MemoryContextSwitchTo(caller);
	if (part == NULL)
		return false;

	aevon_log_row_read(row, part->slot);
	return true;
}

void
aevon_log_row_read(AevonLogRow *row, TupleTableSlot *slot)
{
	const FixedColumns *fixed = fixed_columns(slot);

	row->stamp = fixed->stamp;
	row->occurred_at = fixed->occurred_at;
	row->ingested_at = fixed->ingested_at;
	row->part = fixed->part;
	row->tenant_key = fixed->tenant_key;
	row->principal_key = fixed->principal_key;
	row->type_key = fixed->type_key;
	row->slot = slot;
	row->data = NULL;
}

void
aevon_log_scan_end(AevonLogScan *scan)
{
	for (int i = 0; i < scan->count; i++)
		end_part(&scan->parts[i]);
	pfree(scan->parts);
	pfree(scan);
}

int64
aevon_log_max_stamp(void)
{
	int64		greatest = 0;

	load_parts();
	for (int i = 0; i < part_cache.count; i++)
	{
		PartScan	part = {0};

		begin_part(&part, &part_cache.parts[i], AEVON_LOG_STAMP, SnapshotAny, NULL, 0);
		if (index_getnext_slot(part.scan, BackwardScanDirection, part.slot))
			greatest = Max(greatest, fixed_columns(part.slot)->stamp);
		end_part(&part);
	}
	return greatest;
}

const AevonLogPart *
aevon_log_parts(int *count)
{
	load_parts();
	*count = part_cache.count;
	return part_cache.parts;
}

/* Taking the lock may tell of a change: of another last part, or other indexes. */
Relation
aevon_log_open_last(AevonLogPart *part)
{
	for (;;)
	{
		Relation	heap;

		load_parts();
		*part = part_cache.parts[part_cache.count - 1];
		heap = table_open(part->oid, RowExclusiveLock);
		if (part_cache.valid)
			return heap;
		table_close(heap, RowExclusiveLock);
	}
}

static AevonLogScan *
begin_scan(Snapshot snapshot, AevonLogIndex index, ScanKey keys, int nkeys)
{
	AevonLogScan *scan = palloc0(sizeof(AevonLogScan));

	load_parts();
	scan->snapshot = snapshot;
	scan->context = CurrentMemoryContext;
	scan->by_stamp = index == AEVON_LOG_STAMP;
	scan->nkeys = nkeys;
	memcpy(scan->keys, keys, nkeys * sizeof(ScanKeyData));
	scan->count = part_cache.count;
	scan->parts = palloc0(scan->count * sizeof(PartScan));
	for (int i = 0; i < scan->count; i++)
		begin_part(&scan->parts[i], &part_cache.parts[i], index, snapshot, keys, nkeys);
	return scan;
}

static void
begin_part(PartScan *part, const AevonLogPart *where, AevonLogIndex index,
		   Snapshot snapshot, ScanKey keys, int nkeys)
{
	part->heap = table_open(where->oid, AccessShareLock);
	part->index = index_open(where->indexes[index], AccessShareLock);
	part->slot = table_slot_create(part->heap, NULL);
	part->scan = index_beginscan(part->heap, part->index, snapshot, nkeys, 0);
	index_rescan(part->scan, keys, nkeys, NULL, 0);
}

static void
end_part(PartScan *part)
{
	if (part->batch != NULL)
	{
		if (BufferIsValid(part->batch->buffer))
			ReleaseBuffer(part->batch->buffer);
		pfree(part->batch);
	}
	index_endscan(part->scan);
	ExecDropSingleTupleTableSlot(part->slot);
	index_close(part->index, AccessShareLock);
	table_close(part->heap, AccessShareLock);
}

static bool
advance(PartScan *part)
{
	part->started = true;
	if (!part->exhausted)
		part->exhausted = part->batch != NULL ? !advance_batch(part) :
			!index_getnext_slot(part->scan, ForwardScanDirection, part->slot);
	return !part->exhausted;
}

/*
 * Events lie in the heap nearly in the order of their stamps: to pin and lock
 * a page for each of them anew is half of what it costs to fetch them.
 */
static bool
advance_batch(PartScan *part)
{
	Batch	   *batch = part->batch;

	while (batch->at == batch->count)
	{
		if (!fill_batch(part))
			return false;
	}
	ExecStoreBufferHeapTuple(&batch->rows[batch->at++], part->slot, batch->buffer);
	return true;
}

static bool
next_place(PartScan *part)
{
	Batch	   *batch = part->batch;
	ItemPointer place = NULL;

	/* asked again after its end, a scan would begin anew */
	if (!batch->ended)
		place = index_getnext_tid(part->scan, ForwardScanDirection);
	batch->ended = place == NULL;
	if (batch->ended)
		ItemPointerSetInvalid(&batch->next);
	else
		batch->next = *place;
	return !batch->ended;
}

/* False: there are no more rows.  A page may hold none that the snapshot sees. */
static bool
fill_batch(PartScan *part)
{
	Batch	   *batch = part->batch;
	ItemPointerData tids[BATCH_ROWS];
	int			count = 0;

	if (!ItemPointerIsValid(&batch->next) && !next_place(part))
		return false;
	do
		tids[count++] = batch->next;
	while (next_place(part) && count < batch->room &&
		   ItemPointerGetBlockNumber(&batch->next) == ItemPointerGetBlockNumber(&tids[0]));
	batch->room = BATCH_ROWS;
	fetch_rows(part, part->scan->xs_snapshot, tids, NULL, count);
	return true;
}

/*
 * Those of one page's rows that the snapshot sees, and (of a scan by places)
 * that are still the events they are taken for.
 */
static void
fetch_rows(PartScan *part, Snapshot snapshot, const ItemPointerData *tids,
		   const AevonLogPlace *places, int count)
{
	Batch	   *batch = part->batch;

	ExecClearTuple(part->slot);
	batch->buffer = ReleaseAndReadBuffer(batch->buffer, part->heap,
										 ItemPointerGetBlockNumber(&tids[0]));
	batch->at = batch->count = 0;
	LockBuffer(batch->buffer, BUFFER_LOCK_SHARE);
	for (int i = 0; i < count; i++)
	{
		ItemPointerData tid = tids[i];
		HeapTuple	row = &batch->rows[batch->count];

		if (heap_hot_search_buffer(&tid, part->heap, batch->buffer, snapshot, row, NULL, true) &&
			(places == NULL ||
			 ((const FixedColumns *) GETSTRUCT(row))->stamp == places[i].stamp))
			batch->count++;
	}
	LockBuffer(batch->buffer, BUFFER_LOCK_UNLOCK);
	pgstat_count_heap_fetch(part->heap);
}

/* The part whose slot holds the event at the next place; NULL: there is none. */
static PartScan *
next_placed(AevonLogScan *scan)
{
	for (;;)
	{
		PartScan   *part = &scan->parts[scan->current];

		if (part->batch->at < part->batch->count)
		{
			ExecStoreBufferHeapTuple(&part->batch->rows[part->batch->at++], part->slot,
									 part->batch->buffer);
			return part;
		}
		if (scan->next_place == scan->place_count)
			return NULL;
		fetch_placed(scan);
	}
}

/* Fetch the events at the next places, as many as are on one page. */
static void
fetch_placed(AevonLogScan *scan)
{
	const AevonLogPlace *first = &scan->places[scan->next_place];
	BlockNumber block = ItemPointerGetBlockNumber(&first->tid);
	ItemPointerData tids[BATCH_ROWS];
	PartScan   *part;
	int			count = 1;

	tids[0] = first->tid;
	while (count < BATCH_ROWS && scan->next_place + count < scan->place_count &&
		   first[count].part == first->part &&
		   ItemPointerGetBlockNumber(&first[count].tid) == block)
	{
		tids[count] = first[count].tid;
		count++;
	}
	scan->next_place += count;
	scan->current = 0;
	while (scan->current < scan->count - 1 &&
		   RelationGetRelid(scan->parts[scan->current].heap) != first->part)
		scan->current++;
	part = &scan->parts[scan->current];
	/* the table may have become shorter since */
	if (RelationGetRelid(part->heap) == first->part && block < RelationGetNumberOfBlocks(part->heap))
		fetch_rows(part, scan->snapshot, tids, first, count);
}

static Batch *
make_batch(void)
{
	Batch	   *batch = palloc(sizeof(Batch));

	memset(batch, 0, offsetof(Batch, rows));
	batch->room = FIRST_ROWS;
	return batch;
}

/* The part whose next row comes first in the scan's order. */
static PartScan *
next_part(AevonLogScan *scan)
{
	PartScan   *first = NULL;

	if (scan->parts[scan->current].started)
		advance(&scan->parts[scan->current]);
	for (int i = 0; i < scan->count; i++)
	{
		PartScan   *part = &scan->parts[i];

		if (!part->started)
			advance(part);
		if (part->exhausted)
			continue;
		if (first == NULL || place_in_order(scan, part) < place_in_order(scan, first))
		{
			first = part;
			scan->current = i;
		}
	}
	return first;
}

static int64
place_in_order(const AevonLogScan *scan, const PartScan *part)
{
	const FixedColumns *fixed = fixed_columns(part->slot);

	return scan->by_stamp ? fixed->stamp : fixed->occurred_at;
}

/*
 * Columns of fixed width that are never null lie where C puts them.  Taking
 * a row apart column by column would cost more than all the rest that a tail
 * does with the events of others.
 */
static const FixedColumns *
fixed_columns(TupleTableSlot *slot)
{
	StaticAssertStmt(Anum_event_log_stamp == 1 && Anum_event_log_type_key == 7 &&
					 Anum_event_log_event_id == 8,
					 "the log's fixed columns come first");
	return (const FixedColumns *) GETSTRUCT(ExecFetchSlotHeapTuple(slot, false, NULL));
}

/* It follows the event's id and hash, which are never null either. */
static const char *
data_column(TupleTableSlot *slot)
{
	const char *row = (const char *) fixed_columns(slot);
	Size		at = offsetof(FixedColumns, type_key) + sizeof(int32);

	StaticAssertStmt(Anum_event_log_data == Anum_event_log_event_id + 2,
					 "the log's data come after its id and hash");
	for (int column = Anum_event_log_event_id; column < Anum_event_log_data; column++)
	{
		at = att_align_pointer(at, TYPALIGN_INT, -1, row + at);
		at = att_addlength_pointer(at, -1, row + at);
	}
	return row + att_align_pointer(at, TYPALIGN_INT, -1, row + at);
}

static void
load_parts(void)
{
	Oid			log_oid = aevon_catalog_oid(AEVON_EVENT_LOG);
	Relation	log;
	PartitionDesc descriptor;
	AevonLogPart *parts;

	/*
	 * of several parts one may be about to go: opening the log waits for
	 * that, and takes in invalidations
	 */
	AcceptInvalidationMessages();
	if (part_cache.valid && part_cache.log == log_oid && part_cache.count == 1)
		return;
	log = table_open(log_oid, AccessShareLock);
	if (part_cache.valid && part_cache.log == log_oid)
	{
		table_close(log, AccessShareLock);
		return;
	}
	if (!part_cache.registered)
	{
		CacheRegisterRelcacheCallback(forget_parts, (Datum) 0);
		part_cache.registered = true;
	}

	descriptor = RelationGetPartitionDesc(log, true);
	if (descriptor->nparts == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the event log has no parts"),
				 errhint("Attach the parts of aevon.event_log again.")));
	parts = MemoryContextAllocZero(CacheMemoryContext,
								   descriptor->nparts * sizeof(AevonLogPart));

	/*
	 * an error on the way must leave no cache, a change on the way no valid
	 * one
	 */
	part_cache.log = InvalidOid;
	part_cache.valid = true;
	for (int i = 0; i < descriptor->nparts; i++)
		load_part(descriptor->oids[i], &parts[i]);
	qsort(parts, descriptor->nparts, sizeof(AevonLogPart), compare_parts);

	if (part_cache.parts != NULL)
		pfree(part_cache.parts);
	part_cache.parts = parts;
	part_cache.count = descriptor->nparts;
	part_cache.log = log_oid;
	table_close(log, AccessShareLock);
}

/* A part's number is in its name, event_log_pN. */
static void
load_part(Oid oid, AevonLogPart *part)
{
	Relation	heap = table_open(oid, AccessShareLock);
	List	   *indexes = RelationGetIndexList(heap);
	ListCell   *cell;

	part->oid = oid;
	part->number = atoi(RelationGetRelationName(heap) + strlen("event_log_p"));
	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);
		AevonLogIndex kind = index_kind(index);

		if (kind == AEVON_LOG_INDEXES || OidIsValid(part->indexes[kind]))
			part->has_others = true;
		else
			part->indexes[kind] = lfirst_oid(cell);
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	for (int i = 0; i < AEVON_LOG_INDEXES; i++)
	{
		if (!OidIsValid(part->indexes[i]))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("part \"%s\" of the event log lacks an index",
							RelationGetRelationName(heap)),
					 errhint("Create it again as on the other parts of aevon.event_log.")));
	}
	table_close(heap, AccessShareLock);
}

/* Which one of ours an index is, told by its columns; or none. */
static AevonLogIndex
index_kind(Relation index)
{
	Form_pg_index form = index->rd_index;
	int			count = form->indnkeyatts;
	AttrNumber	first = form->indkey.values[0];
	AttrNumber	second = count > 1 ? form->indkey.values[1] : InvalidAttrNumber;

	if (!form->indisvalid || !form->indisready || form->indnatts != count ||
		index->rd_rel->relam != BTREE_AM_OID || RelationGetIndexPredicate(index) != NIL)
		return AEVON_LOG_INDEXES;	/* not one to read by */
	for (int i = 0; i < count; i++)
	{
		if (index->rd_indoption[i] != 0)
			return AEVON_LOG_INDEXES;	/* not in our order */
	}
	if (count == 1 && first == Anum_event_log_stamp)
		return AEVON_LOG_STAMP;
	if (count == 1 && indexes_key(index))
		return AEVON_LOG_KEY;
	if (count == 2 && second == Anum_event_log_occurred_at)
	{
		if (first == Anum_event_log_principal_key)
			return AEVON_LOG_PRINCIPAL;
		if (first == Anum_event_log_tenant_key)
			return AEVON_LOG_TENANT;
	}
	return AEVON_LOG_INDEXES;
}

/* Is it an index on aevon.event_key(principal_key, event_id)? */
static bool
indexes_key(Relation index)
{
	List	   *expressions = RelationGetIndexExpressions(index);
	FuncExpr   *call = expressions != NIL ? linitial(expressions) : NULL;

	return call != NULL && IsA(call, FuncExpr) &&
		get_func_namespace(call->funcid) == RelationGetNamespace(index) &&
		strcmp(get_func_name(call->funcid), "event_key") == 0 &&
		is_column(linitial(call->args), Anum_event_log_principal_key) &&
		is_column(lsecond(call->args), Anum_event_log_event_id);
}

static bool
is_column(const Node *expression, AttrNumber number)
{
	return IsA(expression, Var) && ((const Var *) expression)->varattno == number;
}

static int
compare_parts(const void *a, const void *b)
{
	return ((const AevonLogPart *) a)->number - ((const AevonLogPart *) b)->number;
}

static void
forget_parts(Datum argument, Oid relid)
{
	bool		ours = !OidIsValid(relid) || relid == part_cache.log;

	/* while they are looked up, nobody knows yet */
	ours = ours || !OidIsValid(part_cache.log);
	for (int i = 0; i < part_cache.count && !ours; i++)
		ours = part_cache.parts[i].oid == relid;
	if (ours)
	{
		part_cache.valid = false;
		part_cache.epoch++;
	}
}
