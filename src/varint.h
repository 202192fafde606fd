/*
 * varint.h
 *		Variable-length integers in bytes: seven bits to a byte, low ones first.
 *
 * Signed numbers are zigzag-coded.  Readers take the end of the input and
 * raise data_corrupted rather than read past it.  Layer 0.
 */
#ifndef AEVON_VARINT_H
#define AEVON_VARINT_H

#include "postgres.h"
#include "lib/stringinfo.h"

extern void aevon_varint_corrupted(void) pg_attribute_noreturn();

#define AEVON_VARINT_BYTES 19	/* of the longest */

static inline void
aevon_varint_put(StringInfo buf, uint128 value)
{
	uint64		low;
	char	   *to;

	enlargeStringInfo(buf, AEVON_VARINT_BYTES);
	to = buf->data + buf->len;
	while (value > PG_UINT64_MAX)
	{
		*to++ = (char) ((value & 0x7f) | 0x80);
		value >>= 7;
	}
	for (low = (uint64) value; low >= 0x80; low >>= 7)
		*to++ = (char) ((low & 0x7f) | 0x80);
	*to++ = (char) low;
	buf->len = (int) (to - buf->data);
}

static inline void
aevon_varint_put_signed(StringInfo buf, int128 value)
{
	aevon_varint_put(buf, ((uint128) value << 1) ^ (uint128) (value >> 127));
}

static inline uint64
aevon_varint_get(const char **at, const char *end)
{
	const char *next = *at;
	uint64		value = 0;
	int			shift = 0;

	for (;;)
	{
		uint8		byte;

		if (next >= end || shift > 63)
			aevon_varint_corrupted();
		byte = (uint8) *next++;
		value |= (uint64) (byte & 0x7f) << shift;
		if (byte < 0x80)
			break;
		shift += 7;
	}
	*at = next;
	return value;
}

/* Few numbers are wide: most of it is done with 64 bits. */
static inline uint128
aevon_varint_get_wide(const char **at, const char *end)
{
	const char *next = *at;
	uint64		low = 0;
	uint128		value;
	int			shift = 0;
	uint8		byte;

	do
	{
		if (next >= end)
			aevon_varint_corrupted();
		byte = (uint8) *next++;
		low |= (uint64) (byte & 0x7f) << shift;
		shift += 7;
	} while (byte >= 0x80 && shift < 63);
	value = low;
	while (byte >= 0x80)
	{
		if (next >= end || shift > 127)
			aevon_varint_corrupted();
		byte = (uint8) *next++;
		value |= (uint128) (byte & 0x7f) << shift;
		shift += 7;
	}
	*at = next;
	return value;
}

/* Step over one. */
static inline void
aevon_varint_skip(const char **at, const char *end)
{
	const char *next = *at;
	uint8		byte;

	do
	{
		if (next >= end)
			aevon_varint_corrupted();
		byte = (uint8) *next++;
	} while (byte & 0x80);
	*at = next;
}

static inline int64
aevon_varint_get_signed(const char **at, const char *end)
{
	uint64		value = aevon_varint_get(at, end);

	return (int64) ((value >> 1) ^ (~(value & 1) + 1));
}

static inline int128
aevon_varint_get_signed_wide(const char **at, const char *end)
{
	uint128		value = aevon_varint_get_wide(at, end);

	return (int128) ((value >> 1) ^ (~(value & 1) + 1));
}

#endif							/* AEVON_VARINT_H */
