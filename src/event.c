/*
 * event.c
 *		What makes an event acceptable, and events written as JSON.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "digest.h"
#include "event.h"
#include "guc.h"
#include "json.h"

/* occurred_at and ingested_at: 0001-01-01 UTC to the end of 9999. */
#define FIRST_TIME ((INT64CONST(1721426) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY)
#define END_OF_TIME ((INT64CONST(5373485) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY)

/* Members of an event written as JSON. */
typedef enum Member
{
	MEMBER_TENANT,
	MEMBER_PRINCIPAL,
	MEMBER_EVENT_ID,
	MEMBER_EVENT_TYPE,
	MEMBER_OCCURRED_AT,
	MEMBER_DATA,
	MEMBER_METADATA,
	MEMBER_SOURCE,				/* CloudEvents only, as are those below */
	MEMBER_SPECVERSION,
	MEMBER_COUNT
} Member;

typedef struct Members
{
	bool		given[MEMBER_COUNT];
	JsonbValue	values[MEMBER_COUNT];
	JsonbParseState *others;	/* of a CloudEvent: what becomes metadata */
} Members;

static const char *const own_names[MEMBER_COUNT] = {
	[MEMBER_TENANT] = "tenant",
	[MEMBER_PRINCIPAL] = "principal",
	[MEMBER_EVENT_ID] = "event_id",
	[MEMBER_EVENT_TYPE] = "event_type",
	[MEMBER_OCCURRED_AT] = "occurred_at",
	[MEMBER_DATA] = "data",
	[MEMBER_METADATA] = "metadata",
};

static const char *const cloud_names[MEMBER_COUNT] = {
	[MEMBER_PRINCIPAL] = "subject",
	[MEMBER_EVENT_ID] = "id",
	[MEMBER_EVENT_TYPE] = "type",
	[MEMBER_OCCURRED_AT] = "time",
	[MEMBER_DATA] = "data",
	[MEMBER_SOURCE] = "source",
	[MEMBER_SPECVERSION] = "specversion",
};

static bool check_times(const AevonEvent *event, AevonProblem *problem);
static bool check_documents(const AevonEvent *event, AevonProblem *problem);
static bool fail(AevonProblem *problem, int sqlstate, const char *message,
				 const char *detail);
static bool read_members(JsonbValue *element, const char *const *names, Members *members,
						 AevonProblem *problem);
static Member member_of(const char *const *names, const JsonbValue *key);
static bool read_own(Members *members, AevonEvent *event, AevonProblem *problem);
static bool read_cloud(Members *members, AevonEvent *event, AevonProblem *problem);
static bool take_common(Members *members, const char *const *names, AevonEvent *event,
						AevonProblem *problem);
static bool take_text(Members *members, Member member, const char *name, const char **text,
					  AevonProblem *problem);
static bool take_time(const char *text, const char *name, TimestampTz *at,
					  AevonProblem *problem);
static bool is_iso_time(const char *text);
static bool skip_form(const char **at, const char *form);
static Jsonb *take_document(Members *members, Member member);

bool
aevon_event_check_tenant(const char *tenant, AevonProblem *problem)
{
	if (!aevon_error_check_name(tenant, "tenant", problem))
		return false;
	if (strcmp(tenant, "*") == 0)
		return fail(problem, ERRCODE_INVALID_PARAMETER_VALUE,
					"\"*\" is not the name of a tenant",
					"It stands for all tenants in aevon_grant().");
	return true;
}

void
aevon_event_require_tenant(const char *tenant)
{
	AevonProblem problem;

	if (!aevon_event_check_tenant(tenant, &problem))
		aevon_error_raise(&problem);
}

bool
aevon_event_check(const AevonEvent *event, AevonProblem *problem)
{
	if (!aevon_error_check_name(event->principal, "principal", problem) ||
		!aevon_error_check_name(event->event_id, "event_id", problem) ||
		!aevon_error_check_name(event->event_type, "event_type", problem))
		return false;
	if (strcmp(event->event_type, "*") == 0)
		return fail(problem, ERRCODE_INVALID_PARAMETER_VALUE,
					"\"*\" is not an event type",
					"It stands for every event type in a rule.");
	return check_times(event, problem) && check_documents(event, problem);
}

