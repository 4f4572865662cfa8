"""Server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from streamd.core.cursor import Answer
from streamd.core.update import Position
from streamd.wire.encoding import Encoding, Format, Message, Welcome
from streamd.wire.plain import PLAIN_FORMAT
from streamd.wire.v1 import V1_FORMAT, v1_hello, v1_ticks

# -- carried by an event stream --------------------------------------------------------------------


def event(type: str, text: bytes, at: Position | None = None) -> bytes:
    """Return one event (WHATWG HTML, section 9.2); ``text`` must not contain a line break."""
    name = b"" if type == "state" else b"event: %b\n" % type.encode()
    place = b"" if at is None else b"id: %b\n" % bytes(at)
    return b"%b%bdata: %b\n\n" % (name, place, text)


def retry(seconds: float) -> bytes:
    """Return the line that sets how long an EventSource waits before it reconnects."""
    return b"retry: %d\n\n" % round(seconds * 1000)


def _evented(name: str, format: Format) -> Encoding:
    """Return the encoding that puts the messages of a format into events; the last event has the id."""

    def write(answer: Answer, texts: Iterable[bytes]) -> Message:
        payloads, at, more = format.write(answer, texts)
        last = len(payloads) - 1
        events = [event(p.type, p.text, at if n == last else None) for n, p in enumerate(payloads)]
        return b"".join(events), at, more

    def gap(welcome: Welcome) -> Sequence[bytes]:
        told = welcome.asked and not welcome.resumed
        return (event("resumed", b'{"resumed":false}'),) if told else ()

    def hello(welcome: Welcome) -> Iterable[bytes]:
        return chain((b"event: hello\ndata: ",), v1_hello(welcome), (b"\n\n",))

    def tick(now: float, proofs: Mapping[str, float]) -> bytes:
        return b"".join(event("tick", text) for text in v1_ticks(now, proofs))

    if format is PLAIN_FORMAT:
        return Encoding(name, True, format.text, write, gap, lambda now, proofs: b": tick\n\n")
    return Encoding(name, False, format.text, write, hello, tick, lambda payload: event(*payload))


PLAIN_EVENTS = _evented("plain events", PLAIN_FORMAT)
V1_EVENTS = _evented("v1 events", V1_FORMAT)
