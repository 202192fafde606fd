/*
 * quantiles.c
 *		Quantiles of a multiset of decimals, by DDSketch.
 *
 * Encoded: number of bins, key of the first, then for each bin one number of
 * (distance from the bin before, less one) * 8 + (count less one, up to 7), and
 * if that is 7 the rest of the count.  Most bins take one byte.
 */
#include "postgres.h"

#include <math.h>

#include "common/int.h"

#include "quantiles.h"
#include "varint.h"

#define GAMMA 1.02

/*
 * Keys put negative values, zero and positive ones in one order: a bin i of
 * positive values has the key i + KEY_OF_ONE, of negative ones the opposite.
 * Decimals have indexes up to 35,816 on either side of 1.
 */
#define KEY_OF_ONE 40000
#define MAX_KEY 80000

/* Logarithms to base 2 are integers with that many bits behind the point. */
#define LOG_BITS 40

/* log2(10) with 56 bits behind the point, 1 / log2(1.02) with 48. */
#define LOG2_OF_10 INT64CONST(239370146084580908)
#define LOG2_OF_10_BITS 56
#define BINS_PER_DOUBLING INT64CONST(9852409156981231)
#define BINS_PER_DOUBLING_BITS 48

/* Counts from this one on are not written together with the distance. */
#define SMALL_COUNTS 7

static int32 key_of(const AevonDecimal *value);
static int64 log2_of(uint128 number);
static double middle_of(int32 key);
static int	position_of(const AevonQuantiles *quantiles, int32 key);
static void reserve(AevonQuantiles *quantiles, int count);

AevonQuantiles *
aevon_quantiles_make(void)
{
	return palloc0(sizeof(AevonQuantiles));
}

void
aevon_quantiles_add(AevonQuantiles *into, const AevonDecimal *value)
{
	int32		key = key_of(value);
	int			at = position_of(into, key);

	if (at == into->count || into->bins[at].key != key)
	{
		reserve(into, into->count + 1);
		memmove(into->bins + at + 1, into->bins + at,
				(into->count - at) * sizeof(AevonQuantileBin));
		into->bins[at].key = key;
		into->bins[at].count = 0;
		into->count++;
	}
	into->bins[at].count++;
}

void
aevon_quantiles_merge(AevonQuantiles *into, const AevonQuantiles *from)
{
	int			missing = 0;
	int			i = from->count > 0 ? position_of(into, from->bins[0].key) : 0;
	int			k;
	int			to;

	for (k = 0; k < from->count; k++)
	{
		while (i < into->count && into->bins[i].key < from->bins[k].key)
			i++;
		if (i == into->count || into->bins[i].key != from->bins[k].key)
			missing++;
	}
	reserve(into, into->count + missing);

	/* from the end, so that nothing is overwritten before it has moved */
	to = into->count + missing - 1;
	i = into->count - 1;
	for (k = from->count - 1; k >= 0; to--)
	{
		if (i >= 0 && into->bins[i].key >= from->bins[k].key)
		{
			into->bins[to] = into->bins[i--];
			if (into->bins[to].key == from->bins[k].key)
				into->bins[to].count += from->bins[k--].count;
		}
		else
			into->bins[to] = from->bins[k--];
	}
	into->count += missing;
}

double
aevon_quantiles_at(const AevonQuantiles *quantiles, int32 parts)
{
	int64		total = 0;
	int64		rank;
	int			i;

	for (i = 0; i < quantiles->count; i++)
		total += quantiles->bins[i].count;
	rank = (int64) (((int128) total * parts + AEVON_QUANTILE_PARTS - 1) / AEVON_QUANTILE_PARTS);
	for (i = 0; i < quantiles->count - 1; i++)
	{
		rank -= quantiles->bins[i].count;
		if (rank <= 0)
			break;
	}
	return quantiles->count == 0 ? 0 : middle_of(quantiles->bins[i].key);
}

bool
aevon_quantiles_equal(const AevonQuantiles *a, const AevonQuantiles *b)
{
	if (a->count != b->count)
		return false;
	for (int i = 0; i < a->count; i++)
	{
		if (a->bins[i].key != b->bins[i].key || a->bins[i].count != b->bins[i].count)
			return false;
	}
	return true;
}

void
aevon_quantiles_encode(StringInfo buf, const AevonQuantiles *quantiles)
{
	int32		before = quantiles->count > 0 ? quantiles->bins[0].key - 1 : 0;

	aevon_varint_put(buf, quantiles->count);
	aevon_varint_put_signed(buf, before);
	for (int i = 0; i < quantiles->count; i++)
	{
		const AevonQuantileBin *bin = &quantiles->bins[i];
		int64		more = bin->count - 1;

		aevon_varint_put(buf, (uint64) (bin->key - before - 1) * (SMALL_COUNTS + 1) +
						 Min(more, SMALL_COUNTS));
		if (more >= SMALL_COUNTS)
			aevon_varint_put(buf, more - SMALL_COUNTS);
		before = bin->key;
	}
}

