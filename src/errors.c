/*
 * errors.c
 *		Errors as data, and the checks that every entry point shares.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "errors.h"

#define EXCERPT_LENGTH 64		/* characters */

void
aevon_error_raise(const AevonProblem *problem)
{
	ereport(ERROR,
			(errcode(problem->sqlstate),
			 errmsg_internal("%s", problem->message),
			 problem->detail ? errdetail_internal("%s", problem->detail) : 0,
			 problem->hint ? errhint("%s", problem->hint) : 0));
}

bool
aevon_error_check_name(const char *name, const char *what, AevonProblem *problem)
{
	size_t		length;
	int			characters;

	memset(problem, 0, sizeof(*problem));
	if (name == NULL)
	{
		problem->sqlstate = ERRCODE_NULL_VALUE_NOT_ALLOWED;
		problem->message = psprintf("%s must not be null", what);
		return false;
	}
	length = strlen(name);
	if (length == 0)
	{
		problem->sqlstate = ERRCODE_INVALID_PARAMETER_VALUE;
		problem->message = psprintf("%s must not be empty", what);
		return false;
	}
	if (!aevon_error_check_characters(name, what, problem))
		return false;
	if (length <= AEVON_MAX_KEY)
		return true;
	characters = pg_mbstrlen_with_len(name, length);
	if (characters > AEVON_MAX_KEY)
	{
		problem->sqlstate = ERRCODE_STRING_DATA_RIGHT_TRUNCATION;
		problem->message = psprintf("%s is too long", what);
		problem->detail = psprintf("It has %d characters, of at most %d: \"%s\".",
								   characters, AEVON_MAX_KEY, aevon_error_excerpt(name));
		return false;
	}
	return true;
}

bool
aevon_error_check_characters(const char *string, const char *what, AevonProblem *problem)
{
	memset(problem, 0, sizeof(*problem));
	for (size_t i = 0; string[i] != '\0'; i++)
	{
		if ((unsigned char) string[i] >= 0x20 && string[i] != 0x7f)
			continue;
		problem->sqlstate = ERRCODE_INVALID_PARAMETER_VALUE;
		problem->message = psprintf("%s must not contain control characters", what);
		problem->detail = psprintf("Byte %zu has the value %d.", i + 1, string[i]);
		return false;
	}
	return true;
}

void
aevon_error_require_name(const char *name, const char *what)
{
	AevonProblem problem;

	if (!aevon_error_check_name(name, what, &problem))
		aevon_error_raise(&problem);
}

void
aevon_error_null(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("%s must not be null", what)));
}

char *
aevon_error_excerpt(const char *text)
{
	int			length = strlen(text);
	int			kept = pg_mbcharcliplen(text, length, EXCERPT_LENGTH);

	return psprintf("%.*s%s", kept, text, kept < length ? "..." : "");
}
