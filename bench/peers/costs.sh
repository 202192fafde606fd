# costs: what users pay besides: processor time of the worker at 1,000 events a
# second, its memory, CREATE EXTENSION, the first call in a new connection.

# first_call SQL: ms, median and largest of 20 connections
first_call() {
	local i

	for i in $(seq 20); do
		timed_ms "$1"
	done >"$data/first"
	echo "$(median <"$data/first") $(percentile 0.95 <"$data/first")"
}

bench_costs() {
	local pid before after memory state state95 ingest ingest95 created long=$((seconds * 5)) busy

	need_data large
	write_ingest_scripts
	read -r state state95 <<<"$(first_call "SELECT aevon_state('10000000', '100000000100')")"
	read -r ingest ingest95 <<<"$(first_call "SELECT aevon_ingest('10000000', '100000000100', (clock_timestamp()::text), 'api.call', '2026-01-15', '{\"amount\": 1}')")"
	for _ in $(seq "$rounds"); do
		PGDATABASE=postgres sql -c "DROP DATABASE IF EXISTS fresh" -c "CREATE DATABASE fresh"
		PGDATABASE=fresh timed_ms "CREATE EXTENSION aevon"
	done >"$data/created"
	created=$(of created)
	worker_on
	pid=$(sql -c "SELECT pid FROM pg_stat_activity WHERE backend_type ILIKE 'aevon worker%' AND datname = current_database()")
	ingest_at 1000 $((long + 2))
	sleep 1
	before=$(awk '{print $14 + $15}' "/proc/$pid/stat")
	sleep "$long"
	after=$(awk '{print $14 + $15}' "/proc/$pid/stat")
	memory=$(awk '/^RssAnon:/ {print $2}' "/proc/$pid/status")
	wait $! || fail "pgbench: $(cat "$TMPDIR/ingest.out")"
	worker_off
	PGDATABASE=postgres sql -c "DROP DATABASE fresh"
	busy=$(calc %.1f "($after - $before) / $long / $(getconf CLK_TCK) * 100")
	report "" "## What else it costs" "" \
		"| | |" "|---|--:|" \
		"| worker at 1,000 events a second, of a core | $busy % |" \
		"| its private memory then | $(calc %.1f "$memory / 1024") MB |" \
		"| CREATE EXTENSION | $created ms |" \
		"| first \`aevon_state\` of a connection, median / p95 | $state / $state95 ms |" \
		"| first \`aevon_ingest\` of a connection | $ingest / $ingest95 ms |"
	target "costs: worker at 1,000 events a second, of a core" "$busy" below 10 " %"
	target "costs: first aevon_state of a connection" "$state" below 3 " ms"
	target "costs: first aevon_ingest of a connection" "$ingest" below 3 " ms"
}
