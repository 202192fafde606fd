/*
 * windowset.h
 *		A set of windows, by number.
 *
 * Layer 0: no database access.
 */
#ifndef AEVON_WINDOWSET_H
#define AEVON_WINDOWSET_H

#include "postgres.h"

/* All-zero is the empty set; the array is palloc'd as it grows. */
typedef struct AevonWindowSet
{
	int			count;
	int			capacity;
	int64	   *windows;
} AevonWindowSet;

/* Add a window, in any order, again too; what follows needs it sorted. */
extern void aevon_windowset_add(AevonWindowSet *set, int64 window);

/* Make it ascending, each window once. */
extern void aevon_windowset_sort(AevonWindowSet *set);

/* Index of the first window that is not below `window`; count: none is. */
extern int	aevon_windowset_find(const AevonWindowSet *set, int64 window);

/* Is any window of the set in [first, last]? */
extern bool aevon_windowset_meets(const AevonWindowSet *set, int64 first, int64 last);

/*
 * The next run of consecutive windows [*from, *until), from index *at on, which
 * moves past it; false: there is none.
 */
extern bool aevon_windowset_next_run(const AevonWindowSet *set, int *at, int64 *from,
									 int64 *until);

#endif							/* AEVON_WINDOWSET_H */
