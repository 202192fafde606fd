/*
 * append.c
 *		Appending events to the log, idempotently.
 *
 * Identity is kept by the log's index of keys (identity.h), which is not
 * unique: two ids may have one key.  An event is looked for, then written; if
 * its key's entry meets another one that was not there before (logwriter.h),
 * it may be of the same event, which another transaction has written
 * meanwhile.  Then the row is taken back, and that transaction waited for.
 *
 * Many events are written together: the rows in order of principal and time,
 * and each index in its own order, so that its pages are visited once.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "append.h"
#include "cut.h"
#include "dictionary.h"
#include "digest.h"
#include "guard.h"
#include "identity.h"
#include "log.h"
#include "logwriter.h"

/* Events that are looked for, sorted and indexed together. */
#define CHUNK_EVENTS 50000

/* How long to look away before a wait: see find_stored. */
#define SECOND_LOOK_US 100

/* An event on its way into the log. */
typedef struct Row
{
	AevonLogRecord record;
	AevonOutcome *outcome;
	bool		fresh;			/* not stored before: to be written */
	bool		twin;			/* of one before it in the chunk */
} Row;

/* What rows are sorted by, and then by their place in the call. */
typedef struct RowOrder
{
	int64		high;
	int64		low;
	Row		   *row;
} RowOrder;

struct AevonAppender
{
	MemoryContext chunk_context;	/* reset with each chunk of events */
	AevonLogWriter *writer;
	SnapshotData dirty;			/* sees what is not yet committed */
	AevonFinder *finder;
};

#define ST_SORT sort_rows
#define ST_ELEMENT_TYPE RowOrder
#define ST_COMPARE(a, b) \
	((a)->high != (b)->high ? ((a)->high < (b)->high ? -1 : 1) : \
	 (a)->low != (b)->low ? ((a)->low < (b)->low ? -1 : 1) : \
	 (a)->row < (b)->row ? -1 : (a)->row > (b)->row)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static void append_chunk(AevonAppender *appender, const AevonEvent **events, int count,
						 AevonOutcome *outcomes);
static void make_row(const AevonEvent *event, AevonOutcome *outcome, Row *row);
static void decide_row(AevonAppender *appender, const RowOrder *order, int number);
static bool is_twin(const RowOrder *order, int number);
static int	keep_fresh(RowOrder *order, int count);
static void append_alone(AevonAppender *appender, Row *row);
static bool find_stored(AevonAppender *appender, const Row *row, AevonLogRow *stored);
static AevonOutcome compare_stored(const Row *row, AevonLogRow *stored);
static void require_visible(const AevonAppender *appender, const AevonLogRow *stored);
static bool equal_data(Jsonb *a, Jsonb *b);
static bool claim_key(AevonAppender *appender, const AevonLogRecord *record);
static bool has_rival(AevonAppender *appender, const AevonLogRecord *record);
static void order_by_key(RowOrder *order, Row *rows, int count);
static int	compare_ids_and_place(const void *a, const void *b);
static int	compare_ids(const RowOrder *a, const RowOrder *b);
static void order_by_time(RowOrder *order, int count, AevonLogIndex index);

AevonAppender *
aevon_append_begin(void)
{
	AevonAppender *appender = palloc(sizeof(AevonAppender));

	appender->chunk_context = AllocSetContextCreate(CurrentMemoryContext, "Aevon events",
													ALLOCSET_DEFAULT_SIZES);
	appender->writer = aevon_logwriter_open(aevon_cut_stamp(aevon_guard_base()));
	InitDirtySnapshot(appender->dirty);
	appender->finder = aevon_logwriter_finder(appender->writer, &appender->dirty);
	return appender;
}

void
aevon_append_events(AevonAppender *appender, const AevonEvent **events, int count,
					AevonOutcome *outcomes)
{
	MemoryContext caller = MemoryContextSwitchTo(appender->chunk_context);

	for (int done = 0; done < count; done += CHUNK_EVENTS)
	{
		append_chunk(appender, events + done, Min(count - done, CHUNK_EVENTS),
					 outcomes + done);
		MemoryContextReset(appender->chunk_context);
	}
	MemoryContextSwitchTo(caller);
}

void
aevon_append_end(AevonAppender *appender)
{
	aevon_identity_close(appender->finder);
	aevon_logwriter_close(appender->writer);
	MemoryContextDelete(appender->chunk_context);
	pfree(appender);
}

