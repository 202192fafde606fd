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
#include "utils/jsonb.h"

#include "catalog.h"
#include "cut.h"
#include "days.h"
#include "metric.h"
#include "rule.h"
#include "stats.h"

#define COLUMNS 11

typedef struct History
{
	const AevonDays *days;
	ReturnSetInfo *result;
} History;

PG_FUNCTION_INFO_V1(aevon_history_sql);

static void put_rule(void *context, const AevonRule *rule, const AevonDims *dims,
					 int64 series_key);
static void put_row(const AevonRule *rule, HeapTuple tuple, TupleDesc descriptor,
					ReturnSetInfo *result);

Datum
aevon_history_sql(PG_FUNCTION_ARGS)
{
	instr_time	start = aevon_stats_start();
	AevonDays	days;
	History		history = {&days, (ReturnSetInfo *) fcinfo->resultinfo};

	aevon_days_read(fcinfo, &days);
	InitMaterializedSRF(fcinfo, 0);
	aevon_days_visit(&days, put_rule, &history);
	aevon_stats_count_read(AEVON_READ_HISTORY, start);
	return (Datum) 0;
}

static void
put_rule(void *context, const AevonRule *rule, const AevonDims *dims, int64 series_key)
{
	const History *history = context;
	Datum		values[3] = {
		Int64GetDatum(series_key), Int32GetDatum(history->days->since),
		Int32GetDatum(history->days->until)
	};

	aevon_stats_count_rule(rule->rule_key);
	aevon_catalog_connect();
	aevon_catalog_run(AEVON_QUERY_HISTORY, values, NULL, true);
	for (uint64 i = 0; i < SPI_processed; i++)
		put_row(rule, SPI_tuptable->vals[i], SPI_tuptable->tupdesc, history->result);
	aevon_catalog_finish();
}

static void
put_row(const AevonRule *rule, HeapTuple tuple, TupleDesc descriptor, ReturnSetInfo *result)
{
	Datum		stored[10];
	bool		absent[10];
	const char *primary = rule->operators[0].name;
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
