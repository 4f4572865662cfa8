"""What is said to viewers and by them.  Pure: bytes out, plain values in.

Plain, for any page that can parse JSON; each message is assigned over what one has::

    <- {"variable": 41, "orders": 7}         first the state, then what changed
    <- {"variable": 44, "gone": null}

``streamd.v1``, for those that want to know what they know::

    <- {"type": "hello", "server", "now", "at", "resumed", "tick", "streams": {…}, "health": {…}}
    <- {"type": "updates", "at", "updates": [{"stream", "seq", "at", "time", "value"}, …], "more"?}
    <- {"type": "streams", "streams": {NAME: {description} | null}}
    <- {"type": "health", "health": {NAME: {"state", "level", "since", "proof", "error"}}}
    <- {"type": "journal", "state": "ok|away", "since", "error"}
    <- {"type": "tick", "now", "proof": {NAME: seconds}}
    <- {"type": "build", "build"}
    <- {"type": "command", "command", …}
    <- {"type": "error", "code", "message"}
    <- {"type": "bye", "reason", "after": [low, high]}
    -> {"type": "subscribe", "streams": […], "after": "…", "history": 100}
    -> {"type": "screen", "name": "kitchen-tv", "wall": "kitchen", "at": "…", "delay": 0.2}
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from streamd import __version__
from streamd.update import At, Name, Position, Refused, Selection, Update, parse_position

MAX_MESSAGE = 64 * 1024
"""Bytes of one message to a viewer; a single larger update is a message of its own."""

MAX_INBOUND = 64 * 1024
"""Bytes of one frame, and of one message, from a viewer."""

PACE = 0.033
"""Seconds between two flushes to one viewer: thirty a second, as often as a wall can show."""

COME_BACK = (0.5, 8)
"""Seconds: the range of the random waits after which viewers come back to a daemon that restarts."""

MAX_PACE = 60.0
MAX_HISTORY = 100_000
POINTS = (2, 5000)

TICK = 5
"""Seconds between two ticks; a reader that misses two knows that its link is dead."""

WORTH_DEFLATING = 200
"""Bytes: below it compression saves less than a TCP segment's headers and costs more than a send."""

DEFLATE_LEVEL = 1

DEFLATE_WINDOW = 12
"""A window of 4 KiB: what the smallest common offer allows, so that one frame serves all."""


class Answer(NamedTuple):
    """What a viewer has to be told; the state gives it, a format puts it into words.

    :ivar updates: in the order of the log.  If only the newest of each stream was asked for, one
        without a value says that the stream was forgotten; else ``gone`` does.
    :ivar gone: streams that were forgotten, also those that came back since.
    :ivar streams: descriptions that changed.
    :ivar health: and health.
    :ivar journal: how the journal is, if that changed.
    :ivar at: up to where this answers: the head of the log when it was asked, if there is no more.
    :ivar more: whether there is more after that.
    :ivar revision: of the state: what changed up to it is told.
    :ivar floor: what the viewer had of a part of its selection: its cursor does not go back behind it.
    :ivar first: whether this begins the answer to a viewer that had nothing.
    """

    updates: Sequence[Update]
    gone: Collection[str]
    streams: Mapping[str, Any]
    health: Mapping[str, Any]
    journal: Mapping[str, Any] | None
    at: Position
    more: bool
    revision: int
    floor: Position
    first: bool


class Message(NamedTuple):
    """An answer in bytes, or as much of it as fits one message.

    :ivar data: ready for the socket; empty when there is nothing to say.
    :ivar at: everything selected up to here is in it, or came before it.
    :ivar more: the answer goes on in the next message.
    """

    data: bytes
    at: Position
    more: bool


class Welcome(NamedTuple):
    """What a viewer is told first.

    :ivar now: the server's time, seconds since the epoch.
    :ivar at: the cursor from which it goes on; the origin if it has to forget what it had.
    :ivar resumed: nothing selected after the cursor that it brought is missing.
    :ivar more: updates follow: what it has is not the newest.
    :ivar asked: it brought a cursor.
    :ivar overview: gives descriptions and health as :func:`overview` writes them, as they are when they
        are asked for.
    """

    now: float
    at: Position
    resumed: bool
    more: bool
    asked: bool
    overview: Callable[[], Iterator[bytes]]