bool
aevon_event_from_json(JsonbValue *element, AevonEvent *event, AevonProblem *problem)
{
	Members		members;
	bool		is_cloud;

	if (element->type != jbvBinary || !JsonContainerIsObject(element->val.binary.data))
		return fail(problem, ERRCODE_INVALID_PARAMETER_VALUE,
					"event is not a JSON object", NULL);

	memset(&members, 0, sizeof(members));
	is_cloud = getKeyJsonValueFromContainer(element->val.binary.data, "specversion",
											strlen("specversion"), NULL) != NULL;
	if (!read_members(element, is_cloud ? cloud_names : own_names, &members, problem))
		return false;
	return is_cloud ? read_cloud(&members, event, problem) :
		read_own(&members, event, problem);
}

void
aevon_event_conflict(const AevonEvent *event, AevonOutcome outcome, AevonProblem *problem)
{
	problem->sqlstate = ERRCODE_UNIQUE_VIOLATION;
	problem->message = psprintf("event \"%s\" exists with other content", event->event_id);
	problem->detail = outcome == AEVON_CONFLICT_TIME ?
		"Its occurred_at differs from the one given." :
		"Its event type or data differ from those given.";
	problem->hint = "An event id may be sent again only with the same content. Give another event an id of its own.";
}

static bool
check_times(const AevonEvent *event, AevonProblem *problem)
{
	TimestampTz now;

	if (TIMESTAMP_NOT_FINITE(event->occurred_at))
		return fail(problem, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE,
					"occurred_at must be finite", NULL);
	if (event->occurred_at < FIRST_TIME || event->occurred_at >= END_OF_TIME)
		return fail(problem, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE,
					"occurred_at is out of range",
					"It must lie in the years 0001 to 9999 AD.");
	now = aevon_clock_now();
	if (aevon_max_future_s >= 0 &&
		event->occurred_at - now > (int64) aevon_max_future_s * USECS_PER_SEC)
		return fail(problem, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE,
					"occurred_at is too far in the future",
					psprintf("It may lie at most %d seconds ahead (setting aevon.max_future).",
							 aevon_max_future_s));
	if (event->ingested_given &&
		(event->ingested_at < FIRST_TIME || event->ingested_at > now))
		return fail(problem, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE,
					"ingested_at is out of range",
					"It must lie between the year 0001 and now.");
	return true;
}

static bool
check_documents(const AevonEvent *event, AevonProblem *problem)
{
	Size		size;

	if (event->data == NULL)
		return fail(problem, ERRCODE_NULL_VALUE_NOT_ALLOWED, "data must not be null", NULL);
	if (!JB_ROOT_IS_OBJECT(event->data))
		return fail(problem, ERRCODE_INVALID_PARAMETER_VALUE,
					"data must be a JSON object", NULL);

	size = VARSIZE_ANY_EXHDR(event->data) +
		(event->metadata != NULL ? VARSIZE_ANY_EXHDR(event->metadata) : 0);
	if (size > (Size) aevon_max_event_size_kb * 1024)
		return fail(problem, ERRCODE_PROGRAM_LIMIT_EXCEEDED, "event is too large",
					psprintf("data and metadata have %zu bytes, of at most %d kB (setting aevon.max_event_size).",
							 size, aevon_max_event_size_kb));
	if (aevon_digest_nesting(event->data) > AEVON_MAX_NESTING ||
		(event->metadata != NULL &&
		 aevon_digest_nesting(event->metadata) > AEVON_MAX_NESTING))
		return fail(problem, ERRCODE_PROGRAM_LIMIT_EXCEEDED, "event is nested too deeply",
					psprintf("Objects and arrays may be nested %d levels deep.",
							 AEVON_MAX_NESTING));
	return true;
}

static bool
fail(AevonProblem *problem, int sqlstate, const char *message, const char *detail)
{
	problem->sqlstate = sqlstate;
	problem->message = message;
	problem->detail = detail;
	problem->hint = NULL;
	return false;
}

