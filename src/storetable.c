/*
 * storetable.c
 *		A table of the store: rows found by its index, and written, straight
 *		through the access methods.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"

#include "storetable.h"

AevonStoreTable *
aevon_storetable_open(AevonStore *store, AevonStoreTable *table,
					  const AevonStoreRelation *relation)
{
	LOCKMODE	lock = store->for_writing ? RowExclusiveLock : AccessShareLock;
	MemoryContext outer;

	if (table->heap != NULL)
		return table;
	outer = MemoryContextSwitchTo(store->home);
	table->relation = relation;
	table->heap = table_open(aevon_catalog_oid(relation->heap), lock);
	table->slot = table_slot_create(table->heap, NULL);
	if (store->for_writing)
	{
		table->new_slot = table_slot_create(table->heap, NULL);
		table->target = makeNode(ResultRelInfo);
		InitResultRelInfo(table->target, table->heap, 0, NULL, 0);
		ExecOpenIndices(table->target, false);
	}
	MemoryContextSwitchTo(outer);
	return table;
}

/* Locks stay until the transaction's end. */
void
aevon_storetable_close(AevonStore *store, AevonStoreTable *table)
{
	if (table->heap == NULL)
		return;
	if (table->fetch != NULL)
		table_index_fetch_end(table->fetch);
	if (table->scan != NULL)
	{
		index_endscan(table->scan);
		index_close(table->index, NoLock);
	}
	ExecDropSingleTupleTableSlot(table->slot);
	if (store->for_writing)
	{
		ExecDropSingleTupleTableSlot(table->new_slot);
		ExecCloseIndices(table->target);
	}
	table_close(table->heap, NoLock);
}

AevonStoreTable *
aevon_storetable_tier(AevonStore *store, AevonTier tier)
{
	static const AevonStoreRelation relations[AEVON_TIER_COUNT] = {
		[AEVON_TIER_1M] = {AEVON_BUCKETS_1M, AEVON_BUCKETS_1M_KEY, 3},
		[AEVON_TIER_1H] = {AEVON_BUCKETS_1H, AEVON_BUCKETS_1H_KEY, 3},
		[AEVON_TIER_1D] = {AEVON_BUCKETS_1D, AEVON_BUCKETS_1D_KEY, 3},
	};

	return aevon_storetable_open(store, &store->tiers[tier], &relations[tier]);
}

bool
aevon_storetable_find(AevonStore *store, AevonStoreTable *table, ScanKey keys, int nkeys,
					  ScanDirection direction)
{
	aevon_storetable_open_index(store, table);
	index_rescan(table->scan, keys, nkeys, NULL, 0);
	return aevon_storetable_next(store, table, direction);
}

void
aevon_storetable_open_index(AevonStore *store, AevonStoreTable *table)
{
	LOCKMODE	lock = store->for_writing ? RowExclusiveLock : AccessShareLock;
	MemoryContext outer;

	if (table->scan != NULL)
		return;
	outer = MemoryContextSwitchTo(store->home);
	table->index = index_open(aevon_catalog_oid(table->relation->index), lock);
	table->scan = index_beginscan(table->heap, table->index, store->snapshot,
								  table->relation->nkeys, 0);
	MemoryContextSwitchTo(outer);
}

/* An index scan allocates as it goes what it frees at its end. */
bool
aevon_storetable_next(AevonStore *store, AevonStoreTable *table, ScanDirection direction)
{
	MemoryContext outer = MemoryContextSwitchTo(store->home);
	bool		found = index_getnext_slot(table->scan, direction, table->slot);

	MemoryContextSwitchTo(outer);
	return found;
}

bool
aevon_storetable_fetch(AevonStore *store, AevonStoreTable *table, const ItemPointerData *place)
{
	ItemPointerData tid = *place;
	bool		call_again = false;

	if (table->fetch == NULL)
	{
		MemoryContext outer = MemoryContextSwitchTo(store->home);

		table->fetch = table_index_fetch_begin(table->heap);
		MemoryContextSwitchTo(outer);
	}
	return table_index_fetch_tuple(table->fetch, &tid, store->snapshot, table->slot,
								   &call_again, NULL);
}

bool
aevon_storetable_find_row(AevonStore *store, AevonStoreTable *table, const AevonRowRange *range)
{
	ScanKeyData keys[3];

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(range->series_key));
	ScanKeyInit(&keys[1], 2, BTLessEqualStrategyNumber, F_INT8LE, Int64GetDatum(range->at_most));
	/* the index drops a key that says the same again */
	keys[2] = keys[1];
	if (range->at_least != AEVON_WINDOW_MIN)
		ScanKeyInit(&keys[2], 2, BTGreaterEqualStrategyNumber, F_INT8GE,
					Int64GetDatum(range->at_least));
	return aevon_storetable_find(store, table, keys, 3, BackwardScanDirection);
}

int64
aevon_storetable_first_window(AevonStoreTable *table)
{
	bool		isnull;

	return DatumGetInt64(slot_getattr(table->slot, Anum_buckets_first_window, &isnull));
}

const bytea *
aevon_storetable_state(AevonStoreTable *table)
{
	bool		isnull;

	return DatumGetByteaPP(slot_getattr(table->slot, Anum_buckets_state, &isnull));
}

void
aevon_storetable_update(AevonStore *store, AevonStoreTable *table, TupleTableSlot *found)
{
	bool		update_indexes;

	if (table->target->ri_TrigDesc != NULL)
	{
		EPQState	epq;

		EvalPlanQualInit(&epq, store->estate, NULL, NIL, -1);
		ExecSimpleRelationUpdate(table->target, store->estate, &epq, found,
								 table->new_slot);
		EvalPlanQualEnd(&epq);
	}
	else
	{
		simple_table_tuple_update(table->heap, &found->tts_tid, table->new_slot,
								  store->snapshot, &update_indexes);
		if (update_indexes)
			list_free(ExecInsertIndexTuples(table->target, table->new_slot, store->estate, true,
											false, NULL, NIL));
	}
	ResetPerTupleExprContext(store->estate);
}

void
aevon_storetable_insert(AevonStore *store, AevonStoreTable *table)
{
	ExecSimpleRelationInsert(table->target, store->estate, table->new_slot);
	ResetPerTupleExprContext(store->estate);
}
