# Needs python3 (3.11 or newer, with venv) and make. Everything else goes into .venv, by hash.

PYTHON ?= python3
BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# Where it is set, each process of the tests compiles all of them again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run demo cluster simulate test quick check ruff mypy format servers unit shared fast e2e-and-shared e2e browsers soak fuzz bench bench-quick bench-soak wheel screenshots sdk api-examples lock clean

help: ## List these targets
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

run: .venv/run ## Serve http://localhost:8180
	$(BIN)/roompulse serve

demo: .venv/run ## Serve it with a real call to make worse, at /demo/call
	$(BIN)/roompulse serve --demo

cluster: .venv/dev ## Serve it with a PostgreSQL of its own, three workers and haproxy, in build/cluster
	@$(BIN)/python -m tests.postgres_server
	@$(BIN)/python -m tests.haproxy
	@$(BIN)/python -m tests.cluster

simulate: .venv/run ## Fill it with simulated calls
	$(BIN)/roompulse simulate

# Tests marked as slow come first, and a worker that has none left takes over from the other.
PYTEST := $(BIN)/pytest --dist worksteal --numprocesses

test: .venv/dev ## Run every check and every test, browser included; a part of those of the API on PostgreSQL too
	@$(MAKE) --no-print-directory --jobs 3 check unit e2e-and-shared

quick: .venv/dev ## Run every check and the tests within one process, those of the API in part (2 minutes)
	@$(MAKE) --no-print-directory --jobs 2 check fast

check: ruff mypy ## Run the linters and the type checker

ruff: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

mypy: .venv/dev
	$(BIN)/mypy

format: .venv/dev ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What one request changes and another one shows: these tests run on PostgreSQL too, each request at the next of three applications.
SHARED := access access_page again alert_pages alerts calls events exports hidden_ids history insights notes overview past \
  servers shares user_history

servers: .venv/dev
	$(BIN)/python -m tests.nginx
	$(BIN)/python -m tests.haproxy
	$(BIN)/python -m tests.postgres_server

unit: servers ## Run the tests that need no browser; with ENGINE=postgres those of the API alone, on three workers
	$(PYTEST) 2 tests

shared: servers ## Run the tests of the API on PostgreSQL that are about what workers share
	ENGINE=postgres $(PYTEST) 2 $(SHARED:%=tests/api/test_%.py)

# One after the other, beside the tests that need no browser.
e2e-and-shared: servers
	@$(MAKE) --no-print-directory e2e
	@$(MAKE) --no-print-directory shared

# To make an application takes longest, so of the API's tests these are those of reports, reads, streams and pages.
QUICK := $(addprefix tests/,unit store importing alerts notify insights bridge checking test_*.py) \
  $(patsubst %,tests/api/test_%.py,errors get history pages post stream)

fast: servers
	$(PYTEST) 3 -m "not slow" $(QUICK)

e2e: servers ## Run the tests in Chromium, and some of them in Firefox
	$(BIN)/python -m e2e.chromium
	$(BIN)/python -m e2e.firefox
	$(BIN)/python -m e2e.libraries
	$(BIN)/python -m tests.janus
	$(PYTEST) 3 e2e
	ROOMPULSE_BROWSER=firefox $(PYTEST) 2 -m "not chromium" e2e/test_keys.py e2e/test_pause.py

# In WebKit the tests are fewer, as Playwright cannot drive that of Debian.
CORE := list live charts pause keys lost tabs wall sign_in travel

browsers: .venv/dev ## Run the core of the tests of pages in Firefox and in WebKit
	$(BIN)/python -m e2e.firefox
	$(BIN)/python -m e2e.webkit
	ROOMPULSE_BROWSER=firefox $(PYTEST) 2 -m "not chromium" $(CORE:%=e2e/test_%.py)
	$(BIN)/pytest --numprocesses 0 e2e/core_webkit.py

soak: .venv/dev ## Kill the server hundreds of times under load, and leave pages open for an hour, to see whether they grow
	$(BIN)/python -m e2e.chromium
	ROOMPULSE_SOAK=3600 $(BIN)/pytest --numprocesses 2 e2e/test_growth.py tests/process/test_crash.py tests/process/test_power_loss.py \
	  tests/postgres/test_parity.py

fuzz: .venv/dev ## Try 100,000 made-up reports, and keep what is new in tests/corpus
	$(BIN)/python -m tests.fuzz 100000

bench: .venv/dev ## Measure all but the soak, side by side with peers (half an hour), into docs/performance.md
	$(BIN)/python -m benchmarks

bench-quick: .venv/dev ## Measure the same in a few minutes, less exactly, into build/bench/performance.md
	$(BIN)/python -m benchmarks --quick

bench-soak: .venv/dev ## Leave the server under load for 15 minutes, to see whether it grows
	$(BIN)/python -m benchmarks --only soak

wheel: .venv/dev ## Build the package into dist/
	$(BIN)/python -m build --wheel --no-isolation

screenshots: .venv/dev ## Take the pictures of docs/screenshots
	$(BIN)/python -m e2e.chromium
	$(BIN)/python -m e2e.screenshots

sdk: .venv/dev ## Make static/sdk/roompulse.js of its source
	$(BIN)/python -m tests.sdk_module

api-examples: .venv/dev ## Regenerate the examples of docs/api.md
	$(BIN)/python -m tests.api_examples

lock: ## Update the lock of the dependencies (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" \
	  --group build pyproject.toml --output-file requirements.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" \
	  --group dev --constraint requirements.txt pyproject.toml --output-file requirements-dev.txt

clean: ## Delete the virtual environment, builds and caches (not the data)
	rm -rf .venv build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache

.venv/bin/python:
	@$(PYTHON) -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "roompulse needs Python 3.11 or newer with venv (Debian: apt-get install python3 python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/run: .venv/bin/python requirements.txt pyproject.toml
	$(PIP_INSTALL) --require-hashes -r requirements.txt
	$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: .venv/run requirements-dev.txt
	$(PIP_INSTALL) --require-hashes -r requirements-dev.txt
	@touch $@
