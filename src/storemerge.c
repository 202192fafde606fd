/*
 * storemerge.c
 *		Writing the rows of a series in a tier.
 *
 * Like the page of a B-tree, a row is cut when it holds too much.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "splice.h"
#include "storemerge.h"
#include "storetable.h"

/* Rows gone by to find the one before, rather than to search for it. */
#define MAX_STEPS 3

/* A row to be written, and the states [from, until) that go into it. */
typedef struct Place
{
	bool		there;			/* in the table's slot; else it is to be made */
	int64		first_window;
	int			from;
	int			until;
} Place;

static Place find_place(AevonStore *store, const AevonSeriesTier *where,
						const AevonWindowState *states, int count, bool again);
static bool find_before(AevonStore *store, AevonStoreTable *table, int64 window);
static int	merge_into(AevonStore *store, const AevonSeriesTier *where, const Place *place,
					   const AevonWindowState *states);
static int	count_beyond(AevonStoreTable *table, const AevonWindowState *states, int count);
static bool splice_states(AevonStore *store, const AevonSeriesTier *where,
						  const AevonWindowState *states, int count);
static int	write_packed(AevonStore *store, const AevonSeriesTier *where, const Place *place,
						 const AevonPacked *packed, bool appended);
static int	encode_fitting(const AevonPacked *packed, int at, bool appended, bytea **state);
static void write_row(AevonStore *store, AevonStoreTable *table, int64 series_key,
					  int64 first_window, bytea *state, bool update);

/*
 * From the last state to the first: those that are left then lie before all rows
 * that were written, so that nobody needs to know where a row's time ends.
 */
int
aevon_store_merge(AevonStore *store, const AevonSeriesTier *where,
				  const AevonWindowState *states, int count)
{
	AevonStoreTable *table = aevon_storetable_tier(store, where->tier);
	int			written = 0;

	while (count > 0)
	{
		MemoryContext outer = MemoryContextSwitchTo(store->scratch);
		Place		place = find_place(store, where, states, count, written > 0);
		int			beyond = 0;

		if (place.there && !where->replace)
			beyond = count_beyond(table, &states[place.from], place.until - place.from);
		if (beyond > 0)
		{
			Place		behind = {.from = place.until - beyond,.until = place.until};

			place.until = behind.from;
			behind.first_window = states[behind.from].window;
			written += merge_into(store, where, &behind, states);
		}
		if (place.from < place.until)
			written += merge_into(store, where, &place, states);
		count = place.from;
		MemoryContextSwitchTo(outer);
		MemoryContextReset(store->scratch);
	}
	return written;
}

/* The row for the last of the states, and the states of its time. */
static Place
find_place(AevonStore *store, const AevonSeriesTier *where, const AevonWindowState *states,
		   int count, bool again)
{
	AevonStoreTable *table = aevon_storetable_tier(store, where->tier);
	AevonRowRange range = {where->series_key, AEVON_WINDOW_MIN, states[count - 1].window};
	Place		place = {.first_window = AEVON_WINDOW_MIN,.from = count - 1,.until = count};

	place.there = (again && find_before(store, table, states[count - 1].window)) ||
		aevon_storetable_find_row(store, table, &range);
	if (place.there)
		place.first_window = aevon_storetable_first_window(table);
	while (place.from > 0 && states[place.from - 1].window >= place.first_window)
		place.from--;
	return place;
}

/* From the row found last back to that for a window, if there are few between. */
static bool
find_before(AevonStore *store, AevonStoreTable *table, int64 window)
{
	for (int i = 0; i < MAX_STEPS; i++)
	{
		if (!aevon_storetable_next(store, table, BackwardScanDirection))
			return false;
		if (aevon_storetable_first_window(table) <= window)
			return true;
	}
	return false;
}

/*
 * How many of the states, the last ones, begin a row of their own: what lies
 * behind a well filled row that is too small for all of them.
 */
