/*
 * quantiles.c
 *		Quantiles of a multiset of decimals, by DDSketch.
 *
 * A sketch has one of three forms: a list of bins; an array of counts by key,
 * where bins lie close together; or its encoding, in which it is read from a
 * row and merged from without being decoded first.
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

/* An array takes at most so many times the memory of a list. */
#define ARRAY_SHARE 4

/* Keys that an array has room for on either side of those that it was made for. */
#define ARRAY_MARGIN 16

/* Lists that short are added to as they are. */
#define SHORT_LIST 8
#define LONG_LIST 48

/* Bins listed on the stack. */
#define STACK_BINS 256

/*
 * An index that is closer to a whole number is computed in integers.  By
 * floating-point logarithms it is wrong by less than 1e-9.
 */
#define INDEX_MARGIN 1e-6
#define LOG2_OF_10_DOUBLE 3.32192809488736234787
#define BINS_PER_DOUBLING_DOUBLE 35.0027887811465304

/* The bins of a sketch of any form. */
typedef struct BinList
{
	const AevonQuantileBin *bins;
	AevonQuantileBin *allocated;	/* NULL: nothing to be freed */
	AevonQuantileBin stack[STACK_BINS];
} BinList;

static void list_bins(const AevonQuantiles *quantiles, BinList *list);
static void free_list(BinList *list);
static void unpack(const AevonQuantiles *quantiles, AevonQuantileBin *bins);
static uint64 next_number(const char **at, const char *end);
static void take_list(AevonQuantiles *quantiles);
static void merge_into_list(AevonQuantiles *into, const AevonQuantileBin *bins, int count);
static bool reserve_array(AevonQuantiles *quantiles, int32 first, int32 last, int more);
static void add_to_array(AevonQuantiles *into, int32 key, int64 count);
static int32 key_of(const AevonDecimal *value);
static int32 index_of(uint128 amount, int exponent);
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
	int			at;

	if (into->encoded != NULL)
		take_list(into);
	into->total++;
	if ((into->counts != NULL || into->count >= LONG_LIST) && reserve_array(into, key, key, 1))
	{
		add_to_array(into, key, 1);
		return;
	}
	at = position_of(into, key);
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
	BinList		list;

	if (from->count == 0)
		return;
	if (into->encoded != NULL)
		take_list(into);
	list_bins(from, &list);
	if ((into->counts != NULL || (into->count >= SHORT_LIST && from->count >= SHORT_LIST)) &&
		reserve_array(into, list.bins[0].key, list.bins[from->count - 1].key, from->count))
	{
		for (int i = 0; i < from->count; i++)
			add_to_array(into, list.bins[i].key, list.bins[i].count);
	}
	else
		merge_into_list(into, list.bins, from->count);
	into->total += from->total;
	free_list(&list);
}

double
aevon_quantiles_at(const AevonQuantiles *quantiles, int32 parts)
{
	int64		rank = (int64) (((int128) quantiles->total * parts + AEVON_QUANTILE_PARTS - 1) /
								AEVON_QUANTILE_PARTS);
	BinList		list;
	int32		key;
	int			i = 0;

	if (quantiles->count == 0)
		return 0;
	rank = Max(rank, 1);
	if (quantiles->counts != NULL)
	{
		while ((rank -= quantiles->counts[i]) > 0)
			i++;
		return middle_of(quantiles->low + i);
	}
	list_bins(quantiles, &list);
	while ((rank -= list.bins[i].count) > 0)
		i++;
	key = list.bins[i].key;
	free_list(&list);
	return middle_of(key);
}

bool
aevon_quantiles_equal(const AevonQuantiles *a, const AevonQuantiles *b)
{
	bool		equal = a->count == b->count && a->total == b->total;
	BinList		one;
	BinList		other;

	if (!equal)
		return false;
	list_bins(a, &one);
	list_bins(b, &other);
	for (int i = 0; i < a->count && equal; i++)
		equal = one.bins[i].key == other.bins[i].key && one.bins[i].count == other.bins[i].count;
	free_list(&one);
	free_list(&other);
	return equal;
}

