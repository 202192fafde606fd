/*
 * scope.c
 *		Whose figures a caller of the monitoring functions may see.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"

#include "dictionary.h"
#include "errors.h"
#include "scope.h"

static void fill_keys(AevonScope *scope);
static int	compare_keys(const void *a, const void *b);

AevonScope *
aevon_scope_of_caller(void)
{
	AevonScope *scope = palloc0(sizeof(AevonScope));

	scope->whole = has_privs_of_role(GetUserId(), ROLE_PG_MONITOR) ||
		aevon_access_allowed(NULL, AEVON_PRIVILEGE_OPERATE);
	scope->all_names = aevon_access_allowed(NULL, AEVON_PRIVILEGE_READ);
	scope->tenants = aevon_access_readable();
	fill_keys(scope);
	return scope;
}

AevonScope *
aevon_scope_of_tenant(const char *tenant)
{
	AevonScope *scope = palloc0(sizeof(AevonScope));
	AevonTenant *only = palloc(sizeof(AevonTenant));

	aevon_error_require_name(tenant, "tenant");
	aevon_access_require(tenant, AEVON_PRIVILEGE_READ);
	only->name = pstrdup(tenant);
	only->tenant_key = aevon_dictionary_find(AEVON_DICTIONARY_TENANT, 0, tenant);
	/* who is bound to it by name may know that it has no event */
	if (only->tenant_key == 0 && !aevon_access_bound(tenant, AEVON_PRIVILEGE_READ))
		aevon_access_unknown_tenant(tenant);
	scope->tenants = list_make1(only);
	fill_keys(scope);
	return scope;
}

bool
aevon_scope_empty(const AevonScope *scope)
{
	return !scope->whole && scope->key_count == 0;
}

bool
aevon_scope_names(const AevonScope *scope, int32 tenant_key)
{
	return scope->key_count > 0 &&
		bsearch(&tenant_key, scope->keys, scope->key_count, sizeof(int32), compare_keys) != NULL;
}

bool
aevon_scope_counts(const AevonScope *scope, int32 tenant_key)
{
	return scope->whole || aevon_scope_names(scope, tenant_key);
}

Datum
aevon_scope_array(const AevonScope *scope)
{
	Datum	   *keys = palloc(Max(1, scope->key_count) * sizeof(Datum));

	for (int i = 0; i < scope->key_count; i++)
		keys[i] = Int32GetDatum(scope->keys[i]);
	return PointerGetDatum(construct_array(keys, scope->key_count, INT4OID,
										   sizeof(int32), true, TYPALIGN_INT));
}

static void
fill_keys(AevonScope *scope)
{
	List	   *tenants = scope->tenants;
	ListCell   *cell;

	scope->keys = palloc(Max(1, list_length(tenants)) * sizeof(int32));
	foreach(cell, tenants)
	{
		const AevonTenant *tenant = lfirst(cell);

		scope->keys[scope->key_count++] = tenant->tenant_key;
	}
	qsort(scope->keys, scope->key_count, sizeof(int32), compare_keys);
}

static int
compare_keys(const void *a, const void *b)
{
	int32		x = *(const int32 *) a;
	int32		y = *(const int32 *) b;

	return x < y ? -1 : x > y;
}
