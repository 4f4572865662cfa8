"""Every credential at every way to read and to change, from every origin: who gets what.

The table says what the documentation says, in other words than the code.  No answer may have a byte
of a stream that its client may not see.

A new route needs a line here, or `test_every_route_is_in_the_table` fails:

- a ``GET`` for those who may read: in READS, with the streams that it names, or in WALLS;
- a ``GET`` for anybody: in PUBLIC, and in :data:`streamd.http.site._FOR_ANYBODY`;
- a request that publishes, or that an administrator sends: in CHANGES;
- anything else, such as a secret of its own: a test below, which the line in BESIDES names.

A new kind of credential is one entry of CLIENTS or COOKIES, and then meets every route.
"""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from streamd.config.own_pages import read_pages
from streamd.http.access import guesses
from streamd.http.reading.own_pages import Shown
from tests.support.fakes import fail_source
from tests.support.frames import frame, handshake, head
from tests.support.net import Answer, wait_until
from tests.support.served import Serve, Served, Wire, in_thread
from tests.support.socketio import PATH, Polling, Socket

CONFIG = """
[access]
view = ["view-every-stream", { token = "view-open-streams", streams = ["open.*"] },
        { token = "view-other-stream", streams = ["other.x"] }]
publish = ["publish-every-one", { token = "publish-open-only", name = "ci", streams = ["open.*"] }]
admin = ["administrator-all"]
identity = { header = "X-Forwarded-User", admins = ["ann"] }
[server]
trusted_proxies = ["127.0.0.2"]
hosts = ["wall.example"]
origins = ["https://reads.example"]
publish_origins = ["https://writes.example"]
[[walls]]
name = "open"
streams = ["open.*"]
[[walls]]
name = "vault"
title = "s3cr3t wall"
streams = ["secret.plan", "open.a"]
[[walls]]
name = "all"
[[screens]]
name = "tv"
walls = [{ wall = "open" }]
[streams.secret.plan]
title = "s3cr3t title"
[hooks.till]
secret = "secret-of-the-till"
stream = "open.till"
"""

MARKS = {"open.a": b"op3n", "other.x": b"oth3r", "secret.plan": b"s3cr3t"}
"""Stream -> the bytes that tell its value."""

ALL, OPEN, OTHER, NONE = set(MARKS), {"open.a"}, {"other.x"}, set[str]()


@dataclass(frozen=True)
class Client:
    """One kind of client.

    :ivar headers: its credentials.
    :ivar view: the streams that it may read.
    :ivar publish: the streams that it may publish.
    :ivar known: whether the credentials are valid.
    :ivar ambient: whether a browser sends them by itself.
    :ivar walls: the walls that it may read.
    """

    headers: dict[str, str] = field(default_factory=dict)
    view: set[str] = field(default_factory=set)
    publish: set[str] = field(default_factory=set)
    admin: bool = False
    known: bool = True
    ambient: bool = False
    source: str = "127.0.0.1"
    walls: tuple[str, ...] = ()
    code: str = "no-token"


def bearer(token: str, **more: Any) -> Client:
    return Client({"Authorization": f"Bearer {token}"}, **more)


EVERY_WALL = ("open", "vault", "all")
TRUSTED = "127.0.0.2"
ANN, BOB = {"X-Forwarded-User": "ann"}, {"X-Forwarded-User": "bob"}

CLIENTS: dict[str, Client] = {
    "none": Client(known=False),
    "wrong": bearer("a-wrong-token-here", known=False, code="bad-token"),
    "view": bearer("view-every-stream", view=ALL, walls=EVERY_WALL),
    "view in another header": Client(
        {"Streamd-Token": "view-every-stream"}, view=ALL, walls=EVERY_WALL
    ),
    "view open": bearer("view-open-streams", view=OPEN, walls=("open", "all")),
    "view others": bearer("view-other-stream", view=OTHER, walls=("all",)),
    "publish": bearer("publish-every-one", publish=ALL),
    "publish open": bearer("publish-open-only", publish=OPEN),
    "admin": bearer("administrator-all", view=ALL, publish=ALL, admin=True, walls=EVERY_WALL),
    "person": Client(BOB, view=ALL, ambient=True, source=TRUSTED, walls=EVERY_WALL),
    "person as admin": Client(
        ANN, ALL, ALL, admin=True, ambient=True, source=TRUSTED, walls=EVERY_WALL
    ),
    "invented person": Client(ANN, known=False),
    "two persons": Client({"X-Forwarded-User": "ann, bob"}, known=False, source=TRUSTED),
}
COOKIES = {
    "screen": Client(view=OPEN, ambient=True, walls=("open",)),
    "link": Client(view=OPEN | {"secret.plan"}, ambient=True, walls=("vault",)),
    "session": Client(view=ALL, publish=ALL, admin=True, ambient=True, walls=EVERY_WALL),
    "revoked": Client(known=False, ambient=True, code="signed-out"),
    "expired": Client(known=False, ambient=True, code="signed-out"),
    "invented cookie": Client(known=False, ambient=True, code="signed-out"),
}
"""Clients with a cookie, which the daemon has to make."""

