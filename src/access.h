/*
 * access.h
 *		Who may do what, and the switch to the tables' owner.
 *
 * Public functions run as the invoker.  Each checks its caller with
 * aevon_access_require, and only then works between aevon_access_enter and
 * aevon_access_leave: as the owner role, in a security-restricted context,
 * with a pinned search_path.  An error in between restores the caller by the
 * (sub)transaction's abort.  Layer 2.
 */
#ifndef AEVON_ACCESS_H
#define AEVON_ACCESS_H

#include "postgres.h"
#include "nodes/pg_list.h"

typedef enum AevonPrivilege
{
	AEVON_PRIVILEGE_INGEST,
	AEVON_PRIVILEGE_READ,
	AEVON_PRIVILEGE_VOID,
	AEVON_PRIVILEGE_OPERATE
} AevonPrivilege;

typedef struct AevonAccess
{
	Oid			caller;
	int			caller_context;
	int			guc_level;		/* of debug_print_plan; 0: unchanged */
} AevonAccess;

typedef struct AevonTenant
{
	int32		tenant_key;
	char	   *name;
} AevonTenant;

/*
 * Has the current user the privilege on the tenant?  `tenant` NULL asks for
 * all tenants ('*').  Superusers, and the database's owner and its members,
 * always have it; others by a binding of a role they are a member of, on the
 * tenant or on '*'.  Bindings are those that the active snapshot sees.
 */
extern bool aevon_access_allowed(const char *tenant, AevonPrivilege privilege);

/*
 * The same, but raises 42501: one text for a forbidden and an unknown tenant.
 * aevon_access_unknown_tenant raises that very error.
 */
extern void aevon_access_require(const char *tenant, AevonPrivilege privilege);
extern void aevon_access_unknown_tenant(const char *tenant) pg_attribute_noreturn();

/* Is the right to a tenant an explicit one, by a binding on its very name? */
extern bool aevon_access_bound(const char *tenant, AevonPrivilege privilege);

/*
 * The tenants in use that the current user may read, as AevonTenant; palloc'd.
 */
extern List *aevon_access_readable(void);

/* Their keys, as a Datum: an array of integers.  To be asked before the switch. */
extern Datum aevon_access_readable_keys(void);

extern void aevon_access_enter(AevonAccess *access);
extern void aevon_access_leave(const AevonAccess *access);

#endif							/* AEVON_ACCESS_H */
