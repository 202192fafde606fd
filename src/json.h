/*
 * json.h
 *		Building a jsonb document, member by member.
 *
 * Written as it is stored, in one pass: PostgreSQL's own builder would cost as
 * much as all that a read takes from buckets.  Members that are pushed in the
 * order in which jsonb stores them, by length and then by bytes, need not be
 * sorted; of members with the same key the last counts.
 * Strings and numbers are not copied: they must live until the document is
 * finished.
 * Layer 0.
 */
#ifndef AEVON_JSON_H
#define AEVON_JSON_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

/* A value that was pushed: of a member, an element, or the document itself. */
typedef struct AevonJsonNode AevonJsonNode;

typedef struct AevonJson
{
	AevonJsonNode *nodes;		/* NULL to begin with; in the order pushed */
	int			count;
	int			capacity;
	int			open;			/* the innermost container that is not ended */
	const char *key;			/* of the value to come; NULL: none */
	int			key_length;
	Size		size;			/* the document will not be larger */
	TimestampTz times[2];		/* that were written last, */
	const char *time_texts[2];	/* and as what; NULL: none yet */
} AevonJson;

/* WJB_BEGIN_OBJECT and its like; the outermost of them is the document. */
extern void aevon_json_token(AevonJson *json, JsonbIteratorToken token);
extern void aevon_json_key(AevonJson *json, const char *key);

/* A member, or with key NULL an element; a NULL value becomes null. */
extern void aevon_json_text(AevonJson *json, const char *key, const char *string);
extern void aevon_json_boolean(AevonJson *json, const char *key, bool value);
extern void aevon_json_number(AevonJson *json, const char *key, Numeric number);

/* Bytes as hexadecimal digits; copied. */
extern void aevon_json_bytes(AevonJson *json, const char *key, const void *bytes, Size length);

/* A document, which must live as long as a string. */
extern void aevon_json_document(AevonJson *json, const char *key, const Jsonb *document);

/* ISO 8601 in UTC, whatever the session's settings. */
extern void aevon_json_time(AevonJson *json, const char *key, TimestampTz at);

/* The finished document; palloc'd.  54000 for one that jsonb cannot hold. */
extern Jsonb *aevon_json_finish(AevonJson *json);

/* A document without members; palloc'd. */
extern Jsonb *aevon_json_empty(void);

#endif							/* AEVON_JSON_H */
