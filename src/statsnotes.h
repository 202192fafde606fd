/*
 * statsnotes.h
 *		What a transaction counts when it commits, for stats.c.
 *
 * Notes belong to the subtransaction that made them: to its parent when it
 * commits, to nobody when it rolls back.  Layer 1.
 */
#ifndef AEVON_STATSNOTES_H
#define AEVON_STATSNOTES_H

#include "postgres.h"

#define AEVON_NOTE_SUMS 7

/* What is noted of one target. */
typedef struct AevonNote
{
	int64		sums[AEVON_NOTE_SUMS];
	int64		maximum;
} AevonNote;

/* Adds a note to its target in shared memory, at commit: raises no error. */
typedef void (*AevonNoteAdder) (void *target, const AevonNote *note);

/*
 * The current subtransaction's note of a target, to be added to at once: the
 * next call may move it.  A target has one adder.
 */
extern AevonNote *aevon_statsnotes_of(void *target, AevonNoteAdder adder);

#endif							/* AEVON_STATSNOTES_H */