ORIGINS = [None, "own", "own with TLS", "https://reads.example", "https://writes.example"]
ORIGINS += ["https://evil.example", "null"]

# Path -> the streams that it names, or None if it asks for all that one may see.
READS: dict[str, set[str] | None] = {
    "/state": None,
    "/state?streams=*": None,
    "/state?streams=*.plan,open.*": None,
    "/state?streams=secret.plan": {"secret.plan"},
    "/state?streams=open.a": OPEN,
    "/state?streams=open.a,secret.plan": {"open.a", "secret.plan"},
    "/streams": None,
    "/streams?streams=secret.*,other.*": None,
    "/streams?streams=other.x": OTHER,
    "/streams/secret.plan": {"secret.plan"},
    "/streams/open.a": OPEN,
    "/streams/secret.plan.txt": {"secret.plan"},
    "/streams/secret.plan.svg": {"secret.plan"},
    "/streams/other.x.txt": OTHER,
    "/streams/secret.plan?history=5": {"secret.plan"},
    "/streams/secret.plan?points=5": {"secret.plan"},
    "/streams/secret.plan?from=-1h": {"secret.plan"},
    "/pictures/secret.plan?v=1": {"secret.plan"},
    "/updates?wait=0": None,
    "/updates?wait=0&after=0-0": None,
    "/updates?streams=secret.plan&wait=0": {"secret.plan"},
    "/updates?streams=s*&wait=0": None,
    "/events?for=1ms": None,
    "/events?for=1ms&format=v1": None,
    "/events?for=1ms&format=v1&streams=secret.*,o*": None,
    "/events?for=1ms&format=v1&streams=secret.plan&history=9": {"secret.plan"},
    "/walls": None,
    "/streams/nowhere": {"nowhere"},
    "/nowhere": None,
}
WALLS = ["/walls/open", "/walls/vault", "/walls/all", "/walls/nowhere", "/screens/tv", "/screens"]
PUBLIC = ["/", "/streamd.js", "/wall/theme.css", "/healthz", "/healthz?strict", "/reached"]
PUBLIC += ["/admin", "/admin/start.js"]
CHANGES: dict[tuple[str, str, str], set[str] | None] = {
    ("POST", "/streams/open.a", '"op3n"'): OPEN,
    ("POST", "/streams/secret.plan", '"s3cr3t"'): {"secret.plan"},
    ("PATCH", "/state", '{"open.a": "op3n", "secret.plan": "s3cr3t"}'): {"open.a", "secret.plan"},
    ("PATCH", "/state", '{"open.a": "op3n"}'): OPEN,
    ("POST", "/widgets/open.a", '{"current": "op3n"}'): OPEN,
    ("POST", "/write", 'open a="op3n"'): OPEN,
    ("POST", "/api/v2/write", 'open a="op3n"'): OPEN,
    ("DELETE", "/streams/nowhere", ""): {"nowhere"},
    ("POST", "/screens/tv", '{"command": "reload"}'): None,
    ("POST", "/alerts/nothing", '{"command": "test"}'): None,
    ("POST", "/links", '{"wall": "nowhere", "for": "1d"}'): None,
    ("POST", "/pairing/nobody", '{"name": "x", "wall": "open"}'): None,
    ("POST", "/grants/none", '{"name": "x"}'): None,
    ("DELETE", "/grants/none", ""): None,
}
BESIDES = {
    "GET /link": "test_a_link_is_a_right_of_its_own",
    "GET /grants": "test_lists_of_administrators",
    "GET /pairing": "test_lists_of_administrators",
    "GET /admin/refusals": "test_lists_of_administrators",
    "POST /hooks/NAME": "test_hooks_ask_for_their_own_secret",
    "POST /pairing": "test_every_client_may_wait_and_none_gets_a_grant",
    "GET /admin/session": "test_session_of_an_administrator",
    "POST /admin/session": "test_session_of_an_administrator",
    "DELETE /admin/session": "test_session_of_an_administrator",
    "GET /metrics": "test_metrics_need_a_right_of_their_own",
    "GET /socket.io/": "test_every_client_at_socketio",
    "POST /socket.io/": "test_every_client_at_socketio",
    "PUT /socket.io/": "refused as every wrong method is, see tests/http/viewers/test_socketio.py",
    "OPTIONS /socket.io/": "has no data, see tests/http/viewers/test_socketio.py",
    "GET /ws": "test_every_client_at_websockets",
    "GET /marks/NAME": "of tests/app/test_pages.py",
    "GET /pages": "test_own_pages_are_for_all_who_may_read",
    "GET /pages/REST": "test_own_pages_are_for_all_who_may_read",
}
"""Route -> the test that asks for it with every client."""


