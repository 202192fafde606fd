/*
 * explain.c
 *		aevon_explain: the events behind a day's metric, or behind one revision.
 *
 * A revision says what changed between two cuts: an event counts at a cut if
 * it is inside and its void is not.  Events that count at one of the two only
 * are the change.  They are given in order of (occurred_at, principal,
 * event_id), page by page.  Layer 3.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "access.h"
#include "catalog.h"
#include "cut.h"
#include "dictionary.h"
#include "errors.h"
#include "fold.h"
#include "rule.h"
#include "stats.h"
#include "store.h"
#include "subject.h"
#include "voids.h"

#define COLUMNS 13
#define MAX_PAGE 100000			/* rows */

typedef struct ExplainRequest
{
	char	   *tenant;
	char	   *principal;		/* NULL: the whole tenant */
	char	   *rule;
	DateADT		day;
	int32		revision;		/* 0: the whole day, as of now */
	int32		max_rows;
	char	   *after;			/* NULL: the first page */
} ExplainRequest;

/* Where a row stands in the order. */
typedef struct Position
{
	TimestampTz occurred_at;
	const char *principal;
	const char *event_id;
} Position;

/* A row to be given. */
typedef struct Finding
{
	Position	position;
	TimestampTz ingested_at;
	bool		late;
	int			count_change;
	bool		has_value;
	AevonDecimal value;
	bool		is_void;
	TimestampTz voided_at;
	char	   *reason;
	char	   *voided_by;
} Finding;

typedef struct Explainer
{
	const ExplainRequest *request;
	AevonSubject subject;
	const AevonMeasure *measure;
	AevonVoids *voids;
	AevonCut   *before;			/* both NULL: the whole day */
	AevonCut   *after;
	Position	start;			/* rows at or before it were given */
	ReturnSetInfo *result;
	int32		given;
	MemoryContext ties;			/* of findings with the same time */
	int			count;
	int			capacity;
	Finding    *findings;
} Explainer;

PG_FUNCTION_INFO_V1(aevon_explain_sql);

static void unpack_request(FunctionCallInfo fcinfo, ExplainRequest *request);
static void refuse_bad_page(const ExplainRequest *request);
static void explain(Explainer *explainer);
static void load_cuts(Explainer *explainer);
static AevonCut *read_cut(int64 series_key, DateADT day, int32 revision, bool exact);
static void raise_unknown_revision(const ExplainRequest *request) pg_attribute_noreturn();
static void parse_after(Explainer *explainer);
static Jsonb *parse_document(const char *text);
static char *array_text(Jsonb *array, int index);
static bool may_hold_events(DateADT day);
static void scan_day(Explainer *explainer);
static void consider(Explainer *explainer, AevonLogRow *row);
static bool judge(Explainer *explainer, AevonLogRow *row, Finding *finding);
static void give_ties(Explainer *explainer);
static int	compare_positions(const Position *a, const Position *b);
static int	compare_findings(const void *a, const void *b);
static void give(Explainer *explainer, const Finding *finding);
static char *position_text(const Position *position);

Datum
aevon_explain_sql(PG_FUNCTION_ARGS)
{
	instr_time	start = aevon_stats_start();
	ExplainRequest request;
	Explainer	explainer = {0};

	unpack_request(fcinfo, &request);
	InitMaterializedSRF(fcinfo, 0);
	explainer.request = &request;
	explainer.result = (ReturnSetInfo *) fcinfo->resultinfo;
	explain(&explainer);
	aevon_stats_count_read(AEVON_READ_EXPLAIN, start);
	return (Datum) 0;
}

