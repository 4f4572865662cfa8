"""What an intruder with the source tried, and did not get.

He has a token for some streams, a token to publish some, the cookie of a link, or nothing at all.  He
tries to read the stream ``secret.plan``, to learn whether it exists, and to publish or command beyond
his rights.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from streamd.http.reading.history import PastAnswers
from tests.http.access.test_rights_end import reload
from tests.support.frames import frame, handshake, head
from tests.support.net import Answer, wait_until
from tests.support.served import Serve, Served, Wire, in_thread
from tests.support.socketio import PATH, Polling

IDENTITY = 'identity = { header = "X-Forwarded-User", admins = ["ann"] }'
CONFIG = f"""
[access]
view = ["view-every-stream", {{ token = "view-open-streams", streams = ["open.*"] }}]
publish = ["publish-every-one", {{ token = "publish-open-only", name = "ci", streams = ["open.*"] }}]
admin = ["administrator-all"]
{IDENTITY}
[server]
trusted_proxies = ["127.0.0.2"]
origins = ["https://reads.example"]
publish_origins = ["https://writes.example"]
[[walls]]
name = "open"
streams = ["open.*"]
[[walls]]
name = "vault"
title = "s3cr3t wall"
streams = ["secret.plan"]
[[screens]]
name = "tv"
walls = [{{ wall = "vault" }}]
[alerts.dusk]
streams = ["secret.*"]
to = ["http://127.0.0.1:9/"]
[streams."secret.plan"]
title = "s3cr3t title"
"""
pytestmark = pytest.mark.patience(300)

VIEW, OPEN = "Authorization: Bearer view-every-stream", "Authorization: Bearer view-open-streams"
ALL, CI = "Authorization: Bearer publish-every-one", "Authorization: Bearer publish-open-only"
PROXY = "127.0.0.2"


def start(serve: Serve) -> Served:
    served = serve(CONFIG)
    wait_until(lambda: served.run(lambda: served.service.grants.loaded))
    served.post_at_once(("secret.plan", "s3cr3t"), ("open.a", "op3n"))
    return served


def guest(served: Served) -> str:
    """The cookie of a link to the open wall."""
    make: Any = served.service.grants.make
    _, secret = served.run(make, "link", "guests", "open", 3600.0)
    return f"Cookie: {list(served.service.grants.cookies)[1]}={secret}"


def ask(served: Served, data: bytes, source: str = "127.0.0.1", method: str = "GET") -> Answer:
    with closing(served.wire(data, source=source)) as wire:
        return wire.answer(method)


class Caller:
    """Asks on one connection, as long as the daemon keeps it open."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._wire: Wire | None = None

    def ask(self, data: bytes) -> Answer:
        wire = self._wire or self._served.wire()
        wire.send(data)
        answer = wire.answer()
        self._wire = wire
        if answer.headers.get("Connection") == "close":
            wire.close()
            self._wire = None
        return answer


# -- what exists -----------------------------------------------------------------------------------

TWINS = {
    "stream": ("GET", "/streams/secret.{}"),
    "text": ("GET", "/streams/secret.{}.txt"),
    "badge": ("GET", "/streams/secret.{}.svg"),
    "history": ("GET", "/streams/secret.{}?history=9"),
    "points": ("GET", "/streams/secret.{}?points=9"),
    "period": ("GET", "/streams/secret.{}?from=-1h"),
    "picture": ("GET", "/pictures/secret.{}?v=1"),
    "state": ("GET", "/state?streams=secret.{}"),
    "streams": ("GET", "/streams?streams=secret.{}"),
    "poll": ("GET", "/updates?streams=secret.{}&wait=0"),
    "events": ("GET", "/events?streams=secret.{}&for=1ms"),
    "wall": ("GET", "/walls/{}"),
    "screen": ("GET", "/screens/{}"),
    "publish": ("POST", "/streams/secret.{}"),
    "forget": ("DELETE", "/streams/secret.{}"),
    "widget": ("POST", "/widgets/secret.{}"),
    "alert": ("POST", "/alerts/{}"),
}
"""Requests for something that exists and for something that does not."""

NAMES = {"wall": ("vault", "v4ult"), "screen": ("tv", "t5"), "alert": ("dusk", "dawn")}


