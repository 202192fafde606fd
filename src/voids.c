/*
 * voids.c
 *		Corrections: which events do not count.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_collation.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "voids.h"

struct AevonVoids
{
	MemoryContext home;			/* what a scan allocates lives as long as it */
	Snapshot	snapshot;
	Relation	heap;
	Relation	key;			/* the primary key's index */
	IndexScanDesc scan;			/* by it */
	TupleTableSlot *slot;
	AevonVoidRange beside;		/* what is gone along: */
	Relation	time_index;		/* of time_order; NULL: nothing was yet */
	AevonVoidOrder time_order;
	IndexScanDesc time_scan;
	TupleTableSlot *time_slot;
	bool		begun;
	bool		exhausted;
	TimestampTz next;			/* its next void's event's time */
};

/* The index that has an order, and its columns. */
static const struct
{
	AevonRelation index;
	bool		keyed;			/* by tenant or principal first */
	bool		by_time;		/* then by a time, not a stamp */
}			orders[] = {
	[AEVON_VOIDS_BY_STAMP] = {AEVON_VOIDS_STAMP, false, false},
	[AEVON_VOIDS_BY_EVENT_STAMP] = {AEVON_VOIDS_EVENT_STAMP, false, false},
	[AEVON_VOIDS_OF_PRINCIPAL] = {AEVON_VOIDS_PRINCIPAL, true, true},
	[AEVON_VOIDS_OF_TENANT] = {AEVON_VOIDS_TENANT, true, true},
	[AEVON_VOIDS_OF_PRINCIPAL_BY_STAMP] = {AEVON_VOIDS_PRINCIPAL_STAMP, true, false},
	[AEVON_VOIDS_OF_TENANT_BY_STAMP] = {AEVON_VOIDS_TENANT_STAMP, true, false},
	[AEVON_VOIDS_OF_PRINCIPAL_BY_TIME] = {AEVON_VOIDS_PRINCIPAL_TIME, true, true},
	[AEVON_VOIDS_OF_TENANT_BY_TIME] = {AEVON_VOIDS_TENANT_TIME, true, true},
};

static int	make_keys(const AevonVoidRange *range, ScanKey keys);
static void begin_beside(AevonVoids *voids);
static void end_beside(AevonVoids *voids);
static void advance_beside(AevonVoids *voids);
static bool is_of(TupleTableSlot *slot, const AevonLogRow *row);
static bool any_visible(Relation heap, Snapshot snapshot, int32 tenant_key);
static void read_void(TupleTableSlot *slot, AevonVoid *out);

AevonVoids *
aevon_voids_open(Snapshot snapshot, int32 tenant_key)
{
	Relation	heap = table_open(aevon_catalog_oid(AEVON_VOIDS), AccessShareLock);
	AevonVoids *voids;

	if (RelationGetNumberOfBlocks(heap) == 0 || !any_visible(heap, snapshot, tenant_key))
	{
		table_close(heap, AccessShareLock);
		return NULL;
	}
	voids = palloc0(sizeof(AevonVoids));
	voids->home = CurrentMemoryContext;
	voids->snapshot = snapshot;
	voids->heap = heap;
	voids->key = index_open(aevon_catalog_oid(AEVON_VOIDS_KEY), AccessShareLock);
	voids->scan = index_beginscan(heap, voids->key, snapshot, 2, 0);
	voids->slot = table_slot_create(heap, NULL);
	return voids;
}

void
aevon_voids_close(AevonVoids *voids)
{
	if (voids == NULL)
		return;
	end_beside(voids);
	index_endscan(voids->scan);
	ExecDropSingleTupleTableSlot(voids->slot);
	index_close(voids->key, AccessShareLock);
	table_close(voids->heap, AccessShareLock);
	pfree(voids);
}

bool
aevon_voids_find(AevonVoids *voids, const AevonLogRow *row, AevonVoid *found)
{
	MemoryContext outer;
	ScanKeyData keys[2];
	bool		isnull;
	bool		any;

	if (voids == NULL)
		return false;
	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(row->principal_key));
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_TEXTEQ,
				slot_getattr(row->slot, Anum_event_log_event_id, &isnull));
	keys[1].sk_collation = C_COLLATION_OID;
	outer = MemoryContextSwitchTo(voids->home);
	index_rescan(voids->scan, keys, 2, NULL, 0);
	any = index_getnext_slot(voids->scan, ForwardScanDirection, voids->slot);
	MemoryContextSwitchTo(outer);
	if (any)
		read_void(voids->slot, found);
	return any;
}

char *
aevon_voids_reason(const AevonVoids *voids)
{
	bool		isnull;

	return TextDatumGetCString(slot_getattr(voids->slot, Anum_voids_reason, &isnull));
}

char *
aevon_voids_author(const AevonVoids *voids)
{
	bool		isnull;

	return TextDatumGetCString(slot_getattr(voids->slot, Anum_voids_voided_by, &isnull));
}

void
aevon_voids_visit(AevonVoids *voids, const AevonVoidRange *range, AevonVoidVisitor visitor,
				  void *context)
{
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	ScanKeyData keys[3];
	int			nkeys;
	AevonVoid	found;

	if (voids == NULL)
		return;
	nkeys = make_keys(range, keys);
	index = index_open(aevon_catalog_oid(orders[range->order].index), AccessShareLock);
	slot = table_slot_create(voids->heap, NULL);
	scan = index_beginscan(voids->heap, index, voids->snapshot, nkeys, 0);
	index_rescan(scan, keys, nkeys, NULL, 0);
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		read_void(slot, &found);
		visitor(context, &found);
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
}

