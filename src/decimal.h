/*
 * decimal.h
 *		Exact decimal numbers: 128-bit fixed point where that is exact,
 *		PostgreSQL's numeric where it is not.
 *
 * A decimal is mantissa / 10^scale while `big` is NULL; else `big` is the
 * value and the other fields mean nothing.  Equal values may differ in form in
 * memory; aevon_decimal_normalize and everything encoded give one form per
 * value, so that what is stored does not depend on the order of additions.
 *
 * Memory: a decimal owns its `big`, allocated in the context that was current;
 * the functions that change a decimal free the one they replace.  Layer 0.
 */
#ifndef AEVON_DECIMAL_H
#define AEVON_DECIMAL_H

#include "postgres.h"
#include "lib/stringinfo.h"
#include "utils/numeric.h"

/* A value may have this many digits before and after the point, no more. */
#define AEVON_DECIMAL_MAX_DIGITS 308

typedef struct AevonDecimal
{
	int128		mantissa;
	int32		scale;			/* 0 .. 38 */
	Numeric		big;
} AevonDecimal;

/*
 * The value of a numeric.  False, and nothing set, for NaN, infinities and
 * numbers of more than AEVON_DECIMAL_MAX_DIGITS digits on a side, trailing
 * zeros behind the point not counted.  `value` must not be toasted.
 */
extern bool aevon_decimal_from_numeric(Numeric value, AevonDecimal *out);

/* A palloc'd numeric with no trailing zeros behind the point. */
extern Numeric aevon_decimal_to_numeric(const AevonDecimal *value);

extern void aevon_decimal_add(AevonDecimal *into, const AevonDecimal *value);

/* Replace `into` (all-zero: nothing yet) by a copy of `value`. */
extern void aevon_decimal_copy(AevonDecimal *into, const AevonDecimal *value);

/*
 * The first digits of a value: mantissa * 10^exponent, towards zero, exact or
 * of 33 digits at least.
 */
extern void aevon_decimal_leading(const AevonDecimal *value, int128 *mantissa, int *exponent);

extern int	aevon_decimal_compare(const AevonDecimal *a, const AevonDecimal *b);
extern void aevon_decimal_normalize(AevonDecimal *value);

/* Append the encoding to buf; read one from *at, which moves, below end. */
extern void aevon_decimal_encode(StringInfo buf, const AevonDecimal *value);
extern void aevon_decimal_decode(const char **at, const char *end, AevonDecimal *out);

/* Step over one, without looking whether it is right. */
extern void aevon_decimal_skip(const char **at, const char *end);

#endif							/* AEVON_DECIMAL_H */
