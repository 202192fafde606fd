/*
 * store.c
 *		The series, and their open minutes.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "json.h"
#include "store.h"
#include "storetable.h"

static int64 find_placed(AevonStore *store, const AevonSeries *series);
static bool is_totals(TupleTableSlot *slot, const AevonSeries *series);
static bool is_touched(AevonStore *store, AevonStoreTable *table, int64 series_key, int64 day);
static AevonStoreTable *series_table(AevonStore *store);
static AevonStoreTable *series_by_key(AevonStore *store);
static AevonStoreTable *indexed_series(AevonStore *store);
static AevonStoreTable *touched_table(AevonStore *store);
static bool hold_series(AevonStore *store, int64 series_key);
static bool find_by_key(AevonStore *store, int64 series_key);
static int64 note_found(AevonStore *store, TupleTableSlot *slot);
static void put_content(TupleTableSlot *slot, const AevonSeriesContent *content);
static void set_series_keys(ScanKey keys, const AevonSeriesRange *range);
static Datum digest_datum(const AevonDims *dims);

AevonStore *
aevon_store_open(Snapshot snapshot, bool for_writing)
{
	AevonStore *store = palloc0(sizeof(AevonStore));

	store->snapshot = snapshot;
	store->for_writing = for_writing;
	store->home = CurrentMemoryContext;
	store->scratch = AllocSetContextCreate(CurrentMemoryContext, "aevon bucket row",
										   ALLOCSET_DEFAULT_SIZES);
	store->counts = aevon_seriescount_open(snapshot);
	if (for_writing)
	{
		store->estate = CreateExecutorState();
		store->estate->es_snapshot = snapshot;
	}
	return store;
}

void
aevon_store_close(AevonStore *store)
{
	aevon_storetable_close(store, &store->series);
	aevon_storetable_close(store, &store->series_by_key);
	aevon_storetable_close(store, &store->touched);
	for (int i = 0; i < AEVON_TIER_COUNT; i++)
		aevon_storetable_close(store, &store->tiers[i]);
	if (store->estate != NULL)
		FreeExecutorState(store->estate);
	aevon_seriescount_close(store->counts);
	aevon_seriesplaces_free(store->places);
	if (store->opening != NULL)
		MemoryContextDelete(store->opening);
	MemoryContextDelete(store->scratch);
	pfree(store);
}

int64
aevon_store_find_series(AevonStore *store, const AevonSeries *series)
{
	AevonStoreTable *table = series_table(store);
	ScanKeyData keys[5];
	AevonSeriesRange range = {series->measure_key, series->tenant_key,
	series->dims ? series->dims->grouping : 0, series->subject_key};

	if (series->dims == NULL && aevon_seriesplaces_are_of(store->places, series->measure_key))
		return find_placed(store, series);
	store->found_key = 0;
	set_series_keys(keys, &range);
	ScanKeyInit(&keys[4], 5, BTEqualStrategyNumber, F_BYTEAEQ, digest_datum(series->dims));
	if (!aevon_storetable_find(store, table, keys, 5, ForwardScanDirection))
		return 0;
	return note_found(store, table->slot);
}

/* All places that the index had are known: if it is at none of them, it is not there. */
static int64
find_placed(AevonStore *store, const AevonSeries *series)
{
	AevonStoreTable *table = series_table(store);
	int			count;
	const AevonSeriesPlace *places = aevon_seriesplaces_find(store->places, series->subject_key,
															 &count);

	store->found_key = 0;
	for (int i = 0; i < count; i++)
	{
		if (aevon_storetable_fetch(store, table, &places[i].tid) && is_totals(table->slot, series))
			return note_found(store, table->slot);
	}
	return 0;
}

/* Another row may have come to where one was that nobody sees any more. */
static bool
is_totals(TupleTableSlot *slot, const AevonSeries *series)
{
	bool		isnull;

	return DatumGetInt32(slot_getattr(slot, Anum_series_measure_key, &isnull)) ==
		series->measure_key &&
		DatumGetInt32(slot_getattr(slot, Anum_series_tenant_key, &isnull)) == series->tenant_key &&
		DatumGetInt32(slot_getattr(slot, Anum_series_subject_key, &isnull)) ==
		series->subject_key &&
		DatumGetInt32(slot_getattr(slot, Anum_series_grouping, &isnull)) == 0;
}

void
aevon_store_expect_totals(AevonStore *store, int32 measure_key, int count)
{
	AevonStoreTable *table = indexed_series(store);
	MemoryContext outer;

	aevon_seriesplaces_free(store->places);
	outer = MemoryContextSwitchTo(store->home);
	store->places = aevon_seriesplaces_read(table->heap, table->index, store->snapshot,
											measure_key, count);
	MemoryContextSwitchTo(outer);
}

