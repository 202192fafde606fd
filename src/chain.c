/*
 * chain.c
 *		The tamper-evident chain over the log and over what was reported of it.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"

#include "access.h"
#include "catalog.h"
#include "chain.h"
#include "errors.h"
#include "guard.h"
#include "guc.h"

/* The key of the log's own cut among the measures'. */
#define LOG_CUT 0

/* Links, and rows that name one, read at a time. */
#define PAGE_LINKS 100
#define PAGE_ROWS 1000

struct AevonChainRun
{
	AevonLink	link;
	AevonChainHash *hash;
};

struct AevonChainPass
{
	AevonLink	link;
	AevonChainHash *hash;
	AevonEntering entering;
	AevonLinkEntry *entry;
};

/* The rows of a query that name links, in order of these. */
typedef struct LinkedRows
{
	Portal		portal;
	SPITupleTable *page;		/* NULL: before the first */
	uint64		count;
	uint64		at;
} LinkedRows;

typedef struct Walk
{
	AevonBreakVisitor visitor;
	void	   *context;
	int64		expected;		/* number of the next link */
	int64		missing;		/* the last that was missed */
	uint8		link[AEVON_DIGEST_LENGTH];	/* the one before */
	AevonCut   *cut;			/* of the one before */
	MemoryContext home;			/* of that cut */
	LinkedRows	snapshots;
	LinkedRows	compactions;
} Walk;

PG_FUNCTION_INFO_V1(aevon_chain_head_sql);
PG_FUNCTION_INFO_V1(aevon_chain_check_sql);
PG_FUNCTION_INFO_V1(aevon_row_hash_sql);

static AevonCut *lock_log_cut(void);
static bool read_log_cut(AevonQuery query, AevonCut **cut);
static void begin_link(AevonLink *link, AevonChainHash **hash);
static bool read_head(AevonLink *head);
static void move_log_cut(const AevonCut *cut, int64 event_count, bool complete);
static void open_rows(LinkedRows *rows, AevonQuery query, Datum *values);
static void close_rows(LinkedRows *rows);
static bool peek_row(LinkedRows *rows, AevonLinkedRow *row);
static void walk_link(Walk *walk, const AevonLink *stored);
static void put_rows(Walk *walk, LinkedRows *rows, AevonLink *link, AevonChainHash *hash);
static void walk_missing(Walk *walk, int64 link_number);
static void walk_end(Walk *walk);
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

		aevon_link_read(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, &link);
		same = pg_strcasecmp(link_text(link.link), given) == 0;
	}
	aevon_catalog_finish();
	aevon_access_leave(&access);
	PG_RETURN_BOOL(same);
}

/* The hash of a row: of all its columns in order, but one named "hash". */
Datum
aevon_row_hash_sql(PG_FUNCTION_ARGS)
{
	HeapTupleHeader record = PG_GETARG_HEAPTUPLEHEADER(0);
	TupleDesc	descriptor = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(record),
													HeapTupleHeaderGetTypMod(record));
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(record),.t_data = record};
	Datum	   *values = palloc(descriptor->natts * sizeof(Datum));
	bool	   *nulls = palloc(descriptor->natts * sizeof(bool));
	Oid		   *types = palloc(descriptor->natts * sizeof(Oid));
	AevonDigestRow row = {.types = types,.values = values,.nulls = nulls};
	bytea	   *hash = palloc(VARHDRSZ + AEVON_DIGEST_LENGTH);

	heap_deform_tuple(&tuple, descriptor, values, nulls);
	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(descriptor, i);

		if (column->attisdropped || strcmp(NameStr(column->attname), "hash") == 0)
			continue;
		types[row.count] = column->atttypid;
		values[row.count] = values[i];
		nulls[row.count++] = nulls[i];
	}
	ReleaseTupleDesc(descriptor);
	aevon_digest_row(&row, (uint8 *) VARDATA(hash));
	SET_VARSIZE(hash, VARHDRSZ + AEVON_DIGEST_LENGTH);
	PG_RETURN_BYTEA_P(hash);
}

