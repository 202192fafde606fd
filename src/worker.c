/*
 * worker.c
 *		The worker of one database: sweeps it, again and again.
 *
 * A round looks around (is the extension there, does the restore guard let us
 * work), loads the rule files once, and sweeps in bounded batches, each in a
 * transaction of its own, until nothing is left.  Then the worker waits: for
 * aevon.sweep_interval, or until somebody asks for it.
 *
 * Errors.  A lock that was not to be had, or a cancelled statement, is tried
 * again a little later.  The restore guard's refusal is shown, and tried
 * again at the next round; nothing is written to tables that may be in the
 * midst of a restore.  Anything else is recorded in aevon.sweeps by a fresh
 * transaction and raised again: the process ends, and the launcher starts a
 * new one after a pause that doubles each time.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "access.h"
#include "catalog.h"
#include "compact.h"
#include "guard.h"
#include "guc.h"
#include "rulefile.h"
#include "shmem.h"
#include "snapshot.h"
#include "stats.h"
#include "sweep.h"
#include "worker.h"
#include "workernotes.h"

#define LOCK_TIMEOUT "5s"		/* for each lock a sweep needs */
#define TURN_MS 10000			/* shortest turn while a backlog is left */
#define PAUSE_MS 1000			/* after a lock timeout; doubled each time */
#define SNAPSHOT_DAYS 20000		/* changed days that one transaction looks at */
#define PRUNE_MS 3600000		/* between two prunings of aevon.sweeps */
#define KEEP_SWEEPS_DAYS 7		/* rows of aevon.sweeps are kept that long */

typedef struct Worker
{
	const char *database;		/* its name */
	MemoryContext round;		/* reset before each round */
	TimestampTz round_start;
	TimestampTz next_round;
	TimestampTz next_prune;
	TimestampTz next_snapshot;	/* 0: not known yet */
	bool		more_days;		/* a bounded run of snapshots left some */
	bool		installed;		/* what the last look found */
	bool		has_row;		/* the guard's row is there, and fits */
	bool		refused;		/* the guard's refusal has been logged */
	uint32		wishes;			/* taken, but not served yet */
	int			pause_ms;		/* before the next try; 0: nothing to retry */
	char	   *rules_from;		/* config_dir whose files were loaded, or NULL */
	AevonSweepResult result;	/* of the last batch */
	int64		event_count;	/* of the round */
	ErrorData  *error;			/* to be recorded */
} Worker;

typedef void (*Step) (Worker *worker);

static void start_up(void);
static void run_round(Worker *worker);
static bool look(Worker *worker);
static void look_around(Worker *worker);
static void leave_if_absent(const Worker *worker);
static void load_rules(Worker *worker);
static void load_rule_files(Worker *worker);
static bool drain(Worker *worker);
static void sweep_batch(Worker *worker);
static void note_success(Worker *worker);
static void take_snapshots(Worker *worker);
static void plan_snapshots(Worker *worker);
static void snapshot_days(Worker *worker);
static void prune(Worker *worker);
static void compact_snapshots(Worker *worker);
static void prune_sweeps(Worker *worker);
static void handle_error(Worker *worker, ErrorData *error);
static bool passes_by_itself(int sqlstate);
static void report_refusal(Worker *worker, const ErrorData *error);
static void record_error(Worker *worker, ErrorData *error);
static void log_error(Worker *worker);
static ErrorData *run_step(Worker *worker, Step step);
static void wait_for_work(Worker *worker);
static void heed_wishes(Worker *worker);
static void end_turn(const Worker *worker);
static void reload_settings(Worker *worker);
static void leave(TimestampTz due_at);
static TimestampTz after_ms(TimestampTz start, int64 ms);

void
aevon_worker_main(Datum argument)
{
	Worker		worker;
	AevonTicket ticket;
	Oid			database;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	memcpy(&ticket, MyBgworkerEntry->bgw_extra, sizeof(ticket));
	if (!aevon_shmem_attach_worker(ticket.slot, ticket.number, &database))
		proc_exit(0);
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	aevon_shmem_set_state(AEVON_WORKER_CHECKING);
	start_up();

	memset(&worker, 0, sizeof(worker));
	worker.database = ticket.database;
	worker.round = AllocSetContextCreate(TopMemoryContext, "aevon worker round",
										 ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		MemoryContextReset(worker.round);
		MemoryContextSwitchTo(worker.round);
		run_round(&worker);
		wait_for_work(&worker);
	}
}

