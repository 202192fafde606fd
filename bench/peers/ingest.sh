# ingest: single rows, one to a transaction, by pgbench, prepared, at 1, 8 and 32
# clients, synchronous_commit on and off: aevon_ingest beside the ancestor's bare
# INSERT ... ON CONFLICT and an INSERT into a table without any index.  The log, and
# the ancestor's table, hold 200,000 events before.  At one client a round trip is
# the scheduler's mood, so the time inside the server is there too: a loop in
# plpgsql over one transaction.  WAL per event is that of the 8-client runs.

ingest_sides=(aevon ancestor bare)
ingest_base=100
ingest_data='{"amount": 512.25, "path": "/v1/item/417", "status": 200, "method": "GET", "region": "eu-central-1", "client": "library/2.17.3", "duration_ms": 117}'

ingest_statement() {
	case $1 in
	aevon) echo "SELECT aevon_ingest(:t, :p, :id, 'api.call', now(), :data)" ;;
	ancestor) echo "INSERT INTO ancestor.events (tenant, principal, id, type, occurred_at, data) VALUES (:t, :p, :id, 'api.call', now(), :data) ON CONFLICT (tenant, principal, id) DO NOTHING" ;;
	bare) echo "INSERT INTO bare.events (tenant, principal, id, type, occurred_at, data) VALUES (:t, :p, :id, 'api.call', now(), :data)" ;;
	esac
}

write_ingest_scripts() {
	local side

	for side in "${ingest_sides[@]}"; do
		cat >"$data/$side.sql" <<-EOS
			\set u random(1, 9999)
			\set k :u * :u / 10000 * :u / 10000
			\set t 10000000 + :k % 50
			\set p 100000000000 + :k
			\set n :n + 1
			\set id 2000000000000000 + :base * 10000000000 + :client_id * 100000000 + :n
			$(ingest_statement "$side");
		EOS
	done
}

# ingest_rate SIDE CLIENTS SYNC: "a second, p50, p95, p99 in ms, WAL bytes an event";
# each run has ids of its own
ingest_rate() {
	local before after count

	ingest_base=$((ingest_base + 1))
	before=$(sql -c "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')")
	count=$(PGOPTIONS="$PGOPTIONS -c synchronous_commit=$3" run_pgbench "$2" "$1" -D n=0 -D base=$ingest_base \
		-D "data=$ingest_data")
	after=$(sql -c "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')")
	echo "$count $(calc %.0f "($after - $before) / (${count%% *} * $seconds)")"
}

# inside_ingest SIDE: us an event, of 5,000 in one transaction
inside_ingest() {
	ingest_base=$((ingest_base + 1))
	sql -c "DO \$\$
		DECLARE
			began timestamptz;
			took double precision := 0;
			k integer;
			my_t text;
			my_p text;
			my_id text;
			my_data jsonb := '$ingest_data';
		BEGIN
			FOR n IN 1 .. 5000 LOOP
				k := floor(10000 * bench.luck(n, 1) ^ 3);
				my_t := 10000000 + k % 50;
				my_p := 100000000000 + k;
				my_id := 2000000000000000 + $ingest_base * 10000000000 + n;
				began := clock_timestamp();
				$(ingest_statement "$1" | sed 's/^SELECT/PERFORM/; s/:\([a-z]\)/my_\1/g');
				took := took + extract(epoch FROM clock_timestamp() - began);
			END LOOP;
			RAISE WARNING 'us %', round((took * 1000000 / 5000)::numeric, 2);
		END \$\$" 2>&1 | awk '/us / {print $NF}'
}

