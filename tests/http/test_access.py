"""Who may read and who may publish."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.http.access import FORWARDING, Access, Tokens, own_hosts
from streamd.http.request import Request


def request(host: str | None = "wall.example:5000", **headers: str) -> Request:
    """A request with these headers; an underscore stands for a hyphen."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Request("GET", "/", headers=named if host is None else {"host": host, **named})


class AccessTestCase(SynchronousTestCase):
    def refusal(self, call: Any, *arguments: Any) -> tuple[int, str]:
        """Status and code with which it is refused."""
        refused = self.assertRaises(Refused, call, *arguments)
        return refused.status, refused.code


class HeadTests(AccessTestCase):
    access = Access(hosts=frozenset(("wall.example", "localhost")))

    def test_own_hosts_and_addresses(self) -> None:
        for host in (
            "wall.example",
            "WALL.example:5000",
            "wall.example.",
            "localhost:1",
            "127.0.0.1:5000",
            "192.0.2.7",
            "[::1]:5000",
            "[2001:db8::1]",
        ):
            self.access.check_head(request(host))

    def test_a_host_that_is_not_its_own(self) -> None:
        for host in ("evil.example", "wall.example.evil.example", "1.2.3.4.evil.example", "1.2.3"):
            self.assertEqual(
                (421, "unknown-host"), self.refusal(self.access.check_head, request(host)), host
            )

    def test_the_line_to_add_is_shown(self) -> None:
        refused = self.assertRaises(Refused, self.access.check_head, request("Tv.Example:80"))
        self.assertIn('hosts = ["tv.example"]', refused.message)

    def test_a_malformed_host(self) -> None:
        hosts = (
            "",
            " ",
            "a b",
            "a,b",
            "a/b",
            "wall.example:x",
            "wall.example:123456",
            "u@a",
            "[::1",
        )
        for host in (*hosts, "x" * 300, 'a"b', "wall.example, wall.example"):
            self.assertEqual(
                (400, "bad-request"), self.refusal(self.access.check_head, request(host)), host
            )

    def test_only_http_1_0_may_leave_the_host_out(self) -> None:
        self.assertEqual(400, self.refusal(self.access.check_head, request(None))[0])
        self.access.check_head(Request("GET", "/", version="HTTP/1.0"))

    @given(st.sampled_from([*range(9), *range(10, 32), 127]))
    def test_control_bytes(self, code: int) -> None:
        bad = request(x_y=f"a{chr(code)}b")
        self.assertEqual((400, "bad-request"), self.refusal(self.access.check_head, bad))
        path = Request("GET", f"/a{chr(code)}", headers={"host": "localhost"})
        self.assertEqual((404, "not-found"), self.refusal(self.access.check_head, path))

    def test_a_tab_and_other_alphabets_are_fine(self) -> None:
        self.access.check_head(request(user_agent="a\tb \u00c3\u00a4 \u00e2\u0080\u00a6"))

    def test_names_of_the_machine(self) -> None:
        names = own_hosts("Wall.Example.org", ["TV.example"])
        wanted = {"localhost", "wall.example.org", "wall", "wall.local", "tv.example"}
        self.assertEqual(wanted, names)


class ReaderTests(AccessTestCase):
    def check(self, access: Access, origin: str | None, host: str = "wall.example:5000") -> None:
        headers = {"host": host} | ({} if origin is None else {"origin": origin})
        access.check_reader(headers)

    def test_no_browser_and_the_own_page(self) -> None:
        self.check(Access(), None)
        self.check(Access(), "http://wall.example:5000")
        self.check(Access(), "HTTP://wall.example:5000".replace("HTTP", "http"))
        self.check(Access(), "http://Wall.Example:5000")
        self.check(Access(), "http://wall.example", "wall.example")
        self.check(Access(), "http://wall.example", "wall.example:80")
        self.check(Access(), "https://wall.example", "wall.example")  # behind a proxy with TLS
        self.check(Access(), "http://[::1]:5000", "[::1]:5000")

    def test_foreign_pages(self) -> None:
        for origin in (
            "http://evil.example",
            "http://wall.example",  # another port
            "http://wall.example:5001",
            "http://wall.example:5000.evil.example",
            "http://wall.example:5000@evil.example",
            "https://wall.example:5000/",
            "ftp://wall.example:5000",
            "wall.example:5000",
            "null",
            "file://",
            "",
            "http://wall.example:5000, http://evil.example",
        ):
            self.assertEqual(
                (403, "foreign-origin"), self.refusal(self.check, Access(), origin), origin
            )

    def test_an_origin_that_was_configured(self) -> None:
        access = Access(origins=frozenset(("https://intranet.example",)))
        self.check(access, "https://intranet.example")
        for origin in ("http://intranet.example", "https://intranet.example:8443", "null"):
            self.assertEqual(403, self.refusal(self.check, access, origin)[0])

    def test_the_demo_accepts_any_page(self) -> None:
        for origin in ("null", "file://", "http://anywhere.example"):
            self.check(Access(any_origin=True), origin)


