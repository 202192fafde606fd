# read: aevon_state of a heavy principal, a middling one and a whole tenant, by range
# and by length of the tail, time inside the server (a loop in plpgsql, plan kept).
# Beside it, with the tail of 100: SQL on the fly over an index that holds the value
# (index-only), the ancestor's 1m buckets of one rule summed, a materialized view of
# minutes (both of the swept events only), and one bucket row fetched by its key through SPI.
# Every answer is compared with a recount first.

subjects=(heavy middling tenant)
ranges=(1h 24h 7d 30d all)

principal_of() {
	case $1 in
	heavy) echo "'100000000000'" ;;
	middling) echo "'100000000100'" ;;
	tenant) echo NULL ;;
	esac
}

since_of() {
	case $1 in
	1h) echo "'2026-01-30 22:59:48.777777+00'" ;;
	24h) echo "'2026-01-29 23:59:48.777777+00'" ;;
	7d) echo "'2026-01-23 23:59:48.777777+00'" ;;
	30d) echo "'$since_30d'" ;;
	all) echo "'-infinity'" ;;
	esac
}

until_of() {
	if [ "$1" = all ]; then
		echo "'infinity'"
	else
		echo "'$until'"
	fi
}

# question SIDE SUBJECT RANGE
question() {
	local who when minute

	who="tenant = '10000000'"
	[ "$2" = tenant ] || who="$who AND principal = $(principal_of "$2")"
	when="occurred_at >= $(since_of "$3") AND occurred_at < $(until_of "$3")"
	minute=${when//occurred_at/minute}
	case $1 in
	all_rules) echo "SELECT aevon_state('10000000', $(principal_of "$2"), NULL, $(since_of "$3"), $(until_of "$3"))" ;;
	one_rule) echo "SELECT aevon_state('10000000', $(principal_of "$2"), 'amount', $(since_of "$3"), $(until_of "$3"))" ;;
	fly) echo "SELECT count(*), sum(amount), min(amount), max(amount) FROM fly.events WHERE $who AND $when" ;;
	buckets) echo "SELECT sum(event_count), sum(value) FROM ancestor.buckets WHERE $who AND rule = 'amount' AND $minute" ;;
	view) echo "SELECT sum(event_count), sum(sum), min(min), max(max) FROM fly.minutes WHERE $who AND $minute" ;;
	esac
}

# Count, sum, min and max of the four rules are what a recount of the raw rows says.
check_state() {
	local subject range wrong

	for subject in "${subjects[@]}"; do
		for range in "${ranges[@]}"; do
			wrong=$(sql -c "SELECT (SELECT ROW(max(value) FILTER (WHERE rule = 'calls'), max(value) FILTER (WHERE rule = 'amount'),
					max(value) FILTER (WHERE rule = 'least'), max(value) FILTER (WHERE rule = 'most'))
				FROM aevon_windows('10000000', $(principal_of "$subject"), NULL, $(since_of "$range"), $(until_of "$range"))) IS DISTINCT FROM
				(SELECT ROW(count(*)::numeric, coalesce(sum(amount), 0), min(amount), max(amount)) FROM ($(question fly "$subject" "$range" |
					sed 's/count(.*max(amount)/amount/')) r)")
			[ "$wrong" = f ] || fail "the state of $subject over $range is not what a recount says"
		done
	done
}

# time_of SIDE SUBJECT RANGE CALLS: "p50 p95 p99", us
time_of() {
	sql -F ' ' -c "SELECT * FROM timing.percentiles_us(\$q\$$(question "$1" "$2" "$3")\$q\$, $4)"
}

# state_times DATABASE TAIL: fill $data/DATABASE.TAIL.SUBJECT.RANGE.SIDE
state_times() {
	local subject range side

	for subject in "${subjects[@]}"; do
		for range in "${ranges[@]}"; do
			for side in all_rules one_rule; do
				time_of "$side" "$subject" "$range" "$calls" >"$data/$1.$2.$subject.$range.$side"
			done
		done
	done
}

p50_of() { cut -d ' ' -f 1 "$data/$1"; }

bench_read() {
	local tail fetched

	need_data small
	add_tail 100
	check_state
	state_times small 100
	need_data large
	fetched=$(one_row)
	for tail in 0 100 10000; do
		add_tail "$tail"
		check_state
		state_times large "$tail"
		progress "read: tail of $tail"
		[ "$tail" = 100 ] && peers_of_reads
	done
	add_tail 0
	report_reads "$fetched"
	judge_reads
}

