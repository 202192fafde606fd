/*
 * readminutes.c
 *		The minutes of a read, from packed minutes, hours and days.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "knownseries.h"
#include "readminutes.h"
#include "storevisit.h"

/* More hours than these, of a dense series, are read sooner than their minutes. */
#define FEW_HOURS 12

typedef struct VisitContext
{
	struct Part *part;
	int64		unit;			/* of a window of the tier */
	AevonWindowSet *opened;		/* windows to be read at a finer grain */
} VisitContext;

/* The buckets of one of a measure's series, and where they are summed up. */
typedef struct Part
{
	AevonReading *reader;
	const AevonReadingTail *tail;
	AevonReadingSum *sum;
	AevonSliceSeries series;
	AevonGroup *group;			/* NULL: not met yet */
	AevonWindowSet opened;		/* minutes to be read raw */
} Part;

/* What is to be read raw of a range, inside the cut. */
typedef struct RawRange
{
	const AevonReadingTail *tail;
	TimestampTz since;
	TimestampTz until;
	const AevonOpenedMinutes *opened;	/* NULL: no bound */
	const int  *members;
	int			count;
} RawRange;

typedef struct VoidContext
{
	AevonReading *reader;
	AevonReadingTail *tail;
} VoidContext;

static AevonSliceSeries *list_series(AevonReading *reader, int which, int *count);
static void take_range(AevonReading *reader, const RawRange *range);
static void note_edges(AevonReadingTail *tail, Part *part);
static void note_opened(AevonOpenedMinutes *opened, const Part *part);
static void note_correction(void *context, const AevonVoid *found);
static void read_span(Part *part, int64 from, int64 until, AevonTier tier);
static bool pays(const Part *part, AevonTier tier, int64 first, int64 end);
static void read_tier(Part *part, AevonTier tier, int64 from, int64 until);
static void visit(Part *part, AevonTier tier, int64 from, int64 until, AevonWindowSet *opened);
static void take_state(void *context, int64 window, const AevonPartial *partial);

void
aevon_readminutes_find_corrected(AevonReading *reader, AevonReadingTail *tail)
{
	const AevonQuestion *question = reader->question;
	AevonWindowSet *minutes = &tail->corrected[AEVON_TIER_1M];
	VoidContext context = {reader, tail};
	AevonVoidRange range;

	if (reader->voids == NULL)
		return;
	range = (AevonVoidRange)
	{
		question->principal_key ? AEVON_VOIDS_OF_PRINCIPAL_BY_STAMP : AEVON_VOIDS_OF_TENANT_BY_STAMP,
			question->principal_key ? question->principal_key : question->tenant_key,
			tail->cut->xmax, PG_INT64_MAX
	};
	aevon_voids_visit(reader->voids, &range, note_correction, &context);
	for (int i = 0; i < tail->cut->nxip; i++)
	{
		range.from = tail->cut->xip[i];
		range.until = tail->cut->xip[i] + 1;
		aevon_voids_visit(reader->voids, &range, note_correction, &context);
	}
	if (question->as_of != DT_NOEND)
	{
		range.order = question->principal_key ? AEVON_VOIDS_OF_PRINCIPAL : AEVON_VOIDS_OF_TENANT;
		range.from = question->as_of + 1;
		range.until = DT_NOEND;
		aevon_voids_visit(reader->voids, &range, note_correction, &context);
	}

	aevon_windowset_sort(minutes);
	for (int tier = AEVON_TIER_1H; tier < AEVON_TIER_COUNT; tier++)
	{
		for (int i = 0; i < minutes->count; i++)
			aevon_windowset_add(&tail->corrected[tier],
								aevon_window_of(minutes->windows[i], aevon_tier_minutes(tier)));
		aevon_windowset_sort(&tail->corrected[tier]);
	}
}

void
aevon_readminutes_take(AevonReading *reader, AevonReadingTail *tail, int which)
{
	AevonOpenedMinutes opened = {0};
	AevonSliceSeries *series;
	int			count;

	if (reader->checkpoints[which] == NULL)
		return;
	series = list_series(reader, which, &count);
	for (int i = 0; i < count; i++)
	{
		Part		part = {reader, tail, &reader->sums[which], series[i]};

		read_span(&part, reader->from, reader->until, AEVON_TIER_1D);
		note_edges(tail, &part);
		if (part.opened.count > 0)
			note_opened(&opened, &part);
	}
	aevon_windowset_sort(&opened.minutes);
	aevon_readminutes_take_raw(reader, tail, &opened, &which, 1);
}

