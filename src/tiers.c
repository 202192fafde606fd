/*
 * tiers.c
 *		Writing a series: its open minutes, and what closes of them.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "guc.h"
#include "splice.h"
#include "storemerge.h"
#include "storevisit.h"
#include "tiers.h"

/* A newest minute past this closes with the others: it would fill a row alone. */
#define NEWEST_BYTES (AEVON_PACKED_BYTES / 4)

/* By so many of the last minutes that close it is told whether a series is dense. */
#define DENSE_SAMPLE 32

#define MINUTES_A_DAY aevon_tier_minutes(AEVON_TIER_1D)

/* What a series is to hold from now on. */
typedef struct Change
{
	bytea	   *open;			/* NULL: no open minutes */
	AevonWindowState *closing;	/* ascending */
	int			count;
} Change;

static Change grow(const bytea *open, const AevonWindowState *minutes, int count);
static bytea *encode_fitting(const AevonPacked *all, int windows, int bytes);
static AevonWindowState *combine(AevonPacked *open, const AevonWindowState *minutes, int count,
								 int *total);
static bytea *encode_newest(const AevonWindowState *newest);
static int32 first_hours(const AevonTiers *series);
static void note_closing(AevonSeriesContent *content, const Change *change);
static int32 dense_from(const AevonSeriesContent *content, const Change *change);
static int	close_minutes(AevonStore *store, int64 series_key,
						  const AevonSeriesContent *content, const Change *change);
static bool has_hours(const AevonSeriesContent *content, int64 minute);
static AevonWindowState *coarser(const AevonWindowState *states, int *count, int64 unit);
static AevonPartial *whole_minute(AevonStore *store, int64 series_key, int64 minute);
static void merge_state(void *context, int64 window, const AevonPartial *partial);
static int	note_days(AevonStore *store, AevonTouched *touched, const AevonWindowState *minutes,
					  int count, int32 *days);
static bool is_noted(const AevonTouched *touched, int32 day);
static void note_day(AevonTouched *touched, int32 day);

int
aevon_tiers_add(AevonStore *store, AevonTiers *series, const AevonWindowState *minutes, int count)
{
	int64		series_key = aevon_store_find_series(store, series->series);
	AevonSeriesContent content = {
		.closed_until = AEVON_WINDOW_MIN
	};
	int32	   *days = palloc_extended(count * sizeof(int32), MCXT_ALLOC_HUGE);
	int			day_count;
	Change		change;

	series->made = series_key == 0;
	if (!series->made)
		aevon_store_read_content(store, series_key, &content);
	/* as a new one, if all that it held was taken away */
	if (content.closed_until == AEVON_WINDOW_MIN)
		content.hours_from = first_hours(series);
	change = grow(content.open_minutes, minutes, count);
	content.open_minutes = change.open;
	if (change.count > 0)
		note_closing(&content, &change);
	day_count = note_days(store, &content.touched, minutes, count, days);
	if (series->made)
		series_key = aevon_store_make_series(store, series->series, &content);
	else
		aevon_store_replace_content(store, series_key, &content);
	for (int i = 0; i < day_count; i++)
		aevon_store_touch(store, series_key, days[i]);
	return 1 + close_minutes(store, series_key, &content, &change);
}

int
aevon_tiers_replace(AevonStore *store, int64 series_key, const AevonWindowState *minutes,
					int count, AevonWindowSet *closed)
{
	const AevonSeriesTier where = {series_key, AEVON_TIER_1M, true};
	AevonSeriesContent content;
	int32	   *days = palloc_extended(count * sizeof(int32), MCXT_ALLOC_HUGE);
	AevonPacked open = {0};
	int			day_count;
	AevonWindowState *all;
	int			total = 0;
	int			at = 0;

	aevon_store_read_content(store, series_key, &content);
	if (content.open_minutes != NULL)
		aevon_packed_decode(content.open_minutes, false, &open);
	all = palloc((open.count + count) * sizeof(AevonWindowState));
	for (int i = 0; i < open.count; i++)
	{
		int64		minute = open.entries[i].window;

		while (at < count && minutes[at].window < minute)
			all[total++] = minutes[at++];
		if (at < count && minutes[at].window == minute)
			continue;
		all[total].window = minute;
		all[total++].partial = whole_minute(store, series_key, minute);
	}
	while (at < count)
		all[total++] = minutes[at++];
	for (int i = 0; i < total; i++)
		aevon_windowset_add(closed, all[i].window);

	content.open_minutes = NULL;
	content.closed_until = Max(content.closed_until, all[total - 1].window);
	day_count = note_days(store, &content.touched, minutes, count, days);
	aevon_store_replace_content(store, series_key, &content);
	for (int i = 0; i < day_count; i++)
		aevon_store_touch(store, series_key, days[i]);
	return 1 + aevon_store_merge(store, &where, all, total);
}

