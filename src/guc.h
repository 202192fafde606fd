/*
 * guc.h
 *		The settings aevon.*, and the clock.
 *
 * Layer 0: no database access.
 */
#ifndef AEVON_GUC_H
#define AEVON_GUC_H

#include "postgres.h"
#include "utils/timestamp.h"

extern int	aevon_sweep_interval_ms;	/* between two sweeps of the worker */
extern int	aevon_sweep_batch_events;	/* most events a worker's sweep folds */
extern int	aevon_tail_target_events;	/* ingest wakes the worker past it */
extern bool aevon_chain_enabled;	/* sweeps extend the chain */
extern int	aevon_max_workers;	/* that run at the same time */
extern int	aevon_max_databases;	/* with a slot in shared memory */
extern int	aevon_max_event_size_kb;	/* data plus metadata, in kilobytes */
extern int	aevon_max_future_s; /* how far ahead occurred_at may lie; -1 off */
extern int	aevon_max_windows;	/* most windows one read returns */
extern bool aevon_slices_from_log;	/* where that is cheaper */
extern int	aevon_open_minutes; /* of a series; see tiers.h */
extern int	aevon_max_series_per_rule;	/* with dimension values */
extern int	aevon_snapshot_interval_ms; /* between two snapshots; 0: none */
extern int	aevon_allowed_lateness_s;	/* a day is provisional that long */
extern int	aevon_compact_after_s;	/* age of days whose snapshots are thinned
									 * out; -1 off */
extern double aevon_compact_threshold;	/* share of count or sum; see
										 * snapshot.h */
extern double aevon_anomaly_threshold;	/* modified z-score; see outlier.h */
extern int	aevon_stat_databases;	/* with statistics; 0: none */
extern int	aevon_stat_entries; /* tenants and rules with statistics */

/* Thresholds of aevon_health; negative: that check is off. */
extern int	aevon_alert_read_latency_ms;	/* p95 */
extern int	aevon_alert_tail_events;
extern int	aevon_alert_lag_s;
extern int	aevon_alert_backfill_s;
extern double aevon_alert_rejected_rate;	/* events a minute */
extern double aevon_alert_conflict_rate;	/* events a minute */
extern double aevon_alert_late_share;
extern double aevon_alert_series_share;
extern int	aevon_alert_snapshot_s;

extern char *aevon_config_dir;	/* rules loaded at worker start; may be "" */

/* Defines every setting; called once, from _PG_init. */
extern void aevon_guc_define(void);

/*
 * The time, in microseconds since 2000-01-01 UTC: that of the machine, or the
 * setting aevon.clock (superuser only, for tests) where it is set.
 */
extern TimestampTz aevon_clock_now(void);

/* The same for now(): the start of the transaction, or aevon.clock. */
extern TimestampTz aevon_clock_transaction_start(void);

#endif							/* AEVON_GUC_H */
