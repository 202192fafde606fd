/*
 * knownseries.h
 *		Keys of the series that hold totals, per backend.
 *
 * Within one generation of the rules a series keeps its key: series are only
 * made, by sweeps; those of measures that no rule needs any more are deleted,
 * and nobody reads these; a repair that makes one anew begins a new generation.
 * A key whose row the snapshot does not see is forgotten and looked for anew: the
 * snapshot is older, or somebody deleted the row, and a sweep made another.
 * Layer 2.
 */
#ifndef AEVON_KNOWNSERIES_H
#define AEVON_KNOWNSERIES_H

#include "postgres.h"

#include "store.h"

/*
 * The key of the totals of a measure and subject, or 0 if there are none yet; its
 * row is the one that the store found last, if the snapshot sees it.
 * `generation` is that of the snapshot by which the store was opened.
 */
extern int64 aevon_knownseries_find(AevonStore *store, int64 generation,
									const AevonSeries *series);

#endif							/* AEVON_KNOWNSERIES_H */
