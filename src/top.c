/*
 * top.c
 *		aevon_top: the principals, or the values of a dimension, with the
 *		greatest statistic.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "access.h"
#include "dictionary.h"
#include "errors.h"
#include "figures.h"
#include "fold.h"
#include "guc.h"
#include "reader.h"
#include "stats.h"
#include "subject.h"

enum
{
	ARG_TENANT, ARG_RULE, ARG_N, ARG_BY, ARG_OF, ARG_SINCE, ARG_UNTIL, ARG_DIMS
};

typedef struct Request
{
	char	   *tenant;
	char	   *rule_name;
	char	   *by;				/* NULL: the rule's first operator */
	char	   *of;
	int			n;
	AevonSlicing slicing;
	AevonQuestion question;
	const AevonRule *rule;
	int			by_operator;	/* index */
	AevonAnswer *answer;
} Request;

typedef struct Ranked
{
	const AevonGroupTally *group;
	int			place;			/* in the order of groups */
	Numeric		value;			/* NULL: there is none */
	char	   *key;			/* NULL: null; once looked up */
} Ranked;

PG_FUNCTION_INFO_V1(aevon_top_sql);

static void unpack_request(FunctionCallInfo fcinfo, Request *request);
static void check_count(int n);
static void answer_request(Request *request);
static int	find_operator(const AevonRule *rule, const char *by);
static Ranked *rank_groups(const Request *request, int *count);
static int	compare_values(const void *a, const void *b);
static int	compare_ranked(const void *a, const void *b);
static char *key_of(const AevonGroupTally *group, const Request *request);
static char *text_of_value(const JsonbValue *value);
static void put_row(ReturnSetInfo *result, const Request *request, int rank,
					const Ranked *ranked);

Datum
aevon_top_sql(PG_FUNCTION_ARGS)
{
	instr_time	start = aevon_stats_start();
	Request		request = {0};
	Ranked	   *ranked;
	int			count;

	unpack_request(fcinfo, &request);
	answer_request(&request);
	ranked = rank_groups(&request, &count);
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < count; i++)
		put_row((ReturnSetInfo *) fcinfo->resultinfo, &request, i + 1, &ranked[i]);
	aevon_stats_count_read(AEVON_READ_TOP, start);
	return (Datum) 0;
}

static void
unpack_request(FunctionCallInfo fcinfo, Request *request)
{
	static const struct
	{
		int			number;
		const char *name;
	}			needed[] = {{ARG_TENANT, "\"tenant\""}, {ARG_RULE, "\"rule\""}, {ARG_N, "\"n\""},
	{ARG_OF, "\"of\""}, {ARG_SINCE, "\"since\""}, {ARG_UNTIL, "\"until\""}};
	AevonSlicing *slicing;

	for (int i = 0; i < lengthof(needed); i++)
		aevon_error_if_null(PG_ARGISNULL(needed[i].number), needed[i].name);
	request->tenant = text_to_cstring(PG_GETARG_TEXT_PP(ARG_TENANT));
	request->rule_name = text_to_cstring(PG_GETARG_TEXT_PP(ARG_RULE));
	request->n = PG_GETARG_INT32(ARG_N);
	if (!PG_ARGISNULL(ARG_BY))
		request->by = text_to_cstring(PG_GETARG_TEXT_PP(ARG_BY));
	request->of = text_to_cstring(PG_GETARG_TEXT_PP(ARG_OF));
	request->question.since = PG_GETARG_TIMESTAMPTZ(ARG_SINCE);
	request->question.until = PG_GETARG_TIMESTAMPTZ(ARG_UNTIL);
	request->question.as_of = DT_NOEND;
	request->question.grid = aevon_window_grid("total", "UTC");
	aevon_reader_check_range(request->question.since, request->question.until);
	check_count(request->n);

	slicing = aevon_slicing_request(PG_ARGISNULL(ARG_DIMS) ? NULL : PG_GETARG_JSONB_P(ARG_DIMS),
									NULL);
	if (slicing != NULL)
		request->slicing = *slicing;
	request->slicing.unbounded = true;
	request->slicing.by_principal = strcmp(request->of, AEVON_PRINCIPAL) == 0;
	if (!request->slicing.by_principal)
	{
		request->slicing.group_count = 1;
		request->slicing.groups = &request->of;
	}
	request->question.slicing = &request->slicing;
}

static void
check_count(int n)
{
	if (n < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"n\" must be at least 1, not %d", n)));
	if (n > aevon_max_windows)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("\"n\" is too large"),
				 errdetail("%d is more than aevon.max_windows (%d).", n, aevon_max_windows)));
}