bench_ingest() {
	local clients sync side commands

	bench_database ingest
	sql -f bench/peers/events.sql -c "CALL bench.define_rules()"
	# every principal is there before: its first event costs more
	sql -c "CALL bench.stage(1, 200000, 400, 0)" -c "INSERT INTO bench.staging
			SELECT (10000000 + k % 50)::text, (100000000000 + k)::text, (1900000000000000 + k)::text, 'api.call', '2026-01-01', '{\"amount\": 1}'
			FROM generate_series(0, 9999) k"
	ingest_staged
	copy_staged
	write_ingest_scripts
	sql -c "DROP TABLE bench.staging" -c "VACUUM ANALYZE" -c "CHECKPOINT"
	for sync in on off; do
		for clients in 1 8 32; do
			commands=()
			for side in "${ingest_sides[@]}"; do
				commands+=("ingest_rate $side $clients $sync >>$data/in.$side.$clients.$sync")
			done
			in_rounds "${commands[@]}"
			progress "ingest: $clients clients, synchronous_commit $sync"
		done
	done
	commands=()
	for side in "${ingest_sides[@]}"; do
		commands+=("inside_ingest $side >>$data/in.$side.inside")
	done
	in_rounds "${commands[@]}"
	check_ingest
	report_ingest
	judge_ingest
}

# Nothing is there twice, and all of it counts.
check_ingest() {
	[ "$(sql -c "SELECT count(*) = count(DISTINCT (principal_key, event_id)) FROM aevon.event_log")" = t ] ||
		fail "the log holds an event twice"
	[ "$(sql -c "SELECT (SELECT sum(event_count) FROM aevon.tenants t, aevon_windows(t.tenant, NULL, 'calls')) = (SELECT count(*) FROM aevon.event_log)")" = t ] ||
		fail "the state of all tenants is not the count of the log"
}

report_ingest() {
	local clients sync side line

	report "" "## Ingest, single rows" "" \
		"| clients | synchronous_commit | a second: Aevon | the ancestor | no index | Aevon / ancestor | Aevon / no index | p50 / p95 / p99, ms: Aevon | the ancestor |" \
		"|--:|---|--:|--:|--:|--:|--:|--:|--:|"
	for sync in on off; do
		for clients in 1 8 32; do
			line="| $clients | $sync |"
			for side in "${ingest_sides[@]}"; do
				line="$line $(calc %d "$(column "in.$side.$clients.$sync" 1)") |"
			done
			line="$line $(ingest_ratio ancestor $clients $sync) | $(ingest_ratio bare $clients $sync) |"
			for side in aevon ancestor; do
				line="$line $(calc %.2f "$(column "in.$side.$clients.$sync" 2)") / $(calc %.2f "$(column "in.$side.$clients.$sync" 3)") / $(calc %.2f "$(column "in.$side.$clients.$sync" 4)") |"
			done
			report "$line"
			echo "$clients.$sync $(for side in "${ingest_sides[@]}"; do column "in.$side.$clients.$sync" 1; done | tr '\n' ' ')" >>"$data/ingest.dat"
		done
	done
	report "" "| one event | Aevon | the ancestor | no index |" "|---|--:|--:|--:|" \
		"| inside the server, us | $(of in.aevon.inside) | $(of in.ancestor.inside) | $(of in.bare.inside) |" \
		"| WAL, bytes | $(column in.aevon.8.on 5) | $(column in.ancestor.8.on 5) | $(column in.bare.8.on 5) |"
}

ingest_ratio() { ratio "$(column "in.aevon.$2.$3" 1)" "$(column "in.$1.$2.$3" 1)"; }

judge_ingest() {
	local clients sync

	for sync in on off; do
		for clients in 8 32; do
			target "ingest: $clients clients, synchronous_commit $sync, of the ancestor's rate" "$(ingest_ratio ancestor $clients $sync)" "at least" 1.2
		done
	done
	target "ingest: 8 clients, synchronous_commit on, of a table without index" "$(ingest_ratio bare 8 on)" "at least" 0.8
	target "ingest: WAL of an event, of the ancestor's" "$(ratio "$(column in.aevon.8.on 5)" "$(column in.ancestor.8.on 5)")" "at most" 0.8
}
