/*
 * digest.c
 *		Content hashes of events.
 *
 * What is hashed is a serialization of our own: every item is a tag byte, a
 * length where it has one, and its bytes, so that different contents never
 * give the same bytes.  Object members come in jsonb's order, which is a
 * function of the keys alone.
 */
#include "postgres.h"

#ifdef USE_OPENSSL
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#endif

#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "port/pg_bswap.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "digest.h"

/* Tags.  They are part of the stored hashes: never change one. */
#define TAG_NULL 'z'
#define TAG_TRUE 't'
#define TAG_FALSE 'f'
#define TAG_NUMBER 'n'
#define TAG_STRING 's'
#define TAG_KEY 'k'
#define TAG_OBJECT '{'
#define TAG_OBJECT_END '}'
#define TAG_ARRAY '['
#define TAG_ARRAY_END ']'
#define TAG_ABSENT '-'
#define TAG_INTEGER 'i'
#define TAG_BYTES 'b'

/* The display scale in a numeric's wire form. */
#define WIRE_SCALE_OFFSET 6
#define WIRE_SCALE_LENGTH 2

static bool is_flat(const JsonbContainer *container);
static void put_datum(StringInfo buf, Oid type, Datum value);
static void put_array(StringInfo buf, Oid type, Datum value);
static void put_integer(StringInfo buf, int64 number);
static void put_container(StringInfo buf, JsonbContainer *container);
static void put_scalar(StringInfo buf, const JsonbValue *value);
static void put_number(StringInfo buf, Numeric number);
static void put_bytes(StringInfo buf, char tag, const char *bytes, int length);
static void hash_buffer(StringInfo buf, uint8 *out);

void
aevon_digest_event(const AevonEventIdentity *event, uint8 out[AEVON_DIGEST_LENGTH])
{
	StringInfoData buf;

	initStringInfo(&buf);
	put_bytes(&buf, TAG_STRING, event->event_type, strlen(event->event_type));
	put_container(&buf, &event->data->root);
	put_bytes(&buf, TAG_STRING, event->tenant, strlen(event->tenant));
	put_bytes(&buf, TAG_STRING, event->principal, strlen(event->principal));
	put_bytes(&buf, TAG_STRING, event->event_id, strlen(event->event_id));
	pq_sendint64(&buf, event->occurred_at);
	pq_sendint64(&buf, event->ingested_at);
	if (event->metadata != NULL)
		put_container(&buf, &event->metadata->root);
	else
		appendStringInfoChar(&buf, TAG_ABSENT);
	hash_buffer(&buf, out);
	pfree(buf.data);
}

void
aevon_digest_document(Jsonb *document, uint8 out[AEVON_DIGEST_LENGTH])
{
	StringInfoData buf;

	initStringInfo(&buf);
	put_container(&buf, &document->root);
	hash_buffer(&buf, out);
	pfree(buf.data);
}

void
aevon_digest_row(const AevonDigestRow *row, uint8 out[AEVON_DIGEST_LENGTH])
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < row->count; i++)
	{
		if (row->nulls != NULL && row->nulls[i])
			appendStringInfoChar(&buf, TAG_ABSENT);
		else
			put_datum(&buf, row->types[i], row->values[i]);
	}
	hash_buffer(&buf, out);
	pfree(buf.data);
}

uint64
aevon_digest_value(const JsonbValue *value)
{
	StringInfoData buf;
	uint64		digest;

	initStringInfo(&buf);
	if (value->type == jbvBinary)
		put_container(&buf, value->val.binary.data);
	else
		put_scalar(&buf, value);
	digest = hash_bytes_extended((const unsigned char *) buf.data, buf.len, 0);
	pfree(buf.data);
	return digest;
}

int
aevon_digest_nesting(Jsonb *document)
{
	JsonbIterator *it;
	JsonbValue	value;
	JsonbIteratorToken token;
	int			depth = 0;
	int			deepest = 1;

	if (is_flat(&document->root))
		return 1;
	it = JsonbIteratorInit(&document->root);
	while ((token = JsonbIteratorNext(&it, &value, false)) != WJB_DONE)
	{
		if (token == WJB_BEGIN_OBJECT || token == WJB_BEGIN_ARRAY)
		{
			depth++;
			deepest = Max(deepest, depth);
		}
		else if (token == WJB_END_OBJECT || token == WJB_END_ARRAY)
			depth--;
	}
	return deepest;
}

/* Does it hold no object and no array, as most events' data? */
static bool
is_flat(const JsonbContainer *container)
{
	int			count = JsonContainerSize(container) * (JsonContainerIsObject(container) ? 2 : 1);

	for (int i = 0; i < count; i++)
		if (JBE_ISCONTAINER(container->children[i]))
			return false;
	return true;
}

static void
put_datum(StringInfo buf, Oid type, Datum value)
{
	switch (type)
	{
		case INT8OID:
		case TIMESTAMPTZOID:
			put_integer(buf, DatumGetInt64(value));
			break;
		case INT4OID:
			put_integer(buf, DatumGetInt32(value));
			break;
		case TEXTOID:
			{
				text	   *string = DatumGetTextPP(value);

				put_bytes(buf, TAG_STRING, VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string));
				break;
			}
		case BYTEAOID:
			{
				bytea	   *bytes = DatumGetByteaPP(value);

				put_bytes(buf, TAG_BYTES, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
				break;
			}
		case JSONBOID:
			put_container(buf, &DatumGetJsonbP(value)->root);
			break;
		case INT8ARRAYOID:
			put_array(buf, INT8OID, value);
			break;
		case INT4ARRAYOID:
			put_array(buf, INT4OID, value);
			break;
		case BYTEAARRAYOID:
			put_array(buf, BYTEAOID, value);
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("a row with a column of type %s has no hash", format_type_be(type))));
	}
}