@in_thread
def test_answers_do_not_show_which_names_exist(serve: Serve) -> None:
    served = start(serve)
    caller = Caller(served)
    for credentials in ("X: y", OPEN, CI, guest(served)):
        for kind, (method, path) in TWINS.items():
            body = b'{"current": 1}' if method == "POST" else b""
            told = []
            for name in NAMES.get(kind, ("plan", "none")):
                line = f"Content-Length: {len(body)}"
                answer = caller.ask(head(method, path.format(name), credentials, line) + body)
                assert b"s3cr3t" not in answer.body
                text = answer.text.replace(name, "NAME")
                told.append((answer.status, sorted(answer.headers.keys()), text))
            assert told[0] == told[1], (credentials, kind)


SPELLINGS = [
    "/streams/secret%2Eplan",
    "/%73treams/secret.plan",
    "/streams/SECRET.PLAN",
    "/streams/secret%252Eplan",
    "/streams/secret.plan/",
    "/streams/secret.plan;x",
    "/streams/secret.plan%20",
    "/streams/secret.plan%0a",
    "/streams/secret.plan%00.txt",
    "/streams/open.a/../secret.plan",
    "/streams/open.a%2f..%2fsecret.plan",
    "/streams//secret.plan",
    "//streams/secret.plan",
    "/wall/streams/secret.plan",
    "/streams/secret.plan.txt.svg",
    "/streams/open.*.txt",
    "/streams/*",
    "/streams/s%ef%bd%85cret.plan",
    "/state?streams=open.a&streams=secret.plan",
    "/state?streams=secret.plan&streams=open.a",
    "/state?streams=open.a%2Csecret.plan",
    "/state?streams=s?cret.plan,*.plan,?????????*",
    "/state?streams=[s]ecret.plan",
    "/state?streams=%2a",
    "/state?STREAMS=secret.plan",
    "/state?streams=open.a;streams=secret.plan",
    "/state?after=0-0&history=100",
    "/streams?streams=*.plan&history=100",
    "/updates?wait=0&after=0-0&history=100",
    "/updates?wait=0&after=999999999999999-9223372036854775807",
    "/events?for=1ms&format=v1&history=100",
    "/events?for=1ms&after=0-0",
    "/pictures/secret.plan",
    "/walls/VAULT",
    "/walls/v?ult",
    "/marks/vault.svg",
    "/healthz?strict=1",
]


@in_thread
def test_no_spelling_of_a_request_reads_what_one_may_not_see(serve: Serve) -> None:
    served = start(serve)
    caller = Caller(served)
    for credentials in ("X: y", OPEN, CI, guest(served)):
        for path in SPELLINGS:
            for line in ("X: y", "Last-Event-ID: 0-0", 'If-None-Match: "0-0"', "Range: bytes=0-"):
                if line == "X: y" or path.startswith(("/events", "/state")):
                    answer = caller.ask(head("GET", path, credentials, line))
                    assert b"s3cr3t" not in answer.body, (credentials, path)
    assert b"s3cr3t" in ask(served, head("GET", SPELLINGS[0], VIEW)).body


# -- heads that two parsers may read differently ---------------------------------------------------

