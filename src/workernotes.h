/*
 * workernotes.h
 *		What a transaction has to tell the launcher and the workers when it
 *		commits, and what it keeps from them until it ends.
 *
 * Nothing happens without shared memory.  Layer 1.
 */
#ifndef AEVON_WORKERNOTES_H
#define AEVON_WORKERNOTES_H

#include "postgres.h"

/*
 * Note that this transaction ingested n events.  When it commits (or is
 * prepared) they are added to the database's tail figure, and the worker is
 * woken if that passed aevon.tail_target_events.  Subtransactions' rollbacks
 * may leave the figure too high: it is a hint.
 */
extern void aevon_workernotes_ingested(int64 n);

/* This transaction's sweep moved the cut: at commit n events leave the tail. */
extern void aevon_workernotes_swept(int64 n);

/*
 * Something changed that this database's worker should see when the
 * transaction commits: the extension, a rule, the installation row.
 */
extern void aevon_workernotes_change(void);

/* The list of databases changes when the transaction commits. */
extern void aevon_workernotes_databases(void);

/*
 * Keep the worker of a database away until the transaction ends, and wait
 * until it is gone, or for ten seconds at most.  It is asked first, by
 * AEVON_WISH_LEAVE and by cancelling what it does; after a second it is
 * terminated.  A later call replaces an earlier one.  Interruptible; after an
 * error the caller calls aevon_shmem_release.
 */
extern void aevon_workernotes_hold(Oid database);

#endif							/* AEVON_WORKERNOTES_H */
