/*
 * tailplaces.h
 *		Where the events of the tail lie, per backend.
 *
 * A tail is read by stamp, everybody's events, again and again until a sweep
 * takes it in.  So the place of each event is remembered with what tells
 * whether it is asked for, and only events that are asked for are fetched.
 *
 * What is remembered ends at the oldest transaction that ran when it was read:
 * no transaction below that can bring an event any more, so whoever reads later
 * sees none there that is not remembered, and what lies beyond is read from
 * the log.  An event that is fetched is judged by the reader's own snapshot.
 * Layer 2.
 */
#ifndef AEVON_TAILPLACES_H
#define AEVON_TAILPLACES_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "utils/snapshot.h"

#include "log.h"

/* Which events of the tail are asked for. */
typedef struct AevonTailRange
{
	int64		from;			/* stamps from here on */
	int32		tenant_key;
	int32		principal_key;	/* 0: all of the tenant */
	TimestampTz since;
	TimestampTz until;
} AevonTailRange;

/*
 * Is it known, without a look at the log, that the snapshot sees no event that is
 * asked for?  Of what is remembered none is; and whatever lies beyond it is of
 * transactions that were not over when the snapshot was taken, unless it is of
 * the current one, which has no transaction id then.  Rows may move and parts
 * come meanwhile: what is remembered is dropped by the invalidations that the
 * read's own locks take in, before this is asked.
 */
extern bool aevon_tailplaces_none(Snapshot snapshot, const AevonTailRange *range);

/*
 * The places of those that are remembered, palloc'd; *rest: the events from
 * this stamp on are to be read from the log, and each given to
 * aevon_tailplaces_note in that order; PG_INT64_MAX: the snapshot sees none there.  A scan by places was begun before and
 * is held open, so that rows stay where they are.
 */
extern AevonLogPlace *aevon_tailplaces_find(Snapshot snapshot, const AevonTailRange *range,
											int *count, int64 *rest);
extern void aevon_tailplaces_note(const AevonLogRow *row);

/* All of the rest was read and noted: remember it. */
extern void aevon_tailplaces_keep(void);

#endif							/* AEVON_TAILPLACES_H */
