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
	AEVON_TIER_1H,				/* of some series (store.h) */
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

#define AEVON_WINDOW_MIN PG_INT64_MIN
#define AEVON_WINDOW_MAX PG_INT64_MAX

#endif							/* AEVON_TIER_H */
