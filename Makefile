# Everything a newcomer needs: `make demo` and `make test` set up .venv by themselves.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
DEMO := $(VENV)/.demo
READY := $(VENV)/.ready
DOCS := $(VENV)/.docs
# Not compiled: of what is installed, little is ever imported, and that is compiled then.
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt
WORKERS ?= 2
# What is imported is compiled once and kept, also where the environment asks Python not to: hundreds of
# processes start in the tests, and each would compile JAX and pandas anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: api browser docs help setup demo test test-all test-rest test-other lint bench pictures rehearse clean
help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY)  ## Build .venv with everything that the demo and the tests need

# The demo needs little, and a newcomer waits for it: the rest is installed by what needs it.
$(DEMO): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable '.[workloads]'
	@touch $@

$(READY): $(DEMO)
	$(PIP) --editable '.[ray,service,postgres,workloads,keras,braintools,dev]'
	@touch $@

$(DOCS): $(DEMO)
	$(PIP) --editable '.[docs]'
	@touch $@

demo: $(DEMO)  ## Search a schedule for a small network on handwritten digits; writes into out/
	@mkdir -p out && rm -f out/demo.db*
	@$(BIN)/sgdr sweep --workload digits --cost 16 --study demo --storage sqlite:///out/demo.db
	@$(BIN)/sgdr plot demo --storage sqlite:///out/demo.db -o out/demo.png

# The dashboard is tested in Chromium; without it, and where it cannot be installed, those tests are skipped.
browser:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1; } \
	  || echo "No chromium: the dashboard's tests in a browser are skipped" >&2

test: $(READY) browser  ## The tests, without those that take long
	$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal -m "not slow"

test-all: $(READY) lint browser  ## All tests, with faults and long runs
	HYPOTHESIS_PROFILE=new $(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal

test-rest: $(READY) lint browser  ## After `make test`: what it left out, or had to skip
	HYPOTHESIS_PROFILE=new $(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal --not-passed

test-other: browser  ## The tests of `make test` on another Python: make test-other OTHER=python3.13
	@$(MAKE) --no-print-directory test VENV=.venv-other PYTHON=$(OTHER)

lint: $(READY)  ## Format, lint, types, direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)  ## The side-by-side benchmark: about an hour
	$(BIN)/python -m experiments.bench

pictures: $(READY) browser  ## The pictures of the dashboard in docs/, of a new sweep
	$(BIN)/python -m experiments.pictures

api: $(READY)  ## The page of public names, docs/api.md, and the table of options
	$(BIN)/python -m experiments.api_page

docs: $(DOCS)  ## The README and docs/ as a site with search, into out/site: open its index.html
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

rehearse: $(READY)  ## The services of docker/compose.yaml as plain processes, and a sweep on them: 2 minutes
	$(BIN)/python docker/rehearse.py

clean:  ## Remove .venv, caches and what the commands wrote
	rm -rf .venv .venv-other out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
