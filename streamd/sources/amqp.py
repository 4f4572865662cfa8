"""Reads AMQP 0-9-1: each message of a queue or an exchange is the newest value of a stream."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from twisted.internet.defer import Deferred

from streamd.config.extras import needs_extra
from streamd.config.fields import ConfigError, Secret
from streamd.config.kind import Kind, Surroundings
from streamd.core.pointer import Pick
from streamd.core.record import read_record
from streamd.core.values import BadValue
from streamd.sources.brokers.amqp_client import MAX_WAITING, AmqpConnection, AmqpMessage
from streamd.sources.brokers.amqp_errors import NotThere, Shared
from streamd.sources.brokers.amqp_keys import MAX_KEY, Keys
from streamd.sources.brokers.amqp_login import AmqpLogin
from streamd.sources.brokers.broker_url import BrokerUrl, twisted_tls
from streamd.sources.brokers.inbox import Inbox
from streamd.sources.errors import Unreachable
from streamd.sources.feed import Feed
from streamd.sources.incoming_texts import read_text_or_why
from streamd.sources.polling import MIN_RETRY, Polling
from streamd.sources.settings import SourceSettings

KEPT = "kept"
"""The kind of the records that say what the queue of a source keeps."""


class AmqpUrl(BrokerUrl):
    """``amqp://user:password@host:5672/vhost``, or ``amqps://…`` for TLS."""

    PORTS: ClassVar = {"amqp": 5672, "amqps": 5671}


class AmqpSettings(SourceSettings, frozen=True, kw_only=True):
    """The table ``[sources.NAME]`` with an AMQP ``url``.

    :ivar queue: a queue that exists, and that no other program reads.
    :ivar exchange: an exchange, instead of a queue: streamd makes a queue that lasts as long as the
        connection.
    :ivar key: the routing keys to read, by the beginnings of streams' names; None for all keys, whose
        messages are values of the stream with the source's name.
    :ivar ca: see :func:`tls_context`, also for ``certificate`` and ``private_key``.
    """

    url: AmqpUrl
    queue: str | None = None
    exchange: str | None = None
    key: Keys | None = None
    pick: Pick = Pick("")
    password: Secret | None = None
    ca: str | None = None
    certificate: str | None = None
    private_key: str | None = None


class Kept(msgspec.Struct, frozen=True):
    """The journal's record of the queue that was read last.

    :ivar queue: its broker, virtual host and name.
    :ivar lossy: whether streamd got a message that a restart of the broker would have lost.
    """

    queue: str
    lossy: bool = False


