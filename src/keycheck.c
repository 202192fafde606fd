/*
 * keycheck.c
 *		aevon.event_keys against the log, both ways.
 *
 * From the log to the keys by a look-up for each event, as the digest of its
 * content is at hand then; from the keys to the log by EXCEPT, which PostgreSQL
 * sorts or hashes whatever it believes of the tables: a join that expects few
 * rows may look through the log for each key.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_collation.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "json.h"
#include "keycheck.h"

/* Keys read at a time. */
#define PAGE_KEYS 1000

struct AevonKeyCheck
{
	bool		repair;
	AevonKeyVisitor visitor;
	void	   *context;
	Relation	heap;
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
};

/* A key as it is, or as the log has it. */
typedef struct EventKey
{
	int64		stamp;
	TimestampTz occurred_at;
	int32		part;
	int32		principal_key;
	Datum		event_id;		/* text */
	bytea	   *digest;
} EventKey;

/* A digest with a varlena header. */
typedef union KeyDigest
{
	bytea		header;
	char		bytes[VARHDRSZ + AEVON_KEY_DIGEST_LENGTH];
} KeyDigest;

static bool find_key(AevonKeyCheck *check, const EventKey *wanted, EventKey *found);
static bool equal_keys(const EventKey *a, const EventKey *b);
static bool mend_key(const AevonKeyCheck *check, const EventKey *key, bool missing);
static int64 count_events(const EventKey *key);
static void key_datums(const EventKey *key, Datum *values);
static void visit_extra_key(AevonKeyCheck *check, HeapTuple tuple, TupleDesc descriptor);
static int32 tenant_of(int32 principal_key);
static Jsonb *key_document(const EventKey *key);

AevonKeyCheck *
aevon_keycheck_open(bool repair, AevonKeyVisitor visitor, void *context)
{
	AevonKeyCheck *check = palloc0(sizeof(AevonKeyCheck));

	check->repair = repair;
	check->visitor = visitor;
	check->context = context;
	check->heap = table_open(aevon_catalog_oid(AEVON_EVENT_KEYS), AccessShareLock);
	check->index = index_open(aevon_catalog_oid(AEVON_EVENT_KEYS_KEY), AccessShareLock);
	check->slot = table_slot_create(check->heap, NULL);
	check->scan = index_beginscan(check->heap, check->index, GetActiveSnapshot(), 2, 0);
	return check;
}

void
aevon_keycheck_event(AevonKeyCheck *check, const AevonLogRow *row, const uint8 *content,
					 bool proved)
{
	KeyDigest	digest;
	EventKey	must = {
		.stamp = row->stamp,
		.occurred_at = row->occurred_at,
		.part = row->part,
		.principal_key = row->principal_key,
		.digest = &digest.header,
	};
	EventKey	is;
	AevonKeyDifference difference = {
		.tenant_key = row->tenant_key,
		.principal_key = row->principal_key,
		.occurred_at = row->occurred_at,
	};
	bool		isnull;
	bool		found;

	SET_VARSIZE(&digest.header, sizeof(digest));
	memcpy(VARDATA(&digest.header), content, AEVON_KEY_DIGEST_LENGTH);
	must.event_id = slot_getattr(row->slot, Anum_event_log_event_id, &isnull);
	found = find_key(check, &must, &is);
	if (found && equal_keys(&is, &must))
		return;
	if (found)
		difference.stored = key_document(&is);
	difference.recomputed = key_document(&must);
	difference.repaired = check->repair && proved && mend_key(check, &must, !found);
	check->visitor(check->context, &difference);
}

void
aevon_keycheck_rest(AevonKeyCheck *check, int32 tenant_key)
{
	Datum		values[1] = {Int32GetDatum(tenant_key)};
	Portal		portal = aevon_catalog_open(AEVON_QUERY_KEYS_WITHOUT_EVENT, values);
	MemoryContext page = AllocSetContextCreate(CurrentMemoryContext, "aevon keys",
											   ALLOCSET_DEFAULT_SIZES);
	uint64		count;

	do
	{
		MemoryContext outer = MemoryContextSwitchTo(page);
		SPITupleTable *table;

		SPI_cursor_fetch(portal, true, PAGE_KEYS);
		table = SPI_tuptable;
		count = SPI_processed;
		MemoryContextSwitchTo(page);
		for (uint64 i = 0; i < count; i++)
		{
			CHECK_FOR_INTERRUPTS();
			visit_extra_key(check, table->vals[i], table->tupdesc);
		}
		SPI_freetuptable(table);
		MemoryContextSwitchTo(outer);
		MemoryContextReset(page);
	} while (count > 0);
	MemoryContextDelete(page);
	SPI_cursor_close(portal);
}

void
aevon_keycheck_close(AevonKeyCheck *check)
{
	index_endscan(check->scan);
	ExecDropSingleTupleTableSlot(check->slot);
	index_close(check->index, AccessShareLock);
	table_close(check->heap, AccessShareLock);
	pfree(check);
}

