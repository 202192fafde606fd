/*
 * tier.h
 *		The lengths of windows for which a series' states are kept.
 *
 * Layer 2.
 */
#ifndef AEVON_TIER_H
#define AEVON_TIER_H

#include "postgres.h"

#include "bucket.h"
#include "rule.h"

typedef enum AevonTier
{
	AEVON_TIER_1M,
	AEVON_TIER_1H,				/* only of measures with sketches */
	AEVON_TIER_1D,
	AEVON_TIER_COUNT
} AevonTier;

/* Minutes in a window of a tier. */
static inline int64
aevon_tier_minutes(AevonTier tier)
{
	static const int64 minutes[AEVON_TIER_COUNT] = {1, 60, 1440};

	return minutes[tier];
}

/*
 * Is the tier kept for such series of the measure?  Sketches are large, so that
 * a range that begins and ends anywhere should not open every minute of two
 * days.  But a principal's combinations are many, with a few events each: hours
 * would cost sweeps as much as minutes, and spare reads little.
 */
static inline bool
aevon_tier_kept(AevonTier tier, const AevonMeasure *measure, int32 subject_key,
				bool combination)
{
	return tier != AEVON_TIER_1H ||
		((measure->features & AEVON_KEEP_SKETCHES) != 0 && (subject_key < 0 || !combination));
}

#define AEVON_WINDOW_MIN PG_INT64_MIN
#define AEVON_WINDOW_MAX PG_INT64_MAX

#endif							/* AEVON_TIER_H */