class Encoding(NamedTuple):
    """How viewers of one kind are spoken to; equal ones share their messages.

    :ivar name: for metrics and logs.
    :ivar newest: only the newest update of each stream matters.
    :ivar write: what puts an answer into a message.
    :ivar welcome: what is said first, in parts, each made when the one before it has left.
    :ivar tick: what is said every :data:`TICK` seconds: (now, proofs) -> bytes; None: nothing.
    """

    name: str
    newest: bool
    write: Callable[[Answer], Message]
    welcome: Callable[[Welcome], Iterable[bytes]]
    tick: Callable[[float, Mapping[str, float]], bytes] | None


# -- formats: JSON texts ---------------------------------------------------------------------------


class Payload(NamedTuple):
    """One message of a format, before anything carries it."""

    type: str
    text: bytes


class Formatted(NamedTuple):
    """An answer in a format: its messages, up to where they lead, and whether it goes on."""

    payloads: Sequence[Payload]
    at: Position
    more: bool


def plain(answer: Answer) -> Formatted:
    """The members that changed, as one JSON object; ``{}`` first when there is nothing yet."""
    if not answer.updates:
        return Formatted([Payload("state", b"{}")] if answer.first else [], answer.at, False)
    updates = answer.updates
    members = _fitting(member(u.stream, u.value or b"null") for u in updates)
    more = len(members) < len(updates)
    text = b"{" + b",".join(members) + b"}"
    at = updates[len(members) - 1].at if more else answer.at
    return Formatted([Payload("state", text)], at, more)


def v1(answer: Answer) -> Formatted:
    """``streams``, ``health`` and ``journal``, then ``updates``, as far as there is any of each."""
    payloads = [*_notes("streams", dict.fromkeys(answer.gone))]
    payloads += _notes("streams", answer.streams)
    payloads += _notes("health", answer.health)
    if answer.journal is not None:
        payloads.append(v1_message("journal", answer.journal))
    if not answer.updates:
        return Formatted(payloads, answer.at, answer.more)
    texts = _fitting(map(v1_update, answer.updates))
    cut = len(texts) < len(answer.updates)
    more = cut or answer.more
    last = answer.updates[len(texts) - 1].at
    text = b'{"type":"updates","at":"%b","updates":[%b]%b}' % (
        bytes(last if more else max(last, answer.floor)),
        b",".join(texts),
        b',"more":true' if more else b"",
    )
    payloads.append(Payload("updates", text))
    return Formatted(payloads, last if cut else answer.at, more)


def v1_update(update: Update) -> bytes:
    """``{"stream", "seq", "at", "time", "value"}``; names need no escapes, values are JSON."""
    return b'{"stream":"%b","seq":%d,"at":"%b","time":%b,"value":%b}' % (
        update.stream.encode(),
        update.seq,
        bytes(update.at),
        repr(update.time).encode(),
        update.value or b"null",
    )


def v1_message(type: str, fields: Any) -> Payload:
    """A message of this type with these fields."""
    return Payload(type, b'{"type":"%b",%b' % (type.encode(), _json(fields)[1:]))


def v1_ticks(now: float, proofs: Mapping[str, float]) -> Iterator[bytes]:
    """A tick, or several of the same time if there are many proofs."""
    texts = [member(name, repr(at).encode()) for name, at in proofs.items()]
    while True:
        fitting = _fitting(texts)
        yield b'{"type":"tick","now":%b,"proof":{%b}}' % (repr(now).encode(), b",".join(fitting))
        del texts[: len(fitting)]
        if not texts:
            return


def v1_hello(welcome: Welcome) -> Iterator[bytes]:
    """A hello, in parts: whoever does not read must not have us keep thousands of descriptions."""
    fields = {
        "server": f"streamd/{__version__}",
        "now": welcome.now,
        "at": str(welcome.at),
        "resumed": welcome.resumed,
        "tick": TICK,
        "more": welcome.more,
    }
    yield v1_message("hello", fields).text[:-1] + b","
    yield from welcome.overview()


