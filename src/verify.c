/*
 * verify.c
 *		aevon_verify: everything computed again from the raw log, and what
 *		differs.
 *
 * One snapshot sees events, voids, cuts, buckets and snapshots alike, so a
 * sweep meanwhile is no matter: it shows a cut with the buckets that belong to
 * it.  Only who repairs keeps sweeps away.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "access.h"
#include "catalog.h"
#include "chain.h"
#include "comparesplit.h"
#include "cut.h"
#include "dictionary.h"
#include "errors.h"
#include "guard.h"
#include "guc.h"
#include "json.h"
#include "logcheck.h"
#include "names.h"
#include "recount.h"
#include "rule.h"
#include "snapcheck.h"
#include "store.h"
#include "voids.h"

/* Read at a time. */
#define PAGE_SUBJECTS 1000

/* Progress is told each time so many more have been checked. */
#define SERIES_A_NOTICE 10000

/* Columns of the result. */
enum
{
	OUT_RULE, OUT_VERSION, OUT_TENANT, OUT_PRINCIPAL, OUT_WHAT, OUT_WINDOW_START,
	OUT_STORED, OUT_RECOMPUTED, OUT_REPAIRED, OUT_COLUMNS
};

typedef struct Verify
{
	ReturnSetInfo *result;
	char	   *rule_asked;		/* as given; NULL: every rule */
	char	   *rule_name;
	int			rule_version;	/* 0: every version */
	char	   *tenant;			/* NULL: every tenant */
	int32		tenant_key;		/* 0: every tenant */
	bool		repair;
	Oid			caller;
	Snapshot	snapshot;
	AevonStore *store;
	AevonVoids *voids;
	AevonCheckpoint *checkpoints;
	int			checkpoint_count;
	AevonNames *names;
	MemoryContext scratch;		/* of one subject */
	int64		series_count;

	/* what is being checked */
	const AevonRule *rule;
	const AevonMeasure *measure;	/* the rule's, ready for use */
	AevonRecount recount;
} Verify;

/* A row of the result; what is not set is NULL. */
typedef struct Finding
{
	const AevonRule *rule;
	int32		tenant_key;		/* 0: none */
	int32		principal_key;	/* <= 0: none */
	const char *what;
	bool		no_window;
	TimestampTz window_start;
	Jsonb	   *stored;
	Jsonb	   *recomputed;
	bool		repaired;
} Finding;

PG_FUNCTION_INFO_V1(aevon_verify_sql);

static void unpack_arguments(FunctionCallInfo fcinfo, Verify *verify);
static void unpack_rule(Verify *verify, char *name);
static void verify_in_context(Verify *verify);
static void verify_events(Verify *verify);
static void report_event(void *context, const AevonLogDifference *difference);
static void report_break(void *context, const AevonLink *stored, const AevonLink *recomputed);
static void verify_rules(Verify *verify);
static bool concerned(const Verify *verify, const AevonRule *rule);
static bool is_first_of_measure(const Verify *verify, const AevonRuleSet *rules, int at);
static const AevonCheckpoint *checkpoint_of(const Verify *verify, int32 measure_key);
static void verify_measure(Verify *verify);
static void verify_subject(Verify *verify, const AevonCheckpoint *checkpoint, HeapTuple tuple,
						   TupleDesc descriptor);
static void verify_buckets(Verify *verify, const AevonSplitSubject *subject);
static void verify_series_counts(Verify *verify, int32 tenant_key);
static Jsonb *count_document(Datum count);
static void report_bucket(void *context, const AevonDifference *difference);
static void record_repair(const Verify *verify, const Finding *finding, int64 series_key);
static void touch_day(int64 series_key, TimestampTz window_start);
static void report_snapshot(void *context, const AevonSnapshotDifference *difference);
static void report(Verify *verify, const Finding *finding);

