"""Credentials in the head of a request, and the tokens that are known."""

from __future__ import annotations

from base64 import urlsafe_b64encode

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.core.rights import ALL_RIGHTS, Rights
from streamd.core.selection import Selection
from streamd.http.access.credentials import (
    MAX_COOKIES,
    cookie_to_set,
    cookies_of,
    has_cookie,
    token_of,
)
from streamd.http.access.tokens import KnownTokens, Token, Tokens
from streamd.http.request import Request


def request(**headers: str) -> Request:
    """A handshake with these headers; an underscore stands for a hyphen."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Request("GET", "/ws", headers={"host": "localhost", "upgrade": "websocket", **named})


def protocol(token: bytes) -> str:
    return "streamd.token." + urlsafe_b64encode(token).rstrip(b"=").decode()


class TokenTests(SynchronousTestCase):
    def test_where_a_token_may_be(self) -> None:
        for headers, token in (
            ({"authorization": "Bearer abc"}, "abc"),
            ({"authorization": "bearer  abc "}, " abc "),
            ({"authorization": "Basic abc"}, None),
            ({"authorization": "Bearer é".encode().decode("latin-1")}, "é"),
            ({"sec_websocket_protocol": f"streamd.v1, {protocol(b'abc')}"}, "abc"),
            ({"sec_websocket_protocol": protocol("é?>".encode())}, "é?>"),
            ({"sec_websocket_protocol": "streamd.v1"}, None),
            ({"authorization": "Bearer a", "sec_websocket_protocol": protocol(b"b")}, "a"),
            ({}, None),
        ):
            self.assertEqual(token, token_of(request(**headers)), headers)

    def test_subprotocol_that_is_no_token(self) -> None:
        for text in ("streamd.token.!", "streamd.token.a", "streamd.token._w"):
            refused = self.assertRaises(Refused, token_of, request(sec_websocket_protocol=text))
            self.assertEqual((401, "bad-token"), (refused.status, refused.code), text)

    def test_subprotocol_counts_for_websockets_only(self) -> None:
        headers = {"host": "localhost", "sec-websocket-protocol": protocol(b"abc")}
        self.assertIsNone(token_of(Request("GET", "/state", headers=headers)))

    def test_cookies(self) -> None:
        found = lambda cookie: list(cookies_of(request(cookie=cookie), "a"))  # noqa: E731
        self.assertEqual(["1"], found("a=1"))
        self.assertEqual(["1", "=2"], found("b=0;a=1;  a==2; aa=3; A=4; a"[:-3]))
        self.assertEqual([], found(""))
        self.assertEqual(MAX_COOKIES, len(found("a=1; " * 100)))

    def test_cookie_names_by_their_beginning(self) -> None:
        for cookie, found in (("a=1; streamd-ab=2", True), ("xstreamd-ab=1", False), ("", False)):
            self.assertEqual(found, has_cookie(request(cookie=cookie), "streamd-"))


class SetCookieTests(SynchronousTestCase):
    def test_name_and_attributes(self) -> None:
        told = {"x-forwarded-proto": "https"}
        below = {**told, "x-forwarded-prefix": "/wall"}
        for fields, name, path, secure in (
            ({}, "streamd-ab", "/", False),
            ({"secure": True}, "__Host-streamd-ab", "/", True),
            ({"proxied": True, "headers": told}, "__Host-streamd-ab", "/", True),
            ({"proxied": True, "headers": below}, "streamd-ab", "/wall/", True),
            ({"headers": below}, "streamd-ab", "/", False),
        ):
            made = cookie_to_set(Request("GET", "/", **fields), "ab", "s3cret", 60)
            pair, *attributes = made.split("; ")
            self.assertEqual(f"{name}=s3cret", pair)
            wanted = {f"Path={path}", "Max-Age=60", "HttpOnly", "SameSite=Lax"}
            self.assertEqual(wanted | ({"Secure"} if secure else set()), set(attributes))


class KnownTokensTests(SynchronousTestCase):
    known = KnownTokens(
        Tokens(
            [Token("p0"), Token("p1", "ci", Selection(["build.*"]))],
            [Token("a0", "root")],
            [Token("v0"), Token("p1")],
        )
    )

    def test_rights_names_and_publishers(self) -> None:
        every = Selection()
        for token, rights, name, publisher in (
            ("p0", Rights(publish=every), "", "0"),
            ("p1", Rights(every, Selection(["build.*"])), "ci", "1"),
            ("a0", ALL_RIGHTS, "root", "admin0"),
            (" v0 ", Rights(every), "", ""),
        ):
            found = self.known.principal(token)
            assert found is not None
            self.assertEqual((rights, name, publisher), found[2:5], token)
            self.assertEqual(found, self.known.of_hash(found.key))

    def test_unknown_tokens(self) -> None:
        for token in ("", "p", "p00", "P0", "\udc80"):
            self.assertIsNone(self.known.principal(token))
        self.assertIsNone(KnownTokens(Tokens()).principal(""))

    def test_no_token_is_kept(self) -> None:
        self.assertNotIn("root-token", repr(vars(KnownTokens(Tokens([Token("root-token")])))))
