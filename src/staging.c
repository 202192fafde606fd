/*
 * staging.c
 *		Bulk ingest from a staging table: aevon_ingest_from.
 *
 * The source is read by a cursor with the caller's rights, so that its
 * privileges, row security, views and functions mean what they mean to the
 * caller; only between two fetches does the call work as the tables' owner.
 * Layer 3.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/timestamp.h"

#include "access.h"
#include "catalog.h"
#include "event.h"
#include "guc.h"
#include "intake.h"
#include "json.h"

/* A chunk ends at this many rows, or past this many bytes. */
#define CHUNK_ROWS 50000
#define CHUNK_BYTES (32 * 1024 * 1024)
#define FETCH_ROWS 200			/* bounds what is held beyond CHUNK_BYTES */
#define NOTICE_ROWS 1000000		/* between two notices of progress */

typedef enum Column
{
	COLUMN_TENANT,
	COLUMN_PRINCIPAL,
	COLUMN_EVENT_ID,
	COLUMN_EVENT_TYPE,
	COLUMN_OCCURRED_AT,
	COLUMN_DATA,
	COLUMN_METADATA,
	COLUMN_INGESTED_AT,
	COLUMN_COUNT
} Column;

static const struct
{
	const char *name;
	Oid			type;			/* varchar is as good as text */
	bool		needed;
}			columns[COLUMN_COUNT] = {
	[COLUMN_TENANT] = {"tenant", TEXTOID, false},
	[COLUMN_PRINCIPAL] = {"principal", TEXTOID, true},
	[COLUMN_EVENT_ID] = {"event_id", TEXTOID, true},
	[COLUMN_EVENT_TYPE] = {"event_type", TEXTOID, true},
	[COLUMN_OCCURRED_AT] = {"occurred_at", TIMESTAMPTZOID, false},
	[COLUMN_DATA] = {"data", JSONBOID, false},
	[COLUMN_METADATA] = {"metadata", JSONBOID, false},
	[COLUMN_INGESTED_AT] = {"ingested_at", TIMESTAMPTZOID, false},
};

typedef struct Staging
{
	Oid			source;
	const char *schema;
	const char *name;
	const char *tenant;			/* of all rows; NULL: see the column */
	AevonIntake *intake;
	int			fields[COLUMN_COUNT];	/* of the cursor; 0: none */
	Portal		cursor;
	int64		read;			/* rows so far */
	const char *allowed_tenant; /* the last whose privileges were checked */
	MemoryContext chunk_context;
	AevonIntakeItem *items;		/* of CHUNK_ROWS + FETCH_ROWS */
	int			item_count;
	Size		item_bytes;
} Staging;

static void ingest_from(Staging *staging);
static void check_source(Staging *staging);
static void check_column(const Staging *staging, Column column, AttrNumber number);
static void check_type(const Staging *staging, Column column, Oid declared);
static void open_cursor(Staging *staging);
static bool read_chunk(Staging *staging);
static void read_rows(Staging *staging);
static void read_row(Staging *staging, HeapTuple row, TupleDesc desc);
static void read_event(Staging *staging, HeapTuple row, TupleDesc desc, AevonEvent *event);
static const char *text_field(Staging *staging, HeapTuple row, TupleDesc desc, Column column);
static Jsonb *json_field(Staging *staging, HeapTuple row, TupleDesc desc, Column column);
static bool time_field(const Staging *staging, HeapTuple row, TupleDesc desc, Column column,
					   TimestampTz *at);
static bool choose_tenant(Staging *staging, AevonIntakeItem *item, const char *given,
						  AevonProblem *problem);
static void require_privileges(Staging *staging, const char *tenant);

PG_FUNCTION_INFO_V1(aevon_ingest_from_sql);
Datum
aevon_ingest_from_sql(PG_FUNCTION_ARGS)
{
	AevonIntake intake;
	Staging		staging = {.intake = &intake};

	PreventCommandIfReadOnly("aevon_ingest_from()");
	aevon_error_if_null(PG_ARGISNULL(0), "source");
	staging.source = PG_GETARG_OID(0);
	if (!PG_ARGISNULL(1))
		staging.tenant = text_to_cstring(PG_GETARG_TEXT_PP(1));
	aevon_intake_begin(&intake,
					   PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2)),
					   "Row");
	ingest_from(&staging);
	return aevon_intake_result(&intake, fcinfo);
}

