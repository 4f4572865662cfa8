"""One session with Redis: two connections, and the script that carries out steps."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from streamd.core.errors import Refused
from streamd.core.update import LIFE_UNIT, ORIGIN, Position, check_name
from streamd.journals.journal import DOWNGRADE, Unusable
from streamd.journals.log_state import MAX_RECORDED, draw_life
from streamd.journals.redis_requests import position, text
from streamd.reactor.redis_client import TIMEOUT, Broken, RedisConnection, RedisUrl, connect

SCRIPT = Path(__file__).with_name("redis.lua").read_text("utf-8")
_SHA = sha1(SCRIPT.encode()).hexdigest()

STEP = 10.0
"""Seconds that a step may take: a step with 10,000 updates takes a tenth of a second."""

_SEQ = re.compile(rb"[0-9]{1,18}")
"""Matches what streamd writes: Python would raise ValueError for more than 4300 digits."""

FORGOT = "Redis forgot its scripts and carried out steps in another order"

OLDEST = (6, 2)
"""The first version of Redis that has all commands that streamd uses."""


class RedisNode(NamedTuple):
    """The identity of this node in Redis.

    :ivar name: the name of the node.
    :ivar prefix: the prefix of all keys.
    :ivar now: returns seconds since the epoch.
    """

    name: str
    prefix: str
    now: Callable[[], float]


class Opened(NamedTuple):
    """The log in Redis, as a session found it.

    :ivar said: ``same`` if the node can continue at its position; else why it has to read the log
        again.
    :ivar life: the life of the log.
    :ivar head: its last position.
    :ivar horizon: see :meth:`Journal.trim`.
    :ivar refused: the reason why Redis cannot be written; empty if it can.
    :ivar seqs: stream -> its last ``seq``; 0 if it was forgotten.
    """

    said: str
    life: int
    head: Position
    horizon: Position
    refused: str
    seqs: Mapping[str, int]


class RedisSession:
    """Two connections to Redis, which end together: one for steps, one for reading the log.

    :ivar news: the connection that waits for new entries of the log.
    :ivar ended: the error of the step that ended the session, or None.
    """

    _log = Logger()

    def __init__(self, reactor: Any, node: RedisNode) -> None:
        self.news: RedisConnection
        self.ended: Exception | None = None
        self._steps: RedisConnection
        self._links: list[RedisConnection] = []
        self._sent_again = 0  # calls without a reply that were sent with the whole script
        self._reactor = reactor
        self._node = node

    async def connect(self, url: RedisUrl, password: str) -> None:
        """Open the connection for steps and the one for reading the log.

        :raises Exception: :func:`~streamd.reactor.redis_client.explain` turns it into a sentence.
        """
        for _ in range(2):
            self._links.append(await connect(self._reactor, url, password))
        self._steps, self.news = self._links
        self._steps.on_lost = self.news.abort

    async def call(self, life: str, *words: str | bytes | int) -> Any:
        """Call the script and return its reply; send the whole script if Redis has forgotten it.

        Calls may be sent before those before them have a reply.  Redis carries them out in order.

        :param life: the life of the log; empty if the words open the log.
        :raises Broken: between two calls, another client sent the script that Redis had forgotten: then
            Redis refuses the first one, and carries out the second.
        """
        now = self._node.now()
        node = (life, int(now * 1000), repr(now), self._node.name, MAX_RECORDED)
        arguments = (1, self._node.prefix, *node, *words)
        seconds = STEP if life else TIMEOUT
        try:
            reply = await self._say(seconds, "EVALSHA", _SHA, *arguments)
        except Exception as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
        else:
            if self._sent_again:
                raise Broken(FORGOT)
            return reply
        self._sent_again += 1
        try:
            return await self._say(seconds, "EVAL", SCRIPT, *arguments)
        finally:
            self._sent_again -= 1

    def _say(self, seconds: float, *words: str | bytes | int) -> Deferred[Any]:
        return self._steps.say(*words).addTimeout(seconds, self._reactor)

    async def open_log(self, known: tuple[int, Position] | None) -> Opened:
        """Open the log; make one if Redis has no log.

        :param known: the life and the position up to which this node has read the log; None if it has
            read nothing.
        :raises Unusable: a newer streamd has made the log.
        """
        life, at = ("", "") if known is None else (str(known[0]), str(known[1]))
        said, *reply = await self.call("", draw_life(), life, at)
        if said == b"newer":
            raise Unusable(
                f"journal.url: the log in Redis has format {reply[0].decode()}, of a newer streamd; "
                + DOWNGRADE
            )
        found, ms, i = int(reply[0]), int(reply[2]), int(reply[3])
        horizon = Position(ms, found * LIFE_UNIT + i) if ms else ORIGIN
        head = position(reply[1]) if reply[1] else ORIGIN
        return Opened(said.decode(), found, head, horizon, reply[4].decode(), _seqs(reply[5]))

    async def check(self) -> None:
        """Raise :class:`Unusable` if the version or the configuration of this Redis does not suit."""
        said: Deferred[bytes] = self.news.say("INFO")
        about = (await said.addTimeout(TIMEOUT, self._reactor)).decode()
        lines = dict(line.split(":", 1) for line in about.splitlines() if ":" in line)
        version, policy = lines.get("redis_version", "0"), lines.get("maxmemory_policy", "")
        if tuple(map(int, version.split(".")[:2])) < OLDEST:
            raise Unusable(f"journal.url: Redis is {version}; 6.2 or later is needed")
        if policy.startswith("allkeys"):
            raise Unusable(
                f"journal.url: Redis drops keys when it is full (maxmemory-policy {policy}); "
                "noeviction is needed"
            )

    def end(self, why: Exception) -> None:
        """End the session because a step failed; reading the log then fails, too."""
        self.ended = why
        self._steps.abort()

    def close(self) -> None:
        """Close both connections."""
        for link in self._links:
            link.on_lost = lambda: None
            link.abort()


def _seqs(flat: Sequence[bytes]) -> dict[str, int]:
    """Return the last ``seq`` of each stream; invalid names are left out."""
    seqs: dict[str, int] = {}
    for name, seq in zip(flat[::2], flat[1::2], strict=True):
        try:
            seqs[check_name(text(name))] = int(seq) if _SEQ.fullmatch(seq) else 0
        except Refused:
            RedisSession._log.error(
                "skipped in Redis what streamd did not write: {name}", name=name
            )
    return seqs
