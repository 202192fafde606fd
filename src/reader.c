/*
 * reader.c
 *		Reading: edges, packed minutes, packed days and tail, merged.
 *
 * Each event of the range is met exactly once per measure.  The partial
 * minutes at the ends are read raw, whether swept or not; between them, events
 * inside the measure's cut come from the buckets, and those outside it (the
 * tail) are read raw.  Inside is a fixed property of an event's stamp and
 * buckets and cut change in one transaction, so one snapshot sees a matching
 * pair.
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

#define MINUTES_A_DAY 1440

/*
 * The tail is read by stamp, all principals' together.  If it is longer than
 * this, one principal's is found faster among its own events in the range.
 */
#define TAIL_SCAN_LIMIT 20000

typedef struct WindowEntry
{
	int64		window;
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
} Sum;

typedef struct Reader
{
	const AevonQuestion *question;
	AevonStore *store;
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
} Tail;

typedef struct VisitContext
{
	Reader	   *reader;
	Sum		   *sum;
	int64		unit;			/* minutes in a window of the tier */
} VisitContext;

static void prepare(Reader *reader, List *measures);
static void find_whole_minutes(Reader *reader);
static AevonPartial *partial_at(Reader *reader, Sum *sum, int64 minute);
static void read_buckets(Reader *reader, int which);
static void visit(Reader *reader, Sum *sum, AevonTier tier, int64 series_key, int64 from,
				  int64 until);
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
	if (question->nobody || reader.count == 0)
		tail_count = 0;
	else if (reader.low < reader.high)
	{
		reader.store = aevon_store_open(question->snapshot, false);
		for (int i = 0; i < reader.count; i++)
			read_buckets(&reader, i);
		aevon_store_close(reader.store);
		for (int i = 0; i < tail_count; i++)
			read_tail(&reader, &tails[i]);
	}
	if (tail_count > 0)
		read_edges(&reader, tails, tail_count);
	answer = conclude(&reader, tails, tail_count);
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
		if (reader->question->grid.minutes > 0)
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

/* The state that events of a minute are merged into. */
static AevonPartial *
partial_at(Reader *reader, Sum *sum, int64 minute)
{
	WindowEntry *entry;
	bool		found;

	if (sum->windows == NULL)
		return &sum->total;
	entry = windows_insert(sum->windows,
						   aevon_window_of(minute, reader->question->grid.minutes), &found);
	if (!found)
	{
		aevon_reader_check_windows(sum->windows->members);
		memset(&entry->partial, 0, sizeof(entry->partial));
	}
	return &entry->partial;
}

static void
read_buckets(Reader *reader, int which)
{
	const AevonQuestion *question = reader->question;
	Sum		   *sum = &reader->sums[which];
	int32		subject_key;
	int64		series_key;
	int64		first_day = AEVON_WINDOW_MIN;
	int64		end_day = AEVON_WINDOW_MAX;

	if (reader->checkpoints[which] == NULL)
		return;
	subject_key = question->principal_key ? question->principal_key : -question->tenant_key;
	series_key = aevon_store_find_series(reader->store, sum->measure->measure_key, subject_key);
	if (series_key == 0)
		return;

	if (reader->low != AEVON_WINDOW_MIN)
		first_day = aevon_window_of(reader->low + MINUTES_A_DAY - 1, MINUTES_A_DAY);
	if (reader->high != AEVON_WINDOW_MAX)
		end_day = aevon_window_of(reader->high, MINUTES_A_DAY);
	if (first_day >= end_day || question->grid.minutes % MINUTES_A_DAY != 0)
	{
		visit(reader, sum, AEVON_TIER_1M, series_key, reader->low, reader->high);
		return;
	}
	if (reader->low != AEVON_WINDOW_MIN)
		visit(reader, sum, AEVON_TIER_1M, series_key, reader->low, first_day * MINUTES_A_DAY);
	visit(reader, sum, AEVON_TIER_1D, series_key, first_day, end_day);
	if (reader->high != AEVON_WINDOW_MAX)
		visit(reader, sum, AEVON_TIER_1M, series_key, end_day * MINUTES_A_DAY, reader->high);
}

static void
visit(Reader *reader, Sum *sum, AevonTier tier, int64 series_key, int64 from, int64 until)
{
	AevonVisit	visit;
	VisitContext context;

	context.reader = reader;
	context.sum = sum;
	context.unit = tier == AEVON_TIER_1D ? MINUTES_A_DAY : 1;
	visit.tier = tier;
	visit.series_key = series_key;
	visit.from = from;
	visit.until = until;
	visit.group = reader->question->grid.minutes / context.unit;
	aevon_store_visit(reader->store, &visit, take_state, &context);
}

static void
take_state(void *context, int64 window, const AevonPartial *partial)
{
	VisitContext *visit = context;
	MemoryContext outer = MemoryContextSwitchTo(visit->reader->result);

	aevon_partial_merge(partial_at(visit->reader, visit->sum, window * visit->unit), partial);
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
			row.occurred_at < since || row.occurred_at >= end)
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
		if (aevon_cut_contains(tail->cut, row.stamp))
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
		if (reader->question->grid.minutes > 0)
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
			aevon_partial_merge(partial_at(reader, into,
										   entry->window * reader->question->grid.minutes),
								&entry->partial);
	}
}

static AevonLogScan *
scan_by_time(Reader *reader, TimestampTz since, TimestampTz until)
{
	const AevonQuestion *question = reader->question;

	if (question->principal_key)
		return aevon_log_scan_principal(question->snapshot, question->principal_key, since, until);
	return aevon_log_scan_tenant(question->snapshot, question->tenant_key, since, until);
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
						 partial_at(reader, sum, aevon_window_of(row->occurred_at, AEVON_MINUTE)));
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
