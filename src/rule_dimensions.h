/*
 * rule_dimensions.h
 *		The dimensions of a rule's definition, checked and in one form.
 *
 * Layer 2.
 */
#ifndef AEVON_RULE_DIMENSIONS_H
#define AEVON_RULE_DIMENSIONS_H

#include "postgres.h"
#include "nodes/pg_list.h"

#include "rule.h"

/*
 * The definition's dimensions as an object of names and canonical paths.
 * Raises 22023, 22004, 22001 and 54000 for what is wrong with one.
 */
extern Jsonb *aevon_rule_dimensions(const AevonRuleDefinition *definition);

/*
 * The names of the dimensions that the definition rolls up, sorted, of the
 * canonical dimensions; list of char *.  A rule that does not say rolls up each
 * of several.  Raises 22023 and 22004.
 */
extern List *aevon_rule_rollups(const AevonRuleDefinition *definition, const Jsonb *dimensions);

/*
 * Raise 22023 if a dimension yields an object or an array in one of the newest
 * events that the definition is about (tenant_key 0: of all tenants).  SPI is
 * connected.
 */
extern void aevon_rule_check_dimensions(const AevonRuleDefinition *definition, int32 tenant_key,
										const Jsonb *dimensions);

#endif							/* AEVON_RULE_DIMENSIONS_H */
