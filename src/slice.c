/*
 * slice.c
 *		Slices: answers filtered and grouped by dimensions, and which series of
 *		a measure they are read from.
 *
 * A slice is read from the series that cover the fewest dimensions and still
 * know all that are asked for: the tenant's roll-up of one dimension, or the
 * combinations of all.  If the filter leaves few values they are looked up one
 * by one, else all series are listed.
 */
#include "postgres.h"

#include "lib/qunique.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "guc.h"
#include "slice.h"
#include "storevisit.h"

/* Look up so many series one by one, rather than list all. */
#define MAX_LOOKUPS 256

/*
 * Reading a series costs what so many events cost that are read from the log;
 * half of that if a filter leaves some of the series out.
 */
#define EVENTS_PER_SERIES 4

/* The values of a dimension that pass; none for one that is not filtered. */
typedef struct SliceFilter
{
	bool		active;
	int			count;
	int			capacity;
	JsonbValue *values;			/* sorted, each once */
} SliceFilter;

struct AevonSlice
{
	const AevonMeasure *measure;
	AevonSliceSubject subject;
	AevonStore *store;
	MemoryContext memory;
	AevonDimsTable *table;
	bool		by_principal;
	AevonGrouping filtered;
	AevonGrouping grouped;
	AevonGrouping read;			/* of the series that are read */
	SliceFilter filters[AEVON_MAX_DIMENSIONS];
	int			place_count;	/* places by number of an event's values */
	AevonPlace *places;
};

typedef struct SeriesList
{
	AevonSlice *slice;
	int			count;
	int			capacity;
	AevonSliceSeries *series;
} SeriesList;

static void compile_filter(AevonSlice *slice, Jsonb *filter);
static void add_filter_value(SliceFilter *filter, const JsonbValue *value);
static void sort_filter(SliceFilter *filter);
static int	compare_filter_values(const void *a, const void *b);
static AevonGrouping choose_series(const AevonSlice *slice);
static bool is_full(AevonSlice *slice);
static void set_place(AevonSlice *slice, const AevonDims *dims, AevonPlace *place);
static bool passes(const AevonSlice *slice, const AevonDims *dims);
static bool values_pass(const AevonSlice *slice, const JsonbValue *items);
static bool filter_holds(const SliceFilter *filter, const JsonbValue *value);
static int64 count_lookups(const AevonSlice *slice);
static int	count_series(const AevonSlice *slice, int limit);
static int64 count_events(const AevonSlice *slice, int64 low, int64 high);
static void count_state(void *context, int64 window, const AevonPartial *partial);
static void look_up_series(AevonSlice *slice, SeriesList *list, int64 lookups);
static void look_up_one(AevonSlice *slice, SeriesList *list, const AevonDims *dims);
static void note_series(void *context, int64 series_key, int32 subject_key, Jsonb *values,
						const bytea *digest);
static bool document_passes(const AevonSlice *slice, const Jsonb *values);
static AevonSliceSeries *add_series(SeriesList *list);
static int	compare_series(const void *a, const void *b);

AevonSlice *
aevon_slice_compile(const AevonSlicing *slicing, const AevonMeasure *measure,
					const AevonSliceSubject *subject, AevonStore *store)
{
	AevonSlice *slice = palloc0(sizeof(AevonSlice));

	slice->measure = measure;
	slice->subject = *subject;
	slice->store = store;
	slice->memory = CurrentMemoryContext;
	slice->table = aevon_dims_table_create();
	slice->by_principal = slicing->by_principal;
	if (slicing->filter != NULL)
		compile_filter(slice, slicing->filter);
	for (int i = 0; i < slicing->group_count; i++)
		slice->grouped |= (AevonGrouping) 1 << aevon_dims_find(measure, slicing->groups[i]);
	slice->read = choose_series(slice);
	return slice;
}

