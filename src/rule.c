/*
 * rule.c
 *		Loading rules and measures, and selecting those that answer.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "catalog.h"
#include "dictionary.h"
#include "quantiles.h"
#include "rule.h"

/* A heap scan by a snapshot, row by row. */
typedef struct TableReader
{
	Relation	relation;
	TableScanDesc scan;
	TupleTableSlot *slot;
} TableReader;

/* Rules of one owner (a tenant, or 0) and one name: [first, end). */
typedef struct VersionRange
{
	int			first;
	int			end;
} VersionRange;

const AevonOperator aevon_plain_operators[AEVON_QUANTILE] = {
	[AEVON_COUNT] = {AEVON_COUNT, 0, "count"},
	[AEVON_SUM] = {AEVON_SUM, 0, "sum"},
	[AEVON_MIN] = {AEVON_MIN, 0, "min"},
	[AEVON_MAX] = {AEVON_MAX, 0, "max"},
	[AEVON_AVG] = {AEVON_AVG, 0, "avg"},
	[AEVON_LAST] = {AEVON_LAST, 0, "last"},
	[AEVON_DISTINCT] = {AEVON_DISTINCT, 0, "distinct"},
};

/*
 * The set kept, its memory, and what it depends on besides the generation:
 * generations start again when the extension is created again.
 */
static AevonRuleSet *kept_set;
static MemoryContext kept_context;
static Oid	kept_relation;

static bool find_quantile(const char *name, AevonOperator *op);
static AevonRuleSet *load_set(Snapshot snapshot, bool *complete);
static void load_measures(AevonRuleSet *set, Snapshot snapshot, bool *complete);
static void load_rules(AevonRuleSet *set, Snapshot snapshot);
static void open_reader(TableReader *reader, AevonRelation which, Snapshot snapshot);
static void close_reader(TableReader *reader);
static void read_measure(TupleTableSlot *slot, AevonMeasure *measure, bool *complete);
static void read_dimensions(TupleTableSlot *slot, AevonMeasure *measure);
static void read_rule(TupleTableSlot *slot, const AevonRuleSet *set, AevonRule *rule);
static AevonOperator *read_operators(TupleTableSlot *slot, int column, int *count);
static int32 read_integer(TupleTableSlot *slot, int column);
static char *read_text(TupleTableSlot *slot, int column);
static AevonMeasure *find_measure(const AevonRuleSet *set, int32 measure_key);
static void compile_paths(const AevonRuleSet *set, AevonMeasure *measure);
static int	compare_measures(const void *a, const void *b);
static int	compare_rules(const void *a, const void *b);
static List *select_all(const AevonRuleSet *set, int32 tenant_key);
static List *add_rule(List *list, const AevonRuleSet *set, const AevonRule *rule);
static const AevonRule *active_version(const AevonRuleSet *set, VersionRange range);
static VersionRange find_versions(const AevonRuleSet *set, int32 tenant_key, const char *name);
static int	first_of_owner(const AevonRuleSet *set, int32 tenant_key, const char *name);
static int	parse_version(const char *digits);
static void raise_unknown(const char *name) pg_attribute_noreturn();

bool
aevon_operator_find(const char *name, AevonOperator *op)
{
	for (int i = 0; i < AEVON_QUANTILE; i++)
	{
		if (strcmp(aevon_plain_operators[i].name, name) == 0)
		{
			*op = aevon_plain_operators[i];
			return true;
		}
	}
	return find_quantile(name, op);
}

