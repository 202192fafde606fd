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
	Oid			log;
	int			count;
	AevonLogPart *parts;
}			part_cache;

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

typedef struct PartScan
{
	Relation	heap;
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	bool		started;
	bool		exhausted;
} PartScan;

struct AevonLogScan
{
	MemoryContext context;		/* index scans keep in it what they allocate
								 * on the way */
	bool		by_stamp;		/* parts are merged by this, or by time */
	int			count;
	int			current;		/* the part that gave the last row */
	PartScan   *parts;
	int			nkeys;
	ScanKeyData keys[3];		/* by time: subject, since, until */
};

static AevonLogScan *begin_scan(Snapshot snapshot, AevonLogIndex index, ScanKey keys, int nkeys);
static void begin_part(PartScan *part, const AevonLogPart *where, AevonLogIndex index,
					   Snapshot snapshot, ScanKey keys, int nkeys);
static void end_part(PartScan *part);
static bool advance(PartScan *part);
static PartScan *next_part(AevonLogScan *scan);
static int64 place_in_order(const AevonLogScan *scan, const PartScan *part);
static const FixedColumns *fixed_columns(TupleTableSlot *slot);
static const char *data_column(TupleTableSlot *slot);
static void load_parts(void);
static void load_part(Oid oid, AevonLogPart *part);
static AevonLogIndex index_kind(Relation index);
static bool indexes_key(Relation index);
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

	ScanKeyInit(&keys[0], 1, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(from));
	ScanKeyInit(&keys[1], 1, BTLessStrategyNumber, F_INT8LT, Int64GetDatum(until));
	return begin_scan(snapshot, AEVON_LOG_STAMP, keys, 2);
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
	part = next_part(scan);
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
		part->exhausted = !index_getnext_slot(part->scan, ForwardScanDirection, part->slot);
	return !part->exhausted;
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

/* Is it an index on aevon.event_key()? */
static bool
indexes_key(Relation index)
{
	List	   *expressions = RelationGetIndexExpressions(index);
	FuncExpr   *call = expressions != NIL ? linitial(expressions) : NULL;

	return call != NULL && IsA(call, FuncExpr) &&
		get_func_namespace(call->funcid) == RelationGetNamespace(index) &&
		strcmp(get_func_name(call->funcid), "event_key") == 0;
}

static int
compare_parts(const void *a, const void *b)
{
	return ((const AevonLogPart *) a)->number - ((const AevonLogPart *) b)->number;
}

static void
forget_parts(Datum argument, Oid relid)
{
	if (!OidIsValid(relid) || relid == part_cache.log)
	{
		part_cache.valid = false;
		return;
	}
	for (int i = 0; i < part_cache.count; i++)
	{
		if (part_cache.parts[i].oid == relid)
			part_cache.valid = false;
	}
}
