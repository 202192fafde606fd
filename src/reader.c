/*
 * reader.c
 *		Reading: edges, packed minutes, hours and days, and tail, merged.
 *
 * Each event of the range is met exactly once per measure.  The partial
 * minutes at the ends are read raw, whether swept or not; between them, events
 * inside the measure's cut come from the buckets, and those outside it (the
 * tail) are read raw.  Inside is a fixed property of an event's stamp and
 * buckets and cut change in one transaction, so one snapshot sees a matching
 * pair.
 *
 * Minutes whose bucket is not what is asked for are read raw too: those that
 * hold an event whose void is still outside the cut, and for a past state
 * (as_of) those that hold events ingested before and after it, or an event
 * voided since.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "fold.h"
#include "guard.h"
#include "knownseries.h"
#include "log.h"
#include "reader.h"
#include "tailplaces.h"
#include "voids.h"

/*
 * The tail is read by stamp, all principals' together.  If it is longer than
 * this, one principal's is found faster among its own events in the range.
 */
#define TAIL_SCAN_LIMIT 20000

/* A measure's states while they are put together. */
typedef struct Sum
{
	const AevonMeasure *measure;
	AevonSlice *slice;			/* NULL: totals only */
	AevonSums  *states;
} Sum;

typedef struct Reader
{
	const AevonQuestion *question;
	AevonStore *store;
	AevonVoids *voids;			/* NULL: the tenant has none */
	MemoryContext result;		/* of the answer */
	MemoryContext event;		/* of one event */
	int64		low;			/* whole minutes of the range: [low, high) */
	int64		high;
	int			count;
	Sum		   *sums;
	AevonCheckpoint **checkpoints;	/* per measure; NULL: it has no buckets */
	AevonCut   *empty;
	int64		budget;			/* events that edges may hold; mostly no bound */
} Reader;

/* Measures with the same cut share a pass over their tail. */
typedef struct Tail
{
	const AevonCut *cut;
	bool		caught_up;
	int			count;
	int		   *members;		/* indexes into sums */
	Sum		   *sums;
	int64		events;
	AevonWindowSet corrected[AEVON_TIER_COUNT]; /* what the buckets have wrong */
} Tail;

typedef struct VisitContext
{
	struct Part *part;
	int64		unit;			/* of a window of the tier */
	AevonWindowSet *opened;		/* windows to be read at a finer grain */
} VisitContext;

/* The buckets of one of a measure's series, and where they are summed up. */
typedef struct Part
{
	Reader	   *reader;
	const Tail *tail;
	Sum		   *sum;
	AevonSliceSeries series;
	AevonGroup *group;			/* NULL: not met yet */
	AevonWindowSet opened;		/* minutes to be read raw */
} Part;

/* Minutes of a measure that are to be read raw, each for some of its series. */
typedef struct Opened
{
	AevonWindowSet minutes;		/* of any series */
	int			room;
	AevonWindowSet **by_series; /* by number of the series' values, 0 without;
								 * NULL: all minutes are for all series */
} Opened;

typedef struct VoidContext
{
	Reader	   *reader;
	Tail	   *tail;
} VoidContext;

static bool read_slice_from_log(Reader *reader, Tail *tails, int tail_count);
static void read_whole_minutes(Reader *reader, Tail *tails, int tail_count);
static void prepare(Reader *reader, List *measures);
static void find_whole_minutes(Reader *reader);
static AevonSums *create_states(Reader *reader);
static void compile_slices(Reader *reader);
static void read_buckets(Reader *reader, const Tail *tail, int which);
static AevonSliceSeries *list_series(Reader *reader, int which, int *count);
static void note_opened(Opened *opened, const Part *part);
static void find_corrected(Reader *reader, Tail *tail);
static void note_correction(void *context, const AevonVoid *found);
static void read_span(Part *part, int64 from, int64 until, AevonTier tier);
static bool is_kept(const Part *part, AevonTier tier);
static void read_tier(Part *part, AevonTier tier, int64 from, int64 until);
static void visit(Part *part, AevonTier tier, int64 from, int64 until, AevonWindowSet *opened);
static void read_raw(Reader *reader, const Tail *tail, const Opened *opened,
					 const int *members, int count);
