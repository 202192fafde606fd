/*
 * event.h
 *		What makes an event acceptable, and events written as JSON.
 *
 * These functions report what is wrong as an AevonProblem and raise nothing
 * that depends on the event, so that one bad event does not end a batch.
 * Layer 2.
 */
#ifndef AEVON_EVENT_H
#define AEVON_EVENT_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "utils/jsonb.h"

#include "errors.h"

typedef enum AevonOutcome
{
	AEVON_ACCEPTED,
	AEVON_DUPLICATE,
	AEVON_CONFLICT_CONTENT,		/* same id, other type or data */
	AEVON_CONFLICT_TIME			/* same id and content, other occurred_at */
} AevonOutcome;

/* A validated event. */
typedef struct AevonEvent
{
	const char *tenant;
	const char *principal;
	const char *event_id;
	const char *event_type;
	bool		occurred_given; /* else occurred_at is now() */
	TimestampTz occurred_at;
	bool		ingested_given; /* by an import, else the time of the call */
	TimestampTz ingested_at;
	Jsonb	   *data;
	Jsonb	   *metadata;		/* may be NULL */
} AevonEvent;

/* Can events have this tenant?  Its name is a key other than '*'. */
extern bool aevon_event_check_tenant(const char *tenant, AevonProblem *problem);

/* The same, but raises. */
extern void aevon_event_require_tenant(const char *tenant);

/*
 * Is the event acceptable?  Members that were not given are NULL.  Checks all
 * but the tenant: keys, occurred_at (year 0001 to 9999, at most
 * aevon.max_future ahead of the clock), a given ingested_at (not after the
 * clock), data (an object), nesting and size of data and metadata.
 */
extern bool aevon_event_check(const AevonEvent *event, AevonProblem *problem);

/*
 * Read an event from one element of a batch: an object with aevon_ingest's
 * argument names, or a CloudEvent 1.0 (it has the member specversion).
 *
 * A CloudEvent's event_id is its source, a space, and its id: a source is a
 * URI reference and so has no space.  type is the event_type, time the
 * occurred_at, subject the principal; its other attributes become metadata.
 *
 * `event` comes with tenant, ingested_at, and occurred_at for the case that
 * there is none.  Strings are palloc'd.
 */
extern bool aevon_event_from_json(JsonbValue *element, AevonEvent *event,
								  AevonProblem *problem);

/* Put the problem of an event whose key is stored with other content. */
extern void aevon_event_conflict(const AevonEvent *event, AevonOutcome outcome,
								 AevonProblem *problem);

#endif							/* AEVON_EVENT_H */
