/*
 * rule_dimensions.c
 *		The dimensions of a rule's definition, checked and in one form.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "catalog.h"
#include "dictionary.h"
#include "dims.h"
#include "errors.h"
#include "json.h"
#include "path.h"
#include "rule_dimensions.h"

/* Of the newest events so many are read, and so many of the type are checked. */
#define EVENTS_READ 1000
#define EVENTS_CHECKED 100

static void check_is_object(const Jsonb *dimensions);
static char *canonical_dimension(const AevonDimension *dimension);
static void check_rollup(const AevonDimension *dimensions, int count, const char *name);
static void check_value(const AevonDimension *dimension, AevonPath *path, Jsonb *data);
static int	compare_dimensions(const void *a, const void *b);
static int	compare_names(const ListCell *a, const ListCell *b);

Jsonb *
aevon_rule_dimensions(const AevonRuleDefinition *definition)
{
	AevonJson	json = {0};
	AevonDimension *dimensions = NULL;
	int			count = 0;

	if (definition->dimensions != NULL)
	{
		check_is_object(definition->dimensions);
		dimensions = aevon_rule_read_dimensions(definition->dimensions, &count);
	}
	if (count > AEVON_MAX_DIMENSIONS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many dimensions"),
				 errdetail("The rule has %d dimensions, of at most %d.", count,
						   AEVON_MAX_DIMENSIONS)));
	aevon_json_token(&json, WJB_BEGIN_OBJECT);
	for (int i = 0; i < count; i++)
	{
		aevon_json_text(&json, dimensions[i].name, canonical_dimension(&dimensions[i]));
	}
	aevon_json_token(&json, WJB_END_OBJECT);
	return aevon_json_finish(&json);
}

List *
aevon_rule_rollups(const AevonRuleDefinition *definition, const Jsonb *dimensions)
{
	List	   *rollups = NIL;
	int			count;
	AevonDimension *known = aevon_rule_read_dimensions(unconstify(Jsonb *, dimensions), &count);

	for (int i = 0; i < definition->rollup_count; i++)
	{
		const char *name = definition->rollups[i];
		ListCell   *cell;

		check_rollup(known, count, name);
		foreach(cell, rollups)
		{
			if (strcmp(lfirst(cell), name) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("roll-up \"%s\" is given twice", name)));
		}
		rollups = lappend(rollups, pstrdup(name));
	}
	if (definition->rollup_count < 0)
	{
		for (int i = 0; i < count; i++)
			rollups = lappend(rollups, known[i].name);
	}
	/* of a single dimension, its values are the full combinations */
	if (count == 1)
		return NIL;
	list_sort(rollups, compare_names);
	return rollups;
}

void
aevon_rule_check_dimensions(const AevonRuleDefinition *definition, int32 tenant_key,
							const Jsonb *dimensions)
{
	Datum		values[4] = {
		Int32GetDatum(tenant_key), Int32GetDatum(0), Int64GetDatum(EVENTS_READ),
		Int64GetDatum(EVENTS_CHECKED)
	};
	int			count;
	AevonDimension *known = aevon_rule_read_dimensions(unconstify(Jsonb *, dimensions), &count);
	SPITupleTable *events;
	uint64		found;

	if (count == 0)
		return;
	if (strcmp(definition->event_type, "*") != 0)
	{
		int32		type_key = aevon_dictionary_find(AEVON_DICTIONARY_EVENT_TYPE, 0,
													 definition->event_type);

		if (type_key == 0)
			return;
		values[1] = Int32GetDatum(type_key);
	}
	aevon_catalog_run(tenant_key == 0 ? AEVON_QUERY_NEWEST_EVENTS :
					  AEVON_QUERY_NEWEST_EVENTS_OF_TENANT, values, NULL, true);
	events = SPI_tuptable;
	found = SPI_processed;
	for (int i = 0; i < count; i++)
	{
		AevonPath  *path = aevon_path_compile(known[i].path_text, "dimension");

		for (uint64 k = 0; k < found; k++)
		{
			bool		isnull;
			Datum		data = SPI_getbinval(events->vals[k], events->tupdesc, 1, &isnull);

			check_value(&known[i], path, DatumGetJsonbP(data));
		}
	}
	SPI_freetuptable(events);
}

