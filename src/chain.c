/*
 * chain.c
 *		The tamper-evident chain over the log.
 *
 * Making a link and checking one is the same code: what entered between two
 * cuts is sorted and hashed.  The sort is PostgreSQL's, which goes to disk past
 * its memory, so that a transaction of any size can be a link.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplesort.h"

#include "access.h"
#include "catalog.h"
#include "chain.h"
#include "errors.h"
#include "guard.h"
#include "guc.h"
#include "log.h"

/* The key of the log's own cut among the measures'. */
#define LOG_CUT 0

/* Memory of a link's sort before it goes to disk. */
#define SORT_KB (64 * 1024)

/* Links read at a time. */
#define PAGE_LINKS 100

/* Columns of what is sorted. */
enum
{
	ITEM_STAMP, ITEM_KIND, ITEM_PRINCIPAL, ITEM_EVENT_ID, ITEM_HASH, ITEM_COLUMNS
};

#define KIND_EVENT 0
#define KIND_VOID 1

/* What entered between two cuts. */
typedef struct Entered
{
	Snapshot	snapshot;
	const AevonCut *before;
	const AevonCut *after;
	int64		max_events;		/* 0: no bound */
	int64		event_count;
	int64		void_count;
	Tuplesortstate *sort;		/* NULL: nothing yet */
	TupleTableSlot *item;
	TupleTableSlot *sorted;
	MemoryContext scratch;		/* of one item */
} Entered;

typedef struct Walk
{
	AevonBreakVisitor visitor;
	void	   *context;
	int64		expected;		/* number of the next link */
	uint8		link[AEVON_DIGEST_LENGTH];	/* the one before */
	AevonCut   *cut;			/* of the one before */
	MemoryContext home;			/* of that cut */
} Walk;

PG_FUNCTION_INFO_V1(aevon_chain_head_sql);
PG_FUNCTION_INFO_V1(aevon_chain_check_sql);

static bool read_log_cut(AevonQuery query, AevonCut **cut);
static bool read_head(AevonLink *head);
static void read_link(HeapTuple tuple, TupleDesc descriptor, AevonLink *link);
static void begin_entered(Entered *entered, Snapshot snapshot, const AevonCut *before);
static void end_entered(Entered *entered);
static void collect(Entered *entered, const AevonCut *target);
static int64 collect_events(Entered *entered, int64 from, int64 until);
static void collect_voids(Entered *entered, int64 from, int64 until);
static void put_void(Entered *entered, TupleTableSlot *row);
static bytea *hash_void(TupleTableSlot *row);
static void put_item(Entered *entered, int64 stamp, int kind, Datum *rest);
static void begin_sort(Entered *entered);
static void hash_link(Entered *entered, const uint8 *previous, uint8 *out);
static void hash_items(Entered *entered, pg_cryptohash_ctx *hash);
static void hash_number(pg_cryptohash_ctx *hash, int64 number);
static void hash_bytes(pg_cryptohash_ctx *hash, const void *bytes, Size length);
static void add_link(const AevonLink *link);
static void move_log_cut(const AevonCut *cut, int64 event_count, bool complete);
static void walk_link(Walk *walk, const AevonLink *stored);
static void walk_end(const Walk *walk);
static char *link_text(const uint8 *link);

/* The last link, for export. */
Datum
aevon_chain_head_sql(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	AevonAccess access;
	AevonLink	head;
	Datum		values[4];
	bool		nulls[4] = {false};
	bool		any;
	MemoryContext outer = CurrentMemoryContext;

	aevon_access_require(NULL, AEVON_PRIVILEGE_OPERATE);
	InitMaterializedSRF(fcinfo, 0);
	aevon_access_enter(&access);
	aevon_catalog_connect();
	any = read_head(&head);
	if (any)
	{
		MemoryContext spi = MemoryContextSwitchTo(outer);

		values[0] = Int64GetDatum(head.link_number);
		values[1] = CStringGetTextDatum(link_text(head.link));
		values[2] = CStringGetTextDatum(aevon_cut_text(head.cut));
		values[3] = TimestampTzGetDatum(head.made_at);
		MemoryContextSwitchTo(spi);
	}
	aevon_catalog_finish();
	aevon_access_leave(&access);
	if (any)
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return (Datum) 0;
}

