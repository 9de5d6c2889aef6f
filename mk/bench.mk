# Benches beside peers from their registries, and the storm of kills. What they print is explained in
# docs/performance.md and docs/reliability.md.
ROUNDS   ?= 3
BENCHES  ?= start worker accept agent
BENCH_VENV := build/bench-venv
SEED     ?= 1
DECISIONS ?= 200
SECONDS  ?= 60

$(BENCH_VENV)/made: bench/requirements.txt
	python3 -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/pip install -q --disable-pip-version-check -r $<
	@touch $@

$(B)/bench/%: $(B)/bench/%.o $(LIB)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.PHONY: bench bench-build chaos
bench-build: all $(B)/bench/mock_model

bench: $(BENCH_VENV)/made ## speed and size beside peers: [ROUNDS=3] [BENCHES="start worker accept agent"]
	$(MAKE) MODE=release bench-build
	@for name in $(BENCHES); do \
		BIN_DIR=build/release ROUNDS=$(ROUNDS) $(BENCH_VENV)/bin/python bench/$$name || exit 1; \
	done

chaos: all ## decisions under kills of every process, checked: [SEED=1] [DECISIONS=200] [SECONDS=60] [MODE=dev]
	@BIN_DIR=$(B) $$(tests/harness/venv)/bin/python tests/chaos/mix.py --seed $(SEED) --decisions $(DECISIONS) --seconds $(SECONDS)
