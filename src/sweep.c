/*
 * sweep.c
 *		A sweep: fold the tail into buckets and move the cuts, in the current
 *		transaction.
 *
 * Order is what makes it right (docs/design.md has the proof): lock the cuts'
 * rows; only then take the snapshot; fold what it sees of the tail, without
 * the own transaction's events; write buckets and cuts in one transaction.
 *
 * Events are folded into groups in memory (groups.h), which are merged into the
 * buckets whenever they have grown past a bound.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "commands/async.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "tcop/utility.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "access.h"
#include "catalog.h"
#include "chain.h"
#include "correct.h"
#include "cut.h"
#include "dictionary.h"
#include "groups.h"
#include "guard.h"
#include "guc.h"
#include "log.h"
#include "rule.h"
#include "stats.h"
#include "sweep.h"
#include "workernotes.h"

/* Measures with the same cut, swept together. */
typedef struct Batch
{
	AevonCut   *from;
	int			count;
	const AevonMeasure **measures;
	AevonFolded *folded;		/* of each measure */
	AevonGroups *groups;
	AevonLinkEntry *entry;		/* the chain reads the same events; or NULL */
	bool		caught_up;		/* before this sweep */
} Batch;

typedef struct Sweep
{
	bool		by_worker;
	int64		max_events;		/* still to fold; 0: none left */
	bool		bounded;
	int64		own_stamp;		/* 0: no id yet, so no events */
	AevonCut   *target;
	const AevonCut *chained;	/* what links cover; NULL: the chain is off,
								 * or was extended */
	Snapshot	snapshot;
	const AevonRuleSet *rules;
	AevonSweepResult *result;
	TimestampTz started_at;
} Sweep;

PG_FUNCTION_INFO_V1(aevon_sweep_sql);

static void sweep_all(Sweep *sweep, int64 base);
static Batch *next_batch(const AevonRuleSet *rules, AevonCheckpoint *checkpoints, int count,
						 int *at);
static void sweep_batch(Sweep *sweep, Batch *batch);
static bool reads_for_chain(const Sweep *sweep, const Batch *batch);
static int64 fold_and_chain(Sweep *sweep, Batch *batch, bool *xip_moved);
static int64 fold_tail(Sweep *sweep, Batch *batch, bool *xip_moved);
static int64 fold_stamps(Sweep *sweep, Batch *batch, int64 from, int64 until);
static void write_groups(Sweep *sweep, Batch *batch);
static void report_full(Sweep *sweep, const AevonFolded *folded);
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
		aevon_catalog_connect();
		sweep_all(&sweep, base);
		INSTR_TIME_SET_CURRENT(duration);
		INSTR_TIME_SUBTRACT(duration, start);
		result->duration_ms = INSTR_TIME_GET_MILLISEC(duration);
		if (result->measure_count > 0)
		{
			log_sweep(&sweep);
			aevon_stats_note_sweep(result->event_count, result->bucket_count,
								   result->duration_ms, by_worker);
			Async_Notify("aevon", "");
		}
		/* in a transaction of its own: its end must not keep definers waiting */
		if (!IsTransactionBlock())
			aevon_rule_switch_versions();
		aevon_catalog_finish();
		aevon_workernotes_swept(result->event_count);
	}
	aevon_access_leave(&access);
}

