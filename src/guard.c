/*
 * guard.c
 *		The restore guard, and the triggers that keep the log append only.
 *
 * Whoever makes or reads stamps holds a lock on aevon.installation until the
 * end of its transaction; aevon_adopt() takes that lock exclusively, so that
 * no transaction uses the base of before beside one that uses the new one.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "access.h"
#include "catalog.h"
#include "dictionary.h"
#include "guard.h"
#include "guc.h"
#include "log.h"
#include "workernotes.h"

/* The row of aevon.installation. */
typedef struct Installation
{
	int64		system_identifier;
	int64		base;
	int64		log_oid;
} Installation;

/* The base after a successful check; forgotten when the row's table changes. */
static struct
{
	bool		valid;
	bool		watching;
	Oid			relid;
	int64		base;
}			checked;

static bool check_installation(void);
static bool examine(const char **fault);
static bool read_installation(Installation *installation);
static bool is_own(const Installation *installation);
static bool log_has_events(void);
static bool log_is_ahead(int64 base);
static int64 next_stamp(int64 base);
static void write_first_row(void);
static void watch_installation(void);
static void forget_check(Datum argument, Oid relid);
static void raise_foreign(const char *detail) pg_attribute_noreturn();
static void adopt(void);
static void lock_tables(void);
static int64 greatest_stamp(void);
static int64 oldest_running_id(void);
static void write_installation(int64 base);

/* May this backend delete snapshots? */
static bool compacting = false;

PG_FUNCTION_INFO_V1(aevon_refuse_change);
Datum
aevon_refuse_change(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("aevon.refuse_change() must be called as a trigger")));
	if (compacting && TRIGGER_FIRED_BY_DELETE(trigger->tg_event) &&
		strcmp(RelationGetRelationName(trigger->tg_relation), "snapshots") == 0)
		PG_RETURN_POINTER(NULL);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("\"%s\" is append only", RelationGetRelationName(trigger->tg_relation)),
			 errdetail("Rows of this table are never updated, deleted or truncated.")));
}

PG_FUNCTION_INFO_V1(aevon_adopt_sql);
Datum
aevon_adopt_sql(PG_FUNCTION_ARGS)
{
	AevonAccess access;

	PreventCommandIfReadOnly("aevon_adopt()");
	aevon_access_require(NULL, AEVON_PRIVILEGE_OPERATE);
	aevon_access_enter(&access);
	adopt();
	aevon_access_leave(&access);
	PG_RETURN_VOID();
}

void
aevon_guard_allow_compaction(bool allow)
{
	compacting = allow;
}

int64
aevon_guard_base(void)
{
	if (!check_installation())
		write_first_row();
	return checked.base;
}

bool
aevon_guard_check(int64 *base)
{
	bool		found = check_installation();

	*base = found ? checked.base : 0;
	return found;
}

const char *
aevon_guard_fault(void)
{
	const char *fault;

	(void) examine(&fault);
	return fault;
}

void
aevon_guard_check_cut(int64 cut_xmax)
{
	int64		base;

	if (RecoveryInProgress())
		return;
	if (!aevon_guard_check(&base) || cut_xmax > next_stamp(base))
		raise_foreign("A cut lies above every transaction of this cluster.");
}

/* Make `checked` valid, or raise.  False if there is neither row nor event. */
static bool
check_installation(void)
{
	const char *fault;
	bool		found = examine(&fault);

	if (fault != NULL)
		raise_foreign(fault);
	return found;
}

/*
 * Make `checked` valid, or find the fault.  The lock comes first: taking it also takes in invalidations, and an
 * aevon_adopt() cannot commit while it is held.
 */
