/*
 * splice.h
 *		Packed rows made from others without decoding what stays as it is.
 *
 * Layer 0: no database access.
 */
#ifndef AEVON_SPLICE_H
#define AEVON_SPLICE_H

#include "postgres.h"

#include "bucket.h"

/*
 * A row with states merged into its last window or put behind it, or (open)
 * beside it, windows strictly ascending; the entries before are neither decoded
 * nor encoded anew.  NULL: that does not do, or would be too much for one row.
 */
extern bytea *aevon_splice_append(const bytea *state, const AevonWindowState *states, int count,
								  int max_windows, int max_bytes);

/*
 * The same with states merged into any windows of a row that is not open, or put
 * between them; only entries that change are decoded.
 */
extern bytea *aevon_splice_insert(const bytea *state, const AevonWindowState *states, int count,
								  int max_windows, int max_bytes);

#endif							/* AEVON_SPLICE_H */
