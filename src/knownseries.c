/*
 * knownseries.c
 *		Keys of the series that hold totals, per backend.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

#include "catalog.h"
#include "knownseries.h"

#define CACHE_LIMIT 100000		/* entries */

/* A principal's key says whose it is; a tenant's is negative. */
typedef struct SeriesId
{
	int32		measure_key;
	int32		subject_key;
} SeriesId;

typedef struct SeriesEntry
{
	SeriesId	id;
	int64		series_key;
	AevonPlaceOfRow place;		/* where its row was found last */
	char		status;
} SeriesEntry;

#define SH_PREFIX known
#define SH_ELEMENT_TYPE SeriesEntry
#define SH_KEY_TYPE SeriesId
#define SH_KEY id
#define SH_HASH_KEY(table, key) \
	hash_combine(murmurhash32((key).measure_key), murmurhash32((key).subject_key))
#define SH_EQUAL(table, a, b) \
	((a).measure_key == (b).measure_key && (a).subject_key == (b).subject_key)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* Generations start again when the extension is created again. */
static struct
{
	known_hash *keys;			/* NULL: none yet */
	int64		generation;
	Oid			relation;
}			cache;

static void ready_cache(int64 generation);

int64
aevon_knownseries_find(AevonStore *store, int64 generation, const AevonSeries *series)
{
	SeriesId	id = {series->measure_key, series->subject_key};
	SeriesEntry *entry;
	AevonPlaceOfRow place;
	int64		series_key;
	bool		lasting;
	bool		found;

	Assert(series->dims == NULL);
	ready_cache(generation);
	entry = known_lookup(cache.keys, id);
	if (entry != NULL)
	{
		if (aevon_store_find_again(store, entry->series_key, &entry->place))
			return entry->series_key;
		/* somebody deleted its row, and a sweep may have made another since */
		known_delete(cache.keys, id);
	}
	series_key = aevon_store_find_totals(store, series, &place, &lasting);
	if (series_key != 0 && lasting)
	{
		if (cache.keys->members >= CACHE_LIMIT)
			known_reset(cache.keys);
		entry = known_insert(cache.keys, id, &found);
		entry->series_key = series_key;
		entry->place = place;
	}
	return series_key;
}

static void
ready_cache(int64 generation)
{
	Oid			relation = aevon_catalog_oid(AEVON_SERIES);

	if (cache.keys == NULL)
		cache.keys = known_create(CacheMemoryContext, 256, NULL);
	else if (cache.generation != generation || cache.relation != relation)
		known_reset(cache.keys);
	cache.generation = generation;
	cache.relation = relation;
}
