"""Listens to PostgreSQL's notifications: each is published, or makes a query run."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater

from streamd.config.fields import ConfigError
from streamd.config.kind import Kind, Surroundings
from streamd.core.duration import Duration
from streamd.sources.databases.past_query import open_backfill
from streamd.sources.databases.queries import QueryReading, QuerySettings, open_session
from streamd.sources.feed import Feed
from streamd.sources.incoming_texts import ROOM, read_text_or_why
from streamd.sources.polling import MIN_RETRY, Polling


class NotifyChannel(str):
    """A channel of NOTIFY."""

    @classmethod
    def parse(cls, written: Any) -> NotifyChannel:
        if not isinstance(written, str) or not 1 <= len(written.encode()) <= 63 or '"' in written:
            raise ValueError("expected a channel: NOTIFY's first word, at most 63 bytes")
        return cls(written)


class ListenSettings(QuerySettings, frozen=True, kw_only=True):
    """The table ``[sources.NAME]`` with ``listen``.

    :ivar every: the interval at which ``query`` runs even without a notification.
    """

    listen: NotifyChannel
    every: Duration = Duration(60)


class ListenSource:
    """Listens to a channel, and publishes the notifications or the rows of a query.

    After each connect the source first listens and then runs the query, so that the query misses no
    change.  Without a query, notifications sent between two connections are lost.  Each stream is then
    late until its next notification.
    """

    def __init__(self, name: str, settings: ListenSettings, surroundings: Surroundings) -> None:
        self._reactor, self._now = surroundings.reactor, surroundings.now
        self._channel, self._every = settings.listen, settings.every
        self._notifying = open_session(name, settings, surroundings)
        self._querying = open_session(name, settings, surroundings)
        query = settings.query is not None
        self.backfill = open_backfill(name, settings, surroundings)
        reading = QueryReading(self._querying, settings, self._reactor, self.backfill.start)
        self._reading = reading if query else None
        self._listening = Polling(self._listen, MIN_RETRY, self._reactor)
        self.every = settings.every if query else None
        self._heard: float | None = None  # when this listened last

    def start(self, feed: Feed) -> None:
        self._feed = feed
        self._listening.start(feed)

    def stop(self) -> Deferred[Any]:
        self._listening.stop()
        parts = (self._notifying, self._querying, self.backfill)
        return DeferredList([part.stop() for part in parts], consumeErrors=True)

    async def _listen(self) -> None:
        """Listen until the connection ends."""
        await self._notifying.listen(self._channel)
        if self._reading is None:
            await self._follow()
        reading = Polling(self._read, self._every, self._reactor, gently=True)
        reading.start(self._feed)
        try:
            while not self._listening.stopped:
                if await self._notifying.notifications():
                    reading.wake()
        finally:
            reading.stop()

    async def _follow(self) -> None:
        """Publish each notification as a reading."""
        self._feed.missed(self._heard)
        while not self._listening.stopped:
            payloads = await self._notifying.notifications()
            self._heard = self._now()
            for number, payload in enumerate(payloads, 1):
                await self._feed.put(read_text_or_why(payload.encode()))
                if number % ROOM == 0:  # a flood lets others have their turn
                    await deferLater(self._reactor, 0)
            self._feed.proved()

    async def _read(self) -> object:
        assert self._reading is not None
        # The connection was idle: if its link went silent, the query would wait for all of its timeout.
        await self._querying.ping()
        return await self._reading.run(self._feed)


def _make(name: str, settings: ListenSettings, surroundings: Surroundings) -> ListenSource:
    path = f"sources.{name}.database"
    if not surroundings.reveal(path, settings.database).startswith(
        ("postgres://", "postgresql://")
    ):
        raise ConfigError([f"{path}: expected PostgreSQL: others cannot listen"])
    return ListenSource(name, settings, surroundings)


KIND = Kind("postgres", frozenset(("listen",)), ListenSettings, _make)
