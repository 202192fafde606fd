#!/bin/bash
# The demo, in a throw-away cluster: on the USGS week, or on AEVON_LOG, a web
# server's access log (plain or gzipped; SITE names the tenant).  Called by
# make demo through tools/staged.sh.  Exits non-zero if any answer of Aevon's
# differs from the recount in plain SQL.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/cluster.sh

# Sweeps happen when the demo says so, until it hands over to the worker.
cluster_start aevon.max_workers=0 max_wal_size=4GB shared_buffers=256MB
createdb demo
export PGDATABASE=demo

run_sql() {
	psql -X -q -v ON_ERROR_STOP=1 "$@" 2>&1
}

if [ -z "${AEVON_LOG:-}" ]; then
	run_sql -v file=build/earthquakes.json -f demo/usgs.sql
else
	# a log of bytes that are not UTF-8 is read as Latin 1, which any bytes are
	encoding=UTF8
	gzip -cdf -- "$AEVON_LOG" | iconv -f UTF-8 -t UTF-8 >/dev/null 2>&1 || encoding=LATIN1
	run_sql -v file="$AEVON_LOG" -v encoding=$encoding -v site="${SITE:-}" -f demo/log.sql
fi
