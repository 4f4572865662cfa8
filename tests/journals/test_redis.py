"""The log in a real Redis: several nodes, and Redis's bad days."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import hiredis
import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater

from streamd.config.fields import ConfigError
from streamd.config.parse import parse
from streamd.core.histories.blocks import StoredBlocks
from streamd.core.update import LIFE_UNIT, ORIGIN, Draft, Position, Update
from streamd.journals import redis as redis_journal
from streamd.journals import redis_log, redis_session
from streamd.journals.journal import Away, Journal, Key, Outrun, SourceCursor, Unusable
from streamd.journals.redis import RedisJournal
from streamd.journals.redis_log import LATEST, RedisLog
from streamd.journals.registry import JOURNAL_KINDS
from streamd.reactor import redis_client as redislink
from streamd.reactor.redis_client import RedisUrl
from tests.journals.test_journal import Log, forget, refusal
from tests.support.fakes import TODAY, Times
from tests.support.net import free_port
from tests.support.odd_redis import odd_redis
from tests.support.redis import Redis, redis_within_tls
from tests.support.tidy import LoggedErrors

MAY = ("+@all", "-@dangerous", "+info")  # as docs/configuration.rst says
GONE, LOST = redis_journal.TOLD["gone"], redis_journal.TOLD["lost"]


class Node(Log):
    """One of several: a follower, and its journal."""

    max_recorded = 100

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__(self)

    def make(self, times: Times) -> RedisJournal:
        from twisted.internet import reactor

        url = RedisUrl.parse(self.url)
        return RedisJournal(url, url.password, reactor, times.now)

    def break_(self, journal: Journal) -> None:
        raise AssertionError("each test does it in its own way")

    mend = break_

    def move(self, port: int) -> None:
        """It looks for Redis on this port from now on."""
        self.journal._url.port = port  # type: ignore[attr-defined]

    @property
    def news(self) -> Any:
        """The transport of the connection that waits for news."""
        return self.journal._session.news.transport  # type: ignore[attr-defined]

    async def has(self, *values: Any) -> None:
        """It was told these, and nothing else since its last log began."""
        wanted = [str(value).encode() for value in values]
        await until(lambda: [update.value for update in self.known] == wanted)

    def restore(
        self, life: int, held: Iterable[Update], horizon: Position, blocks: StoredBlocks
    ) -> None:
        super().restore(life, held, horizon, blocks)
        self.updates.clear()

    @property
    def known(self) -> list[Update]:
        return self.held + self.updates


async def until(question: Callable[[], Any]) -> None:
    """Asks again and again; the test's own patience ends it."""
    from twisted.internet import reactor

    while not question():
        await deferLater(reactor, 0.02)


async def begun_anew(*nodes: Node) -> None:
    """They have read another log, and go on with that."""
    await until(lambda: all(len(node.restored) == 2 for node in nodes))


def write(redis: Redis, node: Node, stream: str, number: int) -> None:
    """Another node does, before anybody here hears of it."""
    head = ("streamd:", node.journal.life, int(TODAY + number) * 1000, repr(TODAY), "other", 100)
    words = ("append", "", "", 0, "", "", "", "", 0, 1, stream, number, repr(TODAY))
    redis.say("EVAL", redis_session.SCRIPT, 1, *head, *words)


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def nodes(redis: Redis) -> AsyncIterator[tuple[Node, Node]]:
    both = Node(f"redis://127.0.0.1:{redis.port}"), Node(f"redis://127.0.0.1:{redis.port}")
    for node in both:
        await node.start()
    yield both
    for node in both:
        await node.journal.stop()


Nodes = tuple[Node, Node]