const AevonRuleSet *
aevon_rule_load(Snapshot snapshot)
{
	int64		generation = aevon_catalog_generation(snapshot);
	Oid			relation = aevon_catalog_oid(AEVON_RULES);
	MemoryContext context;
	MemoryContext caller;
	AevonRuleSet *set;
	bool		complete;

	if (kept_set != NULL && kept_set->generation == generation && kept_relation == relation)
		return kept_set;

	context = AllocSetContextCreate(CurrentMemoryContext, "aevon rules", ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(context);
	set = load_set(snapshot, &complete);
	MemoryContextSwitchTo(caller);

	if (kept_context != NULL)
		MemoryContextDelete(kept_context);
	MemoryContextSetParent(context, CacheMemoryContext);
	kept_context = context;
	kept_set = set;
	kept_relation = complete ? relation : InvalidOid;
	set->generation = generation;
	return set;
}

List *
aevon_rule_select(const AevonRuleSet *set, int32 tenant_key, const char *name)
{
	const char *at;
	char	   *base;
	int			version;
	VersionRange range;
	int			i;

	if (name == NULL)
		return select_all(set, tenant_key);

	at = strchr(name, '@');
	base = at == NULL ? pstrdup(name) : pnstrdup(name, at - name);
	range = find_versions(set, tenant_key, base);
	if (active_version(set, range) == NULL)
		range = find_versions(set, 0, base);
	if (active_version(set, range) == NULL)
		raise_unknown(name);
	if (at == NULL)
		return add_rule(NIL, set, active_version(set, range));

	version = parse_version(at + 1);
	for (i = range.first; i < range.end; i++)
		if (set->rules[i].version == version)
			return add_rule(NIL, set, &set->rules[i]);
	raise_unknown(name);
}

const AevonMeasure *
aevon_rule_measure(const AevonRuleSet *set, int32 measure_key)
{
	AevonMeasure *measure = find_measure(set, measure_key);

	if (measure != NULL)
		compile_paths(set, measure);
	return measure;
}

/*
 * p50, p99.9: percents above 0 and below 100 with up to four decimals, and no
 * zeros that could be left out, so that a quantile has one name.
 */
static bool
find_quantile(const char *name, AevonOperator *op)
{
	const char *at = name + 1;
	int32		unit = AEVON_QUANTILE_PARTS / 100;

	if (name[0] != 'p' || strlen(name) > AEVON_OPERATOR_LENGTH)
		return false;
	memset(op, 0, sizeof(*op));
	op->statistic = AEVON_QUANTILE;
	strlcpy(op->name, name, sizeof(op->name));
	for (; *at >= '0' && *at <= '9'; at++)
		op->parts = op->parts * 10 + (*at - '0') * unit;
	if (at == name + 1 || (name[1] == '0' && at > name + 2))
		return false;
	if (*at == '.')
	{
		for (at++; *at >= '0' && *at <= '9' && unit > 1; at++)
		{
			unit /= 10;
			op->parts += (*at - '0') * unit;
		}
		if (at[-1] == '.' || at[-1] == '0')
			return false;
	}
	return *at == '\0' && op->parts > 0 && op->parts < AEVON_QUANTILE_PARTS;
}

/* Load into the current memory context. */
static AevonRuleSet *
load_set(Snapshot snapshot, bool *complete)
{
	AevonRuleSet *set = palloc0(sizeof(AevonRuleSet));

	*complete = true;
	load_measures(set, snapshot, complete);
	load_rules(set, snapshot);
	return set;
}

static void
load_measures(AevonRuleSet *set, Snapshot snapshot, bool *complete)
{
	TableReader reader;
	int			room = 16;

	set->measures = palloc(room * sizeof(AevonMeasure));
	open_reader(&reader, AEVON_MEASURES, snapshot);
	while (table_scan_getnextslot(reader.scan, ForwardScanDirection, reader.slot))
	{
		if (set->measure_count == room)
		{
			room *= 2;
			set->measures = repalloc(set->measures, room * sizeof(AevonMeasure));
		}
		read_measure(reader.slot, &set->measures[set->measure_count++], complete);
	}
	close_reader(&reader);
	qsort(set->measures, set->measure_count, sizeof(AevonMeasure), compare_measures);
}

static void
load_rules(AevonRuleSet *set, Snapshot snapshot)
{
	TableReader reader;
	int			room = 16;

	set->rules = palloc(room * sizeof(AevonRule));
	open_reader(&reader, AEVON_RULES, snapshot);
	while (table_scan_getnextslot(reader.scan, ForwardScanDirection, reader.slot))
	{
		if (set->rule_count == room)
		{
			room *= 2;
			set->rules = repalloc(set->rules, room * sizeof(AevonRule));
		}
		read_rule(reader.slot, set, &set->rules[set->rule_count++]);
	}
	close_reader(&reader);
	qsort(set->rules, set->rule_count, sizeof(AevonRule), compare_rules);
}

static void
open_reader(TableReader *reader, AevonRelation which, Snapshot snapshot)
{
	reader->relation = table_open(aevon_catalog_oid(which), AccessShareLock);
	reader->scan = table_beginscan(reader->relation, snapshot, 0, NULL);
	reader->slot = table_slot_create(reader->relation, NULL);
}

static void
close_reader(TableReader *reader)
{
	table_endscan(reader->scan);
	ExecDropSingleTupleTableSlot(reader->slot);
	table_close(reader->relation, AccessShareLock);
}

static void
read_measure(TupleTableSlot *slot, AevonMeasure *measure, bool *complete)
{
	char	   *event_type = read_text(slot, Anum_measures_event_type);

	memset(measure, 0, sizeof(*measure));
	measure->measure_key = read_integer(slot, Anum_measures_measure_key);
	measure->tenant_key = read_integer(slot, Anum_measures_tenant_key);
	measure->features = read_integer(slot, Anum_measures_features);
	measure->value_text = read_text(slot, Anum_measures_value);
	measure->filter_text = read_text(slot, Anum_measures_filter);
	read_dimensions(slot, measure);
	measure->quantiles = read_operators(slot, Anum_measures_quantiles, &measure->quantile_count);
	if (strcmp(event_type, "*") != 0)
	{
		measure->type_key = aevon_dictionary_find(AEVON_DICTIONARY_EVENT_TYPE, 0, event_type);

		/*
		 * A definition gives its type a key.  Half-way through a restore that
		 * may be missing: then match nothing (0 would match all), and do not
		 * keep the set.
		 */
		if (measure->type_key == 0)
		{
			measure->type_key = -1;
			*complete = false;
		}
	}
}

static void
read_dimensions(TupleTableSlot *slot, AevonMeasure *measure)
{
	bool		isnull;
	Jsonb	   *dimensions = DatumGetJsonbPCopy(slot_getattr(slot, Anum_measures_dimensions,
															 &isnull));
	ArrayType  *rollups = DatumGetArrayTypeP(slot_getattr(slot, Anum_measures_rollups, &isnull));
	Datum	   *names;
	int			count;

	measure->dimensions = aevon_rule_read_dimensions(dimensions, &measure->dimension_count);
	deconstruct_array(rollups, TEXTOID, -1, false, TYPALIGN_INT, &names, NULL, &count);
	for (int i = 0; i < count; i++)
	{
		char	   *name = TextDatumGetCString(names[i]);

		for (int k = 0; k < measure->dimension_count; k++)
		{
			if (strcmp(measure->dimensions[k].name, name) == 0)
				measure->rollups |= (uint32) 1 << k;
		}
	}
}

static void
read_rule(TupleTableSlot *slot, const AevonRuleSet *set, AevonRule *rule)
{
	char	   *state = read_text(slot, Anum_rules_state);
	int32		measure_key = read_integer(slot, Anum_rules_measure_key);

	memset(rule, 0, sizeof(*rule));
	rule->rule_key = read_integer(slot, Anum_rules_rule_key);
	rule->tenant_key = read_integer(slot, Anum_rules_tenant_key);
	rule->version = read_integer(slot, Anum_rules_version);
	rule->name = read_text(slot, Anum_rules_name);
	rule->state = strcmp(state, "building") == 0 ? AEVON_RULE_BUILDING :
		strcmp(state, "active") == 0 ? AEVON_RULE_ACTIVE : AEVON_RULE_RETIRED;
	rule->operators = read_operators(slot, Anum_rules_operators, &rule->operator_count);
	rule->measure = find_measure(set, measure_key);
	if (rule->measure == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("rule \"%s\" has no measure %d", rule->name, measure_key)));
}

