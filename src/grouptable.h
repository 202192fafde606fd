/*
 * grouptable.h
 *		Groups of events, kept in the order in which they were made.
 *
 * That is nearly the order of series and minutes where a batch was ingested.
 * Layer 2.
 */
#ifndef AEVON_GROUPTABLE_H
#define AEVON_GROUPTABLE_H

#include "postgres.h"

#include "bucket.h"
#include "dims.h"

typedef struct AevonFoldKey
{
	int64		minute;
	int32		measure;		/* index */
	int32		principal_key;
	AevonDims  *dims;			/* all dimensions; NULL: there are none */
} AevonFoldKey;

typedef struct AevonFoldGroup
{
	AevonFoldKey key;
	int32		tenant_key;
	int32		subject_key;	/* of the series that is written now */
	AevonDims  *dims;			/* likewise */
	AevonPartial partial;
} AevonFoldGroup;

typedef struct AevonGroupTable AevonGroupTable;

/* An empty table; it lives, with its groups, in the current memory context. */
extern AevonGroupTable *aevon_grouptable_create(void);

/* The group of a key, made if missing; it stays where it is. */
extern AevonFoldGroup *aevon_grouptable_find(AevonGroupTable *table, const AevonFoldKey *key,
											 int32 tenant_key);
extern int	aevon_grouptable_count(const AevonGroupTable *table);

/* All groups as they were made; palloc'd. */
extern AevonFoldGroup **aevon_grouptable_list(const AevonGroupTable *table, int *count);

static inline bool
aevon_foldkey_equal(const AevonFoldKey *a, const AevonFoldKey *b)
{
	return a->minute == b->minute && a->principal_key == b->principal_key &&
		a->measure == b->measure && a->dims == b->dims;
}

#endif							/* AEVON_GROUPTABLE_H */