/* What is found points into the check's slot. */
static bool
find_key(AevonKeyCheck *check, const EventKey *wanted, EventKey *found)
{
	TupleTableSlot *slot = check->slot;
	ScanKeyData keys[2];
	bool		isnull;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(wanted->principal_key));
	ScanKeyEntryInitialize(&keys[1], 0, 2, BTEqualStrategyNumber, InvalidOid, C_COLLATION_OID,
						   F_TEXTEQ, wanted->event_id);
	index_rescan(check->scan, keys, 2, NULL, 0);
	if (!index_getnext_slot(check->scan, ForwardScanDirection, slot))
		return false;
	found->stamp = DatumGetInt64(slot_getattr(slot, Anum_event_keys_stamp, &isnull));
	found->occurred_at = DatumGetTimestampTz(slot_getattr(slot, Anum_event_keys_occurred_at,
														  &isnull));
	found->part = DatumGetInt32(slot_getattr(slot, Anum_event_keys_part, &isnull));
	found->principal_key = wanted->principal_key;
	found->event_id = wanted->event_id;
	found->digest = DatumGetByteaPP(slot_getattr(slot, Anum_event_keys_content_digest, &isnull));
	return true;
}

static bool
equal_keys(const EventKey *a, const EventKey *b)
{
	return a->stamp == b->stamp && a->occurred_at == b->occurred_at && a->part == b->part &&
		VARSIZE_ANY_EXHDR(a->digest) == VARSIZE_ANY_EXHDR(b->digest) &&
		memcmp(VARDATA_ANY(a->digest), VARDATA_ANY(b->digest), VARSIZE_ANY_EXHDR(b->digest)) == 0;
}

/*
 * Make or mend a key from its event; false if it was not for this call to do:
 * the log holds the event twice, so one of the two is false, or another
 * transaction has made the key since.
 */
static bool
mend_key(const AevonKeyCheck *check, const EventKey *key, bool missing)
{
	Datum		values[6];

	if (count_events(key) != 1)
		return false;
	key_datums(key, values);
	aevon_catalog_run(missing ? AEVON_QUERY_ADD_KEY : AEVON_QUERY_MEND_KEY, values, NULL, false);
	return SPI_processed == 1;
}

/* Events of the log with the key's identity. */
static int64
count_events(const EventKey *key)
{
	Datum		values[2] = {Int32GetDatum(key->principal_key), key->event_id};
	bool		isnull;
	int64		count;

	aevon_catalog_run(AEVON_QUERY_COUNT_EVENTS, values, NULL, true);
	count = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return count;
}

/* In the order of the columns. */
static void
key_datums(const EventKey *key, Datum *values)
{
	values[0] = Int64GetDatum(key->stamp);
	values[1] = TimestampTzGetDatum(key->occurred_at);
	values[2] = Int32GetDatum(key->part);
	values[3] = Int32GetDatum(key->principal_key);
	values[4] = key->event_id;
	values[5] = PointerGetDatum(key->digest);
}

static void
visit_extra_key(AevonKeyCheck *check, HeapTuple tuple, TupleDesc descriptor)
{
	AevonKeyDifference difference = {0};
	EventKey	wanted = {0};
	EventKey	key;
	bool		isnull;

	wanted.principal_key = DatumGetInt32(SPI_getbinval(tuple, descriptor, 1, &isnull));
	wanted.event_id = SPI_getbinval(tuple, descriptor, 2, &isnull);
	if (!find_key(check, &wanted, &key))
		elog(ERROR, "a key of event_keys is not in its index");
	difference.tenant_key = tenant_of(key.principal_key);
	difference.principal_key = key.principal_key;
	difference.occurred_at = key.occurred_at;
	difference.stored = key_document(&key);
	check->visitor(check->context, &difference);
}

/* 0: there is no such principal. */
static int32
tenant_of(int32 principal_key)
{
	Datum		values[1] = {Int32GetDatum(principal_key)};
	int32		tenant_key = 0;
	bool		isnull;

	aevon_catalog_run(AEVON_QUERY_TENANT_OF_PRINCIPAL, values, NULL, true);
	if (SPI_processed > 0)
		tenant_key = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
												 &isnull));
	SPI_freetuptable(SPI_tuptable);
	return tenant_key;
}

static Jsonb *
key_document(const EventKey *key)
{
	AevonJson	json = {0};

	aevon_json_token(&json, WJB_BEGIN_OBJECT);
	aevon_json_text(&json, "event_id", TextDatumGetCString(key->event_id));
	aevon_json_time(&json, "occurred_at", key->occurred_at);
	aevon_json_number(&json, "stamp", int64_to_numeric(key->stamp));
	aevon_json_number(&json, "part", int64_to_numeric(key->part));
	aevon_json_bytes(&json, "content_digest", VARDATA_ANY(key->digest),
					 VARSIZE_ANY_EXHDR(key->digest));
	aevon_json_token(&json, WJB_END_OBJECT);
	return aevon_json_finish(&json);
}
