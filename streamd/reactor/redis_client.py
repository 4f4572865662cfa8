"""A small client for Redis: its URL, one connection, and error messages that walls may show."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from twisted.internet.defer import Deferred, TimeoutError, fail
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from streamd.core.parsed_text import ParsedText

TIMEOUT = 2.0
"""Seconds that Redis has to accept a connection, or to answer a command."""

MAX_REPLY = 64 * 2**20
"""The most bytes of a reply: twice those of 500 entries of the log with the longest values."""

STRANGE = "what answers is not Redis"
TOO_LONG = "a reply of Redis is too long"

REFUSALS = {
    "OOM ": "Redis is full",
    "READONLY ": "this Redis is read-only",
    "UNBLOCKED ": "this Redis is read-only",
    "MASTERDOWN ": "this Redis has lost its master",
    "NOREPLICAS ": "Redis has too few replicas",
    "MISCONF ": "Redis cannot write to its disk",
    "LOADING ": "Redis is starting",
    "BUSY ": "Redis is busy with a script",
}
"""Error replies for problems that may be temporary: the code in the reply -> the text for walls.

The codes are from Redis's ``src/server.c`` (``createSharedObjects``)."""

_MESSAGES = ([b"message"], [b"pmessage"])
"""The first word of a pushed message: [kind, (pattern,) channel, payload]."""

_log = Logger()


class RedisUrl(ParsedText):
    """``redis://user:password@host:6379/0``, or ``rediss://`` for TLS; ``str`` shows no password."""

    def __init__(self, written: str) -> None:
        parts = urlsplit(written)
        self.tls = parts.scheme == "rediss"
        self.host = parts.hostname or "localhost"
        self.port = parts.port or 6379
        self.user = unquote(parts.username or "")
        self.password = unquote(parts.password or "")
        self.database = int(parts.path.removeprefix("/") or 0)

    @classmethod
    def parse(cls, written: Any) -> RedisUrl:
        wanted = 'expected a URL such as "redis://localhost" or "redis://:password@host:6379/0"'
        if not isinstance(written, str) or not written.startswith(("redis://", "rediss://")):
            raise ValueError(wanted)
        try:
            return cls(written)
        except ValueError:  # what it says quotes the URL
            raise ValueError(wanted) from None

    def __str__(self) -> str:
        scheme = "rediss" if self.tls else "redis"
        login = self.user + (":…" if self.password else "")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{login}{login and '@'}{host}:{self.port}/{self.database}"

    def greeting(self, password: str) -> list[tuple[str | int, ...]]:
        """Return the commands that begin a connection: log in, select the database, ping.

        The ping finds a Redis that hangs, because it still accepts connections.
        """
        words: list[tuple[str | int, ...]] = [("PING",)]
        if self.database:
            words.insert(0, ("SELECT", self.database))
        if self.user:
            words.insert(0, ("AUTH", self.user, password))
        elif password:
            words.insert(0, ("AUTH", password))
        return words

    def endpoint(self, reactor: Any) -> Any:
        """Return the endpoint to connect to."""
        endpoint: Any = HostnameEndpoint(reactor, self.host, self.port)
        if self.tls:
            from twisted.internet.ssl import optionsForClientTLS

            endpoint = wrapClientTLS(optionsForClientTLS(self.host), endpoint)
        return endpoint


class Broken(Exception):
    """The connection ended, or the peer is not Redis; walls may show the text."""