const AevonCut *
aevon_chain_lock(void)
{
	return aevon_chain_enabled ? lock_log_cut() : NULL;
}

bool
aevon_chain_extend(Snapshot snapshot, const AevonCut *before, const AevonCut *target,
				   int64 max_events)
{
	AevonChainPass *pass = aevon_chain_begin_pass(snapshot, before, target);
	int64		end;

	pass->entering.max_events = max_events;
	end = aevon_link_put_entered(pass->entry);
	aevon_chain_end_pass(pass, end);
	return end != target->xmax;
}

AevonChainPass *
aevon_chain_begin_pass(Snapshot snapshot, const AevonCut *before, const AevonCut *target)
{
	AevonChainPass *pass = palloc0(sizeof(AevonChainPass));

	aevon_guard_check_cut(before->xmax);
	pass->entering.snapshot = snapshot;
	pass->entering.before = before;
	pass->entering.target = target;
	begin_link(&pass->link, &pass->hash);
	pass->entry = aevon_link_begin_entry(&pass->link, pass->hash, &pass->entering);
	return pass;
}

AevonLinkEntry *
aevon_chain_pass_entry(AevonChainPass *pass)
{
	return pass->entry;
}

void
aevon_chain_end_pass(AevonChainPass *pass, int64 end)
{
	const AevonCut *target = pass->entering.target;
	bool		complete = end == target->xmax;
	AevonLink  *link = &pass->link;

	if (link->event_count + link->void_count == 0)
		aevon_chainhash_end(pass->hash, NULL);
	else
	{
		link->cut = complete ? target : aevon_cut_end_at(target, end);
		aevon_link_finish(link, pass->hash);
		aevon_link_add(link);
		move_log_cut(link->cut, link->event_count, complete);
	}
	aevon_link_end_entry(pass->entry);
	pfree(pass);
}

const AevonCut *
aevon_chain_covered(void)
{
	AevonCut   *cut;

	return read_log_cut(AEVON_QUERY_LOG_CUT, &cut) ? cut : aevon_cut_empty();
}

AevonChainRun *
aevon_chain_begin_run(void)
{
	AevonChainRun *run = palloc0(sizeof(AevonChainRun));
	const AevonCut *cut = lock_log_cut();

	begin_link(&run->link, &run->hash);
	run->link.cut = cut;
	return run;
}

int64
aevon_chain_run_number(const AevonChainRun *run)
{
	return run->link.link_number;
}

void
aevon_chain_put_snapshot(AevonChainRun *run, const AevonLinkedRow *row)
{
	aevon_link_put_row(&run->link, run->hash, row);
}

int64
aevon_chain_put_compactions(AevonChainRun *run)
{
	Datum		values[1] = {Int64GetDatum(run->link.link_number)};
	LinkedRows	rows;
	AevonLinkedRow row;

	PushActiveSnapshot(GetLatestSnapshot());
	open_rows(&rows, AEVON_QUERY_COMPACTIONS_OF_LINK, values);
	while (peek_row(&rows, &row))
	{
		aevon_link_put_row(&run->link, run->hash, &row);
		rows.at++;
	}
	close_rows(&rows);
	PopActiveSnapshot();
	return run->link.compaction_count;
}

void
aevon_chain_end_run(AevonChainRun *run)
{
	if (run->link.snapshot_count + run->link.compaction_count > 0)
	{
		aevon_link_finish(&run->link, run->hash);
		aevon_link_add(&run->link);
	}
	else
		aevon_chainhash_end(run->hash, NULL);
	pfree(run);
}

