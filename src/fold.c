/*
 * fold.c
 *		The fold: event -> partial state -> merge -> final value.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "dictionary.h"
#include "digest.h"
#include "fold.h"

static void take_value(const AevonMeasure *measure, AevonContribution *contribution);
static void apply_value(const AevonDecimal *value, AevonPartial *partial);
static TimestampTz day_end(TimestampTz at);
static void offer_event_as_last(const AevonContribution *contribution, AevonPartial *partial);
static Numeric average(const AevonPartial *partial);
static Numeric quantile(const AevonPartial *partial, int32 parts);

bool
aevon_fold_evaluate(const AevonMeasure *measure, AevonLogRow *row,
					AevonContribution *contribution)
{
	AevonMatch	match = aevon_fold_match(measure, row);

	if (match == AEVON_MATCH_NO)
		return false;
	aevon_fold_take(measure, row, match, contribution);
	return true;
}

AevonMatch
aevon_fold_match(const AevonMeasure *measure, AevonLogRow *row)
{
	if (measure->type_key != 0 && measure->type_key != row->type_key)
		return AEVON_MATCH_NO;
	if (measure->tenant_key != 0 && measure->tenant_key != row->tenant_key)
		return AEVON_MATCH_NO;
	return measure->filter == NULL ? AEVON_MATCH_YES :
		aevon_path_match(measure->filter, aevon_log_row_data(row));
}

void
aevon_fold_take(const AevonMeasure *measure, AevonLogRow *row, AevonMatch match,
				AevonContribution *contribution)
{
	memset(contribution, 0, sizeof(*contribution));
	contribution->row = row;
	if (match == AEVON_MATCH_ERROR)
		return;
	if (measure->value == NULL)
		contribution->has_value = true; /* the number 0: nothing to skip */
	else
		take_value(measure, contribution);
}

/* As aevon_partial_merge with the state of this one event. */
void
aevon_fold_apply(const AevonMeasure *measure, const AevonContribution *contribution,
				 AevonPartial *partial)
{
	const AevonLogRow *row = contribution->row;

	if (partial->event_count == 0)
	{
		partial->min_stamp = partial->max_stamp = row->stamp;
		partial->min_ingested = partial->max_ingested = row->ingested_at;
	}
	else
	{
		partial->min_stamp = Min(partial->min_stamp, row->stamp);
		partial->max_stamp = Max(partial->max_stamp, row->stamp);
		partial->min_ingested = Min(partial->min_ingested, row->ingested_at);
		partial->max_ingested = Max(partial->max_ingested, row->ingested_at);
	}
	if (contribution->has_value)
		apply_value(&contribution->value, partial);
	else
		partial->skipped++;
	partial->event_count++;
	if (row->ingested_at >= day_end(row->occurred_at))
		partial->late++;
	if ((measure->features & AEVON_KEEP_LAST) && contribution->has_value)
		offer_event_as_last(contribution, partial);
	if ((measure->features & AEVON_KEEP_QUANTILES) && contribution->has_value)
		aevon_partial_add_quantile(partial, &contribution->value);
	if (contribution->has_digest)
		aevon_partial_add_distinct(partial, contribution->digest);
}

Numeric
aevon_fold_final(const AevonPartial *partial, const AevonOperator *op)
{
	bool		any = partial->event_count > partial->skipped;

	switch (op->statistic)
	{
		case AEVON_COUNT:
			return int64_to_numeric(partial->event_count);
		case AEVON_SUM:
			return any ? aevon_decimal_to_numeric(&partial->sum) : int64_to_numeric(0);
		case AEVON_MIN:
			return any ? aevon_decimal_to_numeric(&partial->min) : NULL;
		case AEVON_MAX:
			return any ? aevon_decimal_to_numeric(&partial->max) : NULL;
		case AEVON_AVG:
			return any ? average(partial) : NULL;
		case AEVON_LAST:
			return partial->last ? aevon_decimal_to_numeric(&partial->last->value) : NULL;
		case AEVON_DISTINCT:
			return int64_to_numeric(partial->distinct == NULL ? 0 :
									Min(aevon_distinct_count(partial->distinct),
										partial->event_count));
		case AEVON_QUANTILE:
			return partial->quantiles ? quantile(partial, op->parts) : NULL;
	}
	return NULL;
}

static void
take_value(const AevonMeasure *measure, AevonContribution *contribution)
{
	JsonbValue	item;

	if (aevon_path_item(measure->value, aevon_log_row_data(contribution->row),
						&item) != AEVON_MATCH_YES)
		return;
	if (item.type == jbvNumeric)
		contribution->has_value = aevon_decimal_from_numeric(item.val.numeric,
															 &contribution->value);
	if ((measure->features & AEVON_KEEP_DISTINCT) && item.type != jbvNull)
	{
		contribution->has_digest = true;
		contribution->digest = aevon_digest_value(&item);
	}
}

/* Before the event is counted. */
static void
apply_value(const AevonDecimal *value, AevonPartial *partial)
{
	if (partial->event_count == partial->skipped)
	{
		aevon_decimal_copy(&partial->sum, value);
		aevon_decimal_copy(&partial->min, value);
		aevon_decimal_copy(&partial->max, value);
		return;
	}
	aevon_decimal_add(&partial->sum, value);
	if (aevon_decimal_compare(value, &partial->min) < 0)
		aevon_decimal_copy(&partial->min, value);
	else if (aevon_decimal_compare(value, &partial->max) > 0)
		aevon_decimal_copy(&partial->max, value);
}

static TimestampTz
day_end(TimestampTz at)
{
	return (aevon_window_of(at, AEVON_DAY) + 1) * AEVON_DAY;
}

/* Names are only looked up for events that may be the last. */
static void
offer_event_as_last(const AevonContribution *contribution, AevonPartial *partial)
{
	AevonLast	last;

	if (partial->last != NULL && contribution->row->occurred_at < partial->last->occurred_at)
		return;
	last.occurred_at = contribution->row->occurred_at;
	last.principal = aevon_dictionary_name(AEVON_DICTIONARY_PRINCIPAL,
										   contribution->row->principal_key);
	last.event_id = aevon_log_row_event_id(contribution->row);
	last.value = contribution->value;
	aevon_partial_offer_last(partial, &last);
	pfree(last.principal);
	pfree(last.event_id);
}

/* As PostgreSQL divides numerics, less trailing zeros. */
static Numeric
average(const AevonPartial *partial)
{
	Numeric		count = int64_to_numeric(partial->event_count - partial->skipped);
	Numeric		sum = aevon_decimal_to_numeric(&partial->sum);
	Numeric		quotient = numeric_div_opt_error(sum, count, NULL);

	return DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale,
											   NumericGetDatum(quotient)));
}

/*
 * With six digits, unless it lies outside of what was measured: then the
 * nearest that was.
 */
static Numeric
quantile(const AevonPartial *partial, int32 parts)
{
	char		digits[32];
	AevonDecimal value = {0};

	snprintf(digits, sizeof(digits), "%.5e", aevon_quantiles_at(partial->quantiles, parts));
	value.big = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(digits),
													ObjectIdGetDatum(InvalidOid),
													Int32GetDatum(-1)));
	if (aevon_decimal_compare(&value, &partial->max) > 0)
		return aevon_decimal_to_numeric(&partial->max);
	if (aevon_decimal_compare(&value, &partial->min) < 0)
		return aevon_decimal_to_numeric(&partial->min);
	return aevon_decimal_to_numeric(&value);
}
