/*
 * daily.c
 *		aevon.daily_metrics and aevon_daily_metrics: the latest value of every
 *		day, how complete it is, and whether it is unusual.
 *
 * A series is read at a time, in one range of the snapshots' key; all that is
 * said of a day is found among the days before it, in memory.  So the cost is
 * that of the snapshots shown, and of 60 days more.  Layer 3.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "access.h"
#include "bucket.h"
#include "catalog.h"
#include "days.h"
#include "guc.h"
#include "json.h"
#include "metric.h"
#include "outlier.h"
#include "stats.h"

#define COLUMNS 18
#define PORTION 1000			/* series that are in memory at a time, by
								 * name */

/* The record: how many days back, and of how many days at least. */
#define COMPLETENESS_DAYS 60
#define COMPLETENESS_RECORD 5
#define ANOMALY_WEEKS 8

typedef enum Figure
{
	FIGURE_EVENT_COUNT,
	FIGURE_LATE_SHARE,
	FIGURE_VALUE,
	FIGURE_COUNT
} Figure;

static const char *const figure_names[FIGURE_COUNT] = {"event_count", "late_share", "value"};

/* A snapshot. */
typedef struct Revision
{
	TimestampTz taken_at;
	int64		event_count;
	int64		late_count;
	Jsonb	   *stats;
} Revision;

typedef struct Day
{
	int32		number;			/* days since 2000-01-01 */
	TimestampTz end;
	bool		shown;			/* or only of use as record */
	bool		over;
	bool		settled;		/* allowed lateness is over, too */
	const char *status;			/* of the last revision */
	int			revision_count;
	const Revision *revisions;	/* by number */
	Numeric		figures[FIGURE_COUNT];	/* of the last revision; NULL: none */
	bool		odd[FIGURE_COUNT];
	AevonOutlier outliers[FIGURE_COUNT];	/* of the odd ones */
} Day;

/* What a row says of its series. */
typedef struct Label
{
	Datum		tenant;
	Datum		principal;
	bool		whole_tenant;
	Datum		rule;
	int32		version;
	Datum		dims;			/* jsonb */
	char		operator_name[NAMEDATALEN];
} Label;

typedef struct Daily
{
	TimestampTz now;
	int64		lateness;		/* microseconds */
	int64		interval;
	Numeric		threshold;
	DateADT		since;			/* [since, until) */
	DateADT		until;
	ReturnSetInfo *result;
	MemoryContext series_context;
	int64		series_key;		/* whose days these are; 0: nobody's */
	int			day_count;
	Day		   *days;			/* by number */
} Daily;

typedef struct Question
{
	Daily	   *daily;
	const AevonDays *days;
} Question;

PG_FUNCTION_INFO_V1(aevon_view_daily_metrics);
PG_FUNCTION_INFO_V1(aevon_daily_metrics_sql);

static void begin(Daily *daily, DateADT since, DateADT until, FunctionCallInfo fcinfo);
static void put_readable(Daily *daily, Datum readable);
static void put_portion(Daily *daily, SPITupleTable *table, uint64 count);
static void put_rule(void *context, const AevonRule *rule, const AevonDims *dims,
					 int64 series_key);
static void put_series(Daily *daily, const Label *label, int64 series_key);
static void load_series(Daily *daily, int64 series_key);
static void load_days(Daily *daily, const SPITupleTable *table, int count);
static void begin_day(const Daily *daily, Day *day, int32 number, const Revision *revisions);
static void judge(const Daily *daily, Day *day, Figure figure, const char *operator_name);
static Numeric figure_of(const Revision *revision, Figure figure, const char *operator_name);
static Numeric share_of(int64 part, int64 whole);
static const Day *find_day(const Daily *daily, int32 number);
static Numeric figure_at_same_age(const Daily *daily, const Day *day, const Day *peer,
								  Figure figure, const char *operator_name);
static const Revision *last_until(const Day *day, TimestampTz at);
static int	compare_numerics(Numeric a, Numeric b);
static void put_day(const Daily *daily, const Label *label, const Day *day);
static const Revision *first_reported(const Day *day);
static int	estimate_completeness(const Daily *daily, const Day *day, Numeric *completeness);
static Jsonb *anomaly_of(const Day *day);

