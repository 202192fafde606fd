#!/bin/bash
# The core's figures, each beside its peer in the same run:
#   1 sweep of 500,000 events against a set-based SQL rollup of the same events
#   2 memory of the worker while it drains a backlog
#   3 aevon_state of one principal over 30 days against SELECT 1, and on a log
#     of 1 and of 5 million events
# Settings: BENCH_PARTS="sweep memory read", BENCH_ROUNDS (5), BENCH_BACKLOG
# (2000000), BENCH_SWEEP (500000), BENCH_SMALLER (1000000), BENCH_EVENTS (5000000),
# BENCH_SECONDS (10).
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/cluster.sh

parts=${BENCH_PARTS:-sweep memory read}
rounds=${BENCH_ROUNDS:-5}
backlog=${BENCH_BACKLOG:-2000000}
events=${BENCH_EVENTS:-5000000}
seconds=${BENCH_SECONDS:-10}
sweep_events=${BENCH_SWEEP:-500000}
smaller=${BENCH_SMALLER:-1000000}

results=$TMPDIR/results/results-core.md
mkdir -p "$TMPDIR/results"
settings=(shared_buffers=4GB max_wal_size=32GB min_wal_size=2GB checkpoint_timeout=1h
	autovacuum=off work_mem=256MB maintenance_work_mem=512MB jit=off
	aevon.max_workers=0 aevon.max_future=-1)

export PGOPTIONS="-c client_min_messages=warning"
sql() { psql -X -A -t -q -v ON_ERROR_STOP=1 "$@"; }
report() { printf '%s\n' "$@" | tee -a "$results"; }
median() { sort -n | awk '{v[NR] = $1} END {print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }
calc() { awk "BEGIN {printf \"$1\", $2}"; }

start() {
	cluster_start "${settings[@]}" "$@"
	createdb bench
	export PGDATABASE=bench
	sql -c "CREATE EXTENSION aevon"
	sql -f bench/stream.sql
	sql -c "CALL bench.define_rules('t')"
}

# ---------------------------------------------------------------------------
# 1. Sweep.  Each round appends half a million events to the log, then times
# the sweep and each form of the rollup on exactly those, in turns.
# ---------------------------------------------------------------------------
peer_table() {
	sql -c "CREATE TABLE bench.$1 (tenant_key integer, principal_key integer, minute timestamptz,
		event_count bigint NOT NULL, sum numeric NOT NULL, min numeric NOT NULL, max numeric NOT NULL,
		PRIMARY KEY (tenant_key, principal_key, minute)) WITH (fillfactor = 70)"
}

# peer_rollup TABLE FROM_STAMP ORDER
peer_rollup() {
	local table=$1 from=$2 order=$3

	sql -c "CHECKPOINT" -c "\\timing on" -c "
		INSERT INTO bench.$table AS b
		SELECT tenant_key, principal_key, date_trunc('minute', occurred_at), count(*),
			sum(v), min(v), max(v)
		FROM (SELECT tenant_key, principal_key, occurred_at, (data -> 'amount')::numeric AS v
			  FROM aevon.event_log WHERE stamp >= $from) e
		GROUP BY 1, 2, 3 $order
		ON CONFLICT (tenant_key, principal_key, minute) DO UPDATE
		SET event_count = b.event_count + excluded.event_count, sum = b.sum + excluded.sum,
			min = least(b.min, excluded.min), max = greatest(b.max, excluded.max)" |
		awk '/^Time:/ {print $2}'
}

own_sweep() {
	sql -c "CHECKPOINT" -c "\\timing on" -c "SELECT event_count FROM aevon_sweep()" |
		awk '/^Time:/ {print $2}'
}

