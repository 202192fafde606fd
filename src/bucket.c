/*
 * bucket.c
 *		Partial states, their merge, and packed rows of them.
 *
 * A packed row: version byte, number of entries, then (if there are any) first
 * and last window, (of an open row) the window of the first entry, the merged
 * state of all entries, how many bytes the entries but the last take (if there
 * are several), and the entries: by window, ascending; of an open row in the
 * order in which they came, but the last window, which no other entry has, last.  Stamps and times of an entry are written as
 * distances from the merged state's, windows from the entry before.  The only
 * entry of a row leaves out its sketches, which are those of the merged state.
 * A state with sketches says how long it is, so that it can be stepped over, and
 * ends with its quantiles, so that these can be read later.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "bucket.h"
#include "varint.h"

/* Version bytes. */
#define FORMAT_ORDERED 1
#define FORMAT_OPEN 2

/* Flags of an encoded state. */
#define HAS_VALUE 0x01
#define HAS_LAST 0x02
#define HAS_SKIPPED 0x04
#define ONE_VALUE 0x08			/* sum, min and max are the same number */
#define HAS_LATE 0x10
#define HAS_QUANTILES 0x20
#define HAS_DISTINCT 0x40
#define HAS_SKETCHES (HAS_QUANTILES | HAS_DISTINCT)

/* A row being written from another and states that come between its entries. */
typedef struct Splice
{
	const AevonPackedReader *row;
	const AevonPartial *base;	/* what entries are relative to */
	const char *entry;			/* the row's next entry, */
	const char *at;				/* behind its gap; */
	int64		next;			/* its window */
	int			left;			/* the row's entries that were not written yet */
	int			count;			/* entries written, */
	int64		window;			/* of the last of them, */
	int			last_entry;		/* and where it begins */
	StringInfoData entries;
} Splice;

static void merge_values(AevonPartial *into, const AevonPartial *from);
static void decode_entries(AevonPacked *out, AevonPackedReader *row);
static void order_entries(AevonPacked *packed);
static int64 get_gap(const char **at, const char *end, bool open);
static void put_gap(StringInfo buf, int64 gap, bool open);
static int64 decode_last_entry(const AevonPackedReader *row, AevonPacked *tail,
							   AevonQuantiles *view);
static int64 encode_late(StringInfo buf, const AevonPacked *tail, const AevonWindowState *states,
						 int count, int64 gap);
static int	encode_tail(StringInfo buf, const AevonPacked *tail, int64 gap);
static void begin_splice(Splice *splice, const AevonPackedReader *row, const AevonPacked *head);
static void next_gap(Splice *splice);
static void copy_entries(Splice *splice, int64 until);
static void begin_entry(Splice *splice, int64 window);
static void splice_state(Splice *splice, const AevonWindowState *state);
static void begin_row(StringInfo buf, const AevonPacked *packed, int64 start, int before,
					  int entries);
static void merge_sketches(AevonPartial *into, const AevonPartial *from);
static void encode_entry(StringInfo buf, const AevonPacked *packed, int at);
static void encode_partial(StringInfo buf, const AevonPartial *partial,
						   const AevonPartial *base);
static void insert_length(StringInfo buf, int start);
static const char *decode_flags(const char **at, const char *end, uint8 *flags);
static void decode_partial(const char **at, const char *end, AevonPartial *out,
						   const AevonPartial *base, AevonQuantiles *view);
static void skip_partial(const char **at, const char *end);
static void encode_last(StringInfo buf, const AevonLast *last);
static AevonLast *decode_last(const char **at, const char *end);
static void encode_text(StringInfo buf, const char *text);
static char *decode_text(const char **at, const char *end);
static int	position_of(const AevonPacked *packed, int64 window);
static void insert_entry(AevonPacked *packed, int at, int64 window);

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
	merge_sketches(into, from);
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
	decode_partial(&reader->at, reader->end, &reader->merged, NULL, &reader->merged_quantiles);
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
		reader->window += get_gap(&reader->at, reader->end, reader->open);
		if (reader->window >= until && !reader->open)
			return false;
		if (reader->window < from || reader->window >= until)
		{
			skip_partial(&reader->at, reader->end);
			continue;
		}
		decode_partial(&reader->at, reader->end, &reader->partial, &reader->merged,
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
		put_gap(&entries, i == 0 ? 0 :
				packed->entries[i].window - packed->entries[i - 1].window, packed->open);
		encode_entry(&entries, packed, i);
	}
	if (packed->count > 0)
	{
		head.first = packed->entries[0].window;
		head.last = packed->entries[packed->count - 1].window;
	}
	begin_row(&buf, &head, head.first, before, entries.len);
	appendBinaryStringInfo(&buf, entries.data, entries.len);
	pfree(entries.data);
	SET_VARSIZE(buf.data, buf.len);
	return (bytea *) buf.data;
}

