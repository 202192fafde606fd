/*
 * days.c
 *		What a read of a metric's days is asked for: whose, which rules, which days.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "access.h"
#include "asked.h"
#include "days.h"
#include "errors.h"
#include "store.h"
#include "subject.h"

void
aevon_days_read(FunctionCallInfo fcinfo, AevonDays *days)
{
	memset(days, 0, sizeof(*days));
	aevon_error_if_null(PG_ARGISNULL(0), "tenant");
	aevon_error_if_null(PG_ARGISNULL(3), "since");
	aevon_error_if_null(PG_ARGISNULL(4), "until");
	days->tenant = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (!PG_ARGISNULL(1))
		days->principal = text_to_cstring(PG_GETARG_TEXT_PP(1));
	if (!PG_ARGISNULL(2))
		days->rule = text_to_cstring(PG_GETARG_TEXT_PP(2));
	days->since = PG_GETARG_DATEADT(3);
	days->until = PG_GETARG_DATEADT(4);
	if (days->since > days->until)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"since\" lies after \"until\""),
				 errhint("A range of days is [since, until): since is included, until is not.")));
	if (!PG_ARGISNULL(5))
		days->dims = PG_GETARG_JSONB_P(5);
	if (days->dims != NULL && days->rule == NULL &&
		!(JB_ROOT_IS_OBJECT(days->dims) && JB_ROOT_COUNT(days->dims) == 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"dims\" needs a rule"),
				 errhint("Name the rule whose dimensions they are.")));
}

void
aevon_days_visit(const AevonDays *days, AevonDaysVisitor visit, void *context)
{
	AevonSubject subject;
	AevonAccess access;
	AevonDimsTable *table;
	AevonStore *store;
	ListCell   *cell;
	List	   *rules;

	aevon_subject_resolve(days->tenant, days->principal, &subject);
	aevon_access_enter(&access);
	rules = aevon_rule_select(aevon_rule_load(GetActiveSnapshot()), subject.tenant_key, days->rule);
	table = aevon_dims_table_create();
	store = aevon_store_open(GetActiveSnapshot(), false);
	foreach(cell, rules)
	{
		const AevonRule *rule = lfirst(cell);
		AevonSeries series = {rule->measure->measure_key, subject.tenant_key, subject.subject_key};
		int64		series_key = 0;

		series.dims = aevon_asked_dims(table, rule, &subject, days->dims);
		if (subject.subject_key != 0)
			series_key = aevon_store_find_series(store, &series);
		if (series_key != 0)
			visit(context, rule, series.dims, series_key);
	}
	aevon_store_close(store);
	aevon_dims_table_delete(table);
	aevon_access_leave(&access);
}
