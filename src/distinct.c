/*
 * distinct.c
 *		How many distinct values: exact while few, then HyperLogLog.
 *
 * Encoded: a byte that says how, then the number of hashes and the hashes of
 * eight bytes; or the registers that are not 0, each by one number of (zeros
 * before it) * 8 + (its value less one, up to 7), and if that is 7 the rest;
 * or, where it is shorter, all registers of five bits each.
 */
#include "postgres.h"

#include <math.h>

#include "port/pg_bswap.h"
#include "utils/memutils.h"

#include "distinct.h"
#include "varint.h"

#define BITS 12
#define REGISTERS (1 << BITS)

/* Hashes of 32 bits go into the registers, so no register is above this. */
#define MAX_REGISTER (32 - BITS + 1)
#define REGISTER_BITS 5
#define DENSE_BYTES (REGISTERS * REGISTER_BITS / 8)

/* Values of registers from this one on are not written with the distance. */
#define SMALL_VALUES 7

#define FORM_HASHES 0
#define FORM_SPARSE 1
#define FORM_DENSE 2

static int	position_of(const AevonDistinct *distinct, uint64 hash);
static void reserve(AevonDistinct *distinct, int count);
static void use_registers(AevonDistinct *distinct);
static void count_hash(AevonDistinct *distinct, uint64 hash);
static void encode_sparse(StringInfo buf, const uint8 *registers);
static void encode_dense(StringInfo buf, const uint8 *registers);
static void decode_hashes(const char **at, const char *end, AevonDistinct *distinct);
static void decode_sparse(const char **at, const char *end, uint8 *registers);
static void decode_dense(const char **at, const char *end, uint8 *registers);

AevonDistinct *
aevon_distinct_make(void)
{
	return palloc0(sizeof(AevonDistinct));
}

void
aevon_distinct_add(AevonDistinct *into, uint64 hash)
{
	int			at;

	if (into->registers != NULL)
	{
		count_hash(into, hash);
		return;
	}
	at = position_of(into, hash);
	if (at < into->count && into->hashes[at] == hash)
		return;
	if (into->count == AEVON_DISTINCT_EXACT)
	{
		use_registers(into);
		count_hash(into, hash);
		return;
	}
	reserve(into, into->count + 1);
	memmove(into->hashes + at + 1, into->hashes + at, (into->count - at) * sizeof(uint64));
	into->hashes[at] = hash;
	into->count++;
}

void
aevon_distinct_merge(AevonDistinct *into, const AevonDistinct *from)
{
	if (from->registers == NULL)
	{
		reserve(into, Min(Max(into->count, from->count), AEVON_DISTINCT_EXACT));
		for (int i = 0; i < from->count; i++)
			aevon_distinct_add(into, from->hashes[i]);
		return;
	}
	if (into->registers == NULL)
		use_registers(into);
	for (int i = 0; i < REGISTERS; i++)
		into->registers->hashesArr[i] = Max(into->registers->hashesArr[i],
											from->registers->hashesArr[i]);
}

int64
aevon_distinct_count(const AevonDistinct *distinct)
{
	if (distinct->registers == NULL)
		return distinct->count;
	return Max((int64) rint(estimateHyperLogLog(distinct->registers)), AEVON_DISTINCT_EXACT + 1);
}

bool
aevon_distinct_equal(const AevonDistinct *a, const AevonDistinct *b)
{
	if ((a->registers == NULL) != (b->registers == NULL))
		return false;
	if (a->registers != NULL)
		return memcmp(a->registers->hashesArr, b->registers->hashesArr, REGISTERS) == 0;
	return a->count == b->count &&
		(a->count == 0 || memcmp(a->hashes, b->hashes, a->count * sizeof(uint64)) == 0);
}

void
aevon_distinct_encode(StringInfo buf, const AevonDistinct *distinct)
{
	int			start = buf->len;

	if (distinct->registers == NULL)
	{
		appendStringInfoChar(buf, FORM_HASHES);
		aevon_varint_put(buf, distinct->count);
		for (int i = 0; i < distinct->count; i++)
		{
			uint64		hash = pg_hton64(distinct->hashes[i]);

			appendBinaryStringInfo(buf, (const char *) &hash, sizeof(hash));
		}
		return;
	}
	appendStringInfoChar(buf, FORM_SPARSE);
	encode_sparse(buf, distinct->registers->hashesArr);
	if (buf->len - start <= DENSE_BYTES)
		return;
	buf->len = start;
	appendStringInfoChar(buf, FORM_DENSE);
	encode_dense(buf, distinct->registers->hashesArr);
}

AevonDistinct *
aevon_distinct_decode(const char **at, const char *end)
{
	AevonDistinct *distinct = aevon_distinct_make();
	int			form;

	if (*at >= end)
		aevon_varint_corrupted();
	form = (uint8) *(*at)++;
	if (form == FORM_HASHES)
	{
		decode_hashes(at, end, distinct);
		return distinct;
	}
	use_registers(distinct);
	if (form == FORM_SPARSE)
		decode_sparse(at, end, distinct->registers->hashesArr);
	else if (form == FORM_DENSE)
		decode_dense(at, end, distinct->registers->hashesArr);
	else
		aevon_varint_corrupted();
	return distinct;
}

