/*
 * storevisit.c
 *		Reading a series: its rows of a tier, and its open minutes.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "storetable.h"
#include "storevisit.h"

/*
 * Rows of minutes that last no longer than this lie close together: an index page
 * may hold hundreds of a series.
 */
#define CLOSE_ROWS 256

/* What a series' open minutes hold of a window of the tier. */
typedef struct OpenWindow
{
	int64		window;
	bool		divided;		/* to be given without a state */
	AevonPartial partial;
} OpenWindow;

typedef struct OpenRow
{
	int64		first;			/* of the windows; in no order */
	int64		last;
	int			count;
	OpenWindow	windows[FLEXIBLE_ARRAY_MEMBER];
} OpenRow;

/* What the rows of a tier are visited for. */
typedef struct RowVisit
{
	const AevonVisit *visit;
	OpenRow    *open;			/* NULL: nothing is to be divided alike */
	AevonStateVisitor visitor;
	void	   *context;
} RowVisit;

static bool may_have_rows(AevonStore *store, const AevonVisit *visit);
static void visit_row(void *context, int64 first_window, const bytea *state);
static bool may_divide(const AevonVisit *visit);
static int64 *known_reach(const AevonStore *store, const AevonVisit *visit);
static int64 visit_range(AevonStore *store, const AevonVisit *visit, const AevonRowRange *range,
						 AevonRowVisitor visitor, void *context);
static OpenRow *read_open_row(AevonStore *store, const AevonVisit *visit);
static void open_windows(AevonPackedReader *row, const AevonVisit *visit, OpenRow *open);
static OpenWindow *find_open(OpenRow *open, int64 window);
static bool is_taken_whole(const AevonVisit *visit, int64 first, int64 last);
static bool any_divided(const OpenRow *open, int64 first, int64 last);
static bool is_cut(const AevonVisit *visit, AevonSpan *span, int64 window);
static bool reaches_beyond(const AevonVisit *visit, TimestampTz start, TimestampTz end);
static bool is_except(const AevonVisit *visit, int64 first, int64 last);

void
aevon_store_visit(AevonStore *store, const AevonVisit *visit, AevonStateVisitor visitor,
				  void *context)
{
	RowVisit	rows = {visit, NULL, visitor, context};
	MemoryContext outer;
	OpenRow    *open;

	if (visit->from >= visit->until)
		return;
	if (store->opening == NULL)
		store->opening = AllocSetContextCreate(store->home, "aevon open minutes",
											   ALLOCSET_DEFAULT_SIZES);
	outer = MemoryContextSwitchTo(store->opening);
	open = read_open_row(store, visit);
	MemoryContextSwitchTo(outer);
	if (may_divide(visit))
		rows.open = open;
	if (may_have_rows(store, visit))
		aevon_store_visit_rows(store, visit, visit_row, &rows);
	for (int i = 0; open != NULL && i < open->count; i++)
	{
		OpenWindow *window = &open->windows[i];

		visitor(context, window->window, window->divided ? NULL : &window->partial);
	}
	MemoryContextReset(store->opening);
}

void
aevon_store_visit_closed(AevonStore *store, const AevonVisit *visit, AevonStateVisitor visitor,
						 void *context)
{
	RowVisit	rows = {visit, NULL, visitor, context};

	if (visit->from < visit->until)
		aevon_store_visit_rows(store, visit, visit_row, &rows);
}

void
aevon_store_visit_rows(AevonStore *store, const AevonVisit *visit, AevonRowVisitor visitor,
					   void *context)
{
	AevonRowRange range = {visit->series_key, AEVON_WINDOW_MIN, visit->until - 1};
	int64	   *reach = known_reach(store, visit);
	int64		first;

	if (reach != NULL && *reach > 0)
		range.at_least = visit->from - 2 * *reach;
	first = visit_range(store, visit, &range, visitor, context);
	if (first > visit->from && range.at_least != AEVON_WINDOW_MIN)
	{
		/* the row that covers `from` began before the bound */
		*reach = 0;
		range.at_least = AEVON_WINDOW_MIN;
		range.at_most = visit->from;
		first = visit_range(store, visit, &range, visitor, context);
	}
	if (reach != NULL && first != AEVON_WINDOW_MIN && first <= visit->from &&
		visit->from - first <= CLOSE_ROWS)
		*reach = Max(*reach, visit->from - first + 1);
}

