/*
 * fold.h
 *		The fold: event -> partial state -> merge -> final value.
 *
 * Written once: sweep, tail, edges, backfill and verification all run it.
 * Layer 2.
 */
#ifndef AEVON_FOLD_H
#define AEVON_FOLD_H

#include "postgres.h"
#include "utils/jsonb.h"

#include "bucket.h"
#include "log.h"
#include "rule.h"

/*
 * Fold an event into a partial state, if the measure is of it: type, tenant
 * and filter.  Allocates in the current memory context what outlives the row
 * (big numbers, last).  No stored event raises an error.  True if it counted.
 */
extern bool aevon_fold_event(const AevonMeasure *measure, const AevonLogRow *row,
							 AevonPartial *partial);

/* One operator's final value; *isnull when there is none. */
extern Numeric aevon_fold_final(const AevonPartial *partial, AevonOperator op, bool *isnull);

#endif							/* AEVON_FOLD_H */
