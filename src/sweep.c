/*
 * sweep.c
 *		A sweep: fold the tail into buckets and move the cuts, in the current
 *		transaction.
 *
 * Order is what makes it right (docs/design.md has the proof): lock the cuts'
 * rows; only then take the snapshot; fold what it sees of the tail, without
 * the own transaction's events; write buckets and cuts in one transaction.
 *
 * Events are folded into groups (measure, principal, minute) in memory.  Past
 * a bound the groups are merged into the buckets and memory is given back, so
 * that a backlog or a transaction of any size needs no more.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "commands/async.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "tcop/utility.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "access.h"
#include "catalog.h"
#include "chain.h"
#include "correct.h"
#include "cut.h"
#include "fold.h"
#include "guard.h"
#include "guc.h"
#include "log.h"
#include "rule.h"
#include "shmem.h"
#include "store.h"
#include "sweep.h"

/* Groups are written out past either bound. */
#define MAX_GROUPS 200000
#define MAX_GROUP_BYTES (64 * 1024 * 1024)

#define MINUTES_A_DAY 1440

typedef struct GroupKey
{
	int64		minute;
	int32		measure;		/* index in the batch */
	int32		principal_key;
} GroupKey;

typedef struct FoldGroup
{
	GroupKey	key;
	int32		tenant_key;
	char		status;
	AevonPartial partial;
} FoldGroup;

static inline uint32
hash_group(const GroupKey *key)
{
	uint32		subject = hash_combine(murmurhash32((uint32) key->principal_key),
									   (uint32) key->measure);

	return hash_combine(subject, murmurhash32((uint32) key->minute));
}

static inline bool
equal_groups(const GroupKey *a, const GroupKey *b)
{
	return a->minute == b->minute && a->measure == b->measure &&
		a->principal_key == b->principal_key;
}

#define SH_PREFIX groups
#define SH_ELEMENT_TYPE FoldGroup
#define SH_KEY_TYPE GroupKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) hash_group(&(key))
#define SH_EQUAL(table, a, b) equal_groups(&(a), &(b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* Measures with the same cut, swept together. */
typedef struct Batch
{
	AevonCut   *from;
	int			count;
	const AevonMeasure **measures;
	int64	   *matched;		/* events that counted, per measure */
	bool		caught_up;		/* before this sweep */
} Batch;

typedef struct Sweep
{
	bool		by_worker;
	int64		max_events;		/* still to fold; 0: none left */
	bool		bounded;
	int64		own_stamp;		/* 0: no id yet, so no events */
	AevonCut   *target;
	Snapshot	snapshot;
	MemoryContext work;			/* groups */
	MemoryContext event;		/* of one event */
	groups_hash *groups;
	AevonSweepResult *result;
	TimestampTz started_at;
} Sweep;

PG_FUNCTION_INFO_V1(aevon_sweep_sql);

static void sweep_all(Sweep *sweep, int64 base);
static Batch *next_batch(const AevonRuleSet *rules, AevonCheckpoint *checkpoints, int count,
						 int *at);
static void sweep_batch(Sweep *sweep, Batch *batch);
static int64 fold_stamps(Sweep *sweep, Batch *batch, int64 from, int64 until);
static void fold_row(Sweep *sweep, Batch *batch, AevonLogRow *row);
static void start_groups(Sweep *sweep);
static void write_groups(Sweep *sweep, Batch *batch);
static void write_principals(Sweep *sweep, Batch *batch, AevonStore *store, FoldGroup **groups,
							 int count);
static void write_tenants(Sweep *sweep, Batch *batch, AevonStore *store, FoldGroup **groups,
						  int count);
static int	write_series(AevonStore *store, const AevonMeasure *measure, const FoldGroup *group,
						 int32 subject_key, AevonWindowState *states, int count);
static int	compare_by_principal(const void *a, const void *b);
static int	compare_by_tenant(const void *a, const void *b);
static void move_checkpoints(Sweep *sweep, Batch *batch, const AevonCut *cut, bool caught_up);
static void log_sweep(Sweep *sweep);
static void report_progress(Sweep *sweep);

