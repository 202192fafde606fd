/*
 * cut.c
 *		The cut protocol: which transactions' events are inside the buckets.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "cut.h"

/* What a null in a stored cut, where somebody put one, is taken for: no event has it. */
#define NO_STAMP 0

static AevonCheckpoint *lock_checkpoints(AevonQuery query, int *count);
static int64 stamp_of_xid(TransactionId xid, FullTransactionId next, int64 base);
static int	compare_stamps(const void *a, const void *b);
static int	compare_checkpoints(const void *a, const void *b);
static void checkpoint_from_slot(TupleTableSlot *slot, AevonCheckpoint *checkpoint);
static void forbid_prepare(void);
static void refuse_prepare(XactEvent event, void *argument);

/* Does this transaction hold the checkpoints? */
static bool holding_checkpoints = false;

int64
aevon_cut_stamp(int64 base)
{
	return base + (int64) U64FromFullTransactionId(GetTopFullTransactionId());
}

AevonCut *
aevon_cut_of_snapshot(Snapshot snapshot, int64 base)
{
	AevonCut   *cut = palloc(sizeof(AevonCut));
	FullTransactionId next = ReadNextFullTransactionId();
	FullTransactionId own = GetTopFullTransactionIdIfAny();

	if (snapshot->takenDuringRecovery || RecoveryInProgress())
		elog(ERROR, "cannot compute a cut in recovery");

	cut->xmax = stamp_of_xid(snapshot->xmax, next, base);
	cut->xip = palloc((snapshot->xcnt + 1) * sizeof(int64));
	cut->nxip = 0;
	for (uint32 i = 0; i < snapshot->xcnt; i++)
		cut->xip[cut->nxip++] = stamp_of_xid(snapshot->xip[i], next, base);

	/* a snapshot leaves out its own transaction, whose events it may see */
	if (FullTransactionIdIsValid(own))
	{
		int64		stamp = base + (int64) U64FromFullTransactionId(own);

		if (stamp < cut->xmax)
			cut->xip[cut->nxip++] = stamp;
	}
	qsort(cut->xip, cut->nxip, sizeof(int64), compare_stamps);
	return cut;
}

AevonCut *
aevon_cut_end_at(const AevonCut *cut, int64 xmax)
{
	AevonCut   *ended = palloc(sizeof(AevonCut));

	Assert(xmax <= cut->xmax);
	ended->xmax = xmax;
	ended->nxip = 0;
	ended->xip = palloc(Max(cut->nxip, 1) * sizeof(int64));
	while (ended->nxip < cut->nxip && cut->xip[ended->nxip] < xmax)
	{
		ended->xip[ended->nxip] = cut->xip[ended->nxip];
		ended->nxip++;
	}
	return ended;
}

bool
aevon_cut_equal(const AevonCut *a, const AevonCut *b)
{
	return a->xmax == b->xmax && a->nxip == b->nxip &&
		memcmp(a->xip, b->xip, a->nxip * sizeof(int64)) == 0;
}

AevonCut *
aevon_cut_empty(void)
{
	AevonCut   *cut = palloc0(sizeof(AevonCut));

	cut->xip = palloc(sizeof(int64));
	return cut;
}

AevonCut *
aevon_cut_from_datums(Datum xmax, Datum xip)
{
	AevonCut   *cut = palloc(sizeof(AevonCut));
	ArrayType  *array = DatumGetArrayTypePCopy(xip);
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	deconstruct_array(array, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &elements, &nulls, &count);
	cut->xmax = DatumGetInt64(xmax);
	cut->nxip = count;
	cut->xip = palloc(Max(count, 1) * sizeof(int64));
	for (int i = 0; i < count; i++)
		cut->xip[i] = nulls[i] ? NO_STAMP : DatumGetInt64(elements[i]);
	qsort(cut->xip, cut->nxip, sizeof(int64), compare_stamps);
	pfree(elements);
	pfree(nulls);
	pfree(array);
	return cut;
}

