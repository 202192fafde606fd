/*
 * days.h
 *		What a read of a metric's days is asked for: whose, which rules, which days.
 *
 * Layer 2.
 */
#ifndef AEVON_DAYS_H
#define AEVON_DAYS_H

#include "postgres.h"
#include "fmgr.h"
#include "utils/date.h"
#include "utils/jsonb.h"

#include "dims.h"
#include "rule.h"

typedef struct AevonDays
{
	char	   *tenant;
	char	   *principal;		/* NULL: the whole tenant */
	char	   *rule;			/* NULL: every rule */
	DateADT		since;			/* [since, until) */
	DateADT		until;
	Jsonb	   *dims;			/* NULL: totals */
} AevonDays;

/*
 * Read the arguments (tenant, principal, rule, since, until, dims) of a call.
 * Raises 22004 and 22023 (reversed range, dims without a rule).
 */
extern void aevon_days_read(FunctionCallInfo fcinfo, AevonDays *days);

/*
 * Check that the caller may read the tenant, then show the visitor each rule
 * asked for, by name, with the subject's series of it (dims NULL: totals);
 * rules without one are left out.  The visitor runs in the owner's context.  Raises 42501, 42704 and
 * what the restore guard raises, and 22023 for dims (asked.h).
 */
typedef void (*AevonDaysVisitor) (void *context, const AevonRule *rule, const AevonDims *dims,
								  int64 series_key);

extern void aevon_days_visit(const AevonDays *days, AevonDaysVisitor visit, void *context);

#endif							/* AEVON_DAYS_H */