class TestTogether:
    async def test_all_nodes_follow_one_log(self, nodes: Nodes) -> None:
        one, other = nodes
        for number in range(0, 20, 2):
            await one.append(("a", number))
            await other.append(("a", number + 1), ("b", number))
        await until(lambda: len(one.updates) == len(other.updates) == 30)
        assert one.updates == other.updates
        assert [u.seq for u in one.updates if u.stream == "a"] == list(range(1, 21))
        assert one.journal.life == other.journal.life

    async def test_all_that_is_appended_at_once_is_in_order(self, nodes: Nodes) -> None:
        one, other = nodes
        many = 200
        appending = [one.journal.append([Draft("a", b"%d" % n)]) for n in range(many)]
        answers: list[Update] = []
        for each in appending:
            answers += await each
        await other.has(*range(many))
        assert one.updates == other.updates == answers
        assert [update.seq for update in answers] == list(range(1, many + 1))

    async def test_more_streams_than_one_command_of_a_script_takes(
        self, nodes: Nodes, redis: Redis
    ) -> None:
        one, other = nodes
        drafts = [Draft(f"s{n}", b"%d" % n) for n in range(9000)]
        for seq in (1, 2):
            updates = await one.journal.append(drafts)
            assert {update.seq for update in updates} == {seq}
            assert one.updates[-9000:] == updates
        assert redis.say("HLEN", "streamd:state") == redis.say("HLEN", "streamd:seqs") == 9000
        await until(lambda: len(other.updates) == 18000)
        assert redis.say("HMGET", "streamd:seqs", "s0", "s8999") == ["2", "2"]

    async def test_positions_in_a_millisecond_run_out(self, nodes: Nodes, redis: Redis) -> None:
        """Those of one append are of one millisecond nevertheless."""
        one, other = nodes
        await one.append(("a", 1))
        place = one.updates[0].at
        last = LIFE_UNIT - 3
        redis.say("HSET", "streamd:about", "ms", place.ms + 10**6, "i", last)
        updates = await one.append(("a", 2), ("a", 3), ("b", 4))
        assert [u.at for u in updates] == [
            Position(place.ms + 10**6 + 1, one.journal.life * LIFE_UNIT + n) for n in range(3)
        ]
        await other.has(1, 2, 3, 4)
        assert other.updates[1:] == updates

    async def test_a_stream_that_is_trimmed_and_made_again_in_one_step(
        self, nodes: Nodes, redis: Redis
    ) -> None:
        one, other = nodes
        await one.append(("a", 1))
        end = Position(LATEST - 1, 0)
        redis.freeze()
        under_way = [one.journal.place("x") for _ in range(2)]
        asked: list[Deferred[Any]] = [
            one.journal.append([Draft("a", b"2"), Draft("a", None), Draft("none", None)]),
            one.journal.trim({"a": end}, end),
            one.journal.append([Draft("a", b"3"), Draft("b", b"4")]),
        ]
        redis.thaw()
        for each in under_way:
            await each
        answers = [await each for each in asked]
        assert [(u.stream, u.seq) for u in answers[0]] == [("a", 2), ("a", 3)]
        assert [(u.stream, u.seq) for u in answers[2]] == [("a", 1), ("b", 1)]
        await until(lambda: other.updates == one.updates)
        assert redis.say("HMGET", "streamd:seqs", "a", "none") == ["1", None]

    async def test_keys_are_known_everywhere(self, nodes: Nodes) -> None:
        one, other = nodes
        [first] = await one.append(("a", 1), key=Key("k", b"1"))
        [again] = await other.append(("a", 1), key=Key("k", b"1"))
        assert (again.seq, again.at) == (first.seq, first.at)
        await other.append(("a", 2))
        await one.has(1, 2)

    async def test_of_two_one_has_the_lease(self, nodes: Nodes) -> None:
        one, other = nodes
        fence = await one.shared.acquire("shop", 60)
        assert await other.shared.acquire("shop", 60) is None
        await one.shared.release("shop")
        newer = await other.shared.acquire("shop", 60)
        assert fence is not None
        assert newer is not None
        assert newer.number > fence.number
        await refusal(one.append(("a", 1), fence=fence), Outrun)
        await one.shared.release("shop")  # which is not its own
        assert await one.shared.acquire("shop", 60) is None

    async def test_a_lease_ends_by_itself(self, nodes: Nodes) -> None:
        one, other = nodes
        fence = await one.shared.acquire("shop", 0.05)
        newer = None
        while newer is None:
            newer = await other.shared.acquire("shop", 60)
        assert fence is not None
        assert newer.number > fence.number

    async def test_a_later_node_finds_all_updates(self, nodes: Nodes, redis: Redis) -> None:
        one, _ = nodes
        many = redis_log.READ * 2 + 1
        await one.append(*(("a", number) for number in range(many)), ("b", 1), ("b", forget))
        late = Node(one.url)
        await late.start()
        assert late.held == one.updates
        await late.append(("a", many), ("b", 2))
        await until(lambda: len(one.updates) == many + 4)
        assert [u.seq for u in one.updates[-2:]] == [many + 1, 1]
        await late.journal.stop()

    async def test_a_repeat_is_answered_when_the_log_was_followed_so_far(
        self, nodes: Nodes
    ) -> None:
        one, other = nodes
        other.news.pauseProducing()
        await one.append(("a", 1), key=Key("k", b"1"))
        appending = other.journal.append([Draft("a", b"1")], Key("k", b"1"))
        again = appending.addCallback(lambda _: list(other.updates))
        await until(lambda: again.called or other.journal._queue.awaited)  # type: ignore[attr-defined]
        other.news.resumeProducing()
        assert [u.seq for u in await again] == [1]

    async def test_what_is_let_go_before_it_was_read(
        self, nodes: Nodes, redis: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also when what comes after it is of other streams."""
        one, _ = nodes
        monkeypatch.setattr(redis_log, "READ", 3)
        await one.append(("a", 1), ("b", 1))
        write(redis, one, "b", 2)  # with this in its hands Redis lets the node wait no longer
        write(redis, one, "a", 3)
        for number in range(4, 9):
            write(redis, one, "c", number)
        redis.say("XTRIM", "streamd:log", "MAXLEN", 5)
        await one.has(1, 1, 2, 3, 4, 5, 6, 7, 8)
        assert [life for life, _, _ in one.restored] == [one.journal.life] * 2

    async def test_an_entry_that_is_missing(self, nodes: Nodes, redis: Redis) -> None:
        one, _ = nodes
        await one.append(("a", 1))
        write(redis, one, "b", 2)  # as above
        write(redis, one, "a", 3)
        [[at, _]] = redis.say("XREVRANGE", "streamd:log", "+", "-", "COUNT", 1)
        write(redis, one, "a", 4)
        redis.say("XDEL", "streamd:log", at)
        await one.has(1, 2, 3, 4)
        assert [life for life, _, _ in one.restored] == [one.journal.life] * 2

    async def test_a_node_can_read_all_again(self, nodes: Nodes) -> None:
        one, other = nodes
        await one.append(("a", 1))
        await one.has(1)
        one.journal.read_again()  # type: ignore[attr-defined]
        await begun_anew(one)
        await one.has(1)
        await until(lambda: one.journal._queue.refusal is None)  # type: ignore[attr-defined]
        await one.append(("a", 2))
        await other.has(1, 2)
        assert len(other.restored) == 1

    async def test_what_is_let_go_while_a_node_begins(
        self, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one, _ = nodes
        await one.append(("a", 1), ("b", 1))
        late = Node(one.url)
        read_all = RedisLog.read_all

        async def meanwhile(self: RedisLog, link: Any) -> Any:
            _, mark, _ = await one.append(("a", 2), ("a", 3), ("a", 4))
            await one.journal.store({"a": {0: b"x"}})
            await one.journal.trim({"a": mark.at}, ORIGIN)
            return await read_all(self, link)

        monkeypatch.setattr(RedisLog, "read_all", meanwhile)
        await late.start()
        await one.append(("a", 5))
        await until(lambda: late.updates)
        assert len(late.restored) == 1
        assert [u.seq for u in late.known if u.stream == "a"][-3:] == [3, 4, 5]
        assert late.blocks == {"a": {0: b"x"}}  # what they lack by now is stored there
        await late.journal.stop()

    async def test_it_is_readable(self, nodes: Nodes, redis: Redis) -> None:
        fence, cursor = await nodes[0].shared.acquire("shop", 60), SourceCursor("shop", None, "1")
        await nodes[0].append(
            ("a", {"x": "ä"}), ("b", 7), key=Key("k", b"1"), cursor=cursor, fence=fence
        )
        await nodes[0].journal.store({"a": {0: b"x"}})
        table = re.findall(r"^``(\w+)(?::[A-Z]+)?`` +(\w+)", redis_journal.__doc__ or "", re.M)
        keys = [key.split(":") for key in redis.say("KEYS", "*")]
        types = {words[1]: redis.say("TYPE", ":".join(words)) for words in keys}
        assert types == dict(table)
        assert {words[0] for words in keys} == {"streamd"}
        assert redis.say("HGETALL", "streamd:state") == ["a", '{"x":"ä"}', "b", "7"]
        [[at, fields]] = redis.say("XRANGE", "streamd:history:b", "-", "+")
        assert at == str(nodes[0].updates[1].at)
        assert fields[::2] == ["seq", "time", "value"]


class TestAway:
    async def test_frozen(self, nodes: Nodes, redis: Redis) -> None:
        one, other = nodes
        await one.append(("a", 1))
        redis.freeze()
        error = await refusal(one.append(("a", 2), key=Key("k", b"1")), Away)
        assert error.status == 503
        await until(lambda: one.reasons and other.reasons)
        assert await refusal(other.append(("b", 1)), Away)
        redis.thaw()
        await until(lambda: one.reasons[-1] is None and other.reasons[-1] is None)
        await one.append(("a", 2), key=Key("k", b"1"))  # whatever became of it the first time
        await other.append(("a", 3))
        await one.has(1, 2, 3)
        await other.has(1, 2, 3)
        assert len(one.restored) == len(other.restored) == 1

    async def test_killed(self, nodes: Nodes, redis: Redis) -> None:
        one, other = nodes
        acknowledged = []
        for number in range(50):
            await one.append(("a", number))
            acknowledged.append(number)
        under_way = [one.journal.append([Draft("b", b"1")], Key("k", b"1")) for _ in range(5)]
        redis.kill()
        for appending in under_way:
            appending.addErrback(lambda failure: failure.trap(Away))
        await until(lambda: one.reasons and other.reasons)
        redis.start()
        await until(lambda: one.reasons[-1] is None and other.reasons[-1] is None)
        await one.append(("b", 1), key=Key("k", b"1"))
        await other.has(*acknowledged, 1)
        await one.has(*acknowledged, 1)
        assert len(one.restored) == 1

    async def test_scripts_that_were_flushed(self, nodes: Nodes, redis: Redis) -> None:
        one, _ = nodes
        await one.append(("a", 1))
        redis.say("SCRIPT", "FLUSH")
        for appending in [one.journal.append([Draft("a", b"%d" % n)]) for n in range(2, 6)]:
            await appending
        await one.has(1, 2, 3, 4, 5)
        assert one.reasons == []

    async def test_a_script_that_is_back_between_two_steps(self, nodes: Nodes) -> None:
        """The second step is not acknowledged: it came before the first one."""
        one, _ = nodes
        forgotten: Deferred[Any] = Deferred()
        steps = one.journal._session._steps  # type: ignore[attr-defined]
        say, steps.say = steps.say, lambda *words: forgotten
        first = one.journal.append([Draft("a", b"1")], Key("k", b"1"))
        steps.say = say
        second = one.journal.append([Draft("a", b"2")], Key("l", b"1"))
        forgotten.errback(hiredis.ReplyError("NOSCRIPT No matching script."))
        for appending in (first, second):
            assert (await refusal(appending, Away)).message == redis_session.FORGOT
        await until(lambda: one.reasons == [redis_session.FORGOT, None])
        await one.append(("a", 3))

    async def test_two_steps_under_way_that_are_refused(self, nodes: Nodes, redis: Redis) -> None:
        one, other = nodes
        await one.append(("a", 1))
        redis.say("CONFIG", "SET", "maxmemory", "1")
        under_way = [one.journal.append([Draft("a", b"2")]) for _ in range(2)]
        for appending in under_way:
            assert (await refusal(appending, Away)).message == "Redis is full"
        redis.say("CONFIG", "SET", "maxmemory", "0")
        await until(lambda: one.reasons == ["Redis is full", None])
        await one.append(("a", 3))
        await other.has(1, 3)

    async def test_a_step_that_only_reads_does_not_end_a_refusal(
        self, nodes: Nodes, redis: Redis
    ) -> None:
        one, _ = nodes
        await one.append(("a", 1))
        redis.say("CONFIG", "SET", "maxmemory", "1")
        appending, reading = one.journal.append([Draft("a", b"2")]), one.journal.place("x")
        for request in (appending, reading):
            assert (await refusal(request, Away)).message == "Redis is full"
        journal: Any = one.journal
        await until(lambda: journal._queue.idle)
        assert one.reasons == ["Redis is full"]
        redis.say("CONFIG", "SET", "maxmemory", "0")
        await until(lambda: one.reasons == ["Redis is full", None])

    async def test_two_steps_under_way_that_find_another_log(
        self, nodes: Nodes, redis: Redis
    ) -> None:
        one, _ = nodes
        await one.append(("a", 1))
        redis.say("FLUSHALL")
        under_way = [one.journal.append([Draft("a", b"2")]) for _ in range(2)]
        for appending in under_way:
            assert (await refusal(appending, Away)).message == redis_journal.TOLD["other"]
        await begun_anew(one)
        [update] = await one.append(("a", 3))
        assert update.seq == 1
        assert one.losses == [GONE]

    async def test_full(self, nodes: Nodes, redis: Redis) -> None:
        one, other = nodes
        await one.append(("a", 1))
        redis.say("CONFIG", "SET", "maxmemory", "1")
        error = await refusal(one.append(("a", 2), ("b", 1)), Away)
        assert error.message == "Redis is full"
        assert one.reasons == [error.message]
        redis.say("CONFIG", "SET", "maxmemory", "0")
        await until(lambda: one.reasons[-1] is None)
        await one.append(("a", 3))
        await other.has(1, 3)

    async def test_cut_off_while_it_is_full(self, nodes: Nodes, redis: Redis) -> None:
        """It is not back before it takes something."""
        one, other = nodes
        await one.append(("a", 1))
        redis.say("CONFIG", "SET", "maxmemory", "1")
        await refusal(one.append(("a", 2)), Away)
        await cut(redis)
        await until(lambda: one.reasons[1:] and one.reasons[-1] == "Redis is full")
        assert None not in one.reasons
        redis.say("CONFIG", "SET", "maxmemory", "0")
        await until(lambda: one.reasons[-1] is None)
        await one.append(("a", 3))
        await other.has(1, 3)

    async def test_a_master_that_is_none_any_more(
        self, nodes: Nodes, redis: Redis, tmp_path: Path
    ) -> None:
        """Its name may be another's now: it is looked for again."""
        one, _ = nodes
        await one.append(("a", 1))
        master = Redis(tmp_path / "master")
        master.start()
        redis.say("REPLICAOF", "127.0.0.1", free_port())
        await refusal(one.append(("a", 2)), Away)
        await until(lambda: one.reasons == ["this Redis is read-only"])
        one.move(master.port)
        await until(lambda: one.reasons[-1] is None)
        assert len(one.reasons) == 2
        await one.append(("a", 3))
        assert master.say("HGET", "streamd:state", "a") == "3"
        redis.say("REPLICAOF", "NO", "ONE")
        await one.journal.stop()
        master.finish()

    async def test_a_connection_on_which_nothing_can_be_written_is_left(self, nodes: Nodes) -> None:
        one, _ = nodes
        refused = hiredis.ReplyError("READONLY You can't write against a read only replica.")
        one.journal._session._steps.say = lambda *words: fail(refused)  # type: ignore[attr-defined]
        await refusal(one.append(("a", 1)), Away)
        await until(lambda: one.reasons == ["this Redis is read-only", None])
        await one.append(("a", 2))
        await one.has(2)

    async def test_two_servers_with_one_name(
        self, redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One connection has ended at one of them, and one at the other."""
        node = Node(f"redis://127.0.0.1:{redis.port}")
        second = Redis(tmp_path / "second")
        second.start()
        ports = [redis.port, second.port]

        async def connect(*where: Any) -> Any:
            node.move(ports.pop(0) if ports else redis.port)
            return await redislink.connect(*where)

        monkeypatch.setattr(redis_session, "connect", connect)
        await node.start()
        await refusal(node.append(("a", 1), key=Key("k", b"1")), Away)
        assert node.reasons == ["two Redis servers answer to one name"]
        await until(lambda: node.reasons[-1] is None)
        await node.append(("a", 1), key=Key("k", b"1"))
        await node.has(1)
        await node.journal.stop()
        second.finish()

    async def test_steps_that_hang(self, nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
        one, other = nodes
        with monkeypatch.context() as patch:
            patch.setattr(redis_session, "STEP", 0.2)
            one.journal._session._steps.transport.pauseProducing()  # type: ignore[attr-defined]
            error = await refusal(one.append(("a", 1), key=Key("k", b"1")), Away)
        assert error.message == "Redis does not answer"
        await until(lambda: one.reasons == [error.message, None])
        await one.append(("a", 1), key=Key("k", b"1"))
        await other.has(1)

    async def test_missed_updates_come_before_the_return(
        self, nodes: Nodes, redis: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one, other = nodes
        known: list[int] = []
        note = other.away

        def away(why: str | None) -> None:
            known.append(len(other.known))
            note(why)

        monkeypatch.setattr(other, "away", away)
        port = redis.port
        other.move(free_port())
        await cut(redis)
        await until(lambda: other.reasons)
        await until(lambda: one.reasons[-1:] == [None])
        for number in range(3):
            await one.append(("a", number))
        other.move(port)
        await until(lambda: other.reasons[-1:] == [None])
        assert known[-1] == 3

    async def test_cut_off_for_so_long_that_the_log_is_gone(
        self, nodes: Nodes, redis: Redis
    ) -> None:
        one, other = nodes
        await one.append(("a", 1), ("b", 1))
        await other.has(1, 1)
        port = redis.port
        other.move(free_port())
        await cut(redis)
        await until(lambda: other.reasons)
        await until(lambda: one.reasons[-1:] == [None])
        await one.append(("a", 2), ("a", 3))
        redis.say("XTRIM", "streamd:log", "MAXLEN", "1")
        other.move(port)
        await other.has(1, 1, 2, 3)
        assert [life for life, _, _ in other.restored] == [one.journal.life] * 2
        assert other.losses == []


async def cut(redis: Redis) -> None:
    """All connections end."""
    redis.say("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


class TestAnotherLog:
    """What Redis lost begins a new life; nothing of it is mixed with the old."""

    async def test_flushed(self, nodes: Nodes, redis: Redis) -> None:
        one, other = nodes
        await one.append(("a", 1), ("a", 2))
        life = one.journal.life
        redis.say("FLUSHALL")
        await refusal(one.append(("a", 3)), Away)
        await begun_anew(one)
        [update] = await one.append(("a", 4))
        assert update.seq == 1
        assert update.at.life == one.journal.life != life
        await other.journal.place("x").addErrback(lambda failure: failure.trap(Away))
        await begun_anew(other)
        await other.append(("a", 5))
        await one.has(4, 5)
        await other.has(4, 5)
        assert other.journal.life == one.journal.life
        assert one.losses == [GONE]

    async def test_a_node_without_requests_notices_it(self, nodes: Nodes, redis: Redis) -> None:
        one, other = nodes
        await one.append(("a", 1))
        redis.say("FLUSHALL")
        one.times.clock.advance(1)  # a log that begins later has later positions
        await refusal(one.append(("a", 3)), Away)
        await begun_anew(one, other)
        await one.append(("a", 4))
        await other.has(4)

    async def test_a_fence_of_the_former_life_is_outrun(self, nodes: Nodes, redis: Redis) -> None:
        one, other = nodes
        for _ in range(3):
            fence = await one.shared.acquire("shop", 60)
            await one.shared.release("shop")
        redis.say("FLUSHALL")
        for node in nodes:
            await node.journal.place("x").addErrback(lambda failure: failure.trap(Away))
        await begun_anew(one, other)
        newer = await other.shared.acquire("shop", 60)
        await refusal(one.append(("a", 1), fence=fence), Outrun)
        await other.append(("a", 2), fence=newer)

    async def test_back_with_nothing(self, nodes: Nodes, redis: Redis) -> None:
        one, other = nodes
        await one.append(("a", 1))
        life = one.journal.life
        redis.kill()
        shutil.rmtree(redis.data)
        redis.data.mkdir()
        redis.start()
        await begun_anew(one, other)
        assert one.journal.life == other.journal.life != life
        assert one.held == other.held == []
        assert {*one.losses, *other.losses} <= {GONE, redis_journal.TOLD["other"]}

    async def test_an_older_copy(self, nodes: Nodes, redis: Redis, tmp_path: Path) -> None:
        one, other = nodes
        await one.append(("a", 1), ("b", 1))
        files, copy = redis.data, tmp_path / "copy"
        redis.kill()
        shutil.copytree(files, copy)
        redis.start()
        await until(lambda: one.reasons[-1:] == [None])
        await one.append(("a", 2), ("a", 3))
        life, newest = one.journal.life, one.updates[-1]
        redis.kill()
        shutil.rmtree(files)
        shutil.copytree(copy, files)
        redis.start()
        await begun_anew(one, other)
        assert one.journal.life == other.journal.life != life
        assert [(u.stream, u.seq) for u in one.held] == [("a", 1), ("b", 1)]
        assert {u.at.life for u in one.held} == {one.journal.life}
        assert LOST in (*one.losses, *other.losses)
        [update] = await one.append(("a", 4))
        assert update.seq == 2
        assert update.at.life != newest.at.life
        await one.has(1, 1, 4)
        await other.has(1, 1, 4)

    async def test_an_older_copy_that_went_on(self, nodes: Nodes, redis: Redis) -> None:
        """Others that had not seen what is lost wrote meanwhile."""
        one, other = nodes
        await one.append(("a", 1), ("a", 2))
        await other.has(1, 2)
        port, life, lost = redis.port, one.journal.life, one.updates[-1]
        one.move(free_port())
        await cut(redis)
        await until(lambda: one.reasons and other.reasons[-1:] == [None])
        redis.say("XDEL", "streamd:log", str(lost.at))
        redis.say("XDEL", "streamd:history:a", str(lost.at))
        redis.say("HSET", "streamd:seqs", "a", 1)
        await other.append(("b", 3))
        one.move(port)
        await begun_anew(one)
        await one.append(("a", 5))
        await one.has(1, 3, 5)
        await other.has(1, 3, 5)
        assert one.journal.life == other.journal.life != life
        assert one.losses == [LOST]

    async def test_what_is_trimmed_of_a_former_life(self, nodes: Nodes, redis: Redis) -> None:
        one, _ = nodes
        await one.append(("a", 1), ("a", 2), ("a", 3))
        redis.say("HDEL", "streamd:about", "life")  # how an operator begins a new one
        await refusal(one.append(("a", 4)), Away)
        await begun_anew(one)
        await one.append(("a", 4))
        await one.journal.trim({"a": one.held[1].at}, one.held[0].at)
        late = Node(one.url)
        await late.start()
        assert [u.seq for u in late.held][-2:] == [3, 4]
        await late.journal.stop()


class TestUrl:
    async def test_password(self, redis: Redis, logged_errors: LoggedErrors) -> None:
        redis.say("CONFIG", "SET", "requirepass", "p@ss")
        for url in ("redis://127.0.0.1", "redis://:wrong@127.0.0.1"):
            node = Node(f"{url}:{redis.port}")
            error = await refusal(node.journal.start(node), Unusable)
            assert str(error).startswith("journal.url: Redis: ")
            assert "wrong" not in str(error)
        node = Node(f"redis://:p%40ss@127.0.0.1:{redis.port}/3")
        await node.start()
        await node.append(("a", 1))
        await node.journal.stop()

    async def test_user_and_database(self, redis: Redis) -> None:
        redis.say("ACL", "SETUSER", "streamd", "on", ">secret", "~streamd:*", *MAY)
        node = Node(f"redis://streamd:secret@127.0.0.1:{redis.port}/3")
        await node.start()
        await node.append(("a", 1))
        assert redis.say("DBSIZE") == 0
        await node.has(1)
        await node.shared.acquire("shop", 60)
        await node.journal.trim({"a": node.updates[0].at}, ORIGIN)
        await node.journal.stop()

    async def test_a_user_without_password(self, redis: Redis) -> None:
        redis.say("ACL", "SETUSER", "streamd", "on", "nopass", "~streamd:*", *MAY)
        redis.say("ACL", "SETUSER", "default", "off")
        node = Node(f"redis://streamd@127.0.0.1:{redis.port}")
        await node.start()
        await node.append(("a", 1))
        await node.journal.stop()

    @pytest.mark.parametrize(
        ("said", "why"),
        [
            ("LOADING Redis is loading the dataset in memory", "Redis is starting"),
            ("BUSY Redis is busy running a script.", "Redis is busy with a script"),
        ],
    )
    async def test_redis_has_no_time_yet(self, redis: Redis, said: str, why: str) -> None:
        from twisted.internet import reactor

        class Busy(Protocol):
            def dataReceived(self, data: bytes) -> None:
                self.transport.write(f"-{said}\r\n".encode())  # type: ignore[union-attr]

        endpoint: Any = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        port = await endpoint.listen(Factory.forProtocol(Busy))
        node = Node(f"redis://127.0.0.1:{port.getHost().port}")
        await node.start()
        assert node.reasons == [why]
        await port.stopListening()
        node.move(redis.port)
        await until(lambda: node.reasons[-1] is None)
        await node.append(("a", 1))
        await node.journal.stop()

    async def test_redis_that_is_full_at_the_start(self, redis: Redis) -> None:
        redis.say("CONFIG", "SET", "maxmemory", "1")
        node = Node(f"redis://127.0.0.1:{redis.port}")
        await node.start()
        assert (node.reasons, node.restored) == (["Redis is full"], [])
        redis.say("CONFIG", "SET", "maxmemory", "0")
        await until(lambda: node.restored)
        await until(lambda: node.reasons[-1] is None)
        await node.append(("a", 1))
        await node.journal.stop()

    async def test_redis_that_drops_keys_when_it_is_full(self, redis: Redis) -> None:
        redis.say("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        node = Node(f"redis://127.0.0.1:{redis.port}")
        error = await refusal(node.journal.start(node), Unusable)
        assert "noeviction is needed" in str(error)

    async def test_tls(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        redis, port = redis_within_tls(tmp_path)
        node = Node(f"rediss://localhost:{port}")
        await node.start()
        assert node.reasons == ["the certificate of Redis is not trusted"]
        await node.journal.stop()
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        node = Node(f"rediss://localhost:{port}")
        await node.start()
        await node.append(("a", 1))
        await node.journal.stop()
        redis.finish()

    @pytest.mark.parametrize(
        "answer", [b":1\r\n", b"*0\r\n", b"%1\r\n*0\r\n+a\r\n", b"*2\r\n:1\r\n+b\r\n"]
    )
    @pytest.mark.parametrize("after", range(3))
    async def test_another_server_is_not_redis(self, answer: bytes, after: int) -> None:
        """It fails without a traceback."""
        info = b"+redis_version:7.0.0\r\n"
        opened = b"*7\r\n+new\r\n+1\r\n+\r\n+0\r\n+0\r\n+\r\n*0\r\n"
        with odd_redis([b"+PONG\r\n", *[info, opened][:after], answer]) as port:
            node = Node(f"redis://127.0.0.1:{port}")
            await node.start()
            assert node.reasons == ["what answers is not Redis"]
            await node.journal.stop()

    async def test_redis_comes_later(self, redis: Redis) -> None:
        redis.kill()
        node = Node(f"redis://127.0.0.1:{redis.port}")
        await node.start()
        assert node.restored == []
        await refusal(node.append(("a", 1)), Away)
        redis.start()
        await until(lambda: node.reasons[-1] is None)
        await node.append(("a", 1))
        await node.journal.stop()

    async def test_redis_goes_while_its_log_is_read(
        self, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one, _ = nodes
        await one.append(("a", 1))
        late = Node(one.url)
        read_all, times = RedisLog.read_all, iter((redislink.Broken("gone"), None))

        async def at_first(self: RedisLog, link: Any) -> Any:
            if (why := next(times)) is not None:
                raise why
            return await read_all(self, link)

        monkeypatch.setattr(RedisLog, "read_all", at_first)
        await late.start()
        await until(lambda: late.reasons == ["gone", None])
        assert late.held == one.updates
        await late.journal.stop()

    async def test_too_old(self, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(redis_session, "OLDEST", (99, 0))
        node = Node(f"redis://127.0.0.1:{redis.port}")
        error = await refusal(node.journal.start(node), Unusable)
        assert "6.2 or later is needed" in str(error)

    @pytest.mark.parametrize(
        ("lines", "problem"),
        [
            ('url = "http://x"', "journal.url: expected redis:// or rediss://"),
            ('url = "redis://x:y"', "journal.url: expected a URL such as"),
            ('url = "redis://x"\nfile = "y"', "journal.file: unknown key"),
        ],
    )
    def test_mistakes(self, lines: str, problem: str) -> None:
        with pytest.raises(ConfigError) as caught:
            parse(f"[journal]\n{lines}", (), JOURNAL_KINDS)
        assert caught.value.problems[0].startswith(problem)
