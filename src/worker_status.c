/*
 * worker_status.c
 *		The view aevon.workers: what the worker of each database does.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "access.h"
#include "shmem.h"

#define STATUS_COLUMNS 10

static bool may_see(Oid database);
static void put_slot(ReturnSetInfo *result, const AevonSlot *slot);
static const char *state_name(AevonWorkerState state);
static Datum error_text(const AevonSlot *slot);

PG_FUNCTION_INFO_V1(aevon_worker_status);

Datum
aevon_worker_status(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < aevon_shmem_slot_count(); i++)
	{
		AevonSlot	slot;

		if (aevon_shmem_read(i, &slot) && slot.state != AEVON_WORKER_ABSENT &&
			may_see(slot.database))
			put_slot(result, &slot);
	}
	return (Datum) 0;
}

/*
 * The figures cover every tenant: they are for those who monitor the server,
 * and for those who operate this database.
 */
static bool
may_see(Oid database)
{
	if (has_privs_of_role(GetUserId(), ROLE_PG_MONITOR))
		return true;
	return database == MyDatabaseId && aevon_access_allowed(NULL, AEVON_PRIVILEGE_OPERATE);
}

static void
put_slot(ReturnSetInfo *result, const AevonSlot *slot)
{
	Datum		values[STATUS_COLUMNS];
	bool		nulls[STATUS_COLUMNS];

	memset(nulls, false, sizeof(nulls));
	values[0] = ObjectIdGetDatum(slot->database);
	values[1] = Int32GetDatum(slot->pid);
	nulls[1] = slot->pid == 0;
	values[2] = CStringGetTextDatum(state_name(slot->state));
	values[3] = TimestampTzGetDatum(slot->state_since);
	values[4] = TimestampTzGetDatum(slot->swept_at);
	nulls[4] = slot->swept_at == 0;
	values[5] = Int64GetDatum(slot->tail);
	values[6] = Int32GetDatum(slot->failures);
	nulls[7] = slot->error_at == 0 || slot->error_state[0] == '\0';
	values[7] = nulls[7] ? (Datum) 0 : CStringGetTextDatum(slot->error_state);
	nulls[8] = nulls[9] = slot->error_at == 0;
	values[8] = nulls[8] ? (Datum) 0 : error_text(slot);
	values[9] = TimestampTzGetDatum(slot->error_at);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static const char *
state_name(AevonWorkerState state)
{
	switch (state)
	{
		case AEVON_WORKER_WAITING:
		case AEVON_WORKER_ABSENT:
			return "waiting";
		case AEVON_WORKER_STARTING:
			return "starting";
		case AEVON_WORKER_CHECKING:
			return "checking";
		case AEVON_WORKER_IDLE:
			return "idle";
		case AEVON_WORKER_SWEEPING:
			return "sweeping";
		case AEVON_WORKER_REFUSED:
			return "refused";
	}
	return NULL;				/* not reached */
}

/* Another database may have another encoding: then only ASCII is sure. */
static Datum
error_text(const AevonSlot *slot)
{
	char	   *message = pstrdup(slot->error_message);

	if (slot->database != MyDatabaseId)
		for (char *c = message; *c != '\0'; c++)
			if (IS_HIGHBIT_SET(*c))
				*c = '?';
	return CStringGetTextDatum(message);
}
