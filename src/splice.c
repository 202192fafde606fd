/*
 * splice.c
 *		Packed rows made from others without decoding what stays as it is.
 *
 * The bytes of entries are copied where the merged state that they refer to has the
 * same first stamp and time as before.
 */
#include "postgres.h"

#include "splice.h"
#include "varint.h"

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

static int64 decode_last_entry(const AevonPackedReader *row, AevonPacked *tail,
							   AevonQuantiles *view);
static int64 encode_late(StringInfo buf, const AevonPacked *tail, const AevonWindowState *states,
						 int count, int64 gap);
static int	encode_tail(StringInfo buf, const AevonPacked *tail, int64 gap);
static void begin_splice(Splice *splice, const AevonPackedReader *row, const AevonPacked *head);
static void splice_state(Splice *splice, const AevonWindowState *state);
static void copy_entries(Splice *splice, int64 until);
static void begin_entry(Splice *splice, int64 window);
static void next_gap(Splice *splice);

bytea *
aevon_splice_append(const bytea *state, const AevonWindowState *states, int count,
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
	aevon_packed_begin(&buf, &tail, row.count == 1 && late > 0 ? states[0].window : row.window,
					   row.before + last, row.before + entries.len);
	appendBinaryStringInfo(&buf, row.at, row.before);
	appendBinaryStringInfo(&buf, entries.data, entries.len);
	SET_VARSIZE(buf.data, buf.len);
	return buf.len <= max_bytes ? (bytea *) buf.data : NULL;
}

bytea *
aevon_splice_insert(const bytea *state, const AevonWindowState *states, int count,
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
	aevon_packed_begin(&buf, &head, head.first, splice.last_entry, splice.entries.len);
	appendBinaryStringInfo(&buf, splice.entries.data, splice.entries.len);
	SET_VARSIZE(buf.data, buf.len);
	return buf.len <= max_bytes ? (bytea *) buf.data : NULL;
}

/*
 * The last entry, as a row whose merged state is all entries'; how far it is from
 * the one before.
 */
static int64
decode_last_entry(const AevonPackedReader *row, AevonPacked *tail, AevonQuantiles *view)
{
	const char *at = row->at + row->before;
	int64		gap = aevon_packed_get_gap(&at, row->end, row->open);
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
	aevon_partial_decode(&at, row->end, &entry->partial, &row->merged, view);
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
		aevon_packed_put_gap(buf, i == 0 && gap == 0 ? 0 : states[i].window - (last - gap), true);
		aevon_partial_encode(buf, states[i].partial, &tail->merged);
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
		aevon_packed_put_gap(buf, i == 0 ? gap : entry->window - entry[-1].window, tail->open);
		if (entry->bytes != NULL)
			appendBinaryStringInfo(buf, entry->bytes, entry->length);
		else
			aevon_partial_encode(buf, &entry->partial, &tail->merged);
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

static void
splice_state(Splice *splice, const AevonWindowState *state)
{
	AevonPartial merged;
	AevonQuantiles view;

	copy_entries(splice, state->window);
	begin_entry(splice, state->window);
	if (splice->next != state->window)
	{
		aevon_partial_encode(&splice->entries, state->partial, splice->base);
		return;
	}
	aevon_partial_decode(&splice->at, splice->row->end, &merged, splice->base, &view);
	aevon_partial_merge(&merged, state->partial);
	aevon_partial_encode(&splice->entries, &merged, splice->base);
	splice->left--;
	next_gap(splice);
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
		aevon_partial_skip(&splice->at, splice->row->end);
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
	splice->next += aevon_packed_get_gap(&splice->at, row->end, false);
	/* whoever appends to the row goes by these */
	if ((splice->left == row->count && splice->next != row->first) ||
		(splice->left == 1 &&
		 (splice->entry - row->at != row->before || splice->next != row->last)))
		aevon_varint_corrupted();
}
