/*
 * launcher.c
 *		The launcher: keeps one worker per database that has the extension.
 *
 * Which databases have it cannot be seen from outside.  So every database
 * that is new to the launcher, at its start or later, gets a worker, which
 * ends at once where the extension is absent; from then on a backend that
 * creates an extension says so (hooks.c).  As a last resort all databases are
 * looked at again each hour.
 *
 * Workers are started when their slots say (shmem.h).  When more are due than
 * may run, some of those that run are asked to leave once they have swept;
 * whoever waits longest comes first.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "guc.h"
#include "shmem.h"
#include "worker.h"

#define RESTART_SECONDS 5		/* after the launcher itself failed */
#define SCAN_MS 60000			/* between two looks at pg_database, at most */
#define RESCAN_MS 100			/* after a worker was told to end */
#define FORGET_MS 3600000		/* what has no extension is looked at again */
#define START_TIMEOUT_MS 30000	/* for workers that a former launcher started */
#define RETRY_MS 1000			/* after a start that failed */
#define NO_ROOM_MS 100			/* while there is no room; doubled up to ... */
#define MAX_NO_ROOM_MS 30000
#define COMPLAIN_MS 3600000		/* between two messages that there is none */

typedef struct Launcher
{
	BackgroundWorkerHandle **handles;	/* by slot; of the last start */
	uint32	   *asked;			/* by slot: ticket of who was asked to leave */
	List	   *absent;			/* databases found without the extension */
	TimestampTz scan_at;
	TimestampTz forget_at;
	TimestampTz room_at;		/* no start before: the server has no room */
	int			room_ms;		/* how long to wait the next time */
	TimestampTz complain_at;	/* no message about it before */
	bool		full;			/* the last scan found too few slots */
	bool		full_reported;
} Launcher;

/* A slot and its number. */
typedef struct Candidate
{
	int			number;
	AevonSlot	slot;
} Candidate;

typedef enum StartResult
{
	START_DONE,
	START_NOT_NOW,				/* held off, or the database is gone */
	START_NO_ROOM				/* max_worker_processes is reached */
} StartResult;

static void create_launcher(Launcher *launcher);
static long run_pass(Launcher *launcher);
static void reload_settings(void);
static void scan_databases(Launcher *launcher);
static List *connectable_databases(void);
static void review_slots(Launcher *launcher, TimestampTz now);
static bool start_failed(Launcher *launcher, int number, const AevonSlot *slot,
						 TimestampTz now);
static void start_workers(Launcher *launcher, TimestampTz now);
static int	due_candidates(Candidate *candidates, TimestampTz now, int *running);
static int	compare_due(const void *a, const void *b);
static StartResult start_worker(Launcher *launcher, int number);
static bool register_worker(Launcher *launcher, int number, uint32 ticket, const char *name);
static void report_no_room(Launcher *launcher, TimestampTz now);
static void ask_to_leave(Launcher *launcher, int count);
static bool leaves_before(const Candidate *a, const Candidate *b);
static long pause_until_next(const Launcher *launcher, TimestampTz now);

void
aevon_launcher_register(void)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = RESTART_SECONDS;
	strlcpy(worker.bgw_library_name, "aevon", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "aevon_launcher_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "aevon launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "aevon launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

void
aevon_launcher_main(Datum argument)
{
	Launcher	launcher;
	MemoryContext pass_context;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	aevon_shmem_attach_launcher();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);

	create_launcher(&launcher);
	pass_context = AllocSetContextCreate(TopMemoryContext, "aevon launcher pass",
										 ALLOCSET_DEFAULT_SIZES);
	while (!ShutdownRequestPending)
	{
		long		pause;

		MemoryContextReset(pass_context);
		MemoryContextSwitchTo(pass_context);
		pause = run_pass(&launcher);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 pause, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
			reload_settings();
	}

	/* not 0: somebody may have ended only this process, and wants it anew */
	proc_exit(1);
}

