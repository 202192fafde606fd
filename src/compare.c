/*
 * compare.c
 *		What the store holds of a series against a recount of the log, and
 *		putting it right.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "compare.h"
#include "fold.h"
#include "json.h"
#include "storevisit.h"
#include "tiers.h"

#define MINUTES_A_DAY AEVON_COMPARE_DAY

static const char *const tier_names[AEVON_TIER_COUNT] = {
	[AEVON_TIER_1M] = "bucket_1m",
	[AEVON_TIER_1H] = "bucket_1h",
	[AEVON_TIER_1D] = "bucket_1d",
};

/* Rows of a tier being checked, from the last to the first. */
typedef struct RowCheck
{
	AevonComparison *state;
	AevonTier	tier;
	bool		open;			/* not rows of the tier, but the open minutes */
	int64		bound;			/* first_window of the row after it */
} RowCheck;

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

static void check_tier_rows(AevonComparison *state, AevonTier tier);
static void check_open_minutes(AevonComparison *state);
static void check_row(void *context, int64 first_window, const bytea *bytes);
static const char *row_fault(const RowCheck *check, int64 first_window,
							 const AevonPacked *packed);
static bool is_newest_last(const bytea *bytes);
static bool decode_safely(const bytea *bytes, AevonPacked *packed);
static int64 next_stored_minute(const AevonComparison *state, AevonTier tier, int64 from);
static const AevonPacked *closed_minutes(const AevonPacked *minutes, const Collected *closed,
										 const Collected *open);
static const AevonPackedEntry *find_collected(const Collected *stored, int64 window);
static const AevonPacked *coarser(const AevonPacked *minutes, AevonTier tier);
static void compare_tier(AevonComparison *state, AevonTier tier, const AevonPacked *recomputed,
						 const Collected *stored);
static void collect_tier(const AevonComparison *state, AevonTier tier, Collected *stored);
static void collect_open(const AevonComparison *state, Collected *stored);
static void collect_both(Collected *both, const Collected *closed, const Collected *open);
static void collect_row(void *context, int64 first_window, const bytea *bytes);
static int	compare_entries(const void *a, const void *b);
static bool equal_partials(const AevonPartial *a, const AevonPartial *b);
static bool equal_last(const AevonLast *a, const AevonLast *b);
static void report(AevonComparison *state, AevonTier tier, int64 window, const AevonPartial *stored,
				   const AevonPartial *recomputed);
static Jsonb *partial_document(const AevonComparison *state, const AevonPartial *partial);
static void push_sketches(AevonJson *json, const AevonMeasure *measure,
						  const AevonPartial *partial);
static Jsonb *fault_document(const AevonComparison *state, const char *fault);
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
		.subject_key = recount->subject_key,
		.series_key = aevon_store_find_series(store, &series),
		.visitor = visitor,
		.context = context,
	};
	int64		at;

	aevon_compare_rows(&state);
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

void
aevon_compare_rows(AevonComparison *state)
{
	for (int tier = 0; tier < AEVON_TIER_COUNT && state->series_key != 0; tier++)
	{
		if (aevon_tier_kept(tier, state->measure, state->subject_key, state->dims != NULL))
			check_tier_rows(state, tier);
	}
	if (state->series_key != 0)
		check_open_minutes(state);
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

		if (!aevon_tier_kept(tier, state->measure, state->subject_key, state->dims != NULL))
			continue;
		collect_tier(state, tier, &stored);
		compare_tier(state, tier, coarser(expected, tier), &stored);
		any |= stored.count > 0;
	}
	return any;
}

