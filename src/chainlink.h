/*
 * chainlink.h
 *		A link of the tamper-evident chain: its row, and what it is made of.
 *
 * A link takes in what entered the log's cut with a sweep (events and voids),
 * a run's snapshots, or what a compaction took out:
 *
 *	SHA-256(previous link || item ... || events || voids || snapshots ||
 *			compacted days || made_at || cut)
 *
 * with an item of 41 bytes (kind, number, hash) for each: of an event its
 * stamp and the hash stored with it, of the others stamp or series_key and the
 * hash of the row.  Items are ordered by stamp, events before voids,
 * principal_key, event_id bytewise; then snapshots by (series_key, day,
 * revision); then compactions by (series_key, day).  Numbers are 8 bytes,
 * big-endian; the cut is xmax, the number of xip, xip; the link before the
 * first is 32 zero bytes.  So nobody can change, add or take away any of it,
 * or a link, without breaking a link or changing the head.  Layer 2.
 */
#ifndef AEVON_CHAINLINK_H
#define AEVON_CHAINLINK_H

#include "postgres.h"
#include "access/htup.h"
#include "access/tupdesc.h"
#include "datatype/timestamp.h"
#include "utils/jsonb.h"
#include "utils/snapshot.h"

#include "chainhash.h"
#include "cut.h"
#include "logrow.h"

typedef struct AevonLink
{
	int64		link_number;	/* from 1 up */
	int64		event_count;
	int64		void_count;
	int64		snapshot_count;
	int64		compaction_count;	/* days */
	TimestampTz made_at;
	const AevonCut *cut;
	uint8		link[AEVON_DIGEST_LENGTH];
} AevonLink;

/* A row that names the link which takes it in. */
typedef struct AevonLinkedRow
{
	int64		link_number;
	int64		series_key;
	int32		day;
	int32		revision;		/* 0: a compaction */
	const bytea *hash;
} AevonLinkedRow;

typedef struct AevonEntering
{
	Snapshot	snapshot;		/* sees all of the target */
	const AevonCut *before;
	const AevonCut *target;
	int64		max_events;		/* 0: no bound */
} AevonEntering;

/*
 * The events and voids inside the target but not inside the cut before, which are
 * put and counted.  All arguments of the beginning must live as long.
 */
typedef struct AevonLinkEntry AevonLinkEntry;

extern AevonLinkEntry *aevon_link_begin_entry(AevonLink *link, AevonChainHash *hash,
											  const AevonEntering *entering);
extern void aevon_link_end_entry(AevonLinkEntry *entry);

/*
 * Put them all; with max_events > 0 end at the first transaction boundary past so
 * many.  The xmax of the cut up to which all were put.
 */
extern int64 aevon_link_put_entered(AevonLinkEntry *entry);

/*
 * Or, for one who reads these events anyway: enter each range [from, until) of
 * stamps, ascending; put the events that the snapshot sees of it, in order of
 * stamp (those outside of the target are left out here); leave it where reading
 * ended.  The voids of the range are put on the way.
 */
extern void aevon_link_enter_stamps(AevonLinkEntry *entry, int64 from, int64 until);
extern void aevon_link_put_event(AevonLinkEntry *entry, const AevonLogRow *row);
extern void aevon_link_leave_stamps(AevonLinkEntry *entry, int64 until);

/* Put a snapshot or a compaction, and count it. */
extern void aevon_link_put_row(AevonLink *link, AevonChainHash *hash, const AevonLinkedRow *row);

/* Make the link of what was put, its counts, time and cut; frees the hash. */
extern void aevon_link_finish(AevonLink *link, AevonChainHash *hash);

/* From a row of aevon.chain, the cut palloc'd; and to it: SPI is connected. */
extern void aevon_link_read(HeapTuple tuple, TupleDesc descriptor, AevonLink *link);
extern void aevon_link_add(const AevonLink *link);

/* What a link says, less when it was made. */
extern Jsonb *aevon_link_document(const AevonLink *link);

#endif							/* AEVON_CHAINLINK_H */
