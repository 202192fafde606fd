/*
 * window.c
 *		Granularity and time zone: the grid of windows that a read answers by.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "bucket.h"
#include "window.h"

#define MINUTES_A_DAY 1440

/* Days are numbered from 2000-01-01, a Saturday. */
#define FIRST_MONDAY 2
#define EPOCH_SECONDS ((pg_time_t) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY)

static int64 minutes_of(const char *granularity);
static void set_zone(AevonGrid *grid, const char *name);
static bool is_database_zone(pg_tz *zone);
static AevonSpan find_in_calendar(AevonGrid *grid, TimestampTz at);
static int64 even_start(const AevonGrid *grid, TimestampTz at);
static int64 first_day(AevonGridKind kind, int64 day);
static int64 next_first_day(AevonGridKind kind, int64 first);
static int64 local_day(pg_tz *zone, TimestampTz at);
static TimestampTz day_start(pg_tz *zone, int64 day);
static int64 seconds_at(TimestampTz at);
static void refuse_range(void);

AevonGrid *
aevon_window_grid(const char *granularity, const char *timezone)
{
	AevonGrid  *grid = palloc0(sizeof(AevonGrid));
	int64		minutes = minutes_of(granularity);

	set_zone(grid, timezone);
	if (strcmp(granularity, "total") == 0)
		grid->kind = AEVON_GRID_TOTAL;
	else if (strcmp(granularity, "1w") == 0)
		grid->kind = AEVON_GRID_WEEKS;
	else if (strcmp(granularity, "1mo") == 0)
		grid->kind = AEVON_GRID_MONTHS;
	else if (minutes == MINUTES_A_DAY)
		grid->kind = AEVON_GRID_DAYS;
	else if (minutes > 0)
		grid->kind = AEVON_GRID_MINUTES;
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown granularity \"%s\"", granularity),
				 errdetail("A window is the total range, a month, a week, a day, or a whole number of minutes that divides a day."),
				 errhint("Use \"total\", \"1m\", \"5m\", \"15m\", \"1h\", \"1d\", \"1w\" or \"1mo\".")));

	if (grid->kind == AEVON_GRID_MINUTES)
		grid->length = minutes * AEVON_MINUTE;
	else if (grid->zone == NULL && grid->kind == AEVON_GRID_DAYS)
		grid->length = AEVON_DAY;
	else if (grid->zone == NULL && grid->kind == AEVON_GRID_WEEKS)
		grid->length = 7 * AEVON_DAY;
	return grid;
}

AevonSpan
aevon_window_find(AevonGrid *grid, TimestampTz at)
{
	AevonSpan	span;

	if (grid->length == 0)
		return find_in_calendar(grid, at);
	if (grid->zone == NULL)
	{
		span.start = even_start(grid, at);
		span.end = span.start + grid->length;
		if (!IS_VALID_TIMESTAMP(span.start) || !IS_VALID_TIMESTAMP(span.end))
			refuse_range();
		return span;
	}

	/* minutes, counted from the start of the zone's day */
	span = find_in_calendar(grid, at);
	span.start += (at - span.start) / grid->length * grid->length;
	span.end = Min(span.end, span.start + grid->length);
	return span;
}

bool
aevon_window_same(AevonGrid *grid, TimestampTz a, TimestampTz b)
{
	if (grid->kind == AEVON_GRID_TOTAL)
		return true;
	if (grid->zone == NULL && grid->length != 0)
		return even_start(grid, a) == even_start(grid, b);
	return aevon_window_find(grid, a).start == aevon_window_find(grid, b).start;
}

bool
aevon_window_cuts(const AevonGrid *grid, int64 unit)
{
	if (grid->kind == AEVON_GRID_TOTAL)
		return false;
	if (grid->zone != NULL)
		return true;
	/* a day and its divisors fit a week and a month too */
	return grid->kind == AEVON_GRID_MINUTES && grid->length % unit != 0;
}

int64
aevon_window_count(AevonGrid *grid, TimestampTz since, TimestampTz until, int64 limit)
{
	int64		count = 0;

	/* none is longer than the longest month and a day that came twice */
	int64		longest = grid->length ? grid->length : 33 * AEVON_DAY;

	if (since >= until)
		return 0;
	if (until / longest - since / longest > limit)
		return limit + 1;
	if (grid->zone == NULL && grid->length != 0)
		return (even_start(grid, until - 1) - even_start(grid, since)) / grid->length + 1;
	while (since < until && count <= limit)
	{
		CHECK_FOR_INTERRUPTS();
		since = aevon_window_find(grid, since).end;
		count++;
	}
	return count;
}

/* 0: not a number of minutes that divides a day. */
static int64
minutes_of(const char *granularity)
{
	const char *at = granularity;
	int64		number = 0;
	int64		minutes = 0;

	while (*at >= '0' && *at <= '9' && number <= MINUTES_A_DAY)
		number = number * 10 + (*at++ - '0');
	if (strcmp(at, "m") == 0)
		minutes = number;
	else if (strcmp(at, "h") == 0)
		minutes = number * 60;
	else if (strcmp(at, "d") == 0 && number == 1)
		minutes = MINUTES_A_DAY;
	if (minutes <= 0 || granularity[0] == '0' || MINUTES_A_DAY % minutes != 0)
		return 0;
	return minutes;
}

