/*
 * entered.h
 *		What came into the log between two cuts, by stamp.
 *
 * Layer 2.
 */
#ifndef AEVON_ENTERED_H
#define AEVON_ENTERED_H

#include "postgres.h"
#include "utils/snapshot.h"

#include "cut.h"
#include "log.h"

typedef struct AevonEntered
{
	Snapshot	snapshot;
	const AevonCut *before;
	const AevonCut *after;
	AevonLogScan *scan;			/* NULL: the next range is to be opened */
	int			next;			/* which: xip members of before, then all
								 * above */
} AevonEntered;

/*
 * The next event outside the cut before, of any tenant, which may be outside
 * the one after too; false: there is none.  Set the first three members, and
 * the others to zero, to begin with.
 */
extern bool aevon_entered_next(AevonEntered *entered, AevonLogRow *row);

/* Needed unless aevon_entered_next has returned false. */
extern void aevon_entered_end(AevonEntered *entered);

#endif							/* AEVON_ENTERED_H */
