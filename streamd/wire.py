"""What is said to viewers and by them.  Pure: bytes out, plain values in.

Plain, for any page that can parse JSON; each message is assigned over what one has::

    <- {"variable": 41, "orders": 7}         first the state, then what changed
    <- {"variable": 44, "gone": null}

``streamd.v1``, for those that want to know what they know::

    <- {"type": "hello", "server", "now", "at", "resumed", "tick", "streams": {…}, "health": {…}}
    <- {"type": "updates", "at", "updates": [{"stream", "seq", "at", "time", "value"}, …], "more"?}
    <- {"type": "streams", "streams": {NAME: {description} | null}}
    <- {"type": "health", "health": {NAME: {"state", "level", "since", "proof", "error"}}}
    <- {"type": "tick", "now", "proof": {NAME: seconds}}
    <- {"type": "error", "code", "message"}
    <- {"type": "bye", "reason", "after": [low, high]}
    -> {"type": "subscribe", "streams": […], "after": "…", "history": 100}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from streamd.update import Position, Refused, Selection, Update

MAX_MESSAGE = 64 * 1024
"""Bytes of one message to a viewer; a single larger update is a message of its own."""

MAX_INBOUND = 64 * 1024
"""Bytes of one frame, and of one message, from a viewer."""

PACE = 0.033
"""Seconds between two flushes to one viewer: thirty a second, as often as a wall can show."""

MAX_PACE = 60.0
MAX_HISTORY = 100_000


class Answer(Protocol):
    """What a viewer has to be told; the state gives it, a format puts it into words."""

    @property
    def updates(self) -> Sequence[Update]:
        """In the order of the log; each with its value, or None: the stream was forgotten."""

    @property
    def gone(self) -> Collection[str]:
        """Streams that were forgotten, also those that came back since."""

    @property
    def streams(self) -> Mapping[str, Any]:
        """Descriptions that changed."""

    @property
    def health(self) -> Mapping[str, Any]:
        """Health that changed."""

    @property
    def at(self) -> Position:
        """The head of the log when this was asked."""

    @property
    def first(self) -> bool:
        """Whether this begins the answer to a viewer that had nothing."""


class Message(NamedTuple):
    """An answer in bytes, or as much of it as fits one message.

    :ivar data: ready for the socket; empty when there is nothing to say.
    :ivar at: everything selected up to here is in it, or came before it.
    :ivar more: the answer goes on in the next message.
    """

    data: bytes
    at: Position
    more: bool


class Encoding(NamedTuple):
    """How viewers of one kind are spoken to; equal ones share their messages.

    :ivar name: for metrics and logs.
    :ivar newest: only the newest update of each stream matters.
    :ivar write: what puts an answer into a message.
    """

    name: str
    newest: bool
    write: Callable[[Answer], Message]


# -- what is said ----------------------------------------------------------------------------------


def plain(answer: Answer) -> tuple[list[bytes], Position, bool]:
    """The members that changed, as one JSON object; ``{}`` first when there is nothing yet."""
    if not answer.updates:
        return ([b"{}"] if answer.first else []), answer.at, False
    members = {
        u.stream: b'"%b":%b' % (u.stream.encode(), u.value or b"null") for u in answer.updates
    }
    count = _fitting(map(len, members.values()))
    more = count < len(members)
    payload = b"{" + b",".join(list(members.values())[:count]) + b"}"
    return [payload], answer.updates[count - 1].at if more else answer.at, more


def frame(payload: bytes) -> bytes:
    """One unmasked, final WebSocket text frame (RFC 6455, section 5.2)."""
    return _frame_header(0x81, len(payload)) + payload


def _frame_header(first: int, length: int) -> bytes:
    if length < 126:
        return bytes((first, length))
    if length < 65536:
        return bytes((first, 126)) + length.to_bytes(2, "big")
    return bytes((first, 127)) + length.to_bytes(8, "big")


PING = _frame_header(0x89, 0)


def _fitting(sizes: Iterable[int]) -> int:
    """How many parts, at least one, fit a message when a comma stands between two."""
    total = count = 0
    for size in sizes:
        total += size + 1
        if count and total > MAX_MESSAGE:
            break
        count += 1
    return count


def _plain_frames(answer: Answer) -> Message:
    payloads, at, more = plain(answer)
    return Message(b"".join(map(frame, payloads)), at, more)


PLAIN_WEBSOCKET = Encoding("plain WebSocket", newest=True, write=_plain_frames)


# -- what is asked ---------------------------------------------------------------------------------


class Wish(NamedTuple):
    """What a viewer asked for, in a query string or a subscribe message.

    :ivar pace: seconds between two flushes, :data:`PACE` times a power of two.
    """

    selection: Selection
    pace: float


def parse_query(query: Mapping[str, str]) -> Wish:
    """Read ``?streams=orders,db.*&pace=1s``; unknown keys are ignored.

    :raises Refused: 400, naming the key.
    """
    streams = query.get("streams")
    names = None if streams is None else [name for name in streams.split(",") if name]
    return Wish(Selection(names), round_pace(query.get("pace")))


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
