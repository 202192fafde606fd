/*
 * compat.h
 *		The only place that knows PostgreSQL versions apart.
 *
 * Layer 0.
 */
#ifndef AEVON_COMPAT_H
#define AEVON_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 160000
#error "Aevon 0.1 supports PostgreSQL 15"
#endif

#endif							/* AEVON_COMPAT_H */
