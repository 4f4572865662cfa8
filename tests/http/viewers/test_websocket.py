"""Viewers on WebSockets, over real TCP: the plain protocol, and what honest clients never send."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet import tcp
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from streamd.app.ports import UNSENT
from streamd.http.viewers import websocket
from streamd.http.viewers.websocket import StreamProtocol
from streamd.hub import fast_write, link, sweep
from streamd.reactor.private_twisted import direct_send
from streamd.wire.frames import MAX_INBOUND
from tests.support.net import wait_until
from tests.support.served import QUIET, Serve, Served, Wire, frame, handshake, head, in_thread
from tests.support.tidy import LoggedErrors

TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A
GOODBYE = frame(CLOSE, struct.pack("!H", 1000))
SOME_PIECES = 256 * 1024
"""Bytes; a long hello is 3 MB."""
SWITCHING = "HTTP/1.1 101 Switching Protocols"


def messages(viewer: ClientConnection) -> Iterator[Any]:
    while True:
        yield json.loads(viewer.recv(timeout=20))


def upgraded(served: Served, path: str = "/ws", *lines: str, more: bytes = b"") -> Wire:
    """A viewer by hand: after its handshake."""
    wire = served.wire(handshake(path, *lines) + more)
    assert wire.head().startswith(SWITCHING)
    return wire


def refused(served: Served, path: str = "/ws", *lines: str) -> tuple[int, str]:
    answer = served.wire(handshake(path, *lines)).answer()
    return answer.status, answer.json()["error"]["code"]


# -- the plain protocol ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/ws"])
@in_thread
def test_first_the_state_then_what_changes(served: Served, path: str) -> None:
    served.post("a", 1)
    served.post("b", {"x": "é"})
    with served.connect(path) as viewer:
        assert json.loads(viewer.recv()) == {"a": 1, "b": {"x": "é"}}
        served.post("a", 2)
        assert json.loads(viewer.recv(timeout=20)) == {"a": 2}


@in_thread
def test_empty_state_is_said(served: Served) -> None:
    with served.connect() as viewer:
        assert viewer.recv(timeout=20) == "{}"
        served.post("a", None)
        assert viewer.recv(timeout=20) == '{"a":null}'


@in_thread
def test_forgotten_stream_is_null(served: Served) -> None:
    served.post("a", 1)
    with served.connect() as viewer:
        assert viewer.recv(timeout=20) == '{"a":1}'
        served.request("DELETE", "/streams/a")
        assert viewer.recv(timeout=20) == '{"a":null}'
        with served.connect() as late:
            assert late.recv(timeout=20) == "{}"


@in_thread
def test_burst_is_one_message_with_the_newest(served: Served) -> None:
    with served.connect() as viewer:
        assert viewer.recv(timeout=20) == "{}"
        served.post_at_once(*(("a", value) for value in range(100)))
        seen = []
        for message in messages(viewer):
            seen.append(message["a"])
            if message == {"a": 99}:
                break
        assert len(seen) <= 2


@in_thread
def test_large_state_comes_in_messages_that_fit(served: Served) -> None:
    wanted = {f"s{n}": "x" * 30_000 for n in range(10)}
    for name, value in wanted.items():
        served.post(name, value)
    with served.connect() as viewer:
        got: dict[str, Any] = {}
        while got != wanted:
            text = viewer.recv(timeout=20)
            assert len(text) <= 64 * 1024
            got |= json.loads(text)


@in_thread
def test_selection(served: Served) -> None:
    for name in ("orders", "db.lag", "db.size", "other"):
        served.post(name, 1)
    with served.connect("/?streams=orders,db.*") as viewer:
        assert json.loads(viewer.recv()) == {"orders": 1, "db.lag": 1, "db.size": 1}
        served.post("other", 2)
        served.post("db.new", 3)
        assert json.loads(viewer.recv(timeout=20)) == {"db.new": 3}


@in_thread
def test_selection_of_nothing(served: Served) -> None:
    served.post("a", 1)
    with served.connect("/ws?streams=") as viewer:
        assert viewer.recv(timeout=20) == "{}"
        served.post("a", 2)
        with pytest.raises(TimeoutError):
            viewer.recv(timeout=0.2)


@in_thread
def test_pace(served: Served) -> None:
    with (
        served.connect("/ws?pace=60s") as slower,
        served.connect("/ws?pace=200ms") as slow,
        served.connect() as fast,
    ):
        assert slower.recv() == slow.recv() == fast.recv() == "{}"
        for value in range(3):
            served.post("a", value)
            for viewer in (fast, slow) if value else (fast, slow, slower):
                assert json.loads(viewer.recv(timeout=20)) == {"a": value}
        assert slower.ping().wait(20)  # whatever was written before has come by then
        with pytest.raises(TimeoutError):
            slower.recv(timeout=0)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("streams=%20", "bad-selection"),
        ("streams=a;b", "bad-selection"),
        ("streams=" + "x" * 129, "bad-selection"),
        ("streams=" + ",".join(f"s{n}" for n in range(33)), "bad-selection"),
        ("streams=%00", "bad-selection"),
        ("pace=1", "bad-pace"),
        ("pace=-1s", "bad-pace"),
        ("pace=", "bad-pace"),
        ("pace=" + "9" * 400 + "s", "bad-pace"),
        ("history=x", "bad-history"),
        ("&".join(f"k{n}=1" for n in range(200)), "bad-request"),
    ],
)
@in_thread
def test_bad_query(served: Served, query: str, code: str) -> None:
    for path in ("/", "/ws"):
        assert refused(served, f"{path}?{query}") == (400, code)


@in_thread
def test_unknown_query_is_ignored(served: Served) -> None:
    served.post("a", 1)
    assert upgraded(served, "/?x=1&redirect=http://evil.example&&=").message() == {"a": 1}


# -- the handshake ---------------------------------------------------------------------------------


@in_thread
def test_data_together_with_the_handshake_is_not_lost(served: Served) -> None:
    assert upgraded(served, more=GOODBYE).close_code() == 1000


@in_thread
def test_handshake_in_pieces(served: Served) -> None:
    wire = served.wire()
    for byte in handshake():
        wire.send(bytes([byte]))
    assert wire.head().startswith(SWITCHING)
    assert wire.message() == {}


@in_thread
def test_upgrade_after_another_request(served: Served) -> None:
    """What a proxy does that keeps its connections."""
    served.post("a", 1)
    wire = served.wire(head())
    assert wire.answer().json() == {"a": 1}
    wire.send(handshake() + GOODBYE)
    assert wire.head().startswith(SWITCHING)
    assert wire.message() == {"a": 1}
    assert wire.close_code() == 1000


@in_thread
def test_upgrade_in_one_segment_with_another_request(served: Served) -> None:
    wire = served.wire(head() + handshake() + GOODBYE)
    assert wire.answer().json() == {}
    assert wire.head().startswith(SWITCHING)
    assert wire.message() == {}
    assert wire.close_code() == 1000


@pytest.mark.parametrize("path", ["/ws/", "/ws/x", "/x", "/streams/a/b", "/index.html/x", "/wss"])
@in_thread
def test_other_paths_are_no_websockets(served: Served, path: str) -> None:
    answer = served.wire(handshake(path)).answer()
    assert answer.status == 404


@pytest.mark.parametrize("path", ["/state", "/streams", "/healthz", "/index.html"])
@in_thread
def test_what_is_no_websocket_ignores_the_wish(served: Served, path: str) -> None:
    assert served.wire(handshake(path)).answer().status == 200


@in_thread
def test_other_methods_are_no_handshakes(served: Served) -> None:
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Content-Length: 1")
    assert served.wire(head("POST", "/ws", *upgrade) + b"1").answer().status == 405
    assert served.wire(head("POST", "/streams/a", *upgrade) + b"1").answer().status == 201


KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
VERSION = "Sec-WebSocket-Version: 13"
UPGRADE = "Upgrade: websocket"
CONNECTION = "Connection: Upgrade"


@pytest.mark.parametrize(
    "lines",
    [
        (UPGRADE, CONNECTION, VERSION),
        (UPGRADE, CONNECTION, KEY),
        (UPGRADE, VERSION, KEY),
        (UPGRADE, "Connection: close", VERSION, KEY),
        (UPGRADE, CONNECTION, "Sec-WebSocket-Version: 7", KEY),
        (UPGRADE, CONNECTION, "Sec-WebSocket-Version: x", KEY),
        (UPGRADE, CONNECTION, VERSION, "Sec-WebSocket-Key: short"),
        (UPGRADE, CONNECTION, VERSION, KEY, KEY),
        (UPGRADE, CONNECTION, VERSION, VERSION, KEY),
        (UPGRADE, CONNECTION, VERSION, KEY + "\x85"),
        (UPGRADE, CONNECTION, VERSION, KEY, "Sec-WebSocket-Protocol: a, a"),
        ("Upgrade: websocketx", CONNECTION, VERSION, KEY),
    ],
)
@in_thread
def test_bad_handshake(served: Served, lines: tuple[str, ...]) -> None:
    wire = served.wire(head("GET", "/ws", *lines))
    answer = wire.answer()
    assert answer.status in (400, 426)
    assert not served.service.viewers.protocols


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        ("permessage-deflate", True),
        ("permessage-deflate; unknown", False),
        ("permessage-deflate; unknown=1, permessage-deflate", True),
        ("permessage-deflate; server_max_window_bits=8", False),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", True),
        ("permessage-deflate; server_max_window_bits=9", False),
        ("permessage-deflate; server_max_window_bits=15", True),
        ("permessage-deflate; server_max_window_bits=" + "9" * 5000, False),
        ("permessage-deflate; client_max_window_bits=99", False),
        ("permessage-deflate; client_no_context_takeover=1", False),
        ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", False),
        ("x-webkit-deflate-frame, permessage-deflate; client_max_window_bits", True),
        ("bbf-usp-protocol", False),
    ],
)
@in_thread
def test_offer_that_cannot_be_served_is_declined(served: Served, offer: str, answer: bool) -> None:
    """RFC 7692, section 7.1: declined, not refused, and the next offer counts."""
    wire = served.wire(handshake("/ws", f"Sec-WebSocket-Extensions: {offer}"))
    lines = wire.head().splitlines()
    assert lines[0] == SWITCHING
    agreed = [line for line in lines if line.startswith("Sec-WebSocket-Extensions")]
    assert len(agreed) == answer
    assert wire.raw_frame()[0] in (0x81, 0xC1)


@in_thread
def test_version_that_is_not_spoken_is_told_which_is(served: Served) -> None:
    lines = (UPGRADE, CONNECTION, "Sec-WebSocket-Version: 7", KEY)
    answer = served.wire(head("GET", "/ws", *lines)).answer()
    assert (answer.status, answer.headers["Sec-WebSocket-Version"]) == (426, "13")


@pytest.mark.parametrize(
    "offer",
    [
        "",
        ";",
        "=",
        ",,",
        '"',
        "x" * 5000,
        "permessage-deflate;;=",
        "permessage-deflate; server_max_window_bits=x",
        "permessage-deflate; client_max_window_bits=99",
    ],
)
@in_thread
def test_strange_extensions_do_no_harm(served: Served, offer: str) -> None:
    wire = served.wire(handshake("/ws", f"Sec-WebSocket-Extensions: {offer}"))
    assert wire.head().partition("\r\n")[0].split()[1] in ("101", "400")
    assert served.request("GET", "/healthz").status == 200


@pytest.mark.parametrize("byte", [0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x85])
@in_thread
def test_no_byte_within_a_header_begins_another(served: Served, byte: int) -> None:
    """Autobahn splits heads at all of these."""
    b = chr(byte)
    for name in ("X", "Sec-WebSocket-Protocol", "Cookie", "Origin"):
        forged = f"{name}: a{b}X-Forwarded-For: 10.0.0.1{b}Sec-WebSocket-Protocol: streamd.v1"
        wire = served.wire(handshake("/ws", forged))
        start = wire.head()
        if start.startswith(SWITCHING):
            assert "streamd.v1" not in start
            assert wire.message() == {}
        else:
            assert start.split()[1] in ("400", "403")
    assert all("10.0.0.1" not in str(p.peer) for p in served.service.viewers.protocols)


@in_thread
def test_request_for_a_redirect_is_not_obeyed(served: Served) -> None:
    for path in ("/ws", "/"):
        answer = served.wire(head("GET", f"{path}?redirect=http://evil.example&after=1")).answer()
        assert answer.status in (200, 426)
        assert answer.headers["Location"] is None
        assert "evil" not in answer.text


# -- who may ---------------------------------------------------------------------------------------

FOREIGN = ["http://evil.example", "null", "file://", "http://localhost:81", "http://127.0.0.1", ""]


@pytest.mark.parametrize("path", ["/", "/ws"])
@pytest.mark.parametrize("origin", FOREIGN)
@in_thread
def test_foreign_pages_do_not_read(served: Served, path: str, origin: str) -> None:
    assert refused(served, path, f"Origin: {origin}") == (403, "foreign-origin")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "file://"])
@in_thread
def test_demo_is_read_by_any_page(serve: Serve, origin: str) -> None:
    assert set(upgraded(serve(None), "/", f"Origin: {origin}").message()) == {"variable"}


@in_thread
def test_own_and_configured_pages_read(serve: Serve) -> None:
    served = serve(QUIET + '\n[server]\norigins = ["https://intranet.example"]')
    for origin in ("http://localhost", "https://intranet.example"):
        assert upgraded(served, "/", f"Origin: {origin}").message() == {}


@in_thread
def test_foreign_host(served: Served) -> None:
    answer = served.wire(handshake(host="evil.example")).answer()
    assert answer.status == 421


@in_thread
def test_too_many_viewers(serve: Serve) -> None:
    served = serve(QUIET + "\n[server]\nmax_viewers = 2\naddress_share = 1")
    with served.connect(), served.connect() as other:
        answer = served.wire(handshake()).answer()
        assert answer.status == 503
        assert answer.headers["Retry-After"]
        assert "max_viewers" in answer.json()["error"]["message"]
        assert served.request("GET", "/state").status == 200
        other.close()
        wait_until(lambda: len(served.service.viewers.protocols) == 1)
        with served.connect() as third:
            assert third.recv(timeout=20) == "{}"


# -- what honest clients never send ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, bytes(MAX_INBOUND + 1)), 1009),
        (frame(BINARY, b"x", length=64 * 2**20), 1009),
        (frame(TEXT, b"x", length=2**40), 1009),
        (frame(0x01, bytes(40_000)) + frame(0x80, bytes(40_000)), 1009),
        (frame(TEXT, b"x", masked=False), 1002),
        (frame(PING, masked=False), 1002),
        (frame(0x81 | 0x40, b"x"), 1002),
        (frame(0x81 | 0x20, b"x"), 1002),
        (frame(0x81 | 0x10, b"x"), 1002),
        (frame(0x83, b"x"), 1002),
        (frame(0x8F), 1002),
        (frame(0x09, b"a ping in parts"), 1002),
        (frame(PING, bytes(126)), 1002),
        (frame(0x80, b"goes on, but nothing began"), 1002),
        (frame(0x01, b"a") + frame(TEXT, b"another begins"), 1002),
        (frame(TEXT, b"\xff\xfe"), 1007),
        (frame(TEXT, b"\xed\xa0\x80"), 1007),
        (frame(0x01, b"\xe2\x82") + frame(0x80, b"\x28"), 1007),
    ],
)
@in_thread
def test_close_code(served: Served, data: bytes, code: int) -> None:
    served.post("a", 1)
    with served.connect() as witness:
        assert witness.recv(timeout=20) == '{"a":1}'
        wire = upgraded(served)
        wire.send(data)
        assert wire.close_code() == code
        wire.send(GOODBYE)
        wire.rest()
        served.post("a", 2)
        assert witness.recv(timeout=20) == '{"a":2}'
    wait_until(lambda: not served.service.viewers.protocols)


@pytest.mark.parametrize("payload", [b"x", b"\x03\xe8\xff", b"\x03\xed", b"\x13\x88", bytes(2)])
@in_thread
def test_bad_close_frame_is_the_end_of_one_alone(served: Served, payload: bytes) -> None:
    """Autobahn takes it for an answer to the close frame that it just sent, and drops the link."""
    with served.connect() as witness:
        assert witness.recv(timeout=20) == "{}"
        upgraded(served).send(frame(CLOSE, payload))
        wait_until(lambda: len(served.service.viewers.protocols) == 1)
        served.post("a", 1)
        assert witness.recv(timeout=20) == '{"a":1}'


@in_thread
def test_fragments_without_end(served: Served) -> None:
    wire = upgraded(served)
    wire.send(frame(0x01, b"x"))
    for _ in range(1000):
        wire.send(frame(0x00, b"x"))
    assert wire.close_code() == websocket.TOO_FAST


@pytest.mark.parametrize("first", [PING, PONG, TEXT, BINARY])
@in_thread
def test_flood_of_frames(served: Served, first: int) -> None:
    wire = upgraded(served)
    wire.send(frame(first) * 1000)
    assert wire.close_code() == websocket.TOO_FAST
    assert served.service.viewers.refused == 1


@in_thread
def test_flood_is_not_heard_after_the_close(served: Served) -> None:
    with served.connect() as witness:
        witness.recv(timeout=20)
        wire = upgraded(served)
        try:
            for _ in range(500):
                wire.send(frame(PING) * 1000)
        except OSError:
            pass
        served.post("a", 1)
        assert witness.recv(timeout=20) == '{"a":1}'
    wait_until(lambda: not served.service.viewers.protocols)


@in_thread
def test_random_bytes(served: Served) -> None:
    import random

    rng = random.Random(3)
    with served.connect() as witness:
        assert witness.recv(timeout=20) == "{}"
        for _ in range(20):
            wire = upgraded(served)
            try:
                wire.send(rng.randbytes(20_000))
            except OSError:
                continue
            wire.close()
        for _ in range(20):
            served.wire(rng.randbytes(2_000)).close()
        served.post("a", 1)
        assert witness.recv(timeout=20) == '{"a":1}'


@in_thread
def test_what_a_plain_viewer_says_changes_nothing(served: Served) -> None:
    served.post("a", 1)
    with served.connect() as viewer:
        assert viewer.recv(timeout=20) == '{"a":1}'
        for said in ("hello", '{"type": "subscribe", "streams": []}', b"\xff", "x" * MAX_INBOUND):
            viewer.send(said)
        served.post("a", 2)
        assert viewer.recv(timeout=20) == '{"a":2}'


@in_thread
def test_pings_are_answered(served: Served) -> None:
    wire = upgraded(served)
    assert wire.message() == {}
    for payload in (b"", b"hello", bytes(125)):
        wire.send(frame(PING, payload))
        assert wire.frame() == (10, payload)


@in_thread
def test_ping_right_after_a_message_is_answered(served: Served) -> None:
    """Clients take a lost pong for a lost link."""
    wire = upgraded(served, more=frame(PING, b"x"))
    assert wire.message() == {}
    assert wire.frame() == (10, b"x")


@in_thread
def test_close_is_answered(served: Served) -> None:
    wire = upgraded(served)
    wire.send(frame(CLOSE, struct.pack("!H", 1000) + "bye é".encode()))
    assert wire.close_code() == 1000
    assert wire.rest() == b""
    wait_until(lambda: not served.service.viewers.protocols and not len(served.service.hub))


@in_thread
def test_viewer_that_vanishes_is_forgotten(served: Served) -> None:
    wire = upgraded(served)
    wire._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()
    wait_until(lambda: not served.service.viewers.protocols and not len(served.service.hub))
    wire = upgraded(served)
    wire.finish_sending()
    wait_until(lambda: not served.service.viewers.protocols)


@in_thread
def test_viewer_that_reads_nothing_and_closes_costs_no_hello(served: Served) -> None:
    """A hello is made as it is read; the rest of it is not made for the sake of a close frame."""
    wire, written = stalled_in_its_hello(served)
    wire.send(GOODBYE)
    wait_until(lambda: not served.service.viewers.protocols)
    assert sum(written) < SOME_PIECES


@in_thread
def test_viewer_that_reads_nothing_and_floods_costs_no_hello(served: Served) -> None:
    wire, written = stalled_in_its_hello(served)
    wire.send(frame(PONG) * 1000)
    wait_until(lambda: not served.service.viewers.protocols)
    assert sum(written) < SOME_PIECES
    assert served.service.viewers.refused == 1


@in_thread
def test_viewer_that_reads_nothing_at_the_stop_costs_no_hello(serve: Serve) -> None:
    served = serve()
    _, written = stalled_in_its_hello(served)
    served.run(served.service.viewers.close_all)
    assert sum(written) < SOME_PIECES
    wait_until(lambda: not served.service.viewers.protocols)


def stalled_in_its_hello(served: Served) -> tuple[Wire, list[int]]:
    """A viewer that reads nothing of its long hello, and the lengths of what is written to it."""
    for first in range(0, 9000, 1000):
        values = {f"{'s' * 100}{number}": 1 for number in range(first, first + 1000)}
        assert served.request("PATCH", "/state", json.dumps(values)).status == 200
    wire = served.wire(handshake("/ws", "Sec-WebSocket-Protocol: streamd.v1"), receive_buffer=4096)
    [protocol] = wait_until(lambda: list(served.service.viewers.protocols))
    wait_until(lambda: protocol.unsent and not protocol.ready)
    return wire, count_written(protocol)


def count_written(protocol: Any) -> list[int]:
    """The lengths of all that is written to a viewer from now on."""
    lengths: list[int] = []
    write = protocol.write

    def counted(data: bytes) -> None:
        lengths.append(len(data))
        write(data)

    protocol.write = counted
    return lengths


# -- is anybody there ------------------------------------------------------------------------------


@pytest.fixture
def swept(served: Served) -> Served:
    """A service whose sweep turns by hand alone."""
    served.service.upkeep._timers[0].stop()
    return served


def pinged_last(served: Served) -> StreamProtocol:
    """Have the only viewer pinged at the end of each round of the sweep, and return it."""
    [protocol] = served.service.viewers.protocols
    protocol.slot = sweep.PING_EVERY - 1
    return protocol


def turn(served: Served, seconds: int, began: float = 0.0) -> float:
    """The sweep's next this many seconds, at once."""
    for _ in range(seconds):
        began += 1
        served.run(served.service.sweep.turn, began)
    return began


