/*
 * metric.c
 *		A day's metric as a snapshot keeps it: every statistic of a measure.
 */
#include "postgres.h"

#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "fold.h"
#include "json.h"
#include "metric.h"

static bool starts_at_zero(const char *key);

Jsonb *
aevon_metric_stats(const AevonMeasure *measure, const AevonPartial *partial)
{
	AevonJson	json = {0};

	aevon_json_token(&json, WJB_BEGIN_OBJECT);
	aevon_json_number(&json, "skipped", int64_to_numeric(partial->skipped));
	for (int i = 0; i < AEVON_QUANTILE; i++)
	{
		const AevonOperator *op = &aevon_plain_operators[i];

		if (i != AEVON_COUNT && measure->value == NULL)
			continue;
		if ((i == AEVON_LAST && !(measure->features & AEVON_KEEP_LAST)) ||
			(i == AEVON_DISTINCT && !(measure->features & AEVON_KEEP_DISTINCT)))
			continue;
		aevon_json_number(&json, op->name, aevon_fold_final(partial, op));
	}
	for (int i = 0; i < measure->quantile_count; i++)
		aevon_json_number(&json, measure->quantiles[i].name,
						  aevon_fold_final(partial, &measure->quantiles[i]));
	aevon_json_token(&json, WJB_END_OBJECT);
	return aevon_json_finish(&json);
}

Jsonb *
aevon_metric_delta(const Jsonb *now, const Jsonb *before)
{
	AevonJson	json = {0};
	JsonbIterator *it = JsonbIteratorInit(unconstify(JsonbContainer *, &now->root));
	JsonbIteratorToken token;
	JsonbValue	item;
	const char *key = "";

	aevon_json_token(&json, WJB_BEGIN_OBJECT);
	while ((token = JsonbIteratorNext(&it, &item, false)) != WJB_DONE)
	{
		Numeric		old = NULL;

		if (token == WJB_KEY)
			key = pnstrdup(item.val.string.val, item.val.string.len);
		if (token != WJB_VALUE)
			continue;
		if (before != NULL)
			old = aevon_metric_number(before, key);
		else if (starts_at_zero(key))
			old = int64_to_numeric(0);
		if (item.type != jbvNumeric || old == NULL)
			aevon_json_number(&json, key, NULL);
		else
			aevon_json_number(&json, key,
							  DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale,
																  NumericGetDatum(numeric_sub_opt_error(item.val.numeric, old, NULL)))));
	}
	aevon_json_token(&json, WJB_END_OBJECT);
	return aevon_json_finish(&json);
}

Numeric
aevon_metric_number(const Jsonb *document, const char *key)
{
	JsonbValue	value;
	JsonbValue *found = getKeyJsonValueFromContainer(unconstify(JsonbContainer *, &document->root),
													 key, strlen(key), &value);

	return found != NULL && found->type == jbvNumeric ? found->val.numeric : NULL;
}

static bool
starts_at_zero(const char *key)
{
	return strcmp(key, "count") == 0 || strcmp(key, "skipped") == 0 ||
		strcmp(key, "sum") == 0 || strcmp(key, "distinct") == 0;
}
