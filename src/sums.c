/*
 * sums.c
 *		A measure's states while an answer is put together: by group and window.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

#include "guc.h"
#include "sums.h"

typedef struct WindowEntry
{
	int64		window;			/* its start */
	char		status;
	AevonPartial partial;
} WindowEntry;

#define SH_PREFIX windows
#define SH_ELEMENT_TYPE WindowEntry
#define SH_KEY_TYPE int64
#define SH_KEY window
#define SH_HASH_KEY(table, key) murmurhash32((uint32) (key) ^ (uint32) ((key) >> 32))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct AevonGroup
{
	const AevonDims *dims;
	int32		principal_key;
	bool		by_window;
	AevonPartial total;
	windows_hash *windows;		/* NULL: none yet, or a grid without windows */
	AevonSpan	last;			/* the window asked for last; empty: none */
	AevonPartial *last_partial;
};

typedef struct GroupKey
{
	const AevonDims *dims;
	int32		principal_key;
} GroupKey;

typedef struct GroupEntry
{
	GroupKey	key;
	char		status;
	AevonGroup *group;
} GroupEntry;

static inline uint32
hash_group(GroupKey key)
{
	uint32		dims = key.dims ? key.dims->number : 0;

	return hash_combine(murmurhash32(dims), murmurhash32((uint32) key.principal_key));
}

#define SH_PREFIX groups
#define SH_ELEMENT_TYPE GroupEntry
#define SH_KEY_TYPE GroupKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) hash_group(key)
#define SH_EQUAL(table, a, b) \
	((a).dims == (b).dims && (a).principal_key == (b).principal_key)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct AevonSums
{
	MemoryContext memory;
	AevonGrid  *grid;
	bool		bounded;
	int64		window_count;	/* of all groups */
	AevonGroup	ungrouped;
	AevonGroup	left_out;
	groups_hash *groups;		/* NULL: none yet */
};

static AevonPartial *window_of(AevonSums *sums, AevonGroup *group, TimestampTz window);
static void count_window(AevonSums *sums);
static void add_group(AevonSums *into, AevonGroup *group, const AevonGroup *from);
static bool list_group(AevonGroup *group, AevonGroupTally *tally);
static int	compare_windows(const void *a, const void *b);

void
aevon_sums_check_windows(int64 count)
{
	if (count > aevon_max_windows)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many windows"),
				 errdetail("The answer would have more than aevon.max_windows (%d) windows.",
						   aevon_max_windows),
				 errhint("Ask for a shorter range or a coarser granularity.")));
}

AevonSums *
aevon_sums_create(AevonGrid *grid, bool bounded)
{
	AevonSums  *sums = palloc0(sizeof(AevonSums));

	sums->memory = CurrentMemoryContext;
	sums->grid = grid;
	sums->bounded = bounded;
	sums->ungrouped.by_window = grid->kind != AEVON_GRID_TOTAL;
	return sums;
}

AevonGroup *
aevon_sums_ungrouped(AevonSums *sums)
{
	return &sums->ungrouped;
}

AevonGroup *
aevon_sums_group(AevonSums *sums, const AevonDims *dims, int32 principal_key)
{
	GroupKey	key = {dims, principal_key};
	GroupEntry *entry;
	bool		found;

	if (dims == NULL && principal_key == 0)
		return &sums->ungrouped;
	if (sums->groups == NULL)
		sums->groups = groups_create(sums->memory, 64, NULL);
	entry = groups_insert(sums->groups, key, &found);
	if (!found)
	{
		entry->group = MemoryContextAllocZero(sums->memory, sizeof(AevonGroup));
		entry->group->dims = dims;
		entry->group->principal_key = principal_key;
		entry->group->by_window = sums->ungrouped.by_window;
		if (!entry->group->by_window)
			count_window(sums);
	}
	return entry->group;
}

AevonGroup *
aevon_sums_left_out(AevonSums *sums)
{
	return &sums->left_out;
}

