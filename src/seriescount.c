/*
 * seriescount.c
 *		How many series with dimension values a tenant has of a measure, and
 *		whether it may get more.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/skey.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "common/hashfn.h"
#include "executor/tuptable.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "catalog.h"
#include "seriescount.h"

static inline uint32
hash_key(AevonSeriesCountKey key)
{
	return hash_combine(murmurhash32((uint32) key.measure_key),
						murmurhash32((uint32) key.tenant_key));
}

static inline bool
same_key(AevonSeriesCountKey a, AevonSeriesCountKey b)
{
	return a.measure_key == b.measure_key && a.tenant_key == b.tenant_key;
}

#define SH_PREFIX counts
#define SH_ELEMENT_TYPE AevonSeriesCount
#define SH_KEY_TYPE AevonSeriesCountKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) hash_key(key)
#define SH_EQUAL(table, a, b) same_key(a, b)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct AevonSeriesCounts
{
	Snapshot	snapshot;
	counts_hash *table;
	AevonSeriesCount *last;		/* given: mostly it is asked for again */
};

static void look_up(Snapshot snapshot, AevonSeriesCount *count);

AevonSeriesCounts *
aevon_seriescount_open(Snapshot snapshot)
{
	AevonSeriesCounts *counts = palloc0(sizeof(AevonSeriesCounts));

	counts->snapshot = snapshot;
	counts->table = counts_create(CurrentMemoryContext, 8, NULL);
	return counts;
}

void
aevon_seriescount_close(AevonSeriesCounts *counts)
{
	counts_destroy(counts->table);
	pfree(counts);
}

AevonSeriesCount *
aevon_seriescount_get(AevonSeriesCounts *counts, int32 measure_key, int32 tenant_key)
{
	AevonSeriesCountKey key = {measure_key, tenant_key};
	bool		found;

	if (counts->last == NULL || !same_key(counts->last->key, key))
	{
		counts->last = counts_insert(counts->table, key, &found);
		if (!found)
			look_up(counts->snapshot, counts->last);
	}
	return counts->last;
}

void
aevon_seriescount_save(AevonSeriesCounts *counts)
{
	counts_iterator iterator;
	AevonSeriesCount *count;

	counts_start_iterate(counts->table, &iterator);
	while ((count = counts_iterate(counts->table, &iterator)) != NULL)
	{
		Datum		values[4] = {
			Int32GetDatum(count->key.tenant_key),
			Int32GetDatum(count->key.measure_key),
			Int64GetDatum(count->count),
			BoolGetDatum(count->full),
		};

		if (count->changed)
			aevon_catalog_run(AEVON_QUERY_SAVE_SERIES_COUNT, values, NULL, false);
		count->changed = false;
	}
}

/* Straight through the index: readers ask, too. */
static void
look_up(Snapshot snapshot, AevonSeriesCount *count)
{
	Relation	heap = table_open(aevon_catalog_oid(AEVON_SERIES_COUNTS), AccessShareLock);
	Relation	index = index_open(aevon_catalog_oid(AEVON_SERIES_COUNTS_KEY), AccessShareLock);
	IndexScanDesc scan = index_beginscan(heap, index, snapshot, 2, 0);
	TupleTableSlot *slot = table_slot_create(heap, NULL);
	ScanKeyData keys[2];
	bool		isnull;

	count->count = count->coming = 0;
	count->full = count->changed = false;
	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(count->key.tenant_key));
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(count->key.measure_key));
	index_rescan(scan, keys, 2, NULL, 0);
	if (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		count->count = DatumGetInt64(slot_getattr(slot, Anum_series_counts_series_count, &isnull));
		count->full = DatumGetBool(slot_getattr(slot, Anum_series_counts_full, &isnull));
	}
	ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
	index_close(index, NoLock);
	table_close(heap, NoLock);
}
