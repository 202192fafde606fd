/*
 * snapshot.c
 *		Snapshots: the value of a day's metric at a cut, never changed after.
 *
 * Sweeps note which days of which series they change (aevon.touched_days); a
 * run takes those notes away and writes down what the day's bucket holds, if
 * that differs from the last snapshot.  It holds the checkpoints meanwhile, so
 * that bucket and cut belong together and no note is lost.  The cost depends
 * on what changed, not on history.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "access.h"
#include "catalog.h"
#include "chain.h"
#include "cut.h"
#include "digest.h"
#include "fold.h"
#include "guard.h"
#include "guc.h"
#include "metric.h"
#include "recount.h"
#include "rule.h"
#include "snapshot.h"
#include "store.h"
#include "storevisit.h"
#include "voided.h"
#include "voids.h"

/* A changed day, and what was last said of it. */
typedef struct ChangedDay
{
	int64		series_key;
	int32		day;
	int32		measure_key;
	int32		tenant_key;
	int32		subject_key;
	AevonGrouping grouping;
	Jsonb	   *values;			/* of the series' dimensions; NULL: totals */
	bytea	   *digest;
	const AevonMeasure *measure;
	const AevonDims *dims;		/* likewise */
	int32		last_revision;	/* 0: none */
	bool		settled;		/* the last one was final or revised */
	int64		last_event_count;
	int64		last_late_count;
	Jsonb	   *last_stats;
} ChangedDay;

typedef struct DayState
{
	MemoryContext home;
	AevonPartial partial;
} DayState;

typedef struct Snapshotting
{
	AevonStore *store;
	const AevonRuleSet *rules;
	AevonCheckpoint *checkpoints;
	int			checkpoint_count;
	TimestampTz now;
	int32		compacted_before;	/* days before it have been compacted */
	AevonChainRun *run;
	AevonSnapshotResult *result;
} Snapshotting;

/* Whether an event that had counted was voided. */
typedef struct Removal
{
	const AevonMeasure *measure;
	AevonSeriesFilter *filter;
	const AevonCut *cut;
	TimestampTz since;
	bool		any;
} Removal;

static void snapshot_all(int64 max_days, AevonSnapshotResult *result);
static int32 lock_compaction(void);
static ChangedDay *take_changed_days(const Snapshotting *state, int64 max_days, int *count);
static int	compare_days(const void *a, const void *b);
static Datum caught_up_measures(const Snapshotting *state);
static void snapshot_day(Snapshotting *state, ChangedDay *day);
static bool find_last(ChangedDay *day);
static void take_day(void *context, int64 window, const AevonPartial *partial);
static const char *status_of(const Snapshotting *state, const ChangedDay *day,
							 const AevonPartial *partial);
static bool changed_since(const Snapshotting *state, const ChangedDay *day,
						  const AevonPartial *partial, TimestampTz since);
static bool removed_since(const Snapshotting *state, const ChangedDay *day, AevonVoids *voids,
						  AevonSeriesFilter *filter, TimestampTz since);
static void note_removal(void *context, AevonLogRow *row, const AevonVoid *found);
static bool same_metric(const AevonMeasure *measure, const AevonPartial *a,
						const AevonPartial *b);
static const AevonCut *cut_of(const Snapshotting *state, int32 measure_key);
static void add_row(Snapshotting *state, const ChangedDay *day, const AevonPartial *partial,
					Jsonb *stats);

void
aevon_snapshot_run(int64 max_days, AevonSnapshotResult *result)
{
	AevonAccess access;
	int64		base;

	memset(result, 0, sizeof(*result));
	aevon_access_enter(&access);
	if (aevon_guard_check(&base))
	{
		aevon_catalog_connect();
		snapshot_all(max_days, result);
		aevon_catalog_finish();
	}
	aevon_access_leave(&access);
}

TimestampTz
aevon_snapshot_last_taken(void)
{
	AevonAccess access;
	Datum		taken_at;
	bool		isnull;

	aevon_access_enter(&access);
	aevon_catalog_connect();
	aevon_catalog_run(AEVON_QUERY_LAST_TAKEN, NULL, NULL, true);
	taken_at = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	aevon_catalog_finish();
	aevon_access_leave(&access);
	return isnull ? 0 : DatumGetTimestampTz(taken_at);
}

