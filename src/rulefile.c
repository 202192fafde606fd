/*
 * rulefile.c
 *		Rules written in YAML files.
 *
 * Everything is read and validated before the first rule is defined.  While a
 * file is read, errors are raised without saying where; one place adds the
 * file's name and the line.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"

#include "access.h"
#include "json.h"
#include "rulefile.h"
#include "yamltokens.h"

#define MAX_FILE_SIZE (1024 * 1024)

typedef enum RuleKey
{
	KEY_NAME,
	KEY_EVENT_TYPE,
	KEY_OPERATORS,
	KEY_VALUE,
	KEY_FILTER,
	KEY_TENANT,
	KEY_DIMENSIONS,
	KEY_ROLLUPS
} RuleKey;

typedef struct KeyWord
{
	const char *word;
	RuleKey		key;
} KeyWord;

static const KeyWord key_words[] = {
	{"name", KEY_NAME},
	{"source_event", KEY_EVENT_TYPE},
	{"event_type", KEY_EVENT_TYPE},
	{"operator", KEY_OPERATORS},
	{"operators", KEY_OPERATORS},
	{"field", KEY_VALUE},
	{"value", KEY_VALUE},
	{"filter", KEY_FILTER},
	{"tenant", KEY_TENANT},
	{"dimensions", KEY_DIMENSIONS},
	{"rollups", KEY_ROLLUPS},
};

/* A file being read. */
typedef struct FileReader
{
	const char *file;
	const AevonYamlToken *at;
	int			line;			/* what an error is about */
	List	   *rules;			/* of all files so far */
} FileReader;

static List *list_files(const char *directory);
static int	errcode_for_path(void);
static bool is_rule_file(const char *name);
static int	compare_names(const ListCell *a, const ListCell *b);
static char *read_file(const char *path, size_t *length);
static List *read_rules(const char *directory, const char *file, List *rules);
static void rethrow_located(const FileReader *reader, MemoryContext context) pg_attribute_noreturn();
static void read_documents(FileReader *reader);
static void read_rule(FileReader *reader);
static void read_member(FileReader *reader, AevonRuleDefinition *definition, uint32 *seen);
static const KeyWord *find_key(const char *word);
static char *read_text(FileReader *reader, const char *key);
static const char **read_names(FileReader *reader, const char *key, int *count);
static Jsonb *read_dimensions(FileReader *reader, const char *key);
static char *read_dimension_part(FileReader *reader, const char *key);
static void refuse_type(const char *key, const char *wanted) pg_attribute_noreturn();
static void require_part(const void *part, const char *key);
static void refuse_repetition(const FileReader *reader, const AevonRuleDefinition *definition);
static bool same_text(const char *a, const char *b);

List *
aevon_rulefile_read_directory(const char *directory)
{
	List	   *files = list_files(directory);
	List	   *rules = NIL;
	ListCell   *cell;

	foreach(cell, files)
	{
		rules = read_rules(directory, lfirst(cell), rules);
	}
	return rules;
}

List *
aevon_rulefile_load_directory(const char *directory)
{
	List	   *rules = aevon_rulefile_read_directory(directory);
	List	   *loaded = NIL;
	ListCell   *cell;
	Oid			author = GetUserId();
	AevonAccess access;

	aevon_access_enter(&access);
	foreach(cell, rules)
	{
		AevonFileRule *rule = lfirst(cell);
		AevonLoadedRule *result = palloc(sizeof(AevonLoadedRule));

		rule->definition.author = author;
		result->name = rule->definition.name;
		result->version = aevon_rule_define(&rule->definition, &result->changed);
		loaded = lappend(loaded, result);
	}
	aevon_access_leave(&access);
	return loaded;
}

/* Names of the rule files of a directory, in bytewise order. */
static List *
list_files(const char *directory)
{
	DIR		   *dir = AllocateDir(directory);
	struct dirent *entry;
	List	   *files = NIL;

	if (dir == NULL)
		ereport(ERROR,
				(errcode_for_path(),
				 errmsg("could not open directory \"%s\": %m", directory)));
	while ((entry = ReadDir(dir, directory)) != NULL)
	{
		struct stat status;
		char	   *path;

		CHECK_FOR_INTERRUPTS();
		if (!is_rule_file(entry->d_name))
			continue;
		path = psprintf("%s/%s", directory, entry->d_name);
		if (stat(path, &status) != 0)
			ereport(ERROR,
					(errcode_for_path(),
					 errmsg("could not stat file \"%s\": %m", path)));
		if (S_ISREG(status.st_mode))
			files = lappend(files, pstrdup(entry->d_name));
	}
	FreeDir(dir);
	list_sort(files, compare_names);
	return files;
}