/* Mostly the minutes are put to the open ones, and nothing closes. */
static Change
grow(const bytea *open, const AevonWindowState *minutes, int count)
{
	AevonPacked all = {0};
	Change		change = {0};

	if (open != NULL)
		change.open = aevon_splice_append(open, minutes, count, aevon_open_minutes,
										  AEVON_PACKED_BYTES);
	if (change.open != NULL)
		return change;

	if (open != NULL)
		aevon_packed_decode(open, false, &all);
	all.open = true;
	if (count <= aevon_open_minutes)
	{
		for (int i = 0; i < count; i++)
			aevon_packed_add(&all, minutes[i].window, minutes[i].partial);
		count = 0;
		/* room for more, or the next sweep would come here again */
		change.open = open == NULL ?
			encode_fitting(&all, aevon_open_minutes, AEVON_PACKED_BYTES) :
			encode_fitting(&all, aevon_open_minutes * 3 / 4, AEVON_PACKED_BYTES * 3 / 4);
		if (change.open != NULL)
			return change;
	}
	change.closing = combine(&all, minutes, count, &change.count);
	change.open = encode_newest(&change.closing[change.count - 1]);
	if (change.open != NULL)
		change.count--;
	return change;
}

/* NULL: they are too much. */
static bytea *
encode_fitting(const AevonPacked *all, int windows, int bytes)
{
	bytea	   *state;

	if (all->count > windows)
		return NULL;
	state = aevon_packed_encode(all);
	return VARSIZE(state) <= bytes ? state : NULL;
}

/* What was open and minutes, ascending. */
static AevonWindowState *
combine(AevonPacked *open, const AevonWindowState *minutes, int count, int *total)
{
	AevonWindowState *all = palloc_extended((open->count + count) * sizeof(AevonWindowState),
											MCXT_ALLOC_HUGE);
	int			at = 0;
	int			n = 0;

	for (int i = 0; i < open->count; i++)
	{
		AevonPackedEntry *entry = &open->entries[i];

		while (at < count && minutes[at].window < entry->window)
			all[n++] = minutes[at++];
		if (at < count && minutes[at].window == entry->window)
			aevon_partial_merge(&entry->partial, minutes[at++].partial);
		all[n].window = entry->window;
		all[n++].partial = &entry->partial;
	}
	while (at < count)
		all[n++] = minutes[at++];
	*total = n;
	return all;
}

static bytea *
encode_newest(const AevonWindowState *newest)
{
	AevonPacked one = {.open = true};

	if (aevon_open_minutes == 0)
		return NULL;
	aevon_packed_add(&one, newest->window, newest->partial);
	return encode_fitting(&one, 1, NEWEST_BYTES);
}

/*
 * From when on a series of which nothing has closed has hours.  Sketches are large, so that a range that
 * begins and ends anywhere should not open every minute of two days.  But a
 * principal's combinations are many, with a few events each: hours would cost
 * sweeps as much as minutes, and spare reads little.
 */
static int32
first_hours(const AevonTiers *series)
{
	const AevonSeries *of = series->series;
	bool		sketches = (series->measure->features & AEVON_KEEP_SKETCHES) != 0;

	return sketches && (of->subject_key < 0 || of->dims == NULL) ?
		AEVON_HOURS_ALL : AEVON_HOURS_NONE;
}

static void
note_closing(AevonSeriesContent *content, const Change *change)
{
	if (content->hours_from == AEVON_HOURS_NONE)
		content->hours_from = dense_from(content, change);
	content->closed_until = Max(content->closed_until, change->closing[change->count - 1].window);
}

/*
 * A series without hours of which at least every other minute has events gets
 * them, from a day on of which nothing has closed yet.  Late minutes, which lie
 * before, do not tell.
 */
static int32
dense_from(const AevonSeriesContent *content, const Change *change)
{
	const AevonWindowState *closing = change->closing;
	int			sample = Min(change->count / 2, DENSE_SAMPLE);
	int64		last = closing[change->count - 1].window;
	int64		day = aevon_window_of(closing[0].window, MINUTES_A_DAY);

	if (sample < DENSE_SAMPLE / 2 || last - closing[change->count - sample].window >= 2 * sample)
		return AEVON_HOURS_NONE;
	if (content->closed_until != AEVON_WINDOW_MIN)
		day = Max(day, aevon_window_of(content->closed_until, MINUTES_A_DAY) + 1);
	/* what no event can be after says nothing */
	return day < AEVON_HOURS_NONE ? (int32) day : AEVON_HOURS_NONE;
}