static void
set_zone(AevonGrid *grid, const char *name)
{
	pg_tz	   *zone;
	long int	offset;

	grid->zone_name = "UTC";
	if (pg_strcasecmp(name, "UTC") == 0)
		return;
	zone = name[0] ? pg_tzset(name) : NULL;
	if (zone == NULL || !pg_tz_acceptable(zone) || !is_database_zone(zone))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" does not exist", name),
				 errhint("Use a name of the view pg_timezone_names.")));
	grid->zone_name = pg_get_timezone_name(zone);
	if (!pg_get_timezone_offset(zone, &offset) || offset != 0)
		grid->zone = zone;
}

/*
 * pg_tzset also takes POSIX specifications such as "XYZ-5", whose sign few get
 * right.  They have digits, as few names in the database have, so that the
 * whole of it is looked through rarely.
 */
static bool
is_database_zone(pg_tz *zone)
{
	const char *name = pg_get_timezone_name(zone);
	pg_tzenum  *zones;
	pg_tz	   *other;
	bool		found = false;

	if (strpbrk(name, "0123456789") == NULL)
		return true;
	zones = pg_tzenumerate_start();
	while (!found && (other = pg_tzenumerate_next(zones)) != NULL)
		found = strcmp(pg_get_timezone_name(other), name) == 0;
	pg_tzenumerate_end(zones);
	return found;
}

/* The day (for minutes), week or month that holds a time. */
static AevonSpan
find_in_calendar(AevonGrid *grid, TimestampTz at)
{
	int64		first;

	if (at >= grid->known.start && at < grid->known.end)
		return grid->known;
	first = first_day(grid->kind, local_day(grid->zone, at));

	/*
	 * where clocks go back across midnight, a date comes and goes before its
	 * day
	 */
	while (at < day_start(grid->zone, first))
		first = first_day(grid->kind, first - 1);
	grid->known.start = day_start(grid->zone, first);
	grid->known.end = day_start(grid->zone, next_first_day(grid->kind, first));
	return grid->known;
}

/* Of windows of one length that UTC's clock counts. */
static int64
even_start(const AevonGrid *grid, TimestampTz at)
{
	int64		origin = grid->kind == AEVON_GRID_WEEKS ? FIRST_MONDAY * AEVON_DAY : 0;

	return aevon_window_of(at - origin, grid->length) * grid->length + origin;
}

static int64
first_day(AevonGridKind kind, int64 day)
{
	int			year;
	int			month;
	int			mday;

	if (kind == AEVON_GRID_WEEKS)
		return aevon_window_of(day - FIRST_MONDAY, 7) * 7 + FIRST_MONDAY;
	if (kind != AEVON_GRID_MONTHS)
		return day;
	j2date((int) (day + POSTGRES_EPOCH_JDATE), &year, &month, &mday);
	return day - (mday - 1);
}

/* The first day of the window after the one that begins with `first`. */
static int64
next_first_day(AevonGridKind kind, int64 first)
{
	if (kind == AEVON_GRID_WEEKS)
		return first + 7;
	if (kind == AEVON_GRID_MONTHS)
		return first_day(kind, first + 31);
	return first + 1;
}

/* The date that the zone's clocks show. */
static int64
local_day(pg_tz *zone, TimestampTz at)
{
	int64		seconds = seconds_at(at);
	pg_time_t	when = seconds + EPOCH_SECONDS;

	if (zone != NULL)
		seconds += pg_localtime(&when, zone)->tm_gmtoff;
	return aevon_window_of(seconds, SECS_PER_DAY);
}

/*
 * Where the date stops being earlier than `day`: the end of the last stretch of
 * one offset in which it is earlier.
 */
static TimestampTz
day_start(pg_tz *zone, int64 day)
{
	pg_time_t	midnight = day * SECS_PER_DAY + EPOCH_SECONDS;
	pg_time_t	start = midnight;

	if (zone != NULL)
	{
		/* no offset is as large as two days */
		pg_time_t	from = midnight - 2 * SECS_PER_DAY;
		pg_time_t	boundary;
		long int	before;
		long int	after;
		int			before_dst;
		int			after_dst;

		while (from < midnight + 2 * SECS_PER_DAY)
		{
			if (pg_next_dst_boundary(&from, &before, &before_dst, &boundary,
									 &after, &after_dst, zone) != 1)
				boundary = PG_INT64_MAX;
			if (from < midnight - before)
				start = Min(boundary, midnight - before);
			from = boundary;
		}
	}
	start -= EPOCH_SECONDS;
	if (start < MIN_TIMESTAMP / USECS_PER_SEC || start >= END_TIMESTAMP / USECS_PER_SEC)
		refuse_range();
	return start * USECS_PER_SEC;
}

/* Whole seconds, rounded down. */
static int64
seconds_at(TimestampTz at)
{
	return aevon_window_of(at, USECS_PER_SEC);
}

static void
refuse_range(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("timestamp out of range"),
			 errdetail("A window of the range would begin or end beyond what a timestamp can hold.")));
}
