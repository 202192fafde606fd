/*
 * audit.c
 *		The raw events of a principal, page by page: aevon_events.
 *
 * Layer 3.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "access.h"
#include "catalog.h"
#include "dictionary.h"
#include "errors.h"
#include "guard.h"
#include "identity.h"
#include "stats.h"

#define MAX_PAGE 100000			/* rows */

/* The arguments of aevon_events. */
typedef struct EventsPage
{
	char	   *tenant;
	char	   *principal;
	TimestampTz since;
	TimestampTz until;
	int32		max_rows;
	char	   *after;			/* NULL: the first page */
} EventsPage;

static void check_page(const EventsPage *page);
static void put_page(const EventsPage *page, ReturnSetInfo *result);
static void put_events(const EventsPage *page, int32 principal_key, ReturnSetInfo *result);
static TimestampTz position_of(const EventsPage *page, int32 principal_key);
static void unknown_position(const EventsPage *page) pg_attribute_noreturn();

PG_FUNCTION_INFO_V1(aevon_events_sql);
Datum
aevon_events_sql(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"tenant", "principal", "since", "until", "max_rows"};
	instr_time	start = aevon_stats_start();
	EventsPage	page;

	for (int i = 0; i < lengthof(names); i++)
		aevon_error_if_null(PG_ARGISNULL(i), names[i]);
	page.tenant = text_to_cstring(PG_GETARG_TEXT_PP(0));
	page.principal = text_to_cstring(PG_GETARG_TEXT_PP(1));
	page.since = PG_GETARG_TIMESTAMPTZ(2);
	page.until = PG_GETARG_TIMESTAMPTZ(3);
	page.max_rows = PG_GETARG_INT32(4);
	page.after = PG_ARGISNULL(5) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(5));

	check_page(&page);
	InitMaterializedSRF(fcinfo, 0);
	put_page(&page, (ReturnSetInfo *) fcinfo->resultinfo);
	aevon_stats_count_read(AEVON_READ_EVENTS, start);
	return (Datum) 0;
}

static void
check_page(const EventsPage *page)
{
	aevon_error_require_name(page->tenant, "tenant");
	aevon_access_require(page->tenant, AEVON_PRIVILEGE_READ);
	aevon_error_require_name(page->principal, "principal");
	if (page->since > page->until)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("since lies after until")));
	if (page->max_rows < 1 || page->max_rows > MAX_PAGE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_rows must lie between 1 and %d", MAX_PAGE)));
}

static void
put_page(const EventsPage *page, ReturnSetInfo *result)
{
	AevonAccess access;
	int32		tenant_key = aevon_dictionary_find(AEVON_DICTIONARY_TENANT, 0, page->tenant);
	int32		principal_key;
	int64		base;

	(void) aevon_guard_check(&base);
	if (tenant_key == 0 && !aevon_access_bound(page->tenant, AEVON_PRIVILEGE_READ))
		aevon_access_unknown_tenant(page->tenant);
	principal_key = tenant_key == 0 ? 0 :
		aevon_dictionary_find(AEVON_DICTIONARY_PRINCIPAL, tenant_key, page->principal);
	if (principal_key == 0)
	{
		if (page->after != NULL)
			unknown_position(page);
		return;
	}
	aevon_access_enter(&access);
	put_events(page, principal_key, result);
	aevon_access_leave(&access);
}

static void
put_events(const EventsPage *page, int32 principal_key, ReturnSetInfo *result)
{
	TimestampTz from = page->since;
	TimestampTz after_at = DT_NOBEGIN;
	Datum		values[8];

	aevon_catalog_connect();
	if (page->after != NULL)
	{
		after_at = position_of(page, principal_key);
		from = Max(from, after_at);
	}
	values[0] = CStringGetTextDatum(page->tenant);
	values[1] = CStringGetTextDatum(page->principal);
	values[2] = Int32GetDatum(principal_key);
	values[3] = TimestampTzGetDatum(from);
	values[4] = TimestampTzGetDatum(page->until);
	values[5] = TimestampTzGetDatum(after_at);
	values[6] = CStringGetTextDatum(page->after != NULL ? page->after : "");
	values[7] = Int32GetDatum(page->max_rows);
	aevon_catalog_run(AEVON_QUERY_EVENTS_OF_PRINCIPAL, values, NULL, true);
	for (uint64 i = 0; i < SPI_processed; i++)
		tuplestore_puttuple(result->setResult, SPI_tuptable->vals[i]);
	aevon_catalog_finish();
}

/* When the last event of the page before occurred. */
static TimestampTz
position_of(const EventsPage *page, int32 principal_key)
{
	AevonIdentity identity = aevon_identity_make(principal_key, page->after);
	AevonFinder *finder = aevon_identity_open(GetActiveSnapshot());
	AevonLogRow row;

	aevon_identity_seek(finder, &identity);
	if (!aevon_identity_next(finder, &row))
		unknown_position(page);
	aevon_identity_close(finder);
	return row.occurred_at;
}

static void
unknown_position(const EventsPage *page)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("principal has no event \"%s\"", aevon_error_excerpt(page->after)),
			 errhint("\"after\" is the event_id of the last row of the page before.")));
}
