/*
 * asked.h
 *		The series that a caller asks for by the argument "dims" of a function
 *		about days, each of which is kept series by series.
 *
 * Layer 2.
 */
#ifndef AEVON_ASKED_H
#define AEVON_ASKED_H

#include "postgres.h"

#include "dims.h"
#include "rule.h"
#include "subject.h"

/*
 * The combination, in the table; NULL for totals ("dims" NULL or {}).  It must
 * have a value for each dimension of the rule, or, for the whole tenant, for
 * one that the rule rolls up; where every value is __other__, that is what was
 * folded together.  Raises 22023.
 */
extern AevonDims *aevon_asked_dims(AevonDimsTable *table, const AevonRule *rule,
								   const AevonSubject *subject, const Jsonb *dims);

#endif							/* AEVON_ASKED_H */
