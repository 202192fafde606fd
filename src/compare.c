/*
 * compare.c
 *		What the store holds of a series against a recount of the log, and
 *		putting it right.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "compare.h"
#include "comparerows.h"
#include "storevisit.h"
#include "tiers.h"

#define MINUTES_A_DAY AEVON_COMPARE_DAY

/* Windows of a tier collected from its rows, or only the least of them. */
typedef struct Collected
{
	MemoryContext home;			/* NULL: only the least */
	int64		from;
	int64		until;
	int64		least;			/* AEVON_COMPARE_NONE: none */
	int			count;
	int			capacity;
	AevonPackedEntry *entries;
} Collected;

static int64 next_stored_minute(const AevonComparison *state, AevonTier tier, int64 from);
static const AevonPacked *closed_minutes(const AevonPacked *minutes, const Collected *closed,
										 const Collected *open);
static const AevonPackedEntry *find_collected(const Collected *stored, int64 window);
static const AevonPacked *coarser(const AevonPacked *minutes, AevonTier tier, int64 kept_from);
static void compare_tier(AevonComparison *state, AevonTier tier, const AevonPacked *recomputed,
						 const Collected *stored);
static void collect_tier(const AevonComparison *state, AevonTier tier, Collected *stored);
static void collect_open(const AevonComparison *state, Collected *stored);
static void collect_both(Collected *both, const Collected *closed, const Collected *open);
static void collect_row(void *context, int64 first_window, const bytea *bytes);
static int	compare_entries(const void *a, const void *b);
static void write_piece(const AevonMeasure *measure, const AevonRecount *recount);