Datum
aevon_verify_sql(PG_FUNCTION_ARGS)
{
	Verify		verify = {0};
	AevonAccess access;
	int64		base;

	unpack_arguments(fcinfo, &verify);
	if (verify.repair)
	{
		PreventCommandIfReadOnly("aevon_verify(repair => true)");
		PreventCommandDuringRecovery("aevon_verify(repair => true)");
	}
	aevon_access_require(verify.tenant, AEVON_PRIVILEGE_OPERATE);
	if (verify.tenant != NULL)
	{
		verify.tenant_key = aevon_dictionary_find(AEVON_DICTIONARY_TENANT, 0, verify.tenant);
		if (verify.tenant_key == 0 &&
			!aevon_access_bound(verify.tenant, AEVON_PRIVILEGE_OPERATE))
			aevon_access_unknown_tenant(verify.tenant);
	}
	InitMaterializedSRF(fcinfo, 0);
	verify.result = (ReturnSetInfo *) fcinfo->resultinfo;
	verify.caller = GetUserId();

	aevon_access_enter(&access);
	if (aevon_guard_check(&base))
	{
		aevon_catalog_connect();
		verify_in_context(&verify);
		aevon_catalog_finish();
	}
	aevon_access_leave(&access);
	return (Datum) 0;
}

static void
unpack_arguments(FunctionCallInfo fcinfo, Verify *verify)
{
	aevon_error_if_null(PG_ARGISNULL(2), "repair");
	verify->repair = PG_GETARG_BOOL(2);
	if (!PG_ARGISNULL(0))
		unpack_rule(verify, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	if (!PG_ARGISNULL(1))
		verify->tenant = text_to_cstring(PG_GETARG_TEXT_PP(1));
}

/* "name", or "name@2". */
static void
unpack_rule(Verify *verify, char *name)
{
	char	   *at = strrchr(name, '@');

	verify->rule_asked = verify->rule_name = name;
	if (at == NULL)
		return;
	verify->rule_version = -1;	/* there is none */
	if (at[1] >= '1' && at[1] <= '9' && strlen(at + 1) < 10 &&
		strspn(at + 1, "0123456789") == strlen(at + 1))
	{
		verify->rule_version = atoi(at + 1);
		verify->rule_name = pnstrdup(name, at - name);
	}
}

static void
verify_in_context(Verify *verify)
{
	if (verify->repair)
		verify->checkpoints = aevon_cut_lock_all_checkpoints(&verify->checkpoint_count);

	/* not a moment before the lock, as a sweep */
	verify->snapshot = RegisterSnapshot(verify->repair ? GetTransactionSnapshot() :
										GetActiveSnapshot());
	PushActiveSnapshot(verify->snapshot);
	if (!verify->repair)
		verify->checkpoints = aevon_cut_read_checkpoints(verify->snapshot,
														 &verify->checkpoint_count);
	verify->scratch = AllocSetContextCreate(CurrentMemoryContext, "aevon verification",
											ALLOCSET_DEFAULT_SIZES);
	if (verify->tenant == NULL || verify->tenant_key != 0)
	{
		verify->names = aevon_names_create();
		if (verify->rule_name == NULL)
			verify_events(verify);
		if (verify->rule_name == NULL && verify->tenant == NULL)
			(void) aevon_chain_walk(report_break, verify);
		verify->store = aevon_store_open(verify->snapshot, false);
		verify->voids = aevon_voids_open(verify->snapshot, verify->tenant_key);
		verify_rules(verify);
		aevon_voids_close(verify->voids);
		aevon_store_close(verify->store);
	}
	PopActiveSnapshot();
	UnregisterSnapshot(verify->snapshot);
}

/* The rows of the log, each by itself. */
static void
verify_events(Verify *verify)
{
	AevonLogCheck check = {
		.snapshot = verify->snapshot,
		.tenant_key = verify->tenant_key,
		.names = verify->names,
		.visitor = report_event,
		.context = verify,
	};

	aevon_logcheck_run(&check);
}

static void
report_event(void *context, const AevonLogDifference *difference)
{
	Finding		finding = {
		.tenant_key = difference->tenant_key,
		.principal_key = difference->principal_key,
		.what = difference->what,
		.window_start = difference->occurred_at,
		.stored = difference->stored,
		.recomputed = difference->recomputed,
	};

	report(context, &finding);
}

static void
report_break(void *context, const AevonLink *stored, const AevonLink *recomputed)
{
	Finding		finding = {
		.what = "chain",
		.no_window = stored == NULL,
		.window_start = stored != NULL ? stored->made_at : 0,
		.stored = stored != NULL ? aevon_link_document(stored) : NULL,
	};

	if (stored != NULL)
		finding.recomputed = aevon_link_document(recomputed);
	else
	{
		AevonJson	json = {0};

		aevon_json_token(&json, WJB_BEGIN_OBJECT);
		aevon_json_number(&json, "link_number", int64_to_numeric(recomputed->link_number));
		aevon_json_token(&json, WJB_END_OBJECT);
		finding.recomputed = aevon_json_finish(&json);
	}
	report(context, &finding);
}

/* Each measure once, whichever rules share it. */
static void
verify_rules(Verify *verify)
{
	const AevonRuleSet *rules = aevon_rule_load(verify->snapshot);
	bool		any = false;

	for (int i = 0; i < rules->rule_count; i++)
	{
		const AevonRule *rule = &rules->rules[i];

		if (!concerned(verify, rule))
			continue;
		any = true;
		if (!is_first_of_measure(verify, rules, i))
			continue;
		verify->rule = rule;
		verify->measure = aevon_rule_measure(rules, rule->measure->measure_key);
		verify_measure(verify);
	}
	if (!any && verify->rule_name != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("rule \"%s\" does not exist", aevon_error_excerpt(verify->rule_asked)),
				 errhint("The view aevon.rule_versions lists the rules.")));
}