class Table:
    """A daemon with clients of every kind, and one connection for each."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.asked = 0
        grants = served.service.grants
        wait_until(lambda: served.run(lambda: grants.loaded))
        for name, value in MARKS.items():
            served.post_at_once((name, value.decode()))
        state, now = served.service.state, time.time()
        served.run(fail_source, state, "secret.broken", "a s3cr3t reason", now)
        made = {
            "screen": self.cookie("screen", "tv", "open"),
            "link": self.cookie("link", "guests", "vault", 3600.0),
            "session": self.cookie("admin", "ann", "", 3600.0, self.owner()),
            "expired": self.cookie("link", "old", "vault", 0.01),
            "revoked": self.cookie("screen", "gone", "vault"),
            "invented cookie": self.cookie("link", "x", "vault", 3600.0)[:-3] + "abc",
        }
        gone = next(grant for grant in grants.listing() if grant.name == "gone")
        served.run(grants.revoke, gone.id)
        self.clients = dict(CLIENTS)
        for name, client in COOKIES.items():
            self.clients[name] = Client(
                {"Cookie": f"a=b; {made[name]}"},
                **{key: value for key, value in vars(client).items() if key != "headers"},
            )
        self.wires: dict[str, Wire] = {}

    def owner(self) -> str:
        known = self.served.service.access.rules.known.principal("administrator-all")
        assert known is not None
        return known.key

    def cookie(self, *about: Any) -> str:
        grants = self.served.service.grants
        _, secret = self.served.run(grants.make, *about)
        return f"{list(grants.cookies)[1]}={secret}"

    def lines(self, client: Client, origin: str | None, host: str) -> Iterator[str]:
        yield from (f"{key}: {value}" for key, value in client.headers.items())
        if origin is not None:
            own = {"own": f"http://{host}", "own with TLS": f"https://{host}"}
            yield f"Origin: {own.get(origin, origin)}"

    def ask(
        self,
        client: str,
        origin: str | None,
        method: str,
        path: str,
        body: str = "",
        host: str = "",
    ) -> Answer:
        self.asked += 1
        about = self.clients[client]
        host = host or f"127.0.0.1:{self.served.port}"
        lines = [*self.lines(about, origin, host), f"Content-Length: {len(body)}"]
        data = head(method, path, *lines, host=host) + body.encode()
        if client not in self.wires or path.startswith("/events"):
            wire = self.served.wire(source=about.source)
        else:
            wire = self.wires[client]
        wire.send(data)
        answer = wire.answer(method)
        if path.startswith("/events") or answer.headers.get("Connection") == "close":
            wire.close()
            self.wires.pop(client, None) if wire is self.wires.get(client) else None
        else:
            self.wires[client] = wire
        return answer


def counting(client: Client, origin: str | None, reads: bool, websocket: bool = False) -> Client:
    """The client as it counts with an origin: a browser's own credentials may not."""
    counts = {None: reads and not websocket, "own": True, "own with TLS": reads}
    if client.ambient and not counts.get(origin, False):
        shown = "Cookie" in client.headers
        return Client(client.headers, known=False, code="signed-out" if shown else "no-token")
    return client


def read_status(client: Client, names: set[str] | None) -> int:
    if not client.view:
        return 403 if client.known else 401
    return 403 if names is not None and not names <= client.view else 200


