#!/bin/bash
# tools/run-tests.sh [FILE...]: run test files (all of them by default) by one
# prove, whose summary is the last output.  Called by tools/staged.sh.
#
# TESTS="files" is another way to name them; JOBS=n sets how many run at once.
set -euo pipefail
cd "$(dirname "$0")/.."

export TESTDIR=$TMPDIR                  # tmp_check/ appears here
export PG_TEST_PORT_DIR=$TMPDIR/ports   # files running at once share no port
export PG_REGRESS=$PGXS_DIR/src/test/regress/pg_regress
export PG_ISOLATION_REGRESS=$PGXS_DIR/src/test/isolation/pg_isolation_regress
export PERL5LIB=$PWD/test/lib:$PGXS_DIR/src/test/perl
export PG_TEST_TIMEOUT_DEFAULT=${PG_TEST_TIMEOUT_DEFAULT:-120}

files=("$@")
if [ "${#files[@]}" = 0 ] && [ -n "${TESTS:-}" ]; then
	read -r -a files <<<"$TESTS"
fi
if [ "${#files[@]}" = 0 ]; then
	# files marked "# slow" start first, so that none runs alone at the end
	shopt -s nullglob
	all=(test/t/*.pl test/run/*.t)
	mapfile -t slow < <(grep -l '^# slow' "${all[@]}" || true)
	mapfile -t quick < <(grep -L '^# slow' "${all[@]}" || true)
	files=("${slow[@]}" "${quick[@]}")
fi
exec prove -j "${JOBS:-2}" --timer "${files[@]}"
