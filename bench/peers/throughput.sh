# throughput: states a second at 8 and 100 clients (pgbench, prepared, unix socket,
# a tail of 100; runs are long enough for 100 new connections to have met what they
# ask for) against GET of the finished answer of 300 bytes from Redis
# (redis-benchmark, unix socket, the better of one and two threads) and SELECT 1.

redis_pid=

redis_start() {
	# the package redis-tools has the server under another name
	ln -sf "$(command -v redis-check-rdb)" "$TMPDIR/redis-server"
	"$TMPDIR/redis-server" --port 0 --unixsocket "$TMPDIR/redis.sock" --save '' --appendonly no --dir "$TMPDIR" >"$TMPDIR/redis.log" &
	redis_pid=$!
	trap 'redis_stop; cluster_stop' EXIT
	until redis-cli -s "$TMPDIR/redis.sock" SET answer "$(head -c 300 /dev/zero | tr '\0' x)" >/dev/null 2>&1; do
		kill -0 "$redis_pid" || fail "Redis does not start"
		sleep 0.1
	done
}

redis_stop() {
	if [ -n "$redis_pid" ]; then
		kill "$redis_pid" 2>/dev/null || true
		wait "$redis_pid" 2>/dev/null || true
	fi
	redis_pid=
}

# redis_gets CLIENTS THREADS: "a second, p50, p95, p99 in ms"
redis_gets() {
	redis-benchmark -s "$TMPDIR/redis.sock" -c "$1" -n $((100000 * seconds)) --threads "$2" --csv GET answer 2>/dev/null |
		tr -d '"' | awk -F, '/^GET/ {print $2, $5, $6, $7}'
}

# run_pgbench CLIENTS SCRIPT [OPTION...]: "a second, p50, p95, p99 in ms"
run_pgbench() {
	local clients=$1 script=$2 dir=$TMPDIR/pgbench tps='' try

	shift 2
	# on a busy machine a short run may be over before all are connected
	for try in 1 2 3; do
		rm -rf "$dir" && mkdir "$dir"
		tps=$(cd "$dir" && pgbench -n -M prepared -c "$clients" -j 2 -T $((seconds * try)) -l --sampling-rate=0.2 \
			-f "$data/$script.sql" "$@" 2>"$TMPDIR/pgbench.err" | awk '/^tps/ {print $3}')
		[ -z "$tps" ] || break
	done
	[ -n "$tps" ] || fail "pgbench $script: $(cat "$TMPDIR/pgbench.err")"
	cat "$dir"/pgbench_log.* | awk '{print $3 / 1000}' >"$dir/all"
	echo "$tps $(percentile 0.5 <"$dir/all") $(percentile 0.95 <"$dir/all") $(percentile 0.99 <"$dir/all")"
}

# column FILE NUMBER: the median of a column of the figures of all rounds
column() { awk -v c="$2" '{print $c}' "$data/$1" | median; }

throughput_title() {
	case $1 in
	redis1) echo "Redis GET, one client thread" ;;
	redis2) echo "Redis GET, two client threads" ;;
	one) echo "SELECT 1" ;;
	all_heavy) echo "state, heavy principal, all time" ;;
	all_any) echo "state, a principal at random, all time" ;;
	month_heavy) echo "state, heavy principal, 30 d unaligned" ;;
	month_any) echo "state, a principal at random, 30 d unaligned" ;;
	esac
}

write_throughput_scripts() {
	local any='\set u random(1, 9999)
\set k :u * :u / 10000 * :u / 10000
\set t 10000000 + :k % 50
\set p 100000000000 + :k'

	echo "SELECT 1" >"$data/one.sql"
	echo "SELECT aevon_state('10000000', '100000000000')" >"$data/all_heavy.sql"
	echo "SELECT aevon_state('10000000', '100000000000', NULL, '$since_30d', '$until')" >"$data/month_heavy.sql"
	printf '%s\n%s\n' "$any" "SELECT aevon_state(:t, :p)" >"$data/all_any.sql"
	printf '%s\n%s\n' "$any" "SELECT aevon_state(:t, :p, NULL, '$since_30d', '$until')" >"$data/month_any.sql"
}

bench_throughput() {
	local sides=(redis1 redis2 one all_heavy month_heavy all_any month_any) clients round side commands=()

	need_data large
	add_tail 100
	write_throughput_scripts
	redis_start
	for clients in 8 100; do
		commands=("redis_gets $clients 1 >>$data/tp.$clients.redis1" "redis_gets $clients 2 >>$data/tp.$clients.redis2")
		for side in "${sides[@]:2}"; do
			commands+=("seconds=$((seconds * 5 / 2)) run_pgbench $clients $side >>$data/tp.$clients.$side")
		done
		for round in $(seq "$rounds"); do
			in_turns "$round" "${commands[@]}"
			progress "throughput: $clients clients, round $round of $rounds"
		done
	done
	redis_stop
	add_tail 0
	report_throughput
}

# pgbench reads its clock too seldom for what is as short as SELECT 1.
latencies() {
	local c

	if [ "$1" = one ]; then
		echo " | | "
	else
		echo "$(for c in 2 3 4; do calc '%.3f ' "$(column "$2" $c)"; done)" | sed 's/ $//; s/ / | /g'
	fi
}

report_throughput() {
	local clients side redis one

	report "" "## Throughput" "" "| clients | | a second | p50, ms | p95 | p99 | of Redis | of SELECT 1 |" "|--:|---|--:|--:|--:|--:|--:|--:|"
	for clients in 8 100; do
		redis=$(printf '%s\n' "$(column "tp.$clients.redis1" 1)" "$(column "tp.$clients.redis2" 1)" | sort -g | tail -n 1)
		one=$(column "tp.$clients.one" 1)
		for side in redis1 redis2 one all_heavy month_heavy all_any month_any; do
			report "| $clients | $(throughput_title $side) | $(calc %d "$(column "tp.$clients.$side" 1)") | $(latencies "$side" "tp.$clients.$side") | $(ratio "$(column "tp.$clients.$side" 1)" "$redis") | $(ratio "$(column "tp.$clients.$side" 1)" "$one") |"
		done
		for side in all_heavy all_any; do
			target "throughput: $(throughput_title $side), $clients clients, of Redis GET" "$(calc %.3f "$(column "tp.$clients.$side" 1) / $redis")" "at least" 0.333
		done
		for side in month_heavy month_any; do
			target "throughput: $(throughput_title $side), $clients clients, of SELECT 1" "$(calc %.3f "$(column "tp.$clients.$side" 1) / $one")" "at least" 0.167
		done
		echo "$clients $(calc %d "$redis") $(calc %d "$one") $(column "tp.$clients.all_heavy" 1) $(column "tp.$clients.month_heavy" 1)" >>"$data/throughput.dat"
	done
	report "" "All four rules in each answer. The random principals are as skewed as the events."
}
