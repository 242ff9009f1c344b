# What a user types; `make help` lists it. Needs only Python >= 3.11, make, git and a way to PyPI.
PYTHON ?= python3
DATASET ?= complete-journey
MONTH ?= 2017-09
BIN := .venv/bin
# One thread for numerics: small fits are faster that way, and last digits do not depend on the machine's cores.
export OMP_NUM_THREADS = 1

.DEFAULT_GOAL := help
.PHONY: help env report test test-engines lab lock

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

env: .venv/built ## build the locked environment in .venv/

.venv/built: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "segkit needs Python 3.11 or newer, and $(PYTHON) is older: make PYTHON=python3.12 ..." >&2; exit 2; }
	@echo "building the environment in .venv/ (about a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes requirements.lock
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c "import numpy; from segkit.preprocessing.map import lay_out; lay_out(numpy.eye(60), 0)"  # compiles it
	@$(BIN)/jupyter labextension disable --level=sys_prefix "@jupyterlab/apputils-extension:announcements" 2>/dev/null
	@touch $@

report: .venv/built ## DATASET=complete-journey MONTH=2017-09: the notebooks, the tables, report.html
	@$(BIN)/segkit report $(DATASET) --month $(MONTH)

test: .venv/built ## every check that needs no server
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile
	$(BIN)/python -m pytest --nbval --nbval-sanitize-with tests/nbval.cfg --nbval-cell-timeout 900 notebooks/0*.ipynb

test-engines: .venv/engines ## the checks that need Java 17, PostgreSQL's server and chromium
	$(BIN)/python -m pytest tests/engines --numprocesses 0 -rP --durations 10
	$(BIN)/python -m pytest tests/browser --numprocesses 0 -rP

.venv/engines: .venv/built requirements-engines.lock
	@echo "adding the engines to the environment in .venv/"
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv pip install --quiet --require-hashes --no-deps -r requirements-engines.lock
	@touch $@

lab: .venv/built ## JupyterLab on notebooks/
	$(BIN)/jupyter lab --notebook-dir notebooks $(if $(filter 0,$(shell id -u)),--allow-root)

lock: ## write the lock files anew from pyproject.toml
	echo uv | $(BIN)/uv pip compile - --generate-hashes --universal --python-version 3.11 \
	  --no-emit-index-url --quiet --output-file requirements-uv.lock
	$(BIN)/uv pip compile pyproject.toml --extra dev --generate-hashes --universal --python-version 3.11 \
	  --no-emit-index-url --quiet --output-file requirements.lock
	$(BIN)/python -c "import tomllib; extras = tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']; \
	  print(*extras['spark'], *extras['postgres'], *extras['browser'], sep='\n')" | $(BIN)/uv pip compile - --constraint requirements.lock \
	  --generate-hashes --universal --python-version 3.11 --no-emit-index-url --quiet --output-file requirements-engines.lock