static int
count_beyond(AevonStoreTable *table, const AevonWindowState *states, int count)
{
	AevonPackedReader row;
	int			beyond = 0;

	aevon_packed_open(aevon_storetable_state(table), &row);
	if (row.count + count <= AEVON_PACKED_WINDOWS || row.count < AEVON_PACKED_WINDOWS / 2)
		return 0;
	while (beyond < count && states[count - 1 - beyond].window > row.last)
		beyond++;
	return beyond;
}

static int
merge_into(AevonStore *store, const AevonSeriesTier *where, const Place *place,
		   const AevonWindowState *states)
{
	AevonStoreTable *table = aevon_storetable_tier(store, where->tier);
	AevonPacked packed = {0};
	bool		appended;

	if (place->there && !where->replace &&
		splice_states(store, where, &states[place->from], place->until - place->from))
		return 1;
	if (place->there)
		aevon_packed_decode(aevon_storetable_state(table), false, &packed);
	appended = packed.count == 0 || states[place->from].window > packed.last;
	for (int i = place->from; i < place->until; i++)
	{
		if (where->replace)
			aevon_packed_set(&packed, states[i].window, states[i].partial);
		else
			aevon_packed_add(&packed, states[i].window, states[i].partial);
	}
	if (where->replace)
		aevon_packed_remerge(&packed);
	return write_packed(store, where, place, &packed, appended);
}

/* The quick way for most: the row found need be neither decoded as a whole nor cut. */
static bool
splice_states(AevonStore *store, const AevonSeriesTier *where, const AevonWindowState *states,
			  int count)
{
	AevonStoreTable *table = aevon_storetable_tier(store, where->tier);
	const bytea *found = aevon_storetable_state(table);
	bytea	   *state = aevon_splice_append(found, states, count, AEVON_PACKED_WINDOWS,
											AEVON_PACKED_BYTES);

	if (state == NULL)
		state = aevon_splice_insert(found, states, count, AEVON_PACKED_WINDOWS,
									AEVON_PACKED_BYTES);
	if (state == NULL)
		return false;
	write_row(store, table, where->series_key, aevon_storetable_first_window(table), state, true);
	return true;
}

/*
 * Write a row, cut into as many as it takes; the first replaces the one found.
 * What is cut off is neither copied nor merged again: a backlog may bring a
 * series a hundred thousand windows at once.
 */
static int
write_packed(AevonStore *store, const AevonSeriesTier *where, const Place *place,
			 const AevonPacked *packed, bool appended)
{
	AevonStoreTable *table = aevon_storetable_tier(store, where->tier);
	bytea	   *state;
	int			at = encode_fitting(packed, 0, appended, &state);
	int			written = 1;

	/* a row that has lost all its windows stays, to cover them */
	write_row(store, table, where->series_key, place->first_window, state, place->there);
	pfree(state);
	while (packed->entries != NULL && at < packed->count)
	{
		int64		first_window = packed->entries[at].window;

		at += encode_fitting(packed, at, appended, &state);
		write_row(store, table, where->series_key, first_window, state, false);
		pfree(state);
		written++;
	}
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
write_row(AevonStore *store, AevonStoreTable *table, int64 series_key, int64 first_window,
		  bytea *state, bool update)
{
	TupleTableSlot *slot = table->new_slot;

	ExecClearTuple(slot);
	memset(slot->tts_isnull, false, Natts_buckets * sizeof(bool));
	slot->tts_values[Anum_buckets_series_key - 1] = Int64GetDatum(series_key);
	slot->tts_values[Anum_buckets_first_window - 1] = Int64GetDatum(first_window);
	slot->tts_values[Anum_buckets_state - 1] = PointerGetDatum(state);
	ExecStoreVirtualTuple(slot);
	if (update)
		aevon_storetable_update(store, table, table->slot);
	else
		aevon_storetable_insert(store, table);
}
