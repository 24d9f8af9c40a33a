# lowerbound: one command for each thing a person does here. `make` alone lists them.
#
# .venv is made and kept by .ci/venv from $(PYTHON) and constraints.txt; it is installed again only when
# pyproject.toml or constraints.txt have changed.

PYTHON ?= python3
# Two workers of one thread each: the tests are many and small.
JOBS ?= 2
BIN := .venv/bin

export PYTHON
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test lint types layers pytest slow format build docs figures bench mutants clean venv venv-test venv-docs

help:  ## list these targets
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

demo: venv  ## train on the images that come with the package, evaluate, write runs/demo/report.html
	@env -u OMP_NUM_THREADS $(BIN)/lowerbound fit fashion-small --out runs/demo --force

test: venv-test  ## everything that must hold before a commit: lint, types, layers, tests, doctests, README
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory types
	@$(MAKE) --no-print-directory layers
	@$(MAKE) --no-print-directory pytest

lint: venv-test  ## ruff: rules and formatting
	@printf '\n== lint: ruff ==\n'
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: venv-test  ## basedpyright on src
	@printf '\n== types: basedpyright ==\n'
	@$(BIN)/basedpyright --pythonpath $(BIN)/python

layers: venv-test  ## import-linter: who may import whom
	@printf '\n== layers: import-linter ==\n'
	@$(BIN)/lint-imports --no-logo --no-cache

pytest: venv-test  ## tests, doctests of src, snippets of README.md and docs (ARGS="-k word" to choose)
	@printf '\n== tests: pytest ==\n'
	@$(BIN)/python -m pytest -n $(JOBS) --doctest-modules tests src/lowerbound $(ARGS)

slow: venv-test  ## the tests that learn for minutes
	@printf '\n== slow tests: pytest ==\n'
	@$(BIN)/python -m pytest -n $(JOBS) -m slow --timeout 3600 tests $(ARGS)

format: venv-test  ## let ruff rewrite what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

build: venv-test  ## wheel and source archive in dist/, and what the wheel holds
	@rm -rf dist
	@PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt $(BIN)/python -m build
	@$(BIN)/python -m zipfile -l dist/*.whl

docs: venv-docs  ## the site in build/site: build/site/index.html is where it starts
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

figures: venv  ## compute and draw the figures of docs/mathematics again
	@$(BIN)/python benchmarks/mathematics.py
	@$(BIN)/python tools/figures.py

bench: venv-test  ## run the benchmarks, which write benchmarks/results/*.json and tables of README.md (see benchmarks/README.md)
	@set -e; for script in twin networks refit certify coverage doctor ppca mathematics speed execution where_time_goes table; do \
	  printf '\n== benchmarks/%s.py ==\n' "$$script"; \
	  env -u OMP_NUM_THREADS $(BIN)/python "benchmarks/$$script.py"; done

mutants: venv-test  ## change src in one place at a time and see whether a test notices (docs/mutants.md)
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[mutation]'
	@$(BIN)/python tools/mutate.py --processes $(JOBS) $(ARGS)

clean:  ## remove caches and build outputs; keeps .venv and runs/
	rm -rf dist build .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

venv:
	@sh .ci/venv core

venv-test:
	@sh .ci/venv test

venv-docs:
	@sh .ci/venv docs
