"""Short posts: answered as the general parser answers them, in order, and only to who still waits."""

from __future__ import annotations

import re
from dataclasses import replace
from unittest.mock import patch

import pytest
from twisted.internet.defer import Deferred

from streamd.core.update import Draft
from streamd.http.access.guesses import FREE
from streamd.http.access.tokens import NO_TOKENS
from streamd.http.channel import Channel
from streamd.http.short_posts import ShortPosts
from streamd.hub.fast_write import ENABLED
from tests.support.net import Answer, wait_until
from tests.support.served import QUIET, Serve, Served, in_thread

TOKENS = '[access]\npublish = ["right-token-000001"]'


def post(name: str, body: str, *headers: str, host: str = "localhost") -> bytes:
    lines = [f"POST /streams/{name} HTTP/1.1", f"Host: {host}", *headers]
    if not any(line.lower().startswith("content-length") for line in headers):
        lines.append(f"Content-Length: {len(body.encode())}")
    return "\r\n".join([*lines, "", body]).encode()


REQUESTS = {
    "a number": post("a", "42"),
    "a text": post("a", "zwölf"),
    "no JSON": post("a", "{", "Content-Type: application/json"),
    "a number that is none": post("a", "NaN"),
    "a bad name": post("-a", "1"),
    "a name in percent": post("%61", "1"),
    "a path below": post("a/b", "1"),
    "a time": post("a", "1", "Streamd-Time: 1700000000"),
    "a bad time": post("a", "1", "Streamd-Time: soon"),
    "a key": post("a", "1", "Idempotency-Key: once"),
    "a foreign page": post("a", "1", "Origin: http://evil.example"),
    "streamd's page": post("a", "1", "Origin: http://localhost"),
    "an unknown host": post("a", "1", host="evil.example"),
    "two hosts": post("a", "1", "Host: evil.example"),
    "no host": post("a", "1").replace(b"Host: localhost\r\n", b""),
    "a wrong token": post("a", "1", "Authorization: Bearer wrong-token-000001"),
    "the right token": post("a", "1", "Authorization: Bearer right-token-000001"),
    "through a proxy": post("a", "1", "X-Forwarded-For: 192.0.2.1"),
    "compressed": post("a", "1", "Content-Encoding: gzip"),
    "a form": post("a", "1", "Content-Type: multipart/form-data; boundary=x"),
    "two lengths": post("a", "1", "Content-Length: 1", "Content-Length: 1"),
    "a signed length": post("a", "1", "Content-Length: +1"),
    "a length of zeros": post("a", "1", "Content-Length: 01"),
    "chunks": post(
        "a", "1\r\n7\r\n0\r\n\r\n", "Transfer-Encoding: chunked", "Content-Length-No: 0"
    ),
    "to be closed": post("a", "1", "Connection: close"),
    "an expectation": post("a", "1", "Expect: 100-continue"),
    "a fold": post("a", "1", "X-A: b\r\n c"),
    "a large one": post("a", '"' + "x" * 16_000 + '"'),
    "too many headers": post("a", "1", *(f"X-{n}: 1" for n in range(501))),
    "a loop": post("a", "1", "Streamd-Log: 1"),
}


def told(answer: Answer) -> tuple[int, object, str]:
    """An answer without what differs from one request to the next."""
    headers = {**answer.headers, "Content-Length": ..., "Retry-After": ...}
    return answer.status, headers, re.sub('"(seq|at)":[^,}]*', "", answer.text)


@pytest.mark.parametrize("configuration", [QUIET, TOKENS], ids=["local", "tokens"])
@in_thread
def test_answers_are_those_of_the_general_parser(serve: Serve, configuration: str) -> None:
    served = serve(configuration)
    for what, request in REQUESTS.items():
        answers = []
        for pieces in ([request], [request[:9], request[9:]]):
            wire = served.wire()
            for piece in pieces:
                wire.send(piece)
                served.run(lambda: None)  # the piece is read by itself
            answers.append(told(wire.answer()))
        assert answers[0] == answers[1], what


@in_thread
def test_most_requests_are_short_posts(served: Served) -> None:
    with patch.object(
        ShortPosts, "_written", autospec=True, side_effect=ShortPosts._written
    ) as written:
        served.wire(post("a", "1")).answer()
    assert written.called == ENABLED


@in_thread
def test_posts_of_one_connection_are_answered_in_order(served: Served) -> None:
    get = b"GET /streams/a HTTP/1.1\r\nHost: localhost\r\n\r\n"
    wire = served.wire(post("a", "1") + post("a", "2") + get + post("a", "3") + post("b", "4"))
    answers = [wire.answer().json() for _ in range(5)]
    assert [a.get("seq") for a in answers[:2]] == [1, 2]
    assert answers[2]["value"] == 2
    assert [(a["stream"], a["seq"]) for a in answers[3:]] == [("a", 3), ("b", 1)]


