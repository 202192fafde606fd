/*
 * checks.c
 *		What aevon_health looks at.
 *
 * A figure past its threshold is a warning, past four times the threshold
 * critical.  What is broken outright is critical.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "chain.h"
#include "checks.h"
#include "cut.h"
#include "guard.h"
#include "guc.h"
#include "rule.h"
#include "shmem.h"
#include "stats.h"
#include "tail.h"

#define CRITICAL_FACTOR 4
#define REJECTION_MINUTES 10
#define MAX_COUNTED 200000		/* events of a tail, where no threshold says */

typedef struct Examination
{
	const AevonScope *scope;
	Snapshot	snapshot;
	TimestampTz now;
	bool		foreign;		/* the restore guard keeps everybody out */
	AevonTenantStats recent;	/* of the scope's tenants */
	bool		has_recent;
	List	   *checks;
} Examination;

static AevonCheck *add_check(Examination *ex, const char *name, const char *hint);
static void judge(AevonCheck *check, double value, double threshold, const char *unit);
static bool unknown_if(AevonCheck *check, bool condition, const char *why);
static void check_guard(Examination *ex);
static void check_worker(Examination *ex);
static void judge_worker(const Examination *ex, AevonCheck *check, const AevonSlot *slot);
static void check_tail(Examination *ex);
static AevonTail longest_tail(const Examination *ex, int64 limit);
static const AevonMeasure *live_measure(const AevonRuleSet *rules, int32 measure_key);
static void check_backfill(Examination *ex);
static void check_latency(Examination *ex);
static void gather_recent(Examination *ex);
static void check_rejections(Examination *ex);
static void check_conflicts(Examination *ex);
static void check_lateness(Examination *ex);
static void check_series(Examination *ex);
static const char *full_detail(const Examination *ex, const AevonRuleSet *rules,
							   const AevonMeasure *measure);
static void check_snapshots(Examination *ex);
static void check_chain(Examination *ex);
static int64 fetch_number(AevonQuery query, Datum *values);

const char *
aevon_health_name(AevonHealth health)
{
	static const char *const names[] = {
		[AEVON_HEALTH_OK] = "ok",
		[AEVON_HEALTH_WARNING] = "warning",
		[AEVON_HEALTH_CRITICAL] = "critical",
		[AEVON_HEALTH_UNKNOWN] = "unknown",
	};

	return names[health];
}

List *
aevon_checks_run(const AevonScope *scope)
{
	Examination ex = {
		.scope = scope,
		.snapshot = GetActiveSnapshot(),
		.now = aevon_clock_now()
	};
	AevonAccess access;

	if (aevon_scope_empty(scope))
		return NIL;
	aevon_access_enter(&access);
	gather_recent(&ex);
	check_guard(&ex);
	if (scope->whole)
	{
		check_worker(&ex);
		check_latency(&ex);
	}
	check_tail(&ex);
	check_backfill(&ex);
	check_rejections(&ex);
	check_conflicts(&ex);
	check_lateness(&ex);
	check_series(&ex);
	if (scope->whole)
	{
		check_snapshots(&ex);
		check_chain(&ex);
	}
	aevon_access_leave(&access);
	return ex.checks;
}

static AevonCheck *
add_check(Examination *ex, const char *name, const char *hint)
{
	AevonCheck *check = palloc0(sizeof(AevonCheck));

	check->name = name;
	check->hint = hint;
	check->threshold = -1;
	ex->checks = lappend(ex->checks, check);
	return check;
}

static void
judge(AevonCheck *check, double value, double threshold, const char *unit)
{
	check->has_value = true;
	check->value = value;
	check->threshold = threshold;
	check->unit = unit;
	if (threshold < 0)
		check->detail = "This check is switched off by its setting.";
	else if (value > threshold * CRITICAL_FACTOR)
		check->health = AEVON_HEALTH_CRITICAL;
	else if (value > threshold)
		check->health = AEVON_HEALTH_WARNING;
}

static bool
unknown_if(AevonCheck *check, bool condition, const char *why)
{
	if (condition)
	{
		check->health = AEVON_HEALTH_UNKNOWN;
		check->detail = why;
	}
	return condition;
}

static void
check_guard(Examination *ex)
{
	AevonCheck *check = add_check(ex, "restore_guard",
								  "Once all tables are restored, run SELECT aevon_adopt() in this database.");

	check->detail = aevon_guard_fault();
	ex->foreign = check->detail != NULL;
	if (ex->foreign)
		check->health = AEVON_HEALTH_CRITICAL;
}

