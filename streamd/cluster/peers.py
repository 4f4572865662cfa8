"""Peers: exchange the health of sources, and the screens, between the nodes that share a log.

Once a second each node writes small records into the journal, and reads those of the others.  The node
that runs a source decides the health of its streams.  Viewers of other nodes see it at most two seconds
later.  For streams that clients publish, each node computes the health from the log, by the same rule.
The value of an update is confirmed if any node has followed the log without a pause since before it.
That holds for nodes that start later, too.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress

import msgspec
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from streamd.cluster.shift import Shift
from streamd.core.histories.saving import FOLLOWED
from streamd.core.record import read_record
from streamd.core.state import State
from streamd.core.update import LIFE_UNIT, ORIGIN, Position, parse_position
from streamd.hub.screens import Screens, merged, read_screens
from streamd.journals.journal import Away, Journal, as_shared
from streamd.reactor.timer import Timer
from streamd.sources.former import FormerSources
from streamd.sources.records import FILLED, HEALTH

TURN = 1.0
"""Seconds between two exchanges of records."""

LASTS = 10.0
"""Seconds until a record expires; its node renews it after half of that."""

REMEMBERED = 2 * LASTS
"""Seconds for which an obeyed command is remembered after its record was last read.  This is longer
than any record lasts, so that no command is obeyed twice."""

SINCE, SCREENS, COMMANDS = "since", "screens", "commands"
"""More kinds of records.  Nodes of version 0.1.0 read and write the same."""


class Peers:
    """Writes this node's records, and applies those of the other nodes."""

    def __init__(
        self,
        journal: Journal,
        state: State,
        shifts: Iterable[Shift],
        former: FormerSources,
        screens: Screens,
        now: Callable[[], float],
        clock: IReactorTime,
        changed: Callable[[], None],
    ) -> None:
        """:param shifts: those of all configured sources, whenever they are iterated.

        :param changed: to be called when health may have changed.
        """
        self._journal = journal
        self._state = state
        self._shifts = shifts
        self._former = former
        self._screens = screens
        self._now = now
        self._clock = clock
        self._changed = changed
        self._node = secrets.token_hex(6)
        self._begun = ORIGIN
        self._since: Position | None = None
        self._told: dict[tuple[str, str], tuple[bytes, float]] = {}
        self._done: dict[str, float] = {}  # obeyed commands -> when their record was seen last
        self._timer = Timer(clock, TURN, self._turn)
        screens.pass_on = self._command

    def start(self) -> None:
        """Begin to exchange records with the other nodes, every second."""
        self._timer.start()
        self._timer.call_now()

    def stop(self) -> None:
        """Stop the exchange."""
        self._timer.stop()

    async def _turn(self) -> None:
        with suppress(Away):
            await self._talk()

    async def _talk(self) -> None:
        revision = self._state.revision
        await self._agree_since()
        await self._share_sources()
        await self._share_pasts()
        await self._share_screens()
        if self._state.revision != revision:
            self._changed()

    async def _share_sources(self) -> None:
        # All in one turn, so that they are one step of the journal: a thousand round trips to Redis
        # in sequence would take longer than the reports are valid.
        puts = [shift.feed.report() for shift in self._shifts if shift.runs]
        await gatherResults(puts, consumeErrors=True).addErrback(_first_error)
        heard = await self._journal.records(HEALTH)
        for shift in self._shifts:
            if shift.name in heard and not shift.runs:
                shift.feed.follow(heard[shift.name])
        if await self._former.update(heard) and self._since is not None:
            # A report on one of them may have expired before this node learned that it is released.
            self._state.confirm_since(self._since, self._now())

    async def _share_pasts(self) -> None:
        """Load what other nodes fill by backfills."""
        feeds = [shift.feed for shift in self._shifts if shift.feed.fills and not shift.runs]
        filled = await self._journal.records(FILLED) if feeds else {}
        for feed in feeds:
            if feed.name in filled:
                feed.keep_up(filled[feed.name])

    async def _tell(self, kind: str, name: str, record: bytes) -> None:
        """Write a record if it has changed or would expire soon."""
        told, when = self._told.get((kind, name), (b"", 0.0))
        now = self._clock.seconds()
        if told != record or now - when > LASTS / 2:
            await self._journal.put(kind, name, record, LASTS)
            self._told[kind, name] = record, now

    # -- since when at least one node has followed the log -----------------------------------------

    def restart(self) -> None:
        """Note that this node has begun to follow a log, at the state's head."""
        self._begun, self._since = self._state.began, None

    async def _agree_since(self) -> None:
        begun, shared = self._begun, as_shared(self._journal)
        known = await self._read_since()
        if begun is not self._begun:
            return  # another log has come meanwhile
        if self._since is None:
            await self._agree(begun, known)
        elif known is not None and known > self._since and shared is not None:
            # Other nodes noted a gap while this one did not run: it has to note it at the same place.
            shared.read_again()
        else:
            await self._tell(SINCE, str(self._journal.life), bytes(self._since))

    async def _read_since(self) -> Position | None:
        """Return the position since which a node has followed the log; None if no node says so."""
        known = (await self._journal.records(SINCE)).get(str(self._journal.life))
        return None if known is None else parse_position(known.decode(errors="replace"))

    async def _agree(self, begun: Position, known: Position | None) -> None:
        """Follow the log since a position that all nodes agree on.

        :param begun: the position at which this node began.
        :param known: since when another node has followed the log; None if no node did.
        """
        parted = known is None
        if known is None and not await self._part(begun):
            return  # another node decides; the next turn finds its position
        if known is not None and (shared := as_shared(self._journal)) is not None:
            # Another node may have decided while this one read the log.
            gaps = self._state.saving.new_gaps(await shared.stored(FOLLOWED))
            parted = gaps == [(begun.ms, begun.n % LIFE_UNIT)]
            if gaps and not parted and begun is self._begun:
                shared.read_again()
                return
        await self._former.adopt(shift.feed for shift in self._shifts)
        if begun is not self._begun:
            return
        self._since = known or begun
        self._state.decide(parted)
        self._state.confirm_since(self._since, self._now())
        await self._tell(SINCE, str(self._journal.life), bytes(self._since))

    async def _part(self, begun: Position) -> bool:
        """Record for all nodes that no node followed the log for a while, until a position.

        :returns: whether this node was the one to decide that.
        """
        shared = as_shared(self._journal)
        if shared is None:
            return True
        if await shared.acquire(SINCE, LASTS) is None:
            return False
        # Another node may have decided before this one had the lease.
        decides = await self._read_since() is None
        if decides and begun is self._begun:
            await shared.store(self._state.saving.parted(await shared.stored(FOLLOWED), begun))
            await self._tell(SINCE, str(self._journal.life), bytes(begun))
        await shared.release(SINCE)
        return decides

    # -- screens -----------------------------------------------------------------------------------

    async def _share_screens(self) -> None:
        here = msgspec.json.encode(self._screens.here())
        told = (SCREENS, self._node) in self._told
        if told or here != b"{}":
            await self._tell(SCREENS, self._node, here)
        heard = await self._journal.records(SCREENS)
        records = (record for node, record in heard.items() if node != self._node)
        self._screens.others = merged(read_screens(record) for record in records)
        for name, command in (await self._journal.records(COMMANDS)).items():
            self._obey(name, command)
        self._forget_commands()

    def _obey(self, name: str, command: bytes) -> None:
        """Obey a command once: this node reads the same record several times."""
        done = name in self._done
        self._done[name] = self._clock.seconds()
        if not done:
            said = read_record(command, tuple[str, str])
            if said is not None:
                self._screens.obey(said[0], said[1].encode())

    def _forget_commands(self) -> None:
        since = self._clock.seconds() - REMEMBERED
        self._done = {name: seen for name, seen in self._done.items() if seen > since}

    def _command(self, screen: str, text: bytes) -> Deferred[None]:
        """Pass a command for a screen to the other nodes; this node has obeyed it already."""
        name = secrets.token_hex(8)
        self._done[name] = self._clock.seconds()
        command = msgspec.json.encode((screen, text.decode()))
        return self._journal.put(COMMANDS, name, command, LASTS)


def _first_error(failure: Failure) -> Failure:
    """Return the failure of the Deferred that failed, instead of one that wraps it."""
    assert isinstance(failure.value, FirstError)
    return failure.value.subFailure
