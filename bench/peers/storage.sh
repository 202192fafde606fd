# storage: what an event and a bucket take on disk, as the relations stand after the
# fill and a VACUUM.

# bytes_of PATTERN: of Aevon's tables with such names, indexes included
bytes_of() {
	sql -c "SELECT sum(pg_total_relation_size(oid)) FROM pg_class
		WHERE relnamespace = 'aevon'::regnamespace AND relkind = 'r' AND relname ~ '$1'"
}

bench_storage() {
	local stored own_log own_buckets own_minutes log buckets minutes

	need_data large
	stored=$(sql -c "SELECT count(*) FROM ancestor.events")
	own_log=$(bytes_of '^event_(log|keys)')
	own_buckets=$(bytes_of '^(buckets_1.|series)$')
	own_minutes=$(sql -c "SELECT (SELECT count(*) FROM aevon.buckets_1m b, aevon.unpack_bucket(b.state, 1))
		+ (SELECT count(*) FROM aevon.series s, aevon.unpack_bucket(s.open_minutes, 1))")
	log=$(sql -c "SELECT pg_total_relation_size('ancestor.events')")
	# one rule of four is there
	buckets=$(sql -c "SELECT 4 * pg_total_relation_size('ancestor.buckets')")
	minutes=$(sql -c "SELECT 4 * count(*) FROM ancestor.buckets")
	report "" "## Storage" "" \
		"| bytes | Aevon | the ancestor | ratio |" "|---|--:|--:|--:|" \
		"| per event: log, keys, indexes | $(calc %.0f "$own_log / $stored") | $(calc %.0f "$log / $stored") | $(ratio "$own_log" "$log") |" \
		"| per event: buckets of all tiers, series, indexes | $(calc %.1f "$own_buckets / $stored") | $(calc %.1f "$buckets / $stored") | $(ratio "$own_buckets" "$buckets") |" \
		"| per active minute, the same | $(calc %.1f "$own_buckets / $own_minutes") | $(calc %.1f "$buckets / $minutes * 4") | |" \
		"" "$stored events. Aevon keeps the four rules of a minute together: $own_minutes minutes, those of whole tenants among them. The ancestor" \
		"has a row for each rule: four times the $((minutes / 4)) that were written for one of them, once and in order of time, so without the" \
		"dead rows and split pages that upserts leave."
	target "storage: log with indexes and keys, of the ancestor's" "$(ratio "$own_log" "$log")" "at most" 0.9
	target "storage: buckets, of the ancestor's" "$(ratio "$own_buckets" "$buckets")" "at most" 0.2
	{
		echo "log $(calc %.1f "$own_log / $stored") $(calc %.1f "$log / $stored")"
		echo "buckets $(calc %.1f "$own_buckets / $stored") $(calc %.1f "$buckets / $stored")"
	} >"$data/storage.dat"
}
