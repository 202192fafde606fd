#!/bin/bash
# Prove that the model checker bites: build the extension with each fault of
# test/torture/faults/ in turn, install it into a private copy of PostgreSQL,
# and require that the checker finds a difference.  The sound code runs first
# and must pass.
#
#   test/torture/prove_faults.sh [FAULT...]     names without .patch; "none"
#
# PG_CONFIG and DESTDIR say which PostgreSQL to copy, as for make.
# AEVON_TORTURE_SECONDS (120) bounds each run, AEVON_TORTURE_SEED (1) is where
# it starts.
set -euo pipefail
cd "$(dirname "$0")/../.."
source_dir=$PWD

pg_config=${PG_CONFIG:-pg_config}
seconds=${AEVON_TORTURE_SECONDS:-120}
seed=${AEVON_TORTURE_SEED:-1}
work=$(mktemp -d "${TMPDIR:-/tmp}/aevon-faults.XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

# A private copy of the server: PostgreSQL finds its files relative to its
# binaries.
for dir in "$("$pg_config" --bindir)" "$("$pg_config" --pkglibdir)" "$("$pg_config" --sharedir)"; do
	mkdir -p "$work/pg$dir"
	cp -a "${DESTDIR:-}$dir/." "$work/pg$dir/"
done

faults=("$@")
if [ "${#faults[@]}" = 0 ]; then
	faults=(none)
	for file in test/torture/faults/*.patch; do
		faults+=("$(basename "$file" .patch)")
	done
fi

# try FAULT: sets verdict and detail
try() {
	local tree=$work/tree log=$work/$1.log status=0 started=$SECONDS

	rm -rf "$tree"
	mkdir "$tree"
	tar -cf - --exclude=./.git --exclude=./tmp_check --exclude='*.o' --exclude='*.so' . | tar -xf - -C "$tree"
	if [ "$1" != none ]; then
		patch --quiet --forward -p1 -d "$tree" <"$source_dir/test/torture/faults/$1.patch" ||
			{ verdict="does not apply"; detail=; return 1; }
	fi
	(
		unset MAKEFLAGS MAKELEVEL DESTDIR
		cd "$tree"
		make -s PG_CONFIG="$pg_config" all
		make -s PG_CONFIG="$pg_config" DESTDIR="$work/pg" install
		DESTDIR=$work/pg PG_CONFIG=$pg_config AEVON_TORTURE_SECONDS=$seconds \
			AEVON_TORTURE_SEED=$seed tools/staged.sh tools/run-tests.sh test/t/190_model_checker.pl
	) >"$log" 2>&1 || status=$?
	detail=$(grep -m 1 -o 'difference: .*' "$log" | cut -c 13-110 || true)
	if [ "$1" = none ]; then
		[ "$status" = 0 ] && verdict="passes" && detail="in $((SECONDS - started)) s" && return 0
		verdict="FAILS"
	elif [ "$status" != 0 ] && [ -n "$detail" ]; then
		verdict="found in $((SECONDS - started)) s"
		return 0
	else
		verdict="NOT FOUND"
	fi
	cp "$log" "$source_dir/fault-$1.log"
	return 1
}

failed=0
table=()
for fault in "${faults[@]}"; do
	verdict= detail=
	try "$fault" || failed=1
	line=$(printf '%-24s %-16s %s' "$fault" "$verdict" "$detail")
	echo "$line"
	table+=("$line")
done

echo
printf '%-24s %-16s %s\n' fault verdict "first difference"
printf '%s\n' "${table[@]}"
exit "$failed"