AevonDimension *
aevon_rule_read_dimensions(Jsonb *dimensions, int *count)
{
	AevonDimension *found = palloc0(Max(JB_ROOT_COUNT(dimensions), 1) * sizeof(AevonDimension));
	JsonbIterator *iterator = JsonbIteratorInit(&dimensions->root);
	JsonbIteratorToken token;
	JsonbValue	item;

	*count = 0;
	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			found[*count].name = pnstrdup(item.val.string.val, item.val.string.len);
		if (token != WJB_VALUE)
			continue;
		if (item.type == jbvString)
			found[*count].path_text = pnstrdup(item.val.string.val, item.val.string.len);
		(*count)++;
	}
	qsort(found, *count, sizeof(AevonDimension), compare_dimensions);
	return found;
}

static void
check_is_object(const Jsonb *dimensions)
{
	if (!JB_ROOT_IS_OBJECT(dimensions))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dimensions must be a JSON object"),
				 errdetail("Its members are names and their jsonpaths.")));
}

static char *
canonical_dimension(const AevonDimension *dimension)
{
	size_t		length;
	char	   *canonical;

	aevon_error_require_name(dimension->name, "dimension");
	if (strcmp(dimension->name, AEVON_OTHER) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a dimension must not be named \"%s\"", AEVON_OTHER),
				 errdetail("In answers it marks the group of events that are folded together.")));
	if (strcmp(dimension->name, AEVON_PRINCIPAL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a dimension must not be named \"%s\"", AEVON_PRINCIPAL),
				 errdetail("To aevon_top that word means the principals of events."),
				 errhint("Give it another name, such as \"customer\".")));
	if (dimension->path_text == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dimension \"%s\" is not a string", dimension->name),
				 errdetail("A dimension is given by its jsonpath.")));
	length = strlen(dimension->path_text);
	if (length > AEVON_MAX_PATH)
		ereport(ERROR,
				(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				 errmsg("dimension \"%s\" is too long", dimension->name),
				 errdetail("The jsonpath has %zu bytes, of at most %d.", length, AEVON_MAX_PATH)));
	canonical = pstrdup(aevon_path_text(aevon_path_compile(dimension->path_text, "dimension")));
	if (strcmp(canonical, "$") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dimension \"%s\" yields an object", dimension->name),
				 errdetail("A dimension's value is a string, number, boolean or null; $ is the whole of data."),
				 errhint("Name a member, such as $.country.")));
	return canonical;
}

static void
check_rollup(const AevonDimension *dimensions, int count, const char *name)
{
	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a roll-up must not be null")));
	for (int i = 0; i < count; i++)
	{
		if (strcmp(dimensions[i].name, name) == 0)
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("roll-up \"%s\" is not a dimension of the rule", aevon_error_excerpt(name)),
			 errhint("Roll-ups are names of the rule's dimensions.")));
}

/* The value itself is not shown: it may not be the definer's to see. */
static void
check_value(const AevonDimension *dimension, AevonPath *path, Jsonb *data)
{
	JsonbValue	item;

	if (aevon_path_item(path, data, &item) != AEVON_MATCH_YES || IsAJsonbScalar(&item))
		return;
	if (item.type == jbvBinary && JsonContainerIsScalar(item.val.binary.data))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("dimension \"%s\" yields an object or an array", dimension->name),
			 errdetail("So it does in one of the newest events; a dimension's value is a string, number, boolean or null."),
			 errhint("Name a member of it, or an element such as $.tags[0].")));
}

static int
compare_dimensions(const void *a, const void *b)
{
	return strcmp(((const AevonDimension *) a)->name, ((const AevonDimension *) b)->name);
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}
