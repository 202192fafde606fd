/*
 * catalog.c
 *		Aevon's relations by number, and every SQL text with its saved plan.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "storage/bufmgr.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "catalog.h"
#include "compat.h"
#include "refetch.h"
#include "workernotes.h"

#define MAX_PARAMETERS 16

typedef struct QueryText
{
	const char *text;
	Oid			types[MAX_PARAMETERS];	/* ended by InvalidOid */
} QueryText;

static const QueryText queries[AEVON_QUERY_COUNT] = {
	[AEVON_QUERY_NONE] = {"", {InvalidOid}},
#define AEVON_QUERY(name, sql, ...) \
	[AEVON_QUERY_##name] = {.text = sql, .types = {__VA_ARGS__}},
#include "queries.h"
#undef AEVON_QUERY
};

static const char *const relation_names[AEVON_RELATION_COUNT] = {
	[AEVON_INSTALLATION] = "installation",
	[AEVON_GENERATION] = "generation",
	[AEVON_TENANTS] = "tenants",
	[AEVON_TENANTS_NAME] = "tenants_name",
	[AEVON_TENANTS_KEY] = "tenants_pkey",
	[AEVON_PRINCIPALS] = "principals",
	[AEVON_PRINCIPALS_NAME] = "principals_name",
	[AEVON_PRINCIPALS_KEY] = "principals_pkey",
	[AEVON_EVENT_TYPES] = "event_types",
	[AEVON_EVENT_TYPES_NAME] = "event_types_name",
	[AEVON_EVENT_TYPES_KEY] = "event_types_pkey",
	[AEVON_EVENT_LOG] = "event_log",
	[AEVON_LOG_PARTS] = "log_parts",
	[AEVON_VOIDS] = "voids",
	[AEVON_VOIDS_KEY] = "voids_pkey",
	[AEVON_VOIDS_STAMP] = "voids_stamp",
	[AEVON_VOIDS_EVENT_STAMP] = "voids_event_stamp",
	[AEVON_VOIDS_PRINCIPAL] = "voids_principal",
	[AEVON_VOIDS_TENANT] = "voids_tenant",
	[AEVON_VOIDS_TENANT_STAMP] = "voids_tenant_stamp",
	[AEVON_VOIDS_TENANT_TIME] = "voids_tenant_time",
	[AEVON_VOIDS_PRINCIPAL_STAMP] = "voids_principal_stamp",
	[AEVON_VOIDS_PRINCIPAL_TIME] = "voids_principal_time",
	[AEVON_MEASURES] = "measures",
	[AEVON_RULES] = "rules",
	[AEVON_SWEEP_CHECKPOINTS] = "sweep_checkpoints",
	[AEVON_SERIES] = "series",
	[AEVON_SERIES_PKEY] = "series_pkey",
	[AEVON_SERIES_SUBJECT] = "series_subject",
	[AEVON_SERIES_COUNTS] = "series_counts",
	[AEVON_SERIES_COUNTS_KEY] = "series_counts_pkey",
	[AEVON_BUCKETS_1M] = "buckets_1m",
	[AEVON_BUCKETS_1M_KEY] = "buckets_1m_pkey",
	[AEVON_BUCKETS_1H] = "buckets_1h",
	[AEVON_BUCKETS_1H_KEY] = "buckets_1h_pkey",
	[AEVON_BUCKETS_1D] = "buckets_1d",
	[AEVON_BUCKETS_1D_KEY] = "buckets_1d_pkey",
	[AEVON_CHAIN] = "chain",
	[AEVON_CHAIN_KEY] = "chain_pkey",
	[AEVON_TOUCHED_DAYS] = "touched_days",
	[AEVON_TOUCHED_DAYS_KEY] = "touched_days_pkey",
	[AEVON_GRANTS] = "grants",
	[AEVON_TENANT_KEY_SEQ] = "tenant_key_seq",
	[AEVON_PRINCIPAL_KEY_SEQ] = "principal_key_seq",
	[AEVON_TYPE_KEY_SEQ] = "type_key_seq",
	[AEVON_SERIES_KEY_SEQ] = "series_key_seq",
	[AEVON_TOUCHED_RUN_SEQ] = "touched_run_seq",
};

static Oid	relation_oids[AEVON_RELATION_COUNT];
static Oid	owner_oid = InvalidOid;
static SPIPlanPtr plans[AEVON_QUERY_COUNT];

static int64 generation_of(Relation relation, HeapTuple row);
static Oid	find_relation(AevonRelation which);
static void watch_relations(void);
static void forget_relations(Datum argument, Oid relid);
static SPIPlanPtr prepare_query(AevonQuery query);

Oid
aevon_catalog_oid(AevonRelation which)
{
	Oid			relid = find_relation(which);

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("Aevon is not installed in this database"),
				 errhint("Run CREATE EXTENSION aevon.")));
	return relid;
}