bench_sweep() {
	local round from own plain ordered best

	start
	peer_table plain
	peer_table ordered
	report "" "## Sweep of $sweep_events events" "" \
		"| round | Aevon, ms | SQL rollup, ms | SQL rollup in key order, ms |" "|--:|--:|--:|--:|"
	for round in $(seq 0 "$rounds"); do
		sql -c "CALL bench.ingest('t', $((round * sweep_events + 1)), $(((round + 1) * sweep_events)), 400, '2026-01-01')"
		from=$(sql -c "SELECT coalesce(max(cut_xmax), 0) FROM aevon.sweep_checkpoints WHERE measure_key > 0")
		sql -c "VACUUM ANALYZE aevon.event_log"
		if [ $((round % 2)) = 0 ]; then
			own=$(own_sweep)
			plain=$(peer_rollup plain "$from" "")
			ordered=$(peer_rollup ordered "$from" "ORDER BY 1, 2, 3")
		else
			ordered=$(peer_rollup ordered "$from" "ORDER BY 1, 2, 3")
			plain=$(peer_rollup plain "$from" "")
			own=$(own_sweep)
		fi
		# round 0 warms up
		[ "$round" = 0 ] && continue
		report "| $round | $own | $plain | $ordered |"
		echo "$own" >>"$TMPDIR/own"
		echo "$plain" >>"$TMPDIR/plain"
		echo "$ordered" >>"$TMPDIR/ordered"
	done
	check_equal
	own=$(median <"$TMPDIR/own")
	plain=$(median <"$TMPDIR/plain")
	ordered=$(median <"$TMPDIR/ordered")
	best=$(printf '%s\n' "$plain" "$ordered" | sort -n | head -n 1)
	report "| median | $own | $plain | $ordered |" "" \
		"Aevon $(calc %d "$sweep_events / $own * 1000") events a second, the best SQL rollup $(calc %d "$sweep_events / $best * 1000"): **$(calc %.2f "$best / $own") times as fast** (wanted: 1.5)."
	cluster_stop
}

# Both sides hold the same figures, or the comparison is worth nothing.
check_equal() {
	local differences

	differences=$(sql -c "
		SELECT count(*) FROM (SELECT principal_key, minute, event_count, sum, min, max FROM bench.plain) p
		FULL JOIN (SELECT k.principal_key, a.window_start AS minute, a.event_count, a.sum, a.min, a.max
				   FROM aevon.pre_aggregates a
				   JOIN aevon.principals k ON k.principal = a.principal
				   WHERE a.rule = 'calls') o USING (principal_key, minute)
		WHERE (p.event_count, p.sum, p.min, p.max) IS DISTINCT FROM (o.event_count, o.sum, o.min, o.max)")
	if [ "$differences" != 0 ]; then
		echo "bench: $differences buckets differ between Aevon and the rollup" >&2
		exit 1
	fi
}

# ---------------------------------------------------------------------------
# 2. Memory.  The worker drains a backlog; its private memory is sampled.
# ---------------------------------------------------------------------------
worker_pid() {
	sql -c "SELECT pid FROM pg_stat_activity
		WHERE backend_type ILIKE 'aevon worker%' AND datname = current_database() LIMIT 1"
}

# Waits until the worker has drained; prints: peak private kB, seconds.
watch_worker() {
	local pid peak=0 now began ended

	sql -c "ALTER SYSTEM SET aevon.max_workers = 1" -c "SELECT pg_reload_conf()" >/dev/null
	began=$(date +%s)
	while :; do
		pid=$(worker_pid)
		for _ in 1 2 3 4 5 6 7 8 9 10; do
			now=$(awk '/^RssAnon:/ {print $2}' "/proc/$pid/status" 2>/dev/null || echo 0)
			[ "${now:-0}" -gt "$peak" ] && peak=$now
			sleep 0.05
		done
		[ "$(sql -c "SELECT aevon_state('t') ->> 'tail_events'")" = 0 ] && break
		ended=$(date +%s)
		[ $((ended - began)) -gt "${BENCH_PATIENCE:-3600}" ] && { echo "bench: the worker does not drain" >&2; exit 1; }
	done
	echo "$peak $(($(date +%s) - began))"
}

bench_memory() {
	local how chunk peak took

	report "" "## Memory of the worker over a backlog" "" \
		"| backlog | written by | peak private memory, MB | drained in, s |" "|--:|---|--:|--:|"
	for how in many one; do
		start
		chunk=50000
		[ "$how" = one ] && chunk=$backlog
		sql -c "CALL bench.ingest('t', 1, $backlog, 400, '2026-01-01', chunk => $chunk)"
		read -r peak took < <(watch_worker)
		report "| $backlog | $([ "$how" = one ] && echo "one transaction" || echo "transactions of $chunk") | $(calc %.0f "$peak / 1024") | $took |"
		cluster_stop
	done
	report "" "Wanted: below 256 MB, whatever the backlog."
}

# ---------------------------------------------------------------------------
# 3. Read: 30 days, an unaligned range, a tail of 100 events.
# ---------------------------------------------------------------------------
since="2026-01-01 00:00:07.123456"
until="2026-01-30 23:59:41.654321"

# fill EVENTS: a log of 30 days, swept, then 100 events more
fill() {
	sql -c "CALL bench.ingest('t', 1, $1, $1 / (30 * 86400.0), '2026-01-01', 0.05, '3 days')"
	sql -c "SELECT event_count FROM aevon_sweep()" >/dev/null
	sql -c "VACUUM ANALYZE"
	sql -c "SELECT count(aevon_ingest('t', CASE WHEN i % 2 = 0 THEN 'u0' ELSE 'u' || i END, 'tail' || i,
		'api.call', '2026-01-15'::timestamptz + i * interval '1 minute', '{\"amount\": 1}'))
		FROM generate_series(1, 100) i" >/dev/null
	sql -c "CHECKPOINT"
}

