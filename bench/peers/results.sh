# The report of a run, from what its parts left: bench/results.md, the charts and
# the table for README.md; after a run of some parts only, bench/partial.md.

write_results() {
	local whole= name=partial

	if [ "$parts" = "$all_parts" ]; then
		whole=1
		name=results
	fi
	bench_results "$name"
	report "# Aevon beside its peers" "" "$(machine) Redis $(redis-benchmark --version | cut -d ' ' -f 2), $(gnuplot --version)." "" \
		"By \`make bench\`${BENCH_PARTS:+ BENCH_PARTS=\"$parts\"} (\`bench/peers.sh\`; method: the head of each file in \`bench/peers/\`), BENCH_EVENTS=$events." \
		"A throw-away cluster with \`${bench_settings[*]:0:3}\`, no autovacuum meanwhile; clients and server on the same" \
		"cores, unix sockets. Events: \`bench/peers/events.sql\`, 30 days, 10,000 skewed principals in 50 tenants, 5 % up to 3 days late, 1 %" \
		"sent twice; four rules (count, sum, min, max of one value) unless said otherwise. All sides ran in this run, in turns; figures are" \
		"medians of $rounds rounds unless said otherwise. Before anything was timed, or right after, the sides' figures were compared. Compare" \
		"ratios, not absolute values. The whole took $((($(date +%s) - bench_began) / 60)) minutes." \
		"" "## Wanted, and reached or missed" "" "| what | figure | wanted | |" "|---|--:|--:|---|" "$(cat "$data/verdicts")" "$(cat "$data/parts.md")"
	draw "$([ -n "$whole" ] && echo chart || echo partial)"
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
