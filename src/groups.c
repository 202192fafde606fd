/*
 * groups.c
 *		Events folded in memory, by measure, principal, minute and combination
 *		of dimension values, and written into the buckets.
 *
 * An event is folded once, into the group of its principal and its combination;
 * every other series that counts it is merged from these groups.  Past a bound
 * they are written and memory is given back, so that a backlog or a transaction
 * of any size needs no more.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "fold.h"
#include "groups.h"
#include "guc.h"
#include "store.h"

/* Groups should be written past either bound. */
#define MAX_GROUPS 200000
#define MAX_GROUP_BYTES (64 * 1024 * 1024)

typedef struct GroupKey
{
	int64		minute;
	int32		measure;		/* index */
	int32		principal_key;
	AevonDims  *dims;			/* all dimensions; NULL: there are none */
} GroupKey;

typedef struct FoldGroup
{
	GroupKey	key;
	int32		tenant_key;
	char		status;
	int32		subject_key;	/* of the series that is written now */
	AevonDims  *dims;			/* likewise */
	AevonPartial partial;
} FoldGroup;

static inline uint32
hash_group(const GroupKey *key)
{
	uint32		subject = hash_combine(murmurhash32((uint32) key->principal_key),
									   (uint32) key->measure);

	if (key->dims != NULL)
		subject = hash_combine(subject, murmurhash32((uint32) key->dims->number));
	return hash_combine(subject, murmurhash32((uint32) key->minute));
}

static inline bool
equal_groups(const GroupKey *a, const GroupKey *b)
{
	return a->minute == b->minute && a->measure == b->measure &&
		a->principal_key == b->principal_key && a->dims == b->dims;
}

#define SH_PREFIX groups
#define SH_ELEMENT_TYPE FoldGroup
#define SH_KEY_TYPE GroupKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) hash_group(&(key))
#define SH_EQUAL(table, a, b) equal_groups(&(a), &(b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct AevonGroups
{
	AevonFolded *measures;
	int			count;
	int64		xmax;			/* of the sweep's cut */
	uint32		rollups;		/* of any measure */
	bool		dimensions;		/* has any measure dimensions? */
	MemoryContext work;			/* of the groups */
	MemoryContext event;		/* of one event */
	groups_hash *table;
	AevonDimsTable *dims;		/* NULL without dimensions */
	unsigned int folded;		/* events since the groups were started */
};

/* Which series are written in one go. */
typedef enum PassKind
{
	PASS_TOTALS,
	PASS_COMBINATIONS,
	PASS_ROLLUP
} PassKind;

typedef struct Pass
{
	PassKind	kind;
	bool		tenants;		/* or principals */
	int			rollup;			/* number of the dimension */
	bool		last;			/* the groups' states may be used up */
} Pass;

static void start_groups(AevonGroups *groups);
static int64 write_passes(AevonGroups *groups, AevonStore *store);
static FoldGroup **list_groups(AevonGroups *groups, int *count);
static void settle_combinations(AevonGroups *groups, AevonStore *store, FoldGroup **list,
								int count);
static bool admits_series(AevonFolded *folded, AevonSeriesCount *count);
static int	count_new_rollups(AevonGroups *groups, AevonStore *store, AevonDims *dims);
static int64 write_pass(AevonGroups *groups, AevonStore *store, FoldGroup **list, int count,
						const Pass *pass);
static int	choose_groups(AevonGroups *groups, FoldGroup **list, int count, const Pass *pass,
						  FoldGroup **chosen);
static int	merge_minutes(FoldGroup **groups, int count, bool last, AevonWindowState *states);
static int	write_series(AevonGroups *groups, AevonStore *store, const FoldGroup *group,
						 AevonWindowState *states, int count);
static void count_series(AevonStore *store, const AevonMeasure *measure, int32 tenant_key);
static AevonWindowState *coarser(const AevonWindowState *states, int *count, int64 unit);
static bool same_series(const FoldGroup *a, const FoldGroup *b);
static int	compare_combinations(const void *a, const void *b);
static int	compare_series(const void *a, const void *b);
static int	compare_dims(const AevonDims *a, const AevonDims *b);

AevonGroups *
aevon_groups_create(AevonFolded *measures, int count, int64 xmax)
{
	AevonGroups *groups = palloc0(sizeof(AevonGroups));

	groups->measures = measures;
	groups->count = count;
	groups->xmax = xmax;
	for (int i = 0; i < count; i++)
	{
		groups->rollups |= measures[i].measure->rollups;
		groups->dimensions |= measures[i].measure->dimension_count > 0;
	}
	groups->work = AllocSetContextCreate(CurrentMemoryContext, "aevon groups",
										 ALLOCSET_DEFAULT_SIZES);
	groups->event = AllocSetContextCreate(CurrentMemoryContext, "aevon folded event",
										  ALLOCSET_DEFAULT_SIZES);
	start_groups(groups);
	return groups;
}

