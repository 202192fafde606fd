/*
 * decimal.c
 *		Exact decimal numbers in 128-bit fixed point, or numeric.
 */
#include "postgres.h"

#include "common/int.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "decimal.h"
#include "varint.h"

/*
 * The one form of a value: fixed point if its shortest mantissa and scale stay
 * within these, numeric otherwise.
 */
#define FIXED_DIGITS 36
#define BIG_TAG 0xff

/* So many base-10000 digits fit into 64 bits, and come nowhere near a limit. */
#define FEW_DIGITS 4

/* So many base-10000 digits always fit into 128 bits. */
#define LEADING_DIGITS 9

/* Sums of as many values as there may be have no more base-10000 digits. */
#define MAX_WEIGHT 100

/* numeric on disk: sixteen-bit header or two, then base-10000 digits. */
#define NUMERIC_BASE 10000
#define NUMERIC_BASE_DIGITS 4
#define NUMERIC_FLAGS 0xC000
#define NUMERIC_SPECIAL_FLAGS 0xC000
#define NUMERIC_SHORT_FLAGS 0x8000
#define NUMERIC_LONG_NEGATIVE 0x4000
#define NUMERIC_SHORT_NEGATIVE 0x2000
#define NUMERIC_SHORT_SCALE_MASK 0x1F80
#define NUMERIC_SHORT_SCALE_SHIFT 7
#define NUMERIC_LONG_SCALE_MASK 0x3FFF
#define NUMERIC_SHORT_WEIGHT_SIGN 0x0040
#define NUMERIC_SHORT_WEIGHT_MASK 0x003F

typedef struct NumericParts
{
	bool		special;		/* NaN or infinite */
	bool		negative;
	int			weight;			/* of the first digit, in powers of 10000 */
	int			count;
	const int16 *digits;
} NumericParts;

static bool is_well_formed(Numeric value);
static void take_apart(Numeric value, NumericParts *parts);
static bool within_digit_limit(const NumericParts *parts);
static bool fixed_from_parts(const NumericParts *parts, AevonDecimal *out);
static void fixed_from_few(const NumericParts *parts, int scale, AevonDecimal *out);
static void strip_zeros(AevonDecimal *value);
static inline int128 power_of_ten(int exponent);
static inline bool rescale(int128 mantissa, int by, int128 *out);
static inline bool align(const AevonDecimal *a, const AevonDecimal *b, int128 *x, int128 *y,
						 int *scale);
static Numeric numeric_from_fixed(int128 mantissa, int scale);

bool
aevon_decimal_from_numeric(Numeric value, AevonDecimal *out)
{
	NumericParts parts;

	take_apart(value, &parts);
	if (parts.special || !within_digit_limit(&parts))
		return false;
	if (!fixed_from_parts(&parts, out))
	{
		out->mantissa = 0;
		out->scale = 0;
		out->big = DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale,
													   NumericGetDatum(value)));
	}
	return true;
}

Numeric
aevon_decimal_to_numeric(const AevonDecimal *value)
{
	AevonDecimal plain = *value;

	if (value->big != NULL)
		return DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale,
												   NumericGetDatum(value->big)));
	strip_zeros(&plain);
	return numeric_from_fixed(plain.mantissa, plain.scale);
}

void
aevon_decimal_add(AevonDecimal *into, const AevonDecimal *value)
{
	int128		x;
	int128		y;
	int128		total;
	int			scale;
	Numeric		left;
	Numeric		right;

	if (into->big == NULL && value->big == NULL &&
		align(into, value, &x, &y, &scale) &&
		!__builtin_add_overflow(x, y, &total))
	{
		into->mantissa = total;
		into->scale = scale;
		return;
	}
	left = into->big ? into->big : numeric_from_fixed(into->mantissa, into->scale);
	right = value->big ? value->big : numeric_from_fixed(value->mantissa, value->scale);
	into->big = numeric_add_opt_error(left, right, NULL);
	into->mantissa = 0;
	into->scale = 0;
	pfree(left);
	if (right != value->big)
		pfree(right);
}

