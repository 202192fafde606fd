/*
 * slicing.c
 *		What a caller asks for by dimensions, and the order of what it gets.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "errors.h"
#include "slicing.h"

static void check_filter(Jsonb *dims);
static void check_filter_value(const JsonbValue *name, const JsonbValue *value);
static void read_group_by(ArrayType *group_by, AevonSlicing *slicing);
static const char *missing_dimension(const AevonSlicing *slicing, const AevonMeasure *measure);
static char *dimension_names(const AevonMeasure *measure);
static char *dimension_names_of(List *rules);
static int	rank_of_type(const JsonbValue *value);

AevonSlicing *
aevon_slicing_request(Jsonb *dims, ArrayType *group_by)
{
	AevonSlicing *slicing = palloc0(sizeof(AevonSlicing));

	if (dims != NULL)
	{
		check_filter(dims);
		if (JB_ROOT_COUNT(dims) > 0)
			slicing->filter = dims;
	}
	if (group_by != NULL)
		read_group_by(group_by, slicing);
	return slicing->filter != NULL || slicing->group_count > 0 ? slicing : NULL;
}

List *
aevon_slicing_select(const AevonSlicing *slicing, List *rules, bool named)
{
	List	   *selected = NIL;
	ListCell   *cell;

	if (slicing == NULL)
		return rules;
	foreach(cell, rules)
	{
		const AevonRule *rule = lfirst(cell);
		const char *missing = missing_dimension(slicing, rule->measure);

		if (missing != NULL && named)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("rule \"%s\" has no dimension \"%s\"", rule->name,
							aevon_error_excerpt(missing)),
					 rule->measure->dimension_count == 0 ?
					 errhint("The rule has no dimensions.") :
					 errhint("The rule's dimensions are %s.", dimension_names(rule->measure))));
		if (missing == NULL)
			selected = lappend(selected, (void *) rule);
	}
	if (selected == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no rule has all the dimensions asked for"),
				 errhint("Dimensions of the rules are: %s.", dimension_names_of(rules))));
	return selected;
}

Jsonb *
aevon_slicing_document(const AevonDims *group)
{
	JsonbParseState *state = NULL;
	JsonbValue	name = {.type = jbvString};
	JsonbValue	value = {.type = jbvBool};
	JsonbIterator *iterator;
	JsonbIteratorToken token;

	if (group != NULL && !group->other)
		return aevon_dims_values(group);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (group != NULL)
	{
		name.val.string.val = AEVON_OTHER;
		name.val.string.len = strlen(AEVON_OTHER);
		value.val.boolean = true;
		pushJsonbValue(&state, WJB_KEY, &name);
		pushJsonbValue(&state, WJB_VALUE, &value);
		iterator = JsonbIteratorInit(&aevon_dims_values(group)->root);
		while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
		{
			if (token == WJB_KEY || token == WJB_VALUE)
				pushJsonbValue(&state, token, &value);
		}
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

int
aevon_slicing_compare(const AevonSlicing *slicing, const AevonDims *a, const AevonDims *b)
{
	if (a == NULL || b == NULL)
		return 0;
	if (a->other || b->other)
		return (int) a->other - (int) b->other;
	for (int i = 0; i < slicing->group_count; i++)
	{
		int			number = aevon_dims_find(a->measure, slicing->groups[i]);
		int			order = aevon_slicing_compare_values(&a->items[number], &b->items[number]);

		if (order != 0)
			return order;
	}
	return 0;
}

int
aevon_slicing_compare_values(const JsonbValue *a, const JsonbValue *b)
{
	int			order;

	if (a->type != b->type)
		return rank_of_type(a) - rank_of_type(b);
	switch (a->type)
	{
		case jbvString:
			order = memcmp(a->val.string.val, b->val.string.val,
						   Min(a->val.string.len, b->val.string.len));
			return order != 0 ? order : a->val.string.len - b->val.string.len;
		case jbvNumeric:
			return DatumGetInt32(DirectFunctionCall2(numeric_cmp,
													 NumericGetDatum(a->val.numeric),
													 NumericGetDatum(b->val.numeric)));
		case jbvBool:
			return (int) a->val.boolean - (int) b->val.boolean;
		default:
			return 0;
	}
}

static void
check_filter(Jsonb *dims)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	name = {.type = jbvString};
	JsonbValue	value;

	if (!JB_ROOT_IS_OBJECT(dims))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"dims\" must be a JSON object"),
				 errdetail("Its members are names of dimensions, each with a value or an array of values.")));
	iterator = JsonbIteratorInit(&dims->root);
	JsonbIteratorNext(&iterator, &value, true);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = value;
		else if (token == WJB_VALUE)
			check_filter_value(&name, &value);
	}
}

/* A scalar, or an array of them. */
static void
check_filter_value(const JsonbValue *name, const JsonbValue *value)
{
	bool		good = value->type != jbvBinary;

	if (!good && JsonContainerIsArray(value->val.binary.data))
	{
		JsonbIterator *iterator = JsonbIteratorInit(value->val.binary.data);
		JsonbIteratorToken token;
		JsonbValue	element;

		good = true;
		JsonbIteratorNext(&iterator, &element, true);
		while ((token = JsonbIteratorNext(&iterator, &element, true)) != WJB_DONE)
		{
			if (token == WJB_ELEM && element.type == jbvBinary)
				good = false;
		}
	}
	if (!good)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"dims\" asks for no value of dimension \"%s\"",
						aevon_error_excerpt(pnstrdup(name->val.string.val, name->val.string.len))),
				 errdetail("A value is a string, a number, a boolean or null, or an array of them, any of which will do.")));
}

