/*
 * runsort.h
 *		A sort of arrays that are mostly a few ascending runs, one behind another:
 *		it merges the runs.  Others are left to lib/sort_template.h.
 *
 * Define before each inclusion: RUNSORT, the name of the function; RUNSORT_TYPE,
 * of the elements; RUNSORT_COMPARE(a, b, arg) with pointers to them, below, at or
 * above 0; RUNSORT_ARG, the type that the last argument points to.  Then
 *
 *	static void RUNSORT(RUNSORT_TYPE *elements, size_t count, RUNSORT_ARG *arg)
 *
 * sorts in the current memory context, of which it may take as much again as the
 * elements do.  Interruptible.  Layer 0.
 */
#include "miscadmin.h"

#define RUNSORT_NAME(suffix) RUNSORT_PASTE(RUNSORT, suffix)
#define RUNSORT_PASTE(name, suffix) RUNSORT_PASTE_(name, suffix)
#define RUNSORT_PASTE_(name, suffix) name##suffix

/* So many runs at most, and so long on the average, are quicker merged. */
#ifndef RUNSORT_MAX_RUNS
#define RUNSORT_MAX_RUNS 256
#define RUNSORT_RUN 32
#endif

#define ST_SORT RUNSORT_NAME(_anew)
#define ST_ELEMENT_TYPE RUNSORT_TYPE
#define ST_COMPARE(a, b, arg) RUNSORT_COMPARE(a, b, arg)
#define ST_COMPARE_ARG_TYPE RUNSORT_ARG
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* Where the runs begin, and behind them the end; their number, 0: too many. */
static int
RUNSORT_NAME(_runs) (const RUNSORT_TYPE * elements, size_t count, size_t *begins,
					 RUNSORT_ARG * arg)
{
	int			runs = 1;

	begins[0] = 0;
	for (size_t i = 1; i < count; i++)
	{
		if (RUNSORT_COMPARE(&elements[i - 1], &elements[i], arg) <= 0)
			continue;
		if (runs == RUNSORT_MAX_RUNS)
			return 0;
		begins[runs++] = i;
	}
	begins[runs] = count;
	return runs * RUNSORT_RUN > count && runs > 1 ? 0 : runs;
}

/* Merge [a, middle) and [middle, end) into another place. */
static void
RUNSORT_NAME(_merge) (const RUNSORT_TYPE * a, const RUNSORT_TYPE * middle,
					  const RUNSORT_TYPE * end, RUNSORT_TYPE * to, RUNSORT_ARG * arg)
{
	const		RUNSORT_TYPE *b = middle;

	while (a < middle && b < end)
		*to++ = RUNSORT_COMPARE(b, a, arg) < 0 ? *b++ : *a++;
	memcpy(to, a, (middle - a) * sizeof(*a));
	memcpy(to + (middle - a), b, (end - b) * sizeof(*b));
}

static void
RUNSORT(RUNSORT_TYPE * elements, size_t count, RUNSORT_ARG * arg)
{
	size_t		begins[RUNSORT_MAX_RUNS + 1];
	int			runs = count < 2 ? 1 : RUNSORT_NAME(_runs) (elements, count, begins, arg);
	RUNSORT_TYPE *from = elements;
	RUNSORT_TYPE *to;
	RUNSORT_TYPE *other;

	if (runs == 1)
		return;
	if (runs == 0)
	{
		RUNSORT_NAME(_anew) (elements, count, arg);
		return;
	}
	to = other = palloc_extended(count * sizeof(RUNSORT_TYPE), MCXT_ALLOC_HUGE);
	while (runs > 1)
	{
		RUNSORT_TYPE *done = from;
		int			merged = 0;

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < runs; i += 2)
		{
			int			behind = Min(i + 2, runs);

			RUNSORT_NAME(_merge) (from + begins[i], from + begins[i + 1], from + begins[behind],
								  to + begins[i], arg);
			begins[merged++] = begins[i];
		}
		begins[merged] = count;
		runs = merged;
		from = to;
		to = done;
	}
	if (from != elements)
		memcpy(elements, from, count * sizeof(RUNSORT_TYPE));
	pfree(other);
}

#undef RUNSORT
#undef RUNSORT_TYPE
#undef RUNSORT_COMPARE
#undef RUNSORT_ARG
#undef RUNSORT_NAME
#undef RUNSORT_PASTE
#undef RUNSORT_PASTE_