static bool row_counts(Reader *reader, const AevonLogRow *row, bool by_time);
static AevonGroup *group_of(const Sum *sum, const AevonPlace *place, int32 principal_key);
static void take_state(void *context, int64 window, const AevonPartial *partial);
static void read_edges(Reader *reader, Tail *tails, int tail_count);
static bool read_edge(Reader *reader, TimestampTz since, TimestampTz until, Tail *tails,
					  int tail_count);
static Tail *group_by_cut(Reader *reader, int *count);
static void read_tail(Reader *reader, Tail *tail);
static bool read_tail_by_stamp(Reader *reader, Tail *tail);
static void read_tail_by_time(Reader *reader, Tail *tail);
static bool take_stamps(Reader *reader, Tail *tail, int64 from, int64 until, int64 *budget);
static bool take_newest(Reader *reader, Tail *tail, int64 *budget);
static void take_tail_row(Reader *reader, Tail *tail, AevonLogRow *row);
static void start_sums(Reader *reader, Tail *tail);
static void add_sums(Reader *reader, Tail *tail);
static AevonLogScan *scan_by_time(Reader *reader, TimestampTz since, TimestampTz until);
static void scan_again(Reader *reader, AevonLogScan *scan, TimestampTz since, TimestampTz until);
static void go_beside(Reader *reader, TimestampTz since, TimestampTz until);
static void fold_into(Reader *reader, const Sum *sum, AevonLogRow *row, const Opened *opened);
static AevonGroup *group_of_event(Reader *reader, const Sum *sum, AevonLogRow *row,
								  const Opened *opened);
static bool is_open(const Opened *opened, const AevonDims *series, int64 minute);
static TimestampTz minute_start(int64 minute);
static AevonAnswer *conclude(Reader *reader, Tail *tails, int tail_count);
static void conclude_measure(Reader *reader, int which, AevonTally *tally);
static int	compare_groups(const void *a, const void *b, void *slicing);

AevonAnswer *
aevon_reader_read(const AevonQuestion *question, List *measures)
{
	Reader		reader = {0};
	AevonAnswer *answer;
	Tail	   *tails;
	int			tail_count;

	reader.question = question;
	reader.budget = PG_INT64_MAX;
	reader.result = CurrentMemoryContext;
	reader.event = AllocSetContextCreate(CurrentMemoryContext, "aevon read event",
										 ALLOCSET_DEFAULT_SIZES);
	prepare(&reader, measures);
	tails = group_by_cut(&reader, &tail_count);
	if (!question->nobody)
		reader.voids = aevon_voids_open(question->snapshot, question->tenant_key);
	if (question->nobody || reader.count == 0)
		tail_count = 0;
	else
	{
		reader.store = aevon_store_open(question->snapshot, false);
		compile_slices(&reader);
		if (!read_slice_from_log(&reader, tails, tail_count))
		{
			read_whole_minutes(&reader, tails, tail_count);
			read_edges(&reader, tails, tail_count);
		}
		aevon_store_close(reader.store);
	}
	answer = conclude(&reader, tails, tail_count);
	aevon_voids_close(reader.voids);
	MemoryContextDelete(reader.event);
	return answer;
}

const AevonTally *
aevon_reader_tally(const AevonAnswer *answer, const AevonMeasure *measure)
{
	for (int i = 0; i < answer->count; i++)
	{
		if (answer->tallies[i].measure == measure)
			return &answer->tallies[i];
	}
	elog(ERROR, "measure %d was not read", measure->measure_key);
	return NULL;
}

void
aevon_reader_check_range(TimestampTz since, TimestampTz until)
{
	if (since > until)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"since\" lies after \"until\""),
				 errhint("A range is [since, until): since is included, until is not.")));
}

/*
 * A principal's slice may have more series than there are events in the range:
 * then all of it is read as a partial minute is.  False: it was not.
 */