int64
aevon_compare_next_stored(const AevonComparison *state, int64 from)
{
	int64		next = AEVON_COMPARE_NONE;

	for (int tier = 0; tier < AEVON_TIER_COUNT && state->series_key != 0; tier++)
	{
		if (aevon_tier_kept(tier, state->measure, state->subject_key, state->dims != NULL))
			next = Min(next, next_stored_minute(state, tier, from));
	}
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

static void
check_tier_rows(AevonComparison *state, AevonTier tier)
{
	RowCheck	check = {state, tier, false, AEVON_WINDOW_MAX};
	AevonVisit	visit = {tier, state->series_key, AEVON_WINDOW_MIN, AEVON_WINDOW_MAX, NULL, DT_NOEND, NULL};

	aevon_store_visit_rows(state->store, &visit, check_row, &check);
}

static void
check_open_minutes(AevonComparison *state)
{
	RowCheck	check = {state, AEVON_TIER_1M, true, AEVON_WINDOW_MAX};
	const bytea *minutes = aevon_store_open_minutes(state->store, state->series_key);

	if (minutes != NULL)
		check_row(&check, AEVON_WINDOW_MIN, minutes);
}

static void
check_row(void *context, int64 first_window, const bytea *bytes)
{
	RowCheck   *check = context;
	AevonComparison *state = check->state;
	AevonDifference difference = {
		.tier = check->tier,
		.what = tier_names[check->tier],
		.series_key = state->series_key,
		.unreadable = true,
	};
	AevonPacked packed;
	AevonPacked again;
	const char *fault = "cannot be read";

	if (decode_safely(bytes, &packed))
	{
		fault = row_fault(check, first_window, &packed);
		if (fault == NULL && packed.open && !is_newest_last(bytes))
			fault = "does not end with the newest of open minutes";
		again = packed;
		aevon_packed_remerge(&again);
		if (fault == NULL && packed.count > 0 &&
			(!equal_partials(&packed.merged, &again.merged) || packed.first != again.first ||
			 packed.last != again.last))
		{
			difference.unreadable = false;
			difference.window_start = packed.entries[0].window * aevon_tier_minutes(check->tier) *
				AEVON_MINUTE;
			difference.stored = partial_document(state, &packed.merged);
			difference.recomputed = partial_document(state, &again.merged);
			fault = "";
		}
	}
	check->bound = first_window;
	if (fault == NULL)
		return;
	if (difference.stored == NULL)
		difference.stored = fault_document(state, fault);
	state->found++;
	state->visitor(state->context, &difference);
}

/* What is wrong with the windows of a row, or NULL. */
static const char *
row_fault(const RowCheck *check, int64 first_window, const AevonPacked *packed)
{
	int64		minutes = aevon_tier_minutes(check->tier);

	if (packed->open != check->open)
		return check->open ? "does not hold open minutes" : "holds open minutes";
	for (int i = 0; i < packed->count; i++)
	{
		int64		window = packed->entries[i].window;

		if (window < AEVON_COMPARE_FIRST / minutes || window >= AEVON_COMPARE_END / minutes)
			return "holds a window of no time";
		if (window < first_window || window >= check->bound)
			return "holds a window that belongs to another row";
		if (i > 0 && window <= packed->entries[i - 1].window)
			return "holds windows out of order";
	}
	return NULL;
}

/* Of a row that can be read. */
static bool
is_newest_last(const bytea *bytes)
{
	AevonPackedReader row;
	bool		ended = false;

	aevon_packed_open(bytes, &row);
	while (!ended && aevon_packed_next(&row, AEVON_WINDOW_MIN, AEVON_WINDOW_MAX))
		ended = row.window >= row.last;
	return row.left == 0 && (row.count == 0 || row.window == row.last);
}

/* Decode a row; false if its bytes are damaged.  Decoding only allocates. */
static bool
decode_safely(const bytea *bytes, AevonPacked *packed)
{
	MemoryContext outer = CurrentMemoryContext;
	volatile bool readable = true;

	PG_TRY();
	{
		aevon_packed_decode(bytes, false, packed);
		aevon_packed_check(packed);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(outer);
		if (geterrcode() != ERRCODE_DATA_CORRUPTED)
			PG_RE_THROW();
		FlushErrorState();
		readable = false;
	}
	PG_END_TRY();
	return readable;
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

/* The minutes merged by windows of the tier. */
static const AevonPacked *
coarser(const AevonPacked *minutes, AevonTier tier)
{
	AevonPacked *merged = palloc0(sizeof(AevonPacked));

	for (int i = 0; i < minutes->count; i++)
		aevon_packed_add(merged, aevon_window_of(minutes->entries[i].window,
												 aevon_tier_minutes(tier)),
						 &minutes->entries[i].partial);
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
			if (!equal_partials(&is->partial, &must->partial))
				report(state, tier, is->window, &is->partial, &must->partial);
			i++;
			k++;
		}
		else if (is != NULL && (must == NULL || is->window < must->window))
		{
			report(state, tier, is->window, &is->partial, NULL);
			i++;
		}
		else if (must != NULL)
		{
			report(state, tier, must->window, NULL, &must->partial);
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

	if (!decode_safely(bytes, &packed))
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

/* Of everything, provenance too: reads as of a time go by it. */
static bool
equal_partials(const AevonPartial *a, const AevonPartial *b)
{
	if (a->event_count != b->event_count || a->skipped != b->skipped || a->late != b->late)
		return false;
	if (a->event_count == 0)
		return true;
	if (a->min_stamp != b->min_stamp || a->max_stamp != b->max_stamp ||
		a->min_ingested != b->min_ingested || a->max_ingested != b->max_ingested)
		return false;
	if (!aevon_partial_equal_sketches(a, b))
		return false;
	if (a->event_count == a->skipped)
		return true;
	return aevon_decimal_compare(&a->sum, &b->sum) == 0 &&
		aevon_decimal_compare(&a->min, &b->min) == 0 &&
		aevon_decimal_compare(&a->max, &b->max) == 0 && equal_last(a->last, b->last);
}

static bool
equal_last(const AevonLast *a, const AevonLast *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->occurred_at == b->occurred_at && strcmp(a->principal, b->principal) == 0 &&
		strcmp(a->event_id, b->event_id) == 0 &&
		aevon_decimal_compare(&a->value, &b->value) == 0;
}

/* Either of the two may be NULL: there is nothing. */
static void
report(AevonComparison *state, AevonTier tier, int64 window, const AevonPartial *stored,
	   const AevonPartial *recomputed)
{
	AevonDifference difference = {
		.tier = tier,
		.what = tier_names[tier],
		.series_key = state->series_key,
		.window_start = window * aevon_tier_minutes(tier) * AEVON_MINUTE,
	};

	if (stored != NULL)
		difference.stored = partial_document(state, stored);
	if (recomputed != NULL)
		difference.recomputed = partial_document(state, recomputed);
	state->found++;
	state->visitor(state->context, &difference);
}

static Jsonb *
partial_document(const AevonComparison *state, const AevonPartial *partial)
{
	AevonJson	json = {0};

	aevon_json_token(&json, WJB_BEGIN_OBJECT);
	aevon_dims_push(&json, state->dims);
	aevon_json_number(&json, "event_count", int64_to_numeric(partial->event_count));
	aevon_json_number(&json, "skipped", int64_to_numeric(partial->skipped));
	aevon_json_number(&json, "late_count", int64_to_numeric(partial->late));
	for (int i = AEVON_SUM; i <= AEVON_MAX && state->measure->value != NULL; i++)
		aevon_json_number(&json, aevon_plain_operators[i].name,
						  aevon_fold_final(partial, &aevon_plain_operators[i]));
	if (partial->last != NULL)
	{
		aevon_json_number(&json, "last", aevon_decimal_to_numeric(&partial->last->value));
		aevon_json_time(&json, "last_occurred_at", partial->last->occurred_at);
		aevon_json_text(&json, "last_principal", partial->last->principal);
		aevon_json_text(&json, "last_event_id", partial->last->event_id);
	}
	push_sketches(&json, state->measure, partial);
	aevon_json_number(&json, "min_stamp", int64_to_numeric(partial->min_stamp));
	aevon_json_number(&json, "max_stamp", int64_to_numeric(partial->max_stamp));
	aevon_json_time(&json, "first_ingested_at", partial->min_ingested);
	aevon_json_time(&json, "last_ingested_at", partial->max_ingested);
	aevon_json_token(&json, WJB_END_OBJECT);
	return aevon_json_finish(&json);
}

/* What they say, and a number that tells them apart when that is the same. */
static void
push_sketches(AevonJson *json, const AevonMeasure *measure, const AevonPartial *partial)
{
	StringInfoData buf;

	if (!(measure->features & AEVON_KEEP_SKETCHES))
		return;
	initStringInfo(&buf);
	if (measure->features & AEVON_KEEP_DISTINCT)
		aevon_json_number(json, "distinct",
						  aevon_fold_final(partial, &aevon_plain_operators[AEVON_DISTINCT]));
	for (int i = 0; i < measure->quantile_count; i++)
		aevon_json_number(json, measure->quantiles[i].name,
						  aevon_fold_final(partial, &measure->quantiles[i]));
	if (partial->quantiles != NULL)
		aevon_quantiles_encode(&buf, partial->quantiles);
	if (partial->distinct != NULL)
		aevon_distinct_encode(&buf, partial->distinct);
	aevon_json_number(json, "sketch_digest",
					  int64_to_numeric(hash_bytes((const unsigned char *) buf.data, buf.len)));
}

static Jsonb *
fault_document(const AevonComparison *state, const char *fault)
{
	AevonJson	json = {0};

	aevon_json_token(&json, WJB_BEGIN_OBJECT);
	aevon_dims_push(&json, state->dims);
	aevon_json_text(&json, "row", fault);
	aevon_json_token(&json, WJB_END_OBJECT);
	return aevon_json_finish(&json);
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
