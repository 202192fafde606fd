/*
 * path.h
 *		jsonpath as rules use it: compiled once, evaluated per event.
 *
 * Layer 0: no database access.
 */
#ifndef AEVON_PATH_H
#define AEVON_PATH_H

#include "postgres.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

/* Longest path that a rule may have, in bytes; whoever defines it checks. */
#define AEVON_MAX_PATH 4000

typedef struct AevonPath AevonPath;

typedef enum AevonMatch
{
	AEVON_MATCH_NO,
	AEVON_MATCH_YES,
	AEVON_MATCH_ERROR			/* evaluation raised an error */
} AevonMatch;

/*
 * Compile a path in the current memory context.  A bare key (a letter or
 * underscore, then letters, digits, underscores) is short for $."key".
 * Raises, naming `what` ("value", "filter", ...):
 *	22023	text that is not a jsonpath; .datetime(), whose result depends on
 *			the session; $variables, which nothing sets
 *	54000	paths nested too deep, or that multiply their items (.**.**.**)
 */
extern AevonPath *aevon_path_compile(const char *source, const char *what);

/*
 * The path's text in PostgreSQL's own spelling, which compiles to the same
 * path; lives as long as the path.
 */
extern const char *aevon_path_text(const AevonPath *path);

/*
 * The first item the path yields: YES and *item, which points into the document
 * or to palloc'd memory; NO if there is none; ERROR if evaluation raises one, be
 * it behind the first item.  A document so large that the path could exhaust
 * memory or time over it (pathcost.h) counts as such an error.
 *
 * This and aevon_path_match evaluate in the current memory context, and raise
 * nothing that the document could cause: only cancellation, shutdown, out of
 * memory, and a stack that the caller had used up.  Neither may be called with
 * interrupts held off.
 */
extern AevonMatch aevon_path_item(const AevonPath *path, Jsonb *document, JsonbValue *item);

/*
 * Does the filter match?  A filter that ends in `? (...)` matches when it
 * yields any item; any other when its first item is the boolean true.  First
 * items that are neither boolean nor null count as an evaluation error.
 */
extern AevonMatch aevon_path_match(const AevonPath *path, Jsonb *document);

#endif							/* AEVON_PATH_H */
