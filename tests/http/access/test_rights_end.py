"""Rights that end: open viewers are off within seconds, on every transport, journal and node."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from streamd.app.load import reveal_tokens
from streamd.app.rules import make_rules
from streamd.config.fields import Problems
from streamd.config.kind import Surroundings
from streamd.config.parse import parse
from streamd.http.access import grants
from streamd.journals.registry import JOURNAL_KINDS
from tests.support.frames import frame, handshake, head
from tests.support.net import wait_until
from tests.support.redis import Redis
from tests.support.served import Serve, Served, Wire, in_thread
from tests.support.socketio import Polling, Socket

WITHIN = 5.0
"""Seconds in which a right has to end."""

CONFIG = """
[access]
view = ["view-every-stream", "view-that-is-lost"]
admin = ["administrator-all"]
[[walls]]
name = "hall"
streams = ["open.*"]
[[walls]]
name = "vault"
streams = ["secret.*"]
"""
LOST = "Authorization: Bearer view-that-is-lost"
KEPT = "Authorization: Bearer view-every-stream"


def start(serve: Serve, more: str = "") -> Served:
    served = serve(CONFIG + more)
    wait_until(lambda: served.run(lambda: served.service.grants.loaded))
    return served


def reload(served: Served, text: str) -> None:
    """Take another configuration's rules, as a reload does."""
    config = parse(text, (), JOURNAL_KINDS)
    tokens = reveal_tokens(config, Surroundings(None, Path()), Problems())
    served.run(served.service.access.replace, make_rules(config, tokens))


def grant(served: Served, *about: Any) -> tuple[str, str]:
    """Make a grant; return its id and the line with its cookie."""
    make: Any = served.service.grants.make  # the reactor waits for its Deferred
    made, secret = served.run(make, *about)
    return made.id, f"Cookie: {list(served.service.grants.cookies)[1]}={secret}"


def own(served: Served) -> str:
    return f"Origin: http://localhost:{served.port}"


class Open:
    """A viewer on each transport, with the same credentials."""

    def __init__(self, served: Served, *lines: str) -> None:
        host = f"localhost:{served.port}"
        lines = (*lines, own(served))
        v1 = "Sec-WebSocket-Protocol: streamd.v1"
        self.v1 = served.wire(handshake("/ws", v1, *lines, host=host))
        self.plain = served.wire(handshake("/ws", *lines, host=host))
        self.events = served.wire(head("GET", "/events?format=v1", *lines, host=host))
        at = served.run(lambda: str(served.service.state.head))
        self.poll = served.wire(head("GET", f"/updates?after={at}&wait=60", *lines, host=host))
        self.sockets = (self.v1, self.plain)
        for socket in self.sockets:
            assert socket.head().startswith("HTTP/1.1 101")
        assert self.events.head().startswith("HTTP/1.1 200")
        wait_until(lambda: len(served.service.polls._waiting))
        self.socketio = Socket(served, "", *lines, host=host)
        self.polling = Polling(served, *lines, host=host)
        for client in (self.socketio, self.polling):
            client.connect()
            client.message()

    def end(self) -> None:
        """All of them end, and say why."""
        began = time.monotonic()
        assert [close_reason(socket) for socket in self.sockets] == [(4401, "signed-out")] * 2
        last = self.events.rest().decode().strip().split("\n\n")[-1]
        assert last.startswith("event: error\ndata: ")
        assert json.loads(last.split("data: ")[1])["code"] == "signed-out"
        answer = self.poll.answer()
        assert (answer.status, answer.json()["error"]["code"]) == (401, "signed-out")
        assert close_reason(self.socketio.wire) == (4401, "signed-out")
        wait_until(lambda: self.polling.get().status == 400)
        assert time.monotonic() - began < WITHIN + 10  # a busy machine may be late

    def go_on(self, served: Served) -> None:
        """All of them get the next value."""
        served.post_at_once(("open.a", "n3w"))
        for socket in self.sockets:
            while b"n3w" not in socket.frame()[1]:
                pass
        assert "n3w" in self.poll.answer().text
        while "n3w" not in self.events.line():
            pass
        for client in (self.socketio, self.polling):
            while client.message() != {"open.a": "n3w"}:
                pass


