/*
 * comparerows.c
 *		The stored rows of a series, each by itself.
 */
#include "postgres.h"

#include "comparerows.h"
#include "storevisit.h"

/* Rows of a tier being checked, from the last to the first. */
typedef struct RowCheck
{
	AevonComparison *state;
	AevonTier	tier;
	bool		open;			/* not rows of the tier, but the open minutes */
	int64		bound;			/* first_window of the row after it */
} RowCheck;

static void check_tier_rows(AevonComparison *state, AevonTier tier);
static void check_open_minutes(AevonComparison *state);
static void check_row(void *context, int64 first_window, const bytea *bytes);
static const char *row_fault(const RowCheck *check, int64 first_window,
							 const AevonPacked *packed);
static bool is_newest_last(const bytea *bytes);

void
aevon_comparerows_check(AevonComparison *state)
{
	for (int tier = 0; tier < AEVON_TIER_COUNT && state->series_key != 0; tier++)
		check_tier_rows(state, tier);
	if (state->series_key == 0)
		return;
	check_open_minutes(state);
	if (aevon_store_closed_until(state->store, state->series_key) >= AEVON_COMPARE_END)
		aevon_difference_report_fault(state, AEVON_TIER_1M, "is said to end after all time");
}

/* Decoding only allocates, so that an error leaves nothing behind. */
bool
aevon_comparerows_decode(const bytea *bytes, AevonPacked *packed)
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
	AevonPacked packed;
	AevonPacked again;
	const char *fault = "cannot be read";

	if (aevon_comparerows_decode(bytes, &packed))
	{
		fault = row_fault(check, first_window, &packed);
		if (fault == NULL && packed.open && !is_newest_last(bytes))
			fault = "does not end with the newest of open minutes";
		again = packed;
		aevon_packed_remerge(&again);
		if (fault == NULL && packed.count > 0 &&
			(!aevon_difference_equal(&packed.merged, &again.merged) || packed.first != again.first ||
			 packed.last != again.last))
			aevon_difference_report(state, check->tier, packed.entries[0].window, &packed.merged,
									&again.merged);
	}
	if (fault != NULL)
		aevon_difference_report_fault(state, check->tier, fault);
	check->bound = first_window;
}

/* What is wrong with the windows of a row, or NULL. */
static const char *
row_fault(const RowCheck *check, int64 first_window, const AevonPacked *packed)
{
	int64		minutes = aevon_tier_minutes(check->tier);
	int64		last = check->open ? AEVON_WINDOW_MAX :
	aevon_window_of(aevon_store_closed_until(check->state->store, check->state->series_key),
					minutes);

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
		if (window > last)
			return "holds a window that reads take for none";
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
