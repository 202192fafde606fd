#!/bin/bash
# make bench: every benchmark, or those named in BENCH_ONLY.  Results go to
# bench/results-*.md.
set -euo pipefail
cd "$(dirname "$0")/.."

for script in bench/[!r]*.sh; do
	name=$(basename "$script" .sh)
	if [ -z "${BENCH_ONLY:-}" ] || [ "$BENCH_ONLY" = "$name" ]; then
		"$script"
	fi
done