static void
check_worker(Examination *ex)
{
	AevonCheck *check = add_check(ex, "worker",
								  "See aevon.workers and the server's log; free a slot of max_worker_processes, or raise aevon.max_workers.");
	AevonSlot	slot;

	if (unknown_if(check, !aevon_shmem_available(),
				   "Aevon is not preloaded: somebody else must call aevon_sweep().") ||
		unknown_if(check, RecoveryInProgress(), "A standby has no worker.") ||
		unknown_if(check, aevon_max_workers == 0, "aevon.max_workers is 0: no worker is started."))
		return;
	if (aevon_shmem_find(MyDatabaseId, &slot))
		judge_worker(ex, check, &slot);
	else
	{
		check->health = AEVON_HEALTH_CRITICAL;
		check->detail = "No worker looks after this database.";
	}
}

static void
judge_worker(const Examination *ex, AevonCheck *check, const AevonSlot *slot)
{
	check->has_value = true;
	check->value = slot->failures;
	check->threshold = 0;
	check->unit = "failures";
	if (slot->state == AEVON_WORKER_REFUSED || slot->failures > 0)
	{
		check->health = AEVON_HEALTH_CRITICAL;
		check->detail = psprintf("%s%s%s", slot->state == AEVON_WORKER_REFUSED ?
								 "The restore guard forbids sweeping" : "The worker failed",
								 slot->error_state[0] != '\0' ? ": " : "",
		/* an error's message may be about any tenant */
								 ex->scope->all_names ? slot->error_message : slot->error_state);
	}
	else if (slot->pid == 0 && aevon_alert_lag_s >= 0 &&
			 GetCurrentTimestamp() - Max(slot->due_at, slot->state_since) >
			 aevon_alert_lag_s * USECS_PER_SEC)
	{
		check->health = AEVON_HEALTH_WARNING;
		check->detail = "The worker is due, but has not been started.";
	}
}

/* Events outside the buckets of rules that are built, and their age. */
static void
check_tail(Examination *ex)
{
	static const char *const hint =
	"Look at the worker; if it is well, give it more of a core, or bound what comes in.";
	AevonCheck *size = add_check(ex, "tail", hint);
	AevonCheck *age = add_check(ex, "lag", hint);
	int64		limit = aevon_alert_tail_events < 0 ? MAX_COUNTED :
	aevon_alert_tail_events * (int64) CRITICAL_FACTOR + 1;
	AevonTail	tail;

	(void) unknown_if(size, ex->foreign, "Nothing is read until aevon_adopt() was called.");
	if (unknown_if(age, ex->foreign, "Nothing is read until aevon_adopt() was called."))
		return;
	tail = longest_tail(ex, limit);
	judge(size, tail.event_count, aevon_alert_tail_events, "events");
	if (tail.event_count == limit && size->threshold >= 0)
		size->detail = "There are at least so many; counting ended here.";
	judge(age, tail.event_count == 0 ? 0 : Max(0, (double) (ex->now - tail.oldest) / USECS_PER_SEC),
		  aevon_alert_lag_s, "seconds");
}

/* The longest and the oldest tail of any live measure that has caught up. */
static AevonTail
longest_tail(const Examination *ex, int64 limit)
{
	const AevonRuleSet *rules = aevon_rule_load(ex->snapshot);
	int			count;
	AevonCheckpoint *checkpoints = aevon_cut_read_checkpoints(ex->snapshot, &count);
	AevonTail	longest = {0};
	const AevonCut *counted = NULL;

	for (int i = 0; i < count; i++)
	{
		const AevonCheckpoint *checkpoint = &checkpoints[i];
		const AevonMeasure *measure = live_measure(rules, checkpoint->measure_key);
		AevonTail	tail;

		if (measure == NULL || !checkpoint->caught_up ||
			(measure->tenant_key != 0 && !aevon_scope_counts(ex->scope, measure->tenant_key)) ||
			(counted != NULL && aevon_cut_equal(counted, checkpoint->cut)))
			continue;
		counted = checkpoint->cut;
		tail = aevon_tail_count(ex->snapshot, counted, ex->scope, limit);
		if (tail.event_count > 0 &&
			(longest.event_count == 0 || tail.oldest < longest.oldest))
			longest.oldest = tail.oldest;
		longest.event_count = Max(longest.event_count, tail.event_count);
	}
	return longest;
}

/* What some live rule measures; NULL for a checkpoint that is left of others. */
static const AevonMeasure *
live_measure(const AevonRuleSet *rules, int32 measure_key)
{
	for (int i = 0; i < rules->rule_count; i++)
		if (rules->rules[i].state != AEVON_RULE_RETIRED &&
			rules->rules[i].measure->measure_key == measure_key)
			return rules->rules[i].measure;
	return NULL;
}

