/*
 * subject.c
 *		Whom a read is about: a tenant, or one of its principals.
 */
#include "postgres.h"

#include "access.h"
#include "dictionary.h"
#include "guard.h"
#include "subject.h"

void
aevon_subject_resolve(const char *tenant, const char *principal, AevonSubject *subject)
{
	int64		base;

	memset(subject, 0, sizeof(*subject));
	aevon_access_require(tenant, AEVON_PRIVILEGE_READ);
	if (aevon_guard_check(&base))
		subject->tenant_key = aevon_dictionary_find(AEVON_DICTIONARY_TENANT, 0, tenant);
	if (subject->tenant_key == 0)
	{
		if (!aevon_access_bound(tenant, AEVON_PRIVILEGE_READ))
			aevon_access_unknown_tenant(tenant);
		return;
	}
	if (principal == NULL)
		subject->subject_key = -subject->tenant_key;
	else
		subject->principal_key = subject->subject_key =
			aevon_dictionary_find(AEVON_DICTIONARY_PRINCIPAL, subject->tenant_key, principal);
}
