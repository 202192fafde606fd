/*
 * json.c
 *		Building a jsonb document, member by member.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "json.h"

static void put(AevonJson *json, const char *key, JsonbValue *value);

void
aevon_json_token(AevonJson *json, JsonbIteratorToken token)
{
	json->result = pushJsonbValue(&json->state, token, NULL);
}

void
aevon_json_key(AevonJson *json, const char *key)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = (char *) key;
	value.val.string.len = strlen(key);
	pushJsonbValue(&json->state, WJB_KEY, &value);
}

void
aevon_json_text(AevonJson *json, const char *key, const char *string)
{
	JsonbValue	value;

	value.type = string ? jbvString : jbvNull;
	if (string != NULL)
	{
		value.val.string.val = (char *) string;
		value.val.string.len = strlen(string);
	}
	put(json, key, &value);
}

void
aevon_json_number(AevonJson *json, const char *key, Numeric number)
{
	JsonbValue	value;

	value.type = number ? jbvNumeric : jbvNull;
	if (number != NULL)
		value.val.numeric = number;
	put(json, key, &value);
}

void
aevon_json_boolean(AevonJson *json, const char *key, bool value)
{
	JsonbValue	item = {.type = jbvBool,.val.boolean = value};

	put(json, key, &item);
}

void
aevon_json_bytes(AevonJson *json, const char *key, const void *bytes, Size length)
{
	char	   *text = palloc0(2 * length + 1);

	hex_encode(bytes, length, text);
	aevon_json_text(json, key, text);
}

void
aevon_json_document(AevonJson *json, const char *key, const Jsonb *document)
{
	JsonbValue	item = {.type = jbvBinary};

	item.val.binary.data = unconstify(JsonbContainer *, &document->root);
	item.val.binary.len = VARSIZE(document) - VARHDRSZ;
	put(json, key, &item);
}

void
aevon_json_time(AevonJson *json, const char *key, TimestampTz at)
{
	static const int utc = 0;
	char	   *text = palloc(MAXDATELEN + 1);

	JsonEncodeDateTime(text, TimestampTzGetDatum(at), TIMESTAMPTZOID, &utc);
	aevon_json_text(json, key, text);
}

Jsonb *
aevon_json_finish(AevonJson *json)
{
	return JsonbValueToJsonb(json->result);
}

Jsonb *
aevon_json_empty(void)
{
	AevonJson	json = {0};

	aevon_json_token(&json, WJB_BEGIN_OBJECT);
	aevon_json_token(&json, WJB_END_OBJECT);
	return aevon_json_finish(&json);
}

static void
put(AevonJson *json, const char *key, JsonbValue *value)
{
	if (key != NULL)
		aevon_json_key(json, key);
	pushJsonbValue(&json->state, key != NULL ? WJB_VALUE : WJB_ELEM, value);
}