static AevonOperator *
read_operators(TupleTableSlot *slot, int column, int *count)
{
	bool		isnull;
	ArrayType  *array = DatumGetArrayTypeP(slot_getattr(slot, column, &isnull));
	AevonOperator *operators;
	Datum	   *names;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &names, NULL, count);
	operators = palloc(Max(*count, 1) * sizeof(AevonOperator));
	for (int i = 0; i < *count; i++)
	{
		char	   *name = TextDatumGetCString(names[i]);

		if (!aevon_operator_find(name, &operators[i]))
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("a rule has an unknown operator \"%s\"", name)));
	}
	return operators;
}

static int32
read_integer(TupleTableSlot *slot, int column)
{
	bool		isnull;

	return DatumGetInt32(slot_getattr(slot, column, &isnull));
}

static char *
read_text(TupleTableSlot *slot, int column)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static AevonMeasure *
find_measure(const AevonRuleSet *set, int32 measure_key)
{
	AevonMeasure wanted = {.measure_key = measure_key};

	if (set->measure_count == 0)
		return NULL;
	return bsearch(&wanted, set->measures, set->measure_count, sizeof(AevonMeasure),
				   compare_measures);
}

/* Compile the paths of a measure, once, into the memory of its set. */
static void
compile_paths(const AevonRuleSet *set, AevonMeasure *measure)
{
	MemoryContext caller;

	if (measure->compiled)
		return;
	caller = MemoryContextSwitchTo(GetMemoryChunkContext(unconstify(AevonRuleSet *, set)));
	if (measure->value_text != NULL)
		measure->value = aevon_path_compile(measure->value_text, "value");
	for (int i = 0; i < measure->dimension_count; i++)
		measure->dimensions[i].path = aevon_path_compile(measure->dimensions[i].path_text,
														 "dimension");
	if (measure->filter_text != NULL)
		measure->filter = aevon_path_compile(measure->filter_text, "filter");
	measure->compiled = true;
	MemoryContextSwitchTo(caller);
}

