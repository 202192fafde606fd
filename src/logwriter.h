/*
 * logwriter.h
 *		Writing rows of the log, and their index entries.
 *
 * The caller sees to it that every row that is put is flushed, and then either
 * entered into all indexes or taken back, before its transaction goes on: so
 * that many rows can be entered into each index in its own order.  Layer 2.
 */
#ifndef AEVON_LOGWRITER_H
#define AEVON_LOGWRITER_H

#include "postgres.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "event.h"
#include "identity.h"
#include "log.h"

/* An event as it is written. */
typedef struct AevonLogRecord
{
	const AevonEvent *event;
	AevonIdentity identity;
	int32		tenant_key;
	int32		type_key;
	ItemPointerData tid;		/* once flushed */
} AevonLogRecord;

/*
 * Open the last part of the log, for rows of a stamp.  Memory is the caller's
 * context at open, and bounded.
 */
typedef struct AevonLogWriter AevonLogWriter;
extern AevonLogWriter *aevon_logwriter_open(int64 stamp);
extern void aevon_logwriter_close(AevonLogWriter *writer);

extern Relation aevon_logwriter_heap(const AevonLogWriter *writer);

/* A finder that shares what the writer has open; to be closed before it. */
extern AevonFinder *aevon_logwriter_finder(const AevonLogWriter *writer, Snapshot snapshot);

/* Put a row, to be written with others.  The record stays until it is flushed. */
extern void aevon_logwriter_put(AevonLogWriter *writer, AevonLogRecord *record);

/* Write what was put: the rows, and entries of indexes that are not ours. */
extern void aevon_logwriter_flush(AevonLogWriter *writer);

/*
 * Enter a row into an index.  False, for the index of keys only: another entry
 * of the same key was there before, of a row that is not dead for all.  The
 * B-tree looks for it under the lock of the leaf it inserts into, so of two
 * that enter one key at the same time the second is told.
 */
extern bool aevon_logwriter_index(AevonLogWriter *writer, AevonLogIndex index,
								  const AevonLogRecord *record);

/*
 * Undo the insertion of a row, as a speculative insertion that fails does: from
 * now on it is nobody's.  What it has in the table of large values goes first.
 */
extern void aevon_logwriter_take_back(AevonLogWriter *writer, const AevonLogRecord *record);

#endif							/* AEVON_LOGWRITER_H */
