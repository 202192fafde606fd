/*
 * access.c
 *		Who may do what, and the switch to the tables' owner.
 *
 * The bindings are kept per backend, sorted by tenant, as long as the
 * generation that the active snapshot sees stays the same.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "access.h"
#include "catalog.h"
#include "dictionary.h"
#include "errors.h"
#include "guc.h"

/* The name that stands for all tenants. */
#define ALL_TENANTS "*"

typedef struct Binding
{
	char	   *tenant;
	Oid			role;
	AevonPrivilege privilege;
} Binding;

typedef struct BindingCache
{
	MemoryContext context;		/* of everything below; NULL: not loaded */
	Oid			relation;
	int64		generation;
	int			count;
	Binding    *bindings;		/* by tenant */
} BindingCache;

/* The arguments of aevon_grant and aevon_revoke. */
typedef struct BindingArguments
{
	const char *tenant;
	Oid			role;
	const char *privilege;
} BindingArguments;

static const char *const privilege_names[] = {
	[AEVON_PRIVILEGE_INGEST] = "ingest",
	[AEVON_PRIVILEGE_READ] = "read",
	[AEVON_PRIVILEGE_VOID] = "void",
	[AEVON_PRIVILEGE_OPERATE] = "operate",
};

static BindingCache cache;

static BindingArguments binding_arguments(FunctionCallInfo fcinfo, const char *command);
static void grant_privilege(const BindingArguments *binding);
static void revoke_privilege(const BindingArguments *binding);
static int	hide_plans(void);
static List *all_tenants(void);
static List *bound_tenants(void);
static AevonTenant *make_tenant(int32 key, char *name);
static bool is_above_bindings(void);
static bool bound_to(const char *tenant, AevonPrivilege privilege);
static void load_bindings(void);
static void read_bindings(Relation relation, BindingCache *into);
static bool parse_privilege(const char *word, AevonPrivilege *privilege);
static int	compare_bindings(const void *a, const void *b);

PG_FUNCTION_INFO_V1(aevon_grant_sql);
Datum
aevon_grant_sql(PG_FUNCTION_ARGS)
{
	BindingArguments binding = binding_arguments(fcinfo, "aevon_grant()");

	/* a role that is gone can only be taken off */
	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(binding.role)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role with OID %u does not exist", binding.role)));
	grant_privilege(&binding);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(aevon_revoke_sql);
Datum
aevon_revoke_sql(PG_FUNCTION_ARGS)
{
	BindingArguments binding = binding_arguments(fcinfo, "aevon_revoke()");

	revoke_privilege(&binding);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(aevon_readable_tenants);
Datum
aevon_readable_tenants(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, aevon_access_readable())
	{
		const AevonTenant *tenant = lfirst(cell);
		Datum		values[2] = {
			Int32GetDatum(tenant->tenant_key), CStringGetTextDatum(tenant->name)
		};
		bool		nulls[2] = {false, false};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

bool
aevon_access_allowed(const char *tenant, AevonPrivilege privilege)
{
	if (is_above_bindings())
		return true;
	load_bindings();
	return bound_to(ALL_TENANTS, privilege) ||
		(tenant != NULL && bound_to(tenant, privilege));
}

void
aevon_access_require(const char *tenant, AevonPrivilege privilege)
{
	if (aevon_access_allowed(tenant, privilege))
		return;
	if (tenant != NULL)
		aevon_access_unknown_tenant(tenant);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for all tenants"),
			 errdetail("This needs the privilege \"%s\" on all tenants.",
					   privilege_names[privilege]),
			 errhint("The database's owner grants it with aevon_grant('*', role, '%s').",
					 privilege_names[privilege])));
}

void
aevon_access_unknown_tenant(const char *tenant)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for tenant \"%s\"", tenant),
			 errdetail("The tenant does not exist, or the current role lacks the privilege on it."),
			 errhint("Privileges on a tenant are granted with aevon_grant(tenant, role, privilege).")));
}

bool
aevon_access_bound(const char *tenant, AevonPrivilege privilege)
{
	load_bindings();
	return bound_to(tenant, privilege);
}

List *
aevon_access_readable(void)
{
	return aevon_access_allowed(NULL, AEVON_PRIVILEGE_READ) ? all_tenants() : bound_tenants();
}

