/*
 * chainlink.c
 *		A link of the tamper-evident chain: its row, and what it is made of.
 *
 * Making a link and checking one is the same code.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "chainlink.h"
#include "json.h"
#include "log.h"

/* Kinds of items.  They are part of the links: never change one. */
#define KIND_EVENT 0
#define KIND_VOID 1
#define KIND_SNAPSHOT 2
#define KIND_COMPACTION 3

/* A place among the revisions of a day, in digits of one length. */
#define PLACE_LENGTH 8

/* The voids of a range of stamps, in order of these. */
typedef struct VoidScan
{
	Relation	heap;
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	bool		any;			/* slot holds the next one */
	MemoryContext row;
} VoidScan;

struct AevonLinkEntry
{
	AevonLink  *link;
	AevonChainHash *hash;
	const AevonEntering *entering;
	VoidScan	voids;			/* of the range that was entered */
	int64		stamp;			/* of the event before; -1: none */
	bool		inside;			/* is that inside the target? */
};

static int64 put_stamps(AevonLinkEntry *entry, int64 from, int64 until);
static void begin_voids(VoidScan *voids, Snapshot snapshot, int64 from, int64 until);
static void end_voids(VoidScan *voids);
static void put_voids(AevonLinkEntry *entry, int64 until);
static void put_void(AevonLinkEntry *entry, const VoidScan *voids, int64 stamp);
static void hash_void(TupleTableSlot *row, uint8 *out);

AevonLinkEntry *
aevon_link_begin_entry(AevonLink *link, AevonChainHash *hash, const AevonEntering *entering)
{
	AevonLinkEntry *entry = palloc0(sizeof(AevonLinkEntry));

	entry->link = link;
	entry->hash = hash;
	entry->entering = entering;
	return entry;
}

void
aevon_link_end_entry(AevonLinkEntry *entry)
{
	pfree(entry);
}

int64
aevon_link_put_entered(AevonLinkEntry *entry)
{
	const AevonCut *before = entry->entering->before;
	int64		end = entry->entering->target->xmax;

	/* in order of stamp: the xip of a cut lie below its xmax */
	for (int i = 0; i < before->nxip; i++)
		put_stamps(entry, before->xip[i], before->xip[i] + 1);
	if (before->xmax < end)
		end = put_stamps(entry, before->xmax, end);
	return end;
}

void
aevon_link_enter_stamps(AevonLinkEntry *entry, int64 from, int64 until)
{
	begin_voids(&entry->voids, entry->entering->snapshot, from, until);
	entry->stamp = -1;
}

void
aevon_link_put_event(AevonLinkEntry *entry, const AevonLogRow *row)
{
	AevonLogIdentity identity;
	text	   *event_id;
	bytea	   *hash;
	AevonChainItem item;

	if (row->stamp != entry->stamp)
	{
		entry->stamp = row->stamp;
		entry->inside = aevon_cut_contains(entry->entering->target, row->stamp);
		put_voids(entry, row->stamp);
	}
	if (!entry->inside)
		return;
	identity = aevon_log_row_identity(row);
	event_id = DatumGetTextPP(PointerGetDatum(identity.event_id));
	hash = DatumGetByteaPP(PointerGetDatum(identity.content_hash));
	item.kind = KIND_EVENT;
	item.number = row->stamp;
	item.minor = row->principal_key;
	item.id = VARDATA_ANY(event_id);
	item.id_length = VARSIZE_ANY_EXHDR(event_id);
	item.hash = VARDATA_ANY(hash);
	item.hash_length = VARSIZE_ANY_EXHDR(hash);
	aevon_chainhash_put(entry->hash, &item);
	entry->link->event_count++;
	/* a long id of a long row may be compressed */
	if (event_id != (text *) identity.event_id)
		pfree(event_id);
	if (hash != (bytea *) identity.content_hash)
		pfree(hash);
}

void
aevon_link_leave_stamps(AevonLinkEntry *entry, int64 until)
{
	put_voids(entry, until);
	end_voids(&entry->voids);
}