Datum
aevon_sweep_sql(PG_FUNCTION_ARGS)
{
	AevonSweepResult result;
	TupleDesc	descriptor;
	Datum		values[5];
	bool		nulls[5] = {false};

	if (!PG_ARGISNULL(0) && PG_GETARG_INT64(0) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"max_events\" must be greater than zero"),
				 errhint("Leave it out to sweep the whole backlog.")));
	PreventCommandIfReadOnly("aevon_sweep()");
	PreventCommandDuringRecovery("aevon_sweep()");
	aevon_access_require(NULL, AEVON_PRIVILEGE_OPERATE);
	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	aevon_sweep_run(PG_ARGISNULL(0) ? 0 : PG_GETARG_INT64(0), false, &result);

	values[0] = Int64GetDatum(result.event_count);
	values[1] = Int64GetDatum(result.bucket_count);
	values[2] = Int32GetDatum(result.measure_count);
	values[3] = Float8GetDatum(result.duration_ms);
	values[4] = BoolGetDatum(result.more);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls)));
}

void
aevon_sweep_run(int64 max_events, bool by_worker, AevonSweepResult *result)
{
	AevonAccess access;
	Sweep		sweep = {0};
	instr_time	start;
	instr_time	duration;
	int64		base;

	memset(result, 0, sizeof(*result));
	INSTR_TIME_SET_CURRENT(start);
	sweep.by_worker = by_worker;
	sweep.bounded = max_events > 0;
	sweep.max_events = max_events;
	sweep.result = result;
	sweep.started_at = GetCurrentTimestamp();

	aevon_access_enter(&access);
	if (aevon_guard_check(&base))
	{
		if (SPI_connect() != SPI_OK_CONNECT)
			elog(ERROR, "SPI_connect failed");
		sweep_all(&sweep, base);
		INSTR_TIME_SET_CURRENT(duration);
		INSTR_TIME_SUBTRACT(duration, start);
		result->duration_ms = INSTR_TIME_GET_MILLISEC(duration);
		if (result->measure_count > 0)
		{
			log_sweep(&sweep);
			Async_Notify("aevon", "");
		}
		/* in a transaction of its own: its end must not keep definers waiting */
		if (!IsTransactionBlock())
			aevon_rule_switch_versions();
		SPI_finish();
		aevon_shmem_note_swept(result->event_count);
	}
	aevon_access_leave(&access);
}

static void
sweep_all(Sweep *sweep, int64 base)
{
	FullTransactionId own;
	const AevonRuleSet *rules;
	AevonCheckpoint *checkpoints;
	const AevonCut *chained;
	int64		max_events = sweep->max_events;
	Batch	   *batch;
	int			count;
	int			at = 0;

	checkpoints = aevon_cut_lock_checkpoints(&count);
	chained = aevon_chain_lock();

	/* not a moment before the lock: another sweep may just have moved the cut */
	sweep->snapshot = RegisterSnapshot(GetTransactionSnapshot());
	sweep->target = aevon_cut_of_snapshot(sweep->snapshot, base);
	own = GetTopFullTransactionIdIfAny();
	if (FullTransactionIdIsValid(own))
		sweep->own_stamp = base + (int64) U64FromFullTransactionId(own);

	sweep->work = AllocSetContextCreate(CurrentMemoryContext, "aevon sweep groups",
										ALLOCSET_DEFAULT_SIZES);
	sweep->event = AllocSetContextCreate(CurrentMemoryContext, "aevon sweep event",
										 ALLOCSET_DEFAULT_SIZES);
	rules = aevon_rule_load(sweep->snapshot);
	while ((batch = next_batch(rules, checkpoints, count, &at)) != NULL)
	{
		aevon_guard_check_cut(batch->from->xmax);
		sweep_batch(sweep, batch);
	}
	if (chained != NULL &&
		aevon_chain_extend(sweep->snapshot, chained, sweep->target, max_events))
		sweep->result->more = true;
	MemoryContextDelete(sweep->work);
	MemoryContextDelete(sweep->event);
	UnregisterSnapshot(sweep->snapshot);
}

/*
 * The checkpoints with the same cut as the first that is still to be swept;
 * those are marked by a NULL cut.
 */
