/*
 * comparerows.h
 *		The stored rows of a series, each by itself.
 *
 * Layer 2.
 */
#ifndef AEVON_COMPAREROWS_H
#define AEVON_COMPAREROWS_H

#include "postgres.h"

#include "difference.h"

/* Each row by itself: readable, in its place, and its merged state right. */
extern void aevon_comparerows_check(AevonComparison *state);

/* Decode a row; false if its bytes are damaged. */
extern bool aevon_comparerows_decode(const bytea *bytes, AevonPacked *packed);

#endif							/* AEVON_COMPAREROWS_H */
