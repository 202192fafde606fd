/*
 * seriesplaces.c
 *		Where the rows of a measure's totals lie, read from their index in one go.
 *
 * Entries of the index are read, not the rows: a sweep then fetches each row it
 * wants by its place.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/itup.h"
#include "access/relscan.h"
#include "access/stratnum.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "seriesplaces.h"

/* It pays from so many series for each page of the index: a page holds some 150. */
#define SERIES_OF_PAGE 12

/* Columns of the index. */
#define GROUPING_COLUMN 3
#define SUBJECT_COLUMN 4

struct AevonSeriesPlaces
{
	int32		measure_key;
	int			count;
	int			capacity;
	int			at;				/* of the subject asked for last */
	AevonSeriesPlace *entries;	/* by subject */
};

static void read_index(AevonSeriesPlaces *places, IndexScanDesc scan);
static void add_entry(AevonSeriesPlaces *places, int32 subject_key, ItemPointer tid);

static inline int
compare_entries(const AevonSeriesPlace *a, const AevonSeriesPlace *b)
{
	if (a->subject_key != b->subject_key)
		return a->subject_key < b->subject_key ? -1 : 1;
	return ItemPointerCompare((ItemPointer) &a->tid, (ItemPointer) &b->tid);
}

#define ST_SORT sort_entries
#define ST_ELEMENT_TYPE AevonSeriesPlace
#define ST_COMPARE(a, b) compare_entries(a, b)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

AevonSeriesPlaces *
aevon_seriesplaces_read(Relation heap, Relation index, Snapshot snapshot, int32 measure_key,
						int count)
{
	AevonSeriesPlaces *places;
	IndexScanDesc scan;
	ScanKeyData key;

	if (count / SERIES_OF_PAGE < RelationGetNumberOfBlocks(index))
		return NULL;
	places = palloc0(sizeof(AevonSeriesPlaces));
	places->measure_key = measure_key;
	places->capacity = count + 16;
	places->entries = palloc_extended(places->capacity * sizeof(AevonSeriesPlace), MCXT_ALLOC_HUGE);
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(measure_key));
	scan = index_beginscan(heap, index, snapshot, 1, 0);
	scan->xs_want_itup = true;
	index_rescan(scan, &key, 1, NULL, 0);
	read_index(places, scan);
	index_endscan(scan);

	sort_entries(places->entries, places->count);
	return places;
}

void
aevon_seriesplaces_free(AevonSeriesPlaces *places)
{
	if (places == NULL)
		return;
	pfree(places->entries);
	pfree(places);
}

bool
aevon_seriesplaces_are_of(const AevonSeriesPlaces *places, int32 measure_key)
{
	return places != NULL && places->measure_key == measure_key;
}

const AevonSeriesPlace *
aevon_seriesplaces_find(AevonSeriesPlaces *places, int32 subject_key, int *count)
{
	const AevonSeriesPlace *entries = places->entries;
	int			end;

	if (places->at < places->count && entries[places->at].subject_key > subject_key)
		places->at = 0;
	while (places->at < places->count && entries[places->at].subject_key < subject_key)
		places->at++;
	end = places->at;
	while (end < places->count && entries[end].subject_key == subject_key)
		end++;
	*count = end - places->at;
	return &entries[places->at];
}

static void
read_index(AevonSeriesPlaces *places, IndexScanDesc scan)
{
	ItemPointer tid;

	while ((tid = index_getnext_tid(scan, ForwardScanDirection)) != NULL)
	{
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		if (DatumGetInt32(index_getattr(scan->xs_itup, GROUPING_COLUMN, scan->xs_itupdesc,
										&isnull)) == 0)
			add_entry(places, DatumGetInt32(index_getattr(scan->xs_itup, SUBJECT_COLUMN,
														  scan->xs_itupdesc, &isnull)), tid);
	}
}

static void
add_entry(AevonSeriesPlaces *places, int32 subject_key, ItemPointer tid)
{
	if (places->count == places->capacity)
	{
		places->capacity *= 2;
		places->entries = repalloc_huge(places->entries, places->capacity * sizeof(AevonSeriesPlace));
	}
	places->entries[places->count].subject_key = subject_key;
	places->entries[places->count++].tid = *tid;
}