Datum
aevon_access_readable_keys(void)
{
	List	   *tenants = aevon_access_readable();
	Datum	   *keys = palloc(Max(1, list_length(tenants)) * sizeof(Datum));
	ListCell   *cell;

	foreach(cell, tenants)
	{
		const AevonTenant *tenant = lfirst(cell);

		keys[foreach_current_index(cell)] = Int32GetDatum(tenant->tenant_key);
	}
	return PointerGetDatum(construct_array(keys, list_length(tenants), INT4OID,
										   sizeof(int32), true, TYPALIGN_INT));
}

void
aevon_access_enter(AevonAccess *access)
{
	OverrideSearchPath path = {.addCatalog = true};
	Oid			owner = aevon_catalog_owner();

	GetUserIdAndSecContext(&access->caller, &access->caller_context);
	SetUserIdAndSecContext(owner, access->caller_context |
						   SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	PushOverrideSearchPath(&path);
	access->guc_level = Debug_print_plan ? hide_plans() : 0;
}

void
aevon_access_leave(const AevonAccess *access)
{
	if (access->guc_level != 0)
		AtEOXact_GUC(true, access->guc_level);
	PopOverrideSearchPath();
	SetUserIdAndSecContext(access->caller, access->caller_context);
}

/* Anybody may have plans printed; their estimates tell of all tenants' values. */
static int
hide_plans(void)
{
	int			level = NewGUCNestLevel();

	(void) set_config_option("debug_print_plan", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	return level;
}

/* Check the arguments of aevon_grant and aevon_revoke, and their caller. */
static BindingArguments
binding_arguments(FunctionCallInfo fcinfo, const char *command)
{
	BindingArguments binding;
	AevonPrivilege ignored;

	PreventCommandIfReadOnly(command);
	aevon_error_if_null(PG_ARGISNULL(0), "tenant");
	aevon_error_if_null(PG_ARGISNULL(1), "role");
	aevon_error_if_null(PG_ARGISNULL(2), "privilege");
	binding.tenant = text_to_cstring(PG_GETARG_TEXT_PP(0));
	binding.role = PG_GETARG_OID(1);
	binding.privilege = text_to_cstring(PG_GETARG_TEXT_PP(2));

	if (strcmp(binding.tenant, ALL_TENANTS) != 0)
		aevon_error_require_name(binding.tenant, "tenant");
	if (!parse_privilege(binding.privilege, &ignored))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown privilege \"%s\"", binding.privilege),
				 errhint("Privileges are \"ingest\", \"read\", \"void\" and \"operate\".")));
	aevon_access_require(strcmp(binding.tenant, ALL_TENANTS) == 0 ? NULL : binding.tenant,
						 AEVON_PRIVILEGE_OPERATE);
	return binding;
}

static void
grant_privilege(const BindingArguments *binding)
{
	AevonAccess access;
	char	   *grantor = GetUserNameFromId(GetUserId(), false);
	Datum		values[5] = {
		CStringGetTextDatum(binding->tenant),
		ObjectIdGetDatum(binding->role),
		CStringGetTextDatum(binding->privilege),
		CStringGetTextDatum(grantor),
		TimestampTzGetDatum(aevon_clock_now()),
	};

	aevon_access_enter(&access);
	aevon_catalog_connect();
	aevon_catalog_run(AEVON_QUERY_GRANT, values, NULL, false);
	if (SPI_processed > 0)
		aevon_catalog_bump_generation();
	aevon_catalog_finish();
	aevon_access_leave(&access);
}

static void
revoke_privilege(const BindingArguments *binding)
{
	AevonAccess access;
	Datum		values[3] = {
		CStringGetTextDatum(binding->tenant),
		ObjectIdGetDatum(binding->role),
		CStringGetTextDatum(binding->privilege),
	};

	aevon_access_enter(&access);
	aevon_catalog_connect();
	aevon_catalog_run(AEVON_QUERY_REVOKE, values, NULL, false);
	if (SPI_processed > 0)
		aevon_catalog_bump_generation();
	aevon_catalog_finish();
	aevon_access_leave(&access);
}

/* As the dictionary reads: without predicate locks on the whole table. */
static List *
all_tenants(void)
{
	List	   *tenants = NIL;
	Relation	relation = table_open(aevon_catalog_oid(AEVON_TENANTS), AccessShareLock);
	TableScanDesc scan = table_beginscan(relation, SnapshotSelf, 0, NULL);
	TupleTableSlot *slot = table_slot_create(relation, NULL);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		int32		key = DatumGetInt32(slot_getattr(slot, Anum_dictionary_key, &isnull));
		Datum		name = slot_getattr(slot, Anum_dictionary_name, &isnull);

		tenants = lappend(tenants, make_tenant(key, TextDatumGetCString(name)));
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(relation, AccessShareLock);
	return tenants;
}

