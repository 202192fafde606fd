# bulk: BENCH_BULK events a round by aevon_ingest_from, and by aevon_ingest_batch (a
# fifth of them, 1,000 a call and transaction, their JSON parsed from text as a
# client's is); the same rows by INSERT ... SELECT ... ON CONFLICT into the
# ancestor's table, and by COPY and INSERT ... SELECT into one without an index.
# The tables start empty and grow from round to round.

bulk_from() { timed_ms "SELECT * FROM aevon_ingest_from('bench.staging')"; }

bulk_batch() { timed_ms "CALL bench.ingest_batches()"; }

bulk_ancestor() {
	timed_ms "INSERT INTO ancestor.events (tenant, principal, id, type, occurred_at, data)
		SELECT * FROM bench.staging ON CONFLICT (tenant, principal, id) DO NOTHING"
}

bulk_copy() { timed_ms "COPY bare.events (tenant, principal, id, type, occurred_at, data) FROM '$TMPDIR/staging.copy'"; }

bulk_bare() {
	timed_ms "INSERT INTO bare.events (tenant, principal, id, type, occurred_at, data) SELECT * FROM bench.staging"
}

bench_bulk() {
	local round first side some=$((bulk_events / 5)) sides=(from batch ancestor copy bare) commands=()

	bench_database bulk
	sql -f bench/peers/events.sql -c "CALL bench.define_rules()"
	sql <<-'EOS'
		CREATE PROCEDURE bench.ingest_batches() LANGUAGE plpgsql AS $$
		DECLARE
			batch record;
		BEGIN
			FOR batch IN SELECT tenant, events FROM bench.batches LOOP
				PERFORM aevon_ingest_batch(batch.tenant, batch.events::jsonb);
				COMMIT;
			END LOOP;
		END
		$$;
	EOS
	for side in "${sides[@]}"; do
		commands+=("bulk_$side >>$data/bulk.$side")
	done
	for round in $(seq "$rounds"); do
		first=$(((round - 1) * (bulk_events + some) + 1))
		sql -c "CALL bench.stage($first + $bulk_events, $first + $bulk_events + $some - 1, 400, 0.05)" \
			-c "DROP TABLE IF EXISTS bench.batches" \
			-c "CREATE UNLOGGED TABLE bench.batches AS
				SELECT tenant, jsonb_agg(to_jsonb(s) - 'tenant' - 'nth')::text AS events
				FROM (SELECT *, row_number() OVER (PARTITION BY tenant) - 1 AS nth FROM bench.staging) s GROUP BY tenant, nth / 1000" \
			-c "CALL bench.stage($first, $first + $bulk_events - 1, 400, 0.05)" \
			-c "COPY bench.staging TO '$TMPDIR/staging.copy'"
		in_turns "$round" "${commands[@]}"
		progress "bulk: round $round of $rounds"
	done
	[ "$(sql -c "SELECT (SELECT count(*) FROM ancestor.events a) = (SELECT count(*) FROM aevon.event_log l
		JOIN aevon.principals p USING (principal_key) JOIN ancestor.events a ON (a.principal, a.id) = (p.principal, l.event_id))")" = t ] ||
		fail "Aevon has not taken all the events that the ancestor has"
	rm -f "$TMPDIR/staging.copy"
	report_bulk "$some"
}

report_bulk() {
	local from batch ancestor

	from=$(calc %d "$bulk_events / $(of bulk.from) * 1000")
	batch=$(calc %d "$1 / $(of bulk.batch) * 1000")
	ancestor=$(calc %d "$bulk_events / $(of bulk.ancestor) * 1000")
	report "" "## Ingest, in bulk" "" "| | events a second |" "|---|--:|" \
		"| \`aevon_ingest_from\`, $bulk_events events | $from |" \
		"| \`aevon_ingest_batch\`, 1,000 events each | $batch |" \
		"| the ancestor's table, INSERT ... SELECT ... ON CONFLICT | $ancestor |" \
		"| no index, COPY | $(calc %d "$bulk_events / $(of bulk.copy) * 1000") |" \
		"| no index, INSERT ... SELECT | $(calc %d "$bulk_events / $(of bulk.bare) * 1000") |"
	target "bulk: aevon_ingest_from, of the ancestor's INSERT ... SELECT ... ON CONFLICT" "$(ratio "$from" "$ancestor")" "at least" 2
	target "bulk: aevon_ingest_batch, of aevon_ingest_from" "$(ratio "$batch" "$from")" "at least" 0.6
}
