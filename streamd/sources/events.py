"""Reads server-sent events: each is published, and the id of the last is the source's cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.task import deferLater

from streamd.config.fields import ConfigError
from streamd.config.kind import Kind, Surroundings
from streamd.core.duration import Duration
from streamd.core.errors import shorten
from streamd.core.pointer import Pick
from streamd.journals.journal import SourceCursor
from streamd.reactor.deadline import Deadline
from streamd.sources.errors import SourceError, Unreachable
from streamd.sources.feed import SETTLED
from streamd.sources.incoming_texts import read_text_or_why
from streamd.sources.polling import MAX_LATER, MIN_RETRY
from streamd.sources.shape import NOTHING, MessageShape, Shape, check_shape, newest
from streamd.sources.shape import Event as Reading
from streamd.sources.web.event_stream import Event, EventBody, EventStreamSource
from streamd.sources.web.http_get import HttpGetSettings, HttpUrl, headers_of, later

FLOOD = 1000
"""The most events of one step that are all published; of older ones only the newest of each stream."""

LIFE = 1.0
"""Seconds between two proofs of a connection that is alive."""

MAX_PAUSE = 60.0
"""The longest pause in seconds before a reconnect that a server may ask for with ``retry``."""


class EventSettings(HttpGetSettings, frozen=True, kw_only=True):
    """The table ``[sources.NAME]`` with ``events``.

    :ivar events: true, or the names of the events that count.
    :ivar silence: the longest time without a byte.
    """

    url: HttpUrl
    events: bool | list[str]
    pick: Pick = Pick("")
    key: str | None = None
    silence: Duration = Duration(60)


class EventSource(EventStreamSource):
    """Publishes each event; a new connection continues after the last event."""

    _settings: EventSettings

    def __init__(self, name: str, settings: EventSettings, surroundings: Surroundings) -> None:
        super().__init__(settings, surroundings)
        names = settings.events
        if not names or (isinstance(names, list) and not all(names)):
            expected = 'expected true, or names such as ["price"]'
            raise ConfigError([f"sources.{name}.events: {expected}"])
        self._name = name
        shape = Shape(settings.pick, settings.key, settings.whole)
        self._messages = MessageShape(check_shape(f"sources.{name}", shape))
        self._names = frozenset(names) if isinstance(names, list) else None
        self._headers = {
            "Accept": "text/event-stream",
            "Cache-Control": "no-store",
            **headers_of(name, settings, surroundings),
        }
        self._good = True  # whether all streams have a value
        self._soon = Deadline(self._reactor)  # then what the server has kept was read
        self._heard: float | None = None  # when something came last
        self._proved = 0.0

    async def _follow(self) -> None:
        """Read one connection after the other, until one fails."""
        self._place = await self._feed.place()
        while True:
            body = await self._connect()
            try:
                while events := await body.next():
                    await self._publish(events)
                if self._soon:  # the stream ended so soon
                    self._feed.resumed()
            finally:
                self._soon.cancel()
            if not body.heard:
                raise Unreachable("the event stream ended at once")
            pause = MIN_RETRY if body.parser.retry is None else body.parser.retry
            await deferLater(self._reactor, min(max(pause, MIN_RETRY), MAX_PAUSE))

    async def _connect(self) -> EventBody:
        headers = dict(self._headers)
        if self._place is not None:
            headers["Last-Event-ID"] = self._place
        body = EventBody(self._reactor, self._settings.silence, self._lives)
        await self._open(self._settings.url, headers, body)
        if self._place is None:
            self._feed.missed(self._heard)
        else:
            self._soon.set(min(SETTLED, self._settings.silence / 2), self._feed.resumed)
        return body

    def _refusal(self, response: Any, kind: str) -> SourceError:
        if response.code == 204:
            return later("the server has no more events (204)", MAX_LATER)
        if response.code == 200:
            return SourceError(f"the answer is {shorten(kind or 'of no type')}, no event stream")
        return super()._refusal(response, kind)

    def _lives(self) -> None:
        """Note that the connection is alive: what it said before is still its newest."""
        self._heard = self._now()
        if self._good and self._reactor.seconds() - self._proved >= LIFE:
            self._proved = self._reactor.seconds()
            self._feed.proved()

    async def _publish(self, events: Sequence[Event]) -> None:
        """Publish events, and store the id of the last one in the same step."""
        wanted = [e for e in events if self._names is None or e.type in self._names]
        found = [self._messages.read(read_text_or_why(event.data)) for event in wanted]
        readings: list[Reading] = [(reading, None) for reading in found if reading is not NOTHING]
        place = events[-1].id or self._place
        cursor = None if place is None else SourceCursor(self._name, self._place, place)
        if readings or place != self._place:
            good = await self._feed.add_readings(newest(readings, FLOOD), cursor)
            self._good = good if readings else self._good
            self._place = place


KIND = Kind("events", frozenset(("events",)), EventSettings, EventSource)
