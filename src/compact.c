/*
 * compact.c
 *		Compaction: thinning out the snapshots of old days.
 *
 * What a day keeps depends on its own snapshots and on the threshold only.  So
 * a day that was compacted need not be looked at again until it gets another
 * snapshot; runs of snapshots list those days, under the lock of the same row.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/timestamp.h"

#include "access.h"
#include "bucket.h"
#include "catalog.h"
#include "chain.h"
#include "compact.h"
#include "guard.h"
#include "guc.h"

static int32 lock_progress(void);
static int64 compact_days(AevonChainRun *run, int32 from, int32 until, TimestampTz now);

int64
aevon_compact_run(void)
{
	TimestampTz now = aevon_clock_now();
	AevonAccess access;
	AevonChainRun *run;
	Datum		values[2];
	int32		from;
	int32		until;
	int64		count;

	if (aevon_compact_after_s < 0)
		return 0;
	until = (int32) aevon_window_of(now - aevon_compact_after_s * USECS_PER_SEC, AEVON_DAY);
	aevon_access_enter(&access);
	aevon_catalog_connect();
	/* first the log's cut, as whoever sweeps and then takes snapshots */
	run = aevon_chain_begin_run();
	from = lock_progress();
	count = compact_days(run, from, until, now);
	aevon_chain_end_run(run);
	if (from < until)
	{
		values[0] = Int32GetDatum(until);
		values[1] = Float8GetDatum(aevon_compact_threshold);
		aevon_catalog_run(AEVON_QUERY_MOVE_COMPACTION, values, NULL, false);
	}
	aevon_catalog_finish();
	aevon_access_leave(&access);
	return count;
}

/* The day before which all have been compacted by the threshold that holds now. */
static int32
lock_progress(void)
{
	HeapTuple	tuple;
	TupleDesc	descriptor;
	Datum		day;
	Datum		threshold;
	bool		never;

	aevon_catalog_run(AEVON_QUERY_START_COMPACTION, NULL, NULL, false);
	aevon_catalog_run(AEVON_QUERY_LOCK_COMPACTION, NULL, NULL, false);
	tuple = SPI_tuptable->vals[0];
	descriptor = SPI_tuptable->tupdesc;
	day = SPI_getbinval(tuple, descriptor, 1, &never);
	if (never)
		return PG_INT32_MIN;
	threshold = SPI_getbinval(tuple, descriptor, 2, &never);
	return DatumGetFloat8(threshold) == aevon_compact_threshold ? DatumGetInt32(day) :
		PG_INT32_MIN;
}

/* Compact the days [from, until) and those before that were opened again. */
static int64
compact_days(AevonChainRun *run, int32 from, int32 until, TimestampTz now)
{
	Datum		values[5] = {
		Int32GetDatum(from), Int32GetDatum(until), Float8GetDatum(aevon_compact_threshold),
		TimestampTzGetDatum(now), Int64GetDatum(aevon_chain_run_number(run))
	};

	aevon_guard_allow_compaction(true);
	PG_TRY();
	{
		aevon_catalog_run(AEVON_QUERY_COMPACT_SNAPSHOTS, values, NULL, false);
	}
	PG_FINALLY();
	{
		aevon_guard_allow_compaction(false);
	}
	PG_END_TRY();
	return SPI_processed > 0 ? aevon_chain_put_compactions(run) : 0;
}
