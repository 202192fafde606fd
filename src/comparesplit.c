/*
 * comparesplit.c
 *		What the store holds of the series of a measure with dimensions against
 *		a recount of the log, and putting it right.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "catalog.h"
#include "comparerows.h"
#include "comparesplit.h"
#include "split.h"

/* Windows recounted at a time; past it the series are taken part by part. */
#define MAX_WINDOWS 100000
#define PARTS 8					/* of a part */
#define MAX_PARTS (PARTS * PARTS * PARTS * PARTS)

/* A series that the store has. */
typedef struct StoredSeries
{
	int64		series_key;
	const AevonDims *dims;		/* NULL: totals */
	int64		next;			/* nothing is stored before it */
} StoredSeries;

typedef struct Splitting
{
	const AevonSplitSubject *subject;
	AevonComparison comparison;
	AevonDimsTable *table;
	AevonGrouping listed;		/* of the series being listed */
	int			count;
	int			capacity;
	StoredSeries *stored;
	bool		any;			/* was there anything in the piece? */
} Splitting;

/* What is done with the minutes [from, until), split. */
typedef void (*PieceVisitor) (Splitting *state, const AevonSplit *split, int64 from, int64 until);

static void list_stored(Splitting *state);
static void list_grouping(Splitting *state, AevonGrouping grouping);
static void note_series(void *context, int64 series_key, int32 subject_key, Jsonb *values,
						const bytea *digest);
static int64 check_stored(Splitting *state);
static int64 next_stored(const Splitting *state);
static void visit_piece(Splitting *state, int64 at, int part, int parts, PieceVisitor visitor);
static void compare_part(Splitting *state, const AevonSplit *split, int64 from, int64 until);
static void compare_stored(Splitting *state, StoredSeries *stored, AevonSplitSeries *recounted,
						   int64 from, int64 until);
static void write_part(Splitting *state, const AevonSplit *split, int64 from, int64 until);
static void mend_values(const AevonSplitSubject *subject, const AevonDims *dims);

