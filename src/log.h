/*
 * log.h
 *		Reading the event log, without the planner: straight through its indexes,
 *		part by part.
 *
 * logrow.h says what a row is, logparts.h what the parts are.  Layer 2.
 */
#ifndef AEVON_LOG_H
#define AEVON_LOG_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "utils/snapshot.h"

#include "logparts.h"
#include "logrow.h"

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

/* The greatest stamp of a row in the log, visible or not; 0: none. */
extern int64 aevon_log_max_stamp(void);

#endif							/* AEVON_LOG_H */
