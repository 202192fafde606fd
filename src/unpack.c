/*
 * unpack.c
 *		aevon.unpack_bucket: the windows packed in one row; and
 *		aevon.unpack_minutes: together with open minutes, for the views.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "bucket.h"
#include "decimal.h"

#define COLUMNS 13

PG_FUNCTION_INFO_V1(aevon_unpack_bucket);
PG_FUNCTION_INFO_V1(aevon_unpack_minutes);

static void put_entry(ReturnSetInfo *result, const AevonPackedEntry *entry, int64 unit);
static void put_value(Datum *values, bool *nulls, int column, const AevonDecimal *value);

Datum
aevon_unpack_bucket(PG_FUNCTION_ARGS)
{
	const bytea *state = PG_GETARG_BYTEA_PP(0);
	int64		unit = PG_GETARG_INT32(1) * AEVON_MINUTE;
	AevonPacked packed;

	InitMaterializedSRF(fcinfo, 0);
	aevon_packed_decode(state, false, &packed);
	for (int i = 0; i < packed.count; i++)
		put_entry((ReturnSetInfo *) fcinfo->resultinfo, &packed.entries[i], unit);
	return (Datum) 0;
}

Datum
aevon_unpack_minutes(PG_FUNCTION_ARGS)
{
	int64		from = PG_ARGISNULL(2) ? PG_INT64_MIN : PG_GETARG_INT64(2);
	int64		until = PG_ARGISNULL(3) ? PG_INT64_MAX : PG_GETARG_INT64(3);
	AevonPackedReader open;
	AevonPacked packed = {0};

	InitMaterializedSRF(fcinfo, 0);
	if (!PG_ARGISNULL(0))
		aevon_packed_decode(PG_GETARG_BYTEA_PP(0), false, &packed);
	if (!PG_ARGISNULL(1))
	{
		aevon_packed_open(PG_GETARG_BYTEA_PP(1), &open);
		while (aevon_packed_next(&open, from, until))
			aevon_packed_add(&packed, open.window, &open.partial);
	}
	for (int i = 0; i < packed.count; i++)
		put_entry((ReturnSetInfo *) fcinfo->resultinfo, &packed.entries[i], AEVON_MINUTE);
	return (Datum) 0;
}

static void
put_entry(ReturnSetInfo *result, const AevonPackedEntry *entry, int64 unit)
{
	static const AevonDecimal zero = {0};
	const AevonPartial *partial = &entry->partial;
	bool		any = partial->event_count > partial->skipped;
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {false};
	StringInfoData sketch;

	values[0] = TimestampTzGetDatum(entry->window * unit);
	values[1] = Int64GetDatum(partial->event_count);
	values[2] = Int64GetDatum(partial->skipped);
	put_value(values, nulls, 3, any ? &partial->sum : &zero);
	put_value(values, nulls, 4, any ? &partial->min : NULL);
	put_value(values, nulls, 5, any ? &partial->max : NULL);
	put_value(values, nulls, 6, partial->last ? &partial->last->value : NULL);
	values[7] = TimestampTzGetDatum(partial->min_ingested);
	values[8] = TimestampTzGetDatum(partial->max_ingested);
	values[9] = Int64GetDatum(partial->min_stamp);
	values[10] = Int64GetDatum(partial->max_stamp);
	initStringInfo(&sketch);
	if (!(nulls[11] = partial->quantiles == NULL))
		aevon_quantiles_encode(&sketch, partial->quantiles);
	values[11] = PointerGetDatum(cstring_to_text_with_len(sketch.data, sketch.len));
	resetStringInfo(&sketch);
	if (!(nulls[12] = partial->distinct == NULL))
		aevon_distinct_encode(&sketch, partial->distinct);
	values[12] = PointerGetDatum(cstring_to_text_with_len(sketch.data, sketch.len));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
put_value(Datum *values, bool *nulls, int column, const AevonDecimal *value)
{
	nulls[column] = value == NULL;
	if (value != NULL)
		values[column] = NumericGetDatum(aevon_decimal_to_numeric(value));
}