static void
read_group_by(ArrayType *group_by, AevonSlicing *slicing)
{
	Datum	   *elements;
	bool	   *nulls;

	deconstruct_array(group_by, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls,
					  &slicing->group_count);
	if (slicing->group_count > AEVON_MAX_DIMENSIONS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many names in \"group_by\""),
				 errdetail("There are %d, and a rule has at most %d dimensions.",
						   slicing->group_count, AEVON_MAX_DIMENSIONS)));
	slicing->groups = palloc(Max(slicing->group_count, 1) * sizeof(char *));
	for (int i = 0; i < slicing->group_count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("a name in \"group_by\" must not be null")));
		slicing->groups[i] = TextDatumGetCString(elements[i]);
		for (int k = 0; k < i; k++)
		{
			if (strcmp(slicing->groups[i], slicing->groups[k]) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("\"group_by\" names dimension \"%s\" twice",
								aevon_error_excerpt(slicing->groups[i]))));
		}
	}
}

/* The first dimension asked for that the measure lacks, or NULL. */
static const char *
missing_dimension(const AevonSlicing *slicing, const AevonMeasure *measure)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	item;

	for (int i = 0; i < slicing->group_count; i++)
	{
		if (aevon_dims_find(measure, slicing->groups[i]) < 0)
			return slicing->groups[i];
	}
	if (slicing->filter == NULL)
		return NULL;
	iterator = JsonbIteratorInit(&slicing->filter->root);
	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		char	   *name;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(item.val.string.val, item.val.string.len);
		if (aevon_dims_find(measure, name) < 0)
			return name;
	}
	return NULL;
}

/* "a", "b", ... */
static char *
dimension_names(const AevonMeasure *measure)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < measure->dimension_count; i++)
		appendStringInfo(&names, "%s\"%s\"", i > 0 ? ", " : "", measure->dimensions[i].name);
	return names.data;
}

/* Of every rule that has any. */
static char *
dimension_names_of(List *rules)
{
	StringInfoData names;
	ListCell   *cell;

	initStringInfo(&names);
	foreach(cell, rules)
	{
		const AevonRule *rule = lfirst(cell);

		if (rule->measure->dimension_count > 0)
			appendStringInfo(&names, "%s%s of \"%s\"", names.len > 0 ? "; " : "",
							 dimension_names(rule->measure), rule->name);
	}
	return names.len > 0 ? names.data : "none";
}

static int
rank_of_type(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return 1;
		case jbvNumeric:
			return 2;
		case jbvBool:
			return 3;
		default:
			return 0;
	}
}