def check_bytes(answer: bytes, view: set[str], asked: str = "") -> None:
    """No byte of a stream that may not be seen; its name only if the client itself has said it."""
    for name, mark in MARKS.items():
        if name not in view:
            assert mark not in answer, answer
            assert name.encode() not in answer or name in asked, answer
    assert b"broken" not in answer or "secret.plan" in view, answer


def check_private(answer: Answer) -> None:
    cached = answer.headers.get("Cache-Control", "")
    assert "public" not in cached, cached
    assert "private" in cached or "no-store" in cached, cached
    if answer.status == 200:
        assert {"Cookie", "Authorization"} <= set(answer.headers["Vary"].split(", "))


def check_read(table: Table, name: str, origin: str | None, path: str) -> None:
    client = counting(table.clients[name], origin, reads=True)
    answer = table.ask(name, origin, "GET", path)
    foreign = origin in ("https://evil.example", "null")
    wanted = 403 if foreign else read_status(client, READS[path])
    missing = {"/nowhere", "/streams/nowhere", "/pictures/secret.plan?v=1"}
    if (wanted == 200 and path in missing) or path == "/nowhere":
        wanted = 404
    if wanted == 403 and path == "/streams/nowhere" and client.view == ALL and not foreign:
        wanted = 404
    assert answer.status == wanted, (path, answer.status, answer.text)
    check_bytes(answer.body, client.view, path)
    if answer.status != 404:
        check_private(answer)
    if answer.status in (401, 403) and not foreign:
        code = answer.json()["error"]["code"]
        assert code == ("no-right" if answer.status == 403 else client.code)
    if wanted == 200 and READS[path] is None and path.split("?")[0] in ("/state", "/streams"):
        shown = {each for each in client.view if MARKS[each] in answer.body}
        if path in ("/state", "/streams", "/state?streams=*"):
            assert shown == client.view


def check_wall(table: Table, name: str, origin: str | None, path: str) -> None:
    client = counting(table.clients[name], origin, reads=True)
    answer = table.ask(name, origin, "GET", path)
    if origin in ("https://evil.example", "null"):
        wanted = 403
    elif not client.view:
        wanted = 403 if client.known else 401
    elif path == "/screens":
        wanted = 200 if client.view == ALL else 403
    elif path == "/walls/nowhere":
        wanted = 404 if client.walls == EVERY_WALL else 403
    else:
        wanted = 200 if path == "/screens/tv" or path[7:] in client.walls else 403
    assert answer.status == wanted, (path, answer.status, answer.text)
    check_bytes(answer.body, client.view, path)
    assert b"s3cr3t wall" not in answer.body or "vault" in client.walls
    if path == "/screens/tv" and wanted == 200:
        assert bool(answer.json()["walls"]) == ("open" in client.walls)


def check_answer(table: Table, name: str, origin: str | None, path: str) -> None:
    (check_read if path in READS else check_wall)(table, name, origin, path)


def check_change(table: Table, name: str, origin: str | None, change: tuple[str, str, str]) -> None:
    client = counting(table.clients[name], origin, reads=False)
    answer = table.ask(name, origin, *change)
    names = CHANGES[change]
    allowed = client.admin if names is None else bool(client.publish)
    if origin not in (None, "own", "https://writes.example"):
        wanted = {403}
    elif not allowed:
        wanted = {403 if client.known else 401}
    elif names is not None and not names <= client.publish and names != {"nowhere"}:
        wanted = {403}
    elif names == {"nowhere"}:
        wanted = {404} if client.publish == ALL else {403}
    else:
        wanted = {200, 201, 204} if names is not None else {404}  # there is none
    assert answer.status in wanted, (change, answer.status, answer.text)
    check_bytes(answer.body, client.view, change[1] + change[2])


@pytest.fixture
def table(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Table]:
    monkeypatch.setattr(guesses, "PAUSE", 0.0)
    return lambda: Table(serve(CONFIG))


def every_case(
    table: Table, look: Callable[[Table, str, str | None, Any], None], asked: Any
) -> None:
    for name in table.clients:
        for origin in ORIGINS:
            for each in asked:
                try:
                    look(table, name, origin, each)
                except Exception as error:
                    raise AssertionError(f"{name} from {origin}: {each}") from error


