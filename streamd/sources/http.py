"""What a service says: JSON from a URL, every so often."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    DNSLookupError,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, ResponseDone, ResponseFailed
from twisted.web.error import SchemeNotSupported
from twisted.web.http import RESPONSES, PotentialDataLoss
from twisted.web.http_headers import Headers

from streamd.config.extras import needs_extra
from streamd.config.fields import ConfigError, Secret
from streamd.config.kind import Kind, Surroundings
from streamd.core.duration import Duration
from streamd.sources.errors import SourceError, Unreachable
from streamd.sources.feed import Feed
from streamd.sources.polling import Polling
from streamd.sources.settings import SourceSettings

MAX_BODY = 2**20
"""Bytes of an answer."""

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2

REDIRECTS = frozenset((301, 302, 303, 307, 308))
MAX_REDIRECTS = 5


class HttpUrl(str):
    """``http://…`` or ``https://…``."""

    @classmethod
    def parse(cls, written: Any) -> HttpUrl:
        """:raises ValueError: with what would be right."""
        if not isinstance(written, str) or not re.fullmatch(r"https?://[!-~]+", written):
            raise ValueError('expected a URL such as "https://example.org/status.json"')
        parts = urlsplit(written)
        if parts.username is not None or not parts.hostname:
            raise ValueError("expected a host, and no user or password: those belong into headers")
        if parts.port == 0:  # to read one that is no number raises as well
            raise ValueError("expected a port from 1 to 65535")
        return cls(written)


class Pick:
    """Which parts of an answer are meant, by JSON pointers (RFC 6901): one, or one a stream."""

    _POINTER = re.compile(r"(/([^~]|~[01])*)?")

    def __init__(self, pointers: Mapping[str, str] | str) -> None:
        self.pointers = pointers

    @classmethod
    def parse(cls, written: Any) -> Pick:
        """:raises ValueError: with what would be right."""
        for pointer in written.values() if isinstance(written, dict) else (written,):
            if not isinstance(pointer, str) or not cls._POINTER.fullmatch(pointer):
                raise ValueError('expected a JSON pointer such as "/data/0/count"')
        return cls(written)

    def out_of(self, document: Any) -> Any:
        """:raises SourceError: naming the pointer that leads nowhere."""
        if isinstance(self.pointers, str):
            return follow(self.pointers, document)
        return {member: follow(pointer, document) for member, pointer in self.pointers.items()}


def follow(pointer: str, document: Any) -> Any:
    """What a JSON pointer leads to.

    :raises SourceError: nothing.
    """
    for token in pointer.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        try:
            if isinstance(document, list) and re.fullmatch("0|[1-9][0-9]{0,9}", token):
                document = document[int(token)]
            elif isinstance(document, dict):
                document = document[token]
            else:
                raise LookupError
        except LookupError:
            raise SourceError(f"the answer has nothing at {pointer}"[:200], key="pick") from None
    return document


class HttpSettings(SourceSettings, frozen=True):
    """``[sources.NAME]`` with a ``url`` of HTTP."""

    url: HttpUrl
    pick: Pick = Pick("")
    headers: dict[str, Secret] = {}
    every: Duration = Duration(5)
    timeout: Duration = Duration(4)


class ResponseBody(Protocol):
    """Collects an answer up to :data:`MAX_BODY`.

    :ivar whole: the body, or what went wrong.
    """

    def __init__(self) -> None:
        self.whole: Deferred[bytes] = Deferred(lambda _: self._abort())
        self._data = bytearray()

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > MAX_BODY and not self.whole.called:
            self.whole.errback(SourceError(f"the answer is longer than {MAX_BODY // 2**20} MiB"))
            self._abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.whole.called:
            # Without a length or chunks, the end of the connection is the end of the answer.
            complete = reason.check(ResponseDone, PotentialDataLoss)
            self.whole.callback(bytes(self._data)) if complete else self.whole.errback(reason)

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()