def close_reason(wire: Wire) -> tuple[int, str]:
    opcode, payload = wire.frame()
    while opcode != 8:
        opcode, payload = wire.frame()
    return int.from_bytes(payload[:2], "big"), payload[2:].decode()


@in_thread
def test_token_that_is_taken_out_of_the_configuration(serve: Serve) -> None:
    served = start(serve)
    lost, kept = Open(served, LOST), Open(served, KEPT)
    reload(served, CONFIG.replace(', "view-that-is-lost"', ""))
    lost.end()
    kept.go_on(served)
    assert served.request("GET", "/state", headers=dict([LOST.split(": ")])).status == 401


@in_thread
def test_public_wall_that_becomes_private(serve: Serve) -> None:
    served = serve('[access]\nadmin = ["administrator-all"]')
    stranger, admin = Open(served), Open(served, "Authorization: Bearer administrator-all")
    reload(served, CONFIG)
    stranger.end()
    admin.go_on(served)


@in_thread
def test_token_with_other_streams(serve: Serve) -> None:
    served = start(serve)
    served.post_at_once(("secret.plan", "s3cr3t"))
    narrowed = Open(served, LOST)
    table = '{ token = "view-that-is-lost", streams = ["open.*"] }'
    reload(served, CONFIG.replace('"view-that-is-lost"', table))
    narrowed.end()

    def poll(cursor: str) -> Any:
        path = f"/updates?after={cursor}&wait=0"
        return served.request("GET", path, headers=dict([LOST.split(": ")])).json()

    cursor = poll("0-0")["at"]
    served.post_at_once(("open.a", 1))
    reload(served, CONFIG)
    # A cursor from a time with fewer rights would hide the older value.
    again = poll(cursor)
    assert again["resumed"] is False
    assert [update["value"] for update in again["updates"]] == ["s3cr3t", 1]


JOURNALS = {
    "memory": "",
    "sqlite": '[journal]\npath = "{folder}/streamd.db"\n',
    "redis": '[journal]\nurl = "redis://127.0.0.1:{redis}"\n',
}


@pytest.fixture(params=JOURNALS)
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    port = 0
    if request.param == "redis":
        redis: Redis = request.getfixturevalue("redis")
        port = redis.port
    return JOURNALS[request.param].format(folder=tmp_path, redis=port)


@in_thread
def test_revoked_grant(serve: Serve, journal: str) -> None:
    served = start(serve, journal)
    id, cookie = grant(served, "screen", "tv", "hall")
    screen = Open(served, cookie)
    served.run(served.service.grants.revoke, id)
    screen.end()
    host = {"Host": f"localhost:{served.port}", **dict([cookie.split(": ")])}
    answer = served.request("GET", "/state", headers=host)
    assert (answer.status, answer.json()["error"]["code"]) == (401, "signed-out")


@in_thread
def test_link_that_ends(serve: Serve, journal: str) -> None:
    served = start(serve, journal)
    _, cookie = grant(served, "link", "guests", "hall", 8.0)
    Open(served, cookie).end()


@in_thread
def test_screen_that_is_moved_to_another_wall(serve: Serve) -> None:
    served = start(serve)
    served.post_at_once(("secret.plan", "s3cr3t"))
    id, cookie = grant(served, "screen", "tv", "hall")
    screen = Open(served, cookie)
    served.run(lambda: served.service.grants.change(id, wall="vault"))
    screen.end()
    with closing(served.wire(head("GET", "/state", cookie))) as wire:
        assert wire.answer().json() == {"secret.plan": "s3cr3t"}


@in_thread
def test_grant_that_another_node_revokes(serve: Serve, redis: Redis) -> None:
    nodes = [start(serve, JOURNALS["redis"].format(redis=redis.port)) for _ in range(2)]
    id, cookie = grant(nodes[0], "screen", "tv", "hall")
    wait_until(lambda: nodes[1].run(nodes[1].service.grants.get, id))
    screens = [Open(node, cookie) for node in nodes]
    nodes[1].run(nodes[1].service.grants.revoke, id)
    for screen in screens:
        screen.end()


