/*
 * seriesplaces.h
 *		Where the rows of a measure's totals lie, read from their index in one go.
 *
 * For a sweep that looks for most of a measure's series: to search each of them
 * costs more than to read the index once.  What is found at a place may be another
 * row by now, or none that the snapshot sees: the caller looks.  Layer 2.
 */
#ifndef AEVON_SERIESPLACES_H
#define AEVON_SERIESPLACES_H

#include "postgres.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

typedef struct AevonSeriesPlaces AevonSeriesPlaces;

/* Where a subject's row may lie. */
typedef struct AevonSeriesPlace
{
	int32		subject_key;
	ItemPointerData tid;
} AevonSeriesPlace;

/*
 * NULL: that does not pay for so many series.  Allocates in the current memory
 * context.
 */
extern AevonSeriesPlaces *aevon_seriesplaces_read(Relation heap, Relation index,
												  Snapshot snapshot, int32 measure_key,
												  int count);
extern void aevon_seriesplaces_free(AevonSeriesPlaces *places);
extern bool aevon_seriesplaces_are_of(const AevonSeriesPlaces *places, int32 measure_key);

/*
 * The places of a subject's row, of which one at most holds what the snapshot sees;
 * quick where subjects are asked for in ascending order.
 */
extern const AevonSeriesPlace *aevon_seriesplaces_find(AevonSeriesPlaces *places,
													   int32 subject_key, int *count);

#endif							/* AEVON_SERIESPLACES_H */
