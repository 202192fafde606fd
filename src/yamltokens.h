/*
 * yamltokens.h
 *		A YAML text as a flat list of tokens.
 *
 * What libyaml allocates is gone before anything here can raise an error.
 * Layer 0.
 */
#ifndef AEVON_YAMLTOKENS_H
#define AEVON_YAMLTOKENS_H

#include "postgres.h"

/* Most tokens of a text. */
#define AEVON_MAX_YAML_TOKENS 200000

typedef enum AevonYamlType
{
	AEVON_YAML_SCALAR,
	AEVON_YAML_NULL,			/* plain scalar: empty, ~ or null */
	AEVON_YAML_LIST,			/* until its END */
	AEVON_YAML_MAPPING,			/* keys and values in turn, until its END */
	AEVON_YAML_END,
	AEVON_YAML_FINISH			/* of the text */
} AevonYamlType;

typedef struct AevonYamlToken
{
	AevonYamlType type;
	int			line;			/* from 1 */
	char	   *text;			/* of a scalar, in the server's encoding */
} AevonYamlToken;

/*
 * The tokens of all documents of a text, the last of them FINISH; palloc'd.
 * Raises 22023 for text that is not YAML, for aliases, and for zero bytes in
 * strings, 22021 or 22P05 for characters that the server's encoding lacks,
 * 54000 for too many tokens or levels; *line is where, then.
 */
extern AevonYamlToken *aevon_yamltokens_read(const char *text, size_t length, int *line);

#endif							/* AEVON_YAMLTOKENS_H */
