/*
 * path.c
 *		jsonpath as rules use it: compiled once, evaluated per event.
 *
 * Most rules ask for a plain member, $.a.b, or compare one with a string or a
 * number: that is done here.  All other paths, and documents in which a plain
 * path meets an array (lax mode looks into it) or a compared one ends in
 * an object, go to PostgreSQL's engine.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonpath.h"

#include "errors.h"
#include "json.h"
#include "path.h"
#include "pathcost.h"

/* Longest text that is stored in the place of the author's, in bytes. */
#define MAX_TEXT (4 * AEVON_MAX_PATH)

typedef struct PathKey
{
	char	   *name;			/* into the compiled path */
	int			length;
} PathKey;

struct AevonPath
{
	JsonPath   *compiled;
	AevonPathCost cost;
	char	   *text;
	bool		ends_in_filter;
	int			key_count;		/* of a plain member path; 0: not plain */
	PathKey    *keys;
	JsonPathItemType comparison;	/* of that member; jpiNull: none */
	JsonbValue	literal;		/* what it is compared with */
	Jsonb	   *variables;		/* an empty object */
};

typedef enum PlainResult
{
	PLAIN_FOUND,
	PLAIN_MISSING,
	PLAIN_UNDECIDED				/* ask the engine */
} PlainResult;

static char *expand_source(const char *source);
static bool is_key_character(unsigned char c, bool first);
static JsonPath *parse_path(const char *source, const char *what);
static bool is_definition_error(int sqlstate);
static char *canonical_text(JsonPath *compiled, char *source);
static void describe_chain(AevonPath *path);
static bool describe_comparison(AevonPath *path, JsonPathItem *item, JsonPathItem *member);
static bool is_comparison(JsonPathItemType type);
static AevonMatch first_item(const AevonPath *path, Jsonb *document, JsonbValue *item);
static PlainResult compare_plain(const AevonPath *path, PlainResult member, JsonbValue *item);
static bool holds(JsonPathItemType comparison, int order);
static PlainResult find_plain(const AevonPath *path, Jsonb *document, JsonbValue *item);
static AevonMatch ask_engine(const AevonPath *path, Jsonb *document, JsonbValue *item);
static bool is_evaluation_error(int sqlstate);

AevonPath *
aevon_path_compile(const char *source, const char *what)
{
	AevonPath  *path = palloc0(sizeof(AevonPath));
	char	   *expanded = expand_source(source);

	path->compiled = parse_path(expanded, what);
	aevon_pathcost_examine(path->compiled, source, what, &path->cost);
	path->text = canonical_text(path->compiled, expanded);
	path->variables = aevon_json_empty();
	describe_chain(path);
	return path;
}

const char *
aevon_path_text(const AevonPath *path)
{
	return path->text;
}

AevonMatch
aevon_path_item(const AevonPath *path, Jsonb *document, JsonbValue *item)
{
	return first_item(path, document, item);
}

AevonMatch
aevon_path_match(const AevonPath *path, Jsonb *document)
{
	JsonbValue	item;
	AevonMatch	match = first_item(path, document, &item);

	if (match != AEVON_MATCH_YES || path->ends_in_filter)
		return match;
	if (item.type == jbvBool)
		return item.val.boolean ? AEVON_MATCH_YES : AEVON_MATCH_NO;
	return item.type == jbvNull ? AEVON_MATCH_NO : AEVON_MATCH_ERROR;
}

/* The source without white space around it; a bare key spelled out. */
static char *
expand_source(const char *source)
{
	static const char space[] = " \t\r\n\f\v";
	size_t		length;
	size_t		i;
	char	   *trimmed;

	source += strspn(source, space);
	length = strlen(source);
	while (length > 0 && strchr(space, source[length - 1]) != NULL)
		length--;
	trimmed = pnstrdup(source, length);

	for (i = 0; i < length; i++)
		if (!is_key_character(trimmed[i], i == 0))
			return trimmed;
	return length == 0 ? trimmed : psprintf("$.\"%s\"", trimmed);
}

static bool
is_key_character(unsigned char c, bool first)
{
	if (c == '_' || IS_HIGHBIT_SET(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return true;
	return !first && c >= '0' && c <= '9';
}

/* Parse; a complaint of PostgreSQL becomes a 22023 that says which argument. */
static JsonPath *
parse_path(const char *source, const char *what)
{
	MemoryContext context = CurrentMemoryContext;
	JsonPath   *volatile compiled = NULL;

	PG_TRY();
	{
		compiled = DatumGetJsonPathP(DirectFunctionCall1(jsonpath_in, CStringGetDatum(source)));
	}
	PG_CATCH();
	{
		ErrorData  *error;

		if (!is_definition_error(geterrcode()))
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s \"%s\" is not a valid jsonpath", what, aevon_error_excerpt(source)),
				 errdetail("PostgreSQL says: %s.", error->message),
				 errhint("Give a jsonpath such as $.amount, or a bare key such as amount.")));
	}
	PG_END_TRY();
	return compiled;
}

