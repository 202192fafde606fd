/*
 * metrics.c
 *		aevon_metrics: the figures in Prometheus's text format, version 0.0.4.
 *
 * Names and units follow Prometheus's conventions: base units, _total for
 * counters.  Tenants are no label of the whole database's metrics: they may be
 * very many, and their names are theirs.  Layer 3.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "access.h"
#include "catalog.h"
#include "checks.h"
#include "scope.h"
#include "shmem.h"
#include "stats.h"

/* Bounds of the histogram's buckets: 2^FIRST to 2^LAST microseconds. */
#define FIRST_BOUND 6
#define LAST_BOUND 24

/* How a metric is called. */
typedef struct Metric
{
	const char *name;
	const char *type;
	const char *help;
} Metric;

typedef enum RuleFigure
{
	RULE_EVENTS,
	RULE_READS,
	RULE_BUILDING
} RuleFigure;

static const Metric rule_metrics[] = {
	[RULE_EVENTS] = {"aevon_rule_events_total", "counter",
	"Events folded into the rule's buckets; begins again when it is rebuilt."},
	[RULE_READS] = {"aevon_rule_reads_total", "counter", "Reads that asked for the rule."},
	[RULE_BUILDING] = {"aevon_rule_building", "gauge",
	"1 while the rule's backfill is not done."},
};

/* What can become of an event, and of sweeps: names of labels and metrics. */
static const char *const outcome_names[] = {
	[AEVON_COUNT_ACCEPTED] = "accepted",
	[AEVON_COUNT_DUPLICATE] = "duplicate",
	[AEVON_COUNT_REJECTED] = "rejected",
	[AEVON_COUNT_VOIDED] = NULL,
	[AEVON_COUNT_LATE] = NULL,
	[AEVON_COUNT_CONFLICT] = "conflict",
	[AEVON_COUNT_REFUSED] = "refused",
};

static void put_head(StringInfo out, const char *name, const char *type, const char *help);
static void put_sample(StringInfo out, const char *name, const char *labels, double value);
static void put_single(StringInfo out, const Metric *metric, double value);
static char *label(const char *name, const char *value);
static void put_health(StringInfo out, const AevonScope *scope, const char *tenant);
static char *labels_of(const char *tenant, const char *name, const char *value);
static void put_worker(StringInfo out);
static void put_outcomes(StringInfo out, const AevonTenantStats *stats, const char *tenant);
static void put_sweeps(StringInfo out);
static void put_queries(StringInfo out);
static void put_histogram(StringInfo out, AevonReadFunction function);
static void put_rules(StringInfo out, const AevonScope *scope);
static double rule_value(HeapTuple row, TupleDesc descriptor, RuleFigure figure);
static char *rule_labels(HeapTuple row, TupleDesc descriptor);
static void put_sizes(StringInfo out);