static void
unpack_request(FunctionCallInfo fcinfo, ExplainRequest *request)
{
	memset(request, 0, sizeof(*request));
	aevon_error_if_null(PG_ARGISNULL(0), "tenant");
	aevon_error_if_null(PG_ARGISNULL(2), "rule");
	aevon_error_if_null(PG_ARGISNULL(3), "day");
	aevon_error_if_null(PG_ARGISNULL(6), "max_rows");
	request->tenant = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (!PG_ARGISNULL(1))
		request->principal = text_to_cstring(PG_GETARG_TEXT_PP(1));
	request->rule = text_to_cstring(PG_GETARG_TEXT_PP(2));
	request->day = PG_GETARG_DATEADT(3);
	if (!PG_ARGISNULL(4))
		request->revision = PG_GETARG_INT32(4);
	if (!PG_ARGISNULL(5))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("argument \"dims\" is not supported yet"),
				 errhint("Leave it out.")));
	request->max_rows = PG_GETARG_INT32(6);
	if (!PG_ARGISNULL(7))
		request->after = text_to_cstring(PG_GETARG_TEXT_PP(7));
	if (!PG_ARGISNULL(4) && request->revision < 1)
		raise_unknown_revision(request);
	refuse_bad_page(request);
}

static void
refuse_bad_page(const ExplainRequest *request)
{
	if (DATE_NOT_FINITE(request->day))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("\"day\" must be finite")));
	if (request->max_rows < 1 || request->max_rows > MAX_PAGE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"max_rows\" must lie between 1 and %d", MAX_PAGE)));
}

static void
explain(Explainer *explainer)
{
	const ExplainRequest *request = explainer->request;
	const AevonRule *rule;
	AevonAccess access;

	aevon_subject_resolve(request->tenant, request->principal, &explainer->subject);
	aevon_access_enter(&access);
	rule = linitial(aevon_rule_select(aevon_rule_load(GetActiveSnapshot()),
									  explainer->subject.tenant_key, request->rule));
	explainer->measure = rule->measure;
	explainer->ties = AllocSetContextCreate(CurrentMemoryContext, "aevon explain ties",
											ALLOCSET_DEFAULT_SIZES);
	if (request->revision > 0)
		load_cuts(explainer);
	parse_after(explainer);
	if (explainer->subject.subject_key != 0 && may_hold_events(request->day))
		scan_day(explainer);
	aevon_access_leave(&access);
}

static void
load_cuts(Explainer *explainer)
{
	const ExplainRequest *request = explainer->request;
	AevonStore *store = aevon_store_open(GetActiveSnapshot(), false);
	AevonSeries series = {explainer->measure->measure_key, explainer->subject.tenant_key,
	explainer->subject.subject_key, NULL};
	int64		series_key = 0;

	if (explainer->subject.subject_key != 0)
		series_key = aevon_store_find_series(store, &series);
	aevon_store_close(store);
	if (series_key != 0)
		explainer->after = read_cut(series_key, request->day, request->revision, true);
	if (explainer->after == NULL)
		raise_unknown_revision(request);
	if (request->revision > 1)
		explainer->before = read_cut(series_key, request->day, request->revision - 1, false);
	if (explainer->before == NULL)
		explainer->before = aevon_cut_empty();
}

/*
 * The cut of a revision; unless it must be that very one, of the greatest up
 * to it, as some may have been compacted.  NULL if there is none.
 */
static AevonCut *
read_cut(int64 series_key, DateADT day, int32 revision, bool exact)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		values[4] = {
		Int64GetDatum(series_key), Int32GetDatum(day), Int32GetDatum(revision),
		Int32GetDatum(exact ? revision : 1)
	};
	AevonCut   *cut = NULL;

	aevon_catalog_connect();
	aevon_catalog_run(AEVON_QUERY_SNAPSHOT_CUT, values, NULL, true);
	if (SPI_processed > 0)
	{
		MemoryContext spi = MemoryContextSwitchTo(caller);
		HeapTuple	tuple = SPI_tuptable->vals[0];
		bool		isnull;

		cut = aevon_cut_from_datums(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &isnull),
									SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &isnull));
		MemoryContextSwitchTo(spi);
	}
	aevon_catalog_finish();
	return cut;
}

static void
raise_unknown_revision(const ExplainRequest *request)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("the day has no revision %d", request->revision),
			 errhint("aevon_history lists the revisions; leave \"revision\" out to see the whole day.")));
}

