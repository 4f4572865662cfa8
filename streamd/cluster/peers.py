"""Peers: what the nodes of one log tell each other beside it, of sources and of screens.

Once a second each node puts what it knows into the small records of the journal, and reads what the
others put.  The node that runs a source judges its streams: viewers of other nodes see the same, up to
two seconds later.  Every node judges published streams for itself, by the same rule, from the same log.
A stream that was published while some node followed the log is proved by that, also to a later node.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from streamd.cluster.shift import Shift
from streamd.core.errors import Refused
from streamd.core.state import State
from streamd.core.update import ORIGIN, Position, parse_position
from streamd.hub.screens import Screens
from streamd.journals.journal import Away, Journal
from streamd.reactor.timer import Timer

TURN = 1.0
"""Seconds between two looks at what the others say."""

LASTS = 10.0
"""Seconds for which a record counts that nobody renewed; it is renewed in half of that."""

VOUCHED = 4.0
"""Seconds for which it counts what a node says of the sources that it runs: said every second."""

REMEMBERED = 2 * LASTS
"""Seconds for which a command is known to be obeyed after its record was read last: longer than any
record lasts, so that no read can be the first after it is forgotten."""

SOURCES, SINCE, SCREENS, COMMANDS = "sources", "since", "screens", "commands"
"""Kinds of records.  Version 0.1.0 has a kind ``health``, of another form, instead of ``sources``."""


class Peers:
    """Tells the other nodes of this one, and listens to them."""

    _log = Logger()

    def __init__(
        self,
        journal: Journal,
        state: State,
        shifts: Sequence[Shift],
        screens: Screens,
        now: Callable[[], float],
        clock: IReactorTime,
        changed: Callable[[], None],
    ) -> None:
        """:param changed: to be called when health may have changed."""
        self._journal = journal
        self._state = state
        self._shifts = shifts
        self._screens = screens
        self._now = now
        self._clock = clock
        self._changed = changed
        self._node = secrets.token_hex(6)
        self._begun = ORIGIN
        self._since: Position | None = None
        self._told: dict[tuple[str, str], tuple[bytes, float]] = {}
        self._done: dict[str, float] = {}  # obeyed commands -> when their record was seen last
        self._turning = False
        self._timer = Timer(clock, TURN, self._turn)
        screens.pass_on = self._command

    def start(self) -> None:
        """Talk to the other nodes, from now on."""
        self._timer.start()
        self._turn()

    def stop(self) -> None:
        """Talk no more."""
        self._timer.stop()

    def _turn(self) -> None:
        if self._turning:
            return
        self._turning = True
        running = Deferred.fromCoroutine(self._talk())
        running.addErrback(lambda failure: failure.trap(Away))
        running.addErrback(lambda failure: self._log.failure("nodes cannot talk", failure))
        running.addCallback(self._turned)

    def _turned(self, result: Any) -> None:
        self._turning = False

    async def _talk(self) -> None:
        revision = self._state.revision
        await self._agree_since()
        await self._share_sources()
        await self._share_screens()
        if self._state.revision != revision:
            self._changed()

    async def _share_sources(self) -> None:
        # All in one turn, so that they are one step of the journal: a thousand round trips to Redis,
        # one after the other, would take longer than what they say counts.
        puts = [
            self._journal.put(SOURCES, shift.name, shift.feed.report(), VOUCHED)
            for shift in self._shifts
            if shift.runs
        ]
        await gatherResults(puts, consumeErrors=True).addErrback(_first_error)
        heard = await self._journal.records(SOURCES)
        for shift in self._shifts:
            if shift.name in heard and not shift.runs:
                shift.feed.follow(heard[shift.name], VOUCHED)

    async def _tell(self, kind: str, name: str, record: bytes) -> None:
        """Put a record, if there is something new in it or it would expire."""
        told, when = self._told.get((kind, name), (b"", 0.0))
        now = self._clock.seconds()
        if told != record or now - when > LASTS / 2:
            await self._journal.put(kind, name, record, LASTS)
            self._told[kind, name] = record, now

    # -- since when somebody has been here ---------------------------------------------------------

    def restart(self) -> None:
        """This node has begun to follow a log where the state's head is."""
        self._begun, self._since = self._state.head, None

    async def _agree_since(self) -> None:
        name = str(self._journal.life)
        if self._since is None:
            begun = self._begun
            known = (await self._journal.records(SINCE)).get(name)
            since = begun if known is None else parse_position(known.decode()) or begun
            if begun is not self._begun:
                return  # another log has come meanwhile
            self._since = since
            others = {stream for shift in self._shifts for stream in shift.feed.streams}
            self._state.confirm_since(since, others, self._now())
        await self._tell(SINCE, name, str(self._since).encode())

    # -- screens -----------------------------------------------------------------------------------

    async def _share_screens(self) -> None:
        here = msgspec.json.encode(self._screens.here())
        told = (SCREENS, self._node) in self._told
        if told or here != b"{}":
            await self._tell(SCREENS, self._node, here)
        heard = await self._journal.records(SCREENS)
        others: dict[str, Mapping[str, Any]] = {}
        for node, record in heard.items():
            if node != self._node:
                others.update(msgspec.json.decode(record))
        self._screens.others = others
        for name, command in (await self._journal.records(COMMANDS)).items():
            self._obey(name, command)
        self._forget_commands()

    def _obey(self, name: str, command: bytes) -> None:
        """Obey a command, unless this node did: it reads the record of each several times."""
        done = name in self._done
        self._done[name] = self._clock.seconds()
        if not done:
            screen, text = msgspec.json.decode(command, type=tuple[str, str])
            with suppress(Refused):  # by one screen: others obey
                self._screens.obey(screen, text.encode())

    def _forget_commands(self) -> None:
        since = self._clock.seconds() - REMEMBERED
        self._done = {name: seen for name, seen in self._done.items() if seen > since}

    def _command(self, screen: str, text: bytes) -> Deferred[None]:
        """Have another node say this to a screen; this node has said it."""
        name = secrets.token_hex(8)
        self._done[name] = self._clock.seconds()
        command = msgspec.json.encode((screen, text.decode()))
        return self._journal.put(COMMANDS, name, command, LASTS)


def _first_error(failure: Failure) -> Failure:
    """Return the failure of the Deferred that failed, instead of one that wraps it."""
    assert isinstance(failure.value, FirstError)
    return failure.value.subFailure