CHUNK = b"1\r\n7\r\n0\r\n\r\n"
HEADS: dict[str, tuple[list[str], bytes]] = {
    "two equal lengths": (["Content-Length: 1", "Content-Length: 1"], b"7"),
    "two lengths": (["Content-Length: 1", "Content-Length: 40"], b"7"),
    "list of lengths": (["Content-Length: 1, 1"], b"7"),
    "length with a sign": (["Content-Length: +1"], b"7"),
    "length in hexadecimal": (["Content-Length: 0x1"], b"7"),
    "length with an underscore": (["Content-Length: 1_0"], b"7" * 10),
    "no length": (["Content-Length: "], b"7"),
    "length and chunks": (["Content-Length: 11", "Transfer-Encoding: chunked"], CHUNK),
    "unknown encoding": (["Transfer-Encoding: xchunked"], CHUNK),
    "chunks twice": (["Transfer-Encoding: chunked, chunked"], CHUNK),
    "chunks in two lines": (["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], CHUNK),
    "chunks and identity": (["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], CHUNK),
    "identity and chunks": (["Transfer-Encoding: identity", "Transfer-Encoding: chunked"], CHUNK),
    "space before the colon": (["Transfer-Encoding : chunked", "Content-Length: 1"], b"7"),
    "tab": (["Transfer-Encoding:\tchunked", "Content-Length: 1"], b"7"),
    "vertical tab": (["Transfer-Encoding: \x0bchunked", "Content-Length: 1"], b"7"),
    "folded encoding": (["Transfer-Encoding:\r\n identity", "Content-Length: 1"], b"7"),
    "chunk in hexadecimal": (["Transfer-Encoding: chunked"], b"0x1\r\n7\r\n0\r\n\r\n"),
    "negative chunk": (["Transfer-Encoding: chunked"], b"-1\r\n7\r\n0\r\n\r\n"),
    "chunk with a bare line feed": (["Transfer-Encoding: chunked"], b"1\n7\r\n0\r\n\r\n"),
    "extension with a line feed": (["Transfer-Encoding: chunked"], b"1;a\nb\r\n7\r\n0\r\n\r\n"),
    "bare line feed": (["Content-Length: 1\nX: y"], b"7"),
    "bare carriage return": (["Content-Length: 1\rX: y"], b"7"),
    "two hosts": (["Host: localhost", "Content-Length: 1"], b"7"),
}


@in_thread
def test_no_head_hides_a_request_from_a_proxy(serve: Serve) -> None:
    """Each gets one refusal, and nothing after it is read as another request."""
    served = start(serve)
    hidden = head("DELETE", "/streams/open.a", ALL)
    for name, (lines, body) in HEADS.items():
        wire = served.wire(head("POST", "/streams/open.z", ALL, *lines) + body + hidden)
        assert wire.answer("POST").status == 400, name
        if name != "two hosts":  # whose body is as long as it says
            assert wire.rest() == b"", name
            wire.close()
    assert "open.z" not in ask(served, head("GET", "/state", VIEW)).json()
    trailer = head("POST", "/streams/open.z", "Transfer-Encoding: chunked")
    trailer += b"1\r\n7\r\n0\r\n" + ALL.encode() + b"\r\n\r\n"
    assert ask(served, trailer, method="POST").status == 401
    refused = head("POST", "/streams/open.z", f"Content-Length: {len(hidden)}") + hidden
    wire = served.wire(refused + hidden)
    assert [wire.answer("POST").status, wire.rest()] == [401, b""]


# -- who one is ------------------------------------------------------------------------------------

PERSONS: dict[str, tuple[list[str], str]] = {
    "no proxy": (["X-Forwarded-User: ann"], "127.0.0.1"),
    "another address of the proxy": (["X-Forwarded-User: ann"], "127.0.0.3"),
    "claims to be the proxy": (
        ["X-Forwarded-User: ann", "X-Forwarded-For: 127.0.0.2"],
        "127.0.0.1",
    ),
    "underscores": (["X_Forwarded_User: ann"], PROXY),
    "two": (["X-Forwarded-User: ann", "X-Forwarded-User: bob"], PROXY),
    "in another case": (["X-Forwarded-User: bob", "x-forwarded-USER: ann"], PROXY),
    "empty, then a name": (["X-Forwarded-User:", "X-Forwarded-User: ann"], PROXY),
    "a name, then empty": (["X-Forwarded-User: ann", "X-Forwarded-User: "], PROXY),
    "list": (["X-Forwarded-User: ann,"], PROXY),
    "foreign page": (["X-Forwarded-User: ann", "Origin: https://reads.example"], PROXY),
    "foreign page that publishes": (
        ["X-Forwarded-User: ann", "Origin: https://writes.example"],
        PROXY,
    ),
    "no origin at all": (["X-Forwarded-User: ann", "Origin: null"], PROXY),
}


@in_thread
def test_nobody_else_is_the_administrator_of_the_proxy(serve: Serve) -> None:
    served = start(serve)
    for name, (lines, source) in PERSONS.items():
        for path in ("/state", "/grants", "/admin/refusals"):
            answer = ask(served, head("GET", path, *lines), source)
            assert (answer.status in (401, 403), b"s3cr3t" in answer.body) == (True, False), name
        wire = served.wire(handshake("/ws", *lines), source=source)
        assert wire.answer().status in (401, 403), name
    for folded in ("X-Forwarded-User: bob\r\n ann", "X-Forwarded-User: bob ann"):
        assert ask(served, head("GET", "/grants", folded), PROXY).status == 403
    assert ask(served, head("GET", "/grants", "X-Forwarded-User: ann"), PROXY).status == 200


# -- WebSockets ------------------------------------------------------------------------------------


SAYINGS: list[dict[str, Any]] = [
    {"type": "subscribe"},
    {"type": "subscribe", "streams": ["*"], "after": "0-0", "history": 100},
    {"type": "subscribe", "streams": ["secret.*", "s?cret.plan"]},
    {"type": "subscribe", "streams": ["secret.plan"]},
    {"type": "subscribe", "streams": ["open.a", "secret.plan"], "after": "0-0"},
    {"type": "subscribe", "streams": ["SECRET.PLAN", "secret.plan\0", "secret.plan\n"]},
    {"type": "publish", "updates": [{"stream": "secret.plan", "value": 1}]},
    {
        "type": "publish",
        "updates": [{"stream": "open.a", "value": "new"}, {"stream": "secret.plan", "value": 1}],
    },
    {"type": "screen", "name": "tv", "wall": "vault", "at": "0-0", "delay": 0},
]


@pytest.mark.parametrize("credentials", [OPEN, CI], ids=["view", "publish"])
@in_thread
def test_messages_on_a_websocket_widen_no_right(serve: Serve, credentials: str) -> None:
    served = start(serve)
    wire = served.wire(handshake("/ws?streams=", "Sec-WebSocket-Protocol: streamd.v1", credentials))
    assert wire.head().startswith("HTTP/1.1 101")
    for said in SAYINGS:
        wire.send(frame(0x81, json.dumps(said).encode()))
    wire.send(frame(0x81, b"the end"))
    heard = b""
    while b"the end" not in heard and b"JSON is malformed" not in heard:
        heard += wire.frame()[1]
    assert b"s3cr3t" not in heard
    state = ask(served, head("GET", "/state?streams=secret.*,open.*", VIEW)).json()
    assert state == {"secret.plan": "s3cr3t", "open.a": "op3n"}
    # A client that reads nothing hears no command for a screen either.
    is_screen = credentials == OPEN
    assert (b"reporting as a screen is not allowed" in heard) != is_screen
    wait_until(lambda: served.run(lambda: bool(served.service.screens.here()) == is_screen))


# -- while a right ends ----------------------------------------------------------------------------


@in_thread
def test_history_that_is_computed_while_the_right_to_it_ends(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[Callable[[], Any]] = []
    compute = PastAnswers.ask

    def ask_later(past: PastAnswers, *about: Any) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        waiting.append(lambda: compute(past, *about).chainDeferred(answer))
        return answer

    monkeypatch.setattr(PastAnswers, "ask", ask_later)
    served = start(serve)
    paths = ("/streams/open.a?points=9", "/streams/open.a?from=-1h")
    wires = [served.wire(head("GET", path, line)) for path in paths for line in (OPEN, VIEW)]
    wait_until(lambda: len(waiting) == len(wires))
    reload(served, CONFIG.replace("view-open-streams", "view-that-is-other"))
    for each in waiting:
        served.run(each)
    answers = [wire.answer() for wire in wires]
    assert [answer.status for answer in answers] == [401, 200] * 2
    assert answers[0].json()["error"]["code"] == "signed-out"
    assert "op3n" not in answers[2].text


@in_thread
def test_session_that_connects_after_the_right_has_ended(serve: Serve) -> None:
    """Socket.IO: the head of the first request has the credentials, and they count later."""
    served = start(serve)
    without = CONFIG.replace("127.0.0.2", "127.0.0.9").replace(
        "view-open-streams", "another-token-x"
    )
    cases = [((OPEN,), "127.0.0.1"), (("X-Forwarded-User: ann",), PROXY)]
    sessions = [Polling(served, *lines, source=source) for lines, source in cases]
    made = served.run(served.service.grants.listing)
    sessions.append(Polling(served, guest(served)))
    [link] = [one for one in served.run(served.service.grants.listing) if one not in made]
    reload(served, without)
    revoke: Any = served.service.grants.revoke
    served.run(revoke, link.id)
    for session in sessions:
        session.say("40")
        assert session.packet().startswith("44")
        session.close()


@in_thread
def test_session_of_another_needs_its_identity(serve: Serve) -> None:
    served = start(serve)
    session = Polling(served, VIEW)
    session.connect({"streams": ["secret.plan"]})
    for sid in ("", "x", session.sid[:-1], session.sid.swapcase(), session.sid + "%00", "*"):
        for request in (
            head("GET", f"{PATH}polling&sid={sid}", VIEW),
            head("POST", f"{PATH}polling&sid={sid}", VIEW, "Content-Length: 1") + b"1",
            handshake(f"{PATH}websocket&sid={sid}", VIEW),
        ):
            answer = ask(served, request)
            assert (answer.status, b"s3cr3t" in answer.body) == (400, False), sid
    assert session.message() == {"secret.plan": "s3cr3t"}


@in_thread
def test_key_of_another_publisher_gets_no_receipt(serve: Serve) -> None:
    served = start(serve)
    answers = []
    for line in (ALL, CI, ALL):
        body = (
            head("POST", "/streams/open.a", line, "Idempotency-Key: k", "Content-Length: 1") + b"7"
        )
        answers.append(ask(served, body, method="POST").json())
    assert answers[0] == answers[2] != answers[1]
