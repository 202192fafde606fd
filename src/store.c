/*
 * store.c
 *		The bucket tables: series, and their packed minutes, hours and days.
 *
 * Rows are found and written straight through the index and the table access
 * method, not through SPI: a sweep or a read touches many, each by key, and
 * the executor would cost more than the row.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "commands/sequence.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "catalog.h"
#include "json.h"
#include "store.h"

typedef struct StoreTable
{
	Relation	heap;
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;		/* what was found */
	TupleTableSlot *new_slot;	/* what is written */
	ResultRelInfo *target;		/* writers only */
} StoreTable;

/* How a row is written. */
typedef struct Writing
{
	bool		appended;		/* it grew at its end only */
	bool		is_last;		/* of its series */
	MemoryContext outer;		/* of what is closed */
} Writing;

struct AevonStore
{
	Snapshot	snapshot;
	bool		for_writing;
	EState	   *estate;			/* writers only */
	MemoryContext home;			/* of what lives as long as the store */
	MemoryContext scratch;		/* of one row */
	AevonSeriesCounts *counts;
	MemoryContext opening;		/* of one visit; NULL: none yet */
	StoreTable	series;			/* opened at first use */
	StoreTable	touched;		/* writers only */
	StoreTable	tiers[AEVON_TIER_COUNT];	/* opened at first use */
};

/* What a series' last row of minutes holds of a window of a coarser tier. */
typedef struct OpenWindow
{
	int64		window;
	bool		divided;		/* to be given without a state */
	AevonPartial partial;
} OpenWindow;

typedef struct OpenRow
{
	int			count;
	OpenWindow	windows[FLEXIBLE_ARRAY_MEMBER];
} OpenRow;

static bool is_touched(AevonStore *store, int64 series_key, int64 day);
static void open_table(AevonStore *store, StoreTable *table, AevonRelation heap,
					   AevonRelation index, int nkeys);
static void close_table(AevonStore *store, StoreTable *table);
static StoreTable *series_table(AevonStore *store);
static void set_series_keys(ScanKey keys, const AevonSeriesRange *range);
static Datum digest_datum(const AevonDims *dims);
static StoreTable *tier_table(AevonStore *store, AevonTier tier);
static bool find_row(AevonStore *store, StoreTable *table, int64 series_key, int64 at_most);
static bool next_row(AevonStore *store, StoreTable *table, ScanDirection direction);
static int64 row_first_window(StoreTable *table);
static const bytea *row_state(StoreTable *table);
static void visit_tier(AevonStore *store, const AevonVisit *visit, OpenRow *open,
					   AevonStateVisitor visitor, void *context);
static void visit_row(const bytea *state, const AevonVisit *visit, OpenRow *open,
					  AevonStateVisitor visitor, void *context);
static OpenRow *read_open_row(AevonStore *store, const AevonVisit *visit);
static bool is_taken_whole(const AevonVisit *visit, int64 first, int64 last);
static void open_windows(AevonPackedReader *row, const AevonVisit *visit, OpenRow *open);
static OpenWindow *find_open(OpenRow *open, int64 window);
static bool any_divided(const OpenRow *open, int64 first, int64 last);
static bool is_cut(const AevonVisit *visit, AevonSpan *span, int64 window);
static bool is_except(const AevonVisit *visit, int64 first, int64 last);
static int64 find_place(AevonStore *store, StoreTable *table, int64 series_key, int64 window,
						int64 *first_window);
static int64 bound_after(AevonStore *store, StoreTable *table, int64 series_key, int64 first);
static bool append_states(AevonStore *store, const AevonSeriesTier *where, int64 first_window,
						  const AevonWindowState *states, int count);
static void close_states(AevonClosing *closing, const AevonWindowState *states, int count);
static void close_entries(AevonClosing *closing, const AevonPacked *packed, int from, int count);
static AevonWindowState *add_closing(AevonClosing *closing);
static int	write_packed(AevonStore *store, const AevonSeriesTier *where, int64 first_window,
						 const AevonPacked *packed, Writing how);
