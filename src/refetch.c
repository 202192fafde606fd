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

/*
 * A row that was updated in place on its page is found from the first of its
 * versions there, which keeps its line pointer for as long as any is left.
 */
ItemPointerData
aevon_refetch_place(Relation heap, ItemPointer found)
{
	ItemPointerData place = *found;
	OffsetNumber roots[MaxHeapTuplesPerPage];
	Buffer		buffer = ReadBuffer(heap, ItemPointerGetBlockNumber(found));
	OffsetNumber root;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	heap_get_root_tuples(BufferGetPage(buffer), roots);
	UnlockReleaseBuffer(buffer);
	root = roots[ItemPointerGetOffsetNumber(found) - 1];
	if (OffsetNumberIsValid(root))
		ItemPointerSetOffsetNumber(&place, root);
	return place;
}

bool
aevon_refetch_row(Relation heap, const ItemPointerData *place, Snapshot snapshot,
				  HeapTuple tuple, Buffer *buffer)
{
	ItemPointerData at = *place;
	bool		found;

	/* the table may have become shorter since */
	if (ItemPointerGetBlockNumber(&at) >= RelationGetNumberOfBlocks(heap))
		return false;
	*buffer = ReadBuffer(heap, ItemPointerGetBlockNumber(&at));
	LockBuffer(*buffer, BUFFER_LOCK_SHARE);
	found = heap_hot_search_buffer(&at, heap, *buffer, snapshot, tuple, NULL, true);
	LockBuffer(*buffer, BUFFER_LOCK_UNLOCK);
	if (!found)
		ReleaseBuffer(*buffer);
	else
		pgstat_count_heap_fetch(heap);
	return found;
}