static bool
examine(const char **fault)
{
	Oid			relid = aevon_catalog_oid(AEVON_INSTALLATION);
	Installation installation;

	*fault = NULL;
	LockRelationOid(relid, AccessShareLock);
	if (checked.valid && checked.relid == relid)
		return true;

	watch_installation();
	checked.relid = relid;
	if (!read_installation(&installation))
	{
		if (log_has_events())
			*fault = "The log has events, but aevon.installation has no row.";
		return false;
	}
	if (!is_own(&installation))
		*fault = "The tables were restored from a dump, or upgraded.";
	else if (!RecoveryInProgress() && log_is_ahead(installation.base))
		*fault = "An event's stamp lies above every transaction of this cluster.";
	if (*fault != NULL)
		return false;
	checked.base = installation.base;
	checked.valid = true;
	return true;
}

/*
 * The row as of now, whatever the transaction's snapshot: stamps must follow
 * an aevon_adopt() that came after it.
 */
static bool
read_installation(Installation *installation)
{
	Relation	relation = table_open(aevon_catalog_oid(AEVON_INSTALLATION), AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(relation, snapshot, 0, NULL);
	TupleTableSlot *slot = table_slot_create(relation, NULL);
	bool		found = table_scan_getnextslot(scan, ForwardScanDirection, slot);

	if (found)
	{
		bool		isnull;

		installation->system_identifier =
			DatumGetInt64(slot_getattr(slot, Anum_installation_system_identifier, &isnull));
		installation->base =
			DatumGetInt64(slot_getattr(slot, Anum_installation_base, &isnull));
		installation->log_oid =
			DatumGetInt64(slot_getattr(slot, Anum_installation_log_oid, &isnull));
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	table_close(relation, AccessShareLock);
	return found;
}

static bool
is_own(const Installation *installation)
{
	return installation->system_identifier == (int64) GetSystemIdentifier() &&
		installation->log_oid == (int64) aevon_catalog_oid(AEVON_EVENT_LOG);
}

static bool
log_has_events(void)
{
	return aevon_log_max_stamp() > 0;
}

/*
 * Is there an event whose stamp this cluster cannot have made yet?  Events
 * come before the next stamp, because other transactions go on stamping.  The
 * greatest stamp may be of a row that was rolled back: so look for a visible
 * one, if it is too great.
 */
static bool
log_is_ahead(int64 base)
{
	int64		greatest = aevon_log_max_stamp();
	Snapshot	snapshot;
	AevonLogScan *scan;
	AevonLogRow row;
	bool		found;

	if (greatest < next_stamp(base))
		return false;
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	scan = aevon_log_scan_stamps(snapshot, next_stamp(base), PG_INT64_MAX);
	found = aevon_log_scan_next(scan, &row);
	aevon_log_scan_end(scan);
	UnregisterSnapshot(snapshot);
	return found;
}

/* The stamp of the next transaction id: every stamp of today lies below. */
static int64
next_stamp(int64 base)
{
	return base + (int64) U64FromFullTransactionId(ReadNextFullTransactionId());
}

/*
 * Write the first row, so that it stays whatever becomes of this transaction:
 * nobody else should have to wait for its end.
 */
static void
write_first_row(void)
{
	Relation	relation = table_open(aevon_catalog_oid(AEVON_INSTALLATION), RowExclusiveLock);
	Installation installation;

	(void) GetCurrentTransactionId();
	LockDatabaseObject(RelationRelationId, RelationGetRelid(relation), 1, ExclusiveLock);
	if (!read_installation(&installation))
	{
		Datum		values[Natts_installation] = {
			Int64GetDatum((int64) GetSystemIdentifier()),
			Int64GetDatum(0),
			Int64GetDatum((int64) aevon_catalog_oid(AEVON_EVENT_LOG)),
			TimestampTzGetDatum(aevon_clock_now()),
			BoolGetDatum(true)
		};
		bool		nulls[Natts_installation] = {false};

		aevon_dictionary_insert_frozen(relation, values, nulls);
		aevon_workernotes_change();
	}
	UnlockDatabaseObject(RelationRelationId, RelationGetRelid(relation), 1, ExclusiveLock);
	table_close(relation, NoLock);
	if (!check_installation())
		elog(ERROR, "the installation's row is not there");
}

static void
watch_installation(void)
{
	if (checked.watching)
		return;
	CacheRegisterRelcacheCallback(forget_check, (Datum) 0);
	checked.watching = true;
}

static void
forget_check(Datum argument, Oid relid)
{
	if (!OidIsValid(relid) || relid == checked.relid)
		checked.valid = false;
}

static void
raise_foreign(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the event log was not written by this installation of Aevon"),
			 errdetail_internal("%s", detail),
			 errhint("Once all tables are restored, run SELECT aevon_adopt() in this database.")));
}