/* Everything is read by the one snapshot of the calling statement. */
static void
answer_request(Request *request)
{
	AevonQuestion *question = &request->question;
	AevonSubject subject;
	const AevonRuleSet *set;
	AevonAccess access;
	List	   *rules;

	question->snapshot = GetActiveSnapshot();
	aevon_subject_resolve(request->tenant, NULL, &subject);
	question->tenant_key = subject.tenant_key;
	question->nobody = subject.subject_key == 0;

	aevon_access_enter(&access);
	set = aevon_rule_load(question->snapshot);
	question->generation = set->generation;
	rules = aevon_rule_select(set, question->tenant_key, request->rule_name);
	rules = aevon_slicing_select(question->slicing, rules, true);
	request->rule = linitial(rules);
	request->by_operator = find_operator(request->rule, request->by);
	request->answer = aevon_reader_read(question,
										list_make1((void *) request->rule->measure));
	aevon_access_leave(&access);
	aevon_stats_count_rule(request->rule->rule_key);
}

static int
find_operator(const AevonRule *rule, const char *by)
{
	if (by == NULL)
		return 0;
	for (int i = 0; i < rule->operator_count; i++)
	{
		if (strcmp(rule->operators[i].name, by) == 0)
			return i;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("rule \"%s\" has no operator \"%s\"", rule->name, aevon_error_excerpt(by)),
			 errhint("\"by\" is one of the rule's operators; NULL is the first.")));
}

/*
 * The first n groups.  Names are looked up only for those, and for what ties
 * with the last of them.
 */
static Ranked *
rank_groups(const Request *request, int *count)
{
	const AevonTally *tally = aevon_reader_tally(request->answer, request->rule->measure);
	Ranked	   *ranked = palloc_extended(Max(tally->group_count, 1) * sizeof(Ranked),
										 MCXT_ALLOC_HUGE);
	int			left = Min(request->n, tally->group_count);

	for (int i = 0; i < tally->group_count; i++)
	{
		ranked[i].group = &tally->groups[i];
		ranked[i].place = i;
		ranked[i].value = aevon_fold_final(tally->groups[i].total,
										   &request->rule->operators[request->by_operator]);
	}
	qsort(ranked, tally->group_count, sizeof(Ranked), compare_values);
	while (left > 0 && left < tally->group_count &&
		   compare_values(&ranked[left - 1], &ranked[left]) == 0)
		left++;
	for (int i = 0; i < left; i++)
		ranked[i].key = key_of(ranked[i].group, request);
	qsort(ranked, left, sizeof(Ranked), compare_ranked);
	*count = Min(request->n, left);
	return ranked;
}

/* Greatest first, none last. */
static int
compare_values(const void *a, const void *b)
{
	Numeric		x = ((const Ranked *) a)->value;
	Numeric		y = ((const Ranked *) b)->value;

	if (x == NULL || y == NULL)
		return (x == NULL) - (y == NULL);
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(y),
											 NumericGetDatum(x)));
}

/* Then by key; keys that look alike in the order of groups. */
static int
compare_ranked(const void *a, const void *b)
{
	const Ranked *x = a;
	const Ranked *y = b;
	int			order = compare_values(a, b);

	if (order != 0)
		return order;
	if (x->key == NULL || y->key == NULL)
		return (x->key == NULL) - (y->key == NULL);
	order = strcmp(x->key, y->key);
	return order != 0 ? order : x->place - y->place;
}

static char *
key_of(const AevonGroupTally *group, const Request *request)
{
	if (group->dims == NULL)
		return aevon_dictionary_name(AEVON_DICTIONARY_PRINCIPAL, group->principal_key);
	if (group->dims->other)
		return AEVON_OTHER;
	return text_of_value(&group->dims->items[aevon_dims_find(request->rule->measure,
															 request->of)]);
}

static char *
text_of_value(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return pnstrdup(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out,
													   NumericGetDatum(value->val.numeric)));
		case jbvBool:
			return value->val.boolean ? "true" : "false";
		default:
			return NULL;
	}
}

static void
put_row(ReturnSetInfo *result, const Request *request, int rank, const Ranked *ranked)
{
	const AevonPartial *partial = ranked->group->total;
	AevonJson	stats = {0};
	Datum		values[5];
	bool		nulls[5] = {false};

	values[0] = Int32GetDatum(rank);
	nulls[1] = ranked->key == NULL;
	if (ranked->key != NULL)
		values[1] = CStringGetTextDatum(ranked->key);
	values[2] = Int64GetDatum(partial->event_count);
	nulls[3] = ranked->value == NULL;
	values[3] = NumericGetDatum(ranked->value);
	aevon_json_token(&stats, WJB_BEGIN_OBJECT);
	aevon_figures_push(&stats, request->rule, partial);
	if (ranked->group->dims != NULL && ranked->group->dims->other)
		aevon_json_boolean(&stats, AEVON_OTHER, true);
	aevon_json_token(&stats, WJB_END_OBJECT);
	values[4] = JsonbPGetDatum(aevon_json_finish(&stats));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}
