/*
 * reader.c
 *		Reading: edges, packed minutes, hours and days, and tail, merged.
 *
 * Each event of the range is met exactly once per measure.  Events inside the
 * measure's cut come from the buckets, those outside it (the tail) are read raw.
 * Of the partial minutes at the ends those inside are read raw too, unless no
 * bucket holds any; of slices, and of a range without a whole minute, all are.
 * Inside is a fixed property of an event's stamp and buckets and cut change in one
 * transaction, so one snapshot sees a matching pair.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "guard.h"
#include "reader.h"
#include "reading.h"
#include "readminutes.h"
#include "readtail.h"

static bool read_slice_from_log(AevonReading *reader, AevonReadingTail *tails, int tail_count);
static void read_whole_minutes(AevonReading *reader, AevonReadingTail *tails, int tail_count);
static void prepare(AevonReading *reader, List *measures);
static void find_whole_minutes(AevonReading *reader);
static void find_span(AevonReading *reader);
static void compile_slices(AevonReading *reader);
static void read_edges(AevonReading *reader, AevonReadingTail *tails, int tail_count);
static bool read_edge(AevonReading *reader, TimestampTz since, TimestampTz until, AevonReadingTail *tails,
					  int tail_count);
static AevonAnswer *conclude(AevonReading *reader, AevonReadingTail *tails, int tail_count);
static void conclude_measure(AevonReading *reader, int which, AevonTally *tally);
static int	compare_groups(const void *a, const void *b, void *slicing);

AevonAnswer *
aevon_reader_read(const AevonQuestion *question, List *measures)
{
	AevonReading reader = {0};
	AevonAnswer *answer;
	AevonReadingTail *tails;
	int			tail_count;

	reader.question = question;
	reader.budget = PG_INT64_MAX;
	reader.result = CurrentMemoryContext;
	reader.event = AllocSetContextCreate(CurrentMemoryContext, "aevon read event",
										 ALLOCSET_DEFAULT_SIZES);
	prepare(&reader, measures);
	tails = aevon_readtail_group(&reader, &tail_count);
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
		if (reader.by_time != NULL)
			aevon_log_scan_end(reader.by_time);
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
read_slice_from_log(AevonReading *reader, AevonReadingTail *tails, int tail_count)
{
	const AevonQuestion *question = reader->question;
	AevonReadingSum *sum = &reader->sums[0];
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
		sum->states = aevon_reading_create_states(reader);
		tails[0].events = 0;
	}
	return done;
}

/* The span: from buckets, and from the tails. */
static void
read_whole_minutes(AevonReading *reader, AevonReadingTail *tails, int tail_count)
{
	if (reader->low >= reader->high)
		return;
	for (int i = 0; i < tail_count; i++)
	{
		AevonReadingTail *tail = &tails[i];
		AevonOpenedMinutes corrected = {0};

		aevon_readminutes_find_corrected(reader, tail);
		corrected.minutes = tail->corrected[AEVON_TIER_1M];
		for (int k = 0; k < tail->count; k++)
			aevon_readminutes_take(reader, tail, tail->members[k]);
		aevon_readminutes_take_raw(reader, tail, &corrected, tail->members, tail->count);
		aevon_readminutes_take_edges(reader, tail);
		aevon_readtail_take(reader, tail);
	}
}

static void
prepare(AevonReading *reader, List *measures)
{
	int			count = list_length(measures);
	int32	   *measure_keys = palloc(Max(count, 1) * sizeof(int32));
	AevonCheckpoint *checkpoints;
	int64		newest = 0;		/* where a cut ends */

	reader->count = count;
	reader->sums = palloc0(Max(count, 1) * sizeof(AevonReadingSum));
	reader->checkpoints = palloc0(Max(count, 1) * sizeof(AevonCheckpoint *));
	reader->empty = aevon_cut_empty();
	for (int i = 0; i < count; i++)
	{
		reader->sums[i].measure = list_nth(measures, i);
		reader->sums[i].states = aevon_reading_create_states(reader);
		measure_keys[i] = reader->sums[i].measure->measure_key;
	}
	checkpoints = aevon_cut_find_checkpoints(reader->question->snapshot, measure_keys, count);
	for (int i = 0; i < count; i++)
	{
		if (checkpoints[i].measure_key == 0)
			continue;
		newest = Max(newest, checkpoints[i].cut->xmax);
		reader->checkpoints[i] = &checkpoints[i];
	}
	if (newest > 0)
		aevon_guard_check_cut(newest);
	find_whole_minutes(reader);
	find_span(reader);
}

static void
find_whole_minutes(AevonReading *reader)
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
		if (aevon_reading_minute_start(reader->low) < since)
			reader->low++;
	}
	if (TIMESTAMP_IS_NOEND(until))
		reader->high = AEVON_WINDOW_MAX;
	else if (TIMESTAMP_IS_NOBEGIN(until))
		reader->high = AEVON_WINDOW_MIN;
	else
		reader->high = aevon_window_of(until, AEVON_MINUTE);
}

/*
 * Partial minutes at the ends are met with the whole ones, save by slices, of
 * which each series would have to be asked.
 */
static void
find_span(AevonReading *reader)
{
	reader->span.start = aevon_reading_minute_start(reader->low);
	reader->span.end = aevon_reading_minute_start(reader->high);
	reader->from = reader->low;
	reader->until = reader->high;
	if (reader->question->slicing != NULL || reader->low >= reader->high)
		return;
	if (reader->question->since < reader->span.start)
		reader->from--;
	if (reader->question->until > reader->span.end)
		reader->until++;
	reader->span.start = reader->question->since;
	reader->span.end = reader->question->until;
}

/* Only now that the store is open. */
static void
compile_slices(AevonReading *reader)
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

/* What is outside the span, or all of a range without a whole minute. */
static void
read_edges(AevonReading *reader, AevonReadingTail *tails, int tail_count)
{
	TimestampTz since = reader->question->since;
	TimestampTz until = reader->question->until;

	if (reader->low >= reader->high)
	{
		read_edge(reader, since, until, tails, tail_count);
		return;
	}
	read_edge(reader, since, reader->span.start, tails, tail_count);
	read_edge(reader, reader->span.end, until, tails, tail_count);
}

/* False: the budget did not suffice. */
static bool
read_edge(AevonReading *reader, TimestampTz since, TimestampTz until, AevonReadingTail *tails, int tail_count)
{
	AevonLogScan *scan;
	AevonLogRow row;

	if (since >= until)
		return true;
	scan = aevon_reading_scan_range(reader, since, until);
	while (reader->budget > 0 && aevon_log_scan_next(scan, &row))
	{
		reader->budget--;
		if (!aevon_reading_counts(reader, &row, true))
			continue;
		for (int i = 0; i < reader->count; i++)
			aevon_reading_fold(reader, &reader->sums[i], &row, NULL);
		for (int i = 0; i < tail_count; i++)
			tails[i].events += aevon_cut_contains(tails[i].cut, row.stamp) ? 0 : 1;
		MemoryContextReset(reader->event);
	}
	return reader->budget > 0;
}

static AevonAnswer *
conclude(AevonReading *reader, AevonReadingTail *tails, int tail_count)
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
conclude_measure(AevonReading *reader, int which, AevonTally *tally)
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
	return aevon_slicing_compare(slicing, ((const AevonGroupTally *) a)->dims,
								 ((const AevonGroupTally *) b)->dims);
}