static Batch *
next_batch(const AevonRuleSet *rules, AevonCheckpoint *checkpoints, int count, int *at)
{
	Batch	   *batch = palloc0(sizeof(Batch));

	batch->measures = palloc(Max(count, 1) * sizeof(AevonMeasure *));
	batch->matched = palloc0(Max(count, 1) * sizeof(int64));
	for (; *at < count && batch->count == 0; (*at)++)
	{
		AevonCheckpoint *first = &checkpoints[*at];

		if (first->cut == NULL)
			continue;
		batch->from = first->cut;
		batch->caught_up = true;
		for (int i = *at; i < count; i++)
		{
			AevonCheckpoint *other = &checkpoints[i];
			const AevonMeasure *measure;

			if (other->cut == NULL || !aevon_cut_equal(other->cut, batch->from))
				continue;
			measure = aevon_rule_measure(rules, other->measure_key);
			if (measure == NULL)
				continue;
			batch->measures[batch->count++] = measure;
			batch->caught_up &= other->caught_up;
			other->cut = NULL;
		}
	}
	return batch->count > 0 ? batch : NULL;
}

static void
sweep_batch(Sweep *sweep, Batch *batch)
{
	const AevonCut *from = batch->from;
	int64		before = sweep->result->event_count;
	int64		end = sweep->target->xmax;
	int64		corrected;
	bool		xip_moved = false;
	bool		complete;
	AevonCorrection correction = {
		.snapshot = sweep->snapshot,
		.before = from,
		.count = batch->count,
		.measures = batch->measures,
	};

	start_groups(sweep);
	for (int i = 0; i < from->nxip; i++)
	{
		int64		stamp = from->xip[i];

		if (stamp < sweep->target->xmax && !aevon_cut_contains(sweep->target, stamp))
			continue;			/* still running, or this very transaction */
		xip_moved = true;
		fold_stamps(sweep, batch, stamp, stamp + 1);
	}
	if (from->xmax < end)
		end = fold_stamps(sweep, batch, from->xmax, end);
	write_groups(sweep, batch);

	complete = end == sweep->target->xmax;
	if (!complete)
		sweep->result->more = true;
	correction.after = complete ? sweep->target : aevon_cut_end_at(sweep->target, end);
	corrected = aevon_correct_buckets(&correction, &sweep->result->bucket_count);
	if (sweep->result->event_count == before && corrected == 0 && !xip_moved && complete &&
		batch->caught_up)
		return;					/* nothing to move: do not write */
	move_checkpoints(sweep, batch, correction.after, complete);
}

/*
 * Fold the events of stamps [from, until) that the snapshot sees; the stamp up
 * to which all are folded.  A bounded sweep ends between two transactions.
 */
static int64
fold_stamps(Sweep *sweep, Batch *batch, int64 from, int64 until)
{
	AevonLogScan *scan = aevon_log_scan_stamps(sweep->snapshot, from, until);
	AevonLogRow row;
	int64		last = -1;

	while (aevon_log_scan_next(scan, &row))
	{
		if (row.stamp == sweep->own_stamp)
			continue;
		if (sweep->bounded && sweep->max_events <= 0 && row.stamp != last && until > from + 1)
		{
			until = row.stamp;
			break;
		}
		last = row.stamp;
		fold_row(sweep, batch, &row);
		sweep->max_events--;
		sweep->result->event_count++;
		if (sweep->groups->members >= MAX_GROUPS ||
			((sweep->result->event_count & 0xff) == 0 &&
			 MemoryContextMemAllocated(sweep->work, true) > MAX_GROUP_BYTES))
		{
			write_groups(sweep, batch);
			start_groups(sweep);
		}
	}
	aevon_log_scan_end(scan);
	return until;
}

