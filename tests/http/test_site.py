"""HTTP on the port, over real TCP: what is asked where, by whom, how fast and how large."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from http.client import IncompleteRead
from itertools import repeat
from typing import Any

import pytest
from twisted.logger import capturedLogs, formatEvent

from streamd.app import service
from streamd.config.fields import ConfigError
from streamd.http import bodies, channel, door
from streamd.http.access import guesses
from streamd.http.access.guesses import FREE
from streamd.http.channel import Channel
from streamd.http.reading.health import HealthPage
from streamd.http.reading.page import web_folder
from streamd.http.request import Request, Response
from streamd.http.uploads import MAX_BODY
from streamd.reactor.slices import Slices
from tests.support.net import Answer, wait_until
from tests.support.served import QUIET, Serve, Served, Wire, handshake, head, in_thread
from tests.support.tidy import LoggedErrors

SOON = 0.3
"""Seconds that the deadlines are set to here."""


def code_of(answer: Answer) -> str:
    code: str = answer.json()["error"]["code"]
    return code


def buffered(served: Served) -> int:
    """Bytes that the daemon holds for those who do not read."""
    transports: list[Any] = [channel.transport for channel in served.service.site.channels]
    return sum(len(t.dataBuffer) - t.offset + t._tempDataLen for t in transports)


def fill(served: Served, streams: int = 100) -> None:
    """6 MB of state: more than the kernel keeps for one reader that stalls."""
    value = json.dumps("x" * 60_000)
    for number in range(streams):
        served.request("POST", f"/streams/s{number}", value)


def send_until_closed(wire: Wire, data: Iterable[bytes], meanwhile: Callable[[], None]) -> int:
    """Sends all that is taken, and says how much; AssertionError if all is."""
    sent = 0
    for some in data:
        try:
            wire.send(some)
        except OSError:  # closed, or a time-out: nothing is read any more
            return sent
        sent += len(some)
        meanwhile()
    raise AssertionError("the connection was not closed")


# -- the page and nothing else of the disk ---------------------------------------------------------


@in_thread
def test_page(served: Served) -> None:
    page = served.request("GET", "/")
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert b"<!doctype html>" in page.body.lower()
    assert served.request("GET", "/index.html").body == page.body


@in_thread
def test_page_that_is_known_is_not_sent_again(served: Served) -> None:
    tag = served.request("GET", "/").headers["ETag"]
    again = served.request("GET", "/", headers={"If-None-Match": tag})
    assert (again.status, again.body) == (304, b"")
    assert served.request("GET", "/", headers={"If-None-Match": '"other"'}).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/.git/config",
        "/.hidden",
        "/../setup.py",
        "/%2e%2e/setup.py",
        "/..%2fsetup.py",
        "//etc/passwd",
        "/streamd/",
        "/web/",
        "/index.html/",
        "/index.html%00",
        "/%00",
        "/streams/a%00b/c",
        "/streams/a%2Fb",
        "/streams/",
        "/state/",
        "/?redirect=x/..",
    ],
)
@in_thread
def test_no_other_file_and_no_folder(served: Served, path: str) -> None:
    wire = served.wire(head("GET", path))
    answer = wire.answer()
    if path.startswith("/?"):
        assert answer.status == 200
    else:
        assert (answer.status, code_of(answer)) == (404, "not-found")


@in_thread
def test_path_that_is_no_text(served: Served) -> None:
    answer = served.wire(head("GET", "/streams/%ff")).answer()
    assert (answer.status, code_of(answer)) == (400, "bad-request")


# -- every answer ----------------------------------------------------------------------------------

REQUESTS = {
    "page": head("GET", "/"),
    "page, known": head("GET", "/", "If-None-Match: *"),
    "state": head(),
    "201": head("POST", "/streams/a", "Content-Length: 1") + b"1",
    "204": head("POST", "/widgets/a", "Content-Length: 13") + b'{"current":1}',
    "options": head("OPTIONS", "/state"),
    "400": head("POST", "/streams/-", "Content-Length: 1") + b"1",
    "401": head("POST", "/streams/a", "Authorization: Bearer x", "Content-Length: 1") + b"1",
    "403": head("GET", "/state", "Origin: http://evil.example"),
    "404": head("GET", "/nothing"),
    "405": head("PUT", "/state"),
    "413": head("POST", "/streams/a", f"Content-Length: {MAX_BODY + 1}") + bytes(MAX_BODY + 1),
    "421": head(host="evil.example"),
    "426": head("GET", "/ws"),
    "bad request line": b"GET /\r\n\r\n",
    "bad header": head("GET", "/", "a b: c"),
    "bad length": head("POST", "/streams/a", "Content-Length: x"),
    "bad coding": head("POST", "/streams/a", "Transfer-Encoding: gzip", "A: b"),
    "long head": head("GET", "/", "A: " + "b" * 20_000),
    "many headers": head("GET", "/", *(f"A{n}: b" for n in range(600))),
    "long heads": head("GET", "/", *(f"A{n}: {'b' * 100}" for n in range(400))),
}


def policy(framed_by: str) -> str:
    """The policy of every answer: own scripts, and the one that is part of the page."""
    boot = (web_folder() / "boot.js").read_bytes()
    digest = base64.b64encode(hashlib.sha256(boot).digest()).decode()
    return f"default-src 'self'; script-src 'self' 'sha256-{digest}'; {framed_by}"


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
@in_thread
def test_security_headers_and_no_banner(served: Served, request_: bytes) -> None:
    answer = served.wire(request_).answer()
    assert answer.headers["Content-Security-Policy"] == policy("frame-ancestors 'self'")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Server"] is None
    if answer.status >= 400:
        error = answer.json()["error"]
        assert error["code"]
        assert error["message"]
    if answer.status in (204, 304):
        assert answer.headers["Content-Type"] is None


@in_thread
def test_configured_pages_may_frame_the_wall(serve: Serve) -> None:
    served = serve(
        QUIET + '\n[server]\nframe_ancestors = ["https://intranet.example", "https://*.b:*"]'
    )
    framed_by = "frame-ancestors 'self' https://intranet.example https://*.b:*"
    for path in ("/", "/nothing", "/events"):
        answer = served.wire(head("HEAD", path)).answer("HEAD")
        assert answer.headers["Content-Security-Policy"] == policy(framed_by)


@pytest.mark.parametrize(
    "written", ["https://a; script-src *", "'none'", "a.example", "https://a/path", "javascript:"]
)
def test_frame_ancestor_that_is_no_origin_is_a_configuration_error(
    serve: Serve, written: str
) -> None:
    with pytest.raises(ConfigError, match="frame_ancestors"):
        serve(f'[server]\nframe_ancestors = ["{written}"]')


@in_thread
def test_bad_handshake_is_answered_like_all_others(served: Served) -> None:
    answer = served.wire(head("GET", "/ws", "Upgrade: websocket")).answer()
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.json()["error"]["code"]


@in_thread
def test_bug_is_a_500_that_tells_nothing(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, logged_errors: LoggedErrors
) -> None:
    def broken(self: HealthPage, request: Request) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(HealthPage, "get_health", broken)
    served = serve()
    answer = served.request("GET", "/healthz")
    assert (answer.status, code_of(answer)) == (500, "internal")
    assert b"secret" not in answer.body
    assert len(logged_errors.flush(ZeroDivisionError)) == 1
    assert served.request("GET", "/state").status == 200


@in_thread
def test_large_answer_that_breaks_off_is_not_taken_for_whole(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, logged_errors: LoggedErrors
) -> None:
    def parts() -> Iterator[bytes]:
        yield b"one"
        yield b"two"
        raise ZeroDivisionError

    monkeypatch.setattr(HealthPage, "get_health", lambda self, request: Response(200, parts()))
    served = serve()
    with pytest.raises((IncompleteRead, ConnectionResetError)):
        served.request("GET", "/healthz")
    assert len(logged_errors.flush(ZeroDivisionError)) == 1
    assert served.request("GET", "/state").status == 200


# -- methods ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/state", "/streams", "/streams/a", "/healthz"])
@in_thread
def test_head_is_get_without_a_body(served: Served, path: str) -> None:
    served.post("a", 1)
    wire = served.wire(head("HEAD", path))
    answer = wire.answer("HEAD")
    get = served.request("GET", path)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(get.body))
    assert answer.headers["Content-Type"] == get.headers["Content-Type"]
    wire.send(head())  # nothing is left over on the connection
    assert wire.answer().json() == {"a": 1}


@in_thread
def test_head_of_a_large_answer(served: Served) -> None:
    fill(served, 10)
    wire = served.wire(head("HEAD") + head("GET", "/healthz"))
    assert wire.answer("HEAD").status == 200
    assert wire.answer().json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/", "GET"),
        ("PUT", "/state", "GET, PATCH"),
        ("get", "/state", "GET, PATCH"),
        ("PATCH", "/streams", "GET"),
        ("TRACE", "/streams/a", "GET, POST, DELETE"),
        ("GET", "/widgets/a", "POST"),
        ("DELETE", "/healthz", "GET"),
        ("POST", "/ws", "GET"),
    ],
)
@in_thread
def test_wrong_method(served: Served, method: str, path: str, allowed: str) -> None:
    answer = served.wire(head(method, path)).answer(method)
    assert (answer.status, code_of(answer)) == (405, "not-allowed")
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize(
    ("path", "allowed"), [("/streams/a", "GET, POST, DELETE"), ("/", "GET"), ("/index.html", "GET")]
)
@in_thread
def test_options(served: Served, path: str, allowed: str) -> None:
    answer = served.wire(head("OPTIONS", path)).answer()
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Allow"] == allowed


@in_thread
def test_websocket_path_without_a_websocket(served: Served) -> None:
    answer = served.request("GET", "/ws")
    assert (answer.status, code_of(answer)) == (426, "upgrade-required")
    assert served.wire(head("GET", "/ws")).head().startswith("HTTP/1.1 426 Upgrade Required\r\n")
    assert answer.headers["Upgrade"] == "websocket"


# -- how requests may be written -------------------------------------------------------------------


@in_thread
def test_pipelined_requests_are_answered_in_order(served: Served) -> None:
    publish = head("POST", "/streams/a", "Content-Length: 1")
    wire = served.wire(publish + b"1" + head() + publish + b"2" + head())
    answers = [wire.answer() for _ in range(4)]
    assert [answer.status for answer in answers] == [201, 200, 201, 200]
    assert [answers[1].json(), answers[3].json()] == [{"a": 1}, {"a": 2}]


@in_thread
def test_body_in_chunks(served: Served) -> None:
    wire = served.wire(head("POST", "/streams/a", "Transfer-Encoding: chunked"))
    for chunk in (b"2\r\n[1\r\n", b"3;x=y\r\n,2]\r\n", b"0\r\n\r\n"):
        wire.send(chunk)
        time.sleep(0.01)
    assert wire.answer().status == 201
    assert served.state() == {"a": [1, 2]}


@in_thread
def test_large_body_asks_first(served: Served) -> None:
    """What curl does with more than 1 MiB, and older ones with more than 1 KiB."""
    wire = served.wire(head("POST", "/streams/a", "Content-Length: 2", "Expect: 100-continue"))
    assert wire.head() == "HTTP/1.1 100 Continue\r\n"
    wire.send(b"42")
    assert wire.answer().status == 201


@in_thread
def test_target_with_scheme_and_host(served: Served) -> None:
    assert served.wire(head("GET", "http://localhost/healthz")).answer().status == 200
    assert served.wire(handshake("HTTP://LOCALHOST/ws")).head().startswith("HTTP/1.1 101 ")


@pytest.mark.parametrize("place", ["wall.example", "localhost:1", "u:p@localhost", ""])
@in_thread
def test_target_that_names_another_host_than_the_host_header(served: Served, place: str) -> None:
    for request in (
        head("POST", f"http://{place}/streams/orders", "Content-Length: 1") + b"1",
        handshake(f"http://{place}/ws"),
    ):
        answer = served.wire(request).answer()
        assert (answer.status, answer.json()["error"]["code"]) == (400, "bad-request")
    assert served.state() == {}


@in_thread
def test_http_1_0(served: Served) -> None:
    wire = served.wire(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert wire.answer().json() == {"status": "ok"}
    assert wire.rest() == b""


@in_thread
def test_close_when_asked(served: Served) -> None:
    wire = served.wire(head("GET", "/healthz", "Connection: close"))
    assert wire.answer().status == 200
    assert wire.rest() == b""


@pytest.mark.parametrize(
    "lines",
    [
        ("a b: c",),
        (": c",),
        ("no colon",),
        ("Content-Length: 1",),  # a second one
        ("Content-Length: -1",),
        ("Transfer-Encoding: chunked",),  # both: a way to smuggle requests past a proxy
        ("Transfer-Encoding: identity",),
        ("A: b\0c",),
    ],
)
@in_thread
def test_malformed_request_does_nothing(served: Served, lines: tuple[str, ...]) -> None:
    wire = served.wire(head("POST", "/streams/a", "Content-Length: 1", *lines, "More: x") + b"1")
    assert wire.answer().status == 400
    wire.rest()
    assert served.state() == {}


@in_thread
def test_number_that_is_too_long_to_convert_is_malformed(
    served: Served, logged_errors: LoggedErrors
) -> None:
    """Python converts no more than 4300 digits."""
    digits = "9" * 5000
    for request_ in (
        head("POST", "/streams/a", f"Content-Length: {digits}"),
        head("POST", "/streams/a", f"Content-Length: {digits}", "More: x"),
        head("POST", "/streams/a", "Transfer-Encoding: chunked") + digits.encode() + b"\r\n",
        head("GET", f"/streams?history={digits}"),
        head("GET", f"/updates?wait={digits}"),
        head("GET", f"/updates?after={digits}-{digits}"),
        head("GET", f"/streams/a?points={digits}"),
        head("GET", f"/streams/a?history={digits}&points={digits}"),
        head("GET", f"/events?for={digits}s"),
        head("GET", "/state", f"Origin: http://localhost:{digits}"),
        head("GET", "/state", f"Range: bytes=0-{digits}"),
        head("GET", "/state", f'If-None-Match: "{digits}-1"'),
        head("GET", "/state", f"X-Forwarded-For: {digits}", f"X-Forwarded-Host: a:{digits}"),
        head("GET", "/state", host=f"localhost:{digits}"),
        head("POST", "/streams/a", f"Content-Length: {'0' * 5000}1") + b"1",
        head("POST", "/streams/a", f"Streamd-Time: {digits}", "Content-Length: 1") + b"1",
        head("POST", "/streams/a", "Content-Length: 5000") + digits.encode(),
        head("POST", "/streams/a", "Content-Length: 5002") + f"[{digits}]".encode(),
        head("PATCH", "/state", "Content-Length: 5006") + f'{{"a":{digits}}}'.encode(),
        head("POST", "/widgets/a", "Content-Length: 5012") + f'{{"current":{digits}}}'.encode(),
        handshake(
            "/ws", f"Sec-WebSocket-Extensions: permessage-deflate;server_max_window_bits={digits}"
        ),
        head("GET", f"/ws?pace={digits}s", "Upgrade: websocket"),
        head("GET", "/events", f"Last-Event-ID: {digits}-1"),
    ):
        wire = served.wire(request_)
        assert int(wire.head().split()[1]) < 500, request_[:80]
        wire.close()
    assert not logged_errors.flush()


@pytest.mark.parametrize("byte", [0x00, 0x01, 0x0B, 0x0C, 0x0D, 0x1B, 0x1C, 0x1D, 0x1E, 0x7F])
@in_thread
def test_control_bytes_in_a_header_are_refused(served: Served, byte: int) -> None:
    forged = f"X: a{chr(byte)}X-Forwarded-For: 10.0.0.1"
    answer = served.wire(head("GET", "/state", forged)).answer()
    assert (answer.status, code_of(answer)) == (400, "bad-request")
    answer = served.wire(head("GET", f"/streams/a{chr(byte)}b")).answer()
    assert answer.status in (400, 404)


@pytest.mark.parametrize("byte", [0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x85])
@in_thread
def test_no_byte_within_a_header_begins_another(served: Served, byte: int) -> None:
    """Some take these for the end of a line: a forged token must stay a part of the value."""
    forged = f"X: a{chr(byte)}X-Forwarded-For: 10.0.0.1{chr(byte)}Authorization: Bearer x"
    wire = served.wire(head("POST", "/streams/a", forged, "Content-Length: 1") + b"1")
    assert wire.answer().status in (201, 400)


# -- bounds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [False, True])
@in_thread
def test_largest_body(served: Served, chunked: bool) -> None:
    body = json.dumps({f"s{n}": "x" * 60_000 for n in range(17)}).encode()
    body += b" " * (MAX_BODY - len(body))
    coding = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {MAX_BODY}"
    start, end = (b"%x\r\n" % MAX_BODY, b"\r\n0\r\n\r\n") if chunked else (b"", b"")
    wire = served.wire(head("PATCH", "/state", coding) + start + body + end)
    assert wire.answer().status == 200


@pytest.mark.parametrize("chunked", [False, True])
@in_thread
def test_larger_body(served: Served, chunked: bool) -> None:
    body = b'{"a":1}' + b" " * (MAX_BODY - 6)
    coding = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    start, end = (b"%x\r\n" % len(body), b"\r\n0\r\n\r\n") if chunked else (b"", b"")
    wire = served.wire(head("PATCH", "/state", coding) + start + body + end)
    answer = wire.answer()
    assert (answer.status, code_of(answer)) == (413, "too-large")
    assert served.state() == {}


@in_thread
def test_body_that_never_ends_is_not_kept(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "REQUEST_WITHIN", SOON)
    wire = served.wire(head("POST", "/streams/a", "Transfer-Encoding: chunked"))

    def kept() -> None:
        for open_one in list(served.service.site.channels):
            if isinstance(open_one, Channel):
                assert all(exchange.content.tell() <= MAX_BODY for exchange in open_one.requests)

    sent = send_until_closed(wire, repeat(b"10000\r\n" + bytes(0x10000) + b"\r\n"), kept)
    assert sent > 3 * MAX_BODY
    assert served.state() == {}


@pytest.mark.parametrize(
    "drips",
    [
        [b"G", b"E", b"T", *[b" "] * 1000],
        [head()[:-2], *[b"x"] * 1000],
        [head("POST", "/streams/a", "Content-Length: 1000"), *[b"1"] * 1000],
        [head("POST", "/streams/a", "Transfer-Encoding: chunked"), *[b"1\r\n1\r\n"] * 1000],
        [head() + b"G", *[b"E"] * 1000],
    ],
    ids=["request line", "head", "body", "chunks", "second request"],
)
@in_thread
def test_request_that_drips_is_closed_in_time(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, drips: list[bytes]
) -> None:
    monkeypatch.setattr(channel, "REQUEST_WITHIN", SOON)
    served = serve()
    began = time.monotonic()
    wire = served.wire()
    send_until_closed(wire, drips, lambda: time.sleep(SOON / 15))
    assert time.monotonic() - began > SOON
    assert served.request("GET", "/state").status == 200


@in_thread
def test_connection_that_says_nothing_is_closed(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "REQUEST_WITHIN", SOON)
    assert serve().wire().rest() == b""


@in_thread
def test_connection_that_is_not_used_again_is_closed(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "IDLE", SOON)
    wire = serve().wire(head())
    assert wire.answer().json() == {}
    assert wire.rest() == b""


@in_thread
def test_deadline_is_for_requests_not_for_what_follows(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "REQUEST_WITHIN", 5 * SOON)
    served = serve()
    wire = served.wire(head())
    assert wire.answer().json() == {}
    with served.connect() as viewer:
        viewer.recv()
        time.sleep(6 * SOON)
        wire.send(head())
        assert wire.answer().json() == {}
        served.post("a", 1)
        assert viewer.recv(timeout=20) == '{"a":1}'


def read_within(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let a reader leave a part of an answer, or all of it, unread for this long."""
    for module in (bodies, channel):
        monkeypatch.setattr(module, "READ_WITHIN", seconds)


