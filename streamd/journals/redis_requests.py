"""The requests to ``redis.lua``: encodes their arguments, and decodes the replies."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from streamd.core.histories.blocks import Blocks
from streamd.core.update import (
    LIFE_UNIT,
    MAX_TIME,
    ORIGIN,
    Draft,
    Position,
    Update,
    parse_position,
)
from streamd.journals.journal import (
    KEY_LIFETIME,
    Conflict,
    Fence,
    Key,
    Outrun,
    SourceCursor,
    TooManyKeys,
)

LOG_SIZE = 128 * 2**20
"""Bytes of the log in Redis beyond which half of its entries are dropped."""

_NUMBER = re.compile(rb"-?[0-9]{1,12}")
"""Matches the number of a part as streamd writes it: Python would convert only some others."""

Words = list[str | bytes | int]


class RedisRequest(NamedTuple):
    """One request to the script ``redis.lua``.

    :ivar words: the name and the arguments of the request.
    :ivar read: turns the script's reply into the answer, or raises the error of the request.
    :ivar commits: whether the answer is a list of updates.  It is given when the node has read them in
        the log.
    """

    words: Words
    read: Callable[[Any], Any]
    commits: bool = False


def append(
    drafts: Sequence[Draft],
    key: Key | None,
    cursor: SourceCursor | None,
    fence: Fence | None,
    now: float,
) -> RedisRequest:
    """See :meth:`SharedJournal.append`.

    :param now: seconds since the epoch: the time of drafts that have none.
    """
    now = min(max(now, 0.0), MAX_TIME)  # other nodes refuse other times
    words: Words = ["append"]
    words += ("", "", 0) if key is None else (*_key(key), int(KEY_LIFETIME * 1000))
    words += ("", "", "") if cursor is None else (cursor.source, *_places(cursor))
    words += _fence(fence)
    words.append(len(drafts))
    stamp = repr(now)
    for draft in drafts:
        time = stamp if draft.time is None else repr(draft.time)
        words += (draft.stream, draft.value or b"", time)

    def read(reply: Any) -> Sequence[Update]:
        said, *rest = reply
        if said == b"done":
            return _committed(drafts, now, *rest)
        if said == b"full":
            raise TooManyKeys
        if said == b"outrun":
            raise _outrun(rest[0])
        return _receipt(reply) or ()

    return RedisRequest(words, read, commits=True)


def _committed(drafts: Sequence[Draft], now: float, first: bytes, *seqs: int) -> Sequence[Update]:
    """Return the updates of an append.

    :param first: the position of the first one; those of the others follow it.
    :param seqs: the ``seq`` of each draft; 0 for one that changed nothing.
    """
    at = position(first) if first else ORIGIN
    ms, n = at.ms, at.n
    updates = []
    for draft, seq in zip(drafts, seqs, strict=True):
        if seq:
            time = now if draft.time is None else draft.time
            updates.append(Update(draft.stream, seq, Position(ms, n), time, draft.value))
            n += 1
    return updates


def receipt(key: Key) -> RedisRequest:
    """See :meth:`Journal.receipt`."""
    return RedisRequest(["receipt", *_key(key)], _receipt)


def place(source: str) -> RedisRequest:
    """See :meth:`Journal.place`."""
    return RedisRequest(["place", source], lambda held: None if held is None else held.decode())


def put(
    kind: str, name: str, record: bytes, seconds: float | None, fence: Fence | None
) -> RedisRequest:
    """See :meth:`SharedJournal.put`."""
    lasts = _milliseconds(seconds)
    return RedisRequest(["put", kind, name, record, lasts, *_fence(fence)], _read_fenced)


def swap(
    kind: str, name: str, expected: bytes | None, record: bytes, seconds: float | None
) -> RedisRequest:
    """See :meth:`Journal.swap`."""
    held = b"" if expected is None else b"=" + expected
    return RedisRequest(["swap", kind, name, held, record, _milliseconds(seconds)], bool)


def records(kind: str) -> RedisRequest:
    """See :meth:`Journal.records`.  Names that are not UTF-8 are left out: no node wrote them."""

    def read(flat: Any) -> Mapping[str, bytes]:
        found = zip(flat[::2], flat[1::2], strict=True)
        return {text(name): data for name, data in found if text(name)}

    return RedisRequest(["records", kind], read)


def acquire(lease: str, seconds: float) -> RedisRequest:
    """See :meth:`SharedJournal.acquire`."""

    def read(number: int | None) -> Fence | None:
        return None if number is None else Fence(lease, number)

    return RedisRequest(["acquire", lease, int(seconds * 1000)], read)


def release(lease: str) -> RedisRequest:
    """See :meth:`SharedJournal.release`."""
    return RedisRequest(["release", lease], _read_nothing)


def trim(first: Mapping[str, Position], horizon: Position) -> RedisRequest:
    """See :meth:`Journal.trim`."""
    words: Words = ["trim", horizon.ms, horizon.n % LIFE_UNIT, LOG_SIZE, len(first)]
    for name, at in first.items():
        words += (name, at.ms, at.n % LIFE_UNIT)
    return RedisRequest(words, _read_nothing)


def store(blocks: Blocks, fence: Fence | None) -> RedisRequest:
    """See :meth:`SharedJournal.store`."""
    words: Words = ["store", *_fence(fence), sum(map(len, blocks.values()))]
    for stream, parts in blocks.items():
        for number, data in parts.items():
            words += (stream, number, data or b"")
    return RedisRequest(words, _read_fenced)


def stored(name: str) -> RedisRequest:
    """See :meth:`SharedJournal.stored`.

    Parts are left out if no node can have written their number.
    """

    def read(flat: Any) -> Mapping[int, bytes]:
        parts = zip(flat[::2], flat[1::2], strict=True)
        return {int(number): data for number, data in parts if _NUMBER.fullmatch(number)}

    return RedisRequest(["stored", name], read)


def probe() -> RedisRequest:
    """Return a request that writes, to find out whether Redis accepts writes."""
    return RedisRequest(["probe"], _read_nothing)


def position(at: bytes) -> Position:
    """Return the position for the id of an entry in a Redis Stream."""
    ms, n = at.split(b"-")
    return Position(int(ms), int(n))


def text(name: bytes) -> str:
    """Return a name in Redis as text; empty if it is not UTF-8."""
    try:
        return name.decode()
    except UnicodeError:
        return ""


def _milliseconds(seconds: float | None) -> str | int:
    """Return how long a record is kept; empty for ever."""
    return "" if seconds is None else int(seconds * 1000)


def _read_nothing(reply: Any) -> None:
    pass


def _read_fenced(reply: Any) -> None:
    if isinstance(reply, list):
        raise _outrun(reply[1])


def _outrun(what: bytes) -> Outrun:
    return Outrun(f"{what.decode()}: somebody else went on")


def _fence(fence: Fence | None) -> tuple[str, int]:
    return ("", 0) if fence is None else fence


def _key(key: Key) -> tuple[str, str]:
    return key.name, key.digest.hex()


def _places(cursor: SourceCursor) -> tuple[str, str]:
    """Return the expected cursor after a ``=`` (empty if none is expected), and the new cursor."""
    return "" if cursor.expected is None else f"={cursor.expected}", cursor.place


def _receipt(reply: Sequence[Any]) -> Sequence[Update] | None:
    if reply[0] == b"none":
        return None
    if reply[0] == b"conflict":
        raise Conflict
    said = msgspec.json.decode(reply[1], type=list[tuple[str, int, str, float]])
    return [
        Update(stream, seq, parse_position(at) or ORIGIN, time, b"")
        for stream, seq, at, time in said
    ]
