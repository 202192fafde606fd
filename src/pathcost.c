/*
 * pathcost.c
 *		What a jsonpath may cost: a bound that holds for every document.
 *
 * Degrees count how often the size of the document enters.  An expression that
 * is evaluated n ^ e times yields, over all these times, n ^ (e + 1) items if
 * it starts at $; but n ^ max(e, 1) if it starts at @, for the items at hand
 * are parts of the document side by side.  Where they are not (.** yields an
 * object and its members), the factor makes up for it.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_collation.h"
#include "regex/regex.h"
#include "utils/builtins.h"

#include "errors.h"
#include "pathcost.h"

/* Deepest nesting of accessors and operators; the engine recurses on each. */
#define MAX_DEPTH 250

/* How many times its items a path may multiply: two .**, or six .keyvalue(). */
#define MAX_FACTOR 5000
#define ANY_FACTOR 4			/* lax mode looks into arrays again */
#define ANY_AGAIN_FACTOR 100	/* an item is below as many others */
#define KEYVALUE_FACTOR 4

/* What evaluation may make and compare, in one document. */
#define MAX_ITEMS 4e6			/* if they grow with the document */
#define MAX_PAIRS 1e6			/* if they grow faster */
#define MAX_COMPARISONS 4e6

typedef struct Walk
{
	const char *source;
	const char *what;
	AevonPathCost *cost;
	bool		any_seen;		/* .** */
} Walk;

/* Where an expression is evaluated: how often, and how deep in the path. */
typedef struct Place
{
	int			evaluations;	/* as a degree */
	int			depth;
	bool		per_element;	/* in a filter on what a wildcard yields */
} Place;

/* What an expression yields. */
typedef struct Extent
{
	int			degree;			/* of the items over all evaluations */
	bool		of_root;
	bool		single;			/* one item each time */
	bool		spread;			/* by a wildcard of its own */
} Extent;

static Extent walk_expression(Walk *walk, JsonPathItem *item, Place place);
static Extent walk_head(Walk *walk, JsonPathItem *item, Place place);
static void walk_step(Walk *walk, JsonPathItem *item, Place place, Extent *extent);
static bool is_wildcard(JsonPathItem *item);
static void spread(const Walk *walk, Place place, Extent *extent);
static void walk_subscripts(Walk *walk, JsonPathItem *item, Place place);
static void walk_comparison(Walk *walk, JsonPathItem *item, Place place);
static void walk_pair(Walk *walk, JsonPathItem *item, Place place);
static Extent walk_operand(Walk *walk, JsonPathItem *item, Place place);
static void check_regex(const Walk *walk, const JsonPathItem *item);
static void multiply(Walk *walk, int factor);
static void check_depth(const Walk *walk, Place place);
static void refuse(const Walk *walk, int sqlstate, const char *reason) pg_attribute_noreturn();
static bool within_bounds(const AevonPathCost *cost, double size);
static int64 document_size(Jsonb *document, bool members);

void
aevon_pathcost_examine(JsonPath *path, const char *source, const char *what, AevonPathCost *cost)
{
	Walk		walk = {.source = source,.what = what,.cost = cost};
	Place		top = {0, 0};
	JsonPathItem root;

	memset(cost, 0, sizeof(*cost));
	cost->factor = 1;
	jspInit(&root, path);
	walk_expression(&walk, &root, top);
}

bool
aevon_pathcost_affordable(const AevonPathCost *cost, Jsonb *document)
{
	if (cost->item_degree <= 1 && cost->compare_degree <= 1 && cost->factor == 1)
		return true;

	/* an element takes four bytes at least: most documents need no counting */
	return within_bounds(cost, (double) VARSIZE(document) / sizeof(JEntry)) ||
		within_bounds(cost, (double) document_size(document, cost->counts_members));
}

