/*
 * readtail.h
 *		The tail of a read: the events outside the cuts of its measures.
 *
 * Layer 2.
 */
#ifndef AEVON_READTAIL_H
#define AEVON_READTAIL_H

#include "postgres.h"

#include "reading.h"

/* The tails of all measures, one for those of the same cut; palloc'd. */
extern AevonReadingTail *aevon_readtail_group(AevonReading *reader, int *count);

/* Fold the span's events outside the cut into the sums of its measures. */
extern void aevon_readtail_take(AevonReading *reader, AevonReadingTail *tail);

#endif							/* AEVON_READTAIL_H */