/* Is this link still the one with that number? */
Datum
aevon_chain_check_sql(PG_FUNCTION_ARGS)
{
	AevonAccess access;
	Datum		values[1];
	char	   *given;
	bool		same = false;

	aevon_error_if_null(PG_ARGISNULL(0), "link_number");
	aevon_error_if_null(PG_ARGISNULL(1), "link");
	given = text_to_cstring(PG_GETARG_TEXT_PP(1));
	if (strlen(given) != 2 * AEVON_DIGEST_LENGTH ||
		strspn(given, "0123456789abcdefABCDEF") != 2 * AEVON_DIGEST_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not a link", aevon_error_excerpt(given)),
				 errdetail("A link is written with 64 hexadecimal digits.")));
	aevon_access_require(NULL, AEVON_PRIVILEGE_OPERATE);

	aevon_access_enter(&access);
	aevon_catalog_connect();
	values[0] = Int64GetDatum(PG_GETARG_INT64(0));
	aevon_catalog_run(AEVON_QUERY_FIND_LINK, values, NULL, true);
	if (SPI_processed == 1)
	{
		AevonLink	link;

		read_link(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, &link);
		same = pg_strcasecmp(link_text(link.link), given) == 0;
	}
	aevon_catalog_finish();
	aevon_access_leave(&access);
	PG_RETURN_BOOL(same);
}

const AevonCut *
aevon_chain_lock(void)
{
	AevonCut   *cut;

	if (!aevon_chain_enabled)
		return NULL;
	if (read_log_cut(AEVON_QUERY_LOCK_LOG_CUT, &cut))
		return cut;
	/* the first sweep's; waits if another one is the first just now */
	aevon_catalog_run(AEVON_QUERY_ADD_LOG_CUT, NULL, NULL, false);
	if (!read_log_cut(AEVON_QUERY_LOCK_LOG_CUT, &cut))
		elog(ERROR, "the log's cut is not there");
	return cut;
}

bool
aevon_chain_extend(Snapshot snapshot, const AevonCut *before, const AevonCut *target,
				   int64 max_events)
{
	Entered		entered;
	AevonLink	head;
	AevonLink	link = {0};
	bool		complete;

	aevon_guard_check_cut(before->xmax);
	begin_entered(&entered, snapshot, before);
	entered.max_events = max_events;
	collect(&entered, target);
	complete = entered.after == target;
	if (entered.event_count + entered.void_count > 0)
	{
		PushActiveSnapshot(GetLatestSnapshot());
		if (!read_head(&head))
			memset(&head, 0, sizeof(head));
		PopActiveSnapshot();
		link.link_number = head.link_number + 1;
		link.event_count = entered.event_count;
		link.void_count = entered.void_count;
		link.made_at = aevon_clock_now();
		link.cut = entered.after;
		hash_link(&entered, head.link, link.link);
		add_link(&link);
		move_log_cut(entered.after, entered.event_count, complete);
	}
	end_entered(&entered);
	return !complete;
}

const AevonCut *
aevon_chain_covered(void)
{
	AevonCut   *cut;

	return read_log_cut(AEVON_QUERY_LOG_CUT, &cut) ? cut : aevon_cut_empty();
}

