/*
 * readminutes.h
 *		The minutes of a read, from packed minutes, hours and days.
 *
 * Of partial minutes at the ends the buckets tell whether they hold anything.
 * Minutes whose bucket is not what is asked for are read raw: those that hold an
 * event whose void is still outside the cut, and for a past state (as_of) those
 * that hold events ingested before and after it, or an event voided since.
 * Layer 2.
 */
#ifndef AEVON_READMINUTES_H
#define AEVON_READMINUTES_H

#include "postgres.h"

#include "reading.h"

/*
 * Find the minutes whose buckets hold an event that does not count, because
 * its void is outside the cut, or lack one that does, because it was voided
 * after as_of.  Of partial minutes it is noted that there is something.
 */
extern void aevon_readminutes_find_corrected(AevonReading *reader, AevonReadingTail *tail);

/*
 * What the buckets hold of the measure `which`, less what was found to be corrected,
 * and less partial minutes, of which is only noted that there is something.
 */
extern void aevon_readminutes_take(AevonReading *reader, AevonReadingTail *tail, int which);

/*
 * What of these minutes is inside the cut, from the log instead of buckets; for
 * the members of the tail's measures.
 */
extern void aevon_readminutes_take_raw(AevonReading *reader, const AevonReadingTail *tail,
									   const AevonOpenedMinutes *opened,
									   const int *members, int count);

/*
 * The same of the partial minutes at the ends, for all members, if the buckets of
 * one were found to hold something there: else there is nothing inside the cut.
 */
extern void aevon_readminutes_take_edges(AevonReading *reader, const AevonReadingTail *tail);

#endif							/* AEVON_READMINUTES_H */
