/*
 * chain.h
 *		The tamper-evident chain over the log.
 *
 * The log has a cut of its own (measure_key 0 in aevon.sweep_checkpoints),
 * which sweeps move.  Each move that takes in events or voids makes a link:
 *
 *	SHA-256(previous link || item ... || events || voids || cut)
 *
 * with an item of 41 or so bytes (kind, stamp, stored content hash or hash of
 * the void) for each that entered the cut, ordered by (stamp, events before
 * voids, principal_key, event_id bytewise).  Numbers are 8 bytes, big-endian;
 * the cut is xmax, the number of xip, xip; the link before the first is 32
 * zero bytes.  So nobody can change, add or take away a row inside the cut, or
 * a link, without breaking a link or changing the head.  Layer 2.
 */
#ifndef AEVON_CHAIN_H
#define AEVON_CHAIN_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "utils/snapshot.h"

#include "cut.h"
#include "digest.h"

typedef struct AevonLink
{
	int64		link_number;	/* from 1 up */
	int64		event_count;
	int64		void_count;
	TimestampTz made_at;
	const AevonCut *cut;
	uint8		link[AEVON_DIGEST_LENGTH];
} AevonLink;

/*
 * For a sweep that holds the measures' checkpoints, before it takes its
 * snapshot: lock the log's cut to the end of the transaction, and return it;
 * NULL if aevon.chain is off.  SPI is connected.  Errors as for
 * aevon_cut_lock_checkpoints.
 */
extern const AevonCut *aevon_chain_lock(void);

/*
 * Add a link for what lies between the locked cut and `target`, the cut of
 * `snapshot`, if there is anything; with max_events > 0 end at the first
 * transaction boundary past so many.  True if that left something behind.
 * SPI is connected.  Memory is bounded: more is sorted on disk.
 */
extern bool aevon_chain_extend(Snapshot snapshot, const AevonCut *before,
							   const AevonCut *target, int64 max_events);

/*
 * The log's cut as the active snapshot sees it: what links cover.  SPI is
 * connected.
 */
extern const AevonCut *aevon_chain_covered(void);

/*
 * Walk the chain as the active snapshot sees it: make each link again from the
 * link stored before it and from the rows, and give the visitor those that
 * come out otherwise.  A link that is missing comes without `stored`; what is
 * stored after the end of the log's cut, or a cut without its link, is a
 * break too.  SPI is connected.  The number of links read.
 */
typedef void (*AevonBreakVisitor) (void *context, const AevonLink *stored,
								   const AevonLink *recomputed);

extern int64 aevon_chain_walk(AevonBreakVisitor visitor, void *context);

#endif							/* AEVON_CHAIN_H */
