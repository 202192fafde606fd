/*
 * append.h
 *		Appending events to the log and to their keys, idempotently.
 *
 * Layer 2.
 */
#ifndef AEVON_APPEND_H
#define AEVON_APPEND_H

#include "postgres.h"

#include "event.h"

/*
 * Append events, each unless its (tenant, principal, event_id) is there, be it
 * from an event before it in the array; on a conflict nothing changes.  Waits
 * only for a running transaction that has inserted the very same id; calls
 * with the same events in different orders do not deadlock (up to 50,000 events
 * a call).  Under REPEATABLE READ and above an id committed after the snapshot
 * gives 40001.
 *
 * The caller has entered the owner's context.  begin raises the guard's 55000,
 * gives the transaction an id, and opens the tables that end closes; memory is
 * the caller's context at begin, and does not grow with the events.
 */
typedef struct AevonAppender AevonAppender;
extern AevonAppender *aevon_append_begin(void);
extern void aevon_append_events(AevonAppender *appender, const AevonEvent **events, int count,
								AevonOutcome *outcomes);
extern void aevon_append_end(AevonAppender *appender);

#endif							/* AEVON_APPEND_H */
