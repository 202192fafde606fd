/*
 * append.h
 *		Appending events to the log and to their keys, idempotently.
 *
 * Layer 2.
 */
#ifndef AEVON_APPEND_H
#define AEVON_APPEND_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "utils/jsonb.h"

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

/*
 * Append an event unless its (tenant, principal, event_id) is there; on a
 * conflict nothing changes.  Waits
 * only for a running transaction that has inserted the very same id.  Under
 * REPEATABLE READ and above an id committed after the snapshot gives 40001.
 * The caller has entered the owner's context.  begin raises the guard's 55000,
 * gives the transaction an id, and opens the tables that end closes; memory is
 * the caller's context at begin, and does not grow with the events.
 */
typedef struct AevonAppender AevonAppender;
extern AevonAppender *aevon_append_begin(void);
extern AevonOutcome aevon_append_event(AevonAppender *appender, const AevonEvent *event);
extern void aevon_append_end(AevonAppender *appender);

#endif							/* AEVON_APPEND_H */