static int
close_minutes(AevonStore *store, int64 series_key, const AevonSeriesContent *content,
			  const Change *change)
{
	const int64 hour = aevon_tier_minutes(AEVON_TIER_1H);
	AevonSeriesTier where = {series_key, AEVON_TIER_1M, false};
	AevonWindowState *states = change->closing;
	int			count = change->count;
	int64		unit = 1;
	int			written;
	int			early = 0;

	if (count == 0)
		return 0;
	written = aevon_store_merge(store, &where, states, count);
	while (early < count && !has_hours(content, states[early].window))
		early++;
	if (early < count)
	{
		int			hours = count - early;
		AevonWindowState *merged = coarser(&states[early], &hours, hour);

		where.tier = AEVON_TIER_1H;
		written += aevon_store_merge(store, &where, merged, hours);
		if (early == 0)
		{
			states = merged;
			count = hours;
			unit = hour;
		}
	}
	where.tier = AEVON_TIER_1D;
	states = coarser(states, &count, MINUTES_A_DAY / unit);
	return written + aevon_store_merge(store, &where, states, count);
}

static bool
has_hours(const AevonSeriesContent *content, int64 minute)
{
	return aevon_window_of(minute, MINUTES_A_DAY) >= content->hours_from;
}

/* The states merged by windows `unit` times as long. */
static AevonWindowState *
coarser(const AevonWindowState *states, int *count, int64 unit)
{
	AevonWindowState *merged = palloc_extended(*count * sizeof(AevonWindowState), MCXT_ALLOC_HUGE);
	int			n = 0;

	for (int i = 0; i < *count; i++)
	{
		int64		window = aevon_window_of(states[i].window, unit);

		if (n == 0 || merged[n - 1].window != window)
		{
			merged[n].window = window;
			merged[n++].partial = palloc0(sizeof(AevonPartial));
		}
		aevon_partial_merge(merged[n - 1].partial, states[i].partial);
	}
	*count = n;
	return merged;
}

/* All that a series holds of a minute. */
static AevonPartial *
whole_minute(AevonStore *store, int64 series_key, int64 minute)
{
	AevonVisit	visit = {
		.tier = AEVON_TIER_1M,
		.series_key = series_key,
		.from = minute,
		.until = minute + 1,
		.as_of = DT_NOEND,
	};
	AevonPartial *partial = palloc0(sizeof(AevonPartial));

	aevon_store_visit(store, &visit, merge_state, partial);
	return partial;
}

/* A visitor: what it is given goes, so merge it in the memory of the target. */
static void
merge_state(void *context, int64 window, const AevonPartial *partial)
{
	MemoryContext outer = MemoryContextSwitchTo(GetMemoryChunkContext(context));

	aevon_partial_merge(context, partial);
	MemoryContextSwitchTo(outer);
}

/* The days of minutes that may have to be touched; how many they are. */
static int
note_days(AevonStore *store, AevonTouched *touched, const AevonWindowState *minutes, int count,
		  int32 *days)
{
	int64		run = aevon_store_touched_run(store);
	int			n = 0;

	if (touched->run != run)
		touched->mask = 0;
	touched->run = run;
	for (int i = 0; i < count; i++)
	{
		int32		day = (int32) aevon_window_of(minutes[i].window, MINUTES_A_DAY);

		if ((n > 0 && day == days[n - 1]) || is_noted(touched, day))
			continue;
		days[n++] = day;
		if (run != 0)
			note_day(touched, day);
	}
	return n;
}

static bool
is_noted(const AevonTouched *touched, int32 day)
{
	int64		ago = (int64) touched->day - day;

	return ago >= 0 && ago < 64 && (touched->mask >> ago & 1) != 0;
}

/* Those too long before the last one are not kept. */
static void
note_day(AevonTouched *touched, int32 day)
{
	int64		ago = (int64) touched->day - day;

	if (touched->mask == 0 || ago <= -64)
	{
		touched->mask = 1;
		touched->day = day;
	}
	else if (ago < 0)
	{
		touched->mask = touched->mask << -ago | 1;
		touched->day = day;
	}
	else if (ago < 64)
		touched->mask |= UINT64CONST(1) << ago;
}
