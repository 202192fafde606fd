/*
 * snapsplit.h
 *		The snapshots of all series of a subject, each with what it must be by
 *		a recount of the log at its cut.
 *
 * A day is read once for each of its cuts.  Memory: the series of that day.
 * Layer 2.
 */
#ifndef AEVON_SNAPSPLIT_H
#define AEVON_SNAPSPLIT_H

#include "postgres.h"
#include "access/htup.h"
#include "access/tupdesc.h"

#include "bucket.h"
#include "comparesplit.h"

typedef struct AevonSnapshotRow
{
	HeapTuple	tuple;			/* columns as of SNAPSHOTS_AFTER */
	TupleDesc	descriptor;
	const AevonDims *dims;		/* of the series; NULL: totals */
	int32		expected;		/* the revision that would follow the day's
								 * last */
	const AevonPartial *recounted;
} AevonSnapshotRow;

typedef void (*AevonSnapshotVisitor) (void *context, const AevonSnapshotRow *row);

/* SPI is connected; the subject's snapshot is the active one. */
extern void aevon_snapsplit_visit(const AevonSplitSubject *subject,
								  AevonSnapshotVisitor visitor, void *context);

#endif							/* AEVON_SNAPSPLIT_H */
