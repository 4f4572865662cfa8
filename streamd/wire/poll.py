"""The answer to a long poll: one JSON object for each request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from streamd.core.cursor import Answer
from streamd.core.update import Position
from streamd.wire.encoding import Encoding, Message, closing, encode_json, fitting, member
from streamd.wire.v1 import v1_update


def poll_opening(at: Position, resumed: bool) -> bytes:
    """Return the opening part of an answer, up to its updates."""
    told = b"true" if resumed else b"false"
    return b'{"type":"updates","at":"%b","resumed":%b,"updates":[' % (bytes(at), told)


def poll_answer(
    answer: Answer, texts: Iterable[bytes], about: Iterable[bytes]
) -> tuple[Iterator[bytes], Position]:
    """Return the answer to a poll that resumes, and its position; it has as many updates as fit.

    :param texts: the texts of the updates.
    :param about: the closing part, as :func:`streamd.wire.encoding.closing` yields it.
    """
    some = fitting(texts)
    cut = len(some) < len(answer.updates)
    at = answer.updates[len(some) - 1].at if cut else answer.at
    more = b'"more":true,' if cut or answer.more else b""
    parts = (poll_opening(at, True), b",".join(some), b"]," + more)
    return chain(parts, about), at


def _write_poll(answer: Answer, texts: Iterable[bytes]) -> Message:
    if not (answer.updates or answer.gone or answer.streams or answer.health):
        return b"", answer.at, answer.more
    streams, health = (
        (member(name, encode_json(value)) for name, value in told.items())
        for told in (answer.streams, answer.health)
    )
    parts, at = poll_answer(answer, texts, closing(streams, health, None, answer.gone))
    return b"".join(parts), at, False


POLL = Encoding("long poll", False, v1_update, _write_poll, lambda welcome: (), None)
