/*
 * split.c
 *		A recount of the log split by series: totals, combinations of dimension
 *		values and roll-ups, all in one pass over a subject's events.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

#include "fold.h"
#include "split.h"

/* Combinations met are forgotten past it; those that have series are kept. */
#define MAX_MET_BYTES (16 * 1024 * 1024)

typedef struct Splitting
{
	const AevonRecount *recount;
	const AevonMeasure *measure;
	AevonSplit *split;
	MemoryContext home;			/* of the result */
	MemoryContext event;		/* of one event */
	AevonDimsTable *met;		/* combinations of events */
	int			windows;
} Splitting;

static void split_event(Splitting *state, AevonLogRow *row, AevonStanding standing);
static void add_to_series(Splitting *state, const AevonDims *dims, int64 window,
						  const AevonPartial *partial);
static AevonSplitSeries *make_series(Splitting *state, const AevonDims *dims);

bool
aevon_split_recount(const AevonRecount *recount, const AevonMeasure *measure, AevonSplit *split)
{
	MemoryContext outer = CurrentMemoryContext;
	Splitting	state = {recount, measure, split, outer};
	AevonLogScan *scan;
	AevonLogRow row;
	bool		fits = true;

	split->count = 64;
	split->series = palloc0(split->count * sizeof(AevonSplitSeries *));
	state.met = aevon_dims_table_create();
	state.event = AllocSetContextCreate(outer, "aevon split event", ALLOCSET_DEFAULT_SIZES);
	scan = aevon_recount_scan(recount);
	while (fits && aevon_log_scan_next(scan, &row))
	{
		AevonStanding standing = aevon_recount_standing(recount, &row);

		if (standing == AEVON_STANDS_OUTSIDE)
			continue;
		if (aevon_dims_table_size(state.met) > MAX_MET_BYTES)
		{
			aevon_dims_table_delete(state.met);
			state.met = aevon_dims_table_create();
		}
		MemoryContextSwitchTo(state.event);
		split_event(&state, &row, standing);
		MemoryContextSwitchTo(outer);
		MemoryContextReset(state.event);
		fits = split->max_windows == 0 || state.windows <= split->max_windows;
	}
	aevon_log_scan_end(scan);
	MemoryContextDelete(state.event);
	aevon_dims_table_delete(state.met);
	return fits;
}

int
aevon_split_part(const AevonDims *dims, int parts)
{
	const uint8 *digest;
	int			length;

	if (dims == NULL)
		return 0;
	digest = aevon_dims_digest(dims, &length);
	return (int) (hash_bytes(digest, length) % (uint32) parts);
}

AevonSplitSeries *
aevon_split_find(const AevonSplit *split, const AevonDims *dims)
{
	int			number = dims == NULL ? 0 : dims->number;

	return number < split->count ? split->series[number] : NULL;
}

static void
split_event(Splitting *state, AevonLogRow *row, AevonStanding standing)
{
	const AevonMeasure *measure = state->measure;
	AevonSplit *split = state->split;
	int64		window = aevon_window_of(row->occurred_at, split->unit);
	AevonContribution contribution;
	AevonPartial one = {0};
	AevonDims  *dims;

	if (!aevon_fold_evaluate(measure, row, &contribution))
		return;
	if (standing == AEVON_STANDS_COUNTED)
		aevon_fold_apply(measure, &contribution, &one);
	add_to_series(state, NULL, window, &one);
	dims = aevon_dims_of_event(state->met, measure, row);
	if (dims == NULL)
		return;
	if (split->known_xmax != 0)
		dims = aevon_store_effective_dims_at(split->store, state->met, dims, split->known_xmax);
	else
		dims = aevon_store_effective_dims(split->store, state->met, dims);
	add_to_series(state, dims, window, &one);
	for (int i = 0; i < measure->dimension_count && state->recount->subject_key < 0; i++)
	{
		AevonGrouping grouping = (AevonGrouping) 1 << i;

		if (measure->rollups & grouping)
			add_to_series(state, aevon_dims_project(state->met, dims, grouping), window, &one);
	}
}

/* A state of no events: the event was voided. */
static void
add_to_series(Splitting *state, const AevonDims *dims, int64 window, const AevonPartial *partial)
{
	const AevonSplit *split = state->split;
	AevonSplitSeries *series;
	MemoryContext outer;
	int			before;

	if (aevon_split_part(dims, split->parts) != split->part)
		return;
	outer = MemoryContextSwitchTo(state->home);
	series = make_series(state, dims);
	before = series->windows.count;
	if (partial->event_count == 0)
		series->voided = true;
	else
		aevon_packed_add(&series->windows, window, partial);
	state->windows += series->windows.count - before;
	MemoryContextSwitchTo(outer);
}

static AevonSplitSeries *
make_series(Splitting *state, const AevonDims *dims)
{
	AevonSplit *split = state->split;
	const AevonDims *kept = dims == NULL ? NULL :
	aevon_dims_project(split->table, dims, dims->grouping);
	int			number = kept == NULL ? 0 : kept->number;

	if (number >= split->count)
	{
		int			count = Max(number + 1, split->count * 2);

		split->series = repalloc_huge(split->series, count * sizeof(AevonSplitSeries *));
		memset(split->series + split->count, 0,
			   (count - split->count) * sizeof(AevonSplitSeries *));
		split->count = count;
	}
	if (split->series[number] == NULL)
	{
		split->series[number] = palloc0(sizeof(AevonSplitSeries));
		split->series[number]->dims = kept;
		state->windows++;
	}
	return split->series[number];
}
