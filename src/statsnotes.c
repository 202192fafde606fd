/*
 * statsnotes.c
 *		What a transaction counts when it commits.
 *
 * The notes are a stack: those of inner subtransactions, whose numbers are
 * greater, lie above.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "utils/memutils.h"

#include "statsnotes.h"

#define FIRST_ROOM 16
#define PLACES 64				/* where to look for a target's note first */

typedef struct Note
{
	SubTransactionId owner;
	void	   *target;
	AevonNoteAdder adder;
	AevonNote	note;
} Note;

static Note first_notes[FIRST_ROOM];
static Note *notes = first_notes;	/* or in the transaction's memory */
static int	note_count = 0;
static int	room = FIRST_ROOM;

static void make_room(void);
static void merge(AevonNote *into, const AevonNote *from);
static int	compare_notes(const void *a, const void *b);
static void register_callbacks(void);
static void end_transaction(XactEvent event, void *argument);
static void end_subtransaction(SubXactEvent event, SubTransactionId id,
							   SubTransactionId parent, void *argument);

AevonNote *
aevon_statsnotes_of(void *target, AevonNoteAdder adder)
{
	static int	places[PLACES];
	SubTransactionId owner = GetCurrentSubTransactionId();
	int		   *place = &places[murmurhash32((uint32) ((uintptr_t) target >> 3)) % PLACES];
	Note	   *note;

	/* a place may be of another target, or of notes that are gone */
	if (*place < note_count && notes[*place].target == target && notes[*place].owner == owner)
		return &notes[*place].note;
	register_callbacks();
	if (note_count == room)
		make_room();
	*place = note_count;
	note = &notes[note_count++];
	memset(note, 0, sizeof(*note));
	note->owner = owner;
	note->target = target;
	note->adder = adder;
	return &note->note;
}

/* Merge notes of the same target; if that does not gain much, get more room. */
static void
make_room(void)
{
	int			kept = 0;

	qsort(notes, note_count, sizeof(Note), compare_notes);
	for (int i = 1; i < note_count; i++)
		if (notes[i].owner == notes[kept].owner && notes[i].target == notes[kept].target)
			merge(&notes[kept].note, &notes[i].note);
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
merge(AevonNote *into, const AevonNote *from)
{
	for (int i = 0; i < AEVON_NOTE_SUMS; i++)
		into->sums[i] += from->sums[i];
	into->maximum = Max(into->maximum, from->maximum);
}

static int
compare_notes(const void *a, const void *b)
{
	const Note *x = a;
	const Note *y = b;

	if (x->owner != y->owner)
		return x->owner < y->owner ? -1 : 1;
	return x->target < y->target ? -1 : x->target > y->target;
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
		for (int i = 0; i < note_count; i++)
			notes[i].adder(notes[i].target, &notes[i].note);
	note_count = 0;
	notes = first_notes;
	room = FIRST_ROOM;
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
