/*
 * dims.c
 *		The dimension values of events, and the groupings that series are kept
 *		for.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "digest.h"
#include "dims.h"
#include "path.h"

/* What combinations are told apart by: measure, tenant, grouping, values. */
typedef struct DimsKey
{
	const char *bytes;
	int			length;
} DimsKey;

typedef struct DimsEntry
{
	DimsKey		key;
	AevonDims  *dims;
	uint32		hash;
	char		status;
} DimsEntry;

static uint32 hash_key(DimsKey key);
static bool same_key(DimsKey a, DimsKey b);

#define SH_PREFIX combinations
#define SH_ELEMENT_TYPE DimsEntry
#define SH_KEY_TYPE DimsKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) hash_key(key)
#define SH_EQUAL(table, a, b) same_key(a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(table, entry) (entry)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct AevonDimsTable
{
	MemoryContext memory;
	MemoryContext scratch;		/* of one lookup */
	StringInfoData key;			/* likewise */
	combinations_hash *combinations;
};

static void put_value(AevonDimsWanted *wanted, int i, const JsonbValue *item);
static AevonDims *make_dims(AevonDimsTable *table, const AevonDimsWanted *wanted);
static JsonbValue copy_value(const JsonbValue *value);
static void encode_key(StringInfo key, const AevonDimsWanted *wanted);

AevonDimsTable *
aevon_dims_table_create(void)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "aevon dimension values",
												 ALLOCSET_DEFAULT_SIZES);
	AevonDimsTable *table = MemoryContextAllocZero(memory, sizeof(AevonDimsTable));
	MemoryContext outer;

	table->memory = memory;
	table->scratch = AllocSetContextCreate(memory, "aevon dimension values of an event",
										   ALLOCSET_DEFAULT_SIZES);
	outer = MemoryContextSwitchTo(memory);
	initStringInfo(&table->key);
	MemoryContextSwitchTo(outer);
	table->combinations = combinations_create(memory, 64, NULL);
	return table;
}

Jsonb *
aevon_dims_values(const AevonDims *dims)
{
	AevonDims  *own = unconstify(AevonDims *, dims);
	JsonbParseState *state = NULL;
	JsonbValue	name = {.type = jbvString};
	MemoryContext outer;

	if (dims->values != NULL)
		return dims->values;
	outer = MemoryContextSwitchTo(dims->memory);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < dims->measure->dimension_count; i++)
	{
		if ((dims->grouping & ((AevonGrouping) 1 << i)) == 0)
			continue;
		name.val.string.val = dims->measure->dimensions[i].name;
		name.val.string.len = strlen(name.val.string.val);
		pushJsonbValue(&state, WJB_KEY, &name);
		pushJsonbValue(&state, WJB_VALUE, &dims->items[i]);
	}
	own->values = JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
	MemoryContextSwitchTo(outer);
	return dims->values;
}

/* One byte for "other". */
const uint8 *
aevon_dims_digest(const AevonDims *dims, int *length)
{
	AevonDims  *own = unconstify(AevonDims *, dims);
	uint8		digest[AEVON_DIGEST_LENGTH];

	if (dims->digest_length == 0)
	{
		own->digest_length = dims->other ? 1 : AEVON_DIMS_DIGEST_LENGTH;
		if (!dims->other)
		{
			aevon_digest_document(aevon_dims_values(dims), digest);
			memcpy(own->digest, digest, AEVON_DIMS_DIGEST_LENGTH);
		}
	}
	*length = dims->digest_length;
	return dims->digest;
}

void
aevon_dims_table_delete(AevonDimsTable *table)
{
	MemoryContextDelete(table->memory);
}

Size
aevon_dims_table_size(const AevonDimsTable *table)
{
	return MemoryContextMemAllocated(table->memory, true);
}

AevonGrouping
aevon_dims_full_grouping(const AevonMeasure *measure)
{
	return ((AevonGrouping) 1 << measure->dimension_count) - 1;
}

AevonDims *
aevon_dims_of_event(AevonDimsTable *table, const AevonMeasure *measure, AevonLogRow *row)
{
	AevonDimsWanted wanted;

	if (measure->dimension_count == 0)
		return NULL;
	aevon_dims_read_event(table, measure, row, &wanted);
	return aevon_dims_remember(table, &wanted);
}

