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
 * Raises 22023, naming `what` ("value", "filter", ...), for text that is not a
 * jsonpath and for paths that use .datetime(), whose result depends on the
 * session.
 */
extern AevonPath *aevon_path_compile(const char *source, const char *what);

/*
 * The first item the path yields, if that is a JSON number: true, and *value
 * points into the document or to palloc'd memory.  False for anything else,
 * an evaluation error included; raises nothing but cancellation, shutdown and
 * out of memory.
 */
extern bool aevon_path_number(const AevonPath *path, Jsonb *document, Numeric *value);

/*
 * Does the filter match?  A filter that ends in `? (...)` matches when it
 * yields any item; any other when its first item is the boolean true.  Items
 * that are neither boolean nor null count as an evaluation error.
 */
extern AevonMatch aevon_path_match(const AevonPath *path, Jsonb *document);

#endif							/* AEVON_PATH_H */