/* An item and those that follow it. */
static Extent
walk_expression(Walk *walk, JsonPathItem *item, Place place)
{
	JsonPathItem at = *item;
	JsonPathItem next;
	Extent		extent = walk_head(walk, &at, place);

	walk->cost->item_degree = Max(walk->cost->item_degree, extent.degree);
	while (jspGetNext(&at, &next))
	{
		place.depth++;
		check_depth(walk, place);
		walk_step(walk, &next, place, &extent);
		walk->cost->item_degree = Max(walk->cost->item_degree, extent.degree);
		at = next;
	}
	return extent;
}

static Extent
walk_head(Walk *walk, JsonPathItem *item, Place place)
{
	Extent		extent = {.degree = place.evaluations,.single = true};

	place.depth++;
	check_depth(walk, place);
	switch (item->type)
	{
		case jpiRoot:
			extent.of_root = true;
			break;
		case jpiCurrent:
			extent.degree = Max(place.evaluations, 1);
			extent.single = false;
			break;
		case jpiVariable:
			refuse(walk, ERRCODE_INVALID_PARAMETER_VALUE,
				   "It uses a variable, and nothing gives variables a value.");
		case jpiPlus:
		case jpiMinus:
			return walk_operand(walk, item, place);
		case jpiNot:
		case jpiIsUnknown:
		case jpiExists:
			walk_operand(walk, item, place);
			break;
		case jpiLikeRegex:
			check_regex(walk, item);
			walk_operand(walk, item, place);
			break;
		case jpiEqual:
		case jpiNotEqual:
		case jpiLess:
		case jpiGreater:
		case jpiLessOrEqual:
		case jpiGreaterOrEqual:
			walk_comparison(walk, item, place);
			break;
		case jpiAnd:
		case jpiOr:
		case jpiAdd:
		case jpiSub:
		case jpiMul:
		case jpiDiv:
		case jpiMod:
		case jpiStartsWith:
			walk_pair(walk, item, place);
			break;
		default:				/* literals and "last" */
			break;
	}
	return extent;
}

/* An accessor, filter or method, applied to all that came before it. */
static void
walk_step(Walk *walk, JsonPathItem *item, Place place, Extent *extent)
{
	Place		inside = {.evaluations = extent->degree,.depth = place.depth,
	.per_element = place.per_element || extent->spread};

	switch (item->type)
	{
		case jpiDatetime:
			refuse(walk, ERRCODE_INVALID_PARAMETER_VALUE,
				   "The result of .datetime() depends on the settings of a session.");
		case jpiFilter:
			walk_operand(walk, item, inside);
			return;
		case jpiIndexArray:
			walk_subscripts(walk, item, inside);
			multiply(walk, item->content.array.nelems);
			break;
		case jpiAny:
			multiply(walk, walk->any_seen ? ANY_AGAIN_FACTOR : ANY_FACTOR);
			walk->any_seen = true;
			walk->cost->counts_members = true;
			break;
		case jpiKeyValue:
			multiply(walk, KEYVALUE_FACTOR);
			walk->cost->counts_members = true;
			break;
		case jpiAnyKey:
			walk->cost->counts_members = true;
			break;
		case jpiKey:
		case jpiAnyArray:
			break;
		default:				/* methods: an item for an item */
			return;
	}
	if (is_wildcard(item))
		spread(walk, place, extent);
	extent->degree = extent->of_root ? place.evaluations + 1 : Max(place.evaluations, 1);
	extent->single = false;
}

/* Does it yield any number of items by itself, rather than by lax mode's unwrapping? */
static bool
is_wildcard(JsonPathItem *item)
{
	if (item->type == jpiIndexArray)
	{
		for (int i = 0; i < item->content.array.nelems; i++)
			if (item->content.array.elems[i].to != 0)
				return true;
		return false;
	}
	return item->type == jpiAnyArray || item->type == jpiAnyKey || item->type == jpiAny;
}

static void
spread(const Walk *walk, Place place, Extent *extent)
{
	if (extent->of_root && place.per_element)
		refuse(walk, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
			   "It goes through a whole list for each element of another.");
	extent->spread = true;
}