static int	encode_fitting(const AevonPacked *packed, int at, bool appended, bytea **state);
static void write_row(AevonStore *store, StoreTable *table, int64 series_key,
					  int64 first_window, bytea *state, bool update);
static void update_row(AevonStore *store, StoreTable *table);
static void insert_row(AevonStore *store, StoreTable *table);

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
	if (for_writing)
		open_table(store, &store->touched, AEVON_TOUCHED_DAYS, AEVON_TOUCHED_DAYS_KEY, 2);
	if (for_writing)
		(void) series_table(store);
	return store;
}

void
aevon_store_close(AevonStore *store)
{
	if (store->series.heap != NULL)
		close_table(store, &store->series);
	if (store->for_writing)
		close_table(store, &store->touched);
	for (int i = 0; i < AEVON_TIER_COUNT; i++)
	{
		if (store->tiers[i].heap != NULL)
			close_table(store, &store->tiers[i]);
	}
	if (store->estate != NULL)
		FreeExecutorState(store->estate);
	aevon_seriescount_close(store->counts);
	MemoryContextDelete(store->scratch);
	pfree(store);
}

int64
aevon_store_find_series(AevonStore *store, const AevonSeries *series)
{
	StoreTable *table = series_table(store);
	ScanKeyData keys[5];
	AevonSeriesRange range = {series->measure_key, series->tenant_key,
	series->dims ? series->dims->grouping : 0, series->subject_key};
	bool		isnull;

	set_series_keys(keys, &range);
	ScanKeyInit(&keys[4], 5, BTEqualStrategyNumber, F_BYTEAEQ, digest_datum(series->dims));
	index_rescan(table->scan, keys, 5, NULL, 0);
	if (!next_row(store, table, ForwardScanDirection))
		return 0;
	return DatumGetInt64(slot_getattr(table->slot, Anum_series_series_key, &isnull));
}

int64
aevon_store_find_totals(AevonStore *store, const AevonSeries *series, bool *lasting)
{
	int64		series_key = aevon_store_find_series(store, series);

	*lasting = false;
	if (series_key != 0)
	{
		HeapTuple	row = ExecFetchSlotHeapTuple(store->series.slot, false, NULL);

		*lasting = HeapTupleHeaderXminFrozen(row->t_data) ||
			!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetRawXmin(row->t_data));
	}
	return series_key;
}