/* For ereport(): to PostgreSQL a path that is too long, or a loop, is an internal error. */
static int
errcode_for_path(void)
{
	(void) errcode_for_file_access();
	return geterrcode() == ERRCODE_INTERNAL_ERROR ? errcode(ERRCODE_UNDEFINED_FILE) : 0;
}

static bool
is_rule_file(const char *name)
{
	const char *suffix = strrchr(name, '.');

	return suffix != NULL && name[0] != '.' &&
		(strcmp(suffix, ".yaml") == 0 || strcmp(suffix, ".yml") == 0);
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

static char *
read_file(const char *path, size_t *length)
{
	char	   *content = palloc(MAX_FILE_SIZE + 1);
	int			file = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	ssize_t		count = 0;

	if (file < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open file \"%s\": %m", path)));
	*length = 0;
	do
	{
		*length += count;
		count = read(file, content + *length, MAX_FILE_SIZE + 1 - *length);
	} while (count > 0);
	if (count < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read file \"%s\": %m", path)));
	CloseTransientFile(file);
	if (*length > MAX_FILE_SIZE)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("file \"%s\" is too large", path),
				 errdetail("A rule file may have %d bytes.", MAX_FILE_SIZE)));
	return content;
}

/* Read a file; its rules behind those given. */
static List *
read_rules(const char *directory, const char *file, List *rules)
{
	MemoryContext context = CurrentMemoryContext;
	FileReader	reader = {.file = file,.line = 1,.rules = rules};
	size_t		length;
	char	   *text = read_file(psprintf("%s/%s", directory, file), &length);

	PG_TRY();
	{
		reader.at = aevon_yamltokens_read(text, length, &reader.line);
		read_documents(&reader);
	}
	PG_CATCH();
	{
		rethrow_located(&reader, context);
	}
	PG_END_TRY();
	pfree(text);
	return reader.rules;
}

/* Say where, if the error is about the file. */
static void
rethrow_located(const FileReader *reader, MemoryContext context)
{
	ErrorData  *error;

	switch (ERRCODE_TO_CATEGORY(geterrcode()))
	{
		case ERRCODE_DATA_EXCEPTION:
		case ERRCODE_FEATURE_NOT_SUPPORTED:
		case ERRCODE_PROGRAM_LIMIT_EXCEEDED:
			break;
		default:
			PG_RE_THROW();
	}
	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	error->message = psprintf("file \"%s\", line %d: %s", reader->file, reader->line,
							  error->message);
	ReThrowError(error);
}

static void
read_documents(FileReader *reader)
{
	while (reader->at->type != AEVON_YAML_FINISH)
	{
		reader->line = reader->at->line;
		switch (reader->at->type)
		{
			case AEVON_YAML_NULL:
				reader->at++;	/* an empty document */
				break;
			case AEVON_YAML_LIST:
				for (reader->at++; reader->at->type != AEVON_YAML_END;)
					read_rule(reader);
				reader->at++;
				break;
			default:
				read_rule(reader);
				break;
		}
	}
}

static void
read_rule(FileReader *reader)
{
	AevonFileRule *rule = palloc0(sizeof(AevonFileRule));
	AevonRuleDefinition *definition = &rule->definition;
	uint32		seen = 0;

	definition->rollup_count = -1;
	rule->file = reader->file;
	rule->line = reader->line = reader->at->line;
	if (reader->at->type != AEVON_YAML_MAPPING)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a rule must be a mapping"),
				 errhint("Write it as lines of the form \"name: value\".")));
	reader->at++;
	while (reader->at->type != AEVON_YAML_END)
		read_member(reader, definition, &seen);
	reader->at++;

	reader->line = rule->line;
	require_part(definition->name, "name");
	require_part(definition->event_type, "source_event");
	require_part(definition->operators, "operator");
	aevon_rule_validate(definition);
	refuse_repetition(reader, definition);
	reader->rules = lappend(reader->rules, rule);
}

