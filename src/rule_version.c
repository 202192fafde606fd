/*
 * rule_version.c
 *		Changing rules: new versions, the switch to them, and the end of old
 *		ones.
 *
 * Whoever changes a rule holds the row of the generation to the end of the
 * transaction; a sweep takes it only if it is free.  Checkpoints are deleted
 * under that row too, so a definition never counts on one that is going.
 *
 * A measure that no rule needs any more keeps checkpoint and buckets, which
 * sweeps leave as they are, until its last days are in snapshots.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "catalog.h"
#include "dictionary.h"
#include "guard.h"
#include "guc.h"
#include "rule.h"
#include "rule_definition.h"
#include "rule_dimensions.h"

/* Rows of dead measures that one sweep deletes. */
#define CLEAR_ROWS 50000

/* How long a measure that no rule needs waits for its last snapshots. */
#define WAIT_DAYS 7

typedef struct NewestVersion
{
	int			version;		/* 0: the name was never used */
	bool		live;
	uint8		fingerprint[AEVON_DIGEST_LENGTH];
} NewestVersion;

typedef struct MeasureState
{
	int32		measure_key;
	bool		caught_up;
} MeasureState;

static void lock_generation(void);
static bool try_lock_generation(void);
static NewestVersion find_newest(int32 tenant_key, const char *name);
static MeasureState find_or_add_measure(const AevonRuleDefinition *definition,
										const AevonCanonicalRule *canonical, int32 tenant_key);
static int32 add_measure(const AevonRuleDefinition *definition,
						 const AevonCanonicalRule *canonical, int32 tenant_key);
static void add_version(const AevonRuleDefinition *definition, const AevonCanonicalRule *canonical,
						int32 tenant_key, int version, const MeasureState *measure, bool active);
static uint64 retire(AevonQuery query, int32 tenant_key, const char *name);
static Datum text_or_null(const char *string, char *null);
static Datum bytes(const uint8 *digest);
static Datum operator_array(const AevonRuleDefinition *definition);
static Datum name_array(List *names);
static Datum quantile_array(const AevonCanonicalRule *canonical);
static bool clear_leftovers(Datum now);

int
aevon_rule_define(const AevonRuleDefinition *definition, bool *changed)
{
	AevonCanonicalRule canonical;
	NewestVersion newest;
	int32		tenant_key = 0;

	aevon_rule_canonicalize(definition, &canonical);
	aevon_guard_base();
	if (definition->tenant != NULL)
		tenant_key = aevon_dictionary_intern(AEVON_DICTIONARY_TENANT, 0, definition->tenant);

	aevon_catalog_connect();
	lock_generation();
	newest = find_newest(tenant_key, definition->name);
	*changed = !newest.live ||
		memcmp(newest.fingerprint, canonical.fingerprint, AEVON_DIGEST_LENGTH) != 0;
	if (*changed)
	{
		MeasureState measure = find_or_add_measure(definition, &canonical, tenant_key);
		bool		active = !newest.live || measure.caught_up;

		aevon_rule_check_dimensions(definition, tenant_key, canonical.dimensions);
		/* an older version answers until the new one can; none in between */
		retire(active ? AEVON_QUERY_RETIRE_VERSIONS : AEVON_QUERY_RETIRE_BUILDING,
			   tenant_key, definition->name);
		newest.version++;
		add_version(definition, &canonical, tenant_key, newest.version, &measure, active);
		aevon_catalog_bump_generation();
	}
	aevon_catalog_finish();
	return newest.version;
}

void
aevon_rule_drop(const char *name, const char *tenant)
{
	int32		tenant_key = 0;
	bool		known = true;
	uint64		retired = 0;

	if (tenant != NULL)
	{
		tenant_key = aevon_dictionary_find(AEVON_DICTIONARY_TENANT, 0, tenant);
		known = tenant_key != 0;
	}
	if (known)
	{
		aevon_catalog_connect();
		lock_generation();
		retired = retire(AEVON_QUERY_RETIRE_VERSIONS, tenant_key, name);
		if (retired > 0)
			aevon_catalog_bump_generation();
		aevon_catalog_finish();
	}
	if (retired == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("rule \"%s\" does not exist", name),
				 errhint("A tenant's own rule is dropped by naming the tenant, a rule for all tenants without.")));
}

