"""What Redis says: messages, the entries of a stream, or the answer to a command every so often."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from streamd.config.extras import needs_extra
from streamd.config.fields import ConfigError, Secret
from streamd.config.kind import Kind, Surroundings
from streamd.core.duration import Duration
from streamd.core.errors import Refused
from streamd.core.values import from_python
from streamd.journals.journal import SourceCursor
from streamd.reactor.redis_client import TIMEOUT, RedisUrl
from streamd.sources.errors import SourceError, Unreachable
from streamd.sources.feed import Feed
from streamd.sources.polling import MIN_RETRY, Polling
from streamd.sources.settings import SourceSettings
from streamd.sources.texts import Texts, read_text

PING = 1.0
"""Seconds between two questions whether Redis is still there."""

EVERY = 1.0
"""Seconds between two looks at a value."""

BATCH = 100
"""Entries of a stream that are read at once."""

MAX_FIRST = 1000
"""Entries that are taken of what is there at the very first."""


class RedisSettings(SourceSettings, frozen=True):
    """``[sources.NAME]`` with a ``url`` of Redis, and one key that says what is wanted of it."""

    ASKED: ClassVar = ("get", "hgetall", "hlen", "llen", "scard", "strlen", "xlen", "zcard")
    WANTED: ClassVar = ("subscribe", "psubscribe", "xread", *ASKED)

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
    """Keeps one connection, on which it hears or asks; made anew when it breaks or hangs."""

    def __init__(
        self,
        name: str,
        settings: RedisSettings,
        wanted: str,
        password: str,
        surroundings: Surroundings,
    ) -> None:
        import txredisapi

        self._name = name
        self._url = settings.url
        self._password = password
        self._wanted = wanted
        self._key = getattr(settings, wanted)
        self._whole = settings.whole
        asks = wanted in RedisSettings.ASKED
        self.every = settings.every or EVERY if asks else None
        self._reactor = surroundings.reactor
        # A SubscriberProtocol takes any answer with "message" in the right place for one.
        subscribes = wanted in ("subscribe", "psubscribe")
        self._protocol = txredisapi.SubscriberProtocol if subscribes else txredisapi.RedisProtocol
        self._refused = txredisapi.ResponseError
        self._errors = txredisapi.RedisError
        self._work = self._hear if subscribes else self._ask if asks else self._read
        self._running: Deferred[None] | None = None
        self._polling = Polling(self._run, MIN_RETRY, self._reactor)

    def start(self, feed: Feed) -> None:
        self._feed = feed
        self._texts = Texts(feed, self._reactor)
        self._polling.start(feed)

    def stop(self) -> None:
        self._polling.stop()
        if self._running is not None:
            self._texts.stop()
            self._running.cancel()

    # -- the connection ----------------------------------------------------------------------------

    def _run(self) -> Deferred[None]:
        """Lasts as long as the connection does."""
        self._untrusted = self._strange = self._reached = False
        self._running = Deferred.fromCoroutine(self._connected())
        return self._running.addErrback(self._explain)

    async def _connected(self) -> None:
        link = self._protocol(charset=None, convertNumbers=False)
        url = self._url
        endpoint = url.endpoint(self._reactor)
        await endpoint.connect(Factory.forProtocol(lambda: link)).addTimeout(TIMEOUT, self._reactor)
        link.connectionLost = partial(self._lost, link.connectionLost)
        link.dataReceived = partial(self._received, link, link.dataReceived)
        try:
            for words in url.greeting(self._password):
                await self._say(link, *words)
            self._reached = True
            await self._work(link)
        finally:
            link.transport.abortConnection()

    def _lost(self, lost: Callable[[Failure], None], why: Failure) -> None:
        self._untrusted = type(why.value).__module__.startswith(("OpenSSL", "service_identity"))
        lost(why)

    def _received(self, link: Any, receive: Callable[[bytes], None], data: bytes) -> None:
        try:
            receive(data)
        except self._errors:
            self._strange = True
            link.transport.abortConnection()

    def _say(self, link: Any, *words: Any) -> Deferred[Any]:
        answer: Deferred[Any] = link.execute_command(*words)
        return answer.addTimeout(TIMEOUT, self._reactor)

    async def _wait(self, link: Any, seconds: float) -> None:
        """Waits, and looks meanwhile whether Redis is still there."""
        end = self._reactor.seconds() + seconds
        while (rest := end - self._reactor.seconds()) > 0:
            await deferLater(self._reactor, min(rest, PING))
            if rest > PING:
                await self._say(link, "PING")

    def _explain(self, failure: Failure) -> Any:
        """Say on the wall what can be said there: neither address nor password."""
        if failure.check(self._refused):
            key = self._wanted if self._reached else "url"
            raise SourceError(f"Redis: {str(failure.value).strip()[:200]}", key=key)
        if self._strange:
            raise Unreachable("what answers is not Redis", key="url")
        if self._untrusted:
            raise Unreachable("the certificate of Redis is not trusted", key="url")
        texts = {
            TimeoutError: "Redis does not answer",
            ConnectingCancelledError: "Redis does not accept connections",
            DNSLookupError: "the host of Redis is not known",
            ConnectError: "Redis does not accept connections",
            self._errors: "Redis closed the connection",
        }
        if kind := failure.check(*texts):
            raise Unreachable(texts[kind], f"({type(failure.value).__name__})", "url")
        return failure

    # -- what is wanted of it ----------------------------------------------------------------------

    async def _hear(self, link: Any) -> None:
        """Each message is a reading."""
        link.messageReceived = lambda pattern, channel, message: self._texts.put(message)
        for channel in [self._key] if isinstance(self._key, str) else self._key:
            await self._say(link, self._wanted, channel)
        self._feed.proved()
        await self._wait(link, math.inf)

    async def _ask(self, link: Any) -> None:
        """The answer to a command is a reading."""
        assert self.every is not None
        while True:
            answer = await self._say(link, self._wanted, self._key)
            try:
                if self._wanted != "hgetall":
                    await self._feed.put(read_text(answer) if isinstance(answer, bytes) else answer)
                elif self._whole:
                    await self._feed.put(_object(answer))
                else:
                    await self._feed.put_all(_object(answer))
            except Refused:
                self._feed.failed(Failure())
            await self._wait(link, self.every)

    async def _read(self, link: Any) -> None:
        """Each entry is an update.  Where it was is kept with the updates: none is lost or doubled."""
        place = await self._feed.place()
        if place is None:  # of what is there already, the newest
            count = min(self._feed.keep.updates or BATCH, MAX_FIRST)
            entries = await self._say(link, "XREVRANGE", self._key, "+", "-", "COUNT", count)
            place = await self._add(entries[::-1], None)
        while True:
            wanted = ("COUNT", BATCH, "BLOCK", int(PING * 1000), "STREAMS", self._key, place or "0")
            answer = await self._say(link, "XREAD", *wanted)
            if answer:
                place = await self._add(answer[0][1], place)
            else:
                self._feed.proved()

    async def _add(self, entries: list[Any], place: str | None) -> str | None:
        """:returns: the id of the last."""
        if not entries:
            return place
        values, wrong = [], None
        for at, fields in entries:
            try:
                value = _object(fields)
                from_python(value)
                values.append((value, int(at.split(b"-")[0]) / 1000))
            except Refused as refused:  # it will never be right: the others must not wait for it
                wrong = SourceError(f"entry {at.decode()}: {refused.message}")
        last: str = entries[-1][0].decode()
        await self._feed.add(values, SourceCursor(self._name, place, last))
        if wrong is not None:
            self._feed.failed(Failure(wrong))
        return last


def _object(flat: Iterable[bytes]) -> dict[str, Any]:
    """Redis's ``[key, value, key, value]``."""
    words = [*flat]
    pairs = zip(words[::2], words[1::2], strict=True)
    return {key.decode(errors="replace"): read_text(value) for key, value in pairs}


def _make(name: str, settings: RedisSettings, surroundings: Surroundings) -> RedisSource:
    path = f"sources.{name}"
    wanted = [key for key in RedisSettings.WANTED if getattr(settings, key) is not None]
    if len(wanted) != 1:
        raise ConfigError([f"{path}: expected one of {', '.join(RedisSettings.WANTED)}"])
    if not getattr(settings, wanted[0]):
        raise ConfigError([f"{path}.{wanted[0]}: expected a name"])
    if settings.every and wanted[0] not in RedisSettings.ASKED:
        raise ConfigError([f"{path}.every: {wanted[0]} tells by itself when there is news"])
    password = settings.url.password
    if settings.password is not None:
        password = surroundings.reveal(f"{path}.password", settings.password)
    try:
        return RedisSource(name, settings, wanted[0], password, surroundings)
    except ImportError:
        needs = needs_extra("Redis", "txredisapi", "redis")
        raise ConfigError([f"{path}.url: {needs}"]) from None


KIND = Kind(
    "redis",
    frozenset(("redis:", "rediss:", "subscribe", "psubscribe", "xread")),
    RedisSettings,
    _make,
)
