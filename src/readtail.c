/*
 * readtail.c
 *		The tail of a read: the events outside the cuts of its measures.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "readtail.h"
#include "tailplaces.h"

/*
 * The tail is read by stamp, all principals' together.  If it is longer than
 * this, one principal's is found faster among its own events in the range.
 */
#define TAIL_SCAN_LIMIT 20000

static bool read_tail_by_stamp(AevonReading *reader, AevonReadingTail *tail);
static bool take_stamps(AevonReading *reader, AevonReadingTail *tail, int64 from, int64 until, int64 *budget);
static bool take_newest(AevonReading *reader, AevonReadingTail *tail, int64 *budget);
static void take_tail_row(AevonReading *reader, AevonReadingTail *tail, AevonLogRow *row);
static void read_tail_by_time(AevonReading *reader, AevonReadingTail *tail);
static void start_sums(AevonReading *reader, AevonReadingTail *tail);
static void add_sums(AevonReading *reader, AevonReadingTail *tail);

AevonReadingTail *
aevon_readtail_group(AevonReading *reader, int *count)
{
	AevonReadingTail *tails = palloc0(Max(reader->count, 1) * sizeof(AevonReadingTail));

	*count = 0;
	for (int i = 0; i < reader->count; i++)
	{
		AevonCheckpoint *checkpoint = reader->checkpoints[i];
		const AevonCut *cut = checkpoint ? checkpoint->cut : reader->empty;
		AevonReadingTail *tail = NULL;

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
			tail->sums = palloc0(reader->count * sizeof(AevonReadingSum));
		}
		tail->members[tail->count++] = i;
	}
	return tails;
}

void
aevon_readtail_take(AevonReading *reader, AevonReadingTail *tail)
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
read_tail_by_stamp(AevonReading *reader, AevonReadingTail *tail)
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
take_stamps(AevonReading *reader, AevonReadingTail *tail, int64 from, int64 until, int64 *budget)
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
take_newest(AevonReading *reader, AevonReadingTail *tail, int64 *budget)
{
	const AevonQuestion *question = reader->question;
	AevonTailRange range = {
		tail->cut->xmax, question->tenant_key, question->principal_key,
		reader->span.start, reader->span.end
	};
	AevonLogScan *scan;
	AevonLogPlace *places;
	AevonLogRow row;
	int			count;
	int64		rest;

	if (aevon_tailplaces_none(question->snapshot, &range))
		return true;
	scan = aevon_log_scan_places(question->snapshot);
	places = aevon_tailplaces_find(question->snapshot, &range, &count, &rest);
	aevon_log_scan_name_places(scan, places, count);
	while (aevon_log_scan_next(scan, &row))
		take_tail_row(reader, tail, &row);

	if (rest != PG_INT64_MAX)
	{
		aevon_log_scan_go_on(scan, rest);
		while (aevon_log_scan_next(scan, &row) && --*budget >= 0)
		{
			aevon_tailplaces_note(&row);
			take_tail_row(reader, tail, &row);
		}
	}
	if (*budget >= 0)
		aevon_tailplaces_keep();
	aevon_log_scan_end(scan);
	return *budget >= 0;
}

static void
take_tail_row(AevonReading *reader, AevonReadingTail *tail, AevonLogRow *row)
{
	const AevonQuestion *question = reader->question;

	if (row->tenant_key != question->tenant_key ||
		(question->principal_key && row->principal_key != question->principal_key) ||
		row->occurred_at < reader->span.start || row->occurred_at >= reader->span.end ||
		!aevon_reading_counts(reader, row, false))
		return;
	for (int i = 0; i < tail->count; i++)
		aevon_reading_fold(reader, &tail->sums[i], row, NULL);
	tail->events++;
	MemoryContextReset(reader->event);
}

static void
read_tail_by_time(AevonReading *reader, AevonReadingTail *tail)
{
	AevonLogScan *scan = aevon_reading_scan(reader, reader->span.start, reader->span.end);
	AevonLogRow row;

	while (aevon_log_scan_next(scan, &row))
	{
		if (aevon_cut_contains(tail->cut, row.stamp) || !aevon_reading_counts(reader, &row, true))
			continue;
		for (int i = 0; i < tail->count; i++)
			aevon_reading_fold(reader, &tail->sums[i], &row, NULL);
		tail->events++;
		MemoryContextReset(reader->event);
	}
	aevon_log_scan_end(scan);
}

/* A tail is summed apart until it is clear which way it is read. */
static void
start_sums(AevonReading *reader, AevonReadingTail *tail)
{
	for (int i = 0; i < tail->count; i++)
	{
		tail->sums[i] = reader->sums[tail->members[i]];
		tail->sums[i].states = aevon_reading_create_states(reader);
	}
}

static void
add_sums(AevonReading *reader, AevonReadingTail *tail)
{
	for (int i = 0; i < tail->count; i++)
		aevon_sums_add(reader->sums[tail->members[i]].states, tail->sums[i].states);
}
