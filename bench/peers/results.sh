# The report of a run, from what its parts left: bench/results.md, the charts and
# the table for README.md; after a run of some parts only, bench/partial.md.

write_results() {
	local whole='' name=partial

	if [ "$parts" = "$all_parts" ]; then
		whole=1
		name=results
	fi
	mv "$results" "$data/parts.md"
	bench_results "$name"
	report "# Aevon beside its peers" "" "$(machine) Redis $(redis-benchmark --version | cut -d ' ' -f 2), $(gnuplot --version)." "" \
		"By \`make bench\`${BENCH_PARTS:+ BENCH_PARTS=\"$parts\"} (\`bench/peers.sh\`; method: the head of each file in \`bench/peers/\`), BENCH_EVENTS=$events." \
		"A throw-away cluster with \`${bench_settings[*]:0:3}\`, no autovacuum meanwhile; clients and server on the same" \
		"cores, unix sockets. Events: \`bench/peers/events.sql\`, 30 days, 10,000 skewed principals in 50 tenants, 5 % up to 3 days late, 1 %" \
		"sent twice; four rules (count, sum, min, max of one value) unless said otherwise. All sides ran in this run, in turns; figures are" \
		"medians of $rounds rounds unless said otherwise. Before anything was timed, or right after, the sides' figures were compared. Compare" \
		"ratios, not absolute values. The whole took $((($(date +%s) - bench_began) / 60)) minutes." \
		"" "## Wanted, and reached or missed" "" "| what | figure | wanted | |" "|---|--:|--:|---|" "$(cat "$data/verdicts")" "$(cat "$data/parts.md")"
	if [ -n "$whole" ]; then
		draw chart
		summarize
	else
		draw partial
	fi
}

# The table of README.md, from the figures of the charts.
summarize() {
	local dense_name=dense_${dense[0]}

	{
		echo "| $events events, $(nproc) cores | Aevon | its peers |"
		echo "|---|--:|---|"
		awk '$1 == "8.on" {printf "| single-row ingest, 8 clients, `synchronous_commit` on, events a second | %d | %d the ancestor, %d a table without index |\n", $2, $3, $4}' "$data/ingest.dat"
		awk -v own="$(of bulk.from)" -v other="$(of bulk.ancestor)" -v n="$bulk_events" 'BEGIN {
			printf "| bulk ingest, events a second | %d | %d `INSERT ... SELECT ... ON CONFLICT` into the ancestor'\''s table |\n", n / own * 1000, n / other * 1000}'
		awk -v name="$dense_name" '$1 == name {printf "| sweep of a stream of 400 events a second, events swept a second | %d | %d the best set-based SQL, %d the ancestor |\n", $2, $3, $4}' "$data/sweep.dat"
		awk '$1 == "sparse_5_%_late" {printf "| sweep of one of 17 a second, 5 %% late | %d | %d the best set-based SQL, %d the ancestor |\n", $2, $3, $4}' "$data/sweep.dat"
		awk '$1 == "30d" {printf "| state of the busiest principal over 30 days, four rules, microseconds | %.0f | %d SQL on the fly, %d a materialized view |\n", $2, $5, $4}' "$data/read.dat"
		awk '$1 == 8 {printf "| states a second, all time, 8 clients | %d | %d `GET` of a finished answer from Redis |\n", $4, $2}' "$data/throughput.dat"
		awk '{own += $2; other += $3} END {printf "| bytes per event: log, keys, buckets, all indexes | %.0f | %.0f the ancestor |\n", own, other}' "$data/storage.dat"
		echo
		echo "$(grep -c '| reached |' "$data/verdicts") of $(wc -l <"$data/verdicts") figures that were wanted are reached: [bench/results.md](bench/results.md) has all of them, with the method."
		if [ "$events" -lt 1000000 ] || [ "$rounds" -lt 3 ]; then
			echo
			echo "**A small run, which shows the form of this table and nothing else.**"
		fi
	} >"$TMPDIR/results/summary.md"
}

# draw PREFIX: the charts that there are figures for
draw() {
	local chart

	for chart in ingest sweep read throughput storage; do
		if [ -e "$data/$chart.dat" ]; then
			gnuplot -e "data = '$data/$chart.dat'; set output '$TMPDIR/results/$1-$chart.png'" \
				-e "load 'bench/peers/style.gp'" "bench/peers/$chart.gp"
		fi
	done
}
