"""The tests' own floor: a test that leaves something behind, or never ends, fails."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support.daemon import CHECKOUT

BAD_TESTS = """
import gc
import pytest
from twisted.internet import defer, protocol, reactor
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

async def test_good():
    port = reactor.listenTCP(0, protocol.ServerFactory(), interface="127.0.0.1")
    await port.stopListening()

@pytest.mark.patience(0.05)
async def test_never_ends():
    await defer.Deferred()

def test_logs_an_error():
    Logger().failure("no", Failure(ValueError("logged")))

def test_logs_an_expected_error(logged_errors):
    Logger().failure("no", Failure(ValueError("expected")))
    assert len(logged_errors.flush(ValueError)) == 1

def test_unhandled_deferred():
    d = defer.fail(KeyError("nobody looked"))
    d.itself = d

def test_delayed_call():
    reactor.callLater(50, int)

async def test_open_port():
    reactor.listenTCP(0, protocol.ServerFactory(), interface="127.0.0.1")

class Trial(SynchronousTestCase):
    def test_expected(self):
        Logger().failure("no", Failure(ValueError("expected")))
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))

    def test_unexpected(self):
        Logger().failure("no", Failure(ValueError("in trial")))

def test_good_after_all_that():
    pass
"""

BAD = {
    "test_never_ends": "TimeoutError",
    "test_logs_an_error": "logged",
    "test_unhandled_deferred": "nobody looked",
    "test_delayed_call": "left on the reactor",
    "test_open_port": "left on the reactor",
    "test_unexpected": "in trial",
}


def test_bad_tests_fail_and_good_ones_pass(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((CHECKOUT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_bad.py").write_text(BAD_TESTS)
    command = [sys.executable, "-m", "pytest", "-c", str(CHECKOUT / "pyproject.toml")]
    command += ["-p", "no:cacheprovider", "--rootdir", str(tmp_path), "-rfE", str(tmp_path)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
    # FAILED test_bad.py::test_x - why, or ERROR (at teardown)
    found = set(re.findall(r"^(?:FAILED|ERROR) \S*::(\w+)", done.stdout, re.MULTILINE))
    assert found == set(BAD), done.stdout + done.stderr
    for reason in BAD.values():
        assert reason in done.stdout, reason
