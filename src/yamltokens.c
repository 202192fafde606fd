/*
 * yamltokens.c
 *		A YAML text as a flat list of tokens.
 */
#include "postgres.h"

#include <yaml.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "yamltokens.h"

/* Deepest nesting; libyaml takes time by its square. */
#define MAX_DEPTH 32

typedef struct TokenList
{
	AevonYamlToken *tokens;
	int			count;
	int			room;
	int			depth;			/* of lists and mappings, open now */
	int		   *line;
	yaml_parser_t parser;
	yaml_event_t event;			/* all zero, or allocated */
} TokenList;

static void read_tokens(TokenList *list);
static bool add_token(TokenList *list, const yaml_event_t *event);
static void open_token(TokenList *list, AevonYamlType type);
static AevonYamlToken *next_token(TokenList *list);
static void add_scalar(TokenList *list, const yaml_event_t *event);
static bool is_null(const yaml_event_t *event);
static void refuse_syntax(const yaml_parser_t *parser, int *line) pg_attribute_noreturn();

AevonYamlToken *
aevon_yamltokens_read(const char *text, size_t length, int *line)
{
	TokenList	list = {.line = line};

	*line = 1;
	list.room = 256;
	list.tokens = palloc(list.room * sizeof(AevonYamlToken));
	if (!yaml_parser_initialize(&list.parser))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	PG_TRY();
	{
		yaml_parser_set_input_string(&list.parser, (const unsigned char *) text, length);
		read_tokens(&list);
	}
	PG_FINALLY();
	{
		yaml_event_delete(&list.event);
		yaml_parser_delete(&list.parser);
	}
	PG_END_TRY();
	return list.tokens;
}

static void
read_tokens(TokenList *list)
{
	bool		finished = false;

	while (!finished)
	{
		CHECK_FOR_INTERRUPTS();
		if (!yaml_parser_parse(&list->parser, &list->event))
			refuse_syntax(&list->parser, list->line);
		finished = add_token(list, &list->event);
		yaml_event_delete(&list->event);
	}
}

/* True for the last event of the text. */
static bool
add_token(TokenList *list, const yaml_event_t *event)
{
	*list->line = (int) event->start_mark.line + 1;
	if (event->type == YAML_ALIAS_EVENT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("YAML alias \"*%s\" is not allowed", (char *) event->data.alias.anchor),
				 errhint("Quote the text if it is to start with an asterisk.")));
	switch (event->type)
	{
		case YAML_SCALAR_EVENT:
			add_scalar(list, event);
			return false;
		case YAML_SEQUENCE_START_EVENT:
			open_token(list, AEVON_YAML_LIST);
			return false;
		case YAML_MAPPING_START_EVENT:
			open_token(list, AEVON_YAML_MAPPING);
			return false;
		case YAML_SEQUENCE_END_EVENT:
		case YAML_MAPPING_END_EVENT:
			list->depth--;
			next_token(list)->type = AEVON_YAML_END;
			return false;
		case YAML_STREAM_END_EVENT:
			next_token(list)->type = AEVON_YAML_FINISH;
			return true;
		default:
			return false;
	}
}

static void
open_token(TokenList *list, AevonYamlType type)
{
	if (++list->depth > MAX_DEPTH)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("YAML is nested more than %d levels deep", MAX_DEPTH)));
	next_token(list)->type = type;
}

static AevonYamlToken *
next_token(TokenList *list)
{
	AevonYamlToken *token;

	if (list->count == AEVON_MAX_YAML_TOKENS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("more than %d YAML elements", AEVON_MAX_YAML_TOKENS)));
	if (list->count == list->room)
	{
		list->room *= 2;
		list->tokens = repalloc(list->tokens, list->room * sizeof(AevonYamlToken));
	}
	token = &list->tokens[list->count++];
	token->line = *list->line;
	token->text = NULL;
	return token;
}

static void
add_scalar(TokenList *list, const yaml_event_t *event)
{
	const char *value = (const char *) event->data.scalar.value;
	size_t		length = event->data.scalar.length;
	AevonYamlToken *token = next_token(list);

	if (is_null(event))
	{
		token->type = AEVON_YAML_NULL;
		return;
	}
	if (strlen(value) != length)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("text contains a zero byte")));
	token->type = AEVON_YAML_SCALAR;
	token->text = pstrdup(pg_any_to_server(value, (int) length, PG_UTF8));
}

static bool
is_null(const yaml_event_t *event)
{
	const char *value = (const char *) event->data.scalar.value;

	return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
		(value[0] == '\0' || strcmp(value, "~") == 0 || pg_strcasecmp(value, "null") == 0);
}

static void
refuse_syntax(const yaml_parser_t *parser, int *line)
{
	const char *problem = parser->problem != NULL ? parser->problem : "unknown problem";

	if (parser->error == YAML_MEMORY_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));

	/* the reader, which checks the encoding, knows no line but where it is */
	*line = (int) (parser->error == YAML_READER_ERROR ? parser->mark.line : parser->problem_mark.line) + 1;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("not valid YAML: %s", problem),
			 parser->context != NULL ? errdetail("It happened %s, from line %d on.", parser->context,
												 (int) parser->context_mark.line + 1) : 0));
}
