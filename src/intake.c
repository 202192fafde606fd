/*
 * intake.c
 *		Taking in many events in one call: order, counts, rejections.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "access.h"
#include "catalog.h"
#include "dictionary.h"
#include "event.h"
#include "guc.h"
#include "intake.h"
#include "outcome.h"
#include "workernotes.h"

static void append_items(AevonIntake *intake, AevonIntakeItem *items, int count);
static void note_outcome(AevonIntake *intake, AevonIntakeItem *item, AevonOutcome outcome);
static void store_rejection(const AevonIntakeItem *item);
static Jsonb *payload_of(const AevonIntakeItem *item);
static void put_text(JsonbParseState **state, const char *name, const char *string);
static void put_time(JsonbParseState **state, const char *name, TimestampTz at);
static void put_document(JsonbParseState **state, const char *name, Jsonb *document);
static void put_key(JsonbParseState **state, const char *name);

void
aevon_intake_begin(AevonIntake *intake, const char *on_error, const char *unit)
{
	aevon_error_if_null(on_error == NULL, "on_error");
	memset(intake, 0, sizeof(*intake));
	intake->unit = unit;
	intake->reject = strcmp(on_error, "reject") == 0;
	if (!intake->reject && strcmp(on_error, "abort") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown on_error \"%s\"", aevon_error_excerpt(on_error)),
				 errhint("on_error is \"abort\" or \"reject\".")));
}

void
aevon_intake_put_problem(const AevonIntake *intake, AevonIntakeItem *item,
						 const AevonProblem *problem)
{
	if (!intake->reject)
	{
		if (problem->sqlstate != ERRCODE_UNIQUE_VIOLATION)
			aevon_outcome_count_refusal(&item->event);
		aevon_intake_raise(intake, item, problem);
	}
	item->problem = palloc(sizeof(AevonProblem));
	*item->problem = *problem;
}

void
aevon_intake_raise(const AevonIntake *intake, const AevonIntakeItem *item,
				   const AevonProblem *problem)
{
	AevonProblem placed = *problem;

	placed.detail = psprintf("%s " INT64_FORMAT "%s%s%s", intake->unit, item->position,
							 intake->total > 0 ? psprintf(" of " INT64_FORMAT, intake->total) : "",
							 problem->detail ? ": " : ".",
							 problem->detail ? problem->detail : "");
	aevon_error_raise(&placed);
}

void
aevon_intake_store(AevonIntake *intake, AevonIntakeItem *items, int count)
{
	AevonAccess access;

	if (count == 0)
		return;
	aevon_access_enter(&access);
	append_items(intake, items, count);
	aevon_access_leave(&access);
}

Datum
aevon_intake_result(const AevonIntake *intake, FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[3] = {
		Int64GetDatum(intake->accepted),
		Int64GetDatum(intake->duplicate),
		Int64GetDatum(intake->rejected),
	};
	bool		nulls[3] = {false, false, false};

	if (intake->accepted > 0)
		aevon_workernotes_ingested(intake->accepted);
	InitMaterializedSRF(fcinfo, 0);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return (Datum) 0;
}

/* All good ones are appended before the first bad one is looked at. */
static void
append_items(AevonIntake *intake, AevonIntakeItem *items, int count)
{
	AevonAppender *appender = aevon_append_begin();
	const AevonEvent **events = palloc_extended(count * sizeof(AevonEvent *), MCXT_ALLOC_HUGE);
	AevonOutcome *outcomes = palloc_extended(count * sizeof(AevonOutcome),
											 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	int			good = 0;

	for (int i = 0; i < count; i++)
		if (items[i].problem == NULL)
			events[good++] = &items[i].event;
	aevon_append_events(appender, events, good, outcomes);
	aevon_append_end(appender);

	good = 0;
	for (int i = 0; i < count; i++)
	{
		if (items[i].problem == NULL)
			note_outcome(intake, &items[i], outcomes[good++]);
		if (items[i].problem != NULL)
		{
			store_rejection(&items[i]);
			aevon_outcome_note_rejection(&items[i].event);
			intake->rejected++;
		}
	}
	pfree(events);
	pfree(outcomes);
}

static void
note_outcome(AevonIntake *intake, AevonIntakeItem *item, AevonOutcome outcome)
{
	aevon_outcome_note(&item->event, outcome);
	if (outcome == AEVON_ACCEPTED)
		intake->accepted++;
	else if (outcome == AEVON_DUPLICATE)
		intake->duplicate++;
	else
	{
		AevonProblem problem;

		aevon_event_conflict(&item->event, outcome, &problem);
		aevon_intake_put_problem(intake, item, &problem);
	}
}

static void
store_rejection(const AevonIntakeItem *item)
{
	const AevonProblem *problem = item->problem;
	int32		tenant_key = aevon_dictionary_intern(AEVON_DICTIONARY_TENANT, 0,
													 item->event.tenant);
	Datum		values[6] = {
		TimestampTzGetDatum(aevon_clock_now()),
		Int32GetDatum(tenant_key),
		CStringGetTextDatum(unpack_sql_state(problem->sqlstate)),
		CStringGetTextDatum(problem->message),
		problem->detail ? CStringGetTextDatum(problem->detail) : (Datum) 0,
		JsonbPGetDatum(payload_of(item)),
	};
	const char *nulls = problem->detail ? "      " : "    n ";

	aevon_catalog_connect();
	aevon_catalog_run(AEVON_QUERY_REJECT, values, nulls, false);
	aevon_catalog_finish();
}

/* The event as it came. */
static Jsonb *
payload_of(const AevonIntakeItem *item)
{
	const AevonEvent *event = &item->event;
	JsonbParseState *state = NULL;

	if (item->element != NULL)
		return JsonbValueToJsonb(item->element);

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	put_text(&state, "principal", event->principal);
	put_text(&state, "event_id", event->event_id);
	put_text(&state, "event_type", event->event_type);
	if (event->occurred_given)
		put_time(&state, "occurred_at", event->occurred_at);
	if (event->ingested_given)
		put_time(&state, "ingested_at", event->ingested_at);
	put_document(&state, "data", event->data);
	put_document(&state, "metadata", event->metadata);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

static void
put_text(JsonbParseState **state, const char *name, const char *string)
{
	JsonbValue	value = {.type = jbvNull};

	if (string != NULL)
	{
		value.type = jbvString;
		value.val.string.val = pstrdup(string);
		value.val.string.len = strlen(string);
	}
	put_key(state, name);
	pushJsonbValue(state, WJB_VALUE, &value);
}

static void
put_time(JsonbParseState **state, const char *name, TimestampTz at)
{
	put_text(state, name, JsonEncodeDateTime(NULL, TimestampTzGetDatum(at),
											 TIMESTAMPTZOID, NULL));
}

static void
put_document(JsonbParseState **state, const char *name, Jsonb *document)
{
	JsonbValue	value = {.type = jbvNull};

	if (document != NULL)
	{
		if (!JB_ROOT_IS_SCALAR(document) ||
			!JsonbExtractScalar(&document->root, &value))
		{
			value.type = jbvBinary;
			value.val.binary.data = &document->root;
			value.val.binary.len = VARSIZE_ANY_EXHDR(document);
		}
	}
	put_key(state, name);
	pushJsonbValue(state, WJB_VALUE, &value);
}

static void
put_key(JsonbParseState **state, const char *name)
{
	JsonbValue	key = {.type = jbvString};

	key.val.string.val = pstrdup(name);
	key.val.string.len = strlen(name);
	pushJsonbValue(state, WJB_KEY, &key);
}
