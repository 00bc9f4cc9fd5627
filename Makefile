# Each target that needs an environment creates it from the pinned versions in constraints.txt.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
DEMO := .venv/demo
TEST := .venv/test
BENCH := .venv/bench
DISTRIBUTED := .venv/distributed
# Many tests wait for something, so there are two for each core.
PARALLEL := --numprocesses $(shell expr 2 \* $$(nproc 2>/dev/null || echo 2)) --dist loadfile
PIP_QUIET := --quiet --disable-pip-version-check

.PHONY: help demo demo-ui demo-distributed pictures test test-all lint format docs coverage mutation versions form dist report bench clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(DEMO)/.ready ## Run three examples in a real Airflow against an emulated portal
	$(DEMO)/bin/python demo

demo-ui: $(DEMO)/.ready ## The same; Airflow's web UI and the portal's page stay open
	$(DEMO)/bin/python demo --ui

demo-distributed: $(DISTRIBUTED)/.ready ## Kill a worker and a triggerer of an Airflow on Celery, PostgreSQL and Redis
	$(DISTRIBUTED)/bin/python -m demo.distributed

pictures: $(TEST)/.ready ## Take the pictures of the documentation; needs chromium and chromedriver
	$(TEST)/bin/python -m demo.pictures

test: lint ## Check the code and run all but the slow tests
	$(TEST)/bin/python -m pytest $(PARALLEL) -m "not slow"

test-all: lint ## Check the code and run all tests
	$(TEST)/bin/python -m pytest $(PARALLEL)

lint: $(TEST)/.ready ## Check style, types and layers
	$(TEST)/bin/ruff check .
	$(TEST)/bin/ruff format --check .
	$(TEST)/bin/mypy
	$(TEST)/bin/lint-imports

format: $(TEST)/.ready ## Format the code
	$(TEST)/bin/ruff check --fix .
	$(TEST)/bin/ruff format .

docs: $(TEST)/.ready ## Build the documentation as a site, without a warning
	$(TEST)/bin/python -m sphinx -W --keep-going -q -b html docs docs/_build
	@echo "docs/_build/index.html"

coverage: $(TEST)/.ready ## Run all tests and list the lines and branches that none reaches
	$(TEST)/bin/python -m pytest $(PARALLEL) --cov --cov-report=term-missing

mutation: $(TEST)/.ready ## Change the pure files line by line, and count the changes that no test notices
	PYTHON=$(TEST)/bin/python .ci/mutation

versions: $(TEST)/.ready ## Install the package beside each supported Airflow and run DAGs there
	$(TEST)/bin/python -m pip install $(PIP_QUIET) uv
	rm -rf dist && $(TEST)/bin/python -m build --wheel --no-isolation --outdir dist >/dev/null
	UV=$(CURDIR)/$(TEST)/bin/uv tests/versions/run_all dist/*.whl

form: $(TEST)/.ready ## Use the connection form and a Required Action in a browser; take the docs' pictures
	$(TEST)/bin/python -m pip install $(PIP_QUIET) uv
	rm -rf dist && $(TEST)/bin/python -m build --wheel --no-isolation --outdir dist >/dev/null
	UV=$(CURDIR)/$(TEST)/bin/uv tests/versions/form dist/*.whl

dist: $(TEST)/.ready ## Build wheel and sdist of the last commit twice, compare and check them
	PYTHON=$(TEST)/bin/python .ci/dist

report: $(TEST)/.ready ## Install the package into an empty environment, and list what comes with it
	$(PYTHON) -m venv --clear .venv/report
	.venv/report/bin/python -m pip install $(PIP_QUIET) --constraint constraints.txt .
	$(TEST)/bin/python -m piplicenses --python .venv/report/bin/python --order license --with-urls

bench: $(BENCH)/.ready ## Run the benchmarks and print the tables
	$(BENCH)/bin/python -m benchmarks

clean: ## Remove all generated files
	rm -rf .venv .demo dist docs/_build docs/reference mutants

$(DEMO)/.ready: pyproject.toml constraints.txt $(shell find airflow_provider_b24 -type f -not -name '*.pyc')
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/python -m pip install $(PIP_QUIET) --constraint constraints.txt .
	touch $@

$(TEST)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(TEST)
	$(TEST)/bin/python -m pip install $(PIP_QUIET) --constraint constraints.txt --upgrade pip
	$(TEST)/bin/python -m pip install $(PIP_QUIET) --constraint constraints.txt --editable . --group dev
	touch $@

$(BENCH)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install $(PIP_QUIET) --constraint constraints.txt --upgrade pip
	$(BENCH)/bin/python -m pip install $(PIP_QUIET) --constraint constraints.txt --editable . --group bench
	touch $@

$(DISTRIBUTED)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DISTRIBUTED)
	$(DISTRIBUTED)/bin/python -m pip install $(PIP_QUIET) --constraint constraints.txt --upgrade pip
	$(DISTRIBUTED)/bin/python -m pip install $(PIP_QUIET) --constraint constraints.txt --editable . --group distributed
	touch $@
