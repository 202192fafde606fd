/*
 * bucket.c
 *		Packed rows of partial states.
 *
 * A packed row: version byte, number of entries, then (if there are any) first
 * and last window, (of an open row) the window of the first entry, the merged
 * state of all entries, how many bytes the entries but the last take (if there
 * are several), and the entries: by window, ascending; of an open row in the
 * order in which they came, but the last window, which no other entry has, last.
 * Entries refer to the merged state, windows are written as distances from the
 * entry before.  The only entry of a row leaves out its sketches, which are those
 * of the merged state.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "bucket.h"
#include "varint.h"

/* Version bytes. */
#define FORMAT_ORDERED 1
#define FORMAT_OPEN 2

static void decode_entries(AevonPacked *out, AevonPackedReader *row);
static void order_entries(AevonPacked *packed);
static void encode_entry(StringInfo buf, const AevonPacked *packed, int at);
static int	position_of(const AevonPacked *packed, int64 window);
static void insert_entry(AevonPacked *packed, int at, int64 window);

void
aevon_packed_decode(const bytea *state, bool merged_only, AevonPacked *out)
{
	AevonPackedReader reader;

	aevon_packed_open(state, &reader);
	memset(out, 0, sizeof(*out));
	out->merged = reader.merged;
	if (reader.merged.quantiles != NULL)
	{
		out->merged.quantiles = palloc(sizeof(AevonQuantiles));
		*out->merged.quantiles = reader.merged_quantiles;
	}
	out->first = reader.first;
	out->last = reader.last;
	out->count = reader.count;
	out->base_stamp = out->merged.min_stamp;
	out->base_ingested = out->merged.min_ingested;
	out->open = reader.open;
	if (!merged_only && out->count > 0)
		decode_entries(out, &reader);
}

void
aevon_packed_check(const AevonPacked *packed)
{
	if (packed->merged.quantiles != NULL)
		aevon_quantiles_check(packed->merged.quantiles);
	for (int i = 0; i < packed->count; i++)
	{
		if (packed->entries[i].partial.quantiles != NULL)
			aevon_quantiles_check(packed->entries[i].partial.quantiles);
	}
}

void
aevon_packed_open(const bytea *state, AevonPackedReader *reader)
{
	memset(reader, 0, offsetof(AevonPackedReader, partial));
	reader->at = VARDATA_ANY(state);
	reader->end = reader->at + VARSIZE_ANY_EXHDR(state);
	if (reader->at >= reader->end || (*reader->at != FORMAT_ORDERED && *reader->at != FORMAT_OPEN))
		aevon_varint_corrupted();
	reader->open = *reader->at++ == FORMAT_OPEN;
	reader->count = (int) aevon_varint_get(&reader->at, reader->end);
	if (reader->count == 0)
		return;
	if (reader->count < 0 || reader->count > AEVON_PACKED_WINDOWS)
		aevon_varint_corrupted();
	reader->first = aevon_varint_get_signed(&reader->at, reader->end);
	reader->last = reader->first + (int64) aevon_varint_get(&reader->at, reader->end);
	reader->window = reader->first;
	if (reader->open)
		reader->window += (int64) aevon_varint_get(&reader->at, reader->end);
	aevon_partial_decode(&reader->at, reader->end, &reader->merged, NULL, &reader->merged_quantiles);
	if (reader->count > 1)
	{
		uint64		before = aevon_varint_get(&reader->at, reader->end);

		if (before >= reader->end - reader->at)
			aevon_varint_corrupted();
		reader->before = (int) before;
	}
	reader->left = reader->count;
}

bool
aevon_packed_next(AevonPackedReader *reader, int64 from, int64 until)
{
	while (reader->left > 0)
	{
		reader->left--;
		reader->window += aevon_packed_get_gap(&reader->at, reader->end, reader->open);
		if (reader->window >= until && !reader->open)
			return false;
		if (reader->window < from || reader->window >= until)
		{
			aevon_partial_skip(&reader->at, reader->end);
			continue;
		}
		aevon_partial_decode(&reader->at, reader->end, &reader->partial, &reader->merged,
							 &reader->quantiles);
		if (reader->count == 1)
		{
			reader->partial.quantiles = reader->merged.quantiles;
			reader->partial.distinct = reader->merged.distinct;
		}
		return true;
	}
	return false;
}

bytea *
aevon_packed_encode(const AevonPacked *packed)
{
	AevonPacked head = *packed;
	StringInfoData entries;
	StringInfoData buf;
	int			before = 0;

	initStringInfo(&entries);
	for (int i = 0; i < packed->count; i++)
	{
		before = entries.len;
		aevon_packed_put_gap(&entries, i == 0 ? 0 :
							 packed->entries[i].window - packed->entries[i - 1].window, packed->open);
		encode_entry(&entries, packed, i);
	}
	if (packed->count > 0)
	{
		head.first = packed->entries[0].window;
		head.last = packed->entries[packed->count - 1].window;
	}
	aevon_packed_begin(&buf, &head, head.first, before, entries.len);
	appendBinaryStringInfo(&buf, entries.data, entries.len);
	pfree(entries.data);
	SET_VARSIZE(buf.data, buf.len);
	return (bytea *) buf.data;
}

void
aevon_packed_begin(StringInfo buf, const AevonPacked *packed, int64 start, int before, int entries)
{
	initStringInfo(buf);
	enlargeStringInfo(buf, entries + 256);
	buf->len = VARHDRSZ;
	appendStringInfoChar(buf, packed->open ? FORMAT_OPEN : FORMAT_ORDERED);
	aevon_varint_put(buf, packed->count);
	if (packed->count == 0)
		return;
	aevon_varint_put_signed(buf, packed->first);
	aevon_varint_put(buf, packed->last - packed->first);
	if (packed->open)
		aevon_varint_put(buf, start - packed->first);
	aevon_partial_encode(buf, &packed->merged, NULL);
	if (packed->count > 1)
		aevon_varint_put(buf, before);
}

