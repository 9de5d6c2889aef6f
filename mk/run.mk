# Running the stack on this machine. The work is in tests/harness/stack.
.PHONY: deps run up down
deps: ## install what the build, the tests and the stack need (Debian packages, as root)
	@sh tests/harness/deps

run: deps ## bring everything up and take a real decision; leaves the stack running
	@tests/harness/run

up: deps ## start the stack in the background: [AGENTS=n] [WORKERS=n] [PORT=p]
	@tests/harness/stack up

down: ## stop the stack
	@tests/harness/stack down

restart-%: ## restart one process of the stack, e.g. restart-agent-1
	@tests/harness/stack restart $*
