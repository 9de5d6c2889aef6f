# Fuzz targets: tests/fuzz/fuzz_NAME.c with the corpus tests/fuzz/corpus/NAME. Their corpus is replayed
# in `make unit`; `make fuzz` searches for more with clang's libFuzzer.
FUZZ_SECONDS ?= 20
FUZZ_NAMES   := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
CFLAGS_fuzz  := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address -DCEO_FAULTS
LDFLAGS_fuzz := -fsanitize=fuzzer,address

ifeq ($(MODE),fuzz)
CFLAGS  += $(CFLAGS_fuzz)
LDFLAGS += $(LDFLAGS_fuzz)
$(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(SVC_LIB) $(LIB)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
else
UNIT += $(FUZZ_NAMES:%=$(B)/tests/fuzz/fuzz_%)
$(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/standalone.o $(SVC_LIB) $(LIB)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka
endif

.PHONY: fuzz fuzz-build
fuzz-build: $(FUZZ_NAMES:%=$(B)/tests/fuzz/fuzz_%)

# What is found lands in build/fuzz/; new inputs go to a scratch corpus, not to the repository.
fuzz: ## search for crashes with libFuzzer [FUZZ_SECONDS=20] [FUZZ_NAMES="json schema"]
	$(MAKE) MODE=fuzz CC=clang fuzz-build FUZZ_NAMES="$(FUZZ_NAMES)"
	@for name in $(FUZZ_NAMES); do \
		mkdir -p build/fuzz/corpus/$$name; echo "fuzz_$$name"; \
		build/fuzz/tests/fuzz/fuzz_$$name -max_total_time=$(FUZZ_SECONDS) -timeout=10 -verbosity=0 \
			-max_len=16384 -artifact_prefix=build/fuzz/crash-$$name- \
			build/fuzz/corpus/$$name tests/fuzz/corpus/$$name || exit 1; \
	done
