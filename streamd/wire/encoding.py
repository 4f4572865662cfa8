"""Encodings: turn the updates and changes for a viewer into bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from streamd.core.cursor import Answer
from streamd.core.update import Position, Update

encode_json = msgspec.json.encode

MAX_MESSAGE = 64 * 1024
"""Bytes of one message to a viewer; a single larger update is a message of its own."""

PIECE = 32 * 1024
"""Bytes of a piece of a long message.  A viewer that does not read holds three pieces or four.  A piece
is longer than a fast write, so that other viewers get a turn after each."""

COME_BACK = (0.5, 8)
"""Seconds: the range of the random waits after which viewers come back to a daemon that restarts."""

TICK = 5
"""Seconds between two ticks; a reader that misses two knows that its link is dead."""


Message = tuple[bytes, Position, bool]
"""A triple ``data``, ``at``, ``more``: an answer in bytes, or the part of it that fits one message.

``data`` are the bytes for the socket, empty if there is nothing to tell.  A viewer that has the message
has everything up to the position ``at``.  ``more`` says whether the next message continues the answer.
"""


class Welcome(NamedTuple):
    """The first message to a viewer.

    :ivar now: the server's time, seconds since the epoch.
    :ivar at: the position at which the viewer resumes; the origin if it begins anew.
    :ivar resumed: whether the viewer gets every update that it selects after its position.
    :ivar more: whether updates follow at once.
    :ivar asked: whether the viewer asked to resume after a position.
    :ivar overview: yields the closing part of a message about all selected streams; see
        :mod:`streamd.wire.overview`.
    """

    now: float
    at: Position
    resumed: bool
    more: bool
    asked: bool
    overview: Callable[[], Iterator[bytes]]


class Encoding(NamedTuple):
    """The messages for viewers of one kind; viewers with the same encoding share their messages.

    :ivar name: unique; also used in metrics and logs.
    :ivar newest: whether only the newest update of each stream matters.
    :ivar text: makes the text of one update, which all messages with this update share.
    :ivar write: makes a message of an answer and the texts of its updates; it takes only as many
        texts as fit.
    :ivar welcome: makes the first message, in parts; each part is made when the last one was sent.
    :ivar tick: makes the message that is sent every :data:`TICK` seconds: (now, proofs) -> bytes;
        None if this encoding has no ticks.
    :ivar frame: frames a message for a single viewer; None if this encoding has no such messages.
    """

    name: str
    newest: bool
    text: Callable[[Update], bytes]
    write: Callable[[Answer, Iterable[bytes]], Message]
    welcome: Callable[[Welcome], Iterable[bytes]]
    tick: Callable[[float, Mapping[str, float]], bytes] | None
    frame: Callable[[Payload], bytes] | None = None

    def encode(self, answer: Answer) -> Message:
        """Make a message of an answer; its texts are not shared with other messages."""
        return self.write(answer, map(self.text, answer.updates))


# -- formats: JSON texts ---------------------------------------------------------------------------


class Payload(NamedTuple):
    """One message as JSON, before it is framed for WebSocket or for an event stream.

    :ivar type: the message's type, which an event stream sends as the event's name.
    """

    type: str
    text: bytes


Formatted = tuple[Sequence[Payload], Position, bool]
"""An answer as JSON texts: its messages, and ``at`` and ``more`` as in :data:`Message`."""


class Format(NamedTuple):
    """Makes the JSON texts of an answer; an encoding frames them for its transport.

    :ivar text: as in :class:`Encoding`.
    :ivar write: makes the payloads; its arguments are as in :class:`Encoding`.
    """

    name: str
    text: Callable[[Update], bytes]
    write: Callable[[Answer, Iterable[bytes]], Formatted]


def member(name: str, value: bytes) -> bytes:
    """Return a member of a JSON object; names of streams need no escapes."""
    return b'"%b":%b' % (name.encode(), value)


def closing(
    streams: Iterable[bytes], health: Iterable[bytes], journal: Any, gone: Iterable[str]
) -> Iterator[bytes]:
    """Yield the closing part of a message about streams: ``"streams":{…},"health":{…}}``.

    :param streams: members as :func:`member` writes them; one item may hold several, with commas
        between.
    :param health: the same for the health of streams.
    :param journal: the fields of a ``journal`` message; None leaves them out.
    :param gone: names of streams that were forgotten.
    """
    forgotten = (member(name, b"null") for name in gone)
    yield from _listed(b'"streams":{', chain(forgotten, streams))
    yield from _listed(b'},"health":{', health)
    yield b"}}" if journal is None else b'},"journal":%b}' % encode_json(journal)


def _listed(opening: bytes, members: Iterable[bytes]) -> Iterator[bytes]:
    yield opening
    comma = b""
    for each in members:
        yield comma + each
        comma = b","


def packed(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes lazily, in pieces of at most :data:`PIECE` bytes."""
    held: list[bytes] = []
    size = 0
    for part in parts:
        for start in range(0, len(part), PIECE):
            piece = part[start : start + PIECE]
            if size + len(piece) > PIECE:
                yield b"".join(held)
                held, size = [], 0
            held.append(piece)
            size += len(piece)
    if held:
        yield b"".join(held)


def fitting(parts: Iterable[bytes]) -> list[bytes]:
    """Return the first parts, at least one, that fit one message with commas between.

    ``parts`` is consumed only as far as the message has room.
    """
    some: list[bytes] = []
    total = 0
    for part in parts:
        total += len(part) + 1
        if some and total > MAX_MESSAGE:
            break
        some.append(part)
    return some
