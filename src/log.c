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
#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "log.h"

/* Rows of one page, read together.  They stay where they are while it is pinned. */
#define BATCH_ROWS 64
#define FIRST_ROWS 4			/* in the first batch: it may be all that is
								 * asked for */

/* A row that is there, never updated, of a transaction that has committed. */
#define PLAIN_MASK (HEAP_XMIN_FROZEN | HEAP_XMAX_INVALID | HEAP_XMAX_IS_MULTI)
#define PLAIN_ROW (HEAP_XMIN_COMMITTED | HEAP_XMAX_INVALID)

typedef struct Batch
{
	Buffer		buffer;
	TransactionId seen_xmin;	/* a transaction that has committed and that
								 * the snapshot sees; or none */
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
static void prefetch_rows(Page page, const ItemPointerData *tids, int count);
static bool fetch_row(PartScan *part, Snapshot snapshot, const ItemPointerData *place,
					  HeapTuple row);
static PartScan *next_placed(AevonLogScan *scan);
static void fetch_placed(AevonLogScan *scan);
static Batch *make_batch(void);
static PartScan *next_part(AevonLogScan *scan);
static int64 place_in_order(const AevonLogScan *scan, const PartScan *part);

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
	int			count;
	const AevonLogPart *parts = aevon_log_parts(&count);

	for (int i = 0; i < count; i++)
	{
		PartScan	part = {0};

		begin_part(&part, &parts[i], AEVON_LOG_STAMP, SnapshotAny, NULL, 0);
		if (index_getnext_slot(part.scan, BackwardScanDirection, part.slot))
		{
			AevonLogRow row;

			aevon_log_row_read(&row, part.slot);
			greatest = Max(greatest, row.stamp);
		}
		end_part(&part);
	}
	return greatest;
}

static AevonLogScan *
begin_scan(Snapshot snapshot, AevonLogIndex index, ScanKey keys, int nkeys)
{
	AevonLogScan *scan = palloc0(sizeof(AevonLogScan));
	const AevonLogPart *parts;

	parts = aevon_log_parts(&scan->count);
	scan->snapshot = snapshot;
	scan->context = CurrentMemoryContext;
	scan->by_stamp = index == AEVON_LOG_STAMP;
	scan->nkeys = nkeys;
	memcpy(scan->keys, keys, nkeys * sizeof(ScanKeyData));
	scan->parts = palloc0(scan->count * sizeof(PartScan));
	for (int i = 0; i < scan->count; i++)
		begin_part(&scan->parts[i], &parts[i], index, snapshot, keys, nkeys);
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
	prefetch_rows(BufferGetPage(batch->buffer), tids, count);
	for (int i = 0; i < count; i++)
	{
		HeapTuple	row = &batch->rows[batch->count];

		if (fetch_row(part, snapshot, &tids[i], row) &&
			(places == NULL || aevon_log_columns(row)->stamp == places[i].stamp))
			batch->count++;
	}
	LockBuffer(batch->buffer, BUFFER_LOCK_UNLOCK);
	pgstat_count_heap_fetch(part->heap);
}

/* Waiting for memory row by row would be most of what fetching them costs. */
static void
prefetch_rows(Page page, const ItemPointerData *tids, int count)
{
	OffsetNumber last = PageGetMaxOffsetNumber(page);

	for (int i = 0; i < count; i++)
	{
		OffsetNumber number = ItemPointerGetOffsetNumber(&tids[i]);

		if (number <= last)
			__builtin_prefetch((char *) page + ItemIdGetOffset(PageGetItemId(page, number)));
	}
}

/*
 * heap_hot_search_buffer, less what it does for a row that needs no second
 * look: one never updated, of a transaction that the snapshot is known to see.
 */
static bool
fetch_row(PartScan *part, Snapshot snapshot, const ItemPointerData *place, HeapTuple row)
{
	Batch	   *batch = part->batch;
	Page		page = BufferGetPage(batch->buffer);
	OffsetNumber number = ItemPointerGetOffsetNumber(place);
	ItemPointerData tid = *place;

	if (number <= PageGetMaxOffsetNumber(page) && !IsolationIsSerializable() &&
		ItemIdIsNormal(PageGetItemId(page, number)))
	{
		ItemId		item = PageGetItemId(page, number);
		HeapTupleHeader header = (HeapTupleHeader) PageGetItem(page, item);

		if ((header->t_infomask & PLAIN_MASK) == PLAIN_ROW &&
			!HeapTupleHeaderIsHeapOnly(header) &&
			HeapTupleHeaderGetRawXmin(header) == batch->seen_xmin)
		{
			row->t_data = header;
			row->t_len = ItemIdGetLength(item);
			row->t_tableOid = RelationGetRelid(part->heap);
			row->t_self = *place;
			return true;
		}
	}
	if (!heap_hot_search_buffer(&tid, part->heap, batch->buffer, snapshot, row, NULL, true))
		return false;
	if ((row->t_data->t_infomask & PLAIN_MASK) == PLAIN_ROW)
		batch->seen_xmin = HeapTupleHeaderGetRawXmin(row->t_data);
	return true;
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
	const AevonLogColumns *columns =
	aevon_log_columns(ExecFetchSlotHeapTuple(part->slot, false, NULL));

	return scan->by_stamp ? columns->stamp : columns->occurred_at;
}