@in_thread
def test_mute_viewer_is_dropped(swept: Served) -> None:
    served = swept
    wire = upgraded(served)
    assert wire.message() == {}
    pinged_last(served)
    now = turn(served, sweep.PING_EVERY)
    assert wire.frame() == (9, b"")
    turn(served, sweep.PONG_WITHIN - 1, now)
    assert len(served.service.viewers.protocols) == 1
    turn(served, 1, now + sweep.PONG_WITHIN - 1)
    wire.rest()
    wait_until(lambda: not served.service.viewers.protocols)
    assert served.service.viewers.protocols.lost == 1


@in_thread
def test_viewer_that_answers_stays(swept: Served) -> None:
    served = swept
    wire = upgraded(served)
    assert wire.message() == {}
    protocol = pinged_last(served)
    now = 0.0
    for _ in range(3):
        now = turn(served, sweep.PING_EVERY - 1, now) if now else turn(served, sweep.PING_EVERY)
        assert wire.frame() == (9, b"")
        wire.send(frame(PONG))
        wait_until(lambda: protocol._pinged is None)
        now = turn(served, 1, now)
    turn(served, sweep.PONG_WITHIN, now)
    served.post("a", 1)
    assert wire.message() == {"a": 1}


@in_thread
def test_no_frame_follows_a_close_frame(swept: Served) -> None:
    """RFC 6455, section 5.5.1: neither a ping of the sweep, nor a pong, nor a command."""
    served = swept
    wire = upgraded(served)
    assert wire.message() == {}
    [protocol] = served.service.viewers.protocols
    served.run(protocol.restart)
    turn(served, sweep.PING_EVERY)
    served.run(protocol.onPing, b"x")
    served.run(protocol.command, b"{}")
    assert wire.frame() == (8, struct.pack("!H", 1012) + b"restart")
    assert wire.rest() == b""


