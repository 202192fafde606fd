/*
 * store.h
 *		The store of buckets: series, and their open minutes.
 *
 * A series' minutes are first kept in its own row, open: in a packed row of few
 * windows (bucket.h), of any age.  When that is full they are merged into the
 * closed rows of minutes, and into the coarser tiers, which so hold just what the
 * closed rows of minutes hold (tiers.h).  So a sweep mostly writes one row of a
 * series, whether its events are late or not.  A minute may be in both: its
 * state is that of the two together.
 *
 * A series' rows in a tier partition all windows: a row covers from its
 * first_window up to the next row's, the leftmost from the smallest bigint.
 * They are read by storevisit.h and written by storemerge.h.  Layer 2.
 */
#ifndef AEVON_STORE_H
#define AEVON_STORE_H

#include "postgres.h"
#include "utils/snapshot.h"

#include "bucket.h"
#include "dims.h"
#include "refetch.h"
#include "rule.h"
#include "seriescount.h"
#include "tier.h"

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

/*
 * The key of a series, or 0 if there is none yet.  Its row is the one found last,
 * until another is looked for: the functions for open minutes need not search
 * then.
 */
extern int64 aevon_store_find_series(AevonStore *store, const AevonSeries *series);

/*
 * Some `count` totals of a measure are about to be looked for, mostly by ascending
 * subject: find them in one go if that is cheaper.
 */
extern void aevon_store_expect_totals(AevonStore *store, int32 measure_key, int count);

/*
 * As aevon_store_find_series, of totals; *place: where its row can be found again
 * (refetch.h); *lasting: the series is no work of the current transaction that its
 * abort would undo.
 */
extern int64 aevon_store_find_totals(AevonStore *store, const AevonSeries *series,
									 AevonPlaceOfRow *place, bool *lasting);

/*
 * Find a series' row, which was at *place once; if it has moved, *place is changed.
 * False: the snapshot sees none.
 */
extern bool aevon_store_find_again(AevonStore *store, int64 series_key, AevonPlaceOfRow *place);

/*
 * The open minutes of a series, a packed row; NULL: there are none, or no such
 * series.  Good until another series is looked for.
 */
extern const bytea *aevon_store_open_minutes(AevonStore *store, int64 series_key);

/*
 * From which window of a tier on it holds all that has closed of a series; before
 * that it holds nothing.  AEVON_WINDOW_MAX: the series has no hours, or is none.
 */
extern int64 aevon_store_first_kept(AevonStore *store, int64 series_key, AevonTier tier);

/* The last minute in closed rows of a series; AEVON_WINDOW_MIN: none, or no such series. */
extern int64 aevon_store_closed_until(AevonStore *store, int64 series_key);

/*
 * Days of a series that are noted for the next snapshot (aevon_store_touch),
 * unless a run of snapshots has come since `run`; bit i of the mask: day - i.
 */
typedef struct AevonTouched
{
	uint64		mask;
	int64		run;
	int32		day;
} AevonTouched;

#define AEVON_HOURS_ALL PG_INT32_MIN
#define AEVON_HOURS_NONE PG_INT32_MAX

/* What sweeps change of a series' row. */
typedef struct AevonSeriesContent
{
	AevonTouched touched;
	int64		closed_until;	/* a minute, or AEVON_WINDOW_MIN */
	int32		hours_from;		/* a day, or AEVON_HOURS_ALL, AEVON_HOURS_NONE */
	const bytea *open_minutes;	/* NULL: none */
} AevonSeriesContent;

/* For writers; replaced once per store and series.  Good as above. */
extern void aevon_store_read_content(AevonStore *store, int64 series_key,
									 AevonSeriesContent *content);
extern void aevon_store_replace_content(AevonStore *store, int64 series_key,
										const AevonSeriesContent *content);

/* Make a series, which is not there; its key. */
extern int64 aevon_store_make_series(AevonStore *store, const AevonSeries *series,
									 const AevonSeriesContent *content);

/*
 * The number of the last run of snapshots, for AevonTouched; 0: nothing can be said
 * (the transaction may not see what the last run took).
 */
extern int64 aevon_store_touched_run(AevonStore *store);

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
 * Note that a day of a series has changed, so that the next snapshot looks at
 * it; for writers, at most once per store and day.
 */
extern void aevon_store_touch(AevonStore *store, int64 series_key, int64 day);

#endif							/* AEVON_STORE_H */
