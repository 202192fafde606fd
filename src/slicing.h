/*
 * slicing.h
 *		What a caller asks for by dimensions, and the order of what it gets.
 *
 * Layer 2.
 */
#ifndef AEVON_SLICING_H
#define AEVON_SLICING_H

#include "postgres.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/jsonb.h"

#include "dims.h"
#include "rule.h"

/* What a caller asks for. */
typedef struct AevonSlicing
{
	Jsonb	   *filter;			/* {name: value or [value, ...]}; NULL: none */
	int			group_count;
	char	  **groups;			/* names of dimensions, in the caller's order */
	bool		by_principal;	/* each principal is a group (or, if there are
								 * dimensions, several) */
	bool		unbounded;		/* by aevon.max_windows: what matters is how
								 * many groups come out */
} AevonSlicing;

/*
 * Check the arguments dims and group_by, each of which may be NULL; palloc'd.
 * NULL if they ask for nothing.  22023 for what is not an object of values and
 * arrays of values, or a name given twice, 22004 for a name that is null.
 */
extern AevonSlicing *aevon_slicing_request(Jsonb *dims, ArrayType *group_by);

/*
 * Those of the rules (list of const AevonRule *) that have all dimensions asked
 * for; all for slicing NULL.  22023 if there is none, or one lacks one that was
 * `named`.
 */
extern List *aevon_slicing_select(const AevonSlicing *slicing, List *rules, bool named);

/*
 * A group for people: its values by name; of what is folded together also
 * "__other__": true.  palloc'd; {} for NULL.
 */
extern Jsonb *aevon_slicing_document(const AevonDims *group);

/*
 * The order of groups: by their values in the caller's order of names; null,
 * strings by bytes, numbers, booleans; what is folded together last.
 */
extern int	aevon_slicing_compare(const AevonSlicing *slicing, const AevonDims *a,
								  const AevonDims *b);
extern int	aevon_slicing_compare_values(const JsonbValue *a, const JsonbValue *b);

#endif							/* AEVON_SLICING_H */
