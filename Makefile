# Two commands matter: `make preview` and `make test`. Both set up .venv from PyPI on first use.
PYTHON ?= python3
STACK ?= dev
VENV := .venv
BIN := $(VENV)/bin

.PHONY: preview test lint types tests engine cluster goldens clean

preview: $(VENV)/.runtime ## Rehearse a stack (STACK=dev, STACK=prod) or an example (EXAMPLE=nim-l4)
	@$(BIN)/python -m rehearsal preview $(if $(EXAMPLE),--config-file examples/$(EXAMPLE).yaml,--stack $(STACK))

test: lint types tests ## Everything that CI checks

lint: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.development
	$(BIN)/mypy inference components policies rehearsal tests benchmarks __main__.py

tests: $(VENV)/.development
	$(BIN)/python -m pytest

engine: $(VENV)/.development ## The tests on the real engine: needs pulumi on PATH, and about a minute for each stack
	$(BIN)/python -m pytest -m engine

cluster: $(VENV)/.development ## The tests on a real API server: needs KUBEBUILDER_ASSETS, and about a minute
	$(BIN)/python -m pytest -m cluster

goldens: $(VENV)/.development ## Rewrite generated files; review the difference before you commit it
	$(BIN)/python -m pytest --update-goldens

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one with PYTHON=/path/to/python3"; exit 1; }
	@echo "Setting up $(VENV) (about a minute, once)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.development: requirements.txt requirements-dev.txt | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps 'xpk~=1.16' # its machine table only
	@touch $@ $(VENV)/.runtime
