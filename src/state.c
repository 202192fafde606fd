/*
 * state.c
 *		aevon_state and aevon_windows: questions and how answers look.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "access.h"
#include "figures.h"
#include "fold.h"
#include "guc.h"
#include "json.h"
#include "reader.h"
#include "rule.h"
#include "stats.h"
#include "subject.h"

/* Arguments of both functions, by position. */
enum
{
	ARG_TENANT, ARG_PRINCIPAL, ARG_RULE, ARG_SINCE, ARG_UNTIL, ARG_GRANULARITY,
	ARG_AS_OF, ARG_DIMS, ARG_GROUP_BY, ARG_TIMEZONE
};

typedef struct Request
{
	char	   *tenant;
	char	   *principal;		/* NULL: the whole tenant */
	char	   *rule;			/* NULL: every rule */
	char	   *granularity;
	AevonQuestion question;
	int64		window_count;	/* of a group; 0: only those that hold events */
	List	   *rules;			/* that answer; const AevonRule * */
	AevonAnswer *answer;
} Request;

/* One line of an answer. */
typedef struct Line
{
	AevonSpan	span;
	const AevonDims *dims;		/* of the group; NULL: not grouped */
	const AevonPartial *partial;
} Line;

typedef void (*LineVisitor) (void *context, const AevonRule *rule, const Line *line);

typedef struct RowBuilder
{
	ReturnSetInfo *result;
} RowBuilder;

PG_FUNCTION_INFO_V1(aevon_state_sql);
PG_FUNCTION_INFO_V1(aevon_windows_sql);

static void unpack_request(FunctionCallInfo fcinfo, Request *request);
static const AevonSlicing *slicing_argument(FunctionCallInfo fcinfo);
static char *text_argument(FunctionCallInfo fcinfo, int number, const char *name);
static TimestampTz time_argument(FunctionCallInfo fcinfo, int number, const char *name);
static void answer_request(Request *request);
static List *measures_of(List *rules);
static void count_windows(Request *request);
static bool finite_range(const AevonQuestion *question);
static void visit_lines(const Request *request, const AevonRule *rule, LineVisitor visitor,
						void *context);
static void visit_group(const Request *request, const AevonRule *rule,
						const AevonGroupTally *group, LineVisitor visitor, void *context);
static void add_row(void *context, const AevonRule *rule, const Line *line);
static void add_json_line(void *context, const AevonRule *rule, const Line *line);
static Datum state_document(const Request *request);
static void push_rule(AevonJson *json, const Request *request, const AevonRule *rule);
static int64 skipped_of(const AevonTally *tally);
static TimestampTz data_through(bool *unknown);
static void push_freshness(AevonJson *json);

Datum
aevon_state_sql(PG_FUNCTION_ARGS)
{
	instr_time	start = aevon_stats_start();
	Request		request = {0};
	Datum		document;

	unpack_request(fcinfo, &request);
	answer_request(&request);
	document = state_document(&request);
	aevon_stats_count_read(AEVON_READ_STATE, start);
	PG_RETURN_DATUM(document);
}

Datum
aevon_windows_sql(PG_FUNCTION_ARGS)
{
	instr_time	start = aevon_stats_start();
	Request		request = {0};
	RowBuilder	rows;

	unpack_request(fcinfo, &request);
	answer_request(&request);
	InitMaterializedSRF(fcinfo, 0);
	rows.result = (ReturnSetInfo *) fcinfo->resultinfo;
	for (int i = 0; i < list_length(request.rules); i++)
		visit_lines(&request, list_nth(request.rules, i), add_row, &rows);
	aevon_stats_count_read(AEVON_READ_WINDOWS, start);
	return (Datum) 0;
}

static void
unpack_request(FunctionCallInfo fcinfo, Request *request)
{
	request->tenant = text_argument(fcinfo, ARG_TENANT, "tenant");
	if (!PG_ARGISNULL(ARG_PRINCIPAL))
		request->principal = text_argument(fcinfo, ARG_PRINCIPAL, "principal");
	if (!PG_ARGISNULL(ARG_RULE))
		request->rule = text_argument(fcinfo, ARG_RULE, "rule");
	request->question.since = time_argument(fcinfo, ARG_SINCE, "since");
	request->question.until = time_argument(fcinfo, ARG_UNTIL, "until");
	request->question.as_of = PG_ARGISNULL(ARG_AS_OF) ? DT_NOEND :
		PG_GETARG_TIMESTAMPTZ(ARG_AS_OF);
	request->granularity = text_argument(fcinfo, ARG_GRANULARITY, "granularity");
	request->question.grid = aevon_window_grid(request->granularity,
											   text_argument(fcinfo, ARG_TIMEZONE, "timezone"));
	request->question.slicing = slicing_argument(fcinfo);
	aevon_reader_check_range(request->question.since, request->question.until);
	count_windows(request);
}

static const AevonSlicing *
slicing_argument(FunctionCallInfo fcinfo)
{
	Jsonb	   *dims = PG_ARGISNULL(ARG_DIMS) ? NULL : PG_GETARG_JSONB_P(ARG_DIMS);
	ArrayType  *group_by = PG_ARGISNULL(ARG_GROUP_BY) ? NULL : PG_GETARG_ARRAYTYPE_P(ARG_GROUP_BY);

	return aevon_slicing_request(dims, group_by);
}