static void
put_array(StringInfo buf, Oid type, Datum value)
{
	bool		fixed = type != BYTEAOID;
	int			length = type == INT8OID ? sizeof(int64) : type == INT4OID ? sizeof(int32) : -1;
	char		align = type == INT8OID ? TYPALIGN_DOUBLE : TYPALIGN_INT;
	Datum	   *values;
	bool	   *nulls;
	int			count;

	deconstruct_array(DatumGetArrayTypeP(value), type, length, fixed, align, &values, &nulls, &count);
	appendStringInfoChar(buf, TAG_ARRAY);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			appendStringInfoChar(buf, TAG_ABSENT);
		else
			put_datum(buf, type, values[i]);
	}
	appendStringInfoChar(buf, TAG_ARRAY_END);
}

static void
put_integer(StringInfo buf, int64 number)
{
	appendStringInfoChar(buf, TAG_INTEGER);
	pq_sendint64(buf, number);
}

static void
put_container(StringInfo buf, JsonbContainer *container)
{
	JsonbIterator *it = JsonbIteratorInit(container);
	JsonbValue	value;
	JsonbIteratorToken token;

	while ((token = JsonbIteratorNext(&it, &value, false)) != WJB_DONE)
		switch (token)
		{
			case WJB_BEGIN_OBJECT:
				appendStringInfoChar(buf, TAG_OBJECT);
				break;
			case WJB_END_OBJECT:
				appendStringInfoChar(buf, TAG_OBJECT_END);
				break;
			case WJB_BEGIN_ARRAY:
				/* a scalar document is stored as an array; it is not one */
				if (!value.val.array.rawScalar)
					appendStringInfoChar(buf, TAG_ARRAY);
				break;
			case WJB_END_ARRAY:
				if (!value.val.array.rawScalar)
					appendStringInfoChar(buf, TAG_ARRAY_END);
				break;
			case WJB_KEY:
				put_bytes(buf, TAG_KEY, value.val.string.val, value.val.string.len);
				break;
			case WJB_VALUE:
			case WJB_ELEM:
				put_scalar(buf, &value);
				break;
			default:
				elog(ERROR, "unexpected jsonb token %d", (int) token);
		}
}

static void
put_scalar(StringInfo buf, const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			appendStringInfoChar(buf, TAG_NULL);
			break;
		case jbvBool:
			appendStringInfoChar(buf, value->val.boolean ? TAG_TRUE : TAG_FALSE);
			break;
		case jbvString:
			put_bytes(buf, TAG_STRING, value->val.string.val, value->val.string.len);
			break;
		case jbvNumeric:
			put_number(buf, value->val.numeric);
			break;
		default:
			elog(ERROR, "unexpected jsonb value type %d", (int) value->type);
	}
}

/*
 * The wire form of a numeric is its base-10000 digits without leading and
 * trailing zeros, after a header: the digits' number, weight, sign and display
 * scale.  Without the scale, equal numbers have equal bytes; and it is short
 * even for 1e131071.
 */
static void
put_number(StringInfo buf, Numeric number)
{
	bytea	   *wire = DatumGetByteaP(DirectFunctionCall1(numeric_send, NumericGetDatum(number)));
	char	   *bytes = VARDATA(wire);

	memset(bytes + WIRE_SCALE_OFFSET, 0, WIRE_SCALE_LENGTH);
	put_bytes(buf, TAG_NUMBER, bytes, VARSIZE(wire) - VARHDRSZ);
	pfree(wire);
}

static void
put_bytes(StringInfo buf, char tag, const char *bytes, int length)
{
	uint32		wire_length = pg_hton32((uint32) length);
	char	   *at;

	enlargeStringInfo(buf, 1 + sizeof(wire_length) + length);
	at = buf->data + buf->len;
	*at = tag;
	memcpy(at + 1, &wire_length, sizeof(wire_length));
	memcpy(at + 1 + sizeof(wire_length), bytes, length);
	buf->len += 1 + sizeof(wire_length) + length;
	buf->data[buf->len] = '\0';
}

/*
 * OpenSSL's plain functions, where PostgreSQL brings OpenSSL: the search for an
 * implementation that comes before each digest otherwise takes longer than the
 * digest of an event does.
 */
static void
hash_buffer(StringInfo buf, uint8 *out)
{
#ifdef USE_OPENSSL
	SHA256_CTX	context;

	if (SHA256_Init(&context) != 1 ||
		SHA256_Update(&context, buf->data, buf->len) != 1 ||
		SHA256_Final(out, &context) != 1)
		elog(ERROR, "SHA-256 failed");
#else
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);

	if (context == NULL ||
		pg_cryptohash_init(context) < 0 ||
		pg_cryptohash_update(context, (const uint8 *) buf->data, buf->len) < 0 ||
		pg_cryptohash_final(context, out, AEVON_DIGEST_LENGTH) < 0)
		elog(ERROR, "SHA-256 failed: %s", pg_cryptohash_error(context));
	pg_cryptohash_free(context);
#endif
}
