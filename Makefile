# Everything a person types. `make demo` and `make test` set up what they need themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up

.PHONY: help setup demo test torture check format lock fuzz bench clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## the virtual environment .venv, with pinned and hashed packages

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	@echo "Setting up $(VENV) …"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## a whole fleet on this machine; prints the console's address, Ctrl-C stops all of it
	@exec $(BIN)/vitals-sim demo $(DEMO_ARGS)

test: setup ## every test (those that need mosquitto or chromium are skipped by name where these are missing)
	@$(BIN)/pytest -n 2 --dist loadgroup $(TEST_ARGS)

torture: setup ## kills agent, broker and collector at random under load: N=50, BROKER=both|nats|mosquitto, SEED, RATE
	@$(BIN)/python -m tests.system.torture --kills $(or $(N),50) --broker $(or $(BROKER),both) $(if $(SEED),--seed $(SEED)) $(if $(RATE),--rate $(RATE)) $(TORTURE_ARGS)

check: setup ## formatting, lint, types, import directions, rule packs
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/vitals-rules check rules/packs

format: setup ## puts the code in order
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

lock: setup ## pins every dependency anew, with hashes
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml -o requirements/base.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra dev pyproject.toml -o requirements/dev.txt

fuzz: setup ## a million broken messages to the collector's intake (MESSAGES=…, SEED=…)
	@$(BIN)/python -m tests.fuzz --messages $(or $(MESSAGES),1000000) --seed $(or $(SEED),1)

bench: setup ## the benchmarks; each prints its figures, and says which holds it misses
	@for name in agent_memory ingest rules rules_vs_vmalert backtest; do echo "== bench/$$name.py"; $(BIN)/python bench/$$name.py; done

clean: ## removes what setup and the tools made
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
