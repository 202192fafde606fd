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
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "fold.h"
#include "groups.h"
#include "grouptable.h"
#include "guc.h"
#include "store.h"
#include "tiers.h"

/* Groups should be written past either bound. */
#define MAX_GROUPS 200000
#define MAX_GROUP_BYTES (64 * 1024 * 1024)

struct AevonGroups
{
	AevonFolded *measures;
	int			count;
	int64		xmax;			/* of the sweep's cut */
	uint32		rollups;		/* of any measure */
	bool		dimensions;		/* has any measure dimensions? */
	MemoryContext work;			/* of the groups */
	MemoryContext event;		/* of one event */
	AevonGroupTable *table;
	AevonFoldGroup **latest;	/* the group of each measure's last event */
	AevonDimsTable *dims;		/* NULL without dimensions */
	unsigned int folded;		/* events since the groups were started */
};

/* The place of a group in the order of series and minutes. */
typedef struct Place
{
	uint64		series;			/* measure, and principal or subject */
	uint64		minute;			/* values by number, and minute */
} Place;

/* Minutes of times that events may have, in 34 bits. */
#define MINUTE_BITS 34
#define MINUTE_OFFSET (INT64CONST(1) << (MINUTE_BITS - 1))

/* By measure, subject, values in the order in which they were met, minute. */
static inline Place
place_of(const AevonFoldKey *key, int32 subject_key, const AevonDims *dims)
{
	Place		place;

	place.series = (uint64) key->measure << 32 | ((uint32) subject_key ^ 0x80000000);
	place.minute = (uint64) (dims ? dims->number : 0) << MINUTE_BITS |
		(uint64) (key->minute + MINUTE_OFFSET);
	return place;
}

typedef struct Ordered
{
	Place		place;
	AevonFoldGroup *group;
} Ordered;

static inline int
measure_of(const Ordered *ordered)
{
	return (int) (ordered->place.series >> 32);
}

#define RUNSORT sort_ordered
#define RUNSORT_TYPE Ordered
#define RUNSORT_COMPARE(a, b, arg) \
	((a)->place.series != (b)->place.series ? \
	 ((a)->place.series < (b)->place.series ? -1 : 1) : \
	 (a)->place.minute < (b)->place.minute ? -1 : (a)->place.minute > (b)->place.minute)
#define RUNSORT_ARG void
#include "runsort.h"

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
static void settle_combinations(AevonGroups *groups, AevonStore *store, AevonFoldGroup **list,
								int count);
static bool admits_series(AevonFolded *folded, AevonSeriesCount *count);
static int	count_new_rollups(AevonGroups *groups, AevonStore *store, AevonDims *dims);
static int64 write_pass(AevonGroups *groups, AevonStore *store, AevonFoldGroup **list, int count,
						const Pass *pass);
static void expect_totals(AevonGroups *groups, AevonStore *store, const Ordered *chosen,
						  int count);
static bool same_series(const Ordered *a, const Ordered *b);
static int	choose_groups(AevonGroups *groups, AevonFoldGroup **list, int count, const Pass *pass,
						  Ordered *chosen);
static int	merge_minutes(const Ordered *groups, int count, bool last, AevonWindowState *states);
static AevonFoldGroup **total_tenants(AevonGroups *groups, AevonFoldGroup **list, int *count);
static int	write_series(AevonGroups *groups, AevonStore *store, const AevonFoldGroup *group,
						 AevonWindowState *states, int count);
static void count_series(AevonStore *store, const AevonMeasure *measure, int32 tenant_key);
static int	compare_combinations(const void *a, const void *b);
static int	compare_dims(const AevonDims *a, const AevonDims *b);

AevonGroups *
aevon_groups_create(AevonFolded *measures, int count, int64 xmax)
{
	AevonGroups *groups = palloc0(sizeof(AevonGroups));

	groups->measures = measures;
	groups->count = count;
	groups->latest = palloc0(Max(count, 1) * sizeof(AevonFoldGroup *));
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
	pfree(groups->latest);
	pfree(groups);
}