/* Is this what a bad path raises, rather than trouble of the server? */
static bool
is_definition_error(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case ERRCODE_DATA_EXCEPTION:
		case ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION:
		case ERRCODE_FEATURE_NOT_SUPPORTED:
		case ERRCODE_PROGRAM_LIMIT_EXCEEDED:
			return true;
		default:
			return false;
	}
}

/*
 * PostgreSQL's spelling of the path.  Should that be very long (of 1e131071 it
 * is), or not compile to the very same path, the author's own text stays.
 */
static char *
canonical_text(JsonPath *compiled, char *source)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(jsonpath_out, PointerGetDatum(compiled)));
	JsonPath   *again;

	if (strlen(text) > MAX_TEXT)
		return source;
	again = DatumGetJsonPathP(DirectFunctionCall1(jsonpath_in, CStringGetDatum(text)));
	if (VARSIZE(again) != VARSIZE(compiled) || memcmp(again, compiled, VARSIZE(compiled)) != 0)
		text = source;
	return text;
}

/* Fill in ends_in_filter, and what a plain path or comparison is made of. */
static void
describe_chain(AevonPath *path)
{
	JsonPathItem item;
	JsonPathItem next;
	JsonPathItem member;
	bool		plain;
	int			room = 4;

	jspInit(&item, path->compiled);
	if (describe_comparison(path, &item, &member))
		item = member;
	plain = (path->compiled->header & JSONPATH_LAX) != 0 && item.type == jpiRoot;
	path->keys = palloc(room * sizeof(PathKey));
	while (jspGetNext(&item, &next))
	{
		if (next.type == jpiKey)
		{
			PathKey    *key;

			if (path->key_count == room)
			{
				room *= 2;
				path->keys = repalloc(path->keys, room * sizeof(PathKey));
			}
			key = &path->keys[path->key_count++];
			key->name = jspGetString(&next, &key->length);
		}
		else
			plain = false;
		item = next;
	}
	path->ends_in_filter = item.type == jpiFilter && path->comparison == jpiNull;
	if (!plain)
		path->key_count = 0;
}

/*
 * Is it a comparison of a member, which is set, with a string or a number?  Of
 * strings only for equality, in encodings where equal ones have equal bytes.
 */
static bool
describe_comparison(AevonPath *path, JsonPathItem *item, JsonPathItem *member)
{
	JsonPathItem literal;
	bool		unicode = GetDatabaseEncoding() == PG_UTF8;

	if (!is_comparison(item->type))
		return false;
	jspGetLeftArg(item, member);
	jspGetRightArg(item, &literal);
	if (literal.type == jpiNumeric)
	{
		path->literal.type = jbvNumeric;
		path->literal.val.numeric = jspGetNumeric(&literal);
	}
	else if (literal.type == jpiString && unicode &&
			 (item->type == jpiEqual || item->type == jpiNotEqual))
	{
		path->literal.type = jbvString;
		path->literal.val.string.val = jspGetString(&literal, &path->literal.val.string.len);
	}
	else
		return false;
	/* the literal, or the comparison, may go on: "x".size() */
	if (jspGetNext(&literal, NULL) || jspGetNext(item, NULL))
		return false;
	path->comparison = item->type;
	return true;
}

static bool
is_comparison(JsonPathItemType type)
{
	return type == jpiEqual || type == jpiNotEqual || type == jpiLess || type == jpiGreater ||
		type == jpiLessOrEqual || type == jpiGreaterOrEqual;
}

/* YES: *item is the first item; NO: there is none; ERROR: also if it would cost too much. */
static AevonMatch
first_item(const AevonPath *path, Jsonb *document, JsonbValue *item)
{
	if (path->key_count > 0)
	{
		PlainResult result = find_plain(path, document, item);

		if (path->comparison != jpiNull)
			result = compare_plain(path, result, item);
		if (result != PLAIN_UNDECIDED)
			return result == PLAIN_FOUND ? AEVON_MATCH_YES : AEVON_MATCH_NO;
	}
	if (!aevon_pathcost_affordable(&path->cost, document))
		return AEVON_MATCH_ERROR;
	return ask_engine(path, document, item);
}

/*
 * Put what the comparison with the member that was found, or is missing, yields:
 * true, false or, for things that cannot be compared, null.
 */
