/*
 * snapcheck.h
 *		A subject's snapshots against a recount of the log, each at its own
 *		cut.
 *
 * A day is read once for each of its cuts.  Memory: the series of that day.
 * Layer 2.
 */
#ifndef AEVON_SNAPCHECK_H
#define AEVON_SNAPCHECK_H

#include "postgres.h"
#include "utils/jsonb.h"

#include "comparesplit.h"

/* A snapshot that is not what it must be, or is missing. */
typedef struct AevonSnapshotDifference
{
	TimestampTz day;
	Jsonb	   *stored;			/* NULL: it is missing */
	Jsonb	   *recomputed;
} AevonSnapshotDifference;

typedef void (*AevonSnapshotVisitor) (void *context, const AevonSnapshotDifference *difference);

/*
 * Check the snapshots of all series of a subject, of a measure with dimensions
 * or without.  SPI is connected; the subject's snapshot is the active one.
 * What a visitor gets goes when it returns.
 */
extern void aevon_snapcheck_subject(const AevonSplitSubject *subject,
									AevonSnapshotVisitor visitor, void *context);

#endif							/* AEVON_SNAPCHECK_H */