const AevonPlace *
aevon_slice_place_event(AevonSlice *slice, AevonLogRow *row)
{
	static const AevonPlace total = {true, true, NULL, NULL};
	static const AevonDims known = {0};
	static const AevonPlace left_out = {true, false, &known, NULL};
	AevonDimsWanted wanted;
	AevonDims  *dims;
	AevonPlace *place;
	bool		full;

	if (slice->read == 0)
		return &total;
	aevon_dims_read_event(slice->table, slice->measure, row, &wanted);
	/* which combinations are folded together must be asked of all dimensions */
	full = is_full(slice);
	if (!full)
	{
		if (!wanted.other && !values_pass(slice, wanted.items))
			return &left_out;
		wanted.grouping = slice->read;
	}
	dims = aevon_dims_remember(slice->table, &wanted);
	if (dims->number >= slice->place_count)
	{
		Size		size = (Size) (dims->number + 64) * 2 * sizeof(AevonPlace);
		AevonPlace *places = MemoryContextAllocExtended(slice->memory, size,
														MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

		if (slice->places != NULL)
		{
			memcpy(places, slice->places, slice->place_count * sizeof(AevonPlace));
			pfree(slice->places);
		}
		slice->places = places;
		slice->place_count = (dims->number + 64) * 2;
	}
	place = &slice->places[dims->number];
	if (!place->known)
	{
		dims = aevon_store_effective_dims(slice->store, slice->table, dims);
		if (slice->read != dims->grouping)
			dims = aevon_dims_project(slice->table, dims, slice->read);
		set_place(slice, dims, place);
	}
	return place;
}

AevonSliceSeries *
aevon_slice_list_series(AevonSlice *slice, int *count)
{
	SeriesList	list = {slice};
	int64		lookups = count_lookups(slice);
	AevonSeriesRange range = {slice->measure->measure_key, slice->subject.tenant_key, slice->read};

	if (lookups <= MAX_LOOKUPS)
		look_up_series(slice, &list, lookups);
	else
	{
		if (!slice->by_principal)
			range.subject_key = slice->subject.principal_key ? slice->subject.principal_key :
				-slice->subject.tenant_key;
		aevon_store_list_series(slice->store, &range, note_series, &list);
	}
	/* their buckets lie in that order */
	if (list.count > 1)
		qsort(list.series, list.count, sizeof(AevonSliceSeries), compare_series);
	*count = list.count;
	return list.series;
}

int64
aevon_slice_log_budget(AevonSlice *slice, int64 low, int64 high)
{
	int			events_per_series = slice->filtered ? EVENTS_PER_SERIES / 2 : EVENTS_PER_SERIES;
	int64		events;
	int			enough;

	if (!aevon_slices_from_log || slice->subject.principal_key == 0 || slice->read == 0)
		return 0;
	events = count_events(slice, low, high);
	if (events / events_per_series >= aevon_max_windows)
		return 0;
	enough = (int) (events / events_per_series) + 1;
	return count_series(slice, enough) < enough ? 0 : 2 * events + 100;
}

static void
compile_filter(AevonSlice *slice, Jsonb *filter)
{
	for (int i = 0; i < slice->measure->dimension_count; i++)
	{
		const char *name = slice->measure->dimensions[i].name;
		SliceFilter *into = &slice->filters[i];
		JsonbValue	value;
		JsonbValue	element;
		JsonbIterator *iterator;
		JsonbIteratorToken token;

		if (getKeyJsonValueFromContainer(&filter->root, name, strlen(name), &value) == NULL)
			continue;
		slice->filtered |= (AevonGrouping) 1 << i;
		into->active = true;
		if (value.type != jbvBinary)
		{
			add_filter_value(into, &value);
			continue;
		}
		iterator = JsonbIteratorInit(value.val.binary.data);
		while ((token = JsonbIteratorNext(&iterator, &element, true)) != WJB_DONE)
		{
			CHECK_FOR_INTERRUPTS();
			if (token == WJB_ELEM)
				add_filter_value(into, &element);
		}
		sort_filter(into);
	}
}

/* Values that no series can have pass nothing. */
static void
add_filter_value(SliceFilter *filter, const JsonbValue *value)
{
	JsonbValue	canonical;

	if (!aevon_dims_canonical_value(value, &canonical))
		return;
	if (filter->count == filter->capacity)
	{
		filter->capacity = filter->capacity * 2 + 4;
		filter->values = filter->values == NULL ?
			palloc(filter->capacity * sizeof(JsonbValue)) :
			repalloc_huge(filter->values, filter->capacity * sizeof(JsonbValue));
	}
	filter->values[filter->count++] = canonical;
}

/* There may be as many values as a jsonb array holds. */
static void
sort_filter(SliceFilter *filter)
{
	if (filter->count < 2)
		return;
	qsort(filter->values, filter->count, sizeof(JsonbValue), compare_filter_values);
	filter->count = qunique(filter->values, filter->count, sizeof(JsonbValue),
							compare_filter_values);
}

static int
compare_filter_values(const void *a, const void *b)
{
	return aevon_slicing_compare_values(a, b);
}

/* The grouping to read from. */
static AevonGrouping
choose_series(const AevonSlice *slice)
{
	AevonGrouping needed = slice->filtered | slice->grouped;
	bool		single = (needed & (needed - 1)) == 0;

	if (needed == 0)
		return 0;
	if (single && (slice->measure->rollups & needed) != 0 &&
		slice->subject.principal_key == 0 && !slice->by_principal)
		return needed;
	return aevon_dims_full_grouping(slice->measure);
}

/* Are there combinations of the tenant without a series? */
static bool
is_full(AevonSlice *slice)
{
	return aevon_store_series_count(slice->store, slice->measure, slice->subject.tenant_key)->full;
}

/* The place of what belongs to series of these values. */
static void
set_place(AevonSlice *slice, const AevonDims *dims, AevonPlace *place)
{
	place->known = true;
	place->passes = passes(slice, dims);
	place->series = dims;
	place->group = NULL;
	if (slice->grouped != 0)
		place->group = slice->grouped == slice->read ? dims :
			aevon_dims_project(slice->table, dims, slice->grouped);
}

static bool
passes(const AevonSlice *slice, const AevonDims *dims)
{
	if (dims->other)
		return slice->filtered == 0;
	return values_pass(slice, dims->items);
}

static bool
values_pass(const AevonSlice *slice, const JsonbValue *items)
{
	for (int i = 0; i < slice->measure->dimension_count; i++)
	{
		if (slice->filters[i].active && !filter_holds(&slice->filters[i], &items[i]))
			return false;
	}
	return true;
}

static bool
filter_holds(const SliceFilter *filter, const JsonbValue *value)
{
	return filter->count > 0 &&
		bsearch(value, filter->values, filter->count, sizeof(JsonbValue),
				compare_filter_values) != NULL;
}

/* How many series could pass; a large number if not every dimension is filtered. */
static int64
count_lookups(const AevonSlice *slice)
{
	int64		count = 1;

	if (slice->by_principal)
		return PG_INT64_MAX;
	for (int i = 0; i < slice->measure->dimension_count; i++)
	{
		if ((slice->read & ((AevonGrouping) 1 << i)) == 0)
			continue;
		if (!slice->filters[i].active || count * slice->filters[i].count > MAX_LOOKUPS)
			return PG_INT64_MAX;
		count *= slice->filters[i].count;
	}
	return count;
}

/* How many series would be read, about; at most `limit`. */
static int
count_series(const AevonSlice *slice, int limit)
{
	int64		lookups = count_lookups(slice);
	AevonSeriesRange range = {slice->measure->measure_key, slice->subject.tenant_key,
	slice->read, slice->subject.principal_key};

	if (lookups <= MAX_LOOKUPS)
		return (int) Min(lookups + 1, limit);
	return aevon_store_count_series(slice->store, &range, limit);
}

/* Of the subject and measure, inside the cut, in whole days around the range. */
static int64
count_events(const AevonSlice *slice, int64 low, int64 high)
{
	int64		minutes = aevon_tier_minutes(AEVON_TIER_1D);
	AevonSeries totals = {slice->measure->measure_key, slice->subject.tenant_key,
	slice->subject.principal_key};
	AevonVisit	visit = {.tier = AEVON_TIER_1D,.from = low,.until = high,.as_of = DT_NOEND};
	int64		events = 0;

	visit.series_key = aevon_store_find_series(slice->store, &totals);
	if (visit.series_key == 0)
		return 0;
	if (low != AEVON_WINDOW_MIN)
		visit.from = aevon_window_of(low, minutes);
	if (high != AEVON_WINDOW_MAX)
		visit.until = aevon_window_of(high - 1, minutes) + 1;
	aevon_store_visit(slice->store, &visit, count_state, &events);
	return events;
}

static void
count_state(void *context, int64 window, const AevonPartial *partial)
{
	int64	   *events = context;

	*events += partial->event_count;
}

/* Each combination of the values that pass, and what is folded together. */
static void
look_up_series(AevonSlice *slice, SeriesList *list, int64 lookups)
{
	const AevonMeasure *measure = slice->measure;

	for (int64 n = 0; n < lookups; n++)
	{
		JsonbParseState *state = NULL;
		Jsonb	   *document;
		int64		rest = n;

		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		for (int i = 0; i < measure->dimension_count; i++)
		{
			const SliceFilter *filter = &slice->filters[i];
			JsonbValue	name = {.type = jbvString};

			if ((slice->read & ((AevonGrouping) 1 << i)) == 0)
				continue;
			name.val.string.val = measure->dimensions[i].name;
			name.val.string.len = strlen(measure->dimensions[i].name);
			pushJsonbValue(&state, WJB_KEY, &name);
			pushJsonbValue(&state, WJB_VALUE, &filter->values[rest % filter->count]);
			rest /= filter->count;
		}
		document = JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
		look_up_one(slice, list, aevon_dims_of_values(slice->table, measure,
													  slice->subject.tenant_key, slice->read,
													  document));
	}
	look_up_one(slice, list, aevon_dims_other(slice->table, measure, slice->subject.tenant_key,
											  slice->read));
}

static void
look_up_one(AevonSlice *slice, SeriesList *list, const AevonDims *dims)
{
	int32		principal_key = slice->subject.principal_key;
	AevonSeries series = {slice->measure->measure_key, slice->subject.tenant_key,
	principal_key ? principal_key : -slice->subject.tenant_key, dims};
	int64		series_key = aevon_store_find_series(slice->store, &series);
	AevonSliceSeries *found;

	if (series_key == 0)
		return;
	found = add_series(list);
	found->series_key = series_key;
	set_place(slice, dims, &found->place);
}

static void
note_series(void *context, int64 series_key, int32 subject_key, Jsonb *values,
			const bytea *digest)
{
	SeriesList *list = context;
	AevonSlice *slice = list->slice;
	bool		other = VARSIZE_ANY_EXHDR(digest) < AEVON_DIMS_DIGEST_LENGTH;
	AevonStoredDims stored = {slice->read, values, digest};
	AevonSliceSeries *found;

	/* among the subjects is the tenant itself */
	if (slice->by_principal && subject_key < 0)
		return;
	if (slice->read != 0 && !other && !document_passes(slice, values))
		return;
	found = add_series(list);
	found->series_key = series_key;
	found->principal_key = slice->by_principal ? subject_key : 0;
	found->place.passes = true;
	if (slice->read != 0)
		set_place(slice, aevon_dims_of_series(slice->table, slice->measure,
											  slice->subject.tenant_key, &stored),
				  &found->place);
}

/* Before anything is remembered of a series: there may be many. */
static bool
document_passes(const AevonSlice *slice, const Jsonb *values)
{
	for (int i = 0; i < slice->measure->dimension_count; i++)
	{
		const char *name = slice->measure->dimensions[i].name;
		JsonbValue	value;

		if (!slice->filters[i].active)
			continue;
		if (getKeyJsonValueFromContainer(unconstify(JsonbContainer *, &values->root), name,
										 strlen(name), &value) == NULL ||
			!filter_holds(&slice->filters[i], &value))
			return false;
	}
	return true;
}

static AevonSliceSeries *
add_series(SeriesList *list)
{
	if (list->count == list->capacity)
	{
		Size		size;

		list->capacity = list->capacity * 2 + 16;
		size = list->capacity * sizeof(AevonSliceSeries);
		if (list->series == NULL)
			list->series = palloc(size);
		else
			list->series = repalloc_huge(list->series, size);
	}
	memset(&list->series[list->count], 0, sizeof(AevonSliceSeries));
	return &list->series[list->count++];
}

static int
compare_series(const void *a, const void *b)
{
	int64		x = ((const AevonSliceSeries *) a)->series_key;
	int64		y = ((const AevonSliceSeries *) b)->series_key;

	return x < y ? -1 : x > y ? 1 : 0;
}
