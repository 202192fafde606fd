/*
 * explained.h
 *		The events that explain a metric, as many as a page takes.
 *
 * Layer 2.
 */
#ifndef AEVON_EXPLAINED_H
#define AEVON_EXPLAINED_H

#include "postgres.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "position.h"

typedef struct AevonExplained
{
	AevonPosition position;
	TimestampTz ingested_at;
	bool		late;
	int			count_change;
	Numeric		value;			/* NULL: none */
	bool		is_void;
	TimestampTz voided_at;		/* this and the others if is_void */
	char	   *reason;
	char	   *voided_by;
} AevonExplained;

/* The first of all that were put in, at least as many as a page has. */
typedef struct AevonExplainedList
{
	MemoryContext home;			/* of the list and all it points to */
	int			page;			/* rows */
	int64		total;			/* ever put in */
	int			count;
	int			capacity;
	AevonExplained *rows;
} AevonExplainedList;

/* An empty list, in a memory context below the current one. */
extern void aevon_explained_begin(AevonExplainedList *list, int page);

/* Put a copy in. */
extern void aevon_explained_put(AevonExplainedList *list, const AevonExplained *row);

/* Bring the rows into the order of their positions. */
extern void aevon_explained_sort(AevonExplainedList *list);

/* Take all out; the total stays. */
extern void aevon_explained_empty(AevonExplainedList *list);

#endif							/* AEVON_EXPLAINED_H */