int64
aevon_chain_walk(AevonBreakVisitor visitor, void *context)
{
	Walk		walk = {
		.visitor = visitor,
		.context = context,
		.expected = 1,
		.cut = aevon_cut_empty(),
		.home = CurrentMemoryContext,
	};
	MemoryContext page = AllocSetContextCreate(CurrentMemoryContext, "aevon links",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(page);
	uint64		count;
	int64		links = 0;

	open_rows(&walk.snapshots, AEVON_QUERY_SNAPSHOTS_BY_LINK, NULL);
	open_rows(&walk.compactions, AEVON_QUERY_COMPACTIONS_BY_LINK, NULL);
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

			aevon_link_read(table->vals[i], table->tupdesc, &link);
			walk_link(&walk, &link);
		}
		links += (int64) count;
		SPI_freetuptable(table);
		MemoryContextReset(page);
	} while (count == PAGE_LINKS);
	walk_end(&walk);
	close_rows(&walk.snapshots);
	close_rows(&walk.compactions);
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(page);
	return links;
}

static AevonCut *
lock_log_cut(void)
{
	AevonCut   *cut;

	if (read_log_cut(AEVON_QUERY_LOCK_LOG_CUT, &cut))
		return cut;
	/* the first one's; waits if another one is the first just now */
	aevon_catalog_run(AEVON_QUERY_ADD_LOG_CUT, NULL, NULL, false);
	if (!read_log_cut(AEVON_QUERY_LOCK_LOG_CUT, &cut))
		elog(ERROR, "the log's cut is not there");
	return cut;
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

/* A link after the last one there is: the log's cut is locked. */
static void
begin_link(AevonLink *link, AevonChainHash **hash)
{
	AevonLink	head;

	PushActiveSnapshot(GetLatestSnapshot());
	if (!read_head(&head))
		memset(&head, 0, sizeof(head));
	PopActiveSnapshot();
	memset(link, 0, sizeof(*link));
	link->link_number = head.link_number + 1;
	link->made_at = aevon_clock_now();
	*hash = aevon_chainhash_begin(head.link, sizeof(head.link));
}

/*
 * The last link that the active snapshot sees; false if there is none.  Not by
 * SQL: a plan made while the chain is short would sort it when it is long.
 */
static bool
read_head(AevonLink *head)
{
	Relation	chain = table_open(aevon_catalog_oid(AEVON_CHAIN), AccessShareLock);
	Relation	index = index_open(aevon_catalog_oid(AEVON_CHAIN_KEY), AccessShareLock);
	SysScanDesc scan = systable_beginscan_ordered(chain, index, GetActiveSnapshot(), 0, NULL);
	HeapTuple	tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	bool		any = HeapTupleIsValid(tuple);

	if (any)
		aevon_link_read(tuple, RelationGetDescr(chain), head);
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(chain, AccessShareLock);
	return any;
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

static void
open_rows(LinkedRows *rows, AevonQuery query, Datum *values)
{
	memset(rows, 0, sizeof(*rows));
	rows->portal = aevon_catalog_open(query, values);
}

static void
close_rows(LinkedRows *rows)
{
	if (rows->page != NULL)
		SPI_freetuptable(rows->page);
	SPI_cursor_close(rows->portal);
}

/* The next row, which stays so until `at` is moved; false at the end. */
static bool
peek_row(LinkedRows *rows, AevonLinkedRow *row)
{
	TupleDesc	descriptor;
	HeapTuple	tuple;
	bool		isnull;

	if (rows->page == NULL || (rows->at == rows->count && rows->count > 0))
	{
		if (rows->page != NULL)
			SPI_freetuptable(rows->page);
		SPI_cursor_fetch(rows->portal, true, PAGE_ROWS);
		rows->page = SPI_tuptable;
		rows->count = SPI_processed;
		rows->at = 0;
	}
	if (rows->at == rows->count)
		return false;
	tuple = rows->page->vals[rows->at];
	descriptor = rows->page->tupdesc;
	row->link_number = DatumGetInt64(SPI_getbinval(tuple, descriptor, 1, &isnull));
	row->series_key = DatumGetInt64(SPI_getbinval(tuple, descriptor, 2, &isnull));
	row->day = DatumGetInt32(SPI_getbinval(tuple, descriptor, 3, &isnull));
	row->revision = DatumGetInt32(SPI_getbinval(tuple, descriptor, 4, &isnull));
	row->hash = DatumGetByteaPP(SPI_getbinval(tuple, descriptor, 5, &isnull));
	return true;
}

/* Check one link against the one before it, which it then takes the place of. */
static void
walk_link(Walk *walk, const AevonLink *stored)
{
	AevonEntering entering = {GetActiveSnapshot(), walk->cut, stored->cut, 0};
	AevonLink	recomputed = {
		.link_number = stored->link_number,
		.made_at = stored->made_at,
		.cut = stored->cut,
	};
	AevonChainHash *hash = aevon_chainhash_begin(walk->link, sizeof(walk->link));
	MemoryContext outer;

	if (stored->link_number != walk->expected)
		walk_missing(walk, walk->expected);
	if (!aevon_cut_equal(walk->cut, stored->cut))
	{
		AevonLinkEntry *entry = aevon_link_begin_entry(&recomputed, hash, &entering);

		aevon_link_put_entered(entry);
		aevon_link_end_entry(entry);
	}
	put_rows(walk, &walk->snapshots, &recomputed, hash);
	put_rows(walk, &walk->compactions, &recomputed, hash);
	aevon_link_finish(&recomputed, hash);
	if (memcmp(recomputed.link, stored->link, AEVON_DIGEST_LENGTH) != 0 ||
		recomputed.event_count != stored->event_count ||
		recomputed.void_count != stored->void_count ||
		recomputed.snapshot_count != stored->snapshot_count ||
		recomputed.compaction_count != stored->compaction_count)
		walk->visitor(walk->context, stored, &recomputed);

	walk->expected = stored->link_number + 1;
	memcpy(walk->link, stored->link, AEVON_DIGEST_LENGTH);
	outer = MemoryContextSwitchTo(walk->home);
	pfree(walk->cut->xip);
	pfree(walk->cut);
	walk->cut = aevon_cut_end_at(stored->cut, stored->cut->xmax);
	MemoryContextSwitchTo(outer);
}

/* Put the rows that name this link; those before it name none that is there. */
static void
put_rows(Walk *walk, LinkedRows *rows, AevonLink *link, AevonChainHash *hash)
{
	AevonLinkedRow row;

	while (peek_row(rows, &row) && row.link_number <= link->link_number)
	{
		CHECK_FOR_INTERRUPTS();
		if (row.link_number == link->link_number)
			aevon_link_put_row(link, hash, &row);
		else
			walk_missing(walk, row.link_number);
		rows->at++;
	}
}

static void
walk_missing(Walk *walk, int64 link_number)
{
	AevonLink	missing = {.link_number = link_number,.cut = walk->cut};

	if (link_number == walk->missing)
		return;
	walk->missing = link_number;
	walk->visitor(walk->context, NULL, &missing);
}

/* The log's cut is that of the last link: else links were cut off. */
static void
walk_end(Walk *walk)
{
	LinkedRows *rows[] = {&walk->snapshots, &walk->compactions};
	AevonLinkedRow row;
	AevonCut   *cut;

	if (!read_log_cut(AEVON_QUERY_LOG_CUT, &cut))
		cut = aevon_cut_empty();
	if (!aevon_cut_equal(cut, walk->cut))
		walk_missing(walk, walk->expected);
	for (int i = 0; i < (int) lengthof(rows); i++)
	{
		for (; peek_row(rows[i], &row); rows[i]->at++)
			walk_missing(walk, row.link_number);
	}
}

static char *
link_text(const uint8 *link)
{
	char	   *text = palloc0(2 * AEVON_DIGEST_LENGTH + 1);

	hex_encode((const char *) link, AEVON_DIGEST_LENGTH, text);
	return text;
}