static int
compare_measures(const void *a, const void *b)
{
	int32		left = ((const AevonMeasure *) a)->measure_key;
	int32		right = ((const AevonMeasure *) b)->measure_key;

	return (left > right) - (left < right);
}

static int
compare_rules(const void *a, const void *b)
{
	const AevonRule *left = a;
	const AevonRule *right = b;
	int			by_name;

	if (left->tenant_key != right->tenant_key)
		return left->tenant_key < right->tenant_key ? -1 : 1;
	by_name = strcmp(left->name, right->name);
	if (by_name != 0)
		return by_name;
	return (left->version > right->version) - (left->version < right->version);
}

/* Merge the active rules of every tenant with those of the tenant's own. */
static List *
select_all(const AevonRuleSet *set, int32 tenant_key)
{
	List	   *selected = NIL;
	int			shared = first_of_owner(set, 0, "");
	int			own = first_of_owner(set, tenant_key, "");

	for (;;)
	{
		const AevonRule *left = NULL;
		const AevonRule *right = NULL;
		int			order;

		while (shared < set->rule_count && set->rules[shared].tenant_key == 0 && left == NULL)
		{
			if (set->rules[shared].state == AEVON_RULE_ACTIVE)
				left = &set->rules[shared];
			else
				shared++;
		}
		while (own < set->rule_count && set->rules[own].tenant_key == tenant_key && right == NULL)
		{
			if (set->rules[own].state == AEVON_RULE_ACTIVE)
				right = &set->rules[own];
			else
				own++;
		}
		if (left == NULL && right == NULL)
			return selected;
		order = left == NULL ? 1 : right == NULL ? -1 : strcmp(left->name, right->name);
		selected = add_rule(selected, set, order < 0 ? left : right);
		if (order <= 0)
			shared++;
		if (order >= 0)
			own++;
	}
}

static List *
add_rule(List *list, const AevonRuleSet *set, const AevonRule *rule)
{
	compile_paths(set, unconstify(AevonMeasure *, rule->measure));
	return lappend(list, unconstify(AevonRule *, rule));
}

/* A rule that is not dropped has exactly one active version. */
static const AevonRule *
active_version(const AevonRuleSet *set, VersionRange range)
{
	int			i;

	for (i = range.end - 1; i >= range.first; i--)
		if (set->rules[i].state == AEVON_RULE_ACTIVE)
			return &set->rules[i];
	return NULL;
}

static VersionRange
find_versions(const AevonRuleSet *set, int32 tenant_key, const char *name)
{
	VersionRange range;

	range.first = first_of_owner(set, tenant_key, name);
	range.end = range.first;
	while (range.end < set->rule_count && set->rules[range.end].tenant_key == tenant_key &&
		   strcmp(set->rules[range.end].name, name) == 0)
		range.end++;
	return range;
}

/* The first rule of an owner whose name is not below the one given. */
static int
first_of_owner(const AevonRuleSet *set, int32 tenant_key, const char *name)
{
	AevonRule	wanted = {.tenant_key = tenant_key,.name = unconstify(char *, name)};
	int			low = 0;
	int			high = set->rule_count;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (compare_rules(&set->rules[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A version number as it is written, or 0, which no version has. */
static int
parse_version(const char *digits)
{
	size_t		length = strspn(digits, "0123456789");

	if (length == 0 || length > 9 || digits[0] == '0' || digits[length] != '\0')
		return 0;
	return (int) strtol(digits, NULL, 10);
}

static void
raise_unknown(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("rule \"%s\" does not exist", name),
			 errhint("The view aevon.rule_versions lists the rules.")));
}