/* Settings that the database's or the role's own must not override. */
static void
start_up(void)
{
	SetConfigOption("application_name", "aevon worker", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("search_path", "", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("lock_timeout", LOCK_TIMEOUT, PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_isolation", "read committed",
					PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_read_only", "off", PGC_SUSET, PGC_S_OVERRIDE);

	/* no sweep waits for a standby: none is lost that cannot be run again */
	SetConfigOption("synchronous_commit", "local", PGC_SUSET, PGC_S_OVERRIDE);
}

static void
run_round(Worker *worker)
{
	worker->round_start = GetCurrentTimestamp();
	worker->event_count = 0;
	if (look(worker))
	{
		load_rules(worker);
		if (drain(worker))
		{
			take_snapshots(worker);
			prune(worker);
		}
	}
	if (worker->pause_ms > 0)
		worker->next_round = after_ms(GetCurrentTimestamp(), worker->pause_ms);
	else
		worker->next_round = after_ms(worker->round_start, aevon_sweep_interval_ms);
}

/* Is there anything to do?  Ends the process if the extension is gone. */
static bool
look(Worker *worker)
{
	ErrorData  *error = run_step(worker, look_around);

	if (error != NULL)
	{
		handle_error(worker, error);
		return false;
	}
	leave_if_absent(worker);
	if (!worker->has_row)
	{
		worker->refused = false;
		aevon_shmem_set_state(AEVON_WORKER_IDLE);
		pgstat_report_activity(STATE_IDLE, "aevon sweep: waiting for the first event or rule");
	}
	return worker->has_row;
}

static void
look_around(Worker *worker)
{
	int64		base;

	worker->has_row = false;	/* in an error's case, too */
	worker->installed = OidIsValid(get_extension_oid("aevon", true)) &&
		aevon_catalog_installed();
	if (worker->installed)
		worker->has_row = aevon_guard_check(&base);
}

static void
leave_if_absent(const Worker *worker)
{
	if (worker->installed)
		return;
	aevon_shmem_leave_absent();
	proc_exit(0);
}

/*
 * Load the rule files, once per process and directory.  Not before the guard
 * has its row: rules defined by a worker would be in a restore's way.
 */
static void
load_rules(Worker *worker)
{
	ErrorData  *error;

	if (aevon_config_dir == NULL || aevon_config_dir[0] == '\0' ||
		(worker->rules_from != NULL && strcmp(worker->rules_from, aevon_config_dir) == 0))
		return;
	error = run_step(worker, load_rule_files);
	if (error != NULL && passes_by_itself(error->sqlerrcode))
		return;
	if (error != NULL)
	{
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("Aevon could not load the rules of \"%s\" into database \"%s\": %s",
						aevon_config_dir, worker->database, error->message),
				 error->detail ? errdetail_internal("%s", error->detail) : 0));
		aevon_shmem_set_error(unpack_sql_state(error->sqlerrcode), error->message, false);
		record_error(worker, error);
	}
	if (worker->rules_from != NULL)
		pfree(worker->rules_from);
	worker->rules_from = MemoryContextStrdup(TopMemoryContext, aevon_config_dir);
}

static void
load_rule_files(Worker *worker)
{
	(void) aevon_rulefile_load_directory(aevon_config_dir);
}

/* Sweep until nothing is left; false if that could not be done. */
static bool
drain(Worker *worker)
{
	do
	{
		ErrorData  *error;

		aevon_shmem_set_state(AEVON_WORKER_SWEEPING);
		pgstat_report_activity(STATE_RUNNING, "aevon sweep");
		error = run_step(worker, sweep_batch);
		if (error != NULL)
		{
			handle_error(worker, error);
			return false;
		}
		worker->event_count += worker->result.event_count;
		if (worker->result.more)
			end_turn(worker);
	} while (worker->result.more);
	note_success(worker);
	return true;
}

static void
sweep_batch(Worker *worker)
{
	int64		tail = aevon_shmem_tail();

	aevon_sweep_run(aevon_sweep_batch_events, true, &worker->result);

	/* all events noted so far are swept: what the figure says else is wrong */
	if (!worker->result.more && tail > worker->result.event_count)
		aevon_workernotes_swept(tail - worker->result.event_count);
}

static void
note_success(Worker *worker)
{
	int			failures = aevon_shmem_set_swept();
	char		activity[100];

	if (failures > 0)
		ereport(LOG,
				(errmsg("Aevon sweeps database \"%s\" again after %d failures",
						worker->database, failures)));
	worker->refused = false;
	worker->pause_ms = 0;
	aevon_shmem_set_state(AEVON_WORKER_IDLE);
	snprintf(activity, sizeof(activity), "aevon sweep: " INT64_FORMAT " events, done",
			 worker->event_count);
	pgstat_report_activity(STATE_IDLE, activity);
}

/*
 * Take snapshots every aevon.snapshot_interval, in bounded transactions.  When
 * the next are due outlives this process: it follows from the last ones.
 */
static void
take_snapshots(Worker *worker)
{
	ErrorData  *error = NULL;

	if (aevon_snapshot_interval_ms == 0)
		return;
	if (worker->next_snapshot == 0)
		error = run_step(worker, plan_snapshots);
	if (error == NULL && GetCurrentTimestamp() >= worker->next_snapshot)
	{
		pgstat_report_activity(STATE_RUNNING, "aevon snapshot");
		do
		{
			error = run_step(worker, snapshot_days);
			if (error == NULL && worker->more_days)
				end_turn(worker);
		} while (error == NULL && worker->more_days);
		pgstat_report_activity(STATE_IDLE, "aevon snapshot: done");
		if (error == NULL)
			worker->next_snapshot = after_ms(worker->round_start, aevon_snapshot_interval_ms);
	}
	if (error != NULL)
		handle_error(worker, error);
}

static void
plan_snapshots(Worker *worker)
{
	TimestampTz last = aevon_snapshot_last_taken();

	worker->next_snapshot = last == 0 ? worker->round_start :
		Min(after_ms(last, aevon_snapshot_interval_ms),
			after_ms(worker->round_start, aevon_snapshot_interval_ms));
}

static void
snapshot_days(Worker *worker)
{
	AevonSnapshotResult result;

	aevon_snapshot_run(SNAPSHOT_DAYS, &result);
	worker->more_days = result.more;
}

/* Delete old rows of aevon.sweeps and thin out old snapshots, once an hour. */
static void
prune(Worker *worker)
{
	ErrorData  *error;

	if (GetCurrentTimestamp() < worker->next_prune)
		return;
	worker->next_prune = after_ms(GetCurrentTimestamp(), PRUNE_MS);
	error = run_step(worker, prune_sweeps);
	if (error == NULL)
		error = run_step(worker, compact_snapshots);
	if (error != NULL)
		handle_error(worker, error);
}

static void
compact_snapshots(Worker *worker)
{
	(void) aevon_compact_run();
}

static void
prune_sweeps(Worker *worker)
{
	AevonAccess access;
	Datum		before = TimestampTzGetDatum(GetCurrentTimestamp() -
											 KEEP_SWEEPS_DAYS * USECS_PER_DAY);

	aevon_access_enter(&access);
	aevon_catalog_connect();
	aevon_catalog_run(AEVON_QUERY_PRUNE_SWEEPS, &before, NULL, false);
	aevon_catalog_finish();
	aevon_access_leave(&access);
}

/* Returns if the worker may go on to wait; else raises the error again. */
static void
handle_error(Worker *worker, ErrorData *error)
{
	if (passes_by_itself(error->sqlerrcode))
	{
		worker->pause_ms = Min(worker->pause_ms == 0 ? PAUSE_MS : worker->pause_ms * 2,
							   Max(aevon_sweep_interval_ms, PAUSE_MS));
		ereport(DEBUG1,
				(errmsg_internal("sweep is tried again in %d ms: %s",
								 worker->pause_ms, error->message)));
		aevon_shmem_set_state(AEVON_WORKER_IDLE);
		pgstat_report_activity(STATE_IDLE, "aevon sweep: a lock was not available, waiting");
		return;
	}

	/* it is no error that the extension was dropped meanwhile */
	if (run_step(worker, look_around) == NULL)
		leave_if_absent(worker);
	if (error->sqlerrcode == ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE)
	{
		report_refusal(worker, error);
		return;
	}
	aevon_shmem_set_error(unpack_sql_state(error->sqlerrcode), error->message, true);
	if (worker->has_row)
		record_error(worker, error);
	ReThrowError(error);
}

/* Errors that tell of others' doing, not of anything wrong. */
static bool
passes_by_itself(int sqlstate)
{
	return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE ||
		sqlstate == ERRCODE_T_R_DEADLOCK_DETECTED ||
		sqlstate == ERRCODE_T_R_SERIALIZATION_FAILURE ||
		sqlstate == ERRCODE_QUERY_CANCELED;
}

static void
report_refusal(Worker *worker, const ErrorData *error)
{
	worker->pause_ms = 0;
	worker->has_row = false;
	aevon_shmem_set_error(unpack_sql_state(error->sqlerrcode), error->message, false);
	aevon_shmem_set_state(AEVON_WORKER_REFUSED);
	pgstat_report_activity(STATE_IDLE, "aevon sweep: refused by the restore guard");
	if (worker->refused)
		return;
	worker->refused = true;
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("Aevon does not sweep database \"%s\": %s",
					worker->database, error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 error->hint ? errhint("%s", error->hint) : 0));
}