@in_thread
def test_viewers_that_come_together_are_not_pinged_together(swept: Served) -> None:
    """After a restart thousands come in one second: they would be pinged in one turn of the reactor."""
    served = swept
    wires = [upgraded(served) for _ in range(2 * sweep.PING_EVERY)]
    assert [wire.message() for wire in wires] == [{}] * len(wires)
    pinged = []
    for second in range(sweep.PING_EVERY):
        served.run(served.service.sweep.turn, 1.0 + second)
        protocols = served.service.viewers.protocols
        pinged.append(sum(protocol._pinged == 1.0 + second for protocol in protocols))
    assert pinged == [2] * sweep.PING_EVERY


@in_thread
def test_lagging_viewer_is_not_pinged_and_stays(swept: Served) -> None:
    served = swept
    wire = served.wire(handshake(), receive_buffer=4096)
    assert wire.head().startswith(SWITCHING)
    [protocol] = wait_until(lambda: list(served.service.viewers.protocols))
    last = ""
    for number in range(200):
        last = f"{number} " + "x" * 60_000
        served.post("a", last)
        time.sleep(0.002)
    assert not protocol.ready
    now = turn(served, 10 * sweep.PING_EVERY)
    assert served.service.viewers.protocols == {protocol}
    seen: list[str] = [message["a"] for _, text in _texts(wire, last) if (message := text)]
    assert seen[-1] == last
    assert len(seen) < 150, "what was overtaken was kept for it"
    assert now == 10 * sweep.PING_EVERY