bool
aevon_rule_switch_versions(void)
{
	bool		built;
	bool		orphaned;
	bool		leftovers;
	bool		changed = false;
	bool		isnull;
	Datum		now = TimestampTzGetDatum(aevon_clock_now());
	Datum		waits_since = TimestampTzGetDatum(aevon_clock_now() - WAIT_DAYS * USECS_PER_DAY);

	aevon_catalog_connect();
	aevon_catalog_run(AEVON_QUERY_VERSION_WORK, &waits_since, NULL, false);
	built = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	orphaned = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
	leftovers = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3, &isnull));

	if ((built || orphaned) && try_lock_generation())
	{
		aevon_catalog_run(AEVON_QUERY_RETIRE_REPLACED, &now, NULL, false);
		aevon_catalog_run(AEVON_QUERY_ACTIVATE_BUILT, &now, NULL, false);
		if (SPI_processed > 0)
			aevon_catalog_bump_generation();
		aevon_catalog_run(AEVON_QUERY_DROP_CHECKPOINTS, &waits_since, NULL, false);
		changed = leftovers = true;
	}
	if (leftovers)
		changed |= clear_leftovers(now);
	aevon_catalog_finish();
	return changed;
}

static void
lock_generation(void)
{
	aevon_catalog_run(AEVON_QUERY_LOCK_GENERATION, NULL, NULL, false);
	if (SPI_processed == 0)
		aevon_catalog_bump_generation();	/* makes the row, and so locks it */
}

static bool
try_lock_generation(void)
{
	aevon_catalog_run(AEVON_QUERY_TRY_LOCK_GENERATION, NULL, NULL, false);
	return SPI_processed > 0;
}

static NewestVersion
find_newest(int32 tenant_key, const char *name)
{
	NewestVersion newest = {0};
	Datum		values[] = {Int32GetDatum(tenant_key), CStringGetTextDatum(name)};

	aevon_catalog_run(AEVON_QUERY_NEWEST_VERSION, values, NULL, false);
	if (SPI_processed > 0)
	{
		HeapTuple	tuple = SPI_tuptable->vals[0];
		TupleDesc	descriptor = SPI_tuptable->tupdesc;
		bool		isnull;
		bytea	   *fingerprint;

		newest.version = DatumGetInt32(SPI_getbinval(tuple, descriptor, 1, &isnull));
		newest.live = strcmp(SPI_getvalue(tuple, descriptor, 2), "retired") != 0;
		fingerprint = DatumGetByteaPP(SPI_getbinval(tuple, descriptor, 3, &isnull));
		if (VARSIZE_ANY_EXHDR(fingerprint) == AEVON_DIGEST_LENGTH)
			memcpy(newest.fingerprint, VARDATA_ANY(fingerprint), AEVON_DIGEST_LENGTH);
	}
	return newest;
}

static MeasureState
find_or_add_measure(const AevonRuleDefinition *definition, const AevonCanonicalRule *canonical,
					int32 tenant_key)
{
	MeasureState measure = {0};
	Datum		fingerprint = bytes(canonical->measure);

	aevon_catalog_run(AEVON_QUERY_FIND_MEASURE, &fingerprint, NULL, false);
	if (SPI_processed > 0)
	{
		HeapTuple	tuple = SPI_tuptable->vals[0];
		TupleDesc	descriptor = SPI_tuptable->tupdesc;
		bool		isnull;

		measure.measure_key = DatumGetInt32(SPI_getbinval(tuple, descriptor, 1, &isnull));
		measure.caught_up = DatumGetBool(SPI_getbinval(tuple, descriptor, 2, &isnull));
	}
	else
	{
		Datum		key;

		measure.measure_key = add_measure(definition, canonical, tenant_key);
		key = Int32GetDatum(measure.measure_key);
		aevon_catalog_run(AEVON_QUERY_ADD_CHECKPOINT, &key, NULL, false);
	}
	return measure;
}