@pytest.mark.parametrize("lines", [(), ("Connection: close",)], ids=["keep", "close"])
@pytest.mark.parametrize("path", ["/state", "/streams", "/streams/s1?history=100"])
@in_thread
def test_reader_that_stalls_costs_little_and_is_dropped(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, path: str, lines: tuple[str, ...]
) -> None:
    read_within(monkeypatch, 5 * SOON)
    served = serve()
    fill(served)
    for _ in range(100 if "history" in path else 0):
        served.post("s1", "x" * 60_000)
    wire = served.wire(head("GET", path, *lines), receive_buffer=4096)
    wait_until(lambda: served.run(buffered, served))
    time.sleep(SOON)
    assert 0 < served.run(buffered, served) <= 256 * 1024
    wait_until(lambda: not served.service.site.channels)
    assert len(wire.rest()) < 6_000_000


@in_thread
def test_slow_reader_gets_all(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    read_within(monkeypatch, 5 * SOON)
    served = serve()
    fill(served)
    wire = served.wire(head("GET", "/state", "Connection: close"))
    began = time.monotonic()
    found = b""
    while data := wire.makefile("rb").read1(200_000):
        found += data
        time.sleep(SOON / 4)
    assert time.monotonic() - began > 5 * SOON
    assert len(found) > 6_000_000
    assert found.endswith(b"0\r\n\r\n")


@in_thread
def test_pipeline_that_is_not_read_is_not_answered_further(served: Served) -> None:
    fill(served, 1)
    wire = served.wire(receive_buffer=4096)
    wire._socket.settimeout(SOON)
    send_until_closed(wire, repeat(head() * 100), lambda: None)
    assert served.run(buffered, served) <= 256 * 1024


LARGE = [
    "/state",
    "/streams",
    "/streams/s1?history=100",
    "/streams/s1?history=100&points=100",
    "/updates",
    "/updates?history=100",
]
"""Paths of answers that may be large."""


def fill_all(served: Served) -> None:
    """Make the answers of :data:`LARGE` several megabytes long, without any request."""
    text = "x" * 60_000
    served.post_at_once(*((f"s{number}", text) for number in range(100)))
    served.post_at_once(*(("s1", text) for _ in range(100)))


def unread(served: Served, path: str, client: str = "192.0.2.1") -> Wire:
    """A client that asks through a proxy, and reads no more than the status."""
    request_ = head("GET", path, f"X-Forwarded-For: {client}")
    return served.wire(request_, receive_buffer=4096)


def status_of(head_: str) -> int:
    return int(head_.split()[1])


@pytest.mark.parametrize("path", LARGE)
@in_thread
def test_unread_answers_of_one_client_leave_room(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(bodies, "MAX_UNREAD", 2**20)
    served = serve('[server]\ntrusted_proxies = ["127.0.0.1"]\naddress_share = 0.5')
    fill_all(served)
    wires = [unread(served, path) for _ in range(6)]
    heads = [wire.head() for wire in wires]
    statuses = [status_of(head_) for head_ in heads]
    assert statuses.count(503) >= 2
    assert statuses.count(200) >= 2
    assert "Retry-After: " in heads[statuses.index(503)]
    assert served.request("GET", "/healthz").status == 200
    assert status_of(unread(served, path, "192.0.2.2").head()) == 200
    assert served.run(lambda: served.service.site.unread.quota.used) <= 2**20
    wires[statuses.index(200)].close()
    wait_until(lambda: status_of(unread(served, path).head()) == 200)


@pytest.mark.parametrize("path", [path for path in LARGE if path not in ("/streams", LARGE[-1])])
@in_thread
def test_unread_answer_does_not_keep_an_old_state_alive(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(bodies, "MAX_OUTDATED", 2_000_000)
    monkeypatch.setattr(bodies, "LOOK_EVERY", 0.05)
    served = serve()
    fill_all(served)
    wire = unread(served, path)
    assert status_of(wire.head()) == 200
    served.post_at_once(*((f"s{number}", "y" * 60_000) for number in range(10, 90)))
    served.post_at_once(*(("s1", "y" * 60_000) for _ in range(140)))
    wait_until(lambda: not served.service.site.channels)
    assert served.run(lambda: served.service.site.unread.quota.used) == 0


@pytest.mark.parametrize("lines", [(), ("Connection: close",)], ids=["keep", "close"])
@in_thread
def test_reader_that_leaves_an_answer_unread_is_dropped(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, lines: tuple[str, ...]
) -> None:
    """An answer of one part has left for the transport, and must not stay there for ever."""
    read_within(monkeypatch, SOON)
    monkeypatch.setattr(channel, "IDLE", SOON)
    served = serve()
    wire = served.wire(receive_buffer=4096)
    [connection] = wait_until(lambda: list(served.service.site.channels))
    connection.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    body = json.dumps({f"s{n}": n for n in range(8000)}).encode()
    wire.send(head("PATCH", "/state", f"Content-Length: {len(body)}", *lines) + body)
    wait_until(lambda: not served.service.site.channels)
    assert len(wire.rest()) < 500_000


@in_thread
def test_reader_that_stalls_and_says_more_is_not_heard(served: Served) -> None:
    fill(served)
    wire = served.wire(head(), receive_buffer=4096)
    time.sleep(SOON)  # until the kernel takes no more
    wire._socket.settimeout(SOON)
    sent = send_until_closed(wire, repeat(b"x" * 65536, 1000), lambda: None)
    [connection] = served.service.site.channels
    assert isinstance(connection, Channel)
    kept = served.run(lambda: len(connection._buffer) + sum(map(len, connection._dataBuffer)))
    assert kept <= 256 * 1024 < sent


@in_thread
def test_clients_that_are_refused_together_do_not_come_back_together(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "MAX_UNREAD", 0)
    served = serve()
    fill_all(served)
    waits = {int(served.request("GET", "/state").headers["Retry-After"]) for _ in range(40)}
    assert len(waits) > 3
    assert 2 <= min(waits) <= max(waits) <= 8


@in_thread
def test_too_many_connections(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "SPARE_CONNECTIONS", 2)
    served = serve(QUIET + "\n[server]\nmax_viewers = 1\naddress_share = 1")
    wires = [served.wire(head()) for _ in range(2)]
    assert [wire.answer().status for wire in wires] == [200, 200]
    with served.connect():
        refused = served.wire(head())
        answer = refused.answer()
        assert (answer.status, int(answer.headers["Retry-After"]) > 0) == (503, True)
        assert refused.rest() == b""
        for wire in wires:
            wire.close()
        wait_until(lambda: not served.service.site.channels)
        assert served.request("GET", "/state").status == 200


@in_thread
def test_client_that_goes_away_early(served: Served) -> None:
    fill(served, 20)
    for request_ in (b"GE", head()[:-2], head(), head("POST", "/streams/a", "Content-Length: 9")):
        wire = served.wire(request_)
        wire._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        wire.close()
    assert served.request("GET", "/healthz").status == 200
    assert "a" not in served.state()


# -- by which name ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:5000",
        "localhost.",
        "127.0.0.1",
        "127.0.0.1:80",
        "192.168.1.7:5000",
        "[::1]",
        "[2001:db8::7]:5000",
        "[::ffff:10.0.0.1]",
        socket.gethostname(),
        socket.gethostname().upper() + ":1",
    ],
)
@in_thread
def test_own_host(served: Served, host: str) -> None:
    assert served.wire(head(host=host)).answer().status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:5000", "127.0.0.1.evil.example", "localhost.evil", "1.2"]
)
@in_thread
def test_foreign_host(served: Served, host: str) -> None:
    answer = served.wire(head(host=host)).answer()
    assert (answer.status, code_of(answer)) == (421, "unknown-host")
    assert f'hosts = ["{host.split(":")[0]}"]' in answer.json()["error"]["message"]


