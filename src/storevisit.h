/*
 * storevisit.h
 *		Reading a series of the store.
 *
 * Layer 2.
 */
#ifndef AEVON_STOREVISIT_H
#define AEVON_STOREVISIT_H

#include "postgres.h"

#include "store.h"
#include "window.h"
#include "windowset.h"

/*
 * Give every state of the series in the windows [from, until) to the visitor,
 * in no order: one window's, or the merged state of several that belong to the
 * same window of the grid, with the first of them.  States of which nothing
 * was ingested by `as_of` are left out; a window of which only a part was, or
 * that reaches beyond `span`, or inside which a window of the grid begins, is given
 * without a state (NULL).
 * A window may be given twice, once for what its row holds and once for what the
 * open minutes do: both with a state, or both without.
 */
typedef void (*AevonStateVisitor) (void *context, int64 window, const AevonPartial *partial);

typedef struct AevonVisit
{
	AevonTier	tier;
	int64		series_key;
	int64		from;
	int64		until;
	AevonGrid  *grid;			/* NULL: all are one window */
	TimestampTz as_of;			/* DT_NOEND: everything */
	const AevonWindowSet *except;	/* windows to be left out, sorted; NULL:
									 * none */
	const AevonSpan *span;		/* NULL: no bound */
} AevonVisit;

extern void aevon_store_visit(AevonStore *store, const AevonVisit *visit,
							  AevonStateVisitor visitor, void *context);

/* The same without the open minutes. */
extern void aevon_store_visit_closed(AevonStore *store, const AevonVisit *visit,
									 AevonStateVisitor visitor, void *context);

/*
 * Give every row that may hold windows in [from, until) of visit's tier and
 * series as it is stored, from the last to the first; for those who check
 * rows.  The rest of `visit` does not matter.
 */
typedef void (*AevonRowVisitor) (void *context, int64 first_window, const bytea *state);

extern void aevon_store_visit_rows(AevonStore *store, const AevonVisit *visit,
								   AevonRowVisitor visitor, void *context);

#endif							/* AEVON_STOREVISIT_H */
