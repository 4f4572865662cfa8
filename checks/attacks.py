"""Proves that what an attacker sends costs the attacker, and nobody else.

Every attack that the tables below name is carried out by several connections at a time.  Each gets
the right close code or HTTP status; the daemon takes at most 20 MiB more memory during any of them, and
keeps at most this much when all are over; and good viewers, who get a value published twenty times a
second meanwhile, wait for none longer than LONGEST.

Then 300 hostile readers of each sort ask for what costs most, beside 200 good viewers on another
address.  Good viewers wait at most twice as long as without them (p99).  The memory stays within the
documented bound.  `/healthz` and a publish with a token are answered within a second.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, count, repeat
from random import Random
from threading import Event, Thread
from typing import Any

from websockets.sync.client import connect

from checks.assault import Attack, Outcome, assault, judge
from checks.crowd import BINARY, CLOSE, LOOPBACK, PING, PONG, TEXT, Publisher
from checks.proof import (
    KIB,
    MIB,
    NO_SOURCES,
    Proof,
    main,
    memory,
    peak_memory,
    percentile,
    reset_peak,
    running,
    settled,
    spread,
)
from checks.witness import PATIENCE, Witness, within
from streamd.core.quota import SHARE
from streamd.http.bodies import KEPT_PACKED, MAX_PACKED, MAX_PACKING, MAX_UNREAD
from streamd.http.reading.history import KEPT_BYTES
from tests.support.frames import frame, handshake, head
from tests.support.net import request

MORE_MEMORY = 32 * MIB
"""Bodies under way have room for 12 MiB.  22 MiB were measured; the rest was not traced."""

LONGEST = 1.0
"""Seconds.  An idle daemon takes 2 ms; the rest is for a machine on which attackers, witness and daemon
share two cores."""

BACK_WITHIN = 25.0
"""Seconds for what was taken to go back to the system: the daemon looks every ten."""

TOO_FAST = 4429
CONTINUATION = 0x00  # not final
END = 0x80  # a final continuation
FIRST_TEXT = 0x01  # a text that goes on
RSV1 = 0x40


def once(name: str, right: Outcome, *pieces: str | bytes, websocket: bool = True) -> Attack:
    """An attack that sends these pieces once."""
    sent = [p.encode("latin-1") if isinstance(p, str) else p for p in pieces]
    return Attack(name, lambda _: sent, frozenset((right,)), websocket)


def endless(
    name: str,
    right: Sequence[Outcome],
    first: bytes,
    piece: bytes,
    count: int,
    websocket: bool = True,
) -> Attack:
    """An attack that sends one piece, and then repeats another."""
    return Attack(
        name, lambda _: chain((first,), repeat(piece, count)), frozenset(right), websocket
    )


def websocket_attacks(size: int, pings: int, seconds: float) -> Iterator[Attack]:
    """Attacks after a proper handshake.

    :param size: bytes of what is sent "without end".
    """

    lump = bytes(64 * KIB)
    yield endless("a frame of 64 MiB", (1009,), frame(BINARY, length=size), lump, size // len(lump))
    yield once("a frame of 64 KiB and a byte", 1009, frame(BINARY, lump + b"x"))
    yield once("a frame that announces 2^63 bytes", 1002, frame(BINARY, length=2**63))
    yield once("a frame that announces 2^63 - 1 bytes", 1009, frame(BINARY, length=2**63 - 1))
    begin = frame(FIRST_TEXT, b"x")
    kilo = frame(CONTINUATION, b"x" * KIB)
    yield endless("fragments without end", (1009,), begin, kilo, size // KIB)
    yield endless(
        "empty fragments without end", (TOO_FAST,), begin, frame(CONTINUATION) * 100, pings // 100
    )
    tiny = frame(CONTINUATION, b"x") * 100
    yield endless("fragments of a byte without end", (TOO_FAST,), begin, tiny, pings // 100)
    yield endless("pings", (TOO_FAST,), b"", frame(PING, b"x" * 125) * 100, pings // 100)
    yield endless("pongs that nobody asked for", (TOO_FAST,), b"", frame(PONG) * 100, pings // 100)
    yield endless("messages", (TOO_FAST,), b"", frame(TEXT, b"{}") * 100, pings // 100)
    for bit in (0x10, 0x20, RSV1):
        yield once(f"the reserved bit {bit:#x}", 1002, frame(TEXT | bit, b"hi"))
    for opcode in (3, 7, 11, 15):
        yield once(f"the reserved opcode {opcode}", 1002, frame(0x80 | opcode, b"hi"))
    yield once("an unmasked frame", 1002, frame(TEXT, b"hi", masked=False))
    yield once("an unmasked ping", 1002, frame(PING, masked=False))
    yield once("a text that is not UTF-8", 1007, frame(TEXT, b"\xff\xfe"))
    yield once("a text that ends within a character", 1007, frame(TEXT, "ä".encode()[:1]))
    yield once("a surrogate in UTF-8", 1007, frame(TEXT, b"\xed\xa0\x80"))
    yield once("not UTF-8 across fragments", 1007, frame(FIRST_TEXT, b"\xc3"), frame(END, b"("))
    yield once("a ping of 126 bytes", 1002, frame(PING, bytes(126)))
    yield once("a close of 126 bytes", 1002, frame(CLOSE, bytes(126)))
    yield once("a fragmented ping", 1002, frame(PING & 0x7F, b"x"))
    yield once("a continuation of nothing", 1002, frame(END, b"x"))
    yield once("a text within a text", 1002, begin, frame(TEXT, b"x"))
    yield once("a close of one byte", 1002, frame(CLOSE, b"x"))
    yield once("a close with a reason that is not UTF-8", 1007, frame(CLOSE, b"\x03\xe8\xff"))
    for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535):
        yield once(f"a close with {code}", 1002, frame(CLOSE, code.to_bytes(2, "big")))
    for code in (1000, 1001, 3000, 4999):
        yield once(
            f"a close with {code}, which is good", 1000, frame(CLOSE, code.to_bytes(2, "big"))
        )
    any_error: frozenset[Outcome] = frozenset((1002, 1007, 1009, TOO_FAST))
    yield Attack("random bytes", lambda chance: (chance.randbytes(256 * KIB),), any_error, peers=16)
    unfinished: frozenset[Outcome] = frozenset(("open",))
    yield Attack(
        "a hundred messages that stop a byte before 64 KiB",
        lambda _: (frame(FIRST_TEXT, b"x" * (64 * KIB - 1)),),
        unfinished,
        peers=100,
        seconds=2,
    )
    yield Attack(
        "pings, and nothing is read",
        lambda _: repeat(frame(PING, b"x" * 125) * 2),
        unfinished,
        peers=20,
        reads=False,
        pause=0.05,
        seconds=seconds,
    )
    yield Attack(
        "a flood of pings, and nothing is read",
        lambda _: repeat(frame(PING, b"x" * 125) * 100, pings // 100),
        frozenset((TOO_FAST, "closed")),
        reads=False,
    )


POST = f"POST /streams/x HTTP/1.1\r\nHost: {LOOPBACK}\r\n"
GET = f"GET /state HTTP/1.1\r\nHost: {LOOPBACK}\r\n"


def http_attacks(size: int, seconds: float) -> Iterator[Attack]:
    """Attacks on a new connection.

    :param size: bytes of what is sent "without end".
    """

    one = partial(once, websocket=False)

    def stream(name: str, right: Sequence[Outcome], first: str, piece: bytes) -> Attack:
        return endless(name, right, first.encode(), piece, size // len(piece), websocket=False)

    too_large = (400, 414, 431)
    lump = b"x" * 64 * KIB
    yield stream("a request line without end", too_large, "GET /", lump)
    yield stream("a header without end", too_large, GET + "X: ", lump)
    yield stream("headers without end", too_large, GET, b"X: y\r\n" * 1000)
    yield stream(
        "a header of many lines without end", too_large, GET + "X: y\r\n", b" y\r\n" * 1000
    )
    chunked = POST + "Transfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + lump + b"\r\n"
    yield stream("a chunked body without end", (413,), chunked, chunk)
    yield stream("a chunk extension without end", (400,), chunked + "1;", lump)
    yield stream("trailers without end", (400, 413, 431), chunked + "0\r\n", b"X: y\r\n" * 1000)
    yield stream("a body of 64 MiB", (413,), POST + f"Content-Length: {size}\r\n\r\n", lump)
    yield stream("a body of a terabyte", (413,), POST + f"Content-Length: {2**40}\r\n\r\n", lump)
    for text in ("zz", "-1", "0x1", "+1", "1 1", ""):
        yield one(f"a chunk of {text!r} bytes", 400, chunked + f"{text}\r\nx\r\n0\r\n\r\n")
    yield one(
        "a body longer than it says", 400, POST + "Content-Length: 1\r\n\r\n1, and more\r\n\r\n"
    )
    for text in ("-1", "+1", "0x1", "1, 1", "", "1e0", "1\x0b"):
        yield one(f"a Content-Length of {text!r}", 400, POST + f"Content-Length: {text}\r\n\r\n1")
    yield one("two Content-Lengths", 400, POST + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n11")
    yield one(
        "Content-Length and chunked",
        400,
        POST + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    )
    yield one("chunked twice", 400, POST + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n")
    for byte in (0x00, 0x01, 0x08, 0x0B, 0x0C, 0x0D, 0x1C, 0x1D, 0x1E, 0x1F, 0x7F):
        smuggled = f"X: a{chr(byte)}X-Forwarded-For: 192.0.2.1\r\n\r\n"
        yield one(f"the byte {byte:#04x} in a header", 400, GET + smuggled)

    def lie(byte: int) -> bytes:
        value = f"a{chr(byte)}X-Forwarded-For: 192.0.2.1"
        return handshake("/ws", f"Sec-WebSocket-Protocol: {value}")

    for byte in (0x0B, 0x0C, 0x1C, 0x1D, 0x1E):
        yield one(f"the byte {byte:#04x} in a handshake", 400, lie(byte))
    # A value may have this byte (RFC 9110, section 5.5), which ends no line of a head:
    # tests/http/test_site.py shows that no byte within a value begins another header.
    yield one("the byte 0x85 in a handshake", "open", lie(0x85))._replace(seconds=1)
    yield one("a header name with a blank", 400, GET + "Content-Length : 1\r\n\r\n1")
    yield one("a header without colon", 400, GET + "nonsense\r\n\r\n")
    yield one("two Hosts", 400, GET + "Host: evil.example\r\n\r\n")
    yield one("a foreign Host", 421, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    yield one("a NUL in the path", 404, f"GET /%00 HTTP/1.1\r\nHost: {LOOPBACK}\r\n\r\n")
    yield one("a path out of here", 404, f"GET /../etc/passwd HTTP/1.1\r\nHost: {LOOPBACK}\r\n\r\n")
    yield one("a version that is none", 400, f"GET / HTTP/9.9\r\nHost: {LOOPBACK}\r\n\r\n")
    yield one("no HTTP at all", 400, "hello\r\n\r\n")
    yield Attack(
        "random bytes for a request",
        lambda chance: (chance.randbytes(256 * KIB),),
        frozenset((400, "closed")),
        websocket=False,
        peers=16,
    )
    yield Attack(
        "a hundred bodies that stop a byte before 1 MiB",
        lambda _: (f"{POST}Content-Length: {MIB}\r\n\r\n".encode(), b"1" * (MIB - 1)),
        frozenset((413, 503, "closed", "open")),
        websocket=False,
        peers=100,
        seconds=4,
    )
    yield Attack(
        "pipelined requests for a large state, and nothing is read",
        lambda _: repeat(f"{GET}\r\n".encode() * 100, size // 5000),
        frozenset(("open",)),
        websocket=False,
        peers=20,
        reads=False,
        seconds=seconds,
    )
    yield Attack(
        "pipelined requests for the page, and nothing is read",
        lambda _: repeat(
            f"GET / HTTP/1.1\r\nHost: {LOOPBACK}\r\n\r\n".encode() * 100, size // 5000
        ),
        frozenset(("open",)),
        websocket=False,
        peers=20,
        reads=False,
        seconds=seconds,
    )


def deadline_attacks() -> Iterator[Attack]:
    """Attacks that end at the deadline for a request, ten seconds; all run at the same time."""
    chunked = POST + "Transfer-Encoding: chunked\r\n\r\n"
    for name, sent in {
        "a body shorter than it says": POST + "Content-Length: 100\r\n\r\n1",
        "a head that stops": GET,
        "a chunked body that stops": f"{chunked}1\r\n1",
        "a chunk that announces 2^68 bytes": f"{chunked}fffffffffffffffff\r\n1",
        "a handshake that stops": handshake().decode()[:-4],
        "nothing at all": "",
    }.items():
        pieces = (sent.encode(),)
        yield Attack(
            name,
            lambda _, pieces=pieces: pieces,  # type: ignore[misc]
            frozenset(("closed", 408)),
            websocket=False,
            seconds=12,
        )
    yield Attack(
        "chunks of a byte without end",
        lambda _: chain((chunked.encode(),), repeat(b"1\r\nx\r\n" * 10000)),
        frozenset(("closed", 408, 413)),
        websocket=False,
        seconds=12,
    )


def prove(
    proof: Proof,
    size: int = 64 * MIB,
    pings: int = 500_000,
    peers: float = 1.0,
    seconds: float = 20.0,
    deadlines: bool = True,
) -> None:
    """:param size: bytes of what is sent "without end".

    :param peers: connections for each attack, times this.
    :param seconds: how long those go on that nothing ends.
    :param deadlines: also those that wait for the deadline.
    """
    batches = [[a] for a in websocket_attacks(size, pings, seconds)]
    batches += [[a] for a in http_attacks(size, seconds)]
    if deadlines:
        batches.append(list(deadline_attacks()))
    with running(config=NO_SOURCES) as daemon, Witness(daemon.port) as witness:
        publisher = Publisher(daemon.port)
        for number in range(16):  # a large state, for those who ask for it
            publisher.publish(f"large.{number}", b'"%s"' % (b"x" * 63 * KIB))
        time.sleep(2)
        baseline = memory(daemon.pid)
        begin = time.monotonic()
        worst = 0
        spans = []
        for batch in batches:
            before = reset_peak(daemon.pid)
            since = time.monotonic()
            attackers = assault(daemon.port, batch, peers, proof.patience)
            more = peak_memory(daemon.pid) - before
            worst = max(worst, more)
            spans.append((batch[0].name, since, time.monotonic()))
            for attack in batch:
                judge(proof, attack, [a for a in attackers if a.attack is attack])
            if more > MIB:
                proof.figure(f"{more / MIB:.1f} MiB more memory during {batch[0].name}")
        left = settled(daemon.pid, baseline + MORE_MEMORY, BACK_WITHIN) - baseline
        rounds = witness.finish()
        publisher.close()
        calm = [r for r in rounds if r.at + 1 < begin]
        proof.figure(f"a published value, before: {spread([r.seen for r in calm])}")
        seen = within(rounds, begin, spans[-1][2])
        for name, since, until in spans:
            slow = max((r.seen for r in within(rounds, since, until)), default=0.0)
            if slow > LONGEST / 4:
                proof.figure(f"the slowest value during {name}: {slow * 1000:.0f} ms")
        proof.figure(f"the page, meanwhile: {spread([r.page for r in seen])}")
        proof.figure(f"a new viewer, meanwhile: {spread([r.joined for r in seen])}")
        proof.claim_times([r.seen for r in seen], LONGEST, "a published value, meanwhile")
        proof.claim_memory(worst, MORE_MEMORY, "during one attack")
        proof.claim_memory(left, MORE_MEMORY, "after all")


TOKEN = "a-token-for-the-attacks"
ADMIN = "a-token-for-the-screens"
HOSTILE = "127.0.0.2"
GOOD = "127.0.0.3"
BEARER = f"Authorization: Bearer {TOKEN}"
SLOWER = 2.0
"""How many times as long as without attack good viewers may wait (p99)."""

PER_VIEWER = 64 * KIB
"""Bytes: the most memory of a viewer that does not read."""

FEW = 0.01
"""Seconds: a difference that a busy machine makes by itself."""

DAY = 86_400

SERVED = f"""
[access]
publish = ["{TOKEN}"]
admin = ["{ADMIN}"]
[streams.long]
keep = "1h"
rollup = "8d"
[sources.customer]
every = "1s"
command = '''awk 'BEGIN {{ srand(); printf "{{"; for (i = 0; i < 1000; i++)
printf "%s\\"order.%d\\":%d", i ? "," : "", i, rand() * 1000; print "}}" }}' '''
"""
"""A thousand streams, all of which change each second."""


def own_globs(chance: Random) -> str:
    """Eight globs that nobody else has, with all the stars that a selection may have."""
    letters = lambda: "*".join(chance.choices("customer.d0123456789", k=3))  # noqa: E731
    return ",".join(f"*{letters()}*" for _ in range(8))


def a_period(chance: Random) -> bytes:
    """A request for a period of the long history that nobody else asks for."""
    asked = f"from=-{chance.randint(60, DAY)}s&points={chance.randint(2, 5000)}"
    return head("GET", f"/streams/long?{asked}")


def hostile_readers(peers: int, seconds: float) -> Iterator[Attack]:
    """Readers who ask for what costs most.  Each of them has questions of its own."""
    right: frozenset[Outcome] = frozenset(("open", "closed"))
    hostile = partial(
        Attack, right=right, websocket=False, peers=peers, seconds=seconds, source=HOSTILE
    )
    gzip = "Accept-Encoding: gzip"
    large = [f"large.{number}" for number in range(16)]
    length = f"Content-Length: {MIB}"
    yield hostile("viewers with globs", lambda c: (handshake(f"/ws?streams={own_globs(c)}"),))
    yield hostile(
        "requests with globs",
        lambda c: (head("GET", f"/state?streams={own_globs(c)}") for _ in count()),
        pause=0.5,
    )
    yield hostile("viewers with paces", lambda c: (handshake(f"/ws?pace={c.randint(33, 9999)}ms"),))
    yield hostile("unread states", lambda _: repeat(head() * 10, 10), reads=False)
    yield hostile("unread events", lambda _: (head("GET", "/events?history=100"),), reads=False)
    yield hostile(
        "points of a long history",
        lambda c: (head("GET", f"/streams/long?points={c.randint(2, 5000)}") for _ in count()),
        pause=0.5,
    )
    yield hostile(
        "unread periods", lambda c: (a_period(c) for _ in count()), reads=False, pause=0.5
    )
    yield hostile(
        "states with gzip",
        lambda c: (
            head("GET", f"/state?streams={','.join(c.sample(large, 9))}", gzip) for _ in count()
        ),
        pause=0.5,
    )
    yield hostile("stalled bodies", lambda _: (head("POST", "/streams/x", length), b"1"))
    yield hostile(
        "wrong tokens",
        lambda c: (
            head("DELETE", "/streams/x", f"Authorization: Bearer {c.randbytes(16).hex()}")
            for _ in count()
        ),
        pause=0.1,
    )
    v1 = handshake("/ws?streams=", "Sec-WebSocket-Protocol: streamd.v1")

    def screen(name: str) -> tuple[bytes, bytes]:
        return v1, frame(TEXT, report(name).encode())

    yield hostile("screens of one name", lambda _: screen(SCREEN), reads=False, peers=12)
    invented = peers * 10 // 3
    yield hostile("screens", lambda c: screen(c.randbytes(9).hex()), peers=invented)


SCREEN = "kitchen-tv"


def report(name: str) -> str:
    """What a screen of this name sends."""
    return json.dumps({"type": "screen", "name": name, "wall": "all", "at": "0-0", "delay": None})


class Screen(Thread):
    """A good screen, and an administrator that commands it twice a second.

    :ivar seen: the answers to commands that the screen got, and the addresses that it is listed with.
    """

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self._over = Event()
        self.seen: Counter[str] = Counter()

    def run(self) -> None:
        url = f"ws://{LOOPBACK}:{self._port}/ws?streams="
        bearer = {"Authorization": f"Bearer {ADMIN}"}
        options: Any = {"subprotocols": ["streamd.v1"], "source_address": (GOOD, 0)}
        with connect(url, **options) as screen:
            screen.send(report(SCREEN))
            while not self._over.wait(0.5):
                path = f"/screens/{SCREEN}"
                told = request(self._port, "POST", path, '{"command":"identify"}', bearer)
                while '"command"' not in screen.recv(timeout=PATIENCE):
                    pass
                listed = request(self._port, "GET", "/screens").json()["screens"][SCREEN]
                self.seen[f"{told.status} from {listed['address']}"] += 1

    def __enter__(self) -> Screen:
        self.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._over.set()
        self.join()


def prove_hostile(
    proof: Proof, peers: int = 300, viewers: int = 200, seconds: float = 15.0, history: int = 10_000
) -> None:
    """Each sort of hostile readers in turn, beside good viewers and after as long a time of calm.

    :param history: updates of the stream with the long history; the oldest is a day old.
    """
    with (
        running(config=SERVED) as daemon,
        Witness(daemon.port, viewers, GOOD, TOKEN) as witness,
        Screen(daemon.port) as screen,
    ):
        publisher = Publisher(daemon.port, TOKEN)
        for number in range(16):
            publisher.publish(f"large.{number}", b'"%s"' % (b"x" * 63 * KIB))
        for number in range(history):
            at = time.time() - DAY * (1 - number / history)
            publisher.publish("long", b"%d" % (number % 97), at)
            publisher.count_answers()
        publisher.close()
        time.sleep(1)
        spans = []
        worst = 0
        for attack in hostile_readers(peers, seconds):
            before, calm = reset_peak(daemon.pid), time.monotonic()
            time.sleep(seconds)
            begin = time.monotonic()
            judge(proof, attack, assault(daemon.port, [attack]))
            time.sleep(max(0.0, begin + 1.0 - time.monotonic()))  # an attack may end at once
            spans.append((attack.name, calm, begin, time.monotonic()))
            more = peak_memory(daemon.pid) - before
            worst = max(worst, more)
            proof.figure(f"{more / MIB:.1f} MiB more memory with {attack.name}")
        rounds = witness.finish()
    proof.claim(set(screen.seen) == {f"200 from {GOOD}"}, f"commands: {dict(screen.seen)}")
    for name, calm, begin, end in spans:
        quiet = percentile([r.seen for r in within(rounds, calm, begin)], 99)
        meanwhile = within(rounds, begin, end)
        most = max(quiet, FEW) * SLOWER
        proof.claim(
            percentile([r.seen for r in meanwhile], 99) <= most * proof.patience,
            f"a value, with {name}: {spread([r.seen for r in meanwhile])}; "
            f"p99 at most {most * 1000:.0f} ms",
        )
        for what, times in (
            ("a publish with a token", [r.published for r in meanwhile]),
            ("/healthz", [r.healthz for r in meanwhile]),
        ):
            proof.claim_times(times, LONGEST, f"{what}, with {name}")
    of_one = int(SHARE * (MAX_UNREAD + MAX_PACKING * MAX_PACKED))
    bound = of_one + KEPT_PACKED + KEPT_BYTES + PER_VIEWER * peers
    proof.claim_memory(worst, bound, "during one sort of hostile readers")


def _prove_all(proof: Proof) -> None:
    prove(proof)
    prove_hostile(proof)


if __name__ == "__main__":
    main(_prove_all)