/* The tenants in use whose name is bound to the caller for reading. */
static List *
bound_tenants(void)
{
	List	   *tenants = NIL;
	const char *last = NULL;

	for (int i = 0; i < cache.count; i++)
	{
		const Binding *binding = &cache.bindings[i];
		int32		key;

		if (binding->privilege != AEVON_PRIVILEGE_READ ||
			(last != NULL && strcmp(last, binding->tenant) == 0) ||
			!has_privs_of_role(GetUserId(), binding->role))
			continue;
		last = binding->tenant;
		key = aevon_dictionary_find(AEVON_DICTIONARY_TENANT, 0, binding->tenant);
		if (key != 0)
			tenants = lappend(tenants, make_tenant(key, pstrdup(binding->tenant)));
	}
	return tenants;
}

static AevonTenant *
make_tenant(int32 key, char *name)
{
	AevonTenant *tenant = palloc(sizeof(AevonTenant));

	tenant->tenant_key = key;
	tenant->name = name;
	return tenant;
}

/* Superuser, or the database's owner or a member of it. */
static bool
is_above_bindings(void)
{
	HeapTuple	tuple;
	Oid			owner;

	if (superuser())
		return true;
	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for database %u", MyDatabaseId);
	owner = ((Form_pg_database) GETSTRUCT(tuple))->datdba;
	ReleaseSysCache(tuple);
	return has_privs_of_role(GetUserId(), owner);
}

/* Is the current user bound to this very name?  The cache is loaded. */
static bool
bound_to(const char *tenant, AevonPrivilege privilege)
{
	int			low = 0;
	int			high = cache.count;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (strcmp(cache.bindings[middle].tenant, tenant) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < cache.count && strcmp(cache.bindings[low].tenant, tenant) == 0; low++)
		if (cache.bindings[low].privilege == privilege &&
			has_privs_of_role(GetUserId(), cache.bindings[low].role))
			return true;
	return false;
}

static void
load_bindings(void)
{
	Oid			relid = aevon_catalog_oid(AEVON_GRANTS);
	int64		generation = aevon_catalog_generation(GetActiveSnapshot());
	BindingCache fresh = {NULL, relid, generation, 0, NULL};
	Relation	relation;

	if (cache.context != NULL && cache.relation == relid && cache.generation == generation)
		return;
	if (cache.context != NULL)
		MemoryContextDelete(cache.context);
	memset(&cache, 0, sizeof(cache));

	/* built below the current context, so that an error leaves nothing behind */
	fresh.context = AllocSetContextCreate(CurrentMemoryContext, "Aevon bindings",
										  ALLOCSET_SMALL_SIZES);
	relation = table_open(relid, AccessShareLock);
	read_bindings(relation, &fresh);
	table_close(relation, AccessShareLock);
	qsort(fresh.bindings, fresh.count, sizeof(Binding), compare_bindings);
	MemoryContextSetParent(fresh.context, CacheMemoryContext);
	cache = fresh;
}

static void
read_bindings(Relation relation, BindingCache *into)
{
	MemoryContext caller = MemoryContextSwitchTo(into->context);
	TableScanDesc scan = table_beginscan(relation, GetActiveSnapshot(), 0, NULL);
	TupleTableSlot *slot = table_slot_create(relation, NULL);
	int			room = 64;

	into->bindings = palloc(room * sizeof(Binding));
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		Binding    *binding;
		char	   *word;

		if (into->count == room)
		{
			room *= 2;
			into->bindings = repalloc_huge(into->bindings, room * sizeof(Binding));
		}
		binding = &into->bindings[into->count++];
		binding->tenant = TextDatumGetCString(slot_getattr(slot, Anum_grants_tenant, &isnull));
		binding->role = DatumGetObjectId(slot_getattr(slot, Anum_grants_role, &isnull));
		word = TextDatumGetCString(slot_getattr(slot, Anum_grants_privilege, &isnull));
		if (!parse_privilege(word, &binding->privilege))
			elog(ERROR, "unknown privilege \"%s\" in the grants", word);
		pfree(word);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	MemoryContextSwitchTo(caller);
}

static bool
parse_privilege(const char *word, AevonPrivilege *privilege)
{
	for (int i = 0; i < lengthof(privilege_names); i++)
		if (strcmp(word, privilege_names[i]) == 0)
		{
			*privilege = (AevonPrivilege) i;
			return true;
		}
	return false;
}

static int
compare_bindings(const void *a, const void *b)
{
	return strcmp(((const Binding *) a)->tenant, ((const Binding *) b)->tenant);
}
