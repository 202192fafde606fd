/*
 * reader.h
 *		Reading: a range of time is raw events of its partial minutes, packed
 *		minutes, hours and days, and the tail, merged by the one fold.
 *
 * Layer 2.
 */
#ifndef AEVON_READER_H
#define AEVON_READER_H

#include "postgres.h"
#include "nodes/pg_list.h"

#include "cut.h"
#include "question.h"
#include "rule.h"
#include "sums.h"

/* What was found for one measure. */
typedef struct AevonTally
{
	const AevonMeasure *measure;
	bool		complete;		/* nothing was folded together as "other" */
	int			group_count;	/* 1 for an answer that is not grouped; else */
	AevonGroupTally *groups;	/* those that hold events, in order */
} AevonTally;

typedef struct AevonAnswer
{
	int			count;
	AevonTally *tallies;		/* one per measure */
	int64		tail_events;	/* of these, read from behind the cut */
	const AevonCut *cut;		/* the oldest of the cuts; NULL: no measure */
} AevonAnswer;

/*
 * Read the states of measures (list of const AevonMeasure *, each once, with the
 * dimensions that are asked for).
 * Allocated in the current memory context.  Raises 54000 past
 * aevon.max_windows.
 */
extern AevonAnswer *aevon_reader_read(const AevonQuestion *question, List *measures);

/* The tally of a measure in an answer. */
extern const AevonTally *aevon_reader_tally(const AevonAnswer *answer,
											const AevonMeasure *measure);

/* Raises 22023 if since lies after until. */
extern void aevon_reader_check_range(TimestampTz since, TimestampTz until);

#endif							/* AEVON_READER_H */
