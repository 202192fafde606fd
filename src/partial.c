/*
 * partial.c
 *		Partial states: their merge, and how they are written.
 *
 * Stamps and times are written as distances from those of another state.  A state
 * with sketches says how long it is, so that it can be stepped over, and ends with
 * its quantiles, so that these can be read later.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "partial.h"
#include "varint.h"

/* Flags of an encoded state. */
#define HAS_VALUE 0x01
#define HAS_LAST 0x02
#define HAS_SKIPPED 0x04
#define ONE_VALUE 0x08			/* sum, min and max are the same number */
#define HAS_LATE 0x10
#define HAS_QUANTILES 0x20
#define HAS_DISTINCT 0x40
#define HAS_SKETCHES (HAS_QUANTILES | HAS_DISTINCT)

static void merge_values(AevonPartial *into, const AevonPartial *from);
static void insert_length(StringInfo buf, int start);
static const char *decode_flags(const char **at, const char *end, uint8 *flags);
static void encode_last(StringInfo buf, const AevonLast *last);
static AevonLast *decode_last(const char **at, const char *end);
static void encode_text(StringInfo buf, const char *text);
static char *decode_text(const char **at, const char *end);

void
aevon_varint_corrupted(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("a packed bucket row is damaged"),
			 errhint("Rebuild the rule's buckets from the event log.")));
}

void
aevon_partial_merge(AevonPartial *into, const AevonPartial *from)
{
	if (from->event_count == 0)
		return;
	if (into->event_count == 0)
	{
		into->min_stamp = from->min_stamp;
		into->max_stamp = from->max_stamp;
		into->min_ingested = from->min_ingested;
		into->max_ingested = from->max_ingested;
	}
	else
	{
		into->min_stamp = Min(into->min_stamp, from->min_stamp);
		into->max_stamp = Max(into->max_stamp, from->max_stamp);
		into->min_ingested = Min(into->min_ingested, from->min_ingested);
		into->max_ingested = Max(into->max_ingested, from->max_ingested);
	}
	if (from->event_count > from->skipped)
		merge_values(into, from);
	aevon_partial_merge_sketches(into, from);
	into->event_count += from->event_count;
	into->skipped += from->skipped;
	into->late += from->late;
}

void
aevon_partial_offer_last(AevonPartial *into, const AevonLast *last)
{
	AevonLast  *own = into->last;
	int			order;

	if (own == NULL)
		own = into->last = palloc0(sizeof(AevonLast));
	else
	{
		order = own->occurred_at < last->occurred_at ? -1 :
			own->occurred_at > last->occurred_at ? 1 : strcmp(own->principal, last->principal);
		if (order == 0)
			order = strcmp(own->event_id, last->event_id);
		if (order >= 0)
			return;
		pfree(own->principal);
		pfree(own->event_id);
	}
	own->occurred_at = last->occurred_at;
	own->principal = pstrdup(last->principal);
	own->event_id = pstrdup(last->event_id);
	aevon_decimal_copy(&own->value, &last->value);
}

void
aevon_partial_add_quantile(AevonPartial *into, const AevonDecimal *value)
{
	if (into->quantiles == NULL)
		into->quantiles = aevon_quantiles_make();
	aevon_quantiles_add(into->quantiles, value);
}

void
aevon_partial_add_distinct(AevonPartial *into, uint64 hash)
{
	if (into->distinct == NULL)
		into->distinct = aevon_distinct_make();
	aevon_distinct_add(into->distinct, hash);
}

void
aevon_partial_merge_sketches(AevonPartial *into, const AevonPartial *from)
{
	if (from->quantiles != NULL)
	{
		if (into->quantiles == NULL)
			into->quantiles = aevon_quantiles_make();
		aevon_quantiles_merge(into->quantiles, from->quantiles);
	}
	if (from->distinct != NULL)
	{
		if (into->distinct == NULL)
			into->distinct = aevon_distinct_make();
		aevon_distinct_merge(into->distinct, from->distinct);
	}
}