/* Sort an object's members by `names`; what has no name there, see below. */
static bool
read_members(JsonbValue *element, const char *const *names, Members *members,
			 AevonProblem *problem)
{
	JsonbIterator *it = JsonbIteratorInit(element->val.binary.data);
	JsonbValue	key;
	JsonbValue	value;

	(void) JsonbIteratorNext(&it, &key, true);	/* the object's beginning */
	while (JsonbIteratorNext(&it, &key, true) == WJB_KEY)
	{
		Member		member = member_of(names, &key);

		(void) JsonbIteratorNext(&it, &value, true);
		if (member != MEMBER_COUNT)
		{
			members->given[member] = true;
			members->values[member] = value;
		}
		if (names == own_names && member == MEMBER_COUNT)
			return fail(problem, ERRCODE_INVALID_PARAMETER_VALUE,
						psprintf("event has an unknown member \"%s\"",
								 aevon_error_excerpt(pnstrdup(key.val.string.val,
															  key.val.string.len))),
						"Members are principal, event_id, event_type, occurred_at, data and metadata.");
		if (names == cloud_names &&
			(member == MEMBER_COUNT || member == MEMBER_SPECVERSION))
		{
			if (members->others == NULL)
				pushJsonbValue(&members->others, WJB_BEGIN_OBJECT, NULL);
			pushJsonbValue(&members->others, WJB_KEY, &key);
			pushJsonbValue(&members->others, WJB_VALUE, &value);
		}
	}
	return true;
}

static Member
member_of(const char *const *names, const JsonbValue *key)
{
	Member		member;

	for (member = 0; member < MEMBER_COUNT; member++)
		if (names[member] != NULL &&
			strlen(names[member]) == key->val.string.len &&
			memcmp(names[member], key->val.string.val, key->val.string.len) == 0)
			break;
	return member;
}

static bool
read_own(Members *members, AevonEvent *event, AevonProblem *problem)
{
	const char *tenant = event->tenant;

	if (!take_common(members, own_names, event, problem) ||
		!take_text(members, MEMBER_TENANT, "tenant", &tenant, problem))
		return false;
	if (tenant == NULL || strcmp(tenant, event->tenant) != 0)
		return fail(problem, ERRCODE_INVALID_PARAMETER_VALUE,
					"event is of another tenant than the batch", NULL);
	event->metadata = take_document(members, MEMBER_METADATA);
	return true;
}

static bool
read_cloud(Members *members, AevonEvent *event, AevonProblem *problem)
{
	const char *version = NULL;
	const char *source = NULL;
	JsonbValue *metadata;

	if (!take_text(members, MEMBER_SPECVERSION, "specversion", &version, problem) ||
		!take_text(members, MEMBER_SOURCE, "source", &source, problem) ||
		!take_common(members, cloud_names, event, problem))
		return false;
	if (version == NULL || strcmp(version, "1.0") != 0)
		return fail(problem, ERRCODE_INVALID_PARAMETER_VALUE,
					"specversion of a CloudEvent must be \"1.0\"", NULL);
	if (!aevon_error_check_name(source, "source", problem) ||
		!aevon_error_check_name(event->event_id, "id", problem) ||
		!aevon_error_check_name(event->event_type, "type", problem) ||
		!aevon_error_check_name(event->principal, "subject", problem))
		return false;
	if (source != NULL && strchr(source, ' ') != NULL)
		return fail(problem, ERRCODE_INVALID_PARAMETER_VALUE,
					"source of a CloudEvent must be a URI reference",
					"It contains a space.");
	event->event_id = psprintf("%s %s", source, event->event_id);
	metadata = pushJsonbValue(&members->others, WJB_END_OBJECT, NULL);
	event->metadata = JsonbValueToJsonb(metadata);
	return true;
}

