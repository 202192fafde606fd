#!/bin/bash
# What history costs:
#   1 aevon_snapshot by what changed, with little and with much history behind it
#   2 as_of reads beside plain ones, an hour, a day and 20 days back, on a log of
#     30 days whose events keep the time they arrived
#   3 aevon.daily_metrics, all of it and one series by aevon_daily_metrics, with
#     few and with many series
#   4 reads while many voids wait for the next sweep
#   5 the tamper-evident chain beside the sweep, and aevon_verify
# Settings: BENCH_PARTS="snapshot as_of daily voids chain", BENCH_SERIES (10000), BENCH_DAYS (30),
# BENCH_EVENTS (5000000), BENCH_CALLS (1000), BENCH_VOIDS (100000),
# BENCH_LINKED (1000000).
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/bench.sh

parts=${BENCH_PARTS:-snapshot as_of daily voids chain}
series=${BENCH_SERIES:-10000}
days=${BENCH_DAYS:-30}
events=${BENCH_EVENTS:-5000000}
calls=${BENCH_CALLS:-1000}
voids=${BENCH_VOIDS:-100000}
linked=${BENCH_LINKED:-1000000}

start() {
	bench_start
	bench_timer
	sql -f bench/stream.sql -c "CALL bench.define_rules('t')"
}

# ---------------------------------------------------------------------------
# 1. Snapshots.
# ---------------------------------------------------------------------------
batch=0

# change SERIES DAY [DAYS]: an event more for each of so many series on each of so
# many days, and the sweep that counts it
change() {
	batch=$((batch + 1))
	sql -c "CREATE TABLE bench.staging AS
		SELECT 'u' || i AS principal, 'e$batch-' || d || '-' || i AS event_id, 'api.call'::text AS event_type,
			'2026-01-01'::timestamptz + (d + $2) * interval '1 day' + i % 1440 * interval '1 minute' AS occurred_at,
			jsonb_build_object('amount', i) AS data
		FROM generate_series(1, $1) i, generate_series(0, ${3:-1} - 1) d" \
		-c "SELECT * FROM aevon_ingest_from('bench.staging', tenant => 't')" \
		-c "DROP TABLE bench.staging" -c "SELECT event_count FROM aevon_sweep()" >/dev/null
}

# snapshot: prints the number of snapshots and the time, ms
snapshot() {
	sql -c "CHECKPOINT" -c "\\timing on" -c "SELECT aevon_snapshot()" |
		awk '/^Time:/ {print count, $2; next} {count = $1}'
}

bench_snapshot() {
	local history history_rows changed written took each

	start
	report "" "## Snapshots: the cost is that of what changed" "" \
		"| snapshots there | series changed | snapshots written | aevon_snapshot, ms | a snapshot, us |" "|--:|--:|--:|--:|--:|"
	for history in 1 "$days"; do
		change "$series" "$([ "$history" = 1 ] && echo 0 || echo 1)" "$([ "$history" = 1 ] && echo 1 || echo $((days - 1)))"
		snapshot >/dev/null
		sql -c "VACUUM ANALYZE"
		for changed in 0 100 "$series"; do
			for _ in 1 2 3 4 5; do
				if [ "$changed" != 0 ]; then
					change "$changed" "$((history - 1))"
				fi
				snapshot
			done >"$TMPDIR/rounds"
			history_rows=$(sql -c "SELECT count(*) FROM aevon.snapshots")
			written=$(awk '{print $1}' "$TMPDIR/rounds" | median)
			took=$(awk '{print $2}' "$TMPDIR/rounds" | median)
			each="-"
			if [ "$written" != 0 ]; then
				each=$(calc %.1f "$took * 1000 / $written")
			fi
			report "| $history_rows | $changed | $written | $took | $each |"
		done
	done
	report "" "A change is one event more, on one day; the tenant's own series changes with it. Medians of five; the sweep comes before and is not included." \
		"A row with nothing changed shows what a call takes by itself."
	cluster_stop
}

