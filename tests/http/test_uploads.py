"""Bodies: which are received at all, for whom there is room, and how slow they may be."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.errors import Refused
from streamd.http.access.client_address import UNIX
from streamd.http.exchange import Exchange
from streamd.http.request import NeedsBody
from streamd.http.uploads import (
    CHUNK,
    LOOK_EVERY,
    MAX_BODIES,
    MAX_BODY,
    MAX_OPEN_BODIES,
    RATE,
    SMALL_BODY,
    Uploads,
)
from tests.support.net import wait_until
from tests.support.served import Serve, Served, Wire, head, in_thread

BEARER = "Authorization: Bearer s3cret"


class UploadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.uploads = Uploads(self.clock)
        self.refusals: list[Failure] = []
        asked = NeedsBody(lambda body: None)
        self.upload = self.uploads.begin(asked, UNIX, self.refusals.append)

    def refusal(self, length: int) -> tuple[int, str]:
        refused = self.assertRaises(Refused, self.upload.add, length)
        return refused.status, refused.code

    def test_the_largest_body(self) -> None:
        self.upload.add(MAX_BODY)
        self.assertEqual((413, "too-large"), self.refusal(1))

    def test_a_body_in_tiny_chunks(self) -> None:
        for _ in range(MAX_BODY // CHUNK + 1):
            self.upload.add(1)
        self.assertEqual((413, "too-large"), self.refusal(1))

    def test_a_body_that_nobody_needs_is_small(self) -> None:
        self.upload = self.uploads.begin(None, UNIX, self.refusals.append)
        self.upload.add(SMALL_BODY)
        self.assertEqual((413, "too-large"), self.refusal(1))

    def test_a_small_body_takes_no_room(self) -> None:
        self.uploads.proven.take("unix", MAX_BODIES)
        self.upload.add(SMALL_BODY)
        self.assertEqual((503, "busy"), self.refusal(1))

    def test_the_room_of_one_address(self) -> None:
        self.uploads.proven.take("unix", self.uploads.proven.each)
        self.assertEqual((503, "too-much-for-one-client"), self.refusal(MAX_BODY))

    def test_the_room_is_given_back(self) -> None:
        for _ in range(3):
            self.upload.add(SMALL_BODY)
        self.assertEqual(2 * SMALL_BODY, self.uploads.proven.used)
        self.upload.end()
        self.upload.end()
        self.assertEqual(0, self.uploads.proven.used)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_a_body_that_stalls(self) -> None:
        self.upload.add(2 * SMALL_BODY)
        self.clock.advance(LOOK_EVERY)
        self.assertEqual([], self.refusals)
        self.clock.advance(LOOK_EVERY)
        [refusal] = self.refusals
        assert isinstance(refusal.value, Refused)
        self.assertEqual((408, "too-slow"), (refusal.value.status, refusal.value.code))

    def test_a_body_that_is_slow_enough_to_end(self) -> None:
        self.upload.add(2 * SMALL_BODY)
        for _ in range(20):
            self.clock.advance(LOOK_EVERY)
            self.upload.add(int(RATE * LOOK_EVERY))
        self.assertEqual([], self.refusals)

    def test_a_small_body_may_be_slow(self) -> None:
        self.upload.add(1)
        self.clock.advance(10 * LOOK_EVERY)
        self.assertEqual([], self.refusals)


def refused_at_the_head(served: Served, request_: bytes) -> tuple[int, str]:
    """What a request is told of which only the head was sent."""
    wire = served.wire(request_)
    answer = wire.answer()
    assert answer.headers["Connection"] == "close"
    assert wire.rest() == b""  # no 100 Continue either
    return answer.status, answer.json()["error"]["code"]


@pytest.mark.parametrize(
    ("path", "lines", "wanted"),
    [
        ("/streams/a", (), (401, "no-token")),
        ("/streams/a", ("Authorization: Bearer wrong",), (401, "bad-token")),
        ("/screens/a", (BEARER,), (403, "no-right")),
        ("/streams/a", (BEARER, "Origin: http://foreign.example"), (403, "foreign-origin")),
        ("/streams/-a", (BEARER,), (400, "bad-name")),
        ("/widgets/-a", (), (400, "bad-name")),
        ("/streams/a", (BEARER, "Streamd-Time: noon"), (400, "bad-time")),
        ("/streams/a", (BEARER, "Content-Type: multipart/form-data"), (415, "bad-type")),
        ("/widgets/a", ("Content-Encoding: gzip",), (415, "bad-encoding")),
        (
            "/streams/a",
            (BEARER, "Expect: 100-continue", "Host: evil.example"),
            (400, "bad-request"),
        ),
        ("/nowhere", (BEARER,), (404, "not-found")),
    ],
)
@pytest.mark.parametrize("coding", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
@in_thread
def test_the_head_is_judged_before_the_body(
    serve: Serve, path: str, lines: tuple[str, ...], wanted: tuple[int, str], coding: str
) -> None:
    served = serve("", tokens=["s3cret"])
    wire = head("POST", path, *lines, coding, "Expect: 100-continue")
    assert refused_at_the_head(served, wire) == wanted
    assert served.service.site.uploads.proven.used == 0


@pytest.mark.parametrize(
    ("method", "path", "length"),
    [
        ("POST", "/streams/a", MAX_BODY + 1),
        ("PATCH", "/state", MAX_BODY + 1),
        ("POST", "/widgets/a", MAX_BODY + 1),
        ("GET", "/state", SMALL_BODY + 1),
        ("DELETE", "/streams/a", SMALL_BODY + 1),
        ("PUT", "/streams/a", SMALL_BODY + 1),
        ("POST", "/state", SMALL_BODY + 1),
    ],
)
@in_thread
def test_a_length_is_judged_before_the_body(
    served: Served, method: str, path: str, length: int
) -> None:
    wire = head(method, path, f"Content-Length: {length}", "Expect: 100-continue")
    assert refused_at_the_head(served, wire) == (413, "too-large")


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("PUT", 405), ("DELETE", 404)])
@in_thread
def test_a_small_body_that_nobody_needs(served: Served, method: str, status: int) -> None:
    wire = served.wire(head(method, "/streams/a", "Content-Length: 3") + b"abc" + head())
    assert wire.answer().status == (404 if method == "GET" else status)
    assert wire.answer().status == 200


def stall(served: Served, count: int, path: str, *lines: str, source: str) -> Iterator[Wire]:
    """Sends all but the last byte of this many bodies."""
    for _ in range(count):
        yield served.wire(
            head("POST", path, f"Content-Length: {MAX_BODY}", *lines) + bytes(MAX_BODY - 1),
            source=source,
        )


def publish_much(served: Served, *lines: str, source: str = "127.0.0.1") -> int:
    """The answer to the largest body."""
    body = b'{"a":1}'.ljust(MAX_BODY)
    request_ = head("PATCH", "/state", f"Content-Length: {MAX_BODY}", *lines) + body
    return served.wire(request_, source=source).answer().status


@in_thread
def test_stalled_bodies_without_a_token_deny_nothing(serve: Serve) -> None:
    served = serve("", tokens=["s3cret"])
    room = served.service.site.uploads.open
    stalled = list(stall(served, 8, "/widgets/a", source="127.0.0.2"))
    wait_until(lambda: room.used >= 3 * (MAX_BODY - SMALL_BODY - 1))
    assert room.used <= room.each < MAX_OPEN_BODIES
    assert publish_much(served, BEARER) == 200
    assert publish_much(served, BEARER, source="127.0.0.2") == 200
    other = '{"auth_token":"s3cret","x":1}'.ljust(300_000).encode()
    wire = served.wire(head("POST", "/widgets/b", f"Content-Length: {len(other)}") + other)
    assert wire.answer().status == 204
    for wire in stalled:
        wire.close()


@in_thread
def test_one_address_does_not_take_all_the_room_of_publishers(serve: Serve) -> None:
    served = serve("", tokens=["s3cret"])
    with capturedLogs() as events:
        stalled = list(stall(served, 8, "/streams/a", BEARER, source="127.0.0.2"))
        wait_until(lambda: any("was refused" in formatEvent(event) for event in events))
    [line] = [line for event in events if "a client was refused" in (line := formatEvent(event))]
    assert 'trusted_proxies = ["127.0.0.2"]' in line
    room = served.service.site.uploads.proven
    assert MAX_BODIES - MAX_BODY > room.each >= room.used
    assert publish_much(served, BEARER) == 200
    for wire in stalled:
        wire.close()


@in_thread
def test_a_body_that_stalls_is_refused(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamd.http.uploads.LOOK_EVERY", 0.1)
    served = serve()
    [wire] = stall(served, 1, "/streams/a", source="127.0.0.1")
    answer: Any = wire.answer()
    assert (answer.status, answer.json()["error"]["code"]) == (408, "too-slow")
    assert wire.rest() == b""
    assert served.service.site.uploads.proven.used == 0


@in_thread
def test_a_request_leaves_nothing_to_the_garbage_collector(served: Served) -> None:
    def is_of_this_site(each: object) -> bool:
        return isinstance(each, Exchange) and each._site is served.service.site

    gc.collect()
    gc.disable()
    try:
        for method, path, body in (("POST", "/streams/a", "1"), ("GET", "/streams/a", "")):
            assert served.request(method, path, body).status < 300
        wait_until(lambda: not any(map(is_of_this_site, gc.get_objects())))
    finally:
        gc.enable()
