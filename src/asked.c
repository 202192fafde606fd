/*
 * asked.c
 *		The series that a caller asks for by the argument "dims".
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "asked.h"
#include "errors.h"

static AevonGrouping read_names(const AevonRule *rule, const Jsonb *dims, bool *other);
static bool is_other(const JsonbValue *value);
static void refuse_grouping(const AevonRule *rule) pg_attribute_noreturn();
static char *list_names(const AevonMeasure *measure, uint32 which);

AevonDims *
aevon_asked_dims(AevonDimsTable *table, const AevonRule *rule, const AevonSubject *subject,
				 const Jsonb *dims)
{
	const AevonMeasure *measure = rule->measure;
	bool		other;
	AevonGrouping grouping;

	if (dims == NULL)
		return NULL;
	if (!JB_ROOT_IS_OBJECT(dims))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"dims\" must be a JSON object"),
				 errdetail("Its members are names of dimensions and their values.")));
	grouping = read_names(rule, dims, &other);
	if (grouping == 0)
		return NULL;
	if (grouping != aevon_dims_full_grouping(measure) &&
		(subject->principal_key != 0 || (grouping & (grouping - 1)) != 0 ||
		 (grouping & measure->rollups) == 0))
		refuse_grouping(rule);
	if (other)
		return aevon_dims_other(table, measure, subject->tenant_key, grouping);
	return aevon_dims_of_values(table, measure, subject->tenant_key, grouping, dims);
}

/* Which dimensions have values, and are all of these __other__? */
static AevonGrouping
read_names(const AevonRule *rule, const Jsonb *dims, bool *other)
{
	AevonGrouping grouping = 0;
	JsonbIterator *iterator = JsonbIteratorInit(unconstify(JsonbContainer *, &dims->root));
	JsonbIteratorToken token;
	JsonbValue	item;
	const char *name = "";

	*other = true;
	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		int			dimension;

		if (token == WJB_KEY)
			name = pnstrdup(item.val.string.val, item.val.string.len);
		if (token != WJB_VALUE)
			continue;
		dimension = aevon_dims_find(rule->measure, name);
		if (dimension < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("rule \"%s\" has no dimension \"%s\"", rule->name,
							aevon_error_excerpt(name)),
					 rule->measure->dimension_count == 0 ? 0 :
					 errhint("It has %s.", list_names(rule->measure, ~(uint32) 0))));
		if (!IsAJsonbScalar(&item))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the value of dimension \"%s\" is an object or an array", name),
					 errdetail("A dimension's value is a string, number, boolean or null.")));
		grouping |= (AevonGrouping) 1 << dimension;
		*other &= is_other(&item);
	}
	return grouping;
}

static bool
is_other(const JsonbValue *value)
{
	return value->type == jbvString && value->val.string.len == strlen(AEVON_OTHER) &&
		memcmp(value->val.string.val, AEVON_OTHER, strlen(AEVON_OTHER)) == 0;
}

static void
refuse_grouping(const AevonRule *rule)
{
	const AevonMeasure *measure = rule->measure;

	if (measure->rollups == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"dims\" must have a value for each dimension of rule \"%s\"", rule->name),
				 errhint("Give %s.", list_names(measure, ~(uint32) 0))));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"dims\" must have a value for each dimension of rule \"%s\"", rule->name),
			 errhint("Give %s; or, for the whole tenant, one that the rule rolls up: %s.",
					 list_names(measure, ~(uint32) 0), list_names(measure, measure->rollups))));
}

static char *
list_names(const AevonMeasure *measure, uint32 which)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < measure->dimension_count; i++)
	{
		if (which & ((uint32) 1 << i))
			appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? ", " : "",
							 measure->dimensions[i].name);
	}
	return names.data;
}
