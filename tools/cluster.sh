# tools/cluster.sh: a throw-away cluster for a shell script (source this file
# in what tools/staged.sh runs).
#
#   cluster_start [SETTING=VALUE ...]    make and start one, preloaded; afterwards
#                                        psql, pgbench and the like find it
#   cluster_stop                         stop and remove it; also done at exit
#
# It listens on a unix socket only.

cluster_dir=

cluster_start() {
	local setting

	cluster_dir=$TMPDIR/cluster
	trap cluster_stop EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	initdb -D "$cluster_dir" -A trust -U postgres --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$TMPDIR/initdb.log"
	{
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$TMPDIR'"
		echo "shared_preload_libraries = 'aevon,pg_cron'"
		echo "cron.host = '$TMPDIR'"
		echo "timezone = 'UTC'"
		echo "log_timezone = 'UTC'"
		echo "max_prepared_transactions = 10"
		for setting; do
			printf "%s = '%s'\n" "${setting%%=*}" "${setting#*=}"
		done
	} >>"$cluster_dir/postgresql.conf"
	export PGHOST=$TMPDIR PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
	if ! pg_ctl -D "$cluster_dir" -l "$TMPDIR/server.log" -w -s start; then
		cat "$TMPDIR/server.log" >&2
		return 1
	fi
}

cluster_stop() {
	trap '' INT TERM
	if [ -n "$cluster_dir" ] && [ -e "$cluster_dir/postmaster.pid" ]; then
		pg_ctl -D "$cluster_dir" -m immediate -w -s stop || true
	fi
	rm -rf "$cluster_dir"
	cluster_dir=
	trap - INT TERM
}