/*
 * How long before the start of a visit the row began that covered it, where rows
 * of the series lie close together; 0: it is not known.  NULL: none can.
 */
static int64 *
known_reach(const AevonStore *store, const AevonVisit *visit)
{
	static struct
	{
		int64		series_key;
		int64		reach;
	}			reaches[128];
	int			at = visit->series_key % lengthof(reaches);

	if (store->for_writing || visit->tier != AEVON_TIER_1M || visit->from == AEVON_WINDOW_MIN)
		return NULL;
	if (reaches[at].series_key != visit->series_key)
	{
		reaches[at].series_key = visit->series_key;
		reaches[at].reach = 0;
	}
	return &reaches[at].reach;
}

/*
 * Backwards, so that the row that covers the start of the visit is simply the
 * last.  The first window of the last row met; AEVON_WINDOW_MAX: there was none.
 */
static int64
visit_range(AevonStore *store, const AevonVisit *visit, const AevonRowRange *range,
			AevonRowVisitor visitor, void *context)
{
	AevonStoreTable *table = aevon_storetable_tier(store, visit->tier);
	bool		found = aevon_storetable_find_row(store, table, range);
	int64		first = AEVON_WINDOW_MAX;

	while (found)
	{
		MemoryContext outer = MemoryContextSwitchTo(store->scratch);

		CHECK_FOR_INTERRUPTS();
		first = aevon_storetable_first_window(table);
		visitor(context, first, aevon_storetable_state(table));
		MemoryContextSwitchTo(outer);
		MemoryContextReset(store->scratch);
		found = first > visit->from && aevon_storetable_next(store, table, BackwardScanDirection);
	}
	return first;
}

/* Often what is asked for of a series is all in its open minutes. */
static bool
may_have_rows(AevonStore *store, const AevonVisit *visit)
{
	int64		closed_until = aevon_store_closed_until(store, visit->series_key);

	return closed_until != AEVON_WINDOW_MIN &&
		visit->from <= aevon_window_of(closed_until, aevon_tier_minutes(visit->tier));
}

/* A visitor of rows: give their states. */
static void
visit_row(void *context, int64 first_window, const bytea *state)
{
	const RowVisit *rows = context;
	const AevonVisit *visit = rows->visit;
	AevonPackedReader row;
	AevonSpan	span = {0, 0};

	aevon_packed_open(state, &row);
	if (row.count == 0 || row.last < visit->from || row.first >= visit->until ||
		row.merged.min_ingested > visit->as_of)
		return;
	if (row.merged.max_ingested <= visit->as_of && is_taken_whole(visit, row.first, row.last) &&
		!any_divided(rows->open, row.first, row.last))
	{
		rows->visitor(rows->context, row.first, &row.merged);
		return;
	}

	while (aevon_packed_next(&row, visit->from, visit->until))
	{
		OpenWindow *window = find_open(rows->open, row.window);
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
		rows->visitor(rows->context, row.window, whole ? &row.partial : NULL);
	}
}

/* Are all windows [first, last] asked for, inside one window of the grid? */
static bool
is_taken_whole(const AevonVisit *visit, int64 first, int64 last)
{
	int64		unit = aevon_tier_minutes(visit->tier) * AEVON_MINUTE;

	return first >= visit->from && last < visit->until &&
		!reaches_beyond(visit, first * unit, (last + 1) * unit) &&
		(visit->grid == NULL ||
		 aevon_window_same(visit->grid, first * unit, (last + 1) * unit - 1)) &&
		!is_except(visit, first, last);
}

