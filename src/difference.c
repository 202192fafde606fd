/*
 * difference.c
 *		What is stored and what a recount gives, told apart and told of.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/numeric.h"

#include "difference.h"
#include "fold.h"
#include "json.h"

static const char *const tier_names[AEVON_TIER_COUNT] = {
	[AEVON_TIER_1M] = "bucket_1m",
	[AEVON_TIER_1H] = "bucket_1h",
	[AEVON_TIER_1D] = "bucket_1d",
};

static bool equal_last(const AevonLast *a, const AevonLast *b);
static Jsonb *partial_document(const AevonComparison *state, const AevonPartial *partial);
static void push_sketches(AevonJson *json, const AevonMeasure *measure,
						  const AevonPartial *partial);
static Jsonb *fault_document(const AevonComparison *state, const char *fault);

bool
aevon_difference_equal(const AevonPartial *a, const AevonPartial *b)
{
	if (a->event_count != b->event_count || a->skipped != b->skipped || a->late != b->late)
		return false;
	if (a->event_count == 0)
		return true;
	if (a->min_stamp != b->min_stamp || a->max_stamp != b->max_stamp ||
		a->min_ingested != b->min_ingested || a->max_ingested != b->max_ingested)
		return false;
	if (!aevon_partial_equal_sketches(a, b))
		return false;
	if (a->event_count == a->skipped)
		return true;
	return aevon_decimal_compare(&a->sum, &b->sum) == 0 &&
		aevon_decimal_compare(&a->min, &b->min) == 0 &&
		aevon_decimal_compare(&a->max, &b->max) == 0 && equal_last(a->last, b->last);
}

void
aevon_difference_report(AevonComparison *state, AevonTier tier, int64 window, const AevonPartial *stored,
						const AevonPartial *recomputed)
{
	AevonDifference difference = {
		.tier = tier,
		.what = tier_names[tier],
		.series_key = state->series_key,
		.window_start = window * aevon_tier_minutes(tier) * AEVON_MINUTE,
	};

	if (stored != NULL)
		difference.stored = partial_document(state, stored);
	if (recomputed != NULL)
		difference.recomputed = partial_document(state, recomputed);
	state->found++;
	state->visitor(state->context, &difference);
}

void
aevon_difference_report_fault(AevonComparison *state, AevonTier tier, const char *fault)
{
	AevonDifference difference = {
		.tier = tier,
		.what = tier_names[tier],
		.series_key = state->series_key,
		.unreadable = true,
		.stored = fault_document(state, fault),
	};

	state->found++;
	state->visitor(state->context, &difference);
}

static bool
equal_last(const AevonLast *a, const AevonLast *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->occurred_at == b->occurred_at && strcmp(a->principal, b->principal) == 0 &&
		strcmp(a->event_id, b->event_id) == 0 &&
		aevon_decimal_compare(&a->value, &b->value) == 0;
}

static Jsonb *
partial_document(const AevonComparison *state, const AevonPartial *partial)
{
	AevonJson	json = {0};

	aevon_json_token(&json, WJB_BEGIN_OBJECT);
	aevon_dims_push(&json, state->dims);
	aevon_json_number(&json, "event_count", int64_to_numeric(partial->event_count));
	aevon_json_number(&json, "skipped", int64_to_numeric(partial->skipped));
	aevon_json_number(&json, "late_count", int64_to_numeric(partial->late));
	for (int i = AEVON_SUM; i <= AEVON_MAX && state->measure->value != NULL; i++)
		aevon_json_number(&json, aevon_plain_operators[i].name,
						  aevon_fold_final(partial, &aevon_plain_operators[i]));
	if (partial->last != NULL)
	{
		aevon_json_number(&json, "last", aevon_decimal_to_numeric(&partial->last->value));
		aevon_json_time(&json, "last_occurred_at", partial->last->occurred_at);
		aevon_json_text(&json, "last_principal", partial->last->principal);
		aevon_json_text(&json, "last_event_id", partial->last->event_id);
	}
	push_sketches(&json, state->measure, partial);
	aevon_json_number(&json, "min_stamp", int64_to_numeric(partial->min_stamp));
	aevon_json_number(&json, "max_stamp", int64_to_numeric(partial->max_stamp));
	aevon_json_time(&json, "first_ingested_at", partial->min_ingested);
	aevon_json_time(&json, "last_ingested_at", partial->max_ingested);
	aevon_json_token(&json, WJB_END_OBJECT);
	return aevon_json_finish(&json);
}

/* What they say, and a number that tells them apart when that is the same. */
static void
push_sketches(AevonJson *json, const AevonMeasure *measure, const AevonPartial *partial)
{
	StringInfoData buf;

	if (!(measure->features & AEVON_KEEP_SKETCHES))
		return;
	initStringInfo(&buf);
	if (measure->features & AEVON_KEEP_DISTINCT)
		aevon_json_number(json, "distinct",
						  aevon_fold_final(partial, &aevon_plain_operators[AEVON_DISTINCT]));
	for (int i = 0; i < measure->quantile_count; i++)
		aevon_json_number(json, measure->quantiles[i].name,
						  aevon_fold_final(partial, &measure->quantiles[i]));
	if (partial->quantiles != NULL)
		aevon_quantiles_encode(&buf, partial->quantiles);
	if (partial->distinct != NULL)
		aevon_distinct_encode(&buf, partial->distinct);
	aevon_json_number(json, "sketch_digest",
					  int64_to_numeric(hash_bytes((const unsigned char *) buf.data, buf.len)));
}

static Jsonb *
fault_document(const AevonComparison *state, const char *fault)
{
	AevonJson	json = {0};

	aevon_json_token(&json, WJB_BEGIN_OBJECT);
	aevon_dims_push(&json, state->dims);
	aevon_json_text(&json, "row", fault);
	aevon_json_token(&json, WJB_END_OBJECT);
	return aevon_json_finish(&json);
}