bytea *
aevon_packed_append(const bytea *state, const AevonWindowState *states, int count,
					int max_windows, int max_bytes)
{
	AevonPackedReader row;
	AevonPacked tail;
	AevonQuantiles view;
	StringInfoData entries;
	StringInfoData buf;
	int64		gap;
	int			late = 0;
	int			last;

	aevon_packed_open(state, &row);
	while (late < count && states[late].window < row.last)
		late++;
	if (row.count == 0 || (late > 0 && !row.open) ||
		row.count + count - (late < count && states[late].window == row.last) > max_windows)
		return NULL;
	gap = decode_last_entry(&row, &tail, &view);
	for (int i = 0; i < late; i++)
		aevon_partial_merge(&tail.merged, states[i].partial);
	for (int i = late; i < count; i++)
		aevon_packed_add(&tail, states[i].window, states[i].partial);

	/*
	 * what is copied is relative to these; a lone entry's sketches are not
	 * its
	 */
	if (tail.merged.min_stamp != row.merged.min_stamp ||
		tail.merged.min_ingested != row.merged.min_ingested ||
		(row.count == 1 && (tail.merged.quantiles != NULL || tail.merged.distinct != NULL)))
		return NULL;

	initStringInfo(&entries);
	gap = encode_late(&entries, &tail, states, late, gap);
	last = encode_tail(&entries, &tail, gap);
	tail.first = late > 0 ? Min(row.first, states[0].window) : row.first;
	tail.count += row.count - 1 + late;
	begin_row(&buf, &tail, row.count == 1 && late > 0 ? states[0].window : row.window,
			  row.before + last, row.before + entries.len);
	appendBinaryStringInfo(&buf, row.at, row.before);
	appendBinaryStringInfo(&buf, entries.data, entries.len);
	SET_VARSIZE(buf.data, buf.len);
	return buf.len <= max_bytes ? (bytea *) buf.data : NULL;
}