/* The steps are taken for all events of the chunk, one after another. */
static void
append_chunk(AevonAppender *appender, const AevonEvent **events, int count,
			 AevonOutcome *outcomes)
{
	AevonLogWriter *writer = appender->writer;
	Row		   *rows = palloc(count * sizeof(Row));
	RowOrder   *order;
	int			fresh;

	for (int i = 0; i < count; i++)
		make_row(events[i], &outcomes[i], &rows[i]);
	if (count == 1)
	{
		append_alone(appender, &rows[0]);
		return;
	}

	order = palloc(count * sizeof(RowOrder));
	order_by_key(order, rows, count);
	for (int i = 0; i < count; i++)
		decide_row(appender, order, i);
	fresh = keep_fresh(order, count);

	order_by_time(order, fresh, AEVON_LOG_PRINCIPAL);
	for (int i = 0; i < fresh; i++)
	{
		CHECK_FOR_INTERRUPTS();
		aevon_logwriter_put(writer, &order[i].row->record);
	}
	aevon_logwriter_flush(writer);

	order_by_key(order, rows, count);
	fresh = keep_fresh(order, count);
	for (int i = 0; i < fresh; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!claim_key(appender, &order[i].row->record))
			append_alone(appender, order[i].row);
	}
	fresh = keep_fresh(order, fresh);

	for (AevonLogIndex index = 0; index < AEVON_LOG_KEY; index++)
	{
		order_by_time(order, fresh, index);
		for (int i = 0; i < fresh; i++)
		{
			CHECK_FOR_INTERRUPTS();
			(void) aevon_logwriter_index(writer, index, &order[i].row->record);
		}
	}
	for (int i = 0; i < count; i++)
		if (rows[i].twin)
			append_alone(appender, &rows[i]);
}

static void
make_row(const AevonEvent *event, AevonOutcome *outcome, Row *row)
{
	AevonLogRecord *record = &row->record;
	int32		principal_key;

	record->event = event;
	record->tenant_key = aevon_dictionary_intern(AEVON_DICTIONARY_TENANT, 0, event->tenant);
	record->type_key = aevon_dictionary_intern(AEVON_DICTIONARY_EVENT_TYPE, 0, event->event_type);
	principal_key = aevon_dictionary_intern(AEVON_DICTIONARY_PRINCIPAL, record->tenant_key,
											event->principal);
	record->identity = aevon_identity_make(principal_key, event->event_id);
	*outcome = AEVON_ACCEPTED;
	row->outcome = outcome;
	row->fresh = row->twin = false;
}

/* Is an event to be written, or what is it? */
static void
decide_row(AevonAppender *appender, const RowOrder *order, int number)
{
	Row		   *row = order[number].row;
	AevonLogRow stored;

	if (is_twin(order, number))
		row->twin = true;
	else if (find_stored(appender, row, &stored))
		*row->outcome = compare_stored(row, &stored);
	else
		row->fresh = true;
}

/* Has one before it, in the order of keys, the same identity? */
static bool
is_twin(const RowOrder *order, int number)
{
	return number > 0 && order[number - 1].high == order[number].high &&
		compare_ids(&order[number - 1], &order[number]) == 0;
}

/* Keep the order of the rows to be written, and no others; their number. */
static int
keep_fresh(RowOrder *order, int count)
{
	int			kept = 0;

	for (int i = 0; i < count; i++)
		if (order[i].row->fresh)
			order[kept++] = order[i];
	return kept;
}

/*
 * Append one event, after all that are before it.  Its chunk has nothing more to
 * do with it: VACUUM may have given away the place of a row that was taken back.
 */
static void
append_alone(AevonAppender *appender, Row *row)
{
	row->fresh = false;
	for (;;)
	{
		AevonLogRow stored;

		if (find_stored(appender, row, &stored))
		{
			*row->outcome = compare_stored(row, &stored);
			return;
		}
		aevon_logwriter_put(appender->writer, &row->record);
		aevon_logwriter_flush(appender->writer);
		if (claim_key(appender, &row->record))
			break;
	}
	for (AevonLogIndex index = 0; index < AEVON_LOG_KEY; index++)
		(void) aevon_logwriter_index(appender->writer, index, &row->record);
}

/*
 * Look for the event; if it is stored by a transaction that still runs, wait
 * for its end.  A row seen that is not committed may be one that is about to
 * be taken back (see claim_key), so that its transaction would be the wrong
 * one to wait for: the second look, a moment later, decides.
 */
static bool
find_stored(AevonAppender *appender, const Row *row, AevonLogRow *stored)
{
	const SnapshotData *dirty = &appender->dirty;

	for (bool looked = false;; looked = true)
	{
		TransactionId running = InvalidTransactionId;

		CHECK_FOR_INTERRUPTS();
		aevon_identity_seek(appender->finder, &row->record.identity);
		while (aevon_identity_next(appender->finder, stored))
		{
			if (!TransactionIdIsValid(dirty->xmin) && !TransactionIdIsValid(dirty->xmax))
			{
				require_visible(appender, stored);
				return true;
			}
			running = TransactionIdIsValid(dirty->xmin) ? dirty->xmin : dirty->xmax;
		}
		if (!TransactionIdIsValid(running))
			return false;
		aevon_identity_rest(appender->finder);
		if (looked)
			XactLockTableWait(running, NULL, NULL, XLTW_None);
		else
			pg_usleep(SECOND_LOOK_US);
	}
}

