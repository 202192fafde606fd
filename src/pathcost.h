/*
 * pathcost.h
 *		What a jsonpath may cost: a bound that holds for every document.
 *
 * PostgreSQL's engine frees nothing before it is done, and compares lists pair
 * by pair without looking up.  So a path such as $.a[*] ? (@ == $.b) can use up
 * a machine over a document of one megabyte.  The walk over the compiled path
 * finds the degree of its cost in the size of the document; where that is above
 * linear, large documents are refused before they are evaluated.  Layer 0.
 */
#ifndef AEVON_PATHCOST_H
#define AEVON_PATHCOST_H

#include "postgres.h"
#include "utils/jsonb.h"
#include "utils/jsonpath.h"

/*
 * Over a document of n items (elements of arrays; members of objects too if
 * counts_members) evaluation makes at most factor * n ^ item_degree items, and
 * comparisons * factor * n ^ compare_degree comparisons.
 */
typedef struct AevonPathCost
{
	int			item_degree;
	int			compare_degree;
	int			comparisons;
	int			factor;
	bool		counts_members;
} AevonPathCost;

/*
 * Examine a path.  Raises, naming `what` and `source`: 22023 for .datetime()
 * and variables, 54000 for paths that nest too deep, multiply the items of a
 * document too often, or match by a regular expression that refers back or
 * looks around.
 */
extern void aevon_pathcost_examine(JsonPath *path, const char *source, const char *what,
								   AevonPathCost *cost);

/* May the path be evaluated over the document?  Depends on nothing else. */
extern bool aevon_pathcost_affordable(const AevonPathCost *cost, Jsonb *document);

#endif							/* AEVON_PATHCOST_H */