static void
fold_row(Sweep *sweep, Batch *batch, AevonLogRow *row)
{
	MemoryContext outer = MemoryContextSwitchTo(sweep->event);
	GroupKey	key;

	key.minute = aevon_window_of(row->occurred_at, AEVON_MINUTE);
	key.principal_key = row->principal_key;
	for (int i = 0; i < batch->count; i++)
	{
		AevonContribution contribution;
		FoldGroup  *group;
		bool		found;

		if (!aevon_fold_evaluate(batch->measures[i], row, &contribution))
			continue;
		batch->matched[i]++;
		key.measure = i;
		group = groups_insert(sweep->groups, key, &found);
		if (!found)
		{
			memset(&group->partial, 0, sizeof(group->partial));
			group->tenant_key = row->tenant_key;
		}
		MemoryContextSwitchTo(sweep->work);
		aevon_fold_apply(batch->measures[i], &contribution, &group->partial);
		MemoryContextSwitchTo(sweep->event);
	}
	MemoryContextSwitchTo(outer);
	MemoryContextReset(sweep->event);
}

static void
start_groups(Sweep *sweep)
{
	MemoryContextReset(sweep->work);
	sweep->groups = groups_create(sweep->work, 1024, NULL);
}

/* Merge all groups into the buckets. */
static void
write_groups(Sweep *sweep, Batch *batch)
{
	MemoryContext outer;
	groups_iterator iterator;
	AevonStore *store;
	FoldGroup **groups;
	FoldGroup  *group;
	int			count = 0;

	if (sweep->groups->members == 0)
		return;
	report_progress(sweep);

	/* rows that this transaction has written must be seen */
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	outer = MemoryContextSwitchTo(sweep->work);
	store = aevon_store_open(GetActiveSnapshot(), true);

	groups = palloc(sweep->groups->members * sizeof(FoldGroup *));
	groups_start_iterate(sweep->groups, &iterator);
	while ((group = groups_iterate(sweep->groups, &iterator)) != NULL)
		groups[count++] = group;
	qsort(groups, count, sizeof(FoldGroup *), compare_by_principal);
	write_principals(sweep, batch, store, groups, count);
	qsort(groups, count, sizeof(FoldGroup *), compare_by_tenant);
	write_tenants(sweep, batch, store, groups, count);

	aevon_store_close(store);
	MemoryContextSwitchTo(outer);
	PopActiveSnapshot();
	CommandCounterIncrement();
}

static void
write_principals(Sweep *sweep, Batch *batch, AevonStore *store, FoldGroup **groups, int count)
{
	AevonWindowState *states = palloc(count * sizeof(AevonWindowState));

	for (int i = 0; i < count;)
	{
		const GroupKey *key = &groups[i]->key;
		const FoldGroup *first = groups[i];
		int			n = 0;

		for (; i < count && groups[i]->key.measure == key->measure &&
			 groups[i]->key.principal_key == key->principal_key; i++)
		{
			states[n].window = groups[i]->key.minute;
			states[n++].partial = &groups[i]->partial;
		}
		sweep->result->bucket_count += write_series(store, batch->measures[key->measure], first,
													key->principal_key, states, n);
	}
	pfree(states);
}

/* The whole tenant's state of a minute is merged from its principals'. */
static void
write_tenants(Sweep *sweep, Batch *batch, AevonStore *store, FoldGroup **groups, int count)
{
	AevonWindowState *states = palloc(count * sizeof(AevonWindowState));

	for (int i = 0; i < count;)
	{
		const FoldGroup *first = groups[i];
		int			n = 0;

		for (; i < count && groups[i]->key.measure == first->key.measure &&
			 groups[i]->tenant_key == first->tenant_key; i++)
		{
			if (n == 0 || states[n - 1].window != groups[i]->key.minute)
			{
				states[n].window = groups[i]->key.minute;
				states[n++].partial = &groups[i]->partial;
			}
			else				/* principals are written: their states may go */
				aevon_partial_merge(states[n - 1].partial, &groups[i]->partial);
		}
		sweep->result->bucket_count += write_series(store, batch->measures[first->key.measure],
													first, -first->tenant_key, states, n);
	}
	pfree(states);
}

