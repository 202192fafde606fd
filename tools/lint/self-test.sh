#!/bin/bash
# Do the checks bite?  Each fault below is put into a copy of the tree; the
# check named with it must then fail, and name what it found.
set -uo pipefail
cd "$(dirname "$0")/../.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
status=0

# bites CHECK WORD FILE TEXT: with TEXT appended to FILE, CHECK says WORD
bites() {
	local check=$1 word=$2 file=$3 text=$4 out

	rm -rf "$copy/tree"
	mkdir "$copy/tree"
	cp -r src tools .clang-tidy "$copy/tree"
	printf '%b\n' "$text" >>"$copy/tree/$file"
	if out=$(cd "$copy/tree" && $check 2>&1); then
		echo "self-test: $check does not see: $word" >&2
		status=1
	elif ! grep -qF -- "$word" <<<"$out"; then
		echo "self-test: $check does not say \"$word\" but: $out" >&2
		status=1
	fi
}

long_body=$(printf '\\tn++;\\n%.0s' {1..125})
tidy="clang-tidy --quiet src/zz.c -- -std=gnu11 -Isrc -I$(pg_config --includedir-server)"
cppcheck="cppcheck --quiet --error-exitcode=1 --enable=warning src/zz.c"

bites tools/lint/layers.pl 'sideways include of "sweep.h"' src/state.c '#include "sweep.h"'
bites tools/lint/layers.pl 'of layer 4' src/cut.c '#include "worker.h"'
bites tools/lint/layers.pl 'circle: ' src/decimal.h '#include "bucket.h"'
bites tools/lint/layers.pl 'has no layer' src/zz.c 'int zz;'
bites tools/lint/layers.pl 'PG_VERSION_NUM belongs' src/cut.c '#if PG_VERSION_NUM >= 160000\n#endif'
bites tools/lint/layers.pl 'queries.h is for' src/cut.c '#include "queries.h"'
bites tools/lint/code.pl 'SQL texts belong' src/cut.c 'static const char *q = "SELECT stamp FROM aevon.event_log";'
bites tools/lint/code.pl 'unfinished work' src/cut.c '/* TODO: the rest */'
bites tools/lint/code.pl 'is not looked at' src/cut.c 'void\naevon_zz(void)\n{\n\tSPI_execute_plan(p, NULL, NULL, true, 0);\n}'
bites tools/lint/code.pl 'needs an SQLSTATE' src/cut.c 'void\naevon_zz(void)\n{\n\tereport(ERROR,\n\t\t\t(errmsg("no")));\n}'
bites tools/lint/code.pl 'zz_long has 125 lines' src/cut.c "static void\nzz_long(void)\n{\n$long_body}"
bites tools/lint/code.pl 'is not named aevon_' src/cut.c 'int\nzz(void)\n{\n\treturn 1;\n}'
bites tools/lint/code.pl 'has 6 parameters' src/cut.h 'extern void aevon_zz(int a, int b, int c,\n\t\t\tint d, int e, int f);'
bites tools/lint/code.pl 'table event_log is not qualified' src/queries.h 'AEVON_QUERY(ZZ, "SELECT stamp FROM event_log")'
bites tools/lint/code.pl 'operator = is not written' src/queries.h 'AEVON_QUERY(ZZ, "SELECT stamp FROM aevon.event_log"\n\t" WHERE stamp = $1", INT8OID)'
bites tools/lint/code.pl 'function now is not qualified' src/queries.h 'AEVON_QUERY(ZZ, "SELECT now()")'
bites tools/lint/code.pl 'table rules is not qualified' src/queries.h '#define ZZ \\\n\t" FROM rules"\nAEVON_QUERY(ZZZ, "SELECT" ZZ)'
bites tools/lint/code.pl 'a text is a constant' src/queries.h 'AEVON_QUERY(ZZ, "SELECT stamp FROM aevon.%s")'
bites tools/lint/format.sh 'formatted' src/cut.c 'int zz(void){return 1;}'
bites tools/lint/format.sh 'not up to date' src/cut.h 'typedef int AevonZz;'
bites "$tidy" 'Null' src/zz.c 'int zz(int *p)\n{\n\tif (!p)\n\t\treturn *p;\n\treturn 0;\n}'
bites "$cppcheck" 'arrayIndexOutOfBounds' src/zz.c 'int zz(void)\n{\n\tint a[2];\n\n\ta[2] = 1;\n\treturn a[0];\n}'
exit "$status"