int64
aevon_chain_walk(AevonBreakVisitor visitor, void *context)
{
	Walk		walk = {visitor, context, 1, {0}, aevon_cut_empty(), CurrentMemoryContext};
	MemoryContext page = AllocSetContextCreate(CurrentMemoryContext, "aevon links",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(page);
	uint64		count;
	int64		links = 0;

	do
	{
		Datum		values[2] = {Int64GetDatum(walk.expected), Int64GetDatum(PAGE_LINKS)};
		SPITupleTable *table;

		aevon_catalog_run(AEVON_QUERY_LINKS_FROM, values, NULL, true);
		table = SPI_tuptable;
		count = SPI_processed;
		for (uint64 i = 0; i < count; i++)
		{
			AevonLink	link;

			read_link(table->vals[i], table->tupdesc, &link);
			walk_link(&walk, &link);
		}
		links += (int64) count;
		SPI_freetuptable(table);
		MemoryContextReset(page);
	} while (count == PAGE_LINKS);
	walk_end(&walk);
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(page);
	return links;
}

static bool
read_log_cut(AevonQuery query, AevonCut **cut)
{
	bool		isnull;

	aevon_catalog_run(query, NULL, NULL, query != AEVON_QUERY_LOCK_LOG_CUT);
	if (SPI_processed == 0)
		return false;
	*cut = aevon_cut_from_datums(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
											   &isnull),
								 SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2,
											   &isnull));
	return true;
}

/* The last link that the active snapshot sees; false if there is none. */
static bool
read_head(AevonLink *head)
{
	aevon_catalog_run(AEVON_QUERY_LAST_LINK, NULL, NULL, true);
	if (SPI_processed == 0)
		return false;
	read_link(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, head);
	return true;
}

static void
read_link(HeapTuple tuple, TupleDesc descriptor, AevonLink *link)
{
	bool		isnull;
	bytea	   *bytes;

	memset(link, 0, sizeof(*link));
	link->link_number = DatumGetInt64(SPI_getbinval(tuple, descriptor, 1, &isnull));
	link->event_count = DatumGetInt64(SPI_getbinval(tuple, descriptor, 2, &isnull));
	link->void_count = DatumGetInt64(SPI_getbinval(tuple, descriptor, 3, &isnull));
	link->made_at = DatumGetTimestampTz(SPI_getbinval(tuple, descriptor, 4, &isnull));
	link->cut = aevon_cut_from_datums(SPI_getbinval(tuple, descriptor, 5, &isnull),
									  SPI_getbinval(tuple, descriptor, 6, &isnull));
	bytes = DatumGetByteaPP(SPI_getbinval(tuple, descriptor, 7, &isnull));
	/* one of another length was tampered with: it breaks as any other does */
	memcpy(link->link, VARDATA_ANY(bytes), Min(VARSIZE_ANY_EXHDR(bytes), AEVON_DIGEST_LENGTH));
}

static void
begin_entered(Entered *entered, Snapshot snapshot, const AevonCut *before)
{
	memset(entered, 0, sizeof(*entered));
	entered->snapshot = snapshot;
	entered->before = before;
	entered->scratch = AllocSetContextCreate(CurrentMemoryContext, "aevon chain item",
											 ALLOCSET_SMALL_SIZES);
}

static void
end_entered(Entered *entered)
{
	if (entered->sort != NULL)
	{
		tuplesort_end(entered->sort);
		ExecDropSingleTupleTableSlot(entered->item);
		ExecDropSingleTupleTableSlot(entered->sorted);
	}
	MemoryContextDelete(entered->scratch);
}

/*
 * Collect what is inside `target` but not inside `before`, or only the part
 * of it that a bounded link takes; entered->after is where that ends.
 */
static void
collect(Entered *entered, const AevonCut *target)
{
	const AevonCut *before = entered->before;
	int64		end = target->xmax;

	entered->after = target;
	for (int i = 0; i < before->nxip; i++)
		collect_events(entered, before->xip[i], before->xip[i] + 1);
	if (before->xmax < end)
		end = collect_events(entered, before->xmax, end);
	if (end < target->xmax)
		entered->after = aevon_cut_end_at(target, end);
	for (int i = 0; i < before->nxip; i++)
		collect_voids(entered, before->xip[i], before->xip[i] + 1);
	if (before->xmax < end)
		collect_voids(entered, before->xmax, end);
}