@contextmanager
def reading_replies() -> Iterator[None]:
    """Raise :class:`Broken` instead of the errors that a reply of another form causes."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        _log.warn("a reply of Redis cannot be read: {error!r}", error=error)
        raise Broken(STRANGE) from error


class RedisConnection(Protocol):
    """One connection in RESP2: commands are pipelined, and replies come in the order of commands.

    :ivar on_lost: called without arguments when the connection has ended.
    :ivar on_message: set before SUBSCRIBE or PSUBSCRIBE; called with the payload of each message.
    """

    def __init__(self) -> None:
        import hiredis

        self._pack: Callable[[tuple[Any, ...]], bytes] = hiredis.pack_command
        self._reader = hiredis.Reader()
        self._refused = hiredis.ReplyError
        self._unread = 0  # bytes since the last complete reply
        self._waiting: deque[Deferred[Any]] = deque()
        self._broken: Broken | None = None
        self.on_lost: Callable[[], object] = lambda: None
        self.on_message: Callable[[bytes], object] | None = None

    def say(self, *words: str | bytes | int) -> Deferred[Any]:
        """Send one command.

        :param words: the command and its arguments.
        :returns: fires with the reply.  If it is cancelled, a late reply is dropped.
        :raises hiredis.ReplyError: if Redis answers with an error.
        :raises Broken: if the connection ends first; the command may or may not have been executed.
        """
        if self._broken is not None:
            return fail(self._broken)
        answer: Deferred[Any] = Deferred(lambda cancelled: None)
        self._waiting.append(answer)
        assert self.transport is not None
        self.transport.write(self._pack(words))
        return answer

    def dataReceived(self, data: bytes) -> None:
        if self._broken is None:
            self._unread += len(data)
            self._reader.feed(data)
        while self._broken is None:
            try:
                reply = self._reader.gets()
            # Also MemoryError: hiredis reserves what the size of an array asks for.
            except Exception:
                self._reject(STRANGE)
                return
            if reply is False:
                break
            self._unread = 0
            self._received(reply)
        if self._unread > MAX_REPLY:
            self._reject(TOO_LONG)

    def _received(self, reply: Any) -> None:
        # RESP2 marks a message by its first word alone.  A connection that has subscribed gets no other
        # replies of that form.
        if self.on_message is not None and isinstance(reply, list) and reply[:1] in _MESSAGES:
            self.on_message(reply[-1])
        elif not self._waiting:
            self._reject(STRANGE)
        else:
            waiting = self._waiting.popleft()
            if not waiting.called:
                failed = isinstance(reply, self._refused)
                waiting.callback(Failure(reply) if failed else reply)

    def _reject(self, why: str) -> None:
        self._break(Broken(why))
        self.abort()

    def abort(self) -> None:
        """End the connection now; commands without a reply fail with :class:`Broken`."""
        if self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        untrusted = type(reason.value).__module__.startswith(("OpenSSL", "service_identity"))
        what = "the certificate of Redis is not trusted" if untrusted else None
        self._break(Broken(what or "Redis closed the connection"))
        self.on_lost()

    def _break(self, why: Broken) -> None:
        self._broken = self._broken or why
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.called:
                waiting.errback(Failure(self._broken))


async def connect(reactor: Any, url: RedisUrl, password: str) -> RedisConnection:
    """Open a connection, log in, and wait until Redis has answered a PING.

    :raises Exception: :func:`explain` turns it into a sentence; TimeoutError after :data:`TIMEOUT`.
    """
    factory = Factory.forProtocol(RedisConnection)
    factory.noisy = False
    link: RedisConnection = (
        await url.endpoint(reactor).connect(factory).addTimeout(TIMEOUT, reactor)
    )
    try:
        for command in url.greeting(password):
            await link.say(*command).addTimeout(TIMEOUT, reactor)
    except BaseException:
        link.abort()
        raise
    return link


def is_said(error: BaseException) -> bool:
    """Return True if Redis itself answered with this error."""
    return type(error).__module__.startswith("hiredis")


def refusal(said: str) -> str | None:
    """Return a text for walls if Redis may refuse only temporarily; else None."""
    return next((words for code, words in REFUSALS.items() if code in said), None)


def explain(error: BaseException) -> str | None:
    """Return why Redis cannot be used, as a text that walls may show: no addresses, no passwords.

    :returns: None for an error that is not about Redis.
    """
    if isinstance(error, Broken):
        return str(error)
    if is_said(error):
        return refusal(str(error)) or f"Redis: {str(error).strip()[:200]}"
    texts: dict[type[BaseException], str] = {
        TimeoutError: "Redis does not answer",
        ConnectingCancelledError: "Redis does not accept connections",
        DNSLookupError: "the host of Redis is not known",
        ConnectError: "Redis does not accept connections",
    }
    return next((text for kind, text in texts.items() if isinstance(error, kind)), None)
