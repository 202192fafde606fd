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

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "fold.h"
#include "guard.h"
#include "guc.h"
#include "log.h"
#include "reader.h"
#include "voids.h"

/*
 * The tail is read by stamp, all principals' together.  If it is longer than
 * this, one principal's is found faster among its own events in the range.
 */
#define TAIL_SCAN_LIMIT 20000

typedef struct WindowEntry
{
	int64		window;			/* its start */
	char		status;
	AevonPartial partial;
} WindowEntry;

#define SH_PREFIX windows
#define SH_ELEMENT_TYPE WindowEntry
#define SH_KEY_TYPE int64
#define SH_KEY window
#define SH_HASH_KEY(table, key) murmurhash32((uint32) (key) ^ (uint32) ((key) >> 32))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* A measure's states while they are put together. */
typedef struct Sum
{
	const AevonMeasure *measure;
	AevonPartial total;
	windows_hash *windows;		/* NULL for a grid without windows */
	AevonSpan	last;			/* the window asked for last; empty: none */
	AevonPartial *last_partial;
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
	Reader	   *reader;
	Sum		   *sum;
	int64		unit;			/* of a window of the tier */
	AevonWindowSet *opened;		/* windows to be read at a finer grain */
} VisitContext;

/* A measure's buckets, and where they are summed up. */
typedef struct Part
{
	Reader	   *reader;
	const Tail *tail;
	Sum		   *sum;
	int64		series_key;
	AevonWindowSet opened;		/* minutes to be read raw */
} Part;

typedef struct VoidContext
{
	Reader	   *reader;
	Tail	   *tail;
} VoidContext;

static void prepare(Reader *reader, List *measures);
static void find_whole_minutes(Reader *reader);
static AevonPartial *partial_at(Reader *reader, Sum *sum, TimestampTz at);
static AevonPartial *partial_of(Sum *sum, TimestampTz window);
static void read_buckets(Reader *reader, Tail *tail, int which);
static void find_corrected(Reader *reader, Tail *tail);
static void note_correction(void *context, const AevonVoid *found);
static void read_span(Part *part, int64 from, int64 until, AevonTier tier);
static void read_tier(Part *part, AevonTier tier, int64 from, int64 until);
static void visit(Part *part, AevonTier tier, int64 from, int64 until, AevonWindowSet *opened);
static void read_raw(Reader *reader, const Tail *tail, const AevonWindowSet *minutes,
					 const int *members, int count);
static bool row_counts(Reader *reader, const AevonLogRow *row, bool by_time);
static void take_state(void *context, int64 window, const AevonPartial *partial);
static void read_edges(Reader *reader, Tail *tails, int tail_count);
static void read_edge(Reader *reader, TimestampTz since, TimestampTz until, Tail *tails,
					  int tail_count);
static Tail *group_by_cut(Reader *reader, int *count);
static void read_tail(Reader *reader, Tail *tail);
static bool read_tail_by_stamp(Reader *reader, Tail *tail);
static void read_tail_by_time(Reader *reader, Tail *tail);
static bool take_stamps(Reader *reader, Tail *tail, int64 from, int64 until, int64 *budget);
static void start_sums(Reader *reader, Tail *tail);
static void add_sums(Reader *reader, Tail *tail);
static AevonLogScan *scan_by_time(Reader *reader, TimestampTz since, TimestampTz until);
static void scan_again(Reader *reader, AevonLogScan *scan, TimestampTz since, TimestampTz until);
static void go_beside(Reader *reader, TimestampTz since, TimestampTz until);
static void fold_into(Reader *reader, Sum *sum, AevonLogRow *row);
static TimestampTz minute_start(int64 minute);
static AevonAnswer *conclude(Reader *reader, Tail *tails, int tail_count);
static void list_windows(Sum *sum, AevonTally *tally);
static int	compare_windows(const void *a, const void *b);

AevonAnswer *
aevon_reader_read(const AevonQuestion *question, List *measures)
{
	Reader		reader = {0};
	AevonAnswer *answer;
	Tail	   *tails;
	int			tail_count;

	reader.question = question;
	reader.result = CurrentMemoryContext;
	reader.event = AllocSetContextCreate(CurrentMemoryContext, "aevon read event",
										 ALLOCSET_DEFAULT_SIZES);
	prepare(&reader, measures);
	tails = group_by_cut(&reader, &tail_count);
	if (!question->nobody)
		reader.voids = aevon_voids_open(question->snapshot, question->tenant_key);
	if (question->nobody || reader.count == 0)
		tail_count = 0;
	else if (reader.low < reader.high)
	{
		reader.store = aevon_store_open(question->snapshot, false);
		for (int i = 0; i < tail_count; i++)
		{
			find_corrected(&reader, &tails[i]);
			for (int k = 0; k < tails[i].count; k++)
				read_buckets(&reader, &tails[i], tails[i].members[k]);
			read_raw(&reader, &tails[i], &tails[i].corrected[AEVON_TIER_1M], tails[i].members,
					 tails[i].count);
		}
		aevon_store_close(reader.store);
		for (int i = 0; i < tail_count; i++)
			read_tail(&reader, &tails[i]);
	}
	if (tail_count > 0)
		read_edges(&reader, tails, tail_count);
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
aevon_reader_check_windows(int64 count)
{
	if (count > aevon_max_windows)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many windows"),
				 errdetail("The answer would have more than aevon.max_windows (%d) windows.",
						   aevon_max_windows),
				 errhint("Ask for a shorter range or a coarser granularity.")));
}