/* Events of stamps [from, until); the stamp up to which all were taken. */
static int64
collect_events(Entered *entered, int64 from, int64 until)
{
	AevonLogScan *scan = aevon_log_scan_stamps(entered->snapshot, from, until);
	AevonLogRow row;
	int64		last = -1;

	while (aevon_log_scan_next(scan, &row))
	{
		Datum		rest[3];
		bool		isnull;

		if (!aevon_cut_contains(entered->after, row.stamp))
			continue;
		if (entered->max_events > 0 && entered->event_count >= entered->max_events &&
			row.stamp != last && until > from + 1)
		{
			until = row.stamp;
			break;
		}
		last = row.stamp;
		rest[0] = Int32GetDatum(row.principal_key);
		rest[1] = slot_getattr(row.slot, Anum_event_log_event_id, &isnull);
		rest[2] = slot_getattr(row.slot, Anum_event_log_content_hash, &isnull);
		put_item(entered, row.stamp, KIND_EVENT, rest);
		entered->event_count++;
	}
	aevon_log_scan_end(scan);
	return until;
}

static void
collect_voids(Entered *entered, int64 from, int64 until)
{
	Relation	heap = table_open(aevon_catalog_oid(AEVON_VOIDS), AccessShareLock);
	Relation	index = index_open(aevon_catalog_oid(AEVON_VOIDS_STAMP), AccessShareLock);
	TupleTableSlot *slot = table_slot_create(heap, NULL);
	IndexScanDesc scan = index_beginscan(heap, index, entered->snapshot, 2, 0);
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], 1, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(from));
	ScanKeyInit(&keys[1], 1, BTLessStrategyNumber, F_INT8LT, Int64GetDatum(until));
	index_rescan(scan, keys, 2, NULL, 0);
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		put_void(entered, slot);
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
	table_close(heap, AccessShareLock);
}

static void
put_void(Entered *entered, TupleTableSlot *row)
{
	MemoryContext outer;
	Datum		rest[3];
	bool		isnull;
	int64		stamp = DatumGetInt64(slot_getattr(row, Anum_voids_stamp, &isnull));

	if (!aevon_cut_contains(entered->after, stamp))
		return;
	outer = MemoryContextSwitchTo(entered->scratch);
	rest[0] = slot_getattr(row, Anum_voids_principal_key, &isnull);
	rest[1] = slot_getattr(row, Anum_voids_event_id, &isnull);
	rest[2] = PointerGetDatum(hash_void(row));
	MemoryContextSwitchTo(outer);
	put_item(entered, stamp, KIND_VOID, rest);
	entered->void_count++;
	MemoryContextReset(entered->scratch);
}

/* SHA-256 over a void's columns: 8 bytes for a number, a length before a text. */
static bytea *
hash_void(TupleTableSlot *row)
{
	bytea	   *out = palloc(VARHDRSZ + AEVON_DIGEST_LENGTH);
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	bool		isnull;

	if (hash == NULL || pg_cryptohash_init(hash) < 0)
		elog(ERROR, "SHA-256 failed: %s", pg_cryptohash_error(hash));
	slot_getsomeattrs(row, Anum_voids_voided_by);
	for (int column = Anum_voids_stamp; column <= Anum_voids_voided_by; column++)
	{
		Datum		value = slot_getattr(row, column, &isnull);

		if (column >= Anum_voids_event_id)
		{
			text	   *string = DatumGetTextPP(value);

			hash_number(hash, VARSIZE_ANY_EXHDR(string));
			hash_bytes(hash, VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string));
		}
		else if (column >= Anum_voids_part)
			hash_number(hash, DatumGetInt32(value));
		else
			hash_number(hash, DatumGetInt64(value));
	}
	if (pg_cryptohash_final(hash, (uint8 *) VARDATA(out), AEVON_DIGEST_LENGTH) < 0)
		elog(ERROR, "SHA-256 failed: %s", pg_cryptohash_error(hash));
	pg_cryptohash_free(hash);
	SET_VARSIZE(out, VARHDRSZ + AEVON_DIGEST_LENGTH);
	return out;
}

