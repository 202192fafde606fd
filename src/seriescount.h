/*
 * seriescount.h
 *		How many series with dimension values a tenant has of a measure, and
 *		whether it may get more.
 *
 * The guard aevon.max_series_per_rule goes by these counts, tenant by tenant:
 * none uses up what another may have, nor learns from the guard what others
 * do.  Layer 2.
 */
#ifndef AEVON_SERIESCOUNT_H
#define AEVON_SERIESCOUNT_H

#include "postgres.h"
#include "utils/snapshot.h"

typedef struct AevonSeriesCountKey
{
	int32		measure_key;
	int32		tenant_key;
} AevonSeriesCountKey;

typedef struct AevonSeriesCount
{
	AevonSeriesCountKey key;
	int64		count;
	int64		coming;			/* series that a sweep is about to make */
	bool		full;			/* no series for new combinations (dims.h) */
	bool		changed;		/* count or full: to be saved */
	char		status;
} AevonSeriesCount;

/* Counts by measure and tenant, each looked up once. */
typedef struct AevonSeriesCounts AevonSeriesCounts;

/* As the snapshot sees them; in the current memory context. */
extern AevonSeriesCounts *aevon_seriescount_open(Snapshot snapshot);
extern void aevon_seriescount_close(AevonSeriesCounts *counts);

/* Good until the next call; no series and not full if nothing is recorded. */
extern AevonSeriesCount *aevon_seriescount_get(AevonSeriesCounts *counts, int32 measure_key,
											   int32 tenant_key);

/*
 * Write down what has changed; the caller holds the checkpoints of the measures
 * and is connected to SPI.
 */
extern void aevon_seriescount_save(AevonSeriesCounts *counts);

#endif							/* AEVON_SERIESCOUNT_H */
