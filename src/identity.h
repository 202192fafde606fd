/*
 * identity.h
 *		Finding an event by what it is: principal and event id.
 *
 * Each part of the log has an index on aevon.event_key(principal_key,
 * event_id), a number made of the principal's key and a hash of the id.  It
 * leads to few rows beside the one that is looked for, and they are told apart
 * by the id itself.  Layer 2.
 */
#ifndef AEVON_IDENTITY_H
#define AEVON_IDENTITY_H

#include "postgres.h"
#include "storage/itemptr.h"
#include "utils/snapshot.h"

#include "log.h"

typedef struct AevonIdentity
{
	int64		key;			/* by which the log's index finds the event */
	int32		principal_key;
	const char *event_id;
	int			length;			/* of the id, in bytes */
} AevonIdentity;

extern AevonIdentity aevon_identity_make(int32 principal_key, const char *event_id);

/* Opens all parts of the log; a finder is used any number of times. */
typedef struct AevonFinder AevonFinder;
extern AevonFinder *aevon_identity_open(Snapshot snapshot);

/* The same, for a caller who has the last part open, and its index of keys. */
extern AevonFinder *aevon_identity_open_beside(Snapshot snapshot, Relation heap, Relation index);
extern void aevon_identity_close(AevonFinder *finder);

/*
 * Begin a search; then each event of the identity that the snapshot sees.  What
 * the row points to is good until the next call.
 */
extern void aevon_identity_seek(AevonFinder *finder, const AevonIdentity *identity);
extern bool aevon_identity_next(AevonFinder *finder, AevonLogRow *row);

/* Give up what a search holds of the tables' pages. */
extern void aevon_identity_rest(AevonFinder *finder);

#endif							/* AEVON_IDENTITY_H */