@pytest.mark.parametrize("host", [None, "", "a b", "[::1", "::1", "a/b", "a,b", "user@localhost"])
@in_thread
def test_bad_host(served: Served, host: str | None) -> None:
    answer = served.wire(head(host=host)).answer()
    assert (answer.status, code_of(answer)) == (400, "bad-request")


@in_thread
def test_two_hosts(served: Served) -> None:
    assert served.wire(head("GET", "/state", "Host: evil.example")).answer().status == 400


@in_thread
def test_line_to_add_for_a_host_is_right(serve: Serve) -> None:
    served = serve(QUIET + '\n[server]\nhosts = ["Wall.example"]')
    assert served.wire(head(host="wall.example:5000")).answer().status == 200
    assert served.wire(head(host="other.example")).answer().status == 421


# -- for pages of which origin ---------------------------------------------------------------------

READS = ["/walls", "/state", "/streams", "/streams/a", "/healthz"]
OWN = ["http://localhost", "http://localhost:80"]
FOREIGN = [
    "http://evil.example",
    "http://localhost.evil.example",
    "http://localhost:81",
    "http://127.0.0.1",  # another origin than the Host, for a browser
    "null",
    "file://",
    "",
    "http://localhost, http://evil.example",
    "h\xfft",
]


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("origin", OWN)
@in_thread
def test_own_pages_read(served: Served, path: str, origin: str) -> None:
    served.post("a", 1)
    answer = served.wire(head("GET", path, f"Origin: {origin}")).answer()
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "path", ["/", "/index.html", "/wall/start.js", "/wall/wall.css", "/icon.svg"]
)
@pytest.mark.parametrize("origin", FOREIGN)
@in_thread
def test_files_of_the_page_are_public(served: Served, path: str, origin: str) -> None:
    """Behind a proxy that passes another Host, the page's own modules have a foreign Origin."""
    assert served.request("GET", path, headers={"Origin": origin}).status == 200
    for other in ("/walls", "/walls/all"):
        assert served.request("GET", other, headers={"Origin": origin}).status == 403


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("origin", FOREIGN)
@in_thread
def test_foreign_pages_do_not_read(served: Served, path: str, origin: str) -> None:
    served.post("a", 1)
    for method in ("GET", "HEAD"):
        answer = served.wire(head(method, path, f"Origin: {origin}")).answer(method)
        assert answer.status == 403
        assert answer.headers["Access-Control-Allow-Origin"] is None


