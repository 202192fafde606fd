#!/bin/bash
# The dashboard's questions, right after ingest: Aevon beside plain SQL on the
# raw table and on hourly and daily roll-ups, in one run.  Every answer of Aevon
# is compared with a recount before it is timed.
# Settings: BENCH_EVENTS (5000000; 45000000 is the real size), BENCH_SECONDS (4),
# BENCH_CALLS (200), BENCH_CLIENTS (100).
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/bench.sh

events=${BENCH_EVENTS:-5000000}
seconds=${BENCH_SECONDS:-4}
calls=${BENCH_CALLS:-200}
clients=${BENCH_CLIENTS:-100}
chunk=250000
ends='2026-07-01 09:17:23.456789+00'
five_minutes=5200
tail=500 # aevon.tail_target_events: what a running worker leaves
step="interval '30 days' / $events"

# ---------------------------------------------------------------------------
# The questions.  NAME | range | what, with one statement for each system.
# ---------------------------------------------------------------------------
questions=(all_1h all_24h all_7d all_30d all_90d rule_24h rule_30d top_7d errors_30d)

range_of() {
	case ${1#*_} in
	1h) echo "1 hour" ;;
	24h) echo "24 hours" ;;
	7d) echo "7 days" ;;
	30d) echo "30 days" ;;
	90d) echo "90 days" ;;
	esac
}

title_of() {
	case $1 in
	all_*) echo "aggregate, $(range_of "$1")" ;;
	rule_*) echo "one rule of 500, $(range_of "$1")" ;;
	top_*) echo "ten slowest rules by p95, 7 days" ;;
	errors_*) echo "errors by category and status, 30 days" ;;
	esac
}

# statement SYSTEM QUESTION: its SQL; $since is a bound of microseconds
statement() {
	local system=$1 question=$2 since table cut

	since="'$ends'::timestamptz - interval '$(range_of "$question")'"
	case $system in
	raw) table=dashboard.metrics cut=occurred_at ;;
	*) table=dashboard.by_$system cut=since ;;
	esac
	case $system:$question in
	aevon:all_*)
		echo "SELECT e.event_count, e.stats, f.event_count AS failed FROM aevon_windows('org', NULL, 'execution', $since) e, aevon_windows('org', NULL, 'errors', $since) f"
		;;
	aevon:rule_*)
		echo "SELECT event_count, stats FROM aevon_windows('org', NULL, 'execution', $since, dims => '{\"rule_id\": \"rule-7\"}')"
		;;
	aevon:top_*)
		echo "SELECT key, event_count, value, stats FROM aevon_top('org', 'execution', 10, 'p95', 'rule_id', $since, 'infinity')"
		;;
	aevon:errors_*)
		echo "SELECT dims, event_count FROM aevon_windows('org', NULL, 'errors', $since, group_by => '{category,status}')"
		;;
	raw:all_* | raw:rule_*)
		echo "SELECT count(*), avg(ms), percentile_disc('{0.5,0.95,0.99}'::float8[]) WITHIN GROUP (ORDER BY ms), max(ms), sum(ms), count(*) FILTER (WHERE status <> 'ok') FROM $table WHERE $cut >= $since $([[ $question = rule_* ]] && echo "AND rule_id = 'rule-7'")"
		;;
	raw:top_*)
		echo "SELECT rule_id, count(*), percentile_disc(0.95) WITHIN GROUP (ORDER BY ms) AS p95 FROM $table WHERE $cut >= $since GROUP BY 1 ORDER BY 3 DESC, 1 LIMIT 10"
		;;
	raw:errors_*)
		echo "SELECT category, status, count(*) FROM $table WHERE $cut >= $since AND status <> 'ok' GROUP BY 1, 2"
		;;
	*:all_* | *:rule_*)
		echo "SELECT sum(executions), sum(ms) / sum(executions), avg(p50), avg(p95), avg(p99), max(most), sum(ms), sum(executions) FILTER (WHERE status <> 'ok') FROM $table WHERE $cut >= $since $([[ $question = rule_* ]] && echo "AND rule_id = 'rule-7'")"
		;;
	*:top_*)
		echo "SELECT rule_id, sum(executions), avg(p95) FROM $table WHERE $cut >= $since GROUP BY 1 ORDER BY 3 DESC LIMIT 10"
		;;
	*:errors_*)
		echo "SELECT category, status, sum(executions) FROM $table WHERE $cut >= $since AND status <> 'ok' GROUP BY 1, 2"
		;;
	esac
}