class PublisherTests(AccessTestCase):
    closed = Access(tokens=Tokens(("s3cret", "other")))
    local = Access(loopback=True)
    both = Access(tokens=Tokens(("s3cret",)), loopback=True)

    def ask(self, access: Access, token: str | None = None, **fields: Any) -> None:
        version, peer = fields.pop("version", "HTTP/1.1"), fields.pop("peer", "127.0.0.1")
        headers = request(**fields).headers
        access.check_publisher(
            Request("POST", "/", headers=headers, host=peer, version=version), token
        )

    def test_a_token(self) -> None:
        for token in ("s3cret", "other"):
            self.ask(self.closed, authorization=f"Bearer {token}", peer="192.0.2.9")
            self.ask(self.closed, authorization=f"bearer   {token} ", peer="192.0.2.9")

    def test_a_wrong_token_helps_nobody(self) -> None:
        for access in (self.closed, self.local, self.both, Access()):
            for token in ("wrong", "", "s3cret2", "s3cre", "s3cret other", "\u00e9\udc80"):
                self.assertEqual(
                    (401, "bad-token"),
                    self.refusal(
                        lambda a=access, t=token: self.ask(a, authorization=f"Bearer {t}")
                    ),
                )

    def test_another_scheme(self) -> None:
        for text in ("s3cret", "Basic s3cret", "", "Bearer"):
            status, _ = self.refusal(lambda t=text: self.ask(self.both, authorization=t))
            self.assertEqual(401, status)

    def test_no_token(self) -> None:
        for access in (self.closed, Access()):
            self.assertEqual((401, "no-token"), self.refusal(self.ask, access))

    def test_a_token_in_the_body(self) -> None:
        self.ask(self.closed, "s3cret", peer="192.0.2.9")
        self.assertEqual((401, "bad-token"), self.refusal(self.ask, self.closed, "wrong"))
        self.assertEqual((401, "bad-token"), self.refusal(self.ask, self.both, "wrong"))
        self.ask(self.local, "YOUR_AUTH_TOKEN")  # what Smashing's senders send unasked

    def test_the_header_counts_before_the_body(self) -> None:
        bad = lambda: self.ask(self.closed, "s3cret", authorization="Bearer wrong")  # noqa: E731
        self.assertEqual((401, "bad-token"), self.refusal(bad))

    def test_programs_on_this_machine(self) -> None:
        for peer in ("127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"):
            self.ask(self.local, peer=peer)
        for peer in ("192.0.2.9", "::ffff:192.0.2.9", "2001:db8::1", "0.0.0.0", "", "/run/socket"):
            self.assertEqual(
                (401, "no-token"), self.refusal(lambda p=peer: self.ask(self.local, peer=p))
            )

    def test_not_for_others_through_this_machine(self) -> None:
        for name in FORWARDING:
            headers = {"host": "localhost", name: "x"}
            ask = Request("POST", "/", headers=headers)
            self.assertEqual((401, "no-token"), self.refusal(self.local.check_publisher, ask))
        old = lambda: self.ask(self.local, version="HTTP/1.0")  # noqa: E731
        self.assertEqual((401, "no-token"), self.refusal(old))

    def test_pages_of_other_origins(self) -> None:
        own = "http://wall.example:5000"
        self.ask(self.local, origin=own)
        for access in (self.both, Access(tokens=Tokens(("s3cret",)), any_origin=True)):
            for origin in ("http://evil.example", "null", "file://"):
                ask = lambda a=access, o=origin: self.ask(  # noqa: E731
                    a, origin=o, authorization="Bearer s3cret"
                )
                self.assertEqual((403, "foreign-origin"), self.refusal(ask))


class AdminTests(AccessTestCase):
    access = Access(tokens=Tokens(("s3cret",), ("adm1n",)), loopback=True)

    def ask(self, **headers: str) -> None:
        self.access.check_admin(request(**headers))

    def test_a_token(self) -> None:
        self.ask(authorization="Bearer adm1n")
        self.ask(authorization="Bearer adm1n", origin="http://wall.example:5000")

    def test_nobody_else(self) -> None:
        for text in ("Bearer s3cret", "Bearer ", "Basic adm1n", "adm1n"):
            refusal = self.refusal(lambda t=text: self.ask(authorization=t))
            self.assertEqual((401, "bad-token"), refusal)
        self.assertEqual((401, "no-token"), self.refusal(self.ask))
        nobody = Access(tokens=Tokens(("s3cret",)))
        ask = request(authorization="Bearer s3cret")
        self.assertEqual((401, "bad-token"), self.refusal(nobody.check_admin, ask))

    def test_pages_of_other_origins(self) -> None:
        ask = lambda: self.ask(authorization="Bearer adm1n", origin="http://evil.example")  # noqa: E731
        self.assertEqual((403, "foreign-origin"), self.refusal(ask))

    def test_an_admin_token_does_not_publish(self) -> None:
        closed = Access(tokens=self.access.tokens)
        ask = request(authorization="Bearer adm1n")
        self.assertEqual((401, "bad-token"), self.refusal(closed.check_publisher, ask))
