/*
 * voids.h
 *		Corrections: which events do not count.
 *
 * A void is stamped as an event is, and inside a cut as an event is: the
 * buckets of a measure hold the events inside its cut, less those whose void
 * is inside it too.  Layer 2.
 */
#ifndef AEVON_VOIDS_H
#define AEVON_VOIDS_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "utils/snapshot.h"

#include "log.h"

typedef struct AevonVoid
{
	int64		stamp;			/* of the void */
	int64		event_stamp;	/* of the event */
	TimestampTz voided_at;
	TimestampTz occurred_at;	/* of the event */
	int32		tenant_key;
	int32		principal_key;
} AevonVoid;

typedef struct AevonVoids AevonVoids;

/*
 * Open the voids that a snapshot sees; NULL if it sees none of the tenant
 * (tenant_key 0: of any), which is what most reads find out first.
 */
extern AevonVoids *aevon_voids_open(Snapshot snapshot, int32 tenant_key);
extern void aevon_voids_close(AevonVoids *voids);

/* The void of an event, if there is one.  `voids` may be NULL: there is none. */
extern bool aevon_voids_find(AevonVoids *voids, const AevonLogRow *row, AevonVoid *found);

/* Why, and by whom, the event that aevon_voids_find found last was voided; palloc'd. */
extern char *aevon_voids_reason(const AevonVoids *voids);
extern char *aevon_voids_author(const AevonVoids *voids);

/* Ways to list voids. */
typedef enum AevonVoidOrder
{
	AEVON_VOIDS_BY_STAMP,		/* stamps in [from, until) */
	AEVON_VOIDS_BY_EVENT_STAMP, /* events' stamps in [from, until) */
	AEVON_VOIDS_OF_PRINCIPAL,	/* of a principal, voided in [from, until) */
	AEVON_VOIDS_OF_TENANT,		/* of a tenant, voided in [from, until) */
	AEVON_VOIDS_OF_PRINCIPAL_BY_STAMP,	/* of a principal, stamps in [from,
										 * until) */
	AEVON_VOIDS_OF_TENANT_BY_STAMP, /* of a tenant, stamps in [from, until) */
	AEVON_VOIDS_OF_PRINCIPAL_BY_TIME,	/* of a principal, events' times in
										 * [from, until) */
	AEVON_VOIDS_OF_TENANT_BY_TIME	/* of a tenant, events' times in [from,
									 * until) */
} AevonVoidOrder;

typedef struct AevonVoidRange
{
	AevonVoidOrder order;
	int32		key;			/* principal or tenant of the orders that have
								 * one */
	int64		from;
	int64		until;
} AevonVoidRange;

/* By time, of a principal; principal_key not above 0: of the whole tenant. */
extern AevonVoidRange aevon_voids_range_by_time(int32 tenant_key, int32 principal_key, int64 from,
												int64 until);

typedef void (*AevonVoidVisitor) (void *context, const AevonVoid *found);

/* Visit the voids of a range; `voids` may be NULL. */
extern void aevon_voids_visit(AevonVoids *voids, const AevonVoidRange *range,
							  AevonVoidVisitor visitor, void *context);

/*
 * Go along a range by time, beside a scan of the same subject's events by
 * time: for its rows, in its order, aevon_voids_find_beside is what
 * aevon_voids_find is, but looks up only events at whose microsecond one was
 * voided.
 */
extern void aevon_voids_go_beside(AevonVoids *voids, const AevonVoidRange *range);
extern bool aevon_voids_find_beside(AevonVoids *voids, const AevonLogRow *row, AevonVoid *found);

#endif							/* AEVON_VOIDS_H */
