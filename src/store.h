/*
 * store.h
 *		The bucket tables: series, and their packed minutes, hours and days.
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
#include "dims.h"
#include "rule.h"
#include "seriescount.h"
#include "window.h"
#include "windowset.h"

typedef enum AevonTier
{
	AEVON_TIER_1M,
	AEVON_TIER_1H,				/* only of measures with sketches */
	AEVON_TIER_1D,
	AEVON_TIER_COUNT
} AevonTier;

/* Minutes in a window of a tier. */
static inline int64
aevon_tier_minutes(AevonTier tier)
{
	static const int64 minutes[AEVON_TIER_COUNT] = {1, 60, 1440};

	return minutes[tier];
}

/*
 * Minutes are written as they come; the coarser tiers take in a minute only when
 * its row is no longer the series' last, and so hold the minutes before the first
 * window of that row (aevon_store_open_from).  A series that goes on in order
 * costs one row a sweep then, and few more whenever its last row is full.
 *
 * Is the tier kept for such series of the measure?  Sketches are large, so that
 * a range that begins and ends anywhere should not open every minute of two
 * days.  But a principal's combinations are many, with a few events each: hours
 * would cost sweeps as much as minutes, and spare reads little.
 */
static inline bool
aevon_tier_kept(AevonTier tier, const AevonMeasure *measure, int32 subject_key,
				bool combination)
{
	return tier != AEVON_TIER_1H ||
		((measure->features & AEVON_KEEP_SKETCHES) != 0 && (subject_key < 0 || !combination));
}

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

typedef struct AevonSeries
{
	int32		measure_key;
	int32		tenant_key;
	int32		subject_key;	/* a principal, or minus the tenant */
	const AevonDims *dims;		/* NULL: totals */
	int64		made_xmax;		/* of a series to be made: cuts below it do
								 * not know it */
} AevonSeries;

/* The key of a series, or 0 if there is none yet. */
extern int64 aevon_store_find_series(AevonStore *store, const AevonSeries *series);

/*
 * The same of totals; *lasting: the series is no work of the current
 * transaction that its abort would undo.
 */
extern int64 aevon_store_find_totals(AevonStore *store, const AevonSeries *series, bool *lasting);

/* The same, made if missing; for writers. */
extern int64 aevon_store_make_series(AevonStore *store, const AevonSeries *series, bool *made);

/* Has the tenant a series for these values?  Looked up once: dims->member. */
extern bool aevon_store_has_combination(AevonStore *store, AevonDims *dims);

/*
 * The combination that an event of combination `dims` (all dimensions; NULL:
 * there are none) counts for: its own if the tenant has a series for that, or
 * may still get one (aevon_store_series_count: not full), else the other one.
 */
extern AevonDims *aevon_store_effective_dims(AevonStore *store, AevonDimsTable *table,
											 AevonDims *dims);

/*
 * What the tenant has of the measure's series with dimension values; good until
 * the next call.  Writers change it, and save it before they close the store.
 */
extern AevonSeriesCount *aevon_store_series_count(AevonStore *store, const AevonMeasure *measure,
												  int32 tenant_key);
extern void aevon_store_save_series_counts(AevonStore *store);

/*
 * The same at an earlier cut, by its xmax: a combination that got a series only
 * later counted for the other one.
 */
extern AevonDims *aevon_store_effective_dims_at(AevonStore *store, AevonDimsTable *table,
												AevonDims *dims, int64 xmax);

/*
 * Give every series of a measure, tenant and grouping to the visitor, by
 * subject: those of one subject, or (subject_key 0) of all.  `values` and
 * `digest` are good until the visitor returns.
 */
typedef void (*AevonSeriesVisitor) (void *context, int64 series_key, int32 subject_key,
									Jsonb *values, const bytea *digest);

typedef struct AevonSeriesRange
{
	int32		measure_key;
	int32		tenant_key;
	AevonGrouping grouping;
	int32		subject_key;
} AevonSeriesRange;

extern void aevon_store_list_series(AevonStore *store, const AevonSeriesRange *range,
									AevonSeriesVisitor visitor, void *context);

/* How many series that are, at most `limit`; without looking whether they are visible. */
extern int	aevon_store_count_series(AevonStore *store, const AevonSeriesRange *range, int limit);

/*
 * Give every state of the series in the windows [from, until) to the visitor,
 * in no order: one window's, or the merged state of several that belong to the
 * same window of the grid, with the first of them.  States of which nothing
 * was ingested by `as_of` are left out; a window of which only a part was, or
 * inside which a window of the grid begins, is given without a state (NULL).
 * A window of a coarser tier may be given twice, once for what its rows hold and
 * once for what the series' last row of minutes does: both with a state, or both
 * without.
 */
typedef void (*AevonStateVisitor) (void *context, int64 window, const AevonPartial *partial);

typedef struct AevonVisit
{
	AevonTier	tier;
	int64		series_key;
	int64		from;
	int64		until;
	AevonGrid  *grid;			/* NULL: all are one window */
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

/* The first window of a series' last row of minutes; the least without any. */
extern int64 aevon_store_open_from(AevonStore *store, int64 series_key);

/*
 * Merge states into a series, or (replace) put them in the place of what is
 * there; windows strictly ascending.  The number of rows written.
 */
/* Minutes that were merged into rows that are closed, or that a row closed over. */
typedef struct AevonClosing
{
	int			count;
	int			capacity;
	AevonWindowState *minutes;	/* ascending; what coarser tiers lack of each */
} AevonClosing;

typedef struct AevonSeriesTier
{
	int64		series_key;
	AevonTier	tier;
	bool		replace;
	AevonClosing *closing;		/* gets the minutes that closed; NULL: not
								 * asked.  With `replace` their states mean
								 * nothing. */
} AevonSeriesTier;

extern int	aevon_store_merge(AevonStore *store, const AevonSeriesTier *where,
							  const AevonWindowState *states, int count);

/*
 * Note that a day of a series has changed, so that the next snapshot looks at
 * it; for writers, at most once per store and day.
 */
extern void aevon_store_touch(AevonStore *store, int64 series_key, int64 day);

#endif							/* AEVON_STORE_H */