@in_thread
def test_foreign_pages_hear_which_line_to_add(served: Served) -> None:
    answer = served.request("GET", "/state", headers={"Origin": "http://intranet.example"})
    assert code_of(answer) == "foreign-origin"
    assert 'origins = ["http://intranet.example"]' in answer.json()["error"]["message"]


@pytest.mark.parametrize("written", ["https://Intranet.example/", "https://intranet.example:443"])
@in_thread
def test_configured_origin_reads(serve: Serve, written: str) -> None:
    served = serve(QUIET + f'\n[server]\norigins = ["{written}"]')
    origin = "https://intranet.example"
    answer = served.request("GET", "/state", headers={"Origin": origin})
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    options = served.request("OPTIONS", "/state", headers={"Origin": origin})
    assert options.headers["Access-Control-Allow-Origin"] == origin
    assert options.headers["Access-Control-Allow-Methods"] == "GET, PATCH"
    foreign = served.request("OPTIONS", "/state", headers={"Origin": "https://evil.example"})
    assert foreign.status == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "file://"])
@in_thread
def test_demo_is_read_by_any_page(serve: Serve, origin: str) -> None:
    answer = serve(None).request("GET", "/state", headers={"Origin": origin})
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == origin


@in_thread
def test_origin_that_is_no_text(serve: Serve) -> None:
    answer = serve(None).wire(head("GET", "/state", "Origin: \xff")).answer()
    assert answer.status in (200, 400, 403)


