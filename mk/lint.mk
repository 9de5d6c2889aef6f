# Checks of the source itself.
.PHONY: lint format sizes
lint: ## clang-format, layers, headers, options, shellcheck, yamllint, cppcheck
	@tests/lint/run

format: ## rewrite the sources as clang-format has them
	clang-format-14 -i $(C_FILES)

sizes: ## the largest functions and files
	@sh tests/lint/sizes.sh