# ---------------------------------------------------------------------------
# Data.
# ---------------------------------------------------------------------------
fill() {
	local at=1 last

	while [ "$at" -le "$events" ]; do
		last=$((at + chunk - 1 < events ? at + chunk - 1 : events))
		ingest "$at" "$last" "'$ends'::timestamptz - ($events - $at) * ($step)" "$step"
		sql -c "SELECT event_count FROM aevon_sweep()" >/dev/null
		at=$((last + 1))
		progress "$((at - 1)) of $events events"
	done
	sql -c "CALL dashboard.roll_up()" -c "VACUUM ANALYZE" -c "CHECKPOINT" >/dev/null
}

# ingest FIRST LAST STARTS STEP
ingest() {
	sql -c "CALL dashboard.stage($1, $2, $3, $4)" \
		-c "SELECT * FROM aevon_ingest_from('dashboard.staging', tenant => 'org')" \
		-c "CALL dashboard.copy_staged()" >/dev/null
}

# The last half hour at the real rate, whatever the rate before: five times five
# minutes' worth of events, each swept and timed, and then the tail, unswept.
last_minutes() {
	local round first second="interval '5 minutes' / $five_minutes"

	for round in 1 2 3 4 5; do
		first=$((events + (round - 1) * five_minutes + 1))
		ingest "$first" $((first + five_minutes - 1)) \
			"'$ends'::timestamptz - $tail * ($second) - interval '5 minutes' * (6 - $round)" "$second"
		sql -c "CHECKPOINT" -c "\\timing on" -c "SELECT event_count FROM aevon_sweep()" |
			awk '/^Time:/ {print $2}'
	done
	first=$((events + 5 * five_minutes + 1))
	ingest "$first" $((first + tail - 1)) "'$ends'::timestamptz - $tail * ($second)" "$second"
}

# ---------------------------------------------------------------------------
# Right?  Counts, sums, extremes and averages exactly, percentiles within 1 %.
# ---------------------------------------------------------------------------
check() {
	local question wrong

	for question in "${questions[@]}"; do
		case $question in
		all_* | rule_*)
			wrong=$(sql -c "
				WITH r AS (SELECT * FROM ($(statement raw "$question")) r (n, mean, p, most, total, failed)),
				a AS ($(statement aevon "$question"))
				SELECT count(*) FROM r, a
				WHERE a.event_count = r.n AND (a.stats ->> 'sum')::numeric = r.total
					AND (a.stats ->> 'max')::numeric = r.most AND abs((a.stats ->> 'avg')::numeric - r.mean) < 1e-9
					AND abs((a.stats ->> 'p50')::numeric - p[1]) <= 0.01 * p[1]
					AND abs((a.stats ->> 'p95')::numeric - p[2]) <= 0.01 * p[2]
					AND abs((a.stats ->> 'p99')::numeric - p[3]) <= 0.01 * p[3]
					$([[ $question = all_* ]] && echo "AND a.failed = r.failed")")
			;;
		top_*)
			wrong=$(sql -c "
				WITH r AS (SELECT rule_id, count(*) AS n, percentile_disc(0.95) WITHIN GROUP (ORDER BY ms) AS p95
					FROM dashboard.metrics WHERE occurred_at >= '$ends'::timestamptz - interval '7 days' GROUP BY 1),
				a AS ($(statement aevon "$question"))
				SELECT (count(*) = 10 AND bool_and(a.event_count = r.n AND abs(a.value - r.p95) <= 0.01 * r.p95))::integer
				FROM a JOIN r ON r.rule_id = a.key")
			;;
		errors_*)
			wrong=$(sql -c "
				WITH r AS ($(statement raw "$question")), a AS ($(statement aevon "$question"))
				SELECT (NOT EXISTS (SELECT * FROM r EXCEPT SELECT dims ->> 'category', dims ->> 'status', event_count FROM a)
					AND (SELECT count(*) FROM r) = (SELECT count(*) FROM a))::integer")
			;;
		esac
		if [ "$wrong" != 1 ]; then
			fail "the answer to $question is not what a recount says"
		fi
	done
}

