/*
 * position.h
 *		Where an event stands in the order (occurred_at, principal, event_id),
 *		and the text of it that callers hand back to go on from there.
 *
 * Layer 0.
 */
#ifndef AEVON_POSITION_H
#define AEVON_POSITION_H

#include "postgres.h"
#include "datatype/timestamp.h"

typedef struct AevonPosition
{
	TimestampTz occurred_at;
	const char *principal;		/* NULL: before the first of this time */
	const char *event_id;
} AevonPosition;

/* Of a text made by aevon_position_text; raises 22023 if it is none. */
extern void aevon_position_parse(const char *text, AevonPosition *position);

/* Palloc'd. */
extern char *aevon_position_text(const AevonPosition *position);

/* Less than, equal to or greater than 0; both have a principal. */
extern int	aevon_position_compare(const AevonPosition *a, const AevonPosition *b);

#endif							/* AEVON_POSITION_H */