/* Is the window of the tier beyond the span in part, or does one of the grid begin inside it? */
static bool
is_cut(const AevonVisit *visit, AevonSpan *span, int64 window)
{
	int64		unit = aevon_tier_minutes(visit->tier) * AEVON_MINUTE;
	TimestampTz start = window * unit;

	if (reaches_beyond(visit, start, start + unit))
		return true;
	if (visit->grid == NULL || !aevon_window_cuts(visit->grid, unit))
		return false;
	if (start < span->start || start >= span->end)
		*span = aevon_window_find(visit->grid, start);
	return start + unit > span->end;
}

static bool
reaches_beyond(const AevonVisit *visit, TimestampTz start, TimestampTz end)
{
	return visit->span != NULL && (start < visit->span->start || end > visit->span->end);
}

/* Can a window be given without a state? */
static bool
may_divide(const AevonVisit *visit)
{
	int64		unit = aevon_tier_minutes(visit->tier) * AEVON_MINUTE;

	return visit->as_of != DT_NOEND ||
		(visit->span != NULL && visit->from != AEVON_WINDOW_MIN &&
		 visit->from * unit < visit->span->start) ||
		(visit->span != NULL && visit->until != AEVON_WINDOW_MAX &&
		 visit->until * unit > visit->span->end) ||
		(visit->grid != NULL && aevon_window_cuts(visit->grid, unit));
}

/*
 * What the series' open minutes have for a visit, or NULL.  For past states
 * they are taken apart, since a window has to be divided here if it is so in
 * the tier.
 */
static OpenRow *
read_open_row(AevonStore *store, const AevonVisit *visit)
{
	const bytea *minutes = aevon_store_open_minutes(store, visit->series_key);
	int64		length = aevon_tier_minutes(visit->tier);
	AevonPackedReader *row;
	OpenRow    *open;
	int64		first;
	int64		last;

	if (minutes == NULL)
		return NULL;
	row = palloc(sizeof(AevonPackedReader));
	aevon_packed_open(minutes, row);
	if (row->count == 0)
		return NULL;
	first = aevon_window_of(row->first, length);
	last = aevon_window_of(row->last, length);
	if (last < visit->from || first >= visit->until)
		return NULL;
	open = palloc(offsetof(OpenRow, windows) + row->count * sizeof(OpenWindow));
	open->count = 0;
	if (visit->as_of != DT_NOEND || !is_taken_whole(visit, first, last))
	{
		open_windows(row, visit, open);
		return open;
	}
	open->first = open->last = first;
	open->windows[0].window = first;
	open->windows[0].divided = false;
	open->windows[0].partial = row->merged;
	open->count = 1;
	return open;
}

/* Of each window of the visit's tier what the open minutes hold. */
static void
open_windows(AevonPackedReader *row, const AevonVisit *visit, OpenRow *open)
{
	int64		minutes = aevon_tier_minutes(visit->tier);
	int64		from = Max(visit->from, aevon_window_of(row->first, minutes)) * minutes;
	int64		until = (Min(visit->until - 1, aevon_window_of(row->last, minutes)) + 1) * minutes;
	AevonSpan	span = {0, 0};

	while (aevon_packed_next(row, from, until))
	{
		int64		number = aevon_window_of(row->window, minutes);
		OpenWindow *window;

		if (row->partial.min_ingested > visit->as_of || is_except(visit, number, number))
			continue;
		window = find_open(open, number);
		if (window == NULL)
		{
			open->first = open->count == 0 ? number : Min(open->first, number);
			open->last = open->count == 0 ? number : Max(open->last, number);
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

/* Mostly it is a window behind all, or the one met last. */
static OpenWindow *
find_open(OpenRow *open, int64 window)
{
	if (open == NULL || open->count == 0 || window < open->first || window > open->last)
		return NULL;
	for (int i = open->count - 1; i >= 0; i--)
	{
		if (open->windows[i].window == window)
			return &open->windows[i];
	}
	return NULL;
}

static bool
any_divided(const OpenRow *open, int64 first, int64 last)
{
	if (open == NULL || open->count == 0 || last < open->first || first > open->last)
		return false;
	for (int i = 0; i < open->count; i++)
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
