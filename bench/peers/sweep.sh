# sweep: each round appends events to the log and times the sweep, the best
# set-based SQL (the same rows of the same table; plain and in key order, the better
# one counts) and the ancestor on exactly those, in turns.  The ancestor's service
# is a client: it reads its events after a cursor in batches of 50,000, adds them up
# (awk) and upserts bucket rows by prepared statements, one row at a time, in a
# transaction; a row for each of the four rules.  It sweeps one batch a round.
#
# Streams: dense, 400 events a second; sparse, 17 a second, on a history of five
# times as many: in order, and 5 % and 20 % up to three days late (the last one only
# to tell what a late event costs), in turns.  Each in a database of its own.

ancestor_batch=50000

own_sweep() { timed_ms "SELECT event_count FROM aevon_sweep()"; }

own_sweep_unchained() { sql -c "SET aevon.chain = off" -c "\\timing on" -c "SELECT event_count FROM aevon_sweep()" | awk '/^Time:/ {print $2}'; }

# rolled_up TABLE FROM_STAMP ORDER
rolled_up() {
	timed_ms "INSERT INTO rollup.$1 AS b
		SELECT tenant_key, principal_key, date_trunc('minute', occurred_at), count(*), sum(v), min(v), max(v)
		FROM (SELECT tenant_key, principal_key, occurred_at, (data -> 'amount')::numeric AS v
			  FROM aevon.event_log WHERE stamp >= $2) e
		GROUP BY 1, 2, 3 $3
		ON CONFLICT (tenant_key, principal_key, minute) DO UPDATE
		SET event_count = b.event_count + excluded.event_count, sum = b.sum + excluded.sum,
			min = least(b.min, excluded.min), max = greatest(b.max, excluded.max)"
}

# upsert VALUE: the statement, by how the value of a row changes
upsert() {
	echo "INSERT INTO ancestor.buckets AS b VALUES (\$1, \$2, \$3, \$4::timestamptz, \$5, \$6)
		ON CONFLICT (tenant, principal, rule, minute) DO UPDATE
		SET event_count = b.event_count + excluded.event_count, value = $1"
}

# One batch of the ancestor: reads, adds up, upserts.
ancestor_step() {
	{
		echo "PREPARE add (text, text, text, text, bigint, numeric) AS $(upsert "b.value + excluded.value");
			PREPARE low (text, text, text, text, bigint, numeric) AS $(upsert "least(b.value, excluded.value)");
			PREPARE high (text, text, text, text, bigint, numeric) AS $(upsert "greatest(b.value, excluded.value)");"
		echo "BEGIN;"
		sql -c "COPY (SELECT tenant, principal, date_trunc('minute', occurred_at), data -> 'amount', seq
				FROM ancestor.events WHERE seq > (SELECT seq FROM ancestor.cursor) ORDER BY seq LIMIT $ancestor_batch) TO STDOUT" |
			awk -F'\t' '
			function row(how, rule, value) {
				printf "EXECUTE %s('\''%s'\'', '\''%s'\'', '\''%s'\'', '\''%s'\'', %d, %s);\n", how, k[1], k[2], rule, k[3], n[key], value
			}
			{
				key = $1 "\t" $2 "\t" $3
				if (!(key in n)) {order[++keys] = key; low[key] = high[key] = $4}
				n[key]++; sum[key] += $4; last = $5
				if ($4 < low[key]) low[key] = $4
				if ($4 > high[key]) high[key] = $4
			} END {
				for (i = 1; i <= keys; i++) {
					key = order[i]
					split(key, k, "\t")
					row("add", "calls", n[key])
					row("add", "amount", sprintf("%.2f", sum[key]))
					row("low", "least", low[key])
					row("high", "most", high[key])
				}
				printf "UPDATE ancestor.cursor SET seq = %d;\nCOMMIT;\n", last
			}'
	} | sql -f - >/dev/null
}

# ms
ancestor_sweep() {
	local began

	began=$(date +%s%N)
	ancestor_step
	calc '%.1f\n' "($(date +%s%N) - $began) / 1000000"
}

# written FILE COMMAND...: run, its output to FILE, the bytes of WAL to FILE.wal
written() {
	local before file=$1

	shift
	before=$(wal_position)
	"$@" >>"$data/$file"
	calc '%.0f\n' "$(wal_position) - $before" >>"$data/$file.wal"
}