void
aevon_groups_delete(AevonGroups *groups)
{
	MemoryContextDelete(groups->work);
	MemoryContextDelete(groups->event);
	pfree(groups);
}

void
aevon_groups_fold(AevonGroups *groups, AevonLogRow *row)
{
	MemoryContext outer = MemoryContextSwitchTo(groups->event);
	GroupKey	key;

	key.minute = aevon_window_of(row->occurred_at, AEVON_MINUTE);
	key.principal_key = row->principal_key;
	for (int i = 0; i < groups->count; i++)
	{
		const AevonMeasure *measure = groups->measures[i].measure;
		AevonContribution contribution;
		FoldGroup  *group;
		bool		found;

		if (!aevon_fold_evaluate(measure, row, &contribution))
			continue;
		groups->measures[i].matched++;
		key.measure = i;
		key.dims = measure->dimension_count == 0 ? NULL :
			aevon_dims_of_event(groups->dims, measure, row);
		group = groups_insert(groups->table, key, &found);
		if (!found)
		{
			memset(&group->partial, 0, sizeof(group->partial));
			group->tenant_key = row->tenant_key;
		}
		MemoryContextSwitchTo(groups->work);
		aevon_fold_apply(measure, &contribution, &group->partial);
		MemoryContextSwitchTo(groups->event);
	}
	groups->folded++;
	MemoryContextSwitchTo(outer);
	MemoryContextReset(groups->event);
}

bool
aevon_groups_full(const AevonGroups *groups)
{
	return groups->table->members >= MAX_GROUPS ||
		((groups->folded & 0xff) == 0 &&
		 MemoryContextMemAllocated(groups->work, true) > MAX_GROUP_BYTES);
}

int64
aevon_groups_write(AevonGroups *groups)
{
	MemoryContext outer;
	AevonStore *store;
	int64		written;

	if (groups->table->members == 0)
		return 0;

	/* rows that this transaction has written must be seen */
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	outer = MemoryContextSwitchTo(groups->work);
	store = aevon_store_open(GetActiveSnapshot(), true);
	written = write_passes(groups, store);
	aevon_store_save_series_counts(store);
	aevon_store_close(store);
	MemoryContextSwitchTo(outer);
	PopActiveSnapshot();
	CommandCounterIncrement();
	start_groups(groups);
	return written;
}

static void
start_groups(AevonGroups *groups)
{
	MemoryContext outer;

	MemoryContextReset(groups->work);
	outer = MemoryContextSwitchTo(groups->work);
	groups->table = groups_create(groups->work, 1024, NULL);
	if (groups->dimensions)
		groups->dims = aevon_dims_table_create();
	groups->folded = 0;
	MemoryContextSwitchTo(outer);
}

static int64
write_passes(AevonGroups *groups, AevonStore *store)
{
	static const Pass principals[] = {{PASS_COMBINATIONS, false}, {PASS_TOTALS, false}};
	static const Pass combinations = {PASS_COMBINATIONS, true};
	static const Pass totals = {PASS_TOTALS, true, 0, true};
	int			count;
	FoldGroup **list = list_groups(groups, &count);
	int64		written = 0;

	if (groups->dimensions)
	{
		settle_combinations(groups, store, list, count);
		written += write_pass(groups, store, list, count, &principals[0]);
	}
	written += write_pass(groups, store, list, count, &principals[1]);
	if (groups->dimensions)
		written += write_pass(groups, store, list, count, &combinations);
	for (int i = 0; i < AEVON_MAX_DIMENSIONS; i++)
	{
		Pass		rollup = {PASS_ROLLUP, true, i};

		if (groups->rollups & ((uint32) 1 << i))
			written += write_pass(groups, store, list, count, &rollup);
	}
	return written + write_pass(groups, store, list, count, &totals);
}

static FoldGroup **
list_groups(AevonGroups *groups, int *count)
{
	FoldGroup **list = palloc(groups->table->members * sizeof(FoldGroup *));
	groups_iterator iterator;
	FoldGroup  *group;

	*count = 0;
	groups_start_iterate(groups->table, &iterator);
	while ((group = groups_iterate(groups->table, &iterator)) != NULL)
		list[(*count)++] = group;
	return list;
}

/*
 * Put the combination that each group counts for in the place of its own: past
 * the guard, those that the tenant has no series for are the other one.
 */