void
aevon_dims_read_event(AevonDimsTable *table, const AevonMeasure *measure, AevonLogRow *row,
					  AevonDimsWanted *out)
{
	MemoryContext outer;
	Jsonb	   *data;

	out->measure = measure;
	out->tenant_key = row->tenant_key;
	out->grouping = aevon_dims_full_grouping(measure);
	out->other = false;
	/* the row keeps its data, so not in the table's memory */
	data = aevon_log_row_data(row);
	MemoryContextReset(table->scratch);
	outer = MemoryContextSwitchTo(table->scratch);
	for (int i = 0; i < measure->dimension_count; i++)
	{
		JsonbValue	item;

		if (aevon_path_item(measure->dimensions[i].path, data, &item) == AEVON_MATCH_YES)
			put_value(out, i, &item);
		else
			put_value(out, i, NULL);
	}
	MemoryContextSwitchTo(outer);
}

AevonDims *
aevon_dims_remember(AevonDimsTable *table, const AevonDimsWanted *wanted)
{
	DimsEntry  *entry;
	DimsKey		key;
	bool		found;

	resetStringInfo(&table->key);
	encode_key(&table->key, wanted);
	key.bytes = table->key.data;
	key.length = table->key.len;
	entry = combinations_insert(table->combinations, key, &found);
	if (!found)
	{
		MemoryContext outer = MemoryContextSwitchTo(table->memory);

		entry->key.bytes = memcpy(palloc(key.length), key.bytes, key.length);
		entry->dims = make_dims(table, wanted);
		MemoryContextSwitchTo(outer);
	}
	MemoryContextReset(table->scratch);
	return entry->dims;
}

AevonDims *
aevon_dims_other(AevonDimsTable *table, const AevonMeasure *measure, int32 tenant_key,
				 AevonGrouping grouping)
{
	AevonDimsWanted wanted = {measure, tenant_key, grouping, true};

	return aevon_dims_remember(table, &wanted);
}

AevonDims *
aevon_dims_project(AevonDimsTable *table, const AevonDims *dims, AevonGrouping grouping)
{
	AevonDimsWanted wanted = {dims->measure, dims->tenant_key, grouping, dims->other};

	if (grouping == 0)
		return NULL;
	memcpy(wanted.items, dims->items, dims->measure->dimension_count * sizeof(JsonbValue));
	return aevon_dims_remember(table, &wanted);
}

AevonDims *
aevon_dims_of_series(AevonDimsTable *table, const AevonMeasure *measure, int32 tenant_key,
					 const AevonStoredDims *stored)
{
	if (VARSIZE_ANY_EXHDR(stored->digest) < AEVON_DIMS_DIGEST_LENGTH)
		return aevon_dims_other(table, measure, tenant_key, stored->grouping);
	return aevon_dims_of_values(table, measure, tenant_key, stored->grouping, stored->values);
}

AevonDims *
aevon_dims_of_values(AevonDimsTable *table, const AevonMeasure *measure, int32 tenant_key,
					 AevonGrouping grouping, const Jsonb *values)
{
	AevonDimsWanted wanted = {measure, tenant_key, grouping, false};
	MemoryContext outer = MemoryContextSwitchTo(table->scratch);
	AevonDims  *dims;

	for (int i = 0; i < measure->dimension_count; i++)
	{
		const char *name = measure->dimensions[i].name;
		JsonbValue	item;

		if ((grouping & ((AevonGrouping) 1 << i)) != 0)
			put_value(&wanted, i,
					  getKeyJsonValueFromContainer(unconstify(JsonbContainer *, &values->root),
												   name, strlen(name), &item));
	}
	MemoryContextSwitchTo(outer);
	dims = aevon_dims_remember(table, &wanted);
	return dims;
}

int
aevon_dims_find(const AevonMeasure *measure, const char *name)
{
	for (int i = 0; i < measure->dimension_count; i++)
	{
		if (strcmp(measure->dimensions[i].name, name) == 0)
			return i;
	}
	return -1;
}

