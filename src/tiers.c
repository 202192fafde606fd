/*
 * tiers.c
 *		Writing a series: its minutes, and what the coarser tiers take in of
 *		them.
 */
#include "postgres.h"

#include "tiers.h"

static AevonWindowState *coarser(const AevonWindowState *states, int *count, int64 unit);

int
aevon_tiers_add(AevonStore *store, const AevonTiers *series, const AevonWindowState *minutes,
				int count)
{
	AevonClosing closing = {0};
	AevonSeriesTier where = {series->series_key, AEVON_TIER_1M, false, &closing};
	int			written = aevon_store_merge(store, &where, minutes, count);
	int64		unit = 1;

	aevon_tiers_touch(store, series->series_key, minutes, count);
	where.closing = NULL;
	for (int tier = AEVON_TIER_1H; tier < AEVON_TIER_COUNT && closing.count > 0; tier++)
	{
		if (!aevon_tier_kept(tier, series->measure, series->subject_key, series->combination))
			continue;
		where.tier = tier;
		closing.minutes = coarser(closing.minutes, &closing.count,
								  aevon_tier_minutes(tier) / unit);
		unit = aevon_tier_minutes(tier);
		written += aevon_store_merge(store, &where, closing.minutes, closing.count);
	}
	return written;
}

void
aevon_tiers_touch(AevonStore *store, int64 series_key, const AevonWindowState *minutes, int count)
{
	int64		touched = AEVON_WINDOW_MIN;

	for (int i = 0; i < count; i++)
	{
		int64		day = aevon_window_of(minutes[i].window, aevon_tier_minutes(AEVON_TIER_1D));

		if (day != touched)
			aevon_store_touch(store, series_key, day);
		touched = day;
	}
}

/* The states merged by windows `unit` times as long. */
static AevonWindowState *
coarser(const AevonWindowState *states, int *count, int64 unit)
{
	AevonWindowState *merged = palloc(*count * sizeof(AevonWindowState));
	int			n = 0;

	for (int i = 0; i < *count; i++)
	{
		int64		window = aevon_window_of(states[i].window, unit);

		if (n == 0 || merged[n - 1].window != window)
		{
			merged[n].window = window;
			merged[n++].partial = palloc0(sizeof(AevonPartial));
		}
		aevon_partial_merge(merged[n - 1].partial, states[i].partial);
	}
	*count = n;
	return merged;
}
