"""No asynchronous test waits for ever: `async def test_x()` runs on the reactor, within 180 seconds.

`@pytest.mark.patience(300)` gives one more. A test that returns a Deferred is held to the same.
(pytest-timeout does not work beside pytest-twisted.)
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred

DEFAULT = 180.0


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Puts the time-out round the test, for the one call that follows."""
    mark = pyfuncitem.get_closest_marker("patience")
    seconds = float(mark.args[0]) if mark else DEFAULT
    test = pyfuncitem.obj
    pyfuncitem.obj = _within(seconds, test)
    try:
        return (yield)
    finally:
        pyfuncitem.obj = test


def _within(seconds: float, test: Callable[..., Any]) -> Callable[..., Any]:
    """`test`, its Deferred failing after `seconds`; a synchronous one as it was."""
    # Imported here: pytest-twisted installs the reactor when pytest configures itself.
    from twisted.internet import reactor

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> Any:
        result = test(*args, **kwargs)
        if inspect.iscoroutine(result):
            result = ensureDeferred(result)
        if isinstance(result, Deferred):
            result.addTimeout(seconds, reactor)
        return result

    return run