bool
aevon_partial_equal_sketches(const AevonPartial *a, const AevonPartial *b)
{
	if ((a->quantiles == NULL) != (b->quantiles == NULL) ||
		(a->distinct == NULL) != (b->distinct == NULL))
		return false;
	return (a->quantiles == NULL || aevon_quantiles_equal(a->quantiles, b->quantiles)) &&
		(a->distinct == NULL || aevon_distinct_equal(a->distinct, b->distinct));
}

void
aevon_partial_encode(StringInfo buf, const AevonPartial *partial, const AevonPartial *base)
{
	int64		values = partial->event_count - partial->skipped;
	int			flags = 0;
	int			start;

	if (values > 0)
		flags |= HAS_VALUE;
	if (values == 1)
		flags |= ONE_VALUE;
	if (partial->last != NULL)
		flags |= HAS_LAST;
	if (partial->skipped > 0)
		flags |= HAS_SKIPPED;
	if (partial->late > 0)
		flags |= HAS_LATE;
	if (partial->quantiles != NULL)
		flags |= HAS_QUANTILES;
	if (partial->distinct != NULL)
		flags |= HAS_DISTINCT;

	appendStringInfoChar(buf, (char) flags);
	start = buf->len;
	aevon_varint_put(buf, partial->event_count);
	if (flags & HAS_SKIPPED)
		aevon_varint_put(buf, partial->skipped);
	if (flags & HAS_LATE)
		aevon_varint_put(buf, partial->late);
	if (flags & HAS_VALUE)
		aevon_decimal_encode(buf, &partial->sum);
	if ((flags & HAS_VALUE) && !(flags & ONE_VALUE))
	{
		aevon_decimal_encode(buf, &partial->min);
		aevon_decimal_encode(buf, &partial->max);
	}
	if (flags & HAS_LAST)
		encode_last(buf, partial->last);
	aevon_varint_put_signed(buf, partial->min_stamp - (base ? base->min_stamp : 0));
	aevon_varint_put(buf, partial->max_stamp - partial->min_stamp);
	aevon_varint_put_signed(buf, partial->min_ingested - (base ? base->min_ingested : 0));
	aevon_varint_put(buf, partial->max_ingested - partial->min_ingested);
	if (flags & HAS_DISTINCT)
		aevon_distinct_encode(buf, partial->distinct);
	if (flags & HAS_QUANTILES)
		aevon_quantiles_encode(buf, partial->quantiles);
	if (flags & HAS_SKETCHES)
		insert_length(buf, start);
}

void
aevon_partial_decode(const char **at, const char *end, AevonPartial *out, const AevonPartial *base,
					 AevonQuantiles *view)
{
	uint8		flags;
	const char *own_end = decode_flags(at, end, &flags);

	if (own_end != NULL)
		end = own_end;
	memset(out, 0, sizeof(*out));
	out->event_count = (int64) aevon_varint_get(at, end);
	if (flags & HAS_SKIPPED)
		out->skipped = (int64) aevon_varint_get(at, end);
	if (flags & HAS_LATE)
		out->late = (int64) aevon_varint_get(at, end);
	if (flags & HAS_VALUE)
		aevon_decimal_decode(at, end, &out->sum);
	if (flags & ONE_VALUE)
	{
		aevon_decimal_copy(&out->min, &out->sum);
		aevon_decimal_copy(&out->max, &out->sum);
	}
	else if (flags & HAS_VALUE)
	{
		aevon_decimal_decode(at, end, &out->min);
		aevon_decimal_decode(at, end, &out->max);
	}
	if (flags & HAS_LAST)
		out->last = decode_last(at, end);
	out->min_stamp = aevon_varint_get_signed(at, end) + (base ? base->min_stamp : 0);
	out->max_stamp = out->min_stamp + (int64) aevon_varint_get(at, end);
	out->min_ingested = aevon_varint_get_signed(at, end) + (base ? base->min_ingested : 0);
	out->max_ingested = out->min_ingested + (int64) aevon_varint_get(at, end);
	if (flags & HAS_DISTINCT)
		out->distinct = aevon_distinct_decode(at, end);
	if (flags & HAS_QUANTILES)
	{
		aevon_quantiles_view(*at, end, out->event_count - out->skipped, view);
		out->quantiles = view;
		*at = end;
	}
	if (own_end != NULL && *at != own_end)
		aevon_varint_corrupted();
}