Datum
aevon_view_daily_metrics(PG_FUNCTION_ARGS)
{
	Datum		readable = aevon_access_readable_keys();
	AevonAccess access;
	Daily		daily;

	begin(&daily, DATEVAL_NOBEGIN, DATEVAL_NOEND, fcinfo);
	aevon_access_enter(&access);
	put_readable(&daily, readable);
	aevon_access_leave(&access);
	return (Datum) 0;
}

Datum
aevon_daily_metrics_sql(PG_FUNCTION_ARGS)
{
	instr_time	start = aevon_stats_start();
	AevonDays	days;
	Daily		daily;
	Question	question = {&daily, &days};

	aevon_days_read(fcinfo, &days);
	begin(&daily, days.since, days.until, fcinfo);
	aevon_days_visit(&days, put_rule, &question);
	aevon_stats_count_read(AEVON_READ_DAILY_METRICS, start);
	return (Datum) 0;
}

static void
begin(Daily *daily, DateADT since, DateADT until, FunctionCallInfo fcinfo)
{
	memset(daily, 0, sizeof(*daily));
	daily->now = aevon_clock_now();
	daily->lateness = aevon_allowed_lateness_s * USECS_PER_SEC;
	daily->interval = aevon_snapshot_interval_ms * INT64CONST(1000);
	daily->threshold = DatumGetNumeric(DirectFunctionCall1(float8_numeric,
														   Float8GetDatum(aevon_anomaly_threshold)));
	daily->since = since;
	daily->until = until;
	daily->series_context = AllocSetContextCreate(CurrentMemoryContext, "aevon daily metrics",
												  ALLOCSET_DEFAULT_SIZES);
	InitMaterializedSRF(fcinfo, 0);
	daily->result = (ReturnSetInfo *) fcinfo->resultinfo;
}

static void
put_readable(Daily *daily, Datum readable)
{
	Portal		cursor;
	SPITupleTable *table;

	aevon_catalog_connect();
	cursor = aevon_catalog_open(AEVON_QUERY_DAILY_SERIES, &readable);
	for (;;)
	{
		SPI_cursor_fetch(cursor, true, PORTION);
		table = SPI_tuptable;
		if (SPI_processed == 0)
			break;
		put_portion(daily, table, SPI_processed);
		SPI_freetuptable(table);
	}
	SPI_freetuptable(table);
	SPI_cursor_close(cursor);
	aevon_catalog_finish();
}

/* Rules that share a series come one after another: it is read once. */
static void
put_portion(Daily *daily, SPITupleTable *table, uint64 count)
{
	for (uint64 i = 0; i < count; i++)
	{
		Datum		values[7];
		bool		nulls[7];
		Label		label;

		heap_deform_tuple(table->vals[i], table->tupdesc, values, nulls);
		label.tenant = values[1];
		label.principal = values[2];
		label.whole_tenant = nulls[2];
		label.rule = values[3];
		label.version = DatumGetInt32(values[4]);
		text_to_cstring_buffer(DatumGetTextPP(values[5]), label.operator_name, NAMEDATALEN);
		label.dims = values[6];
		put_series(daily, &label, DatumGetInt64(values[0]));
	}
}

static void
put_rule(void *context, const AevonRule *rule, const AevonDims *dims,
		 int64 series_key)
{
	const Question *question = context;
	const AevonDays *days = question->days;
	Label		label;

	aevon_stats_count_rule(rule->rule_key);
	label.tenant = CStringGetTextDatum(days->tenant);
	label.whole_tenant = days->principal == NULL;
	label.principal = label.whole_tenant ? (Datum) 0 : CStringGetTextDatum(days->principal);
	label.rule = CStringGetTextDatum(rule->name);
	label.version = rule->version;
	label.dims = JsonbPGetDatum(dims != NULL ? aevon_dims_values(dims) : aevon_json_empty());
	strlcpy(label.operator_name, rule->operators[0].name, NAMEDATALEN);
	aevon_catalog_connect();
	put_series(question->daily, &label, series_key);
	aevon_catalog_finish();
}

