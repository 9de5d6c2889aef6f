# Tests. Each program of tests/unit and tests/integration is one cmocka binary.
.PHONY: unit integration blackbox unit-build integration-build test coverage
unit-build: $(UNIT)
integration-build: $(INTEG)

unit: $(UNIT) ## unit tests (no servers)
	@tests/harness/run-tests unit $(UNIT)

integration: $(INTEG) ## integration tests on private PostgreSQL and Redis
	@CEO_TEST_JOBS=1 tests/harness/run-tests integration $(INTEG)

blackbox: all ## the running programs, as their users see them (pytest)
	@tests/harness/run-blackbox $(B)

test: ## everything under ASan and UBSan; the last line counts
	@tests/harness/run-all

coverage: ## line coverage of the C code, from unit, integration and black-box tests
	@tests/harness/run-coverage

.PHONY: rag-bench
rag-bench: $(BINS) $(B)/tests/integration/rag_search ## recall and latency of the knowledge search, with a real Weaviate and embedding model
	@bench/rag/bench $(B)
