/*
 * ingest.c
 *		Ingest of one event, and of a JSON array of events.
 *
 * Both work in the caller's transaction: check the caller, validate, and only
 * then insert.  Layer 3.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "access.h"
#include "append.h"
#include "event.h"
#include "guc.h"
#include "intake.h"
#include "outcome.h"
#include "workernotes.h"

static const char *ingest_event(const AevonEvent *event);
static AevonIntakeItem *read_batch(AevonIntake *intake, const char *tenant,
								   Jsonb *events, int *count);
static char *text_argument(FunctionCallInfo fcinfo, int number);

PG_FUNCTION_INFO_V1(aevon_ingest_sql);
Datum
aevon_ingest_sql(PG_FUNCTION_ARGS)
{
	AevonEvent	event = {
		.tenant = text_argument(fcinfo, 0),
		.principal = text_argument(fcinfo, 1),
		.event_id = text_argument(fcinfo, 2),
		.event_type = text_argument(fcinfo, 3),
		.occurred_given = !PG_ARGISNULL(4),
		.occurred_at = PG_ARGISNULL(4) ? aevon_clock_transaction_start() :
		PG_GETARG_TIMESTAMPTZ(4),
		.ingested_at = aevon_clock_now(),
		.data = PG_ARGISNULL(5) ? NULL : PG_GETARG_JSONB_P(5),
		.metadata = PG_ARGISNULL(6) ? NULL : PG_GETARG_JSONB_P(6),
	};

	PG_RETURN_TEXT_P(cstring_to_text(ingest_event(&event)));
}

PG_FUNCTION_INFO_V1(aevon_ingest_batch_sql);
Datum
aevon_ingest_batch_sql(PG_FUNCTION_ARGS)
{
	const char *tenant = text_argument(fcinfo, 0);
	AevonIntake intake;
	AevonIntakeItem *items;
	int			count;

	PreventCommandIfReadOnly("aevon_ingest_batch()");
	aevon_event_require_tenant(tenant);
	aevon_error_if_null(PG_ARGISNULL(1), "events");
	aevon_intake_begin(&intake, text_argument(fcinfo, 2), "Event");
	aevon_access_require(tenant, AEVON_PRIVILEGE_INGEST);

	items = read_batch(&intake, tenant, PG_GETARG_JSONB_P(1), &count);
	aevon_intake_store(&intake, items, count);
	return aevon_intake_result(&intake, fcinfo);
}

/* Ingest one event; what to return to the caller. */
static const char *
ingest_event(const AevonEvent *event)
{
	AevonAccess access;
	AevonAppender *appender;
	AevonOutcome outcome = AEVON_ACCEPTED;
	AevonProblem problem;

	PreventCommandIfReadOnly("aevon_ingest()");
	aevon_event_require_tenant(event->tenant);
	aevon_access_require(event->tenant, AEVON_PRIVILEGE_INGEST);
	if (!aevon_event_check(event, &problem))
	{
		aevon_outcome_count_refusal(event);
		aevon_error_raise(&problem);
	}

	aevon_access_enter(&access);
	appender = aevon_append_begin();
	aevon_append_events(appender, &event, 1, &outcome);
	aevon_append_end(appender);
	aevon_access_leave(&access);

	aevon_outcome_note(event, outcome);
	if (outcome == AEVON_DUPLICATE)
		return "duplicate";
	if (outcome != AEVON_ACCEPTED)
	{
		aevon_event_conflict(event, outcome, &problem);
		aevon_error_raise(&problem);
	}
	aevon_workernotes_ingested(1);
	return "accepted";
}

/* Read and check all events of a batch, before any is stored. */
static AevonIntakeItem *
read_batch(AevonIntake *intake, const char *tenant, Jsonb *events, int *count)
{
	TimestampTz now = aevon_clock_now();
	AevonIntakeItem *items;
	JsonbIterator *it;
	JsonbValue	value;

	if (!JB_ROOT_IS_ARRAY(events) || JB_ROOT_IS_SCALAR(events))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("events must be a JSON array")));

	intake->total = JB_ROOT_COUNT(events);
	items = palloc_extended(Max(intake->total, 1) * sizeof(AevonIntakeItem),
							MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	*count = 0;
	it = JsonbIteratorInit(&events->root);
	(void) JsonbIteratorNext(&it, &value, true);	/* the array's beginning */
	while (JsonbIteratorNext(&it, &value, true) == WJB_ELEM)
	{
		AevonIntakeItem *item = &items[(*count)++];
		AevonProblem problem;

		CHECK_FOR_INTERRUPTS();
		item->position = *count;
		item->element = palloc(sizeof(JsonbValue));
		*item->element = value;
		item->event.tenant = tenant;
		item->event.ingested_at = now;
		item->event.occurred_at = aevon_clock_transaction_start();
		if (!aevon_event_from_json(&value, &item->event, &problem) ||
			!aevon_event_check(&item->event, &problem))
			aevon_intake_put_problem(intake, item, &problem);
	}
	return items;
}

static char *
text_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(number));
}
