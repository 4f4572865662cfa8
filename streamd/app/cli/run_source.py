"""Runs one source once, without a daemon.

Each source gets its own journal and state, so that the state contains only values of this source.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred
from twisted.internet.task import deferLater, react
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogBeginner
from twisted.python.failure import Failure

from streamd.app.cli.output import warn
from streamd.app.process import leave_threads, use_monotonic_time
from streamd.config.fields import ConfigError
from streamd.config.kind import SourceTable, Surroundings
from streamd.core.description import Description
from streamd.core.health.verdict import Level
from streamd.core.histories.blocks import StoredBlocks
from streamd.core.state import State
from streamd.core.update import Draft, Position, Update
from streamd.journals.memory import MemoryJournal
from streamd.sources.errors import raised_at
from streamd.sources.source import furnish

SCHEDULED_WITHIN = 15.0
"""Seconds within which a source with a schedule has to give its first answer."""

PUSHED_WITHIN = 6.0
"""Seconds to wait for a source without a schedule: more than the 5 s after which its server counts as
silent."""

STOPPED_WITHIN = 3.0
"""Seconds that a source may take to stop."""


class Outcome(NamedTuple):
    """The result of one source's run.

    :ivar said: the name of each stream, its newest value as JSON, and its level.
    :ivar problems: a line for each problem, with its key path.
    :ivar waits: the reason why a working source has no value yet; empty if the source gives no
        reason.
    """

    name: str
    said: list[tuple[str, str, Level]]
    problems: list[str]
    waits: str = ""


class Reasons:
    """A log observer that collects the reasons of failed sources, in more detail than walls show.

    :ivar problems: source -> the reasons of its failures, each with a key path.
    :ivar aloud: whether to print warnings.  Unexpected errors are always printed, without a traceback.
    """

    def __init__(self) -> None:
        self.problems: dict[str, list[str]] = {}
        self.aloud = False

    def __call__(self, event: LogEvent) -> None:
        failure, path = event.get("log_failure"), event.get("path")
        reason = ""
        if failure is not None:
            where = raised_at(failure.value)
            reason = f"{failure.type.__name__}: {failure.getErrorMessage()}{where}"
        if path is not None:
            why = " ".join((reason or _with_detail(event)).split())
            self.problems.setdefault(event["source"], []).append(f"{path}: {why}")
        unexpected = reason and path is None
        if unexpected or (self.aloud and event.get("log_level", LogLevel.info) >= LogLevel.warn):
            warn(" ".join([formatEvent(event), reason]).strip())


def _with_detail(event: LogEvent) -> str:
    """Return an error with what the log has besides, such as the address that was not reached.

    A detail that repeats the error adds only the type of an exception.
    """
    error, detail = event["error"], event.get("more", "")
    return error if error in detail else f"{error}{detail}"


class _StateFollower:
    """Lets a state follow a journal in memory.  There are no viewers to wake."""

    def __init__(self, state: State, elapsed: Callable[[], float]) -> None:
        self._state = state
        self._elapsed = elapsed
        self.room = state.room

    def restore(
        self, life: int, held: Iterable[Update], horizon: Position, blocks: StoredBlocks
    ) -> None:
        self._state.restore(life, held, horizon, blocks, time.time(), self._elapsed())

    def committed(self, updates: Sequence[Update]) -> None:
        self._state.apply(updates, time.time())

    def away(self, why: str | None) -> None:
        raise AssertionError("a journal in memory is never away")

    def skipped(self, streams: Collection[str], why: str) -> None:
        pass

    def lost(self, why: str) -> None:
        raise AssertionError("a journal in memory is never lost")


def listen_to_log() -> Reasons:
    """Take over Twisted's log: collect the reasons of failures instead of printing the log."""
    reasons = Reasons()
    globalLogBeginner.beginLoggingTo([reasons], redirectStandardIO=False)  # type: ignore[list-item]
    return reasons


def run_reactor(main: Callable[[Any], Coroutine[Deferred[Any], Any, None]]) -> None:
    """Run the reactor until ``main`` has returned."""
    from twisted.internet import reactor

    use_monotonic_time(reactor)
    leave_threads(reactor)
    react(main)


async def run_source(
    here: Surroundings,
    name: str,
    table: SourceTable,
    descriptions: Mapping[str, Description],
    reasons: Reasons,
    known: Sequence[Draft] = (),
) -> Outcome:
    """Start a source, wait for its first values, and stop it.

    :param here: the reactor, and the folder from which relative paths in its table start.
    :param known: values of other streams, for a source that is computed from them.
    """
    reactor = here.reactor
    state = State(time.time(), descriptions)
    journal = MemoryJournal(time.time, reactor.seconds)
    journal.start(_StateFollower(state, reactor.seconds))
    journal.append(known)
    heard: Deferred[None] = Deferred()

    def changed() -> None:
        if not heard.called:
            heard.callback(None)

    try:
        looking = here._replace(looks=True)
        source, feed = furnish(name, table, looking, journal, state, time.time, changed)
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
        await deferLater(reactor, 0)  # its other streams come in the same turn
    except TimeoutError:
        if feed.every is not None:
            problems.append(f"sources.{name}: no answer within {within:g} s")
    with suppress(TimeoutError):
        await maybeDeferred(source.stop).addTimeout(STOPPED_WITHIN, reactor)
    others = {draft.stream for draft in known}
    said = [
        (stream.name, (stream.newest.value or b"").decode(), stream.health.level)
        for stream in state
        if stream.newest and stream.name not in others
    ]
    waits = next((s.health.error for s in state if s.health.state == "late" and s.health.error), "")
    return Outcome(name, said, problems + reasons.problems.get(name, []), waits)
