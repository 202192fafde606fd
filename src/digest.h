/*
 * digest.h
 *		Content hashes of events (SHA-256, FIPS 180-4).
 *
 * The digest of a JSON document does not depend on key order, white space or
 * trailing zeros of numbers, as jsonb's equality does not.  Layer 0.
 */
#ifndef AEVON_DIGEST_H
#define AEVON_DIGEST_H

#include "postgres.h"
#include "common/sha2.h"
#include "datatype/timestamp.h"
#include "utils/jsonb.h"

#define AEVON_DIGEST_LENGTH 32	/* of a whole digest */

/* Deepest nesting of objects and arrays that an event's JSON may have. */
#define AEVON_MAX_NESTING 100

typedef struct AevonEventIdentity
{
	const char *tenant;
	const char *principal;
	const char *event_id;
	const char *event_type;
	TimestampTz occurred_at;
	TimestampTz ingested_at;
	Jsonb	   *data;
	Jsonb	   *metadata;		/* may be NULL */
} AevonEventIdentity;

/* SHA-256 over a JSON document. */
extern void aevon_digest_document(Jsonb *document, uint8 out[AEVON_DIGEST_LENGTH]);

/* SHA-256 over all that is stored of an event but stamp and part. */
extern void aevon_digest_event(const AevonEventIdentity *event, uint8 out[AEVON_DIGEST_LENGTH]);

/*
 * SHA-256 over a row's columns in order; of types bigint, integer, timestamptz,
 * text, jsonb, bytea, and arrays of bigint, integer and bytea.  `nulls` may be
 * NULL: there are none.
 */
typedef struct AevonDigestRow
{
	int			count;
	const Oid  *types;
	const Datum *values;
	const bool *nulls;
} AevonDigestRow;

extern void aevon_digest_row(const AevonDigestRow *row, uint8 out[AEVON_DIGEST_LENGTH]);

/*
 * 64 bits that are the same for values that jsonb calls equal, and differ for
 * others as far as 64 bits can.
 */
extern uint64 aevon_digest_value(const JsonbValue *value);

/* Depth of nesting; a scalar or flat object is 1. */
extern int	aevon_digest_nesting(Jsonb *document);

#endif							/* AEVON_DIGEST_H */