class HttpSource:
    """Asks a URL every so often."""

    def __init__(self, settings: HttpSettings, headers: Mapping[str, str], reactor: Any) -> None:
        self._url = str(settings.url)
        self._pick = settings.pick
        self._timeout = settings.timeout
        self._reactor = reactor
        self._headers = {"Accept": "application/json", "User-Agent": "streamd", **headers}
        self._agent = Agent(reactor)
        self._tag: str | None = None
        self._last: Any = None
        self._running: Deferred[Any] | None = None
        self._polling = Polling(self._read, settings.every, reactor)

    def start(self, feed: Feed) -> None:
        self._polling.start(feed)

    def stop(self) -> None:
        self._polling.stop()
        if self._running is not None:
            self._running.cancel()

    def _read(self) -> Deferred[Any]:
        asking = Deferred.fromCoroutine(self._ask())
        self._running = asking.addTimeout(self._timeout, self._reactor)
        return self._running.addErrback(_explain, self._timeout)

    async def _ask(self) -> Any:
        url, headers = self._url, dict(self._headers)
        if self._tag is not None:
            headers["If-None-Match"] = self._tag
        response, data = await self._get(url, headers)
        for _ in range(MAX_REDIRECTS):
            if response.code not in REDIRECTS:
                break
            url, before = urljoin(url, _location(response)), url
            if _origin(url) != _origin(before):
                headers = {"Accept": "application/json"}  # the rest is for nobody else to know
            response, data = await self._get(url, headers)
        if response.code == 304 and self._tag is not None:
            return self._last
        if response.code in REDIRECTS:
            raise SourceError("redirected too often")
        if response.code != 200:
            reason = RESPONSES.get(response.code, b"").decode()
            raise SourceError(f"the answer was {response.code} {reason}".rstrip())
        self._last = self._pick.out_of(_decode(data))
        [self._tag] = response.headers.getRawHeaders("ETag", [None])[:1]
        return self._last

    async def _get(self, url: str, headers: Mapping[str, str]) -> tuple[Any, bytes]:
        sent = Headers({name: [value] for name, value in headers.items()})
        response: Any = await self._agent.request(b"GET", url.encode(), sent)
        body = ResponseBody()
        response.deliverBody(body)
        return response, await body.whole


def _location(response: Any) -> str:
    """Where it redirects to."""
    [location] = response.headers.getRawHeaders("Location", [""])[:1]
    if not re.fullmatch("[!-~]+", location):
        raise SourceError("redirected to nowhere")
    return str(location)


def _origin(url: str) -> tuple[str, str]:
    return urlsplit(url)[:2]


def _decode(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise SourceError("the answer is not JSON") from None


def _explain(failure: Failure, timeout: float) -> Any:
    """Say on the wall what can be said there: no address, no header."""
    why = failure.value.reasons[0] if isinstance(failure.value, ResponseFailed) else failure
    texts = {
        TimeoutError: f"no answer within {timeout:g} s",
        CancelledError: f"no answer within {timeout:g} s",
        ConnectingCancelledError: f"no answer within {timeout:g} s",
        DNSLookupError: "the host is not known",
        ConnectError: "the host does not accept connections",
        ConnectionClosed: "the connection was lost",
        SchemeNotSupported: "redirected to what is not HTTP",
    }
    if kind := why.check(*texts):
        raise Unreachable(texts[kind])
    if type(why.value).__module__.startswith(("OpenSSL", "service_identity")):
        raise Unreachable("the certificate is not trusted", f"({why.value})")
    return failure


def _make(name: str, settings: HttpSettings, surroundings: Surroundings) -> HttpSource:
    path = f"sources.{name}"
    if settings.url.startswith("https:"):
        try:
            import OpenSSL  # noqa: F401
            import service_identity  # noqa: F401
        except ImportError:
            needs = needs_extra("HTTPS", "pyOpenSSL", "http")
            raise ConfigError([f"{path}.url: {needs}"]) from None
    for header in settings.headers:
        if not _HEADER.fullmatch(header):
            raise ConfigError([f"{path}.headers.{header}: expected a header's name"])
    headers = {
        key: surroundings.reveal(f"{path}.headers.{key}", secret)
        for key, secret in settings.headers.items()
    }
    return HttpSource(settings, headers, surroundings.reactor)


KIND = Kind("http", frozenset(("http:", "https:")), HttpSettings, _make)
