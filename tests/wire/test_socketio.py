"""The packets of Engine.IO and Socket.IO, as their protocols write them down."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.core.selection import Selection
from streamd.core.update import parse_position
from streamd.hub.hub import Hub
from streamd.wire.encoding import Encoding
from streamd.wire.requests import PACE, Subscription
from streamd.wire.socketio import (
    MAX_PACKETS,
    SOCKET_IO_DEFLATED,
    SOCKET_IO_POLL,
    SOCKET_IO_WEBSOCKET,
    Packet,
    PacketType,
    Said,
    SaidType,
    acknowledgement,
    connect_error,
    connected,
    event_of,
    open_packet,
    parse_packet,
    parse_payload,
    parse_said,
    parse_wish,
)
from tests.support.fakes import Daemonette, FakeViewer, texts


class PacketTests(SynchronousTestCase):
    def test_types(self) -> None:
        for text, type in ((b"1", "CLOSE"), (b"2", "PING"), (b"3", "PONG"), (b"6", "NOOP")):
            self.assertEqual(Packet(PacketType[type], b""), parse_packet(text))
        self.assertEqual(Packet(PacketType.MESSAGE, b"hello"), parse_packet(b"4hello"))
        self.assertEqual(Packet(PacketType.PING, b"probe"), parse_packet(b"2probe"))

    def test_malformed(self) -> None:
        for text in (b"", b"abc", b"7", b"0{}", b"bAQIDBA==", b"\xff", b"9x"):
            error = self.assertRaises(Refused, parse_packet, text)
            self.assertEqual((400, 3), (error.status, error.members["code"]), text)

    def test_payload(self) -> None:
        found = parse_payload(b"4hello\x1e2\x1ebAQIDBA==\x1e4")
        types = [PacketType.MESSAGE, PacketType.PING, PacketType.BINARY, PacketType.MESSAGE]
        self.assertEqual(types, [each.type for each in found])
        self.assertEqual([b"hello", b"", b"\1\2\3\4", b""], [each.data for each in found])

    def test_malformed_payload(self) -> None:
        most = b"\x1e".join([b"2"] * MAX_PACKETS)
        self.assertEqual(MAX_PACKETS, len(parse_payload(most)))
        for body in (b"", b"abc", b"4\x1e", b"\x1e4", b"bAQ", b"b!!!!", most + b"\x1e2"):
            self.assertRaises(Refused, parse_payload, body)

    def test_open_packet(self) -> None:
        opened = open_packet("x", ["websocket"], 25, 8.0)
        self.assertEqual(b"0", opened[:1])
        wanted = {"sid": "x", "upgrades": ["websocket"], "pingInterval": 25000}
        wanted |= {"pingTimeout": 8000, "maxPayload": 65536}
        self.assertEqual(wanted, json.loads(opened[1:]))


class SaidTests(SynchronousTestCase):
    def test_examples_of_the_protocol(self) -> None:
        admin, one = "/admin", {"_placeholder": True, "num": 0}
        for text, wanted in (
            (b"0", (SaidType.CONNECT, "/", 0, None, None)),
            (b'0{"token":"123"}', (SaidType.CONNECT, "/", 0, None, {"token": "123"})),
            (b"0/admin,", (SaidType.CONNECT, admin, 0, None, None)),
            (b"0/admin", (SaidType.CONNECT, admin, 0, None, None)),
            (b'0/admin,{"a":1}', (SaidType.CONNECT, admin, 0, None, {"a": 1})),
            (b"1", (SaidType.DISCONNECT, "/", 0, None, None)),
            (b"1/admin,", (SaidType.DISCONNECT, admin, 0, None, None)),
            (b'2["foo"]', (SaidType.EVENT, "/", 0, None, ["foo"])),
            (b'212["foo"]', (SaidType.EVENT, "/", 0, 12, ["foo"])),
            (b'2/admin,13["bar"]', (SaidType.EVENT, admin, 0, 13, ["bar"])),
            (b"312[]", (SaidType.ACK, "/", 0, 12, [])),
            (b'51-["baz",%b]' % json.dumps(one).encode(),
             (SaidType.BINARY_EVENT, "/", 1, None, ["baz", one])),
            (b'51-14["foo"]', (SaidType.BINARY_EVENT, "/", 1, 14, ["foo"])),
            (b'52-/admin,7["foo"]', (SaidType.BINARY_EVENT, admin, 2, 7, ["foo"])),
            (b'61-15["bar"]', (SaidType.BINARY_ACK, "/", 1, 15, ["bar"])),
        ):  # fmt: skip
            self.assertEqual(Said(*wanted), parse_said(text), text)

    def test_malformed(self) -> None:
        for text in (
            b"", b"abc", b"9", b"2", b"2{}", b"2[]", b"2[null]", b"2[[]]", b'2"x"', b"3", b"3{}",
            b'2abc["x"]', b'2["x"', b'2["\xff"]', b"0[]", b'0"x"', b"1[]", b"4{}", b'5["x"]',
            b'5-["x"]', b'51["x"]', b'51111-["x"]', b"2" + b"[" * 50_000, b"2" + b"9" * 400 + b"[]",
            b"0/" + b"x" * 300, b'2/admin["x"]',
        ):  # fmt: skip
            error = self.assertRaises(Refused, parse_said, text)
            self.assertEqual((400, "bad-packet"), (error.status, error.code), text)

    @given(st.binary(max_size=40), st.sampled_from([b"", b"2", b"0", b"51-", b"2/a,"]))
    def test_any_bytes(self, data: bytes, before: bytes) -> None:
        for parse in (parse_said, parse_packet, parse_payload):
            try:
                parse(before + data)
            except Refused as refused:
                refused.message.encode("ascii")  # it goes into a close frame

    def test_answers(self) -> None:
        self.assertEqual(b'40{"sid":"x"}', connected("x"))
        wrong = b'44/random,{"message":"Invalid namespace"}'
        self.assertEqual(wrong, connect_error("/random", "Invalid namespace"))
        coded = b'44{"message":"no","data":{"code":"no-token"}}'
        self.assertEqual(coded, connect_error("/", "no", "no-token"))
        self.assertEqual(b"4312[1,null]", acknowledgement(12, 1, None))
        self.assertEqual(b'42["error",{}]', event_of("error", {}))

    def test_wishes(self) -> None:
        self.assertEqual(Selection(None), parse_wish(None).subscription().selection)
        self.assertEqual(Selection(None), parse_wish({"other": 1}).subscription().selection)
        asked = parse_wish({"streams": ["a", "b.*"], "pace": "1s"}).subscription()
        self.assertEqual((Selection(["a", "b.*"]), PACE * 32), (asked.selection, asked.pace))
        wrong: list[Any] = [
            {"streams": "a"},
            {"streams": [1]},
            {"token": 5},
            {"pace": 1},
            [],
            "x",
            5,
        ]
        for bad in wrong:
            error = self.assertRaises(Refused, parse_wish, bad)
            self.assertEqual("bad-message", error.code)


class EncodingTests(SynchronousTestCase):
    def told(self, encoding: Encoding, after: Any = None) -> list[bytes]:
        daemon = Daemonette()
        feed = daemon.feed("a")
        feed.put(1)
        hub = Hub(daemon.state, daemon.clock)
        viewer = FakeViewer()
        asked = Subscription(Selection(None), after=after, asked=after is not None)
        hub.join(viewer, asked, encoding, daemon.times.now())
        feed.put(2)
        hub.wake()
        return viewer.written

    def test_state_and_what_changes(self) -> None:
        wanted = [b'42["state",{"a":1}]', b'42["state",{"a":2}]']
        self.assertEqual(wanted, self.told(SOCKET_IO_POLL))
        for encoding in (SOCKET_IO_WEBSOCKET, SOCKET_IO_DEFLATED):
            self.assertEqual(wanted, texts(b"".join(self.told(encoding))))

    def test_gap(self) -> None:
        """A client whose place in the log is gone has to forget what it has."""
        [gap, *told] = self.told(SOCKET_IO_POLL, parse_position("5-1"))
        self.assertEqual(b'42["resumed",{"resumed":false}]', gap)
        self.assertEqual([b'42["state",{"a":1}]', b'42["state",{"a":2}]'], told)