static void
ingest_from(Staging *staging)
{
	check_source(staging);
	if (staging->tenant != NULL)
	{
		aevon_event_require_tenant(staging->tenant);
		require_privileges(staging, staging->tenant);
	}

	staging->items = palloc((CHUNK_ROWS + FETCH_ROWS) * sizeof(AevonIntakeItem));
	staging->chunk_context = AllocSetContextCreate(CurrentMemoryContext, "Aevon chunk",
												   ALLOCSET_DEFAULT_SIZES);
	aevon_catalog_connect();
	open_cursor(staging);
	while (read_chunk(staging))
	{
		MemoryContext caller = MemoryContextSwitchTo(staging->chunk_context);

		aevon_intake_store(staging->intake, staging->items, staging->item_count);
		MemoryContextSwitchTo(caller);
	}
	SPI_cursor_close(staging->cursor);
	aevon_catalog_finish();
	MemoryContextDelete(staging->chunk_context);
}

/* Is the source a relation with the columns that are needed? */
static void
check_source(Staging *staging)
{
	char		kind;
	int			fields = 0;

	/* what is checked must still be so when it is read */
	LockRelationOid(staging->source, AccessShareLock);
	kind = get_rel_relkind(staging->source);
	staging->name = get_rel_name(staging->source);
	staging->schema = get_namespace_name(get_rel_namespace(staging->source));
	if (kind == '\0' || staging->name == NULL || staging->schema == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", staging->source)));
	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE &&
		kind != RELKIND_VIEW && kind != RELKIND_MATVIEW && kind != RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table or view", staging->name)));

	for (Column column = 0; column < COLUMN_COUNT; column++)
	{
		AttrNumber	number = get_attnum(staging->source, columns[column].name);

		check_column(staging, column, number);
		staging->fields[column] = number == InvalidAttrNumber ? 0 : ++fields;
	}
}

static void
check_column(const Staging *staging, Column column, AttrNumber number)
{
	if (number == InvalidAttrNumber)
	{
		if (columns[column].needed || (column == COLUMN_TENANT && staging->tenant == NULL))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of \"%s\" does not exist",
							columns[column].name, staging->name),
					 column == COLUMN_TENANT ?
					 errhint("Add the column, or name the tenant of all rows in the call.") : 0));
		return;
	}
	check_type(staging, column, get_atttype(staging->source, number));
}

static void
check_type(const Staging *staging, Column column, Oid declared)
{
	Oid			type = getBaseType(declared);

	if (type == columns[column].type ||
		(type == VARCHAROID && columns[column].type == TEXTOID))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of \"%s\" is of type %s", columns[column].name,
					staging->name, format_type_be(type)),
			 errdetail("It must be of type %s.", format_type_be(columns[column].type)),
			 errhint("Change the column's type, or ingest from a view that converts it.")));
}

/*
 * SELECT the columns that are there, by their fixed names.  The lock on the
 * source keeps its columns, but not its schema's name, which may be another
 * schema's by now: so what is read is checked too.
 */
static void
open_cursor(Staging *staging)
{
	StringInfoData text;
	SPIPlanPtr	plan;

	initStringInfo(&text);
	for (Column column = 0; column < COLUMN_COUNT; column++)
		if (staging->fields[column] != 0)
			appendStringInfo(&text, "%s s.%s", text.len == 0 ? "SELECT" : ",",
							 quote_identifier(columns[column].name));
	appendStringInfo(&text, " FROM %s s",
					 quote_qualified_identifier(staging->schema, staging->name));
	plan = SPI_prepare_cursor(text.data, 0, NULL, CURSOR_OPT_NO_SCROLL);	/* lint: names a table */
	if (plan == NULL)
		elog(ERROR, "source cannot be read: %s", SPI_result_code_string(SPI_result));
	staging->cursor = SPI_cursor_open(NULL, plan, NULL, NULL, false);
	for (Column column = 0; column < COLUMN_COUNT; column++)
		if (staging->fields[column] != 0)
			check_type(staging, column, TupleDescAttr(staging->cursor->tupDesc,
													  staging->fields[column] - 1)->atttypid);
}

/* Read the next chunk, as the caller.  False when there is none. */
static bool
read_chunk(Staging *staging)
{
	MemoryContextReset(staging->chunk_context);
	staging->item_count = 0;
	staging->item_bytes = 0;
	staging->allowed_tenant = staging->tenant;
	while (staging->item_count < CHUNK_ROWS && staging->item_bytes < CHUNK_BYTES)
	{
		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(staging->cursor, true, FETCH_ROWS);
		if (SPI_processed == 0)
			break;
		read_rows(staging);
		SPI_freetuptable(SPI_tuptable);
	}
	return staging->item_count > 0;
}