Oid
aevon_catalog_owner(void)
{
	if (!OidIsValid(owner_oid))
	{
		Oid			relid = aevon_catalog_oid(AEVON_EVENT_LOG);
		HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for relation %u", relid);
		owner_oid = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
		ReleaseSysCache(tuple);
	}
	return owner_oid;
}

bool
aevon_catalog_installed(void)
{
	return OidIsValid(find_relation(AEVON_EVENT_LOG));
}

int64
aevon_catalog_generation(Snapshot snapshot)
{
	static Oid	known = InvalidOid;
	static AevonPlaceOfRow place;
	Oid			relid = aevon_catalog_oid(AEVON_GENERATION);
	Relation	relation = table_open(relid, AccessShareLock);
	int64		generation = -1;
	HeapTupleData row;
	Buffer		buffer;

	if (known == relid && aevon_refetch_row(relation, &place, snapshot, &row, &buffer))
	{
		generation = generation_of(relation, &row);
		ReleaseBuffer(buffer);
	}
	else
	{
		TableScanDesc scan = table_beginscan(relation, snapshot, 0, NULL);
		HeapTuple	found = heap_getnext(scan, ForwardScanDirection);

		if (found != NULL)
		{
			generation = generation_of(relation, found);
			place = aevon_refetch_place(relation, &found->t_self);
			known = relid;
		}
		table_endscan(scan);
	}
	table_close(relation, AccessShareLock);
	return generation;
}

void
aevon_catalog_bump_generation(void)
{
	aevon_catalog_connect();
	aevon_catalog_run(AEVON_QUERY_BUMP_GENERATION, NULL, NULL, false);
	aevon_workernotes_change();
	aevon_catalog_finish();
}

void
aevon_catalog_connect(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

void
aevon_catalog_finish(void)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}

void
aevon_catalog_run(AevonQuery query, Datum *values, const char *nulls, bool read_only)
{
	MemoryContext caller = CurrentMemoryContext;
	int			result;

	if (plans[query] == NULL)
		plans[query] = prepare_query(query);
	result = SPI_execute_plan(plans[query], values, nulls, read_only, 0);
	/* SPI leaves its procedure's context behind, where a loop would leak */
	MemoryContextSwitchTo(caller);
	if (result < 0)
		elog(ERROR, "query %d failed: %s", (int) query, SPI_result_code_string(result));
}

Portal
aevon_catalog_open(AevonQuery query, Datum *values)
{
	Portal		portal;

	if (plans[query] == NULL)
		plans[query] = prepare_query(query);
	portal = SPI_cursor_open(NULL, plans[query], values, NULL, true);
	if (portal == NULL)
		elog(ERROR, "query %d cannot be opened: %s", (int) query,
			 SPI_result_code_string(SPI_result));
	return portal;
}

static int64
generation_of(Relation relation, HeapTuple row)
{
	bool		isnull;

	return DatumGetInt64(heap_getattr(row, Anum_generation_generation,
									  RelationGetDescr(relation), &isnull));
}

/* OID of a relation from the cache or the catalogue; InvalidOid if missing. */
static Oid
find_relation(AevonRelation which)
{
	if (!OidIsValid(relation_oids[which]))
	{
		Oid			schema = get_namespace_oid("aevon", true);

		watch_relations();
		if (OidIsValid(schema))
			relation_oids[which] = get_relname_relid(relation_names[which], schema);
	}
	return relation_oids[which];
}

static void
watch_relations(void)
{
	static bool watching = false;

	if (watching)
		return;
	CacheRegisterRelcacheCallback(forget_relations, (Datum) 0);
	watching = true;
}

/* Relcache invalidation: one of ours may be gone, or made again. */
static void
forget_relations(Datum argument, Oid relid)
{
	if (OidIsValid(relid))
	{
		int			i;

		for (i = 0; i < AEVON_RELATION_COUNT; i++)
			if (relation_oids[i] == relid)
				break;
		if (i == AEVON_RELATION_COUNT)
			return;
	}
	memset(relation_oids, 0, sizeof(relation_oids));
	owner_oid = InvalidOid;
}

static SPIPlanPtr
prepare_query(AevonQuery query)
{
	const QueryText *source = &queries[query];
	int			count = 0;
	Oid			types[MAX_PARAMETERS];
	SPIPlanPtr	plan;

	while (count < MAX_PARAMETERS && OidIsValid(source->types[count]))
	{
		types[count] = source->types[count];
		count++;
	}
	plan = SPI_prepare(source->text, count, types);
	if (plan == NULL)
		elog(ERROR, "query %d cannot be prepared: %s", (int) query,
			 SPI_result_code_string(SPI_result));
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "plan of query %d cannot be saved", (int) query);
	return plan;
}
