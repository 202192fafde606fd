/*
 * reading.c
 *		A read while it goes on, and its events.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "fold.h"
#include "reading.h"

static void go_beside(AevonReading *reader, TimestampTz since, TimestampTz until);
static AevonGroup *group_of_event(AevonReading *reader, const AevonReadingSum *sum, AevonLogRow *row,
								  const AevonOpenedMinutes *opened);
static bool is_open(const AevonOpenedMinutes *opened, const AevonDims *series, int64 minute);

AevonSums *
aevon_reading_create_states(AevonReading *reader)
{
	const AevonSlicing *slicing = reader->question->slicing;

	return aevon_sums_create(reader->question->grid, slicing == NULL || !slicing->unbounded);
}

TimestampTz
aevon_reading_minute_start(int64 minute)
{
	if (minute == AEVON_WINDOW_MIN)
		return DT_NOBEGIN;
	if (minute == AEVON_WINDOW_MAX)
		return DT_NOEND;
	return minute * AEVON_MINUTE;
}

AevonLogScan *
aevon_reading_scan(AevonReading *reader, TimestampTz since, TimestampTz until)
{
	const AevonQuestion *question = reader->question;

	go_beside(reader, since, until);
	if (question->principal_key)
		return aevon_log_scan_principal(question->snapshot, question->principal_key, since, until);
	return aevon_log_scan_tenant(question->snapshot, question->tenant_key, since, until);
}

AevonLogScan *
aevon_reading_scan_range(AevonReading *reader, TimestampTz since, TimestampTz until)
{
	if (reader->by_time == NULL)
		reader->by_time = aevon_reading_scan(reader, since, until);
	else
	{
		go_beside(reader, since, until);
		aevon_log_scan_again(reader->by_time, since, until);
	}
	return reader->by_time;
}

bool
aevon_reading_counts(AevonReading *reader, const AevonLogRow *row, bool by_time)
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

void
aevon_reading_fold(AevonReading *reader, const AevonReadingSum *sum, AevonLogRow *row, const AevonOpenedMinutes *opened)
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

AevonGroup *
aevon_reading_group(const AevonReadingSum *sum, const AevonPlace *place, int32 principal_key)
{
	if (!place->passes)
		return aevon_sums_left_out(sum->states);
	return aevon_sums_group(sum->states, place->group, principal_key);
}

static void
go_beside(AevonReading *reader, TimestampTz since, TimestampTz until)
{
	const AevonQuestion *question = reader->question;
	AevonVoidRange range = aevon_voids_range_by_time(question->tenant_key, question->principal_key,
													 since, until);

	aevon_voids_go_beside(reader->voids, &range);
}

/* NULL: the minute is not open for the event's series. */
static AevonGroup *
group_of_event(AevonReading *reader, const AevonReadingSum *sum, AevonLogRow *row, const AevonOpenedMinutes *opened)
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
	return aevon_reading_group(sum, place, slicing->by_principal ? row->principal_key : 0);
}

static bool
is_open(const AevonOpenedMinutes *opened, const AevonDims *series, int64 minute)
{
	int			number = series ? series->number : 0;

	return number < opened->room && opened->by_series[number] != NULL &&
		aevon_windowset_meets(opened->by_series[number], minute, minute);
}
