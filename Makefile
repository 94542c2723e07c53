# Two commands do everything: `make demo` runs the product, `make test` runs what CI runs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CODE := bot jobs handlers cards store
PYTEST_ARGS ?=

VENDORS := .venv-vendors

# Without bytecode every process a test starts would compile the product and its libraries again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo install learned scoring test slow lint types imports tests faults races machine vendors browser screenshots lock bench clean

demo: $(VENV)/.product
	$(BIN)/leadbot demo $(ARGS)

# The product alone, for a server.
install: $(VENV)/.product

# What fits the learned probability, beside the product: 60 MB that a small server may not want.
learned: $(VENV)/.product
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-learned.txt

test: lint types imports tests

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev
	$(BIN)/lint-imports

tests: $(VENV)/.dev browser
	$(BIN)/pytest -q -n 3 --dist loadgroup $(PYTEST_ARGS)

# How well the learned probability does on real tables; SCORING_OTHER=DIR tests on another part.
scoring: $(VENV)/.dev
	@$(BIN)/python -m tests.scoring $(SCORING_OTHER)

# The long forms of what `make test` does with a part of the data.
slow: $(VENV)/.dev
	HYPOTHESIS_PROFILE=drawn $(BIN)/pytest -q -n 2 -m 'slow or hypothesis'

# The whole fault matrix as a table, some ten minutes; `make faults FAULTS="ban hang"` for a few rows.
faults: $(VENV)/.dev
	@$(BIN)/python -m tests.scenarios.faults $(FAULTS)

# Ten thousand claim races between four processes, on each database; `make races RACES=500` for fewer.
races: $(VENV)/.dev
	@$(BIN)/python -m tests.scenarios.races $(RACES)

# A made-up sales floor, thousands of steps on each database; `make machine STEPS=100000` for more.
machine: $(VENV)/.dev
	@$(BIN)/python -m tests.scenarios.machine $(STEPS)

# The vendors' own clients against the sandbox; npm's part only where there is npm.
vendors: $(VENV)/.dev $(VENDORS)/.ready
	$(BIN)/pytest -q tests/vendors

$(VENDORS)/.ready: requirements-vendors.txt
	$(PYTHON) -m venv $(VENDORS)
	$(VENDORS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-vendors.txt
	if command -v npm >/dev/null; then npm install --silent --no-audit --no-fund --prefix $(VENDORS)/node @wecom/crypto@1.0.1; fi
	@touch $@

# Chromium for the browser tests, where Debian's packages can be installed; else they skip.
browser:
	@.ci/chromium

# Every picture of the manuals, taken from the running product.
screenshots: $(VENV)/.dev browser
	$(BIN)/python docs/screenshots.py

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "leadbot needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.product: $(VENV)/bin/python requirements.txt pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python requirements-dev.txt pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.product

# Needs uv, which the product does not: `pip install uv`.
lock:
	uv pip compile --quiet --universal --no-annotate --no-header --generate-hashes --python-version 3.11 \
		pyproject.toml --output-file requirements.txt
	uv pip compile --quiet --universal --no-annotate --no-header --generate-hashes --python-version 3.11 \
		--group dev pyproject.toml --output-file requirements-dev.txt
	uv pip compile --quiet --universal --no-annotate --no-header --generate-hashes --python-version 3.11 \
		--extra learned pyproject.toml --output-file requirements-learned.txt
	uv pip compile --quiet --universal --no-annotate --no-header --generate-hashes --python-version 3.11 \
		--group vendors --output-file requirements-vendors.txt

clean:
	rm -rf $(VENV) $(VENDORS) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
