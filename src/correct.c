/*
 * correct.c
 *		Taking voided events out of buckets.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "correct.h"
#include "recount.h"
#include "split.h"
#include "storemerge.h"
#include "storevisit.h"
#include "tiers.h"
#include "voids.h"

/* A minute of a series' subject that has to be summed up again. */
typedef struct Target
{
	int64		minute;
	int32		tenant_key;
	int32		subject_key;	/* as in aevon.series */
	const AevonMeasure *measure;	/* NULL: every one */
	int64		series_key;		/* of the measure */
} Target;

typedef struct Correcting
{
	const AevonCorrection *correction;
	AevonVoids *voids;
	MemoryContext home;
	MemoryContext scratch;		/* of one subject */
	int64		found;
	int			count;
	int			capacity;
	Target	   *targets;		/* sorted by subject and minute, each once */
	int			written_count;
	int			written_capacity;
	Target	   *written;		/* minutes that were written, series by series */
} Correcting;

/* A minute of one of a subject's series, summed up again. */
typedef struct Corrected
{
	const AevonDims *dims;		/* NULL: totals */
	int64		minute;
	AevonPartial *partial;
} Corrected;

typedef struct CorrectedList
{
	AevonDimsTable *table;		/* of the dims */
	int			count;
	int			capacity;
	Corrected  *found;
} CorrectedList;

static void find_targets(Correcting *state);
static void note_void(void *context, const AevonVoid *found);
static void add_target(Correcting *state, const AevonVoid *found, int32 subject_key);
static void sort_targets(Correcting *state);
static int	compare_targets(const void *a, const void *b);
static int64 write_windows(Correcting *state, AevonTier tier);
static int64 write_subjects(Correcting *state, AevonStore *store);
static int64 write_tier(Correcting *state, AevonStore *store, AevonTier tier);
static int64 write_combinations(Correcting *state, AevonStore *store, int measure,
								const Target *targets, int count);
static void find_corrected(Correcting *state, AevonStore *store, int measure,
						   const Target *target, CorrectedList *list);
static void append_corrected(CorrectedList *list, const AevonSplitSeries *series, int64 minute);
static int	write_corrected(Correcting *state, AevonStore *store, const AevonMeasure *measure,
							const Target *subject, const Corrected *found, int count);
static int	replace_minutes(Correcting *state, AevonStore *store, Target *target,
							const AevonWindowState *states, int count);
static void note_written(Correcting *state, const Target *target);
static int	compare_corrected(const void *a, const void *b);
static int	write_minutes(Correcting *state, AevonStore *store, const AevonMeasure *measure,
						  int64 series_key, const Target *targets, int count);
static int	write_coarse(AevonStore *store, int64 series_key, AevonTier tier,
						 const Target *targets, int count);
static AevonPartial *sum_minute(Correcting *state, const AevonMeasure *measure,
								const Target *target);
static AevonRecount recount_of(const Correcting *state, const Target *target);
static void merge_state(void *context, int64 window, const AevonPartial *partial);

int64
aevon_correct_buckets(const AevonCorrection *correction, int64 *written)
{
	Correcting	state = {0};

	state.correction = correction;
	state.home = CurrentMemoryContext;
	state.voids = aevon_voids_open(correction->snapshot, 0);
	if (state.voids == NULL)
		return 0;
	state.scratch = AllocSetContextCreate(CurrentMemoryContext, "aevon corrections",
										  ALLOCSET_DEFAULT_SIZES);
	find_targets(&state);
	if (state.count > 0)
	{
		sort_targets(&state);
		for (int tier = 0; tier < AEVON_TIER_COUNT; tier++)
			*written += write_windows(&state, tier);
		pfree(state.targets);
	}
	aevon_voids_close(state.voids);
	MemoryContextDelete(state.scratch);
	return state.found;
}

