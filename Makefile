# The two commands of the README are `make demo` and `make test`; both set up what they need.
PYTHON ?= python3
BIN := .venv/bin
# Tests of one file stay in one process, so that what a file's fixtures build is built once.
TEST_PROCESSES ?= 2

.PHONY: setup demo test lint docs clean

setup: .venv/ready

# torch goes first: it is pinned, and whatever comes after takes what is there.
.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "curvox needs Python 3.11 or newer, this is %d.%d" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet -c constraints.txt "torch"
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[containers,demo,lhotse,rooms]" --group dev
	touch .venv/ready

demo: setup
	$(BIN)/curvox demo --output demo --overwrite

test: setup
	$(BIN)/python -m pytest -q -n $(TEST_PROCESSES) --dist loadscope --no-loadscope-reorder

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf .venv demo site
