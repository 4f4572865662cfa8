"""What a source says when it runs once: a look before a daemon is started.

Each has a journal and a state of its own, so that what is in the state is what this one said.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, LogLevel, formatEvent
from twisted.python.failure import Failure

from streamd.config.fields import ConfigError
from streamd.config.kind import SourceTable, Surroundings
from streamd.core.description import Description
from streamd.core.health import Level
from streamd.core.state import State
from streamd.core.update import Position, Update
from streamd.journals.memory import MemoryJournal
from streamd.sources.source import furnish

SCHEDULED_WITHIN = 15.0
"""Seconds within which a source that runs every so often has to have run once."""

PUSHED_WITHIN = 6.0
"""Seconds that one is listened to which speaks when it likes: more than it takes to find out that
nobody answers (5 s)."""

STOPPED_WITHIN = 3.0
"""Seconds that a source may take to stop."""


class Outcome(NamedTuple):
    """What became of one source.

    :ivar said: of each stream the name, the newest value as JSON, and its level.
    :ivar problems: a line for each thing that is wrong, with its key path.
    :ivar stopped: whether all of it is given back.
    """

    name: str
    said: list[tuple[str, str, Level]]
    problems: list[str]
    stopped: bool = True


class Reasons:
    """A log observer that keeps why sources failed: at a shell one may read what no wall shows.

    :ivar problems: source -> why, each with the key path to look at.
    :ivar aloud: whether warnings are said as well; what nobody expected always is, without its trace.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.problems: dict[str, list[str]] = {}
        self.aloud = False

    def __call__(self, event: LogEvent) -> None:
        failure, path = event.get("log_failure"), event.get("path")
        reason = "" if failure is None else f"{failure.type.__name__}: {failure.getErrorMessage()}"
        if path is not None:
            why = " ".join((reason or event["error"]).split())
            self.problems.setdefault(event["source"], []).append(f"{path}: {why}")
        unexpected = reason and path is None
        if unexpected or (self.aloud and event.get("log_level", LogLevel.info) >= LogLevel.warn):
            self._say(" ".join([formatEvent(event), reason]).strip())


class _Follower:
    """The state alone: nobody looks."""

    def __init__(self, state: State) -> None:
        self._state = state

    def restore(self, life: int, held: Iterable[Update], horizon: Position) -> None:
        self._state.restore(life, held, horizon, time.time())

    def committed(self, updates: Iterable[Update]) -> None:
        self._state.apply(updates, time.time())

    def away(self, why: str | None) -> None:
        raise AssertionError("memory is always there")

    def lost(self, why: str) -> None:
        raise AssertionError("memory is never damaged")


async def run_once(
    reactor: Any,
    base: Path,
    name: str,
    table: SourceTable,
    descriptions: Mapping[str, Description],
    reasons: Reasons,
) -> Outcome:
    """Start a source, wait until it said something, stop it."""
    state = State(time.time())
    journal = MemoryJournal(time.time, reactor.seconds)
    journal.start(_Follower(state))
    heard: Deferred[None] = Deferred()

    def changed() -> None:
        if not heard.called:
            heard.callback(None)

    here = Surroundings(reactor, base)
    try:
        source, feed = furnish(name, table, here, journal, state, time.time, changed, descriptions)
    except ConfigError as error:
        return Outcome(name, [], error.problems)
    try:
        source.start(feed)
    except Exception:
        feed.failed(Failure())
    within = PUSHED_WITHIN if feed.every is None else SCHEDULED_WITHIN
    problems = []
    try:
        await heard.addTimeout(within, reactor)
        await deferLater(reactor, 0)  # it may be half-way through what it says
    except TimeoutError:
        if feed.every is not None:
            problems.append(f"sources.{name}: no answer within {within:g} s")
    stopped = await _stop(reactor, source)
    said = [(s.name, (s.newest.value or b"").decode(), s.health.level) for s in state if s.newest]
    return Outcome(name, said, problems + reasons.problems.get(name, []), stopped)


async def _stop(reactor: Any, source: Any) -> bool:
    try:
        await maybeDeferred(source.stop).addTimeout(STOPPED_WITHIN, reactor)
    except TimeoutError:
        return False
    return True
