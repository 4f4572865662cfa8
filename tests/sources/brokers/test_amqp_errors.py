"""What a broker refuses, and what walls show of it: no address, no secret."""

from __future__ import annotations

import pytest
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TwistedTimeoutError
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
    TCPTimedOutError,
)
from twisted.internet.testing import MemoryReactorClock, StringTransportWithDisconnection
from twisted.python.failure import Failure

from streamd.sources.brokers.amqp_client import AmqpConnection
from streamd.sources.brokers.amqp_errors import NotThere, channel_refusal, connection_refusal
from streamd.sources.brokers.amqp_login import AmqpLogin
from streamd.sources.brokers.broker_url import explain
from streamd.sources.errors import SourceError, Unreachable


class Transport(StringTransportWithDisconnection):
    """The transport of a connection over TCP, which the client may abort."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing is delayed here."""

    def abortConnection(self) -> None:
        """The test says when the connection is lost."""


UNTRUSTED = "the certificate of the broker is not trusted"


@pytest.mark.parametrize(
    ("code", "text", "message", "kind"),
    [
        (320, "CONNECTION_FORCED - bye", "the broker closed the connection", Unreachable),
        (403, "ACCESS_REFUSED - no", "the broker refuses the login", SourceError),
        (
            530,
            "NOT_ALLOWED - vhost shop not found",
            "the broker has no such virtual host: shop",
            SourceError,
        ),
        (
            530,
            "NOT_ALLOWED - access to vhost 'shop' refused for user 'x'",
            "the broker refuses the virtual host: shop",
            SourceError,
        ),
        (
            541,
            "INTERNAL_ERROR - at 10.0.0.1",
            "the broker closed the connection: INTERNAL_ERROR",
            Unreachable,
        ),
        (599, "10.0.0.1", "the broker closed the connection: code 599", Unreachable),
    ],
)
def test_connections(code: int, text: str, message: str, kind: type[SourceError]) -> None:
    error = connection_refusal(code, text, "shop")
    assert (error.message, type(error), error.detail) == (message, kind, f"({code} {text})")


@pytest.mark.parametrize(
    ("code", "text", "key", "message", "kind"),
    [
        (404, "no queue 'a' in", "queue", "the broker has no such queue: a", NotThere),
        (404, "no exchange 'a'", "exchange", "the broker has no such exchange: a", NotThere),
        (
            404,
            "NOT_FOUND - no queue 'amq.gen-1' in vhost '/'",
            "exchange",
            "the broker has deleted the queue of streamd",
            Unreachable,
        ),
        (405, "", "queue", "the queue belongs to another connection alone", SourceError),
        (
            403,
            "ACCESS_REFUSED - queue 'a' in vhost '/' in exclusive use",
            "queue",
            "another program reads the queue alone",
            SourceError,
        ),
        (
            403,
            "ACCESS_REFUSED - x",
            "queue",
            "the broker does not allow this queue: a",
            SourceError,
        ),
        (406, "PRECONDITION_FAILED - x", "queue", "the broker: PRECONDITION_FAILED", SourceError),
        (541, "INTERNAL_ERROR - x", "queue", "the broker: INTERNAL_ERROR", Unreachable),
    ],
)
def test_channels(code: int, text: str, key: str, message: str, kind: type[SourceError]) -> None:
    error = channel_refusal(code, text, key, "a")
    assert (error.message, type(error)) == (message, kind)


@pytest.mark.parametrize("code", [403, 404, 405, 541])
def test_a_channel_that_closes_before_anything_was_asked_for(code: int) -> None:
    error = channel_refusal(code, "NOT_FOUND - nothing", "", "")
    assert error.message == "the broker closed the channel: NOT_FOUND"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (TwistedTimeoutError(), "the broker does not answer"),
        (TCPTimedOutError(), "the broker does not answer"),
        (ConnectionRefusedError(), "the broker does not accept connections"),
        (DNSLookupError("10.0.0.1"), "the host of the broker is not known"),
        (SSL.Error([("", "", "certificate verify failed")]), UNTRUSTED),
        (VerificationError([]), UNTRUSTED),
        (
            SSL.Error([("", "", "wrong version number")]),
            "the broker does not speak TLS as expected",
        ),
        (ConnectionDone(), "the broker closed the connection"),
        (ConnectionLost(), "the broker closed the connection"),
    ],
)
def test_lines(error: Exception, message: str) -> None:
    explained = explain(error)
    assert isinstance(explained, Unreachable)
    assert explained.message == message


def test_unexpected_errors() -> None:
    error = ZeroDivisionError()
    assert explain(error) is error


@pytest.mark.parametrize("method", [b"\x77\x77\x77\x77", b"\x77", b"\x00\x0a\x00\x32"])
def test_an_unreadable_method(method: bytes) -> None:
    clock, login = MemoryReactorClock(), AmqpLogin("h", 5672, "/", "u", "p", None)
    link = AmqpConnection(clock, login)
    link._ready.addErrback(lambda _: None)  # nobody waits for it here
    link.makeConnection(Transport())
    link.dataReceived(b"\1\0\0" + len(method).to_bytes(4, "big") + method + b"\xce")
    link.connectionLost(Failure(ConnectionAborted()))
    clock.advance(1)
    failed: list[Failure] = []
    Deferred.fromCoroutine(link.lost()).addErrback(failed.append)
    assert isinstance(failed[0].value, SourceError)
    assert failed[0].value.message == "what answers does not speak AMQP 0-9-1"
    link.close()