static void
prepare(Reader *reader, List *measures)
{
	AevonCheckpoint *checkpoints;
	ListCell   *cell;
	int			checkpoint_count;

	checkpoints = aevon_cut_read_checkpoints(reader->question->snapshot, &checkpoint_count);
	reader->sums = palloc0(Max(list_length(measures), 1) * sizeof(Sum));
	reader->checkpoints = palloc0(Max(list_length(measures), 1) * sizeof(AevonCheckpoint *));
	reader->empty = aevon_cut_empty();
	foreach(cell, measures)
	{
		const AevonMeasure *measure = lfirst(cell);
		int			which = reader->count++;

		reader->sums[which].measure = measure;
		if (reader->question->grid->kind != AEVON_GRID_TOTAL)
			reader->sums[which].windows = windows_create(CurrentMemoryContext, 16, NULL);
		for (int i = 0; i < checkpoint_count; i++)
		{
			if (checkpoints[i].measure_key != measure->measure_key)
				continue;
			aevon_guard_check_cut(checkpoints[i].cut->xmax);
			reader->checkpoints[which] = &checkpoints[i];
		}
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

/* The state that events of a time are merged into, until the next call. */
static AevonPartial *
partial_at(Reader *reader, Sum *sum, TimestampTz at)
{
	AevonSpan	span;

	if (sum->windows == NULL)
		return &sum->total;
	if (at >= sum->last.start && at < sum->last.end)
		return sum->last_partial;
	span = aevon_window_find(reader->question->grid, at);
	sum->last_partial = partial_of(sum, span.start);
	sum->last = span;
	return sum->last_partial;
}

static AevonPartial *
partial_of(Sum *sum, TimestampTz window)
{
	bool		found;
	WindowEntry *entry = windows_insert(sum->windows, window, &found);

	/* what was there may have moved */
	memset(&sum->last, 0, sizeof(sum->last));
	if (!found)
	{
		aevon_reader_check_windows(sum->windows->members);
		memset(&entry->partial, 0, sizeof(entry->partial));
	}
	return &entry->partial;
}

static void
read_buckets(Reader *reader, Tail *tail, int which)
{
	const AevonQuestion *question = reader->question;
	Part		part = {reader, tail, &reader->sums[which], 0, {0}};
	AevonSeries series;
	int32		subject_key;

	if (reader->checkpoints[which] == NULL)
		return;
	subject_key = question->principal_key ? question->principal_key : -question->tenant_key;
	series = (AevonSeries)
	{
		part.sum->measure->measure_key, question->tenant_key, subject_key, NULL
	};
	part.series_key = aevon_store_find_series(reader->store, &series);
	if (part.series_key == 0)
		return;

	read_span(&part, reader->low, reader->high, AEVON_TIER_1D);
	aevon_windowset_sort(&part.opened);
	read_raw(reader, tail, &part.opened, &which, 1);
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
	if (first >= end || !aevon_tier_kept(tier, part->sum->measure) ||
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
		part->reader, part->sum, aevon_tier_minutes(tier) * AEVON_MINUTE, opened
	};
	AevonVisit	visit = {
		.tier = tier,
		.series_key = part->series_key,
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
read_raw(Reader *reader, const Tail *tail, const AevonWindowSet *minutes,
		 const int *members, int count)
{
	AevonLogScan *scan = NULL;
	AevonLogRow row;
	int			at = 0;
	int64		from;
	int64		until;

	while (aevon_windowset_next_run(minutes, &at, &from, &until))
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
				fold_into(reader, &reader->sums[members[i]], &row);
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

static void
take_state(void *context, int64 window, const AevonPartial *partial)
{
	VisitContext *visit = context;
	MemoryContext outer = MemoryContextSwitchTo(visit->reader->result);

	if (partial == NULL)
		aevon_windowset_add(visit->opened, window);
	else
		aevon_partial_merge(partial_at(visit->reader, visit->sum, window * visit->unit),
							partial);
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

static void
read_edge(Reader *reader, TimestampTz since, TimestampTz until, Tail *tails, int tail_count)
{
	AevonLogScan *scan;
	AevonLogRow row;

	if (since >= until)
		return;
	scan = scan_by_time(reader, since, until);
	while (aevon_log_scan_next(scan, &row))
	{
		if (!row_counts(reader, &row, true))
			continue;
		for (int i = 0; i < reader->count; i++)
			fold_into(reader, &reader->sums[i], &row);
		for (int i = 0; i < tail_count; i++)
			tails[i].events += aevon_cut_contains(tails[i].cut, row.stamp) ? 0 : 1;
		MemoryContextReset(reader->event);
	}
	aevon_log_scan_end(scan);
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
	return take_stamps(reader, tail, tail->cut->xmax, PG_INT64_MAX, &budget);
}

static bool
take_stamps(Reader *reader, Tail *tail, int64 from, int64 until, int64 *budget)
{
	const AevonQuestion *question = reader->question;
	TimestampTz since = minute_start(reader->low);
	TimestampTz end = minute_start(reader->high);
	AevonLogScan *scan = aevon_log_scan_stamps(question->snapshot, from, until);
	AevonLogRow row;

	while (aevon_log_scan_next(scan, &row))
	{
		if (--*budget < 0)
			break;
		if (row.tenant_key != question->tenant_key ||
			(question->principal_key && row.principal_key != question->principal_key) ||
			row.occurred_at < since || row.occurred_at >= end || !row_counts(reader, &row, false))
			continue;
		for (int i = 0; i < tail->count; i++)
			fold_into(reader, &tail->sums[i], &row);
		tail->events++;
		MemoryContextReset(reader->event);
	}
	aevon_log_scan_end(scan);
	return *budget >= 0;
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
			fold_into(reader, &tail->sums[i], &row);
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
		Sum		   *sum = &tail->sums[i];

		memset(&sum->total, 0, sizeof(sum->total));
		sum->measure = reader->sums[tail->members[i]].measure;
		if (reader->question->grid->kind != AEVON_GRID_TOTAL)
			sum->windows = windows_create(CurrentMemoryContext, 16, NULL);
	}
}

static void
add_sums(Reader *reader, Tail *tail)
{
	for (int i = 0; i < tail->count; i++)
	{
		Sum		   *into = &reader->sums[tail->members[i]];
		windows_iterator iterator;
		WindowEntry *entry;

		aevon_partial_merge(&into->total, &tail->sums[i].total);
		if (tail->sums[i].windows == NULL)
			continue;
		windows_start_iterate(tail->sums[i].windows, &iterator);
		while ((entry = windows_iterate(tail->sums[i].windows, &iterator)) != NULL)
			aevon_partial_merge(partial_of(into, entry->window), &entry->partial);
	}
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
fold_into(Reader *reader, Sum *sum, AevonLogRow *row)
{
	MemoryContext outer = MemoryContextSwitchTo(reader->event);
	AevonContribution contribution;

	if (aevon_fold_evaluate(sum->measure, row, &contribution))
	{
		MemoryContextSwitchTo(reader->result);
		aevon_fold_apply(sum->measure, &contribution,
						 partial_at(reader, sum, row->occurred_at));
	}
	MemoryContextSwitchTo(outer);
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
	{
		answer->tallies[i].measure = reader->sums[i].measure;
		answer->tallies[i].total = reader->sums[i].total;
		if (reader->sums[i].windows != NULL)
			list_windows(&reader->sums[i], &answer->tallies[i]);
	}
	for (int i = 0; i < tail_count; i++)
	{
		answer->tail_events = Max(answer->tail_events, tails[i].events);
		if (answer->cut == NULL || tails[i].cut->xmax < answer->cut->xmax)
			answer->cut = tails[i].cut;
	}
	return answer;
}

static void
list_windows(Sum *sum, AevonTally *tally)
{
	windows_iterator iterator;
	WindowEntry *entry;

	tally->windows = palloc(Max(sum->windows->members, 1) * sizeof(AevonWindowState));
	windows_start_iterate(sum->windows, &iterator);
	while ((entry = windows_iterate(sum->windows, &iterator)) != NULL)
	{
		/* a filter may have left a window without events */
		if (entry->partial.event_count == 0)
			continue;
		tally->windows[tally->count].window = entry->window;
		tally->windows[tally->count++].partial = &entry->partial;
	}
	qsort(tally->windows, tally->count, sizeof(AevonWindowState), compare_windows);
}

static int
compare_windows(const void *a, const void *b)
{
	int64		x = ((const AevonWindowState *) a)->window;
	int64		y = ((const AevonWindowState *) b)->window;

	return x < y ? -1 : x > y ? 1 : 0;
}
