/*
 * position.c
 *		Where an event stands in the order (occurred_at, principal, event_id).
 *
 * The text is a JSON array: microseconds, principal, event id.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"

#include "position.h"

static Jsonb *parse_document(const char *text);
static char *array_text(Jsonb *array, int index);

void
aevon_position_parse(const char *text, AevonPosition *position)
{
	Jsonb	   *document = parse_document(text);
	char	   *micros = NULL;

	memset(position, 0, sizeof(*position));
	if (document != NULL)
	{
		micros = array_text(document, 0);
		position->principal = array_text(document, 1);
		position->event_id = array_text(document, 2);
	}
	if (micros == NULL || position->principal == NULL || position->event_id == NULL ||
		strspn(micros, "-0123456789") != strlen(micros) || strlen(micros) > 19)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"after\" is not a position"),
				 errhint("Give the position of the last row of the page before.")));
	position->occurred_at = strtoi64(micros, NULL, 10);
}

char *
aevon_position_text(const AevonPosition *position)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "[" INT64_FORMAT ", ", position->occurred_at);
	escape_json(&buf, position->principal);
	appendStringInfoString(&buf, ", ");
	escape_json(&buf, position->event_id);
	appendStringInfoChar(&buf, ']');
	return buf.data;
}

int
aevon_position_compare(const AevonPosition *a, const AevonPosition *b)
{
	int			order;

	if (a->occurred_at != b->occurred_at)
		return a->occurred_at < b->occurred_at ? -1 : 1;
	order = strcmp(a->principal, b->principal);
	return order != 0 ? order : strcmp(a->event_id, b->event_id);
}

/* The text as a document, or NULL if it is none. */
static Jsonb *
parse_document(const char *text)
{
	MemoryContext context = CurrentMemoryContext;
	Jsonb	   *volatile document = NULL;

	PG_TRY();
	{
		document = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	}
	PG_CATCH();
	{
		/* jsonb_in holds nothing but memory; what is no bad text goes on */
		if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	return document;
}

static char *
array_text(Jsonb *array, int index)
{
	JsonbValue *item;

	if (!JB_ROOT_IS_ARRAY(array) || JB_ROOT_IS_SCALAR(array) || JB_ROOT_COUNT(array) != 3)
		return NULL;
	item = getIthJsonbValueFromContainer(&array->root, index);
	if (item->type == jbvString)
		return pnstrdup(item->val.string.val, item->val.string.len);
	if (item->type == jbvNumeric)
		return DatumGetCString(DirectFunctionCall1(numeric_out,
												   NumericGetDatum(item->val.numeric)));
	return NULL;
}