static bool
read_slice_from_log(Reader *reader, Tail *tails, int tail_count)
{
	const AevonQuestion *question = reader->question;
	Sum		   *sum = &reader->sums[0];
	bool		done;

	if (reader->count != 1 || sum->slice == NULL || reader->checkpoints[0] == NULL ||
		reader->low >= reader->high)
		return false;
	reader->budget = aevon_slice_log_budget(sum->slice, reader->low, reader->high);
	done = reader->budget > 0 &&
		read_edge(reader, question->since, question->until, tails, tail_count);
	reader->budget = PG_INT64_MAX;
	if (!done)
	{
		sum->states = create_states(reader);
		tails[0].events = 0;
	}
	return done;
}

/* The whole minutes: from buckets, and from the tails. */
static void
read_whole_minutes(Reader *reader, Tail *tails, int tail_count)
{
	if (reader->low >= reader->high)
		return;
	for (int i = 0; i < tail_count; i++)
	{
		Tail	   *tail = &tails[i];
		Opened		corrected = {0};

		find_corrected(reader, tail);
		corrected.minutes = tail->corrected[AEVON_TIER_1M];
		for (int k = 0; k < tail->count; k++)
			read_buckets(reader, tail, tail->members[k]);
		read_raw(reader, tail, &corrected, tail->members, tail->count);
		read_tail(reader, tail);
	}
}

static void
prepare(Reader *reader, List *measures)
{
	int			count = list_length(measures);
	int32	   *measure_keys = palloc(Max(count, 1) * sizeof(int32));
	AevonCheckpoint *checkpoints;

	reader->count = count;
	reader->sums = palloc0(Max(count, 1) * sizeof(Sum));
	reader->checkpoints = palloc0(Max(count, 1) * sizeof(AevonCheckpoint *));
	reader->empty = aevon_cut_empty();
	for (int i = 0; i < count; i++)
	{
		reader->sums[i].measure = list_nth(measures, i);
		reader->sums[i].states = create_states(reader);
		measure_keys[i] = reader->sums[i].measure->measure_key;
	}
	checkpoints = aevon_cut_find_checkpoints(reader->question->snapshot, measure_keys, count);
	for (int i = 0; i < count; i++)
	{
		if (checkpoints[i].measure_key == 0)
			continue;
		aevon_guard_check_cut(checkpoints[i].cut->xmax);
		reader->checkpoints[i] = &checkpoints[i];
	}
	find_whole_minutes(reader);
}

static void
find_whole_minutes(Reader *reader)
{
	TimestampTz since = reader->question->since;
	TimestampTz until = reader->question->until;

	if (TIMESTAMP_IS_NOBEGIN(since))
		reader->low = AEVON_WINDOW_MIN;
	else if (TIMESTAMP_IS_NOEND(since))
		reader->low = AEVON_WINDOW_MAX;
	else
	{
		reader->low = aevon_window_of(since, AEVON_MINUTE);
		if (minute_start(reader->low) < since)
			reader->low++;
	}
	if (TIMESTAMP_IS_NOEND(until))
		reader->high = AEVON_WINDOW_MAX;
	else if (TIMESTAMP_IS_NOBEGIN(until))
		reader->high = AEVON_WINDOW_MIN;
	else
		reader->high = aevon_window_of(until, AEVON_MINUTE);
}

static AevonSums *
create_states(Reader *reader)
{
	const AevonSlicing *slicing = reader->question->slicing;

	return aevon_sums_create(reader->question->grid, slicing == NULL || !slicing->unbounded);
}

/* Only now that the store is open. */
static void
compile_slices(Reader *reader)
{
	const AevonQuestion *question = reader->question;
	AevonSliceSubject subject = {question->tenant_key, question->principal_key};

	for (int i = 0; i < reader->count; i++)
	{
		if (question->slicing != NULL)
			reader->sums[i].slice = aevon_slice_compile(question->slicing,
														reader->sums[i].measure, &subject,
														reader->store);
	}
}

static void
read_buckets(Reader *reader, const Tail *tail, int which)
{
	Opened		opened = {0};
	AevonSliceSeries *series;
	int			count;

	if (reader->checkpoints[which] == NULL)
		return;
	series = list_series(reader, which, &count);
	for (int i = 0; i < count; i++)
	{
		Part		part = {reader, tail, &reader->sums[which], series[i]};

		read_span(&part, reader->low, reader->high, AEVON_TIER_1D);
		if (part.opened.count > 0)
			note_opened(&opened, &part);
	}
	aevon_windowset_sort(&opened.minutes);
	read_raw(reader, tail, &opened, &which, 1);
}

