/*
 * guc.c
 *		The settings aevon.*, and the clock.
 */
#include "postgres.h"

#include <limits.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "guc.h"

/* The most kilobytes an event may have: a quarter of what jsonb can hold. */
#define LARGEST_EVENT_KB (64 * 1024)

int			aevon_sweep_interval_ms = 120 * 1000;
int			aevon_sweep_batch_events = 50000;
int			aevon_tail_target_events = 500;
bool		aevon_chain_enabled = true;
int			aevon_max_workers = 4;
int			aevon_max_databases = 1000;
int			aevon_max_event_size_kb = 1024;
int			aevon_max_future_s = SECS_PER_DAY;
int			aevon_max_windows = 100000;
bool		aevon_slices_from_log = true;
int			aevon_open_minutes = 64;
int			aevon_max_series_per_rule = 100000;
char	   *aevon_config_dir = NULL;

int			aevon_snapshot_interval_ms = 3600 * 1000;
int			aevon_allowed_lateness_s = 2 * SECS_PER_DAY;
int			aevon_compact_after_s = -1;
double		aevon_compact_threshold = 0.01;
double		aevon_anomaly_threshold = 3.5;

int			aevon_stat_databases = 32;
int			aevon_stat_entries = 10000;

int			aevon_alert_read_latency_ms = 100;
int			aevon_alert_tail_events = 50000;
int			aevon_alert_lag_s = 600;
int			aevon_alert_backfill_s = 3600;
double		aevon_alert_rejected_rate = 10;
double		aevon_alert_conflict_rate = 10;
double		aevon_alert_late_share = 0.2;
double		aevon_alert_series_share = 0.8;
int			aevon_alert_snapshot_s = 3 * 3600;


static char *clock_setting = NULL;
static TimestampTz clock_fixed_at = 0;	/* 0: not set */

static void define_sweep_settings(void);
static void define_snapshot_settings(void);
static void define_processes(void);
static void define_limits(void);
static void define_statistics(void);
static void define_alerts(void);
static void define_rate_alerts(void);
static void define_clock(void);
static bool check_clock(char **value, void **extra, GucSource source);
static void assign_clock(const char *value, void *extra);

void
aevon_guc_define(void)
{
	define_sweep_settings();
	define_snapshot_settings();
	define_processes();
	define_limits();
	define_statistics();
	define_alerts();
	define_rate_alerts();
	define_clock();
	DefineCustomStringVariable("aevon.config_dir",
							   "Directory of the YAML rule files that a worker loads when it starts.",
							   "An absolute path on the server; empty: none.",
							   &aevon_config_dir, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   NULL, NULL, NULL);
	MarkGUCPrefixReserved("aevon");
}

TimestampTz
aevon_clock_now(void)
{
	return clock_fixed_at != 0 ? clock_fixed_at : GetCurrentTimestamp();
}

TimestampTz
aevon_clock_transaction_start(void)
{
	return clock_fixed_at != 0 ? clock_fixed_at : GetCurrentTransactionStartTimestamp();
}

