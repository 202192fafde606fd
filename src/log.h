/*
 * log.h
 *		Reading the event log, without the planner: straight through its indexes,
 *		part by part.
 *
 * Layer 2.
 */
#ifndef AEVON_LOG_H
#define AEVON_LOG_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "executor/tuptable.h"
#include "utils/jsonb.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "cut.h"

/* An event as stored.  Pointers are good until the next row is fetched. */
typedef struct AevonLogRow
{
	int64		stamp;
	TimestampTz occurred_at;
	TimestampTz ingested_at;
	int32		part;
	int32		tenant_key;
	int32		principal_key;
	int32		type_key;
	TupleTableSlot *slot;		/* the rest: aevon_log_row_... */
	Jsonb	   *data;			/* once asked for */
} AevonLogRow;

/* The row's data; detoasted, once, in the memory context that is then current. */
extern Jsonb *aevon_log_row_data(AevonLogRow *row);

/* The row's event id; palloc'd, zero-terminated. */
extern char *aevon_log_row_event_id(const AevonLogRow *row);

/* Where an event lies. */
typedef struct AevonLogPlace
{
	int64		stamp;			/* the event's: another row may be there by
								 * now */
	Oid			part;
	ItemPointerData tid;
} AevonLogPlace;

extern AevonLogPlace aevon_log_row_place(const AevonLogRow *row);

/*
 * A number that changes when events may have moved, or parts of the log come
 * or gone; never 0.  It stays the same as long as a scan is open.
 */
extern uint64 aevon_log_epoch(void);

typedef struct AevonLogScan AevonLogScan;

/*
 * Two scans in one.  First the events at places that are named once it is
 * open, in any order: those that the snapshot sees, and that are still there.
 * `places` must live as long.  Then events of stamps from `from` on, in
 * ascending order of stamp.
 */
extern AevonLogScan *aevon_log_scan_places(Snapshot snapshot);
extern void aevon_log_scan_name_places(AevonLogScan *scan, const AevonLogPlace *places,
									   int count);
extern void aevon_log_scan_go_on(AevonLogScan *scan, int64 from);

/* Events of stamps in [from, until), in ascending order of stamp. */
extern AevonLogScan *aevon_log_scan_stamps(Snapshot snapshot, int64 from, int64 until);

/* Events of a principal that occurred in [since, until), by that time. */
extern AevonLogScan *aevon_log_scan_principal(Snapshot snapshot, int32 principal_key,
											  TimestampTz since, TimestampTz until);

/* Events of a tenant that occurred in [since, until), by that time. */
extern AevonLogScan *aevon_log_scan_tenant(Snapshot snapshot, int32 tenant_key,
										   TimestampTz since, TimestampTz until);

/* Let a scan by time begin again, over [since, until). */
extern void aevon_log_scan_again(AevonLogScan *scan, TimestampTz since, TimestampTz until);

/* The next row, or false.  Interruptible. */
extern bool aevon_log_scan_next(AevonLogScan *scan, AevonLogRow *row);
extern void aevon_log_scan_end(AevonLogScan *scan);

/* Take a row of the log out of a slot that holds one. */
extern void aevon_log_row_read(AevonLogRow *row, TupleTableSlot *slot);

/* The greatest stamp of a row in the log, visible or not; 0: none. */
extern int64 aevon_log_max_stamp(void);

/* The indexes of a part. */
typedef enum AevonLogIndex
{
	AEVON_LOG_STAMP,
	AEVON_LOG_PRINCIPAL,		/* and occurred_at */
	AEVON_LOG_TENANT,			/* and occurred_at */
	AEVON_LOG_KEY,				/* see identity.h */
	AEVON_LOG_INDEXES
} AevonLogIndex;

typedef struct AevonLogPart
{
	Oid			oid;
	int32		number;
	Oid			indexes[AEVON_LOG_INDEXES];
	bool		has_others;		/* somebody made more indexes */
} AevonLogPart;

/*
 * The parts in order of number; the last one takes new events.  Good until
 * relations are opened or locked.  There is always one.
 */
extern const AevonLogPart *aevon_log_parts(int *count);

/* Open the last one to write to it. */
extern Relation aevon_log_open_last(AevonLogPart *part);

#endif							/* AEVON_LOG_H */