/* Index of the first hash that is not below `hash`. */
static int
position_of(const AevonDistinct *distinct, uint64 hash)
{
	int			low = 0;
	int			high = distinct->count;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (distinct->hashes[middle] < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
reserve(AevonDistinct *distinct, int count)
{
	if (count <= distinct->capacity || distinct->registers != NULL)
		return;
	count = Min(Max(count, distinct->capacity * 2), AEVON_DISTINCT_EXACT);
	if (distinct->hashes == NULL)
		distinct->hashes = palloc(count * sizeof(uint64));
	else
		distinct->hashes = repalloc(distinct->hashes, count * sizeof(uint64));
	distinct->capacity = count;
}

/* Put what there is into registers. */
static void
use_registers(AevonDistinct *distinct)
{
	MemoryContext outer = MemoryContextSwitchTo(GetMemoryChunkContext(distinct));

	distinct->registers = palloc(sizeof(hyperLogLogState));
	initHyperLogLog(distinct->registers, BITS);
	for (int i = 0; i < distinct->count; i++)
		count_hash(distinct, distinct->hashes[i]);
	if (distinct->hashes != NULL)
		pfree(distinct->hashes);
	distinct->hashes = NULL;
	distinct->count = distinct->capacity = 0;
	MemoryContextSwitchTo(outer);
}

static void
count_hash(AevonDistinct *distinct, uint64 hash)
{
	addHyperLogLog(distinct->registers, (uint32) (hash >> 32));
}

static void
encode_sparse(StringInfo buf, const uint8 *registers)
{
	int			used = 0;
	int			before = -1;

	for (int i = 0; i < REGISTERS; i++)
		used += registers[i] != 0;
	aevon_varint_put(buf, used);
	for (int i = 0; i < REGISTERS; i++)
	{
		int			more = registers[i] - 1;

		if (registers[i] == 0)
			continue;
		aevon_varint_put(buf, (i - before - 1) * (SMALL_VALUES + 1) + Min(more, SMALL_VALUES));
		if (more >= SMALL_VALUES)
			aevon_varint_put(buf, more - SMALL_VALUES);
		before = i;
	}
}

static void
encode_dense(StringInfo buf, const uint8 *registers)
{
	uint32		bits = 0;
	int			count = 0;

	for (int i = 0; i < REGISTERS; i++)
	{
		bits |= (uint32) registers[i] << count;
		for (count += REGISTER_BITS; count >= 8; count -= 8, bits >>= 8)
			appendStringInfoChar(buf, (char) (bits & 0xff));
	}
}

static void
decode_hashes(const char **at, const char *end, AevonDistinct *distinct)
{
	uint64		count = aevon_varint_get(at, end);

	if (count > AEVON_DISTINCT_EXACT || count * sizeof(uint64) > end - *at)
		aevon_varint_corrupted();
	reserve(distinct, (int) count);
	for (int i = 0; i < (int) count; i++)
	{
		uint64		hash;

		memcpy(&hash, *at, sizeof(hash));
		*at += sizeof(hash);
		distinct->hashes[i] = pg_ntoh64(hash);
		if (i > 0 && distinct->hashes[i - 1] >= distinct->hashes[i])
			aevon_varint_corrupted();
	}
	distinct->count = (int) count;
}

static void
decode_sparse(const char **at, const char *end, uint8 *registers)
{
	uint64		used = aevon_varint_get(at, end);
	int			i = -1;

	if (used > REGISTERS)
		aevon_varint_corrupted();
	for (; used > 0; used--)
	{
		uint64		code = aevon_varint_get(at, end);
		uint64		value = code % (SMALL_VALUES + 1) + 1;

		if (value > SMALL_VALUES)
		{
			uint64		more = aevon_varint_get(at, end);

			value += Min(more, MAX_REGISTER);
		}
		if (value > MAX_REGISTER || code / (SMALL_VALUES + 1) >= REGISTERS - 1 - i)
			aevon_varint_corrupted();
		i += (int) (code / (SMALL_VALUES + 1)) + 1;
		registers[i] = (uint8) value;
	}
}

static void
decode_dense(const char **at, const char *end, uint8 *registers)
{
	uint32		bits = 0;
	int			count = 0;

	if (end - *at < DENSE_BYTES)
		aevon_varint_corrupted();
	for (int i = 0; i < REGISTERS; i++, bits >>= REGISTER_BITS, count -= REGISTER_BITS)
	{
		for (; count < REGISTER_BITS; count += 8)
			bits |= (uint32) (uint8) *(*at)++ << count;
		registers[i] = bits & ((1 << REGISTER_BITS) - 1);
		if (registers[i] > MAX_REGISTER)
			aevon_varint_corrupted();
	}
}
