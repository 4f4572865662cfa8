"""RFC 6455 to the letter, against an echo made of the daemon's own factory and protocol.

The groups are those of the Autobahn test suite; `make check-conformance` runs that suite itself where
there is a Python 2 for it.  Limits are our own: 64 KiB a message, so 1009 beyond.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import product

import pytest
from playwright.sync_api import Page
from websockets.sync.client import connect

from streamd.app import service
from streamd.wire.frames import MAX_INBOUND
from tests.support.daemon import CHECKOUT, Server
from tests.support.echo import EchoFactory
from tests.support.net import free_port
from tests.support.node import RunNode
from tests.support.served import Serve, Served, Wire, handshake, in_thread

FINAL, CONTINUED = 0x80, 0x00
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
MASK = b"\x9a\x01\xff\x00"

SIZES = [0, 1, 125, 126, 127, 128, 65535, 65536]


@pytest.fixture
def echo(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Served:
    """The service; what a viewer says comes back."""
    monkeypatch.setattr(service, "StreamFactory", EchoFactory)
    return serve()


def opened(echo: Served, *lines: str) -> Wire:
    wire = echo.wire(handshake("/ws", *lines))
    assert wire.head().startswith("HTTP/1.1 101 ")
    return wire


def frame(first: int, payload: bytes = b"", mask: bytes = MASK) -> bytes:
    """A client's frame, properly masked."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, 0xFE, size)
    else:
        head = struct.pack("!BBQ", first, 0xFF, size)
    long_mask = (mask * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(long_mask, "big")
    return head + mask + masked.to_bytes(size, "big")


def closing(code: int | None = 1000, reason: bytes = b"") -> bytes:
    return frame(FINAL | CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def heard(wire: Wire) -> Iterator[tuple[int, bytes]]:
    """Frames up to the close frame, whose payload is its code; then the connection has to end."""
    while True:
        first, payload = wire.raw_frame()
        if first == FINAL | CLOSE:
            yield CLOSE, payload[:2]
            assert wire.rest() == b""
            return
        assert first & 0x70 == 0
        assert first & FINAL, "what fits a frame is not cut"
        yield first & 0x0F, payload


def said(echo: Served, *data: bytes) -> list[tuple[int, bytes]]:
    """What comes back of these bytes and a close; the close's code is in the last."""
    wire = opened(echo)
    with suppress(BrokenPipeError):  # it may have heard enough
        for piece in (*data, closing()):
            wire.send(piece)
    return list(heard(wire))


def code(number: int) -> tuple[int, bytes]:
    return CLOSE, struct.pack("!H", number)


NORMAL = code(1000)


# -- 1: framing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("opcode", "size"), list(product((TEXT, BINARY), SIZES)))
@in_thread
def test_message_of_any_size(echo: Served, opcode: int, size: int) -> None:
    payload = b"*" * size if opcode == TEXT else bytes(range(256)) * (size // 256 + 1)
    assert said(echo, frame(FINAL | opcode, payload[:size])) == [(opcode, payload[:size]), NORMAL]


@pytest.mark.parametrize("chop", [1, 7, 997])
@in_thread
def test_message_in_any_pieces(echo: Served, chop: int) -> None:
    whole = frame(FINAL | TEXT, b"*" * (300 if chop == 1 else 65_000))
    pieces = [whole[start : start + chop] for start in range(0, len(whole), chop)]
    [(opcode, payload), last] = said(echo, *pieces)
    assert (opcode, set(payload), last) == (TEXT, {0x2A}, NORMAL)


@in_thread
def test_messages_in_one_piece(echo: Served) -> None:
    found = said(echo, b"".join(frame(FINAL | TEXT, b"%d" % number) for number in range(100)))
    assert found == [*((TEXT, b"%d" % number) for number in range(100)), NORMAL]


@pytest.mark.parametrize("size", [0, 5, 200])
@in_thread
def test_unmasked_frame(echo: Served, size: int) -> None:
    head = struct.pack("!BB", 0x81, size) if size < 126 else struct.pack("!BBH", 0x81, 126, size)
    assert said(echo, head + b"*" * size) == [code(1002)]


@pytest.mark.parametrize(
    "head",
    [
        struct.pack("!BBH", 0x81, 0xFE, 125),
        struct.pack("!BBQ", 0x81, 0xFF, 65535),
        struct.pack("!BBQ", 0x81, 0xFF, 2**63),
    ],
)
@in_thread
def test_length_that_is_not_the_shortest_form(echo: Served, head: bytes) -> None:
    assert said(echo, head + MASK) == [code(1002)]


# -- 2: ping and pong ------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [b"", b"hello", b"\x00\xff\xfe", b"*" * 125])
@in_thread
def test_ping(echo: Served, payload: bytes) -> None:
    assert said(echo, frame(FINAL | PING, payload)) == [(PONG, payload), NORMAL]


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
@in_thread
def test_control_frame_that_is_too_long(echo: Served, opcode: int) -> None:
    assert said(echo, frame(FINAL | opcode, b"*" * 126)) == [code(1002)]


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
@in_thread
def test_control_frame_in_fragments(echo: Served, opcode: int) -> None:
    assert said(echo, frame(CONTINUED | opcode, b"*")) == [code(1002)]


@in_thread
def test_ping_byte_by_byte(echo: Served) -> None:
    whole = frame(FINAL | PING, b"*" * 125)
    assert said(echo, *(bytes((byte,)) for byte in whole)) == [(PONG, b"*" * 125), NORMAL]


@in_thread
def test_unasked_pongs_are_ignored(echo: Served) -> None:
    pongs = frame(FINAL | PONG), frame(FINAL | PONG, b"*"), frame(FINAL | PING, b"!")
    assert said(echo, *pongs) == [(PONG, b"!"), NORMAL]


@in_thread
def test_ten_pings(echo: Served) -> None:
    pings = [frame(FINAL | PING, b"%d" % number) for number in range(10)]
    assert said(echo, *pings) == [*((PONG, b"%d" % number) for number in range(10)), NORMAL]


# -- 3 and 4: reserved bits and opcodes ------------------------------------------------------------


@pytest.mark.parametrize("bits", [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70])
@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, CLOSE])
@in_thread
def test_reserved_bits(echo: Served, bits: int, opcode: int) -> None:
    good = frame(FINAL | TEXT, b"good")
    assert said(echo, good, frame(FINAL | bits | opcode, b"ab")) == [(TEXT, b"good"), code(1002)]


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
@in_thread
def test_reserved_opcodes(echo: Served, opcode: int) -> None:
    good = frame(FINAL | TEXT, b"good")
    for payload in (b"", b"some"):
        assert said(echo, good, frame(FINAL | opcode, payload)) == [(TEXT, b"good"), code(1002)]


# -- 5: fragmentation ------------------------------------------------------------------------------


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize(
    "parts", [(b"a", b"b"), (b"", b"", b""), (b"a", b"", b"c"), tuple([b"x"] * 50)]
)
@in_thread
def test_fragments(echo: Served, opcode: int, parts: tuple[bytes, ...]) -> None:
    found = said(echo, *fragments(opcode, parts))
    assert found == [(opcode, b"".join(parts)), NORMAL]


def fragments(opcode: int, parts: Iterable[bytes]) -> Iterator[bytes]:
    *some, last = parts
    for part in some:
        yield frame(CONTINUED | opcode, part)
        opcode = CONTINUATION
    yield frame(FINAL | opcode, last)


@in_thread
def test_pings_between_fragments(echo: Served) -> None:
    first, second, third = fragments(TEXT, (b"a", b"b", b"c"))
    ping = frame(FINAL | PING, b"?")
    found = said(echo, first + ping, second, ping + third)
    assert found == [(PONG, b"?"), (PONG, b"?"), (TEXT, b"abc"), NORMAL]


@pytest.mark.parametrize("final", [FINAL, CONTINUED])
@in_thread
def test_continuation_of_nothing(echo: Served, final: int) -> None:
    good = frame(FINAL | TEXT, b"good")
    assert said(echo, frame(final | CONTINUATION, b"a"), good) == [code(1002)]
    assert said(echo, good, frame(final | CONTINUATION, b"a")) == [(TEXT, b"good"), code(1002)]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@in_thread
def test_new_message_within_another(echo: Served, opcode: int) -> None:
    assert said(echo, frame(CONTINUED | TEXT, b"a"), frame(FINAL | opcode, b"b")) == [code(1002)]


# -- 6: UTF-8 --------------------------------------------------------------------------------------

VALID = [
    "κόσμε",
    "Hello-µ@ßöäüàá-UTF-8!!",
    "\x00\x7f\x80\u07ff\u0800\uffff\U00010000\U0010ffff",
    "\ud7ff\ue000\ufffd\ufffe\ufeff",
    "🙂" * 1000,
]
INVALID = [
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",  # a surrogate
    b"\xed\xbf\xbf",
    b"\x80",
    b"\xbf\x80",
    b"\xc0\xaf",  # a long form of a slash
    b"\xe0\x80\xaf",
    b"\xf0\x80\x80\xaf",
    b"\xf4\x90\x80\x80",  # beyond Unicode
    b"\xf8\x88\x80\x80\x80",
    b"\xfe",
    b"\xff\xff",
    b"\xc3",  # cut off
    b"\xe2\x82",
    b"\xf0\x9f\x99",
]


@pytest.mark.parametrize("text", VALID)
@in_thread
def test_valid_text(echo: Served, text: str) -> None:
    payload = text.encode()
    assert said(echo, frame(FINAL | TEXT, payload)) == [(TEXT, payload), NORMAL]


@pytest.mark.parametrize("text", VALID[:4])
@in_thread
def test_valid_text_split_inside_code_points(echo: Served, text: str) -> None:
    payload = text.encode()
    parts = [payload[index : index + 1] for index in range(len(payload))]
    assert said(echo, *fragments(TEXT, parts)) == [(TEXT, payload), NORMAL]


@pytest.mark.parametrize("payload", INVALID)
@in_thread
def test_invalid_text(echo: Served, payload: bytes) -> None:
    assert said(echo, frame(FINAL | TEXT, payload)) == [code(1007)]
    parts = [payload[index : index + 1] for index in range(len(payload))]
    assert said(echo, *fragments(TEXT, parts)) == [code(1007)]


@in_thread
def test_binary_needs_no_utf8(echo: Served) -> None:
    assert said(echo, frame(FINAL | BINARY, b"\xff\xfe")) == [(BINARY, b"\xff\xfe"), NORMAL]


@in_thread
def test_invalid_text_fails_before_its_message_ends(echo: Served) -> None:
    wire = opened(echo)
    wire.send(frame(CONTINUED | TEXT, "κόσμε".encode()))
    wire.send(frame(CONTINUED | CONTINUATION, b"\xf4\x90"))
    assert list(heard(wire)) == [code(1007)]


@in_thread
def test_invalid_text_fails_before_its_frame_ends(echo: Served) -> None:
    wire = opened(echo)
    whole = frame(FINAL | TEXT, "κόσμε".encode() + b"\xf4\x90\x80\x80" + b"edited")
    wire.send(whole[:-8])
    assert list(heard(wire)) == [code(1007)]


# -- 7: closing ------------------------------------------------------------------------------------


@in_thread
def test_what_is_sent_after_a_close_is_not_answered(echo: Served) -> None:
    for after in (frame(FINAL | TEXT, b"late"), frame(FINAL | PING), closing()):
        assert said(echo, frame(FINAL | TEXT, b"a"), closing(), after) == [(TEXT, b"a"), NORMAL]


@in_thread
def test_close_within_a_message(echo: Served) -> None:
    assert said(echo, frame(CONTINUED | TEXT, b"a"), closing()) == [NORMAL]


@in_thread
def test_close_without_a_code(echo: Served) -> None:
    wire = opened(echo)
    wire.send(closing(None))
    assert list(heard(wire)) in ([(CLOSE, b"")], [NORMAL])


@pytest.mark.parametrize(
    "number",
    [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999],
)
@in_thread
def test_good_close_codes(echo: Served, number: int) -> None:
    wire = opened(echo)
    wire.send(closing(number, b"because"))
    assert list(heard(wire)) in ([code(number)], [NORMAL])


@pytest.mark.parametrize("number", [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535])
@in_thread
def test_bad_close_codes(echo: Served, number: int) -> None:
    wire = opened(echo)
    wire.send(closing(number))
    assert list(heard(wire)) == [code(1002)]


@in_thread
def test_close_with_half_a_code(echo: Served) -> None:
    wire = opened(echo)
    wire.send(frame(FINAL | CLOSE, b"\x03"))
    assert list(heard(wire)) == [code(1002)]


@pytest.mark.parametrize(("reason", "right"), [(b"*" * 123, 1000), (b"\xff\xfe", 1007)])
@in_thread
def test_close_reasons(echo: Served, reason: bytes, right: int) -> None:
    wire = opened(echo)
    wire.send(closing(1000, reason))
    assert list(heard(wire)) == [code(right)]


# -- 9: limits -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [MAX_INBOUND + 1, 2**20, 2**40])
@in_thread
def test_frame_beyond_the_limit_is_refused_at_its_head(echo: Served, size: int) -> None:
    wire = opened(echo)
    wire.send(struct.pack("!BBQ", 0x82, 0xFF, size) + MASK)
    assert list(heard(wire)) == [code(1009)]


@in_thread
def test_message_beyond_the_limit_in_small_frames(echo: Served) -> None:
    size = MAX_INBOUND // 4
    parts = [b"*" * size] * 4
    assert said(echo, *fragments(BINARY, parts)) == [(BINARY, b"*" * MAX_INBOUND), NORMAL]
    wire = opened(echo)
    wire.send(b"".join(frame(CONTINUED | (CONTINUATION if n else BINARY), p)
                       for n, p in enumerate([*parts, b"*"])))  # fmt: skip
    assert list(heard(wire)) == [code(1009)]


# -- 12 and 13: compression ------------------------------------------------------------------------

DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
RSV1 = 0x40


def packed(payload: bytes) -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (deflate.compress(payload) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]


def unpacked(payload: bytes) -> bytes:
    return zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff")


@pytest.mark.parametrize("size", SIZES)
@in_thread
def test_compressed_message(echo: Served, size: int) -> None:
    wire = opened(echo, DEFLATE)
    text = (b"all work and no play " * (size // 20 + 1))[:size]
    for _ in range(3):
        wire.send(frame(FINAL | RSV1 | TEXT, packed(text)))
        first, payload = wire.raw_frame()
        assert (first, unpacked(payload)) == (FINAL | RSV1 | TEXT, text)


@in_thread
def test_compressed_message_in_fragments(echo: Served) -> None:
    wire = opened(echo, DEFLATE)
    data = packed(b"all work and no play " * 100)
    middle = len(data) // 2
    wire.send(frame(CONTINUED | RSV1 | TEXT, data[:middle]))
    wire.send(frame(FINAL | PING, b"?") + frame(FINAL | CONTINUATION, data[middle:]))
    assert wire.raw_frame() == (FINAL | PONG, b"?")
    assert unpacked(wire.raw_frame()[1]) == b"all work and no play " * 100


@in_thread
def test_uncompressed_message_beside_compressed_ones(echo: Served) -> None:
    wire = opened(echo, DEFLATE)
    wire.send(frame(FINAL | TEXT, b"plain"))
    assert unpacked(wire.raw_frame()[1]) == b"plain"


@pytest.mark.parametrize("first", [FINAL | RSV1 | PING, FINAL | RSV1 | CLOSE, FINAL | 0x20 | TEXT])
@in_thread
def test_bits_that_deflate_does_not_use(echo: Served, first: int) -> None:
    wire = opened(echo, DEFLATE)
    wire.send(frame(first, b"ab"))
    assert list(heard(wire)) == [code(1002)]


@in_thread
def test_compressed_text_has_to_be_utf8(echo: Served) -> None:
    wire = opened(echo, DEFLATE)
    wire.send(frame(FINAL | RSV1 | TEXT, packed(b"\xff\xfe")))
    assert list(heard(wire)) == [code(1007)]


# -- three clients of other makers -----------------------------------------------------------------


@pytest.fixture
def echo_program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The echo as a process: for clients that block."""
    port = free_port()
    folder = tmp_path_factory.mktemp("echo")
    command = [sys.executable, "-m", "tests.support.echo", str(port)]
    server = Server(command, port, folder, {"PYTHONPATH": str(CHECKOUT)})
    server.start()
    yield server
    server.finish()


TEXTS = ["", "a", "κόσμε 🙂", "x" * 65_535, json.dumps(list(range(5000)))]


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_websockets(echo_program: Server, compression: str | None) -> None:
    with connect(f"{echo_program.ws_url}/ws", compression=compression) as client:
        for text in TEXTS:
            client.send(text)
            assert client.recv(timeout=20) == text
        client.send([b"\x00\xff", os.urandom(1000), b""])
        assert len(client.recv(timeout=20)) == 1002
        assert client.ping(b"?").wait(20)


NODE = """
const WebSocket = require("ws");
const texts = JSON.parse(process.argv[3]);
const socket = new WebSocket(process.argv[2], {perMessageDeflate: process.argv[4] === "deflate"});
const found = [];
socket.on("error", (error) => { throw error; });
socket.on("open", () => { for (const text of texts) socket.send(text); socket.ping("?"); });
socket.on("message", (data) => {
  found.push(data.toString());
  if (found.length === texts.length) socket.close(4000, "enough");
});
socket.on("close", (code) => console.log(JSON.stringify([found, code])));
"""


@pytest.mark.parametrize("compression", ["none", "deflate"])
def test_node(echo_program: Server, node: RunNode, compression: str) -> None:
    url = f"{echo_program.ws_url}/ws"
    found, number = json.loads(node(NODE, url, json.dumps(TEXTS), compression))
    assert found == TEXTS
    assert number in (1000, 4000)


def test_chromium(echo_program: Server, page: Page) -> None:
    page.goto(f"{echo_program.url}/healthz")
    found = page.evaluate(
        """(texts) => new Promise((resolve) => {
          const found = [];
          const socket = new WebSocket(`ws://${location.host}/ws`);
          socket.onopen = () => { for (const text of texts) socket.send(text); };
          socket.onmessage = (event) => {
            found.push(event.data);
            if (found.length === texts.length) socket.close(4000, "enough");
          };
          socket.onclose = (event) => resolve([found, event.wasClean, socket.extensions]);
        })""",
        TEXTS,
    )
    assert found[:2] == [TEXTS, True]
    assert "permessage-deflate" in found[2]
