/*
 * outcome.h
 *		Counting what becomes of events on their way in: see stats.h.
 *
 * Layer 2.
 */
#ifndef AEVON_OUTCOME_H
#define AEVON_OUTCOME_H

#include "postgres.h"

#include "append.h"

/*
 * An event was appended, or not: accepted ones (and late ones among them) and
 * duplicates count when the transaction commits, conflicts at once.
 */
extern void aevon_outcome_note(const AevonEvent *event, AevonOutcome outcome);

/* An event was stored as a rejection; counts at commit. */
extern void aevon_outcome_note_rejection(const AevonEvent *event);

/* An error about the event is about to be raised; counts at once. */
extern void aevon_outcome_count_refusal(const AevonEvent *event);

#endif							/* AEVON_OUTCOME_H */