void
aevon_readminutes_take_raw(AevonReading *reader, const AevonReadingTail *tail, const AevonOpenedMinutes *opened,
						   const int *members, int count)
{
	RawRange	range = {.tail = tail,.opened = opened,.members = members,.count = count};
	int			at = 0;
	int64		from;
	int64		until;

	while (aevon_windowset_next_run(&opened->minutes, &at, &from, &until))
	{
		range.since = aevon_reading_minute_start(from);
		range.until = aevon_reading_minute_start(until);
		take_range(reader, &range);
	}
}

void
aevon_readminutes_take_edges(AevonReading *reader, const AevonReadingTail *tail)
{
	RawRange	range = {.tail = tail,.members = tail->members,.count = tail->count};

	if (tail->first_open)
	{
		range.since = reader->span.start;
		range.until = aevon_reading_minute_start(reader->low);
		take_range(reader, &range);
	}
	if (tail->last_open)
	{
		range.since = aevon_reading_minute_start(reader->high);
		range.until = reader->span.end;
		take_range(reader, &range);
	}
}

static void
take_range(AevonReading *reader, const RawRange *range)
{
	AevonLogScan *scan = aevon_reading_scan_range(reader, range->since, range->until);
	AevonLogRow row;

	while (aevon_log_scan_next(scan, &row))
	{
		if (!aevon_cut_contains(range->tail->cut, row.stamp) ||
			!aevon_reading_counts(reader, &row, true))
			continue;
		for (int i = 0; i < range->count; i++)
			aevon_reading_fold(reader, &reader->sums[range->members[i]], &row, range->opened);
		MemoryContextReset(reader->event);
	}
}

static void
note_correction(void *context, const AevonVoid *found)
{
	VoidContext *where = context;
	const AevonReading *reader = where->reader;
	AevonReadingTail *tail = where->tail;
	int64		minute = aevon_window_of(found->occurred_at, AEVON_MINUTE);

	if (minute < reader->from || minute >= reader->until ||
		!aevon_cut_contains(tail->cut, found->event_stamp))
		return;
	/* buckets may hold nothing any more of a partial minute */
	if (minute < reader->low)
		tail->first_open = true;
	else if (minute >= reader->high)
		tail->last_open = true;
	else
		aevon_windowset_add(&tail->corrected[AEVON_TIER_1M], minute);
}

static AevonSliceSeries *
list_series(AevonReading *reader, int which, int *count)
{
	const AevonQuestion *question = reader->question;
	AevonReadingSum *sum = &reader->sums[which];
	AevonSeries totals = {sum->measure->measure_key, question->tenant_key,
	question->principal_key ? question->principal_key : -question->tenant_key};
	AevonSliceSeries *series;

	if (sum->slice != NULL)
		return aevon_slice_list_series(sum->slice, count);
	series = palloc0(sizeof(AevonSliceSeries));
	series->place.passes = true;
	series->series_key = aevon_knownseries_find(reader->store, question->generation, &totals);
	*count = series->series_key != 0;
	return series;
}

/* Take the partial minutes out of those to be read raw. */
static void
note_edges(AevonReadingTail *tail, Part *part)
{
	AevonWindowSet *opened = &part->opened;
	int			kept = 0;

	for (int i = 0; i < opened->count; i++)
	{
		if (opened->windows[i] < part->reader->low)
			tail->first_open = true;
		else if (opened->windows[i] >= part->reader->high)
			tail->last_open = true;
		else
			opened->windows[kept++] = opened->windows[i];
	}
	opened->count = kept;
}

