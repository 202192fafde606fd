/*
 * shmem.c
 *		Shared memory: what the launcher, the workers and the other backends
 *		tell one another.
 */
#include "postgres.h"

#include <signal.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "guc.h"
#include "shmem.h"

#define TRANCHE_NAME "aevon"
#define HOLD_TIMEOUT_MS 10000	/* longest wait for a worker to leave */
#define HOLD_PATIENCE_MS 1000	/* then it is terminated */

/* `seen` is guarded by the lock, but for its tail and wishes, which are unused. */
typedef struct SharedSlot
{
	AevonSlot	seen;
	Latch	   *latch;			/* of the worker's process */
	pg_atomic_uint64 tail;
	pg_atomic_uint32 wishes;
} SharedSlot;

typedef struct SharedArea
{
	LWLock	   *lock;
	ConditionVariable left;		/* a worker's process has ended */
	Latch	   *launcher;		/* NULL: there is none */
	uint32		news;			/* AEVON_NEWS_... */
	pg_atomic_uint32 generation;	/* changes when a slot is taken or freed */
	int			slot_count;
	Oid		   *holds;			/* by backend id, InvalidOid: none */
	SharedSlot	slots[FLEXIBLE_ARRAY_MEMBER];
} SharedArea;

typedef enum Leaving
{
	LEAVING_BY_ACCIDENT,
	LEAVING_ABSENT,
	LEAVING_UNTIL
} Leaving;

static SharedArea *shared = NULL;
static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

/* of any backend */
static bool holding = false;

/* of a worker */
static SharedSlot *own_slot = NULL;
static Leaving leaving = LEAVING_BY_ACCIDENT;
static TimestampTz leaving_until;
static bool error_noted = false;

static void request_memory(void);
static void start_up(void);
static Size area_size(void);
static bool worker_has_left(Oid database, bool impatient);
static bool held(Oid database);
static SharedSlot *slot_of(Oid database);
static SharedSlot *cached_slot(void);
static SharedSlot *take_slot(Oid database);
static void enter_state(SharedSlot *slot, AevonWorkerState state);
static void wake(SharedSlot *slot, uint32 wishes);
static void wake_launcher(void);
static void copy_slot(SharedSlot *slot, AevonSlot *out);
static void exit_launcher(int code, Datum argument);
static void exit_worker(int code, Datum argument);
static void fail_slot(SharedSlot *slot);
static void copy_error(SharedSlot *slot, const char *state, const char *message);

void
aevon_shmem_request(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_memory;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = start_up;
}

bool
aevon_shmem_available(void)
{
	return shared != NULL;
}

void
aevon_shmem_tell_change(void)
{
	SharedSlot *slot;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot = take_slot(MyDatabaseId);
	if (slot != NULL)
	{
		if (slot->seen.state == AEVON_WORKER_ABSENT)
			enter_state(slot, AEVON_WORKER_WAITING);
		slot->seen.due_at = GetCurrentTimestamp();
		wake(slot, AEVON_WISH_CHECK);
	}
	else
	{
		shared->news |= AEVON_NEWS_NO_SLOT;
		wake_launcher();
	}
	LWLockRelease(shared->lock);
}

void
aevon_shmem_tell_databases(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->news |= AEVON_NEWS_DATABASES;
	wake_launcher();
	LWLockRelease(shared->lock);
}

void
aevon_shmem_move_tail(int64 ingested, int64 swept)
{
	SharedSlot *slot = cached_slot();
	uint64		before;
	uint64		after;

	if (slot == NULL)
		return;
	before = pg_atomic_read_u64(&slot->tail);
	do
		after = Max((int64) before + ingested - swept, 0);
	while (!pg_atomic_compare_exchange_u64(&slot->tail, &before, after));

	if ((int64) before < aevon_tail_target_events &&
		(int64) after >= aevon_tail_target_events)
	{
		LWLockAcquire(shared->lock, LW_SHARED);
		wake(slot, AEVON_WISH_SWEEP);
		LWLockRelease(shared->lock);
	}
}

