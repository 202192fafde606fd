/*
 * shmem.h
 *		Shared memory: one slot per database with a worker.
 *
 * Present only when preloaded; every function here does nothing, or returns
 * its default, without it.  Layer 1.
 */
#ifndef AEVON_SHMEM_H
#define AEVON_SHMEM_H

#include "postgres.h"
#include "datatype/timestamp.h"

/* Requests shared memory and installs the hooks; from _PG_init when preloading. */
extern void aevon_shmem_request(void);
extern bool aevon_shmem_available(void);

/*
 * Note that this transaction ingested n events.  When it commits they are
 * added to the database's tail figure, and the worker is woken if that passed
 * aevon.tail_target_events.  Subtransactions' rollbacks may leave the figure
 * too high: it is a hint.
 */
extern void aevon_shmem_note_ingested(int64 n);

/* A sweep moved the cut: n events left the tail (never below zero). */
extern void aevon_shmem_note_swept(int64 n);

#endif							/* AEVON_SHMEM_H */