/* Voids, and voids of events, that were outside the cut before. */
static void
find_targets(Correcting *state)
{
	static const AevonVoidOrder orders[] = {AEVON_VOIDS_BY_STAMP, AEVON_VOIDS_BY_EVENT_STAMP};
	const AevonCut *before = state->correction->before;

	for (int i = 0; i < lengthof(orders); i++)
	{
		AevonVoidRange range = {orders[i], 0, before->xmax, state->correction->after->xmax};

		aevon_voids_visit(state->voids, &range, note_void, state);
		for (int k = 0; k < before->nxip; k++)
		{
			range.from = before->xip[k];
			range.until = before->xip[k] + 1;
			aevon_voids_visit(state->voids, &range, note_void, state);
		}
	}
}

static void
note_void(void *context, const AevonVoid *found)
{
	Correcting *state = context;
	const AevonCut *after = state->correction->after;

	if (!aevon_cut_contains(after, found->stamp) || !aevon_cut_contains(after, found->event_stamp))
		return;
	state->found++;
	add_target(state, found, found->principal_key);
	add_target(state, found, -found->tenant_key);
}

static void
add_target(Correcting *state, const AevonVoid *found, int32 subject_key)
{
	Target	   *target;

	if (state->count == state->capacity)
	{
		state->capacity = state->capacity * 2 + 64;
		state->targets = state->targets == NULL ?
			palloc(state->capacity * sizeof(Target)) :
			repalloc_huge(state->targets, state->capacity * sizeof(Target));
	}
	target = &state->targets[state->count++];
	target->series_key = 0;
	target->minute = aevon_window_of(found->occurred_at, AEVON_MINUTE);
	target->tenant_key = found->tenant_key;
	target->subject_key = subject_key;
}

static void
sort_targets(Correcting *state)
{
	int			kept = 0;

	qsort(state->targets, state->count, sizeof(Target), compare_targets);
	for (int i = 0; i < state->count; i++)
	{
		if (kept == 0 || compare_targets(&state->targets[kept - 1], &state->targets[i]) != 0)
			state->targets[kept++] = state->targets[i];
	}
	state->count = kept;
}

static int
compare_targets(const void *a, const void *b)
{
	const Target *x = a;
	const Target *y = b;

	if (x->subject_key != y->subject_key)
		return x->subject_key < y->subject_key ? -1 : 1;
	return x->minute < y->minute ? -1 : x->minute > y->minute ? 1 : 0;
}

/* Write a tier's windows of all targets; what was written before is seen. */
static int64
write_windows(Correcting *state, AevonTier tier)
{
	AevonStore *store;
	int64		written;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	store = aevon_store_open(GetActiveSnapshot(), true);
	if (tier == AEVON_TIER_1M)
		written = write_subjects(state, store);
	else
		written = write_tier(state, store, tier);
	aevon_store_close(store);
	PopActiveSnapshot();
	return written;
}

static int64
write_subjects(Correcting *state, AevonStore *store)
{
	const AevonCorrection *correction = state->correction;
	int64		written = 0;

	for (int first = 0, end; first < state->count; first = end)
	{
		const Target *targets = &state->targets[first];

		for (end = first; end < state->count &&
			 state->targets[end].subject_key == targets->subject_key; end++)
			CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < correction->count; i++)
		{
			const AevonMeasure *measure = correction->measures[i];
			AevonSeries series = {measure->measure_key, targets->tenant_key,
			targets->subject_key, NULL};
			int64		series_key;
			MemoryContext outer;

			if (measure->dimension_count > 0)
			{
				written += write_combinations(state, store, i, targets, end - first);
				continue;
			}
			series_key = aevon_store_find_series(store, &series);
			outer = MemoryContextSwitchTo(state->scratch);
			if (series_key != 0)
				written += write_minutes(state, store, measure, series_key, targets, end - first);
			MemoryContextSwitchTo(outer);
			MemoryContextReset(state->scratch);
		}
	}
	return written;
}

