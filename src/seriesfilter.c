/*
 * seriesfilter.c
 *		Which events count for one series with dimension values.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "seriesfilter.h"

/* Combinations met are forgotten past it. */
#define MAX_MET_BYTES (16 * 1024 * 1024)

struct AevonSeriesFilter
{
	MemoryContext memory;
	AevonStore *store;
	const AevonDims *dims;
	AevonDimsTable *met;		/* combinations of events */
};

static AevonDims *meet(AevonSeriesFilter *filter, AevonLogRow *row);
static bool is_series(AevonSeriesFilter *filter, const AevonDims *effective);

AevonSeriesFilter *
aevon_seriesfilter_create(AevonStore *store, const AevonDims *dims)
{
	MemoryContext memory;
	AevonSeriesFilter *filter;

	if (dims == NULL)
		return NULL;
	memory = AllocSetContextCreate(CurrentMemoryContext, "aevon series filter",
								   ALLOCSET_SMALL_SIZES);
	filter = MemoryContextAllocZero(memory, sizeof(AevonSeriesFilter));
	filter->memory = memory;
	filter->store = store;
	filter->dims = dims;
	return filter;
}

void
aevon_seriesfilter_delete(AevonSeriesFilter *filter)
{
	if (filter != NULL)
		MemoryContextDelete(filter->memory);
}

bool
aevon_seriesfilter_accepts(AevonSeriesFilter *filter, AevonLogRow *row, int64 xmax)
{
	AevonDims  *own = meet(filter, row);

	return is_series(filter,
					 aevon_store_effective_dims_at(filter->store, filter->met, own, xmax));
}

bool
aevon_seriesfilter_accepts_now(AevonSeriesFilter *filter, AevonLogRow *row)
{
	AevonDims  *own = meet(filter, row);

	return is_series(filter, aevon_store_effective_dims(filter->store, filter->met, own));
}

static AevonDims *
meet(AevonSeriesFilter *filter, AevonLogRow *row)
{
	if (filter->met != NULL && aevon_dims_table_size(filter->met) > MAX_MET_BYTES)
	{
		aevon_dims_table_delete(filter->met);
		filter->met = NULL;
	}
	if (filter->met == NULL)
	{
		MemoryContext outer = MemoryContextSwitchTo(filter->memory);

		filter->met = aevon_dims_table_create();
		MemoryContextSwitchTo(outer);
	}
	return aevon_dims_of_event(filter->met, filter->dims->measure, row);
}

static bool
is_series(AevonSeriesFilter *filter, const AevonDims *effective)
{
	const AevonDims *dims = filter->dims;

	return aevon_dims_same(aevon_dims_project(filter->met, effective, dims->grouping), dims);
}
