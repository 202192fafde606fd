/*
 * snapcheck.c
 *		A subject's snapshots against a recount of the log, each at its own
 *		cut.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "json.h"
#include "metric.h"
#include "snapcheck.h"
#include "split.h"

#define PORTION 500				/* rows fetched at a time */

/* Columns of SNAPSHOTS_OF_SUBJECT. */
enum
{
	COLUMN_DAY = 1, COLUMN_REVISION, COLUMN_CUT_XMAX, COLUMN_CUT_XIP, COLUMN_EVENT_COUNT,
	COLUMN_LATE_COUNT, COLUMN_STATS, COLUMN_SERIES_KEY, COLUMN_TAKEN_AT, COLUMN_STATUS,
	COLUMN_HASH, COLUMN_ROW_HASH, COLUMN_EXPECTED, COLUMN_GROUPING, COLUMN_DIMS, COLUMN_DIGEST,
	COLUMN_COUNT
};

/* A snapshot as it is stored. */
typedef struct SnapshotRow
{
	int32		day;
	int32		revision;
	int32		expected;		/* the revision that would follow the last */
	int64		series_key;
	AevonCut   *cut;
	int64		event_count;
	int64		late_count;
	Jsonb	   *stats;
	TimestampTz taken_at;
	char	   *status;
	bytea	   *hash;
	bytea	   *row_hash;		/* the hash that its columns give */
	AevonStoredDims stored_dims;	/* of its series */
	const AevonDims *dims;		/* NULL: totals */
} SnapshotRow;

typedef struct Checking
{
	const AevonSplitSubject *subject;
	AevonSnapshotVisitor visitor;
	void	   *context;
	MemoryContext row;
	MemoryContext piece;		/* of the split */
	int32		day;
	AevonCut   *cut;			/* of the split; NULL: there is none yet */
	AevonSplit	split;
} Checking;

static void check_tuple(Checking *state, HeapTuple tuple, TupleDesc descriptor);
static void read_row(HeapTuple tuple, TupleDesc descriptor, SnapshotRow *row);
static void split_day(Checking *state, const SnapshotRow *row);
static const AevonDims *dims_of_row(Checking *state, const SnapshotRow *row);
static void check_revision(Checking *state, const SnapshotRow *row);
static void check_row(Checking *state, const SnapshotRow *row, const AevonPartial *recounted);
static Jsonb *metric_document(const SnapshotRow *row, int64 event_count, int64 late_count,
							  const Jsonb *stats);
static Jsonb *row_document(const SnapshotRow *row, bool stored);
static void visit(Checking *state, int32 day, Jsonb *stored, Jsonb *recomputed);

void
aevon_snapcheck_subject(const AevonSplitSubject *subject, AevonSnapshotVisitor visitor,
						void *context)
{
	Datum		values[4] = {
		Int32GetDatum(subject->measure->measure_key),
		Int32GetDatum(subject->recount->tenant_key),
		subject->groupings,
		Int32GetDatum(subject->recount->subject_key),
	};
	Checking	state = {.subject = subject,.visitor = visitor,.context = context};
	Portal		cursor;
	uint64		count;

	if (subject->groupings == (Datum) 0)
		return;
	cursor = aevon_catalog_open(AEVON_QUERY_SNAPSHOTS_OF_SUBJECT, values);
	state.row = AllocSetContextCreate(CurrentMemoryContext, "aevon snapshot", ALLOCSET_SMALL_SIZES);
	state.piece = AllocSetContextCreate(CurrentMemoryContext, "aevon split day",
										ALLOCSET_DEFAULT_SIZES);
	do
	{
		SPITupleTable *table;

		SPI_cursor_fetch(cursor, true, PORTION);
		table = SPI_tuptable;
		count = SPI_processed;
		for (uint64 i = 0; i < count; i++)
		{
			MemoryContext outer = MemoryContextSwitchTo(state.row);

			CHECK_FOR_INTERRUPTS();
			check_tuple(&state, table->vals[i], table->tupdesc);
			MemoryContextSwitchTo(outer);
			MemoryContextReset(state.row);
		}
		SPI_freetuptable(table);
	} while (count == PORTION);
	SPI_cursor_close(cursor);
	MemoryContextDelete(state.row);
	MemoryContextDelete(state.piece);
}

static void
check_tuple(Checking *state, HeapTuple tuple, TupleDesc descriptor)
{
	static const AevonPartial nothing = {0};
	const AevonSplitSeries *series;
	SnapshotRow row;

	read_row(tuple, descriptor, &row);
	if (state->cut == NULL || state->day != row.day || !aevon_cut_equal(state->cut, row.cut))
		split_day(state, &row);
	row.dims = dims_of_row(state, &row);
	series = aevon_split_find(&state->split, row.dims);
	check_revision(state, &row);
	check_row(state, &row, series != NULL ? &series->windows.merged : &nothing);
}

static void
read_row(HeapTuple tuple, TupleDesc descriptor, SnapshotRow *row)
{
	Datum		values[COLUMN_COUNT];
	bool		isnull;

	for (int i = 1; i < COLUMN_COUNT; i++)
		values[i] = SPI_getbinval(tuple, descriptor, i, &isnull);
	row->day = DatumGetInt32(values[COLUMN_DAY]);
	row->revision = DatumGetInt32(values[COLUMN_REVISION]);
	row->expected = DatumGetInt32(values[COLUMN_EXPECTED]);
	row->series_key = DatumGetInt64(values[COLUMN_SERIES_KEY]);
	row->cut = aevon_cut_from_datums(values[COLUMN_CUT_XMAX], values[COLUMN_CUT_XIP]);
	row->event_count = DatumGetInt64(values[COLUMN_EVENT_COUNT]);
	row->late_count = DatumGetInt64(values[COLUMN_LATE_COUNT]);
	row->stats = DatumGetJsonbP(values[COLUMN_STATS]);
	row->taken_at = DatumGetTimestampTz(values[COLUMN_TAKEN_AT]);
	row->status = TextDatumGetCString(values[COLUMN_STATUS]);
	row->hash = DatumGetByteaPP(values[COLUMN_HASH]);
	row->row_hash = DatumGetByteaPP(values[COLUMN_ROW_HASH]);
	row->stored_dims.grouping = DatumGetInt32(values[COLUMN_GROUPING]);
	row->stored_dims.values = DatumGetJsonbP(values[COLUMN_DIMS]);
	row->stored_dims.digest = DatumGetByteaPP(values[COLUMN_DIGEST]);
	row->dims = NULL;
}