/* The windows of a coarser tier that closed minutes were written of. */
static int64
write_tier(Correcting *state, AevonStore *store, AevonTier tier)
{
	int64		written = 0;

	for (int first = 0, end; first < state->written_count; first = end)
	{
		MemoryContext outer = MemoryContextSwitchTo(state->scratch);
		const Target *targets = &state->written[first];

		for (end = first; end < state->written_count &&
			 state->written[end].series_key == targets->series_key; end++)
			CHECK_FOR_INTERRUPTS();
		written += write_coarse(store, targets->series_key, tier, targets, end - first);
		MemoryContextSwitchTo(outer);
		MemoryContextReset(state->scratch);
	}
	return written;
}

/*
 * Of a measure with dimensions: the minutes of the series of voided events,
 * each minute read once.
 */
static int64
write_combinations(Correcting *state, AevonStore *store, int measure, const Target *targets,
				   int count)
{
	MemoryContext outer = MemoryContextSwitchTo(state->scratch);
	CorrectedList list = {.table = aevon_dims_table_create()};
	const Corrected *found;
	int64		written = 0;

	for (int i = 0; i < count; i++)
		find_corrected(state, store, measure, &targets[i], &list);
	found = list.found;
	if (list.count > 1)
		qsort(list.found, list.count, sizeof(Corrected), compare_corrected);
	for (int first = 0, end; first < list.count; first = end)
	{
		for (end = first; end < list.count && found[end].dims == found[first].dims; end++)
			continue;
		written += write_corrected(state, store, state->correction->measures[measure], targets,
								   &found[first], end - first);
	}
	MemoryContextSwitchTo(outer);
	MemoryContextReset(state->scratch);
	return written;
}

/*
 * Add a minute's series of voided events to the list.  The split has a table of
 * its own: it takes room for every combination that its table has met.
 */
