/*
 * json.c
 *		Building a jsonb document, member by member.
 *
 * How jsonb is stored, utils/jsonb.h says: of a container first an entry for
 * each key and value, then what they hold.  So all is noted first, as nodes,
 * and then written from the outermost container inwards.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "json.h"

#define NOBODY (-1)
#define FIRST_NODES 32

struct AevonJsonNode
{
	const char *key;			/* NULL: an element, or the document */
	int			key_length;
	JEntry		type;			/* a JENTRY_IS... */
	uint32		container;		/* JB_FOBJECT or JB_FARRAY; 0: what `data`
								 * holds */
	const void *data;
	int			length;
	int			parent;			/* numbers of nodes, or NOBODY */
	int			next;			/* the parent's next child */
	int			last;			/* its own last child */
	int			count;			/* of its children */
	bool		unsorted;
};

/* A container's entries while they are written. */
typedef struct Entries
{
	JEntry	   *entries;
	int			count;
	Size		total;			/* length of what they hold */
	char	   *at;				/* where the next one goes */
} Entries;

static AevonJsonNode *push(AevonJson *json, JEntry type, const void *data, Size length);
static void link_child(AevonJson *json, AevonJsonNode *child, int number);
static int	compare_keys(const AevonJsonNode *a, const AevonJsonNode *b);
static void check_length(Size length);
static void sort_members(AevonJson *json, AevonJsonNode *node);
static int	compare_members(const void *a, const void *b, void *nodes);
static char *write_container(AevonJson *json, AevonJsonNode *node, char *at);
static void write_value(AevonJson *json, AevonJsonNode *node, Entries *into);
static char *pad(char *at);
static void add_entry(Entries *into, JEntry type, Size length);

void
aevon_json_token(AevonJson *json, JsonbIteratorToken token)
{
	AevonJsonNode *node;

	if (token == WJB_END_OBJECT || token == WJB_END_ARRAY)
	{
		json->open = json->nodes[json->open].parent;
		return;
	}
	node = push(json, JENTRY_ISCONTAINER, NULL, 0);
	node->container = token == WJB_BEGIN_OBJECT ? JB_FOBJECT : JB_FARRAY;
	json->open = json->count - 1;
}

void
aevon_json_key(AevonJson *json, const char *key)
{
	json->key = key;
	json->key_length = strlen(key);
}

void
aevon_json_text(AevonJson *json, const char *key, const char *string)
{
	if (key != NULL)
		aevon_json_key(json, key);
	if (string == NULL)
		push(json, JENTRY_ISNULL, NULL, 0);
	else
		push(json, JENTRY_ISSTRING, string, strlen(string));
}

void
aevon_json_number(AevonJson *json, const char *key, Numeric number)
{
	if (key != NULL)
		aevon_json_key(json, key);
	if (number == NULL)
		push(json, JENTRY_ISNULL, NULL, 0);
	else
		push(json, JENTRY_ISNUMERIC, number, VARSIZE_ANY(number));
}

void
aevon_json_boolean(AevonJson *json, const char *key, bool value)
{
	if (key != NULL)
		aevon_json_key(json, key);
	push(json, value ? JENTRY_ISBOOL_TRUE : JENTRY_ISBOOL_FALSE, NULL, 0);
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
	const JsonbContainer *root = &document->root;

	if (key != NULL)
		aevon_json_key(json, key);
	if (JsonContainerIsScalar(root))
	{
		/* an array of one, without an offset before it */
		JEntry		entry = root->children[0];

		push(json, entry & JENTRY_TYPEMASK, (const char *) &root->children[1],
			 JBE_OFFLENFLD(entry));
	}
	else
		push(json, JENTRY_ISCONTAINER, root, VARSIZE(document) - VARHDRSZ);
}

void
aevon_json_time(AevonJson *json, const char *key, TimestampTz at)
{
	static const int utc = 0;
	char	   *text;

	/* all rules of an answer tell of the same windows */
	for (int i = 0; i < lengthof(json->times); i++)
	{
		if (json->time_texts[i] != NULL && json->times[i] == at)
		{
			aevon_json_text(json, key, json->time_texts[i]);
			return;
		}
	}
	text = palloc(MAXDATELEN + 1);

	JsonEncodeDateTime(text, TimestampTzGetDatum(at), TIMESTAMPTZOID, &utc);
	json->times[0] = json->times[1];
	json->time_texts[0] = json->time_texts[1];
	json->times[1] = at;
	json->time_texts[1] = text;

	aevon_json_text(json, key, text);
}

Jsonb *
aevon_json_finish(AevonJson *json)
{
	Jsonb	   *document;
	char	   *end;

	check_length(json->size);
	/* nothing of what was there before may be between the values */
	document = palloc0(VARHDRSZ + json->size);
	end = write_container(json, &json->nodes[0], (char *) &document->root);
	SET_VARSIZE(document, end - (char *) document);
	Assert(end <= (char *) document + VARHDRSZ + json->size);
	pfree(json->nodes);
	json->nodes = NULL;
	return document;
}

Jsonb *
aevon_json_empty(void)
{
	AevonJson	json = {0};

	aevon_json_token(&json, WJB_BEGIN_OBJECT);
	aevon_json_token(&json, WJB_END_OBJECT);
	return aevon_json_finish(&json);
}

