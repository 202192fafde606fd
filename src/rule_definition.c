/*
 * rule_definition.c
 *		Checking what the author of a rule gives, and its canonical form.
 *
 * Two definitions are the same when their fingerprints are: SHA-256 over all
 * parts, each with its length, paths in PostgreSQL's own spelling.
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "lib/stringinfo.h"
#include "port/pg_bswap.h"
#include "utils/jsonb.h"

#include "bucket.h"
#include "errors.h"
#include "rule_definition.h"
#include "rule_dimensions.h"

#define KNOWN_OPERATORS "count, sum, min, max, avg, last"

static void check_operators(const AevonRuleDefinition *definition);
static void check_operator(const char *name);
static bool is_planned_operator(const char *name);
static void check_value_needed(const AevonRuleDefinition *definition);
static char *canonical_path(const char *source, const char *what);
static int	needed_features(const AevonRuleDefinition *definition);
static void add_part(StringInfo parts, const char *part);
static void add_question(StringInfo parts, const AevonRuleDefinition *definition,
						 const AevonCanonicalRule *canonical);
static void digest_parts(StringInfo parts, uint8 out[AEVON_DIGEST_LENGTH]);

void
aevon_rule_validate(const AevonRuleDefinition *definition)
{
	AevonCanonicalRule canonical;

	aevon_rule_canonicalize(definition, &canonical);
}

void
aevon_rule_canonicalize(const AevonRuleDefinition *definition, AevonCanonicalRule *canonical)
{
	StringInfoData parts;
	int			i;

	aevon_error_require_name(definition->name, "name");
	if (strchr(definition->name, '@') != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("rule name \"%s\" contains \"@\"", definition->name),
				 errdetail("What follows an @ is the number of a version.")));
	aevon_error_require_name(definition->event_type, "event_type");
	if (definition->tenant != NULL)
		aevon_error_require_name(definition->tenant, "tenant");
	if (definition->tenant != NULL && strcmp(definition->tenant, "*") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("tenant \"*\" cannot have a rule"),
				 errhint("Leave the tenant out to define a rule for all tenants.")));
	check_operators(definition);
	check_value_needed(definition);

	memset(canonical, 0, sizeof(*canonical));
	if (definition->value != NULL)
		canonical->value = canonical_path(definition->value, "value");
	if (definition->filter != NULL)
		canonical->filter = canonical_path(definition->filter, "filter");
	canonical->dimensions = aevon_rule_dimensions(definition);
	canonical->rollups = aevon_rule_rollups(definition, canonical->dimensions);
	canonical->features = needed_features(definition);

	initStringInfo(&parts);
	add_part(&parts, "aevon measure");
	add_question(&parts, definition, canonical);
	add_part(&parts, psprintf("%d", canonical->features));
	digest_parts(&parts, canonical->measure);

	resetStringInfo(&parts);
	add_part(&parts, "aevon rule");
	add_part(&parts, definition->name);
	add_question(&parts, definition, canonical);
	for (i = 0; i < definition->operator_count; i++)
		add_part(&parts, definition->operators[i]);
	digest_parts(&parts, canonical->fingerprint);
}

static void
check_operators(const AevonRuleDefinition *definition)
{
	int			i;
	int			j;

	if (definition->operator_count < 0)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("operators must not be null"),
				 errhint("Give one or more of: %s.", KNOWN_OPERATORS)));
	if (definition->operator_count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("operators must not be empty"),
				 errhint("Give one or more of: %s.", KNOWN_OPERATORS)));
	for (i = 0; i < definition->operator_count; i++)
	{
		check_operator(definition->operators[i]);
		for (j = 0; j < i; j++)
			if (strcmp(definition->operators[i], definition->operators[j]) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("operator \"%s\" is given twice", definition->operators[i])));
	}
}

static void
check_operator(const char *name)
{
	AevonOperator op;

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("an operator must not be null")));
	if (aevon_operator_find(name, &op))
		return;
	if (is_planned_operator(name))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("operator \"%s\" is not supported yet", name),
				 errhint("Supported are: %s.", KNOWN_OPERATORS)));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown operator \"%s\"", name),
			 errhint("Known operators are: %s.", KNOWN_OPERATORS)));
}

/* "distinct", or a quantile: p50, p99.9; above 0 and below 100. */
static bool
is_planned_operator(const char *name)
{
	size_t		whole;
	size_t		fraction;

	if (strcmp(name, "distinct") == 0)
		return true;
	if (name[0] != 'p')
		return false;
	name++;
	whole = strspn(name, "0123456789");
	if (whole < 1 || whole > 2)
		return false;
	fraction = name[whole] == '.' ? strspn(name + whole + 1, "0123456789") : 0;
	if (name[whole] == '.' ? fraction == 0 || name[whole + 1 + fraction] != '\0' : name[whole] != '\0')
		return false;
	return strspn(name, "0.") < strlen(name);
}