# One row of days by its key, through SPI: us
one_row() {
	local key

	key=$(sql -c "SELECT s.series_key || ' ' || b.first_window FROM aevon.series s JOIN aevon.buckets_1d b USING (series_key)
		JOIN aevon.principals p ON p.principal_key = s.subject_key WHERE p.principal = '100000000000' ORDER BY b.first_window LIMIT 1")
	sql -F ' ' -c "SELECT * FROM timing.percentiles_us('SELECT state FROM aevon.buckets_1d WHERE series_key = ${key% *} AND first_window = ${key#* }', $calls)" |
		cut -d ' ' -f 1
}

peers_of_reads() {
	local subject range side

	sql -c "CREATE MATERIALIZED VIEW fly.minutes AS
			SELECT tenant, principal, date_trunc('minute', occurred_at) AS minute, count(*) AS event_count,
				sum(amount) AS sum, min(amount) AS min, max(amount) AS max FROM fly.events GROUP BY 1, 2, 3" \
		-c "CREATE UNIQUE INDEX ON fly.minutes (tenant, principal, minute)" -c "VACUUM ANALYZE"
	for subject in "${subjects[@]}"; do
		for range in "${ranges[@]}"; do
			for side in fly buckets view; do
				time_of "$side" "$subject" "$range" 5 >"$data/large.100.$subject.$range.$side"
			done
		done
	done
	sql -c "DROP MATERIALIZED VIEW fly.minutes"
}

report_reads() {
	local tail subject range file p50

	report "" "## Read: \`aevon_state\` inside the server" "" \
		"| subject | range | tail | p50, us: all four rules | p95 | p99 | bucket rows by key | p50, us: one rule | log of $smaller, all four | ratio |" \
		"|---|---|--:|--:|--:|--:|--:|--:|--:|--:|"
	for tail in 0 100 10000; do
		for subject in "${subjects[@]}"; do
			for range in "${ranges[@]}"; do
				file=large.$tail.$subject.$range
				p50=$(p50_of "$file.all_rules")
				report "| $subject | $range | $tail | $(sed 's/ / | /g' "$data/$file.all_rules") | $(calc %.1f "$p50 / $1") | $(p50_of "$file.one_rule") | $([ "$tail" = 100 ] && echo "$(p50_of "small.100.$subject.$range.all_rules") | $(ratio "$p50" "$(p50_of "small.100.$subject.$range.all_rules")")" || echo " | ") |"
			done
		done
	done
	report "" "One row of \`buckets_1d\` fetched by its key through SPI takes $1 us. Ranges end at $until, in the middle of a minute, as they begin." \
		"$calls calls each. Heavy: 4.6 % of the events; middling: 0.07 %; tenant: the tenant of both, one of 50." \
		"" "| subject | range | Aevon, all four rules, us | ancestor's 1m buckets of one rule summed | on the fly | materialized view | on the fly / Aevon |" "|---|---|--:|--:|--:|--:|--:|"
	for subject in "${subjects[@]}"; do
		for range in "${ranges[@]}"; do
			file=large.100.$subject.$range
			report "| $subject | $range | $(p50_of "$file.all_rules") | $(p50_of "$file.buckets") | $(p50_of "$file.fly") | $(p50_of "$file.view") | $(calc %.0f "$(p50_of "$file.fly") / $(p50_of "$file.all_rules")") |"
			if [ "$subject" = heavy ]; then
				echo "$range $(p50_of "$file.all_rules") $(p50_of "$file.buckets") $(p50_of "$file.view") $(p50_of "$file.fly")"
			fi >>"$data/read.dat"
		done
	done
	report "" "Tail of 100. The buckets and the view lack the tail and answer in whole minutes only, which is less than was asked."
}

judge_reads() {
	local subject worst flat

	for subject in "${subjects[@]}"; do
		worst=$(cat "$data"/large.0."$subject".*.all_rules "$data"/large.100."$subject".*.all_rules | cut -d ' ' -f 1 | sort -g | tail -n 1)
		target "read: state of $subject, the slowest range, tail to 100, p50 inside the server" "$worst" below 60 " us"
		flat=$(for range in "${ranges[@]}"; do
			calc '%.2f\n' "$(p50_of "large.100.$subject.$range.all_rules") / $(p50_of "small.100.$subject.$range.all_rules")"
		done | sort -g | tail -n 1)
		target "read: state of $subject, log of $events against $smaller, the worst range" "$flat" "at most" 1.3
	done
}