static void
adopt(void)
{
	Installation installation;
	int64		greatest;
	int64		base = 0;

	lock_tables();
	greatest = greatest_stamp();
	if (read_installation(&installation) && is_own(&installation))
	{
		if (greatest < next_stamp(installation.base))
			return;				/* nothing is wrong */
		base = installation.base;
	}
	/* no transaction that may still stamp an event has an id below the oldest */
	write_installation(Max(base, greatest + 1 - oldest_running_id()));
}

/* First the lock that every maker of stamps holds; so there is no deadlock. */
static void
lock_tables(void)
{
	LockRelationOid(aevon_catalog_oid(AEVON_INSTALLATION), AccessExclusiveLock);
	(void) find_all_inheritors(aevon_catalog_oid(AEVON_EVENT_LOG), ShareRowExclusiveLock, NULL);
	LockRelationOid(aevon_catalog_oid(AEVON_EVENT_LOG), ShareRowExclusiveLock);
	LockRelationOid(aevon_catalog_oid(AEVON_VOIDS), ShareRowExclusiveLock);
	LockRelationOid(aevon_catalog_oid(AEVON_SWEEP_CHECKPOINTS), ShareRowExclusiveLock);
}

/* The greatest stamp in any table, or that a cut could hold. */
static int64
greatest_stamp(void)
{
	int64		greatest = aevon_log_max_stamp();
	bool		isnull;
	Datum		datum;

	aevon_catalog_connect();
	PushActiveSnapshot(GetLatestSnapshot());
	aevon_catalog_run(AEVON_QUERY_MAX_STAMP, NULL, NULL, true);
	PopActiveSnapshot();
	datum = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (!isnull)
		greatest = Max(greatest, DatumGetInt64(datum));
	aevon_catalog_finish();
	return greatest;
}

/* The oldest transaction id that runs, as 64 bits. */
static int64
oldest_running_id(void)
{
	TransactionId oldest = GetOldestActiveTransactionId();
	FullTransactionId next = ReadNextFullTransactionId();
	uint32		epoch = EpochFromFullTransactionId(next);

	if (oldest > XidFromFullTransactionId(next))
		epoch--;
	return (int64) U64FromFullTransactionId(FullTransactionIdFromEpochAndXid(epoch, oldest));
}

static void
write_installation(int64 base)
{
	Datum		values[4] = {
		Int64GetDatum((int64) GetSystemIdentifier()),
		Int64GetDatum(base),
		Int64GetDatum((int64) aevon_catalog_oid(AEVON_EVENT_LOG)),
		TimestampTzGetDatum(aevon_clock_now()),
	};

	aevon_catalog_connect();
	aevon_catalog_run(AEVON_QUERY_ADOPT, values, NULL, false);
	/* a dump may hold keys that are newer than its sequences */
	aevon_catalog_run(AEVON_QUERY_RAISE_TENANT_KEYS, NULL, NULL, false);
	aevon_catalog_run(AEVON_QUERY_RAISE_PRINCIPAL_KEYS, NULL, NULL, false);
	aevon_catalog_run(AEVON_QUERY_RAISE_TYPE_KEYS, NULL, NULL, false);
	aevon_catalog_bump_generation();
	aevon_catalog_finish();
	CacheInvalidateRelcacheByRelid(aevon_catalog_oid(AEVON_INSTALLATION));
}
