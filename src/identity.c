/*
 * identity.c
 *		Finding an event by what it is: principal and event id.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "common/hashfn.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "catalog.h"
#include "identity.h"

typedef struct FinderPart
{
	Relation	heap;
	Relation	index;
	bool		borrowed;		/* both are the caller's */
	IndexScanDesc scan;
	TupleTableSlot *slot;
} FinderPart;

struct AevonFinder
{
	MemoryContext context;		/* scans keep in it what they allocate on the
								 * way */
	const AevonIdentity *identity;
	int			current;		/* the part that is searched */
	int			count;
	FinderPart	parts[FLEXIBLE_ARRAY_MEMBER];
};

static AevonFinder *open_finder(Snapshot snapshot, Relation heap, Relation index);
static void seek_part(AevonFinder *finder, FinderPart *part);
static int64 key_of(int32 principal_key, const char *event_id, int length);
static bool next_slot(AevonFinder *finder, FinderPart *part);
static bool is_wanted(const AevonFinder *finder, TupleTableSlot *slot);

PG_FUNCTION_INFO_V1(aevon_event_key_sql);
Datum
aevon_event_key_sql(PG_FUNCTION_ARGS)
{
	text	   *event_id = PG_GETARG_TEXT_PP(1);

	PG_RETURN_INT64(key_of(PG_GETARG_INT32(0), VARDATA_ANY(event_id),
						   VARSIZE_ANY_EXHDR(event_id)));
}

AevonIdentity
aevon_identity_make(int32 principal_key, const char *event_id)
{
	AevonIdentity identity = {
		.principal_key = principal_key,
		.event_id = event_id,
		.length = strlen(event_id),
	};

	identity.key = key_of(principal_key, event_id, identity.length);
	return identity;
}

AevonFinder *
aevon_identity_open(Snapshot snapshot)
{
	return open_finder(snapshot, NULL, NULL);
}

AevonFinder *
aevon_identity_open_beside(Snapshot snapshot, Relation heap, Relation index)
{
	return open_finder(snapshot, heap, index);
}

void
aevon_identity_close(AevonFinder *finder)
{
	for (int i = 0; i < finder->count; i++)
	{
		FinderPart *part = &finder->parts[i];

		index_endscan(part->scan);
		ExecDropSingleTupleTableSlot(part->slot);
		if (part->borrowed)
			continue;
		index_close(part->index, AccessShareLock);
		table_close(part->heap, AccessShareLock);
	}
	pfree(finder);
}

/* The last part first: that is where a retry finds its event. */
void
aevon_identity_seek(AevonFinder *finder, const AevonIdentity *identity)
{
	finder->identity = identity;
	finder->current = finder->count - 1;
	seek_part(finder, &finder->parts[finder->current]);
}

bool
aevon_identity_next(AevonFinder *finder, AevonLogRow *row)
{
	for (;;)
	{
		FinderPart *part = &finder->parts[finder->current];

		while (next_slot(finder, part))
		{
			CHECK_FOR_INTERRUPTS();
			if (is_wanted(finder, part->slot))
			{
				aevon_log_row_read(row, part->slot);
				return true;
			}
		}
		if (finder->current == 0)
			return false;
		finder->current--;
		seek_part(finder, &finder->parts[finder->current]);
	}
}

void
aevon_identity_rest(AevonFinder *finder)
{
	for (int i = 0; i < finder->count; i++)
	{
		ExecClearTuple(finder->parts[i].slot);
		index_rescan(finder->parts[i].scan, NULL, 1, NULL, 0);
	}
}

static int64
key_of(int32 principal_key, const char *event_id, int length)
{
	uint32		hash = hash_bytes((const unsigned char *) event_id, length);

	return (int64) (((uint64) (uint32) principal_key << 32) | hash);
}

/* `heap`, if given, is the last part's. */
static AevonFinder *
open_finder(Snapshot snapshot, Relation heap, Relation index)
{
	int			count;
	const AevonLogPart *parts = aevon_log_parts(&count);
	AevonFinder *finder = palloc0(offsetof(AevonFinder, parts) + count * sizeof(FinderPart));

	finder->context = CurrentMemoryContext;
	finder->count = count;
	for (int i = 0; i < count; i++)
	{
		FinderPart *part = &finder->parts[i];
		Oid			index_oid = parts[i].indexes[AEVON_LOG_KEY];

		part->borrowed = heap != NULL && parts[i].oid == RelationGetRelid(heap);
		part->heap = part->borrowed ? heap : table_open(parts[i].oid, AccessShareLock);
		part->index = part->borrowed ? index : index_open(index_oid, AccessShareLock);
		part->slot = table_slot_create(part->heap, NULL);
		part->scan = index_beginscan(part->heap, part->index, snapshot, 1, 0);
	}
	return finder;
}

static void
seek_part(AevonFinder *finder, FinderPart *part)
{
	ScanKeyData key;
	MemoryContext caller = MemoryContextSwitchTo(finder->context);

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(finder->identity->key));
	index_rescan(part->scan, &key, 1, NULL, 0);
	MemoryContextSwitchTo(caller);
}

static bool
next_slot(AevonFinder *finder, FinderPart *part)
{
	MemoryContext caller = MemoryContextSwitchTo(finder->context);
	bool		found = index_getnext_slot(part->scan, ForwardScanDirection, part->slot);

	MemoryContextSwitchTo(caller);
	return found;
}

/* Events of other ids may have the same key. */
static bool
is_wanted(const AevonFinder *finder, TupleTableSlot *slot)
{
	const AevonIdentity *identity = finder->identity;
	bool		isnull;
	Datum		principal_key = slot_getattr(slot, Anum_event_log_principal_key, &isnull);
	text	   *event_id = DatumGetTextPP(slot_getattr(slot, Anum_event_log_event_id, &isnull));

	return DatumGetInt32(principal_key) == identity->principal_key &&
		VARSIZE_ANY_EXHDR(event_id) == identity->length &&
		memcmp(VARDATA_ANY(event_id), identity->event_id, identity->length) == 0;
}