int64
aevon_store_make_series(AevonStore *store, const AevonSeries *series, bool *made)
{
	int64		series_key = aevon_store_find_series(store, series);
	TupleTableSlot *slot = store->series.new_slot;

	*made = series_key == 0;
	if (series_key != 0)
		return series_key;
	series_key = nextval_internal(aevon_catalog_oid(AEVON_SERIES_KEY_SEQ), false);

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
	ExecStoreVirtualTuple(slot);
	insert_row(store, &store->series);
	return series_key;
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
			dims->made_xmax = DatumGetInt64(slot_getattr(store->series.slot,
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
	StoreTable *table = series_table(store);
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
	int			nkeys = range->subject_key != 0 ? 4 : 3;
	IndexScanDesc scan = index_beginscan(store->series.heap, store->series.index,
										 store->snapshot, nkeys, 0);
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
aevon_store_visit(AevonStore *store, const AevonVisit *visit, AevonStateVisitor visitor,
				  void *context)
{
	MemoryContext outer;
	OpenRow    *open;

	if (visit->from >= visit->until)
		return;
	if (visit->tier == AEVON_TIER_1M)
	{
		visit_tier(store, visit, NULL, visitor, context);
		return;
	}
	if (store->opening == NULL)
		store->opening = AllocSetContextCreate(store->home, "aevon last row of minutes",
											   ALLOCSET_DEFAULT_SIZES);
	outer = MemoryContextSwitchTo(store->opening);
	open = read_open_row(store, visit);
	MemoryContextSwitchTo(outer);
	visit_tier(store, visit, open, visitor, context);
	for (int i = 0; open != NULL && i < open->count; i++)
	{
		OpenWindow *window = &open->windows[i];

		visitor(context, window->window, window->divided ? NULL : &window->partial);
	}
	MemoryContextReset(store->opening);
}

void
aevon_store_visit_rows(AevonStore *store, const AevonVisit *visit, AevonRowVisitor visitor,
					   void *context)
{
	StoreTable *table = tier_table(store, visit->tier);
	bool		found = find_row(store, table, visit->series_key, visit->until - 1);

	while (found)
	{
		MemoryContext outer = MemoryContextSwitchTo(store->scratch);

		CHECK_FOR_INTERRUPTS();
		visitor(context, row_first_window(table), row_state(table));
		MemoryContextSwitchTo(outer);
		MemoryContextReset(store->scratch);
		if (row_first_window(table) <= visit->from)
			break;
		found = next_row(store, table, BackwardScanDirection);
	}
}

int64
aevon_store_open_from(AevonStore *store, int64 series_key)
{
	StoreTable *table = tier_table(store, AEVON_TIER_1M);

	if (!find_row(store, table, series_key, AEVON_WINDOW_MAX))
		return AEVON_WINDOW_MIN;
	return row_first_window(table);
}

int
aevon_store_merge(AevonStore *store, const AevonSeriesTier *where,
				  const AevonWindowState *states, int count)
{
	StoreTable *table = tier_table(store, where->tier);
	int			written = 0;

	for (int i = 0; i < count;)
	{
		MemoryContext outer = MemoryContextSwitchTo(store->scratch);
		int64		first_window;
		int64		bound = find_place(store, table, where->series_key, states[i].window,
									   &first_window);
		Writing		how = {.is_last = bound == AEVON_WINDOW_MAX,.outer = outer};
		int			from = i;
		AevonPacked packed = {0};

		if (!where->replace && how.is_last &&
			append_states(store, where, first_window, &states[i], count - i))
		{
			MemoryContextSwitchTo(outer);
			MemoryContextReset(store->scratch);
			return written + 1;
		}
		if (!TTS_EMPTY(table->slot))
			aevon_packed_decode(row_state(table), false, &packed);
		how.appended = packed.count == 0 || states[i].window > packed.last;
		for (; i < count && states[i].window < bound; i++)
		{
			if (where->replace)
				aevon_packed_set(&packed, states[i].window, states[i].partial);
			else
				aevon_packed_add(&packed, states[i].window, states[i].partial);
		}
		if (where->replace)
			aevon_packed_remerge(&packed);
		written += write_packed(store, where, first_window, &packed, how);
		MemoryContextSwitchTo(outer);
		if (where->closing != NULL && !how.is_last)
			close_states(where->closing, &states[from], i - from);
		MemoryContextReset(store->scratch);
	}
	return written;
}

void
aevon_store_touch(AevonStore *store, int64 series_key, int64 day)
{
	StoreTable *table = &store->touched;
	TupleTableSlot *slot = table->new_slot;

	if (is_touched(store, series_key, day))
		return;
	ExecClearTuple(slot);
	memset(slot->tts_isnull, false, Natts_touched_days * sizeof(bool));
	slot->tts_values[Anum_touched_days_series_key - 1] = Int64GetDatum(series_key);
	slot->tts_values[Anum_touched_days_day - 1] = Int32GetDatum((int32) day);
	ExecStoreVirtualTuple(slot);
	insert_row(store, table);
}

static bool
is_touched(AevonStore *store, int64 series_key, int64 day)
{
	StoreTable *table = &store->touched;
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(series_key));
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum((int32) day));
	index_rescan(table->scan, keys, 2, NULL, 0);
	return next_row(store, table, ForwardScanDirection);
}

static void
open_table(AevonStore *store, StoreTable *table, AevonRelation heap, AevonRelation index,
		   int nkeys)
{
	LOCKMODE	lock = store->for_writing ? RowExclusiveLock : AccessShareLock;

	table->heap = table_open(aevon_catalog_oid(heap), lock);
	table->index = index_open(aevon_catalog_oid(index), lock);
	table->slot = table_slot_create(table->heap, NULL);
	table->scan = index_beginscan(table->heap, table->index, store->snapshot, nkeys, 0);
	if (store->for_writing)
	{
		table->new_slot = table_slot_create(table->heap, NULL);
		table->target = makeNode(ResultRelInfo);
		InitResultRelInfo(table->target, table->heap, 0, NULL, 0);
		ExecOpenIndices(table->target, false);
	}
}

/* Locks stay until the transaction's end. */
static void
close_table(AevonStore *store, StoreTable *table)
{
	index_endscan(table->scan);
	ExecDropSingleTupleTableSlot(table->slot);
	if (store->for_writing)
	{
		ExecDropSingleTupleTableSlot(table->new_slot);
		ExecCloseIndices(table->target);
	}
	index_close(table->index, NoLock);
	table_close(table->heap, NoLock);
}

/* Opened at first use: a read mostly knows its series already. */
static StoreTable *
series_table(AevonStore *store)
{
	if (store->series.heap == NULL)
	{
		MemoryContext outer = MemoryContextSwitchTo(store->home);

		open_table(store, &store->series, AEVON_SERIES, AEVON_SERIES_SUBJECT, 5);
		MemoryContextSwitchTo(outer);
	}
	return &store->series;
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

static StoreTable *
tier_table(AevonStore *store, AevonTier tier)
{
	static const AevonRelation relations[AEVON_TIER_COUNT][2] = {
		[AEVON_TIER_1M] = {AEVON_BUCKETS_1M, AEVON_BUCKETS_1M_KEY},
		[AEVON_TIER_1H] = {AEVON_BUCKETS_1H, AEVON_BUCKETS_1H_KEY},
		[AEVON_TIER_1D] = {AEVON_BUCKETS_1D, AEVON_BUCKETS_1D_KEY},
	};
	StoreTable *table = &store->tiers[tier];
	MemoryContext outer;

	if (table->heap == NULL)
	{
		outer = MemoryContextSwitchTo(store->home);
		open_table(store, table, relations[tier][0], relations[tier][1], 2);
		MemoryContextSwitchTo(outer);
	}
	return table;
}

/* The series' row with the greatest first_window that is not above at_most. */
static bool
find_row(AevonStore *store, StoreTable *table, int64 series_key, int64 at_most)
{
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(series_key));
	ScanKeyInit(&keys[1], 2, BTLessEqualStrategyNumber, F_INT8LE, Int64GetDatum(at_most));
	index_rescan(table->scan, keys, 2, NULL, 0);
	return next_row(store, table, BackwardScanDirection);
}

/* An index scan allocates as it goes what it frees at its end. */
static bool
next_row(AevonStore *store, StoreTable *table, ScanDirection direction)
{
	MemoryContext outer = MemoryContextSwitchTo(store->home);
	bool		found = index_getnext_slot(table->scan, direction, table->slot);

	MemoryContextSwitchTo(outer);
	return found;
}

static int64
row_first_window(StoreTable *table)
{
	bool		isnull;

	return DatumGetInt64(slot_getattr(table->slot, Anum_buckets_first_window, &isnull));
}

static const bytea *
row_state(StoreTable *table)
{
	bool		isnull;

	return DatumGetByteaPP(slot_getattr(table->slot, Anum_buckets_state, &isnull));
}

/* The rows of a tier that may hold windows of the visit. */
static void
visit_tier(AevonStore *store, const AevonVisit *visit, OpenRow *open,
		   AevonStateVisitor visitor, void *context)
{
	StoreTable *table = tier_table(store, visit->tier);
	bool		found;

	/* backwards, so that the row that covers `from` is simply the last */
	found = find_row(store, table, visit->series_key, visit->until - 1);
	while (found)
	{
		MemoryContext outer = MemoryContextSwitchTo(store->scratch);

		CHECK_FOR_INTERRUPTS();
		visit_row(row_state(table), visit, open, visitor, context);
		MemoryContextSwitchTo(outer);
		MemoryContextReset(store->scratch);
		if (row_first_window(table) <= visit->from)
			break;
		found = next_row(store, table, BackwardScanDirection);
	}
}

static void
visit_row(const bytea *state, const AevonVisit *visit, OpenRow *open,
		  AevonStateVisitor visitor, void *context)
{
	AevonPackedReader row;
	AevonSpan	span = {0, 0};

	aevon_packed_open(state, &row);
	if (row.count == 0 || row.last < visit->from || row.first >= visit->until ||
		row.merged.min_ingested > visit->as_of)
		return;
	if (row.merged.max_ingested <= visit->as_of && is_taken_whole(visit, row.first, row.last) &&
		!any_divided(open, row.first, row.last))
	{
		visitor(context, row.first, &row.merged);
		return;
	}

	while (aevon_packed_next(&row, visit->from, visit->until))
	{
		OpenWindow *window = find_open(open, row.window);
		bool		whole = row.partial.max_ingested <= visit->as_of;

		if (row.partial.min_ingested > visit->as_of || is_except(visit, row.window, row.window))
			continue;
		if (whole)
			whole = !is_cut(visit, &span, row.window);
		if (window != NULL)
		{
			window->divided |= !whole;
			whole = !window->divided;
		}
		visitor(context, row.window, whole ? &row.partial : NULL);
	}
}

/* Are all windows [first, last] asked for, inside one window of the grid? */
static bool
is_taken_whole(const AevonVisit *visit, int64 first, int64 last)
{
	int64		unit = aevon_tier_minutes(visit->tier) * AEVON_MINUTE;

	return first >= visit->from && last < visit->until &&
		(visit->grid == NULL ||
		 aevon_window_same(visit->grid, first * unit, (last + 1) * unit - 1)) &&
		!is_except(visit, first, last);
}

/* Does a window of the grid begin inside a window of the tier? */
static bool
is_cut(const AevonVisit *visit, AevonSpan *span, int64 window)
{
	int64		unit = aevon_tier_minutes(visit->tier) * AEVON_MINUTE;
	TimestampTz start = window * unit;

	if (visit->grid == NULL || !aevon_window_cuts(visit->grid, unit))
		return false;
	if (start < span->start || start >= span->end)
		*span = aevon_window_find(visit->grid, start);
	return start + unit > span->end;
}

/*
 * What the series' last row of minutes has for a visit of a coarser tier, or
 * NULL.  For past states it is taken apart, since a window has to be divided
 * here if it is so in the tier.
 */
static OpenRow *
read_open_row(AevonStore *store, const AevonVisit *visit)
{
	StoreTable *table = tier_table(store, AEVON_TIER_1M);
	int64		minutes = aevon_tier_minutes(visit->tier);
	AevonPackedReader *row;
	OpenRow    *open;
	int64		first;
	int64		last;

	if (!find_row(store, table, visit->series_key, AEVON_WINDOW_MAX))
		return NULL;
	row = palloc(sizeof(AevonPackedReader));
	aevon_packed_open(row_state(table), row);
	if (row->count == 0)
		return NULL;
	first = aevon_window_of(row->first, minutes);
	last = aevon_window_of(row->last, minutes);
	if (last < visit->from || first >= visit->until)
		return NULL;
	open = palloc(offsetof(OpenRow, windows) + row->count * sizeof(OpenWindow));
	open->count = 0;
	if (visit->as_of != DT_NOEND || !is_taken_whole(visit, first, last))
	{
		open_windows(row, visit, open);
		return open;
	}
	open->windows[0].window = first;
	open->windows[0].divided = false;
	open->windows[0].partial = row->merged;
	open->count = 1;
	return open;
}

/* Of each window of the visit's tier what the minutes of a row hold. */
static void
open_windows(AevonPackedReader *row, const AevonVisit *visit, OpenRow *open)
{
	int64		minutes = aevon_tier_minutes(visit->tier);
	int64		from = Max(visit->from, aevon_window_of(row->first, minutes)) * minutes;
	int64		until = (Min(visit->until - 1, aevon_window_of(row->last, minutes)) + 1) * minutes;
	AevonSpan	span = {0, 0};
	OpenWindow *window = NULL;

	while (aevon_packed_next(row, from, until))
	{
		int64		number = aevon_window_of(row->window, minutes);

		if (row->partial.min_ingested > visit->as_of || is_except(visit, number, number))
			continue;
		if (window == NULL || window->window != number)
		{
			window = &open->windows[open->count++];
			window->window = number;
			window->divided = is_cut(visit, &span, number);
			memset(&window->partial, 0, sizeof(window->partial));
		}
		if (row->partial.max_ingested > visit->as_of)
			window->divided = true;
		else
			aevon_partial_merge(&window->partial, &row->partial);
	}
}

static OpenWindow *
find_open(OpenRow *open, int64 window)
{
	for (int i = 0; open != NULL && i < open->count; i++)
	{
		if (open->windows[i].window == window)
			return &open->windows[i];
	}
	return NULL;
}

static bool
any_divided(const OpenRow *open, int64 first, int64 last)
{
	for (int i = 0; open != NULL && i < open->count; i++)
	{
		if (open->windows[i].divided && open->windows[i].window >= first &&
			open->windows[i].window <= last)
			return true;
	}
	return false;
}

/* Is any window in [first, last] to be left out? */
static bool
is_except(const AevonVisit *visit, int64 first, int64 last)
{
	return visit->except != NULL && aevon_windowset_meets(visit->except, first, last);
}

/*
 * Find the row that covers a window, in table->slot: empty if the series has
 * none yet.  Its first_window, and the end of what it covers.
 */
static int64
find_place(AevonStore *store, StoreTable *table, int64 series_key, int64 window,
		   int64 *first_window)
{
	int64		bound = AEVON_WINDOW_MAX;

	*first_window = AEVON_WINDOW_MIN;
	/* mostly the last row of the series is the one, and nothing follows */
	if (!find_row(store, table, series_key, AEVON_WINDOW_MAX))
	{
		ExecClearTuple(table->slot);
		return bound;
	}
	if (row_first_window(table) > window)
	{
		if (!find_row(store, table, series_key, window))
			elog(ERROR, "series " INT64_FORMAT " has no leftmost bucket row", series_key);
		bound = bound_after(store, table, series_key, row_first_window(table));
	}
	*first_window = row_first_window(table);
	return bound;
}

/* first_window of the row after the one that begins at `first`. */
static int64
bound_after(AevonStore *store, StoreTable *table, int64 series_key, int64 first)
{
	IndexScanDesc scan = index_beginscan(table->heap, table->index, store->snapshot, 2, 0);
	TupleTableSlot *slot = table_slot_create(table->heap, NULL);
	ScanKeyData keys[2];
	int64		bound = AEVON_WINDOW_MAX;
	bool		isnull;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(series_key));
	ScanKeyInit(&keys[1], 2, BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum(first));
	index_rescan(scan, keys, 2, NULL, 0);
	if (index_getnext_slot(scan, ForwardScanDirection, slot))
		bound = DatumGetInt64(slot_getattr(slot, Anum_buckets_first_window, &isnull));
	ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
	return bound;
}