void
aevon_link_put_row(AevonLink *link, AevonChainHash *hash, const AevonLinkedRow *row)
{
	bool		compaction = row->revision == 0;
	char		place[PLACE_LENGTH + 1];
	AevonChainItem item = {
		.kind = compaction ? KIND_COMPACTION : KIND_SNAPSHOT,
		.number = row->series_key,
		.minor = row->day,
		.id = place,
		.id_length = PLACE_LENGTH,
		.hash = VARDATA_ANY(row->hash),
		.hash_length = VARSIZE_ANY_EXHDR(row->hash),
	};

	snprintf(place, sizeof(place), "%08x", (uint32) row->revision);
	aevon_chainhash_put(hash, &item);
	if (compaction)
		link->compaction_count++;
	else
		link->snapshot_count++;
}

void
aevon_link_finish(AevonLink *link, AevonChainHash *hash)
{
	aevon_chainhash_put_number(hash, link->event_count);
	aevon_chainhash_put_number(hash, link->void_count);
	aevon_chainhash_put_number(hash, link->snapshot_count);
	aevon_chainhash_put_number(hash, link->compaction_count);
	aevon_chainhash_put_number(hash, link->made_at);
	aevon_chainhash_put_number(hash, link->cut->xmax);
	aevon_chainhash_put_number(hash, link->cut->nxip);
	for (int i = 0; i < link->cut->nxip; i++)
		aevon_chainhash_put_number(hash, link->cut->xip[i]);
	aevon_chainhash_end(hash, link->link);
}

void
aevon_link_read(HeapTuple tuple, TupleDesc descriptor, AevonLink *link)
{
	bool		isnull;
	bytea	   *bytes;

	memset(link, 0, sizeof(*link));
	link->link_number = DatumGetInt64(SPI_getbinval(tuple, descriptor, 1, &isnull));
	link->event_count = DatumGetInt64(SPI_getbinval(tuple, descriptor, 2, &isnull));
	link->void_count = DatumGetInt64(SPI_getbinval(tuple, descriptor, 3, &isnull));
	link->snapshot_count = DatumGetInt64(SPI_getbinval(tuple, descriptor, 4, &isnull));
	link->compaction_count = DatumGetInt64(SPI_getbinval(tuple, descriptor, 5, &isnull));
	link->made_at = DatumGetTimestampTz(SPI_getbinval(tuple, descriptor, 6, &isnull));
	link->cut = aevon_cut_from_datums(SPI_getbinval(tuple, descriptor, 7, &isnull),
									  SPI_getbinval(tuple, descriptor, 8, &isnull));
	bytes = DatumGetByteaPP(SPI_getbinval(tuple, descriptor, 9, &isnull));
	/* one of another length was tampered with: it breaks as any other does */
	memcpy(link->link, VARDATA_ANY(bytes), Min(VARSIZE_ANY_EXHDR(bytes), AEVON_DIGEST_LENGTH));
}

void
aevon_link_add(const AevonLink *link)
{
	bytea	   *bytes = palloc(VARHDRSZ + AEVON_DIGEST_LENGTH);
	Datum		values[9];

	SET_VARSIZE(bytes, VARHDRSZ + AEVON_DIGEST_LENGTH);
	memcpy(VARDATA(bytes), link->link, AEVON_DIGEST_LENGTH);
	values[0] = Int64GetDatum(link->link_number);
	values[1] = Int64GetDatum(link->event_count);
	values[2] = Int64GetDatum(link->void_count);
	values[3] = Int64GetDatum(link->snapshot_count);
	values[4] = Int64GetDatum(link->compaction_count);
	values[5] = TimestampTzGetDatum(link->made_at);
	values[6] = Int64GetDatum(link->cut->xmax);
	values[7] = aevon_cut_xip_datum(link->cut);
	values[8] = PointerGetDatum(bytes);
	aevon_catalog_run(AEVON_QUERY_ADD_LINK, values, NULL, false);
}

Jsonb *
aevon_link_document(const AevonLink *link)
{
	AevonJson	json = {0};

	aevon_json_token(&json, WJB_BEGIN_OBJECT);
	aevon_json_number(&json, "link_number", int64_to_numeric(link->link_number));
	aevon_json_number(&json, "event_count", int64_to_numeric(link->event_count));
	aevon_json_number(&json, "void_count", int64_to_numeric(link->void_count));
	aevon_json_number(&json, "snapshot_count", int64_to_numeric(link->snapshot_count));
	aevon_json_number(&json, "compaction_count", int64_to_numeric(link->compaction_count));
	aevon_json_text(&json, "cut", aevon_cut_text(link->cut));
	aevon_json_bytes(&json, "link", link->link, AEVON_DIGEST_LENGTH);
	aevon_json_token(&json, WJB_END_OBJECT);
	return aevon_json_finish(&json);
}