void
aevon_packed_add(AevonPacked *packed, int64 window, const AevonPartial *partial)
{
	int			at = position_of(packed, window);

	if (at == packed->count || packed->entries[at].window != window)
		insert_entry(packed, at, window);
	packed->entries[at].bytes = NULL;
	aevon_partial_merge(&packed->entries[at].partial, partial);
	aevon_partial_merge(&packed->merged, partial);
}

void
aevon_packed_set(AevonPacked *packed, int64 window, const AevonPartial *partial)
{
	int			at = position_of(packed, window);
	bool		there = at < packed->count && packed->entries[at].window == window;

	if (partial == NULL || partial->event_count == 0)
	{
		if (there)
			memmove(packed->entries + at, packed->entries + at + 1,
					(--packed->count - at) * sizeof(AevonPackedEntry));
		return;
	}
	if (!there)
		insert_entry(packed, at, window);
	packed->entries[at].bytes = NULL;
	memset(&packed->entries[at].partial, 0, sizeof(AevonPartial));
	aevon_partial_merge(&packed->entries[at].partial, partial);
}

void
aevon_packed_remerge(AevonPacked *packed)
{
	memset(&packed->merged, 0, sizeof(packed->merged));
	for (int i = 0; i < packed->count; i++)
		aevon_partial_merge(&packed->merged, &packed->entries[i].partial);
	if (packed->count > 0)
	{
		packed->first = packed->entries[0].window;
		packed->last = packed->entries[packed->count - 1].window;
	}
}

void
aevon_packed_slice(const AevonPacked *packed, int from, int count, AevonPacked *slice)
{
	*slice = *packed;
	if (count == packed->count)
		return;
	slice->entries = packed->entries + from;
	slice->count = slice->capacity = count;
	aevon_packed_remerge(slice);
}

static void
decode_entries(AevonPacked *out, AevonPackedReader *row)
{
	const char *entries = row->at;
	int64		window = row->window;
	bool		ordered = true;
	AevonQuantiles *views;

	out->capacity = out->count + 4;
	out->entries = palloc(out->capacity * sizeof(AevonPackedEntry));
	views = palloc(out->count * sizeof(AevonQuantiles));
	for (int i = 0; i < out->count; i++)
	{
		AevonPackedEntry *entry = &out->entries[i];
		const char *at = row->at;
		int64		gap = aevon_packed_get_gap(&row->at, row->end, row->open);

		/* whoever appends to the row goes by these */
		if ((i == 0 && gap != 0) || (i == out->count - 1 && at - entries != row->before))
			aevon_varint_corrupted();
		window += gap;
		ordered &= gap > 0 || i == 0;
		entry->window = window;
		entry->bytes = row->at;
		aevon_partial_decode(&row->at, row->end, &entry->partial, &out->merged, &views[i]);
		entry->length = (int) (row->at - entry->bytes);
	}
	if (row->at != row->end)
		aevon_varint_corrupted();
	if (out->count == 1)
	{
		/* among others it is to be written with its own */
		out->entries[0].bytes = NULL;
		aevon_partial_merge_sketches(&out->entries[0].partial, &out->merged);
	}
	if (row->open && !ordered)
		order_entries(out);
}

/* Sort entries of which most follow one another, and merge those of a window. */
static void
order_entries(AevonPacked *packed)
{
	int			kept = 0;

	for (int i = 0; i < packed->count; i++)
	{
		AevonPackedEntry entry = packed->entries[i];
		AevonPackedEntry *at = &packed->entries[kept];

		while (at > packed->entries && at[-1].window > entry.window)
			at--;
		if (at > packed->entries && at[-1].window == entry.window)
		{
			at[-1].bytes = NULL;
			aevon_partial_merge(&at[-1].partial, &entry.partial);
			continue;
		}
		memmove(at + 1, at, (char *) &packed->entries[kept] - (char *) at);
		*at = entry;
		kept++;
	}
	packed->count = kept;
}

static void
encode_entry(StringInfo buf, const AevonPacked *packed, int at)
{
	const AevonPackedEntry *own = &packed->entries[at];
	AevonPartial entry;

	if (own->bytes != NULL && packed->count > 1 &&
		packed->merged.min_stamp == packed->base_stamp &&
		packed->merged.min_ingested == packed->base_ingested)
	{
		appendBinaryStringInfo(buf, own->bytes, own->length);
		return;
	}
	entry = own->partial;
	if (packed->count == 1)
	{
		entry.quantiles = NULL;
		entry.distinct = NULL;
	}
	aevon_partial_encode(buf, &entry, &packed->merged);
}

/* Index of the first entry whose window is not below `window`. */
static int
position_of(const AevonPacked *packed, int64 window)
{
	int			low = 0;
	int			high = packed->count;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (packed->entries[middle].window < window)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
insert_entry(AevonPacked *packed, int at, int64 window)
{
	if (packed->count == packed->capacity)
	{
		packed->capacity = packed->capacity * 2 + 8;
		if (packed->entries == NULL)
			packed->entries = palloc(packed->capacity * sizeof(AevonPackedEntry));
		else
			packed->entries = repalloc(packed->entries,
									   packed->capacity * sizeof(AevonPackedEntry));
	}
	memmove(packed->entries + at + 1, packed->entries + at,
			(packed->count - at) * sizeof(AevonPackedEntry));
	memset(&packed->entries[at], 0, sizeof(AevonPackedEntry));
	packed->entries[at].window = window;
	packed->count++;
	packed->first = packed->entries[0].window;
	packed->last = packed->entries[packed->count - 1].window;
}
