#!/bin/bash
# Lay out src/*.[ch] as pgindent does, or, without --write, only say what
# differs (src/queries.h is laid out by hand).  Type names come from the headers as they are (PostgreSQL's and the
# system's) and from src/typedefs.list, which is kept up to date here.
set -euo pipefail
cd "$(dirname "$0")/../.."

write=
[ "${1:-}" = --write ] && write=1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags=(-bad -bap -bbb -bc -bl -cli1 -cp33 -cdb -nce -d0 -di12 -nfc1 -i4 -l79
	-lp -lpl -nip -npro -sac -tpg -ts4)

preprocess() {
	local file

	for file in src/*.[ch]; do
		gcc -E -x c -Isrc -I"$(pg_config --includedir-server)" \
			-I"$(pg_config --pkgincludedir)/internal" "$file"
	done
}

preprocess >"$work/all.i"
tools/lint/typedefs.pl --ours <"$work/all.i" >"$work/ours"
# names that are types somewhere but mostly are not, as pgindent has them
cat >"$work/not_types" <<'END'
ANY
FD_SET
U
abs
allocfunc
boolean
date
digit
ilist
interval
iterator
other
pointer
printfunc
reference
string
timestamp
type
wrap
END
tools/lint/typedefs.pl <"$work/all.i" | grep -vxFf "$work/not_types" >"$work/typedefs"

status=0
if ! cmp -s "$work/ours" src/typedefs.list; then
	if [ -n "$write" ]; then
		cp "$work/ours" src/typedefs.list
	else
		echo "src/typedefs.list: not up to date (make format)" >&2
		status=1
	fi
fi
for file in src/*.[ch]; do
	[ "$file" = src/queries.h ] && continue
	out=$work/$(basename "$file")
	pg_bsd_indent "${flags[@]}" -U"$work/typedefs" <"$file" >"$out" 2>"$work/err" ||
		{ sed "s|^|$file: |" "$work/err" >&2; status=1; continue; }
	# one space before the star of a function's type, which indent aligns
	sed -i -E 's/^([A-Za-z_][A-Za-z_0-9 ]*[A-Za-z_0-9])[ \t]+\*$/\1 */' "$out"
	if ! cmp -s "$file" "$out"; then
		if [ -n "$write" ]; then
			cat "$out" >"$file"
			echo "formatted $file"
		else
			diff -u --label "$file" --label "$file, formatted" "$file" "$out" >&2 || true
			status=1
		fi
	fi
done
exit "$status"