void
aevon_partial_skip(const char **at, const char *end)
{
	uint8		flags;
	const char *own_end = decode_flags(at, end, &flags);
	int			numbers = 0;

	if (flags & HAS_SKETCHES)
	{
		*at = own_end;
		return;
	}
	aevon_varint_skip(at, end);
	if (flags & HAS_SKIPPED)
		aevon_varint_skip(at, end);
	if (flags & HAS_LATE)
		aevon_varint_skip(at, end);
	if (flags & HAS_VALUE)
		numbers = flags & ONE_VALUE ? 1 : 3;
	for (int i = 0; i < numbers; i++)
		aevon_decimal_skip(at, end);
	if (flags & HAS_LAST)
		decode_last(at, end);
	for (int i = 0; i < 4; i++)
		aevon_varint_skip(at, end);
}

static void
merge_values(AevonPartial *into, const AevonPartial *from)
{
	if (into->event_count == into->skipped)
	{
		aevon_decimal_copy(&into->sum, &from->sum);
		aevon_decimal_copy(&into->min, &from->min);
		aevon_decimal_copy(&into->max, &from->max);
	}
	else
	{
		aevon_decimal_add(&into->sum, &from->sum);
		if (aevon_decimal_compare(&from->min, &into->min) < 0)
			aevon_decimal_copy(&into->min, &from->min);
		if (aevon_decimal_compare(&from->max, &into->max) > 0)
			aevon_decimal_copy(&into->max, &from->max);
	}
	if (from->last != NULL)
		aevon_partial_offer_last(into, from->last);
}

/* Before what follows `start`, how long it is. */
static void
insert_length(StringInfo buf, int start)
{
	int			length = buf->len - start;
	char		bytes[8];
	int			room;

	aevon_varint_put(buf, length);
	room = buf->len - start - length;
	memcpy(bytes, buf->data + start + length, room);
	memmove(buf->data + start + room, buf->data + start, length);
	memcpy(buf->data + start, bytes, room);
}

static void
encode_last(StringInfo buf, const AevonLast *last)
{
	aevon_varint_put_signed(buf, last->occurred_at);
	encode_text(buf, last->principal);
	encode_text(buf, last->event_id);
	aevon_decimal_encode(buf, &last->value);
}

static void
encode_text(StringInfo buf, const char *text)
{
	int			length = strlen(text);

	aevon_varint_put(buf, length);
	appendBinaryStringInfo(buf, text, length);
}

/* The end of a state that says how long it is, else NULL. */
static const char *
decode_flags(const char **at, const char *end, uint8 *flags)
{
	uint64		length;

	if (*at >= end)
		aevon_varint_corrupted();
	*flags = (uint8) *(*at)++;
	if ((*flags & HAS_SKETCHES) == 0)
		return NULL;
	length = aevon_varint_get(at, end);
	if (length > end - *at)
		aevon_varint_corrupted();
	return *at + length;
}

static AevonLast *
decode_last(const char **at, const char *end)
{
	AevonLast  *last = palloc0(sizeof(AevonLast));

	last->occurred_at = aevon_varint_get_signed(at, end);
	last->principal = decode_text(at, end);
	last->event_id = decode_text(at, end);
	aevon_decimal_decode(at, end, &last->value);
	return last;
}

static char *
decode_text(const char **at, const char *end)
{
	uint64		length = aevon_varint_get(at, end);
	char	   *text;

	if (length > end - *at)
		aevon_varint_corrupted();
	text = pnstrdup(*at, length);

	*at += length;
	return text;
}