def overview(
    streams: Iterable[bytes], health: Iterable[bytes], journal: Any, gone: Iterable[str] = ()
) -> Iterator[bytes]:
    """How a message ends that tells how all is: ``"streams":{…},"health":{…}}``.

    :param streams: the members, as :func:`member` writes them; health too.
    :param gone: streams that there are no more.
    """
    forgotten = (member(name, b"null") for name in gone)
    yield from _listed(b'"streams":{', chain(forgotten, streams))
    yield from _listed(b'},"health":{', health)
    yield b"}}" if journal is None else b'},"journal":%b}' % _json(journal)


def member(name: str, value: bytes) -> bytes:
    """A member of an object; names need no escapes."""
    return b'"%b":%b' % (name.encode(), value)


def _listed(opening: bytes, members: Iterable[bytes]) -> Iterator[bytes]:
    yield opening
    comma = b""
    for each in members:
        yield comma + each
        comma = b","


def packed(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of at most :data:`MAX_MESSAGE`; each is made when it is asked for."""
    held: list[bytes] = []
    size = 0
    for part in parts:
        for start in range(0, len(part), MAX_MESSAGE):
            piece = part[start : start + MAX_MESSAGE]
            if size + len(piece) > MAX_MESSAGE:
                yield b"".join(held)
                held, size = [], 0
            held.append(piece)
            size += len(piece)
    if held:
        yield b"".join(held)


def _notes(type: str, members: Mapping[str, Any]) -> Iterator[Payload]:
    """Messages of at most :data:`MAX_MESSAGE` with all the members."""
    texts = [member(name, _json(value)) for name, value in members.items()]
    while texts:
        fitting = _fitting(texts)
        text = b'{"type":"%b","%b":{%b}}' % (type.encode(), type.encode(), b",".join(fitting))
        yield Payload(type, text)
        del texts[: len(fitting)]


def _fitting(parts: Iterable[bytes]) -> list[bytes]:
    """As many of the parts, at least one, as fit a message with commas between; no more are made."""
    fitting: list[bytes] = []
    total = 0
    for part in parts:
        total += len(part) + 1
        if fitting and total > MAX_MESSAGE:
            break
        fitting.append(part)
    return fitting


_json = msgspec.json.encode


# -- carried by a WebSocket ------------------------------------------------------------------------


def frame(text: bytes) -> bytes:
    """One unmasked, final WebSocket text frame (RFC 6455, section 5.2)."""
    return _frame_header(0x81, len(text)) + text


def deflated_frame(text: bytes) -> bytes:
    """The same compressed, if that makes it shorter (RFC 7692, without context takeover)."""
    if len(text) < WORTH_DEFLATING:
        return frame(text)
    deflate = zlib.compressobj(DEFLATE_LEVEL, zlib.DEFLATED, -DEFLATE_WINDOW)
    # A sync flush ends in 00 00 ff ff, which is left out on the wire.
    short = (deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
    if len(short) >= len(text):
        return frame(text)
    return _frame_header(0xC1, len(short)) + short


def fragments(texts: Iterable[bytes]) -> Iterator[bytes]:
    """One text message in as many frames (RFC 6455, section 5.4); usually there is one text only."""
    first, last = 0x01, None
    for text in texts:
        if last is not None:
            yield _frame_header(first, len(last)) + last
            first = 0x00
        last = text
    yield _frame_header(first | 0x80, len(last or b"")) + (last or b"")


def _frame_header(first: int, length: int) -> bytes:
    if length < 126:
        return bytes((first, length))
    if length < 65536:
        return bytes((first, 126)) + length.to_bytes(2, "big")
    return bytes((first, 127)) + length.to_bytes(8, "big")


PING = _frame_header(0x89, 0)


def _framed(
    name: str, format: Callable[[Answer], Formatted], frame_of: Callable[[bytes], bytes]
) -> Encoding:
    """The encoding that carries a format's messages in frames."""

    def write(answer: Answer) -> Message:
        payloads, at, more = format(answer)
        return Message(b"".join([frame_of(payload.text) for payload in payloads]), at, more)

    def hello(welcome: Welcome) -> Iterable[bytes]:
        return fragments(packed(v1_hello(welcome)))

    def tick(now: float, proofs: Mapping[str, float]) -> bytes:
        return b"".join(frame_of(text) for text in v1_ticks(now, proofs))

    if format is plain:
        return Encoding(name, True, write, lambda welcome: (), None)
    return Encoding(name, False, write, hello, tick)


PLAIN_WEBSOCKET = _framed("plain WebSocket", plain, frame)
V1_WEBSOCKET = _framed("v1 WebSocket", v1, frame)
PLAIN_DEFLATED = _framed("plain WebSocket, deflated", plain, deflated_frame)
V1_DEFLATED = _framed("v1 WebSocket, deflated", v1, deflated_frame)


# -- carried by an event stream --------------------------------------------------------------------


def event(type: str, text: bytes, at: Position | None = None) -> bytes:
    """One event; JSON has no line breaks (WHATWG HTML, section 9.2)."""
    name = b"" if type == "state" else b"event: %b\n" % type.encode()
    place = b"" if at is None else b"id: %b\n" % bytes(at)
    return b"%b%bdata: %b\n\n" % (name, place, text)


RETRY = b"retry: 1000\n\n"
"""Milliseconds after which a browser's EventSource comes back; its own default is 3 s or more."""


def _evented(name: str, format: Callable[[Answer], Formatted]) -> Encoding:
    """The encoding that carries a format's messages in events; the last of a flush has the id."""

    def write(answer: Answer) -> Message:
        payloads, at, more = format(answer)
        last = len(payloads) - 1
        events = [event(p.type, p.text, at if n == last else None) for n, p in enumerate(payloads)]
        return Message(b"".join(events), at, more)

    def gap(welcome: Welcome) -> Sequence[bytes]:
        told = welcome.asked and not welcome.resumed
        return (RETRY + event("resumed", b'{"resumed":false}') if told else RETRY,)

    def hello(welcome: Welcome) -> Iterable[bytes]:
        return chain((RETRY + b"event: hello\ndata: ",), v1_hello(welcome), (b"\n\n",))

    def tick(now: float, proofs: Mapping[str, float]) -> bytes:
        return b"".join(event("tick", text) for text in v1_ticks(now, proofs))

    if format is plain:
        return Encoding(name, True, write, gap, lambda now, proofs: b": tick\n\n")
    return Encoding(name, False, write, hello, tick)


PLAIN_EVENTS = _evented("plain events", plain)
V1_EVENTS = _evented("v1 events", v1)


# -- carried by a long poll's answer ---------------------------------------------------------------


def poll_opening(at: Position, resumed: bool) -> bytes:
    """What stands before the updates of a poll's answer."""
    told = b"true" if resumed else b"false"
    return b'{"type":"updates","at":"%b","resumed":%b,"updates":[' % (bytes(at), told)


def poll_answer(answer: Answer, about: Iterable[bytes]) -> tuple[Iterator[bytes], Position]:
    """What somebody missed who polls again, as far as it fits one message, and up to where that is.

    :param about: how all is, as :func:`overview` ends a message.
    """
    texts = _fitting(map(v1_update, answer.updates))
    cut = len(texts) < len(answer.updates)
    at = answer.updates[len(texts) - 1].at if cut else answer.at
    more = b'"more":true,' if cut or answer.more else b""
    parts = (poll_opening(at, True), b",".join(texts), b"]," + more)
    return chain(parts, about), at


def _write_poll(answer: Answer) -> Message:
    if not (answer.updates or answer.gone or answer.streams or answer.health):
        return Message(b"", answer.at, answer.more)
    streams, health = (
        (member(name, _json(value)) for name, value in told.items())
        for told in (answer.streams, answer.health)
    )
    parts, at = poll_answer(answer, overview(streams, health, None, answer.gone))
    return Message(b"".join(parts), at, False)


POLL = Encoding("long poll", False, _write_poll, lambda welcome: (), None)


# -- what is asked ---------------------------------------------------------------------------------


class Wish(NamedTuple):
    """What a viewer asked for, in a query string or a subscribe message.

    :ivar pace: seconds between two flushes, :data:`PACE` times a power of two.
    :ivar after: the cursor that it brought; None if it brought none, or nonsense.
    :ivar asked: whether it brought any.
    :ivar history: of how many updates of each stream the first answer consists.
    """

    selection: Selection
    pace: float = PACE
    after: Position | None = None
    asked: bool = False
    history: int = 1


def parse_query(query: Mapping[str, str]) -> Wish:
    """Read ``?streams=orders,db.*&after=…&history=100&pace=1s``; unknown keys are ignored.

    :raises Refused: 400, naming the key.
    """
    after = query.get("after")
    return Wish(
        _selection(query.get("streams")),
        round_pace(query.get("pace")),
        None if after is None else parse_position(after),
        after is not None,
        parse_history(query.get("history", "1")),
    )


@lru_cache(maxsize=256)
def _selection(streams: str | None) -> Selection:
    return Selection(None if streams is None else [name for name in streams.split(",") if name])


def parse_history(text: str) -> int:
    """The number in ``?history=``.

    :raises Refused: 400 if it is none.
    """
    count = _whole(text)
    if count >= 1:
        return min(count, MAX_HISTORY)
    raise Refused(400, "bad-history", f"history: expected a number from 1 to {MAX_HISTORY}")


def parse_points(text: str) -> int:
    """The number in ``?points=``: how many are to show a history.

    :raises Refused: 400 if it is none, or none that a picture has.
    """
    low, high = POINTS
    if low <= _whole(text) <= high:
        return int(text)
    raise Refused(400, "bad-points", f"points: expected a number from {low} to {high}")


def _whole(text: str) -> int:
    """The number that a text is; 0 if it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


class ScreenReport(msgspec.Struct, frozen=True, tag_field="type", tag="screen"):
    """``-> {"type": "screen", …}``: which screen shows which wall.

    :ivar at: up to where; seconds of ``delay`` behind that; None: it cannot tell.
    """

    name: Name
    wall: Name
    at: At
    delay: float | None


class Subscribe(msgspec.Struct, frozen=True, tag_field="type", tag="subscribe"):
    """``-> {"type": "subscribe", "streams": […], "after": "…", "history": 100, "pace": "1s"}``."""

    streams: list[str] | None = None
    after: str | None = None
    history: int = 1
    pace: str | None = None

    def wish(self) -> Wish:
        """What it asks for.

        :raises Refused: naming the field.
        """
        after = None if self.after is None else parse_position(self.after)
        return Wish(
            Selection(self.streams),
            round_pace(self.pace),
            after,
            self.after is not None,
            parse_history(str(self.history)),
        )


_SAID = msgspec.json.Decoder(Subscribe | ScreenReport)  # of two, a tag may not be missing


def parse_message(text: bytes) -> Wish | ScreenReport:
    """What a viewer says in ``streamd.v1``.

    :raises Refused: with the code ``bad-message``, or that of a wish that cannot be; the connection
        goes on.
    """
    try:
        said = _SAID.decode(text)
    except RecursionError:
        raise Refused(400, "bad-message", "nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Refused(400, "bad-message", f"not understood: {error}") from None
    return said if isinstance(said, ScreenReport) else said.wish()


def round_pace(text: str | None) -> float:
    """The pace that serves this wish: few steps, so that viewers can share messages.

    :raises Refused: 400 if it is no duration.
    """
    if text is None:
        return PACE
    try:
        wanted = parse_duration(text)
    except ValueError as error:
        raise Refused(400, "bad-pace", f"pace: {error}") from None
    pace = PACE
    while pace < min(wanted, MAX_PACE):
        pace *= 2
    return pace


_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str) -> float:
    """Seconds in ``"500ms"``, ``"5s"``, ``"2m"``, ``"24h"``, ``"7d"``.

    :raises ValueError: if it is something else.
    """
    match = _DURATION.fullmatch(text) if len(text) < 20 else None
    if not match:
        raise ValueError('expected a duration such as "500ms", "5s" or "2m"')
    return float(match[1]) * _SECONDS[match[2]]


def parse_json_object(text: bytes) -> dict[str, Any]:
    """Decode a message or body that has to be a JSON object.

    :raises Refused: 400 if it is not one.
    """
    try:
        value = msgspec.json.decode(text)
    except RecursionError:
        raise Refused(400, "bad-json", "nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Refused(400, "bad-json", f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Refused(400, "bad-json", "expected a JSON object")
    return value
