/*
 * explain.c
 *		aevon_explain: the events behind a day's metric, or behind one revision.
 *
 * A revision says what changed between two cuts: an event counts at a cut if
 * it is inside and its void is not.  Events that count at one of the two only
 * are the change.  They are given in order of (occurred_at, principal,
 * event_id), page by page.
 *
 * There are two ways to find them: the subject's events of the day, by time,
 * and whatever entered between the two cuts, by stamp.  Which is shorter is
 * not known beforehand, so both are gone side by side, row by row, until one
 * ends: that costs at most twice the better one.  Layer 3.
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
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "access.h"
#include "asked.h"
#include "catalog.h"
#include "cut.h"
#include "dictionary.h"
#include "entered.h"
#include "errors.h"
#include "explained.h"
#include "fold.h"
#include "position.h"
#include "rule.h"
#include "seriesfilter.h"
#include "stats.h"
#include "store.h"
#include "subject.h"
#include "voided.h"
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
	Jsonb	   *dims;			/* NULL: totals */
	char	   *after;			/* NULL: the first page */
} ExplainRequest;

typedef struct Explainer
{
	const ExplainRequest *request;
	Snapshot	snapshot;
	AevonSubject subject;
	const AevonMeasure *measure;
	AevonStore *store;
	AevonDims  *dims;			/* NULL: every event */
	AevonSeriesFilter *filter;
	AevonVoids *voids;
	AevonCut   *before;			/* both NULL: the whole day */
	AevonCut   *after;
	AevonPosition start;		/* rows at or before it were given */
	TimestampTz since;			/* what is left of the day */
	TimestampTz until;
	ReturnSetInfo *result;
	int32		given;
	MemoryContext scratch;		/* of one event */
	AevonExplainedList ties;	/* those with the same time */
	AevonExplainedList entered; /* those by stamp, so far */
} Explainer;

PG_FUNCTION_INFO_V1(aevon_explain_sql);

static void unpack_request(FunctionCallInfo fcinfo, ExplainRequest *request);
static void refuse_bad_page(const ExplainRequest *request);
static void explain(Explainer *explainer);
static void load_cuts(Explainer *explainer);
static AevonCut *read_cut(int64 series_key, DateADT day, int32 revision, bool exact);
static void raise_unknown_revision(const ExplainRequest *request) pg_attribute_noreturn();
static bool may_hold_events(DateADT day);
static void find_events(Explainer *explainer);
static bool takes_over_events(Explainer *explainer);
static AevonLogScan *scan_day(Explainer *explainer);
static bool step_by_time(Explainer *explainer, AevonLogScan *scan);
static bool step_by_stamp(Explainer *explainer, AevonEntered *entered);
static void find_voided(Explainer *explainer);
static void consider_voided(void *context, AevonLogRow *row, const AevonVoid *found);
static void consider(Explainer *explainer, AevonLogRow *row, AevonExplainedList *list);
static bool judge(Explainer *explainer, AevonLogRow *row, AevonExplained *explained);
static bool belongs_at(Explainer *explainer, AevonLogRow *row, const AevonCut *cut);
static void give_list(Explainer *explainer, AevonExplainedList *list);
static void give(Explainer *explainer, const AevonExplained *row);

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
		request->dims = PG_GETARG_JSONB_P(5);
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
	aevon_stats_count_rule(rule->rule_key);
	explainer->measure = rule->measure;
	explainer->snapshot = GetActiveSnapshot();
	explainer->store = aevon_store_open(explainer->snapshot, false);
	explainer->dims = aevon_asked_dims(aevon_dims_table_create(), rule, &explainer->subject,
									   request->dims);
	explainer->filter = aevon_seriesfilter_create(explainer->store, explainer->dims);
	if (request->revision > 0)
		load_cuts(explainer);
	explainer->start.occurred_at = DT_NOBEGIN;
	if (request->after != NULL)
		aevon_position_parse(request->after, &explainer->start);
	if (explainer->subject.subject_key != 0 && may_hold_events(request->day))
		find_events(explainer);
	aevon_store_close(explainer->store);
	aevon_access_leave(&access);
}