PG_FUNCTION_INFO_V1(aevon_metrics_sql);
Datum
aevon_metrics_sql(PG_FUNCTION_ARGS)
{
	char	   *tenant = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	const AevonScope *scope = tenant != NULL ? aevon_scope_of_tenant(tenant) :
	aevon_scope_of_caller();
	AevonTenantStats stats;
	StringInfoData out;

	if (tenant == NULL && !scope->whole)
		aevon_access_require(NULL, AEVON_PRIVILEGE_OPERATE);
	initStringInfo(&out);
	put_health(&out, scope, tenant);
	if (tenant == NULL)
	{
		put_worker(&out);
		if (aevon_stats_read_total(&stats))
			put_outcomes(&out, &stats, NULL);
		put_sweeps(&out);
		put_queries(&out);
		put_rules(&out, scope);
		put_sizes(&out);
	}
	else if (scope->keys[0] != 0 && aevon_stats_read_tenant(scope->keys[0], &stats))
		put_outcomes(&out, &stats, tenant);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

static void
put_head(StringInfo out, const char *name, const char *type, const char *help)
{
	appendStringInfo(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* `labels` as label() makes them, comma-separated, or NULL. */
static void
put_sample(StringInfo out, const char *name, const char *labels, double value)
{
	appendStringInfoString(out, name);
	if (labels != NULL && labels[0] != '\0')
		appendStringInfo(out, "{%s}", labels);
	appendStringInfo(out, " %.15g\n", value);
}

static void
put_single(StringInfo out, const Metric *metric, double value)
{
	put_head(out, metric->name, metric->type, metric->help);
	put_sample(out, metric->name, NULL, value);
}

/* name="value", with what the format escapes; palloc'd. */
static char *
label(const char *name, const char *value)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "%s=\"", name);
	for (const char *c = value; *c != '\0'; c++)
	{
		if (*c == '\n')
			appendStringInfoString(&text, "\\n");
		else
		{
			if (*c == '\\' || *c == '"')
				appendStringInfoChar(&text, '\\');
			appendStringInfoChar(&text, *c);
		}
	}
	appendStringInfoChar(&text, '"');
	return text.data;
}

static char *
labels_of(const char *tenant, const char *name, const char *value)
{
	if (tenant == NULL)
		return label(name, value);
	return psprintf("%s,%s", label("tenant", tenant), label(name, value));
}

/* The checks' states and, where they have one, their figures in base units. */
static void
put_health(StringInfo out, const AevonScope *scope, const char *tenant)
{
	static const double states[] = {
		[AEVON_HEALTH_OK] = 0,
		[AEVON_HEALTH_WARNING] = 1,
		[AEVON_HEALTH_CRITICAL] = 2,
		[AEVON_HEALTH_UNKNOWN] = -1,
	};
	List	   *checks = aevon_checks_run(scope);
	ListCell   *cell;

	put_head(out, "aevon_health_status", "gauge",
			 "State of each check of aevon_health: 0 ok, 1 warning, 2 critical, -1 unknown.");
	foreach(cell, checks)
	{
		const AevonCheck *check = lfirst(cell);

		put_sample(out, "aevon_health_status", labels_of(tenant, "check", check->name),
				   states[check->health]);
	}
	foreach(cell, checks)
	{
		const AevonCheck *check = lfirst(cell);
		const char *labels = tenant != NULL ? label("tenant", tenant) : NULL;

		if (strcmp(check->name, "tail") == 0 && check->has_value)
		{
			put_head(out, "aevon_tail_events", "gauge",
					 "Events outside the buckets, counted up to where it is critical.");
			put_sample(out, "aevon_tail_events", labels, check->value);
		}
		else if (strcmp(check->name, "lag") == 0 && check->has_value)
		{
			put_head(out, "aevon_lag_seconds", "gauge",
					 "Age of the oldest event outside the buckets.");
			put_sample(out, "aevon_lag_seconds", labels, check->value);
		}
	}
}

static void
put_worker(StringInfo out)
{
	static const Metric up = {"aevon_worker_up", "gauge",
	"1 if a worker's process of this database runs."};
	static const Metric failures = {"aevon_worker_failures", "gauge",
	"Consecutive failures of this database's worker."};
	AevonSlot	slot = {0};

	if (!aevon_shmem_available())
		return;
	(void) aevon_shmem_find(MyDatabaseId, &slot);
	put_single(out, &up, slot.pid != 0);
	put_single(out, &failures, slot.failures);
}

static void
put_outcomes(StringInfo out, const AevonTenantStats *stats, const char *tenant)
{
	const char *labels = tenant != NULL ? label("tenant", tenant) : NULL;

	put_head(out, "aevon_ingest_events_total", "counter",
			 "Events by what became of them: accepted, duplicate and rejected when their transaction committed, conflict and refused at the call.");
	for (int i = 0; i < lengthof(outcome_names); i++)
		if (outcome_names[i] != NULL)
			put_sample(out, "aevon_ingest_events_total",
					   labels_of(tenant, "outcome", outcome_names[i]), stats->counts[i]);
	put_head(out, "aevon_late_events_total", "counter",
			 "Accepted events that were ingested after the end of their UTC day.");
	put_sample(out, "aevon_late_events_total", labels, stats->counts[AEVON_COUNT_LATE]);
	put_head(out, "aevon_voided_events_total", "counter", "Events that were voided.");
	put_sample(out, "aevon_voided_events_total", labels, stats->counts[AEVON_COUNT_VOIDED]);
}

static void
put_sweeps(StringInfo out)
{
	static const Metric sweeps = {"aevon_sweeps_total", "counter", "Sweeps that moved a cut."};
	static const Metric events = {"aevon_sweep_events_total", "counter",
	"Events that sweeps have read."};
	static const Metric rows = {"aevon_sweep_bucket_rows_total", "counter",
	"Bucket rows that sweeps have written."};
	static const Metric seconds = {"aevon_sweep_seconds_total", "counter",
	"Time that sweeps have taken."};
	static const Metric longest = {"aevon_sweep_longest_seconds", "gauge",
	"Time that the longest sweep has taken."};
	static const Metric errors = {"aevon_sweep_errors_total", "counter",
	"Sweeps of the worker that failed."};
	static const Metric last = {"aevon_sweep_last_timestamp_seconds", "gauge",
	"When the last sweep committed, in seconds since 1970."};
	AevonSweepStats stats;

	if (!aevon_stats_read_sweeps(&stats))
		return;
	put_single(out, &sweeps, stats.sweep_count);
	put_single(out, &events, stats.event_count);
	put_single(out, &rows, stats.bucket_count);
	put_single(out, &seconds, (double) stats.total_us / USECS_PER_SEC);
	put_single(out, &longest, (double) stats.max_us / USECS_PER_SEC);
	put_single(out, &errors, stats.error_count);
	if (stats.last_at != 0)
		put_single(out, &last, (double) stats.last_at / USECS_PER_SEC +
				   (double) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY);
}

static void
put_queries(StringInfo out)
{
	if (!aevon_stats_available())
		return;
	put_head(out, "aevon_query_duration_seconds", "histogram",
			 "Duration of calls of the functions that read.");
	for (int i = 0; i < AEVON_READ_FUNCTIONS; i++)
		put_histogram(out, (AevonReadFunction) i);
}

/* The bounds are powers of two, where buckets of the fine histogram end, too. */
static void
put_histogram(StringInfo out, AevonReadFunction function)
{
	AevonReadStats *stats = palloc(sizeof(AevonReadStats));
	const char *labels = label("function", aevon_stats_function_name(function));
	int64		below = 0;
	int			next = 0;

	(void) aevon_stats_read_function(function, stats);
	for (int power = FIRST_BOUND; power <= LAST_BOUND; power++)
	{
		int			end = aevon_histogram_bucket(INT64CONST(1) << power);

		while (next < end)
			below += (int64) stats->buckets[next++];
		put_sample(out, "aevon_query_duration_seconds_bucket",
				   psprintf("%s,le=\"%.15g\"", labels,
							(double) (INT64CONST(1) << power) / USECS_PER_SEC), below);
	}
	put_sample(out, "aevon_query_duration_seconds_bucket", psprintf("%s,le=\"+Inf\"", labels),
			   stats->call_count);
	put_sample(out, "aevon_query_duration_seconds_sum", labels,
			   (double) stats->total_us / USECS_PER_SEC);
	put_sample(out, "aevon_query_duration_seconds_count", labels, stats->call_count);
}

static void
put_rules(StringInfo out, const AevonScope *scope)
{
	Datum		readable = aevon_scope_array(scope);
	MemoryContext caller = CurrentMemoryContext;
	AevonAccess access;

	aevon_access_enter(&access);
	aevon_catalog_connect();
	aevon_catalog_run(AEVON_QUERY_RULE_COUNTS, &readable, NULL, true);
	for (int figure = 0; SPI_processed > 0 && figure < lengthof(rule_metrics); figure++)
	{
		const Metric *metric = &rule_metrics[figure];

		if (figure == RULE_READS && !aevon_stats_available())
			continue;
		MemoryContextSwitchTo(caller);
		put_head(out, metric->name, metric->type, metric->help);
		for (uint64 i = 0; i < SPI_processed; i++)
			put_sample(out, metric->name,
					   rule_labels(SPI_tuptable->vals[i], SPI_tuptable->tupdesc),
					   rule_value(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, figure));
	}
	aevon_catalog_finish();
	aevon_access_leave(&access);
}

static double
rule_value(HeapTuple row, TupleDesc descriptor, RuleFigure figure)
{
	bool		isnull;
	int64		reads;

	switch (figure)
	{
		case RULE_EVENTS:
			return DatumGetInt64(SPI_getbinval(row, descriptor, 6, &isnull));
		case RULE_READS:
			(void) aevon_stats_read_rule(DatumGetInt32(SPI_getbinval(row, descriptor, 1, &isnull)),
										 &reads);
			return reads;
		case RULE_BUILDING:
			return !DatumGetBool(SPI_getbinval(row, descriptor, 7, &isnull));
	}
	return 0;					/* not reached */
}

/* A rule of all tenants has an empty label "tenant", which is none. */
static char *
rule_labels(HeapTuple row, TupleDesc descriptor)
{
	const char *tenant = SPI_getvalue(row, descriptor, 3);

	return psprintf("%s,%s,%s", label("tenant", tenant != NULL ? tenant : ""),
					label("rule", SPI_getvalue(row, descriptor, 4)),
					label("version", SPI_getvalue(row, descriptor, 5)));
}

static void
put_sizes(StringInfo out)
{
	MemoryContext caller = CurrentMemoryContext;
	AevonAccess access;

	aevon_access_enter(&access);
	aevon_catalog_connect();
	aevon_catalog_run(AEVON_QUERY_TABLE_SIZES, NULL, NULL, true);
	MemoryContextSwitchTo(caller);
	put_head(out, "aevon_table_bytes", "gauge", "Size of a table of Aevon with its indexes.");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		bool		isnull;
		Datum		size = SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull);

		if (!isnull)
			put_sample(out, "aevon_table_bytes",
					   label("table", SPI_getvalue(row, SPI_tuptable->tupdesc, 1)),
					   DatumGetInt64(size));
	}
	aevon_catalog_finish();
	aevon_access_leave(&access);
}