@pytest.mark.patience(300)
@in_thread
def test_every_client_at_every_way_to_read(table: Callable[[], Table]) -> None:
    made = table()
    every_case(made, check_answer, [*READS, *WALLS])
    assert made.asked > 4000


@pytest.mark.patience(120)
@in_thread
def test_every_client_at_every_change(table: Callable[[], Table]) -> None:
    made = table()
    every_case(made, check_change, CHANGES)
    assert made.asked > 900


@in_thread
def test_page_and_health_are_public_and_name_no_stream(table: Callable[[], Table]) -> None:
    made = table()
    for name in made.clients:
        for path in PUBLIC:
            answer = made.ask(name, None, "GET", path)
            assert answer.status == (503 if "strict" in path else 200), (name, path)
            view = made.clients[name].view if "strict" in path else NONE
            check_bytes(answer.body, view)
            assert b"s3cr3t reason" not in answer.body or (
                "strict" in path and "secret.plan" in view
            )


@in_thread
def test_a_link_is_a_right_of_its_own(table: Callable[[], Table]) -> None:
    made = table()
    secret = made.cookie("link", "more", "vault", 3600.0).partition("=")[2]
    for name in made.clients:
        for origin in ORIGINS:
            foreign = origin in ("https://evil.example", "null")
            for key, status in ((secret, 303), (secret[:-3] + "abc", 410)):
                answer = made.ask(name, origin, "GET", f"/link?key={key}")
                assert answer.status == (403 if foreign else status), (name, origin)
                sets = answer.headers.get("Set-Cookie")
                reads = "vault" in counting(made.clients[name], origin, reads=True).walls
                kept = reads and name != "link"  # the other link ends later
                assert bool(sets) == (answer.status == 303 and not kept), (name, origin)
                check_bytes(answer.body, NONE)


@in_thread
def test_lists_of_administrators(table: Callable[[], Table]) -> None:
    made = table()
    for name in made.clients:
        for origin in ORIGINS:
            client = counting(made.clients[name], origin, reads=True)
            for path in ("/grants", "/pairing", "/admin/refusals"):
                answer = made.ask(name, origin, "GET", path)
                if origin not in (None, "own", "https://writes.example"):
                    assert answer.status in (401, 403), (name, origin, path)
                    continue
                wanted = 200 if client.admin else 403 if client.known else 401
                assert answer.status == wanted, (name, origin, path)
                check_private(answer)


@in_thread
def test_session_of_an_administrator(table: Callable[[], Table]) -> None:
    """Whoever may administrate is told so; only a token begins a session, and no page of others."""
    made = table()
    for name in made.clients:
        for origin in ORIGINS:
            answer = made.ask(name, origin, "GET", "/admin/session")
            if origin in ("https://evil.example", "null"):
                assert answer.status == 403, (name, origin)
            else:
                client = counting(made.clients[name], origin, reads=True)
                assert answer.json()["admin"] is client.admin, (name, origin)
                check_private(answer)
            begun = made.ask(name, origin, "POST", "/admin/session")
            client = counting(made.clients[name], origin, reads=False)
            if origin not in (None, "own", "https://writes.example"):
                wanted = 403
            elif client.admin:
                wanted = 201 if name == "admin" else 401
            else:
                wanted = 403 if client.known else 401
            assert begun.status == wanted, (name, origin)
            assert ("Set-Cookie" in begun.headers) is (wanted == 201)
            if name != "session":
                ended = made.ask(name, origin, "DELETE", "/admin/session")
                foreign = origin not in (None, "own", "https://writes.example")
                assert ended.status == (403 if foreign else 204), (name, origin)


@in_thread
def test_every_client_may_wait_and_none_gets_a_grant(table: Callable[[], Table]) -> None:
    made = table()
    body = json.dumps({"device": "d" * 43})
    for name in made.clients:
        for origin in ORIGINS:
            answer = made.ask(name, origin, "POST", "/pairing", body)
            foreign = origin in ("https://evil.example", "null", "https://reads.example")
            assert answer.status == (403 if foreign else 200), (name, origin)
            assert "Set-Cookie" not in answer.headers
            check_bytes(answer.body, NONE)


@in_thread
def test_hooks_ask_for_their_own_secret(table: Callable[[], Table]) -> None:
    made = table()
    for name in made.clients:
        for origin in ORIGINS:
            foreign = origin not in (None, "own", "https://writes.example")
            for query, status in (("", 401), ("?key=secret-of-the-till", 200)):
                answer = made.ask(name, origin, "POST", f"/hooks/till{query}", "7")
                assert answer.status == (403 if foreign else status), (name, origin, query)
                check_bytes(answer.body, NONE)


