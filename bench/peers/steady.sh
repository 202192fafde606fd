# steady: BENCH_MINUTES of ingest at half the rate that eight clients reach alone,
# swept every 2 s by the worker, events as they come (occurred_at is now), on a log of
# BENCH_EVENTS events of the thirty days before: behind an empty one all grows at
# first, indexes and the minutes that wait in series' rows.  A sample every tenth of
# the time: the most events not swept yet of thirty looks (at random moments: sweeps
# come regularly), p95 of ingest, size of the bucket tables and series.  Bloat is their
# size at the end over what they take written anew.
# It is not among the parts that run by themselves.

# wait_until TIME: seconds since 1970
wait_until() {
	sleep "$(awk -v time="$1" -v now="$(date +%s.%N)" 'BEGIN {print (time > now ? time - now : 0)}')"
}

# steady_sample SECONDS: watch so long; "seconds, most events not swept, p95 of ingest
# in ms, MB of buckets"
steady_sample() {
	local since p95 most i

	since=$(date +%s)
	most=$(for ((i = 0; i < 30; i++)); do
		wait_until "$(calc %.3f "$since + ($i + $RANDOM / 32768) * $1 / 30")"
		sql -c "SELECT max(tail_events) FROM aevon.status"
	done | sort -n | tail -n 1)
	wait_until $((since + $1))
	p95=$(cat "$TMPDIR"/steady/pgbench_log.* | awk -v since="$since" '$5 >= since {print $3 / 1000}' | percentile 0.95)
	echo "$(($(date +%s) - steady_began)) $most $p95 $(calc %.1f "$(bucket_bytes) / 1048576")"
}

bucket_bytes() { bytes_of '^(buckets_1.|series)$'; }

# ingest_past NOW: the staged events, as of the thirty days before
ingest_past() {
	sql -c "UPDATE bench.staging SET occurred_at = occurred_at + ('$1'::timestamptz - '2026-01-31')"
	ingest_staged
}

bench_steady() {
	local half i before bloat first last

	bench_database steady
	sql -f bench/peers/events.sql -c "CALL bench.define_rules()"
	in_chunks "$events" ingest_past "$(sql -c "SELECT now()")"
	sql -c "VACUUM ANALYZE" -c "CHECKPOINT"
	write_ingest_scripts
	ingest_rate aevon 8 on >"$data/steady.most"
	half=$(calc %d "$(column steady.most 1) / 2")
	# as servers run: autovacuum on
	sql -c "ALTER SYSTEM SET aevon.sweep_interval = '2s'" -c "ALTER SYSTEM SET aevon.tail_target_events = 10000000" \
		-c "ALTER SYSTEM SET autovacuum = on" \
		-c "ALTER SYSTEM SET autovacuum_naptime = '10s'" -c "ALTER SYSTEM SET checkpoint_timeout = '5min'"
	worker_on
	rm -rf "$TMPDIR/steady" && mkdir "$TMPDIR/steady"
	ingest_base=$((ingest_base + 1))
	steady_began=$(date +%s)
	(cd "$TMPDIR/steady" && exec pgbench -n -M prepared -c 8 -j 2 -R "$half" -T $((minutes * 60 + 20)) -l --sampling-rate=0.05 -f "$data/aevon.sql" \
		-D n=0 -D base=$ingest_base -D "data=$ingest_data" >"$TMPDIR/ingest.out" 2>&1) &
	for ((i = 1; i <= 10; i++)); do
		steady_sample $((minutes * 6)) >>"$data/steady.dat"
		progress "steady: $(tail -n 1 "$data/steady.dat")"
	done
	wait $! || fail "pgbench: $(cat "$TMPDIR/ingest.out")"
	until [ "$(sql -c "SELECT max(tail_events) FROM aevon.status")" = 0 ]; do
		sleep 0.5
	done
	worker_off
	sql -c "ALTER SYSTEM RESET aevon.sweep_interval" -c "ALTER SYSTEM RESET aevon.tail_target_events" -c "ALTER SYSTEM RESET autovacuum" \
		-c "ALTER SYSTEM RESET autovacuum_naptime" -c "ALTER SYSTEM RESET checkpoint_timeout" -c "SELECT pg_reload_conf()" >/dev/null
	before=$(bucket_bytes)
	sql -c "VACUUM FULL aevon.buckets_1m" -c "VACUUM FULL aevon.buckets_1h" -c "VACUUM FULL aevon.buckets_1d" -c "VACUUM FULL aevon.series"
	bloat=$(ratio "$before" "$(bucket_bytes)")
	report "" "## Steady state: $minutes minutes of ingest at $half events a second, sweeps every 2 s" "" \
		"| seconds | most events not swept | p95 of ingest, ms | buckets, MB |" "|--:|--:|--:|--:|" \
		"$(awk '{printf "| %d | %d | %.2f | %.1f |\n", $1, $2, $3, $4}' "$data/steady.dat")" \
		"" "The buckets took $bloat times what they take written anew ($(awk '/^tps/ {print $3}' "$TMPDIR/ingest.out") events a second were ingested)."
	# the first fifth against the last one
	first=$(head -n 2 "$data/steady.dat" | awk '{print $3}' | median)
	last=$(tail -n 2 "$data/steady.dat" | awk '{print $3}' | median)
	target "steady: p95 of ingest at the end, of that at the beginning" "$(ratio "$last" "$first")" "at most" 1.2
	first=$(head -n 2 "$data/steady.dat" | awk '{print $2 + 1}' | median)
	last=$(tail -n 2 "$data/steady.dat" | awk '{print $2 + 1}' | median)
	target "steady: events not swept at the end, of those at the beginning" "$(ratio "$last" "$first")" "at most" 1.5
	target "steady: size of the bucket tables and series, of them written anew" "$bloat" below 1.5
}