static void
snapshot_all(int64 max_days, AevonSnapshotResult *result)
{
	Snapshotting state = {0};
	MemoryContext day_context = AllocSetContextCreate(CurrentMemoryContext, "aevon snapshot",
													  ALLOCSET_DEFAULT_SIZES);
	ChangedDay *days;
	int			count;

	state.result = result;
	state.now = aevon_clock_now();
	state.checkpoints = aevon_cut_lock_all_checkpoints(&state.checkpoint_count);
	state.run = aevon_chain_begin_run();
	state.compacted_before = lock_compaction();
	days = take_changed_days(&state, max_days, &count);
	result->more = max_days > 0 && count == max_days;

	PushActiveSnapshot(GetTransactionSnapshot());
	state.rules = aevon_rule_load(GetActiveSnapshot());
	state.store = aevon_store_open(GetActiveSnapshot(), false);
	for (int i = 0; i < count; i++)
	{
		MemoryContext outer = MemoryContextSwitchTo(day_context);

		CHECK_FOR_INTERRUPTS();
		snapshot_day(&state, &days[i]);
		MemoryContextSwitchTo(outer);
		MemoryContextReset(day_context);
	}
	aevon_chain_end_run(state.run);
	aevon_store_close(state.store);
	PopActiveSnapshot();
	MemoryContextDelete(day_context);
}

/* Hold off compactions; the day before which all have been compacted. */
static int32
lock_compaction(void)
{
	Datum		day = 0;
	bool		never = true;

	aevon_catalog_run(AEVON_QUERY_LOCK_COMPACTION, NULL, NULL, false);
	if (SPI_processed > 0)
		day = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &never);
	return never ? PG_INT32_MIN : DatumGetInt32(day);
}

static ChangedDay *
take_changed_days(const Snapshotting *state, int64 max_days, int *count)
{
	Datum		values[2] = {
		Int64GetDatum(max_days > 0 ? max_days : PG_INT64_MAX), caught_up_measures(state)
	};
	SPITupleTable *table;
	ChangedDay *days;

	/* what series know to be touched they know no longer */
	(void) nextval_internal(aevon_catalog_oid(AEVON_TOUCHED_RUN_SEQ), false);
	aevon_catalog_run(AEVON_QUERY_TAKE_TOUCHED_DAYS, values, NULL, false);
	*count = (int) SPI_processed;
	table = SPI_tuptable;
	days = palloc_extended(Max(*count, 1) * sizeof(ChangedDay), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < *count; i++)
	{
		bool		isnull;

		days[i].series_key = DatumGetInt64(SPI_getbinval(table->vals[i], table->tupdesc, 1, &isnull));
		days[i].day = DatumGetInt32(SPI_getbinval(table->vals[i], table->tupdesc, 2, &isnull));
		days[i].measure_key = DatumGetInt32(SPI_getbinval(table->vals[i], table->tupdesc, 3, &isnull));
		days[i].tenant_key = DatumGetInt32(SPI_getbinval(table->vals[i], table->tupdesc, 4, &isnull));
		days[i].subject_key = DatumGetInt32(SPI_getbinval(table->vals[i], table->tupdesc, 5, &isnull));
		days[i].grouping = DatumGetInt32(SPI_getbinval(table->vals[i], table->tupdesc, 6, &isnull));
		if (days[i].grouping == 0)
			continue;
		days[i].values = DatumGetJsonbPCopy(SPI_getbinval(table->vals[i], table->tupdesc, 7, &isnull));
		days[i].digest = DatumGetByteaPCopy(SPI_getbinval(table->vals[i], table->tupdesc, 8, &isnull));
	}
	SPI_freetuptable(table);
	qsort(days, *count, sizeof(ChangedDay), compare_days);
	return days;
}

/* The order of the chain. */
static int
compare_days(const void *a, const void *b)
{
	const ChangedDay *x = a;
	const ChangedDay *y = b;

	if (x->series_key != y->series_key)
		return x->series_key < y->series_key ? -1 : 1;
	return x->day < y->day ? -1 : x->day > y->day ? 1 : 0;
}

/* Of the checkpoints held: the buckets of others are incomplete, or going. */
static Datum
caught_up_measures(const Snapshotting *state)
{
	Datum	   *keys = palloc(Max(state->checkpoint_count, 1) * sizeof(Datum));
	int			count = 0;

	for (int i = 0; i < state->checkpoint_count; i++)
	{
		if (state->checkpoints[i].caught_up)
			keys[count++] = Int32GetDatum(state->checkpoints[i].measure_key);
	}
	return PointerGetDatum(construct_array(keys, count, INT4OID, sizeof(int32), true, TYPALIGN_INT));
}

