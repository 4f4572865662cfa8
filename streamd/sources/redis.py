"""Reads Redis: messages of channels, entries of a stream, or replies to a command at an interval."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from streamd.config.extras import needs_extra
from streamd.config.fields import ConfigError, Secret
from streamd.config.kind import Kind, Surroundings
from streamd.core.duration import Duration
from streamd.core.errors import Refused
from streamd.core.names import by_name
from streamd.core.update import MAX_TIME
from streamd.journals.journal import SourceCursor
from streamd.reactor.redis_client import (
    TIMEOUT,
    TOO_LONG,
    RedisConnection,
    RedisUrl,
    connect,
    explain,
    is_said,
    reading_replies,
    refusal,
)
from streamd.sources.entries import Entries, Entry
from streamd.sources.errors import SourceError, Unreachable
from streamd.sources.feed import Feed
from streamd.sources.incoming_texts import Texts, read_text, read_text_or_why
from streamd.sources.polling import MIN_RETRY, PING, Polling
from streamd.sources.settings import SourceSettings

EVERY = 1.0
"""Seconds between two commands."""

BATCH = 100
"""The most entries of a stream in one XREAD."""

MAX_FIRST = 1000
"""The most entries of a stream that are published at the first start."""

_ID = re.compile(r"[0-9]+-[0-9]+")


class RedisSettings(SourceSettings, frozen=True):
    """The table ``[sources.NAME]`` for Redis, with exactly one key of :data:`COMMANDS`."""

    SUBSCRIBING: ClassVar = ("subscribe", "psubscribe")
    POLLED: ClassVar = ("get", "hgetall", "hlen", "llen", "scard", "strlen", "xlen", "zcard")
    COMMANDS: ClassVar = (*SUBSCRIBING, "xread", *POLLED)

    url: RedisUrl = RedisUrl("redis://localhost")
    password: Secret | None = None
    every: Duration | None = None
    subscribe: str | list[str] | None = None
    psubscribe: str | list[str] | None = None
    xread: str | None = None
    get: str | None = None
    hgetall: str | None = None
    hlen: str | None = None
    llen: str | None = None
    scard: str | None = None
    strlen: str | None = None
    xlen: str | None = None
    zcard: str | None = None


class RedisSource:
    """Keeps one connection to Redis, and makes a new one when it breaks or hangs."""

    def __init__(self, name: str, settings: RedisSettings, surroundings: Surroundings) -> None:
        command = _command(f"sources.{name}", settings)
        self._name = name
        self._settings = settings
        self._command, self._key = command, getattr(settings, command)
        self._password = settings.url.password
        if settings.password is not None:
            self._password = surroundings.reveal(f"sources.{name}.password", settings.password)
        self._reactor, self._now = surroundings.reactor, surroundings.now
        polled = command in settings.POLLED
        self.every = settings.every or EVERY if polled else None
        self._work = self._follow if command == "xread" else self._poll if polled else self._hear
        self._heard: float | None = None  # when it was subscribed last
        self._most = MAX_FIRST  # entries in one reply; fewer if these are too long
        self._polling = Polling(self._run, MIN_RETRY, self._reactor)

    def start(self, feed: Feed) -> None:
        self._feed = feed
        self._entries = Entries(feed)
        self._texts = Texts(feed, self._reactor, self._settings.whole)
        self._polling.start(feed)

    def stop(self) -> None:
        self._texts.stop()
        self._polling.cancel()

    async def _run(self) -> None:
        """Read Redis until the connection ends."""
        link = None
        try:
            link = await connect(self._reactor, self._settings.url, self._password)
            with reading_replies():
                await self._work(link)
        except Exception as error:
            if str(error) == TOO_LONG:
                self._most = max(1, self._most // 2)
            raise _fit_for_a_wall(error, "url" if link is None else self._command) from error
        finally:
            if link is not None:
                link.abort()

    def _ask(self, link: RedisConnection, *words: Any) -> Deferred[Any]:
        return link.say(*words).addTimeout(TIMEOUT, self._reactor)

    async def _wait(self, link: RedisConnection, seconds: float) -> None:
        """Wait, and fail meanwhile if Redis no longer answers."""
        end = self._reactor.seconds() + seconds
        while (rest := end - self._reactor.seconds()) > 0:
            await deferLater(self._reactor, min(rest, PING))
            if rest > PING:
                await self._ask(link, "PING")

    # -- the three ways to read --------------------------------------------------------------------

    async def _hear(self, link: RedisConnection) -> None:
        """Publish each message of the channels as a reading.

        Redis does not keep messages.  After a gap each stream is late until its next message.
        """
        link.on_message = self._texts.put
        for channel in [self._key] if isinstance(self._key, str) else self._key:
            await self._ask(link, self._command, channel)
        self._feed.missed(self._heard)
        while True:
            self._heard = self._now()
            await self._wait(link, PING)
            await self._ask(link, "PING")

    async def _poll(self, link: RedisConnection) -> None:
        """Send the command at an interval, and publish each reply as a reading."""
        assert self.every is not None
        while True:
            self._feed.asks()
            reply = await self._ask(link, self._command, self._key)
            try:
                if self._command != "hgetall":
                    await self._feed.put(read_text(reply) if isinstance(reply, bytes) else reply)
                elif self._settings.whole:
                    await self._feed.put(_object(reply))
                else:
                    await self._feed.put_all(by_name(_object(reply)))
            except Refused:
                self._feed.failed(Failure())
            await self._wait(link, self.every)

    async def _follow(self, link: RedisConnection) -> None:
        """Publish each entry of the stream as an update.

        The id of the last entry is stored with the updates, so that none is lost or published twice.
        """
        place = await self._feed.place()
        after = place if place is not None and _ID.fullmatch(place) else "0"
        if after == "0":  # of the entries from before the first start, only the newest
            count = min(self._feed.keep.updates or BATCH, self._most)
            newest = await self._ask(link, "XREVRANGE", self._key, "+", "-", "COUNT", count)
            if newest:
                place = after = await self._add(newest[::-1], place)
        while True:
            if await self._is_other_stream(link, after):
                after = "0"
            count = min(BATCH, self._most)
            words = ("COUNT", count, "BLOCK", int(PING * 1000), "STREAMS", self._key, after)
            reply = await self._ask(link, "XREAD", *words)
            if reply:
                place = after = await self._add(reply[0][1], place)
            else:
                self._entries.unchanged()

    async def _is_other_stream(self, link: RedisConnection, after: str) -> bool:
        """Return True if the stream was deleted and made again: its last id is below ``after``."""
        try:
            about = await self._ask(link, "XINFO", "STREAM", self._key)
        except Exception as error:
            if is_said(error):  # there is no stream, or XREAD will say what is wrong
                return False
            raise
        last: bytes = dict(zip(about[::2], about[1::2], strict=True))[b"last-generated-id"]
        return _number(last.decode()) < _number(after)

    async def _add(self, entries: list[Any], place: str | None) -> str:
        """Publish entries.

        :param place: the id that is stored before.
        :returns: the id of the last entry, which is stored afterwards.
        """
        last: str = entries[-1][0].decode()
        cursor = SourceCursor(self._name, place, last)
        await self._entries.add([_entry(id.decode(), fields) for id, fields in entries], cursor)
        return last


def _fit_for_a_wall(error: Exception, key: str) -> Exception:
    """Return the error as one that walls may show, without addresses and passwords.

    :param key: the configuration key that the error refers to if Redis refuses permanently.
    """
    text = explain(error)
    if text is None:
        return error
    if is_said(error) and refusal(str(error)) is None:
        return SourceError(text, key=key)
    return Unreachable(text, f"({type(error).__name__})", "url")


def _number(id: str) -> tuple[int, ...]:
    """Return the id of an entry as numbers, which sort in the order of the entries."""
    return tuple(map(int, id.split("-")))


def _entry(id: str, fields: Iterable[bytes]) -> Entry:
    """Return an entry of a stream, with the time in its id.

    Redis makes ids from the clock in milliseconds, but a writer may choose others.  If the id is not a
    valid time, the entry gets the current time.
    """
    time = int(id.partition("-")[0]) / 1000
    return Entry(f"entry {id}", _object(fields), time if time <= MAX_TIME else None)


def _object(flat: Iterable[bytes]) -> dict[str, Any]:
    """Return ``[key, value, key, value]`` as an object; bad values become :class:`BadValue`."""
    words = [*flat]
    pairs = zip(words[::2], words[1::2], strict=True)
    return {key.decode(errors="replace"): read_text_or_why(value) for key, value in pairs}


def _command(path: str, settings: RedisSettings) -> str:
    """Return the one key of :attr:`RedisSettings.COMMANDS` that the table has."""
    commands = [key for key in settings.COMMANDS if getattr(settings, key) is not None]
    if len(commands) != 1:
        raise ConfigError([f"{path}: expected one of {', '.join(settings.COMMANDS)}"])
    [command] = commands
    if not getattr(settings, command):
        raise ConfigError([f"{path}.{command}: expected a name"])
    if settings.every and command not in settings.POLLED:
        raise ConfigError([f"{path}.every: {command} tells by itself when there is news"])
    try:
        import hiredis  # noqa: F401
    except ImportError:
        problem = f"{path}.url: {needs_extra('Redis', 'hiredis', 'redis')}"
        raise ConfigError([problem]) from None
    return command


TOLD_BY = frozenset(("redis:", "rediss:", "subscribe", "psubscribe", "xread"))
KIND = Kind("redis", TOLD_BY, RedisSettings, RedisSource)
