/*
 * logparts.c
 *		The parts of the event log, and their indexes.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "nodes/primnodes.h"
#include "partitioning/partdesc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "catalog.h"
#include "logparts.h"

/* The parts in order of number; forgotten when any of their relations changes. */
static struct
{
	bool		valid;
	bool		registered;
	uint64		epoch;			/* counts how often they were forgotten */
	Oid			log;
	int			count;
	AevonLogPart *parts;
}			part_cache = {.epoch = 1};

static void load_parts(void);
static void load_part(Oid oid, AevonLogPart *part);
static AevonLogIndex index_kind(Relation index);
static bool indexes_key(Relation index);
static bool is_column(const Node *expression, AttrNumber number);
static int	compare_parts(const void *a, const void *b);
static void forget_parts(Datum argument, Oid relid);

uint64
aevon_log_epoch(void)
{
	return part_cache.epoch;
}

const AevonLogPart *
aevon_log_parts(int *count)
{
	load_parts();
	*count = part_cache.count;
	return part_cache.parts;
}

/* Taking the lock may tell of a change: of another last part, or other indexes. */
Relation
aevon_log_open_last(AevonLogPart *part)
{
	for (;;)
	{
		Relation	heap;

		load_parts();
		*part = part_cache.parts[part_cache.count - 1];
		heap = table_open(part->oid, RowExclusiveLock);
		if (part_cache.valid)
			return heap;
		table_close(heap, RowExclusiveLock);
	}
}

static void
load_parts(void)
{
	Oid			log_oid = aevon_catalog_oid(AEVON_EVENT_LOG);
	Relation	log;
	PartitionDesc descriptor;
	AevonLogPart *parts;

	/*
	 * of several parts one may be about to go: opening the log waits for
	 * that, and takes in invalidations
	 */
	AcceptInvalidationMessages();
	if (part_cache.valid && part_cache.log == log_oid && part_cache.count == 1)
		return;
	log = table_open(log_oid, AccessShareLock);
	if (part_cache.valid && part_cache.log == log_oid)
	{
		table_close(log, AccessShareLock);
		return;
	}
	if (!part_cache.registered)
	{
		CacheRegisterRelcacheCallback(forget_parts, (Datum) 0);
		part_cache.registered = true;
	}

	descriptor = RelationGetPartitionDesc(log, true);
	if (descriptor->nparts == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the event log has no parts"),
				 errhint("Attach the parts of aevon.event_log again.")));
	parts = MemoryContextAllocZero(CacheMemoryContext,
								   descriptor->nparts * sizeof(AevonLogPart));

	/*
	 * an error on the way must leave no cache, a change on the way no valid
	 * one
	 */
	part_cache.log = InvalidOid;
	part_cache.valid = true;
	for (int i = 0; i < descriptor->nparts; i++)
		load_part(descriptor->oids[i], &parts[i]);
	qsort(parts, descriptor->nparts, sizeof(AevonLogPart), compare_parts);

	if (part_cache.parts != NULL)
		pfree(part_cache.parts);
	part_cache.parts = parts;
	part_cache.count = descriptor->nparts;
	part_cache.log = log_oid;
	table_close(log, AccessShareLock);
}

/* A part's number is in its name, event_log_pN. */
static void
load_part(Oid oid, AevonLogPart *part)
{
	Relation	heap = table_open(oid, AccessShareLock);
	List	   *indexes = RelationGetIndexList(heap);
	ListCell   *cell;

	part->oid = oid;
	part->number = atoi(RelationGetRelationName(heap) + strlen("event_log_p"));
	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);
		AevonLogIndex kind = index_kind(index);

		if (kind == AEVON_LOG_INDEXES || OidIsValid(part->indexes[kind]))
			part->has_others = true;
		else
			part->indexes[kind] = lfirst_oid(cell);
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	for (int i = 0; i < AEVON_LOG_INDEXES; i++)
	{
		if (!OidIsValid(part->indexes[i]))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("part \"%s\" of the event log lacks an index",
							RelationGetRelationName(heap)),
					 errhint("Create it again as on the other parts of aevon.event_log.")));
	}
	table_close(heap, AccessShareLock);
}

/* Which one of ours an index is, told by its columns; or none. */
static AevonLogIndex
index_kind(Relation index)
{
	Form_pg_index form = index->rd_index;
	int			count = form->indnkeyatts;
	AttrNumber	first = form->indkey.values[0];
	AttrNumber	second = count > 1 ? form->indkey.values[1] : InvalidAttrNumber;

	if (!form->indisvalid || !form->indisready || form->indnatts != count ||
		index->rd_rel->relam != BTREE_AM_OID || RelationGetIndexPredicate(index) != NIL)
		return AEVON_LOG_INDEXES;	/* not one to read by */
	for (int i = 0; i < count; i++)
	{
		if (index->rd_indoption[i] != 0)
			return AEVON_LOG_INDEXES;	/* not in our order */
	}
	if (count == 1 && first == Anum_event_log_stamp)
		return AEVON_LOG_STAMP;
	if (count == 1 && indexes_key(index))
		return AEVON_LOG_KEY;
	if (count == 2 && second == Anum_event_log_occurred_at)
	{
		if (first == Anum_event_log_principal_key)
			return AEVON_LOG_PRINCIPAL;
		if (first == Anum_event_log_tenant_key)
			return AEVON_LOG_TENANT;
	}
	return AEVON_LOG_INDEXES;
}

/* Is it an index on aevon.event_key(principal_key, event_id)? */
static bool
indexes_key(Relation index)
{
	List	   *expressions = RelationGetIndexExpressions(index);
	FuncExpr   *call = expressions != NIL ? linitial(expressions) : NULL;

	return call != NULL && IsA(call, FuncExpr) &&
		get_func_namespace(call->funcid) == RelationGetNamespace(index) &&
		strcmp(get_func_name(call->funcid), "event_key") == 0 &&
		is_column(linitial(call->args), Anum_event_log_principal_key) &&
		is_column(lsecond(call->args), Anum_event_log_event_id);
}

static bool
is_column(const Node *expression, AttrNumber number)
{
	return IsA(expression, Var) && ((const Var *) expression)->varattno == number;
}

static int
compare_parts(const void *a, const void *b)
{
	return ((const AevonLogPart *) a)->number - ((const AevonLogPart *) b)->number;
}

static void
forget_parts(Datum argument, Oid relid)
{
	bool		ours = !OidIsValid(relid) || relid == part_cache.log;

	/* while they are looked up, nobody knows yet */
	ours = ours || !OidIsValid(part_cache.log);
	for (int i = 0; i < part_cache.count && !ours; i++)
		ours = part_cache.parts[i].oid == relid;
	if (ours)
	{
		part_cache.valid = false;
		part_cache.epoch++;
	}
}
