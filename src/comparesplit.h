/*
 * comparesplit.h
 *		The same as compare.h for a measure with dimensions: all series of a
 *		subject, whose events are read once.
 *
 * Memory: the series of one subject, and a bounded number of windows.  A range
 * that holds more is read once for each part of the series.  Layer 2.
 */
#ifndef AEVON_COMPARESPLIT_H
#define AEVON_COMPARESPLIT_H

#include "postgres.h"

#include "compare.h"

typedef struct AevonSplitSubject
{
	AevonStore *store;
	const AevonMeasure *measure;
	const AevonRecount *recount;
	Datum		groupings;		/* as for aevon_compare_rewrite */
} AevonSplitSubject;

/*
 * As aevon_compare_series and aevon_compare_rewrite.  For the latter the store
 * says, too, which combinations the tenant has.
 */
extern int64 aevon_comparesplit_series(const AevonSplitSubject *subject,
									   AevonDifferenceVisitor visitor, void *context);
extern void aevon_comparesplit_rewrite(const AevonSplitSubject *subject);

#endif							/* AEVON_COMPARESPLIT_H */
