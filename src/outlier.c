/*
 * outlier.c
 *		Is a number far outside its own record?  In exact arithmetic.
 */
#include "postgres.h"

#include "utils/fmgrprotos.h"

#include "outlier.h"

static int	compare(const void *a, const void *b);
static Numeric middle_of(Numeric *sorted, int count);
static Numeric distance_of(Numeric a, Numeric b);
static Numeric constant(int64 digits, int places);
static Numeric times(Numeric a, Numeric b);
static bool is_zero(Numeric number);

bool
aevon_outlier_judge(Numeric value, Numeric *record, int count, Numeric threshold,
					AevonOutlier *outlier)
{
	Numeric    *deviations;
	Numeric		sum = int64_to_numeric(0);
	Numeric		distance;
	Numeric		above;
	Numeric		below;
	Numeric		limit;
	Datum		score;

	if (count < AEVON_OUTLIER_RECORD)
		return false;
	memset(outlier, 0, sizeof(*outlier));
	outlier->value = value;
	outlier->count = count;
	qsort(record, count, sizeof(Numeric), compare);
	outlier->median = middle_of(record, count);
	distance = distance_of(value, outlier->median);
	if (is_zero(distance))
		return false;

	deviations = palloc(count * sizeof(Numeric));
	for (int i = 0; i < count; i++)
	{
		deviations[i] = distance_of(record[i], outlier->median);
		sum = numeric_add_opt_error(sum, deviations[i], NULL);
	}
	qsort(deviations, count, sizeof(Numeric), compare);
	outlier->mad = middle_of(deviations, count);
	if (is_zero(sum))
		return true;

	/* the score as a fraction: compared exactly, divided only to be shown */
	distance = numeric_sub_opt_error(value, outlier->median, NULL);
	if (!is_zero(outlier->mad))
	{
		above = times(distance, constant(6745, 4));
		below = outlier->mad;
	}
	else
	{
		above = times(distance, int64_to_numeric(count));
		below = times(sum, constant(1253314, 6));
	}
	limit = times(below, threshold);
	distance = distance_of(above, int64_to_numeric(0));
	if (compare(&distance, &limit) <= 0)
		return false;
	score = NumericGetDatum(numeric_div_opt_error(above, below, NULL));
	outlier->score = DatumGetNumeric(DirectFunctionCall2(numeric_round, score, Int32GetDatum(2)));
	return true;
}

static int
compare(const void *a, const void *b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(*(const Numeric *) a),
											 NumericGetDatum(*(const Numeric *) b)));
}

/* The median; no trailing zeros. */
static Numeric
middle_of(Numeric *sorted, int count)
{
	Numeric		middle = sorted[count / 2];

	if (count % 2 == 0)
		middle = times(numeric_add_opt_error(sorted[count / 2 - 1], middle, NULL), constant(5, 1));
	return DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale, NumericGetDatum(middle)));
}

static Numeric
distance_of(Numeric a, Numeric b)
{
	return DatumGetNumeric(DirectFunctionCall1(numeric_abs,
											   NumericGetDatum(numeric_sub_opt_error(a, b, NULL))));
}

static Numeric
constant(int64 digits, int places)
{
	return int64_div_fast_to_numeric(digits, places);
}

static Numeric
times(Numeric a, Numeric b)
{
	return numeric_mul_opt_error(a, b, NULL);
}

static bool
is_zero(Numeric number)
{
	Numeric		zero = int64_to_numeric(0);

	return compare(&number, &zero) == 0;
}
