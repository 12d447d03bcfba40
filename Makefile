# make setup   the environment in .venv, from the lock files (fast when nothing changed)
# make test    lint, types, C++ format and every test
# make demo    a trained network to hardware, verified
# make regress LeNet-5's RTL under many seeds and stalls, on all cores
# make data    the data sets that the accuracy figures need
# make lint    the static checks alone; `make format` repairs what they find
# make lock    resolves pyproject.toml into the lock files anew

.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2

STAMP := $(VENV)/.setup-$(shell cat requirements.lock pyproject.toml | sha256sum | cut -c1-16)
TORCH_STAMP := $(VENV)/.compression-$(shell sha256sum < requirements-compression.lock | cut -c1-16)
PACKAGES := golden generator rtl compression testbench zeroskip
CXX_FILES = $(shell find examples hls_templates testbench rtl/include tests \( -name '*.h' -o -name '*.hpp' -o -name '*.cpp' \) 2>/dev/null | sort)

.PHONY: help setup setup-compression test lint format demo regress data lock clean

help:
	@sed -n 's/^# make/make/p' Makefile

setup: $(STAMP)

# A lock file is closed under dependencies, so pip need not (and, for hls4ml, must not) follow them.
$(STAMP):
	@bash scripts/check_tools.sh $(PYTHON)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing requirements.lock into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . --config-settings editable_mode=compat
	@test -n "$$($(BIN)/python -m find_libpython)" || { \
	    echo "zeroskip needs Python's shared library, which is not on this machine:" \
	        "install the Debian package 'libpython3-dev' (apt-get install libpython3-dev)." >&2; exit 1; }
	@rm -f $(VENV)/.setup-*
	@touch $@

setup-compression: $(TORCH_STAMP)

$(TORCH_STAMP): $(STAMP)
	@echo "installing requirements-compression.lock into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-compression.lock
	@rm -f $(VENV)/.compression-*
	@touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PACKAGES)
	$(if $(CXX_FILES),$(BIN)/clang-format --dry-run -Werror $(CXX_FILES))

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(if $(CXX_FILES),$(BIN)/clang-format -i $(CXX_FILES))

test: setup setup-compression lint
	$(BIN)/python -m pytest -n $(JOBS)

demo: setup
	$(BIN)/python -m examples.demo

regress: setup
	$(BIN)/zeroskip regress examples/lenet5.toml

data: setup
	$(BIN)/python -m zoo.data

# hls4ml is used for the headers in its wheel alone; what only its Python code needs stays out.
lock: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev pyproject.toml --no-header --no-annotate \
	    --no-emit-package pydigitalwavetools --no-emit-package quantizers -o requirements.lock

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
