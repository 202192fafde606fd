/*
 * sums.h
 *		A measure's states while an answer is put together: by group and window.
 *
 * Everything is allocated in the memory context in which the sums were created;
 * what states keep, in the one that is current when they are merged into.
 * Layer 2.
 */
#ifndef AEVON_SUMS_H
#define AEVON_SUMS_H

#include "postgres.h"

#include "bucket.h"
#include "dims.h"
#include "store.h"
#include "window.h"

typedef struct AevonSums AevonSums;
typedef struct AevonGroup AevonGroup;

/* Raises 54000 for more windows than aevon.max_windows. */
extern void aevon_sums_check_windows(int64 count);

/* 54000 past aevon.max_windows windows of all groups together, if `bounded`. */
extern AevonSums *aevon_sums_create(AevonGrid *grid, bool bounded);

/* The group of an answer that is not grouped. */
extern AevonGroup *aevon_sums_ungrouped(AevonSums *sums);

/* The group of these values (NULL: none) and principal (0: none), made if missing. */
extern AevonGroup *aevon_sums_group(AevonSums *sums, const AevonDims *dims,
									int32 principal_key);

/* Where what no group counts goes. */
extern AevonGroup *aevon_sums_left_out(AevonSums *sums);

/* The state that events of a time are merged into; good until the next call. */
extern AevonPartial *aevon_sums_at(AevonSums *sums, AevonGroup *group,
								   TimestampTz at);

/* Add all of one to another of the same grid. */
extern void aevon_sums_add(AevonSums *into, AevonSums *from);

/* A group of an answer. */
typedef struct AevonGroupTally
{
	const AevonDims *dims;		/* its values; NULL: not grouped by any */
	int32		principal_key;	/* 0: not grouped by principals */
	const AevonPartial *total;	/* a grid without windows */
	int			count;			/* windows that hold events, ascending; */
	AevonWindowState *windows;	/* numbered by their start, a TimestampTz */
} AevonGroupTally;

/*
 * The groups that hold events, in no order; or the one of an answer that is not
 * grouped.
 */
extern AevonGroupTally *aevon_sums_list(AevonSums *sums, bool grouped, int *count);

#endif							/* AEVON_SUMS_H */
