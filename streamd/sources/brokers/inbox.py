"""The inbox: publishes messages of a broker at a bounded rate; acknowledges stored ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.interfaces import IReactorTime

from streamd.core.names import end_of_name, is_below, join_ends
from streamd.core.values import BadValue
from streamd.reactor.deadline import Deadline
from streamd.sources.feed import Feed
from streamd.sources.incoming_texts import ROOM
from streamd.wire.requests import PACE

RATE = ROOM / PACE
"""Readings a second in a flood: a thousand."""

MAX_MEMBERS = 100_000
"""The most streams for which the inbox remembers that they are members of an object."""

Done = Callable[[], object]


class Inbox:
    """Publishes messages through a feed: each is the newest value of some streams.

    The first 32 messages are published one by one.  In a flood the messages of a millisecond become
    one reading with the newest value of each stream.  So a flood of one stream hides no other
    stream.

    A message is acknowledged when its reading is in the journal.  A broker sends only a limited
    number of messages that are not acknowledged.  So no message waits for long.

    :ivar on_refused: called when the journal refused a reading, whose messages are not
        acknowledged.
    """

    def __init__(self, feed: Feed, clock: IReactorTime, whole: bool) -> None:
        """:param whole: publish an object as one value, instead of one stream for each member."""
        self._objects: dict[
            str, str
        ] = {}  # end of a name of a member's stream -> that of its object
        self._feed = feed
        self._clock = clock
        self._whole = whole
        self._room = float(ROOM)
        self._filled = clock.seconds()
        self._next = Deadline(clock)
        self._parts: dict[str, Any] = {}
        self._gone: set[str] = set()
        self._done: list[Done] = []
        self.on_refused: Callable[[], object] = lambda: None

    def put(self, end: str, value: Any, done: Done | None = None) -> None:
        """Publish the value of a message, now or soon.

        :param end: the end of the stream's name; empty for the stream with the source's name.  Members
            of an object get streams below it.
        :param value: a Python value that JSON can express, or a :class:`BadValue`.  That fails the
            stream, or the streams of the members if the last value was an object.
        :param done: acknowledges the message.
        """
        if isinstance(value, Mapping) and not self._whole:
            parts = {join_ends(end, end_of_name(key)): part for key, part in value.items()}
            self._parts |= parts
            if len(self._objects) + len(parts) <= MAX_MEMBERS:
                self._objects.update(dict.fromkeys(parts, end))
        else:
            self._parts[end] = value
        self._add(done)

    def forget(self, end: str, done: Done | None = None) -> None:
        """Forget a stream and all below it, now or soon.

        :param done: acknowledges the message.
        """
        self._parts = {name: part for name, part in self._parts.items() if not is_below(name, end)}
        self._gone.add(end)
        self._add(done)

    def fail(self, end: str, reason: str) -> None:
        """Fail a stream and all below it, each until its next value, after waiting messages."""
        self.flush()
        below = [name for name in self._feed.ends if is_below(name, end)]
        if below:
            self._parts = {name: BadValue(reason) for name in below}
            self._add(None)

    def flush(self) -> None:
        """Publish waiting messages at once."""
        if self._parts or self._gone or self._done:
            self._publish()

    def clear(self) -> None:
        """Drop waiting messages without acknowledging them: the connection has ended."""
        self.on_refused = lambda: None
        self._empty()
        self._next.cancel()

    def _empty(self) -> None:
        self._parts, self._gone, self._done = {}, set(), []

    def _add(self, done: Done | None) -> None:
        if done is not None:
            self._done.append(done)
        if not self._next:
            self._turn()

    def _turn(self) -> None:
        """Publish what waits if there is room, else once there is."""
        now = self._clock.seconds()
        self._room = min(ROOM, self._room + (now - self._filled) * RATE)
        self._filled = now
        if self._room >= 1:
            self._room -= 1
            self.flush()
        else:
            self._next.set((1 - self._room) / RATE, self._turn)

    def _publish(self) -> None:
        parts, gone, done = self._parts, self._gone, self._done
        self._empty()
        stored = self._feed.put_some(self._spread(parts), gone)
        stored.addCallback(self._stored, done)

    def _spread(self, parts: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the values; a bad value instead of an object is the value of each member."""
        bad = {end: value for end, value in parts.items() if isinstance(value, BadValue)}
        ends = self._feed.ends if bad else ()
        members = {e: bad[self._objects[e]] for e in ends if self._objects.get(e) in bad}
        wrong = {self._objects[end] for end in members}
        return members | {end: part for end, part in parts.items() if end not in wrong}

    def _stored(self, is_stored: bool, done: list[Done]) -> None:
        if not is_stored:
            self.on_refused()
            return
        for acknowledge in done:
            acknowledge()