/* How long ago the backfill last moved that has stood for longest. */
static void
check_backfill(Examination *ex)
{
	AevonCheck *check = add_check(ex, "backfill",
								  "Sweeps move it on: look at the worker, and at backfill_progress in aevon.status.");
	Datum		values[2] = {BoolGetDatum(ex->scope->whole), aevon_scope_array(ex->scope)};
	MemoryContext caller = CurrentMemoryContext;
	double		age = 0;

	aevon_catalog_connect();
	aevon_catalog_run(AEVON_QUERY_SLOWEST_BACKFILL, values, NULL, true);
	if (SPI_processed > 0)
	{
		HeapTuple	row = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		int32		tenant_key = DatumGetInt32(SPI_getbinval(row, desc, 2, &isnull));

		age = (double) (ex->now - DatumGetTimestampTz(SPI_getbinval(row, desc, 3, &isnull))) /
			USECS_PER_SEC;
		if (tenant_key == 0 || aevon_scope_names(ex->scope, tenant_key))
			check->detail = MemoryContextStrdup(caller, psprintf("Rule \"%s\" is being built.",
																 SPI_getvalue(row, desc, 1)));
	}
	aevon_catalog_finish();
	judge(check, Max(age, 0), aevon_alert_backfill_s, "seconds");
	if (check->health == AEVON_HEALTH_CRITICAL)
		check->health = AEVON_HEALTH_WARNING;	/* answers are right meanwhile */
}

/* The 95th percentile of all recent calls of the functions that read. */
static void
check_latency(Examination *ex)
{
	AevonCheck *check = add_check(ex, "read_latency",
								  "See aevon.stat_query for the function, and the checks of tail and backfill for the cause.");
	uint64	   *buckets = palloc(AEVON_HISTOGRAM_BUCKETS * sizeof(uint64));

	if (unknown_if(check, !aevon_stats_read_recent(buckets),
				   "There are no statistics in shared memory."))
		return;
	judge(check, Max(0, aevon_histogram_quantile(buckets, 0.95)) / 1000,
		  aevon_alert_read_latency_ms, "ms");
}

static void
gather_recent(Examination *ex)
{
	if (ex->scope->whole)
	{
		ex->has_recent = aevon_stats_read_total(&ex->recent);
		return;
	}
	ex->has_recent = aevon_stats_available();
	for (int i = 0; i < ex->scope->key_count; i++)
	{
		AevonTenantStats tenant;

		if (ex->scope->keys[i] == 0 || !aevon_stats_read_tenant(ex->scope->keys[i], &tenant))
			continue;
		for (int j = 0; j < AEVON_TENANT_COUNTERS; j++)
			ex->recent.recent[j] += tenant.recent[j];
	}
}

/* From the table, so it is right without statistics too, and after a restart. */
static void
check_rejections(Examination *ex)
{
	AevonCheck *check = add_check(ex, "rejected_events",
								  "See aevon.rejected_events for what was sent and why it was refused; mend the sender.");
	Datum		values[4] = {
		TimestampTzGetDatum(ex->now - REJECTION_MINUTES * USECS_PER_MINUTE),
		TimestampTzGetDatum(ex->now),
		BoolGetDatum(ex->scope->whole),
		aevon_scope_array(ex->scope)
	};

	judge(check, (double) fetch_number(AEVON_QUERY_RECENT_REJECTIONS, values) / REJECTION_MINUTES,
		  aevon_alert_rejected_rate, "events a minute");
}

static void
check_conflicts(Examination *ex)
{
	AevonCheck *check = add_check(ex, "conflicts",
								  "A sender uses an event_id again for other content: see aevon.stat_tenant for the tenant, and its log for 23505.");

	if (unknown_if(check, !ex->has_recent, "There are no statistics in shared memory."))
		return;
	judge(check, (double) ex->recent.recent[AEVON_COUNT_CONFLICT] * 60 / aevon_stats_recent_seconds(),
		  aevon_alert_conflict_rate, "events a minute");
}

static void
check_lateness(Examination *ex)
{
	AevonCheck *check = add_check(ex, "late_events",
								  "A sender is behind, or an import is running: days already reported are being revised.");
	int64		accepted = ex->recent.recent[AEVON_COUNT_ACCEPTED];

	if (unknown_if(check, !ex->has_recent, "There are no statistics in shared memory."))
		return;
	judge(check, accepted == 0 ? 0 :
		  (double) ex->recent.recent[AEVON_COUNT_LATE] / accepted,
		  aevon_alert_late_share, "share");
	if (check->health == AEVON_HEALTH_CRITICAL)
		check->health = AEVON_HEALTH_WARNING;	/* late events are counted all
												 * the same */
}

