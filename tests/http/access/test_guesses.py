"""Many wrong tokens: how long the next one waits, for whom, and what is learnt meanwhile."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from streamd.http.access import guesses
from streamd.http.access.access import Access
from streamd.http.access.client_address import ClientAddress, read_address
from streamd.http.access.guesses import FREE, MAX_CLIENTS, PAUSE, WINDOW, Guesses
from streamd.http.access.origins import Right
from streamd.http.access.rules import Rules
from streamd.http.access.tokens import Token, Tokens
from streamd.http.channel import Channel
from streamd.http.request import Request
from tests.support.net import wait_until
from tests.support.served import Serve, Served, Wire, head, in_thread


class GuessesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.guesses = Guesses(self.clock.seconds)

    def guess(self, count: int, client: str = "a") -> None:
        for number in range(count):
            self.guesses.wrong(client, f"guess {number}")

    def test_many_different_guesses_make_all_tokens_of_an_address_wait(self) -> None:
        self.guess(FREE - 1)
        self.assertEqual(0, self.guesses.pause("a", "right"))
        self.guess(FREE)
        self.assertEqual(PAUSE, self.guesses.pause("a", "right"))
        self.assertEqual(0, self.guesses.pause("b", "right"))

    def test_a_stray_program_that_repeats_its_token_waits_alone(self) -> None:
        for _ in range(1000):
            self.guesses.wrong("office", "outdated")
        self.assertEqual(PAUSE, self.guesses.pause("office", "outdated"))
        for other in ("right", "wrong"):
            self.assertEqual(0, self.guesses.pause("office", other))

    def test_it_is_forgotten_after_a_while(self) -> None:
        self.guess(FREE)
        self.clock.advance(WINDOW - 1)
        self.assertEqual(PAUSE, self.guesses.pause("a", "right"))
        self.clock.advance(1)
        self.assertEqual(0, self.guesses.pause("a", "right"))
        self.guess(FREE)
        self.assertEqual(PAUSE, self.guesses.pause("a", "right"))

    def test_what_is_remembered_is_bounded(self) -> None:
        for number in range(3 * MAX_CLIENTS):
            self.guess(2 * FREE, f"{number}")
        self.assertEqual(MAX_CLIENTS, len(self.guesses._clients))
        self.assertEqual({FREE}, {len(tried) for _, tried in self.guesses._clients.values()})
        self.assertEqual(PAUSE, self.guesses.pause(f"{3 * MAX_CLIENTS - 1}", ""))

    def test_no_token_is_remembered(self) -> None:
        self.guesses.wrong("a", "nearly-the-right-token")
        self.assertNotIn("right", repr(vars(self.guesses)))

    def test_one_network_is_one_client(self) -> None:
        access = Access(Rules(Tokens([Token("right")])), self.guesses)
        for number in range(FREE):
            peer = read_address(f"2001:db8::{number:x}")
            access.refusal(self.asking(f"guess {number}", peer), Right.PUBLISH)
        for address, pause in (("2001:db8::ffff", PAUSE), ("2001:db8:0:1::1", 0.0)):
            self.assertEqual(pause, access.pause(self.asking("right", read_address(address))))

    def test_a_client_without_a_token_does_not_wait(self) -> None:
        access = Access(guesses=self.guesses)
        self.guess(FREE, "127.0.0.1")
        for path, pause in (("/streams/a", 0.0), ("/widgets/a", PAUSE)):
            ask = Request("POST", path, headers={"host": "localhost"})
            self.assertEqual(pause, access.pause(ask))

    def test_a_repeated_token_waits_whatever_its_characters(self) -> None:
        access = Access(Rules(Tokens([Token("right")])), self.guesses)
        for token in ("outdated", "two words", "é".encode().decode("latin-1")):
            ask = self.asking(token, None)
            for _ in range(FREE):
                self.assertEqual(0.0, access.pause(ask))
                access.refusal(ask, Right.PUBLISH)
            self.assertEqual(PAUSE, access.pause(ask), token)

    def asking(self, token: str, client: ClientAddress | None) -> Request:
        headers = {"host": "localhost", "authorization": f"Bearer {token}"}
        return Request("POST", "/streams/a", headers=headers, client=client or ClientAddress())


CONFIG = """
[access]
publish = ["right"]
admin = ["admin"]
[hooks.till]
secret = "the-right-secret"
stream = "a"
[hooks.github]
secret = "the-right-secret"
stream = "a"
"""
REQUESTS = {
    "post": ("POST", "/streams/a", "1"),
    "chunked": ("POST", "/streams/a", None),
    "delete": ("DELETE", "/streams/a", ""),
    "widget": ("POST", "/widgets/a", '{"auth_token": "right", "current": 1}'),
    "command": ("POST", "/screens/tv", '{"command": "reload"}'),
}


@pytest.fixture
def slow(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Served:
    """A daemon where a pause ends only when the test says so, and whose clients have guessed."""
    monkeypatch.setattr(guesses, "PAUSE", 3600.0)
    served = serve(CONFIG, ["right"], ["admin"])
    for number in range(FREE):
        served.service.access.guesses.wrong("127.0.0.1", f"guess {number}")
    return served


def send(served: Served, kind: str, token: str) -> Wire:
    method, path, body = REQUESTS[kind]
    lines = [] if kind == "widget" else [f"Authorization: Bearer {token}"]
    if body is None:
        data = head(method, path, *lines, "Transfer-Encoding: chunked") + b"1\r\n1\r\n0\r\n\r\n"
    else:
        data = head(method, path, *lines, f"Content-Length: {len(body)}") + body.encode()
    return served.wire(data)


def held(served: Served) -> list[Channel]:
    channels: Any = served.service.site.channels
    return [one for one in channels if isinstance(one, Channel) and one._hold]


def release(served: Served) -> None:
    for channel in held(served):
        channel._hold.cancel()
        channel._release()


def basic(password: str) -> str:
    return "Authorization: Basic " + b64encode(f"user:{password}".encode()).decode()


def signature(secret: str) -> str:
    return "X-Hub-Signature-256: sha256=" + hmac.digest(secret.encode(), b"1", "sha256").hex()


ELSEWHERE: dict[str, Callable[[str], tuple[str, list[str]]]] = {
    "of InfluxDB": lambda secret: ("/write", [f"Authorization: Token {secret}"]),
    "of InfluxDB 1": lambda secret: ("/api/v2/write", [f"Authorization: Token ann:{secret}"]),
    "password": lambda secret: ("/write", [basic(secret)]),
    "query of InfluxDB": lambda secret: (f"/write?p={secret}", []),
    "path with an escape": lambda secret: (f"/%77rite?p={secret}", []),
    "query of a hook": lambda secret: (f"/hooks/till?key={secret}", []),
    "bearer of a hook": lambda secret: ("/hooks/till", [f"Authorization: Bearer {secret}"]),
    "password of a hook": lambda secret: ("/hooks/till", [basic(secret)]),
    "query of a hook that signs": lambda secret: (f"/hooks/github?key={secret}", []),
    "signature": lambda secret: ("/hooks/github", [signature(secret)]),
}
"""Where a secret may be that is not a token of streamd's own: the path and the headers."""