/* The cursor is a JSON array: microseconds, principal, event id. */
static void
parse_after(Explainer *explainer)
{
	const char *after = explainer->request->after;
	Position   *start = &explainer->start;
	Jsonb	   *document;
	char	   *micros = NULL;

	start->occurred_at = DT_NOBEGIN;
	if (after == NULL)
		return;
	document = parse_document(after);
	if (document != NULL)
	{
		micros = array_text(document, 0);
		start->principal = array_text(document, 1);
		start->event_id = array_text(document, 2);
	}
	if (micros == NULL || start->principal == NULL || start->event_id == NULL ||
		strspn(micros, "-0123456789") != strlen(micros) || strlen(micros) > 19)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"after\" is not a position"),
				 errhint("Give the position of the last row of the page before.")));
	start->occurred_at = strtoi64(micros, NULL, 10);
}

/* The text as a document, or NULL if it is none. */
static Jsonb *
parse_document(const char *text)
{
	MemoryContext context = CurrentMemoryContext;
	Jsonb	   *volatile document = NULL;

	PG_TRY();
	{
		document = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	}
	PG_CATCH();
	{
		/* jsonb_in holds nothing but memory; what is no bad text goes on */
		if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	return document;
}

static char *
array_text(Jsonb *array, int index)
{
	JsonbValue *item;

	if (!JB_ROOT_IS_ARRAY(array) || JB_ROOT_IS_SCALAR(array) || JB_ROOT_COUNT(array) != 3)
		return NULL;
	item = getIthJsonbValueFromContainer(&array->root, index);
	if (item->type == jbvString)
		return pnstrdup(item->val.string.val, item->val.string.len);
	if (item->type == jbvNumeric)
		return DatumGetCString(DirectFunctionCall1(numeric_out,
												   NumericGetDatum(item->val.numeric)));
	return NULL;
}

/* Events lie in the years 1 to 9999; microseconds of far dates overflow. */
static bool
may_hold_events(DateADT day)
{
	return day >= date2j(1, 1, 1) - POSTGRES_EPOCH_JDATE &&
		day < date2j(10000, 1, 1) - POSTGRES_EPOCH_JDATE;
}

static void
scan_day(Explainer *explainer)
{
	const AevonSubject *subject = &explainer->subject;
	Snapshot	snapshot = GetActiveSnapshot();
	TimestampTz since = explainer->request->day * AEVON_DAY;
	TimestampTz until = since + AEVON_DAY;
	AevonLogScan *scan;
	AevonLogRow row;

	since = Max(since, explainer->start.occurred_at);
	explainer->voids = aevon_voids_open(snapshot, subject->tenant_key);
	if (subject->principal_key != 0)
		scan = aevon_log_scan_principal(snapshot, subject->principal_key, since, until);
	else
		scan = aevon_log_scan_tenant(snapshot, subject->tenant_key, since, until);
	while (explainer->given < explainer->request->max_rows && aevon_log_scan_next(scan, &row))
	{
		if (explainer->count > 0 &&
			explainer->findings[0].position.occurred_at != row.occurred_at)
			give_ties(explainer);
		consider(explainer, &row);
	}
	give_ties(explainer);
	aevon_log_scan_end(scan);
	aevon_voids_close(explainer->voids);
}

static void
consider(Explainer *explainer, AevonLogRow *row)
{
	MemoryContext outer = MemoryContextSwitchTo(explainer->ties);
	Finding		finding = {0};

	if (judge(explainer, row, &finding))
	{
		if (explainer->count == explainer->capacity)
		{
			explainer->capacity = explainer->capacity * 2 + 16;
			explainer->findings = explainer->findings == NULL ?
				palloc(explainer->capacity * sizeof(Finding)) :
				repalloc_huge(explainer->findings, explainer->capacity * sizeof(Finding));
		}
		explainer->findings[explainer->count++] = finding;
	}
	MemoryContextSwitchTo(outer);
	if (explainer->count == 0)
	{
		MemoryContextReset(explainer->ties);
		explainer->findings = NULL;
		explainer->capacity = 0;
	}
}

/* Is the event part of the answer, and what did it change? */
static bool
judge(Explainer *explainer, AevonLogRow *row, Finding *finding)
{
	bool		whole_day = explainer->after == NULL;
	AevonContribution contribution;
	AevonVoid	found;
	int			counted_before;
	int			counted_after;

	finding->is_void = aevon_voids_find(explainer->voids, row, &found);
	counted_before = !whole_day && aevon_cut_contains(explainer->before, row->stamp) &&
		!(finding->is_void && aevon_cut_contains(explainer->before, found.stamp));
	counted_after = whole_day ? !finding->is_void :
		aevon_cut_contains(explainer->after, row->stamp) &&
		!(finding->is_void && aevon_cut_contains(explainer->after, found.stamp));
	finding->count_change = counted_after - counted_before;
	if ((finding->count_change == 0 && !whole_day) ||
		!aevon_fold_evaluate(explainer->measure, row, &contribution))
		return false;

	finding->position.occurred_at = row->occurred_at;
	finding->position.principal = aevon_dictionary_name(AEVON_DICTIONARY_PRINCIPAL,
														row->principal_key);
	finding->position.event_id = aevon_log_row_event_id(row);
	if (explainer->start.principal != NULL &&
		compare_positions(&finding->position, &explainer->start) <= 0)
		return false;
	finding->ingested_at = row->ingested_at;
	finding->late = row->ingested_at >= (explainer->request->day + 1) * AEVON_DAY;
	finding->has_value = explainer->measure->value != NULL && contribution.has_value;
	finding->value = contribution.value;
	finding->is_void &= finding->count_change <= 0;
	if (finding->is_void)
	{
		finding->voided_at = found.voided_at;
		finding->reason = aevon_voids_reason(explainer->voids);
		finding->voided_by = aevon_voids_author(explainer->voids);
	}
	return true;
}

/* Give the findings that share a time, in order, as far as the page goes. */
static void
give_ties(Explainer *explainer)
{
	if (explainer->count > 1)
		qsort(explainer->findings, explainer->count, sizeof(Finding), compare_findings);
	for (int i = 0; i < explainer->count; i++)
	{
		if (explainer->given == explainer->request->max_rows)
			break;
		give(explainer, &explainer->findings[i]);
		explainer->given++;
	}
	explainer->count = explainer->capacity = 0;
	explainer->findings = NULL;
	MemoryContextReset(explainer->ties);
}

static int
compare_positions(const Position *a, const Position *b)
{
	int			order;

	if (a->occurred_at != b->occurred_at)
		return a->occurred_at < b->occurred_at ? -1 : 1;
	order = strcmp(a->principal, b->principal);
	return order != 0 ? order : strcmp(a->event_id, b->event_id);
}

static int
compare_findings(const void *a, const void *b)
{
	return compare_positions(&((const Finding *) a)->position, &((const Finding *) b)->position);
}

static void
give(Explainer *explainer, const Finding *finding)
{
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {false};
	Numeric		value = finding->has_value ? aevon_decimal_to_numeric(&finding->value) : NULL;

	values[0] = CStringGetTextDatum(finding->position.principal);
	values[1] = CStringGetTextDatum(finding->position.event_id);
	values[2] = CStringGetTextDatum(finding->is_void ? "voided" : "added");
	values[3] = TimestampTzGetDatum(finding->position.occurred_at);
	values[4] = TimestampTzGetDatum(finding->ingested_at);
	values[5] = DirectFunctionCall2(timestamp_mi, values[4], values[3]);
	values[6] = BoolGetDatum(finding->late);
	values[7] = Int32GetDatum(finding->count_change);
	nulls[8] = value == NULL;
	if (value != NULL)
		values[8] = finding->count_change > 0 ? NumericGetDatum(value) :
			finding->count_change == 0 ? NumericGetDatum(int64_to_numeric(0)) :
			DirectFunctionCall1(numeric_uminus, NumericGetDatum(value));
	values[9] = TimestampTzGetDatum(finding->voided_at);
	nulls[9] = nulls[10] = nulls[11] = !finding->is_void;
	if (finding->is_void)
	{
		values[10] = CStringGetTextDatum(finding->reason);
		values[11] = CStringGetTextDatum(finding->voided_by);
	}
	values[12] = CStringGetTextDatum(position_text(&finding->position));
	tuplestore_putvalues(explainer->result->setResult, explainer->result->setDesc, values, nulls);
}

static char *
position_text(const Position *position)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "[" INT64_FORMAT ", ", position->occurred_at);
	escape_json(&buf, position->principal);
	appendStringInfoString(&buf, ", ");
	escape_json(&buf, position->event_id);
	appendStringInfoChar(&buf, ']');
	return buf.data;
}
