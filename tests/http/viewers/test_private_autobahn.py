"""The private parts of Autobahn are still there: a new version that lacks one is named here."""

from __future__ import annotations

from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket import protocol as websocket_protocol
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from streamd.http.handshake import Handshake
from streamd.http.viewers.private_autobahn import _LAZY, _SHARED, LeanProtocol

METHODS = [
    "_closeConnection",
    "_connectionMade",
    "_dataReceived",
    "_fail_connection",
    "_parseExtensionsHeader",
    "consumeData",
    "dropConnection",
    "onFrameBegin",
    "processData",
    "processHandshake",
    "sendCloseFrame",
    "sendData",
]
"""What streamd calls or overrides; :meth:`AutobahnTests.test_overrides_are_called` calls some."""


KEY = "dGhlIHNhbXBsZSBub25jZQ=="
"""The key of RFC 6455, section 1.3."""


def gone(name: str) -> str:
    file = "http/viewers/private_autobahn.py"
    return f"autobahn's WebSocketServerProtocol has no {name} any more: see {file}"


class Viewer(LeanProtocol):
    """Keeps what Autobahn asks of it."""

    def __init__(self, handshake: Handshake) -> None:
        super().__init__(handshake)
        self.told: list[Any] = []

    def open(self, answer: bytes) -> None:
        self.told.append("open")
        self.write(answer)

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def close_gently(self) -> None:
        self.told.append("close")

    def fail(self, call: Any) -> None:
        self.told.append("fail")


class PresenceTests(SynchronousTestCase):
    def test_methods(self) -> None:
        for name in METHODS:
            self.assertTrue(hasattr(WebSocketServerProtocol, name), gone(name))

    def test_attributes(self) -> None:
        """Autobahn sets them; a name that it does not use any more would stay without effect."""
        with open(websocket_protocol.__file__) as file:
            text = file.read()
        names = _LAZY | _SHARED.keys() | {"_perMessageCompress", "data", "state"}
        for name in names - {"peer", "_transport_details"}:  # the transport's half sets these
            self.assertIn(f"self.{name} = ", text, gone(name))


class HandshakeTests(SynchronousTestCase):
    def viewer(self, extensions: str = "", more: bytes = b"") -> tuple[Viewer, StringTransport]:
        factory: Any = WebSocketServerFactory()
        kind: Any = type("ViewerOfOne", (Viewer,), {})  # take_options sets attributes of the class
        kind.take_options(factory)
        viewer, transport = kind(Handshake(KEY, None, extensions)), StringTransport()
        viewer.factory = factory
        transport.registerProducer(viewer, True)  # as a link does
        viewer.makeConnection(transport)
        viewer.dataReceived(more)
        return viewer, transport

    def test_answer_is_that_of_rfc_6455(self) -> None:
        viewer, transport = self.viewer()
        self.assertIn(
            b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", transport.value()
        )
        self.assertTrue(viewer.is_writable)
        self.assertFalse(viewer.inflates)

    def test_frames_in_the_segment_of_the_handshake(self) -> None:
        viewer, _ = self.viewer(more=b"\x83\x80\0\0\0\0")
        self.assertEqual(["open", "fail"], viewer.told)

    def test_deflate(self) -> None:
        viewer, transport = self.viewer("permessage-deflate")
        self.assertIn(b"permessage-deflate; server_no_context_takeover", transport.value())
        self.assertTrue(viewer.inflates)

    def test_nothing_of_the_handshake_is_kept(self) -> None:
        viewer, _ = self.viewer()
        self.assertEqual(set(), vars(viewer).keys() & ({"_handshake"} | _LAZY | _SHARED.keys()))
        self.assertLess(len(vars(viewer)), 8, sorted(vars(viewer)))

    def test_overrides_are_called(self) -> None:
        viewer, _ = self.viewer()
        viewer.dataReceived(b"\x83\x80\0\0\0\0")  # an opcode that is not defined
        self.assertEqual(["open", "fail"], viewer.told)
        viewer.dataReceived(b"\x88\x80\0\0\0\0")  # a close frame
        self.assertEqual(["open", "fail", "close"], viewer.told)
        self.assertFalse(viewer.is_writable)

    def test_nothing_is_kept_of_what_comes_after_the_end(self) -> None:
        viewer, _ = self.viewer()
        viewer.dataReceived(b"\x88\x80\0\0\0\0")
        for _ in range(10):
            viewer.dataReceived(b"\x81\xfe\x04\0" + b"x" * 1024)
        self.assertEqual(b"", viewer.data)
