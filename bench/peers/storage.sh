# storage: what an event and a bucket take on disk, as the relations stand after the
# fill and a VACUUM.
bench_storage() {
	local stored own_log own_buckets own_minutes log buckets minutes

	need_data large
	stored=$(sql -c "SELECT count(*) FROM ancestor.events")
	own_log=$(sql -c "SELECT pg_total_relation_size('aevon.event_log_p1')")
	own_buckets=$(sql -c "SELECT sum(pg_total_relation_size(r)) FROM unnest('{aevon.buckets_1m,aevon.buckets_1h,aevon.buckets_1d,aevon.series}'::regclass[]) r")
	own_minutes=$(sql -c "SELECT count(*) FROM aevon.buckets_1m b, aevon.unpack_bucket(b.state, 1)")
	log=$(sql -c "SELECT pg_total_relation_size('ancestor.events')")
	buckets=$(sql -c "SELECT pg_total_relation_size('ancestor.buckets')")
	minutes=$(sql -c "SELECT count(*) FROM ancestor.buckets")
	report "" "## Storage" "" \
		"| bytes | Aevon | the ancestor | ratio |" "|---|--:|--:|--:|" \
		"| per event: log, keys, indexes | $(calc %.0f "$own_log / $stored") | $(calc %.0f "$log / $stored") | $(ratio "$own_log" "$log") |" \
		"| per event: buckets of all tiers, series, indexes | $(calc %.1f "$own_buckets / $stored") | $(calc %.1f "$buckets / $stored") | $(ratio "$own_buckets" "$buckets") |" \
		"| per 1m bucket, the same | $(calc %.1f "$own_buckets / $own_minutes") | $(calc %.1f "$buckets / $minutes") | |" \
		"" "$stored events; $own_minutes active minutes of all series in Aevon, which has those of whole tenants too, $minutes in the" \
		"ancestor's table, written once in order of time: without the dead rows and split pages that upserts leave."
	target "storage: log with indexes and keys, of the ancestor's" "$(ratio "$own_log" "$log")" "at most" 0.9
	target "storage: buckets, of the ancestor's" "$(ratio "$own_buckets" "$buckets")" "at most" 0.2
	{
		echo "log $(calc %.1f "$own_log / $stored") $(calc %.1f "$log / $stored")"
		echo "buckets $(calc %.1f "$own_buckets / $stored") $(calc %.1f "$buckets / $stored")"
	} >"$data/storage.dat"
}
