"""The log in Redis as one node reads it: first the histories, then entry after entry.

Anybody with redis-cli can write into Redis.  What is read is checked like what is published: a bad
entry is skipped, its stream fails, and nothing else does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from msgspec import MsgspecError
from msgspec.json import decode
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from streamd.core.errors import Refused
from streamd.core.update import LIFE_UNIT, ORIGIN, Position, Update, check_name, check_time
from streamd.core.values import from_json
from streamd.journals.redis_requests import position
from streamd.reactor.redis_client import TIMEOUT, RedisConnection, is_said

WAIT = 1.0
"""Seconds for which Redis waits for news: so often a node sees that Redis is there."""

READ = 500
"""Entries that are read at once."""

STRANGE = "an entry of the log was not written by streamd, and is skipped"
"""Why a stream fails whose entry cannot be read."""


LATEST = 10**15
"""Milliseconds that no position of ours reaches; see ``redis.lua``."""

SHORT = 100
"""Bytes of a value that cannot be too large or too deep, or hold too large a number."""

_ENTRY = [b"stream", b"seq", b"time", b"value"]
_HELD = _ENTRY[1:]


class Another(Exception):
    """Redis has another log than the one that was followed, or the end of this one was missed."""


class News(NamedTuple):
    """What was read.

    :ivar updates: in the order of the log.  In a history, an empty value is one that cannot be read.
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
        """:param head: where the log stands; :param seqs: stream -> its last ``seq`` there, or 0."""
        self.life = life
        self.followed = head
        self._prefix = prefix
        self._reactor = reactor
        self._seqs = dict(seqs)

    # -- the histories -----------------------------------------------------------------------------

    async def read_all(self, link: RedisConnection) -> News:
        """Read the histories up to where the log stands, and what came meanwhile.

        :raises Another: the log does not go on from there.
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
        """Read what the log says next.

        :param wait: ``"BLOCK", ms``: wait for an entry for so long.
        :raises Another: the log does not go on where it was.
        """
        key = f"{self._prefix}log"
        words = ("COUNT", READ, *wait, "STREAMS", key, str(self.followed))
        answer = await self._said(link, "XREAD", *words)
        entries = answer[0][1] if answer else ()
        if len(entries) == READ:  # so far behind that Redis may have dropped what came before them
            first = await self._said(link, "XRANGE", key, "-", "+", "COUNT", 1)
            if not first or position(first[0][0]) > self.followed:
                raise Another
        news = News([], set())
        for at, fields in entries:
            place = position(at)
            if place.ms >= LATEST:  # nothing comes after it: opening the log takes it away
                self.followed = ORIGIN
                raise Another
            is_mark = fields[0] == b"life"
            if is_mark or place.life != self.life:
                await self._check_life(link)
            if not is_mark:
                self._take(news, place, fields)
            self.followed = place
        return news

    def _take(self, news: News, place: Position, fields: Sequence[bytes]) -> None:
        """Add one entry of the log.

        :raises Another: an entry before it was missed.
        """
        name, seq = "", 0
        try:
            if fields[0:8:2] != _ENTRY or place.life != self.life:
                raise ValueError("its fields, or its position, are not ours")
            stream, count, time, value = fields[1:8:2]
            name = stream.decode()
            seq = int(count)
            if name not in self._seqs:
                check_name(name)
            update = _read(name, seq, place, time, value)
        except (Refused, MsgspecError, ValueError) as error:
            self._skip(news.strange, name, error)
            if name in self._seqs and seq == self._seqs[name] + 1:
                self._seqs[name] = seq
            return
        if seq != self._seqs.get(name, 0) + 1:
            self._log.error("an entry of the log was missed")
            self.followed = ORIGIN  # which Redis takes for a position that it dropped
            raise Another
        news.updates.append(update)
        self._seqs[name] = seq if value else 0

    def _skip(self, strange: set[str], name: str, why: object) -> None:
        self._log.error(
            "skipped in Redis what streamd did not write, of {name!r}: {why}", name=name, why=why
        )
        if name in self._seqs:  # a stream that nobody knows is not made by garbage
            strange.add(name)

    async def _check_life(self, link: RedisConnection) -> None:
        """:raises Another: Redis has another log."""
        if await self._said(link, "HGET", f"{self._prefix}about", "life") != b"%d" % self.life:
            raise Another

    def _said(self, link: RedisConnection, *words: str | int) -> Deferred[Any]:
        return link.say(*words).addTimeout(TIMEOUT + WAIT, self._reactor)


def _read(name: str, seq: int, at: Position, time: bytes, value: bytes) -> Update:
    """Return the update that an entry is, checked as it is checked where it is published.

    :raises Refused: as there.
    :raises ValueError: a number is none, or the value is no JSON.
    """
    seconds = float(time)
    check_time(seconds)
    if len(value) > SHORT or b"\n" in value or b"\r" in value:
        value = from_json(value)
    elif value:
        decode(value)  # a quarter of the time of from_json, which finds no other fault
    return Update(name, seq, at, seconds, value or None)


def _read_held(name: str, at: Position, fields: Sequence[bytes]) -> Update:
    """Return the update that an entry of a history is; with an empty value if it cannot be read."""
    seq = 0
    try:
        if fields[0:6:2] != _HELD:
            raise ValueError("its fields are not ours")
        count, time, value = fields[1:6:2]
        seq = int(count)
        return _read(name, seq, at, time, value)
    except (Refused, ValueError):
        return Update(name, seq, at, at.ms / 1000, b"")


def _sound(history: Sequence[Update], seq: int) -> list[Update]:
    """Return the updates whose ``seq`` is in order: it grows until the stream is forgotten.

    :param seq: the stream's last one; 0: it is forgotten.
    """
    sound: list[Update] = []
    for update in reversed(history):
        if update.seq > 0 and (update.value is None or update.seq <= seq):
            sound.append(update)
            seq = update.seq - 1
    return sound[::-1]
