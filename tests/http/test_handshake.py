"""The opening handshake, judged from its headers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.http.handshake import V1, parse_handshake, wants_websocket
from streamd.http.request import Request

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HEADERS = {
    "upgrade": "websocket",
    "connection": "Upgrade",
    "sec-websocket-version": "13",
    "sec-websocket-key": KEY,
}


class HandshakeTests(SynchronousTestCase):
    def test_valid(self) -> None:
        for headers in (
            HEADERS,
            {**HEADERS, "upgrade": "h2c, WebSocket", "connection": "keep-alive, upgrade"},
            {**HEADERS, "sec-websocket-protocol": "chat"},
        ):
            self.assertEqual((KEY, None, ""), parse_handshake(headers))

    def test_protocol(self) -> None:
        """A token that is offered as a protocol is never selected, and so never repeated."""
        offered = {**HEADERS, "sec-websocket-protocol": f"streamd.token.c2VjcmV0,{V1}, chat"}
        self.assertEqual(V1, parse_handshake(offered).protocol)

    def test_extensions_are_passed_on(self) -> None:
        offered = {**HEADERS, "sec-websocket-extensions": "permessage-deflate"}
        self.assertEqual("permessage-deflate", parse_handshake(offered).extensions)

    def test_invalid(self) -> None:
        for name, value, status in (
            ("sec-websocket-version", "7", 426),
            ("sec-websocket-version", "13, 13", 426),
            ("sec-websocket-key", KEY[1:], 400),
            ("sec-websocket-key", f"{KEY}, {KEY}", 400),
            ("sec-websocket-key", f"{KEY}\x85", 400),
            ("sec-websocket-protocol", f"{V1}, {V1}", 400),
        ):
            with self.assertRaises(Refused) as refused:
                parse_handshake({**HEADERS, name: value})
            self.assertEqual(status, refused.exception.status, (name, value))
            without = {other: v for other, v in HEADERS.items() if other != name}
            if name != "sec-websocket-protocol":
                self.assertRaises(Refused, parse_handshake, without)

    def test_proxy_that_removes_a_header_is_named(self) -> None:
        for name, value in (("upgrade", ""), ("upgrade", "h2c"), ("connection", "close")):
            with self.assertRaises(Refused) as refused:
                parse_handshake({**HEADERS, name: value})
            self.assertEqual(
                (426, "upgrade-lost"), (refused.exception.status, refused.exception.code)
            )
            self.assertIn("proxy_set_header Upgrade $http_upgrade;", refused.exception.message)
        without = {name: value for name, value in HEADERS.items() if name != "upgrade"}
        self.assertTrue(wants_websocket(Request("GET", "/", headers=without)))

    def test_only_two_paths_have_websockets(self) -> None:
        for method, path, wanted in (
            ("GET", "/", True),
            ("GET", "/ws", True),
            ("GET", "/ws/", False),
            ("POST", "/ws", False),
        ):
            self.assertEqual(wanted, wants_websocket(Request(method, path, headers=HEADERS)))
        self.assertFalse(wants_websocket(Request("GET", "/ws")))
