#!/bin/bash
# tools/setup.sh WHAT...: install what `make check`, `make demo`, `make bench` or
# `make lint` needs and does not find.  Does nothing, quickly, when all is there.
#
# Debian's packages come by apt-get, as root or through sudo; the USGS week of
# the demo comes from the npm package vega-datasets, into build/; so does
# promtool, out of the Debian package prometheus, which is not installed: that
# would start a server.
set -euo pipefail
cd "$(dirname "$0")/.."

pg_lib=/usr/lib/postgresql/15
pg_share=/usr/share/postgresql/15
promtool=build/promtool
earthquakes=build/earthquakes.json
earthquakes_package=vega-datasets@3.2.1
earthquakes_sha256=a42702a83ffbae679f95d1fa53e2cae0bae13b21e599a68cdd50a44fc52129f7

say() { echo "setup: $*"; }
fail() { echo "setup: $*" >&2; exit 1; }

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		fail "cannot run \"$*\": be root, or install sudo"
	fi
}

missing=()

# need PACKAGE TEST...: remember the package if the test fails
need() {
	local package=$1

	shift
	"$@" >/dev/null 2>&1 || missing+=("$package")
}

need_for_build() {
	need gcc command -v gcc
	need libc6-dev test -e /usr/include/stdio.h
	need postgresql-15 test -x "$pg_lib/bin/postgres"
	need postgresql-server-dev-15 test -e "$pg_lib/lib/pgxs/src/makefiles/pgxs.mk"
	need libyaml-dev test -e /usr/include/yaml.h
	need perl perl -MTest::More -MJSON::PP -e 1
	need postgresql-15-cron test -e "$pg_share/extension/pg_cron.control"
	need postgresql-15-pgtap test -e "$pg_share/extension/pgtap.control"
	need libipc-run-perl perl -MIPC::Run -e 1
	need gzip command -v gzip
	need mawk command -v awk
}

# Redis is in redis-tools too, under the name of redis-check-rdb; the package
# redis-server would start a service.
need_for_bench() {
	need gnuplot-nox command -v gnuplot
	need redis-tools command -v redis-benchmark
}

need_for_lint() {
	need postgresql-15 test -x "$pg_lib/bin/postgres"
	need postgresql-server-dev-15 test -e "$pg_lib/lib/pgxs/src/makefiles/pgxs.mk"
	need libyaml-dev test -e /usr/include/yaml.h
	need pg-bsd-indent command -v pg_bsd_indent
	need cppcheck command -v cppcheck
	need clang command -v clang
	need clang-tidy command -v clang-tidy
}

need_for_earthquakes() {
	earthquakes_are_there || need npm command -v npm
}

earthquakes_are_there() {
	[ -e "$earthquakes" ] &&
		echo "$earthquakes_sha256  $earthquakes" | sha256sum --check --status
}

# Installing the server makes and starts a cluster "main" unless told not to.
# We need none, so none appears because of us.
forbid_main_cluster() {
	drop_in=/etc/postgresql-common/createcluster.d/aevon-setup.conf
	as_root mkdir -p "$(dirname "$drop_in")"
	echo 'create_main_cluster = false' | as_root tee "$drop_in" >/dev/null
	trap 'as_root rm -f "$drop_in"' EXIT
}

install_packages() {
	local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300)
	local log

	command -v apt-get >/dev/null ||
		fail "please install what the Debian packages ${missing[*]} hold"
	say "installing ${missing[*]}"
	forbid_main_cluster
	log=$(mktemp)
	# package lists may be missing or stale: then once more with fresh ones
	if ! as_root "${apt[@]}" install --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
		as_root "${apt[@]}" update >"$log" 2>&1 || { cat "$log" >&2; fail "apt-get update failed"; }
		as_root "${apt[@]}" install --no-install-recommends "${missing[@]}" >"$log" 2>&1 ||
			{ cat "$log" >&2; fail "apt-get install failed"; }
	fi
	rm -f "$log"
}

promtool_is_there() {
	[ -x "$promtool" ] && echo | "$promtool" check metrics >/dev/null 2>&1
}

fetch_promtool() {
	local dir

	say "taking promtool out of the package prometheus"
	dir=$(mktemp -d)
	chmod 755 "$dir"
	# package lists may be missing or stale: then once more with fresh ones
	(cd "$dir" && apt-get -q download prometheus >apt.log 2>&1) ||
		{ as_root apt-get -q update >"$dir/apt.log" 2>&1 &&
			(cd "$dir" && apt-get -q download prometheus >apt.log 2>&1); } ||
		{ cat "$dir/apt.log" >&2; fail "apt-get cannot download the package prometheus"; }
	mkdir -p "$(dirname "$promtool")"
	dpkg-deb --fsys-tarfile "$dir"/prometheus_*.deb | tar -xOf - ./usr/bin/promtool >"$promtool.new"
	rm -rf "$dir"
	chmod 755 "$promtool.new"
	mv "$promtool.new" "$promtool"
	promtool_is_there || fail "$promtool does not run"
}

fetch_earthquakes() {
	local dir try

	say "fetching the USGS week from the npm package $earthquakes_package"
	dir=$(mktemp -d)
	for try in 1 2; do
		(cd "$dir" && npm pack --loglevel=error --ignore-scripts "$earthquakes_package" >/dev/null 2>npm.log) && break
		[ "$try" = 2 ] && { cat "$dir/npm.log" >&2; fail "npm cannot fetch $earthquakes_package"; }
		sleep 3
	done
	mkdir -p build
	tar -xzOf "$dir"/vega-datasets-*.tgz package/data/earthquakes.json >"$earthquakes.new"
	rm -rf "$dir"
	mv "$earthquakes.new" "$earthquakes"
	earthquakes_are_there || fail "$earthquakes has not the content that $earthquakes_package had"
}

[ $# -gt 0 ] || fail "usage: tools/setup.sh check|demo|bench|lint ..."
earthquakes_wanted=
promtool_wanted=
for what; do
	case $what in
		check|demo|bench) need_for_build ;;&
		check|demo) need_for_earthquakes; earthquakes_wanted=1 ;;&
		check) promtool_wanted=1 ;;
		demo) ;;
		bench) need_for_bench ;;
		lint) need_for_lint ;;
		*) fail "unknown: $what" ;;
	esac
done
if [ "${#missing[@]}" -gt 0 ]; then
	install_packages
fi
if [ -n "$earthquakes_wanted" ] && ! earthquakes_are_there; then
	fetch_earthquakes
fi
if [ -n "$promtool_wanted" ] && ! promtool_is_there; then
	fetch_promtool
fi
