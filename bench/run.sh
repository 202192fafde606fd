#!/bin/bash
# make bench: Aevon beside its peers (bench/peers.sh).  BENCH_ONLY names other
# scripts to run instead, "all" runs every one:
#
#   make bench BENCH_ONLY="history dashboard"
#
# Each says at its top what it measures and which settings it has; results go to
# bench/results*.md.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${BENCH_ONLY:-peers}" = all ]; then
	names="peers memory sizes history dashboard projects"
else
	names=${BENCH_ONLY:-peers}
fi
for name in $names; do
	bench/"$name".sh
done
