"""What a source says when it runs once: a look before a daemon is started.

Each has a journal and a state of its own, so that what is in the state is what this one said.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, formatEvent

from streamd.config import ConfigError, Description, SourceTable
from streamd.journals.memory import MemoryJournal
from streamd.source import Feed, Surroundings
from streamd.state import State, Stream

SCHEDULED_WITHIN = 15.0
"""Seconds within which a source that runs every so often has to have run once."""

PUSHED_WITHIN = 6.0
"""Seconds that one is listened to which speaks when it likes: more than it takes to find out that
nobody answers (5 s)."""

STOPPED_WITHIN = 3.0
"""Seconds that a source may take to stop."""


class Outcome(NamedTuple):
    """What became of one source.

    :ivar streams: what it said, by name.
    :ivar problems: a line for each thing that is wrong, with its key path.
    :ivar stopped: whether all of it is given back.
    """

    name: str
    streams: list[Stream]
    problems: list[str]
    stopped: bool = True


class Reasons:
    """A log observer that keeps why sources failed: at a shell one may read what no wall shows."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def __call__(self, event: LogEvent) -> None:
        failure, source = event.get("log_failure"), event.get("source")
        if failure is not None and source is not None:
            text = f"{failure.type.__name__}: {failure.getErrorMessage()}"
            self._texts.setdefault(source, " ".join(text.split()))

    def of(self, source: str, told: str) -> str:
        """Why it failed, or what was told of it."""
        return self._texts.get(source, told)


async def run_once(
    reactor: Any,
    base: Path,
    name: str,
    source: SourceTable,
    descriptions: Mapping[str, Description],
    reasons: Reasons,
) -> Outcome:
    """Start a source, wait until it said something, stop it."""
    kind, settings = source
    try:
        made = kind.make(name, settings, Surroundings(reactor, base))
    except ConfigError as error:
        return Outcome(name, [], error.problems)
    state = State(time.time())
    journal = MemoryJournal(time.time, reactor.seconds)
    state.life = journal.life
    journal.start(lambda updates: state.apply(updates, time.time()))
    heard: Deferred[None] = Deferred()

    def changed() -> None:
        if not heard.called:
            heard.callback(None)

    made.start(Feed(name, settings, journal, state, time.time, changed, descriptions))
    scheduled = getattr(settings, "every", None) is not None
    within = SCHEDULED_WITHIN if scheduled else PUSHED_WITHIN
    problems = []
    try:
        await heard.addTimeout(within, reactor)
        await deferLater(reactor, 0)  # it may be half-way through what it says
    except TimeoutError:
        if scheduled:
            problems.append(f"sources.{name}: no answer within {within:g} s")
    stopped = await _stop(reactor, made)
    streams = [stream for stream in state if stream.newest is not None]
    for stream in state:
        if stream.error is not None:
            problems.append(f"sources.{name}: {_told(stream, name, reasons)}")
    return Outcome(name, streams, problems, stopped)


def _told(stream: Stream, source: str, reasons: Reasons) -> str:
    if stream.name == source:
        return reasons.of(source, stream.error or "")
    return f"{stream.name}: {stream.error}"


async def _stop(reactor: Any, source: Any) -> bool:
    try:
        await maybeDeferred(source.stop).addTimeout(STOPPED_WITHIN, reactor)
    except TimeoutError:
        return False
    return True


def one_line(event: LogEvent) -> str:
    """A log line for a shell: what is unexpected without its trace."""
    failure = event.get("log_failure")
    text = formatEvent(event)
    return f"{text}: {failure.getErrorMessage()}" if failure is not None else text
