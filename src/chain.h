/*
 * chain.h
 *		The tamper-evident chain over the log and over what was reported of it.
 *
 * The log has a cut of its own (measure_key 0 in aevon.sweep_checkpoints),
 * which sweeps move.  Each move that takes in events or voids makes a link;
 * so does each run of snapshots, and each compaction of them, at the same cut.
 * chainlink.h says what a link is made of.  Layer 2.
 */
#ifndef AEVON_CHAIN_H
#define AEVON_CHAIN_H

#include "postgres.h"
#include "utils/snapshot.h"

#include "chainlink.h"

/*
 * For a sweep that holds the measures' checkpoints, before it takes its
 * snapshot: lock the log's cut to the end of the transaction, and return it;
 * NULL if aevon.chain is off.  SPI is connected.  Errors as for
 * aevon_cut_lock_checkpoints.
 */
extern const AevonCut *aevon_chain_lock(void);

/*
 * Add a link for what lies between the locked cut and `target`, the cut of
 * `snapshot`, if there is anything; with max_events > 0 end at the first
 * transaction boundary past so many.  True if that left something behind.
 * SPI is connected.  Memory is bounded: more is sorted on disk.
 */
extern bool aevon_chain_extend(Snapshot snapshot, const AevonCut *before,
							   const AevonCut *target, int64 max_events);

/*
 * The same for a sweep that reads these events anyway: begin; enter, put and
 * leave as chainlink.h says of a range of stamps; end where all was put, with
 * target->xmax or a transaction boundary before it.
 */
typedef struct AevonChainPass AevonChainPass;

extern AevonChainPass *aevon_chain_begin_pass(Snapshot snapshot, const AevonCut *before,
											  const AevonCut *target);
extern AevonLinkEntry *aevon_chain_pass_entry(AevonChainPass *pass);
extern void aevon_chain_end_pass(AevonChainPass *pass, int64 end);

/*
 * The log's cut as the active snapshot sees it: what links cover.  SPI is
 * connected.
 */
extern const AevonCut *aevon_chain_covered(void);

/*
 * A link for rows that name it: a run's snapshots, or a compaction.  Begin
 * locks the log's cut to the end of the transaction, whether or not
 * aevon.chain is on, after any checkpoints that the caller locks.  Rows are put
 * in order of series_key, and end adds the link if there were any.  SPI is
 * connected; all in the memory context that is current at the beginning.
 */
typedef struct AevonChainRun AevonChainRun;

extern AevonChainRun *aevon_chain_begin_run(void);
extern int64 aevon_chain_run_number(const AevonChainRun *run);
extern void aevon_chain_put_snapshot(AevonChainRun *run, const AevonLinkedRow *row);

/* Put the rows of aevon.compactions that name the link; the number of them. */
extern int64 aevon_chain_put_compactions(AevonChainRun *run);
extern void aevon_chain_end_run(AevonChainRun *run);

/*
 * Walk the chain as the active snapshot sees it: make each link again from the
 * link stored before it and from the rows, and give the visitor those that
 * come out otherwise.  A link that is missing comes without `stored`; what is
 * stored after the end of the log's cut, a cut without its link, or a row that
 * names a link which is not there is a break too.  SPI is connected.  The
 * number of links read.
 */
typedef void (*AevonBreakVisitor) (void *context, const AevonLink *stored,
								   const AevonLink *recomputed);

extern int64 aevon_chain_walk(AevonBreakVisitor visitor, void *context);

#endif							/* AEVON_CHAIN_H */
