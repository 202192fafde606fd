/*
 * tailplaces.c
 *		Where the events of the tail lie, per backend.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "cut.h"
#include "guard.h"
#include "tailplaces.h"

/* More than these are not remembered: sweeps keep tails far shorter. */
#define MAX_PLACES 20000

/* So many that are in the buckets by now are not worth moving the others. */
#define SPARE_PLACES 256

typedef struct TailPlace
{
	AevonLogPlace place;
	TimestampTz occurred_at;
	int32		tenant_key;
	int32		principal_key;
} TailPlace;

/* Every event of stamps in [first, end) that there can be, by stamp. */
static struct
{
	uint64		epoch;			/* of the log's parts; 0: nothing is
								 * remembered */
	int64		base;			/* of the stamps */
	int64		first;
	int64		end;
	int			count;
	int			noted;			/* with those after them that may be kept */
	int64		new_end;		/* where these would end */
	int			capacity;
	TailPlace  *places;
}			tail;

static bool is_usable(int64 base, int64 from);
static bool sees_beyond(Snapshot snapshot, int64 base);
static void start_anew(int64 base, int64 from);
static int	first_from(int64 stamp);
static bool is_asked_for(const TailPlace *place, const AevonTailRange *range);
static void forget_before(int64 stamp);

bool
aevon_tailplaces_none(Snapshot snapshot, const AevonTailRange *range)
{
	int64		base;

	if (snapshot->takenDuringRecovery || RecoveryInProgress() || !aevon_guard_check(&base) ||
		!is_usable(base, range->from) || sees_beyond(snapshot, base))
		return false;
	for (int at = first_from(range->from); at < tail.count; at++)
	{
		if (is_asked_for(&tail.places[at], range))
			return false;
	}
	return true;
}

AevonLogPlace *
aevon_tailplaces_find(Snapshot snapshot, const AevonTailRange *range, int *count, int64 *rest)
{
	AevonLogPlace *found;
	int64		base;
	int			at;

	*count = 0;
	tail.noted = -1;
	*rest = range->from;
	if (snapshot->takenDuringRecovery || RecoveryInProgress() || !aevon_guard_check(&base))
		return NULL;
	if (!is_usable(base, range->from))
		start_anew(base, range->from);
	forget_before(range->from);
	at = first_from(range->from);
	found = palloc(Max(tail.count - at, 1) * sizeof(AevonLogPlace));
	for (; at < tail.count; at++)
	{
		const TailPlace *place = &tail.places[at];

		if (is_asked_for(place, range))
			found[(*count)++] = place->place;
	}
	if (!sees_beyond(snapshot, base))
	{
		*rest = PG_INT64_MAX;
		return found;
	}
	*rest = Max(tail.end, range->from);
	tail.noted = tail.count;
	tail.new_end = Max(aevon_cut_oldest_running(snapshot, base), *rest);
	return found;
}

void
aevon_tailplaces_note(const AevonLogRow *row)
{
	TailPlace  *place;

	if (tail.noted < 0 || row->stamp >= tail.new_end)
		return;
	if (tail.noted == MAX_PLACES)
	{
		tail.noted = -1;
		return;
	}
	if (tail.noted == tail.capacity)
	{
		int			capacity = Max(tail.capacity * 2, SPARE_PLACES);

		if (tail.places == NULL)
			tail.places = MemoryContextAlloc(CacheMemoryContext, capacity * sizeof(TailPlace));
		else
			tail.places = repalloc(tail.places, capacity * sizeof(TailPlace));
		tail.capacity = capacity;
	}
	place = &tail.places[tail.noted++];
	place->place = aevon_log_row_place(row);
	place->occurred_at = row->occurred_at;
	place->tenant_key = row->tenant_key;
	place->principal_key = row->principal_key;
}

void
aevon_tailplaces_keep(void)
{
	if (tail.noted < 0)
		return;
	tail.count = tail.noted;
	tail.end = tail.new_end;
	tail.noted = -1;
}

/* Does what is remembered reach back to this stamp, and is it still true? */
static bool
is_usable(int64 base, int64 from)
{
	return tail.epoch == aevon_log_epoch() && tail.base == base &&
		tail.first <= from && tail.end >= from;
}

/* May the snapshot see events of stamps from tail.end on? */
static bool
sees_beyond(Snapshot snapshot, int64 base)
{
	return aevon_cut_next_stamp(snapshot, base) > tail.end ||
		FullTransactionIdIsValid(GetTopFullTransactionIdIfAny());
}

static void
start_anew(int64 base, int64 from)
{
	tail.epoch = aevon_log_epoch();
	tail.base = base;
	tail.first = tail.end = from;
	tail.count = 0;
}

static int
first_from(int64 stamp)
{
	int			low = 0;
	int			high = tail.count;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (tail.places[middle].place.stamp < stamp)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
is_asked_for(const TailPlace *place, const AevonTailRange *range)
{
	return place->tenant_key == range->tenant_key &&
		(range->principal_key == 0 || place->principal_key == range->principal_key) &&
		place->occurred_at >= range->since && place->occurred_at < range->until;
}

/* Rules whose cuts lie apart share what is remembered: leave some. */
static void
forget_before(int64 stamp)
{
	int			gone = first_from(stamp);

	if (gone < SPARE_PLACES || gone < tail.count / 2)
		return;
	tail.count -= gone;
	memmove(tail.places, tail.places + gone, tail.count * sizeof(TailPlace));
	tail.first = stamp;
}
