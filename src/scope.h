/*
 * scope.h
 *		Whose figures a caller of the monitoring functions may see.
 *
 * The whole database's, without names of tenants: who monitors the server
 * (pg_monitor) or operates the database ('operate' on '*').  A tenant's: who may
 * read it.  Layer 2.
 */
#ifndef AEVON_SCOPE_H
#define AEVON_SCOPE_H

#include "postgres.h"

#include "access.h"

typedef struct AevonScope
{
	bool		whole;			/* totals of all tenants */
	bool		all_names;		/* and everything about all of them */
	List	   *tenants;		/* AevonTenant: whose names and figures, too */
	int			key_count;
	int32	   *keys;			/* of these tenants, ascending */
} AevonScope;

/* The scope of the current user; palloc'd. */
extern AevonScope *aevon_scope_of_caller(void);

/* One tenant, as far as the current user may read it: else raises 42501. */
extern AevonScope *aevon_scope_of_tenant(const char *tenant);

/* Is there nothing at all that the caller may see? */
extern bool aevon_scope_empty(const AevonScope *scope);

/* May the caller see names and figures of this very tenant? */
extern bool aevon_scope_names(const AevonScope *scope, int32 tenant_key);

/* Does a row of this tenant count in the caller's totals? */
extern bool aevon_scope_counts(const AevonScope *scope, int32 tenant_key);

/* The keys as int4[]. */
extern Datum aevon_scope_array(const AevonScope *scope);

#endif							/* AEVON_SCOPE_H */