def send_elsewhere(served: Served, kind: str, secret: str, body: str = "1") -> Wire:
    path, lines = ELSEWHERE[kind](secret)
    return served.wire(head("POST", path, *lines, f"Content-Length: {len(body)}") + body.encode())


@pytest.mark.parametrize("body", ["1", ""], ids=["with a body", "without one"])
@pytest.mark.parametrize("kind", ELSEWHERE)
@in_thread
def test_secret_that_is_elsewhere_is_judged_after_the_pause(
    slow: Served, kind: str, body: str
) -> None:
    wire = send_elsewhere(slow, kind, "wrong", body)
    wait_until(lambda: len(slow.run(held, slow)) == 1)
    slow.run(release, slow)
    assert wire.answer().status == 401


@pytest.mark.parametrize("kind", ELSEWHERE)
@in_thread
def test_secret_that_is_elsewhere_is_counted(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(guesses, "PAUSE", 0.01)
    served = serve(CONFIG, ["right"], ["admin"])
    for _ in range(FREE):
        assert send_elsewhere(served, kind, "wrong").answer().status == 401
    [(_, tried)] = served.service.access.guesses._clients.values()
    assert list(tried.values()) == [FREE]
    right = "the-right-secret" if "hooks" in ELSEWHERE[kind]("")[0] else "right"
    data = send_elsewhere(served, kind, right, "1").answer()
    assert data.status in (200, 204, 400), data.text  # it is no point of InfluxDB
    assert len(tried) == 1


@pytest.mark.parametrize("kind", REQUESTS)
@in_thread
def test_token_is_judged_after_the_pause(slow: Served, kind: str) -> None:
    wires = [send(slow, kind, token) for token in ("right", "wrong")]
    wait_until(lambda: len(slow.run(held, slow)) == 2)
    assert slow.state() == {}
    if kind == "delete":  # which needs a stream that is there
        slow.post_at_once(("a", 1))
    slow.run(release, slow)
    right, wrong = (wire.answer() for wire in wires)
    wanted = {"delete": 204, "widget": 204, "command": 403}.get(kind, 201)
    assert right.status == wanted, right.text
    assert kind == "widget" or wrong.status == 401
    # The connection goes on, and its next request waits as well.
    if kind in ("post", "delete"):
        wires[0].send(head("GET", "/state"))
        assert wires[0].answer().status == 200


@in_thread
def test_requests_that_came_together_wait_one_after_the_other(slow: Served) -> None:
    token = "Authorization: Bearer right"
    post = head("POST", "/streams/a", token, "Content-Length: 1") + b"1"
    expect = head("POST", "/streams/a", token, "Content-Length: 1", "Expect: 100-continue")
    wire = slow.wire(post + head("DELETE", "/streams/a", token) + expect)
    for status in (201, 204):
        wait_until(lambda: len(slow.run(held, slow)) == 1)
        slow.run(release, slow)
        assert wire.answer().status == status
    assert wire.head() == "HTTP/1.1 100 Continue\r\n"
    wait_until(lambda: len(slow.run(held, slow)) == 1)
    wire.send(b"2" + head("GET", "/state"))
    slow.run(release, slow)
    assert [wire.answer().status, wire.answer().json()] == [201, {"a": 2}]


@in_thread
def test_guess_that_hangs_up_is_never_judged(slow: Served) -> None:
    before = dict(slow.service.access.guesses._clients)
    wire = send(slow, "post", "right")
    wait_until(lambda: len(slow.run(held, slow)) == 1)
    wire.close()
    wait_until(lambda: not slow.run(lambda: len(slow.service.site.channels)))
    assert slow.state() == {}
    assert slow.service.access.guesses._clients == before


@in_thread
def test_large_body_is_not_read_during_the_pause(slow: Served) -> None:
    length = 1024 * 1024
    wire = slow.wire(
        head("PATCH", "/state", f"Content-Length: {length}", "Authorization: Bearer x")
    )
    wait_until(lambda: len(slow.run(held, slow)) == 1)
    assert slow.service.site.uploads.proven.used == 0
    slow.run(release, slow)
    assert wire.answer().status == 401


@in_thread
def test_refused_changes_are_in_the_log_once_a_minute_without_the_token(serve: Serve) -> None:
    served = serve(CONFIG, ["right"], ["admin"])
    with capturedLogs() as events:
        for _ in range(3):
            for path in ("/streams/a", "/screens/tv"):
                headers = {"Authorization": "Bearer not-the-token"}
                assert served.request("POST", path, "1", headers).status == 401
            assert served.request("DELETE", "/streams/a").status == 401
        served.run(lambda: None)
    lines = [line for event in events if "was refused" in (line := formatEvent(event) or "")]
    assert [line.rpartition(" (")[2] for line in lines] == [
        'POST "/streams/a" from 127.0.0.1; 0 more like this before)',
        'DELETE "/streams/a" from 127.0.0.1; 0 more like this before)',
    ]
    assert "not-the-token" not in json.dumps(lines)