/* The quick way for most: the row found grows at its end, and need not be cut. */
static bool
append_states(AevonStore *store, const AevonSeriesTier *where, int64 first_window,
			  const AevonWindowState *states, int count)
{
	StoreTable *table = tier_table(store, where->tier);
	bytea	   *state;

	if (TTS_EMPTY(table->slot))
		return false;
	state = aevon_packed_append(row_state(table), states, count);
	if (state == NULL)
		return false;
	write_row(store, table, where->series_key, first_window, state, true);
	return true;
}

/* Minutes merged into rows that are closed: the coarser tiers lack just these. */
static void
close_states(AevonClosing *closing, const AevonWindowState *states, int count)
{
	for (int i = 0; i < count; i++)
		*add_closing(closing) = states[i];
}

/* Entries of what was the last row: the coarser tiers lack all that they hold. */
static void
close_entries(AevonClosing *closing, const AevonPacked *packed, int from, int count)
{
	for (int i = from; i < from + count; i++)
	{
		AevonWindowState *added = add_closing(closing);

		added->window = packed->entries[i].window;
		added->partial = palloc0(sizeof(AevonPartial));
		aevon_partial_merge(added->partial, &packed->entries[i].partial);
	}
}

static AevonWindowState *
add_closing(AevonClosing *closing)
{
	if (closing->count == closing->capacity)
	{
		closing->capacity = closing->capacity * 2 + AEVON_PACKED_WINDOWS;
		closing->minutes = closing->minutes == NULL ?
			palloc(closing->capacity * sizeof(AevonWindowState)) :
			repalloc_huge(closing->minutes, closing->capacity * sizeof(AevonWindowState));
	}
	return &closing->minutes[closing->count++];
}