class AmqpSource:
    """Keeps one connection to a broker, and makes a new one when it breaks or hangs.

    A queue keeps the messages while there is no connection, until they are acknowledged.  An exchange
    does not, so messages may be missing after each reconnect.
    """

    def __init__(self, name: str, settings: AmqpSettings, surroundings: Surroundings) -> None:
        self._settings = settings
        self._login = _login(f"sources.{name}", settings, surroundings)
        self._reactor, self._now = surroundings.reactor, surroundings.now
        self._polling = Polling(self._run, MIN_RETRY, self._reactor)
        self._looks = surroundings.looks
        self._heard: float | None = None  # until when nothing was missed
        self._gap = False  # the queue was not there for a while
        self._behind = False  # messages from before the connect are still to come
        self._kept = Kept("")
        self._link: AmqpConnection | None = None

    def start(self, feed: Feed) -> None:
        self._feed = feed
        self._inbox = Inbox(feed, self._reactor, self._settings.whole)
        self._polling.start(feed)

    def stop(self) -> Deferred[None] | None:
        self._polling.cancel()
        return None if self._link is None else self._link.gone

    def _run(self) -> Deferred[None]:
        """Read until the connection ends."""
        return Deferred.fromCoroutine(self._connected())

    async def _connected(self) -> None:
        link = self._link = AmqpConnection(self._reactor, self._login)
        refused = Unreachable("a message was not stored; the broker will send it again")
        self._inbox.on_refused = lambda: link.fail(refused)
        link.on_message = self._received
        link.on_proof = self._lives
        try:
            await link.open()
            await self._choose(link)
            await link.consume()
            await link.lost()
        except NotThere:
            self._gap = True
            raise
        except Shared:
            if not self._looks:
                raise
            self._feed.waits("another program, perhaps the daemon, reads the queue now")
            await Deferred()  # until it is stopped
        finally:
            self._inbox.clear()
            link.close()

    async def _choose(self, link: AmqpConnection) -> None:
        """Say what is read, and whether something was missed since it was read last."""
        settings = self._settings
        if settings.queue is not None:
            await link.use_queue(settings.queue)
            whole = await self._keeps_all(settings.queue)
        else:
            assert settings.exchange is not None
            await link.bind(settings.exchange, [*settings.key] if settings.key else ["#"])
            whole = False
        if self._looks:
            return  # the first message comes before the second proof
        self._behind = whole and not self._gap
        if not self._behind:
            self._feed.missed(self._heard)
        elif link.waiting:
            self._feed.waits("messages from before are still being read")
        self._gap = False

    async def _keeps_all(self, queue: str) -> bool:
        """Return whether the queue was read before, and has kept every message since."""
        login = self._login
        mine = f"{login.host}:{login.port}/{login.vhost}/{queue}"
        record = await self._feed.record(KEPT)
        self._kept = read_record(record, Kept) or self._kept
        if self._kept.queue != mine:
            await self._keep(Kept(mine))
            return False
        return not self._kept.lossy

    async def _keep(self, kept: Kept) -> None:
        self._kept = kept
        await self._feed.keep_record(KEPT, msgspec.json.encode(kept))

    def _lives(self, took: float, waited: int) -> None:
        if self._behind and self._link is not None and not self._link.waiting:
            self._behind = False
            self._inbox.flush()
            self._feed.resumed()
        if self._looks and self._heard is not None:
            self._feed.proved()
        if self._settings.exchange is not None and waited >= MAX_WAITING:
            self._feed.missed(self._heard)  # the broker may have dropped some
        self._heard = self._now() - took

    def _received(self, message: AmqpMessage) -> None:
        settings = self._settings
        if settings.queue is not None and not message.kept and not self._kept.lossy:
            kept = msgspec.structs.replace(self._kept, lossy=True)
            keeping = Deferred.fromCoroutine(self._keep(kept))
            keeping.addErrback(self._feed.failed)
        done = None if self._looks else message.acknowledge  # else the broker forgets it
        end = "" if settings.key is None else settings.key.match(message.key)
        if end is None:
            if done is not None:
                done()
            return
        value = read_text_or_why(message.body)
        if not isinstance(value, BadValue):
            value = settings.pick.out_of(value)
        self._inbox.put(end, value, done)


def _login(path: str, settings: AmqpSettings, surroundings: Surroundings) -> AmqpLogin:
    """Check the settings, and return the login, with the secrets in plain text."""
    url = settings.url
    _check(path, settings)
    try:
        import pika  # noqa: F401
    except ImportError:
        raise ConfigError([f"{path}.url: {needs_extra('AMQP', 'pika', 'amqp')}"]) from None
    user, password = (url.user, url.password) if url.user else ("guest", "guest")
    if settings.password is not None:
        password = surroundings.reveal(f"{path}.password", settings.password)
    tls: Any = None
    if url.tls:
        files = {key: getattr(settings, key) for key in ("ca", "certificate", "private_key")}
        tls = twisted_tls(path, surroundings, url.host, **files)
    return AmqpLogin(url.host, url.port, url.path or "/", user, password, tls)


def _check(path: str, settings: AmqpSettings) -> None:
    """Check what the types of the settings do not say.

    :raises ConfigError: if it is wrong.
    """
    if (settings.queue is None) == (settings.exchange is None):
        raise ConfigError([f"{path}.queue: expected either a queue or an exchange"])
    for key in ("queue", "exchange"):
        name = getattr(settings, key)
        if name is not None and not 1 <= len(name.encode()) <= MAX_KEY:
            raise ConfigError([f"{path}.{key}: expected the name of the {key}"])
    for key in ("ca", "certificate", "private_key"):
        if getattr(settings, key) is not None and not settings.url.tls:
            raise ConfigError([f"{path}.{key}: expected a url with amqps://"])
    if settings.private_key is not None and settings.certificate is None:
        raise ConfigError([f"{path}.private_key: expected a certificate, too"])


KIND = Kind("amqp", frozenset(("amqp:", "amqps:")), AmqpSettings, AmqpSource)
