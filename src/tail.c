/*
 * tail.c
 *		How much lies outside a cut, for those who watch.
 */
#include "postgres.h"

#include "log.h"
#include "tail.h"

typedef struct Counting
{
	Snapshot	snapshot;
	const AevonScope *scope;
	int64		limit;
	AevonTail	tail;
} Counting;

static void count_stamps(Counting *counting, int64 from, int64 until);

AevonTail
aevon_tail_count(Snapshot snapshot, const AevonCut *cut, const AevonScope *scope, int64 limit)
{
	Counting	counting = {.snapshot = snapshot,.scope = scope,.limit = limit};

	for (int i = 0; i < cut->nxip; i++)
		count_stamps(&counting, cut->xip[i], cut->xip[i] + 1);
	count_stamps(&counting, cut->xmax, PG_INT64_MAX);
	return counting.tail;
}

static void
count_stamps(Counting *counting, int64 from, int64 until)
{
	AevonTail  *tail = &counting->tail;
	AevonLogScan *scan = aevon_log_scan_stamps(counting->snapshot, from, until);
	AevonLogRow row;

	while (tail->event_count < counting->limit && aevon_log_scan_next(scan, &row))
	{
		if (!aevon_scope_counts(counting->scope, row.tenant_key))
			continue;
		if (tail->event_count++ == 0 || row.ingested_at < tail->oldest)
			tail->oldest = row.ingested_at;
	}
	aevon_log_scan_end(scan);
}
