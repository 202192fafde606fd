/*
 * reading.h
 *		A read while it goes on, and its events.
 *
 * What the parts of reader.c share: the minutes that readminutes.c takes from
 * buckets, the tail that readtail.c takes from the log, and the events that each
 * of them, and the edges, fold into the same sums.
 * Layer 2.
 */
#ifndef AEVON_READING_H
#define AEVON_READING_H

#include "postgres.h"

#include "cut.h"
#include "log.h"
#include "question.h"
#include "rule.h"
#include "slice.h"
#include "store.h"
#include "sums.h"
#include "voids.h"
#include "windowset.h"

/* A measure's states while they are put together. */
typedef struct AevonReadingSum
{
	const AevonMeasure *measure;
	AevonSlice *slice;			/* NULL: totals only */
	AevonSums  *states;
} AevonReadingSum;

typedef struct AevonReading
{
	const AevonQuestion *question;
	AevonStore *store;
	AevonVoids *voids;			/* NULL: the tenant has none */
	MemoryContext result;		/* of the answer */
	MemoryContext event;		/* of one event */
	int64		low;			/* whole minutes of the range: [low, high) */
	int64		high;
	AevonSpan	span;			/* what buckets and tail are read for */
	int64		from;			/* the minutes that it meets: [from, until) */
	int64		until;
	int			count;
	AevonReadingSum *sums;
	AevonCheckpoint **checkpoints;	/* per measure; NULL: it has no buckets */
	AevonCut   *empty;
	int64		budget;			/* events that edges may hold; mostly no bound */
	AevonLogScan *by_time;		/* for one range of minutes after the other;
								 * NULL: not begun */
} AevonReading;

/* Measures with the same cut share a pass over their tail. */
typedef struct AevonReadingTail
{
	const AevonCut *cut;
	bool		caught_up;
	int			count;
	int		   *members;		/* indexes into sums */
	AevonReadingSum *sums;
	int64		events;
	bool		first_open;		/* the buckets hold something of the partial
								 * minute in which the span begins, or ends */
	bool		last_open;
	AevonWindowSet corrected[AEVON_TIER_COUNT]; /* what the buckets have wrong */
} AevonReadingTail;

/* Minutes of a measure that are to be read raw, each for some of its series. */
typedef struct AevonOpenedMinutes
{
	AevonWindowSet minutes;		/* of any series */
	int			room;
	AevonWindowSet **by_series; /* by number of the series' values, 0 without;
								 * NULL: all minutes are for all series */
} AevonOpenedMinutes;

/* Sums of nothing, for the question's windows. */
extern AevonSums *aevon_reading_create_states(AevonReading *reader);

/* When a minute begins; an infinity for AEVON_WINDOW_MIN and _MAX. */
extern TimestampTz aevon_reading_minute_start(int64 minute);

/*
 * The subject's events in [since, until), by time, and beside them its voids:
 * a scan of its own; and the one of the reading, for this range.
 */
extern AevonLogScan *aevon_reading_scan(AevonReading *reader, TimestampTz since,
										TimestampTz until);
extern AevonLogScan *aevon_reading_scan_range(AevonReading *reader, TimestampTz since,
											  TimestampTz until);

/*
 * Was the event ingested, and not voided, by as_of?  by_time: it comes from
 * a scan by time.
 */
extern bool aevon_reading_counts(AevonReading *reader, const AevonLogRow *row, bool by_time);

/*
 * Fold an event of the subject into a sum, if the measure counts it; `opened`
 * (NULL: no bound): only if its minute is open for its series.  Uses the memory
 * of one event, which the caller resets.
 */
extern void aevon_reading_fold(AevonReading *reader, const AevonReadingSum *sum,
							   AevonLogRow *row, const AevonOpenedMinutes *opened);

/* The group of a place (and principal, in answers by principal). */
extern AevonGroup *aevon_reading_group(const AevonReadingSum *sum, const AevonPlace *place,
									   int32 principal_key);

#endif							/* AEVON_READING_H */