sweep_database() {
	bench_database sweep
	sql -f bench/peers/events.sql -c "CALL bench.define_rules()"
	next_event=1
	swept_rate=$1
}

# append COUNT LATE: stage the events that come next, and ingest them; sets `from`,
# their first stamp, and `accepted`, how many were new
append() {
	from=$(sql -c "SELECT coalesce(max(stamp), 0) + 1 FROM aevon.event_log")
	sql -c "CALL bench.stage($next_event, $((next_event + $1 - 1)), $swept_rate, $2)"
	accepted=$(sql -c "SELECT accepted FROM aevon_ingest_from('bench.staging')")
	# a gap, so that no duplicate is of an event of another share of late ones
	next_event=$((next_event + $1 + 5000))
}

# append_to_ancestor COUNT: the first of the staged events to its table as well;
# sets `accepted_by_ancestor`
append_to_ancestor() {
	accepted_by_ancestor=$(sql -c "WITH added AS (
			INSERT INTO ancestor.events (tenant, principal, id, type, occurred_at, data)
			SELECT * FROM (SELECT * FROM bench.staging LIMIT $1) s ON CONFLICT (tenant, principal, id) DO NOTHING RETURNING 1)
		SELECT count(*) FROM added")
}

# sweep_round ROUND NAME COUNT LATE: all sides, in turns
sweep_round() {
	append "$3" "$4"
	append_to_ancestor "$ancestor_batch"
	sql -c "VACUUM ANALYZE aevon.event_log"
	in_turns "$1" "written $2.own own_sweep" "written $2.plain rolled_up plain $from ''" \
		"written $2.ordered rolled_up ordered $from 'ORDER BY 1, 2, 3'" \
		"written $2.ancestor ancestor_sweep"
	echo "$accepted" >>"$data/$2.count"
	echo "$accepted_by_ancestor" >>"$data/$2.ancestor.count"
	progress "sweep: $2, round $1 of $rounds"
}

bench_sweep() {
	local round count

	sweep_database 400
	sweep_round 0 "warm" "${dense[0]}" 0
	sql -c "CHECKPOINT"
	for count in "${dense[@]}"; do
		for round in $(seq "$rounds"); do
			sweep_round "$round" "dense.$count" "$count" 0
		done
	done
	check_sweep
	for round in $(seq "$rounds"); do
		append "$sparse" 0
		own_sweep_unchained >>"$data/unchained"
		own_sweep >/dev/null
		append "$sparse" 0
		own_sweep >>"$data/chained"
	done
	bench_sparse
	report_sweep
	judge_sweep
}

bench_sparse() {
	local round

	sweep_database 17
	append $((sparse * 5)) 0.05
	own_sweep >/dev/null
	rolled_up plain "$from" "" >/dev/null
	rolled_up ordered "$from" "ORDER BY 1, 2, 3" >/dev/null
	sql -c "CHECKPOINT"
	for round in $(seq "$rounds"); do
		sweep_round "$round" "sparse.0" "$sparse" 0
		sweep_round "$round" "sparse.0.05" "$sparse" 0.05
		append "$sparse" 0.2
		own_sweep >>"$data/sparse.0.2.own"
		rolled_up plain "$from" "" >/dev/null
		rolled_up ordered "$from" "ORDER BY 1, 2, 3" >/dev/null
	done
	check_sweep
}

