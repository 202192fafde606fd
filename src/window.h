/*
 * window.h
 *		Granularity and time zone: the grid of windows that a read answers by.
 *
 * A window is known by its start.  Days, weeks (from Monday) and months are
 * those of the zone's calendar; shorter windows run in elapsed time from the
 * start of the zone's day, and the last one ends with the day.  Days follow one
 * another without gap or overlap: a day begins where the zone's date stops
 * being an earlier one.  That is midnight; the end of the jump where clocks
 * skip midnight; the first midnight where they repeat the hour after it, and
 * the last one where they go back across it.  A date that a zone skips has no
 * window.
 * Layer 0.
 */
#ifndef AEVON_WINDOW_H
#define AEVON_WINDOW_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "pgtime.h"

typedef enum AevonGridKind
{
	AEVON_GRID_TOTAL,			/* one window: the range */
	AEVON_GRID_MINUTES,			/* a number of minutes that divides a day */
	AEVON_GRID_DAYS,
	AEVON_GRID_WEEKS,
	AEVON_GRID_MONTHS
} AevonGridKind;

/* [start, end), both on the grid */
typedef struct AevonSpan
{
	TimestampTz start;
	TimestampTz end;
} AevonSpan;

typedef struct AevonGrid
{
	AevonGridKind kind;
	int64		length;			/* microseconds of a window that the calendar
								 * neither stretches nor shortens; else 0 */
	pg_tz	   *zone;			/* NULL: always that of UTC */
	const char *zone_name;		/* as the time zone database spells it */
	AevonSpan	known;			/* the calendar's day, week or month looked up
								 * last; empty to begin with */
} AevonGrid;

/*
 * The grid of a granularity ("total", "<n>m" or "<n>h" that divides a day,
 * "1d", "1w", "1mo") in a time zone (a name of pg_timezone_names, in any case);
 * palloc'd.  22023 for what is neither.
 */
extern AevonGrid *aevon_window_grid(const char *granularity, const char *timezone);

/*
 * The window that holds a finite time; not for AEVON_GRID_TOTAL.  22008 if it
 * reaches beyond the times that a timestamptz can hold.
 */
extern AevonSpan aevon_window_find(AevonGrid *grid, TimestampTz at);

/* Do two finite times lie in the same window? */
extern bool aevon_window_same(AevonGrid *grid, TimestampTz a, TimestampTz b);

/* Can a window begin inside a bucket of so many microseconds (that divide a day)? */
extern bool aevon_window_cuts(const AevonGrid *grid, int64 unit);

/* The number of windows that meet [since, until), both finite; past `limit` any greater number. */
extern int64 aevon_window_count(AevonGrid *grid, TimestampTz since, TimestampTz until,
								int64 limit);

#endif							/* AEVON_WINDOW_H */
