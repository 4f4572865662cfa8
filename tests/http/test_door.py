"""Whose a connection is: a viewer's at once, or HTTP's."""

from __future__ import annotations

from typing import Any

import pytest

from streamd.http import door
from streamd.http.channel import Channel
from streamd.http.door import Door
from streamd.http.peer import Peer
from streamd.http.request import Request
from streamd.http.site import Site
from tests.support.net import wait_until
from tests.support.served import Serve, Served, frame, handshake, in_thread

GOODBYE = frame(0x88, (1000).to_bytes(2, "big"))


def speaks_http(channel: Channel | Door) -> bool:
    return isinstance(channel, Channel)


@pytest.fixture
def no_http(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(site: Site, peer: Peer) -> Channel:
        raise AssertionError("it went to HTTP")

    monkeypatch.setattr(Site, "_speak_http", fail)


@pytest.mark.parametrize("path", ["/", "/ws", "/ws?streams=a", "http://localhost/ws"])
@in_thread
def test_handshake_goes_straight_to_its_viewer(served: Served, no_http: None, path: str) -> None:
    wire = served.wire(handshake(path))
    assert wire.head().startswith("HTTP/1.1 101")
    assert wire.message() == {}
    assert not served.service.site.channels


@in_thread
def test_what_comes_with_the_handshake(served: Served, no_http: None) -> None:
    wire = served.wire(handshake() + GOODBYE)
    assert wire.head().startswith("HTTP/1.1 101")
    assert wire.message() == {}
    assert wire.close_code() == 1000


@in_thread
def test_handshake_in_two_pieces(served: Served) -> None:
    whole = handshake()
    for cut in (1, len(whole) // 2, len(whole) - 1):
        wire = served.wire(whole[:cut])
        [channel] = wait_until(lambda: [c for c in served.service.site.channels if speaks_http(c)])
        wire.send(whole[cut:])
        assert wire.head().startswith("HTTP/1.1 101"), cut
        assert channel not in served.service.site.channels


@pytest.mark.parametrize(
    "line",
    [
        "X: a\x00b",
        "X: \xe9",
        "X : 1",
        " folded: 1",
        "Content-Length: 0",
        "Transfer-Encoding: chunked",
        "Expect: 100-continue",
        "Sec-WebSocket-Version: 13",
        "no colon",
    ],
)
def test_what_not_every_reader_reads_alike_is_for_http(line: str) -> None:
    data = handshake("/ws", line)
    match = door._HEAD.match(data)
    assert match is None or door.headers_of(match) is None


@in_thread
def test_refusals_are_reported_by_http(served: Served) -> None:
    wrong = served.wire(handshake("/ws?pace=x")).answer()
    assert (wrong.status, wrong.json()["error"]["code"]) == (400, "bad-pace")
    unknown = served.wire(handshake(host="evil.example")).answer()
    assert unknown.status == 421


@in_thread
def test_handshake_without_a_seat_is_parsed_once(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve("[server]\nmax_viewers = 1")
    seated = served.wire(handshake())
    assert seated.head().startswith("HTTP/1.1 101")
    parsed: list[bytes] = []

    def request(peer: Peer, method: bytes, uri: bytes, *rest: Any) -> Request:
        parsed.append(uri)
        return parse(peer, method, uri, *rest)

    parse = Peer.request
    monkeypatch.setattr(Peer, "request", request)
    refused = served.wire(handshake("/ws?pace=1s")).answer()
    assert (refused.status, "Retry-After" in refused.headers) == (503, True)
    assert refused.json()["error"]["code"] == "too-many-viewers"
    assert parsed == [b"/ws?pace=1s"]


@pytest.mark.parametrize("more", [["X: " + "x" * 17_000], ["X: 1"] * 501])
@in_thread
def test_head_that_is_too_large_is_refused_in_one_piece_too(
    served: Served, more: list[str]
) -> None:
    lines = [line.replace("X", f"X{number}") for number, line in enumerate(more)]
    assert served.wire(handshake("/ws", *lines)).answer().status == 400


@in_thread
def test_upgrade_elsewhere_is_a_plain_request(served: Served) -> None:
    assert served.wire(handshake("/healthz")).answer().json() == {"status": "ok"}
    assert served.wire(handshake("/nothing")).answer().status == 404


@in_thread
def test_silent_connection_does_not_outlive_the_daemon(served: Served) -> None:
    silent = served.wire()
    wait_until(lambda: served.service.site.channels)
    served.run(served.service.site.close_all)
    assert silent.rest() == b""
    assert not served.service.site.channels
