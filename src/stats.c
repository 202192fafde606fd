/*
 * stats.c
 *		Cumulative statistics in shared memory, in the manner of pg_stat_*.
 *
 * statsarea.c keeps the counters, statsnotes.c collects what is to be counted
 * at commit.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "guc.h"
#include "stats.h"
#include "statsarea.h"
#include "statsnotes.h"

#define PERIOD (10 * 60 * USECS_PER_SEC)

static void add_tenant_note(void *target, const AevonNote *note);
static void add_sweep_note(void *target, const AevonNote *note);
static void add_recent(pg_atomic_uint64 *period, pg_atomic_uint32 *recent,
					   pg_atomic_uint32 *previous, int count);
static uint32 recent_sum(pg_atomic_uint64 *period, pg_atomic_uint32 *recent,
						 pg_atomic_uint32 *previous);
static uint64 current_period(void);
static void raise_to(pg_atomic_uint64 *counter, uint64 value);
static void add_tenant(void *context, AevonStatEntry *entry);

void
aevon_stats_request(void)
{
	aevon_statsarea_request();
}

const char *
aevon_stats_function_name(AevonReadFunction function)
{
	static const char *const names[AEVON_READ_FUNCTIONS] = {
		[AEVON_READ_STATE] = "aevon_state",
		[AEVON_READ_WINDOWS] = "aevon_windows",
		[AEVON_READ_TOP] = "aevon_top",
		[AEVON_READ_EVENTS] = "aevon_events",
		[AEVON_READ_HISTORY] = "aevon_history",
		[AEVON_READ_DAILY_METRICS] = "aevon_daily_metrics",
		[AEVON_READ_EXPLAIN] = "aevon_explain",
	};

	return names[function];
}

void
aevon_stats_count_read(AevonReadFunction function, instr_time start)
{
	AevonStatBlock *mine = aevon_statsarea_block();
	AevonStatFunction *stats;
	instr_time	duration;
	int64		us;
	int			bucket;

	if (mine == NULL)
		return;
	INSTR_TIME_SET_CURRENT(duration);
	INSTR_TIME_SUBTRACT(duration, start);
	us = INSTR_TIME_GET_MICROSEC(duration);
	bucket = aevon_histogram_bucket(us);
	stats = &mine->functions[function];
	pg_atomic_fetch_add_u64(&stats->buckets[bucket], 1);
	pg_atomic_fetch_add_u64(&stats->total_us, us);
	raise_to(&stats->max_us, us);
	add_recent(&mine->period, mine->recent, mine->previous, AEVON_HISTOGRAM_BUCKETS);
	pg_atomic_fetch_add_u32(&mine->recent[bucket], 1);
}

void
aevon_stats_count_rule(int32 rule_key)
{
	AevonStatEntry *entry = aevon_statsarea_entry(AEVON_STAT_RULE, rule_key, true);

	if (entry != NULL)
		pg_atomic_fetch_add_u64(&entry->counts[0], 1);
}

void
aevon_stats_note(int32 tenant_key, AevonTenantCounter counter, int64 n)
{
	AevonStatEntry *entry = aevon_statsarea_entry(AEVON_STAT_TENANT, tenant_key, true);

	if (entry != NULL)
		aevon_statsnotes_of(entry, add_tenant_note)->sums[counter] += n;
}

void
aevon_stats_count(int32 tenant_key, AevonTenantCounter counter)
{
	AevonStatEntry *entry = aevon_statsarea_entry(AEVON_STAT_TENANT, tenant_key, true);
	AevonNote	note = {0};

	note.sums[counter] = 1;
	if (entry != NULL)
		add_tenant_note(entry, &note);
}

void
aevon_stats_note_sweep(int64 events, int64 buckets, double duration_ms, bool by_worker)
{
	AevonStatBlock *mine = aevon_statsarea_block();
	int64		duration_us = (int64) (duration_ms * 1000);
	AevonNote  *note;

	if (mine == NULL)
		return;
	note = aevon_statsnotes_of(mine, add_sweep_note);
	note->sums[AEVON_SWEEPS]++;
	note->sums[AEVON_SWEEPS_BY_WORKER] += by_worker;
	note->sums[AEVON_SWEEP_EVENTS] += events;
	note->sums[AEVON_SWEEP_BUCKETS] += buckets;
	note->sums[AEVON_SWEEP_TOTAL_US] += duration_us;
	note->maximum = Max(note->maximum, duration_us);
}

void
aevon_stats_count_sweep_error(void)
{
	AevonStatBlock *mine = aevon_statsarea_block();

	if (mine != NULL)
		pg_atomic_fetch_add_u64(&mine->sweep_errors, 1);
}

bool
aevon_stats_available(void)
{
	return aevon_statsarea_block() != NULL;
}

bool
aevon_stats_read_tenant(int32 tenant_key, AevonTenantStats *out)
{
	AevonStatBlock *mine = aevon_statsarea_block();
	AevonStatEntry *entry;

	memset(out, 0, sizeof(*out));
	if (mine == NULL)
		return false;
	entry = tenant_key == 0 ? &mine->others : aevon_statsarea_entry(AEVON_STAT_TENANT, tenant_key, false);
	if (entry != NULL)
		add_tenant(out, entry);
	return true;
}

bool
aevon_stats_read_total(AevonTenantStats *out)
{
	AevonStatBlock *mine = aevon_statsarea_block();

	memset(out, 0, sizeof(*out));
	if (mine == NULL)
		return false;
	aevon_statsarea_visit(AEVON_STAT_TENANT, add_tenant, out);
	add_tenant(out, &mine->others);
	return true;
}

bool
aevon_stats_read_rule(int32 rule_key, int64 *reads)
{
	AevonStatEntry *entry;

	*reads = 0;
	if (aevon_statsarea_block() == NULL)
		return false;
	entry = aevon_statsarea_entry(AEVON_STAT_RULE, rule_key, false);
	if (entry != NULL)
		*reads = (int64) pg_atomic_read_u64(&entry->counts[0]);
	return true;
}

bool
aevon_stats_read_function(AevonReadFunction function, AevonReadStats *out)
{
	AevonStatBlock *mine = aevon_statsarea_block();
	AevonStatFunction *stats;

	memset(out, 0, sizeof(*out));
	if (mine == NULL)
		return false;
	stats = &mine->functions[function];
	out->total_us = (int64) pg_atomic_read_u64(&stats->total_us);
	out->max_us = (int64) pg_atomic_read_u64(&stats->max_us);
	for (int i = 0; i < AEVON_HISTOGRAM_BUCKETS; i++)
	{
		out->buckets[i] = pg_atomic_read_u64(&stats->buckets[i]);
		out->call_count += (int64) out->buckets[i];
	}
	return true;
}

bool
aevon_stats_read_sweeps(AevonSweepStats *out)
{
	AevonStatBlock *mine = aevon_statsarea_block();
	int64		counts[AEVON_SWEEP_COUNTERS];

	memset(out, 0, sizeof(*out));
	if (mine == NULL)
		return false;
	for (int i = 0; i < AEVON_SWEEP_COUNTERS; i++)
		counts[i] = (int64) pg_atomic_read_u64(&mine->sweep[i]);
	out->sweep_count = counts[AEVON_SWEEPS];
	out->worker_count = counts[AEVON_SWEEPS_BY_WORKER];
	out->event_count = counts[AEVON_SWEEP_EVENTS];
	out->bucket_count = counts[AEVON_SWEEP_BUCKETS];
	out->total_us = counts[AEVON_SWEEP_TOTAL_US];
	out->max_us = (int64) pg_atomic_read_u64(&mine->longest_sweep_us);
	out->error_count = (int64) pg_atomic_read_u64(&mine->sweep_errors);
	out->last_at = (TimestampTz) pg_atomic_read_u64(&mine->last_sweep_at);
	return true;
}

double
aevon_stats_recent_seconds(void)
{
	TimestampTz now = aevon_clock_now();

	return (double) (PERIOD + now % PERIOD) / USECS_PER_SEC;
}

bool
aevon_stats_read_recent(uint64 *buckets)
{
	AevonStatBlock *mine = aevon_statsarea_block();

	if (mine == NULL)
		return false;
	for (int i = 0; i < AEVON_HISTOGRAM_BUCKETS; i++)
		buckets[i] = recent_sum(&mine->period, &mine->recent[i], &mine->previous[i]);
	return true;
}

TimestampTz
aevon_stats_reset_at(int group)
{
	AevonStatBlock *mine = aevon_statsarea_block();

	for (int i = 0; mine != NULL && i < AEVON_STATS_GROUPS; i++)
		if (group == 1 << i)
			return (TimestampTz) pg_atomic_read_u64(&mine->reset_at[i]);
	return 0;
}

void
aevon_stats_reset(int groups)
{
	aevon_statsarea_reset(groups);
}

static void
add_tenant_note(void *target, const AevonNote *note)
{
	AevonStatEntry *entry = target;

	StaticAssertStmt(AEVON_TENANT_COUNTERS <= AEVON_NOTE_SUMS, "a note has room for them");
	add_recent(&entry->period, entry->recent, entry->previous, AEVON_TENANT_COUNTERS);
	for (int i = 0; i < AEVON_TENANT_COUNTERS; i++)
		if (note->sums[i] != 0)
		{
			pg_atomic_fetch_add_u64(&entry->counts[i], note->sums[i]);
			pg_atomic_fetch_add_u32(&entry->recent[i], (int32) note->sums[i]);
		}
}

static void
add_sweep_note(void *target, const AevonNote *note)
{
	AevonStatBlock *mine = target;

	StaticAssertStmt(AEVON_SWEEP_COUNTERS <= AEVON_NOTE_SUMS, "a note has room for them");
	for (int i = 0; i < AEVON_SWEEP_COUNTERS; i++)
		pg_atomic_fetch_add_u64(&mine->sweep[i], note->sums[i]);
	raise_to(&mine->longest_sweep_us, note->maximum);
	pg_atomic_write_u64(&mine->last_sweep_at, GetCurrentTimestamp());
}

/*
 * Begin a new period if it is time.  Who changes the number moves the counters;
 * what others add at that very moment may be counted in either period.
 */