/* Minutes of one series into its minutes and, merged by day, into its days. */
static int
write_series(AevonStore *store, const AevonMeasure *measure, const FoldGroup *group,
			 int32 subject_key, AevonWindowState *states, int count)
{
	AevonSeries series = {measure->measure_key, group->tenant_key, subject_key, NULL};
	bool		made;
	int64		series_key = aevon_store_make_series(store, &series, &made);
	AevonSeriesTier where = {series_key, AEVON_TIER_1M, false};
	int			written = aevon_store_merge(store, &where, states, count);
	MemoryContext days = AllocSetContextCreate(CurrentMemoryContext, "aevon sweep days",
											   ALLOCSET_SMALL_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(days);
	AevonWindowState *day_states = palloc(count * sizeof(AevonWindowState));
	int			n = 0;

	CHECK_FOR_INTERRUPTS();
	for (int i = 0; i < count; i++)
	{
		int64		day = aevon_window_of(states[i].window, MINUTES_A_DAY);

		if (n == 0 || day_states[n - 1].window != day)
		{
			day_states[n].window = day;
			day_states[n++].partial = palloc0(sizeof(AevonPartial));
		}
		aevon_partial_merge(day_states[n - 1].partial, states[i].partial);
	}
	where.tier = AEVON_TIER_1D;
	written += aevon_store_merge(store, &where, day_states, n);
	for (int i = 0; i < n; i++)
		aevon_store_touch(store, series_key, day_states[i].window);
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(days);
	return written;
}

static int
compare_by_principal(const void *a, const void *b)
{
	const GroupKey *x = &(*(FoldGroup *const *) a)->key;
	const GroupKey *y = &(*(FoldGroup *const *) b)->key;

	if (x->measure != y->measure)
		return x->measure < y->measure ? -1 : 1;
	if (x->principal_key != y->principal_key)
		return x->principal_key < y->principal_key ? -1 : 1;
	return x->minute < y->minute ? -1 : x->minute > y->minute ? 1 : 0;
}

static int
compare_by_tenant(const void *a, const void *b)
{
	const FoldGroup *x = *(FoldGroup *const *) a;
	const FoldGroup *y = *(FoldGroup *const *) b;

	if (x->key.measure != y->key.measure)
		return x->key.measure < y->key.measure ? -1 : 1;
	if (x->tenant_key != y->tenant_key)
		return x->tenant_key < y->tenant_key ? -1 : 1;
	return x->key.minute < y->key.minute ? -1 : x->key.minute > y->key.minute ? 1 : 0;
}

static void
move_checkpoints(Sweep *sweep, Batch *batch, const AevonCut *cut, bool caught_up)
{
	Datum		values[6];

	values[1] = Int64GetDatum(cut->xmax);
	values[2] = aevon_cut_xip_datum(cut);
	values[3] = BoolGetDatum(caught_up);
	values[4] = TimestampTzGetDatum(sweep->started_at);
	for (int i = 0; i < batch->count; i++)
	{
		values[0] = Int32GetDatum(batch->measures[i]->measure_key);
		values[5] = Int64GetDatum(batch->matched[i]);
		aevon_catalog_run(AEVON_QUERY_MOVE_CHECKPOINT, values, NULL, false);
		if (SPI_processed != 1)
			elog(ERROR, "the checkpoint of measure %d is gone",
				 batch->measures[i]->measure_key);
	}
	sweep->result->measure_count += batch->count;
}

static void
log_sweep(Sweep *sweep)
{
	const AevonSweepResult *result = sweep->result;
	Datum		values[10] = {0};
	const char *nulls = "        nn";

	values[0] = TimestampTzGetDatum(sweep->started_at);
	values[1] = Float8GetDatum(result->duration_ms);
	values[2] = Int64GetDatum(result->event_count);
	values[3] = Int64GetDatum(result->bucket_count);
	values[4] = Int32GetDatum(result->measure_count);
	values[5] = Int64GetDatum(sweep->target->xmax);
	values[6] = aevon_cut_xip_datum(sweep->target);
	values[7] = BoolGetDatum(sweep->by_worker);
	aevon_catalog_run(AEVON_QUERY_LOG_SWEEP, values, nulls, false);
}

static void
report_progress(Sweep *sweep)
{
	char		activity[80];

	if (sweep->by_worker)
	{
		snprintf(activity, sizeof(activity), "aevon sweep: " INT64_FORMAT " events folded",
				 sweep->result->event_count);
		pgstat_report_activity(STATE_RUNNING, activity);
	}
	else if (sweep->result->event_count >= 1000000)
		ereport(NOTICE,
				(errmsg("aevon_sweep: " INT64_FORMAT " events folded so far",
						sweep->result->event_count)));
}
