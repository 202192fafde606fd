/*
 * groups.h
 *		Events folded in memory, by measure, principal, minute and combination
 *		of dimension values, and written into the buckets.
 *
 * Of a measure without dimensions the principals' series and the tenants' are
 * written; of one with dimensions these totals, the combinations of principals
 * and of tenants, and the tenants' roll-ups.  Layer 2.
 */
#ifndef AEVON_GROUPS_H
#define AEVON_GROUPS_H

#include "postgres.h"

#include "dims.h"
#include "log.h"
#include "rule.h"

/* A measure that is folded, and what became of it. */
typedef struct AevonFolded
{
	const AevonMeasure *measure;
	int64		matched;		/* events that counted */
	int			full_tenants;	/* that the groups have found full, so that
								 * new combinations get no series (dims.h) */
	int32		full_tenant_key;	/* the first of them */
} AevonFolded;

typedef struct AevonGroups AevonGroups;

/*
 * For `count` measures; series are made by a sweep to a cut of `xmax`.  Memory
 * is that of a context under the current one.
 * The measures belong to the caller, and outlive the groups; the caller sets
 * full_tenants to 0 when it has told of them.
 */
extern AevonGroups *aevon_groups_create(AevonFolded *measures, int count, int64 xmax);
extern void aevon_groups_delete(AevonGroups *groups);

/* Fold an event into the groups of each measure that counts it. */
extern void aevon_groups_fold(AevonGroups *groups, AevonLogRow *row);

/* Have they grown past their bounds, so that they should be written? */
extern bool aevon_groups_full(const AevonGroups *groups);

/*
 * Merge all groups into the buckets, and forget them; the number of rows
 * written.  Pushes a snapshot of its own; the caller holds the checkpoints of
 * the measures and is connected to SPI.  Combinations that are new to a tenant
 * get series up to aevon.max_series_per_rule of that tenant.
 */
extern int64 aevon_groups_write(AevonGroups *groups);

#endif							/* AEVON_GROUPS_H */
