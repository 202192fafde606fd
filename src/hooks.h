/*
 * hooks.h
 *		What any backend of a preloaded server watches for: extensions that come
 *		and go, and commands on whole databases.
 *
 * Commands that need a database to themselves (DROP DATABASE, ALTER DATABASE
 * RENAME and SET TABLESPACE, CREATE DATABASE from it as template) would wait
 * for its worker and then fail.  So the worker is sent away first, and kept
 * away until the command's transaction ends.  Layer 4.
 */
#ifndef AEVON_HOOKS_H
#define AEVON_HOOKS_H

/* From _PG_init when preloading. */
extern void aevon_hooks_install(void);

#endif							/* AEVON_HOOKS_H */