static void
sweep_all(Sweep *sweep, int64 base)
{
	FullTransactionId own;
	AevonCheckpoint *checkpoints;
	int64		max_events = sweep->max_events;
	Batch	   *batch;
	int			count;
	int			at = 0;

	checkpoints = aevon_cut_lock_checkpoints(&count);
	sweep->chained = aevon_chain_lock();

	/* not a moment before the lock: another sweep may just have moved the cut */
	sweep->snapshot = RegisterSnapshot(GetTransactionSnapshot());
	sweep->target = aevon_cut_of_snapshot(sweep->snapshot, base);
	own = GetTopFullTransactionIdIfAny();
	if (FullTransactionIdIsValid(own))
		sweep->own_stamp = base + (int64) U64FromFullTransactionId(own);

	sweep->rules = aevon_rule_load(sweep->snapshot);
	while ((batch = next_batch(sweep->rules, checkpoints, count, &at)) != NULL)
	{
		aevon_guard_check_cut(batch->from->xmax);
		sweep_batch(sweep, batch);
	}
	if (sweep->chained != NULL &&
		aevon_chain_extend(sweep->snapshot, sweep->chained, sweep->target, max_events))
		sweep->result->more = true;
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
	batch->folded = palloc0(Max(count, 1) * sizeof(AevonFolded));
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
			AevonFolded *folded = &batch->folded[batch->count];
			const AevonMeasure *measure;

			if (other->cut == NULL || !aevon_cut_equal(other->cut, batch->from))
				continue;
			measure = aevon_rule_measure(rules, other->measure_key);
			if (measure == NULL)
				continue;
			folded->measure = measure;
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
	int64		before = sweep->result->event_count;
	int64		end;
	int64		corrected;
	bool		xip_moved = false;
	bool		complete;
	AevonCorrection correction = {
		.snapshot = sweep->snapshot,
		.before = batch->from,
		.count = batch->count,
		.measures = batch->measures,
	};

	batch->groups = aevon_groups_create(batch->folded, batch->count, sweep->target->xmax);
	if (reads_for_chain(sweep, batch))
		end = fold_and_chain(sweep, batch, &xip_moved);
	else
		end = fold_tail(sweep, batch, &xip_moved);
	write_groups(sweep, batch);
	aevon_groups_delete(batch->groups);

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
 * Do links cover what the batch's measures cover, and will they end at the same
 * place?  Then one pass over the log does for both.
 */
static bool
reads_for_chain(const Sweep *sweep, const Batch *batch)
{
	return sweep->chained != NULL && aevon_cut_equal(sweep->chained, batch->from) &&
		(!sweep->bounded || sweep->result->event_count == 0);
}

static int64
fold_and_chain(Sweep *sweep, Batch *batch, bool *xip_moved)
{
	AevonChainPass *pass = aevon_chain_begin_pass(sweep->snapshot, sweep->chained, sweep->target);
	int64		end;

	batch->entry = aevon_chain_pass_entry(pass);
	end = fold_tail(sweep, batch, xip_moved);
	aevon_chain_end_pass(pass, end);
	batch->entry = NULL;
	sweep->chained = NULL;
	return end;
}

/* The stamp up to which all is folded. */
static int64
fold_tail(Sweep *sweep, Batch *batch, bool *xip_moved)
{
	const AevonCut *from = batch->from;
	int64		end = sweep->target->xmax;

	for (int i = 0; i < from->nxip; i++)
	{
		int64		stamp = from->xip[i];

		if (stamp < end && !aevon_cut_contains(sweep->target, stamp))
			continue;			/* still running, or this very transaction */
		*xip_moved = true;
		fold_stamps(sweep, batch, stamp, stamp + 1);
	}
	return from->xmax < end ? fold_stamps(sweep, batch, from->xmax, end) : end;
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

	if (batch->entry != NULL)
		aevon_link_enter_stamps(batch->entry, from, until);
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
		if (batch->entry != NULL)
			aevon_link_put_event(batch->entry, &row);
		aevon_groups_fold(batch->groups, &row);
		sweep->max_events--;
		sweep->result->event_count++;
		if (aevon_groups_full(batch->groups))
			write_groups(sweep, batch);
	}
	if (batch->entry != NULL)
		aevon_link_leave_stamps(batch->entry, until);
	aevon_log_scan_end(scan);
	return until;
}

/* Merge all groups into the buckets. */
static void
write_groups(Sweep *sweep, Batch *batch)
{
	sweep->result->bucket_count += aevon_groups_write(batch->groups);
	report_progress(sweep);
	for (int i = 0; i < batch->count; i++)
	{
		if (batch->folded[i].full_tenants > 0)
			report_full(sweep, &batch->folded[i]);
		batch->folded[i].full_tenants = 0;
	}
}

/* For the operator, or for the server's log. */
static void
report_full(Sweep *sweep, const AevonFolded *folded)
{
	const AevonRule *rule = NULL;
	const char *tenant;

	for (int i = 0; i < sweep->rules->rule_count; i++)
	{
		if (sweep->rules->rules[i].measure == folded->measure &&
			sweep->rules->rules[i].state != AEVON_RULE_RETIRED)
			rule = &sweep->rules->rules[i];
	}
	if (rule == NULL)
		return;
	tenant = aevon_dictionary_name(AEVON_DICTIONARY_TENANT, folded->full_tenant_key);
	ereport(WARNING,
			(folded->full_tenants == 1 ?
			 errmsg("rule \"%s\" has reached aevon.max_series_per_rule for tenant \"%s\"",
					rule->name, tenant) :
			 errmsg("rule \"%s\" has reached aevon.max_series_per_rule for %d tenants, \"%s\" among them",
					rule->name, folded->full_tenants, tenant),
			 errdetail("Events whose combination of dimension values is new to such a tenant are folded together as %s from now on; totals stay exact.",
					   AEVON_OTHER),
			 errhint("Take out a dimension with many values, or raise the setting and call aevon_rebuild().")));
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
		const AevonFolded *folded = &batch->folded[i];

		values[0] = Int32GetDatum(folded->measure->measure_key);
		values[5] = Int64GetDatum(folded->matched);
		aevon_catalog_run(AEVON_QUERY_MOVE_CHECKPOINT, values, NULL, false);
		if (SPI_processed != 1)
			elog(ERROR, "the checkpoint of measure %d is gone", folded->measure->measure_key);
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
