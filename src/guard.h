/*
 * guard.h
 *		The restore guard: do this cluster's transaction ids fit the stamps in
 *		the tables?
 *
 * One row of aevon.installation says for which cluster (system identifier),
 * which installation (OID of the log table; a restore makes a new one) and
 * with which base stamps are made: stamp = base + full transaction id.  The
 * row is written by the first define_rule or ingest, and by aevon_adopt().
 * Layer 2.
 */
#ifndef AEVON_GUARD_H
#define AEVON_GUARD_H

#include "postgres.h"

/*
 * For writers: the base, after the check; writes the row if there is none and
 * the log is empty.  Raises 55000, with a hint at aevon_adopt(), when the
 * tables come from elsewhere.  Cheap after the first call in a backend.
 */
extern int64 aevon_guard_base(void);

/*
 * For readers and sweeps: the same check, but never writes.  False if there is no row
 * and no event: nothing was ever ingested or defined.
 */
extern bool aevon_guard_check(int64 *base);

/*
 * For those who look only: what keeps readers and writers out, in a sentence,
 * or NULL.  Raises nothing.
 */
extern const char *aevon_guard_fault(void);

/* Raises the guard's 55000 if a cut lies above what this cluster can have stamped. */
extern void aevon_guard_check_cut(int64 cut_xmax);

/*
 * Let this backend delete snapshots until it is called with false, or the
 * transaction ends: the one way past the trigger that refuses changes, for the
 * compaction of old days.
 */
extern void aevon_guard_allow_compaction(bool allow);

#endif							/* AEVON_GUARD_H */
