/*
 * rebuild.c
 *		aevon_rebuild: make a rule's buckets again from the log.
 *
 * The buckets go and the cut becomes the empty one, in one transaction; the
 * following sweeps fill them again.  Reads go on, and are right, from the log
 * meanwhile.  Series and snapshots stay; combinations of dimension values that
 * were folded together may get series of their own.  Layer 3.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "access.h"
#include "catalog.h"
#include "cut.h"
#include "dictionary.h"
#include "errors.h"
#include "guard.h"
#include "guc.h"
#include "rule.h"

PG_FUNCTION_INFO_V1(aevon_rebuild_sql);

static void rebuild(const char *name, const char *tenant);
static const AevonRule *find_rule(const char *name, const char *tenant);

Datum
aevon_rebuild_sql(PG_FUNCTION_ARGS)
{
	char	   *tenant = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	AevonAccess access;

	PreventCommandIfReadOnly("aevon_rebuild()");
	aevon_error_if_null(PG_ARGISNULL(0), "rule");
	aevon_access_require(tenant, AEVON_PRIVILEGE_OPERATE);
	aevon_access_enter(&access);
	rebuild(text_to_cstring(PG_GETARG_TEXT_PP(0)), tenant);
	aevon_access_leave(&access);
	PG_RETURN_VOID();
}

static void
rebuild(const char *name, const char *tenant)
{
	static const AevonQuery steps[] = {
		AEVON_QUERY_EMPTY_OPEN_MINUTES,
		AEVON_QUERY_EMPTY_BUCKETS_1M, AEVON_QUERY_EMPTY_BUCKETS_1H, AEVON_QUERY_EMPTY_BUCKETS_1D,
		AEVON_QUERY_TOUCH_OTHER_DAYS, AEVON_QUERY_ADMIT_SERIES, AEVON_QUERY_EMPTY_CHECKPOINT
	};
	const AevonRule *rule;
	Datum		values[2];
	int			count;

	(void) aevon_guard_base();
	rule = find_rule(name, tenant);
	values[0] = Int32GetDatum(rule->measure->measure_key);
	values[1] = TimestampTzGetDatum(aevon_clock_now());

	aevon_catalog_connect();
	(void) aevon_cut_lock_checkpoints(&count);
	for (int i = 0; i < lengthof(steps); i++)
		aevon_catalog_run(steps[i], values, NULL, false);
	aevon_catalog_finish();
}

/* The rule of that very tenant, or of all tenants. */
static const AevonRule *
find_rule(const char *name, const char *tenant)
{
	int32		tenant_key = 0;
	const AevonRule *rule;

	if (tenant != NULL)
		tenant_key = aevon_dictionary_find(AEVON_DICTIONARY_TENANT, 0, tenant);
	rule = linitial(aevon_rule_select(aevon_rule_load(GetActiveSnapshot()), tenant_key, name));
	if (rule->tenant_key != tenant_key || (tenant != NULL && tenant_key == 0))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("tenant \"%s\" has no rule \"%s\" of its own", tenant, name),
				 errhint("Leave \"tenant\" out for a rule of all tenants.")));
	return rule;
}