void
aevon_shmem_hold(Oid database)
{
	TimestampTz start;
	long		waited = 0;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->holds[MyBackendId - 1] = database;
	holding = true;
	LWLockRelease(shared->lock);

	start = GetCurrentTimestamp();
	ConditionVariablePrepareToSleep(&shared->left);
	while (waited < HOLD_TIMEOUT_MS && !worker_has_left(database, waited >= HOLD_PATIENCE_MS))
	{
		(void) ConditionVariableTimedSleep(&shared->left, HOLD_PATIENCE_MS, PG_WAIT_EXTENSION);
		waited = TimestampDifferenceMilliseconds(start, GetCurrentTimestamp());
	}
	ConditionVariableCancelSleep();
}

void
aevon_shmem_release(void)
{
	if (!holding)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->holds[MyBackendId - 1] = InvalidOid;
	holding = false;
	wake_launcher();
	LWLockRelease(shared->lock);
}

bool
aevon_shmem_find(Oid database, AevonSlot *out)
{
	SharedSlot *slot;

	if (shared == NULL)
		return false;
	LWLockAcquire(shared->lock, LW_SHARED);
	slot = slot_of(database);
	if (slot != NULL)
		copy_slot(slot, out);
	LWLockRelease(shared->lock);
	return slot != NULL;
}

int
aevon_shmem_slot_count(void)
{
	return shared == NULL ? 0 : shared->slot_count;
}

bool
aevon_shmem_read(int number, AevonSlot *out)
{
	LWLockAcquire(shared->lock, LW_SHARED);
	copy_slot(&shared->slots[number], out);
	LWLockRelease(shared->lock);
	return OidIsValid(out->database);
}

void
aevon_shmem_attach_launcher(void)
{
	on_shmem_exit(exit_launcher, (Datum) 0);
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->launcher = MyLatch;
	LWLockRelease(shared->lock);
}

uint32
aevon_shmem_take_news(void)
{
	uint32		news;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	news = shared->news;
	shared->news = 0;
	LWLockRelease(shared->lock);
	return news;
}

bool
aevon_shmem_add(Oid database)
{
	SharedSlot *slot;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot = take_slot(database);
	LWLockRelease(shared->lock);
	return slot != NULL;
}

void
aevon_shmem_remove(int number)
{
	SharedSlot *slot = &shared->slots[number];

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (slot->seen.pid == 0 && slot->seen.state != AEVON_WORKER_STARTING)
	{
		slot->seen.database = InvalidOid;
		pg_atomic_fetch_add_u32(&shared->generation, 1);
	}
	LWLockRelease(shared->lock);
}

bool
aevon_shmem_claim(int number, uint32 *ticket)
{
	SharedSlot *slot = &shared->slots[number];
	bool		claimed;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	claimed = OidIsValid(slot->seen.database) &&
		slot->seen.state == AEVON_WORKER_WAITING && !held(slot->seen.database);
	if (claimed)
	{
		enter_state(slot, AEVON_WORKER_STARTING);
		*ticket = ++slot->seen.ticket;
	}
	LWLockRelease(shared->lock);
	return claimed;
}

void
aevon_shmem_unclaim(int number, uint32 ticket, TimestampTz due_at)
{
	SharedSlot *slot = &shared->slots[number];

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (slot->seen.state == AEVON_WORKER_STARTING && slot->seen.pid == 0 &&
		slot->seen.ticket == ticket)
	{
		enter_state(slot, AEVON_WORKER_WAITING);
		slot->seen.due_at = due_at;
		slot->seen.ticket++;	/* a late process must not come in */
		ConditionVariableBroadcast(&shared->left);
	}
	LWLockRelease(shared->lock);
}

void
aevon_shmem_advance(int number, TimestampTz due_at)
{
	SharedSlot *slot = &shared->slots[number];

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot->seen.due_at = Min(slot->seen.due_at, due_at);
	LWLockRelease(shared->lock);
}

void
aevon_shmem_wish(int number, uint32 wishes)
{
	LWLockAcquire(shared->lock, LW_SHARED);
	wake(&shared->slots[number], wishes);
	LWLockRelease(shared->lock);
}

void
aevon_shmem_terminate(int number)
{
	LWLockAcquire(shared->lock, LW_SHARED);
	if (shared->slots[number].seen.pid != 0)
		kill(shared->slots[number].seen.pid, SIGTERM);
	LWLockRelease(shared->lock);
}

