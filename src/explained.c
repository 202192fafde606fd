/*
 * explained.c
 *		The events that explain a metric, as many as a page takes.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "explained.h"

#define SPARE_ROWS 1000			/* kept beyond two pages, to sort seldom */

static void drop_last(AevonExplainedList *list);
static int	compare_rows(const void *a, const void *b);

void
aevon_explained_begin(AevonExplainedList *list, int page)
{
	memset(list, 0, sizeof(*list));
	list->home = AllocSetContextCreate(CurrentMemoryContext, "aevon explained events",
									   ALLOCSET_DEFAULT_SIZES);
	list->page = page;
}

void
aevon_explained_put(AevonExplainedList *list, const AevonExplained *row)
{
	MemoryContext outer = MemoryContextSwitchTo(list->home);
	AevonExplained *copy;

	list->total++;
	if (list->count == list->page * 2 + SPARE_ROWS)
		drop_last(list);
	if (list->count == list->capacity)
	{
		list->capacity = list->capacity * 2 + 16;
		list->rows = list->rows == NULL ?
			palloc(list->capacity * sizeof(AevonExplained)) :
			repalloc_huge(list->rows, list->capacity * sizeof(AevonExplained));
	}
	copy = &list->rows[list->count++];
	*copy = *row;
	copy->position.principal = pstrdup(row->position.principal);
	copy->position.event_id = pstrdup(row->position.event_id);
	if (row->value != NULL)
		copy->value = DatumGetNumericCopy(NumericGetDatum(row->value));
	if (row->is_void)
	{
		copy->reason = pstrdup(row->reason);
		copy->voided_by = pstrdup(row->voided_by);
	}
	MemoryContextSwitchTo(outer);
}

void
aevon_explained_sort(AevonExplainedList *list)
{
	if (list->count > 1)
		qsort(list->rows, list->count, sizeof(AevonExplained), compare_rows);
}

void
aevon_explained_empty(AevonExplainedList *list)
{
	list->count = list->capacity = 0;
	list->rows = NULL;
	MemoryContextReset(list->home);
}

/* Drop what a page has no room for: any number of events may have one time. */
static void
drop_last(AevonExplainedList *list)
{
	aevon_explained_sort(list);
	while (list->count > list->page)
	{
		AevonExplained *last = &list->rows[--list->count];

		pfree(unconstify(char *, last->position.principal));
		pfree(unconstify(char *, last->position.event_id));
		if (last->value != NULL)
			pfree(last->value);
		if (last->is_void)
		{
			pfree(last->reason);
			pfree(last->voided_by);
		}
	}
}

static int
compare_rows(const void *a, const void *b)
{
	return aevon_position_compare(&((const AevonExplained *) a)->position,
								  &((const AevonExplained *) b)->position);
}