static void
read_member(FileReader *reader, AevonRuleDefinition *definition, uint32 *seen)
{
	const KeyWord *key;

	reader->line = reader->at->line;
	if (reader->at->type != AEVON_YAML_SCALAR)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a key must be a word")));
	key = find_key(reader->at->text);
	if ((*seen & (1U << key->key)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is given twice", key->word),
				 errhint("\"source_event\" and \"event_type\", \"operator\" and \"operators\", \"field\" and \"value\" mean the same.")));
	*seen |= 1U << key->key;
	reader->at++;
	reader->line = reader->at->line;
	switch (key->key)
	{
		case KEY_NAME:
			definition->name = read_text(reader, key->word);
			break;
		case KEY_EVENT_TYPE:
			definition->event_type = read_text(reader, key->word);
			break;
		case KEY_OPERATORS:
			definition->operators = read_names(reader, key->word, &definition->operator_count);
			break;
		case KEY_VALUE:
			definition->value = read_text(reader, key->word);
			break;
		case KEY_FILTER:
			definition->filter = read_text(reader, key->word);
			break;
		case KEY_TENANT:
			definition->tenant = read_text(reader, key->word);
			break;
		case KEY_DIMENSIONS:
			definition->dimensions = read_dimensions(reader, key->word);
			break;
		case KEY_ROLLUPS:
			definition->rollups = read_names(reader, key->word, &definition->rollup_count);
			break;
	}
}

static const KeyWord *
find_key(const char *word)
{
	for (int i = 0; i < lengthof(key_words); i++)
		if (strcmp(key_words[i].word, word) == 0)
			return &key_words[i];
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown key \"%s\"", word),
			 errhint("Keys are name, source_event, operator or operators, field, filter, tenant, dimensions and rollups.")));
}

/* A text, or NULL. */
static char *
read_text(FileReader *reader, const char *key)
{
	const AevonYamlToken *token = reader->at++;

	if (token->type != AEVON_YAML_SCALAR && token->type != AEVON_YAML_NULL)
		refuse_type(key, "a text");
	return token->text;
}

/* A text or a list of them; NULL, and the count as it was, for null. */
static const char **
read_names(FileReader *reader, const char *key, int *count)
{
	List	   *list = NIL;
	const char **names;
	ListCell   *cell;

	if (reader->at->type == AEVON_YAML_NULL)
	{
		reader->at++;
		return NULL;
	}
	if (reader->at->type == AEVON_YAML_SCALAR)
		list = list_make1(read_text(reader, key));
	else if (reader->at->type == AEVON_YAML_LIST)
	{
		for (reader->at++; reader->at->type != AEVON_YAML_END;)
		{
			reader->line = reader->at->line;
			list = lappend(list, read_text(reader, key));
		}
		reader->at++;
	}
	else
		refuse_type(key, "a text or a list of texts");

	names = palloc(Max(list_length(list), 1) * sizeof(char *));
	*count = 0;
	foreach(cell, list)
	{
		names[(*count)++] = lfirst(cell);
	}
	return names;
}

static Jsonb *
read_dimensions(FileReader *reader, const char *key)
{
	AevonJson	json = {0};
	List	   *names = NIL;

	if (reader->at->type == AEVON_YAML_NULL)
	{
		reader->at++;
		return NULL;
	}
	if (reader->at->type != AEVON_YAML_MAPPING)
		refuse_type(key, "a mapping of names to jsonpaths");
	aevon_json_token(&json, WJB_BEGIN_OBJECT);
	for (reader->at++; reader->at->type != AEVON_YAML_END;)
	{
		char	   *name;
		char	   *path;
		ListCell   *cell;

		reader->line = reader->at->line;
		name = read_dimension_part(reader, key);
		path = read_dimension_part(reader, key);
		foreach(cell, names)
		{
			if (strcmp(lfirst(cell), name) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("dimension \"%s\" is given twice", name)));
		}
		names = lappend(names, name);
		aevon_json_text(&json, name, path);
	}
	reader->at++;
	aevon_json_token(&json, WJB_END_OBJECT);
	return aevon_json_finish(&json);
}

static char *
read_dimension_part(FileReader *reader, const char *key)
{
	if (reader->at->type != AEVON_YAML_SCALAR)
		refuse_type(key, "a mapping of names to jsonpaths");
	return read_text(reader, key);
}

static void
refuse_type(const char *key, const char *wanted)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%s\" must be %s", key, wanted)));
}

static void
require_part(const void *part, const char *key)
{
	if (part == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the rule has no \"%s\"", key)));
}

static void
refuse_repetition(const FileReader *reader, const AevonRuleDefinition *definition)
{
	ListCell   *cell;

	foreach(cell, reader->rules)
	{
		const AevonFileRule *other = lfirst(cell);

		if (same_text(other->definition.name, definition->name) &&
			same_text(other->definition.tenant, definition->tenant))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("rule \"%s\" is given twice", definition->name),
					 errdetail("It is in file \"%s\", line %d, too.", other->file, other->line)));
	}
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}
