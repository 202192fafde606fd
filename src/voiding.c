/*
 * voiding.c
 *		aevon_void: an event that must not count.
 *
 * Layer 3.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "access.h"
#include "catalog.h"
#include "cut.h"
#include "dictionary.h"
#include "errors.h"
#include "guard.h"
#include "guc.h"
#include "identity.h"
#include "stats.h"
#include "workernotes.h"

#define MAX_REASON 1000			/* characters */

typedef struct Voiding
{
	const char *tenant;
	const char *principal;
	const char *event_id;
	const char *reason;
	char	   *voided_by;		/* the caller's role */
} Voiding;

PG_FUNCTION_INFO_V1(aevon_void_sql);

static char *text_argument(FunctionCallInfo fcinfo, int number);
static void validate(const Voiding *voiding);
static bool insert_void(const Voiding *voiding);
static bool put_event(int32 principal_key, const char *event_id, Datum *values);
static void raise_unknown_event(const Voiding *voiding) pg_attribute_noreturn();

Datum
aevon_void_sql(PG_FUNCTION_ARGS)
{
	Voiding		voiding = {
		.tenant = text_argument(fcinfo, 0),
		.principal = text_argument(fcinfo, 1),
		.event_id = text_argument(fcinfo, 2),
		.reason = text_argument(fcinfo, 3),
		.voided_by = GetUserNameFromId(GetUserId(), false),
	};
	AevonAccess access;
	bool		inserted;

	PreventCommandIfReadOnly("aevon_void()");
	validate(&voiding);
	aevon_access_require(voiding.tenant, AEVON_PRIVILEGE_VOID);
	aevon_access_enter(&access);
	inserted = insert_void(&voiding);
	aevon_access_leave(&access);
	if (inserted)
		aevon_workernotes_ingested(1);
	PG_RETURN_TEXT_P(cstring_to_text(inserted ? "voided" : "duplicate"));
}

static char *
text_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

static void
validate(const Voiding *voiding)
{
	AevonProblem problem;

	aevon_error_require_name(voiding->tenant, "tenant");
	aevon_error_require_name(voiding->principal, "principal");
	aevon_error_require_name(voiding->event_id, "event_id");
	aevon_error_if_null(voiding->reason == NULL, "reason");
	if (!aevon_error_check_characters(voiding->reason, "reason", &problem))
		aevon_error_raise(&problem);
	if (voiding->reason[strspn(voiding->reason, " ")] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"reason\" must not be empty"),
				 errhint("Say why the event does not count: whoever asks later reads it.")));
	if (pg_mbstrlen(voiding->reason) > MAX_REASON)
		ereport(ERROR,
				(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				 errmsg("\"reason\" is too long"),
				 errdetail("It has %d characters; the limit is %d.",
						   pg_mbstrlen(voiding->reason), MAX_REASON)));
}

/* False: the event is void already. */
static bool
insert_void(const Voiding *voiding)
{
	int64		base = aevon_guard_base();
	int32		tenant_key = aevon_dictionary_find(AEVON_DICTIONARY_TENANT, 0, voiding->tenant);
	int32		principal_key = 0;
	Datum		values[10];
	bool		inserted;

	if (tenant_key != 0)
		principal_key = aevon_dictionary_find(AEVON_DICTIONARY_PRINCIPAL, tenant_key,
											  voiding->principal);
	if (principal_key == 0)
		raise_unknown_event(voiding);

	aevon_catalog_connect();
	if (!put_event(principal_key, voiding->event_id, values))
		raise_unknown_event(voiding);
	values[3] = Int64GetDatum(aevon_cut_stamp(base));
	values[4] = TimestampTzGetDatum(aevon_clock_now());
	values[5] = Int32GetDatum(tenant_key);
	values[6] = Int32GetDatum(principal_key);
	values[7] = CStringGetTextDatum(voiding->event_id);
	values[8] = CStringGetTextDatum(voiding->reason);
	values[9] = CStringGetTextDatum(voiding->voided_by);
	aevon_catalog_run(AEVON_QUERY_ADD_VOID, values, NULL, false);
	inserted = SPI_processed == 1;
	if (inserted)
		aevon_stats_note(tenant_key, AEVON_COUNT_VOIDED, 1);
	aevon_catalog_finish();
	return inserted;
}

/* Stamp, time and part of an event, as of now; false: there is none. */
static bool
put_event(int32 principal_key, const char *event_id, Datum *values)
{
	AevonIdentity identity = aevon_identity_make(principal_key, event_id);
	Snapshot	snapshot;
	AevonFinder *finder;
	AevonLogRow row;
	bool		found;

	CommandCounterIncrement();
	snapshot = RegisterSnapshot(GetTransactionSnapshot());
	finder = aevon_identity_open(snapshot);
	aevon_identity_seek(finder, &identity);
	found = aevon_identity_next(finder, &row);
	if (found)
	{
		values[0] = Int64GetDatum(row.stamp);
		values[1] = TimestampTzGetDatum(row.occurred_at);
		values[2] = Int32GetDatum(row.part);
	}
	aevon_identity_close(finder);
	UnregisterSnapshot(snapshot);
	return found;
}

static void
raise_unknown_event(const Voiding *voiding)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("event \"%s\" of principal \"%s\" does not exist",
					aevon_error_excerpt(voiding->event_id),
					aevon_error_excerpt(voiding->principal)),
			 errhint("An event can be voided from the moment its transaction sees it.")));
}
