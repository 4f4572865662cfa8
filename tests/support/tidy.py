"""What trial reports and pytest-twisted does not: logged errors, lost Deferreds, a dirty reactor.

Each fails the test that left it behind. A test that means to have an error logged says so::

    def test_x(logged_errors):
        ...
        [failure] = logged_errors.flush(ZeroDivisionError)
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

# A closed connection needs a few turns of the reactor, and the other end's as many, to be gone.
SETTLE_TURNS = 100
SETTLE_SECONDS = 0.01


@implementer(ILogObserver)
class LoggedErrors:
    """The failures logged since the test began; those of Deferreds that nobody handled too."""

    def __init__(self) -> None:
        self._failures: list[Failure] = []

    def __call__(self, event: LogEvent) -> None:
        """Called by Twisted with everything that is logged."""
        failure = event.get("log_failure")
        if failure is not None:
            self._failures.append(failure)

    def flush(self, *types: type[BaseException]) -> list[Failure]:
        """Takes out the failures of these types (of any, without types) and returns them."""
        gc.collect()
        flushed = [f for f in self._failures if not types or f.check(*types)]
        self._failures = [f for f in self._failures if f not in flushed]
        return flushed


def pytest_collection_finish() -> None:
    """Makes the garbage collections after every test cheap: what exists by now stays."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def logged_errors(request: pytest.FixtureRequest) -> Iterator[LoggedErrors]:
    """Fails the test if errors were logged that it did not flush."""
    errors = LoggedErrors()
    if isinstance(request.instance, SynchronousTestCase):
        yield errors  # trial looks itself, and knows flushLoggedErrors.
        return
    globalLogPublisher.addObserver(errors)
    try:
        yield errors
        left = errors.flush()
    finally:
        globalLogPublisher.removeObserver(errors)
    if left:
        pytest.fail("logged errors:\n" + "\n".join(f.getTraceback() for f in left), pytrace=False)


@pytest.fixture(autouse=True)
def tidy_reactor(logged_errors: LoggedErrors) -> Iterator[None]:
    """Fails the test if it left delayed calls, readers or writers on the reactor; removes them."""
    from twisted.internet import reactor

    before = _left_on(reactor)
    yield
    left = _left_on(reactor) - before
    for _ in range(SETTLE_TURNS):
        if not left:
            return
        pytest_twisted.blockon(deferLater(reactor, SETTLE_SECONDS))
        left = _left_on(reactor) - before
    if left:
        names = "\n".join(sorted(repr(one) for one in left))
        _remove(reactor, left)
        pytest.fail(f"left on the reactor:\n{names}", pytrace=False)


def _left_on(reactor: Any) -> set[Any]:
    delayed: list[Any] = reactor.getDelayedCalls()
    calls: set[Any] = {call for call in delayed if call.active() and not _is_shared(call)}
    selectables: set[Any] = {*reactor.getReaders(), *reactor.getWriters()}
    return calls | selectables.difference(reactor._internalReaders)


def _is_shared(call: Any) -> bool:
    """Whether this is one of txaio's timers, which outlive what Autobahn wanted of them by a second."""
    owner = getattr(call.func, "__self__", None)
    return type(owner).__module__.startswith("txaio.")


def _remove(reactor: Any, left: set[Any]) -> None:
    for one in left:
        if hasattr(one, "cancel"):
            one.cancel()
        else:
            reactor.removeReader(one)
            reactor.removeWriter(one)
