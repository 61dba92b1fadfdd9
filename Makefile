# Everything runs in .venv, which `make setup` makes with the versions in constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all test-full lint format docs clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## make .venv and install the project with its development tools

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup  ## score a few generated videos with the model that ships; no network
	$(BIN)/python infer.py data=demo model=cover_lite output=outputs/demo

test: setup  ## the quick tests: small models, generated videos, no network
	$(BIN)/python -m pytest -n auto

test-all: setup  ## what CI runs: those that start processes or train for a while too
	$(BIN)/python -m pytest -n auto -m "not full"

test-full: setup  ## the full-size tests too: minutes to hours on a CPU
	$(BIN)/python -m pytest -m "full or not full"

docs: setup  ## write docs/options.md and the table of datasets from the configs
	$(BIN)/python -m tools.options

lint: setup  ## ruff, mypy and the docs linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tools.prose

format: setup  ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove .venv and caches; results in outputs/ stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
