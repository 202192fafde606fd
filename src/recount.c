/*
 * recount.c
 *		What a series must hold at a cut, from the log alone.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "fold.h"
#include "recount.h"

static bool counts_at_cut(const AevonRecount *recount, const AevonLogRow *row);
static bool is_known(const AevonRecount *recount, int64 stamp, TimestampTz at);

void
aevon_recount_minutes(const AevonRecount *recount, const AevonMeasure *measure,
					  AevonPacked *minutes)
{
	MemoryContext event = AllocSetContextCreate(CurrentMemoryContext, "aevon recounted event",
												ALLOCSET_DEFAULT_SIZES);
	AevonLogScan *scan;
	AevonLogRow row;

	memset(minutes, 0, sizeof(*minutes));
	if (recount->subject_key > 0)
		scan = aevon_log_scan_principal(recount->snapshot, recount->subject_key,
										recount->since, recount->until);
	else
		scan = aevon_log_scan_tenant(recount->snapshot, recount->tenant_key,
									 recount->since, recount->until);
	while (aevon_log_scan_next(scan, &row))
	{
		AevonContribution contribution;
		MemoryContext outer;

		if (!counts_at_cut(recount, &row))
			continue;
		outer = MemoryContextSwitchTo(event);
		if (aevon_fold_evaluate(measure, &row, &contribution))
		{
			AevonPartial one = {0};

			aevon_fold_apply(measure, &contribution, &one);
			MemoryContextSwitchTo(outer);
			aevon_packed_add(minutes, aevon_window_of(row.occurred_at, AEVON_MINUTE), &one);
		}
		MemoryContextSwitchTo(outer);
		MemoryContextReset(event);
	}
	aevon_log_scan_end(scan);
	MemoryContextDelete(event);
}

static bool
counts_at_cut(const AevonRecount *recount, const AevonLogRow *row)
{
	AevonVoid	found;

	if (!is_known(recount, row->stamp, row->ingested_at))
		return false;
	return !aevon_voids_find(recount->voids, row, &found) ||
		!is_known(recount, found.stamp, found.voided_at);
}

static bool
is_known(const AevonRecount *recount, int64 stamp, TimestampTz at)
{
	return aevon_cut_contains(recount->cut, stamp) &&
		(recount->known_before == NULL || at < *recount->known_before);
}
