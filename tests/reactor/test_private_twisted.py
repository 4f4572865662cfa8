"""The private parts of Twisted are still there: a new version that lacks one is named here."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import endpoints
from twisted.internet.endpoints import SSL4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.tcp import Connection
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent, globalLogPublisher
from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper, HAProxyWrappingFactory
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import HTTPChannel

from streamd.reactor.private_twisted import (
    OpenChannel,
    RelayedConnections,
    direct_send,
    give_transport,
    log_observers,
)


def connection() -> Connection:
    """A TCP connection without a socket."""
    end = socket.socket()
    made = Connection(end, None, Clock())  # type: ignore[arg-type]
    end.close()
    return made


class PresenceTests(SynchronousTestCase):
    def test_every_private_part_is_there(self) -> None:
        parts: list[tuple[object, str]] = [
            (HTTPChannel(), "_buffer"),
            (HTTPChannel(), "_respondToBadRequestAndDisconnect"),
            (connection(), "dataBuffer"),
            (connection(), "_tempDataBuffer"),
            (connection(), "protocol"),
            (ProtocolWrapper(WrappingFactory(None), None), "wrappedProtocol"),  # type: ignore[arg-type]
            (globalLogPublisher, "_observers"),
            (endpoints, "_parse"),
            (endpoints._SystemdParser(), "_sddaemon"),
            (SSL4ServerEndpoint(None, 0, None), "_sslContextFactory"),
            (endpoints._WrapperServerEndpoint(None, None), "_wrapperFactory"),
            (HAProxyProtocolWrapper(HAProxyWrappingFactory(None), None), "_parser"),  # type: ignore[arg-type]
        ]
        for owner, name in parts:
            kind = type(owner)
            self.assertTrue(
                hasattr(owner, name),
                f"{kind.__module__}.{kind.__qualname__} has no {name} any more: "
                "see streamd/reactor/private_twisted.py",
            )


class BehaviourTests(SynchronousTestCase):
    def channel(self) -> tuple[OpenChannel, StringTransport, list[str]]:
        """A channel that is connected, its transport, and a note of what it refused."""
        refused: list[str] = []

        class Refusing(OpenChannel):
            def refuse_malformed(self) -> None:
                refused.append("malformed")

        channel, transport = Refusing(), StringTransport()
        channel.timeOut = None
        channel.makeConnection(transport)
        return channel, transport, refused

    def test_channel_asks_for_the_answer_to_a_malformed_request(self) -> None:
        channel, transport, refused = self.channel()
        channel.dataReceived(b"GET\r\n")
        self.assertEqual(["malformed"], refused)
        self.assertEqual(b"", transport.value())

    def test_channel_answers_a_malformed_request_itself_unless_told(self) -> None:
        channel, transport = OpenChannel(), StringTransport()
        channel.timeOut = None
        channel.makeConnection(transport)
        channel.dataReceived(b"GET\r\n")
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 400 "))

    def test_paused_channel_has_more(self) -> None:
        channel, _, _ = self.channel()
        self.assertFalse(channel.has_more())
        channel.paused = True
        channel.dataReceived(b"GET / HTTP/1.1\r\n")
        self.assertTrue(channel.has_more())

    def test_nothing_is_sent_past_what_waits(self) -> None:
        transport: Any = connection()
        self.assertIsNotNone(direct_send(transport))
        transport._tempDataBuffer.append(b"x")
        self.assertIsNone(direct_send(transport))
        transport._tempDataBuffer.clear()
        transport.dataBuffer = b"x"
        self.assertIsNone(direct_send(transport))
        self.assertIsNone(direct_send(StringTransport()))

    def test_transport_is_given_to_another_protocol(self) -> None:
        connected = []

        class Other:
            def makeConnection(self, transport: object) -> None:
                connected.append(transport)

        other, plain = Other(), connection()
        give_transport(plain, other)
        wrapped: Any = ProtocolWrapper(WrappingFactory(None), None)  # type: ignore[arg-type]
        give_transport(wrapped, other)
        self.assertEqual([plain, wrapped], connected)
        self.assertIs(other, plain.protocol)
        self.assertIs(other, wrapped.wrappedProtocol)

    def test_observers_can_be_replaced(self) -> None:
        heard: list[Any] = []
        observers = log_observers()
        before = list(observers)
        self.addCleanup(observers.__setitem__, slice(None), before)
        observers[:] = [heard.append]
        globalLogPublisher({"log_format": "x"})
        self.assertEqual(1, len(heard))

    def test_a_connection_without_proxy_line_is_reported_once(self) -> None:
        factory = RelayedConnections(Factory.forProtocol(Protocol))
        made: Any = factory.buildProtocol(None)
        made.makeConnection(StringTransport())
        with capturedLogs() as events:
            made.dataReceived(b"GET / HTTP/1.1\r\n")
            made.dataReceived(b"Host: wall\r\n\r\n")
        said = [formatEvent(event) for event in events]
        assert said == [
            "closed a connection from 192.168.1.1: it does not begin with the PROXY protocol"
        ]