/* Write the error to aevon.sweeps, by a transaction of its own. */
static void
record_error(Worker *worker, ErrorData *error)
{
	ErrorData  *another;

	worker->error = error;
	another = run_step(worker, log_error);
	if (another != NULL)
		ereport(LOG,
				(errcode(another->sqlerrcode),
				 errmsg("Aevon could not record an error in database \"%s\": %s",
						worker->database, another->message)));
}

static void
log_error(Worker *worker)
{
	static const char nulls[] = {' ', ' ', ' ', ' ', ' ', 'n', 'n', ' ', ' ', ' '};
	AevonAccess access;
	Datum		values[10] = {0};

	values[0] = TimestampTzGetDatum(worker->round_start);
	values[1] = Float8GetDatum((double) (GetCurrentTimestamp() - worker->round_start) / 1000);
	values[2] = Int64GetDatum(0);
	values[3] = Int64GetDatum(0);
	values[4] = Int32GetDatum(0);
	values[7] = BoolGetDatum(true);
	values[8] = CStringGetTextDatum(unpack_sql_state(worker->error->sqlerrcode));
	values[9] = CStringGetTextDatum(worker->error->message);
	aevon_stats_count_sweep_error();

	aevon_access_enter(&access);
	aevon_catalog_connect();
	aevon_catalog_run(AEVON_QUERY_LOG_SWEEP, values, nulls, false);
	aevon_catalog_finish();
	aevon_access_leave(&access);
}