int64
aevon_compare_series(AevonStore *store, const AevonMeasure *measure, const AevonRecount *recount,
					 AevonDifferenceVisitor visitor, void *context)
{
	MemoryContext piece = AllocSetContextCreate(CurrentMemoryContext, "aevon comparison",
												ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(piece);
	AevonSeries series = {measure->measure_key, recount->tenant_key, recount->subject_key, NULL};
	AevonRecount part = *recount;
	AevonComparison state = {
		.store = store,
		.measure = measure,
		.series_key = aevon_store_find_series(store, &series),
		.visitor = visitor,
		.context = context,
	};
	int64		at;

	aevon_comparerows_check(&state);
	at = Min(aevon_compare_next_event(recount, AEVON_COMPARE_FIRST),
			 aevon_compare_next_stored(&state, AEVON_COMPARE_FIRST));
	while (at != AEVON_COMPARE_NONE)
	{
		int64		until = at + AEVON_COMPARE_PIECE;
		AevonPacked minutes;
		bool		any;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(piece);
		part.since = at * AEVON_MINUTE;
		part.until = Min(until, AEVON_COMPARE_END) * AEVON_MINUTE;
		aevon_recount_minutes(&part, measure, &minutes);
		any = aevon_compare_windows(&state, at, until, &minutes) || minutes.count > 0;
		at = any ? until : Min(aevon_compare_next_event(recount, until),
							   aevon_compare_next_stored(&state, until));
	}
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(piece);
	return state.found;
}

void
aevon_compare_rewrite(const AevonMeasure *measure, const AevonRecount *recount, Datum groupings)
{
	MemoryContext piece = AllocSetContextCreate(CurrentMemoryContext, "aevon repair",
												ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(piece);
	AevonRecount part = *recount;
	int64		at;

	aevon_compare_empty(measure, recount, groupings);
	at = aevon_compare_next_event(recount, AEVON_COMPARE_FIRST);
	while (at != AEVON_COMPARE_NONE)
	{
		part.since = at * AEVON_MINUTE;
		part.until = Min(at + AEVON_COMPARE_PIECE, AEVON_COMPARE_END) * AEVON_MINUTE;
		write_piece(measure, &part);
		MemoryContextReset(piece);
		at = aevon_compare_next_event(recount, at + AEVON_COMPARE_PIECE);
	}
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(piece);
}

bool
aevon_compare_windows(AevonComparison *state, int64 from, int64 until,
					  const AevonPacked *minutes)
{
	Collected	closed = {.home = CurrentMemoryContext,.from = from,.until = until};
	Collected	open = closed;
	Collected	both = closed;
	const AevonPacked *expected;
	bool		any;

	collect_tier(state, AEVON_TIER_1M, &closed);
	collect_open(state, &open);
	any = closed.count > 0 || open.count > 0;
	expected = closed_minutes(minutes, &closed, &open);
	collect_both(&both, &closed, &open);
	compare_tier(state, AEVON_TIER_1M, minutes, &both);
	for (int tier = AEVON_TIER_1H; tier < AEVON_TIER_COUNT; tier++)
	{
		Collected	stored = {
			.home = CurrentMemoryContext,
			.from = from / aevon_tier_minutes(tier),
			.until = until / aevon_tier_minutes(tier),
		};

		collect_tier(state, tier, &stored);
		compare_tier(state, tier,
					 coarser(expected, tier,
							 aevon_store_first_kept(state->store, state->series_key, tier)),
					 &stored);
		any |= stored.count > 0;
	}
	return any;
}

int64
aevon_compare_next_stored(const AevonComparison *state, int64 from)
{
	int64		next = AEVON_COMPARE_NONE;

	for (int tier = 0; tier < AEVON_TIER_COUNT && state->series_key != 0; tier++)
		next = Min(next, next_stored_minute(state, tier, from));
	return next;
}

int64
aevon_compare_next_event(const AevonRecount *recount, int64 from)
{
	bool		tenant = recount->subject_key < 0;
	Datum		values[2];
	Datum		next;
	bool		isnull;
	int64		day;

	if (from >= AEVON_COMPARE_END)
		return AEVON_COMPARE_NONE;
	values[0] = Int32GetDatum(tenant ? recount->tenant_key : recount->subject_key);
	values[1] = TimestampTzGetDatum(from * AEVON_MINUTE);
	aevon_catalog_run(tenant ? AEVON_QUERY_NEXT_OF_TENANT : AEVON_QUERY_NEXT_OF_PRINCIPAL,
					  values, NULL, true);
	next = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (isnull || TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(next)))
		day = AEVON_COMPARE_NONE;
	else
		day = aevon_window_of(DatumGetTimestampTz(next), AEVON_DAY) * MINUTES_A_DAY;
	SPI_freetuptable(SPI_tuptable);
	return day;
}

void
aevon_compare_empty(const AevonMeasure *measure, const AevonRecount *recount, Datum groupings)
{
	Datum		values[4] = {
		Int32GetDatum(measure->measure_key),
		Int32GetDatum(recount->tenant_key),
		groupings,
		Int32GetDatum(recount->subject_key),
	};

	if (groupings == (Datum) 0)
		return;
	aevon_catalog_run(AEVON_QUERY_DELETE_OPEN_MINUTES, values, NULL, false);
	aevon_catalog_run(AEVON_QUERY_DELETE_BUCKETS_1M, values, NULL, false);
	aevon_catalog_run(AEVON_QUERY_DELETE_BUCKETS_1H, values, NULL, false);
	aevon_catalog_run(AEVON_QUERY_DELETE_BUCKETS_1D, values, NULL, false);
}

void
aevon_compare_write(AevonStore *store, const AevonMeasure *measure, const AevonSeries *series,
					const AevonPacked *minutes)
{
	AevonTiers	tiers = {series, measure};
	AevonWindowState *states = palloc(minutes->count * sizeof(AevonWindowState));

	for (int i = 0; i < minutes->count; i++)
	{
		states[i].window = minutes->entries[i].window;
		states[i].partial = &minutes->entries[i].partial;
	}
	aevon_tiers_add(store, &tiers, states, minutes->count);
	/* readers know series by their keys, within a generation */
	if (tiers.made)
		aevon_catalog_bump_generation();
}

static int64
next_stored_minute(const AevonComparison *state, AevonTier tier, int64 from)
{
	int64		minutes = aevon_tier_minutes(tier);
	AevonVisit	visit = {tier, state->series_key, from / minutes, AEVON_COMPARE_END / minutes, NULL,
	DT_NOEND, NULL};
	Collected	stored = {
		.from = visit.from,
		.until = visit.until,
		.least = AEVON_COMPARE_NONE,
	};

	aevon_store_visit_rows(state->store, &visit, collect_row, &stored);
	if (tier == AEVON_TIER_1M)
		collect_open(state, &stored);
	if (stored.least == AEVON_COMPARE_NONE)
		return AEVON_COMPARE_NONE;
	return aevon_window_of(stored.least * minutes, MINUTES_A_DAY) * MINUTES_A_DAY;
}

/*
 * What closed rows must hold of a recount: of a minute that is open too, which is
 * compared as a whole, what they do hold.
 */
static const AevonPacked *
closed_minutes(const AevonPacked *minutes, const Collected *closed, const Collected *open)
{
	AevonPacked *expected;

	if (open->count == 0)
		return minutes;
	expected = palloc0(sizeof(AevonPacked));
	for (int i = 0; i < minutes->count; i++)
	{
		const AevonPackedEntry *entry = &minutes->entries[i];

		if (find_collected(open, entry->window) != NULL)
			entry = find_collected(closed, entry->window);
		if (entry != NULL)
			aevon_packed_add(expected, entry->window, &entry->partial);
	}
	return expected;
}

static const AevonPackedEntry *
find_collected(const Collected *stored, int64 window)
{
	AevonPackedEntry key = {.window = window};

	if (stored->count == 0)
		return NULL;
	return bsearch(&key, stored->entries, stored->count, sizeof(AevonPackedEntry),
				   compare_entries);
}

/* The minutes merged by windows of the tier, those from `kept_from` on. */
static const AevonPacked *
coarser(const AevonPacked *minutes, AevonTier tier, int64 kept_from)
{
	AevonPacked *merged = palloc0(sizeof(AevonPacked));

	for (int i = 0; i < minutes->count; i++)
	{
		const AevonPackedEntry *entry = &minutes->entries[i];
		int64		window = aevon_window_of(entry->window, aevon_tier_minutes(tier));

		if (window >= kept_from)
			aevon_packed_add(merged, window, &entry->partial);
	}
	return merged;
}

static void
compare_tier(AevonComparison *state, AevonTier tier, const AevonPacked *recomputed,
			 const Collected *stored)
{
	int			i = 0;
	int			k = 0;

	while (i < stored->count || k < recomputed->count)
	{
		const AevonPackedEntry *is = i < stored->count ? &stored->entries[i] : NULL;
		const AevonPackedEntry *must = k < recomputed->count ? &recomputed->entries[k] : NULL;

		if (is != NULL && must != NULL && is->window == must->window)
		{
			if (!aevon_difference_equal(&is->partial, &must->partial))
				aevon_difference_report(state, tier, is->window, &is->partial, &must->partial);
			i++;
			k++;
		}
		else if (is != NULL && (must == NULL || is->window < must->window))
		{
			aevon_difference_report(state, tier, is->window, &is->partial, NULL);
			i++;
		}
		else if (must != NULL)
		{
			aevon_difference_report(state, tier, must->window, NULL, &must->partial);
			k++;
		}
	}
}

static void
collect_tier(const AevonComparison *state, AevonTier tier, Collected *stored)
{
	AevonVisit	visit = {tier, state->series_key, stored->from, stored->until, NULL, DT_NOEND, NULL};

	if (state->series_key != 0)
		aevon_store_visit_rows(state->store, &visit, collect_row, stored);
	if (stored->count > 1)
		qsort(stored->entries, stored->count, sizeof(AevonPackedEntry), compare_entries);
}

static void
collect_open(const AevonComparison *state, Collected *stored)
{
	const bytea *minutes = NULL;

	if (state->series_key != 0)
		minutes = aevon_store_open_minutes(state->store, state->series_key);
	if (minutes != NULL)
		collect_row(stored, AEVON_WINDOW_MIN, minutes);
}

/* Both are sorted. */
static void
collect_both(Collected *both, const Collected *closed, const Collected *open)
{
	int			i = 0;
	int			k = 0;

	both->entries = palloc_extended((closed->count + open->count) * sizeof(AevonPackedEntry),
									MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	while (i < closed->count || k < open->count)
	{
		AevonPackedEntry *into = &both->entries[both->count++];
		int64		next = Min(i < closed->count ? closed->entries[i].window : AEVON_WINDOW_MAX,
							   k < open->count ? open->entries[k].window : AEVON_WINDOW_MAX);

		into->window = next;
		for (; i < closed->count && closed->entries[i].window == next; i++)
			aevon_partial_merge(&into->partial, &closed->entries[i].partial);
		for (; k < open->count && open->entries[k].window == next; k++)
			aevon_partial_merge(&into->partial, &open->entries[k].partial);
	}
}

/* A row that cannot be read has been told of before. */
static void
collect_row(void *context, int64 first_window, const bytea *bytes)
{
	Collected  *stored = context;
	MemoryContext outer = CurrentMemoryContext;
	AevonPacked packed;

	if (!aevon_comparerows_decode(bytes, &packed))
		return;
	if (stored->home != NULL)
		MemoryContextSwitchTo(stored->home);
	for (int i = 0; i < packed.count; i++)
	{
		const AevonPackedEntry *entry = &packed.entries[i];

		if (entry->window < stored->from || entry->window >= stored->until)
			continue;
		stored->least = Min(stored->least, entry->window);
		if (stored->home == NULL)
			continue;
		if (stored->count == stored->capacity)
		{
			stored->capacity = stored->capacity * 2 + 64;
			stored->entries = stored->entries == NULL ?
				palloc(stored->capacity * sizeof(AevonPackedEntry)) :
				repalloc_huge(stored->entries, stored->capacity * sizeof(AevonPackedEntry));
		}
		memset(&stored->entries[stored->count], 0, sizeof(AevonPackedEntry));
		stored->entries[stored->count].window = entry->window;
		aevon_partial_merge(&stored->entries[stored->count].partial, &entry->partial);
		stored->count++;
	}
	MemoryContextSwitchTo(outer);
}

static int
compare_entries(const void *a, const void *b)
{
	int64		x = ((const AevonPackedEntry *) a)->window;
	int64		y = ((const AevonPackedEntry *) b)->window;

	return x < y ? -1 : x > y ? 1 : 0;
}

/* Write the recount's range into the store, which holds nothing there. */
static void
write_piece(const AevonMeasure *measure, const AevonRecount *recount)
{
	AevonPacked minutes;
	AevonStore *store;
	AevonSeries series = {measure->measure_key, recount->tenant_key, recount->subject_key, NULL};

	aevon_recount_minutes(recount, measure, &minutes);
	if (minutes.count == 0)
		return;
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	store = aevon_store_open(GetActiveSnapshot(), true);
	aevon_compare_write(store, measure, &series, &minutes);
	aevon_store_close(store);
	PopActiveSnapshot();
	CommandCounterIncrement();
}
