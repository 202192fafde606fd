/*
 * logrow.h
 *		A row of the event log: its columns, taken from where they lie.
 *
 * Layer 2.
 */
#ifndef AEVON_LOGROW_H
#define AEVON_LOGROW_H

#include "postgres.h"
#include "access/htup_details.h"
#include "datatype/timestamp.h"
#include "executor/tuptable.h"
#include "utils/jsonb.h"

/*
 * The columns that every event has, as they lie at the front of its row.  They
 * are of fixed width and never null, so they lie where C puts them.
 */
typedef struct AevonLogColumns
{
	int64		stamp;
	TimestampTz occurred_at;
	TimestampTz ingested_at;
	int32		part;
	int32		tenant_key;
	int32		principal_key;
	int32		type_key;
} AevonLogColumns;

#define AEVON_LOG_COLUMNS_END (offsetof(AevonLogColumns, type_key) + sizeof(int32))

static inline const AevonLogColumns *
aevon_log_columns(HeapTuple row)
{
	return (const AevonLogColumns *) GETSTRUCT(row);
}

/* An event as stored.  Pointers are good until the next row is fetched. */
typedef struct AevonLogRow
{
	int64		stamp;
	TimestampTz occurred_at;
	TimestampTz ingested_at;
	int32		part;
	int32		tenant_key;
	int32		principal_key;
	int32		type_key;
	const AevonLogColumns *columns; /* the rest: aevon_log_row_... */
	TupleTableSlot *slot;
	Jsonb	   *data;			/* once asked for */
} AevonLogRow;

/* The row's data; detoasted, once, in the memory context that is then current. */
extern Jsonb *aevon_log_row_data(AevonLogRow *row);

/*
 * The row's event id and hash as they are stored, perhaps compressed: good as
 * long as the row.
 */
typedef struct AevonLogIdentity
{
	struct varlena *event_id;
	struct varlena *content_hash;
} AevonLogIdentity;

extern AevonLogIdentity aevon_log_row_identity(const AevonLogRow *row);

/* The row's event id; palloc'd, zero-terminated. */
extern char *aevon_log_row_event_id(const AevonLogRow *row);

/* Where an event lies. */
typedef struct AevonLogPlace
{
	int64		stamp;			/* the event's: another row may be there by
								 * now */
	Oid			part;
	ItemPointerData tid;
} AevonLogPlace;

extern AevonLogPlace aevon_log_row_place(const AevonLogRow *row);

/* Take a row of the log out of a slot that holds one. */
extern void aevon_log_row_read(AevonLogRow *row, TupleTableSlot *slot);

#endif							/* AEVON_LOGROW_H */
