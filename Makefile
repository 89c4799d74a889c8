# Everything a developer or a first user needs. `make help` lists it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input
LOCK := $(PY) -m uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate

# Tests of one file stay in one process: files share nothing, tests within a file may share a server.
PYTEST_WORKERS ?= 2
PYTEST_ARGS ?=

.PHONY: help install demo viewer wheel test giants lint bench fuzz lock clean

help: ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

install: $(VENV)/.stamp-run ## install Leadglass into .venv: .venv/bin/leadglass

demo: $(VENV)/.stamp-run ## start an archive with sample studies under ./leadglass-demo
	@$(PY) -m leadglass.app demo

viewer: $(VENV)/bin/python ## fetch OHIF, which shows studies in the browser (needs npm)
	@$(PY) tools/viewer

wheel: $(VENV)/.stamp-run ## build dist/leadglass-*.whl, with the viewer in it if it was fetched
	@$(PY) -m hatchling build -t wheel

test: $(VENV)/.stamp-dev ## run every test (as root: installs the peers for the interop tests first)
	@tools/peers
	@$(PY) -m pytest -n $(PYTEST_WORKERS) --dist loadfile $(PYTEST_ARGS)

giants: $(VENV)/.stamp-dev ## store and fetch instances of 3.9 and 6 GB, with the memory of each process watched
	@LEADGLASS_GIANTS=full $(PY) -m pytest -s tests/app/test_giant_instances.py tests/app/test_giant_uploads.py

lint: $(VENV)/.stamp-dev ## style, types and the house's import contracts
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports

bench: $(VENV)/.stamp-dev ## measure side by side with the peers; results under bench/out
	@tools/peers bench
	@$(PY) -m bench

fuzz: $(VENV)/.stamp-dev ## fuzz the parsers for a while
	@$(PY) fuzz/run.py

lock: $(VENV)/.stamp-dev ## refresh the locked versions and their hashes
	$(LOCK) --upgrade pyproject.toml --output-file requirements.lock
	$(LOCK) --upgrade pyproject.toml --extra dev --constraint requirements.lock --output-file requirements-dev.lock
	$(LOCK) --upgrade --group build --constraint requirements-dev.lock --output-file requirements-build.lock
	$(LOCK) --upgrade --python-version 3.11 tests/interop/sslyze/requirements.in --output-file tests/interop/sslyze/requirements.lock

clean: ## remove the environment, caches and the demo archive
	rm -rf $(VENV) build dist bench/out leadglass-demo *.egg-info
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find leadglass tests bench fuzz -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# Stamps: a second run compares dates of files and installs nothing.

$(VENV)/bin/python:
	@tools/make-venv $(VENV)

$(VENV)/.stamp-run: requirements.lock requirements-build.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing what Leadglass needs into $(VENV)"
	@$(PIP) install --quiet --require-hashes -r requirements-build.lock
	@$(PIP) install --quiet --require-hashes -r requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.stamp-dev: requirements-dev.lock $(VENV)/.stamp-run
	@echo "Installing what tests and checks need into $(VENV)"
	@$(PIP) install --quiet --require-hashes -r requirements-dev.lock
	@touch $@
