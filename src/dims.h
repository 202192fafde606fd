/*
 * dims.h
 *		The dimension values of events, and the groupings that series are kept
 *		for.
 *
 * A measure with dimensions keeps, for a tenant and for each principal, a
 * series of totals (no dimensions), and one for each combination of values of
 * all dimensions; for the tenant also one for each value of a single dimension
 * that the rule rolls up.  A grouping says which dimensions a series' values
 * cover.
 *
 * A value is a JSON string, number, boolean or null: null also stands for a
 * path that yields nothing, an object or an array, or raises an error.  Numbers
 * that are equal are one value.  Only the first item counts.
 *
 * Too many combinations are folded together, as "other": past the guard
 * (aevon.max_series_per_rule) the sweep makes no series for combinations that
 * the tenant has none for.  Once a tenant is full it stays so; an event then
 * belongs to its own combination if the tenant's series of that exists, else
 * to the other one.  A string of more than AEVON_MAX_DIMENSION_BYTES always
 * does.  Layer 2.
 */
#ifndef AEVON_DIMS_H
#define AEVON_DIMS_H

#include "postgres.h"
#include "utils/jsonb.h"

#include "json.h"
#include "log.h"
#include "rule.h"

#define AEVON_MAX_DIMENSION_BYTES 1000
#define AEVON_DIMS_DIGEST_LENGTH 16

/* Names that no dimension has: in answers, and in what aevon_top ranks. */
#define AEVON_OTHER "__other__"
#define AEVON_PRINCIPAL "principal"

/* Bit i: dimension i of the measure.  0: totals. */
typedef uint32 AevonGrouping;

typedef struct AevonDims AevonDims;
struct AevonDims
{
	const AevonMeasure *measure;
	int32		tenant_key;
	AevonGrouping grouping;
	bool		other;			/* what is folded together */
	int			number;			/* in its table, from 1 */
	int8		member;			/* for users of the table; -1: not asked yet */
	int64		made_xmax;		/* likewise, of a member */
	JsonbValue *items;			/* the values, by number of dimension */
	MemoryContext memory;		/* the table's */
	Jsonb	   *values;			/* once asked for */
	int			digest_length;	/* 0: not asked for yet */
	uint8		digest[AEVON_DIMS_DIGEST_LENGTH];
};

/* {name: value}, canonical; it lives as long as the table. */
extern Jsonb *aevon_dims_values(const AevonDims *dims);

/* The digest of the values, with which series are found, and its length. */
extern const uint8 *aevon_dims_digest(const AevonDims *dims, int *length);

/* Combinations met, each once: the same pointer for the same one. */
typedef struct AevonDimsTable AevonDimsTable;

/* In a memory context of its own under the current one. */
extern AevonDimsTable *aevon_dims_table_create(void);
extern void aevon_dims_table_delete(AevonDimsTable *table);
extern Size aevon_dims_table_size(const AevonDimsTable *table);

/* The grouping of all dimensions; 0 for a measure that has none. */
extern AevonGrouping aevon_dims_full_grouping(const AevonMeasure *measure);

/*
 * An event's combination of all dimensions, before anything is folded
 * together; NULL for a measure without dimensions.  `other` for strings that
 * are too long.  No stored event raises an error.
 */
extern AevonDims *aevon_dims_of_event(AevonDimsTable *table, const AevonMeasure *measure,
									  AevonLogRow *row);

/* A combination before it is remembered. */
typedef struct AevonDimsWanted
{
	const AevonMeasure *measure;
	int32		tenant_key;
	AevonGrouping grouping;
	bool		other;
	JsonbValue	items[AEVON_MAX_DIMENSIONS];	/* by number of dimension */
} AevonDimsWanted;

/*
 * Read all of an event's values, for the grouping of all dimensions; good until
 * the next call for the table, and as long as the event's data.
 */
extern void aevon_dims_read_event(AevonDimsTable *table, const AevonMeasure *measure,
								  AevonLogRow *row, AevonDimsWanted *out);

/* The one copy of a combination, made if it is new. */
extern AevonDims *aevon_dims_remember(AevonDimsTable *table, const AevonDimsWanted *wanted);

/* What combinations past the guard are folded into. */
extern AevonDims *aevon_dims_other(AevonDimsTable *table, const AevonMeasure *measure,
								   int32 tenant_key, AevonGrouping grouping);

/* The same combination for fewer dimensions; NULL for grouping 0. */
extern AevonDims *aevon_dims_project(AevonDimsTable *table, const AevonDims *dims,
									 AevonGrouping grouping);

/* A combination as aevon.series holds it. */
typedef struct AevonStoredDims
{
	AevonGrouping grouping;
	Jsonb	   *values;
	const bytea *digest;
} AevonStoredDims;

extern AevonDims *aevon_dims_of_series(AevonDimsTable *table, const AevonMeasure *measure,
									   int32 tenant_key, const AevonStoredDims *stored);

/*
 * The combination that a caller asks for: an object with a value for each
 * dimension of the grouping.
 */
extern AevonDims *aevon_dims_of_values(AevonDimsTable *table, const AevonMeasure *measure,
									   int32 tenant_key, AevonGrouping grouping,
									   const Jsonb *values);

/* The number of the dimension of a name, or -1. */
extern int	aevon_dims_find(const AevonMeasure *measure, const char *name);

/* The one form of a value; false: too long for a series. */
extern bool aevon_dims_canonical_value(const JsonbValue *item, JsonbValue *value);

/* The member "dims" of a document; nothing for NULL. */
extern void aevon_dims_push(AevonJson *json, const AevonDims *dims);

/* Are two combinations of a tenant the same?  They may be of two tables. */
extern bool aevon_dims_same(const AevonDims *a, const AevonDims *b);

#endif							/* AEVON_DIMS_H */