# ---------------------------------------------------------------------------
# 2. As of.  Events arrive evenly over 30 days, 5 % of them up to 3 days late.
# ---------------------------------------------------------------------------
fill() {
	local at=1 chunk=50000 rate

	rate=$(calc %.9f "$events / (30 * 86400)")
	while [ "$at" -le "$events" ]; do
		sql -c "DROP VIEW IF EXISTS bench.arriving" \
			-c "CALL bench.stage($at, least($((at + chunk - 1)), $events), $rate, '2026-01-01', 0.05, '3 days')" \
			-c "CREATE VIEW bench.arriving AS
				SELECT *, '2026-01-01'::timestamptz + substr(event_id, 2)::bigint / $rate * interval '1 second' AS ingested_at
				FROM bench.staging" \
			-c "SELECT * FROM aevon_ingest_from('bench.arriving', tenant => 't')" \
			-c "SELECT event_count FROM aevon_sweep()" >/dev/null
		at=$((at + chunk))
	done
	sql -c "DROP VIEW bench.arriving" -c "DROP TABLE bench.staging" -c "VACUUM ANALYZE" -c "CHECKPOINT"
}

# plain_us SUBJECT AS_OF CALLS (SQL): median time of the question inside the server, us
plain_us() {
	sql -c "SELECT p50 FROM timing.percentiles_us(\$q\$SELECT * FROM aevon_windows('t', $1, 'amount', '2026-01-01 00:00:07.123456',
		'2026-01-30 23:59:41.654321', as_of => $2)\$q\$, $3)"
}

# log_of SUBJECT (SQL): its events in the log, as a FROM clause and a condition to go on with
log_of() {
	printf '%s' "FROM aevon.event_log e WHERE "
	if [ "$1" = NULL ]; then
		printf '%s' "true"
	else
		printf '%s' "e.principal_key = (SELECT principal_key FROM aevon.principals WHERE principal = $1)"
	fi
}

# check SUBJECT AS_OF (SQL): the answer is the recount's, or its time is worth nothing
check() {
	local same

	same=$(sql -c "SELECT (SELECT (event_count, value) FROM aevon_windows('t', $1, 'amount',
			'2026-01-01 00:00:07.123456', '2026-01-30 23:59:41.654321', as_of => $2)) IS NOT DISTINCT FROM
		(SELECT (count(*), coalesce(sum((data ->> 'amount')::numeric), 0)) $(log_of "$1")
			AND NOT EXISTS (SELECT FROM aevon.voids v WHERE v.principal_key = e.principal_key AND v.event_id = e.event_id)
			AND ingested_at <= coalesce($2, 'infinity'::timestamptz)
			AND occurred_at >= '2026-01-01 00:00:07.123456' AND occurred_at < '2026-01-30 23:59:41.654321')")
	if [ "$same" != t ]; then
		fail "as of $2, $1 is not what a recount says"
	fi
}

# opened SUBJECT AS_OF (SQL): events of the minutes that hold some from both sides of it
opened() {
	sql -c "SELECT coalesce(sum(n), 0) FROM (
		SELECT count(*) AS n $(log_of "$1")
		GROUP BY date_trunc('minute', occurred_at) HAVING min(ingested_at) <= $2 AND max(ingested_at) > $2) m"
}