static void
put_series(Daily *daily, const Label *label, int64 series_key)
{
	MemoryContext outer;

	CHECK_FOR_INTERRUPTS();
	if (series_key != daily->series_key)
	{
		MemoryContextReset(daily->series_context);
		load_series(daily, series_key);
	}
	outer = MemoryContextSwitchTo(daily->series_context);
	for (int i = 0; i < daily->day_count; i++)
	{
		Day		   *day = &daily->days[i];

		day->figures[FIGURE_VALUE] = figure_of(&day->revisions[day->revision_count - 1],
											   FIGURE_VALUE, label->operator_name);
	}
	for (int i = 0; i < daily->day_count; i++)
	{
		Day		   *day = &daily->days[i];

		if (!day->shown)
			continue;
		judge(daily, day, FIGURE_VALUE, label->operator_name);
		put_day(daily, label, day);
	}
	MemoryContextSwitchTo(outer);
}

static void
load_series(Daily *daily, int64 series_key)
{
	DateADT		from = daily->since;
	Datum		values[3];
	SPITupleTable *table;
	MemoryContext outer;

	if (from >= PG_INT32_MIN + COMPLETENESS_DAYS)
		from -= COMPLETENESS_DAYS;
	values[0] = Int64GetDatum(series_key);
	values[1] = Int32GetDatum(from);
	values[2] = Int32GetDatum(daily->until);
	aevon_catalog_run(AEVON_QUERY_DAYS_OF_SERIES, values, NULL, true);
	table = SPI_tuptable;
	outer = MemoryContextSwitchTo(daily->series_context);
	load_days(daily, table, (int) SPI_processed);
	for (int i = 0; i < daily->day_count; i++)
	{
		Day		   *day = &daily->days[i];

		if (!day->shown)
			continue;
		judge(daily, day, FIGURE_EVENT_COUNT, NULL);
		judge(daily, day, FIGURE_LATE_SHARE, NULL);
	}
	MemoryContextSwitchTo(outer);
	SPI_freetuptable(table);
	daily->series_key = series_key;
}

static void
load_days(Daily *daily, const SPITupleTable *table, int count)
{
	Revision   *revisions = palloc_extended(Max(count, 1) * sizeof(Revision), MCXT_ALLOC_HUGE);
	Day		   *day = NULL;

	daily->days = palloc_extended(Max(count, 1) * sizeof(Day), MCXT_ALLOC_HUGE);
	daily->day_count = 0;
	for (int i = 0; i < count; i++)
	{
		Datum		values[6];
		bool		nulls[6];
		int32		number;

		heap_deform_tuple(table->vals[i], table->tupdesc, values, nulls);
		number = DatumGetInt32(values[0]);
		if (day == NULL || day->number != number)
		{
			day = &daily->days[daily->day_count++];
			begin_day(daily, day, number, &revisions[i]);
		}
		revisions[i].taken_at = DatumGetTimestampTz(values[1]);
		revisions[i].event_count = DatumGetInt64(values[2]);
		revisions[i].late_count = DatumGetInt64(values[3]);
		revisions[i].stats = DatumGetJsonbPCopy(values[5]);
		day->status = TextDatumGetCString(values[4]);
		day->revision_count++;
		for (Figure figure = 0; figure < FIGURE_VALUE; figure++)
			day->figures[figure] = figure_of(&revisions[i], figure, NULL);
	}
}

static void
begin_day(const Daily *daily, Day *day, int32 number, const Revision *revisions)
{
	memset(day, 0, sizeof(*day));
	day->number = number;
	day->end = (number + INT64CONST(1)) * AEVON_DAY;
	day->shown = number >= daily->since;
	day->over = daily->now >= day->end;
	day->settled = daily->now >= day->end + daily->lateness;
	day->revisions = revisions;
}

/*
 * Compare a day that is over with the same weekdays before: a settled one with
 * what they became, another with what they were at this age.  Its late_share
 * waits until it is settled: most of what is late has had no time to come.
 */
