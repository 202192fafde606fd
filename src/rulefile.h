/*
 * rulefile.h
 *		Rules written in YAML files.
 *
 * A file holds documents, each of them one rule or a list of rules:
 *
 *		name: revenue
 *		source_event: order.paid		# or event_type
 *		operator: sum					# or operators: [sum, count]
 *		field: $.amount					# or value; optional
 *		filter: $.currency == "EUR"		# optional
 *		tenant: acme					# optional; every tenant if left out
 *		dimensions: {country: $.country}	# optional
 *
 * Layer 2.
 */
#ifndef AEVON_RULEFILE_H
#define AEVON_RULEFILE_H

#include "postgres.h"
#include "nodes/pg_list.h"

#include "rule.h"

/* A rule read from a file, validated. */
typedef struct AevonFileRule
{
	AevonRuleDefinition definition;
	const char *file;			/* name within the directory */
	int			line;			/* where the rule starts */
} AevonFileRule;

/* What became of it. */
typedef struct AevonLoadedRule
{
	const char *name;
	int			version;
	bool		changed;
} AevonLoadedRule;

/*
 * Read and validate all rules of the files *.yaml and *.yml in a directory, by
 * the names of the files; list of AevonFileRule *, palloc'd.  Files whose name
 * starts with a point are left out.  Errors name file and line: 22023 and
 * others for what a file says, 54000 for files that are too large; those of
 * the file system (58P01, ...) name the path.
 */
extern List *aevon_rulefile_read_directory(const char *directory);

/*
 * Read a directory and define its rules, all or none, in the current
 * transaction; list of AevonLoadedRule *.  Rules that are not in the files
 * stay as they are.  The caller has checked privileges, and has an active
 * snapshot; the owner's context is entered here.
 */
extern List *aevon_rulefile_load_directory(const char *directory);

#endif							/* AEVON_RULEFILE_H */