static void
create_launcher(Launcher *launcher)
{
	int			count = aevon_shmem_slot_count();

	memset(launcher, 0, sizeof(*launcher));
	launcher->handles = MemoryContextAllocZero(TopMemoryContext,
											   count * sizeof(BackgroundWorkerHandle *));
	launcher->asked = MemoryContextAllocZero(TopMemoryContext, count * sizeof(uint32));
	launcher->room_ms = NO_ROOM_MS;
	launcher->forget_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), FORGET_MS);
}

/* Do what is due; how long to wait for the next time, in milliseconds. */
static long
run_pass(Launcher *launcher)
{
	TimestampTz now = GetCurrentTimestamp();
	uint32		news = aevon_shmem_take_news();

	review_slots(launcher, now);
	if (now >= launcher->forget_at || (news & AEVON_NEWS_NO_SLOT))
	{
		list_free(launcher->absent);
		launcher->absent = NIL;
		launcher->forget_at = TimestampTzPlusMilliseconds(now, FORGET_MS);
		launcher->scan_at = now;
	}
	if (news != 0 || now >= launcher->scan_at)
	{
		launcher->scan_at = TimestampTzPlusMilliseconds(now, SCAN_MS);
		scan_databases(launcher);
	}
	start_workers(launcher, now);
	return pause_until_next(launcher, now);
}

/* A shorter sweep_interval holds for the databases that wait, too. */
static void
reload_settings(void)
{
	TimestampTz latest;

	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	latest = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), aevon_sweep_interval_ms);
	for (int i = 0; i < aevon_shmem_slot_count(); i++)
		aevon_shmem_advance(i, latest);
}

/* Make slots for databases not seen before, and give up those that are gone. */
static void
scan_databases(Launcher *launcher)
{
	List	   *databases = connectable_databases();
	ListCell   *cell;
	bool		full = false;

	for (int i = 0; i < aevon_shmem_slot_count(); i++)
	{
		AevonSlot	slot;

		if (!aevon_shmem_read(i, &slot) || list_member_oid(databases, slot.database))
			continue;
		if (slot.pid != 0)
		{
			aevon_shmem_terminate(i);
			launcher->scan_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
															RESCAN_MS);
		}
		else
			aevon_shmem_remove(i);
	}
	foreach(cell, databases)
	{
		if (!list_member_oid(launcher->absent, lfirst_oid(cell)) &&
			!aevon_shmem_add(lfirst_oid(cell)))
			full = true;
	}
	/* the first time, slots may be taken by databases without the extension */
	if (full && launcher->full && !launcher->full_reported)
	{
		launcher->full_reported = true;
		ereport(LOG,
				(errmsg("Aevon looks after the first %d databases only",
						aevon_shmem_slot_count()),
				 errhint("Increase \"aevon.max_databases\" and restart the server.")));
	}
	launcher->full = full;

	foreach(cell, launcher->absent)
	{
		if (!list_member_oid(databases, lfirst_oid(cell)))
			launcher->absent = foreach_delete_current(launcher->absent, cell);
	}
}

