#!/bin/bash
# tools/staged.sh COMMAND...: run a command of this tree in a throw-away copy of
# it, as an ordinary user (postgres, when we are root: the server refuses root),
# and leave nothing behind: no process, no file.
#
# The command finds: its working directory, the copy; TMPDIR, a private
# directory; PGBIN, the server's binaries; PGXS_DIR, PostgreSQL's test tools;
# AEVON_LOG, if LOG was given, a copy of that file.  Test logs of a failed run
# are brought back to tmp_check/, a benchmark's results to bench/.
set -euo pipefail
cd "$(dirname "$0")/.."
source_dir=$PWD

pg_config=${PG_CONFIG:-pg_config}
PGBIN=${DESTDIR:-}$("$pg_config" --bindir)
PGXS_DIR=$(dirname "$(dirname "$("$pg_config" --pgxs)")")
PGXS_DIR=$(dirname "$PGXS_DIR")
[ -x "$PGBIN/postgres" ] || { echo "no PostgreSQL server in $PGBIN" >&2; exit 1; }

stage=$(mktemp -d "${TMPDIR:-/tmp}/aevon.XXXXXX")
child=

# Stop any server whose data lies in the stage, then remove the stage.
clean_up() {
	local pid_file pid

	trap '' INT TERM HUP
	if [ -n "$child" ]; then
		kill -TERM -- "-$child" 2>/dev/null || true
		wait "$child" 2>/dev/null || true
		kill -KILL -- "-$child" 2>/dev/null || true
	fi
	find "$stage" -name postmaster.pid 2>/dev/null | while read -r pid_file; do
		pid=$(head -n 1 "$pid_file")
		kill -QUIT "$pid" 2>/dev/null || true
		while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
	done
	rm -rf "$stage"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

mkdir "$stage/tree" "$stage/tmp"
tar -cf - --exclude=./.git --exclude=./tmp_check --exclude=./node_modules --exclude='*.o' . |
	tar -xf - -C "$stage/tree" --no-same-owner

AEVON_LOG=
if [ -n "${LOG:-}" ]; then
	[ -r "$LOG" ] || { echo "cannot read LOG=$LOG" >&2; exit 1; }
	mkdir "$stage/log"
	AEVON_LOG=$stage/log/$(basename "$LOG")
	cp "$LOG" "$AEVON_LOG"
fi

as_user=()
if [ "$(id -u)" = 0 ]; then
	chown -R postgres: "$stage"
	as_user=(setpriv --reuid=postgres --regid=postgres --init-groups)
fi

mapfile -d '' passed < <(env -0 | grep -zE '^(AEVON|BENCH)_[A-Z_]+=' | grep -zv '^AEVON_LOG=' || true)

# The environment is made anew: nobody's PGHOST or LANG changes a result.  A
# session of its own, so that an interrupt ends all of it, and in our order.
cd "$stage/tree"
setsid "${as_user[@]}" env -i \
	PATH="$PGBIN:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" \
	HOME="$stage/tmp" TMPDIR="$stage/tmp" LANG=C.UTF-8 TERM="${TERM:-dumb}" \
	PGBIN="$PGBIN" PGXS_DIR="$PGXS_DIR" AEVON_LOG="$AEVON_LOG" SITE="${SITE:-}" \
	JOBS="${JOBS:-}" TESTS="${TESTS:-}" ONLY="${ONLY:-}" \
	"${passed[@]}" \
	"$@" &
child=$!
status=0
wait "$child" || status=$?
child=
if [ -d "$stage/tmp/results" ]; then
	cp "$stage/tmp/results"/* "$source_dir/bench/"
fi
rm -rf "$source_dir/tmp_check"
if [ "$status" != 0 ] && [ -d "$stage/tmp/tmp_check/log" ]; then
	mkdir -p "$source_dir/tmp_check"
	cp -r "$stage/tmp/tmp_check/log" "$source_dir/tmp_check/" 2>/dev/null || true
fi
exit "$status"
