# Two commands set everything up on a fresh machine: `make quickstart` and `make test`.
# Only Python is needed, 3.11 or newer: everything else goes into $(VENV). Works with the make of macOS, too.

VENV ?= .venv
# The first Python here that is new enough; `make PYTHON=/path/to/python3.12` chooses another.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
    "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)

BIN := $(VENV)/bin
# Empty files that say what is installed, so that the second time is quick.
MADE := $(VENV)/.made
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: help quickstart test check benchmark docs clean

help:
	@echo "make quickstart  set up, run the quick start in ./quick-start, print the resulting table"
	@echo "make test        set up, run all tests"
	@echo "make check       set up, run the linter, the type checker, the import contracts, the schema comparison"
	@echo "make benchmark   set up, measure"
	@echo "make docs        write the references of commands and types and the schemas anew"
	@echo "make clean       remove what these commands made"

quickstart: $(INSTALLED)
	@PATH="$(abspath $(BIN)):$$PATH" sh docs/quick-start.sh

test: $(INSTALLED_DEV)
	$(BIN)/python -m pytest -q -n auto

check: $(INSTALLED_DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m patterns_os.manifest.schema --check

benchmark: $(INSTALLED_DEV)
	$(BIN)/python benchmarks/run.py

docs: $(INSTALLED_DEV)
	$(BIN)/python tests/docs/cli_reference.py > docs/cli.md
	$(BIN)/python tests/docs/types_reference.py
	$(BIN)/python -m patterns_os.manifest.schema

clean:
	rm -rf $(VENV) .benchmarks .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	@if [ -e quick-start/.made-by-make ]; then rm -rf quick-start; fi

$(INSTALLED): $(MADE) pyproject.toml
	@echo "Installing patterns-os into $(VENV) …"
	@$(PIP) install --editable .
	@touch $@

$(INSTALLED_DEV): $(MADE) pyproject.toml
	@echo "Installing patterns-os and what its tests need into $(VENV) …"
	@$(PIP) install --editable '.[dev]'
	@touch $(INSTALLED) $@

$(MADE):
	@if [ -z "$(PYTHON)" ]; then \
	    echo "Python 3.11 or newer is needed, found: $$(python3 --version 2>/dev/null || echo none)" >&2; \
	    echo "  hint: install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Python 3.11 or newer is needed, $(PYTHON) is another or does not run" >&2; \
	    echo "  hint: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments: its module venv is not installed" >&2; \
	    echo "  hint: on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version) …"
	@$(PYTHON) -m venv $(VENV)
	@touch $@
