# Two commands are all a newcomer needs: `make run` and `make test`. Both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt

# A .venv that was cut short would else be taken for a whole one.
.DELETE_ON_ERROR:
.PHONY: run test snapshots check demo bench format clean

# The goals after `bench` are benchmarks, not goals: `make bench faults`.
ifeq (bench,$(firstword $(MAKECMDGOALS)))
NAMED := $(wordlist 2,$(words $(MAKECMDGOALS)),$(MAKECMDGOALS))
.PHONY: $(NAMED)
$(filter-out demo,$(NAMED)): ; @:
endif

run: $(VENV)/.train
	@$(BIN)/finetop

demo: $(VENV)/.train
	@$(if $(filter demo,$(NAMED)),:,$(BIN)/finetop demo)

test: $(VENV)/.dev
# Four workers on two cores: much of the time is waiting for processes and timers.
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

snapshots: $(VENV)/.dev
	@FINETOP_SNAPSHOTS=write $(BIN)/python -m pytest -n 2 tests/snapshots

check: $(VENV)/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: $(VENV)/.dev
	@$(BIN)/python -m tests.benchmarks $(NAMED)

format: $(VENV)/.dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "finetop needs Python 3.11 or later, and there is no $(PYTHON) here."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "finetop needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version)."; \
	  echo "With another one: make PYTHON=python3.12 run"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "This Python cannot make virtual environments: its modules venv or ensurepip are missing."; \
	  echo "On Debian and Ubuntu: apt install python3-venv. With another Python: make PYTHON=python3.12 run"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.train: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Setting up finetop in $(VENV), once: PyTorch and what it needs are downloaded."
	@echo "That is about 300 MB with a PyTorch for the CPU alone, and about 3 GB with the CUDA libraries"
	@echo "that PyTorch's ordinary package brings on Linux. It takes a few minutes."
	@$(PIP) --editable '.[train]'
	@touch $@

$(VENV)/.dev: $(VENV)/.train
	@$(PIP) --editable '.[train,dev]'
	@touch $@
