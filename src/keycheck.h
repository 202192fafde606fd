/*
 * keycheck.h
 *		aevon.event_keys against the log, both ways.
 *
 * A key row too few lets an event count twice, one that differs calls a retry
 * a conflict or the other way round, and one too many keeps an event out; so
 * each is a finding.  Layer 2.
 */
#ifndef AEVON_KEYCHECK_H
#define AEVON_KEYCHECK_H

#include "postgres.h"
#include "utils/jsonb.h"
#include "utils/snapshot.h"

#include "digest.h"
#include "log.h"

typedef struct AevonKeyDifference
{
	int32		tenant_key;		/* 0: the principal is unknown */
	int32		principal_key;
	TimestampTz occurred_at;
	Jsonb	   *stored;			/* NULL: there is no key */
	Jsonb	   *recomputed;		/* NULL: there is no event */
	bool		repaired;
} AevonKeyDifference;

typedef void (*AevonKeyVisitor) (void *context, const AevonKeyDifference *difference);

typedef struct AevonKeyCheck AevonKeyCheck;

/*
 * By the active snapshot; with `repair`, keys are made or mended from the log.
 * SPI is connected.
 */
extern AevonKeyCheck *aevon_keycheck_open(bool repair, AevonKeyVisitor visitor, void *context);

/*
 * Does a row of the log have its key?  `content` is the digest of its type and
 * data; `proved`: its own hash is right, so that the key can be made from it.
 */
extern void aevon_keycheck_event(AevonKeyCheck *check, const AevonLogRow *row,
								 const uint8 *content, bool proved);

/*
 * Visit the keys, of a tenant or (0) of all, that no event of the log has.
 * They are never taken away: such a key is what is left of an event deleted
 * from the log.  A part of the log that is there no more keeps its keys.
 */
extern void aevon_keycheck_rest(AevonKeyCheck *check, int32 tenant_key);

extern void aevon_keycheck_close(AevonKeyCheck *check);

#endif							/* AEVON_KEYCHECK_H */