static void
settle_combinations(AevonGroups *groups, AevonStore *store, FoldGroup **list, int count)
{
	qsort(list, count, sizeof(FoldGroup *), compare_combinations);
	for (int first = 0, end; first < count; first = end)
	{
		const GroupKey *key = &list[first]->key;
		AevonFolded *folded = &groups->measures[key->measure];
		AevonDims  *dims = key->dims;
		AevonDims  *effective;
		AevonSeriesCount *series;
		int			subjects = 1;

		for (end = first + 1; end < count && list[end]->key.measure == key->measure &&
			 list[end]->key.dims == dims; end++)
			subjects += list[end]->key.principal_key != list[end - 1]->key.principal_key;
		if (dims == NULL)
			continue;
		series = aevon_store_series_count(store, folded->measure, dims->tenant_key);
		if (!aevon_store_has_combination(store, dims) && admits_series(folded, series))
		{
			dims->member = true;
			series->coming += 1 + subjects + count_new_rollups(groups, store, dims);
		}
		effective = aevon_store_effective_dims(store, groups->dims, dims);
		for (int i = first; i < end; i++)
			list[i]->key.dims = effective;
	}
}

/* May a new combination get series?  Once the answer is no, it stays so. */
static bool
admits_series(AevonFolded *folded, AevonSeriesCount *count)
{
	if (!count->full && count->count + count->coming >= aevon_max_series_per_rule)
	{
		count->full = count->changed = true;
		if (folded->full_tenants++ == 0)
			folded->full_tenant_key = count->key.tenant_key;
	}
	return !count->full;
}

/* The roll-ups that a new combination will add. */
static int
count_new_rollups(AevonGroups *groups, AevonStore *store, AevonDims *dims)
{
	int			added = 0;

	for (int i = 0; i < dims->measure->dimension_count; i++)
	{
		AevonGrouping grouping = (AevonGrouping) 1 << i;
		AevonDims  *rollup;

		if ((dims->measure->rollups & grouping) == 0)
			continue;
		rollup = aevon_dims_project(groups->dims, dims, grouping);
		if (!aevon_store_has_combination(store, rollup))
		{
			rollup->member = true;
			added++;
		}
	}
	return added;
}

/* Write the series of a pass, each from all groups that it counts. */
static int64
write_pass(AevonGroups *groups, AevonStore *store, FoldGroup **list, int count,
		   const Pass *pass)
{
	FoldGroup **chosen = palloc(count * sizeof(FoldGroup *));
	AevonWindowState *states = palloc(count * sizeof(AevonWindowState));
	int			left = choose_groups(groups, list, count, pass, chosen);
	MemoryContext series = AllocSetContextCreate(CurrentMemoryContext, "aevon written series",
												 ALLOCSET_DEFAULT_SIZES);
	int64		written = 0;

	qsort(chosen, left, sizeof(FoldGroup *), compare_series);
	for (int first = 0, end; first < left; first = end)
	{
		MemoryContext outer = MemoryContextSwitchTo(series);
		int			n = 0;

		for (end = first + 1; end < left && same_series(chosen[first], chosen[end]); end++)
			continue;
		n = merge_minutes(&chosen[first], end - first, pass->last, states);
		written += write_series(groups, store, chosen[first], states, n);
		MemoryContextSwitchTo(outer);
		MemoryContextReset(series);
	}
	MemoryContextDelete(series);
	pfree(states);
	pfree(chosen);
	return written;
}

/* The groups that the pass is about, each with the series it belongs to. */
static int
choose_groups(AevonGroups *groups, FoldGroup **list, int count, const Pass *pass,
			  FoldGroup **chosen)
{
	AevonGrouping grouping = (AevonGrouping) 1 << pass->rollup;
	const AevonDims *projected = NULL;
	AevonDims  *projection = NULL;
	int			n = 0;

	for (int i = 0; i < count; i++)
	{
		FoldGroup  *group = list[i];
		AevonDims  *dims = group->key.dims;

		if (pass->kind != PASS_TOTALS && dims == NULL)
			continue;
		if (pass->kind == PASS_ROLLUP && (dims->measure->rollups & grouping) == 0)
			continue;
		if (pass->kind == PASS_ROLLUP && dims != projected)
		{
			projection = aevon_dims_project(groups->dims, dims, grouping);
			projected = dims;
		}
		group->dims = pass->kind == PASS_TOTALS ? NULL :
			pass->kind == PASS_COMBINATIONS ? dims : projection;
		group->subject_key = pass->tenants ? -group->tenant_key : group->key.principal_key;
		chosen[n++] = group;
	}
	return n;
}