@in_thread
def test_compressed_only_for_clients_that_accept_it(served: Served) -> None:
    served.post("a", "x" * 2000)
    for accepted, coding in {
        "gzip, deflate, br": "gzip",
        "br;q=1.0, gzip;q=0.8": "gzip",
        "identity": None,
        "gzip;q=0": None,
        "\xff": None,
    }.items():
        for path in ("/", "/state"):
            answer = served.wire(head("GET", path, f"Accept-Encoding: {accepted}")).answer()
            assert (answer.status, answer.headers["Content-Encoding"]) == (200, coding)
    packed = served.request("GET", "/state", headers={"Accept-Encoding": "gzip"})
    assert json.loads(gzip.decompress(packed.body)) == {"a": "x" * 2000}


@in_thread
def test_large_answer_compressed(served: Served) -> None:
    fill(served, 10)
    packed = served.request("GET", "/state", headers={"Accept-Encoding": "gzip"})
    assert len(json.loads(gzip.decompress(packed.body))) == 10
    assert len(packed.body) < 100_000


@in_thread
def test_a_request_without_an_origin_reads(served: Served) -> None:
    answer = served.request("GET", "/state")
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] is None


@in_thread
def test_refused_page_is_in_the_log_once_a_minute(served: Served) -> None:
    with capturedLogs() as events:
        for _ in range(3):
            foreign = served.wire(head("GET", "/state", "Origin: http://foreign.example"))
            assert foreign.answer().status == 403
        served.run(lambda: None)
    lines = [line for event in events if "a page was refused" in (line := formatEvent(event))]
    assert len(lines) == 1
    assert 'origins = ["http://foreign.example"]' in lines[0]