static List *
connectable_databases(void)
{
	MemoryContext outer = CurrentMemoryContext;
	List	   *databases = NIL;
	Relation	relation;
	SysScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	relation = table_open(DatabaseRelationId, AccessShareLock);
	scan = systable_beginscan(relation, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext transaction;

		if (!database->datallowconn || database_is_invalid_form(database))
			continue;
		transaction = MemoryContextSwitchTo(outer);
		databases = lappend_oid(databases, database->oid);
		MemoryContextSwitchTo(transaction);
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(outer);
	return databases;
}

/* Take note of workers that found no extension, or never came up. */
static void
review_slots(Launcher *launcher, TimestampTz now)
{
	for (int i = 0; i < aevon_shmem_slot_count(); i++)
	{
		AevonSlot	slot;

		if (!aevon_shmem_read(i, &slot))
			continue;
		if (slot.state == AEVON_WORKER_ABSENT)
		{
			MemoryContext outer = MemoryContextSwitchTo(TopMemoryContext);

			launcher->absent = list_append_unique_oid(launcher->absent, slot.database);
			MemoryContextSwitchTo(outer);
			aevon_shmem_remove(i);
			if (launcher->full)
				launcher->scan_at = now;
			launcher->full = false;
		}
		else if (slot.state == AEVON_WORKER_STARTING && start_failed(launcher, i, &slot, now))
			aevon_shmem_unclaim(i, slot.ticket, TimestampTzPlusMilliseconds(now, RETRY_MS));
	}
}

static bool
start_failed(Launcher *launcher, int number, const AevonSlot *slot, TimestampTz now)
{
	pid_t		pid;

	if (slot->pid != 0)
		return false;			/* it connects */
	if (launcher->handles[number] != NULL)
		return GetBackgroundWorkerPid(launcher->handles[number], &pid) == BGWH_STOPPED;
	return now >= TimestampTzPlusMilliseconds(slot->state_since, START_TIMEOUT_MS);
}

static void
start_workers(Launcher *launcher, TimestampTz now)
{
	Candidate  *candidates = palloc(aevon_shmem_slot_count() * sizeof(Candidate));
	int			running;
	int			count = due_candidates(candidates, now, &running);
	int			turned_away = 0;

	for (int i = 0; i < count; i++)
	{
		if (running >= aevon_max_workers || now < launcher->room_at)
		{
			turned_away++;
			continue;
		}
		switch (start_worker(launcher, candidates[i].number))
		{
			case START_DONE:
				running++;
				launcher->room_ms = NO_ROOM_MS;
				break;
			case START_NOT_NOW:
				break;
			case START_NO_ROOM:
				turned_away++;
				report_no_room(launcher, now);
				break;
		}
	}
	turned_away = Max(turned_away, running - aevon_max_workers);
	if (turned_away > 0)
		ask_to_leave(launcher, turned_away);
}

/* The slots for which a worker is due, longest waiting first. */
static int
due_candidates(Candidate *candidates, TimestampTz now, int *running)
{
	int			count = 0;

	*running = 0;
	for (int i = 0; i < aevon_shmem_slot_count(); i++)
	{
		Candidate  *candidate = &candidates[count];

		if (!aevon_shmem_read(i, &candidate->slot))
			continue;
		candidate->number = i;
		if (candidate->slot.state == AEVON_WORKER_ABSENT)
			continue;
		if (candidate->slot.state != AEVON_WORKER_WAITING)
			(*running)++;
		else if (candidate->slot.due_at <= now ||
				 (candidate->slot.wishes != 0 && candidate->slot.failures == 0))
			count++;
	}
	qsort(candidates, count, sizeof(Candidate), compare_due);
	return count;
}

static int
compare_due(const void *a, const void *b)
{
	const AevonSlot *x = &((const Candidate *) a)->slot;
	const AevonSlot *y = &((const Candidate *) b)->slot;

	return x->due_at < y->due_at ? -1 : x->due_at > y->due_at ? 1 : 0;
}

static StartResult
start_worker(Launcher *launcher, int number)
{
	MemoryContext outer = CurrentMemoryContext;
	AevonSlot	slot;
	uint32		ticket;
	char	   *name;
	StartResult result = START_DONE;

	if (!aevon_shmem_claim(number, &ticket))
		return START_NOT_NOW;
	StartTransactionCommand();
	(void) aevon_shmem_read(number, &slot);
	name = get_database_name(slot.database);
	if (name == NULL)
	{
		result = START_NOT_NOW;
		launcher->scan_at = 0;
	}
	else if (!register_worker(launcher, number, ticket, name))
		result = START_NO_ROOM;
	CommitTransactionCommand();
	MemoryContextSwitchTo(outer);

	if (result != START_DONE)
		aevon_shmem_unclaim(number, ticket, slot.due_at);
	return result;
}

static bool
register_worker(Launcher *launcher, int number, uint32 ticket, const char *name)
{
	BackgroundWorkerHandle **handle = &launcher->handles[number];
	BackgroundWorker worker;
	AevonTicket own;
	MemoryContext outer;
	bool		registered;

	memset(&own, 0, sizeof(own));
	own.slot = number;
	own.number = ticket;
	strlcpy(own.database, name, sizeof(own.database));
	StaticAssertStmt(sizeof(own) <= BGW_EXTRALEN, "a ticket must fit bgw_extra");

	memset(&worker, 0, sizeof(worker));
	memcpy(worker.bgw_extra, &own, sizeof(own));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	strlcpy(worker.bgw_library_name, "aevon", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "aevon_worker_main", BGW_MAXLEN);
	snprintf(worker.bgw_name, BGW_MAXLEN, "aevon worker %s", name);
	strlcpy(worker.bgw_type, "aevon worker", BGW_MAXLEN);

	if (*handle != NULL)
		pfree(*handle);
	*handle = NULL;
	outer = MemoryContextSwitchTo(TopMemoryContext);
	registered = RegisterDynamicBackgroundWorker(&worker, handle);
	MemoryContextSwitchTo(outer);
	return registered;
}

/* The server has no process to spare: try again soon, and say so now and then. */
static void
report_no_room(Launcher *launcher, TimestampTz now)
{
	launcher->room_at = TimestampTzPlusMilliseconds(now, launcher->room_ms);
	launcher->room_ms = Min(launcher->room_ms * 2, MAX_NO_ROOM_MS);
	if (now < launcher->complain_at)
		return;
	launcher->complain_at = TimestampTzPlusMilliseconds(now, COMPLAIN_MS);
	ereport(LOG,
			(errmsg("Aevon cannot start a worker: all background worker slots are in use"),
			 errhint("Increase \"max_worker_processes\", or decrease \"aevon.max_workers\".")));
}

/* See to it that `count` of those that run have been asked to leave. */
static void
ask_to_leave(Launcher *launcher, int count)
{
	Candidate  *candidates = palloc(aevon_shmem_slot_count() * sizeof(Candidate));
	int			found = 0;

	for (int i = 0; i < aevon_shmem_slot_count(); i++)
	{
		AevonSlot  *slot = &candidates[found].slot;

		if (!aevon_shmem_read(i, slot))
			continue;
		candidates[found].number = i;
		if (slot->state == AEVON_WORKER_STARTING || slot->state == AEVON_WORKER_CHECKING ||
			(slot->pid != 0 && launcher->asked[i] == slot->ticket))
			count--;			/* is about to leave, or to become idle */
		else if (slot->pid != 0)
			found++;
	}
	for (; count > 0 && found > 0; count--)
	{
		int			best = 0;

		for (int i = 1; i < found; i++)
			if (leaves_before(&candidates[i], &candidates[best]))
				best = i;
		launcher->asked[candidates[best].number] = candidates[best].slot.ticket;
		aevon_shmem_wish(candidates[best].number, AEVON_WISH_YIELD);
		candidates[best] = candidates[--found];
	}
}

/*
 * Who is to make room?  Rather one that is idle than one that sweeps; of the
 * idle, the one that swept last, as it is needed again last; of those that
 * sweep, the one that has done so longest.
 */
static bool
leaves_before(const Candidate *a, const Candidate *b)
{
	bool		a_sweeps = a->slot.state == AEVON_WORKER_SWEEPING;
	bool		b_sweeps = b->slot.state == AEVON_WORKER_SWEEPING;

	if (a_sweeps != b_sweeps)
		return b_sweeps;
	if (a_sweeps)
		return a->slot.state_since < b->slot.state_since;
	return a->slot.swept_at > b->slot.swept_at;
}

/*
 * Milliseconds until something is due by the clock that was not at `now`, the
 * time of this pass.  What waits for room or for the end of a hold is woken
 * for by whoever gives it.
 */
static long
pause_until_next(const Launcher *launcher, TimestampTz now)
{
	TimestampTz next = Min(launcher->scan_at, launcher->forget_at);

	if (launcher->room_at > now)
		next = Min(next, launcher->room_at);
	for (int i = 0; i < aevon_shmem_slot_count(); i++)
	{
		AevonSlot	slot;

		if (!aevon_shmem_read(i, &slot))
			continue;
		if (slot.state == AEVON_WORKER_WAITING && slot.due_at > now)
			next = Min(next, slot.due_at);
		else if (slot.state == AEVON_WORKER_ABSENT)
			next = now;
		else if (slot.state == AEVON_WORKER_STARTING)
			next = Min(next, TimestampTzPlusMilliseconds(now, RETRY_MS));
	}
	return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next);
}