# ---------------------------------------------------------------------------
# Time.
# ---------------------------------------------------------------------------
# inside SYSTEM QUESTION CALLS: median inside the server, ms
inside() {
	sql -c "SELECT timing.median_ms(\$q\$$(statement "$1" "$2")\$q\$, $3)"
}

# Private memory of all backends while `clients` ask, MB
memory() {
	local dir=$TMPDIR/memory pid total=0 kb

	mkdir -p "$dir"
	statement aevon top_7d >"$dir/script"
	(cd "$dir" && exec pgbench -n -M prepared -c "$clients" -j 2 -T "$seconds" -f script bench >/dev/null 2>&1) &
	sleep $((seconds > 2 ? seconds - 1 : 1))
	for pid in $(sql -c "SELECT pid FROM pg_stat_activity WHERE application_name = 'pgbench'"); do
		kb=$(awk '/^RssAnon:/ {print $2}' "/proc/$pid/status" 2>/dev/null || echo 0)
		total=$((total + ${kb:-0}))
	done
	wait $!
	echo $((total / 1024))
}

bench_results results-dashboard
bench_start work_mem=64MB
bench_timer
sql -f bench/dashboard.sql -c "CALL dashboard.define_rules()"
report "# The dashboard's questions" "" \
	"$events executions in 30 days, 500 rules, written by bench/dashboard.sh: $(machine)" \
	"The last 25 minutes have the real rate, $five_minutes in five minutes. The last $tail are not swept, which is what a running worker leaves (aevon.tail_target_events); nothing is stale. Every answer of Aevon was first compared with a recount of the raw table: percentiles within 1 %, all else exactly."
fill
swept=$(last_minutes | median)
check
report "" "| question | inside the server, ms: Aevon | by day | by hour | raw table | $clients clients, p50 / p95 ms: Aevon | by hour | p95, Aevon / by hour |" "|---|--:|--:|--:|--:|--:|--:|--:|"
for question in "${questions[@]}"; do
	own=$(inside aevon "$question" "$calls")
	day=$(inside day "$question" 20)
	hour=$(inside hour "$question" 10)
	raw=$(inside raw "$question" 1)
	read -r own50 own95 _ <<<"$(statement aevon "$question" | at_clients "$clients")"
	read -r hour50 hour95 _ <<<"$(statement hour "$question" | at_clients "$clients")"
	report "| $(title_of "$question") | $own | $day | $hour | $raw | $(calc %.1f "$own50") / $(calc %.1f "$own95") | $(calc %.0f "$hour50") / $(calc %.0f "$hour95") | $(calc %.2f "$own95 / $hour95") |"
done
report "" "The roll-ups are wrong at the ends of a range (whole hours or days only), average percentiles, and lack what came since they were made." \
	"" "- five minutes' worth of events ($five_minutes) are swept in $swept ms (median of five; wanted: under 200)" \
	"- private memory of $clients backends that ask for the ten slowest rules: $(memory) MB (wanted: under 1,000)" \
	"- size: log with indexes $(sql -c "SELECT pg_size_pretty(sum(pg_total_relation_size(c.oid))) FROM pg_class c WHERE c.oid = 'aevon.event_log_p1'::regclass"), buckets $(sql -c "SELECT pg_size_pretty(sum(pg_total_relation_size(c.oid))) FROM pg_class c WHERE c.relname LIKE 'buckets_1_' AND c.relnamespace = 'aevon'::regnamespace AND c.relkind = 'r'"), raw table with two indexes $(sql -c "SELECT pg_size_pretty(pg_total_relation_size('dashboard.metrics'))"), hourly roll-up $(sql -c "SELECT pg_size_pretty(pg_total_relation_size('dashboard.by_hour'))")"
cluster_stop