def _texts(wire: Wire, last: str) -> Iterator[tuple[int, Any]]:
    """All messages up to the one with `last`; no ping is among them."""
    while True:
        opcode, payload = wire.frame()
        assert opcode == 1
        message = json.loads(payload)
        yield opcode, message
        if message.get("a") == last:
            return


@in_thread
def test_lagging_viewer_that_takes_nothing_for_ten_minutes_is_given_up(swept: Served) -> None:
    served = swept
    wire = served.wire(handshake(), receive_buffer=4096)
    assert wire.head().startswith(SWITCHING)
    [protocol] = wait_until(lambda: list(served.service.viewers.protocols))
    lagging = 0  # in how many looks on end: it lags when what was written stays
    while lagging < 10:
        served.post("a", "x" * 60_000)
        served.post("a", "y" * 60_000)
        time.sleep(0.04)
        lagging = 0 if protocol.ready else lagging + 1
    now = turn(served, 590)
    assert len(served.service.viewers.protocols) == 1
    turn(served, 60, now)
    wait_until(lambda: not served.service.viewers.protocols)


# -- the end ---------------------------------------------------------------------------------------


@in_thread
def test_stop_tells_viewers_to_come_back(serve: Serve) -> None:
    served = serve()
    mute = upgraded(served)
    with served.connect() as viewer:
        assert viewer.recv(timeout=20) == "{}"
        served.run(served.service.viewers.close_all)
        with pytest.raises(ConnectionClosed) as closed:
            viewer.recv(timeout=20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
    assert mute.close_code() == 1012
    assert mute.rest() == b""
    assert not served.service.viewers.protocols


@in_thread
def test_library_hears_why_it_was_refused(served: Served) -> None:
    with pytest.raises(InvalidStatus) as failed, served.connect("/ws?pace=x"):
        pass
    response = failed.value.response
    assert response.status_code == 400
    assert b"pace" in (response.body or b"")


@in_thread
def test_viewer_that_cannot_begin_is_closed(
    served: Served, monkeypatch: pytest.MonkeyPatch, logged_errors: LoggedErrors
) -> None:
    def broken(self: link.Link) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(link.Link, "take_transport", broken)
        wire = served.wire(handshake() + frame(PING))
        wire.rest()
    assert len(logged_errors.flush(ZeroDivisionError)) == 1
    wait_until(lambda: not served.service.viewers.protocols)
    upgraded(served)


@in_thread
def test_the_first_messages_leave_together(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.post("a", 1)
    sent: list[bytes] = []
    write = tcp.Connection.writeSomeData

    def note(transport: tcp.Connection, data: bytes) -> int | BaseException:
        sent.append(bytes(data))
        return write(transport, data)

    def note_direct(transport: Any) -> Callable[[bytes], int] | None:
        send = direct_send(transport)

        def noting(data: bytes) -> int:
            assert send is not None
            sent.append(data)
            return send(data)

        return send and noting

    with monkeypatch.context() as patch:
        patch.setattr(tcp.Connection, "writeSomeData", note)
        patch.setattr(fast_write, "direct_send", note_direct)
        wire = upgraded(served, "/ws", "Sec-WebSocket-Protocol: streamd.v1")
    [first] = sent
    assert all(part in first for part in (b" 101 ", b"hello", b"updates"))
    wire.close()


@in_thread
def test_viewers_that_leave_before_their_first_messages_leave_nothing(served: Served) -> None:
    asks = handshake("/ws", "Sec-WebSocket-Protocol: streamd.v1")
    reset = struct.pack("ii", 1, 0)
    left = served.service.viewers.protocols.left
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", served.port)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            client.sendall(asks[:20])
            time.sleep(0.003)  # two pieces: the HTTP channel takes it, in its turn
            client.sendall(asks[20:])
    viewers = served.service.viewers.protocols
    wait_until(lambda: not viewers and not served.service.site.channels)
    assert viewers.left > left
    assert served.run(lambda: served.service.hub.seats.unread.used) == 0


@in_thread
def test_half_open_peers_are_found_by_the_system_too(served: Served) -> None:
    events = served.wire(head("GET", "/events"))
    assert events.head().startswith("HTTP/1.1 200")
    upgraded(served)
    service = served.service
    wait_until(lambda: service.viewers.protocols and service.events.protocols)
    viewers: list[Any] = [*service.viewers.protocols, *service.events.protocols]
    assert [viewer.transport.getTcpKeepAlive() for viewer in viewers] == [1, 1]


@in_thread
def test_connections_have_the_options_of_their_port(served: Served) -> None:
    upgraded(served)
    wait_until(lambda: served.service.viewers.protocols)
    [viewer] = served.service.viewers.protocols
    connection = viewer.transport.socket
    unsent = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)
    assert (viewer.transport.getTcpNoDelay(), unsent) == (1, UNSENT)