int64
aevon_store_find_totals(AevonStore *store, const AevonSeries *series, AevonPlaceOfRow *place,
						bool *lasting)
{
	int64		series_key = aevon_store_find_series(store, series);

	*lasting = false;
	if (series_key != 0)
	{
		HeapTuple	row = ExecFetchSlotHeapTuple(store->found, false, NULL);

		*lasting = HeapTupleHeaderXminFrozen(row->t_data) ||
			!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetRawXmin(row->t_data));
		*place = aevon_refetch_place(store->series.heap, &row->t_self);
	}
	return series_key;
}

bool
aevon_store_find_again(AevonStore *store, int64 series_key, AevonPlaceOfRow *place)
{
	AevonStoreTable *table = series_by_key(store);
	HeapTuple	row = &((BufferHeapTupleTableSlot *) table->slot)->base.tupdata;
	Buffer		buffer;

	/* the slot keeps the tuple, not a copy */
	store->found_key = 0;
	ExecClearTuple(table->slot);
	if (aevon_refetch_row(table->heap, place, store->snapshot, row, &buffer))
	{
		ExecStoreBufferHeapTuple(row, table->slot, buffer);
		ReleaseBuffer(buffer);
		if (note_found(store, table->slot) == series_key)
			return true;
		store->found_key = 0;
	}
	if (!find_by_key(store, series_key))
		return false;
	*place = aevon_refetch_place(table->heap, &table->slot->tts_tid);
	return true;
}

const bytea *
aevon_store_open_minutes(AevonStore *store, int64 series_key)
{
	Datum		minutes;
	bool		isnull;

	if (!hold_series(store, series_key))
		return NULL;
	minutes = slot_getattr(store->found, Anum_series_open_minutes, &isnull);
	return isnull ? NULL : DatumGetByteaPP(minutes);
}

int64
aevon_store_first_kept(AevonStore *store, int64 series_key, AevonTier tier)
{
	int32		day;
	bool		isnull;

	if (tier != AEVON_TIER_1H)
		return AEVON_WINDOW_MIN;
	if (!hold_series(store, series_key))
		return AEVON_WINDOW_MAX;
	day = DatumGetInt32(slot_getattr(store->found, Anum_series_hours_from, &isnull));
	if (day == AEVON_HOURS_NONE)
		return AEVON_WINDOW_MAX;
	if (day == AEVON_HOURS_ALL)
		return AEVON_WINDOW_MIN;
	return day * (aevon_tier_minutes(AEVON_TIER_1D) / aevon_tier_minutes(tier));
}

int64
aevon_store_closed_until(AevonStore *store, int64 series_key)
{
	bool		isnull;

	if (!hold_series(store, series_key))
		return AEVON_WINDOW_MIN;
	return DatumGetInt64(slot_getattr(store->found, Anum_series_closed_until, &isnull));
}

void
aevon_store_read_content(AevonStore *store, int64 series_key, AevonSeriesContent *content)
{
	bool		isnull;

	content->open_minutes = aevon_store_open_minutes(store, series_key);
	if (store->found_key != series_key)
		elog(ERROR, "series " INT64_FORMAT " is gone", series_key);
	content->touched.mask = (uint64)
		DatumGetInt64(slot_getattr(store->found, Anum_series_touched_mask, &isnull));
	content->touched.run =
		DatumGetInt64(slot_getattr(store->found, Anum_series_touched_run, &isnull));
	content->touched.day =
		DatumGetInt32(slot_getattr(store->found, Anum_series_touched_day, &isnull));
	content->closed_until = aevon_store_closed_until(store, series_key);
	content->hours_from =
		DatumGetInt32(slot_getattr(store->found, Anum_series_hours_from, &isnull));
}

void
aevon_store_replace_content(AevonStore *store, int64 series_key,
							const AevonSeriesContent *content)
{
	AevonStoreTable *table = series_table(store);
	TupleTableSlot *slot = table->new_slot;

	if (!hold_series(store, series_key))
		elog(ERROR, "series " INT64_FORMAT " is gone", series_key);
	slot_getallattrs(store->found);
	ExecClearTuple(slot);
	memcpy(slot->tts_values, store->found->tts_values, Natts_series * sizeof(Datum));
	memset(slot->tts_isnull, false, Natts_series * sizeof(bool));
	put_content(slot, content);
	ExecStoreVirtualTuple(slot);
	aevon_storetable_update(store, table, store->found);
}

