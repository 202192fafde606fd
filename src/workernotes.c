/*
 * workernotes.c
 *		What a transaction has to tell others when it commits.
 */
#include "postgres.h"

#include "access/xact.h"
#include "storage/ipc.h"

#include "workernotes.h"
#include "shmem.h"

/* Of the transaction. */
typedef struct PendingNotes
{
	int64		ingested;
	int64		swept;
	bool		change;
	bool		databases;
} PendingNotes;

static PendingNotes pending;
static bool callbacks_registered = false;

static void register_callbacks(void);
static void end_transaction(XactEvent event, void *argument);
static void tell_notes(void);
static void exit_backend(int code, Datum argument);

void
aevon_workernotes_ingested(int64 n)
{
	register_callbacks();
	pending.ingested += n;
}

void
aevon_workernotes_swept(int64 n)
{
	register_callbacks();
	pending.swept += n;
}

void
aevon_workernotes_change(void)
{
	register_callbacks();
	pending.change = true;
}

void
aevon_workernotes_databases(void)
{
	register_callbacks();
	pending.databases = true;
}

void
aevon_workernotes_hold(Oid database)
{
	if (!aevon_shmem_available())
		return;
	register_callbacks();
	aevon_shmem_hold(database);
}

static void
register_callbacks(void)
{
	if (callbacks_registered || !aevon_shmem_available())
		return;
	RegisterXactCallback(end_transaction, NULL);
	before_shmem_exit(exit_backend, (Datum) 0);
	callbacks_registered = true;
}

static void
end_transaction(XactEvent event, void *argument)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
			tell_notes();
			break;
		case XACT_EVENT_ABORT:
			break;
		default:
			return;
	}
	memset(&pending, 0, sizeof(pending));
	aevon_shmem_release();
}

static void
tell_notes(void)
{
	if (pending.ingested != 0 || pending.swept != 0)
		aevon_shmem_move_tail(pending.ingested, pending.swept);
	if (pending.change)
		aevon_shmem_tell_change();
	if (pending.databases)
		aevon_shmem_tell_databases();
}

/* A backend that ends in the midst of a command leaves no hold behind. */
static void
exit_backend(int code, Datum argument)
{
	aevon_shmem_release();
}