/* The tenant and measure nearest to what it may have of series with dimension values. */
static void
check_series(Examination *ex)
{
	AevonCheck *check = add_check(ex, "series",
								  "Combinations new to the tenant are folded together past it: take out a dimension with many values, or raise aevon.max_series_per_rule and call aevon_rebuild().");
	const AevonRuleSet *rules = aevon_rule_load(ex->snapshot);
	Datum		values[2] = {BoolGetDatum(ex->scope->whole), aevon_scope_array(ex->scope)};
	const AevonMeasure *full = NULL;
	int64		most = 0;
	bool		isnull;

	aevon_catalog_connect();
	aevon_catalog_run(AEVON_QUERY_FULLEST_SERIES, values, NULL, true);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		const AevonMeasure *measure =
		live_measure(rules, DatumGetInt32(SPI_getbinval(row, desc, 1, &isnull)));

		if (measure == NULL)
			continue;
		most = Max(most, DatumGetInt64(SPI_getbinval(row, desc, 2, &isnull)));
		if (DatumGetBool(SPI_getbinval(row, desc, 3, &isnull)))
			full = measure;
	}
	aevon_catalog_finish();
	if (full != NULL)
		check->detail = full_detail(ex, rules, full);
	judge(check, (double) most / Max(aevon_max_series_per_rule, 1), aevon_alert_series_share, "share");
	if (full != NULL && check->threshold >= 0)
		check->health = AEVON_HEALTH_CRITICAL;
}

static const char *
full_detail(const Examination *ex, const AevonRuleSet *rules, const AevonMeasure *measure)
{
	for (int i = 0; i < rules->rule_count; i++)
	{
		const AevonRule *rule = &rules->rules[i];

		if (rule->measure == measure && rule->state != AEVON_RULE_RETIRED &&
			(rule->tenant_key == 0 || aevon_scope_names(ex->scope, rule->tenant_key)))
			return psprintf("Rule \"%s\" has reached aevon.max_series_per_rule.", rule->name);
	}
	return "A rule has reached aevon.max_series_per_rule.";
}

/* Have days changed, and no snapshot been taken for too long? */
static void
check_snapshots(Examination *ex)
{
	AevonCheck *check = add_check(ex, "snapshots",
								  "Look at the worker and at aevon.snapshot_interval, or call aevon_snapshot().");
	double		age = 0;
	bool		no_touched;
	bool		no_last;
	bool		no_start;

	if (unknown_if(check, aevon_snapshot_interval_ms == 0,
				   "aevon.snapshot_interval is 0: the worker takes none."))
		return;
	aevon_catalog_connect();
	aevon_catalog_run(AEVON_QUERY_SNAPSHOTS_DUE, NULL, NULL, true);
	{
		HeapTuple	row = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		touched = DatumGetBool(SPI_getbinval(row, desc, 1, &no_touched));
		TimestampTz last = DatumGetTimestampTz(SPI_getbinval(row, desc, 2, &no_last));
		TimestampTz start = DatumGetTimestampTz(SPI_getbinval(row, desc, 3, &no_start));

		if (touched && !(no_last && no_start))
			age = (double) (ex->now - (no_last ? start : last)) / USECS_PER_SEC;
	}
	aevon_catalog_finish();
	judge(check, Max(age, 0), aevon_alert_snapshot_s, "seconds");
}

/* Age of the oldest event that no link of the chain covers. */
static void
check_chain(Examination *ex)
{
	AevonCheck *check = add_check(ex, "chain",
								  "Sweeps extend the chain: look at the worker, and whether aevon.chain is on for it too.");
	AevonTail	tail;

	if (unknown_if(check, ex->foreign, "Nothing is read until aevon_adopt() was called.") ||
		unknown_if(check, !aevon_chain_enabled, "aevon.chain is off."))
		return;
	aevon_catalog_connect();
	tail = aevon_tail_count(ex->snapshot, aevon_chain_covered(), ex->scope, 1);
	aevon_catalog_finish();
	judge(check, tail.event_count == 0 ? 0 :
		  Max(0, (double) (ex->now - tail.oldest) / USECS_PER_SEC), aevon_alert_lag_s, "seconds");
}

/* The one number that a query gives; 0 for NULL. */
static int64
fetch_number(AevonQuery query, Datum *values)
{
	int64		number;
	bool		isnull;

	aevon_catalog_connect();
	aevon_catalog_run(query, values, NULL, true);
	number = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	aevon_catalog_finish();
	return isnull ? 0 : number;
}
