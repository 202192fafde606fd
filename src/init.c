/*
 * init.c
 *		Loading of the library.
 *
 * Layer 5.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "guc.h"
#include "shmem.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	aevon_guc_define();
	if (process_shared_preload_libraries_in_progress)
		aevon_shmem_request();
}
