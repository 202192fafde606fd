#!/bin/bash
# Install the built extension, below DESTDIR if that is set; through sudo when
# the place is not ours to write.
set -euo pipefail
cd "$(dirname "$0")/.."

make=(make -s --no-print-directory install "PG_CONFIG=${PG_CONFIG:-pg_config}" "DESTDIR=${DESTDIR:-}")
target=${DESTDIR:-}$("${PG_CONFIG:-pg_config}" --pkglibdir)

if [ -w "$target" ] || [ "$(id -u)" = 0 ]; then
	"${make[@]}"
elif command -v sudo >/dev/null; then
	sudo "${make[@]}"
else
	echo "install: cannot write to $target, and there is no sudo" >&2
	exit 1
fi