bench_as_of() {
	local subject name count plain back at took times

	start
	fill
	report "" "## As of: $events events that arrived over 30 days, 5 % up to 3 days late" "" \
		"| subject | its events | plain, us | an hour ago | a day ago | 20 days ago | times plain | events opened |" "|---|--:|--:|--:|--:|--:|--:|--:|"
	for subject in "'u60'" "'u0'" "'u5000'" "NULL"; do
		times=$calls
		name=${subject//\'/}
		if [ "$subject" = NULL ]; then
			name="the tenant"
			times=$((calls / 50))
		fi
		check "$subject" NULL
		plain=$(plain_us "$subject" NULL "$calls")
		count=$(sql -c "SELECT event_count FROM aevon_windows('t', $subject, 'calls')")
		: >"$TMPDIR/times"
		for back in '1 hour' '1 day' '20 days'; do
			at="('2026-01-31'::timestamptz - interval '$back')"
			check "$subject" "$at"
			took=$(plain_us "$subject" "$at" "$times")
			echo "$took $(calc %.1f "$took / $plain") $(opened "$subject" "$at")" >>"$TMPDIR/times"
		done
		report "| $name ($(calc %.2f "$count * 100 / $events") %) | $count | $plain | $(awk '{printf "%s%s", sep, $1; sep = " | "}' "$TMPDIR/times") | $(awk '{printf "%s%s", sep, $2; sep = ", "}' "$TMPDIR/times") | $(awk '{printf "%s%s", sep, $3; sep = ", "}' "$TMPDIR/times") |"
	done
	report "" "One rule over 30 days, unaligned, nothing in the tail; median of $calls calls inside the server ($((calls / 50)) for the tenant as of); every answer was" \
		"compared with a recount first. Ago is counted from the last arrival. Opened: events of the minutes that hold events from before and" \
		"from after it, which are read from the log; minutes from before only are used as they are. Wanted: at most 10 times plain for u60."
	cluster_stop
}

# ---------------------------------------------------------------------------
# 3. Daily metrics: one rule, 60 days of so many series, a third of them twice.
# ---------------------------------------------------------------------------
# took_us QUERY: the median time of its calls inside the server, microseconds
took_us() { sql -c "SELECT round(p50) FROM timing.percentiles_us(\$q\$$1\$q\$, $calls)"; }

bench_daily() {
	local some days_there snapshots whole one events view

	report "" "## Daily metrics: 60 days, one rule" "" \
		"| series | series-days | snapshots | whole view, ms | a series-day, us | one series by aevon_daily_metrics, us | its events by aevon_events, us | by the view aevon.events, ms |" \
		"|--:|--:|--:|--:|--:|--:|--:|--:|"
	for some in "$((series / 10))" "$series"; do
		start
		sql -c "SELECT aevon_drop_rule(r, 't') FROM unnest('{calls,least,most}'::text[]) r" >/dev/null
		change "$some" 0 60
		snapshot >/dev/null
		change "$((some / 3))" 0 60
		snapshot >/dev/null
		sql -c "VACUUM ANALYZE" -c "CHECKPOINT"
		days_there=$(sql -c "SELECT count(*) FROM aevon.daily_metrics")
		snapshots=$(sql -c "SELECT count(*) FROM aevon.snapshots")
		whole=$(calls=5 took_us "SELECT count(*) FROM aevon.daily_metrics")
		one=$(took_us "SELECT * FROM aevon_daily_metrics('t', 'u77', 'amount')")
		events=$(took_us "SELECT * FROM aevon_events('t', 'u77')")
		view=$(calls=5 took_us "SELECT * FROM aevon.events WHERE tenant = 't' AND principal = 'u77'")
		report "| $some | $days_there | $snapshots | $(calc %.0f "$whole / 1000") | $(calc %.1f "$whole / $days_there") | $one | $events | $(calc %.0f "$view / 1000") |"
		cluster_stop
	done
	report "" "The tenant's own series is one more. Medians of 5 calls for the views, of $calls for the functions; every day is settled, so value, event_count and late_share are all judged."
}

# ---------------------------------------------------------------------------
# 4. Unswept voids, spread evenly over all events.
# ---------------------------------------------------------------------------
# time_reads WHEN: a row of the table
time_reads() {
	local subject cells=

	for subject in "NULL" "'u0'" "'u60'"; do
		check "$subject" NULL
		cells="$cells | $(calc %.2f "$(plain_us "$subject" NULL 21) / 1000")"
	done
	report "| $1$cells |"
}

bench_voids() {
	local share

	for share in 2 10; do
		start
		sql -c "CALL bench.ingest('t', 1, $((voids * share)), $((voids * share)) / (30 * 86400.0), '2026-01-01', 0.05, '3 days', 10000)" \
			-c "SELECT event_count FROM aevon_sweep()" -c "VACUUM ANALYZE" >/dev/null
		report "" "## $voids of $((voids * share)) events voided since the last sweep" "" \
			"| | the tenant, ms | u0 (4.6 %) | u60 (0.1 %) |" "|---|--:|--:|--:|"
		time_reads "before"
		sql -c "SELECT count(aevon_void('t', principal, event_id, 'wrong')) FROM (SELECT principal, event_id FROM aevon.events
			WHERE substr(event_id, 2)::bigint % $share = 0 ORDER BY occurred_at OFFSET 0) e" >/dev/null
		time_reads "voided"
		sql -c "SELECT event_count FROM aevon_sweep()" >/dev/null
		time_reads "swept"
		cluster_stop
	done
	report "" "One rule over 30 days, unaligned; medians of 21, each answer compared with a recount first. Until the next sweep takes them in, the minutes" \
		"that hold voided events are read from the log: with voids spread evenly, all of it."
}