static void
judge(const Daily *daily, Day *day, Figure figure, const char *operator_name)
{
	Numeric		record[ANOMALY_WEEKS];
	int			count = 0;

	day->odd[figure] = false;
	if (!day->over || day->figures[figure] == NULL ||
		(figure == FIGURE_LATE_SHARE && !day->settled))
		return;
	for (int week = 1; week <= ANOMALY_WEEKS; week++)
	{
		const Day  *peer = find_day(daily, day->number - 7 * week);
		Numeric		number = NULL;

		if (peer != NULL && day->settled)
			number = peer->figures[figure];
		else if (peer != NULL)
			number = figure_at_same_age(daily, day, peer, figure, operator_name);
		if (number != NULL)
			record[count++] = number;
	}
	day->odd[figure] = aevon_outlier_judge(day->figures[figure], record, count, daily->threshold,
										   &day->outliers[figure]);
}

static Numeric
figure_of(const Revision *revision, Figure figure, const char *operator_name)
{
	if (figure == FIGURE_EVENT_COUNT)
		return int64_to_numeric(revision->event_count);
	if (figure == FIGURE_LATE_SHARE)
		return share_of(revision->late_count, revision->event_count);
	return aevon_metric_number(revision->stats, operator_name);
}

/* To six places, without trailing zeros; NULL: of nothing. */
static Numeric
share_of(int64 part, int64 whole)
{
	Datum		share;

	if (part == 0 || whole == 0)
		return whole == 0 ? NULL : int64_to_numeric(0);
	share = NumericGetDatum(numeric_div_opt_error(int64_to_numeric(part), int64_to_numeric(whole), NULL));
	share = DirectFunctionCall2(numeric_round, share, Int32GetDatum(6));
	return DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale, share));
}

static const Day *
find_day(const Daily *daily, int32 number)
{
	int			low = 0;
	int			high = daily->day_count;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (daily->days[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < daily->day_count && daily->days[low].number == number ? &daily->days[low] : NULL;
}

/*
 * What the peer was when it was as old as the day is now.  Snapshots tell that
 * only within limits: the day was last looked at when its snapshot was taken,
 * or within aevon.snapshot_interval (if nothing changed there is no new one);
 * the peer at the last snapshot before that age and the first one after.  Of
 * all that lies between, take what is nearest to the day: it shall not stand
 * out because of when snapshots were taken.  NULL: nothing is known.
 */
static Numeric
figure_at_same_age(const Daily *daily, const Day *day, const Day *peer, Figure figure,
				   const char *operator_name)
{
	const Revision *last = &day->revisions[day->revision_count - 1];
	TimestampTz looked_at = Max(last->taken_at, daily->now - daily->interval);
	const Revision *at = last_until(peer, Min(looked_at, daily->now) - day->end + peer->end);
	Numeric		number = day->figures[figure];
	Numeric		least = NULL;
	Numeric		most = NULL;

	if (at == NULL)
		return NULL;
	for (; at < peer->revisions + peer->revision_count; at++)
	{
		Numeric		figure_then = figure_of(at, figure, operator_name);

		if (figure_then != NULL && (least == NULL || compare_numerics(figure_then, least) < 0))
			least = figure_then;
		if (figure_then != NULL && (most == NULL || compare_numerics(figure_then, most) > 0))
			most = figure_then;
		if (at->taken_at - peer->end > daily->now - day->end)
			break;
	}
	if (least == NULL || compare_numerics(number, least) < 0)
		return least;
	return compare_numerics(number, most) > 0 ? most : number;
}

/* The last snapshot taken by a time, or NULL. */
static const Revision *
last_until(const Day *day, TimestampTz at)
{
	for (int i = day->revision_count - 1; i >= 0; i--)
		if (day->revisions[i].taken_at <= at)
			return &day->revisions[i];
	return NULL;
}

static int
compare_numerics(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a), NumericGetDatum(b)));
}

