# Needs python3 (3.11 or newer) and make. Everything else comes from requirements.lock, by hash.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LOCKED := $(VENV)/.locked
STAMP  := $(VENV)/.installed
PIP    := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test test-large lint types floors tests docs bench lock clean

help:  ## say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Builders first, then everything: the demo's data comes as source and is built with the pinned setuptools.
$(LOCKED): requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tidemill needs Python 3.11 or newer. Fix: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv --clear $(VENV)
	awk '/^[a-z]/ {keep = /^setuptools==/} keep' requirements.lock > $(VENV)/builders.txt
	$(PIP) install --quiet --require-hashes -r $(VENV)/builders.txt
	$(PIP) install --quiet --require-hashes --no-build-isolation -r requirements.lock
	@touch $@

$(STAMP): $(LOCKED) pyproject.toml
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP)  ## a year of flights through the mill (ARGS="--quick" for eight weeks)
	$(BIN)/tidemill demo $(ARGS)

test: lint types floors docs tests  ## everything CI checks

lint: $(STAMP)  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)  ## pyright
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

floors: $(STAMP)  ## import-linter: who may import whom
	$(BIN)/lint-imports

tests: $(STAMP)  ## pytest
	$(BIN)/python -m pytest -n 3 --dist worksteal tests $(ARGS)

docs: $(STAMP)  ## the examples in docstrings
	$(BIN)/python -m pytest -n 2 src

# About an hour and a half on two cores. Each ends with a line that says what was tried and how much of it ended badly.
test-large: $(STAMP)  ## the long versions: random kills, full disks, hostile inputs, many writers
	$(BIN)/python benchmarks/crash.py --kills $(or $(KILLS),1000)
	$(BIN)/python benchmarks/crash.py --every
	$(BIN)/python benchmarks/full.py --step 4
	$(BIN)/python benchmarks/fuzz.py --inputs 10000
	$(BIN)/python benchmarks/logger.py --records 100000 --processes 8

bench: $(STAMP)  ## the figures in the README
	set -e; for b in benchmarks/*.py; do echo "== $$b"; $(BIN)/python $$b; done

lock:  ## resolve pyproject.toml again into requirements.lock
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/python -m pip install --quiet 'pip-tools>=7.6,<8'
	.venv-lock/bin/pip-compile --quiet --upgrade --generate-hashes --all-extras --all-build-deps --allow-unsafe \
	    --strip-extras --no-header --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options \
	    --output-file requirements.lock pyproject.toml
	rm -rf .venv-lock

clean:  ## remove what make made
	rm -rf $(VENV) .venv-lock .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist src/*.egg-info
	find src tests benchmarks -name __pycache__ -type d -exec rm -rf {} +