static bool
concerned(const Verify *verify, const AevonRule *rule)
{
	if (verify->tenant_key != 0 && rule->tenant_key != 0 && rule->tenant_key != verify->tenant_key)
		return false;
	if (verify->rule_name != NULL && strcmp(rule->name, verify->rule_name) != 0)
		return false;
	return verify->rule_version == 0 || rule->version == verify->rule_version;
}

/* A live version goes before a retired one. */
static bool
is_first_of_measure(const Verify *verify, const AevonRuleSet *rules, int at)
{
	const AevonRule *rule = &rules->rules[at];
	bool		retired = rule->state == AEVON_RULE_RETIRED;

	for (int i = 0; i < rules->rule_count; i++)
	{
		const AevonRule *other = &rules->rules[i];
		bool		other_retired = other->state == AEVON_RULE_RETIRED;

		if (i == at || other->measure != rule->measure || !concerned(verify, other))
			continue;
		if (other_retired == retired ? i < at : retired)
			return false;
	}
	return true;
}

static const AevonCheckpoint *
checkpoint_of(const Verify *verify, int32 measure_key)
{
	for (int i = 0; i < verify->checkpoint_count; i++)
	{
		if (verify->checkpoints[i].measure_key == measure_key)
			return &verify->checkpoints[i];
	}
	return NULL;
}

static void
verify_measure(Verify *verify)
{
	const AevonMeasure *measure = verify->measure;
	const AevonCheckpoint *checkpoint = checkpoint_of(verify, measure->measure_key);
	int32		tenant_key = measure->tenant_key != 0 ? measure->tenant_key : verify->tenant_key;
	Datum		values[2] = {Int32GetDatum(measure->measure_key), Int32GetDatum(tenant_key)};
	Portal		subjects;
	uint64		count;

	if (checkpoint != NULL)
		aevon_guard_check_cut(checkpoint->cut->xmax);
	subjects = aevon_catalog_open(AEVON_QUERY_SUBJECTS, values);
	do
	{
		SPITupleTable *table;

		SPI_cursor_fetch(subjects, true, PAGE_SUBJECTS);
		table = SPI_tuptable;
		count = SPI_processed;
		for (uint64 i = 0; i < count; i++)
		{
			MemoryContext outer = MemoryContextSwitchTo(verify->scratch);

			verify_subject(verify, checkpoint, table->vals[i], table->tupdesc);
			MemoryContextSwitchTo(outer);
			MemoryContextReset(verify->scratch);
		}
		SPI_freetuptable(table);
	} while (count == PAGE_SUBJECTS);
	SPI_cursor_close(subjects);
	if (checkpoint != NULL && measure->dimension_count > 0)
		verify_series_counts(verify, tenant_key);
}

