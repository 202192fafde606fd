/*
 * snapsplit.c
 *		The snapshots of all series of a subject, each with what it must be by
 *		a recount of the log at its cut.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "catalog.h"
#include "snapsplit.h"
#include "split.h"

#define PORTION 500				/* rows fetched at a time */

/* Columns behind those of SNAPSHOTS_AFTER. */
enum
{
	COLUMN_DAY = 1,
	COLUMN_CUT_XMAX = 3,
	COLUMN_CUT_XIP = 4,
	COLUMN_EXPECTED = 13,
	COLUMN_GROUPING,
	COLUMN_DIMS,
	COLUMN_DIGEST
};

typedef struct Visiting
{
	const AevonSplitSubject *subject;
	AevonSnapshotVisitor visitor;
	void	   *context;
	MemoryContext row;
	MemoryContext piece;		/* of the split */
	int32		day;
	AevonCut   *cut;			/* of the split; NULL: there is none yet */
	AevonSplit	split;
} Visiting;

static void visit_row(Visiting *state, HeapTuple tuple, TupleDesc descriptor);
static void split_day(Visiting *state, int32 day, const AevonCut *cut);
static const AevonDims *dims_of_row(Visiting *state, HeapTuple tuple, TupleDesc descriptor);

void
aevon_snapsplit_visit(const AevonSplitSubject *subject, AevonSnapshotVisitor visitor,
					  void *context)
{
	Datum		values[2] = {
		Int32GetDatum(subject->measure->measure_key),
		Int32GetDatum(subject->recount->subject_key)
	};
	Visiting	state = {.subject = subject,.visitor = visitor,.context = context};
	Portal		cursor = aevon_catalog_open(AEVON_QUERY_SNAPSHOTS_OF_SUBJECT, values);
	uint64		count;

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
			visit_row(&state, table->vals[i], table->tupdesc);
			MemoryContextSwitchTo(outer);
			MemoryContextReset(state.row);
		}
		SPI_freetuptable(table);
	} while (count > 0);
	SPI_cursor_close(cursor);
	MemoryContextDelete(state.row);
	MemoryContextDelete(state.piece);
}

static void
visit_row(Visiting *state, HeapTuple tuple, TupleDesc descriptor)
{
	static const AevonPartial nothing = {0};
	bool		isnull;
	int32		day = DatumGetInt32(SPI_getbinval(tuple, descriptor, COLUMN_DAY, &isnull));
	AevonCut   *cut = aevon_cut_from_datums(SPI_getbinval(tuple, descriptor, COLUMN_CUT_XMAX, &isnull),
											SPI_getbinval(tuple, descriptor, COLUMN_CUT_XIP, &isnull));
	AevonSnapshotRow row = {.tuple = tuple,.descriptor = descriptor};
	const AevonSplitSeries *series;

	if (state->cut == NULL || state->day != day || !aevon_cut_equal(state->cut, cut))
		split_day(state, day, cut);
	row.dims = dims_of_row(state, tuple, descriptor);
	row.expected = DatumGetInt32(SPI_getbinval(tuple, descriptor, COLUMN_EXPECTED, &isnull));
	series = aevon_split_find(&state->split, row.dims);
	row.recounted = series != NULL ? &series->windows.merged : &nothing;
	state->visitor(state->context, &row);
}

static void
split_day(Visiting *state, int32 day, const AevonCut *cut)
{
	const AevonSplitSubject *subject = state->subject;
	AevonRecount recount = *subject->recount;
	MemoryContext outer;

	MemoryContextReset(state->piece);
	outer = MemoryContextSwitchTo(state->piece);
	state->day = day;
	state->cut = aevon_cut_end_at(cut, cut->xmax);
	state->split = (AevonSplit)
	{
		.store = subject->store,
			.known_xmax = cut->xmax,
			.unit = AEVON_DAY,
			.parts = 1,
			.table = aevon_dims_table_create(),
	};
	recount.cut = state->cut;
	recount.since = day * AEVON_DAY;
	recount.until = (day + INT64CONST(1)) * AEVON_DAY;
	aevon_split_recount(&recount, subject->measure, &state->split);
	MemoryContextSwitchTo(outer);
}

static const AevonDims *
dims_of_row(Visiting *state, HeapTuple tuple, TupleDesc descriptor)
{
	bool		isnull;
	AevonStoredDims stored;

	stored.grouping = DatumGetInt32(SPI_getbinval(tuple, descriptor, COLUMN_GROUPING, &isnull));
	if (stored.grouping == 0)
		return NULL;
	stored.values = DatumGetJsonbP(SPI_getbinval(tuple, descriptor, COLUMN_DIMS, &isnull));
	stored.digest = DatumGetByteaPP(SPI_getbinval(tuple, descriptor, COLUMN_DIGEST, &isnull));
	return aevon_dims_of_series(state->split.table, state->subject->measure,
								state->subject->recount->tenant_key, &stored);
}