static void
put_day(const Daily *daily, const Label *label, const Day *day)
{
	const Revision *last = &day->revisions[day->revision_count - 1];
	const Revision *first = first_reported(day);
	Numeric		value = day->figures[FIGURE_VALUE];
	Numeric		first_value = NULL;
	Numeric		completeness = NULL;
	Jsonb	   *anomaly = anomaly_of(day);
	bool		provisional = strcmp(day->status, "provisional") == 0;
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {false};

	if (first != NULL)
		first_value = figure_of(first, FIGURE_VALUE, label->operator_name);
	values[0] = label->tenant;
	values[1] = label->principal;
	nulls[1] = label->whole_tenant;
	values[2] = label->rule;
	values[3] = Int32GetDatum(label->version);
	values[4] = DateADTGetDatum(day->number);
	values[5] = NumericGetDatum(value);
	nulls[5] = value == NULL;
	values[6] = JsonbPGetDatum(last->stats);
	values[7] = Int64GetDatum(last->event_count);
	values[8] = Int64GetDatum(last->late_count);
	values[9] = CStringGetTextDatum(provisional && day->settled ? "final" : day->status);
	values[10] = Int64GetDatum(day->revision_count);
	values[11] = TimestampTzGetDatum(last->taken_at);
	values[12] = NumericGetDatum(first_value);
	nulls[12] = first_value == NULL;
	nulls[13] = value == NULL || first_value == NULL;
	if (!nulls[13])
		values[13] = DirectFunctionCall1(numeric_trim_scale,
										 NumericGetDatum(numeric_sub_opt_error(value, first_value, NULL)));
	nulls[15] = !provisional || !day->over || day->settled;
	if (!nulls[15])
		values[15] = Int64GetDatum(estimate_completeness(daily, day, &completeness));
	nulls[14] = nulls[15] || completeness == NULL;
	values[14] = NumericGetDatum(completeness);
	values[16] = JsonbPGetDatum(anomaly);
	nulls[16] = anomaly == NULL;
	values[17] = label->dims;
	tuplestore_putvalues(daily->result->setResult, daily->result->setDesc, values, nulls);
}

/* The first snapshot after the day's end, or NULL. */
static const Revision *
first_reported(const Day *day)
{
	for (int i = 0; i < day->revision_count; i++)
		if (day->revisions[i].taken_at >= day->end)
			return &day->revisions[i];
	return NULL;
}

/*
 * The mean share of the events of earlier, settled days that was in at the
 * day's age, by snapshots taken at that age at the latest.  The number of days
 * behind it; NULL when they are too few.
 */
static int
estimate_completeness(const Daily *daily, const Day *day, Numeric *completeness)
{
	double		sum = 0;
	int			count = 0;

	*completeness = NULL;
	for (const Day *peer = day - 1;
		 peer >= daily->days && peer->number >= day->number - COMPLETENESS_DAYS; peer--)
	{
		int64		whole = peer->revisions[peer->revision_count - 1].event_count;
		const Revision *then = last_until(peer, peer->end + (daily->now - day->end));

		if (whole == 0 || !peer->settled)
			continue;
		if (then != NULL)
			sum += (double) then->event_count / (double) whole;
		count++;
	}
	if (count >= COMPLETENESS_RECORD)
		*completeness = int64_div_fast_to_numeric((int64) rint(Min(sum / count, 1) * 10000), 4);
	return count;
}

static Jsonb *
anomaly_of(const Day *day)
{
	AevonJson	json = {0};
	bool		any = false;

	for (Figure figure = 0; figure < FIGURE_COUNT; figure++)
	{
		const AevonOutlier *outlier = &day->outliers[figure];

		if (!day->odd[figure])
			continue;
		if (!any)
			aevon_json_token(&json, WJB_BEGIN_OBJECT);
		any = true;
		aevon_json_key(&json, figure_names[figure]);
		aevon_json_token(&json, WJB_BEGIN_OBJECT);
		aevon_json_number(&json, "value", outlier->value);
		aevon_json_number(&json, "median", outlier->median);
		aevon_json_number(&json, "mad", outlier->mad);
		aevon_json_number(&json, "score", outlier->score);
		aevon_json_number(&json, "days", int64_to_numeric(outlier->count));
		aevon_json_token(&json, WJB_END_OBJECT);
	}
	if (!any)
		return NULL;
	aevon_json_token(&json, WJB_END_OBJECT);
	return aevon_json_finish(&json);
}