/* Buckets at the measure's cut, if it still has one, and snapshots at theirs. */
static void
verify_subject(Verify *verify, const AevonCheckpoint *checkpoint, HeapTuple tuple,
			   TupleDesc descriptor)
{
	AevonSplitSubject subject = {verify->store, verify->measure, &verify->recount};
	bool		isnull;
	bool		no_series;

	CHECK_FOR_INTERRUPTS();
	verify->recount.snapshot = verify->snapshot;
	verify->recount.voids = verify->voids;
	verify->recount.tenant_key = DatumGetInt32(SPI_getbinval(tuple, descriptor, 1, &isnull));
	verify->recount.subject_key = DatumGetInt32(SPI_getbinval(tuple, descriptor, 2, &isnull));
	subject.groupings = SPI_getbinval(tuple, descriptor, 3, &no_series);
	if (no_series)
		subject.groupings = (Datum) 0;
	if (checkpoint != NULL)
	{
		verify->recount.cut = checkpoint->cut;
		verify_buckets(verify, &subject);
	}
	aevon_snapcheck_subject(&subject, report_snapshot, verify);
	if (++verify->series_count % SERIES_A_NOTICE == 0)
		ereport(NOTICE,
				(errmsg("aevon_verify: " INT64_FORMAT " series checked so far",
						verify->series_count)));
}

static void
verify_buckets(Verify *verify, const AevonSplitSubject *subject)
{
	bool		split = subject->measure->dimension_count > 0;
	int64		found;

	if (split)
		found = aevon_comparesplit_series(subject, report_bucket, verify);
	else
		found = aevon_compare_series(subject->store, subject->measure, subject->recount,
									 report_bucket, verify);
	if (found == 0 || !verify->repair)
		return;
	if (split)
		aevon_comparesplit_rewrite(subject);
	else
		aevon_compare_rewrite(subject->measure, subject->recount, subject->groupings);
}

/* What the guard of aevon.max_series_per_rule goes by; tenant_key 0: every tenant. */
static void
verify_series_counts(Verify *verify, int32 tenant_key)
{
	Datum		values[2] = {
		Int32GetDatum(verify->measure->measure_key),
		Int32GetDatum(tenant_key),
	};
	SPITupleTable *table;
	uint64		count;

	aevon_catalog_run(AEVON_QUERY_MISCOUNTED_SERIES, values, NULL, true);
	table = SPI_tuptable;
	count = SPI_processed;
	for (uint64 i = 0; i < count; i++)
	{
		bool		isnull;
		Finding		finding = {
			.rule = verify->rule,
			.tenant_key = DatumGetInt32(SPI_getbinval(table->vals[i], table->tupdesc, 1, &isnull)),
			.what = "series_count",
			.no_window = true,
			.repaired = verify->repair,
		};

		finding.stored = count_document(SPI_getbinval(table->vals[i], table->tupdesc, 2, &isnull));
		finding.recomputed = count_document(SPI_getbinval(table->vals[i], table->tupdesc, 3,
														  &isnull));
		report(verify, &finding);
	}
	SPI_freetuptable(table);
	/* series may have been made, too */
	if (verify->repair)
		aevon_catalog_run(AEVON_QUERY_MEND_SERIES_COUNT, values, NULL, false);
}

/* NULL (0) for none. */
static Jsonb *
count_document(Datum count)
{
	AevonJson	json = {0};

	aevon_json_token(&json, WJB_BEGIN_OBJECT);
	aevon_json_number(&json, "series_count", int64_to_numeric(DatumGetInt64(count)));
	aevon_json_token(&json, WJB_END_OBJECT);
	return aevon_json_finish(&json);
}

static void
report_bucket(void *context, const AevonDifference *difference)
{
	Verify	   *verify = context;
	Finding		finding = {
		.rule = verify->rule,
		.tenant_key = verify->recount.tenant_key,
		.principal_key = verify->recount.subject_key,
		.what = difference->what,
		.no_window = difference->unreadable,
		.window_start = difference->window_start,
		.stored = difference->stored,
		.recomputed = difference->recomputed,
		.repaired = verify->repair,
	};

	if (verify->repair)
	{
		record_repair(verify, &finding, difference->series_key);
		if (difference->series_key != 0 && !difference->unreadable)
			touch_day(difference->series_key, difference->window_start);
	}
	report(verify, &finding);
}

