/*
 * cut.c
 *		The cut protocol: which transactions' events are inside the buckets.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "cut.h"
#include "refetch.h"

/* What a null in a stored cut, where somebody put one, is taken for: no event has it. */
#define NO_STAMP 0

static AevonCheckpoint *lock_checkpoints(AevonQuery query, int *count);
static void ready_places(Oid relation);
static bool refetch_checkpoint(Relation relation, Snapshot snapshot, int32 measure_key,
							   AevonCheckpoint *checkpoint);
static void search_checkpoints(Relation relation, Snapshot snapshot, const int32 *measure_keys,
							   int count, AevonCheckpoint *checkpoints);
static void copy_with_nulls(ArrayType *array, int64 *stamps);
static int64 stamp_of_xid(TransactionId xid, FullTransactionId next, int64 base);
static int	compare_stamps(const void *a, const void *b);
static int	compare_checkpoints(const void *a, const void *b);
static void checkpoint_from_row(TupleDesc descriptor, HeapTuple row, AevonCheckpoint *checkpoint);
static void forbid_prepare(void);
static void refuse_prepare(XactEvent event, void *argument);

/* Where checkpoints were found last. */
typedef struct PlaceEntry
{
	int32		measure_key;
	char		status;
	AevonPlaceOfRow place;
} PlaceEntry;

#define SH_PREFIX places
#define SH_ELEMENT_TYPE PlaceEntry
#define SH_KEY_TYPE int32
#define SH_KEY measure_key
#define SH_HASH_KEY(table, key) murmurhash32((uint32) (key))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

static struct
{
	places_hash *by_measure;	/* NULL: none yet */
	Oid			relation;
}			places;

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

int64
aevon_cut_oldest_running(Snapshot snapshot, int64 base)
{
	return stamp_of_xid(snapshot->xmin, ReadNextFullTransactionId(), base);
}

int64
aevon_cut_next_stamp(Snapshot snapshot, int64 base)
{
	return stamp_of_xid(snapshot->xmax, ReadNextFullTransactionId(), base);
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
	ArrayType  *array = DatumGetArrayTypeP(xip);

	cut->xmax = DatumGetInt64(xmax);
	cut->nxip = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	cut->xip = palloc(Max(cut->nxip, 1) * sizeof(int64));
	if (ARR_HASNULL(array))
		copy_with_nulls(array, cut->xip);
	else
		memcpy(cut->xip, ARR_DATA_PTR(array), cut->nxip * sizeof(int64));
	if (cut->nxip > 1)
		qsort(cut->xip, cut->nxip, sizeof(int64), compare_stamps);
	if (PointerGetDatum(array) != xip)
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
	int			capacity = 8;
	AevonCheckpoint *checkpoints = palloc(capacity * sizeof(AevonCheckpoint));
	HeapTuple	row;

	*count = 0;
	while ((row = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		if (*count == capacity)
		{
			capacity *= 2;
			checkpoints = repalloc(checkpoints, capacity * sizeof(AevonCheckpoint));
		}
		checkpoint_from_row(RelationGetDescr(relation), row, &checkpoints[*count]);
		if (checkpoints[*count].measure_key > 0)
			(*count)++;
	}
	table_endscan(scan);
	table_close(relation, AccessShareLock);
	qsort(checkpoints, *count, sizeof(AevonCheckpoint), compare_checkpoints);
	return checkpoints;
}

AevonCheckpoint *
aevon_cut_find_checkpoints(Snapshot snapshot, const int32 *measure_keys, int count)
{
	Oid			relid = aevon_catalog_oid(AEVON_SWEEP_CHECKPOINTS);
	Relation	relation = table_open(relid, AccessShareLock);
	AevonCheckpoint *checkpoints = palloc0(Max(count, 1) * sizeof(AevonCheckpoint));
	int			missing = 0;

	ready_places(relid);
	for (int i = 0; i < count; i++)
	{
		if (!refetch_checkpoint(relation, snapshot, measure_keys[i], &checkpoints[i]))
			missing++;
	}
	if (missing > 0)
		search_checkpoints(relation, snapshot, measure_keys, count, checkpoints);
	table_close(relation, AccessShareLock);
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

static void
ready_places(Oid relation)
{
	if (places.by_measure != NULL && places.relation == relation)
		return;
	if (places.by_measure == NULL)
		places.by_measure = places_create(CacheMemoryContext, 16, NULL);
	else
		places_reset(places.by_measure);
	places.relation = relation;
}

/* False: it is not where it was found last. */
static bool
refetch_checkpoint(Relation relation, Snapshot snapshot, int32 measure_key,
				   AevonCheckpoint *checkpoint)
{
	PlaceEntry *entry = places_lookup(places.by_measure, measure_key);
	HeapTupleData row;
	Buffer		buffer;

	if (entry == NULL || !aevon_refetch_row(relation, &entry->place, snapshot, &row, &buffer))
		return false;
	checkpoint_from_row(RelationGetDescr(relation), &row, checkpoint);
	ReleaseBuffer(buffer);
	if (checkpoint->measure_key == measure_key)
		return true;
	memset(checkpoint, 0, sizeof(*checkpoint));
	return false;
}

/* Find those that are still missing, and remember where. */
static void
search_checkpoints(Relation relation, Snapshot snapshot, const int32 *measure_keys,
				   int count, AevonCheckpoint *checkpoints)
{
	TableScanDesc scan = table_beginscan(relation, snapshot, 0, NULL);
	HeapTuple	row;

	while ((row = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		bool		isnull;
		int32		measure_key = DatumGetInt32(heap_getattr(row, Anum_sweep_checkpoints_measure_key,
															 RelationGetDescr(relation), &isnull));

		for (int i = 0; i < count; i++)
		{
			bool		found;

			if (measure_keys[i] != measure_key || checkpoints[i].measure_key != 0)
				continue;
			checkpoint_from_row(RelationGetDescr(relation), row, &checkpoints[i]);
			places_insert(places.by_measure, measure_key, &found)->place =
				aevon_refetch_place(relation, &row->t_self);
		}
	}
	table_endscan(scan);
}

static void
copy_with_nulls(ArrayType *array, int64 *stamps)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	deconstruct_array(array, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
		stamps[i] = nulls[i] ? NO_STAMP : DatumGetInt64(elements[i]);
	pfree(elements);
	pfree(nulls);
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
checkpoint_from_row(TupleDesc descriptor, HeapTuple row, AevonCheckpoint *checkpoint)
{
	Datum		values[Natts_sweep_checkpoints];
	bool		nulls[Natts_sweep_checkpoints];

	heap_deform_tuple(row, descriptor, values, nulls);
	checkpoint->measure_key = DatumGetInt32(values[Anum_sweep_checkpoints_measure_key - 1]);
	checkpoint->caught_up = DatumGetBool(values[Anum_sweep_checkpoints_caught_up - 1]);
	checkpoint->event_count = DatumGetInt64(values[Anum_sweep_checkpoints_event_count - 1]);
	checkpoint->swept_at = nulls[Anum_sweep_checkpoints_swept_at - 1] ? 0 :
		DatumGetTimestampTz(values[Anum_sweep_checkpoints_swept_at - 1]);
	checkpoint->cut = aevon_cut_from_datums(values[Anum_sweep_checkpoints_xmax - 1],
											values[Anum_sweep_checkpoints_xip - 1]);
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
