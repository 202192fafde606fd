/*
 * storemerge.h
 *		Writing the rows of a series in a tier.
 *
 * Layer 2.
 */
#ifndef AEVON_STOREMERGE_H
#define AEVON_STOREMERGE_H

#include "postgres.h"

#include "store.h"

typedef struct AevonSeriesTier
{
	int64		series_key;
	AevonTier	tier;
	bool		replace;
} AevonSeriesTier;

/*
 * Merge states into the rows of a series, or (replace) put them in the place of
 * what is there; windows strictly ascending.  The number of rows written.  For
 * writers, once per store, series and tier.
 */
extern int	aevon_store_merge(AevonStore *store, const AevonSeriesTier *where,
							  const AevonWindowState *states, int count);

#endif							/* AEVON_STOREMERGE_H */
