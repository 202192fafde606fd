/*
 * statistics.c
 *		The rows of the views aevon.stat_..., and aevon_stat_reset.
 *
 * Layer 3.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "access.h"
#include "bucket.h"
#include "catalog.h"
#include "errors.h"
#include "scope.h"
#include "stats.h"

#define SWEEP_COLUMNS 10
#define RULE_COLUMNS 10
#define RULE_TABLE_COLUMNS 8	/* of these, from tables */
#define TENANT_COLUMNS 9
#define QUERY_COLUMNS 9

static Datum ms(double microseconds);
static void put_tenant(ReturnSetInfo *result, const char *name, int32 key);
static void put_rule(ReturnSetInfo *result, const AevonScope *scope, HeapTuple row,
					 TupleDesc descriptor);
static void put_function(ReturnSetInfo *result, AevonReadFunction function);
static void put_time(Datum *values, bool *nulls, int column, TimestampTz at);
static int	parse_groups(const char *word);

PG_FUNCTION_INFO_V1(aevon_stat_sweeps);
Datum
aevon_stat_sweeps(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	AevonSweepStats stats;
	Datum		values[SWEEP_COLUMNS] = {0};
	bool		nulls[SWEEP_COLUMNS] = {false};

	InitMaterializedSRF(fcinfo, 0);
	if (!aevon_scope_of_caller()->whole || !aevon_stats_read_sweeps(&stats))
		return (Datum) 0;
	values[0] = Int64GetDatum(stats.sweep_count);
	values[1] = Int64GetDatum(stats.worker_count);
	values[2] = Int64GetDatum(stats.event_count);
	values[3] = Int64GetDatum(stats.bucket_count);
	values[4] = ms(stats.total_us);
	nulls[5] = stats.sweep_count == 0;
	values[5] = nulls[5] ? (Datum) 0 : ms((double) stats.total_us / stats.sweep_count);
	values[6] = ms(stats.max_us);
	values[7] = Int64GetDatum(stats.error_count);
	put_time(values, nulls, 8, stats.last_at);
	put_time(values, nulls, 9, aevon_stats_reset_at(AEVON_STATS_SWEEP));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(aevon_stat_rules);
Datum
aevon_stat_rules(PG_FUNCTION_ARGS)
{
	const AevonScope *scope = aevon_scope_of_caller();
	Datum		readable = aevon_scope_array(scope);
	AevonAccess access;

	InitMaterializedSRF(fcinfo, 0);
	if (aevon_scope_empty(scope))
		return (Datum) 0;
	aevon_access_enter(&access);
	aevon_catalog_connect();
	aevon_catalog_run(AEVON_QUERY_RULE_TOTALS, &readable, NULL, true);
	for (uint64 i = 0; i < SPI_processed; i++)
		put_rule((ReturnSetInfo *) fcinfo->resultinfo, scope, SPI_tuptable->vals[i],
				 SPI_tuptable->tupdesc);
	aevon_catalog_finish();
	aevon_access_leave(&access);
	return (Datum) 0;
}

/* Those past aevon.stat_entries together, as NULL, for who may know of all. */
PG_FUNCTION_INFO_V1(aevon_stat_tenants);
Datum
aevon_stat_tenants(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const AevonScope *scope = aevon_scope_of_caller();
	AevonTenantStats others;
	List	   *tenants = scope->tenants;
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	if (!aevon_stats_read_tenant(0, &others))
		return (Datum) 0;
	foreach(cell, tenants)
	{
		const AevonTenant *tenant = lfirst(cell);

		put_tenant(result, tenant->name, tenant->tenant_key);
	}
	for (int i = 0; scope->all_names && i < AEVON_TENANT_COUNTERS; i++)
		if (others.counts[i] != 0)
		{
			put_tenant(result, NULL, 0);
			break;
		}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(aevon_stat_queries);
Datum
aevon_stat_queries(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	if (aevon_scope_of_caller()->whole && aevon_stats_available())
		for (int i = 0; i < AEVON_READ_FUNCTIONS; i++)
			put_function((ReturnSetInfo *) fcinfo->resultinfo, (AevonReadFunction) i);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(aevon_stat_reset_sql);
Datum
aevon_stat_reset_sql(PG_FUNCTION_ARGS)
{
	int			groups = PG_ARGISNULL(0) ? AEVON_STATS_ALL :
	parse_groups(text_to_cstring(PG_GETARG_TEXT_PP(0)));

	aevon_access_require(NULL, AEVON_PRIVILEGE_OPERATE);
	aevon_stats_reset(groups);
	PG_RETURN_VOID();
}

/* Counts of one packed row, without its windows. */
PG_FUNCTION_INFO_V1(aevon_bucket_totals);
Datum
aevon_bucket_totals(PG_FUNCTION_ARGS)
{
	AevonPacked packed;
	TupleDesc	descriptor;
	Datum		values[3];
	bool		nulls[3] = {false};

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	aevon_packed_decode(PG_GETARG_BYTEA_PP(0), true, &packed);
	values[0] = Int64GetDatum(packed.merged.event_count);
	values[1] = Int64GetDatum(packed.merged.skipped);
	values[2] = Int64GetDatum(packed.merged.late);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls)));
}

