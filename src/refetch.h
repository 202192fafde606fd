/*
 * refetch.h
 *		A row fetched again from where it was found before.
 *
 * For rows of which a snapshot sees one version at most, and that every read
 * looks up: where the row is is remembered, the row itself is read each time.
 * What is found there may be another row by now: the caller compares its key,
 * and searches if it is not the one.  Layer 1.
 */
#ifndef AEVON_REFETCH_H
#define AEVON_REFETCH_H

#include "postgres.h"
#include "access/htup.h"
#include "storage/buf.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

/*
 * Where a row is to be looked for again.  The buffer that held its page last is
 * tried first, which spares a look for the page and at the table's length: its
 * tag says whether it still is that page of that file.
 */
typedef struct AevonPlaceOfRow
{
	ItemPointerData tid;
	Buffer		buffer;
} AevonPlaceOfRow;

extern AevonPlaceOfRow aevon_refetch_place(Relation heap, ItemPointer found);

/*
 * The row at a place as a snapshot sees it, or false.  *tuple is good until its
 * *buffer is released by ReleaseBuffer.
 */
extern bool aevon_refetch_row(Relation heap, AevonPlaceOfRow *place, Snapshot snapshot,
							  HeapTuple tuple, Buffer *buffer);

#endif							/* AEVON_REFETCH_H */
