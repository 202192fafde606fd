# Aevon: build and install by PGXS; every other entry point below.
MODULE_big = aevon
EXTENSION = aevon
DATA = $(wildcard sql/extension/aevon--*.sql)
OBJS = $(patsubst %.c,%.o,$(wildcard src/*.c))
PG_CPPFLAGS = -Isrc -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
SHLIB_LINK = -lyaml
PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
