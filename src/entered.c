/*
 * entered.c
 *		What came into the log between two cuts, by stamp.
 */
#include "postgres.h"

#include "entered.h"

static AevonLogScan *open_range(const AevonEntered *entered, int which);

bool
aevon_entered_next(AevonEntered *entered, AevonLogRow *row)
{
	for (;;)
	{
		if (entered->scan != NULL && aevon_log_scan_next(entered->scan, row))
			return true;
		aevon_entered_end(entered);
		if (entered->next > entered->before->nxip)
			return false;
		entered->scan = open_range(entered, entered->next++);
	}
}

void
aevon_entered_end(AevonEntered *entered)
{
	if (entered->scan != NULL)
		aevon_log_scan_end(entered->scan);
	entered->scan = NULL;
}

/* Outside a cut are the members of its xip, and all from its xmax on. */
static AevonLogScan *
open_range(const AevonEntered *entered, int which)
{
	const AevonCut *before = entered->before;

	if (which < before->nxip)
		return aevon_log_scan_stamps(entered->snapshot, before->xip[which],
									 before->xip[which] + 1);
	return aevon_log_scan_stamps(entered->snapshot, before->xmax, entered->after->xmax);
}
