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
#include "utils/snapshot.h"

#include "bucket.h"
#include "cut.h"
#include "rule.h"
#include "store.h"
#include "window.h"

typedef struct AevonQuestion
{
	Snapshot	snapshot;		/* everything is read by it */
	int32		tenant_key;
	int32		principal_key;	/* 0: the whole tenant */
	TimestampTz since;			/* inclusive; may be -infinity */
	TimestampTz until;			/* exclusive; may be infinity */
	TimestampTz as_of;			/* ingested by then; DT_NOEND: everything */
	AevonGrid  *grid;
	bool		nobody;			/* no such tenant or principal: nothing to
								 * read */
} AevonQuestion;

/* What was found for one measure. */
typedef struct AevonTally
{
	const AevonMeasure *measure;
	AevonPartial total;			/* a grid without windows */
	int			count;			/* windows that hold events, ascending; */
	AevonWindowState *windows;	/* numbered by their start, a TimestampTz */
} AevonTally;

typedef struct AevonAnswer
{
	int			count;
	AevonTally *tallies;		/* one per measure */
	int64		tail_events;	/* of these, read from behind the cut */
	const AevonCut *cut;		/* the oldest of the cuts; NULL: no measure */
} AevonAnswer;

/*
 * Read the states of measures (list of const AevonMeasure *, each once).
 * Allocated in the current memory context.  Raises 54000 past
 * aevon.max_windows.
 */
extern AevonAnswer *aevon_reader_read(const AevonQuestion *question, List *measures);

/* The tally of a measure in an answer. */
extern const AevonTally *aevon_reader_tally(const AevonAnswer *answer,
											const AevonMeasure *measure);

/* Raises 54000 for more windows than aevon.max_windows. */
extern void aevon_reader_check_windows(int64 count);

#endif							/* AEVON_READER_H */
