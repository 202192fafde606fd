/*
 * intake.h
 *		Taking in many events in one call: order, counts, rejections.
 *
 * Layer 2.
 */
#ifndef AEVON_INTAKE_H
#define AEVON_INTAKE_H

#include "postgres.h"
#include "fmgr.h"
#include "utils/jsonb.h"

#include "append.h"
#include "errors.h"

/* An event on its way in. */
typedef struct AevonIntakeItem
{
	AevonEvent	event;
	int64		position;		/* in the batch or source, from 1 */
	AevonProblem *problem;		/* NULL: acceptable */
	JsonbValue *element;		/* as it came; NULL: from a staging table */
} AevonIntakeItem;

/* One call of a function that takes in many events. */
typedef struct AevonIntake
{
	bool		reject;			/* on_error => 'reject' */
	const char *unit;			/* "Event" or "Row", for messages */
	int64		total;			/* of them; 0: not known */
	int64		accepted;
	int64		duplicate;
	int64		rejected;
} AevonIntake;

/* Raises 22023 if on_error is neither 'abort' nor 'reject', 22004 if NULL. */
extern void aevon_intake_begin(AevonIntake *intake, const char *on_error, const char *unit);

/* Note what is wrong with an item; raise it on 'abort'. */
extern void aevon_intake_put_problem(const AevonIntake *intake, AevonIntakeItem *item,
									 const AevonProblem *problem);

/* Raise what is wrong with an item, with its position. */
extern void aevon_intake_raise(const AevonIntake *intake, const AevonIntakeItem *item,
							   const AevonProblem *problem) pg_attribute_noreturn();

/*
 * Append the items, or store them as rejections.  Calls with the same events in
 * different orders do not deadlock (append.h).  The caller has checked
 * privileges; this enters the owner's context itself.
 */
extern void aevon_intake_store(AevonIntake *intake, AevonIntakeItem *items, int count);

/*
 * Note the accepted events for the worker, and return the set of one row
 * (accepted, duplicate, rejected).
 */
extern Datum aevon_intake_result(const AevonIntake *intake, FunctionCallInfo fcinfo);

#endif							/* AEVON_INTAKE_H */
