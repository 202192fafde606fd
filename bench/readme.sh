#!/bin/bash
# Put the table that the last whole run of bench/peers.sh wrote (bench/summary.md)
# into README.md, between its marks; `make bench` does it.
set -euo pipefail
cd "$(dirname "$0")/.."

awk '
	/^<!-- \/figures -->/ {inside = 0}
	!inside
	/^<!-- figures -->/ {
		inside = 1
		while ((getline line <"bench/summary.md") > 0) print line
	}' README.md >README.md.new
cat README.md.new >README.md
rm README.md.new