int
aevon_decimal_compare(const AevonDecimal *a, const AevonDecimal *b)
{
	int128		x;
	int128		y;
	int			scale;
	Numeric		left;
	Numeric		right;

	if (a->big == NULL && b->big == NULL && a->scale == b->scale)
		return a->mantissa < b->mantissa ? -1 : a->mantissa > b->mantissa ? 1 : 0;
	if (a->big == NULL && b->big == NULL && align(a, b, &x, &y, &scale))
		return x < y ? -1 : x > y ? 1 : 0;
	left = a->big ? a->big : numeric_from_fixed(a->mantissa, a->scale);
	right = b->big ? b->big : numeric_from_fixed(b->mantissa, b->scale);
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(left),
											 NumericGetDatum(right)));
}

void
aevon_decimal_leading(const AevonDecimal *value, int128 *mantissa, int *exponent)
{
	NumericParts parts;
	int			count;

	*mantissa = value->mantissa;
	*exponent = -value->scale;
	if (value->big == NULL)
		return;
	take_apart(value->big, &parts);
	count = Min(parts.count, LEADING_DIGITS);
	*mantissa = 0;
	for (int i = 0; i < count; i++)
		*mantissa = *mantissa * NUMERIC_BASE + parts.digits[i];
	if (parts.negative)
		*mantissa = -*mantissa;
	*exponent = (parts.weight - count + 1) * NUMERIC_BASE_DIGITS;
}

void
aevon_decimal_copy(AevonDecimal *into, const AevonDecimal *value)
{
	if (into->big != NULL)
		pfree(into->big);
	*into = *value;
	if (value->big != NULL)
	{
		into->big = palloc(VARSIZE(value->big));
		memcpy(into->big, value->big, VARSIZE(value->big));
	}
}

void
aevon_decimal_normalize(AevonDecimal *value)
{
	AevonDecimal fixed = {0};
	NumericParts parts;
	int128		limit = power_of_ten(FIXED_DIGITS);

	if (value->big != NULL)
	{
		Numeric		trimmed = aevon_decimal_to_numeric(value);

		pfree(value->big);
		take_apart(trimmed, &parts);
		if (fixed_from_parts(&parts, &fixed))
		{
			*value = fixed;
			pfree(trimmed);
		}
		else
			value->big = trimmed;
		return;
	}
	strip_zeros(value);
	if (value->scale > FIXED_DIGITS || value->mantissa >= limit || value->mantissa <= -limit)
	{
		value->big = numeric_from_fixed(value->mantissa, value->scale);
		value->mantissa = 0;
		value->scale = 0;
	}
}

void
aevon_decimal_encode(StringInfo buf, const AevonDecimal *value)
{
	AevonDecimal plain = {0};

	aevon_decimal_copy(&plain, value);
	aevon_decimal_normalize(&plain);
	if (plain.big != NULL)
	{
		int			length = VARSIZE(plain.big) - VARHDRSZ;

		appendStringInfoChar(buf, (char) BIG_TAG);
		aevon_varint_put(buf, length);
		appendBinaryStringInfo(buf, VARDATA(plain.big), length);
		pfree(plain.big);
		return;
	}
	appendStringInfoChar(buf, (char) plain.scale);
	aevon_varint_put_signed(buf, plain.mantissa);
}

void
aevon_decimal_decode(const char **at, const char *end, AevonDecimal *out)
{
	uint8		tag;
	uint64		length;

	memset(out, 0, sizeof(*out));
	if (*at >= end)
		aevon_varint_corrupted();
	tag = (uint8) *(*at)++;
	if (tag != BIG_TAG)
	{
		if (tag > FIXED_DIGITS)
			aevon_varint_corrupted();
		out->scale = tag;
		out->mantissa = aevon_varint_get_signed_wide(at, end);
		return;
	}
	length = aevon_varint_get(at, end);
	if (length > end - *at)
		aevon_varint_corrupted();
	out->big = palloc(length + VARHDRSZ);
	SET_VARSIZE(out->big, length + VARHDRSZ);
	memcpy(VARDATA(out->big), *at, length);
	*at += length;
	if (!is_well_formed(out->big))
		aevon_varint_corrupted();
}

void
aevon_decimal_skip(const char **at, const char *end)
{
	uint64		length;

	if (*at >= end)
		aevon_varint_corrupted();
	if ((uint8) *(*at)++ != BIG_TAG)
	{
		aevon_varint_skip(at, end);
		return;
	}
	length = aevon_varint_get(at, end);
	if (length > end - *at)
		aevon_varint_corrupted();
	*at += length;
}

/*
 * Is this a numeric as aevon_decimal_encode writes it?  PostgreSQL's functions
 * trust what they are given: a wrong one may make them read astray or never
 * return.
 */