static void
find_corrected(Correcting *state, AevonStore *store, int measure, const Target *target,
			   CorrectedList *list)
{
	MemoryContext minute = AllocSetContextCreate(CurrentMemoryContext, "aevon corrected minute",
												 ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(minute);
	AevonRecount recount = recount_of(state, target);
	AevonSplit	split = {
		.store = store,
		.unit = AEVON_MINUTE,
		.parts = 1,
		.table = aevon_dims_table_create(),
	};

	aevon_split_recount(&recount, state->correction->measures[measure], &split);
	MemoryContextSwitchTo(outer);
	for (int i = 0; i < split.count; i++)
	{
		if (split.series[i] != NULL && split.series[i]->voided)
			append_corrected(list, split.series[i], target->minute);
	}
	MemoryContextDelete(minute);
}

/* What is kept of the series is copied. */
static void
append_corrected(CorrectedList *list, const AevonSplitSeries *series, int64 minute)
{
	const AevonDims *dims = series->dims;
	Corrected  *added;

	if (list->count == list->capacity)
	{
		list->capacity = list->capacity * 2 + 64;
		list->found = list->found == NULL ?
			palloc(list->capacity * sizeof(Corrected)) :
			repalloc_huge(list->found, list->capacity * sizeof(Corrected));
	}
	added = &list->found[list->count++];
	added->dims = dims == NULL ? NULL : aevon_dims_project(list->table, dims, dims->grouping);
	added->minute = minute;
	added->partial = palloc0(sizeof(AevonPartial));
	aevon_partial_merge(added->partial, &series->windows.merged);
}

/* Minutes of one series, which all are of the subject of `subject`. */
static int
write_corrected(Correcting *state, AevonStore *store, const AevonMeasure *measure,
				const Target *subject, const Corrected *found, int count)
{
	AevonSeries series = {measure->measure_key, subject->tenant_key, subject->subject_key,
	found->dims};
	AevonWindowState *states = palloc(count * sizeof(AevonWindowState));
	Target		target = *subject;

	target.series_key = aevon_store_find_series(store, &series);
	if (target.series_key == 0)
		return 0;
	target.measure = measure;
	for (int i = 0; i < count; i++)
	{
		states[i].window = found[i].minute;
		states[i].partial = found[i].partial;
	}
	return replace_minutes(state, store, &target, states, count);
}

/*
 * Put minutes in the place of those of the target's series, and note all that were
 * written: their coarser windows are to be summed up again.
 */
static int
replace_minutes(Correcting *state, AevonStore *store, Target *target,
				const AevonWindowState *states, int count)
{
	AevonWindowSet closed = {0};
	int			written = aevon_tiers_replace(store, target->series_key, states, count, &closed);

	for (int i = 0; i < closed.count; i++)
	{
		target->minute = closed.windows[i];
		note_written(state, target);
	}
	return written;
}

static void
note_written(Correcting *state, const Target *target)
{
	if (state->written_count == state->written_capacity)
	{
		state->written_capacity = state->written_capacity * 2 + 64;
		state->written = state->written == NULL ?
			MemoryContextAllocHuge(state->home, state->written_capacity * sizeof(Target)) :
			repalloc_huge(state->written, state->written_capacity * sizeof(Target));
	}
	state->written[state->written_count++] = *target;
}

static int
compare_corrected(const void *a, const void *b)
{
	const Corrected *x = a;
	const Corrected *y = b;
	int			left = x->dims ? x->dims->number : 0;
	int			right = y->dims ? y->dims->number : 0;

	if (left != right)
		return left < right ? -1 : 1;
	return x->minute < y->minute ? -1 : x->minute > y->minute ? 1 : 0;
}

static int
write_minutes(Correcting *state, AevonStore *store, const AevonMeasure *measure,
			  int64 series_key, const Target *targets, int count)
{
	AevonWindowState *states = palloc(count * sizeof(AevonWindowState));
	Target		target = *targets;

	target.measure = measure;
	target.series_key = series_key;
	for (int i = 0; i < count; i++)
	{
		states[i].window = targets[i].minute;
		states[i].partial = sum_minute(state, measure, &targets[i]);
	}
	return replace_minutes(state, store, &target, states, count);
}

static int
write_coarse(AevonStore *store, int64 series_key, AevonTier tier, const Target *targets,
			 int count)
{
	AevonSeriesTier where = {series_key, tier, true};
	AevonWindowState *states = palloc(count * sizeof(AevonWindowState));
	int64		minutes = aevon_tier_minutes(tier);
	int64		kept_from = aevon_store_first_kept(store, series_key, tier);
	int			n = 0;

	for (int i = 0; i < count; i++)
	{
		int64		window = aevon_window_of(targets[i].minute, minutes);
		AevonVisit	visit = {AEVON_TIER_1M, series_key, window * minutes, (window + 1) * minutes,
		NULL, DT_NOEND, NULL};

		if (window < kept_from || (n > 0 && states[n - 1].window == window))
			continue;
		states[n].window = window;
		states[n].partial = palloc0(sizeof(AevonPartial));
		aevon_store_visit_closed(store, &visit, merge_state, &states[n++]);
	}
	return aevon_store_merge(store, &where, states, n);
}

/* What of a subject's minute is inside the new cut and counts by it. */
static AevonPartial *
sum_minute(Correcting *state, const AevonMeasure *measure, const Target *target)
{
	AevonRecount recount = recount_of(state, target);
	AevonPacked minutes;
	AevonPartial *partial = palloc(sizeof(AevonPartial));

	aevon_recount_minutes(&recount, measure, &minutes);
	*partial = minutes.merged;
	return partial;
}

static AevonRecount
recount_of(const Correcting *state, const Target *target)
{
	AevonRecount recount = {
		.snapshot = state->correction->snapshot,
		.voids = state->voids,
		.cut = state->correction->after,
		.tenant_key = target->tenant_key,
		.subject_key = target->subject_key,
		.since = target->minute * AEVON_MINUTE,
		.until = (target->minute + 1) * AEVON_MINUTE,
		.beside = true,
	};

	return recount;
}

/* A visitor: the state's memory goes, so merge it in that of the target. */
static void
merge_state(void *context, int64 window, const AevonPartial *partial)
{
	AevonWindowState *into = context;
	MemoryContext outer = MemoryContextSwitchTo(GetMemoryChunkContext(into->partial));

	aevon_partial_merge(into->partial, partial);
	MemoryContextSwitchTo(outer);
}
