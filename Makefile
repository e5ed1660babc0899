# What a person runs, and what CI runs. `make` alone lists it.
# A fresh machine needs Python 3.11 or newer, git, make, and a way to PyPI; all else is put into .uv and .venv here.

UV_VERSION := 0.13.9
UV := .uv/$(UV_VERSION)/bin/uv
PY := .venv/bin/python
DEMO_READY := .venv/.ready-for-demo
ALL_READY := .venv/.ready-for-all

NAMES := python3 python3.11 python3.12 python3.13 python3.14 python
FITS := import sys, importlib.util as u; sys.exit(sys.version_info < (3, 11) or not (u.find_spec("ensurepip") or u.find_spec("pip")))
PYTHON ?= $(shell for name in $(NAMES); do "$$name" -c '$(FITS)' 2>/dev/null && { echo "$$name"; break; }; done)

export UV_PROJECT_ENVIRONMENT := .venv
# What a shell may have set for other projects: uv would take the lock for stale if the index had another name.
unexport VIRTUAL_ENV UV_INDEX UV_DEFAULT_INDEX UV_INDEX_URL UV_EXTRA_INDEX_URL
# Without what Python keeps, each process that a test starts compiles the service anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: $(DEMO_READY) ## tune a real model, and watch it (KEEP=1 leaves the service running)
	@$(PY) -m examples.digits $(if $(filter-out 0,$(KEEP)),--keep)

.PHONY: test
test: $(ALL_READY) chromium nginx ## run all tests, in random order
	@$(PY) -m pytest -n auto --maxprocesses 4 --dist worksteal

.PHONY: coverage
coverage: $(ALL_READY) chromium nginx ## run all tests with branch coverage, of the services that they start too (takes half as long again)
	@$(PY) -m pytest -n auto --maxprocesses 4 --dist worksteal --cov

.PHONY: check
check: $(ALL_READY) ## all that can be known without running it: lint, format, types, imports, OpenAPI
	@failed=; \
	run() { name="$$1"; shift; echo; echo "--- $$name"; "$$@" || failed="$$failed, $$name"; }; \
	run lint     $(PY) -m ruff check .; \
	run format   $(PY) -m ruff format --check --quiet .; \
	run types    $(PY) -m mypy; \
	run imports  .venv/bin/lint-imports; \
	run docker   $(or $(wildcard .venv/bin/hadolint),true) Dockerfile; \
	run openapi  $(PY) -m app.api.openapi --check; \
	run breaking $(PY) openapi/breaking.py; \
	echo; test -z "$$failed" || { echo "check: these failed: $${failed#, }"; exit 1; }; \
	echo "check: all is well"

.PHONY: chaos
chaos: $(ALL_READY) ## faults at full size: kills, lost answers, replicas, a database that goes away (long)
	@TUNETRACK_TEST_CHAOS=1 $(PY) -m pytest -o faulthandler_timeout=3600 tests/chaos tests/fuzz/test_bodies.py tests/live/test_kill.py

.PHONY: fuzz
fuzz: $(ALL_READY) ## what a fuzzer makes of the OpenAPI document, on both databases (minutes)
	@TUNETRACK_TEST_CHAOS=1 $(PY) -m pytest -o faulthandler_timeout=3600 tests/fuzz/test_document.py

.PHONY: image-test
image-test: $(ALL_READY) ## build the container image for real, start the service in it, stop it (root, Debian; minutes)
	@$(PY) -m deploy.image

.PHONY: audit
audit: $(ALL_READY) ## look up all that the lock names for known holes (asks the package index)
	@$(PY) -m deploy.audit

# Others' searches and a tensor library are for comparison only, and large: they get an environment of their own.
PEERS_READY := .peers/.ready

.PHONY: bench
bench: $(ALL_READY) $(if $(PEERS),$(PEERS_READY)) ## the figures of benchmarks/README.md, measured anew (PEERS=1: beside Optuna)
	@$(PY) -m benchmarks.write_path
	@$(PY) -m benchmarks.bytes_per_point
	@$(PY) -m benchmarks.stream
	@$(PY) -m benchmarks.company
	@$(PY) -m benchmarks.suggest_speed $(if $(PEERS),--peer .peers/bin/python)

.PHONY: bench-search
bench-search: $(ALL_READY) $(if $(PEERS),$(PEERS_READY)) ## what auto finds in 100 trials (PEERS=1: beside Optuna's samplers; some hours)
	@$(PY) -m benchmarks.search_quality $(if $(PEERS),--peers .peers/bin/python) --cache .bench-search
	@$(PY) -m benchmarks.search_quality --epochs --strategies auto --cache .bench-search
	@$(PY) -m benchmarks.search_quality --several --strategies auto,tpe,nsga2,random $(if $(PEERS),--peers .peers/bin/python) --cache .bench-search