static void
read_rows(Staging *staging)
{
	MemoryContext caller = MemoryContextSwitchTo(staging->chunk_context);

	for (uint64 i = 0; i < SPI_processed; i++)
	{
		read_row(staging, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
		if (staging->read % NOTICE_ROWS == 0)
			ereport(NOTICE,
					(errmsg(INT64_FORMAT " rows read from \"%s\"", staging->read,
							staging->name)));
	}
	MemoryContextSwitchTo(caller);
}

static void
read_row(Staging *staging, HeapTuple row, TupleDesc desc)
{
	AevonIntakeItem *item = &staging->items[staging->item_count++];
	AevonProblem problem;

	memset(item, 0, sizeof(*item));
	item->position = ++staging->read;
	staging->item_bytes += row->t_len;
	read_event(staging, row, desc, &item->event);
	if (!choose_tenant(staging, item, text_field(staging, row, desc, COLUMN_TENANT), &problem) ||
		!aevon_event_check(&item->event, &problem))
		aevon_intake_put_problem(staging->intake, item, &problem);
}

static void
read_event(Staging *staging, HeapTuple row, TupleDesc desc, AevonEvent *event)
{
	event->principal = text_field(staging, row, desc, COLUMN_PRINCIPAL);
	event->event_id = text_field(staging, row, desc, COLUMN_EVENT_ID);
	event->event_type = text_field(staging, row, desc, COLUMN_EVENT_TYPE);
	event->occurred_given = time_field(staging, row, desc, COLUMN_OCCURRED_AT,
									   &event->occurred_at);
	if (!event->occurred_given)
		event->occurred_at = aevon_clock_transaction_start();
	event->ingested_given = time_field(staging, row, desc, COLUMN_INGESTED_AT,
									   &event->ingested_at);
	if (!event->ingested_given)
		event->ingested_at = aevon_clock_now();
	event->data = staging->fields[COLUMN_DATA] == 0 ? aevon_json_empty() :
		json_field(staging, row, desc, COLUMN_DATA);
	event->metadata = json_field(staging, row, desc, COLUMN_METADATA);
}

/* A column's text, or NULL; palloc'd. */
static const char *
text_field(Staging *staging, HeapTuple row, TupleDesc desc, Column column)
{
	bool		isnull;
	Datum		value;

	if (staging->fields[column] == 0)
		return NULL;
	value = SPI_getbinval(row, desc, staging->fields[column], &isnull);
	return isnull ? NULL : TextDatumGetCString(value);
}

/* A column's document, or NULL; palloc'd. */
static Jsonb *
json_field(Staging *staging, HeapTuple row, TupleDesc desc, Column column)
{
	bool		isnull;
	Datum		value;
	Jsonb	   *document;

	if (staging->fields[column] == 0)
		return NULL;
	value = SPI_getbinval(row, desc, staging->fields[column], &isnull);
	if (isnull)
		return NULL;
	document = DatumGetJsonbPCopy(value);
	staging->item_bytes += VARSIZE(document);
	return document;
}

static bool
time_field(const Staging *staging, HeapTuple row, TupleDesc desc, Column column,
		   TimestampTz *at)
{
	bool		isnull;
	Datum		value;

	if (staging->fields[column] == 0)
		return false;
	value = SPI_getbinval(row, desc, staging->fields[column], &isnull);
	if (!isnull)
		*at = DatumGetTimestampTz(value);
	return !isnull;
}

/*
 * Give the item its tenant.  False if the row's is not that of the call.  A bad
 * tenant ends the call even under 'reject': the rejection would be nobody's.
 */
static bool
choose_tenant(Staging *staging, AevonIntakeItem *item, const char *given,
			  AevonProblem *problem)
{
	item->event.tenant = staging->allowed_tenant;
	if (given == NULL ? staging->tenant != NULL :
		item->event.tenant != NULL && strcmp(given, item->event.tenant) == 0)
		return true;
	if (staging->tenant != NULL)
	{
		problem->sqlstate = ERRCODE_INVALID_PARAMETER_VALUE;
		problem->message = "row is of another tenant than the call";
		problem->detail = problem->hint = NULL;
		return false;
	}
	if (!aevon_event_check_tenant(given, problem))
		aevon_intake_raise(staging->intake, item, problem);
	require_privileges(staging, given);
	staging->allowed_tenant = given;
	item->event.tenant = given;
	return true;
}

static void
require_privileges(Staging *staging, const char *tenant)
{
	aevon_access_require(tenant, AEVON_PRIVILEGE_INGEST);
	if (staging->fields[COLUMN_INGESTED_AT] != 0)
		aevon_access_require(tenant, AEVON_PRIVILEGE_OPERATE);
}