static char *
text_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("\"%s\" must not be null", name)));
	return text_to_cstring(PG_GETARG_TEXT_PP(number));
}

static TimestampTz
time_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("\"%s\" must not be null", name),
				 errhint("An open end is '-infinity' or 'infinity', the defaults.")));
	return PG_GETARG_TIMESTAMPTZ(number);
}

/* Everything is read by the one snapshot of the calling statement. */
static void
answer_request(Request *request)
{
	AevonQuestion *question = &request->question;
	const AevonRuleSet *rules;
	AevonSubject subject;
	AevonAccess access;

	question->snapshot = GetActiveSnapshot();
	aevon_subject_resolve(request->tenant, request->principal, &subject);
	question->tenant_key = subject.tenant_key;
	question->principal_key = subject.principal_key;
	question->nobody = subject.subject_key == 0;

	aevon_access_enter(&access);
	rules = aevon_rule_load(question->snapshot);
	question->generation = rules->generation;
	request->rules = aevon_rule_select(rules, question->tenant_key, request->rule);
	request->rules = aevon_slicing_select(question->slicing, request->rules, request->rule != NULL);
	request->answer = aevon_reader_read(question, measures_of(request->rules));
	aevon_access_leave(&access);
	for (int i = 0; i < list_length(request->rules); i++)
		aevon_stats_count_rule(((const AevonRule *) list_nth(request->rules, i))->rule_key);
}

static List *
measures_of(List *rules)
{
	List	   *measures = NIL;
	ListCell   *cell;

	foreach(cell, rules)
		measures = list_append_unique_ptr(measures, (void *) ((AevonRule *) lfirst(cell))->measure);
	return measures;
}

static void
count_windows(Request *request)
{
	const AevonQuestion *question = &request->question;

	if (question->grid->kind == AEVON_GRID_TOTAL || !finite_range(question))
		return;
	request->window_count = aevon_window_count(question->grid, question->since, question->until,
											   aevon_max_windows);
	aevon_sums_check_windows(request->window_count);
}

static bool
finite_range(const AevonQuestion *question)
{
	return !TIMESTAMP_NOT_FINITE(question->since) && !TIMESTAMP_NOT_FINITE(question->until);
}

/*
 * The lines of a rule's answer, group by group, in order of time: every window
 * of a finite range, the windows that hold events of an open one.
 */
static void
visit_lines(const Request *request, const AevonRule *rule, LineVisitor visitor, void *context)
{
	const AevonTally *tally = aevon_reader_tally(request->answer, rule->measure);

	aevon_sums_check_windows(tally->group_count * request->window_count);
	for (int i = 0; i < tally->group_count; i++)
		visit_group(request, rule, &tally->groups[i], visitor, context);
}

static void
visit_group(const Request *request, const AevonRule *rule, const AevonGroupTally *group,
			LineVisitor visitor, void *context)
{
	static const AevonPartial nothing = {0};
	const AevonQuestion *question = &request->question;
	TimestampTz at = question->since;
	Line		line = {{question->since, question->until}, group->dims, group->total};
	int			next = 0;

	CHECK_FOR_INTERRUPTS();
	if (question->grid->kind == AEVON_GRID_TOTAL)
		visitor(context, rule, &line);
	else if (!finite_range(question))
	{
		for (; next < group->count; next++)
		{
			CHECK_FOR_INTERRUPTS();
			line.span = aevon_window_find(question->grid, group->windows[next].window);
			line.partial = group->windows[next].partial;
			visitor(context, rule, &line);
		}
	}
	else
	{
		for (; at < question->until; at = line.span.end)
		{
			CHECK_FOR_INTERRUPTS();
			line.span = aevon_window_find(question->grid, at);
			line.partial = &nothing;
			if (next < group->count && group->windows[next].window == line.span.start)
				line.partial = group->windows[next++].partial;
			visitor(context, rule, &line);
		}
	}
}

static void
add_row(void *context, const AevonRule *rule, const Line *line)
{
	RowBuilder *rows = context;
	AevonJson	stats = {0};
	Numeric		value = aevon_fold_final(line->partial, &rule->operators[0]);
	Datum		values[7];
	bool		nulls[7] = {false};

	values[0] = CStringGetTextDatum(rule->name);
	values[1] = JsonbPGetDatum(aevon_slicing_document(line->dims));
	values[2] = TimestampTzGetDatum(line->span.start);
	values[3] = TimestampTzGetDatum(line->span.end);
	values[4] = Int64GetDatum(line->partial->event_count);
	nulls[5] = value == NULL;
	values[5] = NumericGetDatum(value);
	aevon_json_token(&stats, WJB_BEGIN_OBJECT);
	aevon_figures_push(&stats, rule, line->partial);
	aevon_json_token(&stats, WJB_END_OBJECT);
	values[6] = JsonbPGetDatum(aevon_json_finish(&stats));
	tuplestore_putvalues(rows->result->setResult, rows->result->setDesc, values, nulls);
}

