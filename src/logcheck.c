/*
 * logcheck.c
 *		The rows of the log against the hashes stored with them; and is each
 *		event found by its identity, once?
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "digest.h"
#include "identity.h"
#include "json.h"
#include "log.h"
#include "logcheck.h"

/* Progress is told each time so many more have been checked. */
#define ROWS_A_NOTICE 1000000

static void check_hash(const AevonLogCheck *check, AevonLogRow *row);
static bool digest_row(const AevonLogCheck *check, AevonLogRow *row, uint8 *out);
static void visit_hash(const AevonLogCheck *check, AevonLogRow *row, const bytea *stored,
					   const uint8 *recomputed);
static void check_identity(const AevonLogCheck *check, AevonFinder *finder, AevonLogRow *row);
static Jsonb *count_document(const AevonIdentity *identity, int count);

void
aevon_logcheck_run(const AevonLogCheck *check)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "aevon checked row",
												  ALLOCSET_DEFAULT_SIZES);
	AevonFinder *finder = aevon_identity_open(check->snapshot);
	AevonLogScan *scan;
	AevonLogRow row;
	int64		count = 0;

	if (check->tenant_key != 0)
		scan = aevon_log_scan_tenant(check->snapshot, check->tenant_key, DT_NOBEGIN, DT_NOEND);
	else
		scan = aevon_log_scan_stamps(check->snapshot, PG_INT64_MIN, PG_INT64_MAX);
	while (aevon_log_scan_next(scan, &row))
	{
		MemoryContext outer = MemoryContextSwitchTo(scratch);

		aevon_names_trim(check->names);
		check_hash(check, &row);
		check_identity(check, finder, &row);
		if (++count % ROWS_A_NOTICE == 0)
			ereport(NOTICE,
					(errmsg("aevon_verify: " INT64_FORMAT " events checked so far", count)));
		MemoryContextSwitchTo(outer);
		MemoryContextReset(scratch);
	}
	aevon_log_scan_end(scan);
	aevon_identity_close(finder);
	MemoryContextDelete(scratch);
}

/* Does the row still have the content that its hash was made of? */
static void
check_hash(const AevonLogCheck *check, AevonLogRow *row)
{
	uint8		recomputed[AEVON_DIGEST_LENGTH];
	bool		isnull;
	bytea	   *stored = DatumGetByteaPP(slot_getattr(row->slot, Anum_event_log_content_hash,
													  &isnull));

	if (!digest_row(check, row, recomputed))
		visit_hash(check, row, stored, NULL);
	else if (VARSIZE_ANY_EXHDR(stored) != AEVON_DIGEST_LENGTH ||
			 memcmp(VARDATA_ANY(stored), recomputed, AEVON_DIGEST_LENGTH) != 0)
		visit_hash(check, row, stored, recomputed);
}

/* False: a key of the row has no name. */
static bool
digest_row(const AevonLogCheck *check, AevonLogRow *row, uint8 *out)
{
	bool		no_metadata;
	Datum		metadata = slot_getattr(row->slot, Anum_event_log_metadata, &no_metadata);
	const char *type = aevon_names_find(check->names, AEVON_DICTIONARY_EVENT_TYPE, row->type_key);
	AevonEventIdentity event = {
		.tenant = aevon_names_find(check->names, AEVON_DICTIONARY_TENANT, row->tenant_key),
		.principal = aevon_names_find(check->names, AEVON_DICTIONARY_PRINCIPAL,
									  row->principal_key),
		.event_id = aevon_log_row_event_id(row),
		.event_type = type,
		.occurred_at = row->occurred_at,
		.ingested_at = row->ingested_at,
		.data = aevon_log_row_data(row),
		.metadata = no_metadata ? NULL : DatumGetJsonbP(metadata),
	};

	if (type == NULL || event.tenant == NULL || event.principal == NULL)
		return false;
	aevon_digest_event(&event, out);
	return true;
}

static void
visit_hash(const AevonLogCheck *check, AevonLogRow *row, const bytea *stored,
		   const uint8 *recomputed)
{
	AevonJson	json = {0};
	AevonLogDifference difference = {
		.what = "event",
		.tenant_key = row->tenant_key,
		.principal_key = row->principal_key,
		.occurred_at = row->occurred_at,
	};

	aevon_json_token(&json, WJB_BEGIN_OBJECT);
	aevon_json_text(&json, "event_id", aevon_log_row_event_id(row));
	aevon_json_text(&json, "event_type",
					aevon_names_find(check->names, AEVON_DICTIONARY_EVENT_TYPE, row->type_key));
	aevon_json_time(&json, "ingested_at", row->ingested_at);
	aevon_json_number(&json, "stamp", int64_to_numeric(row->stamp));
	aevon_json_bytes(&json, "content_hash", VARDATA_ANY(stored), VARSIZE_ANY_EXHDR(stored));
	aevon_json_token(&json, WJB_END_OBJECT);
	difference.stored = aevon_json_finish(&json);
	if (recomputed != NULL)
	{
		memset(&json, 0, sizeof(json));
		aevon_json_token(&json, WJB_BEGIN_OBJECT);
		aevon_json_bytes(&json, "content_hash", recomputed, AEVON_DIGEST_LENGTH);
		aevon_json_token(&json, WJB_END_OBJECT);
		difference.recomputed = aevon_json_finish(&json);
	}
	check->visitor(check->context, &difference);
}

/* Is the event found, once? */
static void
check_identity(const AevonLogCheck *check, AevonFinder *finder, AevonLogRow *row)
{
	AevonIdentity identity = aevon_identity_make(row->principal_key, aevon_log_row_event_id(row));
	AevonLogDifference difference = {
		.what = "key",
		.tenant_key = row->tenant_key,
		.principal_key = row->principal_key,
		.occurred_at = row->occurred_at,
	};
	AevonLogRow found;
	int			count = 0;

	aevon_identity_seek(finder, &identity);
	while (aevon_identity_next(finder, &found))
		count++;
	if (count == 1)
		return;
	difference.stored = count_document(&identity, count);
	difference.recomputed = count_document(&identity, 1);
	check->visitor(check->context, &difference);
}

static Jsonb *
count_document(const AevonIdentity *identity, int count)
{
	AevonJson	json = {0};

	aevon_json_token(&json, WJB_BEGIN_OBJECT);
	aevon_json_text(&json, "event_id", identity->event_id);
	aevon_json_number(&json, "events", int64_to_numeric(count));
	aevon_json_token(&json, WJB_END_OBJECT);
	return aevon_json_finish(&json);
}
