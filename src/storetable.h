/*
 * storetable.h
 *		A table of the store: rows found by its index, and written, straight
 *		through the access methods.
 *
 * Not through SPI: a sweep or a read touches many rows, each by key, and the
 * executor would cost more than the row.  For the modules of the store.  Layer 2.
 */
#ifndef AEVON_STORETABLE_H
#define AEVON_STORETABLE_H

#include "postgres.h"
#include "access/genam.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "executor/executor.h"
#include "utils/rel.h"

#include "catalog.h"
#include "seriescount.h"
#include "seriesplaces.h"
#include "tier.h"

/* A table, and the index by which it is searched, by so many columns. */
typedef struct AevonStoreRelation
{
	AevonRelation heap;
	AevonRelation index;
	int			nkeys;
} AevonStoreRelation;

typedef struct AevonStoreTable
{
	const AevonStoreRelation *relation;
	Relation	heap;			/* NULL: not open */
	Relation	index;			/* NULL: not searched yet */
	IndexScanDesc scan;
	TupleTableSlot *slot;		/* what was found */
	TupleTableSlot *new_slot;	/* what is written */
	IndexFetchTableData *fetch; /* for rows at places; NULL: none yet */
	ResultRelInfo *target;		/* writers only */
} AevonStoreTable;

typedef struct AevonStore
{
	Snapshot	snapshot;
	bool		for_writing;
	EState	   *estate;			/* writers only */
	MemoryContext home;			/* of what lives as long as the store */
	MemoryContext scratch;		/* of one row */
	MemoryContext opening;		/* of one visit; NULL: none yet */
	AevonSeriesCounts *counts;
	AevonSeriesPlaces *places;	/* NULL: series are searched one by one */
	int64		touched_run;	/* the last run of snapshots; 0: not asked yet */
	int64		found_key;		/* of the series found last; 0: none */
	TupleTableSlot *found;		/* its row */
	AevonStoreTable series;		/* each opened at first use */
	AevonStoreTable series_by_key;
	AevonStoreTable touched;
	AevonStoreTable tiers[AEVON_TIER_COUNT];
} AevonStore;

/* Open a table at first use; its index when it is first searched. */
extern AevonStoreTable *aevon_storetable_open(AevonStore *store, AevonStoreTable *table,
											  const AevonStoreRelation *relation);
extern void aevon_storetable_open_index(AevonStore *store, AevonStoreTable *table);
extern void aevon_storetable_close(AevonStore *store, AevonStoreTable *table);

/* The bucket table of a tier. */
extern AevonStoreTable *aevon_storetable_tier(AevonStore *store, AevonTier tier);

/* Put the first row with these keys into table->slot; false: there is none. */
extern bool aevon_storetable_find(AevonStore *store, AevonStoreTable *table, ScanKey keys,
								  int nkeys, ScanDirection direction);
extern bool aevon_storetable_next(AevonStore *store, AevonStoreTable *table,
								  ScanDirection direction);

/* Put the row at a place into table->slot; false: the snapshot sees none there. */
extern bool aevon_storetable_fetch(AevonStore *store, AevonStoreTable *table,
								   const ItemPointerData *place);

/*
 * The series' row of buckets with the greatest first_window that is not above at_most;
 * so that it and those before it are not below at_least, which spares the index a
 * look at rows that are not wanted.
 */
typedef struct AevonRowRange
{
	int64		series_key;
	int64		at_least;		/* AEVON_WINDOW_MIN: no bound */
	int64		at_most;
} AevonRowRange;

extern bool aevon_storetable_find_row(AevonStore *store, AevonStoreTable *table,
									  const AevonRowRange *range);

/* Of the row of buckets in table->slot. */
extern int64 aevon_storetable_first_window(AevonStoreTable *table);
extern const bytea *aevon_storetable_state(AevonStoreTable *table);

/*
 * Write what is in table->new_slot, in the place of the row in `found` or as a row
 * of its own.  There are no constraints to be checked; triggers only if
 * somebody made some.  A row can be changed by none but who holds the checkpoint.
 */
extern void aevon_storetable_update(AevonStore *store, AevonStoreTable *table,
									TupleTableSlot *found);
extern void aevon_storetable_insert(AevonStore *store, AevonStoreTable *table);

#endif							/* AEVON_STORETABLE_H */
