/*
 * figures.c
 *		A rule's statistics of a state, as answers show them.
 */
#include "postgres.h"

#include "fold.h"
#include "figures.h"

void
aevon_figures_push(AevonJson *json, const AevonRule *rule, const AevonPartial *partial)
{
	for (int i = 0; i < rule->operator_count; i++)
		aevon_json_number(json, rule->operators[i].name,
						  aevon_fold_final(partial, &rule->operators[i]));
}
