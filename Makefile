# SPDX-License-Identifier: Apache-2.0
# One Makefile. BUILD chooses the kind of build; each kind has its own folder under build/.

BUILD ?= release
WERROR ?= 0
# V=1 shows the commands whole.
Q := $(if $(V),,@)
CC ?= gcc
ROOT := build/$(BUILD)
BIN := $(ROOT)/bin
PYTHON ?= /usr/bin/python3
VAR ?= var
prefix ?= /usr
DESTDIR ?=

PROGRAMS := waiting-room admission booking-worker notifier onsale

warnings := -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wundef -Wvla -Wformat=2 \
	-Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wwrite-strings -Wnull-dereference
ifeq ($(WERROR),1)
warnings += -Werror
endif

flags_release := -O2 -D_FORTIFY_SOURCE=3
flags_debug := -O0 -DONSALE_DEBUG
flags_asan := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
flags_tsan := -O1 -fsanitize=thread
# For `make fuzz`, with clang.
flags_fuzz := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
ifeq ($(flags_$(BUILD)),)
$(error BUILD is one of release, debug, asan, tsan)
endif

packages := libnghttp2 openssl libuv jansson librabbitmq libmariadb libcurl libmicrohttpd inih libqrencode
CFLAGS_ALL := -std=gnu17 -g $(flags_$(BUILD)) $(warnings) -fno-common -fstack-protector-strong -fPIE -pthread -I. -I$(ROOT)/gen \
	$(filter-out -I/usr/include,$(shell pkg-config --cflags $(packages) 2>/dev/null)) $(CFLAGS)
LDFLAGS_ALL := -pie -Wl,-z,relro,-z,now -pthread $(flags_$(BUILD)) $(LDFLAGS)
LIBS := $(shell pkg-config --libs $(packages) 2>/dev/null)
TEST_LIBS := -lcmocka -ljwt

sources_of = $(filter-out %/main.c,$(wildcard $(1)/*.c))
objects_of = $(patsubst %.c,$(ROOT)/obj/%.o,$(1))

folder_waiting-room := waiting-room
folder_admission := admission
folder_booking-worker := booking-worker
folder_notifier := notifier
folder_onsale := admin

# A program is built once its folder has a main.c.
BUILT := $(foreach p,$(PROGRAMS),$(if $(wildcard $(folder_$(p))/main.c),$(p)))
common_objects := $(call objects_of,$(wildcard common/*.c))

# Unit tests: tests/unit/test_X.c, linked with everything but the main files of the program named in its first line
# (`// links: admission`), or with common/ alone.
unit_sources := $(wildcard tests/unit/test_*.c)
unit_tests := $(patsubst tests/unit/%.c,$(ROOT)/tests/%,$(unit_sources))

.DEFAULT_GOAL := all
.PHONY: all run test check bench fuzz lint format install clean help unit packages
.SECONDARY:
.DELETE_ON_ERROR:

all: $(addprefix $(BIN)/,$(BUILT))
	@:

$(ROOT)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

define program_rule
$(BIN)/$(1): $(call objects_of,$(wildcard $(folder_$(1))/*.c)) $(common_objects)
	@mkdir -p $$(@D)
	$(if $(V),,@echo "  LINK  $$@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $$@ $$^ $(LIBS)
endef
$(foreach p,$(BUILT),$(eval $(call program_rule,$(p))))

# The page and the migrations are carried in the programs: the assembler includes the files as they are.
$(ROOT)/obj/waiting-room/page_files.o: $(wildcard waiting-room/page/*)
$(ROOT)/obj/admin/migrations.o: $(wildcard sql/*.sql) $(ROOT)/gen/migrations.inc
$(ROOT)/obj/admin/grants.o: sql/grants.sql

# --- The list of migrations that admin/migrations.c takes in: MIGRATION(1, 0001, line) for sql/0001_line.sql. The folder
# itself is watched too, so that a file that goes away leaves the list.
migration_files := $(sort $(wildcard sql/[0-9][0-9][0-9][0-9]_*.sql))
$(ROOT)/gen/migrations.inc: $(migration_files) sql
	@mkdir -p $(@D)
	@printf '%s\n' $(notdir $(migration_files)) | sed -E 's/^(0*([0-9]+))_(.*)\.sql$$/MIGRATION(\2, \1, \3)/' > $@
# --- end of the list of migrations

define unit_rule
$(ROOT)/tests/$(1): $(ROOT)/obj/tests/unit/$(1).o $(common_objects) \
	$(foreach p,$(shell sed -n '1s|^// links: *||p' tests/unit/$(1).c),$(call objects_of,$(call sources_of,$(p))))
	@mkdir -p $$(@D)
	$(if $(V),,@echo "  LINK  $$@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $$@ $$^ $(LIBS) $(TEST_LIBS)
endef
$(foreach t,$(unit_sources),$(eval $(call unit_rule,$(basename $(notdir $(t))))))

unit: $(unit_tests)
	@unset $$(env | sed -n 's/^\(ONSALE_[A-Z_]*\)=.*/\1/p'); set -e; for t in $(unit_tests); do $$t; done

# --- Running, testing, checking. Packages may have to be installed before this file can be read to good purpose (pkg-config is
# asked at the top), so these targets install first and then start make anew.
again = +@$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc)) BUILD=$(BUILD) WERROR=$(WERROR)
run_pytest = $(PYTHON) -B -m pytest

