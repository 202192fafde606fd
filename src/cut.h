/*
 * cut.h
 *		The cut protocol: which transactions' events are inside the buckets.
 *
 * A cut is (xmax, xip): an event is inside when its stamp is below xmax and
 * not in xip.  docs/design.md has the protocol and its proof.  Layer 2.
 */
#ifndef AEVON_CUT_H
#define AEVON_CUT_H

#include "postgres.h"
#include "utils/snapshot.h"

typedef struct AevonCut
{
	int64		xmax;
	int			nxip;
	int64	   *xip;			/* ascending; palloc'd with the cut */
} AevonCut;

static inline bool
aevon_cut_contains(const AevonCut *cut, int64 stamp)
{
	int			low = 0;
	int			high = cut->nxip;

	if (stamp >= cut->xmax)
		return false;
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (cut->xip[middle] == stamp)
			return false;
		if (cut->xip[middle] < stamp)
			low = middle + 1;
		else
			high = middle;
	}
	return true;
}

/* The stamp of the current top-level transaction, which gets an id. */
extern int64 aevon_cut_stamp(int64 base);

/*
 * The cut of everything that was over at a snapshot: (xmax, xip and the own id
 * if below xmax).  Never in recovery (a standby's snapshot has no xip).
 */
extern AevonCut *aevon_cut_of_snapshot(Snapshot snapshot, int64 base);

/*
 * The same cut, ended at `xmax`, which must not lie above the cut's own:
 * xip is what was still running below it.
 */
extern AevonCut *aevon_cut_end_at(const AevonCut *cut, int64 xmax);

/* The stamp below which every transaction was over at a snapshot. */
extern int64 aevon_cut_oldest_running(Snapshot snapshot, int64 base);

/* The stamp from which on it sees no transaction but its own. */
extern int64 aevon_cut_next_stamp(Snapshot snapshot, int64 base);

extern bool aevon_cut_equal(const AevonCut *a, const AevonCut *b);
extern AevonCut *aevon_cut_empty(void);

/* From and to the columns (xmax bigint, xip bigint[]). */
extern AevonCut *aevon_cut_from_datums(Datum xmax, Datum xip);
extern Datum aevon_cut_xip_datum(const AevonCut *cut);

/* "xmax:xip,xip,..." for people; palloc'd. */
extern char *aevon_cut_text(const AevonCut *cut);

/*
 * The cuts of all measures as a snapshot sees them.
 */
typedef struct AevonCheckpoint
{
	int32		measure_key;
	bool		caught_up;
	TimestampTz swept_at;		/* 0: never */
	int64		event_count;	/* events folded so far */
	AevonCut   *cut;
} AevonCheckpoint;

/* All checkpoints visible in the snapshot, by measure key; palloc'd. */
extern AevonCheckpoint *aevon_cut_read_checkpoints(Snapshot snapshot, int *count);

/*
 * Those of some measures, in their order; palloc'd.  measure_key 0: there is
 * none.
 */
extern AevonCheckpoint *aevon_cut_find_checkpoints(Snapshot snapshot, const int32 *measure_keys,
												   int count);

/*
 * Lock the checkpoints of all measures that a live rule needs for the rest of the transaction, which
 * then cannot be prepared, and return them as they are now, by measure key.
 * Waits for another transaction that holds them (lock_timeout applies); under
 * REPEATABLE READ raises 40001 if one has changed them.  SPI is connected; the
 * result is in its memory.
 */
extern AevonCheckpoint *aevon_cut_lock_checkpoints(int *count);

/* The same of every checkpoint: measures that stopped too. */
extern AevonCheckpoint *aevon_cut_lock_all_checkpoints(int *count);

#endif							/* AEVON_CUT_H */