int64
aevon_store_make_series(AevonStore *store, const AevonSeries *series,
						const AevonSeriesContent *content)
{
	AevonStoreTable *table = series_table(store);
	TupleTableSlot *slot = table->new_slot;
	int64		series_key = nextval_internal(aevon_catalog_oid(AEVON_SERIES_KEY_SEQ), false);

	ExecClearTuple(slot);
	memset(slot->tts_isnull, false, Natts_series * sizeof(bool));
	slot->tts_values[Anum_series_series_key - 1] = Int64GetDatum(series_key);
	slot->tts_values[Anum_series_measure_key - 1] = Int32GetDatum(series->measure_key);
	slot->tts_values[Anum_series_tenant_key - 1] = Int32GetDatum(series->tenant_key);
	slot->tts_values[Anum_series_subject_key - 1] = Int32GetDatum(series->subject_key);
	slot->tts_values[Anum_series_grouping - 1] =
		Int32GetDatum(series->dims ? (int32) series->dims->grouping : 0);
	slot->tts_values[Anum_series_dims_digest - 1] = digest_datum(series->dims);
	slot->tts_values[Anum_series_dims - 1] =
		JsonbPGetDatum(series->dims ? aevon_dims_values(series->dims) : aevon_json_empty());
	slot->tts_values[Anum_series_made_xmax - 1] = Int64GetDatum(series->made_xmax);
	put_content(slot, content);
	ExecStoreVirtualTuple(slot);
	aevon_storetable_insert(store, table);
	return series_key;
}

/* Whoever holds a checkpoint holds off runs of snapshots. */
int64
aevon_store_touched_run(AevonStore *store)
{
	LOCAL_FCINFO(call, 1);
	Datum		last;

	if (IsolationUsesXactSnapshot())
		return 0;
	if (store->touched_run == 0)
	{
		InitFunctionCallInfoData(*call, NULL, 1, InvalidOid, NULL, NULL);
		call->args[0].value = ObjectIdGetDatum(aevon_catalog_oid(AEVON_TOUCHED_RUN_SEQ));
		call->args[0].isnull = false;
		last = pg_sequence_last_value(call);
		/* none yet: as good a number as any that is not used */
		store->touched_run = call->isnull ? -1 : DatumGetInt64(last);
	}
	return store->touched_run;
}

bool
aevon_store_has_combination(AevonStore *store, AevonDims *dims)
{
	AevonSeries series = {dims->measure->measure_key, dims->tenant_key, -dims->tenant_key, dims};

	if (dims->member < 0)
	{
		bool		isnull;

		dims->member = aevon_store_find_series(store, &series) != 0;
		if (dims->member)
			dims->made_xmax = DatumGetInt64(slot_getattr(store->found,
														 Anum_series_made_xmax, &isnull));
	}
	return dims->member;
}

AevonDims *
aevon_store_effective_dims(AevonStore *store, AevonDimsTable *table, AevonDims *dims)
{
	if (dims == NULL || dims->other ||
		!aevon_store_series_count(store, dims->measure, dims->tenant_key)->full ||
		aevon_store_has_combination(store, dims))
		return dims;
	return aevon_dims_other(table, dims->measure, dims->tenant_key, dims->grouping);
}

AevonSeriesCount *
aevon_store_series_count(AevonStore *store, const AevonMeasure *measure, int32 tenant_key)
{
	return aevon_seriescount_get(store->counts, measure->measure_key, tenant_key);
}

void
aevon_store_save_series_counts(AevonStore *store)
{
	aevon_seriescount_save(store->counts);
}

AevonDims *
aevon_store_effective_dims_at(AevonStore *store, AevonDimsTable *table, AevonDims *dims,
							  int64 xmax)
{
	if (dims == NULL || dims->other ||
		(aevon_store_has_combination(store, dims) && dims->made_xmax <= xmax))
		return dims;
	return aevon_dims_other(table, dims->measure, dims->tenant_key, dims->grouping);
}

void
aevon_store_list_series(AevonStore *store, const AevonSeriesRange *range,
						AevonSeriesVisitor visitor, void *context)
{
	AevonStoreTable *table = indexed_series(store);
	int			nkeys = range->subject_key != 0 ? 4 : 3;
	IndexScanDesc scan = index_beginscan(table->heap, table->index, store->snapshot, nkeys, 0);
	TupleTableSlot *slot = table_slot_create(table->heap, NULL);
	ScanKeyData keys[4];
	bool		isnull;

	/* a scan of its own: how many keys one has is fixed when it begins */
	set_series_keys(keys, range);
	index_rescan(scan, keys, nkeys, NULL, 0);
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		visitor(context, DatumGetInt64(slot_getattr(slot, Anum_series_series_key, &isnull)),
				DatumGetInt32(slot_getattr(slot, Anum_series_subject_key, &isnull)),
				DatumGetJsonbP(slot_getattr(slot, Anum_series_dims, &isnull)),
				DatumGetByteaPP(slot_getattr(slot, Anum_series_dims_digest, &isnull)));
	}
	ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
}