static bool
is_well_formed(Numeric value)
{
	int			bytes = VARSIZE(value) - VARHDRSZ;
	NumericParts parts;
	uint16		header;
	int			scale;

	if (bytes < 2 * (int) sizeof(uint16) || bytes % sizeof(uint16) != 0)
		return false;
	take_apart(value, &parts);
	if (parts.special || parts.count <= 0 || abs(parts.weight) > MAX_WEIGHT ||
		parts.count > 2 * MAX_WEIGHT || parts.digits[0] == 0 || parts.digits[parts.count - 1] == 0)
		return false;
	for (int i = 0; i < parts.count; i++)
	{
		if (parts.digits[i] < 0 || parts.digits[i] >= NUMERIC_BASE)
			return false;
	}
	memcpy(&header, VARDATA(value), sizeof(header));
	scale = header & NUMERIC_SHORT_FLAGS ?
		(header & NUMERIC_SHORT_SCALE_MASK) >> NUMERIC_SHORT_SCALE_SHIFT :
		header & NUMERIC_LONG_SCALE_MASK;
	return scale <= AEVON_DECIMAL_MAX_DIGITS &&
		scale > (parts.count - parts.weight - 2) * NUMERIC_BASE_DIGITS;
}

static void
take_apart(Numeric value, NumericParts *parts)
{
	const char *data = VARDATA(value);
	int			bytes = VARSIZE(value) - VARHDRSZ;
	uint16		header;
	int16		weight;
	int			header_bytes;

	memcpy(&header, data, sizeof(header));
	parts->special = (header & NUMERIC_FLAGS) == NUMERIC_SPECIAL_FLAGS;
	if (header & NUMERIC_SHORT_FLAGS)
	{
		header_bytes = sizeof(uint16);
		parts->negative = (header & NUMERIC_SHORT_NEGATIVE) != 0;
		parts->weight = header & NUMERIC_SHORT_WEIGHT_MASK;
		if (header & NUMERIC_SHORT_WEIGHT_SIGN)
			parts->weight -= NUMERIC_SHORT_WEIGHT_MASK + 1;
	}
	else
	{
		header_bytes = 2 * sizeof(uint16);
		parts->negative = (header & NUMERIC_FLAGS) == NUMERIC_LONG_NEGATIVE;
		memcpy(&weight, data + sizeof(uint16), sizeof(weight));
		parts->weight = weight;
	}
	parts->digits = (const int16 *) (data + header_bytes);
	parts->count = (bytes - header_bytes) / (int) sizeof(int16);
}

/* At most AEVON_DECIMAL_MAX_DIGITS significant digits on each side? */
static bool
within_digit_limit(const NumericParts *parts)
{
	int			before;
	int			after;
	int			last;

	/* most numbers are nowhere near */
	if (parts->count == 0 ||
		(parts->count <= FEW_DIGITS && abs(parts->weight) <= FEW_DIGITS))
		return true;
	before = parts->weight * NUMERIC_BASE_DIGITS;
	for (int first = parts->digits[0]; first > 0; first /= 10)
		before++;
	after = (parts->count - 1 - parts->weight) * NUMERIC_BASE_DIGITS;
	last = parts->digits[parts->count - 1];
	for (; last > 0 && last % 10 == 0; last /= 10)
		after--;
	return before <= AEVON_DECIMAL_MAX_DIGITS && after <= AEVON_DECIMAL_MAX_DIGITS;
}

/* The fixed-point form, if the value has one. */
static bool
fixed_from_parts(const NumericParts *parts, AevonDecimal *out)
{
	int128		limit = power_of_ten(FIXED_DIGITS);
	int128		mantissa = 0;
	int			exponent;		/* of the last digit, in powers of 10000 */
	int			zeros = 0;		/* left out at the end, decimal */

	if (parts->special || parts->count > 10 || parts->weight > 9)
		return false;
	exponent = parts->count == 0 ? 0 : parts->weight - parts->count + 1;
	if (parts->count <= FEW_DIGITS && exponent <= 0 && exponent >= -FEW_DIGITS)
	{
		fixed_from_few(parts, -exponent * NUMERIC_BASE_DIGITS, out);
		return true;
	}
	for (int i = 0; i < parts->count; i++)
	{
		int			digit = parts->digits[i];
		int			base = NUMERIC_BASE;

		/* zeros that end a fraction must not make 36 digits overflow */
		for (; i == parts->count - 1 && exponent < 0 && digit % 10 == 0 && base > 1; digit /= 10)
		{
			base /= 10;
			zeros++;
		}
		if (__builtin_mul_overflow(mantissa, (int128) base, &mantissa) ||
			__builtin_add_overflow(mantissa, (int128) digit, &mantissa))
			return false;
	}
	for (; exponent > 0; exponent--)
	{
		if (__builtin_mul_overflow(mantissa, (int128) NUMERIC_BASE, &mantissa))
			return false;
	}
	out->mantissa = parts->negative ? -mantissa : mantissa;
	out->scale = -exponent * NUMERIC_BASE_DIGITS - zeros;
	out->big = NULL;
	strip_zeros(out);
	return out->scale <= FIXED_DIGITS && out->mantissa < limit && out->mantissa > -limit;
}

