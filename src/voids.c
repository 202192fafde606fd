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
};

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
	voids = palloc(sizeof(AevonVoids));
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
	static const AevonRelation indexes[] = {
		AEVON_VOIDS_STAMP, AEVON_VOIDS_EVENT_STAMP, AEVON_VOIDS_PRINCIPAL, AEVON_VOIDS_TENANT,
		AEVON_VOIDS_TENANT_STAMP
	};
	bool		by_time = range->order == AEVON_VOIDS_OF_PRINCIPAL ||
	range->order == AEVON_VOIDS_OF_TENANT;
	bool		keyed = by_time || range->order == AEVON_VOIDS_OF_TENANT_BY_STAMP;
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	ScanKeyData keys[3];
	int			nkeys = 0;
	AevonVoid	found;

	if (voids == NULL)
		return;
	if (keyed)
		ScanKeyInit(&keys[nkeys++], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(range->key));
	ScanKeyInit(&keys[nkeys], nkeys + 1, BTGreaterEqualStrategyNumber,
				by_time ? F_TIMESTAMPTZ_GE : F_INT8GE, Int64GetDatum(range->from));
	ScanKeyInit(&keys[nkeys + 1], nkeys + 1, BTLessStrategyNumber,
				by_time ? F_TIMESTAMPTZ_LT : F_INT8LT, Int64GetDatum(range->until));
	nkeys += 2;

	index = index_open(aevon_catalog_oid(indexes[range->order]), AccessShareLock);
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
