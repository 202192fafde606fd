/*
 * question.h
 *		What a reader is asked.
 *
 * Layer 2.
 */
#ifndef AEVON_QUESTION_H
#define AEVON_QUESTION_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "utils/snapshot.h"

#include "slicing.h"
#include "window.h"

typedef struct AevonQuestion
{
	Snapshot	snapshot;		/* everything is read by it */
	int64		generation;		/* of the rules that it sees */
	int32		tenant_key;
	int32		principal_key;	/* 0: the whole tenant */
	TimestampTz since;			/* inclusive; may be -infinity */
	TimestampTz until;			/* exclusive; may be infinity */
	TimestampTz as_of;			/* ingested by then; DT_NOEND: everything */
	AevonGrid  *grid;
	const AevonSlicing *slicing;	/* NULL: neither filtered nor grouped */
	bool		nobody;			/* no such tenant or principal: nothing to
								 * read */
} AevonQuestion;

#endif							/* AEVON_QUESTION_H */