# All sides hold the same figures, or the comparison is worth nothing.
check_sweep() {
	local wrong

	wrong=$(sql -c "
		SELECT count(*) FROM (SELECT t.tenant, k.principal, p.minute, p.event_count, p.sum, p.min, p.max
				FROM rollup.plain p JOIN aevon.principals k USING (principal_key) JOIN aevon.tenants t ON t.tenant_key = k.tenant_key) p
		FULL JOIN (SELECT tenant, principal, window_start AS minute, event_count, sum, min, max
				FROM aevon.pre_aggregates WHERE rule = 'calls' AND principal IS NOT NULL) o USING (tenant, principal, minute)
		WHERE (p.event_count, p.sum, p.min, p.max) IS DISTINCT FROM (o.event_count, o.sum, o.min, o.max)")
	[ "$wrong" = 0 ] || fail "$wrong buckets differ between Aevon and the roll-up"
	wrong=$(sql -c "SELECT count(*) FROM (SELECT * FROM rollup.plain EXCEPT ALL SELECT * FROM rollup.ordered) d")
	[ "$wrong" = 0 ] || fail "$wrong buckets differ between the two roll-ups"
	wrong=$(sql -c "
		SELECT count(*) FROM ancestor.buckets b
		FULL JOIN (SELECT tenant, principal, r.rule, date_trunc('minute', occurred_at) AS minute,
				CASE r.rule WHEN 'calls' THEN count(*) WHEN 'amount' THEN sum(v) WHEN 'least' THEN min(v) ELSE max(v) END AS value
			FROM (SELECT *, (data -> 'amount')::numeric AS v FROM ancestor.events WHERE seq <= (SELECT seq FROM ancestor.cursor)) e,
				unnest('{calls,amount,least,most}'::text[]) r (rule) GROUP BY 1, 2, 3, 4) e USING (tenant, principal, rule, minute)
		WHERE b.value IS DISTINCT FROM e.value")
	[ "$wrong" = 0 ] || fail "$wrong buckets of the ancestor are wrong"
}

# sweep_figures NAME: "Aevon, best SQL, ancestor" in events a second
sweep_figures() {
	local best

	best=$(printf '%s\n' "$(of "$1.plain")" "$(of "$1.ordered")" | sort -g | head -n 1)
	echo "$(calc %d "$(of "$1.count") / $(of "$1.own") * 1000") $(calc %d "$(of "$1.count") / $best * 1000") $(calc %d "$(of "$1.ancestor.count") / $(of "$1.ancestor") * 1000")"
}

sweep_streams() {
	local count

	for count in "${dense[@]}"; do
		echo "dense.$count $count dense_$count"
	done
	echo "sparse.0 $sparse sparse"
	echo "sparse.0.05 $sparse sparse_5_%_late"
}

# What a late event costs, as a multiple of one in order: a fifth of the stream is late.
late_cost() { calc %.2f "($(of sparse.0.2.own) / $(of sparse.0.own) - 0.8) / 0.2"; }

report_sweep() {
	local name count label own best ancestor

	report "" "## Sweep" "" \
		"| stream | events | events a second: Aevon | best set-based SQL | the ancestor | Aevon / SQL | Aevon / ancestor | WAL bytes an event: Aevon | SQL | the ancestor |" \
		"|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
	while read -r name count label; do
		read -r own best ancestor <<<"$(sweep_figures "$name")"
		report "| ${label//_/ } | $count | $own | $best | $ancestor | $(ratio "$own" "$best") | $(ratio "$own" "$ancestor") | $(calc %.0f "$(of "$name.own.wal") / $(of "$name.count")") | $(calc %.0f "$(of "$name.ordered.wal") / $(of "$name.count")") | $(calc %.0f "$(of "$name.ancestor.wal") / $(of "$name.ancestor.count")") |"
		echo "$label $own $best $ancestor" >>"$data/sweep.dat"
	done < <(sweep_streams)
	report "" "- a late event costs $(late_cost) times one in order (sweeps of $sparse events with a fifth late against none late)" \
		"- the chain: dense sweeps of $sparse events take $(calc %.0f "$(of chained)") ms with it and $(calc %.0f "$(of unchained)") ms without, $(ratio "$(of chained)" "$(of unchained)") times as long; all figures above are with the chain" \
		"- the figures of all sides were compared, row by row, after the last round"
}

judge_sweep() {
	local name count label own best ancestor against_sql against_ancestor

	while read -r name count label; do
		read -r own best ancestor <<<"$(sweep_figures "$name")"
		case $label in
		dense*) against_sql=4.5 against_ancestor=25 ;;
		*) against_sql=2 against_ancestor=12 ;;
		esac
		[ "$count" -gt 100000 ] || [[ $label = sparse* ]] || { against_sql=2.2 against_ancestor=12; }
		target "sweep: ${label//_/ }, $count events, of the best set-based SQL" "$(ratio "$own" "$best")" "at least" $against_sql
		target "sweep: ${label//_/ }, $count events, of the ancestor" "$(ratio "$own" "$ancestor")" "at least" $against_ancestor
		target "sweep: ${label//_/ }, WAL of an event, of the ancestor's" \
			"$(ratio "$(calc %.2f "$(of "$name.own.wal") / $(of "$name.count")")" "$(calc %.2f "$(of "$name.ancestor.wal") / $(of "$name.ancestor.count")")")" "at most" 0.8
	done < <(sweep_streams)
	target "sweep: a late event, of one in order" "$(late_cost)" "at most" 1.5
}
