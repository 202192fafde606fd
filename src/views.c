/*
 * views.c
 *		The rows of the views that show tenants' data.
 *
 * A view over the tables would tell of other tenants by its plan: EXPLAIN
 * counts the rows that a condition removed, and statistics of all tenants'
 * values shape the estimates.  So each view is the scan of a function here,
 * which runs the real query as the owner, for the tenants that its caller may
 * read.  No condition of the reader's gets inside.
 *		daily.c has the view aevon.daily_metrics.  Layer 3.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"

#include "access.h"
#include "catalog.h"

/* Rows that are in memory at a time. */
#define PORTION 1000

static Datum put_view(FunctionCallInfo fcinfo, AevonQuery query);
static void put_rows(AevonQuery query, Datum readable, ReturnSetInfo *result);

PG_FUNCTION_INFO_V1(aevon_view_events);
Datum
aevon_view_events(PG_FUNCTION_ARGS)
{
	return put_view(fcinfo, AEVON_QUERY_VIEW_EVENTS);
}

PG_FUNCTION_INFO_V1(aevon_view_pre_aggregates);
Datum
aevon_view_pre_aggregates(PG_FUNCTION_ARGS)
{
	return put_view(fcinfo, AEVON_QUERY_VIEW_PRE_AGGREGATES);
}

PG_FUNCTION_INFO_V1(aevon_view_rejected_events);
Datum
aevon_view_rejected_events(PG_FUNCTION_ARGS)
{
	return put_view(fcinfo, AEVON_QUERY_VIEW_REJECTED_EVENTS);
}

PG_FUNCTION_INFO_V1(aevon_view_rule_versions);
Datum
aevon_view_rule_versions(PG_FUNCTION_ARGS)
{
	return put_view(fcinfo, AEVON_QUERY_VIEW_RULE_VERSIONS);
}

static Datum
put_view(FunctionCallInfo fcinfo, AevonQuery query)
{
	Datum		readable = aevon_access_readable_keys();
	AevonAccess access;

	InitMaterializedSRF(fcinfo, 0);
	aevon_access_enter(&access);
	aevon_catalog_connect();
	put_rows(query, readable, (ReturnSetInfo *) fcinfo->resultinfo);
	aevon_catalog_finish();
	aevon_access_leave(&access);
	return (Datum) 0;
}

static void
put_rows(AevonQuery query, Datum readable, ReturnSetInfo *result)
{
	Portal		cursor = aevon_catalog_open(query, &readable);

	for (;;)
	{
		SPI_cursor_fetch(cursor, true, PORTION);
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < SPI_processed; i++)
			tuplestore_puttuple(result->setResult, SPI_tuptable->vals[i]);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_freetuptable(SPI_tuptable);
	SPI_cursor_close(cursor);
}
