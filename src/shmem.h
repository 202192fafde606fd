/*
 * shmem.h
 *		Shared memory: what the launcher, the workers and the other backends
 *		tell one another.
 *
 * A slot stands for a database that has the extension, or may have it.  The
 * launcher makes and removes slots and starts workers; the worker fills its
 * slot in while it lives; any backend adds to the tail figure, asks for
 * attention, or holds the worker of a database off.
 *
 * Present only when the library is preloaded.  Without it the functions that
 * backends call do nothing, or return what their comment says.  One LWLock
 * guards everything but the tail figure, the wishes and the latches.  None of
 * the functions needs a transaction, and only aevon_shmem_hold raises errors.
 * Layer 1.
 */
#ifndef AEVON_SHMEM_H
#define AEVON_SHMEM_H

#include "postgres.h"
#include "datatype/timestamp.h"

/*
 * The life of a slot:
 *
 *	WAITING -> STARTING		the launcher registered a worker; it connects
 *	STARTING -> CHECKING	it is connected, and looks around
 *	CHECKING -> IDLE, SWEEPING, REFUSED and to and fro among these
 *	any of these -> WAITING	the process ended; another is due at due_at
 *	any of these -> ABSENT	the process ended, as the extension is not there;
 *							the launcher removes the slot
 */
typedef enum AevonWorkerState
{
	AEVON_WORKER_WAITING,		/* no process */
	AEVON_WORKER_STARTING,		/* registered, or a process that connects */
	AEVON_WORKER_CHECKING,
	AEVON_WORKER_IDLE,
	AEVON_WORKER_SWEEPING,
	AEVON_WORKER_REFUSED,		/* the restore guard forbids sweeping */
	AEVON_WORKER_ABSENT			/* no process and no extension */
} AevonWorkerState;

/* What a worker is asked for; bits. */
#define AEVON_WISH_SWEEP	0x01	/* the tail passed its target */
#define AEVON_WISH_CHECK	0x02	/* extension, guard or rules changed */
#define AEVON_WISH_YIELD	0x04	/* another database waits for its turn */
#define AEVON_WISH_LEAVE	0x08	/* a command needs the database for itself */

/* What the launcher is told; bits. */
#define AEVON_NEWS_DATABASES	0x01	/* some came, went or changed */
#define AEVON_NEWS_NO_SLOT		0x02	/* a change in one that has no slot */

#define AEVON_ERROR_LENGTH 256

/* A slot as it was at one moment. */
typedef struct AevonSlot
{
	Oid			database;		/* InvalidOid: the slot is free */
	AevonWorkerState state;
	TimestampTz state_since;
	TimestampTz due_at;			/* when WAITING ends */
	TimestampTz swept_at;		/* end of the last sweep; 0: none yet */
	int			pid;			/* 0: no process */
	uint32		ticket;			/* number of the last start */
	int			failures;		/* consecutive ones */
	TimestampTz error_at;		/* 0: no error yet */
	char		error_state[6];
	char		error_message[AEVON_ERROR_LENGTH];
	uint32		wishes;
	int64		tail;			/* events ingested since the last sweep, about */
} AevonSlot;

/* Requests shared memory; from _PG_init when preloading. */
extern void aevon_shmem_request(void);
extern bool aevon_shmem_available(void);

/*
 * For backends.
 */

/* n events entered the log, or left the tail; wakes the worker when there are enough. */
extern void aevon_shmem_move_tail(int64 ingested, int64 swept);

/* Have somebody look at this database: its worker, or a new one. */
extern void aevon_shmem_tell_change(void);

/* The list of databases has changed. */
extern void aevon_shmem_tell_databases(void);

/* As aevon_workernotes_hold, until aevon_shmem_release. */
extern void aevon_shmem_hold(Oid database);
extern void aevon_shmem_release(void);

/* The slot of a database; false if there is none. */
extern bool aevon_shmem_find(Oid database, AevonSlot *out);

/* Slots by number, 0 up to the count (0 without shared memory); false if free. */
extern int	aevon_shmem_slot_count(void);
extern bool aevon_shmem_read(int number, AevonSlot *out);

/*
 * For the launcher.
 */

/* The calling process's latch is the one to be set; until it exits. */
extern void aevon_shmem_attach_launcher(void);

/* What happened since the last call; AEVON_NEWS_... */
extern uint32 aevon_shmem_take_news(void);

/* A slot for a database, WAITING and due now, unless it has one; false: all taken. */
extern bool aevon_shmem_add(Oid database);

/* Free a slot that has no process. */
extern void aevon_shmem_remove(int number);

/* STARTING, with a new ticket, unless there is a process or a hold. */
extern bool aevon_shmem_claim(int number, uint32 *ticket);

/* The start by that ticket failed: WAITING again, until due_at. */
extern void aevon_shmem_unclaim(int number, uint32 ticket, TimestampTz due_at);

/* Put an earlier end to a slot's wait. */
extern void aevon_shmem_advance(int number, TimestampTz due_at);

extern void aevon_shmem_wish(int number, uint32 wishes);
extern void aevon_shmem_terminate(int number);

/*
 * For the worker, about its own slot.
 */

/*
 * Take a slot over; its state will be WAITING again when the process ends.
 * False if the start was called off meanwhile.  To be called
 * before the process connects to the database, so that the slot is given up
 * after the process has left it.
 */
extern bool aevon_shmem_attach_worker(int number, uint32 ticket, Oid *database);

extern void aevon_shmem_set_state(AevonWorkerState state);
extern uint32 aevon_shmem_take_wishes(void);
extern int64 aevon_shmem_tail(void);

/*
 * Keep an error to be shown.  With `fatal`, the process is about to end for
 * it.  A process that ends otherwise than by aevon_shmem_leave_... counts as a
 * failure: the next start is due after 1 s, doubled with each consecutive
 * failure, up to aevon.sweep_interval.
 */
extern void aevon_shmem_set_error(const char *state, const char *message, bool fatal);

/* A sweep succeeded; the number of failures before it, which is forgotten. */
extern int	aevon_shmem_set_swept(void);

/*
 * The process is about to end as it should: with the extension gone, or with
 * its turn over, the next one being due then.
 */
extern void aevon_shmem_leave_absent(void);
extern void aevon_shmem_leave_until(TimestampTz due_at);

#endif							/* AEVON_SHMEM_H */