# rate SCRIPT: transactions a second of 8 clients
rate() {
	pgbench -n -M prepared -c 8 -j 2 -T "$seconds" -f "$1" bench 2>/dev/null | awk '/^tps/ {print $3}'
}

# server_time PRINCIPAL RULE: mean ms inside the server, median of 5 loops
server_time() {
	for _ in 1 2 3 4 5; do
		sql -c "DO \$\$
			DECLARE
				began timestamptz := clock_timestamp();
			BEGIN
				FOR i IN 1 .. 500 LOOP
					PERFORM aevon_state('t', '$1', $2, '$since', '$until');
				END LOOP;
				RAISE WARNING 'ms %', extract(epoch FROM clock_timestamp() - began) * 2;
			END \$\$" 2>&1 | awk '/ms / {print $NF}'
	done | median
}

bench_read() {
	local size one state small large principal rule

	for size in $smaller "$events"; do
		start
		fill "$size"
		for principal in u0 u100; do
			for rule in NULL "'amount'"; do
				server_time "$principal" "$rule" >"$TMPDIR/time.$size.$principal.$rule"
			done
		done
		[ "$size" = "$events" ] || cluster_stop
	done
	report "" "## Read: aevon_state over 30 days, unaligned, tail of 100 events" "" \
		"| principal | rules | server time, log of $smaller, ms | of $events, ms | ratio (wanted: 1.5) |" "|---|---|--:|--:|--:|"
	for principal in u0 u100; do
		for rule in NULL "'amount'"; do
			small=$(cat "$TMPDIR/time.$smaller.$principal.$rule")
			large=$(cat "$TMPDIR/time.$events.$principal.$rule")
			report "| $principal | $([ "$rule" = NULL ] && echo "all four" || echo one) | $(calc %.3f "$small") | $(calc %.3f "$large") | $(calc %.2f "$large / $small") |"
		done
	done
	report "" "| 8 clients, prepared, log of $events | a second | of SELECT 1 (wanted: 1/15) |" "|---|--:|--:|"
	echo "SELECT 1" >"$TMPDIR/one.sql"
	one=$(for _ in 1 2 3; do rate "$TMPDIR/one.sql"; done | median)
	report "| SELECT 1 | $(calc %d "$one") | 1 |"
	for principal in u0 u100; do
		for rule in NULL "'amount'"; do
			echo "SELECT aevon_state('t', '$principal', $rule, '$since', '$until')" >"$TMPDIR/state.sql"
			state=$(for _ in 1 2 3; do rate "$TMPDIR/state.sql"; done | median)
			report "| aevon_state, $principal, $([ "$rule" = NULL ] && echo "all four rules" || echo "one rule") | $(calc %d "$state") | 1/$(calc %.1f "$one / $state") |"
		done
	done
	cluster_stop
}

report "# Core: results" "" \
	"$(date -u +%Y-%m-%d), $(nproc) cores, $(awk '/^MemTotal/ {printf "%.0f", $2 / 1048576}' /proc/meminfo) GiB, $(postgres --version)." "" \
	"By \`make bench\` (\`bench/core.sh\`): a throw-away cluster with \`${settings[*]:0:3}\`, checkpoints before each timing, no" \
	"autovacuum meanwhile, client and server on the same cores. Streams: \`bench/stream.sql\`, 10,000 skewed principals (u0 has" \
	"4.6 % of the events, u100 0.07 %), four rules (count, sum, min, max of one value). The rollup is one" \
	"\`INSERT ... SELECT ... GROUP BY tenant, principal, minute ON CONFLICT DO UPDATE\` of the same rows of the same log table into" \
	"a table of one row per principal and minute; Aevon's sweep keeps the whole tenant's series, provenance and the cut besides." \
	"Medians; compare ratios, not absolute values."
for part in $parts; do
	"bench_$part"
done
