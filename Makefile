# `make demo` and `make test` need only Python >= 3.11 and make; both set up .venv from nothing.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python -m
PACKAGES = -e ".[cli,export,testing]" -e plugins/perplexica -e plugins/fastgpt -e "plugins/sql[postgresql]" -e plugins/gateway -e docs/examples/convostore-notes

export PIP_CONSTRAINT = $(CURDIR)/.ci/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: setup demo test quick nightly shuffled coverage check lint types layers bench test-pythons clean

setup: $(VENV)/.ready

$(VENV)/.ready: Makefile pyproject.toml $(wildcard plugins/*/pyproject.toml docs/examples/*/pyproject.toml) .ci/requirements.txt .ci/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "convostore needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv --clear $(VENV)
	$(RUN) pip install --quiet $(PACKAGES) -r .ci/requirements.txt
	@touch $@

demo: setup
	@$(VENV)/bin/python docs/examples/demo/demo.py

# Options for pytest: `make test ARGS="-x tests/test_dsn.py"`.
ARGS ?=
PYTEST = $(RUN) pytest -q -n auto --dist worksteal

test: setup
	$(PYTEST) $(ARGS)

quick: setup
	$(PYTEST) --tier quick $(ARGS)

nightly: setup
	$(PYTEST) --tier nightly $(ARGS)

# In another order each time; the order's seed is printed, and `ARGS="-p randomly -p "randomly_seed=…"` repeats it.
shuffled: setup
	$(PYTEST) -p randomly $(ARGS)

coverage: setup
	$(RUN) coverage run -m pytest -q $(ARGS)
	$(RUN) coverage report

check: lint types layers test

lint: setup
	$(RUN) ruff check
	$(RUN) ruff format --check

types: setup
	$(RUN) mypy
	$(RUN) pyright

layers: setup
	$(VENV)/bin/lint-imports

bench: setup
	@$(VENV)/bin/python benchmarks/run.py

# The tests on each supported Python that this machine has, but for the one that `test` runs on;
# with `make -j2` on two of them side by side.
test-pythons: test-on-3.11 test-on-3.12 test-on-3.13

test-on-%:
	@if $(PYTHON) --version | grep -q "^Python $*\."; then exit 0; fi; \
	python=$$(.ci/find-python $*); \
	if [ -z "$$python" ]; then echo "Python $* is not installed: NOT TESTED on it"; exit 0; fi; \
	echo "On Python $*"; \
	$(MAKE) --no-print-directory test PYTHON=$$python VENV=.venv-$*

clean:
	rm -rf .venv .venv-* .*_cache .hypothesis
