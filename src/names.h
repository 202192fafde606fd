/*
 * names.h
 *		Names by key, each looked up once: the dictionaries' own cache is filled
 *		by name only.
 *
 * Layer 2.
 */
#ifndef AEVON_NAMES_H
#define AEVON_NAMES_H

#include "postgres.h"

#include "dictionary.h"

typedef struct AevonNames AevonNames;

/* In the current memory context. */
extern AevonNames *aevon_names_create(void);

/* NULL for a key that no dictionary has.  Good until they are trimmed. */
extern const char *aevon_names_find(AevonNames *names, AevonDictionary dictionary, int32 key);

/* Forget all names if they are many, so that memory does not grow with them. */
extern void aevon_names_trim(AevonNames *names);

#endif							/* AEVON_NAMES_H */
