/*
 * voided.h
 *		Voided events: the rows behind voids.
 *
 * Layer 2.
 */
#ifndef AEVON_VOIDED_H
#define AEVON_VOIDED_H

#include "postgres.h"

#include "log.h"
#include "voids.h"

typedef struct AevonVoidedRange
{
	Snapshot	snapshot;		/* events are read by it, voids by what they
								 * were opened by */
	AevonVoidRange voids;		/* by stamp, or by their events' time */
	TimestampTz voided_since;	/* they were voided then or later */
	int32		principal_key;	/* of the events; 0: any */
	TimestampTz since;			/* they occurred in [since, until) */
	TimestampTz until;
} AevonVoidedRange;

/*
 * A voided event and its void.  What `row` points to is good until the visitor
 * returns; aevon_voids_reason and _author are about this void.
 */
typedef void (*AevonVoidedVisitor) (void *context, AevonLogRow *row, const AevonVoid *found);

/*
 * Visit each event of the range once, by principal key and time.  Reads the
 * range's voids and, of each, the principal's events of the very same
 * microsecond.  `voids` may be NULL: there are none.
 */
extern void aevon_voided_visit(AevonVoids *voids, const AevonVoidedRange *range,
							   AevonVoidedVisitor visitor, void *context);

#endif							/* AEVON_VOIDED_H */
