# `make demo` and `make test` need only Python >= 3.11 and make; both set up .venv from nothing.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python -m
PACKAGES = -e ".[cli,export,testing]" -e plugins/perplexica -e plugins/fastgpt -e "plugins/sql[postgresql]" -e plugins/openai -e plugins/gateway -e docs/examples/convostore-notes

export PIP_CONSTRAINT = $(CURDIR)/.ci/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Without bytecode kept, pytest compiles every test anew, in each of its processes: half a minute.
unexport PYTHONDONTWRITEBYTECODE
# glibc gives back what tests of large texts let go: a process stays at half the size.
export MALLOC_TRIM_THRESHOLD_ = 131072
export MALLOC_MMAP_THRESHOLD_ = 131072

.PHONY: setup demo test quick nightly shuffled mutants coverage check docs lint types layers bench test-pythons setup-pythons dist version clean

setup: $(VENV)/.ready

$(VENV)/.ready: $(VENV)/.packages .ci/requirements.txt
	$(RUN) pip install --quiet -r .ci/requirements.txt
	@touch $@

# The library, its plugins, and what reads recordings: all that the demo needs, and a sixth of the size.
$(VENV)/.packages: Makefile pyproject.toml $(wildcard plugins/*/pyproject.toml docs/examples/*/pyproject.toml) .ci/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "convostore needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv --clear $(VENV)
	$(RUN) pip install --quiet $(PACKAGES) PyYAML
	@touch $@

demo: $(VENV)/.packages
	@$(VENV)/bin/python docs/examples/demo/demo.py

# Options for pytest: `make test ARGS="-x tests/test_dsn.py"`.
ARGS ?=
PYTEST = $(RUN) pytest -q -n logical --maxprocesses 8 --dist worksteal

test: setup
	$(PYTEST) $(ARGS)

# What needs no socket, process, server or browser.
quick: setup
	$(PYTEST) --tier quick $(ARGS)

# Many more examples of each property, other ones each time; then the mutants.
nightly: setup
	$(PYTEST) --tier nightly $(ARGS)
	$(MAKE) --no-print-directory mutants

# In another order each time; the head of the output says how to have the same one again.
shuffled: setup
	$(PYTEST) -p randomly $(ARGS)

# Faults put into the code by hand, each of which some test must find.
mutants: setup
	$(VENV)/bin/python tests/mutants/run.py $(ARGS)

coverage: setup
	$(RUN) coverage run -m pytest -q $(ARGS)
	$(RUN) coverage report

check: lint types layers docs test

lint: setup
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(VENV)/bin/codespell
	$(VENV)/bin/python .ci/words.py

types: setup
	$(RUN) mypy
	$(RUN) pyright --pythonpath $(VENV)/bin/python
	$(RUN) tests.typing.pages README.md docs/tutorial/*.md docs/how-to/bring-your-own-history.md docs/how-to/keep-many-users-apart.md

layers: setup
	$(VENV)/bin/lint-imports

# The site, into build/docs/site; without a request.
docs: setup
	$(VENV)/bin/python docs/reference/build_site.py

# Wheels and sdists in dist/, built, checked, and tried in fresh environments: what a release uploads.
dist: setup
	$(VENV)/bin/python .ci/distributions.py

# `make version V=0.3.0` sets the version of all distributions, and what requires it.
version: setup
	$(VENV)/bin/python .ci/version.py $(V)

bench: setup
	@$(VENV)/bin/python benchmarks/run.py

# Everything on the newest supported Python, the quick tier on the one between, where this machine has
# them. `test` runs on PYTHON, which CI has as the oldest.
test-pythons: test-on-3.13 quick-on-3.12

setup-pythons: setup-on-3.13 setup-on-3.12

ON = @if $(PYTHON) --version | grep -q "^Python $*\."; then exit 0; fi; \
	python=$$(.ci/find-python $*); \
	if [ -z "$$python" ]; then echo "Python $* is not installed: NOT TESTED on it"; exit 0; fi; \
	$(MAKE) --no-print-directory PYTHON=$$python VENV=.venv-$*

setup-on-%:
	$(ON) setup

test-on-%:
	$(ON) test

quick-on-%:
	$(ON) quick

clean:
	rm -rf build dist .venv .venv-* .*_cache .hypothesis
