# refresh: a materialized view of minutes, refreshed concurrently after 100,000 new
# events behind BENCH_SMALLER, against a sweep of the same.
bench_refresh() {
	local round first

	bench_database refreshed
	sql -f bench/peers/events.sql -c "CALL bench.define_rules()" \
		-c "CALL bench.stage(1, $smaller, $smaller / (30 * 86400.0), 0.05)" \
		-c "SELECT * FROM aevon_ingest_from('bench.staging')" -c "SELECT event_count FROM aevon_sweep()" \
		-c "CREATE MATERIALIZED VIEW fly.minutes AS
			SELECT principal_key, date_trunc('minute', occurred_at) AS minute, count(*) AS event_count,
				sum(v), min(v), max(v)
			FROM (SELECT principal_key, occurred_at, (data -> 'amount')::numeric AS v FROM aevon.event_log) e GROUP BY 1, 2" \
		-c "CREATE UNIQUE INDEX ON fly.minutes (principal_key, minute)" -c "VACUUM ANALYZE" >/dev/null
	for round in 1 2 3; do
		first=$((smaller + (round - 1) * 100000 + 1))
		sql -c "CALL bench.stage($first, $((first + 99999)), $smaller / (30 * 86400.0), 0.05)" \
			-c "SELECT * FROM aevon_ingest_from('bench.staging')" >/dev/null
		in_turns "$round" "own_sweep >>$data/refresh.own" \
			"timed_ms 'REFRESH MATERIALIZED VIEW CONCURRENTLY fly.minutes' >>$data/refresh.view"
		progress "refresh: round $round of 3"
	done
	[ "$(sql -c "SELECT count(*) FROM fly.minutes m FULL JOIN (SELECT p.principal_key, window_start AS minute, event_count, sum
			FROM aevon.pre_aggregates a JOIN aevon.principals p USING (principal) WHERE rule = 'calls') a USING (principal_key, minute)
		WHERE (m.event_count, m.sum) IS DISTINCT FROM (a.event_count, a.sum)")" = 0 ] || fail "the view and Aevon's buckets differ"
	report "" "## A materialized view instead" "" \
		"100,000 new events behind $smaller: REFRESH MATERIALIZED VIEW CONCURRENTLY $(calc %d "100000 / $(of refresh.view) * 1000") events a second, Aevon's sweep $(calc %d "100000 / $(of refresh.own) * 1000"): $(ratio "$(of refresh.view)" "$(of refresh.own)") times as fast. Median of three."
}