static AevonSliceSeries *
list_series(Reader *reader, int which, int *count)
{
	const AevonQuestion *question = reader->question;
	Sum		   *sum = &reader->sums[which];
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

static void
note_opened(Opened *opened, const Part *part)
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
 * Find the minutes whose buckets hold an event that does not count, because
 * its void is outside the cut, or lack one that does, because it was voided
 * after as_of.
 */
static void
find_corrected(Reader *reader, Tail *tail)
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

static void
note_correction(void *context, const AevonVoid *found)
{
	VoidContext *where = context;
	int64		minute = aevon_window_of(found->occurred_at, AEVON_MINUTE);

	if (minute < where->reader->low || minute >= where->reader->high ||
		!aevon_cut_contains(where->tail->cut, found->event_stamp))
		return;
	aevon_windowset_add(&where->tail->corrected[AEVON_TIER_1M], minute);
}

/*
 * The minutes [from, until): whole windows of the tier from there where the
 * grid's windows can hold them, the rest from finer ones.
 */
static void
read_span(Part *part, int64 from, int64 until, AevonTier tier)
{
	const AevonGrid *grid = part->reader->question->grid;
	int64		unit = aevon_tier_minutes(tier);
	int64		first = AEVON_WINDOW_MIN;
	int64		end = AEVON_WINDOW_MAX;

	if (tier == AEVON_TIER_1M)
	{
		visit(part, tier, from, until, &part->opened);
		return;
	}
	if (from != AEVON_WINDOW_MIN)
		first = aevon_window_of(from + unit - 1, unit);
	if (until != AEVON_WINDOW_MAX)
		end = aevon_window_of(until, unit);
	if (first >= end || !is_kept(part, tier) ||
		(grid->kind == AEVON_GRID_MINUTES && grid->length % (unit * AEVON_MINUTE) != 0))
	{
		read_span(part, from, until, tier - 1);
		return;
	}
	if (from != AEVON_WINDOW_MIN)
		read_span(part, from, first * unit, tier - 1);
	read_tier(part, tier, first, end);
	if (until != AEVON_WINDOW_MAX)
		read_span(part, end * unit, until, tier - 1);
}

static bool
is_kept(const Part *part, AevonTier tier)
{
	int32		principal_key = part->series.principal_key ? part->series.principal_key :
	part->reader->question->principal_key;

	return aevon_tier_kept(tier, part->sum->measure, principal_key ? principal_key : -1,
						   part->series.place.series != NULL);
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
		.as_of = question->as_of,
		.except = &part->tail->corrected[tier],
	};

	aevon_store_visit(part->reader->store, &visit, take_state, &context);
}

/*
 * What of these minutes is inside the cut, from the log instead of buckets; for
 * the members of the tail's measures.
 */
static void
read_raw(Reader *reader, const Tail *tail, const Opened *opened,
		 const int *members, int count)
{
	AevonLogScan *scan = NULL;
	AevonLogRow row;
	int			at = 0;
	int64		from;
	int64		until;

	while (aevon_windowset_next_run(&opened->minutes, &at, &from, &until))
	{
		if (scan == NULL)
			scan = scan_by_time(reader, minute_start(from), minute_start(until));
		else
			scan_again(reader, scan, minute_start(from), minute_start(until));
		while (aevon_log_scan_next(scan, &row))
		{
			if (!aevon_cut_contains(tail->cut, row.stamp) || !row_counts(reader, &row, true))
				continue;
			for (int i = 0; i < count; i++)
				fold_into(reader, &reader->sums[members[i]], &row, opened);
			MemoryContextReset(reader->event);
		}
	}
	if (scan != NULL)
		aevon_log_scan_end(scan);
}

/*
 * Was the event ingested, and not voided, by as_of?  by_time: it comes from
 * a scan by time.
 */
