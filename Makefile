# The commands for working on streamd. They install everything into .venv; `make clean` removes it.

PYTHON = python3
PORT = 5000
BIN = .venv/bin
LOWEST = .venv-lowest
PIP = $(BIN)/pip --disable-pip-version-check
PYTHON_FILES = . streamd.tac
TYPESCRIPT = 7.0.2
SOCKET_IO = 4.8.4
SOCKET_IO_CLIENT = build/socket.io-client-$(SOCKET_IO)/node_modules/socket.io-client/package.json
TSC = build/typescript-$(TYPESCRIPT)/node_modules/.bin/tsc
# The modules that trial runs: the deterministic tests, which are SynchronousTestCases.
TRIAL = $(shell grep -rl --include=test_*.py SynchronousTestCase tests)

# Tests that could depend on the fast write (streamd/hub/fast_write.py) and the short posts. They also run without it.
BOTH_WRITES = tests/http/viewers/test_websocket.py tests/http/viewers/test_events.py tests/http/test_short_posts.py \
	tests/wire/test_v1.py tests/http/viewers/test_poll.py

help:
	@echo "make run    start the daemon with the demo stream: http://localhost:$(PORT)/"
	@echo "make test   everything: install what the tests need, then lint, types, tests"
	@echo "make test-lowest  run the tests with the lowest versions of all dependencies"
	@echo "make lint   check the rules and the format of the code, and build the documentation"
	@echo "make fmt    repair what ruff can repair"
	@echo "make types  run mypy in strict mode, and TypeScript over the JSDoc comments of the page"
	@echo "make docs   build the documentation as HTML: build/docs/index.html"
	@echo "make trial  run the deterministic tests, in seconds"
	@echo "make bench  compare the cost of streamd with other servers"
	@echo "make screenshot  take the pictures of the documentation again"
	@echo "make install  install streamd as a service of systemd (docs/operations.rst); make uninstall removes it"
	@echo "make clean  remove everything that was made here, also .venv"

run: .venv/run
	$(BIN)/twistd -n --pidfile= streamd --port $(PORT)

# Every daemon of the tests would compile all of streamd anew, which doubles the CPU time of its start.
unexport PYTHONDONTWRITEBYTECODE

# Three test files run at a time, one in each process: most tests wait for a server, a timer or a browser, so
# two processes would keep less than one core busy. tests/test_checks.py runs alone, because its proofs load the
# machine and measure times. If a process dies in a test, the run ends; otherwise xdist would wait for ever.
FILES = --numprocesses=3 --dist=loadfile --max-worker-restart=0

define PYTEST
	$(1)/pytest $(FILES) --ignore=tests/test_checks.py
	STREAMD_WRITES=plain $(1)/pytest $(FILES) $(BOTH_WRITES)
	$(1)/pytest tests/test_checks.py
endef

test: servers socketio-client lint types trial
	$(call PYTEST,$(BIN))

test-lowest: servers socketio-client $(LOWEST)/test
	@$(LOWEST)/bin/trial --temp-directory=build/trial-lowest --reporter=text $(TRIAL)
	$(call PYTEST,$(LOWEST)/bin)

lint: .venv/test docs
	@$(BIN)/ruff check --quiet $(PYTHON_FILES)
	@$(BIN)/ruff format --quiet --check $(PYTHON_FILES) || { $(BIN)/ruff format --diff $(PYTHON_FILES); exit 1; }

fmt: .venv/test
	$(BIN)/ruff check --fix $(PYTHON_FILES)
	$(BIN)/ruff format $(PYTHON_FILES)

types: .venv/test $(TSC)
	@$(BIN)/mypy --no-error-summary streamd tests docs/pictures.py docs/conf.py $(wildcard bench checks)
	@$(TSC) --project tests/web/tsconfig.json
	@$(TSC) --project tests/web/tsconfig.worker.json
	@$(TSC) --project tests/web/tsconfig.types.json