static void
note_opened(AevonOpenedMinutes *opened, const Part *part)
{
	int			number = part->series.place.series ? part->series.place.series->number : 0;
	AevonWindowSet *minutes = palloc(sizeof(AevonWindowSet));

	if (opened->by_series == NULL || number >= opened->room)
	{
		int			room = number * 2 + 16;
		Size		size = room * sizeof(AevonWindowSet *);

		opened->by_series = opened->by_series ? repalloc(opened->by_series, size) : palloc(size);
		for (; opened->room < room; opened->room++)
			opened->by_series[opened->room] = NULL;
	}
	*minutes = part->opened;
	aevon_windowset_sort(minutes);
	for (int i = 0; i < minutes->count; i++)
		aevon_windowset_add(&opened->minutes, minutes->windows[i]);
	opened->by_series[number] = minutes;
}

/*
 * The minutes [from, until): whole windows of the tier from there where the
 * grid's windows can hold them, the rest from finer ones.
 */
static void
read_span(Part *part, int64 from, int64 until, AevonTier tier)
{
	const AevonReading *reader = part->reader;
	const AevonGrid *grid = reader->question->grid;
	int64		unit = aevon_tier_minutes(tier);
	int64		first = AEVON_WINDOW_MIN;
	int64		end = AEVON_WINDOW_MAX;

	if (tier == AEVON_TIER_1M)
	{
		visit(part, tier, from, until, &part->opened);
		return;
	}
	/* partial minutes are none of a longer window that is taken whole */
	if (from != AEVON_WINDOW_MIN)
		first = aevon_window_of(Max(from, reader->low) + unit - 1, unit);
	if (until != AEVON_WINDOW_MAX)
		end = aevon_window_of(Min(until, reader->high), unit);
	first = Max(first, aevon_store_first_kept(reader->store, part->series.series_key, tier));
	if (first >= end || !pays(part, tier, first, end) ||
		(grid->kind == AEVON_GRID_MINUTES && grid->length % (unit * AEVON_MINUTE) != 0))
	{
		read_span(part, from, until, tier - 1);
		return;
	}
	if (first != AEVON_WINDOW_MIN)
		read_span(part, from, first * unit, tier - 1);
	read_tier(part, tier, first, end);
	if (until != AEVON_WINDOW_MAX)
		read_span(part, end * unit, until, tier - 1);
}

/* A few hours of plain states are read as quickly from their minutes. */
static bool
pays(const Part *part, AevonTier tier, int64 first, int64 end)
{
	return tier != AEVON_TIER_1H || first < end - FEW_HOURS ||
		(part->sum->measure->features & AEVON_KEEP_SKETCHES) != 0;
}

/* Windows of a tier, and in the place of those that cannot be taken finer ones. */
static void
read_tier(Part *part, AevonTier tier, int64 from, int64 until)
{
	const AevonWindowSet *corrected = &part->tail->corrected[tier];
	int64		unit = aevon_tier_minutes(tier);
	AevonWindowSet opened = {0};
	int			at = 0;

	for (int i = aevon_windowset_find(corrected, from);
		 i < corrected->count && corrected->windows[i] < until; i++)
		aevon_windowset_add(&opened, corrected->windows[i]);
	visit(part, tier, from, until, &opened);
	aevon_windowset_sort(&opened);
	while (aevon_windowset_next_run(&opened, &at, &from, &until))
		read_span(part, from * unit, until * unit, tier - 1);
}

static void
visit(Part *part, AevonTier tier, int64 from, int64 until, AevonWindowSet *opened)
{
	const AevonQuestion *question = part->reader->question;
	VisitContext context = {
		part, aevon_tier_minutes(tier) * AEVON_MINUTE, opened
	};
	AevonVisit	visit = {
		.tier = tier,
		.series_key = part->series.series_key,
		.from = from,
		.until = until,
		.grid = question->grid,
		.span = &part->reader->span,
		.as_of = question->as_of,
		.except = &part->tail->corrected[tier],
	};

	aevon_store_visit(part->reader->store, &visit, take_state, &context);
}

static void
take_state(void *context, int64 window, const AevonPartial *partial)
{
	VisitContext *visit = context;
	Part	   *part = visit->part;
	MemoryContext outer = MemoryContextSwitchTo(part->reader->result);

	if (partial == NULL)
		aevon_windowset_add(visit->opened, window);
	else
	{
		if (part->group == NULL)
			part->group = aevon_reading_group(part->sum, &part->series.place, part->series.principal_key);
		aevon_partial_merge(aevon_sums_at(part->sum->states, part->group, window * visit->unit),
							partial);
	}
	MemoryContextSwitchTo(outer);
}