@in_thread
def test_clients_behind_a_trusted_proxy_take_turns_of_their_own(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve(QUIET + '\n[server]\ntrusted_proxies = ["127.0.0.1"]\nhosts = ["127.0.0.1"]')
    turns = served.service.site.turns
    clients: list[str] = []

    def call(function: Any, client: str) -> None:
        clients.append(client)
        function()

    monkeypatch.setattr(turns, "call", call)
    for address in "192.0.2.1", "192.0.2.2", "2001:db8::1":
        served.request("GET", "/state", headers={"X-Forwarded-For": address})
    assert [client for client in clients if client] == ["192.0.2.1", "192.0.2.2", "2001:db8::/64"]


@in_thread
def test_all_requests_but_publishing_wait_for_the_turn_of_their_client(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of requests that are refused at once would otherwise delay everybody."""
    monkeypatch.setattr(guesses, "PAUSE", 0.01)
    served = serve('[access]\npublish = ["right"]', ["right"])
    right, wrong = (f"Authorization: Bearer {token}" for token in ("right", "wrong"))
    turns = served.service.site.turns
    waited: list[str] = []

    def call(function: Callable[[], None], client: str) -> None:
        waited.append(client)
        Slices.call(turns, function, client)

    monkeypatch.setattr(turns, "call", call)
    for lines, status, takes in (
        (("POST", "/streams/a", right, "Content-Length: 1"), 201, 0),
        (("POST", "/streams/a", "Content-Length: 0"), 401, 1),
        (("DELETE", "/streams/b"), 401, 1),
        (("PUT", "/streams/b"), 405, 1),
        (("OPTIONS", "/streams/b"), 204, 1),
    ):
        waited.clear()
        body = b"1" if "Content-Length: 1" in lines else b""
        assert served.wire(head(*lines) + body).answer().status == status
        assert waited == ["127.0.0.1"] * takes, lines
    for number in range(FREE):
        served.service.access.guesses.wrong("127.0.0.1", f"guess {number}")
    for method, takes in (("POST", 1), ("DELETE", 2)):
        waited.clear()
        body = b"1" if method == "POST" else b""
        asked = head(method, "/streams/b", wrong, f"Content-Length: {len(body)}") + body
        assert served.wire(asked).answer().status == 401
        assert waited == ["127.0.0.1"] * takes, method