static void
add_recent(pg_atomic_uint64 *period, pg_atomic_uint32 *recent, pg_atomic_uint32 *previous,
		   int count)
{
	uint64		now = current_period();
	uint64		was = pg_atomic_read_u64(period);

	if (was == now || !pg_atomic_compare_exchange_u64(period, &was, now))
		return;
	for (int i = 0; i < count; i++)
	{
		uint32		ended = pg_atomic_exchange_u32(&recent[i], 0);

		pg_atomic_write_u32(&previous[i], was + 1 == now ? ended : 0);
	}
}

static uint32
recent_sum(pg_atomic_uint64 *period, pg_atomic_uint32 *recent, pg_atomic_uint32 *previous)
{
	uint64		now = current_period();
	uint64		was = pg_atomic_read_u64(period);

	if (was == now)
		return pg_atomic_read_u32(recent) + pg_atomic_read_u32(previous);
	return was + 1 == now ? pg_atomic_read_u32(recent) : 0;
}

static uint64
current_period(void)
{
	return (uint64) (aevon_clock_now() / PERIOD);
}

static void
raise_to(pg_atomic_uint64 *counter, uint64 value)
{
	uint64		before = pg_atomic_read_u64(counter);

	while (before < value && !pg_atomic_compare_exchange_u64(counter, &before, value))
		;
}

static void
add_tenant(void *context, AevonStatEntry *entry)
{
	AevonTenantStats *out = context;

	for (int i = 0; i < AEVON_TENANT_COUNTERS; i++)
	{
		out->counts[i] += (int64) pg_atomic_read_u64(&entry->counts[i]);
		out->recent[i] += recent_sum(&entry->period, &entry->recent[i], &entry->previous[i]);
	}
}