/*
 * Run a step in a transaction of its own.  Returns NULL, or the error that
 * rolled it back, in the round's context.  Nothing outside of steps may raise
 * errors or check for interrupts: a cancel that comes between two steps is
 * for the next one, or for nobody.
 */
static ErrorData *
run_step(Worker *worker, Step step)
{
	ErrorData  *volatile error = NULL;

	SetCurrentStatementStartTimestamp();
	PG_TRY();
	{
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		step(worker);
		PopActiveSnapshot();
		CommitTransactionCommand();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(worker->round);
		error = CopyErrorData();
		AbortOutOfAnyTransaction();
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(worker->round);
	pgstat_report_stat(true);
	heed_wishes(worker);
	return error;
}

/* Returns when the next round is due. */
static void
wait_for_work(Worker *worker)
{
	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();

		heed_wishes(worker);
		/* ingest tells of the target's passing once; meanwhile it may have */
		if (worker->has_row && worker->pause_ms == 0 &&
			aevon_shmem_tail() >= aevon_tail_target_events)
			worker->wishes |= AEVON_WISH_SWEEP;
		if (worker->wishes & AEVON_WISH_YIELD)
			leave(worker->wishes & ~AEVON_WISH_YIELD ? now : worker->next_round);
		if (worker->wishes != 0 || now >= worker->next_round)
			break;

		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 TimestampDifferenceMilliseconds(now, worker->next_round),
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		if (ProcDiePending)		/* as CHECK_FOR_INTERRUPTS, but not loudly */
			leave(after_ms(now, PAUSE_MS));
		QueryCancelPending = false; /* there is nothing to cancel */
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
			reload_settings(worker);
	}
	worker->wishes = 0;
}

/* Take notice of what is asked for; the process leaves if told to. */
static void
heed_wishes(Worker *worker)
{
	worker->wishes |= aevon_shmem_take_wishes();
	if (worker->wishes & AEVON_WISH_LEAVE)
		leave(GetCurrentTimestamp());
}

/* Leave in the midst of a round, if others wait and it has lasted long enough. */
static void
end_turn(const Worker *worker)
{
	if ((worker->wishes & AEVON_WISH_YIELD) &&
		GetCurrentTimestamp() >= after_ms(worker->round_start, TURN_MS))
		leave(GetCurrentTimestamp());
}

/* The interval counts from the last round's start, a new one too. */
static void
reload_settings(Worker *worker)
{
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	if (worker->pause_ms == 0)
		worker->next_round = after_ms(worker->round_start, aevon_sweep_interval_ms);
}

/* End the process, for another database's or because it is told to. */
static void
leave(TimestampTz due_at)
{
	aevon_shmem_leave_until(due_at);
	proc_exit(0);
}

static TimestampTz
after_ms(TimestampTz start, int64 ms)
{
	return start + ms * 1000;
}