static bool
row_counts(Reader *reader, const AevonLogRow *row, bool by_time)
{
	AevonVoid	found;
	bool		is_void;

	if (row->ingested_at > reader->question->as_of)
		return false;
	if (by_time)
		is_void = aevon_voids_find_beside(reader->voids, row, &found);
	else
		is_void = aevon_voids_find(reader->voids, row, &found);
	return !is_void || found.voided_at > reader->question->as_of;
}

static AevonGroup *
group_of(const Sum *sum, const AevonPlace *place, int32 principal_key)
{
	if (!place->passes)
		return aevon_sums_left_out(sum->states);
	return aevon_sums_group(sum->states, place->group, principal_key);
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
			part->group = group_of(part->sum, &part->series.place, part->series.principal_key);
		aevon_partial_merge(aevon_sums_at(part->sum->states, part->group, window * visit->unit),
							partial);
	}
	MemoryContextSwitchTo(outer);
}

/* The partial minutes at the ends, or all of a range without a whole minute. */
static void
read_edges(Reader *reader, Tail *tails, int tail_count)
{
	TimestampTz since = reader->question->since;
	TimestampTz until = reader->question->until;

	if (reader->low >= reader->high)
	{
		read_edge(reader, since, until, tails, tail_count);
		return;
	}
	if (reader->low != AEVON_WINDOW_MIN)
		read_edge(reader, since, minute_start(reader->low), tails, tail_count);
	if (reader->high != AEVON_WINDOW_MAX)
		read_edge(reader, minute_start(reader->high), until, tails, tail_count);
}

/* False: the budget did not suffice. */
static bool
read_edge(Reader *reader, TimestampTz since, TimestampTz until, Tail *tails, int tail_count)
{
	AevonLogScan *scan;
	AevonLogRow row;

	if (since >= until)
		return true;
	scan = scan_by_time(reader, since, until);
	while (reader->budget > 0 && aevon_log_scan_next(scan, &row))
	{
		reader->budget--;
		if (!row_counts(reader, &row, true))
			continue;
		for (int i = 0; i < reader->count; i++)
			fold_into(reader, &reader->sums[i], &row, NULL);
		for (int i = 0; i < tail_count; i++)
			tails[i].events += aevon_cut_contains(tails[i].cut, row.stamp) ? 0 : 1;
		MemoryContextReset(reader->event);
	}
	aevon_log_scan_end(scan);
	return reader->budget > 0;
}

static Tail *
group_by_cut(Reader *reader, int *count)
{
	Tail	   *tails = palloc0(Max(reader->count, 1) * sizeof(Tail));

	*count = 0;
	for (int i = 0; i < reader->count; i++)
	{
		AevonCheckpoint *checkpoint = reader->checkpoints[i];
		const AevonCut *cut = checkpoint ? checkpoint->cut : reader->empty;
		Tail	   *tail = NULL;

		for (int k = 0; k < *count && tail == NULL; k++)
		{
			if (aevon_cut_equal(tails[k].cut, cut))
				tail = &tails[k];
		}
		if (tail == NULL)
		{
			tail = &tails[(*count)++];
			tail->cut = cut;
			tail->caught_up = checkpoint && checkpoint->caught_up;
			tail->members = palloc(reader->count * sizeof(int));
			tail->sums = palloc0(reader->count * sizeof(Sum));
		}
		tail->members[tail->count++] = i;
	}
	return tails;
}

static void
read_tail(Reader *reader, Tail *tail)
{
	int64		events = tail->events;

	start_sums(reader, tail);
	if (!tail->caught_up || !read_tail_by_stamp(reader, tail))
	{
		tail->events = events;
		start_sums(reader, tail);
		read_tail_by_time(reader, tail);
	}
	add_sums(reader, tail);
}

/* False: the tail turned out to be long, and there is a better way. */
static bool
read_tail_by_stamp(Reader *reader, Tail *tail)
{
	int64		budget = reader->question->principal_key ? TAIL_SCAN_LIMIT : PG_INT64_MAX;

	for (int i = 0; i < tail->cut->nxip; i++)
	{
		if (!take_stamps(reader, tail, tail->cut->xip[i], tail->cut->xip[i] + 1, &budget))
			return false;
	}
	return take_newest(reader, tail, &budget);
}