static void
snapshot_day(Snapshotting *state, ChangedDay *day)
{
	AevonVisit	visit = {AEVON_TIER_1D, day->series_key, day->day, day->day + 1, NULL, DT_NOEND, NULL};
	DayState	state_of_day = {CurrentMemoryContext, {0}};
	const AevonPartial *partial = &state_of_day.partial;
	AevonStoredDims stored = {day->grouping, day->values, day->digest};
	Jsonb	   *stats;
	bool		any;

	day->measure = aevon_rule_measure(state->rules, day->measure_key);
	if (day->measure == NULL)
		return;
	if (day->grouping != 0)
		day->dims = aevon_dims_of_series(aevon_dims_table_create(), day->measure, day->tenant_key,
										 &stored);
	aevon_store_visit(state->store, &visit, take_day, &state_of_day);
	stats = aevon_metric_stats(day->measure, partial);
	any = find_last(day);
	if (!any && partial->event_count == 0)
		return;
	if (any && partial->event_count == day->last_event_count &&
		partial->late == day->last_late_count &&
		compareJsonbContainers(&stats->root, &day->last_stats->root) == 0)
		return;
	add_row(state, day, partial, stats);
	state->result->snapshot_count++;
}

/* False: the day has no snapshot yet. */
static bool
find_last(ChangedDay *day)
{
	Datum		values[2] = {Int64GetDatum(day->series_key), Int32GetDatum(day->day)};
	TupleDesc	descriptor;
	HeapTuple	tuple;
	bool		isnull;

	aevon_catalog_run(AEVON_QUERY_LAST_SNAPSHOT, values, NULL, false);
	if (SPI_processed == 0)
		return false;
	tuple = SPI_tuptable->vals[0];
	descriptor = SPI_tuptable->tupdesc;
	day->last_revision = DatumGetInt32(SPI_getbinval(tuple, descriptor, 1, &isnull));
	day->last_event_count = DatumGetInt64(SPI_getbinval(tuple, descriptor, 2, &isnull));
	day->last_late_count = DatumGetInt64(SPI_getbinval(tuple, descriptor, 3, &isnull));
	day->last_stats = DatumGetJsonbPCopy(SPI_getbinval(tuple, descriptor, 4, &isnull));
	day->settled = DatumGetBool(SPI_getbinval(tuple, descriptor, 5, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return true;
}

/* A visitor: the state's memory goes with its row. */
static void
take_day(void *context, int64 window, const AevonPartial *partial)
{
	DayState   *day = context;
	MemoryContext outer = MemoryContextSwitchTo(day->home);

	aevon_partial_merge(&day->partial, partial);
	MemoryContextSwitchTo(outer);
}

/*
 * Provisional until the day and aevon.allowed_lateness are over.  The first
 * snapshot after that is final, unless events or voids that came later than
 * that have changed what was reported before: then it is revised.
 */
static const char *
status_of(const Snapshotting *state, const ChangedDay *day, const AevonPartial *partial)
{
	TimestampTz settled_at = (day->day + INT64CONST(1)) * AEVON_DAY +
	aevon_allowed_lateness_s * USECS_PER_SEC;

	if (state->now < settled_at)
		return "provisional";
	/* there is a new snapshot because the metric is not that of the last one */
	if (day->settled ||
		(day->last_revision > 0 && changed_since(state, day, partial, settled_at)))
		return "revised";
	return "final";
}

/*
 * Is the day's metric another than what had come before a time made it?  One
 * kind of change alone cannot be undone, so that the day has to be counted
 * again only when there are both.
 */
static bool
changed_since(const Snapshotting *state, const ChangedDay *day, const AevonPartial *partial,
			  TimestampTz since)
{
	AevonVoids *voids = aevon_voids_open(GetActiveSnapshot(), day->tenant_key);
	AevonSeriesFilter *filter = aevon_seriesfilter_create(state->store, day->dims);
	bool		added = partial->event_count > 0 && partial->max_ingested >= since;
	bool		removed = removed_since(state, day, voids, filter, since);
	bool		changed = added || removed;

	if (added && removed)
	{
		AevonRecount recount = {
			.snapshot = GetActiveSnapshot(),
			.voids = voids,
			.cut = cut_of(state, day->measure_key),
			.tenant_key = day->tenant_key,
			.subject_key = day->subject_key,
			.since = day->day * AEVON_DAY,
			.until = (day->day + INT64CONST(1)) * AEVON_DAY,
			.filter = filter,
			.known_before = &since,
		};
		AevonPacked minutes;

		aevon_recount_minutes(&recount, day->measure, &minutes);
		changed = !same_metric(day->measure, partial, &minutes.merged);
	}
	aevon_voids_close(voids);
	aevon_seriesfilter_delete(filter);
	return changed;
}

/* Was an event that had counted before a time voided since, as the cut has it? */
static bool
removed_since(const Snapshotting *state, const ChangedDay *day, AevonVoids *voids,
			  AevonSeriesFilter *filter, TimestampTz since)
{
	TimestampTz start = day->day * AEVON_DAY;
	Removal		removal = {day->measure, filter, cut_of(state, day->measure_key), since, false};
	AevonVoidedRange range = {
		.snapshot = GetActiveSnapshot(),
		/* the day's own: there may be any number of others */
		.voids = aevon_voids_range_by_time(day->tenant_key, day->subject_key, start,
										   start + AEVON_DAY),
		.voided_since = since,
		.since = start,
		.until = start + AEVON_DAY,
	};

	aevon_voided_visit(voids, &range, note_removal, &removal);
	return removal.any;
}

/* A visitor. */
static void
note_removal(void *context, AevonLogRow *row, const AevonVoid *found)
{
	Removal    *removal = context;
	AevonContribution contribution;

	if (!removal->any && row->ingested_at < removal->since &&
		aevon_cut_contains(removal->cut, row->stamp) &&
		aevon_cut_contains(removal->cut, found->stamp))
		removal->any = aevon_fold_evaluate(removal->measure, row, &contribution) &&
			(removal->filter == NULL ||
			 aevon_seriesfilter_accepts(removal->filter, row, removal->cut->xmax));
}

static bool
same_metric(const AevonMeasure *measure, const AevonPartial *a, const AevonPartial *b)
{
	return a->event_count == b->event_count && a->late == b->late &&
		compareJsonbContainers(&aevon_metric_stats(measure, a)->root,
							   &aevon_metric_stats(measure, b)->root) == 0;
}

static const AevonCut *
cut_of(const Snapshotting *state, int32 measure_key)
{
	for (int i = 0; i < state->checkpoint_count; i++)
	{
		if (state->checkpoints[i].measure_key == measure_key)
			return state->checkpoints[i].cut;
	}
	elog(ERROR, "measure %d has no checkpoint", measure_key);
	return NULL;
}

static void
add_row(Snapshotting *state, const ChangedDay *day, const AevonPartial *partial, Jsonb *stats)
{
	static const Oid types[] = {INT8OID, INT8OID, TIMESTAMPTZOID, INT8OID, INT8OID, INT8OID,
	INT4OID, INT4OID, TEXTOID, INT8ARRAYOID, JSONBOID, JSONBOID};
	const AevonCut *cut = cut_of(state, day->measure_key);
	Datum		values[lengthof(types) + 1];	/* in the order of the columns */
	AevonDigestRow digest = {lengthof(types), types, values, NULL};
	bytea	   *hash = palloc(VARHDRSZ + AEVON_DIGEST_LENGTH);
	AevonLinkedRow row = {
		.link_number = aevon_chain_run_number(state->run),
		.series_key = day->series_key,
		.day = day->day,
		.revision = day->last_revision + 1,
		.hash = hash,
	};

	values[0] = Int64GetDatum(row.series_key);
	values[1] = Int64GetDatum(cut->xmax);
	values[2] = TimestampTzGetDatum(state->now);
	values[3] = Int64GetDatum(partial->event_count);
	values[4] = Int64GetDatum(partial->late);
	values[5] = Int64GetDatum(row.link_number);
	values[6] = Int32GetDatum(row.day);
	values[7] = Int32GetDatum(row.revision);
	values[8] = CStringGetTextDatum(status_of(state, day, partial));
	values[9] = aevon_cut_xip_datum(cut);
	values[10] = JsonbPGetDatum(stats);
	values[11] = JsonbPGetDatum(aevon_metric_delta(stats, day->last_stats));
	SET_VARSIZE(hash, VARHDRSZ + AEVON_DIGEST_LENGTH);
	aevon_digest_row(&digest, (uint8 *) VARDATA(hash));
	values[12] = PointerGetDatum(hash);
	aevon_catalog_run(AEVON_QUERY_ADD_SNAPSHOT, values, NULL, false);
	if (day->day < state->compacted_before)
	{
		Datum		reopened[2] = {Int64GetDatum(row.series_key), Int32GetDatum(row.day)};

		aevon_catalog_run(AEVON_QUERY_REOPEN_DAY, reopened, NULL, false);
	}
	aevon_chain_put_snapshot(state->run, &row);
}
