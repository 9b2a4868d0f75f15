# The only commands a person needs: `make run` and `make test`. Nothing has to be installed before,
# save Python 3.11 or newer.
PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help run test lint format bench train-tiny clean
.DEFAULT_GOAL := help

help:  ## Show this list.
	@sed -n 's/^\([a-z-]*\):.*  ## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

run: $(VENV)/app  ## Set up what is missing and start the app (ARGS="--port 8000 ...").
	$(BIN)/python -m nano2_app serve $(ARGS)

test: $(VENV)/dev  ## Set up what is missing and run all tests (ARGS="-k budget ...").
	sh tests/browser/install-chromium.sh
	$(BIN)/python -m pytest --cov=nano2_app.chat --cov-fail-under=100 $(ARGS)

lint: $(VENV)/dev  ## Check style, types and the direction of imports.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/dev  ## Rewrite the code in the project's style.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/app  ## Measure start, latency and speed beside transformers.generate.
	$(BIN)/python -m benchmarks.single_user $(ARGS)

train-tiny: $(VENV)/app  ## Make the embedded model anew (hours on a CPU; resumes where it was).
	$(BIN)/python -m training $(ARGS)

clean:  ## Remove the environment and everything built.
	rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name it with PYTHON=... ($(PYTHON) is older)."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/app: requirements.txt | $(VENV)/python
	@echo "Installing the app's packages (a few minutes the first time) ..."
	$(PIP) install -r requirements.txt
	@touch $@

$(VENV)/dev: requirements-dev.txt $(VENV)/app
	@echo "Installing the packages of the tests ..."
	$(PIP) install -r requirements-dev.txt
	@touch $@
