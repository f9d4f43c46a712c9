# `make demo` and `make test` need Python 3.11 or newer, and a network the first time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
BENCH_INSTALLED := $(VENV)/.bench-installed
BENCHMARKS := selective_scan attention fusion window one_variant tile rescoring whole_vcf mutagenesis growth workers host_side records_io training_step training_memory precision peers plots
# -qq leaves pip's errors; constraints pin what is installed, PyTorch first: its build decides the size.
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-6s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(INSTALLED)  ## install into .venv, then embed and score a made-up genome (written to demo/)
	@$(BIN)/janusdna demo demo --run --overwrite

# As many processes as there are cores: a thread that waits for another's must not keep a core busy.
test: $(INSTALLED)  ## run the tests
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest --numprocesses auto --dist worksteal

lint: $(INSTALLED)  ## check style, types and which module imports which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(BENCH_INSTALLED)  ## run the benchmarks, draw their plots (more than an hour on two cores)
	@set -e; for name in $(BENCHMARKS); do echo; echo "python benchmarks/$$name.py"; $(BIN)/python benchmarks/$$name.py; done

clean:  ## remove .venv, demo/ and caches
	rm -rf $(VENV) demo build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, this is %d.%d; name one: make PYTHON=python3.11 ..." % sys.version_info[:2])'
	@echo "Installing into $(VENV), once; PyTorch makes it a matter of minutes"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP_INSTALL) torch hatchling editables
	@$(PIP_INSTALL) --no-build-isolation --editable '.[dev,workflow]'
	@touch $@

$(BENCH_INSTALLED): $(INSTALLED)
	@$(PIP_INSTALL) --no-build-isolation --editable '.[bench]'
	@touch $@