static int32
add_measure(const AevonRuleDefinition *definition, const AevonCanonicalRule *canonical,
			int32 tenant_key)
{
	Datum		values[10];
	char		nulls[] = "          ";
	bool		isnull;

	if (strcmp(definition->event_type, "*") != 0)
		aevon_dictionary_intern(AEVON_DICTIONARY_EVENT_TYPE, 0, definition->event_type);
	values[0] = Int32GetDatum(tenant_key);
	values[1] = Int32GetDatum(canonical->features);
	values[2] = CStringGetTextDatum(definition->event_type);
	values[3] = text_or_null(canonical->value, &nulls[3]);
	values[4] = text_or_null(canonical->filter, &nulls[4]);
	values[5] = JsonbPGetDatum(canonical->dimensions);
	values[6] = bytes(canonical->measure);
	values[7] = TimestampTzGetDatum(aevon_clock_now());
	values[8] = name_array(canonical->rollups);
	values[9] = quantile_array(canonical);
	aevon_catalog_run(AEVON_QUERY_ADD_MEASURE, values, nulls, false);
	return DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

static void
add_version(const AevonRuleDefinition *definition, const AevonCanonicalRule *canonical,
			int32 tenant_key, int version, const MeasureState *measure, bool active)
{
	Datum		values[15];
	char		nulls[] = "               ";

	values[0] = Int32GetDatum(tenant_key);
	values[1] = Int32GetDatum(version);
	values[2] = Int32GetDatum(measure->measure_key);
	values[3] = CStringGetTextDatum(definition->name);
	values[4] = CStringGetTextDatum(active ? "active" : "building");
	values[5] = CStringGetTextDatum(definition->event_type);
	values[6] = operator_array(definition);
	values[7] = text_or_null(canonical->value, &nulls[7]);
	values[8] = text_or_null(canonical->filter, &nulls[8]);
	values[9] = JsonbPGetDatum(canonical->dimensions);
	values[10] = bytes(canonical->fingerprint);
	values[11] = CStringGetTextDatum(GetUserNameFromId(definition->author, false));
	values[12] = TimestampTzGetDatum(aevon_clock_now());
	values[13] = values[12];
	if (!active)
		nulls[13] = 'n';
	values[14] = name_array(canonical->rollups);
	aevon_catalog_run(AEVON_QUERY_ADD_VERSION, values, nulls, false);
}

/* Retire versions of a rule, as the query says; how many. */
static uint64
retire(AevonQuery query, int32 tenant_key, const char *name)
{
	Datum		values[] = {
		Int32GetDatum(tenant_key),
		CStringGetTextDatum(name),
		TimestampTzGetDatum(aevon_clock_now())
	};

	aevon_catalog_run(query, values, NULL, false);
	return SPI_processed;
}

static Datum
text_or_null(const char *string, char *null)
{
	if (string != NULL)
		return CStringGetTextDatum(string);
	*null = 'n';
	return (Datum) 0;
}

static Datum
bytes(const uint8 *digest)
{
	bytea	   *result = palloc(VARHDRSZ + AEVON_DIGEST_LENGTH);

	SET_VARSIZE(result, VARHDRSZ + AEVON_DIGEST_LENGTH);
	memcpy(VARDATA(result), digest, AEVON_DIGEST_LENGTH);
	return PointerGetDatum(result);
}

static Datum
operator_array(const AevonRuleDefinition *definition)
{
	Datum	   *names = palloc(definition->operator_count * sizeof(Datum));

	for (int i = 0; i < definition->operator_count; i++)
		names[i] = CStringGetTextDatum(definition->operators[i]);
	return PointerGetDatum(construct_array(names, definition->operator_count, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

/* List of char * */
static Datum
name_array(List *names)
{
	Datum	   *elements = palloc(Max(list_length(names), 1) * sizeof(Datum));
	ListCell   *cell;

	foreach(cell, names)
		elements[foreach_current_index(cell)] = CStringGetTextDatum(lfirst(cell));
	return PointerGetDatum(construct_array(elements, list_length(names), TEXTOID, -1, false,
										   TYPALIGN_INT));
}

static Datum
quantile_array(const AevonCanonicalRule *canonical)
{
	Datum	   *names = palloc(Max(canonical->quantile_count, 1) * sizeof(Datum));

	for (int i = 0; i < canonical->quantile_count; i++)
		names[i] = CStringGetTextDatum(canonical->quantiles[i].name);
	return PointerGetDatum(construct_array(names, canonical->quantile_count, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

/*
 * Delete a bounded part of what dead measures left.  A series with snapshots
 * stays: it says whose they are.
 */
static bool
clear_leftovers(Datum now)
{
	static const AevonQuery steps[] = {
		AEVON_QUERY_CLEAR_BUCKETS_1M, AEVON_QUERY_CLEAR_BUCKETS_1H,
		AEVON_QUERY_CLEAR_BUCKETS_1D, AEVON_QUERY_CLEAR_TOUCHED_DAYS, AEVON_QUERY_CLEAR_SERIES,
		AEVON_QUERY_CLEAR_OPEN_MINUTES
	};
	int64		room = CLEAR_ROWS;
	bool		changed = false;

	for (;;)
	{
		Datum		values[2];
		bool		isnull;

		aevon_catalog_run(AEVON_QUERY_PICK_LEFTOVER, NULL, NULL, false);
		if (SPI_processed == 0)
			return changed;
		values[0] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
		changed = true;
		for (int i = 0; i < lengthof(steps); i++)
		{
			values[1] = Int64GetDatum(room);
			aevon_catalog_run(steps[i], values, NULL, false);
			room -= (int64) SPI_processed;
			if (room <= 0)
				return true;
		}
		values[1] = now;
		aevon_catalog_run(AEVON_QUERY_MARK_CLEARED, values, NULL, false);
	}
}
