"""What PostgreSQL notifies: each time a reading, or the reason to run a query."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater

from streamd.config.fields import ConfigError
from streamd.config.kind import Kind, Surroundings
from streamd.core.duration import Duration
from streamd.sources.databases.queries import QuerySettings, Reading, open_session
from streamd.sources.feed import Feed
from streamd.sources.polling import MIN_RETRY, Polling
from streamd.sources.texts import ROOM, read_text


class NotifyChannel(str):
    """What is listened to."""

    @classmethod
    def parse(cls, written: Any) -> NotifyChannel:
        """:raises ValueError: with what would be right."""
        if not isinstance(written, str) or not 1 <= len(written.encode()) <= 63 or '"' in written:
            raise ValueError("expected a channel: NOTIFY's first word, at most 63 bytes")
        return cls(written)


class ListenSettings(QuerySettings, frozen=True, kw_only=True):
    """``[sources.NAME]`` with ``listen``.

    :ivar every: with ``query``: it runs so often without a notification.
    """

    listen: NotifyChannel
    every: Duration = Duration(60)


class ListenSource:
    """Listens first, then reads, then is live: again after every reconnect.

    So nothing is missed between reading and listening, nor while it was away.
    """

    def __init__(self, name: str, settings: ListenSettings, surroundings: Surroundings) -> None:
        self._reactor = surroundings.reactor
        self._channel, self._every = settings.listen, settings.every
        self._ears = open_session(name, settings, surroundings)
        self._eyes = open_session(name, settings, surroundings)
        self._reading = Reading(self._eyes, settings, self._reactor) if settings.query else None
        self._listening = Polling(self._hear, MIN_RETRY, self._reactor)
        self.every = settings.every if settings.query else None

    def start(self, feed: Feed) -> None:
        self._feed = feed
        self._listening.start(feed)

    def stop(self) -> Deferred[Any]:
        self._listening.stop()
        return DeferredList([self._ears.stop(), self._eyes.stop()], consumeErrors=True)

    async def _hear(self) -> None:
        """A run of this lasts as long as the connection does."""
        reading = self._make_reading()
        try:
            while not self._listening.stopped:
                began, payloads = await self._ears.hear(self._channel)
                if self._reading is None:
                    for number, payload in enumerate(payloads, 1):
                        await self._feed.put(read_text(payload.encode()))
                        if number % ROOM == 0:  # a flood lets others have their turn
                            await deferLater(self._reactor, 0)
                    self._feed.proved()
                elif began:
                    reading.stop()
                    reading = self._make_reading()
                    reading.start(self._feed)
                elif payloads:
                    reading.wake()
        finally:
            reading.stop()

    def _make_reading(self) -> Polling:
        return Polling(self._read, self._every, self._reactor, gently=True)

    def _read(self) -> Deferred[object]:
        assert self._reading is not None
        return self._reading.run(self._feed)


def _make(name: str, settings: ListenSettings, surroundings: Surroundings) -> ListenSource:
    path = f"sources.{name}.database"
    if not surroundings.reveal(path, settings.database).startswith("postgres"):
        raise ConfigError([f"{path}: expected PostgreSQL: others cannot listen"])
    return ListenSource(name, settings, surroundings)


KIND = Kind("postgres", frozenset(("listen",)), ListenSettings, _make)
