/*
 * history.c
 *		aevon_history: every snapshot of a metric's days.
 *
 * Layer 3.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/jsonb.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "access.h"
#include "catalog.h"
#include "cut.h"
#include "errors.h"
#include "metric.h"
#include "rule.h"
#include "store.h"
#include "subject.h"

#define COLUMNS 11

typedef struct HistoryRequest
{
	char	   *tenant;
	char	   *principal;		/* NULL: the whole tenant */
	char	   *rule;			/* NULL: every rule */
	DateADT		since;
	DateADT		until;
} HistoryRequest;

PG_FUNCTION_INFO_V1(aevon_history_sql);

static void put_history(const HistoryRequest *request, ReturnSetInfo *result);
static int64 find_series(AevonStore *store, const AevonRule *rule, const AevonSubject *subject);
static void put_rule(const AevonRule *rule, const HistoryRequest *request, int64 series_key,
					 ReturnSetInfo *result);
static void put_row(const AevonRule *rule, HeapTuple tuple, TupleDesc descriptor,
					ReturnSetInfo *result);

Datum
aevon_history_sql(PG_FUNCTION_ARGS)
{
	HistoryRequest request = {0};

	aevon_error_if_null(PG_ARGISNULL(0), "tenant");
	aevon_error_if_null(PG_ARGISNULL(3), "since");
	aevon_error_if_null(PG_ARGISNULL(4), "until");
	request.tenant = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (!PG_ARGISNULL(1))
		request.principal = text_to_cstring(PG_GETARG_TEXT_PP(1));
	if (!PG_ARGISNULL(2))
		request.rule = text_to_cstring(PG_GETARG_TEXT_PP(2));
	request.since = PG_GETARG_DATEADT(3);
	request.until = PG_GETARG_DATEADT(4);
	if (request.since > request.until)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"since\" lies after \"until\""),
				 errhint("A range of days is [since, until): since is included, until is not.")));
	if (!PG_ARGISNULL(5))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("argument \"dims\" is not supported yet"),
				 errhint("Leave it out.")));
	InitMaterializedSRF(fcinfo, 0);
	put_history(&request, (ReturnSetInfo *) fcinfo->resultinfo);
	return (Datum) 0;
}

static void
put_history(const HistoryRequest *request, ReturnSetInfo *result)
{
	AevonSubject subject;
	AevonAccess access;
	AevonStore *store;
	ListCell   *cell;
	List	   *rules;

	aevon_subject_resolve(request->tenant, request->principal, &subject);
	aevon_access_enter(&access);
	rules = aevon_rule_select(aevon_rule_load(GetActiveSnapshot()), subject.tenant_key,
							  request->rule);
	store = aevon_store_open(GetActiveSnapshot(), false);
	foreach(cell, rules)
	{
		const AevonRule *rule = lfirst(cell);
		int64		series_key = 0;

		if (subject.subject_key != 0)
			series_key = find_series(store, rule, &subject);
		if (series_key != 0)
			put_rule(rule, request, series_key, result);
	}
	aevon_store_close(store);
	aevon_access_leave(&access);
}

static int64
find_series(AevonStore *store, const AevonRule *rule, const AevonSubject *subject)
{
	AevonSeries series = {rule->measure->measure_key, subject->tenant_key, subject->subject_key,
	NULL};

	return aevon_store_find_series(store, &series);
}

static void
put_rule(const AevonRule *rule, const HistoryRequest *request, int64 series_key,
		 ReturnSetInfo *result)
{
	Datum		values[3] = {
		Int64GetDatum(series_key), Int32GetDatum(request->since), Int32GetDatum(request->until)
	};

	aevon_catalog_connect();
	aevon_catalog_run(AEVON_QUERY_HISTORY, values, NULL, true);
	for (uint64 i = 0; i < SPI_processed; i++)
		put_row(rule, SPI_tuptable->vals[i], SPI_tuptable->tupdesc, result);
	aevon_catalog_finish();
}

static void
put_row(const AevonRule *rule, HeapTuple tuple, TupleDesc descriptor, ReturnSetInfo *result)
{
	Datum		stored[10];
	bool		absent[10];
	const char *primary = aevon_operator_name(rule->operators[0]);
	Numeric		value;
	Numeric		delta;
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {false};

	heap_deform_tuple(tuple, descriptor, stored, absent);
	value = aevon_metric_number(DatumGetJsonbP(stored[6]), primary);
	/* against the snapshot before that is still there: some may be compacted */
	delta = aevon_metric_number(aevon_metric_delta(DatumGetJsonbP(stored[6]),
												   absent[7] ? NULL : DatumGetJsonbP(stored[7])),
								primary);
	values[0] = CStringGetTextDatum(rule->name);
	values[1] = stored[0];		/* day, revision, taken_at, status */
	values[2] = stored[1];
	values[3] = stored[2];
	values[4] = stored[3];
	values[5] = stored[4];		/* event_count, late_count */
	values[6] = stored[5];
	values[7] = NumericGetDatum(value);
	nulls[7] = value == NULL;
	values[8] = NumericGetDatum(delta);
	nulls[8] = delta == NULL;
	values[9] = stored[6];
	values[10] = CStringGetTextDatum(aevon_cut_text(aevon_cut_from_datums(stored[8], stored[9])));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}
