/*
 * tail.h
 *		How much lies outside a cut, for those who watch.
 *
 * Layer 2.
 */
#ifndef AEVON_TAIL_H
#define AEVON_TAIL_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "utils/snapshot.h"

#include "cut.h"
#include "scope.h"

typedef struct AevonTail
{
	int64		event_count;
	TimestampTz oldest;			/* least ingested_at; means nothing of none */
} AevonTail;

/*
 * Count the events outside a cut that the scope counts, by stamp, and stop at
 * `limit` of them.
 */
extern AevonTail aevon_tail_count(Snapshot snapshot, const AevonCut *cut,
								  const AevonScope *scope, int64 limit);

#endif							/* AEVON_TAIL_H */
