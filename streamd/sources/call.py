"""Calls a Python function of the user at an interval, or publishes the values of a generator."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from streamd.config.fields import ConfigError
from streamd.config.kind import Kind, Surroundings
from streamd.core.duration import Duration
from streamd.core.parsed_text import FormedText
from streamd.reactor.deadline import Deadline
from streamd.reactor.worker import Worker
from streamd.sources.errors import SourceError, raised_at
from streamd.sources.polling import PolledSource, Polling
from streamd.sources.settings import LATE_AFTER, SourceSettings

EVERY = 5.0
"""Seconds between two calls of a function, unless its table says otherwise."""

STEP = 0.001
"""The least seconds between two steps of a generator, so that a busy one does not block the rest."""


class Call(FormedText):
    """The path of a function: ``module.function``."""

    FORM = re.compile(r"([^\W\d]\w*\.)+[^\W\d]\w*")
    EXPECTED = 'expected a module and its function, such as "office.queue_depth"'


class CallSettings(SourceSettings, frozen=True):
    """The table ``[sources.NAME]`` with ``call``.

    :ivar every: the interval of calls; None for :data:`EVERY`, or, with a generator, for no
        interval.
    """

    call: Call
    every: Duration | None = None


class CallSource(PolledSource):
    """Calls a function at an interval, or publishes the values of a generator.

    Coroutines and functions that return Deferreds run on the reactor, all others in a thread.
    """

    def __init__(self, name: str, settings: CallSettings, surroundings: Surroundings) -> None:
        folder = str(surroundings.base.absolute())
        self._function = function = _find(f"sources.{name}.call", settings.call, folder)
        reactor = surroundings.reactor
        self._worker = Worker(reactor, f"source {name}")
        self._generator: Any = None
        self._running: Deferred[Any] | None = None
        self._watch = Deadline(reactor)
        self._on_reactor = _is_for_reactor(function)
        steps = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
        self.every = settings.every or (None if steps else Duration(EVERY))
        self._limit = settings.expect or (self.every and LATE_AFTER * self.every)
        self._read = self._step if steps else self._call
        self._polling = Polling(self._begin, self.every or STEP, reactor)

    def stop(self) -> None:
        self._polling.stop()
        self._over(None)
        if self._on_reactor and self._running is not None:
            self._running.cancel()
        if inspect.isgenerator(self._generator):
            self._worker.run(self._generator.close).addErrback(lambda failure: None)
        elif self._generator is not None:
            Deferred.fromCoroutine(_close(self._generator)).addErrback(lambda failure: None)
        self._worker.stop()

    def _begin(self) -> Deferred[Any]:
        self._running = running = self._read()
        if self._limit and not running.called:
            self._watch.set(self._limit, self._late)
            running.addBoth(self._over)
        return running

    def _over(self, result: Any) -> Any:
        self._watch.cancel()
        return result

    def _late(self) -> None:
        text = f"the function has not returned for {self._limit:g} s"
        self._feed.failed(Failure(SourceError(text)))

    def _call(self) -> Deferred[Any]:
        if self._on_reactor:
            return maybeDeferred(self._function)
        return self._worker.run(self._function).addCallback(self._returned)

    def _returned(self, result: Any) -> Any:
        """Wait for a Deferred or a coroutine, and make the next call on the reactor.

        A function without annotations must be called once to find out what it returns.
        """
        self._on_reactor = isinstance(result, Deferred) or inspect.iscoroutine(result)
        return Deferred.fromCoroutine(result) if inspect.iscoroutine(result) else result

    def _step(self) -> Deferred[Any]:
        if self._generator is None:
            self._generator = self._function()
        if self._on_reactor:
            running: Deferred[Any] = Deferred.fromCoroutine(_next(self._generator))
        else:
            running = self._worker.run(next, self._generator)
        return running.addErrback(self._ended)

    def _ended(self, failure: Failure) -> Failure:
        self._generator = None
        if failure.check(StopIteration, StopAsyncIteration):
            raise SourceError("the generator ended")
        return failure


async def _next(generator: Any) -> Any:
    return await anext(generator)


async def _close(generator: Any) -> None:
    await generator.aclose()


def _is_for_reactor(function: Callable[..., Any]) -> bool:
    """Return True if the function declares that it returns a coroutine or a Deferred.

    For functions without annotations the first result shows it.
    """
    return (
        inspect.iscoroutinefunction(function)
        or inspect.isasyncgenfunction(function)
        or "Deferred" in str(getattr(function, "__annotations__", {}).get("return"))
        or inspect.isgeneratorfunction(getattr(function, "__wrapped__", None))  # inlineCallbacks
    )


def _find(path: str, call: Call, folder: str) -> Callable[..., Any]:
    """Import the function.

    :param path: the key path, for errors.
    :param folder: a folder that is searched for modules after all others.
    :raises ConfigError: if the module or the function does not exist.
    """
    if folder not in sys.path:
        sys.path.append(folder)
    module, _, name = call.rpartition(".")
    try:
        found: Any = getattr(import_module(module), name, None)
    except ModuleNotFoundError as error:
        raise ConfigError([f"{path}: there is no module {error.name}"]) from error
    except (Exception, SystemExit) as error:
        problem = f"{type(error).__name__}: {error}".splitlines()[0] + raised_at(error)
        raise ConfigError([f"{path}: {module} cannot be imported: {problem}"]) from error
    if not callable(found):
        file = getattr(sys.modules[module], "__file__", None) or "which is built in"
        raise ConfigError([f"{path}: {module} ({file}) has no function {name}"])
    function: Callable[..., Any] = found
    return function


KIND = Kind("python", frozenset(("call",)), CallSettings, CallSource)