static bool
take_stamps(Reader *reader, Tail *tail, int64 from, int64 until, int64 *budget)
{
	AevonLogScan *scan = aevon_log_scan_stamps(reader->question->snapshot, from, until);
	AevonLogRow row;

	while (aevon_log_scan_next(scan, &row) && --*budget >= 0)
		take_tail_row(reader, tail, &row);
	aevon_log_scan_end(scan);
	return *budget >= 0;
}

/* All from the cut's xmax on: first those whose places are known. */
static bool
take_newest(Reader *reader, Tail *tail, int64 *budget)
{
	const AevonQuestion *question = reader->question;
	AevonTailRange range = {
		tail->cut->xmax, question->tenant_key, question->principal_key,
		minute_start(reader->low), minute_start(reader->high)
	};
	AevonLogScan *scan = aevon_log_scan_places(question->snapshot);
	AevonLogPlace *places;
	AevonLogRow row;
	int			count;
	int64		rest;

	places = aevon_tailplaces_find(question->snapshot, &range, &count, &rest);
	aevon_log_scan_name_places(scan, places, count);
	while (aevon_log_scan_next(scan, &row))
		take_tail_row(reader, tail, &row);

	aevon_log_scan_go_on(scan, rest);
	while (aevon_log_scan_next(scan, &row) && --*budget >= 0)
	{
		aevon_tailplaces_note(&row);
		take_tail_row(reader, tail, &row);
	}
	if (*budget >= 0)
		aevon_tailplaces_keep();
	aevon_log_scan_end(scan);
	return *budget >= 0;
}

static void
take_tail_row(Reader *reader, Tail *tail, AevonLogRow *row)
{
	const AevonQuestion *question = reader->question;

	if (row->tenant_key != question->tenant_key ||
		(question->principal_key && row->principal_key != question->principal_key) ||
		row->occurred_at < minute_start(reader->low) ||
		row->occurred_at >= minute_start(reader->high) || !row_counts(reader, row, false))
		return;
	for (int i = 0; i < tail->count; i++)
		fold_into(reader, &tail->sums[i], row, NULL);
	tail->events++;
	MemoryContextReset(reader->event);
}

static void
read_tail_by_time(Reader *reader, Tail *tail)
{
	AevonLogScan *scan = scan_by_time(reader, minute_start(reader->low),
									  minute_start(reader->high));
	AevonLogRow row;

	while (aevon_log_scan_next(scan, &row))
	{
		if (aevon_cut_contains(tail->cut, row.stamp) || !row_counts(reader, &row, true))
			continue;
		for (int i = 0; i < tail->count; i++)
			fold_into(reader, &tail->sums[i], &row, NULL);
		tail->events++;
		MemoryContextReset(reader->event);
	}
	aevon_log_scan_end(scan);
}

/* A tail is summed apart until it is clear which way it is read. */
static void
start_sums(Reader *reader, Tail *tail)
{
	for (int i = 0; i < tail->count; i++)
	{
		tail->sums[i] = reader->sums[tail->members[i]];
		tail->sums[i].states = create_states(reader);
	}
}

static void
add_sums(Reader *reader, Tail *tail)
{
	for (int i = 0; i < tail->count; i++)
		aevon_sums_add(reader->sums[tail->members[i]].states, tail->sums[i].states);
}

/* The subject's events, by time, and beside them its voids. */
static AevonLogScan *
scan_by_time(Reader *reader, TimestampTz since, TimestampTz until)
{
	const AevonQuestion *question = reader->question;

	go_beside(reader, since, until);
	if (question->principal_key)
		return aevon_log_scan_principal(question->snapshot, question->principal_key, since, until);
	return aevon_log_scan_tenant(question->snapshot, question->tenant_key, since, until);
}

static void
scan_again(Reader *reader, AevonLogScan *scan, TimestampTz since, TimestampTz until)
{
	go_beside(reader, since, until);
	aevon_log_scan_again(scan, since, until);
}

static void
go_beside(Reader *reader, TimestampTz since, TimestampTz until)
{
	const AevonQuestion *question = reader->question;
	AevonVoidRange range = {AEVON_VOIDS_OF_TENANT_BY_TIME, question->tenant_key, since, until};

	if (question->principal_key)
	{
		range.order = AEVON_VOIDS_OF_PRINCIPAL_BY_TIME;
		range.key = question->principal_key;
	}
	aevon_voids_go_beside(reader->voids, &range);
}