/* `rest`: principal_key, event_id, hash. */
static void
put_item(Entered *entered, int64 stamp, int kind, Datum *rest)
{
	TupleTableSlot *item;

	if (entered->sort == NULL)
		begin_sort(entered);
	item = entered->item;
	ExecClearTuple(item);
	memset(item->tts_isnull, false, ITEM_COLUMNS * sizeof(bool));
	item->tts_values[ITEM_STAMP] = Int64GetDatum(stamp);
	item->tts_values[ITEM_KIND] = Int32GetDatum(kind);
	item->tts_values[ITEM_PRINCIPAL] = rest[0];
	item->tts_values[ITEM_EVENT_ID] = rest[1];
	item->tts_values[ITEM_HASH] = rest[2];
	ExecStoreVirtualTuple(item);
	tuplesort_puttupleslot(entered->sort, item);
}

static void
begin_sort(Entered *entered)
{
	TupleDesc	descriptor = CreateTemplateTupleDesc(ITEM_COLUMNS);
	AttrNumber	columns[] = {1, 2, 3, 4};
	Oid			operators[] = {Int8LessOperator, Int4LessOperator, Int4LessOperator,
	TextLessOperator};
	Oid			collations[] = {InvalidOid, InvalidOid, InvalidOid, C_COLLATION_OID};
	bool		nulls_first[] = {false, false, false, false};

	TupleDescInitEntry(descriptor, ITEM_STAMP + 1, "stamp", INT8OID, -1, 0);
	TupleDescInitEntry(descriptor, ITEM_KIND + 1, "kind", INT4OID, -1, 0);
	TupleDescInitEntry(descriptor, ITEM_PRINCIPAL + 1, "principal_key", INT4OID, -1, 0);
	TupleDescInitEntry(descriptor, ITEM_EVENT_ID + 1, "event_id", TEXTOID, -1, 0);
	TupleDescInitEntry(descriptor, ITEM_HASH + 1, "hash", BYTEAOID, -1, 0);
	entered->item = MakeSingleTupleTableSlot(descriptor, &TTSOpsVirtual);
	entered->sorted = MakeSingleTupleTableSlot(descriptor, &TTSOpsMinimalTuple);
	entered->sort = tuplesort_begin_heap(descriptor, lengthof(columns), columns, operators,
										 collations, nulls_first, SORT_KB, NULL,
										 TUPLESORT_NONE);
}

static void
hash_link(Entered *entered, const uint8 *previous, uint8 *out)
{
	const AevonCut *cut = entered->after;
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);

	if (hash == NULL || pg_cryptohash_init(hash) < 0)
		elog(ERROR, "SHA-256 failed: %s", pg_cryptohash_error(hash));
	hash_bytes(hash, previous, AEVON_DIGEST_LENGTH);
	if (entered->sort != NULL)
		hash_items(entered, hash);
	hash_number(hash, entered->event_count);
	hash_number(hash, entered->void_count);
	hash_number(hash, cut->xmax);
	hash_number(hash, cut->nxip);
	for (int i = 0; i < cut->nxip; i++)
		hash_number(hash, cut->xip[i]);
	if (pg_cryptohash_final(hash, out, AEVON_DIGEST_LENGTH) < 0)
		elog(ERROR, "SHA-256 failed: %s", pg_cryptohash_error(hash));
	pg_cryptohash_free(hash);
}

static void
hash_items(Entered *entered, pg_cryptohash_ctx *hash)
{
	tuplesort_performsort(entered->sort);
	while (tuplesort_gettupleslot(entered->sort, true, false, entered->sorted, NULL))
	{
		Datum	   *values;
		bytea	   *content;
		uint8		kind;

		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(entered->sorted);
		values = entered->sorted->tts_values;
		kind = (uint8) DatumGetInt32(values[ITEM_KIND]);
		content = DatumGetByteaPP(values[ITEM_HASH]);
		hash_bytes(hash, &kind, sizeof(kind));
		hash_number(hash, DatumGetInt64(values[ITEM_STAMP]));
		hash_bytes(hash, VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content));
	}
}

static void
hash_number(pg_cryptohash_ctx *hash, int64 number)
{
	uint64		bytes = pg_hton64((uint64) number);

	hash_bytes(hash, &bytes, sizeof(bytes));
}

