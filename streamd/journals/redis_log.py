"""Reads the log in Redis for one node: first the histories, then each new entry.

Any program can write into Redis.  Therefore entries are checked like published values.  A bad entry is
skipped and fails only its own stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import Any, NamedTuple

from msgspec import MsgspecError
from msgspec.json import decode
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from streamd.core.errors import Refused
from streamd.core.histories.blocks import StoredBlocks
from streamd.core.update import LIFE_UNIT, ORIGIN, Position, Update, check_name, check_time
from streamd.core.values import from_json
from streamd.journals.redis_requests import position
from streamd.reactor.redis_client import TIMEOUT, RedisConnection, is_said

WAIT = 1.0
"""Seconds for which Redis waits for news: so often a node sees that Redis is there."""

READ = 500
"""Entries that are read at once."""

FOREIGN = "an entry of the log was not written by streamd, and is skipped"
"""The error of a stream with an entry that cannot be read."""


LATEST = 10**15
"""Milliseconds above those of every position that streamd makes; see ``redis.lua``."""

SHORT = 100
"""Bytes of a value so short that it cannot break the limits of size, depth and numbers."""

_ENTRY = b"stream", b"seq", b"time", b"value"
_HELD = _ENTRY[1:]

_LF, _CR = b"\n\r"


class Another(Exception):
    """Redis has another log than the one that this node followed, or this node missed a part of it."""


class News(NamedTuple):
    """The result of reading the log or the histories.

    :ivar updates: in the order of the log.  An empty value stands for an unreadable one in a
        history.
    :ivar strange: streams of this log with an entry that was skipped.
    """

    updates: list[Update]
    strange: set[str]


class RedisLog:
    """One life of the log, as far as this node has read it.

    :ivar followed: the position of the last entry that was read.
    """

    _log = Logger()

    def __init__(
        self, prefix: str, reactor: Any, life: int, head: Position, seqs: Mapping[str, int]
    ) -> None:
        """:param head: the position of the newest entry.

        :param seqs: stream -> its last ``seq`` at that position, or 0.
        """
        self.life = life
        self.followed = head
        self._prefix = prefix
        self._reactor = reactor
        self._seqs = dict(seqs)

    # -- the histories -----------------------------------------------------------------------------

    async def read_all(self, link: RedisConnection) -> News:
        """Read all histories, and the entries that the log got meanwhile.

        :raises Another: the log was replaced, or has dropped entries that this node did not read.
        """
        held: list[Update] = []
        strange: set[str] = set()
        for name, seq in self._seqs.items():
            try:
                history = await self._history(link, name)
            except Exception as error:
                if not (is_said(error) and "WRONGTYPE" in str(error)):
                    raise
                self._skip(strange, name, error)
                continue
            sound = _sound(history, seq)
            if len(sound) < len(history):
                self._skip(strange, name, "what is not in order")
            held += sound
        held.sort(key=attrgetter("at"))
        # While the histories were read, some of their newest updates may have come and older ones gone.
        while True:
            news = await self.hear(link)
            held += news.updates
            strange |= news.strange
            if len(news.updates) < READ:
                return News(held, strange)

    async def read_blocks(self, link: RedisConnection) -> StoredBlocks:
        """Read the parts of all long histories; parts whose key no node wrote are left out."""
        blocks: dict[str, dict[int, bytes]] = {}
        # The empty name first: the histories may have more than the time with that name says, not less.
        for name in sorted(await self._said(link, "SMEMBERS", f"{self._prefix}rollups")):
            parts = await self._said(link, "HGETALL", self._prefix.encode() + b"rollup:" + name)
            pairs = zip(parts[::2], parts[1::2], strict=True)
            with suppress(ValueError):
                blocks[name.decode()] = {int(number): data for number, data in pairs}
        return blocks

    async def _history(self, link: RedisConnection, name: str) -> list[Update]:
        history: list[Update] = []
        start = "-"
        while True:
            words = (f"{self._prefix}history:{name}", start, "+", "COUNT", READ)
            entries = await self._said(link, "XRANGE", *words)
            for at, fields in entries:
                # Updates of a former life count as updates of this one.
                here = position(at)
                place = Position(here.ms, self.life * LIFE_UNIT + here.n % LIFE_UNIT)
                if place <= self.followed:
                    history.append(_read_held(name, place, fields))
            if len(entries) < READ:
                return history
            start = f"({entries[-1][0].decode()}"

    # -- the log -----------------------------------------------------------------------------------

    async def hear(self, link: RedisConnection, *wait: str | int) -> News:
        """Read the next entries of the log.

        :param wait: ``"BLOCK", ms`` to wait this many milliseconds for an entry.
        :raises Another: the log was replaced, or has dropped entries that this node did not read.
        """
        key = f"{self._prefix}log"
        words = ("COUNT", READ, *wait, "STREAMS", key, str(self.followed))
        answer = await self._said(link, "XREAD", *words)
        entries = answer[0][1] if answer else ()
        if len(entries) == READ:  # so many that Redis may have dropped entries before them
            first = await self._said(link, "XRANGE", key, "-", "+", "COUNT", 1)
            if not first or position(first[0][0]) > self.followed:
                raise Another
        news = News([], set())
        for at, fields in entries:
            place = position(at)
            if place.ms >= LATEST:  # no entry can follow it; opening the log deletes it
                self.followed = ORIGIN
                raise Another
            is_mark, is_ours = fields[0] == b"life", place.life == self.life
            if is_mark or not is_ours:
                await self._check_life(link)
            if not is_mark:
                self._take(news, place, fields if is_ours else ())
            self.followed = place
        return news

    def _take(self, news: News, place: Position, fields: Sequence[bytes]) -> None:
        """Add one entry of the log; one without fields is skipped, like all that streamd did not write.

        :raises Another: an entry before it was missed.
        """
        name, seq, last = "", 0, None
        try:
            first, stream, second, count, third, time, fourth, value, *_ = fields
            if (first, second, third, fourth) != _ENTRY:
                raise ValueError("its fields have other names than streamd's")
            name = stream.decode()
            last = self._seqs.get(name)
            seq = int(count)
            if last is None:
                check_name(name)
            update = _read(name, seq, place, time, value)
        except (Refused, MsgspecError, ValueError) as error:
            self._skip(news.strange, name, error)
            if last is not None and seq == last + 1:
                self._seqs[name] = seq
            return
        if seq != (last or 0) + 1:
            self._log.error("an entry of the log was missed")
            self.followed = ORIGIN  # then open_log() finds that a part was missed
            raise Another
        news.updates.append(update)
        self._seqs[name] = seq if value else 0

    def _skip(self, strange: set[str], name: str, why: object) -> None:
        self._log.error(
            "skipped in Redis what streamd did not write, of {name!r}: {why}", name=name, why=why
        )
        if name in self._seqs:  # a foreign entry must not make a stream
            strange.add(name)

    async def _check_life(self, link: RedisConnection) -> None:
        """Raise :class:`Another` if Redis has another log."""
        if await self._said(link, "HGET", f"{self._prefix}about", "life") != b"%d" % self.life:
            raise Another

    def _said(self, link: RedisConnection, *words: str | bytes | int) -> Deferred[Any]:
        return link.say(*words).addTimeout(TIMEOUT + WAIT, self._reactor)


def _read(name: str, seq: int, at: Position, time: bytes, value: bytes) -> Update:
    """Decode an entry of the log, with the same checks as when an update is published.

    :raises Refused: the time or the value breaks a rule.
    :raises ValueError: a number cannot be parsed, or the value is not UTF-8.
    :raises MsgspecError: the value is not JSON.  Before msgspec 0.21 this is not a ValueError.
    """
    seconds = float(time)
    check_time(seconds)
    if (
        len(value) > SHORT or _LF in value or _CR in value
    ):  # as numbers: a search for bytes costs more
        value = from_json(value)
    elif value:
        decode(value)  # a quarter of the time of from_json, which finds no other fault
    return Update(name, seq, at, seconds, value or None)


def _read_held(name: str, at: Position, fields: Sequence[bytes]) -> Update:
    """Decode an entry of a history; the value is empty if it cannot be read."""
    seq = 0
    try:
        first, count, second, time, third, value, *_ = fields
        if (first, second, third) != _HELD:
            raise ValueError("its fields have other names than streamd's")
        seq = int(count)
        return _read(name, seq, at, time, value)
    except (Refused, MsgspecError, ValueError):
        return Update(name, seq, at, at.ms / 1000, b"")


def _sound(history: Sequence[Update], seq: int) -> list[Update]:
    """Return the updates whose ``seq`` is in order: it grows until the stream is forgotten.

    :param seq: the stream's last ``seq``; 0 if it is forgotten.
    """
    sound: list[Update] = []
    for update in reversed(history):
        if update.seq > 0 and (update.value is None or update.seq <= seq):
            sound.append(update)
            seq = update.seq - 1
    return sound[::-1]