void
aevon_dims_push(AevonJson *json, const AevonDims *dims)
{
	if (dims != NULL)
		aevon_json_document(json, "dims", aevon_dims_values(dims));
}

bool
aevon_dims_same(const AevonDims *a, const AevonDims *b)
{
	int			length;
	int			other_length;
	const uint8 *digest = aevon_dims_digest(a, &length);
	const uint8 *other_digest = aevon_dims_digest(b, &other_length);

	return a->grouping == b->grouping && length == other_length &&
		memcmp(digest, other_digest, length) == 0;
}

bool
aevon_dims_canonical_value(const JsonbValue *item, JsonbValue *value)
{
	*value = *item;
	switch (item->type)
	{
		case jbvString:
			return item->val.string.len <= AEVON_MAX_DIMENSION_BYTES;
		case jbvNumeric:
			value->val.numeric =
				DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale,
													NumericGetDatum(item->val.numeric)));
			return VARSIZE(value->val.numeric) <= AEVON_MAX_DIMENSION_BYTES;
		case jbvBool:
			return true;
		default:
			value->type = jbvNull;
			return true;
	}
}

/* The value of a dimension; NULL: it has none. */
static void
put_value(AevonDimsWanted *wanted, int i, const JsonbValue *item)
{
	static const JsonbValue null = {.type = jbvNull};

	if (!aevon_dims_canonical_value(item != NULL ? item : &null, &wanted->items[i]))
		wanted->other = true;
}

static AevonDims *
make_dims(AevonDimsTable *table, const AevonDimsWanted *wanted)
{
	const AevonMeasure *measure = wanted->measure;
	JsonbValue	other = {.type = jbvString};
	AevonDims  *dims = palloc0(sizeof(AevonDims));

	other.val.string.val = AEVON_OTHER;
	other.val.string.len = strlen(AEVON_OTHER);
	dims->measure = measure;
	dims->tenant_key = wanted->tenant_key;
	dims->grouping = wanted->grouping;
	dims->other = wanted->other;
	dims->number = table->combinations->members;
	dims->member = -1;
	dims->memory = table->memory;
	dims->items = palloc0(measure->dimension_count * sizeof(JsonbValue));
	for (int i = 0; i < measure->dimension_count; i++)
	{
		if (wanted->grouping & ((AevonGrouping) 1 << i))
			dims->items[i] = wanted->other ? other : copy_value(&wanted->items[i]);
	}
	return dims;
}

static JsonbValue
copy_value(const JsonbValue *value)
{
	JsonbValue	copy = *value;

	if (value->type == jbvString)
		copy.val.string.val = memcpy(palloc(value->val.string.len), value->val.string.val,
									 value->val.string.len);
	else if (value->type == jbvNumeric)
		copy.val.numeric = memcpy(palloc(VARSIZE(value->val.numeric)), value->val.numeric,
								  VARSIZE(value->val.numeric));
	return copy;
}

static void
encode_key(StringInfo key, const AevonDimsWanted *wanted)
{
	int32		head[] = {wanted->measure->measure_key, wanted->tenant_key, wanted->grouping,
	wanted->other};

	appendBinaryStringInfo(key, (char *) head, sizeof(head));
	for (int i = 0; i < wanted->measure->dimension_count && !wanted->other; i++)
	{
		const JsonbValue *item = &wanted->items[i];

		if ((wanted->grouping & ((AevonGrouping) 1 << i)) == 0)
			continue;
		appendStringInfoChar(key, (char) item->type);
		if (item->type == jbvString)
		{
			appendBinaryStringInfo(key, (char *) &item->val.string.len, sizeof(int));
			appendBinaryStringInfo(key, item->val.string.val, item->val.string.len);
		}
		else if (item->type == jbvNumeric)
			appendBinaryStringInfo(key, (char *) item->val.numeric, VARSIZE(item->val.numeric));
		else if (item->type == jbvBool)
			appendStringInfoChar(key, item->val.boolean);
	}
}

static uint32
hash_key(DimsKey key)
{
	return hash_bytes((const unsigned char *) key.bytes, key.length);
}

static bool
same_key(DimsKey a, DimsKey b)
{
	return a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0;
}
