/*
 * logcheck.h
 *		The rows of the log against the hashes stored with them; and is each
 *		event found by its identity, once?
 *
 * An event that its index does not lead to could be ingested again, and count
 * twice; one that is there twice does.
 *
 * Layer 2.
 */
#ifndef AEVON_LOGCHECK_H
#define AEVON_LOGCHECK_H

#include "postgres.h"
#include "utils/jsonb.h"
#include "utils/snapshot.h"

#include "names.h"

/*
 * "event": a row that does not match its hash.  "key": one whose identity leads
 * to no event, or to several.
 */
typedef struct AevonLogDifference
{
	const char *what;
	int32		tenant_key;
	int32		principal_key;
	TimestampTz occurred_at;
	Jsonb	   *stored;
	Jsonb	   *recomputed;		/* NULL: a key of the row has no name */
} AevonLogDifference;

typedef void (*AevonLogVisitor) (void *context, const AevonLogDifference *difference);

typedef struct AevonLogCheck
{
	Snapshot	snapshot;		/* the active one */
	int32		tenant_key;		/* 0: of all tenants */
	AevonNames *names;
	AevonLogVisitor visitor;
	void	   *context;
} AevonLogCheck;

/* SPI is connected.  A NOTICE tells of each million rows. */
extern void aevon_logcheck_run(const AevonLogCheck *check);

#endif							/* AEVON_LOGCHECK_H */
