/*
 * statskinds.h
 *		What statistics are kept of.
 *
 * Layer 1.
 */
#ifndef AEVON_STATSKINDS_H
#define AEVON_STATSKINDS_H

/* Public functions that read; their calls are timed. */
typedef enum AevonReadFunction
{
	AEVON_READ_STATE,
	AEVON_READ_WINDOWS,
	AEVON_READ_TOP,
	AEVON_READ_EVENTS,
	AEVON_READ_HISTORY,
	AEVON_READ_DAILY_METRICS,
	AEVON_READ_EXPLAIN
} AevonReadFunction;

#define AEVON_READ_FUNCTIONS (AEVON_READ_EXPLAIN + 1)

/* What can become of an event on its way in. */
typedef enum AevonTenantCounter
{
	AEVON_COUNT_ACCEPTED,
	AEVON_COUNT_DUPLICATE,
	AEVON_COUNT_REJECTED,		/* kept in aevon.rejections */
	AEVON_COUNT_VOIDED,
	AEVON_COUNT_LATE,			/* accepted after its UTC day's end */
	AEVON_COUNT_CONFLICT,		/* same id, other content */
	AEVON_COUNT_REFUSED			/* raised any other error about the event */
} AevonTenantCounter;

#define AEVON_TENANT_COUNTERS (AEVON_COUNT_REFUSED + 1)

/* Groups of counters, for resets; bits. */
#define AEVON_STATS_SWEEP	0x01
#define AEVON_STATS_RULE	0x02
#define AEVON_STATS_TENANT	0x04
#define AEVON_STATS_QUERY	0x08
#define AEVON_STATS_GROUPS	4
#define AEVON_STATS_ALL		0x0f

#endif							/* AEVON_STATSKINDS_H */
