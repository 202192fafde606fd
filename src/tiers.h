/*
 * tiers.h
 *		Writing a series: its open minutes, and what closes of them.
 *
 * Minutes close when the open ones have become too many (aevon.open_minutes) or
 * too large: then all but the newest, which mostly still grows, are merged into the
 * closed rows of minutes and into the coarser tiers.  Layer 2.
 */
#ifndef AEVON_TIERS_H
#define AEVON_TIERS_H

#include "postgres.h"

#include "store.h"
#include "windowset.h"

typedef struct AevonTiers
{
	const AevonSeries *series;
	const AevonMeasure *measure;	/* of the series */
	bool		made;			/* result: it was not there */
} AevonTiers;

/*
 * Merge minutes, strictly ascending, into a series, which is made if missing, and
 * note its days for the next snapshot.  The number of rows written.  For writers,
 * once per store and series.  Allocates in the current memory context.
 */
extern int	aevon_tiers_add(AevonStore *store, AevonTiers *series,
							const AevonWindowState *minutes, int count);

/*
 * Put minutes, strictly ascending, in the place of what a series holds of them, and
 * close all that are open.  The coarser windows of all that were written, which are
 * added to *closed, are to be summed up again then.  The rest as above.
 */
extern int	aevon_tiers_replace(AevonStore *store, int64 series_key,
								const AevonWindowState *minutes, int count,
								AevonWindowSet *closed);

#endif							/* AEVON_TIERS_H */
