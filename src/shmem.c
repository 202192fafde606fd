/*
 * shmem.c
 *		Shared memory: one slot per database with a worker.
 *
 * Layer 1.
 */
#include "postgres.h"

#include "shmem.h"

void
aevon_shmem_request(void)
{
}

bool
aevon_shmem_available(void)
{
	return false;
}

void
aevon_shmem_note_ingested(int64 n)
{
}

void
aevon_shmem_note_swept(int64 n)
{
}
