/*
 * define.c
 *		SQL entry points that change rules.
 *
 * They need the privilege "operate" on the rule's tenant, or on all tenants
 * for a rule of all; aevon_load_rules that on all tenants, and the right to
 * read the server's files.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "access.h"
#include "errors.h"
#include "rule.h"
#include "rulefile.h"

static char *text_argument(FunctionCallInfo fcinfo, int number);
static const char **names_argument(FunctionCallInfo fcinfo, int number, const char *name,
								   int *count);
static void require_file_access(void);

PG_FUNCTION_INFO_V1(aevon_define_rule_sql);
Datum
aevon_define_rule_sql(PG_FUNCTION_ARGS)
{
	AevonRuleDefinition definition = {.author = GetUserId()};
	AevonAccess access;
	bool		changed;
	int			version;

	PreventCommandIfReadOnly("aevon_define_rule()");
	definition.name = text_argument(fcinfo, 0);
	definition.event_type = text_argument(fcinfo, 1);
	definition.operators = names_argument(fcinfo, 2, "operators", &definition.operator_count);
	definition.value = text_argument(fcinfo, 3);
	definition.filter = text_argument(fcinfo, 4);
	definition.dimensions = PG_ARGISNULL(5) ? NULL : PG_GETARG_JSONB_P(5);
	definition.tenant = text_argument(fcinfo, 6);
	definition.rollups = names_argument(fcinfo, 7, "rollups", &definition.rollup_count);

	aevon_access_require(definition.tenant, AEVON_PRIVILEGE_OPERATE);
	aevon_access_enter(&access);
	version = aevon_rule_define(&definition, &changed);
	aevon_access_leave(&access);
	PG_RETURN_INT32(version);
}

PG_FUNCTION_INFO_V1(aevon_drop_rule_sql);
Datum
aevon_drop_rule_sql(PG_FUNCTION_ARGS)
{
	AevonAccess access;
	char	   *name = text_argument(fcinfo, 0);
	char	   *tenant = text_argument(fcinfo, 1);

	PreventCommandIfReadOnly("aevon_drop_rule()");
	aevon_error_if_null(name == NULL, "name");
	aevon_access_require(tenant, AEVON_PRIVILEGE_OPERATE);
	aevon_access_enter(&access);
	aevon_rule_drop(name, tenant);
	aevon_access_leave(&access);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(aevon_load_rules_sql);
Datum
aevon_load_rules_sql(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *directory = text_argument(fcinfo, 0);
	List	   *loaded;
	ListCell   *cell;

	PreventCommandIfReadOnly("aevon_load_rules()");
	aevon_error_if_null(directory == NULL, "directory");
	aevon_access_require(NULL, AEVON_PRIVILEGE_OPERATE);
	require_file_access();
	InitMaterializedSRF(fcinfo, 0);
	loaded = aevon_rulefile_load_directory(directory);
	foreach(cell, loaded)
	{
		AevonLoadedRule *rule = lfirst(cell);
		Datum		values[] = {
			CStringGetTextDatum(rule->name),
			Int32GetDatum(rule->version),
			BoolGetDatum(rule->changed)
		};
		bool		nulls[3] = {false};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

static char *
text_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

/* The elements of a text array, NULL for null ones; count -1: it is null itself. */
static const char **
names_argument(FunctionCallInfo fcinfo, int number, const char *name, int *count)
{
	ArrayType  *array;
	Datum	   *elements;
	bool	   *nulls;
	const char **names;

	*count = -1;
	if (PG_ARGISNULL(number))
		return NULL;
	array = PG_GETARG_ARRAYTYPE_P(number);
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be an array of one dimension", name)));
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, count);
	names = palloc(Max(*count, 1) * sizeof(char *));
	for (int i = 0; i < *count; i++)
		names[i] = nulls[i] ? NULL : TextDatumGetCString(elements[i]);
	return names;
}

static void
require_file_access(void)
{
	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to read rule files"),
				 errhint("Only superusers and members of pg_read_server_files may read the server's files.")));
}