int
aevon_store_count_series(AevonStore *store, const AevonSeriesRange *range, int limit)
{
	AevonStoreTable *table = indexed_series(store);
	int			nkeys = range->subject_key != 0 ? 4 : 3;
	IndexScanDesc scan = index_beginscan(table->heap, table->index, store->snapshot, nkeys, 0);
	ScanKeyData keys[4];
	int			count = 0;

	set_series_keys(keys, range);
	index_rescan(scan, keys, nkeys, NULL, 0);
	while (count < limit && index_getnext_tid(scan, ForwardScanDirection) != NULL)
		count++;
	index_endscan(scan);
	return count;
}

void
aevon_store_touch(AevonStore *store, int64 series_key, int64 day)
{
	AevonStoreTable *table = touched_table(store);
	TupleTableSlot *slot = table->new_slot;

	if (is_touched(store, table, series_key, day))
		return;
	ExecClearTuple(slot);
	memset(slot->tts_isnull, false, Natts_touched_days * sizeof(bool));
	slot->tts_values[Anum_touched_days_series_key - 1] = Int64GetDatum(series_key);
	slot->tts_values[Anum_touched_days_day - 1] = Int32GetDatum((int32) day);
	ExecStoreVirtualTuple(slot);
	aevon_storetable_insert(store, table);
}

static bool
is_touched(AevonStore *store, AevonStoreTable *table, int64 series_key, int64 day)
{
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(series_key));
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum((int32) day));
	return aevon_storetable_find(store, table, keys, 2, ForwardScanDirection);
}

static AevonStoreTable *
series_table(AevonStore *store)
{
	static const AevonStoreRelation relation = {AEVON_SERIES, AEVON_SERIES_SUBJECT, 5};

	return aevon_storetable_open(store, &store->series, &relation);
}

static AevonStoreTable *
series_by_key(AevonStore *store)
{
	static const AevonStoreRelation relation = {AEVON_SERIES, AEVON_SERIES_PKEY, 1};

	return aevon_storetable_open(store, &store->series_by_key, &relation);
}

/* With its index open, for scans of one's own. */
static AevonStoreTable *
indexed_series(AevonStore *store)
{
	AevonStoreTable *table = series_table(store);

	aevon_storetable_open_index(store, table);
	return table;
}

static AevonStoreTable *
touched_table(AevonStore *store)
{
	static const AevonStoreRelation relation = {AEVON_TOUCHED_DAYS, AEVON_TOUCHED_DAYS_KEY, 2};

	return aevon_storetable_open(store, &store->touched, &relation);
}

/* Have the row of a series in store->found; false: there is none. */
static bool
hold_series(AevonStore *store, int64 series_key)
{
	return series_key != 0 && (store->found_key == series_key || find_by_key(store, series_key));
}

static bool
find_by_key(AevonStore *store, int64 series_key)
{
	AevonStoreTable *table = series_by_key(store);
	ScanKeyData key;

	store->found_key = 0;
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(series_key));
	if (!aevon_storetable_find(store, table, &key, 1, ForwardScanDirection))
		return false;
	note_found(store, table->slot);
	return true;
}

/* The key of the series whose row is in the slot. */
static int64
note_found(AevonStore *store, TupleTableSlot *slot)
{
	bool		isnull;

	store->found = slot;
	store->found_key = DatumGetInt64(slot_getattr(slot, Anum_series_series_key, &isnull));
	return store->found_key;
}

static void
put_content(TupleTableSlot *slot, const AevonSeriesContent *content)
{
	slot->tts_values[Anum_series_touched_mask - 1] = Int64GetDatum((int64) content->touched.mask);
	slot->tts_values[Anum_series_touched_run - 1] = Int64GetDatum(content->touched.run);
	slot->tts_values[Anum_series_touched_day - 1] = Int32GetDatum(content->touched.day);
	slot->tts_values[Anum_series_closed_until - 1] = Int64GetDatum(content->closed_until);
	slot->tts_values[Anum_series_hours_from - 1] = Int32GetDatum(content->hours_from);
	slot->tts_values[Anum_series_open_minutes - 1] = PointerGetDatum(content->open_minutes);
	slot->tts_isnull[Anum_series_open_minutes - 1] = content->open_minutes == NULL;
}

/* The first four columns of the index. */
static void
set_series_keys(ScanKey keys, const AevonSeriesRange *range)
{
	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(range->measure_key));
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(range->tenant_key));
	ScanKeyInit(&keys[2], 3, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum((int32) range->grouping));
	ScanKeyInit(&keys[3], 4, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(range->subject_key));
}

static Datum
digest_datum(const AevonDims *dims)
{
	int			length = 0;
	const uint8 *bytes = dims ? aevon_dims_digest(dims, &length) : NULL;
	bytea	   *digest = palloc(VARHDRSZ + length);

	SET_VARSIZE(digest, VARHDRSZ + length);
	if (length > 0)
		memcpy(VARDATA(digest), bytes, length);
	return PointerGetDatum(digest);
}
