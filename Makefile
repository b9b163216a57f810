# BLADES in C: see README.md. GNU make; one pass, no recursion.
#
#   make             the tools, in build/bin
#   make demo        the whole experiment on drawn faces: build/demo/report.html
#   make check       the tests; TEST=tests/NAME.bats: one file of them
#   make parity      comparisons with PyTorch, scikit-learn, OpenCV and exiftool
#   make bench       timings beside the usual programs; bench-NAME: one of them
#   make fuzz        mutated files against every parser; with SANITIZE=1
#   make lint        formatting, shell, man pages, static analysis: needs clang-format, shellcheck, mandoc, cppcheck
#   make install     PREFIX=/usr/local DESTDIR=: tools, man pages, task files
#   make clean       removes build
#   make help        this list
#   make SANITIZE=1 TARGET     the same target with AddressSanitizer and UBSan (in build/sanitize)
#   make -f pipelines/NAME.mk  an experiment on your data: real, real-faces, fdf, paper; run alone it names its variables

VERSION := 0.1.0
SANITIZE ?= 0
BUILD ?= build$(if $(filter 1,$(SANITIZE)),/sanitize)
PREFIX ?= /usr/local

PKG_CONFIG ?= pkg-config
ifeq ($(filter clean help lint dependencies-%,$(MAKECMDGOALS)),)
DEPENDENCY_CHECK := $(shell pipelines/dependencies build >&2 || echo failed)
ifneq ($(DEPENDENCY_CHECK),)
$(error dependencies are missing)
endif
endif

# Debian 13 calls msgpack-c by its name, Debian 12 calls it msgpack.
MSGPACK := $(shell $(PKG_CONFIG) --exists msgpack-c && echo msgpack-c || echo msgpack)
PACKAGES := libexif libturbojpeg libjpeg libpng libwebp openblas $(MSGPACK) jansson zlib expat
PACKAGE_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PACKAGES))
PACKAGE_LIBS := $(shell $(PKG_CONFIG) --libs $(PACKAGES))
CFLAGS ?= -O3 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wno-unused-parameter
override CPPFLAGS += -Icommon -D_POSIX_C_SOURCE=200809L -D_GNU_SOURCE -DBLADES_VERSION='"$(VERSION)"' \
	$(PACKAGE_CFLAGS)
override CFLAGS += -std=c17 $(WARNINGS) -fopenmp -pthread -fno-math-errno -ffp-contract=off
override LDLIBS += $(PACKAGE_LIBS) -lm
override LDFLAGS += -fopenmp -pthread -Wl,--as-needed
ifeq ($(SANITIZE),1)
SANITIZER := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -O1
override CFLAGS += $(SANITIZER)
override LDFLAGS += $(SANITIZER)
endif

TOOLS := $(patsubst tools/%.c,%,$(wildcard tools/*.c))
UNITS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
COMMON := $(patsubst %.c,$(BUILD)/%.o,$(wildcard common/*/*.c))
LIBRARY := $(BUILD)/libblades.a

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all check parity bench fuzz lint install clean help
all: $(TOOLS:%=$(BUILD)/bin/%)

# Sources named after a CPU feature are compiled for it; run-time dispatch decides whether they run.
%_avx2.o: override CFLAGS += -mavx2 -mfma -mf16c
%_avx512.o: override CFLAGS += -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mf16c
%_avx512bf16.o: override CFLAGS += -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512bf16 -mfma

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(LIBRARY): $(COMMON)
	@rm -f $@
	$(AR) rcs $@ $^
$(BUILD)/bin/%: $(BUILD)/tools/%.o $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

# ---- Tests ---------------------------------------------------------------------------------------
# tests/*.mk add scripts that print TAP to PARITY and FUZZ, and bench-* targets.
PARITY :=
FUZZ := tests/fuzz/stream.sh
BENCHMARKS :=
include $(wildcard tests/*.mk pipelines/targets.mk)
# Experiments run the tools for minutes on what the tools' own tests have tried: not under sanitizers.
EXPERIMENT_TESTS := $(patsubst %,tests/%.bats,demo examples man real real-faces recipes)
TEST ?= $(UNITS:%=$(BUILD)/unit/%) $(filter-out $(if $(filter 1,$(SANITIZE)),$(EXPERIMENT_TESTS)),$(sort $(wildcard tests/*.bats)))

check: dependencies-check all $(UNITS:%=$(BUILD)/unit/%)
	tests/run $(BUILD) $(TEST)
parity: dependencies-parity all
	tests/run $(BUILD) $(sort $(PARITY))
bench: $(sort $(BENCHMARKS))
dependencies-%:
	@pipelines/dependencies $*
# Fuzz targets are tests/fuzz/fuzz_X.c with LLVMFuzzerTestOneInput; a script in FUZZ brings their seeds.
# Run it with SANITIZE=1; FUZZ_ROUNDS sets the mutations of each seed.
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/tests/fuzz/driver.o $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
fuzz: all $(FUZZERS:%=$(BUILD)/fuzz/%)
	tests/run $(BUILD) $(sort $(FUZZ))

lint:
	clang-format --dry-run --Werror $(wildcard tools/*.c common/*/*.[ch] tests/unit/*.[ch])
	shellcheck -S warning $(shell grep -lE '^\#!/bin/(ba)?sh' -r pipelines examples tests .ci)
	mandoc -T lint -W warning man/*.[157] >&2
	cppcheck --quiet --inline-suppr --library=tests/cppcheck.cfg --error-exitcode=1 --std=c11 -Icommon tools common

help:
	@sed -n 's/^#   make/make/p' Makefile
clean:
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