void
aevon_quantiles_encode(StringInfo buf, const AevonQuantiles *quantiles)
{
	BinList		list;
	int32		before;

	if (quantiles->encoded != NULL)
	{
		appendBinaryStringInfo(buf, quantiles->encoded,
							   (int) (quantiles->end - quantiles->encoded));
		return;
	}
	list_bins(quantiles, &list);
	before = quantiles->count > 0 ? list.bins[0].key - 1 : 0;
	aevon_varint_put(buf, quantiles->count);
	aevon_varint_put_signed(buf, before);
	for (int i = 0; i < quantiles->count; i++)
	{
		const AevonQuantileBin *bin = &list.bins[i];
		int64		more = bin->count - 1;

		aevon_varint_put(buf, (uint64) (bin->key - before - 1) * (SMALL_COUNTS + 1) +
						 Min(more, SMALL_COUNTS));
		if (more >= SMALL_COUNTS)
			aevon_varint_put(buf, more - SMALL_COUNTS);
		before = bin->key;
	}
	free_list(&list);
}

void
aevon_quantiles_view(const char *at, const char *end, int64 total, AevonQuantiles *out)
{
	uint64		count;

	memset(out, 0, sizeof(*out));
	out->encoded = at;
	out->end = end;
	count = aevon_varint_get(&at, end);
	/* a bin takes at least one byte */
	if (count > end - at)
		aevon_varint_corrupted();
	out->count = (int) count;
	out->total = total;
}

void
aevon_quantiles_check(const AevonQuantiles *quantiles)
{
	BinList		list;

	list_bins(quantiles, &list);
	free_list(&list);
}

/* The bins in ascending order of key, good until free_list. */
static void
list_bins(const AevonQuantiles *quantiles, BinList *list)
{
	AevonQuantileBin *bins;
	int			n = 0;

	list->allocated = NULL;
	list->bins = quantiles->bins;
	if (quantiles->counts == NULL && quantiles->encoded == NULL)
		return;
	if (quantiles->count > STACK_BINS)
		list->allocated = palloc(quantiles->count * sizeof(AevonQuantileBin));
	bins = list->allocated != NULL ? list->allocated : list->stack;
	list->bins = bins;
	if (quantiles->encoded != NULL)
	{
		unpack(quantiles, bins);
		return;
	}
	for (int i = 0; i < quantiles->span; i++)
	{
		if (quantiles->counts[i] == 0)
			continue;
		bins[n].key = quantiles->low + i;
		bins[n++].count = quantiles->counts[i];
	}
}

static void
free_list(BinList *list)
{
	if (list->allocated != NULL)
		pfree(list->allocated);
}

/* Decode all bins of an encoded sketch. */
static void
unpack(const AevonQuantiles *quantiles, AevonQuantileBin *bins)
{
	const char *at = quantiles->encoded;
	const char *end = quantiles->end;
	int			count = (int) aevon_varint_get(&at, end);
	int64		key = aevon_varint_get_signed(&at, end);
	int64		left = quantiles->total;

	if (key < -MAX_KEY || key > MAX_KEY)
		aevon_varint_corrupted();
	for (int i = 0; i < count; i++)
	{
		uint64		code = next_number(&at, end);
		uint64		distance = code / (SMALL_COUNTS + 1);
		uint64		count_here = code % (SMALL_COUNTS + 1) + 1;

		if (count_here > SMALL_COUNTS)
			count_here += next_number(&at, end);
		/* a count that has overflowed is 0 */
		if (distance >= 2 * MAX_KEY || (key += (int64) distance + 1) > MAX_KEY ||
			count_here - 1 >= (uint64) left)
			aevon_varint_corrupted();
		left -= (int64) count_here;
		bins[i].key = (int32) key;
		bins[i].count = (int64) count_here;
	}
	if (left != 0 || at != end)
		aevon_varint_corrupted();
}

static inline uint64
next_number(const char **at, const char *end)
{
	if (*at < end && (uint8) **at < 0x80)
		return (uint8) *(*at)++;
	return aevon_varint_get(at, end);
}

/* Give an encoded sketch, or an array, the form of a list. */
static void
take_list(AevonQuantiles *quantiles)
{
	BinList		list;

	list_bins(quantiles, &list);
	reserve(quantiles, quantiles->count);
	memcpy(quantiles->bins, list.bins, quantiles->count * sizeof(AevonQuantileBin));
	free_list(&list);
	if (quantiles->counts != NULL)
		pfree(quantiles->counts);
	quantiles->counts = NULL;
	quantiles->encoded = NULL;
}