/* Is the event the one that is stored? */
static AevonOutcome
compare_stored(const Row *row, AevonLogRow *stored)
{
	const AevonEvent *event = row->record.event;

	if (stored->type_key != row->record.type_key || !equal_data(event->data, aevon_log_row_data(stored)))
		return AEVON_CONFLICT_CONTENT;
	if (event->occurred_given && stored->occurred_at != event->occurred_at)
		return AEVON_CONFLICT_TIME;
	return AEVON_DUPLICATE;
}

/*
 * Under REPEATABLE READ and above, a row that the snapshot does not see must
 * not decide what the transaction does, unless it is the transaction's own.
 */
static void
require_visible(const AevonAppender *appender, const AevonLogRow *stored)
{
	bool		isnull;
	TransactionId xmin;

	if (!IsolationUsesXactSnapshot() ||
		table_tuple_satisfies_snapshot(aevon_logwriter_heap(appender->writer), stored->slot, GetActiveSnapshot()))
		return;
	xmin = DatumGetTransactionId(slot_getsysattr(stored->slot, MinTransactionIdAttributeNumber,
												 &isnull));
	if (!TransactionIdIsCurrentTransactionId(xmin))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update")));
}

/* Equal but for how numbers are written. */
static bool
equal_data(Jsonb *a, Jsonb *b)
{
	uint8		digest_a[AEVON_DIGEST_LENGTH];
	uint8		digest_b[AEVON_DIGEST_LENGTH];

	if (VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0)
		return true;
	aevon_digest_document(a, digest_a);
	aevon_digest_document(b, digest_b);
	return memcmp(digest_a, digest_b, AEVON_DIGEST_LENGTH) == 0;
}

/*
 * Enter a written row's key.  False if another transaction's row of the same
 * identity was there after all; ours is then taken back.
 */
static bool
claim_key(AevonAppender *appender, const AevonLogRecord *record)
{
	if (aevon_logwriter_index(appender->writer, AEVON_LOG_KEY, record) ||
		!has_rival(appender, record))
		return true;
	aevon_identity_rest(appender->finder);
	aevon_logwriter_take_back(appender->writer, record);
	return false;
}

/* Is there another row of the identity, committed or not? */
static bool
has_rival(AevonAppender *appender, const AevonLogRecord *record)
{
	Oid			heap = RelationGetRelid(aevon_logwriter_heap(appender->writer));
	ItemPointerData tid = record->tid;
	AevonLogRow other;

	aevon_identity_seek(appender->finder, &record->identity);
	while (aevon_identity_next(appender->finder, &other))
		if (!ItemPointerEquals(&other.slot->tts_tid, &tid) || other.slot->tts_tableOid != heap)
			return true;
	return false;
}

/* Events of one key by their ids: everybody's order must be the same. */
static void
order_by_key(RowOrder *order, Row *rows, int count)
{
	int			end;

	for (int i = 0; i < count; i++)
	{
		order[i].high = rows[i].record.identity.key;
		order[i].low = 0;
		order[i].row = &rows[i];
	}
	sort_rows(order, count);
	for (int start = 0; start < count; start = end)
	{
		for (end = start + 1; end < count && order[end].high == order[start].high;)
			end++;
		if (end - start > 1)
			qsort(order + start, end - start, sizeof(RowOrder), compare_ids_and_place);
	}
}

static int
compare_ids_and_place(const void *a, const void *b)
{
	int			compared = compare_ids(a, b);

	if (compared != 0)
		return compared;
	return ((const RowOrder *) a)->row < ((const RowOrder *) b)->row ? -1 : 1;
}

static int
compare_ids(const RowOrder *a, const RowOrder *b)
{
	const AevonIdentity *first = &a->row->record.identity;
	const AevonIdentity *second = &b->row->record.identity;

	if (first->length != second->length)
		return first->length - second->length;
	return memcmp(first->event_id, second->event_id, first->length);
}

/* The order of an index; of equal stamps that of the log's rows. */
static void
order_by_time(RowOrder *order, int count, AevonLogIndex index)
{
	for (int i = 0; i < count; i++)
	{
		const AevonLogRecord *record = &order[i].row->record;

		if (index == AEVON_LOG_STAMP)
		{
			order[i].high = ItemPointerGetBlockNumberNoCheck(&record->tid);
			order[i].low = ItemPointerGetOffsetNumberNoCheck(&record->tid);
			continue;
		}
		order[i].high = index == AEVON_LOG_TENANT ? record->tenant_key :
			record->identity.principal_key;
		order[i].low = record->event->occurred_at;
	}
	sort_rows(order, count);
}