bytea *
aevon_packed_splice(const bytea *state, const AevonWindowState *states, int count,
					int max_windows, int max_bytes)
{
	AevonPackedReader row;
	AevonPacked head = {0};
	Splice		splice;
	StringInfoData buf;

	aevon_packed_open(state, &row);
	if (row.open || row.count < 2 || count > max_windows)
		return NULL;
	head.merged = row.merged;
	for (int i = 0; i < count; i++)
		aevon_partial_merge(&head.merged, states[i].partial);
	/* what is copied is relative to these */
	if (head.merged.min_stamp != row.merged.min_stamp ||
		head.merged.min_ingested != row.merged.min_ingested)
		return NULL;
	head.first = Min(row.first, states[0].window);
	head.last = Max(row.last, states[count - 1].window);

	begin_splice(&splice, &row, &head);
	for (int i = 0; i < count; i++)
		splice_state(&splice, &states[i]);
	copy_entries(&splice, PG_INT64_MAX);
	if (splice.at != row.end)
		aevon_varint_corrupted();
	head.count = splice.count;
	if (head.count > max_windows)
		return NULL;
	begin_row(&buf, &head, head.first, splice.last_entry, splice.entries.len);
	appendBinaryStringInfo(&buf, splice.entries.data, splice.entries.len);
	SET_VARSIZE(buf.data, buf.len);
	return buf.len <= max_bytes ? (bytea *) buf.data : NULL;
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
		int64		gap = get_gap(&row->at, row->end, row->open);

		/* whoever appends to the row goes by these */
		if ((i == 0 && gap != 0) || (i == out->count - 1 && at - entries != row->before))
			aevon_varint_corrupted();
		window += gap;
		ordered &= gap > 0 || i == 0;
		entry->window = window;
		entry->bytes = row->at;
		decode_partial(&row->at, row->end, &entry->partial, &out->merged, &views[i]);
		entry->length = (int) (row->at - entry->bytes);
	}
	if (row->at != row->end)
		aevon_varint_corrupted();
	if (out->count == 1)
	{
		/* among others it is to be written with its own */
		out->entries[0].bytes = NULL;
		merge_sketches(&out->entries[0].partial, &out->merged);
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

/* How far an entry's window is from that of the one before. */
static int64
get_gap(const char **at, const char *end, bool open)
{
	return open ? aevon_varint_get_signed(at, end) : (int64) aevon_varint_get(at, end);
}

static void
put_gap(StringInfo buf, int64 gap, bool open)
{
	if (open)
		aevon_varint_put_signed(buf, gap);
	else
		aevon_varint_put(buf, gap);
}

/*
 * The last entry, as a row whose merged state is all entries'; how far it is from
 * the one before.
 */
static int64
decode_last_entry(const AevonPackedReader *row, AevonPacked *tail, AevonQuantiles *view)
{
	const char *at = row->at + row->before;
	int64		gap = get_gap(&at, row->end, row->open);
	AevonPackedEntry *entry;

	memset(tail, 0, sizeof(*tail));
	tail->merged = row->merged;
	tail->first = tail->last = row->last;
	tail->count = 1;
	tail->open = row->open;
	tail->capacity = 8;
	tail->entries = entry = palloc(tail->capacity * sizeof(AevonPackedEntry));
	entry->window = row->last;
	entry->bytes = at;
	decode_partial(&at, row->end, &entry->partial, &row->merged, view);
	entry->length = (int) (at - entry->bytes);
	return gap;
}

/*
 * Older windows, put before the last entry, which is `gap` behind the one before
 * it; how far it is behind the last of them.
 */
static int64
encode_late(StringInfo buf, const AevonPacked *tail, const AevonWindowState *states, int count,
			int64 gap)
{
	int64		last = tail->entries[0].window;

	for (int i = 0; i < count; i++)
	{
		/* the only entry of a row was the first: now this one is */
		put_gap(buf, i == 0 && gap == 0 ? 0 : states[i].window - (last - gap), true);
		encode_partial(buf, states[i].partial, &tail->merged);
		gap = last - states[i].window;
	}
	return gap;
}

/* Entries of which the first is `gap` behind another; where the last begins. */
static int
encode_tail(StringInfo buf, const AevonPacked *tail, int64 gap)
{
	int			last = buf->len;

	for (int i = 0; i < tail->count; i++)
	{
		const AevonPackedEntry *entry = &tail->entries[i];

		last = buf->len;
		put_gap(buf, i == 0 ? gap : entry->window - entry[-1].window, tail->open);
		if (entry->bytes != NULL)
			appendBinaryStringInfo(buf, entry->bytes, entry->length);
		else
			encode_partial(buf, &entry->partial, &tail->merged);
	}
	return last;
}

static void
begin_splice(Splice *splice, const AevonPackedReader *row, const AevonPacked *head)
{
	splice->row = row;
	splice->base = &head->merged;
	splice->at = row->at;
	splice->left = row->count;
	splice->next = row->first;
	splice->count = 0;
	splice->window = head->first;
	splice->last_entry = 0;
	initStringInfo(&splice->entries);
	enlargeStringInfo(&splice->entries, (int) (row->end - row->at) + 1024);
	next_gap(splice);
}

/* Where the next entry of the row begins; behind all of them the greatest window. */
static void
next_gap(Splice *splice)
{
	const AevonPackedReader *row = splice->row;

	splice->entry = splice->at;
	if (splice->left == 0)
	{
		splice->next = PG_INT64_MAX;
		return;
	}
	splice->next += get_gap(&splice->at, row->end, false);
	/* whoever appends to the row goes by these */
	if ((splice->left == row->count && splice->next != row->first) ||
		(splice->left == 1 &&
		 (splice->entry - row->at != row->before || splice->next != row->last)))
		aevon_varint_corrupted();
}

/* The entries of windows below `until`: all but the first with the gap they have. */
static void
copy_entries(Splice *splice, int64 until)
{
	const char *begin;

	if (splice->next >= until)
		return;
	begin_entry(splice, splice->next);
	begin = splice->at;
	for (;;)
	{
		skip_partial(&splice->at, splice->row->end);
		splice->window = splice->next;
		splice->left--;
		next_gap(splice);
		if (splice->next >= until)
			break;
		splice->count++;
		splice->last_entry = splice->entries.len + (int) (splice->entry - begin);
	}
	appendBinaryStringInfo(&splice->entries, begin, (int) (splice->entry - begin));
}

static void
begin_entry(Splice *splice, int64 window)
{
	splice->count++;
	splice->last_entry = splice->entries.len;
	aevon_varint_put(&splice->entries, window - splice->window);
	splice->window = window;
}

static void
splice_state(Splice *splice, const AevonWindowState *state)
{
	AevonPartial merged;
	AevonQuantiles view;

	copy_entries(splice, state->window);
	begin_entry(splice, state->window);
	if (splice->next != state->window)
	{
		encode_partial(&splice->entries, state->partial, splice->base);
		return;
	}
	decode_partial(&splice->at, splice->row->end, &merged, splice->base, &view);
	aevon_partial_merge(&merged, state->partial);
	encode_partial(&splice->entries, &merged, splice->base);
	splice->left--;
	next_gap(splice);
}

/* All of a row but its entries, in a buffer with room for these. */
static void
begin_row(StringInfo buf, const AevonPacked *packed, int64 start, int before, int entries)
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
	encode_partial(buf, &packed->merged, NULL);
	if (packed->count > 1)
		aevon_varint_put(buf, before);
}

/* Of all values, whether numbers or not. */
static void
merge_sketches(AevonPartial *into, const AevonPartial *from)
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
	encode_partial(buf, &entry, &packed->merged);
}

/* `base` NULL: this is the state that others refer to. */
static void
encode_partial(StringInfo buf, const AevonPartial *partial, const AevonPartial *base)
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

/* What is kept of quantiles is in *view, and in the bytes. */
static void
decode_partial(const char **at, const char *end, AevonPartial *out, const AevonPartial *base,
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

/* Step over what decode_partial would read: most of it need not be looked at. */
static void
skip_partial(const char **at, const char *end)
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
encode_last(StringInfo buf, const AevonLast *last)
{
	aevon_varint_put_signed(buf, last->occurred_at);
	encode_text(buf, last->principal);
	encode_text(buf, last->event_id);
	aevon_decimal_encode(buf, &last->value);
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

static void
encode_text(StringInfo buf, const char *text)
{
	int			length = strlen(text);

	aevon_varint_put(buf, length);
	appendBinaryStringInfo(buf, text, length);
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