AevonVoidRange
aevon_voids_range_by_time(int32 tenant_key, int32 principal_key, int64 from, int64 until)
{
	AevonVoidRange range = {AEVON_VOIDS_OF_TENANT_BY_TIME, tenant_key, from, until};

	if (principal_key > 0)
	{
		range.order = AEVON_VOIDS_OF_PRINCIPAL_BY_TIME;
		range.key = principal_key;
	}
	return range;
}

void
aevon_voids_go_beside(AevonVoids *voids, const AevonVoidRange *range)
{
	if (voids == NULL)
		return;
	voids->beside = *range;
	voids->begun = false;
}

bool
aevon_voids_find_beside(AevonVoids *voids, const AevonLogRow *row, AevonVoid *found)
{
	MemoryContext outer;

	if (voids == NULL)
		return false;
	outer = MemoryContextSwitchTo(voids->home);
	/* only now: many a range has no event */
	if (!voids->begun)
		begin_beside(voids);
	while (!voids->exhausted && voids->next < row->occurred_at)
		advance_beside(voids);
	MemoryContextSwitchTo(outer);
	if (voids->exhausted || voids->next != row->occurred_at)
		return false;
	if (!is_of(voids->time_slot, row))
		return aevon_voids_find(voids, row, found);
	read_void(voids->time_slot, found);
	return true;
}

static int
make_keys(const AevonVoidRange *range, ScanKey keys)
{
	bool		by_time = orders[range->order].by_time;
	int			nkeys = 0;

	if (orders[range->order].keyed)
		ScanKeyInit(&keys[nkeys++], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(range->key));
	ScanKeyInit(&keys[nkeys], nkeys + 1, BTGreaterEqualStrategyNumber,
				by_time ? F_TIMESTAMPTZ_GE : F_INT8GE, Int64GetDatum(range->from));
	ScanKeyInit(&keys[nkeys + 1], nkeys + 1, BTLessStrategyNumber,
				by_time ? F_TIMESTAMPTZ_LT : F_INT8LT, Int64GetDatum(range->until));
	return nkeys + 2;
}

static void
begin_beside(AevonVoids *voids)
{
	ScanKeyData keys[3];
	int			nkeys = make_keys(&voids->beside, keys);

	if (voids->time_index != NULL && voids->time_order != voids->beside.order)
		end_beside(voids);
	if (voids->time_index == NULL)
	{
		voids->time_order = voids->beside.order;
		voids->time_index = index_open(aevon_catalog_oid(orders[voids->beside.order].index),
									   AccessShareLock);
		voids->time_slot = table_slot_create(voids->heap, NULL);
		voids->time_scan = index_beginscan(voids->heap, voids->time_index, voids->snapshot,
										   nkeys, 0);
	}
	index_rescan(voids->time_scan, keys, nkeys, NULL, 0);
	voids->begun = true;
	voids->exhausted = false;
	advance_beside(voids);
}

static void
end_beside(AevonVoids *voids)
{
	if (voids->time_index == NULL)
		return;
	index_endscan(voids->time_scan);
	ExecDropSingleTupleTableSlot(voids->time_slot);
	index_close(voids->time_index, AccessShareLock);
	voids->time_index = NULL;
}

static void
advance_beside(AevonVoids *voids)
{
	bool		isnull;

	CHECK_FOR_INTERRUPTS();
	voids->exhausted = !index_getnext_slot(voids->time_scan, ForwardScanDirection,
										   voids->time_slot);
	if (!voids->exhausted)
		voids->next = DatumGetTimestampTz(slot_getattr(voids->time_slot,
													   Anum_voids_occurred_at, &isnull));
}

/* Is it the event's void? */
static bool
is_of(TupleTableSlot *slot, const AevonLogRow *row)
{
	bool		isnull;

	return DatumGetInt32(slot_getattr(slot, Anum_voids_principal_key, &isnull)) == row->principal_key &&
		DatumGetBool(DirectFunctionCall2Coll(texteq, C_COLLATION_OID,
											 slot_getattr(slot, Anum_voids_event_id, &isnull),
											 slot_getattr(row->slot, Anum_event_log_event_id,
														  &isnull)));
}

static bool
any_visible(Relation heap, Snapshot snapshot, int32 tenant_key)
{
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	ScanKeyData key;
	bool		found;

	index = index_open(aevon_catalog_oid(AEVON_VOIDS_TENANT), AccessShareLock);
	slot = table_slot_create(heap, NULL);
	scan = index_beginscan(heap, index, snapshot, tenant_key != 0 ? 1 : 0, 0);
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(tenant_key));
	index_rescan(scan, &key, tenant_key != 0 ? 1 : 0, NULL, 0);
	found = index_getnext_slot(scan, ForwardScanDirection, slot);
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
	return found;
}

static void
read_void(TupleTableSlot *slot, AevonVoid *out)
{
	bool		isnull;

	out->stamp = DatumGetInt64(slot_getattr(slot, Anum_voids_stamp, &isnull));
	out->voided_at = DatumGetTimestampTz(slot_getattr(slot, Anum_voids_voided_at, &isnull));
	out->event_stamp = DatumGetInt64(slot_getattr(slot, Anum_voids_event_stamp, &isnull));
	out->occurred_at = DatumGetTimestampTz(slot_getattr(slot, Anum_voids_occurred_at, &isnull));
	out->tenant_key = DatumGetInt32(slot_getattr(slot, Anum_voids_tenant_key, &isnull));
	out->principal_key = DatumGetInt32(slot_getattr(slot, Anum_voids_principal_key, &isnull));
}
