/*
 * tasks.c
 *		What the worker does of several modules together, by call; the clock.
 *
 * Layer 4.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "access.h"
#include "compact.h"
#include "guc.h"
#include "snapshot.h"
#include "sweep.h"

PG_FUNCTION_INFO_V1(aevon_snapshot_sql);
PG_FUNCTION_INFO_V1(aevon_clock_sql);

/*
 * Sweep first, so that everything committed by now is in the snapshots; thin
 * out old days last.
 */
Datum
aevon_snapshot_sql(PG_FUNCTION_ARGS)
{
	AevonSweepResult swept;
	AevonSnapshotResult taken;

	PreventCommandIfReadOnly("aevon_snapshot()");
	PreventCommandDuringRecovery("aevon_snapshot()");
	aevon_access_require(NULL, AEVON_PRIVILEGE_OPERATE);
	aevon_sweep_run(0, false, &swept);
	aevon_snapshot_run(0, &taken);
	(void) aevon_compact_run();
	PG_RETURN_INT64(taken.snapshot_count);
}

/* For the views. */
Datum
aevon_clock_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(aevon_clock_now());
}
