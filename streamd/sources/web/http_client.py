"""Sends requests to HTTP servers, and receives their answers within bounds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import inf
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, succeed
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    DNSLookupError,
)
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone, ResponseFailed
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from streamd.core.errors import shorten
from streamd.sources.errors import SourceError, Unreachable
from streamd.sources.web.http_answer import MAX_BODY, TooLong

USER_AGENT = "streamd"

MALFORMED = "the answer is malformed HTTP"

REDIRECTS = frozenset((301, 302, 303, 307, 308))
MAX_REDIRECTS = 5

_PORTS = {"http": 80, "https": 443}

MAX_HEAD = 64 * 1024
"""The most bytes of an answer's head.  Twisted has no bound: it keeps as much as a server can send."""


class HttpClient:
    """Sends requests, each on its own connection."""

    def __init__(self, reactor: Any) -> None:
        self._agent = Agent(reactor, pool=_Connections(reactor, False))

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Any:
        """Return the answer, whose body the caller must read.

        :param headers: replace the headers that every request has, such as ``User-Agent``.
        """
        sent = Headers({"User-Agent": [USER_AGENT]})
        for name, value in headers.items():
            sent.setRawHeaders(name, [value])
        producer = None if body is None else _Body(body)
        return await self._agent.request(method.encode(), url.encode(), sent, producer)

    async def get(self, url: str, headers: Mapping[str, str]) -> Any:
        """Return the answer to a GET, whose body the caller must read."""
        return await self.request("GET", url, headers)


@implementer(IBodyProducer)
class _Body:
    """The body of a request, which is written at once."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.length = len(data)

    def startProducing(self, consumer: Any) -> Deferred[None]:
        consumer.write(self._data)
        return succeed(None)

    def pauseProducing(self) -> None:
        """Do nothing: everything is written already."""

    resumeProducing = stopProducing = pauseProducing


class _Connections(HTTPConnectionPool):
    """Twisted's pool, whose connections are :class:`_Bounded`."""

    def getConnection(self, key: Any, endpoint: IStreamClientEndpoint) -> Any:
        return super().getConnection(key, _Bounding(endpoint))


@implementer(IStreamClientEndpoint)
class _Bounding:
    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint

    def connect(self, factory: IProtocolFactory) -> Any:
        cast(Any, factory).noisy = False  # it would log two lines for each request
        bounding: Any = WrappingFactory(factory)
        bounding.protocol, bounding.noisy = _Bounded, False
        return self._endpoint.connect(bounding)


class _Bounded(ProtocolWrapper):
    """A connection that ends if the head of an answer has more than :data:`MAX_HEAD` bytes."""

    _room: float = MAX_HEAD

    def request(self, request: Any) -> Deferred[Any]:
        """Send a request; fires with the answer when its head has arrived."""
        wrapped: Any = self.wrappedProtocol
        arriving: Deferred[Any] = wrapped.request(request)
        return arriving.addCallback(self._arrived)

    def _arrived(self, response: Any) -> Any:
        self._room = inf  # ResponseBody has a bound of its own
        return response

    def dataReceived(self, data: bytes) -> None:
        self._room -= len(data)
        super().dataReceived(data)
        if self._room < 0:
            self.abortConnection()


class ResponseBody(Protocol):
    """Collects the body of an answer.

    :ivar whole: fires with the bytes; fails if there are more than :data:`MAX_BODY`.
    """

    def __init__(self) -> None:
        self.whole: Deferred[bytes] = Deferred(lambda _: self._abort())
        self._data = bytearray()

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > MAX_BODY and not self.whole.called:
            self.whole.errback(TooLong())
            self._abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.whole.called:
            # Without a length or chunks, the end of the connection is the end of the answer.
            if reason.check(ResponseDone, PotentialDataLoss):
                self.whole.callback(bytes(self._data))
            else:
                self.whole.errback(_why(reason))

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()


class UnreadBody(Protocol):
    """Ends the connection of an answer whose body is not needed."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()


def _why(reason: Failure) -> Exception:
    """Return the error for an answer whose body is not complete."""
    if malformed(reason):
        return SourceError(MALFORMED, f"({reason.getErrorMessage()})")
    return Unreachable("the answer ended too early")


def malformed(reason: Failure) -> bool:
    """Return True if the server sent something other than HTTP; False if the connection ended."""
    reasons = getattr(reason.value, "reasons", [])
    return bool(reasons) and not reasons[0].check(ConnectionClosed, CancelledError)


def header_of(response: Any, name: str) -> str:
    """Return a header's first value; an empty string if it is missing."""
    value: bytes = response.headers.getRawHeaders(name.encode(), [b""])[0]
    return value.decode("latin-1")


def location_of(url: str, response: Any) -> str:
    """Return the URL that an answer redirects to."""
    location = header_of(response, "Location")
    if not location:
        raise SourceError("redirected without a location")
    try:
        if not re.fullmatch("[!-~]+", location):
            raise ValueError
        found = urljoin(url, location)
        parts = urlsplit(found)
        if parts.scheme not in ("http", "https"):
            raise SourceError("redirected to a URL that is not HTTP")
        if parts.username is not None:
            raise SourceError("redirected to a URL with a user or a password")
        if not parts.hostname or parts.port == 0:  # to read one that is not a number raises as well
            raise ValueError
    except ValueError:
        raise SourceError(f"redirected to {shorten(location)}, which is no URL") from None
    return found


def origin_of(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port: the parts of an origin (RFC 6454)."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme]


def explain(failure: Failure, timeout: float) -> Any:
    """Turn a failure into an error for viewers, without addresses and headers."""
    why = failure.value.reasons[0] if isinstance(failure.value, ResponseFailed) else failure
    texts = {
        TimeoutError: f"no answer within {timeout:g} s",
        CancelledError: f"no answer within {timeout:g} s",
        ConnectingCancelledError: f"no answer within {timeout:g} s",
        DNSLookupError: "the host is not known",
        ConnectError: "the host does not accept connections",
        ConnectionClosed: "the connection was lost",
    }
    if kind := why.check(*texts):
        raise Unreachable(texts[kind])
    if type(why.value).__module__.startswith(("OpenSSL", "service_identity")):
        raise Unreachable("the certificate is not trusted", f"({why.value})")
    if malformed(failure):
        raise SourceError(MALFORMED, f"({why.value})")
    return failure