static void
load_cuts(Explainer *explainer)
{
	const ExplainRequest *request = explainer->request;
	AevonSeries series = {explainer->measure->measure_key, explainer->subject.tenant_key,
	explainer->subject.subject_key, explainer->dims};
	int64		series_key = 0;

	if (explainer->subject.subject_key != 0)
		series_key = aevon_store_find_series(explainer->store, &series);
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

/* Events lie in the years 1 to 9999; microseconds of far dates overflow. */
static bool
may_hold_events(DateADT day)
{
	return day >= date2j(1, 1, 1) - POSTGRES_EPOCH_JDATE &&
		day < date2j(10000, 1, 1) - POSTGRES_EPOCH_JDATE;
}

/* Fill the page by time, or, if that ends sooner, by stamp. */
static void
find_events(Explainer *explainer)
{
	AevonLogScan *scan;
	AevonEntered entered = {explainer->snapshot, explainer->before, explainer->after};
	bool		by_stamp = explainer->after != NULL && explainer->before->xmax > 0 &&
	!takes_over_events(explainer);

	explainer->since = Max(explainer->request->day * AEVON_DAY, explainer->start.occurred_at);
	explainer->until = (explainer->request->day + INT64CONST(1)) * AEVON_DAY;
	explainer->voids = aevon_voids_open(explainer->snapshot, explainer->subject.tenant_key);
	explainer->scratch = AllocSetContextCreate(CurrentMemoryContext, "aevon explained event",
											   ALLOCSET_DEFAULT_SIZES);
	aevon_explained_begin(&explainer->ties, explainer->request->max_rows);
	aevon_explained_begin(&explainer->entered, explainer->request->max_rows);

	scan = scan_day(explainer);
	while (step_by_time(explainer, scan))
	{
		/* what is many is better read page by page */
		if (!by_stamp || explainer->entered.total > MAX_PAGE)
			continue;
		if (step_by_stamp(explainer, &entered))
			continue;
		find_voided(explainer);
		tuplestore_clear(explainer->result->setResult);
		explainer->given = 0;
		give_list(explainer, &explainer->entered);
		break;
	}
	aevon_entered_end(&entered);
	aevon_log_scan_end(scan);
	aevon_voids_close(explainer->voids);
}

/* May events that were inside both cuts count for the series at one only? */
static bool
takes_over_events(Explainer *explainer)
{
	AevonDims  *dims = explainer->dims;

	if (dims == NULL)
		return false;
	return dims->other || dims->grouping != aevon_dims_full_grouping(explainer->measure) ||
		!aevon_store_has_combination(explainer->store, dims) ||
		dims->made_xmax > explainer->before->xmax;
}

static AevonLogScan *
scan_day(Explainer *explainer)
{
	const AevonSubject *subject = &explainer->subject;

	if (subject->principal_key != 0)
		return aevon_log_scan_principal(explainer->snapshot, subject->principal_key,
										explainer->since, explainer->until);
	return aevon_log_scan_tenant(explainer->snapshot, subject->tenant_key,
								 explainer->since, explainer->until);
}

/* Consider the next event of the day; false: the page is complete. */
static bool
step_by_time(Explainer *explainer, AevonLogScan *scan)
{
	AevonExplainedList *ties = &explainer->ties;
	AevonLogRow row;
	bool		more = aevon_log_scan_next(scan, &row);

	if (ties->count > 0 &&
		(!more || ties->rows[0].position.occurred_at != row.occurred_at))
	{
		give_list(explainer, ties);
		aevon_explained_empty(ties);
	}
	if (!more || explainer->given == explainer->request->max_rows)
		return false;
	consider(explainer, &row, ties);
	return true;
}

/* Consider the next event that came in between the cuts; false: there is none. */
static bool
step_by_stamp(Explainer *explainer, AevonEntered *entered)
{
	const AevonSubject *subject = &explainer->subject;
	AevonLogRow row;

	if (!aevon_entered_next(entered, &row))
		return false;
	if (row.tenant_key == subject->tenant_key &&
		(subject->principal_key == 0 || row.principal_key == subject->principal_key) &&
		row.occurred_at >= explainer->since && row.occurred_at < explainer->until)
		consider(explainer, &row, &explainer->entered);
	return true;
}

/* Events inside the old cut, voided between the two. */
static void
find_voided(Explainer *explainer)
{
	const AevonCut *before = explainer->before;
	AevonVoidedRange range = {
		.snapshot = explainer->snapshot,
		.voids = {AEVON_VOIDS_OF_TENANT_BY_STAMP, explainer->subject.tenant_key},
		.voided_since = DT_NOBEGIN,
		.principal_key = explainer->subject.principal_key,
		.since = explainer->since,
		.until = explainer->until,
	};

	for (int i = 0; i < before->nxip; i++)
	{
		range.voids.from = before->xip[i];
		range.voids.until = before->xip[i] + 1;
		aevon_voided_visit(explainer->voids, &range, consider_voided, explainer);
	}
	range.voids.from = before->xmax;
	range.voids.until = explainer->after->xmax;
	aevon_voided_visit(explainer->voids, &range, consider_voided, explainer);
}

/* A visitor.  Events outside the old cut were found by their own stamps. */
static void
consider_voided(void *context, AevonLogRow *row, const AevonVoid *found)
{
	Explainer  *explainer = context;

	if (aevon_cut_contains(explainer->before, row->stamp))
		consider(explainer, row, &explainer->entered);
}

static void
consider(Explainer *explainer, AevonLogRow *row, AevonExplainedList *list)
{
	MemoryContext outer = MemoryContextSwitchTo(explainer->scratch);
	AevonExplained explained = {0};

	if (judge(explainer, row, &explained))
		aevon_explained_put(list, &explained);
	MemoryContextSwitchTo(outer);
	MemoryContextReset(explainer->scratch);
}

/* Is the event part of the answer, and what did it change? */
static bool
judge(Explainer *explainer, AevonLogRow *row, AevonExplained *explained)
{
	bool		whole_day = explainer->after == NULL;
	AevonContribution contribution;
	AevonVoid	found;
	int			counted_before;
	int			counted_after;

	explained->is_void = aevon_voids_find(explainer->voids, row, &found);
	counted_before = !whole_day && aevon_cut_contains(explainer->before, row->stamp) &&
		!(explained->is_void && aevon_cut_contains(explainer->before, found.stamp));
	counted_after = whole_day ? !explained->is_void :
		aevon_cut_contains(explainer->after, row->stamp) &&
		!(explained->is_void && aevon_cut_contains(explainer->after, found.stamp));
	explained->count_change = counted_after - counted_before;
	if ((explained->count_change == 0 && !whole_day && explainer->dims == NULL) ||
		!aevon_fold_evaluate(explainer->measure, row, &contribution))
		return false;
	if (explainer->dims != NULL)
	{
		bool		belongs = belongs_at(explainer, row, explainer->after);

		/* what counts for a series of its own now left the other one */
		counted_after &= belongs;
		counted_before &= whole_day || belongs_at(explainer, row, explainer->before);
		explained->count_change = counted_after - counted_before;
		if (whole_day ? !belongs : explained->count_change == 0)
			return false;
		explained->is_void &= whole_day || aevon_cut_contains(explainer->after, found.stamp);
	}

	explained->position.occurred_at = row->occurred_at;
	explained->position.principal = aevon_dictionary_name(AEVON_DICTIONARY_PRINCIPAL,
														  row->principal_key);
	explained->position.event_id = aevon_log_row_event_id(row);
	if (explainer->start.principal != NULL &&
		aevon_position_compare(&explained->position, &explainer->start) <= 0)
		return false;
	explained->ingested_at = row->ingested_at;
	explained->late = row->ingested_at >= explainer->until;
	if (explainer->measure->value != NULL && contribution.has_value)
		explained->value = aevon_decimal_to_numeric(&contribution.value);
	explained->is_void &= explained->count_change <= 0;
	if (explained->is_void)
	{
		explained->voided_at = found.voided_at;
		explained->reason = aevon_voids_reason(explainer->voids);
		explained->voided_by = aevon_voids_author(explainer->voids);
	}
	return true;
}

/* Does the event count for the series asked for, at a cut or (NULL) now? */
static bool
belongs_at(Explainer *explainer, AevonLogRow *row, const AevonCut *cut)
{
	if (cut == NULL)
		return aevon_seriesfilter_accepts_now(explainer->filter, row);
	return aevon_seriesfilter_accepts(explainer->filter, row, cut->xmax);
}

/* Give the rows of a list, in order, as far as the page goes. */
static void
give_list(Explainer *explainer, AevonExplainedList *list)
{
	aevon_explained_sort(list);
	for (int i = 0; i < list->count && explainer->given < explainer->request->max_rows; i++)
	{
		MemoryContext outer = MemoryContextSwitchTo(list->home);

		give(explainer, &list->rows[i]);
		explainer->given++;
		MemoryContextSwitchTo(outer);
	}
}

static void
give(Explainer *explainer, const AevonExplained *row)
{
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {false};
	Numeric		value = row->value;

	values[0] = CStringGetTextDatum(row->position.principal);
	values[1] = CStringGetTextDatum(row->position.event_id);
	values[2] = CStringGetTextDatum(row->is_void ? "voided" :
									row->count_change < 0 ? "moved" : "added");
	values[3] = TimestampTzGetDatum(row->position.occurred_at);
	values[4] = TimestampTzGetDatum(row->ingested_at);
	values[5] = DirectFunctionCall2(timestamp_mi, values[4], values[3]);
	values[6] = BoolGetDatum(row->late);
	values[7] = Int32GetDatum(row->count_change);
	nulls[8] = value == NULL;
	if (value != NULL)
		values[8] = row->count_change > 0 ? NumericGetDatum(value) :
			row->count_change == 0 ? NumericGetDatum(int64_to_numeric(0)) :
			DirectFunctionCall1(numeric_uminus, NumericGetDatum(value));
	values[9] = TimestampTzGetDatum(row->voided_at);
	nulls[9] = nulls[10] = nulls[11] = !row->is_void;
	if (row->is_void)
	{
		values[10] = CStringGetTextDatum(row->reason);
		values[11] = CStringGetTextDatum(row->voided_by);
	}
	values[12] = CStringGetTextDatum(aevon_position_text(&row->position));
	tuplestore_putvalues(explainer->result->setResult, explainer->result->setDesc, values, nulls);
}
