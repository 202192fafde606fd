/*
 * rule_definition.h
 *		A rule's definition in the one form that is stored and compared.
 *
 * Layer 2.
 */
#ifndef AEVON_RULE_DEFINITION_H
#define AEVON_RULE_DEFINITION_H

#include "postgres.h"

#include "digest.h"
#include "rule.h"

typedef struct AevonCanonicalRule
{
	char	   *value;			/* NULL: none */
	char	   *filter;			/* NULL: none */
	Jsonb	   *dimensions;		/* an object */
	List	   *rollups;		/* names of dimensions; char * */
	int			features;		/* AEVON_KEEP_... */
	int			quantile_count;
	AevonOperator *quantiles;	/* by rank */
	uint8		fingerprint[AEVON_DIGEST_LENGTH];	/* of the rule */
	uint8		measure[AEVON_DIGEST_LENGTH];	/* of what it measures */
} AevonCanonicalRule;

/*
 * Validate a definition, with the errors of aevon_rule_validate, and fill in
 * its canonical form, palloc'd.
 */
extern void aevon_rule_canonicalize(const AevonRuleDefinition *definition,
									AevonCanonicalRule *canonical);

#endif							/* AEVON_RULE_DEFINITION_H */
