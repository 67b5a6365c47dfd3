# Everything a newcomer needs: `make demo` and `make test` set up .venv by themselves.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet --constraint constraints.txt
WORKERS ?= 2

.PHONY: help setup demo test test-all lint bench clean
help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY)  ## Build .venv with everything that the demo and the tests need

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) --editable '.[ray,service,postgres,workloads,dev]'
	@touch $@

demo: $(READY)  ## Search a schedule for a small network on handwritten digits; writes into out/
	@mkdir -p out && rm -f out/demo.db*
	@$(BIN)/sgdr sweep --workload digits --trials 64 --study demo --storage sqlite:///out/demo.db
	@$(BIN)/sgdr plot demo --storage sqlite:///out/demo.db -o out/demo.png

test: $(READY)  ## The tests, some minutes
	$(BIN)/pytest --numprocesses $(WORKERS) -m "not slow"

test-all: $(READY) lint  ## All tests, with faults and long runs
	HYPOTHESIS_PROFILE=new $(BIN)/pytest --numprocesses $(WORKERS)

lint: $(READY)  ## Format, lint, types, direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)  ## The side-by-side benchmark: about an hour
	$(BIN)/python -m experiments.bench

clean:  ## Remove .venv, caches and what the commands wrote
	rm -rf .venv out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
