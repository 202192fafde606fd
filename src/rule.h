/*
 * rule.h
 *		Rules and what they measure.
 *
 * Rules that ask for the same thing (tenant, event type, value, filter,
 * dimensions, kept statistics, quantiles) share a measure, and so series, buckets, cut
 * and pass.  A measure lives as long as it has a checkpoint: once a sweep has
 * deleted that, the same question asked again gets a new measure, so that what
 * is left of the old one's buckets can be cleared at leisure.
 *
 * rule.c loads and selects, rule_definition.c and rule_dimensions.c check what
 * an author gives, rule_version.c changes rules.  Layer 2.
 */
#ifndef AEVON_RULE_H
#define AEVON_RULE_H

#include "postgres.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/snapshot.h"

#include "path.h"

typedef enum AevonStatistic
{
	AEVON_COUNT,
	AEVON_SUM,
	AEVON_MIN,
	AEVON_MAX,
	AEVON_AVG,
	AEVON_LAST,
	AEVON_DISTINCT,
	AEVON_QUANTILE				/* the only one with more than one operator */
} AevonStatistic;

#define AEVON_OPERATOR_LENGTH 8 /* longest name: p99.9999 */

typedef struct AevonOperator
{
	AevonStatistic statistic;
	int32		parts;			/* of a quantile: of AEVON_QUANTILE_PARTS */
	char		name[AEVON_OPERATOR_LENGTH + 1];	/* "count", "p99.9", ... */
} AevonOperator;

/* The operators that are no quantiles, by statistic; AEVON_QUANTILE of them. */
extern const AevonOperator aevon_plain_operators[AEVON_QUANTILE];

/* The operator of a name; false if there is none. */
extern bool aevon_operator_find(const char *name, AevonOperator *op);

typedef enum AevonRuleState
{
	AEVON_RULE_BUILDING,		/* an older version still answers */
	AEVON_RULE_ACTIVE,
	AEVON_RULE_RETIRED
} AevonRuleState;

#define AEVON_MAX_DIMENSIONS 16

typedef struct AevonDimension
{
	char	   *name;
	AevonPath  *path;
	char	   *path_text;
} AevonDimension;

typedef struct AevonMeasure
{
	int32		measure_key;
	int32		tenant_key;		/* 0: every tenant */
	int32		type_key;		/* 0: every event type */
	int			features;		/* AEVON_KEEP_... */
	int			quantile_count;
	AevonOperator *quantiles;	/* those asked for, by rank */
	AevonPath  *value;			/* NULL: no value, only counts */
	AevonPath  *filter;			/* NULL: every event of the type */
	int			dimension_count;
	AevonDimension *dimensions; /* by name */
	uint32		rollups;		/* bit i: the tenant has series of dimension i
								 * alone */
	bool		compiled;		/* so are the paths, from these texts: */
	char	   *value_text;		/* may be NULL */
	char	   *filter_text;	/* may be NULL */
} AevonMeasure;

typedef struct AevonRule
{
	int32		rule_key;
	int32		tenant_key;		/* 0: every tenant */
	int			version;
	AevonRuleState state;
	char	   *name;
	int			operator_count;
	AevonOperator *operators;
	const AevonMeasure *measure;
} AevonRule;

/*
 * All rules and measures as one snapshot sees them.  Retired ones may be many,
 * so paths are compiled by aevon_rule_select and aevon_rule_measure, for what
 * these give out.
 */
typedef struct AevonRuleSet
{
	int64		generation;
	int			rule_count;
	AevonRule  *rules;			/* by tenant_key, name, version */
	int			measure_count;
	AevonMeasure *measures;		/* by measure_key */
} AevonRuleSet;

/*
 * The rules visible in the snapshot, retired versions included.  Kept per
 * backend as long as the generation that the snapshot sees is the same; valid
 * until the next call.
 */
extern const AevonRuleSet *aevon_rule_load(Snapshot snapshot);

/*
 * The rules that answer for a tenant: list of const AevonRule *, by name.
 * `name` NULL: each that is active for the tenant (a tenant's own hides a
 * global one of the same name).  "name": that one.  "name@2": that version of
 * it, in whatever state.  Unknown names, and those of dropped rules, raise
 * 42704.
 */
extern List *aevon_rule_select(const AevonRuleSet *set, int32 tenant_key, const char *name);

/* NULL if there is no such measure. */
extern const AevonMeasure *aevon_rule_measure(const AevonRuleSet *set, int32 measure_key);

/*
 * The dimensions of an object of names and paths, by name; path_text NULL for
 * what is no string.
 */
extern AevonDimension *aevon_rule_read_dimensions(Jsonb *dimensions, int *count);

/* A rule as its author gives it; strings may be NULL where SQL allows. */
typedef struct AevonRuleDefinition
{
	const char *name;
	const char *event_type;
	int			operator_count; /* -1: operators is NULL */
	const char **operators;
	const char *value;
	const char *filter;
	Jsonb	   *dimensions;		/* NULL: none */
	int			rollup_count;	/* -1: rollups is NULL, each dimension */
	const char **rollups;		/* dimensions whose values get series alone */
	const char *tenant;			/* NULL: every tenant */
	Oid			author;			/* role, for the record */
} AevonRuleDefinition;

/*
 * Raises the definition's first error (22023, 22004, 22001, 54000, 0A000), or
 * returns.
 */
extern void aevon_rule_validate(const AevonRuleDefinition *definition);

/*
 * Define a rule or its next version; the version number.  The same definition
 * as the newest version's changes nothing (*changed false).
 *
 * For this and aevon_rule_drop the caller has checked privileges and entered
 * the owner's context.  Both take turns by the row of the generation, to the
 * end of the transaction: they wait for other definitions and for a sweep that
 * switched versions, not for any other.  A stale snapshot gives 40001.
 */
extern int	aevon_rule_define(const AevonRuleDefinition *definition, bool *changed);

/* Retire all versions of a rule; 42704 if there is no live one. */
extern void aevon_rule_drop(const char *name, const char *tenant);

/*
 * Switch on every building version whose measure has caught up, and retire
 * the versions they replace; delete the checkpoints of measures that no live
 * version needs, once their days are in snapshots or have waited for a week,
 * and a bounded part of what measures without a checkpoint left behind.
 *
 * Called by the sweep, in the owner's context, after it moved the cuts, in the
 * same transaction, with the checkpoints of live measures locked (sweeps leave
 * others alone, so dropping a rule ends its cost at once).  Waits for nobody: what
 * another transaction holds is left for the next sweep.  True if anything
 * changed.
 */
extern bool aevon_rule_switch_versions(void);

#endif							/* AEVON_RULE_H */
