"""The log in Redis (6.2 and later): many nodes, one system.

Whatever is asked goes to Redis in steps, one after the other: a step is one call of ``redis.lua``, in
which all that waits is decided and written in one go.  What was committed comes back as entries of the
log, to every node alike, over a second connection; an append is answered when its node has followed
the log that far.

What is kept, under one prefix (``streamd:``), for anybody with redis-cli:

=====================  =======  ==================================================================
``log``                stream   the newest updates of all streams, as nodes follow them; each ``by`` a
                                node, with the number of its lease
``history:NAME``       stream   those of one stream, as far as the nodes keep them
``state``              hash     stream -> its newest value, JSON
``seqs``               hash     stream -> its last ``seq``; 0: it was forgotten
``places``             hash     source -> its cursor
``fences``             hash     lease -> its newest number
``lease:NAME``         string   the node that has it, until it expires
``records:KIND``       hash     small records by name: idempotency keys, sources' health, screens
``expires:KIND``       zset     when those expire, in milliseconds
``about``              hash     the log's life, its last position, up to where it was let go, how much
                                is recorded, and the node that wrote last
=====================  =======  ==================================================================

Acknowledged means that Redis, the master, has it: how long that lasts is Redis's own business
(``appendonly yes`` and ``appendfsync always`` for all that may happen to the machine).  When Redis
comes back with less than a node has seen, or with nothing, a new life of the log begins.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha1
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from streamd.config.extras import needs_extra
from streamd.config.fields import ConfigError, Secret
from streamd.config.kind import Kind, Surroundings
from streamd.core.errors import Refused
from streamd.core.update import LIFE_UNIT, ORIGIN, Draft, Position, Update, parse_position, size_of
from streamd.journals.book import MAX_RECORDED, draw_life
from streamd.journals.journal import (
    KEY_LIFETIME,
    Away,
    Conflict,
    Fence,
    Follower,
    Key,
    Outrun,
    SourceCursor,
    Unusable,
)
from streamd.journals.queue import MAX_WAITING, MAX_WAITING_BYTES, STEP_UPDATES
from streamd.reactor.redis_client import (
    TIMEOUT,
    Broken,
    RedisConnection,
    RedisUrl,
    connect,
    explain,
    is_said,
    refusal,
)

T = TypeVar("T")

PREFIX = "streamd:"

SCRIPT = Path(__file__).with_suffix(".lua").read_text("utf-8")
_SHA = sha1(SCRIPT.encode()).hexdigest()

STEP = 10.0
"""Seconds that a step may take: of 10,000 updates it takes a tenth of one."""

WAIT = 1.0
"""Seconds for which Redis is asked to wait for news; so often it is seen that it is there."""

RETRY = 0.5
"""Seconds between two attempts to reach it."""

READ = 500
"""Updates that are read at once."""

LOG_SIZE = 128 * 2**20
"""Bytes of the log in Redis beyond which half of it goes."""

TOLD = {
    "missed": "the end of the log was missed: all was read anew",
    "gone": "Redis lost the log: another one has begun",
    "lost": "Redis lost the end of the log: another life of it has begun",
    "other": "Redis has another log than before",
}
"""What is said of a log that is not the one that was followed."""

OLDEST = (6, 2)
"""The version of Redis that first has all that is needed."""


class Another(Exception):
    """Redis has another log than the one that was followed, or the end of this one was missed."""


class RedisAsked(NamedTuple):
    """What waits for its step, or for its answer.

    :ivar words: of the question.
    :ivar read: makes the answer of what Redis says.
    :ivar size: bytes of values; :ivar updates: how many.
    """

    words: Sequence[str | bytes | int]
    read: Callable[[Any], Any]
    answer: Deferred[Any]
    size: int
    updates: int


class Answered(NamedTuple):
    """What a step gave, and up to where the log has to be followed before that is told."""

    asked: Sequence[RedisAsked]
    answers: Sequence[Any]
    at: Position


class RedisJournal:
    """Keeps the promise of a journal for this node, among others.

    :ivar life: of the log that is followed.
    :ivar shared: there may be other nodes.
    """

    _log = Logger()
    shared = True

    def __init__(
        self,
        url: RedisUrl,
        password: str,
        reactor: Any,
        now: Callable[[], float],
        prefix: str = PREFIX,
        draw: Callable[[], int] = draw_life,
    ) -> None:
        """:param now: seconds since the epoch, for positions and times.

        :param draw: gives the life of a log that begins.
        """
        self.life = 0
        self.node = secrets.token_hex(6)
        self._url, self._password = url, password
        self._reactor = reactor
        self._now = now
        self._prefix = prefix
        self._draw = draw
        self._follower: Follower
        self._started: Deferred[None] = Deferred()
        self._open = self._closed = False
        self._why: str | None = "Redis was not reached yet"
        self._told_why: str | None = None
        self._steps: RedisConnection | None = None
        self._serving: Deferred[None] | None = None
        self._waiting: deque[RedisAsked] = deque()
        self._flying: Sequence[RedisAsked] = ()
        self._answered: deque[Answered] = deque()
        self._size = self._count = 0
        self._followed = ORIGIN
        self._seqs: dict[str, int] = {}
        self._ended: Exception | None = None  # why a step ended the session
        self._idle: Deferred[None] | None = None

    # -- the promise, see there --------------------------------------------------------------------

    def start(self, follower: Follower) -> Deferred[None]:
        self._follower, self._open = follower, True
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
        now = self._now()
        words: list[str | bytes | int] = ["append"]
        words += ("", "", 0) if key is None else (*_key(key), int(KEY_LIFETIME * 1000))
        words += ("", "", "") if cursor is None else (cursor.source, *_places(cursor))
        words += ("", 0) if fence is None else fence
        words.append(len(drafts))
        for draft in drafts:
            time = now if draft.time is None else draft.time
            words += (draft.stream, draft.value or b"", repr(time))

        def read(answer: Any) -> Sequence[Update]:
            said, rest = answer[0], answer[1:]
            if said == b"done":
                return [
                    Update(d.stream, seq, _position(at), now if d.time is None else d.time, d.value)
                    for d, seq, at in zip(drafts, rest[::2], rest[1::2], strict=True)
                    if seq
                ]
            if said == b"full":
                raise Refused(429, "too-many-keys", "too many idempotency keys in five minutes")
            if said == b"outrun":
                raise Outrun(f"{rest[0].decode()}: somebody else went on")
            return _receipt(answer) or ()

        size = size_of(drafts)
        return self._ask(words, read, size, len(drafts))

    def receipt(self, key: Key) -> Deferred[Sequence[Update] | None]:
        return self._ask(["receipt", *_key(key)], _receipt)

    def place(self, source: str) -> Deferred[str | None]:
        return self._ask(["place", source], lambda held: None if held is None else held.decode())

    def put(self, kind: str, name: str, record: bytes, seconds: float | None) -> Deferred[None]:
        lasts = "" if seconds is None else int(seconds * 1000)
        return self._ask(["put", kind, name, record, lasts], lambda answer: None, len(record))

    def records(self, kind: str) -> Deferred[Mapping[str, bytes]]:
        def read(flat: Any) -> Mapping[str, bytes]:
            return {n.decode(): data for n, data in zip(flat[::2], flat[1::2], strict=True)}

        return self._ask(["records", kind], read)

    def acquire(self, lease: str, seconds: float) -> Deferred[Fence | None]:
        def read(number: int | None) -> Fence | None:
            return None if number is None else Fence(lease, number)

        return self._ask(["acquire", lease, int(seconds * 1000)], read)

    def release(self, lease: str) -> Deferred[None]:
        return self._ask(["release", lease], lambda answer: None)

    def trim(self, first: Mapping[str, Position], horizon: Position) -> Deferred[None]:
        words: list[str | int] = ["trim", horizon.ms, horizon.n % LIFE_UNIT, LOG_SIZE, len(first)]
        for name, at in first.items():
            words += (name, at.ms, at.n % LIFE_UNIT)
        return self._ask(words, lambda answer: None)

    def stop(self) -> Deferred[None]:
        self._open = False
        if not (self._waiting or self._flying or self._answered):
            return self._close()
        self._idle = Deferred()
        return self._idle.addCallback(lambda _: self._close())

    def _close(self) -> Deferred[None]:
        serving, self._serving = self._serving, None
        if serving is None:
            return succeed(None)

        def end(result: None) -> Deferred[None]:
            self._closed = True
            serving.cancel()
            return serving

        # Not while it is what runs: it may just be telling whoever asked for this.
        return deferLater(self._reactor, 0).addCallback(end)

    # -- one step after the other ------------------------------------------------------------------

    def _ask(
        self,
        words: Sequence[str | bytes | int],
        read: Callable[[Any], T],
        size: int = 0,
        updates: int = 0,
    ) -> Deferred[T]:
        """Have a question answered in its turn."""
        if not self._open:
            return fail(Away("streamd is starting or stopping"))
        if self._why is not None:
            return fail(Away(self._why))
        if self._count >= MAX_WAITING or self._size + size > max(MAX_WAITING_BYTES, size):
            return fail(Away("too much waits for Redis"))
        return self._queue(RedisAsked(words, read, Deferred(), size, updates))

    def _queue(self, asked: RedisAsked) -> Deferred[Any]:
        self._waiting.append(asked)
        self._count += 1
        self._size += asked.size
        self._step()
        return asked.answer

    def _step(self) -> None:
        """Send what waits, unless a step is under way."""
        if self._flying or not self._waiting:
            return
        asked: list[RedisAsked] = []
        updates = 0
        while self._waiting and (not asked or updates + self._waiting[0].updates <= STEP_UPDATES):
            asked.append(self._waiting.popleft())
            updates += asked[-1].updates
        self._flying = asked
        words = [word for one in asked for word in one.words]
        running = Deferred.fromCoroutine(self._call(str(self.life), *words))
        running.addCallbacks(self._done, self._undone, callbackArgs=(asked,), errbackArgs=(asked,))
        running.addErrback(lambda failure: self._log.failure("a step went wrong", failure))

    async def _call(self, life: str, *words: str | bytes | int) -> Any:
        """What the script says; one that Redis does not know any more is told again."""
        if self._steps is None:
            raise Broken("Redis closed the connection")
        now = self._now()
        head = (life, int(now * 1000), repr(now), self.node, MAX_RECORDED)
        for command, script in (("EVALSHA", _SHA), ("EVAL", SCRIPT)):
            said = self._steps.say(command, script, 1, self._prefix, *head, *words)
            try:
                return await said.addTimeout(STEP if life else TIMEOUT, self._reactor)
            except Exception as error:
                if command == "EVAL" or not str(error).startswith("NOSCRIPT"):
                    raise
        raise AssertionError

    def _done(self, answers: Sequence[Any], asked: Sequence[RedisAsked]) -> None:
        if self._flying is not asked:
            return  # given up meanwhile
        self._flying = ()
        read: list[Any] = []
        at = ORIGIN
        for one, answer in zip(asked, answers, strict=True):
            try:
                read.append(one.read(answer))
            except Exception:
                read.append(Failure())
            else:
                if one.updates and read[-1]:
                    at = max(at, read[-1][-1].at)
        self._answered.append(Answered(asked, read, at))
        if self._why is not None:
            self._find()
        self._settle()
        self._step()

    def _undone(self, failure: Failure, asked: Sequence[RedisAsked]) -> None:
        """It is not known what became of a step, or Redis refused it."""
        if self._flying is not asked:
            return
        error: Any = failure.value
        if is_said(error) and str(error).startswith("LIFE"):
            error = Another()
        elif is_said(error) and "READONLY" not in str(error):
            self._lose(self._reason(error))  # reading goes on, and it is tried again
            return
        if self._steps is not None:
            self._ended = error
            self._steps.abort()  # whatever waits is answered when that has ended
        else:
            self._give_up(self._reason(error))

    def _settle(self) -> None:
        """Tell the answers for which the log was followed far enough."""
        while self._answered and self._answered[0].at <= self._followed:
            asked, answers, _ = self._answered.popleft()
            self._answer(asked, answers)

    def _answer(self, asked: Sequence[RedisAsked], answers: Sequence[Any]) -> None:
        self._count -= len(asked)
        self._size -= sum(one.size for one in asked)
        for one, answer in zip(asked, answers, strict=True):
            one.answer.callback(answer)
        nothing_left = not (self._waiting or self._flying or self._answered)
        if self._idle is not None and nothing_left:
            idle, self._idle = self._idle, None
            idle.callback(None)

    def _give_up(self, why: str) -> None:
        """Whatever is under way may have been committed or not."""
        answered, flying, waiting = [*self._answered], self._flying, [*self._waiting]
        self._answered.clear()
        self._waiting.clear()
        self._flying = ()
        for asked in (*(a.asked for a in answered), flying, waiting):
            self._answer(asked, [Failure(Away(why))] * len(asked))

    # -- being there, and being away ---------------------------------------------------------------

    def _lose(self, why: str) -> None:
        self._why = why
        if self._told_why != why:
            self._told_why = why
            self._log.error("nothing can be published: {why}", why=why)
            self._follower.away(why)
        self._give_up(why)
        self._tell_started()

    def _find(self) -> None:
        self._why = None
        if self._told_why is not None:
            self._told_why = None
            self._log.info("the journal is back")
            self._follower.away(None)
        self._tell_started()

    def _tell_started(self) -> None:
        """It is known whether it works."""
        if not self._started.called:
            self._started.callback(None)

    def _reason(self, error: BaseException) -> str:
        why = explain(error)
        if why is None:
            self._log.failure("the journal failed", Failure(error))
        return why or "the journal failed, see the log"

    async def _serve(self) -> None:
        """Follow the log, whatever happens to Redis."""
        while not self._closed:
            try:
                await self._session()
            except (CancelledError, Unusable):
                raise
            except Exception as error:
                if self._closed:  # one way to cancel a connection that is being made
                    return
                why, self._ended = self._ended or error, None
                if isinstance(why, Another):
                    self._why = TOLD["other"]  # nothing is asked of it before it was read
                    self._give_up(self._why)
                elif not self._started.called and is_said(why) and not refusal(str(why)):
                    raise Unusable(f"journal.url: {explain(why)}") from None
                else:
                    self._lose(self._reason(why))
            await deferLater(self._reactor, RETRY)

    def _end(self, failure: Failure) -> None:
        self._open = False
        if not self._started.called:
            self._started.errback(failure)
        elif not failure.check(CancelledError):
            self._log.failure("the journal stands still", failure)

    async def _session(self) -> None:
        """As long as both connections last: one for the steps, one that waits for news."""
        links: list[RedisConnection] = []
        try:
            for _ in range(2):
                links.append(await connect(self._reactor, self._url, self._password))
            steps, news = links
            steps.on_lost = news.abort
            self._steps = steps
            if not self._started.called:
                await self._check(news)
            refused = await self._open_log(news)
            if "READONLY" in refused:  # the master is somewhere else now
                raise Broken(refusal(refused) or "")
            if refused:
                self._lose(refusal(refused) or f"Redis: {refused}")
            else:
                self._find()
            await self._follow(news)
        finally:
            self._steps = None
            for link in links:
                link.on_lost = lambda: None
                link.abort()

    async def _check(self, link: RedisConnection) -> None:
        """:raises Unusable: this Redis cannot keep a log."""
        about = await self._said(link, "INFO")
        lines = dict(line.split(":", 1) for line in about.decode().splitlines() if ":" in line)
        version, policy = lines.get("redis_version", "0"), lines.get("maxmemory_policy", "")
        if tuple(map(int, version.split(".")[:2])) < OLDEST:
            raise Unusable(f"journal.url: Redis is {version}; 6.2 or later is needed")
        if policy.startswith("allkeys"):
            raise Unusable(
                f"journal.url: Redis drops keys when it is full (maxmemory-policy {policy}); "
                "noeviction is needed"
            )

    # -- what the log says -------------------------------------------------------------------------

    async def _open_log(self, link: RedisConnection) -> str:
        """Go on where this node was; with another log, or when too much was missed, begin anew.

        :returns: what Redis says against being written; empty: nothing.
        """
        known = (self.life, str(self._followed)) if self.life else ("", "")
        answer = await self._call("", self._draw(), *known)
        words: list[str] = [part.decode() for part in answer]
        said, life, head, *horizon, refused = words
        if said == "same":
            return refused
        self._log.info("this is node {node} of log {life} in Redis", node=self.node, life=life)
        why = TOLD[said] if self.life else None
        if why is not None:
            self._log.error("{why}", why=why)
        before = self.life, self._followed
        self.life, self._followed = int(life), _position(head.encode())
        try:
            held = await self._read_all(link)
        except BaseException:
            self.life, self._followed = before
            raise
        ms, i = map(int, horizon)
        self._seqs = {u.stream: u.seq if u.value is not None else 0 for u in held}
        mark = Position(ms, self.life * LIFE_UNIT + i) if ms else ORIGIN
        self._follower.restore(self.life, held, mark)
        if why is not None and said != "missed":
            self._follower.lost(why)
        return refused

    async def _read_all(self, link: RedisConnection) -> Sequence[Update]:
        """What the histories hold up to where the log is followed from, in order."""
        names = [n.decode() for n in await self._said(link, "HKEYS", f"{self._prefix}seqs")]
        held: list[Update] = []
        first = self.life * LIFE_UNIT
        for name in names:
            key, start = f"{self._prefix}history:{name}", "-"
            while True:
                entries = await self._said(link, "XRANGE", key, start, "+", "COUNT", READ)
                for at, (_, seq, _, time, _, value) in entries:
                    # What is from a former life counts as this one's.
                    here = _position(at)
                    place = Position(here.ms, first + here.n % LIFE_UNIT)
                    if place <= self._followed:
                        held.append(Update(name, int(seq), place, float(time), value or None))
                if len(entries) < READ:
                    break
                start = f"({entries[-1][0].decode()}"
        held.sort(key=attrgetter("at"))
        # What was let go meanwhile may have left of a stream only what came meanwhile.
        while True:
            news = await self._hear(link)
            held += news
            if len(news) < READ:
                return held

    def _said(self, link: RedisConnection, *words: str | int) -> Deferred[Any]:
        return link.say(*words).addTimeout(TIMEOUT + WAIT, self._reactor)

    async def _hear(self, link: RedisConnection, *wait: str | int) -> Sequence[Update]:
        """What the log says next.

        :raises Another: it does not go on where it was.
        """
        key = f"{self._prefix}log"
        words = ("COUNT", READ, *wait, "STREAMS", key, str(self._followed))
        answer = await self._said(link, "XREAD", *words)
        entries = answer[0][1] if answer else ()
        if len(entries) == READ:  # so far behind that what came before them may have been let go
            first = await self._said(link, "XRANGE", key, "-", "+", "COUNT", 1)
            if not first or _position(first[0][0]) > self._followed:
                raise Another
        updates = []
        for at, fields in entries:
            place = _position(at)
            if place.life != self.life:
                raise Another
            stream, seq, time, value = fields[1:8:2]
            updates.append(Update(stream.decode(), int(seq), place, float(time), value or None))
        if updates:
            self._followed = updates[-1].at
        return updates

    async def _follow(self, link: RedisConnection) -> None:
        """Tell what is committed from now on."""
        while True:
            awaited = self._answered[0] if self._answered else None
            updates = await self._hear(link, "BLOCK", int(WAIT * 1000))
            if self._why is not None and not self._flying:  # whether it can be written again
                probe = RedisAsked(["probe"], lambda answer: None, Deferred(), 0, 0)
                self._queue(probe).addErrback(lambda failure: failure.trap(Away))
            self._check_order(updates)
            if updates:
                try:
                    self._follower.committed(updates)
                except Exception:
                    self._log.failure("what was committed could not be followed")
                self._settle()
            elif awaited and self._answered and awaited is self._answered[0]:  # as in a failover
                raise Broken("two Redises answer to one name")

    def _check_order(self, updates: Sequence[Update]) -> None:
        """:raises Another: one was missed."""
        for update in updates:
            if update.seq != self._seqs.get(update.stream, 0) + 1:
                self._log.error("an entry of the log was missed")
                self._followed = ORIGIN  # and so it is found to be
                raise Another
            self._seqs[update.stream] = update.seq if update.value is not None else 0


def _key(key: Key) -> tuple[str, str]:
    return key.text, key.digest.hex()


def _places(cursor: SourceCursor) -> tuple[str, str]:
    """What is expected, and what is stored; nothing is another thing than an empty text."""
    return "" if cursor.expected is None else f"={cursor.expected}", cursor.place


def _position(at: bytes) -> Position:
    ms, n = at.split(b"-")
    return Position(int(ms), int(n))


def _receipt(answer: Sequence[Any]) -> Sequence[Update] | None:
    """What was committed under a key; see ``receipt`` of the script."""
    if answer[0] == b"none":
        return None
    if answer[0] == b"conflict":
        raise Conflict
    said = msgspec.json.decode(answer[1], type=list[tuple[str, int, str, float]])
    return [
        Update(stream, seq, parse_position(at) or ORIGIN, time, b"")
        for stream, seq, at, time in said
    ]


class RedisJournalSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``[journal]`` with ``url``.

    :ivar prefix: what all keys begin with: two systems in one Redis need two.
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