bool
aevon_shmem_attach_worker(int number, uint32 ticket, Oid *database)
{
	SharedSlot *slot;
	bool		mine;

	if (shared == NULL || number < 0 || number >= shared->slot_count)
		return false;
	slot = &shared->slots[number];
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	mine = slot->seen.state == AEVON_WORKER_STARTING && slot->seen.pid == 0 &&
		slot->seen.ticket == ticket;
	if (mine && held(slot->seen.database))
	{
		enter_state(slot, AEVON_WORKER_WAITING);
		ConditionVariableBroadcast(&shared->left);
		wake_launcher();
		mine = false;
	}
	if (mine)
	{
		*database = slot->seen.database;
		slot->seen.pid = MyProcPid;
		slot->latch = MyLatch;
		pg_atomic_write_u32(&slot->wishes, 0);
		own_slot = slot;
	}
	LWLockRelease(shared->lock);
	if (mine)
		on_shmem_exit(exit_worker, (Datum) 0);
	return mine;
}

void
aevon_shmem_set_state(AevonWorkerState state)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (own_slot->seen.state != state)
		enter_state(own_slot, state);
	LWLockRelease(shared->lock);
}

uint32
aevon_shmem_take_wishes(void)
{
	return pg_atomic_exchange_u32(&own_slot->wishes, 0);
}

int64
aevon_shmem_tail(void)
{
	return (int64) pg_atomic_read_u64(&own_slot->tail);
}

void
aevon_shmem_set_error(const char *state, const char *message, bool fatal)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	copy_error(own_slot, state, message);
	LWLockRelease(shared->lock);
	error_noted = fatal;
}

int
aevon_shmem_set_swept(void)
{
	int			failures;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	failures = own_slot->seen.failures;
	own_slot->seen.failures = 0;
	own_slot->seen.swept_at = GetCurrentTimestamp();
	LWLockRelease(shared->lock);
	return failures;
}

void
aevon_shmem_leave_absent(void)
{
	leaving = LEAVING_ABSENT;
}

void
aevon_shmem_leave_until(TimestampTz due_at)
{
	leaving = LEAVING_UNTIL;
	leaving_until = due_at;
}

static void
request_memory(void)
{
	if (previous_request_hook != NULL)
		previous_request_hook();
	RequestAddinShmemSpace(area_size());
	RequestNamedLWLockTranche(TRANCHE_NAME, 1);
}

static void
start_up(void)
{
	bool		found;
	int			i;

	if (previous_startup_hook != NULL)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("aevon", area_size(), &found);
	if (!found)
	{
		memset(shared, 0, area_size());
		shared->lock = &GetNamedLWLockTranche(TRANCHE_NAME)->lock;
		ConditionVariableInit(&shared->left);
		pg_atomic_init_u32(&shared->generation, 0);
		shared->slot_count = aevon_max_databases;
		shared->holds = (Oid *) &shared->slots[shared->slot_count];
		for (i = 0; i < shared->slot_count; i++)
		{
			pg_atomic_init_u64(&shared->slots[i].tail, 0);
			pg_atomic_init_u32(&shared->slots[i].wishes, 0);
		}
	}
	LWLockRelease(AddinShmemInitLock);
}

static Size
area_size(void)
{
	return add_size(offsetof(SharedArea, slots),
					add_size(mul_size(aevon_max_databases, sizeof(SharedSlot)),
							 mul_size(MaxBackends, sizeof(Oid))));
}

/* Has the worker of a database gone?  If not, ask it to, or make it. */
static bool
worker_has_left(Oid database, bool impatient)
{
	SharedSlot *slot;
	bool		gone;

	LWLockAcquire(shared->lock, LW_SHARED);
	slot = slot_of(database);
	gone = slot == NULL ||
		(slot->seen.pid == 0 && slot->seen.state != AEVON_WORKER_STARTING);
	if (!gone && slot->seen.pid != 0)
	{
		wake(slot, AEVON_WISH_LEAVE);
		/* while it connects it does not heed wishes */
		kill(slot->seen.pid, impatient || slot->seen.state == AEVON_WORKER_STARTING ?
			 SIGTERM : SIGINT);
	}
	LWLockRelease(shared->lock);
	return gone;
}

/* The functions below expect the lock to be held. */

static bool
held(Oid database)
{
	int			i;

	for (i = 0; i < MaxBackends; i++)
		if (shared->holds[i] == database)
			return true;
	return false;
}

