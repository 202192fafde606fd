# tools/bench.sh: what the benchmark scripts share (source this file in what
# tools/staged.sh runs).
#
#   bench_results NAME            report goes to bench/NAME.md from here on
#   bench_start [SETTING=VALUE ...]  a throw-away cluster, made for measuring, and
#                                 in it the database "bench" with the extension
#   report LINE...                to the report and to the screen
#   progress WORDS                to the screen, with the time since the start
#   fail WORDS                    give up
#   sql ARGUMENTS                 psql, bare output, stops at errors
#   timed_ms SQL                  time of one statement, as the client sees it
#   median, percentile SHARE      of the numbers on the input, one a line
#   calc FORMAT EXPRESSION        arithmetic
#   machine                       a line that says where this ran
#   at_clients CLIENTS            prints p50, p95 and p99 of the statement on the
#                                 input, ms, asked for $seconds by so many clients
#
# In the database, after bench_timer:
#   timing.median_ms(question, calls)      median time inside the server; a
#   timing.percentiles_us(question, calls) question is a SELECT, its plan is kept
. tools/cluster.sh

export PGOPTIONS="-c client_min_messages=warning"
bench_began=$(date +%s)
bench_load=$(cut -d ' ' -f 1 /proc/loadavg)
bench_settings=(shared_buffers=6GB max_wal_size=32GB min_wal_size=2GB checkpoint_timeout=1h
	autovacuum=off work_mem=256MB maintenance_work_mem=512MB jit=off max_connections=200
	aevon.max_workers=0 aevon.snapshot_interval=0 aevon.max_future=-1)

bench_results() {
	mkdir -p "$TMPDIR/results"
	results=$TMPDIR/results/$1.md
	: >"$results"
}

report() { printf '%s\n' "$@" | tee -a "$results"; }
fail() { echo "bench: $*" >&2; exit 1; }
sql() { psql -X -A -t -q -v ON_ERROR_STOP=1 "$@"; }
median() { sort -g | awk '{v[NR] = $1} END {print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }
percentile() { sort -g | awk -v p="$1" '{v[NR] = $1} END {i = int(p * NR); if (i < p * NR) i++; print v[i]}'; }
calc() { awk "BEGIN {printf \"$1\", $2}"; }
timed_ms() { sql -c "\\timing on" -c "$1" | awk '/^Time:/ {print $2}'; }

progress() {
	local passed=$(($(date +%s) - bench_began))

	printf 'bench: %d:%02d %s\n' $((passed / 60)) $((passed % 60)) "$*" >&2
}

machine() {
	echo "$(date -u +%F), $(nproc) cores ($(awk -F': ' '/^model name/ {print $2; exit}' /proc/cpuinfo)), $(awk '/^MemTotal/ {printf "%.0f", $2 / 1048576}' /proc/meminfo) GiB, load before the run $bench_load, $(postgres --version | sed 's/^postgres (PostgreSQL)/PostgreSQL/')."
}

bench_start() {
	cluster_start "${bench_settings[@]}" "$@"
	bench_database bench
}

# bench_database NAME: made anew, with the extension; sql and pgbench use it
bench_database() {
	PGDATABASE=postgres sql -c "DROP DATABASE IF EXISTS $1" -c "CREATE DATABASE $1"
	export PGDATABASE=$1
	sql -c "CREATE EXTENSION aevon"
}

bench_timer() {
	sql <<-'EOS'
		CREATE SCHEMA timing;
		CREATE FUNCTION timing.times_us(question text, calls integer) RETURNS double precision[] LANGUAGE plpgsql AS $$
		DECLARE
			times double precision[];
		BEGIN
			EXECUTE format($make$
				CREATE OR REPLACE FUNCTION pg_temp.timed(calls integer) RETURNS double precision[] LANGUAGE plpgsql AS $timed$
				DECLARE
					began timestamptz;
					times double precision[] := '{}';
				BEGIN
					FOR i IN CASE WHEN calls > 10 THEN -1 ELSE 1 END .. calls LOOP
						began := clock_timestamp();
						PERFORM %s;
						IF i >= 1 THEN
							times[i] := extract(epoch FROM clock_timestamp() - began)::double precision * 1000000;
						END IF;
					END LOOP;
					RETURN times;
				END
				$timed$ $make$, regexp_replace(question, '^SELECT ', ''));
			EXECUTE 'SELECT pg_temp.timed($1)' INTO times USING calls;
			RETURN times;
		END
		$$;
		CREATE FUNCTION timing.percentiles_us(question text, calls integer, OUT p50 numeric, OUT p95 numeric, OUT p99 numeric)
		LANGUAGE sql AS $$
			SELECT round(p[1]::numeric, 1), round(p[2]::numeric, 1), round(p[3]::numeric, 1)
			FROM (SELECT percentile_cont('{0.5,0.95,0.99}'::double precision[]) WITHIN GROUP (ORDER BY t) AS p
				  FROM unnest(timing.times_us(question, calls)) t) q
		$$;
		CREATE FUNCTION timing.median_ms(question text, calls integer) RETURNS numeric LANGUAGE sql AS $$
			SELECT round(p50 / 1000, 3) FROM timing.percentiles_us(question, calls)
		$$;
	EOS
}

at_clients() {
	local dir=$TMPDIR/latency

	rm -rf "$dir" && mkdir "$dir"
	cat >"$dir/script"
	(cd "$dir" && pgbench -n -M prepared -c "$1" -j 2 -T "$seconds" -l -f script >/dev/null 2>&1)
	cat "$dir"/pgbench_log.* | awk '{print $3 / 1000}' >"$dir/all"
	echo "$(percentile 0.5 <"$dir/all") $(percentile 0.95 <"$dir/all") $(percentile 0.99 <"$dir/all")"
}