static void
check_value_needed(const AevonRuleDefinition *definition)
{
	int			i;

	if (definition->value != NULL)
		return;
	for (i = 0; i < definition->operator_count; i++)
		if (strcmp(definition->operators[i], aevon_operator_name(AEVON_COUNT)) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("operator \"%s\" needs a value", definition->operators[i]),
					 errhint("Give the jsonpath of a number, such as $.amount, as value.")));
}

static char *
canonical_path(const char *source, const char *what)
{
	size_t		length = strlen(source);

	if (length > AEVON_MAX_PATH)
		ereport(ERROR,
				(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				 errmsg("%s is too long", what),
				 errdetail("The jsonpath has %zu bytes, of at most %d.", length, AEVON_MAX_PATH)));
	return pstrdup(aevon_path_text(aevon_path_compile(source, what)));
}

static int
needed_features(const AevonRuleDefinition *definition)
{
	int			i;

	for (i = 0; i < definition->operator_count; i++)
		if (strcmp(definition->operators[i], aevon_operator_name(AEVON_LAST)) == 0)
			return AEVON_KEEP_LAST;
	return 0;
}

/* Length and bytes; all ones as length for a part that is not there. */
static void
add_part(StringInfo parts, const char *part)
{
	uint32		length = part == NULL ? PG_UINT32_MAX : (uint32) strlen(part);
	uint32		big_endian = pg_hton32(length);

	appendBinaryStringInfo(parts, (const char *) &big_endian, sizeof(big_endian));
	if (part != NULL)
		appendBinaryStringInfo(parts, part, length);
}

/* The parts that say what is measured. */
static void
add_question(StringInfo parts, const AevonRuleDefinition *definition,
			 const AevonCanonicalRule *canonical)
{
	List	   *rollups = canonical->rollups;
	ListCell   *cell;

	add_part(parts, definition->tenant);
	add_part(parts, definition->event_type);
	add_part(parts, canonical->value);
	add_part(parts, canonical->filter);
	add_part(parts, JsonbToCString(NULL, &canonical->dimensions->root,
								   VARSIZE(canonical->dimensions)));
	if (rollups != NIL)			/* their number, as more parts follow */
		add_part(parts, psprintf("%d", list_length(rollups)));
	foreach(cell, rollups)
		add_part(parts, lfirst(cell));
}

static void
digest_parts(StringInfo parts, uint8 out[AEVON_DIGEST_LENGTH])
{
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);

	if (context == NULL ||
		pg_cryptohash_init(context) < 0 ||
		pg_cryptohash_update(context, (const uint8 *) parts->data, parts->len) < 0 ||
		pg_cryptohash_final(context, out, AEVON_DIGEST_LENGTH) < 0)
		elog(ERROR, "SHA-256 failed: %s", pg_cryptohash_error(context));
	pg_cryptohash_free(context);
}
