/*
 * seriesfilter.h
 *		Which events count for one series with dimension values.
 *
 * Layer 2.
 */
#ifndef AEVON_SERIESFILTER_H
#define AEVON_SERIESFILTER_H

#include "postgres.h"

#include "dims.h"
#include "log.h"
#include "store.h"

typedef struct AevonSeriesFilter AevonSeriesFilter;

/*
 * For the series of `dims`, by a store that stays open; in a memory context
 * under the current one.  NULL for dims NULL: every event counts for totals.
 */
extern AevonSeriesFilter *aevon_seriesfilter_create(AevonStore *store, const AevonDims *dims);
extern void aevon_seriesfilter_delete(AevonSeriesFilter *filter);

/* Does an event of the measure count for the series, at a cut of this xmax? */
extern bool aevon_seriesfilter_accepts(AevonSeriesFilter *filter, AevonLogRow *row, int64 xmax);

/* The same now. */
extern bool aevon_seriesfilter_accepts_now(AevonSeriesFilter *filter, AevonLogRow *row);

#endif							/* AEVON_SERIESFILTER_H */