int64
aevon_comparesplit_series(const AevonSplitSubject *subject, AevonDifferenceVisitor visitor,
						  void *context)
{
	MemoryContext own = AllocSetContextCreate(CurrentMemoryContext, "aevon comparison of series",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(own);
	Splitting	state = {
		.subject = subject,
		.comparison = {
			.store = subject->store,
			.measure = subject->measure,
			.visitor = visitor,
			.context = context,
		},
		.table = aevon_dims_table_create(),
	};
	int64		at;

	list_stored(&state);
	at = Min(check_stored(&state),
			 aevon_compare_next_event(subject->recount, AEVON_COMPARE_FIRST));
	while (at != AEVON_COMPARE_NONE)
	{
		state.any = false;
		visit_piece(&state, at, 0, 1, compare_part);
		at += AEVON_COMPARE_PIECE;
		if (!state.any)
			at = Min(aevon_compare_next_event(subject->recount, at), next_stored(&state));
	}
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(own);
	return state.comparison.found;
}

void
aevon_comparesplit_rewrite(const AevonSplitSubject *subject)
{
	MemoryContext own = AllocSetContextCreate(CurrentMemoryContext, "aevon repair of series",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(own);
	Splitting	state = {.subject = subject,.table = aevon_dims_table_create()};
	int64		at;

	aevon_compare_empty(subject->measure, subject->recount, subject->groupings);
	at = aevon_compare_next_event(subject->recount, AEVON_COMPARE_FIRST);
	while (at != AEVON_COMPARE_NONE)
	{
		visit_piece(&state, at, 0, 1, write_part);
		at = aevon_compare_next_event(subject->recount, at + AEVON_COMPARE_PIECE);
	}
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(own);
}

static void
list_stored(Splitting *state)
{
	const AevonMeasure *measure = state->subject->measure;

	list_grouping(state, 0);
	list_grouping(state, aevon_dims_full_grouping(measure));
	for (int i = 0; i < measure->dimension_count; i++)
	{
		if (measure->rollups & ((uint32) 1 << i))
			list_grouping(state, (AevonGrouping) 1 << i);
	}
}

static void
list_grouping(Splitting *state, AevonGrouping grouping)
{
	const AevonRecount *recount = state->subject->recount;
	AevonSeriesRange range = {state->subject->measure->measure_key, recount->tenant_key, grouping,
	recount->subject_key};

	state->listed = grouping;
	aevon_store_list_series(state->subject->store, &range, note_series, state);
}

static void
note_series(void *context, int64 series_key, int32 subject_key, Jsonb *values,
			const bytea *digest)
{
	Splitting  *state = context;
	AevonStoredDims dims = {state->listed, values, digest};
	StoredSeries *stored;

	if (state->count == state->capacity)
	{
		state->capacity = state->capacity * 2 + 64;
		state->stored = state->stored == NULL ?
			palloc(state->capacity * sizeof(StoredSeries)) :
			repalloc_huge(state->stored, state->capacity * sizeof(StoredSeries));
	}
	stored = &state->stored[state->count++];
	stored->series_key = series_key;
	stored->dims = state->listed == 0 ? NULL :
		aevon_dims_of_series(state->table, state->subject->measure,
							 state->subject->recount->tenant_key, &dims);
}

/* Check the rows of every series; the first day that any has something of. */
static int64
check_stored(Splitting *state)
{
	for (int i = 0; i < state->count; i++)
	{
		StoredSeries *stored = &state->stored[i];

		CHECK_FOR_INTERRUPTS();
		state->comparison.series_key = stored->series_key;
		state->comparison.dims = stored->dims;
		aevon_comparerows_check(&state->comparison);
		stored->next = aevon_compare_next_stored(&state->comparison, AEVON_COMPARE_FIRST);
	}
	return next_stored(state);
}

static int64
next_stored(const Splitting *state)
{
	int64		next = AEVON_COMPARE_NONE;

	for (int i = 0; i < state->count; i++)
		next = Min(next, state->stored[i].next);
	return next;
}

/* Recount a piece, of the series of one part, or else of the parts of that. */
static void
visit_piece(Splitting *state, int64 at, int part, int parts, PieceVisitor visitor)
{
	const AevonSplitSubject *subject = state->subject;
	int64		until = at + AEVON_COMPARE_PIECE;
	MemoryContext piece = AllocSetContextCreate(CurrentMemoryContext, "aevon piece of series",
												ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(piece);
	AevonRecount recount = *subject->recount;
	AevonSplit	split = {
		.store = subject->store,
		.unit = AEVON_MINUTE,
		.part = part,
		.parts = parts,
		.max_windows = parts < MAX_PARTS ? MAX_WINDOWS : 0,
		.table = state->table,
	};
	bool		fits;

	CHECK_FOR_INTERRUPTS();
	recount.since = at * AEVON_MINUTE;
	recount.until = Min(until, AEVON_COMPARE_END) * AEVON_MINUTE;
	fits = aevon_split_recount(&recount, subject->measure, &split);
	if (fits)
		visitor(state, &split, at, until);
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(piece);
	for (int i = 0; i < PARTS && !fits; i++)
		visit_piece(state, at, part + i * parts, parts * PARTS, visitor);
}

static void
compare_part(Splitting *state, const AevonSplit *split, int64 from, int64 until)
{
	for (int i = 0; i < state->count; i++)
	{
		StoredSeries *stored = &state->stored[i];
		AevonSplitSeries *recounted = aevon_split_find(split, stored->dims);

		if (aevon_split_part(stored->dims, split->parts) != split->part)
			continue;
		if (recounted != NULL || stored->next < until)
			compare_stored(state, stored, recounted, from, until);
	}
	for (int i = 0; i < split->count; i++)
	{
		AevonSplitSeries *recounted = split->series[i];

		if (recounted == NULL || recounted->done || recounted->windows.count == 0)
			continue;
		state->comparison.series_key = 0;
		state->comparison.dims = recounted->dims;
		(void) aevon_compare_windows(&state->comparison, from, until, &recounted->windows);
		state->any = true;
	}
}

static void
compare_stored(Splitting *state, StoredSeries *stored, AevonSplitSeries *recounted, int64 from,
			   int64 until)
{
	AevonComparison *comparison = &state->comparison;
	AevonPacked nothing = {0};

	comparison->series_key = stored->series_key;
	comparison->dims = stored->dims;
	if (recounted != NULL)
		recounted->done = true;
	if (aevon_compare_windows(comparison, from, until, recounted ? &recounted->windows : &nothing))
	{
		stored->next = until;
		state->any = true;
	}
	else if (stored->next < until)
		stored->next = aevon_compare_next_stored(comparison, until);
	state->any |= recounted != NULL;
}

static void
write_part(Splitting *state, const AevonSplit *split, int64 from, int64 until)
{
	const AevonSplitSubject *subject = state->subject;
	AevonStore *store;

	for (int i = 0; i < split->count; i++)
	{
		AevonSplitSeries *recounted = split->series[i];

		if (recounted != NULL && recounted->windows.count > 0 && recounted->dims != NULL)
			mend_values(subject, recounted->dims);
	}
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	store = aevon_store_open(GetActiveSnapshot(), true);
	for (int i = 0; i < split->count; i++)
	{
		AevonSplitSeries *recounted = split->series[i];
		AevonSeries series = {subject->measure->measure_key, subject->recount->tenant_key,
		subject->recount->subject_key};

		if (recounted == NULL || recounted->windows.count == 0)
			continue;
		series.dims = recounted->dims;
		aevon_compare_write(store, subject->measure, &series, &recounted->windows);
	}
	aevon_store_close(store);
	PopActiveSnapshot();
	CommandCounterIncrement();
}

/* A series is found by the digest of its values, which may be others than these. */
static void
mend_values(const AevonSplitSubject *subject, const AevonDims *dims)
{
	int			length;
	const uint8 *bytes = aevon_dims_digest(dims, &length);
	bytea	   *digest = palloc(VARHDRSZ + length);
	Datum		values[6] = {
		Int32GetDatum(subject->measure->measure_key),
		Int32GetDatum(subject->recount->tenant_key),
		Int32GetDatum((int32) dims->grouping),
		Int32GetDatum(subject->recount->subject_key),
		PointerGetDatum(digest),
		JsonbPGetDatum(aevon_dims_values(dims)),
	};

	SET_VARSIZE(digest, VARHDRSZ + length);
	memcpy(VARDATA(digest), bytes, length);
	aevon_catalog_run(AEVON_QUERY_MEND_DIMS, values, NULL, false);
}
