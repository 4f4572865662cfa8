"""Small stand-ins for what stands around a part: clocks, viewers, a feed's surroundings."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from twisted.internet.task import Clock

from streamd.core.cursor import Cursor
from streamd.core.description import Description
from streamd.core.histories.blocks import StoredBlocks
from streamd.core.selection import Selection
from streamd.core.state import State
from streamd.core.update import MAX_LIFE, ORIGIN, Draft, Position, Update
from streamd.core.values import from_python, to_python
from streamd.hub.audience import Audience, Pieces
from streamd.journals.memory import MemoryJournal
from streamd.sources.feed import Feed
from streamd.sources.settings import SourceSettings
from streamd.wire.overview import overview

TODAY = 1_763_790_000.0
"""A day in 2025, in seconds since the epoch."""

LIFE = MAX_LIFE - 1


class Times:
    """Both times at once: the date, which can be set, and the seconds that pass."""

    def __init__(self) -> None:
        self.clock = Clock()
        self._offset = TODAY

    def now(self) -> float:
        """Seconds since the epoch, as the wall clock has it."""
        return self._offset + self.clock.seconds()

    def elapsed(self) -> float:
        """Seconds on a clock that nobody sets."""
        return self.clock.seconds()

    def set_back(self, seconds: float) -> None:
        """The wall clock is set back (or forward, if negative); time itself goes on."""
        self._offset -= seconds


class FakeViewer:
    """Keeps what it is told; its socket takes `room` messages until `drain` is called."""

    def __init__(self, room: float = float("inf")) -> None:
        self.ready = True
        self.audience: Audience | None = None
        self.cursor = Cursor(ORIGIN, 0)
        self.unsent: Pieces | None = None
        self.ticked = False
        self.written: list[bytes] = []
        self.lost = False
        self._room = room

    def write(self, data: bytes) -> None:
        self.written.append(data)
        self._room -= 1
        self.ready = self._room > 0

    def proceed(self) -> None:
        """Do nothing: nothing waits."""

    def lose(self) -> None:
        self.lost = True

    def drain(self, room: float = float("inf")) -> None:
        """Its socket has room again; tell the hub afterwards."""
        self._room = room
        self.ready = room > 0

    @property
    def messages(self) -> list[Any]:
        """What it was told, decoded."""
        return [json.loads(text) for text in texts(b"".join(self.written))]

    @property
    def holds(self) -> dict[str, Any]:
        """What a page has that assigns every message."""
        held: dict[str, Any] = {}
        for message in self.messages:
            held.update(message)
        return held


def texts(data: bytes) -> list[bytes]:
    """The payloads of unmasked, whole WebSocket text messages."""
    found: list[bytes] = []
    more = False
    while data:
        assert data[0] & 0x7F == (0 if more else 1), data[:20]
        length, start = data[1], 2
        if length == 126:
            length, start = int.from_bytes(data[2:4], "big"), 4
        elif length == 127:
            length, start = int.from_bytes(data[2:10], "big"), 10
        assert len(data) >= start + length, "half a frame"
        begun = found.pop() if more else b""
        found.append(begun + data[start : start + length])
        more = data[0] < 0x80
        data = data[start + length :]
    assert not more, "half a message"
    return found


def about(state: State, selection: Selection | None = None) -> dict[str, dict[str, Any]]:
    """What a hello would tell of descriptions and health: ``{"streams": …, "health": …}``."""
    of = Selection() if selection is None else selection
    parts = overview(state, of, state.journal)
    told: dict[str, dict[str, Any]] = json.loads(b"{" + b"".join(parts))
    return told


def fail_source(state: State, name: str, message: str, now: float) -> None:
    """Have a source fail."""
    state.sources.fail(state.sources.record(name, None), message, now)


def prove(state: State, names: Sequence[str], now: float, name: str = "prover") -> None:
    """Have a source find that these streams are what they were."""
    source = state.sources.record(name, None)
    values = {name: state.value(name) or b"null" for name in names}
    state.sources.prove(source, state.sources.prepare(source, values, now, known={}), now)


class Daemonette:
    """A log, a state that follows it, and feeds into it: what a source sees of the daemon."""

    def __init__(
        self, descriptions: Mapping[str, Description] | None = None, **bounds: Any
    ) -> None:
        self.times = Times()
        self.clock = self.times.clock
        self.descriptions = descriptions or {}
        self.state = State(self.times.now(), self.descriptions, **bounds)
        self.room = self.state.room
        self.journal = MemoryJournal(self.times.now, self.times.elapsed, LIFE)
        self.log: list[tuple[str, Any]] = []  # every committed update: (stream, value)
        self.changes = 0
        self.committed_updates: list[Update] = []
        self.journal.start(self)

    def feed(
        self, name: str = "shop", every: float | None = None, kind: str = "", **settings: Any
    ) -> Feed:
        """The feed of a source called `name`."""
        return Feed(
            name,
            SourceSettings(**settings),
            self.journal,
            self.state,
            self.times.now,
            self._changed,
            every,
            kind=kind,
        )

    def append_elsewhere(self, drafts: Sequence[Draft]) -> None:
        """Append as another node may that has more room."""
        self.journal._queue.room = State(0.0).room
        self.journal.append(drafts)
        self.journal._queue.room = self.room

    def values(self) -> dict[str, Any]:
        """What every stream says now."""
        return {u.stream: to_python(u.value or b"null") for u in self.state.serialize()}

    def health(self, name: str) -> tuple[str, str | None]:
        """The state of a stream's health, and its error."""
        stream = self.state.get(name)
        assert stream is not None, f"there is no {name}"
        return stream.health.state, stream.health.error

    def restart(self) -> None:
        """What a state knows that begins with the log; feeds have to be made anew."""
        self.restore(LIFE, self.committed_updates, ORIGIN, {})

    def restore(
        self, life: int, held: Iterable[Update], horizon: Position, blocks: StoredBlocks
    ) -> None:
        """See :class:`streamd.journals.journal.Follower`."""
        now, elapsed = self.times.now(), self.times.elapsed()
        self.state.restore(life, held, horizon, blocks, now, elapsed)

    def away(self, why: str | None) -> None:
        """Never: it is in memory."""
        raise AssertionError(why)

    def skipped(self, streams: Collection[str], why: str) -> None:
        """See there."""

    def lost(self, why: str) -> None:
        """Nor this."""
        raise AssertionError(why)

    def committed(self, updates: Sequence[Update]) -> None:
        """What was is applied, and remembered."""
        self.state.apply(updates, self.times.now())
        self.committed_updates += updates
        self.log += [(u.stream, None if u.value is None else to_python(u.value)) for u in updates]

    def judge(self) -> None:
        """As the daemon does every second."""
        self.state.judge(self.times.now(), self.times.elapsed())

    def _changed(self) -> None:
        self.changes += 1


def value(python: Any) -> bytes:
    """The JSON text of a value."""
    return from_python(python)