static void
fixed_from_few(const NumericParts *parts, int scale, AevonDecimal *out)
{
	int64		mantissa = 0;

	for (int i = 0; i < parts->count; i++)
		mantissa = mantissa * NUMERIC_BASE + parts->digits[i];
	for (; scale > 0 && mantissa % 10 == 0; scale--)
		mantissa /= 10;
	out->mantissa = parts->negative ? -mantissa : mantissa;
	out->scale = scale;
	out->big = NULL;
}

static void
strip_zeros(AevonDecimal *value)
{
	if (value->mantissa == 0)
		value->scale = 0;
	while (value->scale > 0 && value->mantissa >= PG_INT64_MIN && value->mantissa <= PG_INT64_MAX)
	{
		int64		small = (int64) value->mantissa;

		if (small % 10 != 0)
			return;
		value->mantissa = small / 10;
		value->scale--;
	}
	while (value->scale > 0 && value->mantissa % 10 == 0)
	{
		value->mantissa /= 10;
		value->scale--;
	}
}

/* 0 <= exponent <= 38 */
static inline int128
power_of_ten(int exponent)
{
	static const int64 powers[] = {
		INT64CONST(1), INT64CONST(10), INT64CONST(100), INT64CONST(1000), INT64CONST(10000),
		INT64CONST(100000), INT64CONST(1000000), INT64CONST(10000000), INT64CONST(100000000),
		INT64CONST(1000000000), INT64CONST(10000000000), INT64CONST(100000000000),
		INT64CONST(1000000000000), INT64CONST(10000000000000), INT64CONST(100000000000000),
		INT64CONST(1000000000000000), INT64CONST(10000000000000000),
		INT64CONST(100000000000000000), INT64CONST(1000000000000000000)
	};
	int128		power = powers[Min(exponent, 18)];

	if (exponent > 18)
		power *= powers[Min(exponent - 18, 18)];
	if (exponent > 36)
		power *= powers[exponent - 36];
	return power;
}

/* mantissa * 10^by, or false if that overflows. */
static inline bool
rescale(int128 mantissa, int by, int128 *out)
{
	*out = mantissa;
	if (by == 0)
		return true;
	if (by > 38)
		return mantissa == 0;
	return !__builtin_mul_overflow(mantissa, power_of_ten(by), out);
}

/* Two fixed-point numbers at their common scale. */
static inline bool
align(const AevonDecimal *a, const AevonDecimal *b, int128 *x, int128 *y, int *scale)
{
	*scale = Max(a->scale, b->scale);
	return rescale(a->mantissa, *scale - a->scale, x) &&
		rescale(b->mantissa, *scale - b->scale, y);
}

static Numeric
numeric_from_fixed(int128 mantissa, int scale)
{
	char		digits[64];
	char	   *at = digits + sizeof(digits);
	uint128		rest = mantissa < 0 ? -(uint128) mantissa : (uint128) mantissa;

	if (mantissa >= PG_INT64_MIN && mantissa <= PG_INT64_MAX && scale <= 18)
		return int64_div_fast_to_numeric((int64) mantissa, scale);

	*--at = '\0';
	for (int place = 0; rest > 0 || place <= scale; place++)
	{
		if (place == scale && scale > 0)
			*--at = '.';
		*--at = (char) ('0' + (int) (rest % 10));
		rest /= 10;
	}
	if (mantissa < 0)
		*--at = '-';
	return DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(at),
											   ObjectIdGetDatum(InvalidOid),
											   Int32GetDatum(-1)));
}
