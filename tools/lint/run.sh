#!/bin/bash
# make lint: every check of style; all run, and any finding fails.
set -uo pipefail
cd "$(dirname "$0")/../.."

includes=(-Isrc -I"$(pg_config --includedir-server)" -I"$(pg_config --pkgincludedir)/internal")
status=0

check() {
	local name=$1

	shift
	if "$@"; then
		echo "lint: $name: ok"
	else
		echo "lint: $name: FAILED"
		status=1
	fi
}

run_clang_tidy() {
	local out

	# .clang-tidy says which checks are off, and why
	if ! out=$(printf '%s\n' src/*.c | xargs -P 2 -n 3 sh -c '
		options=$0; clang-tidy --quiet "$@" -- $options' \
		"-std=gnu11 -D_GNU_SOURCE -I/usr/include/libxml2 ${includes[*]}" 2>/dev/null) || [ -n "$out" ]; then
		printf '%s\n' "$out"
		return 1
	fi
}

run_cppcheck() {
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 \
		--enable=warning,performance,portability \
		-Isrc src/*.c
}

# The faults that the model checker must find, make torture-faults.
apply_faults() {
	local fault failed=

	for fault in test/torture/faults/*.patch; do
		patch --quiet --force --dry-run -p1 <"$fault" >/dev/null && continue
		echo "$fault does not apply"
		failed=1
	done
	[ -z "$failed" ]
}

compile_with() {
	local file

	for file in src/*.c; do
		"$@" -fsyntax-only -std=gnu11 -O2 -Wall -Wextra -Wmissing-prototypes -Wdeclaration-after-statement \
			-Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers \
			-Werror -D_GNU_SOURCE "${includes[@]}" "$file" || return 1
	done
}

check "layers" tools/lint/layers.pl
check "code" tools/lint/code.pl --long
check "format" tools/lint/format.sh
check "faults apply" apply_faults
check "gcc" compile_with gcc
check "clang" compile_with clang -Wno-ignored-attributes
check "cppcheck" run_cppcheck
check "clang-tidy" run_clang_tidy
check "the checks bite" tools/lint/self-test.sh
exit "$status"