static void
record_repair(const Verify *verify, const Finding *finding, int64 series_key)
{
	const AevonRule *rule = finding->rule;
	char		nulls[13] = "            ";
	Datum		values[12] = {
		TimestampTzGetDatum(aevon_clock_now()),
		TimestampTzGetDatum(finding->window_start),
		Int64GetDatum(series_key),
		Int32GetDatum(finding->tenant_key),
		Int32GetDatum(finding->principal_key),
		Int32GetDatum(rule != NULL ? verify->measure->measure_key : 0),
		Int32GetDatum(rule != NULL ? rule->version : 0),
		rule != NULL ? CStringGetTextDatum(rule->name) : (Datum) 0,
		CStringGetTextDatum(finding->what),
		CStringGetTextDatum(GetUserNameFromId(verify->caller, false)),
		PointerGetDatum(finding->stored),
		PointerGetDatum(finding->recomputed),
	};

	nulls[1] = finding->no_window ? 'n' : ' ';
	nulls[5] = nulls[6] = nulls[7] = rule == NULL ? 'n' : ' ';
	nulls[10] = finding->stored == NULL ? 'n' : ' ';
	nulls[11] = finding->recomputed == NULL ? 'n' : ' ';
	aevon_catalog_run(AEVON_QUERY_ADD_REPAIR, values, nulls, false);
}

/* Its metric may come out otherwise now: let the next snapshot say so. */
static void
touch_day(int64 series_key, TimestampTz window_start)
{
	Datum		values[2] = {
		Int64GetDatum(series_key),
		Int32GetDatum((int32) aevon_window_of(window_start, AEVON_DAY)),
	};

	aevon_catalog_run(AEVON_QUERY_TOUCH_DAY, values, NULL, false);
}

static void
report_snapshot(void *context, const AevonSnapshotDifference *difference)
{
	Verify	   *verify = context;
	Finding		finding = {
		.rule = verify->rule,
		.tenant_key = verify->recount.tenant_key,
		.principal_key = verify->recount.subject_key,
		.what = "snapshot",
		.window_start = difference->day,
		.stored = difference->stored,
		.recomputed = difference->recomputed,
	};

	report(verify, &finding);
}

static void
report(Verify *verify, const Finding *finding)
{
	Datum		values[OUT_COLUMNS] = {0};
	bool		nulls[OUT_COLUMNS];
	const char *tenant = NULL;
	const char *principal = NULL;

	if (finding->tenant_key != 0)
		tenant = aevon_names_find(verify->names, AEVON_DICTIONARY_TENANT, finding->tenant_key);
	if (finding->principal_key > 0)
		principal = aevon_names_find(verify->names, AEVON_DICTIONARY_PRINCIPAL, finding->principal_key);
	memset(nulls, true, sizeof(nulls));
	if (finding->rule != NULL)
	{
		values[OUT_RULE] = CStringGetTextDatum(finding->rule->name);
		values[OUT_VERSION] = Int32GetDatum(finding->rule->version);
		nulls[OUT_RULE] = nulls[OUT_VERSION] = false;
	}
	if (!(nulls[OUT_TENANT] = tenant == NULL))
		values[OUT_TENANT] = CStringGetTextDatum(tenant);
	if (!(nulls[OUT_PRINCIPAL] = principal == NULL))
		values[OUT_PRINCIPAL] = CStringGetTextDatum(principal);
	values[OUT_WHAT] = CStringGetTextDatum(finding->what);
	nulls[OUT_WHAT] = false;
	values[OUT_WINDOW_START] = TimestampTzGetDatum(finding->window_start);
	nulls[OUT_WINDOW_START] = finding->no_window;
	values[OUT_STORED] = PointerGetDatum(finding->stored);
	nulls[OUT_STORED] = finding->stored == NULL;
	values[OUT_RECOMPUTED] = PointerGetDatum(finding->recomputed);
	nulls[OUT_RECOMPUTED] = finding->recomputed == NULL;
	values[OUT_REPAIRED] = BoolGetDatum(finding->repaired);
	nulls[OUT_REPAIRED] = false;
	tuplestore_putvalues(verify->result->setResult, verify->result->setDesc, values, nulls);
}
