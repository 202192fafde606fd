/*
 * logparts.h
 *		The parts of the event log, and their indexes.
 *
 * Layer 2.
 */
#ifndef AEVON_LOGPARTS_H
#define AEVON_LOGPARTS_H

#include "postgres.h"
#include "utils/relcache.h"

/* The indexes of a part. */
typedef enum AevonLogIndex
{
	AEVON_LOG_STAMP,
	AEVON_LOG_PRINCIPAL,		/* and occurred_at */
	AEVON_LOG_TENANT,			/* and occurred_at */
	AEVON_LOG_KEY,				/* see identity.h */
	AEVON_LOG_INDEXES
} AevonLogIndex;

typedef struct AevonLogPart
{
	Oid			oid;
	int32		number;
	Oid			indexes[AEVON_LOG_INDEXES];
	bool		has_others;		/* somebody made more indexes */
} AevonLogPart;

/*
 * The parts in order of number; the last one takes new events.  Good until
 * relations are opened or locked.  There is always one.
 */
extern const AevonLogPart *aevon_log_parts(int *count);

/* Open the last one to write to it. */
extern Relation aevon_log_open_last(AevonLogPart *part);

/*
 * A number that changes when events may have moved, or parts of the log come
 * or gone; never 0.  It stays the same as long as a scan is open.
 */
extern uint64 aevon_log_epoch(void);

#endif							/* AEVON_LOGPARTS_H */
