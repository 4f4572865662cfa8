"""Who may read and who may publish."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.http.access.access import Access
from streamd.http.access.credentials import has_token
from streamd.http.access.local_program import LocalPrograms
from streamd.http.access.origins import Origins, Right, own_hosts, sent_as
from streamd.http.access.rules import Rules
from streamd.http.access.tokens import Token, Tokens
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
    access = Origins(hosts=frozenset(("wall.example", "localhost")))

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
    def check(
        self, access: Origins, origin: str | None, host: str = "wall.example:5000", **fields: Any
    ) -> None:
        headers = {"host": host} | ({} if origin is None else {"origin": origin})
        access.check_reader(Request("GET", "/", headers=headers, **fields))

    def test_no_browser_and_the_own_page(self) -> None:
        self.check(Origins(), None)
        self.check(Origins(), "http://wall.example:5000")
        self.check(Origins(), "http://Wall.Example:5000")
        self.check(Origins(), "http://wall.example", "wall.example")
        self.check(Origins(), "http://wall.example", "wall.example:80")
        self.check(Origins(), "https://wall.example", "wall.example")  # behind a proxy with TLS
        self.check(Origins(), "http://[::1]:5000", "[::1]:5000")
        self.check(Origins(), "https://wall.example", "wall.example:443", secure=True)

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
                (403, "foreign-origin"), self.refusal(self.check, Origins(), origin), origin
            )

    def test_page_without_tls_is_foreign_to_a_port_with_tls(self) -> None:
        for origin, host in (
            ("http://wall.example", "wall.example"),
            ("http://wall.example", "wall.example:443"),
            ("http://wall.example:5000", "wall.example:5000"),
        ):
            refusal = self.refusal(
                lambda o=origin, h=host: self.check(Origins(), o, h, secure=True)
            )
            self.assertEqual((403, "foreign-origin"), refusal)

    def test_an_origin_that_was_configured(self) -> None:
        known = frozenset(("https://intranet.example",))
        for access in (Origins(reading=known), Origins(changing=known)):
            self.check(access, "https://intranet.example")
            for origin in ("http://intranet.example", "https://intranet.example:8443", "null"):
                self.assertEqual(403, self.refusal(self.check, access, origin)[0])

    def test_null_stands_for_pages_from_disk(self) -> None:
        access = Origins(reading=sent_as(["null"]))
        for origin in ("null", "file://"):
            self.check(access, origin)
        self.assertEqual(403, self.refusal(self.check, access, "http://evil.example")[0])
        for origin in ("null", "file://"):
            refused = self.assertRaises(Refused, self.check, Origins(), origin)
            self.assertIn('origins = ["null"]', refused.message)

    def test_a_line_that_would_be_refused_is_not_proposed(self) -> None:
        for origin in ("chrome-extension://abc", "http://a, http://b", ""):
            refused = self.assertRaises(Refused, self.check, Origins(), origin)
            self.assertNotIn("origins =", refused.message)
        for origin, proposed in (("null", False), ("http://evil.example", True)):
            ask = Request("POST", "/", headers={"host": "localhost", "origin": origin})
            refused = self.assertRaises(Refused, Access().check_change, ask, Right.PUBLISH)
            self.assertEqual(proposed, "publish_origins =" in refused.message)

    def test_the_demo_accepts_any_page(self) -> None:
        for origin in ("null", "file://", "http://anywhere.example"):
            self.check(Origins(any=True), origin)


class ProxyTests(AccessTestCase):
    """What a proxy says about the address that the client used counts only if it is trusted."""

    access = Origins(hosts=frozenset(("wall.example", "localhost")))

    def request(self, proxied: bool, **told: str) -> Request:
        headers = {f"x-forwarded-{name}": text for name, text in told.items()}
        return Request("GET", "/", headers={"host": "10.0.0.5:5000", **headers}, proxied=proxied)

    def test_scheme_and_host(self) -> None:
        for told, wanted in (
            ({}, ("http", "10.0.0.5:5000")),
            ({"proto": "https", "host": "wall.example"}, ("https", "wall.example")),
            ({"proto": "wss"}, ("https", "10.0.0.5:5000")),
            (
                {"proto": "http, HTTPS", "host": "evil.example, wall.example"},
                ("https", "wall.example"),
            ),
            ({"proto": "gopher", "host": ""}, ("http", "10.0.0.5:5000")),
        ):
            trusted, other = self.request(True, **told), self.request(False, **told)
            self.assertEqual(wanted, (trusted.scheme, trusted.authority))
            self.assertEqual(("http", "10.0.0.5:5000"), (other.scheme, other.authority))

    def test_sub_path(self) -> None:
        for told, prefix in (
            ("/wall", "/wall"),
            ("/wall/", "/wall"),
            ("/a/b-2", "/a/b-2"),
            ("/evil, /wall", "/wall"),
            ("/", ""),
            ("", ""),
            ("wall", ""),
            ("//evil.example", ""),
            ('/"><script>', ""),
        ):
            trusted, other = self.request(True, prefix=told), self.request(False, prefix=told)
            self.assertEqual((prefix, ""), (trusted.prefix, other.prefix))
            self.assertEqual(f"http://10.0.0.5:5000{prefix}/", trusted.address)

    def test_told_host_has_to_be_an_own_one(self) -> None:
        self.access.check_head(self.request(True, host="wall.example"))
        for host, refusal in (
            ("evil.example", (421, "unknown-host")),
            ("a b", (400, "bad-request")),
        ):
            ask = self.request(True, host=host)
            self.assertEqual(refusal, self.refusal(self.access.check_head, ask))
            self.access.check_head(self.request(False, host=host))

    def test_own_page_behind_tls_changes_if_the_proxy_is_trusted(self) -> None:
        access = Access(Rules(Tokens([Token("s3cret")])))
        told = {"proto": "https", "host": "wall.example"}
        page = {"origin": "https://wall.example", "authorization": "Bearer s3cret"}
        for proxied, host in ((True, "10.0.0.5:5000"), (False, "wall.example")):
            headers = {"host": host, **{f"x-forwarded-{k}": v for k, v in told.items()}, **page}
            ask = Request("POST", "/", headers=headers, proxied=proxied)
            access.rules.origins.check_reader(ask)
            if proxied:
                access.check_change(ask, Right.PUBLISH)
            else:
                refused = self.assertRaises(Refused, access.check_change, ask, Right.PUBLISH)
                self.assertIn("trusted_proxies", refused.message)


TOKENS = Tokens(
    [Token("a-token-to-publish"), Token("another-token-to-publish")], [Token("a-token-to-command")]
)

RULES = {
    "no file": Access(Rules(local=LocalPrograms(True, any_port=True), origins=Origins(any=True))),
    "nobody": Access(),
    "loopback": Access(Rules(local=LocalPrograms(True))),
    "loopback and a proxy": Access(Rules(local=LocalPrograms(True, only_unix=True))),
    "tokens": Access(
        Rules(
            TOKENS,
            origins=Origins(
                reading=frozenset(("https://reads.example",)),
                changing=frozenset(("https://writes.example",)),
            ),
        )
    ),
}
PEERS = {"127.1.2.3": True, "::1": True, "::ffff:127.0.0.1": True, "": True}
PEERS |= {"192.0.2.9": False, "2001:db8::1": False, "::ffff:192.0.2.9": False}
HOSTS = {"localhost:5000": True, "127.0.0.1": True, "[::1]:5000": True, "LOCALHOST.": True}
HOSTS |= {
    "wall.example:5000": False,
    "192.0.2.7": False,
    "0.0.0.0": False,
    "127.0.0.1.nip.io": False,
}
ADDED = [
    {},
    {"x-forwarded-for": ""},
    {"via": "1.1 x"},
    {"version": "HTTP/1.0"},
    {"proxied": "yes"},
    {"relayed": "yes"},
]
ORIGINS = [None, "own", "own with TLS", "null", "https://reads.example", "https://writes.example"]
GIVEN = [None, "a-token-to-publish", "a-token-to-command", "wrong"]


def decision(
    rule: str,
    right: Right,
    peer: str,
    host: str,
    added: Any,
    private: bool,
    origin: Any,
    token: Any,
) -> str | None:
    """The code of the refusal, as the documentation says it; None if the request is accepted."""
    own = ("own", "own with TLS") if right is Right.REPORT else ("own",)
    others = ("https://writes.example",) if rule == "tokens" else ()
    if origin not in (None, *own, *others):
        return "foreign-origin"
    if right is Right.REPORT:
        return None
    if token is not None:
        if rule != "tokens" or token == "wrong":
            return "bad-token"
        # An administrator may do everything.
        return None if token == GIVEN[2] or right is Right.PUBLISH else "no-right"
    if right is not Right.PUBLISH or rule in ("nobody", "tokens") or added or not PEERS[peer]:
        return "no-token"
    if peer == "":
        return None
    port = private or rule == "no file"
    return None if port and HOSTS[host] and rule != "loopback and a proxy" else "no-token"


class ChangeTests(AccessTestCase):
    """Every peer, Host, header, port, origin, token and file, crossed with every other."""

    def outcome(
        self,
        rule: str,
        right: Right,
        peer: str,
        host: str,
        added: Any,
        private: bool,
        origin: Any,
        token: Any,
    ) -> str | None:
        headers = {"host": host, **added}
        fields: dict[str, Any] = {"version": headers.pop("version", "HTTP/1.1")}
        for name in ("proxied", "relayed"):
            fields[name] = bool(headers.pop(name, ""))
        if origin is not None:
            scheme = {"own": "http", "own with TLS": "https"}.get(origin)
            headers["origin"] = f"{scheme}://{host.lower()}" if scheme else origin
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        ask = Request("POST", "/", headers=headers, host=peer, private=private, **fields)
        refused = RULES[rule].refusal(ask, right)
        self.assertIn(refused.status if refused else 401, (401, 403))
        return refused.code if refused else None

    def test_every_combination(self) -> None:
        cases = product(RULES, Right, PEERS, HOSTS, ADDED, (True, False), ORIGINS, GIVEN)
        wrong = [case for case in cases if self.outcome(*case) != decision(*case)]
        self.assertEqual([], wrong[:5])

    def ask(self, access: Access, token: str | None = None, **fields: Any) -> str:
        """Publish from the machine itself, with these headers."""
        headers = {"host": "localhost", **fields}
        ask = Request("POST", "/", headers=headers, private=True)
        return access.check_change(ask, Right.PUBLISH, token).publisher

    def test_a_token(self) -> None:
        access = RULES["tokens"]
        for place, (token, *_) in enumerate(TOKENS.publish):
            for header in (f"Bearer {token}", f"bearer   {token} "):
                self.assertEqual(str(place), self.ask(access, authorization=header))
            self.assertEqual(str(place), self.ask(access, token))

    def test_a_token_beside_the_password_for_a_proxy(self) -> None:
        access, token = RULES["tokens"], TOKENS.publish[0].text
        for authorization in ({}, {"authorization": "Basic dXNlcjpwYXNz"}):
            self.assertEqual("0", self.ask(access, **authorization, **{"streamd-token": token}))
            wrong = {**authorization, "streamd-token": "wrong"}
            refusal = self.refusal(lambda headers=wrong: self.ask(access, **headers))
            self.assertEqual((401, "bad-token"), refusal)
            guess = Request("POST", "/streams/a", headers={"streamd-token": "wrong"})
            self.assertTrue(has_token(guess))

    def test_a_wrong_token_helps_nobody(self) -> None:
        right = TOKENS.publish[0].text
        for access in RULES.values():
            for token in ("", f"{right}2", right[:-1], f"{right} {right}", "\u00e9\udc80"):
                header = f"Bearer {token}"
                refusal = self.refusal(lambda a=access, h=header: self.ask(a, authorization=h))
                self.assertEqual((401, "bad-token"), refusal)
            for header in (right, f"Basic {right}", "", "Bearer"):
                refusal = self.refusal(lambda a=access, h=header: self.ask(a, authorization=h))
                self.assertEqual(401, refusal[0])

    def test_a_token_in_the_body(self) -> None:
        self.assertEqual((401, "bad-token"), self.refusal(self.ask, RULES["tokens"], "wrong"))
        self.ask(RULES["loopback"], "YOUR_AUTH_TOKEN")  # what Smashing's senders send unasked

    def test_the_header_counts_before_the_body(self) -> None:
        right = TOKENS.publish[0].text
        both = lambda: self.ask(RULES["tokens"], right, authorization="Bearer wrong")  # noqa: E731
        self.assertEqual((401, "bad-token"), self.refusal(both))

    def test_headers_that_only_proxies_add(self) -> None:
        for name in (
            "forwarded",
            "via",
            "x-forwarded-for",
            "x-forwarded-anything",
            "x-real-ip",
            "x-client-ip",
            "x-cluster-client-ip",
            "x-original-url",
            "x-envoy-external-address",
            "x-amzn-trace-id",
            "true-client-ip",
            "cf-connecting-ip",
            "cdn-loop",
            "fastly-client-ip",
            "proxy-connection",
            "x-forward-for",
            "x_forwarded_for",
            "forwarded-for",
            "client-ip",
            "wl-proxy-client-ip",
            "x-proxyuser-ip",
            "x-azure-clientip",
            "x-remote-addr",
            "remote-user",
            "x-scheme",
            "x-host",
            "x-varnish",
            "front-end-https",
            "fly-client-ip",
            "x-cloud-trace-context",
            "tailscale-user-login",
            "surrogate-capability",
        ):
            refusal = self.refusal(lambda n=name: self.ask(RULES["no file"], **{n: "x"}))
            self.assertEqual((401, "no-token"), refusal)
        for name in ("x-request-id", "user-agent", "traceparent", "cookie", "viable"):
            self.ask(RULES["no file"], **{name: "x"})

    def test_the_refusal_says_what_would_help(self) -> None:
        loopback = RULES["loopback"]
        cases: Any = (
            ({"host": "192.0.2.9"}, "on the daemon's machine"),
            ({"headers": {"host": "wall.example"}}, "as localhost"),
            ({"headers": {"host": "localhost", "via": "x"}}, "through no proxy"),
            ({}, "tcp:5000:interface=127.0.0.1"),
        )
        for fields, cure in cases:
            ask = Request("POST", "/", **{"headers": {"host": "localhost"}, **fields})
            refused = self.assertRaises(Refused, loopback.check_change, ask, Right.PUBLISH)
            self.assertIn("Bearer", refused.message)
            self.assertIn(cure, refused.message)
            refused = self.assertRaises(Refused, Access().check_change, ask, Right.PUBLISH)
            self.assertNotIn(cure, refused.message)


class NoteTests(SynchronousTestCase):
    def test_the_log_names_programs_that_publish_without_a_token(self) -> None:
        for rule, unix, private, wanted in (
            ("nobody", True, True, ""),
            ("tokens", True, True, ""),
            ("no file", False, False, "list tokens"),
            ("loopback", False, True, "list tokens"),
            ("loopback", True, False, "list tokens"),
            ("loopback", False, False, "lets nobody publish here: use a port of this machine"),
            ("loopback and a proxy", False, True, "lets nobody publish here: with trusted_proxies"),
            ("loopback and a proxy", True, False, "list tokens"),
        ):
            said = RULES[rule].rules.local.note(unix, private)
            self.assertEqual(bool(wanted), bool(said))
            self.assertIn(wanted, said)


class PreflightTests(AccessTestCase):
    def test_a_page_that_reads_hears_that_it_may_not_publish(self) -> None:
        access = RULES["tokens"]
        for origin, method, refused in (
            ("https://reads.example", None, False),
            ("https://reads.example", "GET", False),
            ("https://reads.example", "POST", True),
            ("https://writes.example", "DELETE", False),
            ("https://evil.example", "GET", True),
            ("https://evil.example", "PATCH", True),
        ):
            asked = {} if method is None else {"access-control-request-method": method}
            headers = {"host": "localhost", "origin": origin, **asked}
            ask = Request("OPTIONS", "/state", headers=headers)
            if refused:
                self.assertEqual(403, self.refusal(access.rules.origins.check_preflight, ask)[0])
            else:
                access.rules.origins.check_preflight(ask)