Datum
aevon_cut_xip_datum(const AevonCut *cut)
{
	Datum	   *elements = palloc(Max(cut->nxip, 1) * sizeof(Datum));

	for (int i = 0; i < cut->nxip; i++)
		elements[i] = Int64GetDatum(cut->xip[i]);
	return PointerGetDatum(construct_array(elements, cut->nxip, INT8OID, sizeof(int64),
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

char *
aevon_cut_text(const AevonCut *cut)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, INT64_FORMAT ":", cut->xmax);
	for (int i = 0; i < cut->nxip; i++)
		appendStringInfo(&buf, "%s" INT64_FORMAT, i > 0 ? "," : "", cut->xip[i]);
	return buf.data;
}

AevonCheckpoint *
aevon_cut_read_checkpoints(Snapshot snapshot, int *count)
{
	Relation	relation = table_open(aevon_catalog_oid(AEVON_SWEEP_CHECKPOINTS),
									  AccessShareLock);
	TableScanDesc scan = table_beginscan(relation, snapshot, 0, NULL);
	TupleTableSlot *slot = table_slot_create(relation, NULL);
	int			capacity = 8;
	AevonCheckpoint *checkpoints = palloc(capacity * sizeof(AevonCheckpoint));

	*count = 0;
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		if (*count == capacity)
		{
			capacity *= 2;
			checkpoints = repalloc(checkpoints, capacity * sizeof(AevonCheckpoint));
		}
		checkpoint_from_slot(slot, &checkpoints[*count]);
		if (checkpoints[*count].measure_key > 0)
			(*count)++;
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	table_close(relation, AccessShareLock);
	qsort(checkpoints, *count, sizeof(AevonCheckpoint), compare_checkpoints);
	return checkpoints;
}

AevonCheckpoint *
aevon_cut_lock_checkpoints(int *count)
{
	return lock_checkpoints(AEVON_QUERY_LOCK_CHECKPOINTS, count);
}

AevonCheckpoint *
aevon_cut_lock_all_checkpoints(int *count)
{
	return lock_checkpoints(AEVON_QUERY_LOCK_ALL_CHECKPOINTS, count);
}

static AevonCheckpoint *
lock_checkpoints(AevonQuery query, int *count)
{
	AevonCheckpoint *checkpoints;
	TupleDesc	descriptor;

	forbid_prepare();
	aevon_catalog_run(query, NULL, NULL, false);
	*count = (int) SPI_processed;
	checkpoints = palloc0(Max(*count, 1) * sizeof(AevonCheckpoint));
	descriptor = SPI_tuptable->tupdesc;
	for (int i = 0; i < *count; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		bool		isnull;

		checkpoints[i].measure_key = DatumGetInt32(SPI_getbinval(tuple, descriptor, 1, &isnull));
		checkpoints[i].cut = aevon_cut_from_datums(SPI_getbinval(tuple, descriptor, 2, &isnull),
												   SPI_getbinval(tuple, descriptor, 3, &isnull));
		checkpoints[i].caught_up = DatumGetBool(SPI_getbinval(tuple, descriptor, 4, &isnull));
	}
	return checkpoints;
}

/*
 * A 32-bit id of a transaction that is at most 2^31 ids behind the next one,
 * as those in a snapshot are, in its 64 bits.
 */
static int64
stamp_of_xid(TransactionId xid, FullTransactionId next, int64 base)
{
	uint32		epoch = EpochFromFullTransactionId(next);

	if (xid > XidFromFullTransactionId(next))
		epoch--;
	return base + (int64) U64FromFullTransactionId(FullTransactionIdFromEpochAndXid(epoch, xid));
}

static int
compare_stamps(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return x < y ? -1 : x > y ? 1 : 0;
}

static int
compare_checkpoints(const void *a, const void *b)
{
	int32		x = ((const AevonCheckpoint *) a)->measure_key;
	int32		y = ((const AevonCheckpoint *) b)->measure_key;

	return x < y ? -1 : x > y ? 1 : 0;
}

static void
checkpoint_from_slot(TupleTableSlot *slot, AevonCheckpoint *checkpoint)
{
	bool		never;
	bool		isnull;
	Datum		swept_at;

	checkpoint->measure_key =
		DatumGetInt32(slot_getattr(slot, Anum_sweep_checkpoints_measure_key, &isnull));
	checkpoint->caught_up =
		DatumGetBool(slot_getattr(slot, Anum_sweep_checkpoints_caught_up, &isnull));
	checkpoint->event_count =
		DatumGetInt64(slot_getattr(slot, Anum_sweep_checkpoints_event_count, &isnull));
	swept_at = slot_getattr(slot, Anum_sweep_checkpoints_swept_at, &never);
	checkpoint->swept_at = never ? 0 : DatumGetTimestampTz(swept_at);
	checkpoint->cut =
		aevon_cut_from_datums(slot_getattr(slot, Anum_sweep_checkpoints_xmax, &isnull),
							  slot_getattr(slot, Anum_sweep_checkpoints_xip, &isnull));
}

/*
 * A prepared transaction holds its row locks until somebody ends it: were it
 * one that swept, no other sweep could run.
 */
static void
forbid_prepare(void)
{
	static bool registered = false;

	if (!registered)
	{
		RegisterXactCallback(refuse_prepare, NULL);
		registered = true;
	}
	holding_checkpoints = true;
}

static void
refuse_prepare(XactEvent event, void *argument)
{
	if (event == XACT_EVENT_PRE_PREPARE && holding_checkpoints)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot prepare a transaction that has swept"),
				 errdetail("It would hold off every other sweep until it ends."),
				 errhint("Call aevon_sweep() in a transaction of its own.")));
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		holding_checkpoints = false;
}