@in_thread
def test_a_second_head_is_not_taken_for_the_first_one(served: Served) -> None:
    wire = served.wire()
    for name, body in (("a", "10"), ("a", "11"), ("b", "12"), ("a", "9"), ("a", "100")):
        wire.send(post(name, body))
        assert wire.answer().json()["stream"] == name
    assert served.state() == {"a": 100, "b": 12}


@in_thread
def test_an_equal_head_is_judged_again_when_rights_have_changed(serve: Serve) -> None:
    served = serve(TOKENS)
    request = post("a", "1", "Authorization: Bearer right-token-000001")
    wire = served.wire(request)
    assert wire.answer().status == 201
    wire.send(request)
    assert wire.answer().status == 201
    access = served.service.access
    # All else stays: a change of the proxies alone would be a reason to read the head again.
    served.run(access.replace, replace(access.rules, tokens=NO_TOKENS))
    wire.send(request)
    assert wire.answer().status == 401


@in_thread
def test_equal_heads_are_counted_one_by_one(serve: Serve) -> None:
    served = serve(f"[server]\nrates = {{ token_publishes = 0.4 }}\n{TOKENS}")  # four at once
    request = post("a", "1", "Authorization: Bearer right-token-000001")
    wire = served.wire()
    statuses = []
    for _ in range(5):
        wire.send(request)
        statuses.append(wire.answer().status)
    assert statuses == [201, 201, 201, 201, 429]
    assert served.service.site.requests == 5


@in_thread
def test_an_equal_head_waits_after_many_guesses_too(served: Served) -> None:
    """Then the general parser takes it, because it can wait."""
    request = post("a", "1", "Authorization: Bearer some-token")
    wire = served.wire(post("a", "1"))
    assert wire.answer().status == 201
    with patch.object(Channel, "hold", autospec=True, side_effect=Channel.hold) as hold:
        for _ in range(FREE + 1):
            served.wire(request).answer()
    assert hold.called


@in_thread
def test_answers_have_the_length_of_their_own_body(served: Served) -> None:
    wire = served.wire()
    for number in range(11):  # from the tenth on, the seq is a character longer
        wire.send(post("a", str(number % 10)))
        assert wire.answer().json()["seq"] == number + 1
    wire.send(post("a", "NaN"))
    assert wire.answer().status == 400


class Journal:
    """Answers an append when it is told to."""

    def __init__(self, served: Served) -> None:
        self.waiting: list[Deferred[object]] = []
        self.given_up: list[object] = []
        self._append = served.service.journal.append
        served.service.journal.append = self.append  # type: ignore[method-assign,assignment]

    def append(self, drafts: list[Draft], *args: object) -> Deferred[object]:
        answer: Deferred[object] = Deferred(self.given_up.append)
        self.waiting.append(answer)
        return answer.addCallback(lambda _: self._append(drafts))

    def answer(self) -> None:
        self.waiting.pop(0).callback(None)


@in_thread
def test_the_next_request_waits_until_the_journal_has_answered(served: Served) -> None:
    journal = Journal(served)
    wire = served.wire(post("a", "1"))
    wait_until(lambda: journal.waiting)
    wire.send(post("a", "2"))
    wire.send(post("a", "3"))
    for seq in (1, 2, 3):
        wait_until(lambda: journal.waiting)
        assert len(journal.waiting) == 1
        served.run(journal.answer)
        assert wire.answer().json()["seq"] == seq


@in_thread
def test_requests_that_arrive_while_one_waits_keep_their_order(served: Served) -> None:
    """Two come in one piece with the first, another one after them."""
    journal = Journal(served)
    wire = served.wire(post("a", "1") + post("a", "2") + post("a", "3")[:40])
    wait_until(lambda: journal.waiting)
    wire.send(post("a", "3")[40:] + post("a", "4"))
    served.run(lambda: None)
    for value in (1, 2, 3, 4):
        wait_until(lambda: journal.waiting)
        served.run(journal.answer)
        assert wire.answer().json()["seq"] == value
        assert served.state() == {"a": value}


@in_thread
def test_a_client_that_leaves_waits_no_more(served: Served) -> None:
    journal = Journal(served)
    wire = served.wire(post("a", "1"))
    wait_until(lambda: journal.waiting)
    wire.close()
    wait_until(lambda: journal.given_up)
    assert served.wire(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").answer().status == 200
