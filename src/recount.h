/*
 * recount.h
 *		What a series must hold at a cut, from the log alone.
 *
 * Layer 2.
 */
#ifndef AEVON_RECOUNT_H
#define AEVON_RECOUNT_H

#include "postgres.h"
#include "utils/snapshot.h"

#include "bucket.h"
#include "cut.h"
#include "log.h"
#include "rule.h"
#include "seriesfilter.h"
#include "voids.h"

typedef struct AevonRecount
{
	Snapshot	snapshot;		/* events and voids are read by it; sees all
								 * of the cut */
	AevonVoids *voids;			/* opened by it; NULL: there are none */
	const AevonCut *cut;
	int32		tenant_key;
	int32		subject_key;	/* as in aevon.series */
	TimestampTz since;			/* occurred_at in [since, until) */
	TimestampTz until;
	AevonSeriesFilter *filter;	/* of the series; NULL: totals */
	const TimestampTz *known_before;	/* leave out what was ingested, or
										 * voided, at or after it; NULL:
										 * nothing */
	bool		beside;			/* go along the voids beside the events,
								 * rather than look up each event's: quick,
								 * but it trusts the times that voids say */
} AevonRecount;

/*
 * Sum up, minute by minute, the subject's events inside the cut, less those
 * whose void is inside it too.  Memory: an entry per minute that holds events,
 * in the current memory context.
 */
extern void aevon_recount_minutes(const AevonRecount *recount, const AevonMeasure *measure,
								  AevonPacked *minutes);

/* The parts of it: the subject's events of the range, and does one count? */
typedef enum AevonStanding
{
	AEVON_STANDS_OUTSIDE,		/* of the cut */
	AEVON_STANDS_VOIDED,
	AEVON_STANDS_COUNTED
} AevonStanding;

extern AevonLogScan *aevon_recount_scan(const AevonRecount *recount);
extern AevonStanding aevon_recount_standing(const AevonRecount *recount,
											const AevonLogRow *row);

#endif							/* AEVON_RECOUNT_H */