run: export VAR := $(VAR)
run: export BUILD := $(BUILD)
run:
	@tools/packages install build run
	$(again) all
	@exec tools/run

test: export BUILD := $(BUILD)
test:
	@tools/packages install build run test
	$(again) test-programs
	@$(MAKE) --no-print-directory BUILD=$(BUILD) WERROR=$(WERROR) unit
	@$(run_pytest) -v -n 3 --dist loadfile --durations=10 tests

# One file or test: make pytest T="tests/integration/test_line.py -k leaving -x"
pytest: export BUILD := $(BUILD)
pytest:
	$(again) test-programs
	@$(run_pytest) $(or $(T),tests)

check: export BUILD := $(BUILD)
check:
	@tools/packages install build run test
	$(again) test-programs
	@tools/lint includes
	@$(MAKE) --no-print-directory BUILD=$(BUILD) WERROR=$(WERROR) unit
	@$(run_pytest) -v tests/integration -m quick

# Everything that the tests start.
.PHONY: test-programs pytest
test-programs: all $(unit_tests)

lint:
	@tools/packages install build run test lint
	@MAKE="$(MAKE)" tools/lint all

# For tools/lint.
.PHONY: print-flags
print-flags:
	@echo '$(CFLAGS_ALL)'

format:
	@tools/packages install lint
	@git ls-files -z '*.c' '*.h' | xargs -0 clang-format -i

packages:
	@tools/packages install build run test lint fuzz

# Each measurement prints its summary and keeps its raw runs in bench/results/.
bench: bench-joins bench-booking bench-locking bench-seating bench-outcomes bench-sale bench-payments

.PHONY: bench-joins
bench-joins: export BUILD := $(BUILD)
bench-joins:
	@tools/packages install build run test bench
	$(again) all
	@$(PYTHON) -B bench/joins.py

.PHONY: bench-booking bench-bookings
bench-bookings: bench-booking
bench-booking: export BUILD := $(BUILD)
bench-booking:
	@tools/packages install build run test bench
	$(again) all $(ROOT)/bench/one-by-one
	@$(PYTHON) -B bench/bookings.py

.PHONY: bench-locking
bench-locking: export BUILD := $(BUILD)
bench-locking:
	@tools/packages install build run test bench
	$(again) $(ROOT)/bench/locking
	@$(PYTHON) -B bench/locking.py

.PHONY: bench-seating
bench-seating: export BUILD := $(BUILD)
bench-seating:
	@tools/packages install build
	$(again) $(ROOT)/bench/seating
	@$(ROOT)/bench/seating