@in_thread
def test_grant_survives_a_restart(serve: Serve, tmp_path: Path) -> None:
    text = JOURNALS["sqlite"].format(folder=tmp_path)
    first = start(serve, text)
    _, cookie = grant(first, "screen", "tv", "hall")
    first.run(first.service.stopService)
    again = start(serve, text)
    with closing(again.wire(head("GET", "/walls", cookie))) as wire:
        assert wire.answer().json() == {"walls": ["hall"]}


@in_thread
def test_long_answer_to_a_client_that_loses_its_right(serve: Serve) -> None:
    served = start(serve)
    served.post_at_once(*((f"open.{n}", "x" * 50_000) for n in range(200)))
    lost, kept = (
        served.wire(head("GET", "/streams", line), receive_buffer=4096) for line in (LOST, KEPT)
    )
    assert lost.head().startswith("HTTP/1.1 200")
    wait_until(lambda: served.run(lambda: len(served.service.site.channels)) == 2)
    reload(served, CONFIG.replace(', "view-that-is-lost"', ""))
    wait_until(lambda: served.run(lambda: len(served.service.site.channels)) == 1)
    assert len(kept.answer().json()["streams"]) == 200


@in_thread
def test_proxy_that_is_not_trusted_any_more(serve: Serve) -> None:
    more = '[server]\ntrusted_proxies = ["127.0.0.2"]\n'
    served = start(serve, more + '[access.identity]\nheader = "X-Forwarded-User"\n')
    wire = served.wire(source="127.0.0.2")
    asked = head("GET", "/state", "X-Forwarded-User: bob")
    wire.send(asked)
    assert wire.answer().status == 200
    identity = '[access.identity]\nheader = "X-Forwarded-User"\n'
    reload(served, CONFIG + more.replace("127.0.0.2", "10.0.0.1") + identity)
    wire.send(asked)
    assert wire.answer().status == 401


@in_thread
def test_open_viewers_of_a_person_whose_proxy_is_not_trusted_any_more(serve: Serve) -> None:
    identity = '[access.identity]\nheader = "X-Forwarded-User"\n'
    trusting = '[server]\ntrusted_proxies = ["127.0.0.1"]\n'
    served = start(serve, identity + trusting)
    person, kept = Open(served, "X-Forwarded-User: bob"), Open(served, KEPT)
    reload(served, CONFIG + identity + trusting.replace("127.0.0.1", "127.0.0.0/8"))
    person.go_on(served)
    person = Open(served, "X-Forwarded-User: bob")
    reload(served, CONFIG + identity + trusting.replace("127.0.0.1", "10.0.0.1"))
    person.end()
    served.post_at_once(("open.a", "l4ter"))
    while b"l4ter" not in kept.plain.frame()[1]:
        pass


@in_thread
def test_body_that_ends_after_the_right_to_send_it(serve: Serve) -> None:
    served = start(serve)
    kept = CONFIG.replace("administrator-all", "another-administrator")
    for path, body in (("/streams/open.a", b'"l4te"'), ("/links", b'{"wall":"hall","for":"1h"}')):
        wire = served.wire(
            head(
                "POST",
                path,
                "Authorization: Bearer administrator-all",
                f"Content-Length: {len(body)}",
                "Expect: 100-continue",
            )
        )
        assert wire.head().startswith("HTTP/1.1 100")  # its head was judged
        reload(served, kept)
        wire.send(body)
        answer = wire.answer()
        assert (answer.status, answer.json()["error"]["code"]) == (401, "bad-token"), path
        reload(served, CONFIG)
    assert served.request("GET", "/state", headers=dict([KEPT.split(": ")])).json() == {}
    assert served.run(served.service.grants.listing) == []


# -- the name of a screen --------------------------------------------------------------------------


def report(served: Served, name: str, *lines: str) -> Wire:
    v1 = "Sec-WebSocket-Protocol: streamd.v1"
    host = f"localhost:{served.port}"
    wire = served.wire(handshake("/ws", v1, *lines, own(served), host=host))
    assert wire.head().startswith("HTTP/1.1 101")
    said = {"type": "screen", "name": name, "wall": "hall", "at": "0-0", "delay": 0}
    wire.send(frame(0x81, json.dumps(said).encode()))
    return wire


