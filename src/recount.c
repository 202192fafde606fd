/*
 * recount.c
 *		What a series must hold at a cut, from the log alone.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "fold.h"
#include "recount.h"

static bool is_known(const AevonRecount *recount, int64 stamp, TimestampTz at);

void
aevon_recount_minutes(const AevonRecount *recount, const AevonMeasure *measure,
					  AevonPacked *minutes)
{
	MemoryContext event = AllocSetContextCreate(CurrentMemoryContext, "aevon recounted event",
												ALLOCSET_DEFAULT_SIZES);
	AevonLogScan *scan = aevon_recount_scan(recount);
	AevonLogRow row;

	memset(minutes, 0, sizeof(*minutes));
	while (aevon_log_scan_next(scan, &row))
	{
		AevonContribution contribution;
		MemoryContext outer;

		if (aevon_recount_standing(recount, &row) != AEVON_STANDS_COUNTED)
			continue;
		outer = MemoryContextSwitchTo(event);
		if (aevon_fold_evaluate(measure, &row, &contribution) &&
			(recount->filter == NULL ||
			 aevon_seriesfilter_accepts(recount->filter, &row, recount->cut->xmax)))
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

AevonLogScan *
aevon_recount_scan(const AevonRecount *recount)
{
	if (recount->beside)
	{
		AevonVoidRange range = aevon_voids_range_by_time(recount->tenant_key, recount->subject_key,
														 recount->since, recount->until);

		aevon_voids_go_beside(recount->voids, &range);
	}
	if (recount->subject_key > 0)
		return aevon_log_scan_principal(recount->snapshot, recount->subject_key,
										recount->since, recount->until);
	return aevon_log_scan_tenant(recount->snapshot, recount->tenant_key,
								 recount->since, recount->until);
}

AevonStanding
aevon_recount_standing(const AevonRecount *recount, const AevonLogRow *row)
{
	AevonVoid	found;
	bool		is_void;

	if (!is_known(recount, row->stamp, row->ingested_at))
		return AEVON_STANDS_OUTSIDE;
	if (recount->beside)
		is_void = aevon_voids_find_beside(recount->voids, row, &found);
	else
		is_void = aevon_voids_find(recount->voids, row, &found);
	if (is_void && is_known(recount, found.stamp, found.voided_at))
		return AEVON_STANDS_VOIDED;
	return AEVON_STANDS_COUNTED;
}

static bool
is_known(const AevonRecount *recount, int64 stamp, TimestampTz at)
{
	return aevon_cut_contains(recount->cut, stamp) &&
		(recount->known_before == NULL || at < *recount->known_before);
}
