"""Receives the answers of HTTP servers within bounds: a head, a body, and a body that nobody reads."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from zope.interface import implementer

from streamd.sources.errors import SourceError, Unreachable
from streamd.sources.http_answer import MAX_BODY, too_long

MALFORMED = "the answer is malformed HTTP"

MAX_HEAD = 64 * 1024
"""The most bytes of an answer's head.  Twisted has no bound: it keeps as much as a server can send."""


class HttpClient:
    """Sends requests, each on a connection of its own."""

    def __init__(self, reactor: Any) -> None:
        self._agent = Agent(reactor, pool=_Connections(reactor, False))

    async def get(self, url: str, headers: Mapping[str, str]) -> Any:
        """Return the answer, whose body the caller must read."""
        sent = Headers({name: [value] for name, value in headers.items()})
        return await self._agent.request(b"GET", url.encode(), sent)


class _Connections(HTTPConnectionPool):
    """Twisted's pool, whose connections are :class:`_Bounded`."""

    def getConnection(self, key: Any, endpoint: IStreamClientEndpoint) -> Any:
        return super().getConnection(key, _Bounding(endpoint))


@implementer(IStreamClientEndpoint)
class _Bounding:
    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint

    def connect(self, factory: IProtocolFactory) -> Any:
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
            self.whole.errback(too_long())
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
    """Ends the connection of an answer whose body is not needed, however long that is."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()


def _why(reason: Failure) -> Exception:
    """Return the error for an answer whose body is not complete."""
    if malformed(reason):
        return SourceError(MALFORMED, f"({reason.getErrorMessage()})")
    return Unreachable("the answer ended too early")


def malformed(reason: Failure) -> bool:
    """Return True if what the server sent is not HTTP; False if the connection ended."""
    reasons = getattr(reason.value, "reasons", [])
    return bool(reasons) and not reasons[0].check(ConnectionClosed, CancelledError)