static void
walk_subscripts(Walk *walk, JsonPathItem *item, Place place)
{
	for (int i = 0; i < item->content.array.nelems; i++)
	{
		JsonPathItem from;
		JsonPathItem to;
		bool		is_range = jspGetArraySubscript(item, &from, &to, i);

		walk_expression(walk, &from, place);
		if (is_range)
			walk_expression(walk, &to, place);
	}
}

/* Each item of one side is compared with each of the other. */
static void
walk_comparison(Walk *walk, JsonPathItem *item, Place place)
{
	JsonPathItem operand;
	Extent		left;
	Extent		right;
	int			degree;

	jspGetLeftArg(item, &operand);
	left = walk_expression(walk, &operand, place);
	jspGetRightArg(item, &operand);
	right = walk_expression(walk, &operand, place);
	if (left.spread && right.spread)
		refuse(walk, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
			   "It compares each element of a list with each of another.");
	if (left.single || right.single)
		return;
	degree = left.of_root && right.of_root ? left.degree + right.degree - place.evaluations :
		Max(place.evaluations, 1) + 1;
	walk->cost->compare_degree = Max(walk->cost->compare_degree, degree);
	walk->cost->comparisons++;
}

static void
walk_pair(Walk *walk, JsonPathItem *item, Place place)
{
	JsonPathItem operand;

	jspGetLeftArg(item, &operand);
	walk_expression(walk, &operand, place);
	jspGetRightArg(item, &operand);
	walk_expression(walk, &operand, place);
}

static Extent
walk_operand(Walk *walk, JsonPathItem *item, Place place)
{
	JsonPathItem operand;

	if (item->type == jpiLikeRegex)
		jspInitByBuffer(&operand, item->base, item->content.like_regex.expr);
	else
		jspGetArg(item, &operand);
	return walk_expression(walk, &operand, place);
}

/*
 * The engine reads a string once, but tries every way to match a back
 * reference, and begins anew at each character to look ahead or behind.
 */
static void
check_regex(const Walk *walk, const JsonPathItem *item)
{
	const regex_t *regex =
	RE_compile_and_cache(cstring_to_text_with_len(item->content.like_regex.pattern,
												  item->content.like_regex.patternlen),
						 jspConvertRegexFlags(item->content.like_regex.flags),
						 DEFAULT_COLLATION_OID);

	if ((regex->re_info & (REG_UBACKREF | REG_ULOOKAROUND)) != 0)
		refuse(walk, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
			   "Its regular expression refers back, or looks ahead or behind.");
}

static void
multiply(Walk *walk, int factor)
{
	walk->cost->factor *= factor;
	if (walk->cost->factor > MAX_FACTOR)
		refuse(walk, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
			   "It multiplies the items of a document too often.");
}

static void
check_depth(const Walk *walk, Place place)
{
	if (place.depth > MAX_DEPTH)
		refuse(walk, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
			   "It nests too many accessors and operators.");
}

static void
refuse(const Walk *walk, int sqlstate, const char *reason)
{
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("%s \"%s\" cannot be used in a rule", walk->what,
					aevon_error_excerpt(walk->source)),
			 errdetail("%s", reason)));
}

static bool
within_bounds(const AevonPathCost *cost, double size)
{
	size = Max(size, 1);
	return cost->factor * pow(size, cost->item_degree) <=
		(cost->item_degree > 1 ? MAX_PAIRS : MAX_ITEMS) &&
		(double) cost->comparisons * cost->factor * pow(size, cost->compare_degree) <= MAX_COMPARISONS;
}

/* Elements of all arrays, and containers; with members, those of objects too. */
static int64
document_size(Jsonb *document, bool members)
{
	JsonbIterator *iterator = JsonbIteratorInit(&document->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	int64		size = 0;

	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
		if (token == WJB_ELEM || token == WJB_BEGIN_ARRAY || token == WJB_BEGIN_OBJECT ||
			(members && token == WJB_VALUE))
			size++;
	return size;
}