static void
fold_into(Reader *reader, const Sum *sum, AevonLogRow *row, const Opened *opened)
{
	MemoryContext outer = MemoryContextSwitchTo(reader->event);
	AevonMatch	match = aevon_fold_match(sum->measure, row);
	AevonContribution contribution;
	AevonGroup *group;

	/* the value last: with a filter most events are of other series */
	if (match != AEVON_MATCH_NO &&
		(group = group_of_event(reader, sum, row, opened)) != NULL)
	{
		aevon_fold_take(sum->measure, row, match, &contribution);
		MemoryContextSwitchTo(reader->result);
		aevon_fold_apply(sum->measure, &contribution,
						 aevon_sums_at(sum->states, group, row->occurred_at));
	}
	MemoryContextSwitchTo(outer);
}

/* NULL: the minute is not open for the event's series. */
static AevonGroup *
group_of_event(Reader *reader, const Sum *sum, AevonLogRow *row, const Opened *opened)
{
	const AevonSlicing *slicing = reader->question->slicing;
	const AevonPlace *place;

	if (sum->slice == NULL)
		return aevon_sums_ungrouped(sum->states);
	place = aevon_slice_place_event(sum->slice, row);
	if (!place->passes && !place->series->other)
		return NULL;
	if (opened != NULL && opened->by_series != NULL &&
		!is_open(opened, place->series, aevon_window_of(row->occurred_at, AEVON_MINUTE)))
		return NULL;
	return group_of(sum, place, slicing->by_principal ? row->principal_key : 0);
}

static bool
is_open(const Opened *opened, const AevonDims *series, int64 minute)
{
	int			number = series ? series->number : 0;

	return number < opened->room && opened->by_series[number] != NULL &&
		aevon_windowset_meets(opened->by_series[number], minute, minute);
}

static TimestampTz
minute_start(int64 minute)
{
	if (minute == AEVON_WINDOW_MIN)
		return DT_NOBEGIN;
	if (minute == AEVON_WINDOW_MAX)
		return DT_NOEND;
	return minute * AEVON_MINUTE;
}

static AevonAnswer *
conclude(Reader *reader, Tail *tails, int tail_count)
{
	AevonAnswer *answer = palloc0(sizeof(AevonAnswer));

	answer->count = reader->count;
	answer->tallies = palloc0(Max(reader->count, 1) * sizeof(AevonTally));
	for (int i = 0; i < reader->count; i++)
		conclude_measure(reader, i, &answer->tallies[i]);
	for (int i = 0; i < tail_count; i++)
	{
		answer->tail_events = Max(answer->tail_events, tails[i].events);
		if (answer->cut == NULL || tails[i].cut->xmax < answer->cut->xmax)
			answer->cut = tails[i].cut;
	}
	return answer;
}

static void
conclude_measure(Reader *reader, int which, AevonTally *tally)
{
	const AevonSlicing *slicing = reader->question->slicing;
	AevonSums  *states = reader->sums[which].states;
	bool		grouped = slicing != NULL && (slicing->group_count > 0 || slicing->by_principal);

	tally->measure = reader->sums[which].measure;
	tally->groups = aevon_sums_list(states, grouped, &tally->group_count);
	/* of the events asked about: how full the rule is tells of other tenants */
	tally->complete = aevon_sums_at(states, aevon_sums_left_out(states), 0)->event_count == 0;
	for (int i = 0; i < tally->group_count; i++)
	{
		if (tally->groups[i].dims != NULL && tally->groups[i].dims->other)
			tally->complete = false;
	}
	if (grouped)
		qsort_arg(tally->groups, tally->group_count, sizeof(AevonGroupTally), compare_groups,
				  unconstify(AevonSlicing *, slicing));
}

static int
compare_groups(const void *a, const void *b, void *slicing)
{
	return aevon_slice_compare(slicing, ((const AevonGroupTally *) a)->dims,
							   ((const AevonGroupTally *) b)->dims);
}
