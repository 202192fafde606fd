/*
 * windowset.c
 *		A set of windows, by number.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "windowset.h"

static int	compare_windows(const void *a, const void *b);

void
aevon_windowset_add(AevonWindowSet *set, int64 window)
{
	/* many come in order, and many times */
	if (set->count > 0 && set->windows[set->count - 1] == window)
		return;
	if (set->count == set->capacity)
	{
		set->capacity = set->capacity * 2 + 8;
		set->windows = set->windows == NULL ?
			palloc(set->capacity * sizeof(int64)) :
			repalloc_huge(set->windows, set->capacity * sizeof(int64));
	}
	set->windows[set->count++] = window;
}

void
aevon_windowset_sort(AevonWindowSet *set)
{
	int			kept = 0;

	if (set->count == 0)
		return;
	qsort(set->windows, set->count, sizeof(int64), compare_windows);
	for (int i = 0; i < set->count; i++)
	{
		if (kept == 0 || set->windows[kept - 1] != set->windows[i])
			set->windows[kept++] = set->windows[i];
	}
	set->count = kept;
}

int
aevon_windowset_find(const AevonWindowSet *set, int64 window)
{
	int			low = 0;
	int			high = set->count;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (set->windows[middle] < window)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool
aevon_windowset_meets(const AevonWindowSet *set, int64 first, int64 last)
{
	int			at = aevon_windowset_find(set, first);

	return at < set->count && set->windows[at] <= last;
}

bool
aevon_windowset_next_run(const AevonWindowSet *set, int *at, int64 *from, int64 *until)
{
	if (*at >= set->count)
		return false;
	*from = set->windows[*at];
	for (*until = *from; *at < set->count && set->windows[*at] == *until; (*at)++)
		(*until)++;
	return true;
}

static int
compare_windows(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return x < y ? -1 : x > y ? 1 : 0;
}
