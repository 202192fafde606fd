/*
 * tiers.h
 *		Writing a series: its minutes, and what the coarser tiers take in of
 *		them.
 *
 * Layer 2.
 */
#ifndef AEVON_TIERS_H
#define AEVON_TIERS_H

#include "postgres.h"

#include "store.h"

/* A series that is in the store. */
typedef struct AevonTiers
{
	int64		series_key;
	int32		subject_key;
	const AevonMeasure *measure;
	bool		combination;	/* it has dimension values */
} AevonTiers;

/*
 * Merge minutes, strictly ascending, into the series: into its minutes, those
 * that closed into its coarser tiers; and note its days for the next snapshot.
 * The number of rows written.  For writers, once per store and series.
 * Allocates in the current memory context.
 */
extern int	aevon_tiers_add(AevonStore *store, const AevonTiers *series,
							const AevonWindowState *minutes, int count);

/* Note the days of minutes, ascending, for the next snapshot. */
extern void aevon_tiers_touch(AevonStore *store, int64 series_key,
							  const AevonWindowState *minutes, int count);

#endif							/* AEVON_TIERS_H */
