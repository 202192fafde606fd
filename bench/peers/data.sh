# The log that several parts read: 30 days, 5 % of the events up to 3 days late,
# 1 % of the rows sent twice; in database "large" with BENCH_EVENTS, in "small"
# with BENCH_SMALLER.  Written in chunks, a sweep after each, as a worker would.
# The ancestor and the table for reads on the fly get the same rows.

since_30d='2026-01-01 00:00:07.123456+00'
until='2026-01-30 23:59:41.654321+00'

# need_data DATABASE: make it unless it is there; psql and pgbench use it then
need_data() {
	local wanted=$events

	[ "$1" = small ] && wanted=$smaller
	if [ ! -e "$data/made-$1" ]; then
		bench_database "$1"
		bench_timer
		sql -f bench/peers/events.sql -c "CALL bench.define_rules()"
		fill "$wanted"
		touch "$data/made-$1"
	fi
	export PGDATABASE=$1
}

# in_chunks COUNT COMMAND...: stage thirty days of so many events in chunks, and run the
# command after each
in_chunks() {
	local at last chunk=250000 count=$1

	shift
	for ((at = 1; at <= count; at += chunk)); do
		last=$((at + chunk - 1 < count ? at + chunk - 1 : count))
		sql -c "CALL bench.stage($at, $last, $count / (30 * 86400.0), 0.05)"
		"$@"
		progress "database $PGDATABASE: $last of $count events"
	done
	sql -c "DROP TABLE bench.staging"
}

fill() {
	in_chunks "$1" take_staged
	sql -c "INSERT INTO fly.events SELECT tenant, principal, occurred_at, (data ->> 'amount')::numeric FROM ancestor.events" \
		-c "CREATE INDEX ON fly.events (tenant, principal, occurred_at) INCLUDE (amount)"
	# the rows of one rule of four, in order of time, which is how a service writes them
	sql -c "INSERT INTO ancestor.buckets
		SELECT tenant, principal, 'amount', date_trunc('minute', occurred_at) AS minute, count(*), sum(amount)
		FROM fly.events GROUP BY 1, 2, 4 ORDER BY minute"
	sql -c "VACUUM ANALYZE" -c "CHECKPOINT"
	check_counts
}

# Both sides at a time.
take_staged() {
	ingest_staged &
	copy_staged
	wait $!
}

ingest_staged() {
	sql -c "SELECT * FROM aevon_ingest_from('bench.staging')" -c "SELECT event_count FROM aevon_sweep()" >/dev/null
}

copy_staged() {
	sql -c "INSERT INTO ancestor.events (tenant, principal, id, type, occurred_at, data)
		SELECT * FROM bench.staging ON CONFLICT (tenant, principal, id) DO NOTHING"
}

# Both sides have taken the same events and refused the same duplicates.
check_counts() {
	[ "$(sql -c "SELECT (SELECT count(*) FROM aevon.event_log) = (SELECT count(*) FROM ancestor.events)")" = t ] ||
		fail "Aevon and the ancestor hold different numbers of events"
}

tails=0

# add_tail COUNT: make the tail so long, with events of the last two days
add_tail() {
	local first

	sql -c "SELECT event_count FROM aevon_sweep()" >/dev/null
	[ "$1" != 0 ] || return 0
	tails=$((tails + 1))
	first=$((tails * 1000000000))
	sql -c "DROP TABLE IF EXISTS bench.staging" -c "CREATE UNLOGGED TABLE bench.staging AS
		SELECT tenant, principal, event_id, event_type,
			'2026-01-29'::timestamptz + hashint8(event_id::bigint) % 86400 * interval '1 second' AS occurred_at, data
		FROM bench.events($first, $first + $1 - 1, 1, 0)"
	copy_staged
	sql -c "SELECT * FROM aevon_ingest_from('bench.staging')" \
		-c "INSERT INTO fly.events SELECT DISTINCT ON (event_id) tenant, principal, occurred_at, (data ->> 'amount')::numeric FROM bench.staging" \
		-c "DROP TABLE bench.staging" >/dev/null
	check_counts
}
