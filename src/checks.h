/*
 * checks.h
 *		What aevon_health looks at.
 *
 * Layer 2.
 */
#ifndef AEVON_CHECKS_H
#define AEVON_CHECKS_H

#include "postgres.h"

#include "scope.h"

typedef enum AevonHealth
{
	AEVON_HEALTH_OK,
	AEVON_HEALTH_WARNING,
	AEVON_HEALTH_CRITICAL,
	AEVON_HEALTH_UNKNOWN		/* nobody can tell: `detail` says why */
} AevonHealth;

typedef struct AevonCheck
{
	const char *name;
	AevonHealth health;
	bool		has_value;
	double		value;
	double		threshold;		/* negative: none, or switched off */
	const char *unit;			/* of both; NULL without */
	const char *detail;			/* what was found; NULL: the value says it */
	const char *hint;			/* what to do */
} AevonCheck;

extern const char *aevon_health_name(AevonHealth health);

/*
 * Every check that the scope may see, in a fixed order: list of AevonCheck,
 * palloc'd.  Counting the tail ends where it is critical, so a call is cheap
 * whatever the backlog.  Raises nothing of its own; the active snapshot is
 * what is looked at.  Enters the owner's context itself.
 */
extern List *aevon_checks_run(const AevonScope *scope);

#endif							/* AEVON_CHECKS_H */
