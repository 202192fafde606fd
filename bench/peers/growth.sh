# growth: sweeps of 20,000 new events, the same ones, behind a log of BENCH_SMALLER
# and one of BENCH_EVENTS events, in turns.  The series and their buckets are in the
# server's buffers, as on a server that has nothing but these: what the peers wrote
# and read since had pushed them out, and one sweep brings back nearly all of the
# smaller log's, but not of the larger one's.  Part mixed comes later: it puts events
# of today into the larger log, before which these would all be late.  A page touched
# first after a checkpoint is logged whole, as ever.

# growth_round DATABASE
growth_round() {
	export PGDATABASE=$1
	sql -c "CALL bench.stage($growth_next, $((growth_next + 19999)), 400, 0)" \
		-c "UPDATE bench.staging SET occurred_at = occurred_at + interval '28 days' - interval '2250000000 seconds'" \
		-c "SELECT * FROM aevon_ingest_from('bench.staging')" -c "DROP TABLE bench.staging" >/dev/null
	own_sweep >>"$data/growth.$1"
}

# warm DATABASE: into the buffers
warm() {
	need_data "$1"
	sql -c "CREATE EXTENSION IF NOT EXISTS pg_prewarm" -c "SELECT sum(pg_prewarm(oid::regclass)) FROM pg_class
		WHERE relnamespace = 'aevon'::regnamespace AND relname ~ '^(series|buckets_|touched_days)' AND relkind IN ('r', 'i')" >/dev/null
}

bench_growth() {
	local round grown

	warm small
	warm large
	for round in $(seq 0 $((rounds * 2))); do
		growth_next=$((900000000000 + round * 20000))
		in_turns "$round" "growth_round small" "growth_round large"
		# the first one warms up
		[ "$round" != 0 ] || rm "$data/growth.small" "$data/growth.large"
	done
	grown=$(ratio "$(of growth.large)" "$(of growth.small)")
	report "" "## Growth" "" "A sweep of 20,000 events takes $(of growth.small) ms behind a log of $smaller events and $(of growth.large) ms behind one of $events: $grown times as long."
	target "growth: a sweep behind $events events, of one behind $smaller" "$grown" "at most" 1.2
}