@in_thread
def test_name_of_a_screen_belongs_to_its_grant(serve: Serve) -> None:
    served = start(serve)
    _, cookie = grant(served, "screen", "tv", "hall")
    for name, line in (("tv", KEPT), ("tv", LOST), ("other", cookie)):
        wire = report(served, name, line)
        while (message := wire.message())["type"] != "error":
            pass
        assert message["code"] == "no-right"
    report(served, "tv", cookie)
    report(served, "lobby", KEPT)

    def listed() -> list[str]:
        answer = served.request("GET", "/screens", headers=dict([KEPT.split(": ")]))
        return sorted(answer.json()["screens"])

    wait_until(lambda: listed() == ["lobby", "tv"])


def command(served: Served, name: str) -> dict[str, int]:
    admin = {"Authorization": "Bearer administrator-all"}
    answer = served.request("POST", f"/screens/{name}", '{"command": "identify"}', admin)
    counts: dict[str, int] = answer.json()
    return counts


def names(served: Served) -> set[str]:
    return {
        name for name, each in served.run(served.service.screens.here).items() if each["connected"]
    }


@in_thread
def test_name_that_another_client_had_before_its_grant(serve: Serve) -> None:
    served = start(serve)
    wire = report(served, "tv", KEPT)
    wait_until(lambda: names(served) == {"tv"})
    _, cookie = grant(served, "screen", "tv", "hall")
    wait_until(lambda: not names(served))
    screen = report(served, "tv", cookie)
    wait_until(lambda: names(served) == {"tv"})
    assert command(served, "tv")["sent"] == 1
    while screen.message()["type"] != "command":
        pass
    assert wire.message()["type"] != "command"


@in_thread
def test_screen_that_gets_another_name(serve: Serve) -> None:
    served = start(serve)
    id, cookie = grant(served, "screen", "tv", "hall")
    wire = report(served, "tv", cookie)
    wait_until(lambda: names(served) == {"tv"})
    served.run(lambda: served.service.grants.change(id, name="lobby"))
    assert close_reason(wire) == (4401, "signed-out")
    wait_until(lambda: not names(served))


@in_thread
def test_screen_is_seen_while_it_reports(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grants, "NOTE_EVERY", 0.0)
    served = start(serve)
    id, cookie = grant(served, "screen", "tv", "hall")

    def seen() -> float:
        found = served.run(served.service.grants.get, id)
        assert found is not None
        return served.run(served.service.grants.seen, found)

    made = seen()
    wire = report(served, "tv", cookie)
    wait_until(lambda: seen() > made)
    before = seen()
    said = {"type": "screen", "name": "tv", "wall": "hall", "at": "0-0", "delay": 0}
    wire.send(frame(0x81, json.dumps(said).encode()))
    wait_until(lambda: seen() > before)


@in_thread
def test_browser_with_a_cookie_waits_until_the_grants_are_read(serve: Serve) -> None:
    served = start(serve)
    _, cookie = grant(served, "screen", "tv", "hall")
    served.service.grants.loaded = False
    headers = dict([cookie.split(": ")])
    refused = served.request("GET", "/state", headers=headers)
    assert (refused.status, refused.json()["error"]["code"]) == (503, "journal-away")
    assert served.request("GET", "/state").status == 401
    assert served.request("GET", "/healthz", headers=headers).status == 200
    served.service.grants.loaded = True
    assert served.request("GET", "/state", headers=headers).status == 200


@in_thread
def test_mistake_in_the_configuration_names_no_stream(serve: Serve) -> None:
    trouble = {
        "file": "streamd.toml",
        "line": 7,
        "key": "streams.secret.keep",
        "message": "secret?",
    }
    for text, told in (("", trouble), (CONFIG, {**trouble, "key": "", "message": ""})):
        served = serve(text)
        wire = report(served, "tv", KEPT)
        served.run(served.service.tell_configuration, trouble)
        messages = [
            wire.any_message() for _ in range(4)
        ]  # hello, build and configuration come first
        assert told in [message.get("trouble") for message in messages]
