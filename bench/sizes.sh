#!/bin/bash
# What a stored event and a bucket row take, measured: on the sample access log
# and on streams of a million events (BENCH_SIZES_EVENTS).  docs/design.md shows
# the result.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/bench.sh

events=${BENCH_SIZES_EVENTS:-1000000}



# measure NAME: a column of the table, for what this database holds
measure() {
	sql -c "SELECT event_count FROM aevon_sweep()" >/dev/null
	sql -c "VACUUM"
	sql -f bench/sizes.sql >"$TMPDIR/figures"
	if [ ! -e "$TMPDIR/table" ]; then
		{ echo "|"; echo "|---"; cut -d '|' -f 1 "$TMPDIR/figures" | sed 's/^/| /'; } >"$TMPDIR/table"
	fi
	{ echo " | $1"; echo "|--:"; cut -d '|' -f 2 "$TMPDIR/figures" | sed 's/^/ | /'; } >"$TMPDIR/column"
	paste -d '' "$TMPDIR/table" "$TMPDIR/column" >"$TMPDIR/wider"
	mv "$TMPDIR/wider" "$TMPDIR/table"
}

# The sample log, with the members and rules that the demo gives it.
sample() {
	bench_database sample
	sql >/dev/null <<-'EOS'
		SELECT aevon_define_rule('requests', 'http.request', '{count}'),
			aevon_define_rule('bytes', 'http.request', '{sum,max,avg}', value => 'bytes'),
			aevon_define_rule('errors', 'http.request', '{count}', filter => '$.status >= 400');
		CREATE TEMP TABLE line (number integer GENERATED ALWAYS AS IDENTITY, text text);
		\copy line (text) FROM PROGRAM 'gzip -cd test/data/apache_access_log.gz | sed "s/\\\\/\\\\\\\\/g; s/\\t/\\\\t/g"'
		CREATE TEMP TABLE staging AS
		SELECT m[1] AS principal, number::text AS event_id, 'http.request'::text AS event_type,
			to_timestamp(m[2], 'DD/Mon/YYYY:HH24:MI:SSTZHTZM') AS occurred_at,
			jsonb_strip_nulls(jsonb_build_object('method', split_part(m[3], ' ', 1), 'path', split_part(m[3], ' ', 2),
				'status', m[4]::integer, 'bytes', nullif(m[5], '-')::numeric)) AS data
		FROM line, regexp_match(text, '^(\S+) .*? \[(.*?)\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-)') m
		WHERE m IS NOT NULL;
		SELECT * FROM aevon_ingest_from('staging', tenant => 'site');
	EOS
	measure "sample access log"
}

# stream NAME RATE LATE LATE_BY: a stream in transactions of 50,000 events,
# swept after each, as a worker would
stream() {
	local at=1

	bench_database "$(echo "$1" | tr -c 'a-z\n' _)"
	sql -f bench/stream.sql -c "CALL bench.define_rules('t')"
	while [ "$at" -le "$events" ]; do
		sql -c "CALL bench.ingest('t', $at, $((at + 49999)), $2, '2026-01-01', $3, '$4')"
		sql -c "SELECT event_count FROM aevon_sweep()" >/dev/null
		at=$((at + 50000))
	done
	measure "$1"
}

cluster_start shared_buffers=1GB max_wal_size=8GB fsync=off jit=off aevon.max_workers=0 aevon.max_future=-1
sample
stream dense 417 0 "1 hour"
stream sparse 17 0 "1 hour"
stream late 17 0.05 "3 days"
cluster_stop

bench_results results-sizes
report "# Row sizes: results" "" \
	"$(machine)" "" \
	"By \`BENCH_ONLY=sizes make bench\` (\`bench/sizes.sh\`). The sample is \`test/data/apache_access_log.gz\` with the demo's three" \
	"rules. The streams have 10,000 skewed principals and four rules that share a measure: dense 417 events a second, sparse 17," \
	"late 17 of which 5 % come up to three days late. Bytes per event are the size of the relation divided by the events." ""
report "$(sed '2s/$/|/; 2!s/$/ |/' "$TMPDIR/table")"
