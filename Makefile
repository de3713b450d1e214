# Every target sets up what it needs: a virtual environment in .venv with the pinned versions of constraints.txt.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# The first interpreter that is new enough; make PYTHON=/path/to/python overrides.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
EXTRAS := onnx,data,frame,lightning,test,lint
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
WORKERS ?= auto

# A data folder beside the checkout is used unless another one is named.
ifeq ($(UNRELU_DATA),)
ifneq ($(wildcard ../shared/data),)
export UNRELU_DATA := $(CURDIR)/../shared/data
endif
endif

PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8 --dist worksteal

.PHONY: help demo test test-slow lint format bench reproduce example clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 14

demo: $(VENV)/.installed  ## audit a small network on real digits and write the report to demo/
	@$(BIN)/unrelu demo -o demo --force

# One thread a worker: the tests already run on all cores.
test test-slow: export OMP_NUM_THREADS ?= 1
test test-slow: export MKL_NUM_THREADS ?= 1
test test-slow: export OPENBLAS_NUM_THREADS ?= 1
test test-slow: export NUMBA_NUM_THREADS ?= 1

test: $(VENV)/.installed  ## run the tests on all cores (PYTEST_ARGS adds options)
	@$(PYTEST) $(PYTEST_ARGS)

test-slow: $(VENV)/.installed  ## run the slow tests
	@$(PYTEST) -m slow $(PYTEST_ARGS)

lint: $(VENV)/.installed  ## check style, formatting and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

format: $(VENV)/.installed  ## format the code and apply safe fixes
	@$(BIN)/ruff check --fix-only
	@$(BIN)/ruff format

bench: $(VENV)/.installed  ## run the benchmarks
	@$(BIN)/python -m benchmarks

reproduce: $(VENV)/.installed  ## reproduce all papers in full (two hours and a half on four cores)
	@for page in reproductions/*/expected.json; do paper=$$(basename $$(dirname $$page)); \
		$(BIN)/unrelu reproduce $$paper -o reproductions-output/$$paper --force; done

example: $(VENV)/.installed  ## train a generator whose codes can be read off its images, into generator-output/
	@$(BIN)/python -m examples.generator -o generator-output

clean:  ## remove the environment and everything generated
	@rm -rf $(VENV) build dist demo reproductions-output generator-output .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find src tests benchmarks examples reproductions -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# torch goes first and alone, so that the rest cannot pull in another build of it.
$(VENV)/.installed: pyproject.toml constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "unrelu needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || "$(PYTHON)" -m venv --clear $(VENV)
	@echo "installing unrelu and what it needs into $(VENV) (some minutes the first time)"
	@$(PIP) install torch --constraint constraints.txt
	@$(PIP) install --editable '.[$(EXTRAS)]' --constraint constraints.txt
	@touch $@
