# mixed: reads (30 d unaligned, a principal at random, four clients, 400 a second in
# all) while eight clients ingest at half the rate that they reach alone and the
# worker sweeps, with its settings as they come (but for snapshots, of which a new log
# has a month's to make); against the same reads on a quiet database.  Quiet and busy
# take turns.

# reads_meanwhile FILE: latencies, ms
reads_meanwhile() {
	local dir=$TMPDIR/reads

	rm -rf "$dir" && mkdir "$dir"
	(cd "$dir" && pgbench -n -M prepared -c 4 -j 1 -R 400 -T $((seconds * 2)) -l -f "$data/month_any.sql" >/dev/null 2>&1)
	cat "$dir"/pgbench_log.* | awk '{print $3 / 1000}' >"$dir/all"
	cat "$dir/all" >>"$data/$1.all"
	echo "$(percentile 0.5 <"$dir/all") $(percentile 0.95 <"$dir/all") $(percentile 0.99 <"$dir/all")" >>"$data/$1"
}

worker_on() {
	sql -c "ALTER SYSTEM SET aevon.max_workers = 4" -c "SELECT pg_reload_conf()" >/dev/null
	until [ "$(sql -c "SELECT count(*) FROM aevon.workers WHERE database = current_database() AND state = 'idle' AND last_sweep_at IS NOT NULL")" = 1 ]; do
		sleep 0.2
	done
}

worker_off() {
	sql -c "ALTER SYSTEM SET aevon.max_workers = 0" -c "SELECT pg_reload_conf()" >/dev/null
	until [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type ILIKE 'aevon worker%'")" = 0 ]; do
		sleep 0.2
	done
}

# ingest_at RATE SECONDS: in the background, eight clients
ingest_at() {
	ingest_base=$((ingest_base + 1))
	(cd "$TMPDIR" && exec pgbench -n -M prepared -c 8 -j 2 -R "$1" -T "$2" -f "$data/aevon.sql" -D n=0 -D base=$ingest_base \
		-D "data=$ingest_data" >"$TMPDIR/ingest.out" 2>&1) &
}

bench_mixed() {
	local round most half swept

	need_data large
	write_throughput_scripts
	write_ingest_scripts
	ingest_rate aevon 8 on >"$data/mixed.most"
	most=$(column mixed.most 1)
	half=$(calc %d "$most / 2")
	worker_on
	for round in $(seq "$rounds"); do
		reads_meanwhile mixed.quiet
		swept=$(sql -c "SELECT coalesce(sum(event_count), 0) FROM aevon.sweeps")
		ingest_at "$half" $((seconds * 2 + 1))
		sleep 0.5
		reads_meanwhile mixed.busy
		wait $! || fail "pgbench: $(cat "$TMPDIR/ingest.out")"
		awk '/^tps/ {print $3}' "$TMPDIR/ingest.out" >>"$data/mixed.ingested"
		sleep 1
		calc '%d\n' "$(sql -c "SELECT sum(event_count) FROM aevon.sweeps") - $swept" >>"$data/mixed.swept"
		progress "mixed: round $round of $rounds"
	done
	worker_off
	add_tail 0
	report "" "## Reads while ingest and sweep run" "" \
		"| | p50, ms | p95 | p99 |" "|---|--:|--:|--:|" \
		"| quiet | $(column mixed.quiet 1) | $(column mixed.quiet 2) | $(column mixed.quiet 3) |" \
		"| busy | $(column mixed.busy 1) | $(column mixed.busy 2) | $(column mixed.busy 3) |" \
		"" "Eight clients alone ingest $(calc %d "$most") a second; meanwhile they ingested $(calc %d "$(of mixed.ingested)"), and the worker swept $(of mixed.swept) events in a round. Latencies" \
		"count from the moment that a read was due; four clients, two cores for them all."
	target "mixed: p95 of reads, of the quiet one" "$(ratio "$(column mixed.busy 2)" "$(column mixed.quiet 2)")" "at most" 3
}