static PlainResult
compare_plain(const AevonPath *path, PlainResult member, JsonbValue *item)
{
	const JsonbValue *literal = &path->literal;
	JsonPathItemType comparison = path->comparison;
	bool		outcome = false;

	if (member == PLAIN_UNDECIDED || (member == PLAIN_FOUND && item->type == jbvBinary))
		return PLAIN_UNDECIDED;
	if (member == PLAIN_FOUND && item->type == jbvNull)
		outcome = comparison == jpiNotEqual;
	else if (member == PLAIN_FOUND && item->type != literal->type)
	{
		item->type = jbvNull;
		return PLAIN_FOUND;
	}
	else if (member == PLAIN_FOUND && item->type == jbvNumeric)
		outcome = holds(comparison,
						DatumGetInt32(DirectFunctionCall2(numeric_cmp,
														  NumericGetDatum(item->val.numeric),
														  NumericGetDatum(literal->val.numeric))));
	else if (member == PLAIN_FOUND)
		outcome = holds(comparison, item->val.string.len != literal->val.string.len ||
						memcmp(item->val.string.val, literal->val.string.val,
							   literal->val.string.len) != 0);
	item->type = jbvBool;
	item->val.boolean = outcome;
	return PLAIN_FOUND;
}

static bool
holds(JsonPathItemType comparison, int order)
{
	switch (comparison)
	{
		case jpiEqual:
			return order == 0;
		case jpiNotEqual:
			return order != 0;
		case jpiLess:
			return order < 0;
		case jpiLessOrEqual:
			return order <= 0;
		case jpiGreater:
			return order > 0;
		default:
			return order >= 0;
	}
}

static PlainResult
find_plain(const AevonPath *path, Jsonb *document, JsonbValue *item)
{
	JsonbContainer *container = &document->root;
	int			i;

	for (i = 0; i < path->key_count; i++)
	{
		const PathKey *key = &path->keys[i];

		if (i > 0)
		{
			if (item->type != jbvBinary)
				return PLAIN_MISSING;
			container = item->val.binary.data;
		}
		if (!JsonContainerIsObject(container))
			return PLAIN_UNDECIDED;
		if (getKeyJsonValueFromContainer(container, key->name, key->length, item) == NULL)
			return PLAIN_MISSING;
	}
	return PLAIN_FOUND;
}

/*
 * Ask with errors thrown, not in silent mode: that would give the items before
 * an error as if there had been none, and throws some errors all the same.
 * The engine holds no resources but memory, so no subtransaction is needed to
 * clean up behind it.
 */
static AevonMatch
ask_engine(const AevonPath *path, Jsonb *document, JsonbValue *item)
{
	MemoryContext context = CurrentMemoryContext;
	volatile AevonMatch match = AEVON_MATCH_NO;

	Assert(InterruptHoldoffCount == 0);
	PG_TRY();
	{
		LOCAL_FCINFO(fcinfo, 4);
		Datum		result;

		InitFunctionCallInfoData(*fcinfo, NULL, 4, InvalidOid, NULL, NULL);
		fcinfo->args[0].value = JsonbPGetDatum(document);
		fcinfo->args[0].isnull = false;
		fcinfo->args[1].value = PointerGetDatum(path->compiled);
		fcinfo->args[1].isnull = false;
		fcinfo->args[2].value = JsonbPGetDatum(path->variables);
		fcinfo->args[2].isnull = false;
		fcinfo->args[3].value = BoolGetDatum(false);
		fcinfo->args[3].isnull = false;
		result = jsonb_path_query_first(fcinfo);
		if (!fcinfo->isnull)
		{
			Jsonb	   *found = DatumGetJsonbP(result);

			if (!JsonbExtractScalar(&found->root, item))
			{
				item->type = jbvBinary;
				item->val.binary.data = &found->root;
				item->val.binary.len = VARSIZE(found) - VARHDRSZ;
			}
			match = AEVON_MATCH_YES;
		}
	}
	PG_CATCH();
	{
		if (!is_evaluation_error(geterrcode()))
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		match = AEVON_MATCH_ERROR;
	}
	PG_END_TRY();
	return match;
}

/*
 * Is this what a document can cause?  Cancellation, recovery conflicts and
 * exhausted memory are not; nor is stack depth, since paths and documents are
 * bounded: the caller's stack was full, and to count the event as erroneous
 * would make the answer depend on who asks.
 */
static bool
is_evaluation_error(int sqlstate)
{
	return ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_DATA_EXCEPTION ||
		sqlstate == ERRCODE_PROGRAM_LIMIT_EXCEEDED;
}