# Without a cache (-E), because Sphinx does not repeat the warnings of cached pages. It takes two seconds.
# README.rst is checked by itself: the path of its picture is right only in its own folder.
docs: .venv/test
	@$(BIN)/sphinx-build -E -W -n --keep-going -q -d build/doctrees docs build/docs
	@$(BIN)/docutils --halt=2 --writer=null README.rst

trial: .venv/test
	@$(BIN)/trial --temp-directory=build/trial --reporter=text $(TRIAL)

servers: .venv/test
	@tests/install-servers

# `make check-NAME` runs the long or timed proof checks/NAME.py, which says what it proves. `make test` runs
# short versions.
check-%: checks/%.py .venv/test
	$(BIN)/python $<

# Pictures of a real daemon in a real browser.
screenshot: servers
	$(BIN)/python -m docs.pictures

# The updates of months on one wall, in minutes.
soak: check-soak

# All servers and workloads take some 45 minutes. `.venv/bin/python -m bench --help` lists parts.
bench: .venv/test
	@bench/install
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench.journal
	@$(BIN)/python -m bench.cluster

# `make bench-NAME` runs the measurement bench/NAME.py.
bench-%: bench/%.py .venv/test
	@$(BIN)/python -m bench.$*

# A service of systemd. PREFIX=, NAME=, PORT=, EXTRAS= and DESTDIR= change what systemd/install says.
install uninstall:
	@systemd/install $@

clean:
	rm -rf .venv $(LOWEST) build dist streamd/web *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} + -o -name dropin.cache -delete

# These two files mark that .venv exists and was made from the current pyproject.toml.
$(BIN)/python:
	@echo "making an environment of Python in .venv"
	@$(PYTHON) -m venv .venv

# An installation takes minutes on a slow machine, so a line tells each package. The status of pip goes around
# sed through a file descriptor, because sh has no pipefail.
define INSTALL
	@echo "installing $(2) into .venv; this takes a minute or more:"
	@exec 4>&1; status=$$({ { $(PIP) install --progress-bar=off $(1); echo $$? >&3; } | sed -un \
		-e 's/^Collecting \([A-Za-z0-9._-]*\).*/  getting \1/p' \
		-e 's/^Installing collected packages.*/  installing all of them/p' >&4; } 3>&1); exit $$status
	@touch $@ .venv/run
endef

.venv/run: pyproject.toml setup.py | $(BIN)/python
	$(call INSTALL,-e .,streamd)

.venv/test: pyproject.toml setup.py | $(BIN)/python
	$(call INSTALL,-e .[test],streamd and what its tests need)

# TypeScript only checks the page: nothing of it is shipped.
$(TSC):
	@command -v npm >/dev/null || { echo "make types needs npm: \`make servers\` installs it" >&2; exit 1; }
	@echo "installing TypeScript $(TYPESCRIPT) into build"
	@npm install --silent --no-audit --no-fund --no-save --prefix build/typescript-$(TYPESCRIPT) typescript@$(TYPESCRIPT)

# Tests run the stock client of Socket.IO.
socketio-client: $(SOCKET_IO_CLIENT)

$(SOCKET_IO_CLIENT):
	@command -v npm >/dev/null || { echo "the tests need npm: \`make servers\` installs it" >&2; exit 1; }
	@echo "installing socket.io-client $(SOCKET_IO) into build"
	@npm install --silent --no-audit --no-fund --no-save --prefix build/socket.io-client-$(SOCKET_IO) socket.io-client@$(SOCKET_IO)

# Its own environment, made anew: pip would keep what is newer.
$(LOWEST)/test: pyproject.toml setup.py tests/lowest
	@echo "installing streamd with its lowest versions into $(LOWEST)"
	@$(PYTHON) -m venv --clear $(LOWEST)
	@tests/lowest > $(LOWEST)/constraints.txt
	@$(LOWEST)/bin/pip --disable-pip-version-check --quiet install --constraint $(LOWEST)/constraints.txt -e .[test]
	@touch $@

.PHONY: help run install uninstall test test-lowest lint docs fmt types trial servers socketio-client screenshot soak bench clean