/* What has a stamp in [from, until); the stamp up to which all was put. */
static int64
put_stamps(AevonLinkEntry *entry, int64 from, int64 until)
{
	int64		max_events = entry->entering->max_events;
	AevonLogScan *scan = aevon_log_scan_stamps(entry->entering->snapshot, from, until);
	bool		one_stamp = until == from + 1;
	int64		last = -1;
	AevonLogRow row;

	aevon_link_enter_stamps(entry, from, until);
	while (aevon_log_scan_next(scan, &row))
	{
		if (max_events > 0 && entry->link->event_count >= max_events &&
			row.stamp != last && !one_stamp)
		{
			until = row.stamp;
			break;
		}
		last = row.stamp;
		aevon_link_put_event(entry, &row);
	}
	aevon_link_leave_stamps(entry, until);
	aevon_log_scan_end(scan);
	return until;
}

static void
begin_voids(VoidScan *voids, Snapshot snapshot, int64 from, int64 until)
{
	ScanKeyData keys[2];

	voids->heap = table_open(aevon_catalog_oid(AEVON_VOIDS), AccessShareLock);
	voids->index = index_open(aevon_catalog_oid(AEVON_VOIDS_STAMP), AccessShareLock);
	voids->slot = table_slot_create(voids->heap, NULL);
	voids->scan = index_beginscan(voids->heap, voids->index, snapshot, 2, 0);
	voids->row = AllocSetContextCreate(CurrentMemoryContext, "aevon void of a link",
									   ALLOCSET_SMALL_SIZES);
	ScanKeyInit(&keys[0], 1, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(from));
	ScanKeyInit(&keys[1], 1, BTLessStrategyNumber, F_INT8LT, Int64GetDatum(until));
	index_rescan(voids->scan, keys, 2, NULL, 0);
	voids->any = index_getnext_slot(voids->scan, ForwardScanDirection, voids->slot);
}

static void
end_voids(VoidScan *voids)
{
	index_endscan(voids->scan);
	ExecDropSingleTupleTableSlot(voids->slot);
	index_close(voids->index, AccessShareLock);
	table_close(voids->heap, AccessShareLock);
	MemoryContextDelete(voids->row);
}

/* The voids of stamps below `until` that were not put yet. */
static void
put_voids(AevonLinkEntry *entry, int64 until)
{
	VoidScan   *voids = &entry->voids;

	while (voids->any)
	{
		bool		isnull;
		int64		stamp = DatumGetInt64(slot_getattr(voids->slot, Anum_voids_stamp, &isnull));

		if (stamp >= until)
			return;
		CHECK_FOR_INTERRUPTS();
		if (aevon_cut_contains(entry->entering->target, stamp))
			put_void(entry, voids, stamp);
		voids->any = index_getnext_slot(voids->scan, ForwardScanDirection, voids->slot);
	}
}

static void
put_void(AevonLinkEntry *entry, const VoidScan *voids, int64 stamp)
{
	MemoryContext outer = MemoryContextSwitchTo(voids->row);
	uint8		hash[AEVON_DIGEST_LENGTH];
	bool		isnull;
	text	   *event_id = DatumGetTextPP(slot_getattr(voids->slot, Anum_voids_event_id, &isnull));
	AevonChainItem item = {
		.kind = KIND_VOID,
		.number = stamp,
		.minor = DatumGetInt32(slot_getattr(voids->slot, Anum_voids_principal_key, &isnull)),
		.id = VARDATA_ANY(event_id),
		.id_length = VARSIZE_ANY_EXHDR(event_id),
		.hash = hash,
		.hash_length = AEVON_DIGEST_LENGTH,
	};

	hash_void(voids->slot, hash);
	MemoryContextSwitchTo(outer);
	aevon_chainhash_put(entry->hash, &item);
	entry->link->void_count++;
	MemoryContextReset(voids->row);
}

static void
hash_void(TupleTableSlot *row, uint8 *out)
{
	TupleDesc	descriptor = row->tts_tupleDescriptor;
	Oid		   *types = palloc(descriptor->natts * sizeof(Oid));
	AevonDigestRow digest = {descriptor->natts, types, row->tts_values, row->tts_isnull};

	for (int i = 0; i < descriptor->natts; i++)
		types[i] = TupleDescAttr(descriptor, i)->atttypid;
	slot_getallattrs(row);
	aevon_digest_row(&digest, out);
}
