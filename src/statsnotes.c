/*
 * statsnotes.c
 *		What a transaction counts when it commits.
 *
 * The notes are a stack: those of inner subtransactions, whose numbers are
 * greater, lie above.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"

#include "statsnotes.h"

#define FIRST_ROOM 16
#define LOOK_BACK 8				/* notes that are searched for a tenant's */
#define COUNTERS Max((int) AEVON_TENANT_COUNTERS, (int) AEVON_SWEEP_COUNTERS)

typedef struct Note
{
	SubTransactionId owner;
	AevonStatsEntry *entry;		/* NULL: of sweeps */
	int64		counts[COUNTERS];
} Note;

static Note first_notes[FIRST_ROOM];
static Note *notes = first_notes;	/* or in the transaction's memory */
static int	note_count = 0;
static int	room = FIRST_ROOM;

static Note *note_of(AevonStatsEntry *entry);
static void make_room(void);
static void merge(Note *into, const Note *from);
static int	compare_notes(const void *a, const void *b);
static void register_callbacks(void);
static void end_transaction(XactEvent event, void *argument);
static void add_notes(void);
static void end_subtransaction(SubXactEvent event, SubTransactionId id,
							   SubTransactionId parent, void *argument);

void
aevon_statsnotes_add(AevonStatsEntry *entry, AevonTenantCounter counter, int64 n)
{
	note_of(entry)->counts[counter] += n;
}

void
aevon_statsnotes_add_sweep(const int64 *counts)
{
	Note		sweep = {0};

	memcpy(sweep.counts, counts, AEVON_SWEEP_COUNTERS * sizeof(int64));
	merge(note_of(NULL), &sweep);
}

/* The current subtransaction's note of an entry; a new one if none is near. */
static Note *
note_of(AevonStatsEntry *entry)
{
	SubTransactionId owner = GetCurrentSubTransactionId();
	Note	   *note;

	for (int i = note_count - 1; i >= 0 && i >= note_count - LOOK_BACK; i--)
	{
		if (notes[i].owner != owner)
			break;
		if (notes[i].entry == entry)
			return &notes[i];
	}
	register_callbacks();
	if (note_count == room)
		make_room();
	note = &notes[note_count++];
	memset(note, 0, sizeof(*note));
	note->owner = owner;
	note->entry = entry;
	return note;
}

/* Merge notes of the same entry; if that does not gain much, get more room. */
static void
make_room(void)
{
	int			kept = 0;

	qsort(notes, note_count, sizeof(Note), compare_notes);
	for (int i = 1; i < note_count; i++)
		if (notes[i].owner == notes[kept].owner && notes[i].entry == notes[kept].entry)
			merge(&notes[kept], &notes[i]);
		else
			notes[++kept] = notes[i];
	note_count = kept + 1;
	if (note_count > room / 2)
	{
		Note	   *more = MemoryContextAllocHuge(TopTransactionContext,
												  2 * (Size) room * sizeof(Note));

		memcpy(more, notes, note_count * sizeof(Note));
		if (notes != first_notes)
			pfree(notes);
		notes = more;
		room *= 2;
	}
}

static void
merge(Note *into, const Note *from)
{
	for (int i = 0; i < COUNTERS; i++)
		if (into->entry == NULL && i == AEVON_SWEEP_MAX_US)
			into->counts[i] = Max(into->counts[i], from->counts[i]);
		else
			into->counts[i] += from->counts[i];
}

static int
compare_notes(const void *a, const void *b)
{
	const Note *x = a;
	const Note *y = b;

	if (x->owner != y->owner)
		return x->owner < y->owner ? -1 : 1;
	return x->entry < y->entry ? -1 : x->entry > y->entry;
}

static void
register_callbacks(void)
{
	static bool registered = false;

	if (registered)
		return;
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
	registered = true;
}

static void
end_transaction(XactEvent event, void *argument)
{
	if (note_count == 0 || event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
		return;
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
		add_notes();
	note_count = 0;
	notes = first_notes;
	room = FIRST_ROOM;
}

static void
add_notes(void)
{
	for (int i = 0; i < note_count; i++)
	{
		if (notes[i].entry != NULL)
			aevon_stats_add_tenant(notes[i].entry, notes[i].counts);
		else
			aevon_stats_add_sweep(notes[i].counts);
	}
}

static void
end_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent,
				   void *argument)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		while (note_count > 0 && notes[note_count - 1].owner >= id)
			note_count--;
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
		for (int i = note_count - 1; i >= 0 && notes[i].owner >= id; i--)
			notes[i].owner = parent;
}
