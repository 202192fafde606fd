/*
 * worker.h
 *		The background processes: one launcher, one worker per database.
 *
 * Layer 4.
 */
#ifndef AEVON_WORKER_H
#define AEVON_WORKER_H

#include "postgres.h"

/* What a worker is told when it is started (BackgroundWorker.bgw_extra). */
typedef struct AevonTicket
{
	int			slot;			/* of shmem.h */
	uint32		number;			/* of this start */
	char		database[NAMEDATALEN];	/* a rename ends the worker */
} AevonTicket;

/* Registers the launcher; from _PG_init when preloading. */
extern void aevon_launcher_register(void);

/* Entry points named in BackgroundWorker.bgw_function_name. */
extern PGDLLEXPORT void aevon_launcher_main(Datum argument);
extern PGDLLEXPORT void aevon_worker_main(Datum argument);

#endif							/* AEVON_WORKER_H */
