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

#include "bucket.h"
#include "log.h"
#include "rule.h"

/* What one event adds to one measure. */
typedef struct AevonContribution
{
	bool		has_value;
	AevonDecimal value;
	bool		has_digest;		/* only where distinct is kept: there is a
								 * JSON value, of any type but null */
	uint64		digest;
	AevonLogRow *row;
} AevonContribution;

/*
 * Is the event one of the measure's (type, tenant, filter), and what does it
 * add?  The contribution is good until the next row is fetched or the current
 * memory context is reset.  No stored event raises an error.
 */
extern bool aevon_fold_evaluate(const AevonMeasure *measure, AevonLogRow *row,
								AevonContribution *contribution);

/* The same in two steps, for those who can do without the second. */
extern AevonMatch aevon_fold_match(const AevonMeasure *measure, AevonLogRow *row);
extern void aevon_fold_take(const AevonMeasure *measure, AevonLogRow *row, AevonMatch match,
							AevonContribution *contribution);

/*
 * Add the contribution to a partial state; what the state keeps is copied to
 * the current memory context.
 */
extern void aevon_fold_apply(const AevonMeasure *measure,
							 const AevonContribution *contribution, AevonPartial *partial);

/* One operator's final value; NULL: there is none. */
extern Numeric aevon_fold_final(const AevonPartial *partial, const AevonOperator *op);

#endif							/* AEVON_FOLD_H */
