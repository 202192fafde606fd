/*
 * outcome.c
 *		Counting what becomes of events on their way in.
 */
#include "postgres.h"

#include "bucket.h"
#include "dictionary.h"
#include "outcome.h"
#include "stats.h"

static int32 tenant_key(const AevonEvent *event);

void
aevon_outcome_note(const AevonEvent *event, AevonOutcome outcome)
{
	int32		key;

	if (!aevon_stats_available())
		return;
	key = tenant_key(event);
	if (outcome == AEVON_ACCEPTED)
	{
		aevon_stats_note(key, AEVON_COUNT_ACCEPTED, 1);
		if (aevon_window_of(event->occurred_at, AEVON_DAY) <
			aevon_window_of(event->ingested_at, AEVON_DAY))
			aevon_stats_note(key, AEVON_COUNT_LATE, 1);
	}
	else if (outcome == AEVON_DUPLICATE)
		aevon_stats_note(key, AEVON_COUNT_DUPLICATE, 1);
	else
		aevon_stats_count(key, AEVON_COUNT_CONFLICT);
}

void
aevon_outcome_note_rejection(const AevonEvent *event)
{
	if (aevon_stats_available())
		aevon_stats_note(tenant_key(event), AEVON_COUNT_REJECTED, 1);
}

void
aevon_outcome_count_refusal(const AevonEvent *event)
{
	int32		key;

	if (!aevon_stats_available() || event->tenant == NULL)
		return;
	/* a tenant without any event has no key, and gets none by a bad one */
	key = tenant_key(event);
	if (key != 0)
		aevon_stats_count(key, AEVON_COUNT_REFUSED);
}

static int32
tenant_key(const AevonEvent *event)
{
	return aevon_dictionary_find(AEVON_DICTIONARY_TENANT, 0, event->tenant);
}
