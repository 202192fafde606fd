/*
 * dictionary.h
 *		Integer keys for the names of tenants, principals and event types.
 *
 * The first event of a principal must not block others of it, so a dictionary
 * row cannot belong to the transaction that needed it: a unique index would
 * make a second transaction wait for the first one's end, and opposite orders
 * would deadlock.  Instead a row is inserted under a short lock (released at
 * once, taken alone, so no deadlock), and then frozen in place by a
 * WAL-logged change: from that moment it is there for every snapshot, whether
 * or not the transaction commits.  An error before the freeze leaves a row of
 * an aborted transaction, that is nothing.  WAL order makes it durable: an
 * event that uses a key commits after the key's row was logged.
 *
 * A name never gets a second key, and a key never a second name; keys are
 * never reused, so a backend's cache needs no invalidation but the drop of the
 * extension.  Layer 2.
 */
#ifndef AEVON_DICTIONARY_H
#define AEVON_DICTIONARY_H

#include "postgres.h"
#include "utils/relcache.h"

typedef enum AevonDictionary
{
	AEVON_DICTIONARY_TENANT,	/* scope 0 */
	AEVON_DICTIONARY_PRINCIPAL, /* scope: the tenant's key */
	AEVON_DICTIONARY_EVENT_TYPE /* scope 0 */
} AevonDictionary;

/* The key of a name, or 0 if it has none yet. */
extern int32 aevon_dictionary_find(AevonDictionary dictionary, int32 scope, const char *name);

/*
 * The key of a name, made if it has none.  Needs a transaction that may write;
 * waits for nothing but another backend's making of a row at this moment.
 */
extern int32 aevon_dictionary_intern(AevonDictionary dictionary, int32 scope, const char *name);

/* The name of a key; palloc'd.  An unknown key is an internal error. */
extern char *aevon_dictionary_name(AevonDictionary dictionary, int32 key);

/* The same, but NULL for an unknown key. */
extern char *aevon_dictionary_find_name(AevonDictionary dictionary, int32 key);

/*
 * Insert a row so that it is there for every snapshot at once, as above.  The
 * caller has made sure, under a lock, that it is not there yet.
 */
extern void aevon_dictionary_insert_frozen(Relation relation, Datum *values, bool *nulls);

#endif							/* AEVON_DICTIONARY_H */
