/*
 * window.h
 *		Granularity: the grid of windows that a read answers by.
 *
 * Layer 0.
 */
#ifndef AEVON_WINDOW_H
#define AEVON_WINDOW_H

#include "postgres.h"

typedef struct AevonGrid
{
	int64		minutes;		/* length of a window; 0: one for the whole
								 * range */
} AevonGrid;

/*
 * "total", "<n>m" or "<n>h" (a whole multiple of minutes that divides a day),
 * "1d".  Unknown words raise 22023; weeks and months, not supported yet, 0A000.
 */
extern AevonGrid aevon_window_parse(const char *granularity);

#endif							/* AEVON_WINDOW_H */