static void
hash_bytes(pg_cryptohash_ctx *hash, const void *bytes, Size length)
{
	if (pg_cryptohash_update(hash, bytes, length) < 0)
		elog(ERROR, "SHA-256 failed: %s", pg_cryptohash_error(hash));
}

static void
add_link(const AevonLink *link)
{
	bytea	   *bytes = palloc(VARHDRSZ + AEVON_DIGEST_LENGTH);
	Datum		values[7];

	SET_VARSIZE(bytes, VARHDRSZ + AEVON_DIGEST_LENGTH);
	memcpy(VARDATA(bytes), link->link, AEVON_DIGEST_LENGTH);
	values[0] = Int64GetDatum(link->link_number);
	values[1] = Int64GetDatum(link->event_count);
	values[2] = Int64GetDatum(link->void_count);
	values[3] = TimestampTzGetDatum(link->made_at);
	values[4] = Int64GetDatum(link->cut->xmax);
	values[5] = aevon_cut_xip_datum(link->cut);
	values[6] = PointerGetDatum(bytes);
	aevon_catalog_run(AEVON_QUERY_ADD_LINK, values, NULL, false);
}

static void
move_log_cut(const AevonCut *cut, int64 event_count, bool complete)
{
	Datum		values[8] = {
		Int32GetDatum(LOG_CUT),
		Int64GetDatum(cut->xmax),
		aevon_cut_xip_datum(cut),
		BoolGetDatum(complete),
		TimestampTzGetDatum(aevon_clock_now()),
		Int64GetDatum(event_count),
		BoolGetDatum(false),	/* series are the measures' */
		Int64GetDatum(0),
	};

	aevon_catalog_run(AEVON_QUERY_MOVE_CHECKPOINT, values, NULL, false);
	if (SPI_processed != 1)
		elog(ERROR, "the log's cut is gone");
}

/* Check one link against the one before it, which it then takes the place of. */
static void
walk_link(Walk *walk, const AevonLink *stored)
{
	AevonLink	recomputed = *stored;
	Entered		entered;
	MemoryContext outer;

	if (stored->link_number != walk->expected)
	{
		recomputed.link_number = walk->expected;
		walk->visitor(walk->context, NULL, &recomputed);
	}
	begin_entered(&entered, GetActiveSnapshot(), walk->cut);
	collect(&entered, stored->cut);
	hash_link(&entered, walk->link, recomputed.link);
	recomputed.link_number = stored->link_number;
	recomputed.event_count = entered.event_count;
	recomputed.void_count = entered.void_count;
	end_entered(&entered);
	if (memcmp(recomputed.link, stored->link, AEVON_DIGEST_LENGTH) != 0 ||
		recomputed.event_count != stored->event_count ||
		recomputed.void_count != stored->void_count)
		walk->visitor(walk->context, stored, &recomputed);

	walk->expected = stored->link_number + 1;
	memcpy(walk->link, stored->link, AEVON_DIGEST_LENGTH);
	outer = MemoryContextSwitchTo(walk->home);
	pfree(walk->cut->xip);
	pfree(walk->cut);
	walk->cut = aevon_cut_end_at(stored->cut, stored->cut->xmax);
	MemoryContextSwitchTo(outer);
}

/* The log's cut is that of the last link: else links were cut off. */
static void
walk_end(const Walk *walk)
{
	AevonCut   *cut;
	AevonLink	missing = {0};

	if (!read_log_cut(AEVON_QUERY_LOG_CUT, &cut))
		cut = aevon_cut_empty();
	if (aevon_cut_equal(cut, walk->cut))
		return;
	missing.link_number = walk->expected;
	missing.cut = cut;
	walk->visitor(walk->context, NULL, &missing);
}

static char *
link_text(const uint8 *link)
{
	char	   *text = palloc0(2 * AEVON_DIGEST_LENGTH + 1);

	hex_encode((const char *) link, AEVON_DIGEST_LENGTH, text);
	return text;
}