.PHONY: bench-outcomes
bench-outcomes: export BUILD := $(BUILD)
bench-outcomes:
	@tools/packages install build run test bench
	$(again) all
	@$(PYTHON) -B bench/outcomes.py

.PHONY: bench-sale
bench-sale: export BUILD := $(BUILD)
bench-sale:
	@tools/packages install build run test bench
	$(again) all
	@$(PYTHON) -B bench/sale.py

.PHONY: bench-payments
bench-payments: export BUILD := $(BUILD)
bench-payments:
	@tools/packages install build run test bench
	$(again) all
	@$(PYTHON) -B bench/payments.py

# The command line is for people; the servers are started by systemd and need not be in anybody's PATH.
install: all
	install -d "$(DESTDIR)$(prefix)/bin" "$(DESTDIR)$(prefix)/libexec/onsale" "$(DESTDIR)$(prefix)/lib/systemd/system" \
		"$(DESTDIR)$(prefix)/lib/sysusers.d" "$(DESTDIR)$(prefix)/share/doc/onsale" "$(DESTDIR)$(prefix)/share/man/man1"
	install -m 755 $(BIN)/onsale "$(DESTDIR)$(prefix)/bin/"
	install -m 755 $(addprefix $(BIN)/,$(filter-out onsale,$(BUILT))) "$(DESTDIR)$(prefix)/libexec/onsale/"
	for unit in packaging/systemd/*.service packaging/systemd/*.target; do \
		sed 's|@libexec@|$(prefix)/libexec/onsale|' "$$unit" >"$(DESTDIR)$(prefix)/lib/systemd/system/$${unit##*/}" || exit 1; done
	install -m 644 packaging/sysusers.conf "$(DESTDIR)$(prefix)/lib/sysusers.d/onsale.conf"
	install -m 644 packaging/onsale.ini LICENSE README.md CHANGELOG.md docs/*.md docs/openapi.yaml "$(DESTDIR)$(prefix)/share/doc/onsale/"
	install -m 644 packaging/man/*.1 "$(DESTDIR)$(prefix)/share/man/man1/"

help:
	@cat tools/help.txt

clean:
	rm -rf build
# --- end of running, testing, checking

-include $(shell find $(ROOT)/obj -name '*.d' 2>/dev/null)

# --- The HTTP/2 part of the waiting room alone, with a handler that echoes: what tests/integration/test_http2.py drives.
http_echo_objects := $(call objects_of,tests/http/echo_server.c $(wildcard waiting-room/http*.c) waiting-room/peer.c waiting-room/tls.c)
.PHONY: http-echo
http-echo: $(ROOT)/tests/http-echo
$(ROOT)/tests/http-echo: $(http_echo_objects) $(common_objects)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)
test-programs: http-echo
# --- end of the HTTP/2 echo server

# --- The payment provider's client alone: what tests/integration/test_provider.py drives against hostile servers.
$(ROOT)/tests/provider-ask: $(call objects_of,tests/provider/ask.c) $(common_objects)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)
test-programs: $(ROOT)/tests/provider-ask
# --- end of the payment provider's client

# --- Tests in C that need MySQL and RabbitMQ, tests/backends/test_X.c, linked with common/ alone; run by
# tests/integration/test_backends.py.
backends_tests := $(patsubst %.c,$(ROOT)/%,$(wildcard tests/backends/test_*.c))
$(backends_tests): $(ROOT)/tests/backends/%: $(ROOT)/obj/tests/backends/%.o $(ROOT)/obj/tests/backends/backends.o $(common_objects)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS) $(TEST_LIBS)
test-programs: $(backends_tests)
# --- end of the tests with backends

# --- Fuzzing. tests/fuzz/fuzz_X.c is one target, linked like a unit test. The unit tests replay tests/fuzz/corpus/X with it;
# `make fuzz` builds the same sources with clang's libFuzzer into build/fuzz and looks for more.
SECONDS ?= 30
fuzz_names := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz_links = $(ROOT)/obj/tests/fuzz/fuzz_$(1).o $(common_objects) \
	$(foreach p,$(shell sed -n '1s|^// links: *||p' tests/fuzz/fuzz_$(1).c),$(call objects_of,$(call sources_of,$(p))))
define fuzz_rule
$(ROOT)/tests/replay-$(1): $(ROOT)/obj/tests/fuzz/replay.o $(call fuzz_links,$(1))
	@mkdir -p $$(@D)
	$(if $(V),,@echo "  LINK  $$@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $$@ $$^ $(LIBS)
$(ROOT)/bin/fuzz-$(1): $(call fuzz_links,$(1))
	@mkdir -p $$(@D)
	$(if $(V),,@echo "  LINK  $$@")
	$(Q)$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $$@ $$^ $(LIBS)
endef
$(foreach f,$(fuzz_names),$(eval $(call fuzz_rule,$(f))))

.PHONY: fuzz-replay fuzz-programs
fuzz_replays := $(fuzz_names:%=$(ROOT)/tests/replay-%)
test-programs: $(fuzz_replays)
unit: fuzz-replay
fuzz-replay: $(fuzz_replays)
	@set -e; for f in $(fuzz_names); do $(ROOT)/tests/replay-$$f tests/fuzz/corpus/$$f; done

# All targets, or those named: make fuzz FUZZ="token json" SECONDS=300
FUZZ ?= $(fuzz_names)
fuzz:
	@tools/packages install build fuzz
	+@$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc)) BUILD=fuzz CC=clang CFLAGS=-Wno-string-conversion fuzz-programs
	@tests/fuzz/run $(SECONDS) $(FUZZ)
fuzz-programs: $(FUZZ:%=$(ROOT)/bin/fuzz-%)
# --- end of fuzzing

# --- The simulation: the pure modules of all programs in one small world, 100,000 schedules by their seeds. Linked with these
# modules alone: the programs' other files share names.
# `make check` and `make test` try fewer.
SCHEDULES ?= $(if $(filter simulation,$(MAKECMDGOALS)),100000,20000)
simulation_modules := admission/line.c admission/count.c admission/gate.c admission/forecast.c admission/timetable.c admission/release.c \
	booking-worker/allocate.c booking-worker/choices.c booking-worker/seating.c booking-worker/seating_rules.c booking-worker/seating_needs.c \
	waiting-room/order_decide.c waiting-room/order_facts.c
.PHONY: simulation
ifneq ($(wildcard waiting-room/order_decide.c),)
test-programs: $(ROOT)/tests/simulation
unit: simulation
endif
$(ROOT)/tests/simulation: $(call objects_of,$(wildcard tests/simulation/*.c) $(simulation_modules)) $(common_objects)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)
simulation: $(ROOT)/tests/simulation
	@$(ROOT)/tests/simulation $(SCHEDULES)
# --- end of the simulation

# --- The crowd: many simulated visitors, for the tests and `make run CROWD=500`. Not installed.
.PHONY: crowd
crowd: $(ROOT)/bench/crowd
$(ROOT)/bench/crowd: $(call objects_of,$(wildcard bench/crowd/*.c)) $(common_objects)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)
all test-programs: crowd
# --- end of the crowd

# --- What bench-booking measures against.
$(ROOT)/bench/one-by-one: $(call objects_of,$(wildcard bench/bookings/*.c)) $(common_objects)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)
# --- end of bench-booking

# --- What bench-locking compares.
$(ROOT)/bench/locking: $(call objects_of,$(wildcard bench/locking/*.c)) $(common_objects)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)
# --- end of bench-locking

# --- What bench-seating runs: the hall and its rules, without the worker around them.
$(ROOT)/bench/seating: $(call objects_of,bench/seating/sell_hall.c $(wildcard booking-worker/seating*.c)) $(common_objects)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)
# --- end of bench-seating
