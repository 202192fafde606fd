/*
 * voided.c
 *		Voided events: the rows behind voids.
 *
 * A void names its event by principal and id; the log finds it by principal
 * and time.  So the places come first, each is looked at once, and what is
 * found there is checked against its own void.
 */
#include "postgres.h"

#include "voided.h"

/* Where in the log voided events are. */
typedef struct Place
{
	int32		principal_key;
	TimestampTz occurred_at;
} Place;

typedef struct Places
{
	const AevonVoidedRange *range;
	int			count;
	int			capacity;
	Place	   *places;
} Places;

static void note_place(void *context, const AevonVoid *found);
static int	compare_places(const void *a, const void *b);
static bool in_range(const AevonVoidedRange *range, const AevonVoid *found);

void
aevon_voided_visit(AevonVoids *voids, const AevonVoidedRange *range,
				   AevonVoidedVisitor visitor, void *context)
{
	Places		list = {.range = range};

	if (voids == NULL)
		return;
	aevon_voids_visit(voids, &range->voids, note_place, &list);
	if (list.count > 1)
		qsort(list.places, list.count, sizeof(Place), compare_places);
	for (int i = 0; i < list.count; i++)
	{
		const Place *place = &list.places[i];
		AevonLogScan *scan;
		AevonLogRow row;
		AevonVoid	found;

		if (i > 0 && compare_places(place - 1, place) == 0)
			continue;
		scan = aevon_log_scan_principal(range->snapshot, place->principal_key,
										place->occurred_at, place->occurred_at + 1);
		while (aevon_log_scan_next(scan, &row))
		{
			if (aevon_voids_find(voids, &row, &found) && in_range(range, &found))
				visitor(context, &row, &found);
		}
		aevon_log_scan_end(scan);
	}
	if (list.places != NULL)
		pfree(list.places);
}

static void
note_place(void *context, const AevonVoid *found)
{
	Places	   *list = context;
	const AevonVoidedRange *range = list->range;

	if ((range->principal_key != 0 && found->principal_key != range->principal_key) ||
		found->occurred_at < range->since || found->occurred_at >= range->until ||
		found->voided_at < range->voided_since)
		return;
	if (list->count == list->capacity)
	{
		list->capacity = list->capacity * 2 + 16;
		list->places = list->places == NULL ? palloc(list->capacity * sizeof(Place)) :
			repalloc_huge(list->places, list->capacity * sizeof(Place));
	}
	list->places[list->count].principal_key = found->principal_key;
	list->places[list->count++].occurred_at = found->occurred_at;
}

static int
compare_places(const void *a, const void *b)
{
	const Place *x = a;
	const Place *y = b;

	if (x->principal_key != y->principal_key)
		return x->principal_key < y->principal_key ? -1 : 1;
	return x->occurred_at < y->occurred_at ? -1 : x->occurred_at > y->occurred_at ? 1 : 0;
}

/* A principal's event of that time may have a void of another range. */
static bool
in_range(const AevonVoidedRange *range, const AevonVoid *found)
{
	bool		by_time = range->voids.order == AEVON_VOIDS_OF_PRINCIPAL_BY_TIME ||
	range->voids.order == AEVON_VOIDS_OF_TENANT_BY_TIME;
	int64		at = by_time ? found->occurred_at : found->stamp;

	return at >= range->voids.from && at < range->voids.until &&
		found->voided_at >= range->voided_since;
}