static SharedSlot *
slot_of(Oid database)
{
	int			i;

	for (i = 0; i < shared->slot_count; i++)
		if (shared->slots[i].seen.database == database)
			return &shared->slots[i];
	return NULL;
}

/* The slot of this database, or NULL; needs no lock, and no search mostly. */
static SharedSlot *
cached_slot(void)
{
	static SharedSlot *slot = NULL;
	static uint32 generation = 0;
	static bool valid = false;

	if (!valid || generation != pg_atomic_read_u32(&shared->generation))
	{
		LWLockAcquire(shared->lock, LW_SHARED);
		generation = pg_atomic_read_u32(&shared->generation);
		slot = slot_of(MyDatabaseId);
		LWLockRelease(shared->lock);
		valid = true;
	}
	return slot;
}

/* The slot of a database, a free one if it has none; NULL if all are taken. */
static SharedSlot *
take_slot(Oid database)
{
	SharedSlot *slot = slot_of(database);

	if (slot != NULL)
		return slot;
	slot = slot_of(InvalidOid);
	if (slot == NULL)
		return NULL;
	memset(&slot->seen, 0, sizeof(slot->seen));
	slot->seen.database = database;
	slot->seen.due_at = GetCurrentTimestamp();
	enter_state(slot, AEVON_WORKER_WAITING);
	pg_atomic_write_u64(&slot->tail, 0);
	pg_atomic_write_u32(&slot->wishes, 0);
	pg_atomic_fetch_add_u32(&shared->generation, 1);
	return slot;
}

static void
enter_state(SharedSlot *slot, AevonWorkerState state)
{
	slot->seen.state = state;
	slot->seen.state_since = GetCurrentTimestamp();
}

/* Ask the slot's worker for something; without one the launcher looks at it. */
static void
wake(SharedSlot *slot, uint32 wishes)
{
	pg_atomic_fetch_or_u32(&slot->wishes, wishes);
	if (slot->latch != NULL)
		SetLatch(slot->latch);
	else
		wake_launcher();
}

static void
wake_launcher(void)
{
	if (shared->launcher != NULL)
		SetLatch(shared->launcher);
}

static void
copy_slot(SharedSlot *slot, AevonSlot *out)
{
	*out = slot->seen;
	out->wishes = pg_atomic_read_u32(&slot->wishes);
	out->tail = (int64) pg_atomic_read_u64(&slot->tail);
}

/* The functions below take the lock themselves. */

static void
exit_launcher(int code, Datum argument)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->launcher = NULL;
	LWLockRelease(shared->lock);
}

/* The process has left its database: say so, and when the next one is due. */
static void
exit_worker(int code, Datum argument)
{
	SharedSlot *slot = own_slot;
	bool		changed;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	changed = (pg_atomic_exchange_u32(&slot->wishes, 0) &
			   (AEVON_WISH_SWEEP | AEVON_WISH_CHECK)) != 0;
	slot->seen.pid = 0;
	slot->latch = NULL;
	enter_state(slot, leaving == LEAVING_ABSENT && !changed ?
				AEVON_WORKER_ABSENT : AEVON_WORKER_WAITING);
	slot->seen.due_at = GetCurrentTimestamp();
	if (!held(slot->seen.database))
	{
		if (leaving == LEAVING_BY_ACCIDENT)
			fail_slot(slot);
		else if (leaving == LEAVING_UNTIL && !changed)
			slot->seen.due_at = leaving_until;
	}
	ConditionVariableBroadcast(&shared->left);
	wake_launcher();
	LWLockRelease(shared->lock);
}

/* Count a failure; the pause before the next start doubles each time. */
static void
fail_slot(SharedSlot *slot)
{
	int64		pause = INT64CONST(1000) << Min(slot->seen.failures, 20);

	slot->seen.failures++;
	slot->seen.due_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													Min(pause, Max(aevon_sweep_interval_ms, 1000)));
	if (!error_noted)
		copy_error(slot, "", "the worker ended unexpectedly; the server's log says why");
}

static void
copy_error(SharedSlot *slot, const char *state, const char *message)
{
	int			length = pg_mbcliplen(message, strlen(message), AEVON_ERROR_LENGTH - 1);

	slot->seen.error_at = GetCurrentTimestamp();
	strlcpy(slot->seen.error_state, state, sizeof(slot->seen.error_state));
	strlcpy(slot->seen.error_message, message, length + 1);
}