/*
 * Write a row, cut into as many as it takes; the first replaces the one found.
 * What is cut off is neither copied nor merged again: a backlog may bring a
 * series a hundred thousand windows at once.
 */
static int
write_packed(AevonStore *store, const AevonSeriesTier *where, int64 first_window,
			 const AevonPacked *packed, Writing how)
{
	StoreTable *table = tier_table(store, where->tier);
	bool		update = !TTS_EMPTY(table->slot);
	int			written = 0;
	int			at = 0;

	/* a row that has lost all its windows stays, to cover them */
	do
	{
		bytea	   *state;
		int			taken = encode_fitting(packed, at, how.appended, &state);

		if (at > 0)
			first_window = packed->entries[at].window;
		write_row(store, table, where->series_key, first_window, state, update && at == 0);
		pfree(state);
		if (where->closing != NULL && how.is_last && at + taken < packed->count)
		{
			MemoryContext scratch = MemoryContextSwitchTo(how.outer);

			close_entries(where->closing, packed, at, taken);
			MemoryContextSwitchTo(scratch);
		}
		written++;
		at += taken;
	} while (at < packed->count);
	return written;
}

/*
 * Encode as many entries from index `at` on as one row may hold; their number.
 * A row that grew at its end is cut there and stays full, as the rightmost
 * page of a B-tree does; another is cut in halves.
 */