static void
add_json_line(void *context, const AevonRule *rule, const Line *line)
{
	AevonJson  *json = context;

	aevon_json_token(json, WJB_BEGIN_OBJECT);
	if (line->dims != NULL)
		aevon_json_document(json, "dims", aevon_slicing_document(line->dims));
	aevon_json_key(json, "stats");
	aevon_json_token(json, WJB_BEGIN_OBJECT);
	aevon_figures_push(json, rule, line->partial);
	aevon_json_token(json, WJB_END_OBJECT);
	aevon_json_number(json, "value", aevon_fold_final(line->partial, &rule->operators[0]));
	aevon_json_time(json, "window_end", line->span.end);
	aevon_json_number(json, "event_count", int64_to_numeric(line->partial->event_count));
	aevon_json_time(json, "window_start", line->span.start);
	aevon_json_token(json, WJB_END_OBJECT);
}

/*
 * Members are pushed in the order in which jsonb stores them, by length and then
 * by bytes: sorting them would cost more than pushing them.
 */
static Datum
state_document(const Request *request)
{
	const AevonQuestion *question = &request->question;
	const AevonAnswer *answer = request->answer;
	AevonJson	json = {0};

	aevon_json_token(&json, WJB_BEGIN_OBJECT);
	aevon_json_text(&json, "cut", answer->cut ? aevon_cut_text(answer->cut) : NULL);
	if (question->as_of == DT_NOEND)
		aevon_json_text(&json, "as_of", NULL);
	else
		aevon_json_time(&json, "as_of", question->as_of);
	aevon_json_key(&json, "rules");
	aevon_json_token(&json, WJB_BEGIN_OBJECT);
	for (int i = 0; i < list_length(request->rules); i++)
		push_rule(&json, request, list_nth(request->rules, i));
	aevon_json_token(&json, WJB_END_OBJECT);
	aevon_json_time(&json, "since", question->since);
	aevon_json_time(&json, "until", question->until);
	aevon_json_text(&json, "tenant", request->tenant);
	aevon_json_text(&json, "timezone", question->grid->zone_name);
	aevon_json_text(&json, "principal", request->principal);
	aevon_json_text(&json, "granularity", request->granularity);
	aevon_json_number(&json, "tail_events", int64_to_numeric(answer->tail_events));
	push_freshness(&json);
	aevon_json_token(&json, WJB_END_OBJECT);
	return JsonbPGetDatum(aevon_json_finish(&json));
}

static void
push_rule(AevonJson *json, const Request *request, const AevonRule *rule)
{
	const AevonTally *tally = aevon_reader_tally(request->answer, rule->measure);

	aevon_json_key(json, rule->name);
	aevon_json_token(json, WJB_BEGIN_OBJECT);
	aevon_json_key(json, "values");
	aevon_json_token(json, WJB_BEGIN_ARRAY);
	visit_lines(request, rule, add_json_line, json);
	aevon_json_token(json, WJB_END_ARRAY);
	aevon_json_number(json, "skipped", int64_to_numeric(skipped_of(tally)));
	aevon_json_number(json, "version", int64_to_numeric(rule->version));
	if (request->question.slicing != NULL)
		aevon_json_boolean(json, "complete", tally->complete);
	aevon_json_key(json, "operators");
	aevon_json_token(json, WJB_BEGIN_ARRAY);
	for (int i = 0; i < rule->operator_count; i++)
		aevon_json_text(json, NULL, rule->operators[i].name);
	aevon_json_token(json, WJB_END_ARRAY);
	aevon_json_token(json, WJB_END_OBJECT);
}

static int64
skipped_of(const AevonTally *tally)
{
	int64		skipped = 0;

	for (int i = 0; i < tally->group_count; i++)
	{
		const AevonGroupTally *group = &tally->groups[i];

		skipped += group->total->skipped;
		for (int k = 0; k < group->count; k++)
			skipped += group->windows[k].partial->skipped;
	}
	return skipped;
}

/*
 * Every event whose commit was acknowledged by this time is in the answer.  On
 * a standby that is what has been replayed.
 */
static TimestampTz
data_through(bool *unknown)
{
	TimestampTz replayed;

	*unknown = false;
	if (RecoveryInProgress())
	{
		replayed = GetLatestXTime();
		*unknown = replayed == 0;
		return replayed;
	}
	if (IsolationUsesXactSnapshot())
		return GetCurrentTransactionStartTimestamp();
	return GetCurrentStatementStartTimestamp();
}

static void
push_freshness(AevonJson *json)
{
	bool		unknown;
	TimestampTz through = data_through(&unknown);
	int64		behind = RecoveryInProgress() || IsolationUsesXactSnapshot() ?
	Max(GetCurrentTimestamp() - through, 0) : 0;

	if (unknown)
	{
		aevon_json_text(json, "data_through", NULL);
		aevon_json_number(json, "staleness_seconds", NULL);
		return;
	}
	aevon_json_time(json, "data_through", through);
	aevon_json_number(json, "staleness_seconds", int64_div_fast_to_numeric(behind, 6));
}