$(PEERS_READY):
	@"$(PYTHON)" -m venv .peers
	@# PIP_EXTRA_INDEX_URL may name the index of torch's CPU builds, which are smaller.
	@.peers/bin/python -m pip install --quiet torch==2.13.0 optuna==5.0.0 ax-platform==1.3.1 smac==2.4.1 scikit-learn scipy
	@touch $@

# OSS Vizier is from before this Python's newest JAX, and its nightly part must be as old as the JAX that it gets.
VIZIER_READY := .vizier/.ready

$(VIZIER_READY):
	@"$(PYTHON)" -m venv .vizier
	@.vizier/bin/python -m pip install --quiet 'google-vizier[jax]==0.1.24' jax==0.4.35 jaxlib==0.4.35 flax==0.10.2 chex==0.1.88 \
		optax==0.2.4 'tfp-nightly[jax]==0.26.0.dev20250220' scikit-learn scipy
	@touch $@

.PHONY: screenshots
screenshots: $(ALL_READY) chromium ## render each page of the dashboard with the demo's data, into docs/images
	@$(PY) -m tests.dashboard.screenshots

CHROMIUM := chromium-headless-shell chromium chromium-browser google-chrome

.PHONY: chromium
chromium:
	@scripts/from-system "the tests of the dashboard" "$(CHROMIUM)" chromium-headless-shell fonts-dejavu-core
	@scripts/from-system "the tests of the dashboard" "$(CHROMIUM)" chromium fonts-dejavu-core

.PHONY: nginx
nginx:
	@scripts/from-system "the test of a rolling restart" nginx nginx-light

.PHONY: openapi
openapi: $(DEMO_READY) ## write openapi/openapi.json anew
	@$(PY) -m app.api.openapi

SDK ?= sdk

.PHONY: sdk
sdk: sdk-python sdk-typescript ## generate the Python and the TypeScript client into sdk/ (the latter where npm is)

.PHONY: sdk-python
sdk-python: $(ALL_READY)
	@rm -rf $(SDK)/python
	@$(UV) run --quiet --isolated --no-project --python "$(PYTHON)" --with-requirements openapi/python/requirements.txt \
		openapi-python-client generate --meta uv --config openapi/python/config.yaml \
		--path openapi/openapi.json --output-path $(SDK)/python
	@cp openapi/python/README.md $(SDK)/python/README.md

.PHONY: sdk-typescript
sdk-typescript:
	@if command -v npm >/dev/null; then \
		rm -rf $(SDK)/typescript && mkdir -p $(SDK)/typescript && sdk=$$(cd $(SDK)/typescript && pwd) && cd openapi/ts && \
		{ [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --silent --ignore-scripts --no-audit --no-fund; } && \
		SDK=$$sdk npm run --silent build; \
	else \
		echo "make sdk: SKIPPED the TypeScript client: there is no npm here" >&2; \
	fi

.PHONY: serve
serve: $(DEMO_READY) ## start the service on http://127.0.0.1:8000, its data in tunetrack.db
	@.venv/bin/tunetrack serve

.PHONY: install
install: $(ALL_READY) ## make .venv, with the command tunetrack and all that development needs

.PHONY: clean
clean: ## remove what these targets made; databases stay
	rm -rf .venv .uv .peers .vizier .bench-search .image-test .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.* dist sdk openapi/ts/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment, from the lock. Each is done once, and again when the lock changes.

# Compiled now, not at each start: half of the time that the service takes to be there.
SYNC = $(UV) sync --quiet --locked --compile-bytecode --python "$(PYTHON)"

$(ALL_READY): pyproject.toml client/pyproject.toml uv.lock | $(UV)
	@echo "Installing everything that uv.lock names into .venv"
	@$(SYNC) --all-groups
	@touch $(ALL_READY) $(DEMO_READY)

$(DEMO_READY): pyproject.toml client/pyproject.toml uv.lock | $(UV)
	@echo "Installing what the service and its demo need into .venv"
	@$(SYNC) --no-dev --group demo --inexact
	@touch $(DEMO_READY)

$(UV):
	@test -n "$(PYTHON)" || { \
		echo "tunetrack needs Python 3.11 or newer, and none of these is one: $(NAMES)"; \
		echo "Install it (Debian, Ubuntu: apt install python3 python3-venv), or say where it is: make PYTHON=/path/to/python3"; \
		exit 1; } >&2
	@echo "Installing uv $(UV_VERSION) into .uv"
	@rm -rf .uv
	@if "$(PYTHON)" -c 'import ensurepip' 2>/dev/null; then \
		"$(PYTHON)" -m venv .uv/$(UV_VERSION) && \
		.uv/$(UV_VERSION)/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); \
	else \
		"$(PYTHON)" -m pip install --quiet --disable-pip-version-check --target .uv/$(UV_VERSION) uv==$(UV_VERSION); \
	fi
