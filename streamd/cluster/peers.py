"""What the nodes of one log tell each other beside it: how sources do, which screens there are.

Once a second each puts what it knows into the journal's small records, and reads what others put.  Who
runs a source judges its streams: the others' viewers see the same, up to two seconds later.  Streams
that are published every node judges for itself, by the same rule, from the same log; what was published
while some node was there is proved by that, also to a node that came later.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

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

HEALTH, SINCE, SCREENS, COMMANDS = "health", "since", "screens", "commands"
"""Kinds of records."""


class Peers:
    """Tells the other nodes, and listens to them; with one node it talks to itself."""

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
        self._done: set[str] = set()
        self._turning = False
        self._timer = Timer(clock, TURN, self._turn)
        screens.pass_on = self._command

    def start(self) -> None:
        """Talk, from now on."""
        self._timer.start()
        self._turn()

    def stop(self) -> None:
        """No more."""
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
        ours = {shift.name: shift.feed for shift in self._shifts if shift.lease.fence}
        for name, feed in ours.items():
            await self._journal.put(HEALTH, name, feed.report(), VOUCHED)
        heard = await self._journal.records(HEALTH)
        for shift in self._shifts:
            if shift.name in heard and not shift.lease.fence:
                shift.feed.follow(heard[shift.name], VOUCHED)
        await self._share_screens()
        if self._state.revision != revision:
            self._changed()

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
        commands = await self._journal.records(COMMANDS)
        done, self._done = self._done, set(commands)
        for name in [name for name in commands if name not in done]:
            screen, text = msgspec.json.decode(commands[name], type=tuple[str, str])
            with suppress(Refused):  # by one screen: others obey
                self._screens.obey(screen, text.encode())

    def _command(self, screen: str, text: bytes) -> Deferred[None]:
        """Have another node say this to a screen."""
        name = secrets.token_hex(8)
        self._done.add(name)
        command = msgspec.json.encode((screen, text.decode()))
        return self._journal.put(COMMANDS, name, command, LASTS)
