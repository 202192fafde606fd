/*
 * errors.h
 *		Errors as data, and the checks that every entry point shares.
 *
 * What is wrong with an event must be told without raising it when events are
 * rejected one by one; so checks fill an AevonProblem, and only the caller
 * decides whether to raise it.  Layer 0: no database access.
 */
#ifndef AEVON_ERRORS_H
#define AEVON_ERRORS_H

#include "postgres.h"

#define AEVON_MAX_KEY 255		/* characters in a tenant, principal, id, type */

/* An error not raised yet.  Strings are palloc'd or constants. */
typedef struct AevonProblem
{
	int			sqlstate;
	const char *message;
	const char *detail;			/* may be NULL */
	const char *hint;			/* may be NULL */
} AevonProblem;

extern void aevon_error_raise(const AevonProblem *problem) pg_attribute_noreturn();

/*
 * Is `name` a proper key: not NULL (22004), not empty (22023), no longer than
 * AEVON_MAX_KEY characters (22001), without control characters (22023)?
 * `what` names it in the message.  On false the problem is filled.
 */
extern bool aevon_error_check_name(const char *name, const char *what, AevonProblem *problem);

/* Is a string without control characters (22023)?  On false the problem is filled. */
extern bool aevon_error_check_characters(const char *string, const char *what,
										 AevonProblem *problem);

/* The same as aevon_error_check_name, but raises. */
extern void aevon_error_require_name(const char *name, const char *what);

/* Raises 22004: the argument `what` must not be NULL. */
extern void aevon_error_null(const char *what) pg_attribute_noreturn();

static inline void
aevon_error_if_null(bool isnull, const char *what)
{
	if (isnull)
		aevon_error_null(what);
}

/* The beginning of a text, for messages: palloc'd, at most 64 characters. */
extern char *aevon_error_excerpt(const char *text);

#endif							/* AEVON_ERRORS_H */
