# What people do here. Everything is installed into .venv, which `make clean` takes away again.

PYTHON = python3
PORT = 5000
BIN = .venv/bin
PIP = $(BIN)/pip --disable-pip-version-check --quiet
PYTHON_FILES = . streamd.tac
# trial runs the deterministic tests alone: the modules whose tests are SynchronousTestCases.
TRIAL = $(shell grep -rl --include=test_*.py SynchronousTestCase tests)

# Where it could matter whether what viewers are sent is written at once (streamd/hub/fast_write.py).
BOTH_WRITES = tests/http/test_websocket.py tests/http/test_events.py tests/wire/test_v1.py tests/http/test_poll.py

help:
	@echo "make run    the daemon with the demo stream: http://localhost:$(PORT)/"
	@echo "make test   everything: environment, servers and browser, lint, types, tests"
	@echo "make lint   ruff: the rules, and the format; the documentation's references"
	@echo "make fmt    mend what ruff can mend"
	@echo "make types  mypy, strict"
	@echo "make docs   the documentation as HTML: build/docs/index.html"
	@echo "make trial  the deterministic tests alone, in seconds"
	@echo "make bench  what streamd costs, beside others"
	@echo "make screenshot  the pictures of the docs, taken anew"
	@echo "make clean  remove what was made here, .venv too"

run: .venv/run
	$(BIN)/twistd -n --pidfile= streamd --port $(PORT)

# Two at a time, a file at a time; but nothing beside the proofs, which load the machine themselves.
# One of the two that ends in the middle of a test ends all: xdist would wait for ever.
TWO = --numprocesses=2 --dist=loadfile --max-worker-restart=0

test: servers lint types trial
	$(BIN)/pytest $(TWO) --ignore=tests/test_checks.py
	STREAMD_WRITES=plain $(BIN)/pytest $(TWO) $(BOTH_WRITES)
	$(BIN)/pytest tests/test_checks.py

lint: .venv/test docs
	@$(BIN)/ruff check --quiet $(PYTHON_FILES)
	@$(BIN)/ruff format --quiet --check $(PYTHON_FILES) || { $(BIN)/ruff format --diff $(PYTHON_FILES); exit 1; }

fmt: .venv/test
	$(BIN)/ruff check --fix $(PYTHON_FILES)
	$(BIN)/ruff format $(PYTHON_FILES)

types: .venv/test
	@$(BIN)/mypy --no-error-summary streamd tests docs/pictures.py docs/conf.py $(wildcard bench checks)

# Always from the start (-E), which takes two seconds: what a page refers to may have changed, not the page.
# README.rst is no page of Sphinx's, because its picture has another path there.
docs: .venv/test
	@$(BIN)/sphinx-build -E -W -n --keep-going -q -d build/doctrees docs build/docs
	@$(BIN)/docutils --halt=2 --writer=null README.rst

trial: .venv/test
	@$(BIN)/trial --temp-directory=build/trial --reporter=text $(TRIAL)

servers: .venv/test
	@tests/install-servers

# Long or timed proofs: `make check-NAME` runs checks/NAME.py, which says what it proves.
# `make test` runs short versions of them.
check-%: checks/%.py .venv/test
	$(BIN)/python $<

# The pictures of the README and the docs, of a real daemon in a real browser.
screenshot: servers
	$(BIN)/python -m docs.pictures

# A wall for months, in minutes.
soak: check-soak

# Everything beside everything: some 45 minutes; `.venv/bin/python -m bench --help` for parts of it.
bench: .venv/test
	@bench/install
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench.journal
	@$(BIN)/python -m bench.cluster

# What something costs or takes: `make bench-NAME` runs bench/NAME.py, which prints it.
bench-%: bench/%.py .venv/test
	@$(BIN)/python -m bench.$*

clean:
	rm -rf .venv build dist streamd/web *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} + -o -name dropin.cache -delete

# The environment: these files say that it is there, and made from the pyproject.toml of now.
$(BIN)/python:
	@$(PYTHON) -m venv .venv

.venv/run: pyproject.toml setup.py | $(BIN)/python
	@echo "installing streamd into .venv"
	@$(PIP) install -e .
	@touch $@

.venv/test: pyproject.toml setup.py | $(BIN)/python
	@echo "installing streamd and what its tests need into .venv"
	@$(PIP) install -e .[test]
	@touch $@ .venv/run

.PHONY: help run test lint docs fmt types trial servers screenshot soak bench clean