/* The members that both forms have. */
static bool
take_common(Members *members, const char *const *names, AevonEvent *event,
			AevonProblem *problem)
{
	const char *time = NULL;

	if (!take_text(members, MEMBER_PRINCIPAL, names[MEMBER_PRINCIPAL],
				   &event->principal, problem) ||
		!take_text(members, MEMBER_EVENT_ID, names[MEMBER_EVENT_ID],
				   &event->event_id, problem) ||
		!take_text(members, MEMBER_EVENT_TYPE, names[MEMBER_EVENT_TYPE],
				   &event->event_type, problem) ||
		!take_text(members, MEMBER_OCCURRED_AT, names[MEMBER_OCCURRED_AT], &time, problem))
		return false;
	event->occurred_given = time != NULL;
	if (time != NULL &&
		!take_time(time, names[MEMBER_OCCURRED_AT], &event->occurred_at, problem))
		return false;
	if (members->given[MEMBER_DATA])
		event->data = take_document(members, MEMBER_DATA);
	else
		event->data = aevon_json_empty();
	return true;
}

/* A string member; left as it is if not given, NULL if null. */
static bool
take_text(Members *members, Member member, const char *name, const char **text,
		  AevonProblem *problem)
{
	JsonbValue *value = &members->values[member];

	if (!members->given[member])
		return true;
	if (value->type == jbvNull)
		*text = NULL;
	else if (value->type == jbvString)
		*text = pnstrdup(value->val.string.val, value->val.string.len);
	else
		return fail(problem, ERRCODE_INVALID_PARAMETER_VALUE,
					psprintf("%s must be a JSON string", name), NULL);
	return true;
}

/*
 * A time in ISO 8601's extended form.  The form is checked first: PostgreSQL's
 * parser takes many others, and raises an error for unknown time zones.
 */
static bool
take_time(const char *text, const char *name, TimestampTz *at, AevonProblem *problem)
{
	char		work[MAXDATELEN + MAXDATEFIELDS];
	char	   *fields[MAXDATEFIELDS];
	int			types[MAXDATEFIELDS];
	int			count;
	int			kind;
	struct pg_tm parts;
	fsec_t		fraction;
	int			zone;

	if (is_iso_time(text) &&
		ParseDateTime(text, work, sizeof(work), fields, types, MAXDATEFIELDS, &count) == 0 &&
		DecodeDateTime(fields, types, count, &kind, &parts, &fraction, &zone) == 0 &&
		kind == DTK_DATE &&
		tm2timestamp(&parts, fraction, &zone, at) == 0)
		return true;
	return fail(problem, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE,
				psprintf("%s is not a time: \"%s\"", name, aevon_error_excerpt(text)),
				"Times are written as in 2026-01-31T12:00:00.000Z.");
}

/*
 * YYYY-MM-DD, then perhaps T or a space and HH:MM[:SS[.fraction]], then
 * perhaps Z or +HH[[:]MM].  Values are not checked.
 */
static bool
is_iso_time(const char *text)
{
	static const char date[] = "dddd-dd-dd";
	const char *at = text;

	if (!skip_form(&at, date))
		return false;
	if (*at == '\0')
		return true;
	if (*at != 'T' && *at != 't' && *at != ' ')
		return false;
	at++;
	if (!skip_form(&at, "dd:dd"))
		return false;
	if (skip_form(&at, ":dd") && *at == '.')
		do
			at++;
		while (isdigit((unsigned char) *at));
	if (*at == 'Z' || *at == 'z')
		at++;
	else if (*at == '+' || *at == '-')
	{
		at++;
		if (!skip_form(&at, "dd"))
			return false;
		if (!skip_form(&at, ":dd"))
			(void) skip_form(&at, "dd");
	}
	return *at == '\0';
}

/* Skip a form, of which d is any digit; false, and no move, if it is not there. */
static bool
skip_form(const char **at, const char *form)
{
	const char *c = *at;

	for (; *form != '\0'; form++, c++)
		if (*form == 'd' ? !isdigit((unsigned char) *c) : *c != *form)
			return false;
	*at = c;
	return true;
}

/* A member as a document of its own; NULL if missing or null. */
static Jsonb *
take_document(Members *members, Member member)
{
	if (!members->given[member] || members->values[member].type == jbvNull)
		return NULL;
	return JsonbValueToJsonb(&members->values[member]);
}
