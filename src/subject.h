/*
 * subject.h
 *		Whom a read is about: a tenant, or one of its principals.
 *
 * Layer 2.
 */
#ifndef AEVON_SUBJECT_H
#define AEVON_SUBJECT_H

#include "postgres.h"

typedef struct AevonSubject
{
	int32		tenant_key;		/* 0: a tenant not in use */
	int32		principal_key;	/* 0: the whole tenant, or one not in use */
	int32		subject_key;	/* as in aevon.series; 0: nobody */
} AevonSubject;

/*
 * Check that the caller may read the tenant, and the restore guard, and look
 * up the keys (principal NULL: the whole tenant).  A tenant that is not in use
 * is nobody to a caller bound to its very name, and forbidden to others.
 */
extern void aevon_subject_resolve(const char *tenant, const char *principal,
								  AevonSubject *subject);

#endif							/* AEVON_SUBJECT_H */
