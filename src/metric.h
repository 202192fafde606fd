/*
 * metric.h
 *		A day's metric as a snapshot keeps it: every statistic of a measure.
 *
 * Layer 2.
 */
#ifndef AEVON_METRIC_H
#define AEVON_METRIC_H

#include "postgres.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "bucket.h"
#include "rule.h"

/*
 * {count, skipped} and, if the measure has a value, {sum, min, max, avg}, and
 * {last}, {distinct} and the quantiles that are kept: numbers, null where there is none.  Equal states
 * give equal documents.
 */
extern Jsonb *aevon_metric_stats(const AevonMeasure *measure, const AevonPartial *partial);

/*
 * What changed from one document to the next: new less old for each number of
 * `now`; null where either is null, save that before the first snapshot
 * (`before` NULL) count, skipped, sum and distinct were 0.
 */
extern Jsonb *aevon_metric_delta(const Jsonb *now, const Jsonb *before);

/* A number of such a document by name; NULL if it is null or not there. */
extern Numeric aevon_metric_number(const Jsonb *document, const char *key);

#endif							/* AEVON_METRIC_H */