static void
define_sweep_settings(void)
{
	DefineCustomIntVariable("aevon.sweep_interval",
							"Time between two sweeps of the background worker.",
							"In milliseconds if no unit is given. A sweep comes sooner when ingest has grown the tail past aevon.tail_target_events.",
							&aevon_sweep_interval_ms, 120 * 1000, 100, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("aevon.sweep_batch_events",
							"Number of events past which a worker's sweep ends its transaction.",
							"A backlog is drained in batches of about this many events; a larger transaction of events is folded whole.",
							&aevon_sweep_batch_events, 50000, 100, INT_MAX,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("aevon.tail_target_events",
							"Number of events outside the buckets past which ingest wakes the worker.",
							"Every read scans the tail of its principal or tenant; a smaller target makes reads cheaper and sweeps more frequent.",
							&aevon_tail_target_events, 500, 1, INT_MAX,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("aevon.chain",
							 "Whether sweeps extend the tamper-evident chain over the event log.",
							 "Switched on again, the chain goes on with all that came meanwhile.",
							 &aevon_chain_enabled, true, PGC_SUSET, 0, NULL, NULL, NULL);
}

static void
define_snapshot_settings(void)
{
	DefineCustomIntVariable("aevon.snapshot_interval",
							"Time between two runs of the background worker's snapshots.",
							"In milliseconds if no unit is given; 0: the worker takes none.",
							&aevon_snapshot_interval_ms, 3600 * 1000, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("aevon.allowed_lateness",
							"How long after a UTC day's end its metrics stay provisional.",
							"In seconds if no unit is given. A snapshot that changes a metric later is marked as revised.",
							&aevon_allowed_lateness_s, 2 * SECS_PER_DAY, 0, INT_MAX,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("aevon.compact_after",
							"Age of UTC days whose snapshots are thinned out.",
							"In seconds if no unit is given; -1: none ever. Kept are the first after the day's end, each that changed count or sum by more than aevon.compact_threshold, and the last.",
							&aevon_compact_after_s, -1, -1, INT_MAX,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomRealVariable("aevon.compact_threshold",
							 "Change of count or sum past which a snapshot outlives compaction.",
							 "A share of the value before: 0.01 is one percent.",
							 &aevon_compact_threshold, 0.01, 0, 1000,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomRealVariable("aevon.anomaly_threshold",
							 "Modified z-score past which a day is flagged in aevon.daily_metrics.",
							 "How far a day lies outside the same weekdays of the last eight weeks, in robust standard deviations.",
							 &aevon_anomaly_threshold, 3.5, 0.1, 1000,
							 PGC_USERSET, 0, NULL, NULL, NULL);
}

static void
define_processes(void)
{
	DefineCustomIntVariable("aevon.max_workers",
							"Most background workers of Aevon that run at the same time.",
							"With more databases than that, they take turns; 0: none is started. Each uses one of max_worker_processes.",
							&aevon_max_workers, 4, 0, 1024,
							PGC_SIGHUP, 0, NULL, NULL, NULL);

	/* sizes shared memory, so it is there only when preloaded */
	if (process_shared_preload_libraries_in_progress)
		DefineCustomIntVariable("aevon.max_databases",
								"Most databases that Aevon's background workers look after.",
								"It sizes shared memory.",
								&aevon_max_databases, 1000, 1, 1000000,
								PGC_POSTMASTER, 0, NULL, NULL, NULL);
}

static void
define_limits(void)
{
	DefineCustomIntVariable("aevon.max_event_size",
							"Largest size of an event's data and metadata together.",
							"In kilobytes if no unit is given. Larger events are refused with 54000.",
							&aevon_max_event_size_kb, 1024, 1, LARGEST_EVENT_KB,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("aevon.max_future",
							"How far ahead of the clock an event's occurred_at may lie.",
							"In seconds if no unit is given; -1 turns the limit off. Events beyond it are refused with 22008.",
							&aevon_max_future_s, SECS_PER_DAY, -1, INT_MAX,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomBoolVariable("aevon.slices_from_log",
							 "Whether a principal's answers by dimension may be read from the event log.",
							 "That is done where its events are few beside its series; the answer is the same.",
							 &aevon_slices_from_log, true, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("aevon.max_windows",
							"Most windows that one read may return for one rule.",
							"A read that would return more is refused with 54000.",
							&aevon_max_windows, 100000, 1, INT_MAX / 8,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("aevon.open_minutes",
							"Most minutes of a series that wait in its own row to be merged into its buckets.",
							"More make sweeps write fewer rows, and rows of series larger; answers do not depend on it.",
							&aevon_open_minutes, 64, 0, 64,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("aevon.max_series_per_rule",
							"Number of a tenant's series with dimension values past which a rule makes none for its new combinations.",
							"Events of combinations that the tenant has no series for are then folded together as __other__, until the rule is rebuilt.",
							&aevon_max_series_per_rule, 100000, 0, 1000000000,
							PGC_SUSET, 0, NULL, NULL, NULL);
}

/* They size shared memory, so they are there only when preloaded. */
static void
define_statistics(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	DefineCustomIntVariable("aevon.stat_databases",
							"Most databases with statistics in shared memory.",
							"Each takes about 30 kB; 0: no statistics at all.",
							&aevon_stat_databases, 32, 0, 10000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("aevon.stat_entries",
							"Most tenants and rules, of all databases, with statistics in shared memory.",
							"Each takes about 160 bytes. Tenants past it are counted together.",
							&aevon_stat_entries, 10000, 100, 10000000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
}

/* Thresholds of aevon_health and aevon.alerts. */
static void
define_alerts(void)
{
	DefineCustomIntVariable("aevon.alert_read_latency",
							"Recent 95th percentile of read calls past which aevon_health warns.",
							"In milliseconds if no unit is given; -1: never.",
							&aevon_alert_read_latency_ms, 100, -1, INT_MAX,
							PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("aevon.alert_tail_events",
							"Number of events outside the buckets past which aevon_health warns.",
							"-1: never.",
							&aevon_alert_tail_events, 50000, -1, INT_MAX / 8,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("aevon.alert_lag",
							"Age of the oldest event outside the buckets, or outside the chain, past which aevon_health warns.",
							"In seconds if no unit is given; -1: never.",
							&aevon_alert_lag_s, 600, -1, INT_MAX,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("aevon.alert_backfill",
							"Time for which a backfill has not moved past which aevon_health warns.",
							"In seconds if no unit is given; -1: never.",
							&aevon_alert_backfill_s, 3600, -1, INT_MAX,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("aevon.alert_snapshot",
							"Age of the last snapshots past which aevon_health warns, if days have changed since.",
							"In seconds if no unit is given; -1: never.",
							&aevon_alert_snapshot_s, 3 * 3600, -1, INT_MAX,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
}

static void
define_rate_alerts(void)
{
	DefineCustomRealVariable("aevon.alert_rejected_rate",
							 "Rejected events a minute past which aevon_health warns.",
							 "Over the last ten to twenty minutes; -1: never.",
							 &aevon_alert_rejected_rate, 10, -1, 1e9,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomRealVariable("aevon.alert_conflict_rate",
							 "Conflicting events a minute past which aevon_health warns.",
							 "Over the last ten to twenty minutes; -1: never.",
							 &aevon_alert_conflict_rate, 10, -1, 1e9,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomRealVariable("aevon.alert_late_share",
							 "Share of late events past which aevon_health warns.",
							 "Of those accepted in the last ten to twenty minutes, those of an earlier UTC day: 0.1 is ten percent; -1: never.",
							 &aevon_alert_late_share, 0.2, -1, 1,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomRealVariable("aevon.alert_series_share",
							 "Share of aevon.max_series_per_rule past which aevon_health warns.",
							 "0.8 is eighty percent; -1: never.",
							 &aevon_alert_series_share, 0.8, -1, 1,
							 PGC_SUSET, 0, NULL, NULL, NULL);
}

static void
define_clock(void)
{
	DefineCustomStringVariable("aevon.clock",
							   "A time that Aevon takes for the present, for tests.",
							   "A timestamp with time zone; empty: the machine's clock.",
							   &clock_setting, "", PGC_SUSET, GUC_NOT_IN_SAMPLE,
							   check_clock, assign_clock, NULL);
}

/*
 * Parse the time with the parser's own functions, which need no transaction
 * and no catalogue: the setting may come from a configuration file.
 */
static bool
check_clock(char **value, void **extra, GucSource source)
{
	TimestampTz at = 0;

	if ((*value)[0] != '\0')
	{
		char		work[MAXDATELEN + MAXDATEFIELDS];
		char	   *fields[MAXDATEFIELDS];
		int			types[MAXDATEFIELDS];
		int			count;
		int			kind;
		struct pg_tm parts;
		fsec_t		fraction;
		int			zone;

		if (ParseDateTime(*value, work, sizeof(work), fields, types,
						  MAXDATEFIELDS, &count) != 0 ||
			!isdigit((unsigned char) (*value)[0]) ||
			DecodeDateTime(fields, types, count, &kind, &parts, &fraction, &zone) != 0 ||
			kind != DTK_DATE ||
			tm2timestamp(&parts, fraction, &zone, &at) != 0)
		{
			GUC_check_errdetail("The value must be a date and time, such as 2026-01-31 12:00:00+00.");
			return false;
		}
	}

	*extra = malloc(sizeof(TimestampTz));	/* lint: guc.c frees it */
	if (*extra == NULL)
		return false;
	memcpy(*extra, &at, sizeof(at));
	return true;
}

static void
assign_clock(const char *value, void *extra)
{
	memcpy(&clock_fixed_at, extra, sizeof(clock_fixed_at));
}