# ---------------------------------------------------------------------------
# 5. The chain.  A sweep with the chain off folds the events; the next one has
# nothing left to do but the link.
# ---------------------------------------------------------------------------
bench_chain() {
	local round shape first count rate chunk how fold link

	start
	report "" "## The chain, and aevon_verify" "" \
		"| events | of a transaction | a second | sweep without the chain, ms | the link, ms | the link, us per event |" "|--:|--:|--:|--:|--:|--:|"
	first=1
	for shape in "$linked 400 $linked" "$((linked / 5)) 200 10"; do
		read -r count rate chunk <<<"$shape"
		for round in 1 2 3; do
			how="ingest('t', $first, $((first + count - 1)), $rate, '2026-01-01', chunk => $chunk)"
			if [ "$chunk" != "$count" ]; then
				how="ingest_by('t', $first, $((first + count - 1)), $rate, $chunk)"
			fi
			sql -c "CALL bench.$how" -c "CHECKPOINT"
			first=$((first + count))
			sql -c "SET aevon.chain = off" -c "\\timing on" -c "SELECT event_count FROM aevon_sweep()" |
				awk '/^Time:/ {print $2}' >>"$TMPDIR/fold.$chunk"
			sql -c "\\timing on" -c "SELECT event_count FROM aevon_sweep()" |
				awk '/^Time:/ {print $2}' >>"$TMPDIR/link.$chunk"
		done
		fold=$(median <"$TMPDIR/fold.$chunk")
		link=$(median <"$TMPDIR/link.$chunk")
		report "| $count | $chunk | $rate | $fold | $link | $(calc %.2f "$link * 1000 / $count") |"
	done
	sql -c "SELECT aevon_snapshot()" -c "VACUUM ANALYZE" >/dev/null
	report "" "Medians of three." "" "| aevon_verify of | findings | s | private memory of the backend, MB |" "|--|--:|--:|--:|"
	sql -c "SELECT pg_backend_pid()" -c "\\timing on" -c "SELECT count(*) FROM aevon_verify()" \
		-c "SELECT pg_read_file('/proc/self/status') ~ 'RssAnon', substring(pg_read_file('/proc/self/status'), 'RssAnon:\\s*(\\d+)')" |
		awk -F'|' -v n="$((first - 1))" '/^Time:/ {split($0, t, " "); if (!took) took = t[2]; next}
			/^t\|/ {memory = $2} /^[0-9]+$/ {found = $1}
			END {printf "| %d events | %s | %.1f | %.0f |\n", n, found, took / 1000, memory / 1024}' | tee -a "$results"
	cluster_stop
}

bench_results results-history
report "# History: results" "" "$(machine)" "" \
	"By \`BENCH_ONLY=history make bench\` (\`bench/history.sh\`): a throw-away cluster with \`${bench_settings[*]:0:3}\`, no autovacuum," \
	"client and server on the same cores. Streams: \`bench/stream.sql\`, four rules that share a measure. Compare ratios, not" \
	"absolute values."
for part in $parts; do
	"bench_$part"
done