AevonPartial *
aevon_sums_at(AevonSums *sums, AevonGroup *group, TimestampTz at)
{
	AevonSpan	span;

	if (!group->by_window)
		return &group->total;
	if (at >= group->last.start && at < group->last.end)
		return group->last_partial;
	span = aevon_window_find(sums->grid, at);
	group->last_partial = window_of(sums, group, span.start);
	group->last = span;
	return group->last_partial;
}

void
aevon_sums_add(AevonSums *into, AevonSums *from)
{
	groups_iterator iterator;
	GroupEntry *entry;

	add_group(into, &into->ungrouped, &from->ungrouped);
	add_group(into, &into->left_out, &from->left_out);
	if (from->groups == NULL)
		return;
	groups_start_iterate(from->groups, &iterator);
	while ((entry = groups_iterate(from->groups, &iterator)) != NULL)
		add_group(into, aevon_sums_group(into, entry->key.dims, entry->key.principal_key),
				  entry->group);
}

AevonGroupTally *
aevon_sums_list(AevonSums *sums, bool grouped, int *count)
{
	int			room = grouped && sums->groups != NULL ? sums->groups->members : 1;
	AevonGroupTally *tallies = palloc_extended(room * sizeof(AevonGroupTally), MCXT_ALLOC_HUGE);
	groups_iterator iterator;
	GroupEntry *entry;

	*count = 0;
	if (!grouped)
	{
		list_group(&sums->ungrouped, &tallies[0]);
		*count = 1;
	}
	else if (sums->groups != NULL)
	{
		groups_start_iterate(sums->groups, &iterator);
		while ((entry = groups_iterate(sums->groups, &iterator)) != NULL)
			*count += list_group(entry->group, &tallies[*count]);
	}
	return tallies;
}

static AevonPartial *
window_of(AevonSums *sums, AevonGroup *group, TimestampTz window)
{
	WindowEntry *entry;
	bool		found;

	if (group->windows == NULL)
		group->windows = windows_create(sums->memory, 16, NULL);
	entry = windows_insert(group->windows, window, &found);
	/* what was there may have moved */
	memset(&group->last, 0, sizeof(group->last));
	if (!found)
	{
		count_window(sums);
		memset(&entry->partial, 0, sizeof(entry->partial));
	}
	return &entry->partial;
}

static void
count_window(AevonSums *sums)
{
	if (++sums->window_count > aevon_max_windows && sums->bounded)
		aevon_sums_check_windows(sums->window_count);
}

static void
add_group(AevonSums *into, AevonGroup *group, const AevonGroup *from)
{
	windows_iterator iterator;
	WindowEntry *entry;

	aevon_partial_merge(&group->total, &from->total);
	if (from->windows == NULL)
		return;
	windows_start_iterate(from->windows, &iterator);
	while ((entry = windows_iterate(from->windows, &iterator)) != NULL)
		aevon_partial_merge(window_of(into, group, entry->window), &entry->partial);
}

/* False: the group holds no events. */
static bool
list_group(AevonGroup *group, AevonGroupTally *tally)
{
	windows_iterator iterator;
	WindowEntry *entry;

	memset(tally, 0, sizeof(*tally));
	tally->dims = group->dims;
	tally->principal_key = group->principal_key;
	tally->total = &group->total;
	if (group->windows == NULL)
		return group->total.event_count > 0;
	tally->windows = palloc(group->windows->members * sizeof(AevonWindowState));
	windows_start_iterate(group->windows, &iterator);
	while ((entry = windows_iterate(group->windows, &iterator)) != NULL)
	{
		/* a filter may have left a window without events */
		if (entry->partial.event_count == 0)
			continue;
		tally->windows[tally->count].window = entry->window;
		tally->windows[tally->count++].partial = &entry->partial;
	}
	qsort(tally->windows, tally->count, sizeof(AevonWindowState), compare_windows);
	return tally->count > 0;
}

static int
compare_windows(const void *a, const void *b)
{
	int64		x = ((const AevonWindowState *) a)->window;
	int64		y = ((const AevonWindowState *) b)->window;

	return x < y ? -1 : x > y ? 1 : 0;
}
