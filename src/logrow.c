/*
 * logrow.c
 *		A row of the event log: its columns, taken from where they lie.
 *
 * Taking a row apart column by column would cost more than all the rest that a
 * tail or a sweep does with it.
 */
#include "postgres.h"

#include "access/tupmacs.h"
#include "utils/builtins.h"

#include "catalog.h"
#include "logrow.h"

static struct varlena *next_column(const AevonLogColumns *columns, Size *at);

void
aevon_log_row_read(AevonLogRow *row, TupleTableSlot *slot)
{
	const AevonLogColumns *columns =
	aevon_log_columns(ExecFetchSlotHeapTuple(slot, false, NULL));

	StaticAssertStmt(Anum_event_log_stamp == 1 && Anum_event_log_type_key == 7,
					 "the log's fixed columns come first");
	row->stamp = columns->stamp;
	row->occurred_at = columns->occurred_at;
	row->ingested_at = columns->ingested_at;
	row->part = columns->part;
	row->tenant_key = columns->tenant_key;
	row->principal_key = columns->principal_key;
	row->type_key = columns->type_key;
	row->columns = columns;
	row->slot = slot;
	row->data = NULL;
}

Jsonb *
aevon_log_row_data(AevonLogRow *row)
{
	Size		at = AEVON_LOG_COLUMNS_END;

	StaticAssertStmt(Anum_event_log_data == Anum_event_log_content_hash + 1,
					 "the log's data come after its hash");
	if (row->data == NULL)
	{
		next_column(row->columns, &at);
		next_column(row->columns, &at);
		row->data = DatumGetJsonbP(PointerGetDatum(next_column(row->columns, &at)));
	}
	return row->data;
}

AevonLogIdentity
aevon_log_row_identity(const AevonLogRow *row)
{
	Size		at = AEVON_LOG_COLUMNS_END;
	AevonLogIdentity identity;

	StaticAssertStmt(Anum_event_log_event_id == Anum_event_log_type_key + 1 &&
					 Anum_event_log_content_hash == Anum_event_log_event_id + 1,
					 "the log's id and hash come after its fixed columns");
	identity.event_id = next_column(row->columns, &at);
	identity.content_hash = next_column(row->columns, &at);
	return identity;
}

char *
aevon_log_row_event_id(const AevonLogRow *row)
{
	return TextDatumGetCString(PointerGetDatum(aevon_log_row_identity(row).event_id));
}

AevonLogPlace
aevon_log_row_place(const AevonLogRow *row)
{
	AevonLogPlace place = {row->stamp, row->slot->tts_tableOid, row->slot->tts_tid};

	return place;
}

/* Columns of any width that are never null. */
static struct varlena *
next_column(const AevonLogColumns *columns, Size *at)
{
	char	   *row = (char *) columns;
	Size		begin = att_align_pointer(*at, TYPALIGN_INT, -1, row + *at);

	*at = att_addlength_pointer(begin, -1, row + begin);
	return (struct varlena *) (row + begin);
}
