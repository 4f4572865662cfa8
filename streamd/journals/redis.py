"""The log in Redis (6.2 and later): many nodes, one system.

Requests go to Redis in steps, one after the other.  A step is one call of ``redis.lua``, which decides
and writes all of it at once.  Over a second connection every node reads every update as an entry of the
log.  An append is answered when its node has read the log up to it.

All keys have one prefix (``streamd:``), and anybody with redis-cli can read them:

=====================  =======  ==================================================================
``log``                stream   the newest updates of all streams, as nodes follow them; ``by`` names
                                the node, and the number of its lease
``history:NAME``       stream   the updates of one stream, as far as the nodes keep them
``state``              hash     stream -> its newest value, JSON
``seqs``               hash     stream -> its last ``seq``; 0: it was forgotten
``places``             hash     source -> its cursor
``fences``             hash     lease -> its newest number
``lease:NAME``         string   the node that holds the lease, until it expires
``records:KIND``       hash     small records by name: idempotency keys, sources' health, screens
``rollup:NAME``        hash     parts of a stream's long history, by their numbers
``rollups``            set      the names of the streams that have such parts
``expires:KIND``       zset     when the records expire, in milliseconds
``shares``             hash     publisher -> how much its idempotency keys take
``about``              hash     the log's life, its last position, its horizon, how much is recorded,
                                the node that wrote last, and the version of this format
=====================  =======  ==================================================================

An acknowledged update is in the memory of the Redis master.  The configuration of Redis decides whether
it survives a crash: with ``appendonly yes`` and ``appendfsync always`` it does.  If Redis comes back
with less than a node has read, or with nothing, the log gets a new life.

The module is long because of the table above.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from streamd.config.extras import needs_extra
from streamd.config.fields import ConfigError, Secret
from streamd.config.kind import Kind, Surroundings
from streamd.core.histories.blocks import Blocks
from streamd.core.update import ORIGIN, Draft, Position, Update
from streamd.journals import redis_requests as requests
from streamd.journals.journal import Away, Fence, Follower, Key, SourceCursor, Unusable
from streamd.journals.queue import TRIM_BYTES, Outcome, QueuedRequest, cost_of_blocks
from streamd.journals.queued_journal import QueuedJournal
from streamd.journals.redis_log import FOREIGN, WAIT, Another, RedisLog
from streamd.journals.redis_session import RedisNode, RedisSession
from streamd.reactor.redis_client import (
    STRANGE,
    Broken,
    RedisConnection,
    RedisUrl,
    explain,
    is_said,
    reading_replies,
    refusal,
)

PREFIX = "streamd:"

RETRY = 0.5
"""Seconds between two attempts to reach Redis."""

AT_ONCE = 2
"""Steps under way: Redis carries out one while this node reads the last one and makes the next."""

TOLD = {
    "missed": "the end of the log was missed: all was read anew",
    "gone": "Redis lost the log: another one has begun",
    "lost": "Redis lost the end of the log: another life of it has begun",
    "other": "Redis has another log than before",
}
"""The messages for a log that is not the one that this node followed."""


class RedisJournal(QueuedJournal[requests.RedisRequest]):
    """The journal of this node in Redis; see :class:`~streamd.journals.journal.SharedJournal`.

    The class is long because requests, reconnecting and reading share one session.

    :ivar life: the life of the log that this node follows.
    """

    shared = True

    def __init__(
        self,
        url: RedisUrl,
        password: str,
        reactor: Any,
        now: Callable[[], float],
        prefix: str = PREFIX,
    ) -> None:
        """:param now: returns seconds since the epoch, for positions and times."""
        super().__init__(0, "Redis", reactor.seconds, AT_ONCE)
        self.node = secrets.token_hex(6)
        self._about = RedisNode(self.node, prefix, now)
        self._url, self._password = url, password
        self._reactor = reactor
        self._read: RedisLog | None = None  # the log that the follower knows
        self._started: Deferred[None] = Deferred()
        self._checked = self._closed = False
        self._session: RedisSession | None = None
        self._serving: Deferred[None] | None = None

    # -- the methods of SharedJournal --------------------------------------------------------------

    def start(self, follower: Follower) -> Deferred[None]:
        """See :meth:`Journal.start`.

        The Deferred fires when the log was read, or when the follower was told that Redis is away.  In
        the second case the follower is told the log as soon as Redis is back.
        """
        self._tell_to(follower)
        self._serving = Deferred.fromCoroutine(self._serve())
        self._serving.addErrback(self._end)
        return self._started

    def append(
        self,
        drafts: Sequence[Draft],
        key: Key | None = None,
        cursor: SourceCursor | None = None,
        fence: Fence | None = None,
    ) -> Deferred[Sequence[Update]]:
        request = requests.append(drafts, key, cursor, fence, self._about.now())
        return self._queue.ask(request, drafts=drafts)

    def receipt(self, key: Key) -> Deferred[Sequence[Update] | None]:
        return self._queue.ask(requests.receipt(key))

    def place(self, source: str) -> Deferred[str | None]:
        return self._queue.ask(requests.place(source))

    def put(
        self,
        kind: str,
        name: str,
        record: bytes,
        seconds: float | None,
        fence: Fence | None = None,
    ) -> Deferred[None]:
        return self._queue.ask(requests.put(kind, name, record, seconds, fence), len(record))

    def swap(
        self, kind: str, name: str, expected: bytes | None, record: bytes, seconds: float | None
    ) -> Deferred[bool]:
        request = requests.swap(kind, name, expected, record, seconds)
        return self._queue.ask(request, len(record) + len(expected or b""))

    def records(self, kind: str) -> Deferred[Mapping[str, bytes]]:
        return self._queue.ask(requests.records(kind))

    def acquire(self, lease: str, seconds: float) -> Deferred[Fence | None]:
        return self._queue.ask(requests.acquire(lease, seconds))

    def release(self, lease: str) -> Deferred[None]:
        return self._queue.ask(requests.release(lease))

    def store(self, blocks: Blocks, fence: Fence | None = None) -> Deferred[None]:
        return self._queue.ask(requests.store(blocks, fence), cost_of_blocks(blocks))

    def stored(self, name: str) -> Deferred[Mapping[int, bytes]]:
        return self._queue.ask(requests.stored(name))

    def read_again(self) -> None:
        if self._read is not None and self._session is not None:
            self._read.followed = ORIGIN  # then open_log() finds that a part was missed
            self._session.end(Another())
            self._queue.refuse(Away(TOLD["other"]))

    def trim(self, first: Mapping[str, Position], horizon: Position) -> Deferred[None]:
        return self._queue.ask(requests.trim(first, horizon), TRIM_BYTES * len(first))

    def _close(self) -> Deferred[None]:
        serving, self._serving = self._serving, None
        if serving is None:
            return succeed(None)

        def end(result: None) -> Deferred[None]:
            self._closed = True
            serving.cancel()
            return serving

        # In the next turn: the coroutine to cancel may be the one that is calling this method.
        return deferLater(self._reactor, 0).addCallback(end)

    # -- steps -------------------------------------------------------------------------------------

    async def _carry_out(self, step: Sequence[requests.RedisRequest]) -> Outcome:
        words = [word for request in step for word in request.words]
        session, refused = self._session, self._queue.refusal
        try:
            if session is None:
                raise Broken("Redis closed the connection")
            replies = await session.call(str(self.life), *words)
            if not isinstance(replies, list) or len(replies) != len(step):
                raise Broken(STRANGE)
        except Exception as error:
            raise self._step_failed(session, error) from error
        answers: list[Any] = []
        at = ORIGIN
        for request, reply in zip(step, replies, strict=True):
            try:
                answers.append(request.read(reply))
            except Exception:
                answers.append(Failure())
            else:
                if request.commits and answers[-1]:
                    at = max(at, answers[-1][-1].at)
        if refused is not None:  # a step that began before may only have read
            self._find()
        return answers, at

    def _step_failed(self, session: RedisSession | None, error: Exception) -> Away:
        """Return the error for a step that Redis refused, or that Redis may have carried out."""
        if session is not None and session.ended is not None:
            return Away(self._reason(session.ended))  # it was refused when a step before it failed
        if is_said(error) and str(error).startswith("LIFE"):
            error = Another()
        elif is_said(error) and refusal(str(error)) and "READONLY" not in str(error):
            return self._lose(self._reason(error))  # the node still reads, and probes try again
        if session is not None:
            # The node connects again; opening the log repairs keys that other programs have damaged.
            session.end(error)
        away = Away(self._reason(error))
        self._queue.refuse(away)
        return away

    # -- connect, and connect again ----------------------------------------------------------------

    def _lose(self, why: str) -> Away:
        away = super()._lose(why)
        self._tell_started()
        return away

    def _tell_started(self) -> None:
        if not self._started.called:
            self._started.callback(None)

    def _reason(self, error: BaseException) -> str:
        """Return the reason why Redis cannot be used, a sentence that walls show."""
        if isinstance(error, Another):
            return TOLD["other"]
        if isinstance(error, Unusable):
            return str(error)
        why = explain(error)
        if why is None:
            self._log.failure("the journal failed", Failure(error))
        return why or "the journal failed, see the log"

    async def _serve(self) -> None:
        """Follow the log, and connect again after every failure, until the journal is closed.

        :raises Unusable: during the start, if this Redis can never be used.
        """
        while not self._closed:
            session = RedisSession(self._reactor, self._about)
            try:
                with reading_replies():
                    await self._run(session)
            except CancelledError:
                raise
            except Exception as error:
                if self._closed:  # so ends a connection that was being made
                    return
                self._ended(session.ended or error)
            finally:
                self._session = None
                session.close()
            await deferLater(self._reactor, RETRY)

    def _ended(self, why: Exception) -> None:
        """Tell the follower why a session ended.

        :raises Unusable: during the start, if this Redis can never be used.
        """
        is_final = isinstance(why, Unusable) or (is_said(why) and not refusal(str(why)))
        if isinstance(why, Another):  # no request goes to the other log before it was read
            self._queue.refuse(Away(self._reason(why)))
        elif self._started.called or not is_final:
            self._lose(self._reason(why))
        else:
            raise why if isinstance(why, Unusable) else Unusable(f"journal.url: {explain(why)}")

    def _end(self, failure: Failure) -> None:
        if not self._started.called:
            self._started.errback(failure)
        elif not failure.check(CancelledError):
            self._log.failure("the journal stands still", failure)

    async def _run(self, session: RedisSession) -> None:
        """Follow the log until the session ends."""
        await session.connect(self._url, self._password)
        self._session = session
        if not self._checked:
            await session.check()
            self._checked = True
        refused, log = await self._open_log(session)
        if "READONLY" in refused:  # the master is somewhere else now
            raise Broken(refusal(refused) or "")
        if refused:
            self._lose(refusal(refused) or f"Redis: {refused}")
        else:
            self._find()
        self._tell_started()
        await self._follow(session.news, log)

    # -- read the log ------------------------------------------------------------------------------

    async def _open_log(self, session: RedisSession) -> tuple[str, RedisLog]:
        """Continue the log after the last entry that was read, or read all of it again.

        All of it is read if Redis has another log, or if this node missed a part of it.

        :returns: the reason why Redis cannot be written (empty if it can), and the log.
        :raises Unusable: a newer streamd has made the log.
        """
        known = None if self._read is None else (self._read.life, self._read.followed)
        opened = await session.open_log(known)
        if opened.said == "same" and self._read is not None:
            while await self._hear(session.news, self._read):
                pass  # the follower is told what it missed before it is told that Redis is back
            return opened.refused, self._read
        self._log.info(
            "this is node {node} of log {life} in Redis", node=self.node, life=opened.life
        )
        log = RedisLog(self._about.prefix, self._reactor, opened.life, opened.head, opened.seqs)
        held, strange = await log.read_all(session.news)
        # After the updates: another node deletes updates once it has stored them as blocks.
        blocks = await log.read_blocks(session.news)
        why = TOLD[opened.said] if self._read is not None else None
        if why is not None:
            self._log.error("{why}", why=why)
        self.life, self._read = log.life, log
        self._queue.follow(log.followed)
        try:
            self._follower.restore(log.life, held, opened.horizon, blocks)
        except Exception:
            self._log.failure("the follower failed on the log")
        self._tell_strange(strange)
        if why is not None and opened.said != "missed":
            self._follower.lost(why)
        return opened.refused, log

    async def _follow(self, link: RedisConnection, log: RedisLog) -> None:
        """Read new entries of the log, and tell the follower about them, until the session ends."""
        while True:
            awaited = self._queue.awaited
            heard = await self._hear(link, log, "BLOCK", int(WAIT * 1000))
            if self._queue.refusal is not None and self._queue.idle:
                probe = QueuedRequest(requests.probe(), Deferred())
                self._queue.put(probe).addErrback(lambda failure: failure.trap(Away))
            # In a failover the two connections may lead to two different servers.
            if awaited is not None and not heard and awaited is self._queue.awaited:
                raise Broken("two Redis servers answer to one name")

    async def _hear(self, link: RedisConnection, log: RedisLog, *wait: str | int) -> bool:
        """Tell the follower the next entries of the log; return whether there were updates."""
        updates, strange = await log.hear(link, *wait)
        self._tell(updates)
        self._tell_strange(strange)
        self._queue.follow(log.followed)
        return bool(updates)

    def _tell_strange(self, strange: set[str]) -> None:
        if strange:
            self._follower.skipped(strange, FOREIGN)


class RedisJournalSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The table ``[journal]`` with ``url``.

    :ivar prefix: the prefix of all keys; two systems in one Redis need different ones.
    """

    url: RedisUrl
    password: Secret | None = None
    prefix: str = PREFIX


def _make(name: str, settings: RedisJournalSettings, surroundings: Surroundings) -> RedisJournal:
    password = settings.url.password
    if settings.password is not None:
        password = surroundings.reveal("journal.password", settings.password)
    try:
        import hiredis  # noqa: F401
    except ImportError:
        needs = needs_extra("Redis", "hiredis", "redis")
        raise ConfigError([f"journal.url: {needs}"]) from None
    return RedisJournal(
        settings.url, password, surroundings.reactor, surroundings.now, settings.prefix
    )


KIND = Kind("redis", frozenset(("redis:", "rediss:", "prefix")), RedisJournalSettings, _make)
