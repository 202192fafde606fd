/*
 * readminutes.h
 *		The whole minutes of a read, from packed minutes, hours and days.
 *
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
 * after as_of.
 */
extern void aevon_readminutes_find_corrected(AevonReading *reader, AevonReadingTail *tail);

/* What the buckets hold of the measure `which`, less what was found to be corrected. */
extern void aevon_readminutes_take(AevonReading *reader, const AevonReadingTail *tail, int which);

/*
 * What of these minutes is inside the cut, from the log instead of buckets; for
 * the members of the tail's measures.
 */
extern void aevon_readminutes_take_raw(AevonReading *reader, const AevonReadingTail *tail,
									   const AevonOpenedMinutes *opened,
									   const int *members, int count);

#endif							/* AEVON_READMINUTES_H */
