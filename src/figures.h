/*
 * figures.h
 *		A rule's statistics of a state, as answers show them.
 *
 * Layer 2.
 */
#ifndef AEVON_FIGURES_H
#define AEVON_FIGURES_H

#include "postgres.h"

#include "bucket.h"
#include "json.h"
#include "rule.h"

/* A member for each of the rule's operators, into an object that has begun. */
extern void aevon_figures_push(AevonJson *json, const AevonRule *rule, const AevonPartial *partial);

#endif							/* AEVON_FIGURES_H */
