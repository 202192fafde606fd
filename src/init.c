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
#include "hooks.h"
#include "shmem.h"
#include "stats.h"
#include "worker.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	aevon_guc_define();

	/* in a binary upgrade nothing of ours may run */
	if (process_shared_preload_libraries_in_progress && !IsBinaryUpgrade)
	{
		aevon_shmem_request();
		aevon_stats_request();
		aevon_hooks_install();
		aevon_launcher_register();
	}
}