@in_thread
def test_every_route_is_in_the_table(serve: Serve) -> None:
    served = serve(CONFIG)
    site, files = served.service.site, served.service.page.files
    known = {path: views for path, views in site._fixed.items() if path not in files}
    known |= {f"{path}/NAME": views for path, views in site._named.items()}
    known |= {f"{path}/REST": views for path, views in site._below.items()}
    routes = {f"{method} {path}" for path, views in known.items() for method in views}

    def route(method: str, path: str) -> str:
        path = path.partition("?")[0]
        return f"{method} {path if path in known else path.rpartition('/')[0] + '/NAME'}"

    asked = {route("GET", path) for path in [*READS, *WALLS, *PUBLIC, *SOCKETS]}
    asked |= {route(method, path) for method, path, _ in CHANGES}
    assert sorted(routes - asked - BESIDES.keys()) == [], "add them to the table"
    assert sorted(BESIDES.keys() - routes) == []
    assert all(name in globals() for name in BESIDES.values() if name.startswith("test_"))


@in_thread
def test_own_pages_are_for_all_who_may_read(table: Callable[[], Table], tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("a page")
    made = table()
    shown = Shown(tmp_path, None, read_pages(tmp_path))
    made.served.run(made.served.service.own_pages.show, shown)
    for name in made.clients:
        for origin in ORIGINS:
            client = counting(made.clients[name], origin, reads=True)
            foreign = origin in ("https://evil.example", "null")
            for path, right in ("/pages/", 200), ("/pages", 308), ("/pages/none", 404):
                wanted = 403 if foreign or (not client.view and client.known) else right
                if not foreign and not client.view and not client.known:
                    wanted = 401
                answer = made.ask(name, origin, "GET", path)
                assert answer.status == wanted, (name, origin, path, answer.text)
                if answer.status in (200, 308):
                    check_private(answer)


@in_thread
def test_metrics_need_a_right_of_their_own(table: Callable[[], Table]) -> None:
    made = table()
    for name in made.clients:
        client = counting(made.clients[name], None, reads=True)
        wanted = 200 if client.admin else 403 if client.known else 401
        assert made.ask(name, None, "GET", "/metrics").status == wanted, name


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
@in_thread
def test_sample_on_other_journals_and_another_node(
    serve: Serve, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    text = f'[journal]\npath = "{tmp_path}/streamd.db"\n'
    if kind == "redis":
        text = f'[journal]\nurl = "redis://127.0.0.1:{request.getfixturevalue("redis").port}"\n'
    made = Table(serve(text + CONFIG))
    if kind == "redis":  # the grants were made at the first node, and the second one is asked
        first, second = made.served, serve(text + CONFIG)
        grants = second.service.grants
        everything = lambda: len(grants.listing()) == 4 and len(second.service.state.streams) >= 3  # noqa: E731
        wait_until(lambda: second.run(everything))
        assert first.run(first.service.grants.listing) == second.run(grants.listing)
        made.served = second
    for name in made.clients:
        for path in ("/state", "/streams/secret.plan", "/events?for=1ms&format=v1", "/walls"):
            check_read(made, name, None, path)
        check_socket(made, name, "own", ("/ws", "v1"))


@in_thread
def test_hosts_that_are_not_its_own_get_nothing(table: Callable[[], Table]) -> None:
    made = table()
    for name, client in made.clients.items():
        for host, status in (("evil.example", 421), ("wall.example", None), ("a b", 400)):
            answer = made.ask(name, "own", "GET", "/state", host=host)
            assert answer.status == (status or read_status(client, None)), (name, host)
            check_bytes(answer.body, client.view)


# -- WebSockets ------------------------------------------------------------------------------------

SOCKETS: dict[str, set[str] | None] = {
    "/ws": None,
    "/": None,
    "/ws?streams=secret.plan": {"secret.plan"},
    "/ws?streams=s*,o*": None,
}


def token_protocol(client: Client) -> dict[str, str]:
    """Its token as a browser's WebSocket sends it."""
    token = client.headers.get("Authorization", "").removeprefix("Bearer ")
    if not token:
        return client.headers
    encoded = urlsafe_b64encode(token.encode()).rstrip(b"=").decode()
    return {"Sec-WebSocket-Protocol": f"streamd.v1, streamd.token.{encoded}"}


def open_socket(table: Table, name: str, origin: str | None, path: str, way: str) -> Wire:
    table.asked += 1
    client, host = table.clients[name], f"127.0.0.1:{table.served.port}"
    headers = token_protocol(client) if way == "token" else client.headers
    if way != "plain" and "Sec-WebSocket-Protocol" not in headers:
        headers = {**headers, "Sec-WebSocket-Protocol": "streamd.v1"}
    sent = Client(headers)
    wire = table.served.wire(source=client.source)
    wire.send(handshake(path, *table.lines(sent, origin, host), host=host))
    return wire


def check_socket(table: Table, name: str, origin: str | None, asked: tuple[str, str]) -> None:
    path, way = asked
    client = counting(table.clients[name], origin, reads=True, websocket=True)
    wire = open_socket(table, name, origin, path, way)
    with closing(wire):
        foreign = origin in ("https://evil.example", "null")
        wanted = 403 if foreign else read_status(client, SOCKETS[path])
        if wanted != 200:
            answer = wire.answer()
            assert answer.status == wanted, (answer.status, answer.text)
            check_bytes(answer.body, client.view, path)
            return
        assert wire.head().startswith("HTTP/1.1 101")
        heard = hear(wire, SOCKETS[path] or client.view)
        check_bytes(heard, client.view)
        if way == "plain":
            return
        wire.send(
            frame(0x81, json.dumps({"type": "subscribe", "streams": ["secret.plan"]}).encode())
        )
        told = message(wire, "hello" if "secret.plan" in client.view else "error")
        check_bytes(told, client.view, "secret.plan")
        wire.send(frame(0x81, b'{"type": "subscribe", "streams": ["*"]}'))
        check_bytes(message(wire, "hello") + hear(wire, client.view), client.view)


def hear(wire: Wire, streams: set[str]) -> bytes:
    """What comes until the values of these streams have come."""
    heard = b""
    while not all(MARKS[name] in heard for name in streams):
        opcode, payload = wire.frame()
        assert opcode in (0, 1), (opcode, payload)
        heard += payload
    return heard


def message(wire: Wire, type: str) -> bytes:
    """What comes up to the message of a type."""
    heard = b""
    while True:
        _, payload = wire.frame()
        heard += payload
        if payload.startswith(b'{"type":"%b"' % type.encode()):
            return heard


@pytest.mark.patience(300)
@in_thread
def test_every_client_at_websockets(table: Callable[[], Table]) -> None:
    made = table()
    asked = [(path, way) for path in SOCKETS for way in ("plain", "v1", "token")]
    every_case(made, check_socket, asked)
    assert made.asked > 1000


# -- Socket.IO -------------------------------------------------------------------------------------

SOCKET_IO: list[set[str] | None] = [None, {"secret.plan"}]


def check_socketio(
    table: Table, name: str, origin: str | None, asked: tuple[Any, str, int]
) -> None:
    """Anybody may open a session; who may read is judged when the client connects."""
    transport, place, number = asked
    names = SOCKET_IO[number]
    is_socket = transport is Socket
    client = counting(table.clients[name], origin, reads=True, websocket=is_socket)
    host = f"127.0.0.1:{table.served.port}"
    token = client.headers.get("Authorization", "").removeprefix("Bearer ")
    if place == "auth" and not token:
        return
    table.asked += 1
    sent = Client() if place == "auth" else client
    lines = [*table.lines(sent, origin, host)]
    if origin in ("https://evil.example", "null"):
        way = "websocket" if is_socket else "polling"
        request = (handshake if is_socket else partial(head, "GET"))(PATH + way, *lines, host=host)
        assert table.served.wire(request, source=client.source).answer().status == 403
        return
    sid = [""] if is_socket else []
    with closing(transport(table.served, *sid, *lines, host=host, source=client.source)) as viewer:
        auth = {"token": token} if sent is not client else {}
        viewer.say("40" + json.dumps(auth | ({"streams": sorted(names)} if names else {})))
        heard = viewer.packet()
        wanted = read_status(client, names)
        if wanted != 200:
            assert heard.startswith("44"), heard
            told = json.loads(heard[2:])["data"]["code"]
            assert told == (client.code if wanted == 401 else "no-right")
            check_bytes(heard.encode(), client.view, str(names))
            return
        assert heard.startswith("40"), heard
        told_all: dict[str, Any] = {}
        while told_all.keys() != (names or client.view):
            told_all |= viewer.message()
        viewer.say('421["subscribe",{"streams":["secret.plan"]}]')
        answer = viewer.packet()
        assert ("no-right" in answer) == ("secret.plan" not in client.view)
        check_bytes(answer.encode(), client.view, "secret.plan")


@pytest.mark.patience(300)
@in_thread
def test_every_client_at_socketio(table: Callable[[], Table]) -> None:
    made = table()
    ways = [(way, place) for way in (Socket, Polling) for place in ("head", "auth")]
    asked = [(*way, number) for way in ways for number in range(len(SOCKET_IO))]
    every_case(made, check_socketio, asked)
    assert made.asked > 700


@in_thread
def test_what_a_foreign_page_embeds_has_no_credentials_of_the_browser(
    table: Callable[[], Table],
) -> None:
    """Browsers send no Origin with images and scripts, and cookies also to other ports of a host."""
    made = table()
    cases = {
        ("same-site", "no-cors"): 401,
        ("cross-site", "no-cors"): 401,
        ("same-site", "navigate"): 200,
        ("cross-site", "navigate"): 200,
        ("same-origin", "no-cors"): 200,
        ("none", "navigate"): 200,
    }
    for name in ("screen", "person", "session", "view"):
        client = made.clients[name]
        for (site, mode), wanted in cases.items():
            told = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode}
            browser = f"{name} in a browser"  # with a connection of its own
            made.clients[browser] = replace(client, headers=client.headers | told)
            answer = made.ask(browser, None, "GET", "/state")
            assert answer.status == (wanted if client.ambient else 200), (name, site, mode)


@in_thread
def test_guest_of_a_wall_with_every_stream_sees_no_more(table: Callable[[], Table]) -> None:
    made = table()
    made.clients["guest"] = Client({"Cookie": made.cookie("link", "guests", "all", 3600.0)})
    assert made.ask("guest", None, "GET", "/state").status == 200
    assert made.ask("guest", None, "GET", "/walls").json() == {"walls": ["all"]}
    for path in ("/screens", "/walls/vault", "/walls/nowhere"):
        assert made.ask("guest", None, "GET", path).status == 403, path
    made.served.run(made.served.service.away, "Redis at s3cr3t.example does not answer")
    for name in ("guest", "view"):  # all viewers get the same messages
        wire = open_socket(made, name, "own", "/ws?streams=open.a", "v1")
        assert wire.head().startswith("HTTP/1.1 101")
        told = message(wire, "updates")
        assert b'"journal":{"state":"away"' in told
        assert b"s3cr3t" not in told.replace(b"s3cr3t title", b"")
    strict = made.ask("guest", None, "GET", "/healthz?strict").json()
    assert strict["status"] == "bad"
    assert "journal" not in strict
    assert "journal" in made.ask("view", None, "GET", "/healthz?strict").json()


def check_live_publish(table: Table, name: str, origin: str | None, stream: str) -> None:
    client = counting(table.clients[name], origin, reads=True, websocket=True)
    with closing(open_socket(table, name, origin, "/ws?streams=", "token")) as wire:
        if origin in ("https://evil.example", "null") or not (client.view or client.publish):
            foreign = origin in ("https://evil.example", "null")
            assert wire.answer().status == (403 if foreign or client.known else 401)
            return
        assert wire.head().startswith("HTTP/1.1 101")
        value = MARKS[stream].decode()
        said = {"type": "publish", "updates": [{"stream": stream, "value": value}]}
        wire.send(frame(0x81, json.dumps(said).encode()))
        heard = message(wire, "receipt")
        receipt = json.loads(heard[heard.index(b'{"type":"receipt"') :])
        allowed = stream in client.publish and origin in (None, "own", "https://writes.example")
        assert ("seq" in receipt) == allowed, receipt
        assert allowed or receipt["error"]["code"] in ("foreign-origin", "no-right")
        check_bytes(json.dumps(receipt).encode(), client.view, stream)


@pytest.mark.patience(120)
@in_thread
def test_every_client_that_publishes_on_a_websocket(table: Callable[[], Table]) -> None:
    made = table()
    every_case(made, check_live_publish, ["open.a", "secret.plan"])