static AevonJsonNode *
push(AevonJson *json, JEntry type, const void *data, Size length)
{
	AevonJsonNode *node;

	check_length(length);
	if (json->nodes == NULL)
	{
		json->capacity = FIRST_NODES;
		json->nodes = palloc(json->capacity * sizeof(AevonJsonNode));
		json->open = NOBODY;
	}
	else if (json->count == json->capacity)
	{
		json->capacity *= 4;
		json->nodes = repalloc_huge(json->nodes, json->capacity * sizeof(AevonJsonNode));
	}
	node = &json->nodes[json->count];
	node->key = json->key;
	node->key_length = json->key_length;
	node->type = type;
	node->container = 0;
	node->data = data;
	node->length = (int) length;
	node->parent = json->open;
	node->next = NOBODY;
	node->last = NOBODY;
	node->count = 0;
	node->unsorted = false;
	/* two entries and a header, or what aligns them */
	json->size += length + json->key_length + 4 * sizeof(uint32);
	if (node->parent != NOBODY)
		link_child(json, node, json->count);
	json->count++;
	json->key = NULL;
	json->key_length = 0;
	return node;
}

static void
link_child(AevonJson *json, AevonJsonNode *child, int number)
{
	AevonJsonNode *parent = &json->nodes[child->parent];

	parent->count++;
	if (parent->last != NOBODY)
	{
		AevonJsonNode *before = &json->nodes[parent->last];

		before->next = number;
		if (parent->container == JB_FOBJECT && compare_keys(before, child) >= 0)
			parent->unsorted = true;
	}
	parent->last = number;
}

/* As jsonb orders them. */
static int
compare_keys(const AevonJsonNode *a, const AevonJsonNode *b)
{
	if (a->key_length != b->key_length)
		return a->key_length < b->key_length ? -1 : 1;
	return memcmp(a->key, b->key, a->key_length);
}

static void
check_length(Size length)
{
	if (length > JENTRY_OFFLENMASK)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the document is too large"),
				 errdetail("A jsonb value holds at most %d bytes.", JENTRY_OFFLENMASK)));
}

/* The last of the same key stays. */
static void
sort_members(AevonJson *json, AevonJsonNode *node)
{
	int		   *members = palloc(node->count * sizeof(int));
	int			count = 0;
	int			kept = 0;

	/* the first child lies right behind its parent */
	for (int i = (int) (node - json->nodes) + 1; i != NOBODY; i = json->nodes[i].next)
		members[count++] = i;
	qsort_arg(members, count, sizeof(int), compare_members, json->nodes);
	for (int i = 0; i < count; i++)
	{
		if (i + 1 < count &&
			compare_keys(&json->nodes[members[i]], &json->nodes[members[i + 1]]) == 0)
			continue;
		members[kept++] = members[i];
	}
	for (int i = 0; i < kept; i++)
		json->nodes[members[i]].next = i + 1 < kept ? members[i + 1] : NOBODY;
	node->last = members[0];	/* where the children begin, from here on */
	node->count = kept;
	pfree(members);
}

static int
compare_members(const void *a, const void *b, void *nodes)
{
	int			one = *(const int *) a;
	int			other = *(const int *) b;
	int			order = compare_keys((AevonJsonNode *) nodes + one,
									 (AevonJsonNode *) nodes + other);

	return order != 0 ? order : one < other ? -1 : one > other;
}

/* Where it ends. */
static char *
write_container(AevonJson *json, AevonJsonNode *node, char *at)
{
	bool		object = node->container == JB_FOBJECT;
	int			first = (int) (node - json->nodes) + 1;
	Entries		into = {.entries = (JEntry *) (at + sizeof(uint32))};

	check_stack_depth();
	if (node->unsorted)
	{
		sort_members(json, node);
		first = node->last;
	}
	if (node->count == 0)
		first = NOBODY;
	*(uint32 *) at = node->container | node->count;
	into.at = (char *) (into.entries + (object ? 2 : 1) * node->count);
	for (int i = first; object && i != NOBODY; i = json->nodes[i].next)
	{
		memcpy(into.at, json->nodes[i].key, json->nodes[i].key_length);
		into.at += json->nodes[i].key_length;
		add_entry(&into, JENTRY_ISSTRING, json->nodes[i].key_length);
	}
	for (int i = first; i != NOBODY; i = json->nodes[i].next)
		write_value(json, &json->nodes[i], &into);
	return into.at;
}

static void
write_value(AevonJson *json, AevonJsonNode *node, Entries *into)
{
	char	   *start = into->at;

	if (node->type == JENTRY_ISNUMERIC || node->type == JENTRY_ISCONTAINER)
		into->at = pad(into->at);
	if (node->container != 0)
		into->at = write_container(json, node, into->at);
	else if (node->length > 0)
	{
		memcpy(into->at, node->data, node->length);
		into->at += node->length;
	}
	/* what aligns a value belongs to it */
	add_entry(into, node->type, into->at - start);
}

/* The document itself begins four bytes behind an aligned place. */
static char *
pad(char *at)
{
	return (char *) INTALIGN(at);
}

/* One in every so many has its end instead of its length. */
static void
add_entry(Entries *into, JEntry type, Size length)
{
	into->total += length;
	if (into->count % JB_OFFSET_STRIDE == 0)
		into->entries[into->count] = type | (JEntry) into->total | JENTRY_HAS_OFF;
	else
		into->entries[into->count] = type | (JEntry) length;
	into->count++;
}