/* Recount the row's day at its cut. */
static void
split_day(Checking *state, const SnapshotRow *row)
{
	const AevonSplitSubject *subject = state->subject;
	AevonRecount recount = *subject->recount;
	MemoryContext outer;

	MemoryContextReset(state->piece);
	outer = MemoryContextSwitchTo(state->piece);
	state->day = row->day;
	state->cut = aevon_cut_end_at(row->cut, row->cut->xmax);
	state->split = (AevonSplit)
	{
		.store = subject->store,
			.known_xmax = row->cut->xmax,
			.unit = AEVON_DAY,
			.parts = 1,
			.table = aevon_dims_table_create(),
	};
	recount.cut = state->cut;
	recount.since = row->day * AEVON_DAY;
	recount.until = (row->day + INT64CONST(1)) * AEVON_DAY;
	(void) aevon_split_recount(&recount, subject->measure, &state->split);
	MemoryContextSwitchTo(outer);
}

static const AevonDims *
dims_of_row(Checking *state, const SnapshotRow *row)
{
	if (row->stored_dims.grouping == 0)
		return NULL;
	return aevon_dims_of_series(state->split.table, state->subject->measure,
								state->subject->recount->tenant_key, &row->stored_dims);
}

/* Revisions of a day count from 1 up; only a compaction leaves one out. */
static void
check_revision(Checking *state, const SnapshotRow *row)
{
	Datum		values[4] = {
		Int64GetDatum(row->series_key),
		Int32GetDatum(row->day),
		Int32GetDatum(row->expected),
		Int32GetDatum(row->revision - 1),
	};
	SPITupleTable *table;
	uint64		count;

	if (row->revision == row->expected)
		return;
	aevon_catalog_run(AEVON_QUERY_LOST_REVISIONS, values, NULL, true);
	table = SPI_tuptable;
	count = SPI_processed;
	for (uint64 i = 0; i < count; i++)
	{
		AevonJson	json = {0};
		bool		isnull;
		Datum		lost = SPI_getbinval(table->vals[i], table->tupdesc, 1, &isnull);

		aevon_json_token(&json, WJB_BEGIN_OBJECT);
		aevon_dims_push(&json, row->dims);
		aevon_json_number(&json, "revision", int64_to_numeric(DatumGetInt32(lost)));
		aevon_json_token(&json, WJB_END_OBJECT);
		visit(state, row->day, NULL, aevon_json_finish(&json));
	}
	SPI_freetuptable(table);
}

static void
check_row(Checking *state, const SnapshotRow *row, const AevonPartial *recounted)
{
	Jsonb	   *stats = aevon_metric_stats(state->subject->measure, recounted);

	if (recounted->event_count != row->event_count || recounted->late != row->late_count ||
		compareJsonbContainers(&stats->root, &row->stats->root) != 0)
		visit(state, row->day,
			  metric_document(row, row->event_count, row->late_count, row->stats),
			  metric_document(row, recounted->event_count, recounted->late, stats));

	/*
	 * time, status and change do not follow from the log, but from the hash
	 */
	else if (!DatumGetBool(DirectFunctionCall2(byteaeq, PointerGetDatum(row->hash),
											   PointerGetDatum(row->row_hash))))
		visit(state, row->day, row_document(row, true), row_document(row, false));
}

static Jsonb *
metric_document(const SnapshotRow *row, int64 event_count, int64 late_count, const Jsonb *stats)
{
	AevonJson	json = {0};

	aevon_json_token(&json, WJB_BEGIN_OBJECT);
	aevon_dims_push(&json, row->dims);
	aevon_json_number(&json, "revision", int64_to_numeric(row->revision));
	aevon_json_number(&json, "event_count", int64_to_numeric(event_count));
	aevon_json_number(&json, "late_count", int64_to_numeric(late_count));
	aevon_json_document(&json, "stats", stats);
	aevon_json_token(&json, WJB_END_OBJECT);
	return aevon_json_finish(&json);
}

/* With the hash that it has, or only with the one that its columns give. */
static Jsonb *
row_document(const SnapshotRow *row, bool stored)
{
	const bytea *hash = stored ? row->hash : row->row_hash;
	AevonJson	json = {0};

	aevon_json_token(&json, WJB_BEGIN_OBJECT);
	aevon_dims_push(&json, row->dims);
	aevon_json_number(&json, "revision", int64_to_numeric(row->revision));
	if (stored)
	{
		aevon_json_time(&json, "taken_at", row->taken_at);
		aevon_json_text(&json, "status", row->status);
	}
	aevon_json_bytes(&json, "hash", VARDATA_ANY(hash), VARSIZE_ANY_EXHDR(hash));
	aevon_json_token(&json, WJB_END_OBJECT);
	return aevon_json_finish(&json);
}

static void
visit(Checking *state, int32 day, Jsonb *stored, Jsonb *recomputed)
{
	AevonSnapshotDifference difference = {day * AEVON_DAY, stored, recomputed};

	state->visitor(state->context, &difference);
}
