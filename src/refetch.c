/*
 * refetch.c
 *		A row fetched again from where it was found before.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/rel.h"

#include "refetch.h"

static bool pin_page(Relation heap, AevonPlaceOfRow *place);

/*
 * A row that was updated in place on its page is found from the first of its
 * versions there, which keeps its line pointer for as long as any is left.
 */
AevonPlaceOfRow
aevon_refetch_place(Relation heap, ItemPointer found)
{
	OffsetNumber roots[MaxHeapTuplesPerPage];
	Buffer		buffer = ReadBuffer(heap, ItemPointerGetBlockNumber(found));
	AevonPlaceOfRow place = {*found, buffer};
	OffsetNumber root;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	heap_get_root_tuples(BufferGetPage(buffer), roots);
	UnlockReleaseBuffer(buffer);
	root = roots[ItemPointerGetOffsetNumber(found) - 1];
	if (OffsetNumberIsValid(root))
		ItemPointerSetOffsetNumber(&place.tid, root);
	return place;
}

bool
aevon_refetch_row(Relation heap, AevonPlaceOfRow *place, Snapshot snapshot,
				  HeapTuple tuple, Buffer *buffer)
{
	ItemPointerData at = place->tid;
	bool		found;

	if (!pin_page(heap, place))
		return false;
	*buffer = place->buffer;
	LockBuffer(*buffer, BUFFER_LOCK_SHARE);
	found = heap_hot_search_buffer(&at, heap, *buffer, snapshot, tuple, NULL, true);
	LockBuffer(*buffer, BUFFER_LOCK_UNLOCK);
	if (!found)
		ReleaseBuffer(*buffer);
	else
		pgstat_count_heap_fetch(heap);
	return found;
}

/* False: the table has become shorter since. */
static bool
pin_page(Relation heap, AevonPlaceOfRow *place)
{
	BlockNumber block = ItemPointerGetBlockNumber(&place->tid);

	if (ReadRecentBuffer(heap->rd_node, MAIN_FORKNUM, block, place->buffer))
		return true;
	if (block >= RelationGetNumberOfBlocks(heap))
		return false;
	place->buffer = ReadBuffer(heap, block);
	return true;
}
