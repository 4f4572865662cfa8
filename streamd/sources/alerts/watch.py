"""Decides which messages one alert sends: groups conditions into events, and times them.  Pure.

A condition that has held for long enough begins an **event**.  Streams whose conditions begin within
ten seconds are one event.  An event has a first message, perhaps reminders, and a last message when
none of its conditions holds any more.  Time is an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice
from typing import Literal, NamedTuple

import msgspec

from streamd.core.health.verdict import Health

TOGETHER = 10.0
"""Seconds: conditions that begin within them are one event, so that a failed server is one message."""

CALM = 10.0
"""Seconds without a condition after which it is over: a value at its limit crosses it many times."""

MAX_TOLD = 1000
"""The most streams in all events: a record of them has 60 kB.  Further ones wait until others end."""

RANKS = ("critical", "failed", "warn", "late", "ok")
"""The worst first: the order of ``web/text/ranks.js``."""

SayingKind = Literal["begin", "reminder", "end"]

Untold = tuple[float, float, str]
"""A condition in a record that was not told yet: since when, when it was seen first, what it is."""


class ToldStream(msgspec.Struct, array_like=True):
    """A stream of an event.

    :ivar since: when its condition began, in seconds since the epoch.
    :ivar what: the worst condition in any message so far, one of :data:`RANKS`.
    :ivar until: when the condition ended; None while it holds.
    """

    since: float
    what: str
    until: float | None = None


class AlertEvent(msgspec.Struct, array_like=True):
    """Streams whose conditions began together.

    :ivar id: a random text; messages about the event have it.
    :ivar streams: by name.
    :ivar said: how many messages were made about the event.
    :ivar last: when the last one was made, in seconds since the epoch.
    """

    id: str
    streams: dict[str, ToldStream]
    said: int
    last: float

    @property
    def open(self) -> Iterator[str]:
        """The names of the streams whose condition still holds."""
        return (name for name, told in self.streams.items() if told.until is None)


class Saying(NamedTuple):
    """An event, and which message is due about it now."""

    kind: SayingKind
    event: AlertEvent


class _Pending(NamedTuple):
    """A condition that was not told yet.

    :ivar since: when it began, in seconds since the epoch.
    :ivar seen: when this or another process first saw it, in seconds since the epoch.
    :ivar elapsed: the same on the monotonic clock.
    :ivar what: one of :data:`RANKS`.
    """

    since: float
    seen: float
    elapsed: float
    what: str


class Watch:
    """The events of one alert.

    Times are in seconds: ``now`` since the epoch, ``elapsed`` on a monotonic clock.

    :ivar events: the events that are not over, in the order in which they began.
    """

    def __init__(
        self, when: Collection[str], lasting: float, remind: float | None, draw: Callable[[], str]
    ) -> None:
        """:param when: the conditions that count.

        :param lasting: seconds for which a condition must hold before it is told.
        :param remind: seconds between two reminders; None for none.
        :param draw: returns a new id for an event.
        """
        self._when = frozenset(when) | ({"critical"} if "warn" in when else set())
        self._lasting, self._remind, self._draw = lasting, remind, draw
        self.events: list[AlertEvent] = []
        self._pending: dict[str, _Pending] = {}
        self._due_since: float | None = None  # elapsed, when the first of the next event was due
        self._calm: dict[str, float] = {}  # told stream -> elapsed, since when it is calm
        self._worse: dict[
            str, float
        ] = {}  # told stream -> elapsed, since when it is worse than told

    @property
    def untold(self) -> dict[str, Untold]:
        """The conditions that are in no message yet, for a record; at most :data:`MAX_TOLD`."""
        first = islice(self._pending.items(), MAX_TOLD)
        return {name: (each.since, each.seen, each.what) for name, each in first}

    def resume(
        self, events: list[AlertEvent], untold: Mapping[str, Untold], now: float, elapsed: float
    ) -> None:
        """Continue from a record.

        A condition that is in no message yet still waits if its stream is late after a restart:
        nothing ended it.
        """
        self.events = events
        self._pending = {
            name: _Pending(since, min(seen, now), elapsed - max(0.0, now - seen), what)
            for name, (since, seen, what) in untold.items()
        }

    def look(
        self, amiss: Mapping[str, Health], now: float, elapsed: float, muted: bool = False
    ) -> list[Saying]:
        """Compare the streams with the messages so far; return the messages that are due, in order.

        A condition ends only when the stream is known to be well: the value of a late or failed
        stream is not current, so it cannot end a condition that an earlier value began.

        :param amiss: the watched streams that are not fresh, or whose level is not ``ok``.
        :param muted: whether to send no message about new conditions, and no reminder.  The message
            that ends an event is sent nevertheless.
        """
        conditions = {name: condition_of(health) for name, health in amiss.items()}
        holding = {name: what for name, what in conditions.items() if what in self._when}
        unknown = {name for name in conditions if amiss[name].state != "fresh"}
        ended = [*self._end(holding.keys() | unknown, now, elapsed)]
        self._wait(holding, unknown, amiss, now, elapsed)
        sayings = [Saying("end", event) for event in ended]
        if muted:
            self._due_since = None
        else:
            sayings += self._remind_of(holding, now, elapsed)
            sayings += self._begin(now, elapsed)
        for _, event in sayings:
            event.said += 1
            event.last = now
        return sayings

    def _end(self, holding: Collection[str], now: float, elapsed: float) -> Iterator[AlertEvent]:
        """End the conditions that hold no more; yield and drop the events that are over."""
        for event in self.events:
            for name in list(event.open):
                if name in holding:
                    self._calm.pop(name, None)
                elif elapsed - self._calm.setdefault(name, elapsed) >= CALM:
                    calm = elapsed - self._calm.pop(name)
                    told = event.streams[name]
                    told.until = max(told.since, now - calm)
                    self._worse.pop(name, None)
        events, self.events = self.events, []
        for event in events:
            if any(event.open):
                self.events.append(event)
            else:
                yield event

    def _wait(
        self,
        holding: Mapping[str, str],
        unknown: Collection[str],
        amiss: Mapping[str, Health],
        now: float,
        elapsed: float,
    ) -> None:
        """Note when conditions began that were not told, and drop those that hold no more."""
        self._pending = {
            name: pending._replace(what=holding.get(name, pending.what))
            for name, pending in self._pending.items()
            if name in holding or name in unknown
        }
        told = {name for event in self.events for name in event.open}
        for name in holding.keys() - told - self._pending.keys():
            since = min(now, amiss[name].since)
            self._pending[name] = _Pending(since, now, elapsed, holding[name])

    def _begin(self, now: float, elapsed: float) -> Iterator[Saying]:
        """Make one event of all conditions that have held for long enough, if it is time for that."""
        room = MAX_TOLD - sum(len(event.streams) for event in self.events)
        due = [name for name, p in self._pending.items() if elapsed - p.elapsed >= self._lasting]
        if not due or room <= 0:
            self._due_since = None
            return
        if self._due_since is None:
            self._due_since = elapsed
        if elapsed - self._due_since < TOGETHER:
            return
        self._due_since = None
        beginning = {name: self._pending.pop(name) for name in sorted(due)[:room]}
        streams = {
            name: ToldStream(pending.since, pending.what) for name, pending in beginning.items()
        }
        event = AlertEvent(self._draw(), streams, 0, now)
        self.events.append(event)
        yield Saying("begin", event)

    def _remind_of(
        self, holding: Mapping[str, str], now: float, elapsed: float
    ) -> Iterator[Saying]:
        """Remind of an event after some time, and as soon as it is worse than was told."""
        for event in self.events:
            event.last = min(event.last, now)  # the clock was set back
            worse = [name for name in event.open if self._is_worse(event, name, holding, elapsed)]
            silent = now - event.last
            if (worse and silent >= TOGETHER) or (self._remind and silent >= self._remind):
                for name in worse:
                    event.streams[name].what = holding[name]
                    del self._worse[name]
                yield Saying("reminder", event)

    def _is_worse(
        self, event: AlertEvent, name: str, holding: Mapping[str, str], elapsed: float
    ) -> bool:
        """Return whether a condition that is worse than was told has held for long enough."""
        told = event.streams[name].what
        if RANKS.index(holding.get(name, "ok")) >= RANKS.index(told):
            self._worse.pop(name, None)
            return False
        return elapsed - self._worse.setdefault(name, elapsed) >= self._lasting


def condition_of(health: Health) -> str:
    """Return the condition of a stream, one of :data:`RANKS`; only a current value has a level."""
    return health.level if health.state == "fresh" else health.state
