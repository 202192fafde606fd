/*
 * store.h
 *		The bucket tables: series, and their packed minutes and days.
 *
 * A series' rows in a tier partition all windows: a row covers from its
 * first_window up to the next row's, the leftmost from the smallest bigint.
 * Layer 2.
 */
#ifndef AEVON_STORE_H
#define AEVON_STORE_H

#include "postgres.h"
#include "utils/snapshot.h"

#include "bucket.h"
#include "windowset.h"

typedef enum AevonTier
{
	AEVON_TIER_1M,
	AEVON_TIER_1D,
	AEVON_TIER_COUNT
} AevonTier;

#define AEVON_WINDOW_MIN PG_INT64_MIN
#define AEVON_WINDOW_MAX PG_INT64_MAX

typedef struct AevonStore AevonStore;

/*
 * Open the tables for reading by `snapshot`, and for writing if asked.  A
 * writer holds the checkpoint row of every measure it writes to; it does not
 * see its own writes until it is opened again after a CommandCounterIncrement.
 * Everything is allocated in the current memory context.
 */
extern AevonStore *aevon_store_open(Snapshot snapshot, bool for_writing);
extern void aevon_store_close(AevonStore *store);

/* The key of a series without dimensions, or 0 if it has none yet. */
extern int64 aevon_store_find_series(AevonStore *store, int32 measure_key, int32 subject_key);

/* The same, made if missing; for writers. */
extern int64 aevon_store_make_series(AevonStore *store, int32 measure_key,
									 int32 tenant_key, int32 subject_key);

/*
 * Give every state of the series in the windows [from, until) to the visitor,
 * in no order: one window's, or the merged state of several windows that
 * belong to the same group of `group` consecutive windows (counted from
 * window 0; group 0: all are one group), with the first of them.  States of
 * which nothing was ingested by `as_of` are left out; a window of which only a
 * part was is given without a state (NULL).
 */
typedef void (*AevonStateVisitor) (void *context, int64 window, const AevonPartial *partial);

typedef struct AevonVisit
{
	AevonTier	tier;
	int64		series_key;
	int64		from;
	int64		until;
	int64		group;
	TimestampTz as_of;			/* DT_NOEND: everything */
	const AevonWindowSet *except;	/* windows to be left out, sorted; NULL:
									 * none */
} AevonVisit;

extern void aevon_store_visit(AevonStore *store, const AevonVisit *visit,
							  AevonStateVisitor visitor, void *context);

/*
 * Give every row that may hold windows in [from, until) of visit's tier and
 * series as it is stored, from the last to the first; for those who check
 * rows.  The rest of `visit` does not matter.
 */
typedef void (*AevonRowVisitor) (void *context, int64 first_window, const bytea *state);

extern void aevon_store_visit_rows(AevonStore *store, const AevonVisit *visit,
								   AevonRowVisitor visitor, void *context);

/*
 * Merge states into a series, or (replace) put them in the place of what is
 * there; windows strictly ascending.  The number of rows written.
 */
typedef struct AevonWindowState
{
	int64		window;
	AevonPartial *partial;
} AevonWindowState;

typedef struct AevonSeriesTier
{
	int64		series_key;
	AevonTier	tier;
	bool		replace;
} AevonSeriesTier;

extern int	aevon_store_merge(AevonStore *store, const AevonSeriesTier *where,
							  const AevonWindowState *states, int count);

/*
 * Note that a day of a series has changed, so that the next snapshot looks at
 * it; for writers, at most once per store and day.
 */
extern void aevon_store_touch(AevonStore *store, int64 series_key, int64 day);

#endif							/* AEVON_STORE_H */