/* The states of one series by minute; groups of the same minute are merged. */
static int
merge_minutes(FoldGroup **groups, int count, bool last, AevonWindowState *states)
{
	bool		own = false;	/* may states[n - 1] be changed? */
	int			n = 0;

	for (int i = 0; i < count; i++)
	{
		AevonPartial *partial = &groups[i]->partial;

		if (n == 0 || states[n - 1].window != groups[i]->key.minute)
		{
			states[n].window = groups[i]->key.minute;
			states[n++].partial = partial;
			own = last;
			continue;
		}
		if (!own)
		{
			AevonPartial *copy = palloc0(sizeof(AevonPartial));

			aevon_partial_merge(copy, states[n - 1].partial);
			states[n - 1].partial = copy;
			own = true;
		}
		aevon_partial_merge(states[n - 1].partial, partial);
	}
	return n;
}

/* Minutes of one series into its minutes and, merged, into its coarser tiers. */
static int
write_series(AevonGroups *groups, AevonStore *store, const FoldGroup *group,
			 AevonWindowState *states, int count)
{
	AevonFolded *folded = &groups->measures[group->key.measure];
	AevonSeries series = {folded->measure->measure_key, group->tenant_key,
	group->subject_key, group->dims, groups->xmax};
	bool		made;
	int64		series_key = aevon_store_make_series(store, &series, &made);
	AevonSeriesTier where = {series_key, AEVON_TIER_1M, false};
	int			written = aevon_store_merge(store, &where, states, count);
	int64		minutes = 1;

	CHECK_FOR_INTERRUPTS();
	if (made && group->dims != NULL)
		count_series(store, folded->measure, group->tenant_key);
	for (where.tier = AEVON_TIER_1H; where.tier < AEVON_TIER_COUNT; where.tier++)
	{
		if (!aevon_tier_kept(where.tier, folded->measure, group->subject_key,
							 group->dims != NULL))
			continue;
		states = coarser(states, &count, aevon_tier_minutes(where.tier) / minutes);
		minutes = aevon_tier_minutes(where.tier);
		written += aevon_store_merge(store, &where, states, count);
	}
	for (int i = 0; i < count; i++)
		aevon_store_touch(store, series_key, states[i].window);
	return written;
}

static void
count_series(AevonStore *store, const AevonMeasure *measure, int32 tenant_key)
{
	AevonSeriesCount *count = aevon_store_series_count(store, measure, tenant_key);

	count->count++;
	count->changed = true;
}

/* The states merged by windows `unit` times as long. */
static AevonWindowState *
coarser(const AevonWindowState *states, int *count, int64 unit)
{
	AevonWindowState *merged = palloc(*count * sizeof(AevonWindowState));
	int			n = 0;

	for (int i = 0; i < *count; i++)
	{
		int64		window = aevon_window_of(states[i].window, unit);

		if (n == 0 || merged[n - 1].window != window)
		{
			merged[n].window = window;
			merged[n++].partial = palloc0(sizeof(AevonPartial));
		}
		aevon_partial_merge(merged[n - 1].partial, states[i].partial);
	}
	*count = n;
	return merged;
}

static bool
same_series(const FoldGroup *a, const FoldGroup *b)
{
	return a->key.measure == b->key.measure && a->subject_key == b->subject_key &&
		a->dims == b->dims;
}

static int
compare_combinations(const void *a, const void *b)
{
	const GroupKey *x = &(*(FoldGroup *const *) a)->key;
	const GroupKey *y = &(*(FoldGroup *const *) b)->key;

	if (x->measure != y->measure)
		return x->measure < y->measure ? -1 : 1;
	if (x->dims != y->dims)
		return compare_dims(x->dims, y->dims);
	return x->principal_key < y->principal_key ? -1 : x->principal_key > y->principal_key ? 1 : 0;
}

static int
compare_series(const void *a, const void *b)
{
	const FoldGroup *x = *(FoldGroup *const *) a;
	const FoldGroup *y = *(FoldGroup *const *) b;

	if (x->key.measure != y->key.measure)
		return x->key.measure < y->key.measure ? -1 : 1;
	if (x->subject_key != y->subject_key)
		return x->subject_key < y->subject_key ? -1 : 1;
	if (x->dims != y->dims)
		return compare_dims(x->dims, y->dims);
	return x->key.minute < y->key.minute ? -1 : x->key.minute > y->key.minute ? 1 : 0;
}

/* In the order in which they were met; only one of them may be NULL. */
static int
compare_dims(const AevonDims *a, const AevonDims *b)
{
	return (a ? a->number : 0) < (b ? b->number : 0) ? -1 : 1;
}
