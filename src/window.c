/*
 * window.c
 *		Granularity: the grid of windows that a read answers by.
 */
#include "postgres.h"

#include "window.h"

#define MINUTES_A_DAY 1440

AevonGrid
aevon_window_parse(const char *granularity)
{
	AevonGrid	grid = {0};
	const char *at = granularity;
	int64		number = 0;

	if (strcmp(granularity, "total") == 0)
		return grid;
	if (strcmp(granularity, "1w") == 0 || strcmp(granularity, "1mo") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("granularity \"%s\" is not supported yet", granularity),
				 errhint("Use \"1d\" and add the days up.")));

	while (*at >= '0' && *at <= '9' && number <= MINUTES_A_DAY)
		number = number * 10 + (*at++ - '0');
	if (strcmp(at, "m") == 0)
		grid.minutes = number;
	else if (strcmp(at, "h") == 0)
		grid.minutes = number * 60;
	else if (strcmp(at, "d") == 0 && number == 1)
		grid.minutes = MINUTES_A_DAY;
	if (grid.minutes <= 0 || granularity[0] == '0' || MINUTES_A_DAY % grid.minutes != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown granularity \"%s\"", granularity),
				 errdetail("A window is the total range, a day, or a whole number of minutes that divides a day."),
				 errhint("Use \"total\", \"1m\", \"5m\", \"15m\", \"1h\" or \"1d\".")));
	return grid;
}
