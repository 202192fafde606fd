# Aevon: build and install by PGXS, and every other entry point.
#
#   make                build (with -Werror; WERROR= turns that off)
#   make install        install into the PostgreSQL that PG_CONFIG names
#   make installcheck   pg_regress and isolation tests against a running server
#   make demo           the demo on real data; LOG=FILE [SITE=name]: on your log
#   make check          every test, in throw-away clusters
#   make torture        the long run of the model checker; SECONDS=1800 SEED=n
#   make torture-faults the model checker against faults put in on purpose
#   make bench          the benchmarks
#   make lint           style checks; make format applies the formatter
#   make setup          only install what demo and check need
#   make clean
#
# DESTDIR=/path makes demo, check, torture and bench install there and use the
# binaries below it: a private, relocated copy of PostgreSQL.

MODULE_big = aevon
EXTENSION = aevon
DATA = $(wildcard sql/extension/aevon--*.sql)
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))

WERROR = -Werror
PG_CPPFLAGS = -Isrc
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers $(WERROR)
SHLIB_LINK = -lyaml $(filter -lcrypto, $(LIBS))

# clang does not know some of the options that Debian built PostgreSQL with
ifneq (,$(findstring clang,$(CC)))
PG_CFLAGS += -Wno-unknown-warning-option -Wno-ignored-optimization-argument \
	-Wno-unused-command-line-argument -Wno-ignored-attributes
endif

REGRESS = $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
REGRESS_OPTS = --load-extension=aevon
ISOLATION = $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation --outputdir=output_iso --load-extension=aevon
installcheck: export PGOPTIONS = -c aevon_test.oracle=$(CURDIR)/test/oracle.sql

EXTRA_CLEAN = tmp_check output_iso src/*.bc

PG_CONFIG = pg_config

# These need no PostgreSQL to start with: they may have to install it first.
ENTRY_POINTS = demo check torture torture-faults bench lint format setup

ifeq (,$(filter $(ENTRY_POINTS),$(MAKECMDGOALS)))

# No bitcode: it would need the clang that PostgreSQL was built with.
override with_llvm = no
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS): $(wildcard src/*.h) Makefile

else

# Run as plain recipes, each step by a make of its own.
export PG_CONFIG DESTDIR LOG SITE
ready = tools/setup.sh $(1) && $(MAKE) -s --no-print-directory all && tools/install.sh

all install installcheck uninstall clean:
	@$(MAKE) --no-print-directory $@

setup:
	@tools/setup.sh check demo bench lint

check:
	@$(call ready,check)
	@tools/lint/layers.pl
	@tools/meta.pl
	@tools/staged.sh tools/run-tests.sh

torture:
	@$(call ready,check)
	@AEVON_TORTURE=long AEVON_TORTURE_SECONDS=$(SECONDS) AEVON_TORTURE_SEED=$(SEED) \
		tools/staged.sh tools/run-tests.sh test/t/*model*.pl

torture-faults:
	@$(call ready,check)
	@test/torture/prove_faults.sh

demo:
	@$(call ready,demo)
	@tools/staged.sh demo/run.sh

bench:
	@$(call ready,bench)
	@tools/staged.sh bench/run.sh
	@bench/readme.sh

lint:
	@tools/setup.sh lint
	@tools/lint/run.sh

format:
	@tools/setup.sh lint
	@tools/lint/format.sh --write

.PHONY: all install installcheck uninstall clean $(ENTRY_POINTS)

endif