AevonQuantiles *
aevon_quantiles_decode(const char **at, const char *end, int64 total)
{
	AevonQuantiles *quantiles = aevon_quantiles_make();
	uint64		count = aevon_varint_get(at, end);
	int64		key = aevon_varint_get_signed(at, end);

	/* a bin takes at least one byte */
	if (count > end - *at || key < -MAX_KEY || key > MAX_KEY)
		aevon_varint_corrupted();
	reserve(quantiles, (int) count);
	for (; quantiles->count < (int) count; quantiles->count++)
	{
		AevonQuantileBin *bin = &quantiles->bins[quantiles->count];
		uint64		code = aevon_varint_get(at, end);
		uint64		distance = code / (SMALL_COUNTS + 1);
		uint64		more = code % (SMALL_COUNTS + 1);

		if (more == SMALL_COUNTS)
			more = aevon_varint_get(at, end);
		else
			more -= SMALL_COUNTS;
		if (distance >= 2 * MAX_KEY || (key += (int64) distance + 1) > MAX_KEY)
			aevon_varint_corrupted();
		bin->key = (int32) key;
		bin->count = (int64) (more + SMALL_COUNTS + 1);
		if (bin->count <= 0 || pg_sub_s64_overflow(total, bin->count, &total) || total < 0)
			aevon_varint_corrupted();
	}
	if (total != 0)
		aevon_varint_corrupted();
	return quantiles;
}

void
aevon_quantiles_skip(const char **at, const char *end)
{
	uint64		count = aevon_varint_get(at, end);

	aevon_varint_get(at, end);
	for (; count > 0; count--)
	{
		if (aevon_varint_get(at, end) % (SMALL_COUNTS + 1) == SMALL_COUNTS)
			aevon_varint_get(at, end);
	}
}

/*
 * In integers throughout: floating-point logarithms differ between libraries,
 * and so would the bins of values at a bin's end.
 */
static int32
key_of(const AevonDecimal *value)
{
	int128		mantissa;
	int			exponent;
	int128		logarithm;
	int128		index;

	aevon_decimal_leading(value, &mantissa, &exponent);
	if (mantissa == 0)
		return 0;
	logarithm = log2_of(mantissa < 0 ? -(uint128) mantissa : (uint128) mantissa) +
		(((int128) LOG2_OF_10 * exponent) >> (LOG2_OF_10_BITS - LOG_BITS));
	index = -((-logarithm * BINS_PER_DOUBLING) >> (BINS_PER_DOUBLING_BITS + LOG_BITS));
	return (int32) (mantissa < 0 ? -(index + KEY_OF_ONE) : index + KEY_OF_ONE);
}

/* Bit by bit: squaring a number doubles its logarithm. */
static int64
log2_of(uint128 number)
{
	uint64		high = (uint64) (number >> 64);
	int			bits = high != 0 ? 128 - __builtin_clzll(high) : 64 - __builtin_clzll((uint64) number);
	uint64		fraction;		/* of 2^63: 1 to 2 */
	int64		logarithm = bits - 1;

	fraction = (uint64) (bits > 64 ? number >> (bits - 64) : number << (64 - bits));
	for (int i = 0; i < LOG_BITS; i++)
	{
		uint128		square = (uint128) fraction * fraction;
		int			carry = (int) (square >> 127);

		fraction = (uint64) (square >> (63 + carry));
		logarithm = logarithm * 2 + carry;
	}
	return logarithm;
}

static double
middle_of(int32 key)
{
	double		amount = 2 / (1 + GAMMA) * pow(GAMMA, abs(key) - KEY_OF_ONE);

	return key == 0 ? 0 : key < 0 ? -amount : amount;
}

/* Index of the first bin whose key is not below `key`. */
static int
position_of(const AevonQuantiles *quantiles, int32 key)
{
	int			low = 0;
	int			high = quantiles->count;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (quantiles->bins[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
reserve(AevonQuantiles *quantiles, int count)
{
	if (count <= quantiles->capacity)
		return;
	count = Max(count, Min(quantiles->capacity * 2, quantiles->capacity + 256));
	if (quantiles->bins == NULL)
		quantiles->bins = palloc(count * sizeof(AevonQuantileBin));
	else
		quantiles->bins = repalloc(quantiles->bins, count * sizeof(AevonQuantileBin));
	quantiles->capacity = count;
}