void
aevon_groups_fold(AevonGroups *groups, AevonLogRow *row)
{
	MemoryContext outer = MemoryContextSwitchTo(groups->event);
	AevonFoldKey key;

	key.minute = aevon_window_of(row->occurred_at, AEVON_MINUTE);
	key.principal_key = row->principal_key;
	for (int i = 0; i < groups->count; i++)
	{
		const AevonMeasure *measure = groups->measures[i].measure;
		AevonContribution contribution;
		AevonFoldGroup *group;

		if (!aevon_fold_evaluate(measure, row, &contribution))
			continue;
		groups->measures[i].matched++;
		key.measure = i;
		key.dims = measure->dimension_count == 0 ? NULL :
			aevon_dims_of_event(groups->dims, measure, row);
		group = groups->latest[i];
		if (group == NULL || !aevon_foldkey_equal(&group->key, &key))
			group = groups->latest[i] = aevon_grouptable_find(groups->table, &key,
															  row->tenant_key);
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
	return aevon_grouptable_count(groups->table) >= MAX_GROUPS ||
		((groups->folded & 0xff) == 0 &&
		 MemoryContextMemAllocated(groups->work, true) > MAX_GROUP_BYTES);
}

int64
aevon_groups_write(AevonGroups *groups)
{
	MemoryContext outer;
	AevonStore *store;
	int64		written;

	if (aevon_grouptable_count(groups->table) == 0)
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
	groups->table = aevon_grouptable_create();
	memset(groups->latest, 0, groups->count * sizeof(AevonFoldGroup *));
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
	AevonFoldGroup **list = aevon_grouptable_list(groups->table, &count);
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
	list = total_tenants(groups, list, &count);
	return written + write_pass(groups, store, list, count, &totals);
}

/*
 * Put the combination that each group counts for in the place of its own: past
 * the guard, those that the tenant has no series for are the other one.
 */
static void
settle_combinations(AevonGroups *groups, AevonStore *store, AevonFoldGroup **list, int count)
{
	qsort(list, count, sizeof(AevonFoldGroup *), compare_combinations);
	for (int first = 0, end; first < count; first = end)
	{
		const AevonFoldKey *key = &list[first]->key;
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
write_pass(AevonGroups *groups, AevonStore *store, AevonFoldGroup **list, int count,
		   const Pass *pass)
{
	Ordered    *chosen = palloc_extended(count * sizeof(Ordered), MCXT_ALLOC_HUGE);
	AevonWindowState *states = palloc(count * sizeof(AevonWindowState));
	int			left = choose_groups(groups, list, count, pass, chosen);
	MemoryContext series = AllocSetContextCreate(CurrentMemoryContext, "aevon written series",
												 ALLOCSET_DEFAULT_SIZES);
	int64		written = 0;

	sort_ordered(chosen, left, NULL);
	for (int first = 0, end; first < left; first = end)
	{
		MemoryContext outer = MemoryContextSwitchTo(series);
		int			n = 0;

		if (pass->kind == PASS_TOTALS &&
			(first == 0 || measure_of(&chosen[first]) != measure_of(&chosen[first - 1])))
			expect_totals(groups, store, &chosen[first], left - first);
		for (end = first + 1; end < left && same_series(&chosen[first], &chosen[end]); end++)
			continue;
		n = merge_minutes(&chosen[first], end - first, pass->last, states);
		written += write_series(groups, store, chosen[first].group, states, n);
		MemoryContextSwitchTo(outer);
		MemoryContextReset(series);
	}
	MemoryContextDelete(series);
	pfree(states);
	pfree(chosen);
	return written;
}

/* The series of the first group's measure are about to be written. */
static void
expect_totals(AevonGroups *groups, AevonStore *store, const Ordered *chosen, int count)
{
	int			measure = measure_of(chosen);
	int			series = 1;

	for (int i = 1; i < count && measure_of(&chosen[i]) == measure; i++)
		series += !same_series(&chosen[i - 1], &chosen[i]);
	aevon_store_expect_totals(store, groups->measures[measure].measure->measure_key, series);
}

/* The values' number is in the place, so that the groups need not be looked at. */
static bool
same_series(const Ordered *a, const Ordered *b)
{
	return a->place.series == b->place.series &&
		a->place.minute >> MINUTE_BITS == b->place.minute >> MINUTE_BITS;
}

/* The groups that the pass is about, each with the series it belongs to. */
static int
choose_groups(AevonGroups *groups, AevonFoldGroup **list, int count, const Pass *pass,
			  Ordered *chosen)
{
	AevonGrouping grouping = (AevonGrouping) 1 << pass->rollup;
	const AevonDims *projected = NULL;
	AevonDims  *projection = NULL;
	int			n = 0;

	for (int i = 0; i < count; i++)
	{
		AevonFoldGroup *group = list[i];
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
		chosen[n].place = place_of(&group->key, group->subject_key, group->dims);
		chosen[n++].group = group;
	}
	return n;
}

/* The states of one series by minute; groups of the same minute are merged. */
static int
merge_minutes(const Ordered *groups, int count, bool last, AevonWindowState *states)
{
	bool		own = false;	/* may states[n - 1] be changed? */
	int			n = 0;

	for (int i = 0; i < count; i++)
	{
		AevonFoldGroup *group = groups[i].group;
		AevonPartial *partial = &group->partial;

		if (n == 0 || states[n - 1].window != group->key.minute)
		{
			states[n].window = group->key.minute;
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

/*
 * Groups of whole tenants, merged from all others.  These are many, a tenant's
 * minutes few: finding them is quicker than sorting.
 */
static AevonFoldGroup **
total_tenants(AevonGroups *groups, AevonFoldGroup **list, int *count)
{
	AevonGroupTable *totals = aevon_grouptable_create();

	for (int i = 0; i < *count; i++)
	{
		AevonFoldKey key = {list[i]->key.minute, list[i]->key.measure, list[i]->tenant_key, NULL};
		AevonFoldGroup *total = aevon_grouptable_find(totals, &key, list[i]->tenant_key);

		aevon_partial_merge(&total->partial, &list[i]->partial);
	}
	return aevon_grouptable_list(totals, count);
}

/* Minutes of one series, as all groups in them give them. */
static int
write_series(AevonGroups *groups, AevonStore *store, const AevonFoldGroup *group,
			 AevonWindowState *states, int count)
{
	AevonFolded *folded = &groups->measures[group->key.measure];
	AevonSeries series = {folded->measure->measure_key, group->tenant_key,
	group->subject_key, group->dims, groups->xmax};
	AevonTiers	tiers = {&series, folded->measure};
	int			written = aevon_tiers_add(store, &tiers, states, count);

	CHECK_FOR_INTERRUPTS();
	if (tiers.made && group->dims != NULL)
		count_series(store, folded->measure, group->tenant_key);
	return written;
}

static void
count_series(AevonStore *store, const AevonMeasure *measure, int32 tenant_key)
{
	AevonSeriesCount *count = aevon_store_series_count(store, measure, tenant_key);

	count->count++;
	count->changed = true;
}

static int
compare_combinations(const void *a, const void *b)
{
	const AevonFoldKey *x = &(*(AevonFoldGroup *const *) a)->key;
	const AevonFoldKey *y = &(*(AevonFoldGroup *const *) b)->key;

	if (x->measure != y->measure)
		return x->measure < y->measure ? -1 : 1;
	if (x->dims != y->dims)
		return compare_dims(x->dims, y->dims);
	return x->principal_key < y->principal_key ? -1 : x->principal_key > y->principal_key ? 1 : 0;
}

/* In the order in which they were met; only one of them may be NULL. */
static int
compare_dims(const AevonDims *a, const AevonDims *b)
{
	return (a ? a->number : 0) < (b ? b->number : 0) ? -1 : 1;
}
