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
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/jsonb.h"

#include "bucket.h"
#include "errors.h"
#include "rule_definition.h"
#include "rule_dimensions.h"

#define KNOWN_OPERATORS "count, sum, min, max, avg, last, distinct, and quantiles such as p50 or p99.9"

static void check_operators(const AevonRuleDefinition *definition);
static void check_operator(const char *name);
static void check_value_needed(const AevonRuleDefinition *definition);
static char *canonical_path(const char *source, const char *what);
static void add_features(const AevonRuleDefinition *definition, AevonCanonicalRule *canonical);
static int	compare_quantiles(const void *a, const void *b);
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
	add_features(definition, canonical);

	initStringInfo(&parts);
	add_part(&parts, "aevon measure");
	add_question(&parts, definition, canonical);
	add_part(&parts, psprintf("%d", canonical->features));
	for (i = 0; i < canonical->quantile_count; i++)
		add_part(&parts, canonical->quantiles[i].name);
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
		CHECK_FOR_INTERRUPTS();
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
	if (name[0] == 'p' && name[1] != '\0' && strspn(name + 1, "0123456789.") == strlen(name + 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not a quantile", aevon_error_excerpt(name)),
				 errdetail("A quantile is p and a percentage above 0 and below 100, with at most four decimals and no zeros that could be left out."),
				 errhint("Write p5, p50 or p99.9, for example.")));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown operator \"%s\"", aevon_error_excerpt(name)),
			 errhint("Known operators are: %s.", KNOWN_OPERATORS)));
}

static void
check_value_needed(const AevonRuleDefinition *definition)
{
	int			i;

	if (definition->value != NULL)
		return;
	for (i = 0; i < definition->operator_count; i++)
		if (strcmp(definition->operators[i], aevon_plain_operators[AEVON_COUNT].name) != 0)
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

/* What has to be kept beyond count, sum, min and max. */
static void
add_features(const AevonRuleDefinition *definition, AevonCanonicalRule *canonical)
{
	canonical->quantiles = palloc(definition->operator_count * sizeof(AevonOperator));
	for (int i = 0; i < definition->operator_count; i++)
	{
		AevonOperator op;

		if (!aevon_operator_find(definition->operators[i], &op))
			continue;
		if (op.statistic == AEVON_LAST)
			canonical->features |= AEVON_KEEP_LAST;
		if (op.statistic == AEVON_DISTINCT)
			canonical->features |= AEVON_KEEP_DISTINCT;
		if (op.statistic == AEVON_QUANTILE)
		{
			canonical->features |= AEVON_KEEP_QUANTILES;
			canonical->quantiles[canonical->quantile_count++] = op;
		}
	}
	qsort(canonical->quantiles, canonical->quantile_count, sizeof(AevonOperator),
		  compare_quantiles);
}

static int
compare_quantiles(const void *a, const void *b)
{
	return ((const AevonOperator *) a)->parts - ((const AevonOperator *) b)->parts;
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

	add_part(parts, definition->tenant);
	add_part(parts, definition->event_type);
	add_part(parts, canonical->value);
	add_part(parts, canonical->filter);
	add_part(parts, JsonbToCString(NULL, &canonical->dimensions->root,
								   VARSIZE(canonical->dimensions)));
	if (rollups != NIL)			/* their number, as more parts follow */
		add_part(parts, psprintf("%d", list_length(rollups)));
	for (int i = 0; i < list_length(rollups); i++)
		add_part(parts, list_nth(rollups, i));
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