/* The histogram at work on any samples: how far from exact is it? */
PG_FUNCTION_INFO_V1(aevon_latency_quantile);
Datum
aevon_latency_quantile(PG_FUNCTION_ARGS)
{
	ArrayType  *samples = PG_GETARG_ARRAYTYPE_P(0);
	uint64	   *counts = palloc0(AEVON_HISTOGRAM_BUCKETS * sizeof(uint64));
	Datum	   *elements;
	bool	   *absent;
	int			count;
	double		q = PG_GETARG_FLOAT8(1);
	double		quantile;

	if (!(q >= 0 && q <= 1))
		PG_RETURN_NULL();
	deconstruct_array(samples, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &elements, &absent, &count);
	for (int i = 0; i < count; i++)
	{
		double		us = absent[i] ? -1 : DatumGetFloat8(elements[i]) * 1000;

		/* not a number fails both comparisons */
		if (us >= 0)
			counts[aevon_histogram_bucket(us < 1e18 ? (int64) us : PG_INT64_MAX)]++;
	}
	quantile = aevon_histogram_quantile(counts, q);
	if (quantile < 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(quantile / 1000);
}

static Datum
ms(double microseconds)
{
	return Float8GetDatum(microseconds / 1000);
}

static void
put_tenant(ReturnSetInfo *result, const char *name, int32 key)
{
	static const AevonTenantCounter order[] = {
		AEVON_COUNT_ACCEPTED, AEVON_COUNT_DUPLICATE, AEVON_COUNT_REJECTED,
		AEVON_COUNT_CONFLICT, AEVON_COUNT_REFUSED, AEVON_COUNT_VOIDED, AEVON_COUNT_LATE
	};
	AevonTenantStats stats = {0};
	Datum		values[TENANT_COLUMNS] = {0};
	bool		nulls[TENANT_COLUMNS] = {false};

	/* a tenant without key has no event, and must not show the others' */
	if (key != 0 || name == NULL)
		(void) aevon_stats_read_tenant(key, &stats);
	nulls[0] = name == NULL;
	if (name != NULL)
		values[0] = CStringGetTextDatum(name);
	for (int i = 0; i < lengthof(order); i++)
		values[i + 1] = Int64GetDatum(stats.counts[order[i]]);
	put_time(values, nulls, TENANT_COLUMNS - 1, aevon_stats_reset_at(AEVON_STATS_TENANT));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * What the tables say of a rule, and how often it was read.  Of a rule of all
 * tenants that is everybody's reads.
 */
static void
put_rule(ReturnSetInfo *result, const AevonScope *scope, HeapTuple row, TupleDesc descriptor)
{
	Datum		stored[RULE_TABLE_COLUMNS + 2];
	bool		absent[RULE_TABLE_COLUMNS + 2];
	Datum		values[RULE_COLUMNS] = {0};
	bool		nulls[RULE_COLUMNS] = {false};
	int64		reads = 0;
	int32		tenant_key;

	heap_deform_tuple(row, descriptor, stored, absent);
	memcpy(values, &stored[2], RULE_TABLE_COLUMNS * sizeof(Datum));
	memcpy(nulls, &absent[2], RULE_TABLE_COLUMNS * sizeof(bool));
	tenant_key = DatumGetInt32(stored[1]);
	nulls[8] = !aevon_stats_read_rule(DatumGetInt32(stored[0]), &reads) ||
		(!scope->whole && tenant_key == 0);
	values[8] = Int64GetDatum(reads);
	put_time(values, nulls, 9, aevon_stats_reset_at(AEVON_STATS_RULE));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
put_function(ReturnSetInfo *result, AevonReadFunction function)
{
	static const double quantiles[] = {0.5, 0.95, 0.99};
	AevonReadStats *stats = palloc(sizeof(AevonReadStats));
	Datum		values[QUERY_COLUMNS] = {0};
	bool		nulls[QUERY_COLUMNS] = {false};

	(void) aevon_stats_read_function(function, stats);
	values[0] = CStringGetTextDatum(aevon_stats_function_name(function));
	values[1] = Int64GetDatum(stats->call_count);
	values[2] = ms(stats->total_us);
	nulls[3] = stats->call_count == 0;
	if (!nulls[3])
		values[3] = ms((double) stats->total_us / stats->call_count);
	for (int i = 0; i < lengthof(quantiles); i++)
	{
		nulls[4 + i] = nulls[3];
		if (!nulls[3])
			values[4 + i] = ms(Min(aevon_histogram_quantile(stats->buckets, quantiles[i]),
								   stats->max_us));
	}
	nulls[7] = nulls[3];
	values[7] = ms(stats->max_us);
	put_time(values, nulls, 8, aevon_stats_reset_at(AEVON_STATS_QUERY));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
put_time(Datum *values, bool *nulls, int column, TimestampTz at)
{
	nulls[column] = at == 0;
	values[column] = TimestampTzGetDatum(at);
}

static int
parse_groups(const char *word)
{
	static const struct
	{
		const char *word;
		int			group;
	}			groups[AEVON_STATS_GROUPS] = {
		{"sweep", AEVON_STATS_SWEEP},
		{"rule", AEVON_STATS_RULE},
		{"tenant", AEVON_STATS_TENANT},
		{"query", AEVON_STATS_QUERY},
	};

	for (int i = 0; i < lengthof(groups); i++)
		if (strcmp(word, groups[i].word) == 0)
			return groups[i].group;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown statistics \"%s\"", aevon_error_excerpt(word)),
			 errhint("They are \"sweep\", \"rule\", \"tenant\" and \"query\"; NULL stands for all.")));
}