static int
encode_fitting(const AevonPacked *packed, int at, bool appended, bytea **state)
{
	int			left = packed->count - at;
	int			taken = left;
	AevonPacked slice;

	if (left > AEVON_PACKED_WINDOWS)
		taken = appended || left > 2 * AEVON_PACKED_WINDOWS ? AEVON_PACKED_WINDOWS : left / 2;
	for (;;)
	{
		aevon_packed_slice(packed, at, taken, &slice);
		*state = aevon_packed_encode(&slice);
		if (VARSIZE(*state) <= AEVON_PACKED_BYTES || taken == 1)
			return taken;
		pfree(*state);
		taken /= 2;
	}
}

static void
write_row(AevonStore *store, StoreTable *table, int64 series_key, int64 first_window,
		  bytea *state, bool update)
{
	TupleTableSlot *slot = table->new_slot;

	ExecClearTuple(slot);
	memset(slot->tts_isnull, false, Natts_buckets * sizeof(bool));
	slot->tts_values[Anum_buckets_series_key - 1] = Int64GetDatum(series_key);
	slot->tts_values[Anum_buckets_first_window - 1] = Int64GetDatum(first_window);
	slot->tts_values[Anum_buckets_state - 1] = PointerGetDatum(state);
	ExecStoreVirtualTuple(slot);
	if (!update)
	{
		insert_row(store, table);
		return;
	}
	update_row(store, table);
}

/*
 * There are no constraints to be checked; triggers only if somebody made some.
 * A row can be changed by none but who holds the checkpoint.
 */
static void
update_row(AevonStore *store, StoreTable *table)
{
	bool		update_indexes;

	if (table->target->ri_TrigDesc != NULL)
	{
		EPQState	epq;

		EvalPlanQualInit(&epq, store->estate, NULL, NIL, -1);
		ExecSimpleRelationUpdate(table->target, store->estate, &epq, table->slot,
								 table->new_slot);
		EvalPlanQualEnd(&epq);
	}
	else
	{
		simple_table_tuple_update(table->heap, &table->slot->tts_tid, table->new_slot,
								  store->snapshot, &update_indexes);
		if (update_indexes)
			list_free(ExecInsertIndexTuples(table->target, table->new_slot, store->estate, true,
											false, NULL, NIL));
	}
	ResetPerTupleExprContext(store->estate);
}

static void
insert_row(AevonStore *store, StoreTable *table)
{
	ExecSimpleRelationInsert(table->target, store->estate, table->new_slot);
	ResetPerTupleExprContext(store->estate);
}
