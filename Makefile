# CEOAgent: three programs over one static library. `make help` lists the targets.
# Adding a source file touches nothing here. Objects of each MODE live side by side.

MODE    ?= dev
CC      ?= gcc
B       := build/$(MODE)
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.0.0)
Q       := $(if $(V),,@)

PKGS     := libevent libevent_openssl libpq hiredis libcurl libcjson rdkafka libssl libcrypto zlib libutf8proc
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla -Werror
HARDEN   := -fstack-protector-strong -fPIE
CPPFLAGS += -I. -D_GNU_SOURCE -DCEO_VERSION='"$(VERSION)"' $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
CFLAGS   += -std=gnu11 -g $(WARN) $(HARDEN)
LDFLAGS  += -pie -Wl,-z,relro,-z,now -Wl,--as-needed
LDLIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lhttp_parser -lm

CFLAGS_dev      := -O2 -D_FORTIFY_SOURCE=2
CFLAGS_release  := -O2 -D_FORTIFY_SOURCE=2 -DNDEBUG_LOGS
CFLAGS_faults   := -O1 -DCEO_FAULTS
CFLAGS_asan     := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined -DCEO_FAULTS
CFLAGS_coverage := -O0 --coverage -DCEO_FAULTS
CFLAGS += $(CFLAGS_$(MODE))
LDFLAGS_asan     := -fsanitize=address,undefined
LDFLAGS_coverage := --coverage
LDFLAGS += $(LDFLAGS_$(MODE))

PROGRAMS := api agent worker
BINS     := $(PROGRAMS:%=$(B)/ceoagent-%)
LIB      := $(B)/libceoagent.a
LIB_SRC  := $(sort $(shell find libcommon -name '*.c' 2>/dev/null))
SVC_SRC   = $(sort $(shell find services/$(1) -name '*.c' 2>/dev/null))
UNIT     := $(patsubst tests/%.c,$(B)/tests/%,$(sort $(shell find tests/unit -name 'test_*.c' 2>/dev/null)))
INTEG    := $(patsubst tests/%.c,$(B)/tests/%,$(sort $(shell find tests/integration -name 'test_*.c' 2>/dev/null)))
HARNESS  := $(patsubst %.c,$(B)/%.o,$(sort $(shell find tests/harness -name '*.c' 2>/dev/null)))
# What tests may link besides the library: each service but its main.c, as an archive, so that a test
# takes only the objects that it names.
SVC_LIB  := $(PROGRAMS:%=$(B)/lib%.a)
C_FILES   = $(sort $(shell find libcommon services tests bench -name '*.[ch]' 2>/dev/null))

.PHONY: all help
all: $(BINS) ## build the three programs (MODE=dev|release|asan|coverage|faults)

help: ## this list
	@grep -hE '^[a-zA-Z0-9_%-]+:.*## ' Makefile mk/*.mk | sed -E 's/:.*## /\t/' | sort | expand -t 18

$(B)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@$(if $(V),,echo "  CC    $<")
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# The formulas of the decision method must give the same bits everywhere.
$(B)/libcommon/method/%.o: CFLAGS += -ffp-contract=off

# Files put into the programs by EMBED (embed.h) are read by the assembler: rebuild when they change.
EMBEDDED := $(shell find libcommon services migrations -name '*.json' -o -name '*.txt' -o -name '*.lua' -o -name '*.sql' -o -name '*.html' 2>/dev/null)
$(patsubst %.c,$(B)/%.o,$(shell grep -lE '^ *EMBED.[a-z0-9_]+,' -r libcommon services --include='*.c' 2>/dev/null)): $(EMBEDDED)

$(LIB): $(LIB_SRC:%.c=$(B)/%.o)
	@rm -f $@
	$(Q)ar rcs $@ $^

define PROGRAM
$(B)/ceoagent-$(1): $(patsubst %.c,$(B)/%.o,$(call SVC_SRC,$(1))) $(LIB)
	@echo "  LD    $$@"
	$(Q)$(CC) $(LDFLAGS) -o $$@ $$^ $(LDLIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call PROGRAM,$(p))))

define SERVICE_LIB
$(B)/lib$(1).a: $(patsubst %.c,$(B)/%.o,$(filter-out %/main.c,$(call SVC_SRC,$(1))))
	@rm -f $$@
	$(Q)ar rcs $$@ $$^
$(B)/tests/unit/services/$(1)/%: $(B)/tests/unit/services/$(1)/%.o $(B)/lib$(1).a $(LIB)
	$(Q)$(CC) $(LDFLAGS) -o $$@ $$^ $(LDLIBS) -lcmocka
endef
$(foreach p,$(PROGRAMS),$(eval $(call SERVICE_LIB,$(p))))

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(LIB)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka
$(B)/tests/integration/%: $(B)/tests/integration/%.o $(HARNESS) $(SVC_LIB) $(LIB)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

.SECONDARY: # keep the objects of tests
-include $(shell find $(B) -name '*.d' 2>/dev/null)
include $(sort $(wildcard mk/*.mk))

.PHONY: install clean
PREFIX ?= /usr
install: ## install the programs, migrations and docs (DESTDIR=, PREFIX=/usr, MODE=release)
	$(MAKE) MODE=release all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/ceoagent/migrations
	install -m 0755 -s build/release/ceoagent-api build/release/ceoagent-agent build/release/ceoagent-worker $(DESTDIR)$(PREFIX)/bin/
	install -m 0644 migrations/*.sql $(DESTDIR)$(PREFIX)/share/ceoagent/migrations/

clean: ## remove what was built
	rm -rf build
