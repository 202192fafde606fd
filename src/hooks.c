/*
 * hooks.c
 *		What any backend of a preloaded server watches for: extensions that come
 *		and go, and commands on whole databases.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/syscache.h"

#include "hooks.h"
#include "shmem.h"
#include "workernotes.h"

/* A command on a database, and how it uses it. */
typedef struct DatabaseCommand
{
	const char *database;		/* NULL: needs none for itself */
	bool		as_template;
} DatabaseCommand;

static ProcessUtility_hook_type next_utility = NULL;
static object_access_hook_type next_object_access = NULL;

static void watch_objects(ObjectAccessType access, Oid class_id, Oid object_id,
						  int sub_id, void *argument);
static void watch_utility(PlannedStmt *statement, const char *source, bool read_only,
						  ProcessUtilityContext context, ParamListInfo parameters,
						  QueryEnvironment *environment, DestReceiver *destination,
						  QueryCompletion *completion);
static bool is_database_command(Node *node, DatabaseCommand *command);
static DefElem *find_option(List *options, const char *name);
static bool may_command(const DatabaseCommand *command, Oid database);

void
aevon_hooks_install(void)
{
	next_utility = ProcessUtility_hook;
	ProcessUtility_hook = watch_utility;
	next_object_access = object_access_hook;
	object_access_hook = watch_objects;
}

/* Which extension it is cannot be read yet: have the worker look. */
static void
watch_objects(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *argument)
{
	if (next_object_access != NULL)
		next_object_access(access, class_id, object_id, sub_id, argument);
	if (class_id == ExtensionRelationId &&
		(access == OAT_POST_CREATE || access == OAT_DROP))
		aevon_workernotes_change();
}

static void
watch_utility(PlannedStmt *statement, const char *source, bool read_only,
			  ProcessUtilityContext context, ParamListInfo parameters,
			  QueryEnvironment *environment, DestReceiver *destination,
			  QueryCompletion *completion)
{
	ProcessUtility_hook_type next = next_utility ? next_utility : standard_ProcessUtility;
	DatabaseCommand command = {0};
	Oid			database = InvalidOid;

	if (!is_database_command(statement->utilityStmt, &command))
	{
		next(statement, source, read_only, context, parameters, environment,
			 destination, completion);
		return;
	}

	aevon_workernotes_databases();
	if (command.database != NULL)
		database = get_database_oid(command.database, true);
	PG_TRY();
	{
		if (OidIsValid(database) && may_command(&command, database))
			aevon_workernotes_hold(database);
		next(statement, source, read_only, context, parameters, environment,
			 destination, completion);
	}
	PG_CATCH();
	{
		aevon_shmem_release();
		PG_RE_THROW();
	}
	PG_END_TRY();
}

static bool
is_database_command(Node *node, DatabaseCommand *command)
{
	switch (nodeTag(node))
	{
		case T_CreatedbStmt:
			{
				DefElem    *option = find_option(((CreatedbStmt *) node)->options, "template");

				command->database = option != NULL && option->arg != NULL ?
					defGetString(option) : "template1";
				command->as_template = true;
				return true;
			}
		case T_DropdbStmt:
			command->database = ((DropdbStmt *) node)->dbname;
			return true;
		case T_RenameStmt:
			if (((RenameStmt *) node)->renameType != OBJECT_DATABASE)
				return false;
			command->database = ((RenameStmt *) node)->subname;
			return true;
		case T_AlterDatabaseStmt:
			if (find_option(((AlterDatabaseStmt *) node)->options, "tablespace") != NULL)
				command->database = ((AlterDatabaseStmt *) node)->dbname;
			return true;
		default:
			return false;
	}
}

static DefElem *
find_option(List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, name) == 0)
			return option;
	}
	return NULL;
}

/*
 * Might PostgreSQL let the user do this?  Nobody else is to send a worker
 * away.
 */
static bool
may_command(const DatabaseCommand *command, Oid database)
{
	HeapTuple	tuple;
	bool		result;

	if (pg_database_ownercheck(database, GetUserId()))
		return true;
	if (!command->as_template)
		return false;

	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	result = HeapTupleIsValid(tuple) && ((Form_pg_authid) GETSTRUCT(tuple))->rolcreatedb;
	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	if (!result)
		return false;

	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	result = HeapTupleIsValid(tuple) && ((Form_pg_database) GETSTRUCT(tuple))->datistemplate;
	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return result;
}
