/*
 * health.c
 *		aevon_health: is anything wrong, and what to do about it.
 *
 * Layer 3.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "checks.h"
#include "scope.h"

#define COLUMNS 7

static void put_check(ReturnSetInfo *result, const AevonCheck *check);
static void put_text(Datum *values, bool *nulls, int column, const char *string);

PG_FUNCTION_INFO_V1(aevon_health_sql);
Datum
aevon_health_sql(PG_FUNCTION_ARGS)
{
	List	   *checks = aevon_checks_run(aevon_scope_of_caller());

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < list_length(checks); i++)
		put_check((ReturnSetInfo *) fcinfo->resultinfo, list_nth(checks, i));
	return (Datum) 0;
}

static void
put_check(ReturnSetInfo *result, const AevonCheck *check)
{
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {false};

	put_text(values, nulls, 0, check->name);
	put_text(values, nulls, 1, aevon_health_name(check->health));
	nulls[2] = !check->has_value;
	values[2] = Float8GetDatum(check->value);
	nulls[3] = !check->has_value || check->threshold < 0;
	values[3] = Float8GetDatum(check->threshold);
	put_text(values, nulls, 4, check->unit);
	put_text(values, nulls, 5, check->detail);
	put_text(values, nulls, 6, check->health == AEVON_HEALTH_OK ||
			 check->health == AEVON_HEALTH_UNKNOWN ? NULL : check->hint);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
put_text(Datum *values, bool *nulls, int column, const char *string)
{
	nulls[column] = string == NULL;
	if (string != NULL)
		values[column] = CStringGetTextDatum(string);
}
