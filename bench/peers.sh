#!/bin/bash
# Aevon beside its peers, in one run: what `make bench` runs by itself.
#
#   make bench                          everything, under half an hour: bench/results.md,
#                                       bench/chart-*.png, and the table in README.md
#   make bench BENCH_PARTS="sweep"      some parts only: bench/partial.md
#
# Parts (each a file in bench/peers/, with its method at the top):
#   storage read throughput growth mixed costs   on one log of BENCH_EVENTS events
#   ingest bulk sweep refresh                    on logs of their own
#   steady                                       half an hour, only when named
#
# Settings, with their defaults:
#   BENCH_EVENTS=5000000   the log (1000000 to 45000000); BENCH_SMALLER=1000000 the one it is compared with
#   BENCH_ROUNDS=5         rounds; the sides take turns in each
#   BENCH_SECONDS=2        length of a run of pgbench
#   BENCH_CALLS=500        calls of a question inside the server
#   BENCH_BULK=1000000     events of a round of part bulk
#   BENCH_DENSE="500000 50000", BENCH_SPARSE=100000   events of a sweep
#   BENCH_MINUTES=30       length of part steady
# A try of everything in a few minutes: BENCH_EVENTS=100000 BENCH_SMALLER=50000
# BENCH_ROUNDS=3 BENCH_SECONDS=1 BENCH_BULK=50000 BENCH_DENSE="50000 20000" BENCH_SPARSE=20000.
set -euo pipefail
[ -z "${BENCH_TRACE:-}" ] || set -x
cd "$(dirname "$0")/.."
. tools/bench.sh
for part in bench/peers/*.sh; do
	. "$part"
done

all_parts="storage read throughput growth mixed costs ingest bulk sweep refresh"
parts=${BENCH_PARTS:-$all_parts}
events=${BENCH_EVENTS:-5000000}
smaller=${BENCH_SMALLER:-1000000}
rounds=${BENCH_ROUNDS:-5}
seconds=${BENCH_SECONDS:-2}
calls=${BENCH_CALLS:-500}
bulk_events=${BENCH_BULK:-1000000}
read -r -a dense <<<"${BENCH_DENSE:-500000 50000}"
sparse=${BENCH_SPARSE:-100000}
minutes=${BENCH_MINUTES:-30}

data=$TMPDIR/data
mkdir -p "$data"
: >"$data/verdicts"

# target WHAT FIGURE 'at least'|'at most'|'below' LIMIT [UNIT]: judge a figure
target() {
	local unit=${5:-} verdict

	verdict=$(awk -v figure="$2" -v how="$3" -v limit="$4" 'BEGIN {
		met = how == "at least" ? figure >= limit : how == "at most" ? figure <= limit : figure < limit
		print met ? "reached" : "**missed**"}')
	printf '| %s | %s%s | %s %s%s | %s |\n' "$1" "$2" "$unit" "$3" "$4" "$unit" "$verdict" >>"$data/verdicts"
}

# of FILE: the median of the numbers in it
of() { median <"$data/$1"; }

# ratio A B: their quotient, two digits
ratio() { calc %.2f "$1 / $2"; }

# in_turns ROUND COMMAND...: run the commands, the first one another each round
in_turns() {
	local round=$1 i

	shift
	for ((i = 0; i < $#; i++)); do
		eval "${@:$(((i + round) % $# + 1)):1}"
	done
}

# in_rounds COMMAND...: so in each of the rounds
in_rounds() {
	local round

	for round in $(seq "$rounds"); do
		in_turns "$round" "$@"
	done
}

# wal_position: bytes of WAL written so far
wal_position() { sql -c "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"; }

# what there is of a run that fails comes back as that
bench_results partial
bench_start
for part in $parts; do
	progress "part $part"
	"bench_$part"
done
cluster_stop
write_results
progress "done"
