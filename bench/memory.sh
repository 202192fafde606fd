#!/bin/bash
# Memory of the worker while it drains a backlog: written by many transactions, and
# by one.  Its private memory is sampled.
# Settings: BENCH_BACKLOG (2000000), BENCH_PATIENCE (3600 s).
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/bench.sh

backlog=${BENCH_BACKLOG:-2000000}

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
		[ $((ended - began)) -gt "${BENCH_PATIENCE:-3600}" ] && fail "the worker does not drain"
	done
	echo "$peak $(($(date +%s) - began))"
}

bench_results results-memory
report "# Memory of the worker over a backlog" "" "By \`BENCH_ONLY=memory make bench\` (\`bench/memory.sh\`): $(machine)" "" \
	"| backlog | written by | peak private memory, MB | drained in, s |" "|--:|---|--:|--:|"
for how in many one; do
	bench_start aevon.snapshot_interval=1h
	sql -f bench/stream.sql -c "CALL bench.define_rules('t')"
	chunk=50000
	[ "$how" = many ] || chunk=$backlog
	sql -c "CALL bench.ingest('t', 1, $backlog, 400, '2026-01-01', chunk => $chunk)"
	read -r peak took < <(watch_worker)
	report "| $backlog | $([ "$how" = one ] && echo "one transaction" || echo "transactions of $chunk") | $(calc %.0f "$peak / 1024") | $took |"
	cluster_stop
done
report "" "Wanted: below 256 MB, whatever the backlog."
