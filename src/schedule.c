/*
 * schedule.c
 *		Sweeps by pg_cron, where the library is not preloaded.
 *
 * Layer 3.
 */
#include "postgres.h"

#include "access/genam.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "access.h"
#include "catalog.h"
#include "errors.h"

#define JOB_NAME "aevon sweep"

static int64 schedule_sweep(const char *schedule, Oid function);
static char *sweep_command(Oid function);
static void require_cron(const char *schedule, const char *command);
static bool cron_is_here(void);
static void refuse_other_database(const char *database, const char *schedule,
								  const char *command);
static int64 run_schedule(const char *schedule, const char *command);

PG_FUNCTION_INFO_V1(aevon_schedule_sql);

Datum
aevon_schedule_sql(PG_FUNCTION_ARGS)
{
	aevon_error_if_null(PG_ARGISNULL(0), "sweep_schedule");
	PG_RETURN_INT64(schedule_sweep(text_to_cstring(PG_GETARG_TEXT_PP(0)),
								   fcinfo->flinfo->fn_oid));
}

static int64
schedule_sweep(const char *schedule, Oid function)
{
	char	   *command;
	int64		job;

	aevon_access_require(NULL, AEVON_PRIVILEGE_OPERATE);
	aevon_catalog_connect();
	command = sweep_command(function);
	require_cron(schedule, command);
	job = run_schedule(schedule, command);
	aevon_catalog_finish();
	return job;
}

/* The public functions live in whatever schema the calling one lives in. */
static char *
sweep_command(Oid function)
{
	Datum		schema = CStringGetTextDatum(get_namespace_name(get_func_namespace(function)));

	aevon_catalog_run(AEVON_QUERY_SWEEP_COMMAND, &schema, NULL, true);
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

static void
require_cron(const char *schedule, const char *command)
{
	const char *database = GetConfigOption("cron.database_name", true, false);

	if (cron_is_here())
		return;
	if (database != NULL && strcmp(database, get_database_name(MyDatabaseId)) != 0)
		refuse_other_database(database, schedule, command);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("extension \"pg_cron\" is not installed in this database"),
			 errhint("Add pg_cron to \"shared_preload_libraries\", set \"cron.database_name\" to this database, restart the server, and run CREATE EXTENSION pg_cron.")));
}

/*
 * Is cron.schedule there, and pg_cron's own?  Anybody who may create a schema
 * could have made another one, which would run as our caller.
 */
static bool
cron_is_here(void)
{
	Oid			arguments[3] = {TEXTOID, TEXTOID, TEXTOID};
	List	   *name = list_make2(makeString("cron"), makeString("schedule"));
	Oid			extension = get_extension_oid("pg_cron", true);
	Oid			function = LookupFuncName(name, 3, arguments, true);

	return OidIsValid(extension) && OidIsValid(function) &&
		getExtensionOfObject(ProcedureRelationId, function) == extension;
}

static void
refuse_other_database(const char *database, const char *schedule, const char *command)
{
	const char *own = get_database_name(MyDatabaseId);

	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("pg_cron keeps its jobs in database \"%s\"", database),
			 errhint("Run there: SELECT cron.schedule_in_database(%s, %s, %s, %s);",
					 quote_literal_cstr(psprintf("%s %s", JOB_NAME, own)),
					 quote_literal_cstr(schedule), quote_literal_cstr(command),
					 quote_literal_cstr(own))));
}

/* As the caller: the job runs as the role that asked for it. */
static int64
run_schedule(const char *schedule, const char *command)
{
	Datum		values[3];
	bool		isnull;

	values[0] = CStringGetTextDatum(JOB_NAME);
	values[1] = CStringGetTextDatum(schedule);
	values[2] = CStringGetTextDatum(command);
	aevon_catalog_run(AEVON_QUERY_SCHEDULE_JOB, values, NULL, false);
	if (SPI_processed != 1)
		elog(ERROR, "pg_cron returned no job");
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}