static void
merge_into_list(AevonQuantiles *into, const AevonQuantileBin *bins, int count)
{
	int			missing = 0;
	int			i = position_of(into, bins[0].key);
	int			k;
	int			to;

	for (k = 0; k < count; k++)
	{
		while (i < into->count && into->bins[i].key < bins[k].key)
			i++;
		if (i == into->count || into->bins[i].key != bins[k].key)
			missing++;
	}
	reserve(into, into->count + missing);

	/* from the end, so that nothing is overwritten before it has moved */
	to = into->count + missing - 1;
	i = into->count - 1;
	for (k = count - 1; k >= 0; to--)
	{
		if (i >= 0 && into->bins[i].key >= bins[k].key)
		{
			into->bins[to] = into->bins[i--];
			if (into->bins[to].key == bins[k].key)
				into->bins[to].count += bins[k--].count;
		}
		else
			into->bins[to] = bins[k--];
	}
	into->count += missing;
}

/*
 * Make the sketch an array with room for the keys [first, last], of which `more`
 * are to come; false: keys lie so far apart that it is a list, now.
 */
static bool
reserve_array(AevonQuantiles *quantiles, int32 first, int32 last, int more)
{
	int32		low = first;
	int32		high = last;
	BinList		list;
	int64	   *counts;

	if (quantiles->counts != NULL)
	{
		if (first >= quantiles->low && last < quantiles->low + quantiles->span)
			return true;
		low = Min(low, quantiles->low);
		high = Max(high, quantiles->low + quantiles->span - 1);
	}
	else if (quantiles->count > 0)
	{
		low = Min(low, quantiles->bins[0].key);
		high = Max(high, quantiles->bins[quantiles->count - 1].key);
	}
	low -= ARRAY_MARGIN;
	high += ARRAY_MARGIN;
	if ((int64) (high - low + 1) * sizeof(int64) >
		(int64) ARRAY_SHARE * (Max(quantiles->count, more) + 2 * ARRAY_MARGIN) *
		sizeof(AevonQuantileBin))
	{
		if (quantiles->counts != NULL)
			take_list(quantiles);
		return false;
	}
	counts = palloc0((high - low + 1) * sizeof(int64));
	list_bins(quantiles, &list);
	for (int i = 0; i < quantiles->count; i++)
		counts[list.bins[i].key - low] = list.bins[i].count;
	free_list(&list);
	if (quantiles->counts != NULL)
		pfree(quantiles->counts);
	if (quantiles->bins != NULL)
		pfree(quantiles->bins);
	quantiles->bins = NULL;
	quantiles->capacity = 0;
	quantiles->counts = counts;
	quantiles->low = low;
	quantiles->span = high - low + 1;
	return true;
}

static inline void
add_to_array(AevonQuantiles *into, int32 key, int64 count)
{
	int64	   *at = &into->counts[key - into->low];

	into->count += *at == 0;
	*at += count;
}

/*
 * By floating-point numbers, or where these might be wrong in integers: so it
 * does not matter that logarithms differ between libraries in the last digit.
 */
static int32
key_of(const AevonDecimal *value)
{
	int128		mantissa;
	int			exponent;

	aevon_decimal_leading(value, &mantissa, &exponent);
	if (mantissa > 0)
		return index_of((uint128) mantissa, exponent) + KEY_OF_ONE;
	if (mantissa < 0)
		return -(index_of(-(uint128) mantissa, exponent) + KEY_OF_ONE);
	return 0;
}

static int32
index_of(uint128 amount, int exponent)
{
	double		near = (log2((double) amount) + LOG2_OF_10_DOUBLE * exponent) *
	BINS_PER_DOUBLING_DOUBLE;
	int128		logarithm;

	if (fabs(near - rint(near)) > INDEX_MARGIN)
		return (int32) ceil(near);
	logarithm = log2_of(amount) +
		(((int128) LOG2_OF_10 * exponent) >> (LOG2_OF_10_BITS - LOG_BITS));
	return (int32) -((-logarithm * BINS_PER_DOUBLING) >> (BINS_PER_DOUBLING_BITS + LOG_BITS));
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
