/*
 * slice.h
 *		Slices: answers filtered and grouped by dimensions, and which series of
 *		a measure they are read from.
 *
 * What was folded together as "other" (dims.h) passes no filter, and is a group
 * of its own.  Layer 2.
 */
#ifndef AEVON_SLICE_H
#define AEVON_SLICE_H

#include "postgres.h"

#include "dims.h"
#include "log.h"
#include "rule.h"
#include "slicing.h"
#include "store.h"

typedef struct AevonSlice AevonSlice;

/* Whose series are read, and by what. */
typedef struct AevonSliceSubject
{
	int32		tenant_key;
	int32		principal_key;	/* 0: the whole tenant */
} AevonSliceSubject;

/*
 * The slice of a measure that has all dimensions asked for; in the current
 * memory context.  It may use `slicing` as long as it lives, and the store once
 * an event is placed.
 */
extern AevonSlice *aevon_slice_compile(const AevonSlicing *slicing, const AevonMeasure *measure,
									   const AevonSliceSubject *subject, AevonStore *store);

/* Where a series belongs, and the events that it counts. */
typedef struct AevonPlace
{
	bool		known;
	bool		passes;			/* the filter */
	const AevonDims *series;	/* values of the series; NULL: totals */
	const AevonDims *group;		/* NULL: not grouped by dimensions */
} AevonPlace;

/* The place of an event of the measure.  Good until the next call. */
extern const AevonPlace *aevon_slice_place_event(AevonSlice *slice, AevonLogRow *row);

typedef struct AevonSliceSeries
{
	int64		series_key;
	int32		principal_key;	/* only for slices by principal; else 0 */
	AevonPlace	place;
} AevonSliceSeries;

/*
 * The series that the slice is read from: those that pass the filter, and what
 * is folded together whether it does or not; palloc'd.
 */
extern AevonSliceSeries *aevon_slice_list_series(AevonSlice *slice, int *count);

/*
 * Would the answer for the minutes [low, high) better be read from the subject's
 * events than from these series?  Then how many events may be looked at before
 * that turns out wrong (they may be of other types); else 0.  The series of
 * totals says how many there are.
 */
extern int64 aevon_slice_log_budget(AevonSlice *slice, int64 low, int64 high);

#endif							/* AEVON_SLICE_H */
