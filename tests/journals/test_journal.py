"""The promise of every journal: one suite, run against each kind.

A kind is a :class:`Provider`; the suite is asynchronous because others than memory are.
"""

from __future__ import annotations

import random
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_twisted
from twisted.internet.task import deferLater

from streamd.core.errors import Refused
from streamd.core.histories.blocks import StoredBlocks
from streamd.core.state import State
from streamd.core.update import ORIGIN, Draft, Position, Update
from streamd.journals import log_state, redis_session, sqlite
from streamd.journals.journal import (
    KEY_LIFETIME,
    Away,
    Conflict,
    Fence,
    Journal,
    Key,
    Outrun,
    SharedJournal,
    SourceCursor,
    TooManyKeys,
    as_shared,
)
from streamd.journals.memory import MemoryJournal
from streamd.journals.redis import RedisJournal
from streamd.journals.sqlite import SqliteJournal
from streamd.reactor.redis_client import RedisUrl
from tests.support.fakes import LIFE, Times, value
from tests.support.redis import Redis
from tests.support.tidy import LoggedErrors

DAY = 86_400.0
A_WHILE = 20.0
"""Seconds: more than a test takes. In Redis, real time goes on beside that of the tests."""


class Provider(Protocol):
    """What the suite has to know of a kind of journal."""

    def break_(self, journal: Journal) -> None:
        """Nothing can be stored from now on."""

    def mend(self, journal: Journal) -> None:
        """It can be again."""

    max_recorded: int  # how much the keys of one publisher may stand for; set small for the suite

    def make(self, times: Times) -> Journal:
        """The log, empty at first, not started."""


class Memory:
    max_recorded = 50

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        patch.setattr(log_state, "MAX_RECORDED", 2 * self.max_recorded)

    def make(self, times: Times) -> Journal:
        return MemoryJournal(times.now, times.elapsed, LIFE)

    def break_(self, journal: Journal) -> None:
        raise AssertionError("memory does not break")

    mend = break_


class Sqlite(Memory):
    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        super().__init__(patch, folder)
        patch.setattr(sqlite, "RETRY", 0.02)
        self.file = folder / "log.db"

    def make(self, times: Times) -> Journal:
        from twisted.internet import reactor

        return SqliteJournal(self.file, times.now, times.elapsed, reactor)

    def break_(self, journal: Journal) -> None:
        self._limit(journal, 1)  # pages; it is set to as many as there are

    def mend(self, journal: Journal) -> None:
        self._limit(journal, 2**30)

    def _limit(self, journal: Journal, pages: int) -> None:
        assert isinstance(journal, SqliteJournal)
        journal._file._run(f"PRAGMA max_page_count = {pages}")


class InRedis:
    max_recorded = 50

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        patch.setattr(redis_session, "MAX_RECORDED", 2 * self.max_recorded)
        for seconds in ("STEP", "TIMEOUT"):  # a busy machine is no failure here
            patch.setattr(redis_session, seconds, 60.0)
        self.server = Redis(folder)
        self.server.start()

    def make(self, times: Times) -> Journal:
        from twisted.internet import reactor

        advance = times.clock.advance

        def age(amount: float) -> None:
            """What expires in Redis is this much nearer to it."""
            advance(amount)
            for key in self.server.say("KEYS", "streamd:expires:*"):
                for name in self.server.say("ZRANGE", key, 0, -1):
                    self.server.say("ZINCRBY", key, -int(amount * 1000), name)

        times.clock.advance = age  # type: ignore[method-assign]
        url = RedisUrl.parse(f"redis://127.0.0.1:{self.server.port}")
        return RedisJournal(url, "", reactor, times.now)

    def break_(self, journal: Journal) -> None:
        self.server.say("CONFIG", "SET", "maxmemory", 1)

    def mend(self, journal: Journal) -> None:
        self.server.say("CONFIG", "SET", "maxmemory", 0)


Make = Callable[[pytest.MonkeyPatch, Path], Provider]
LASTING: list[Make] = [Sqlite, InRedis]
"""Those that are still there for the next process."""
PROVIDERS: list[Make] = [Memory, *LASTING]


class Log:
    """A started journal, and all that it said: its follower."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.times = Times()
        self.journal = provider.make(self.times)
        self.restored: list[tuple[int, list[Update], Position]] = []
        self.updates: list[Update] = []
        self.reasons: list[str | None] = []
        self.losses: list[str] = []
        self.strange: set[str] = set()
        self.broken = False
        self.room = State(0.0).room
        self.on_commit: Callable[[], object] = lambda: None

    async def start(self) -> None:
        await self.journal.start(self)

    async def restart(self) -> None:
        """End, and be another process."""
        await self.journal.stop()
        self.journal = self.provider.make(self.times)
        await self.start()

    @property
    def shared(self) -> SharedJournal:
        """The journal, which other processes may have too."""
        journal = as_shared(self.journal)
        assert journal is not None
        return journal

    @property
    def held(self) -> list[Update]:
        """What it said that it held when it started last."""
        return self.restored[-1][1]

    def restore(
        self, life: int, held: Iterable[Update], horizon: Position, blocks: StoredBlocks
    ) -> None:
        self.restored.append((life, list(held), horizon))
        self.blocks = blocks

    def committed(self, updates: Sequence[Update]) -> None:
        self.updates += updates
        self.on_commit()
        if self.broken:
            raise ZeroDivisionError

    def away(self, why: str | None) -> None:
        self.reasons.append(why)

    def skipped(self, streams: Collection[str], why: str) -> None:
        self.strange |= set(streams)

    def lost(self, why: str) -> None:
        self.losses.append(why)

    async def append(self, *drafts: Any, **conditions: Any) -> Sequence[Update]:
        """Append drafts, written as ("stream", value) or ("stream", value, time)."""
        full = [Draft(name, None if v is forget else value(v), *t) for name, v, *t in drafts]
        return await self.journal.append(full, **conditions)


forget = object()


@pytest.fixture(params=PROVIDERS)
def provider(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Provider]:
    made: Provider = request.param(monkeypatch, tmp_path)
    yield made
    if isinstance(made, InRedis):
        made.server.finish()


lasting = pytest.mark.parametrize("provider", LASTING, indirect=True)
shared = pytest.mark.parametrize("provider", [InRedis], indirect=True)


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def log(provider: Provider) -> AsyncIterator[Log]:
    made = Log(provider)
    await made.start()
    yield made
    await made.journal.stop()


async def sleep(seconds: float) -> None:
    from twisted.internet import reactor

    await deferLater(reactor, seconds)


async def refusal(awaitable: Awaitable[Any], kind: type[Exception]) -> Any:
    """The error that it ends with."""
    with pytest.raises(kind) as caught:
        await awaitable
    return caught.value


class TestOrder:
    async def test_each_stream_counts_for_itself(self, log: Log) -> None:
        await log.append(("a", 1), ("b", 1))
        await log.append(("a", 2))
        assert [(u.stream, u.seq) for u in log.updates] == [("a", 1), ("b", 1), ("a", 2)]

    async def test_an_append_keeps_its_order_and_its_values(self, log: Log) -> None:
        updates = await log.append(("b", {"x": [1]}), ("a", None), ("b", "ä"))
        assert [u.value for u in updates] == [b'{"x":[1]}', b"null", '"ä"'.encode()]
        assert [u.seq for u in updates] == [1, 1, 2]
        assert log.updates == list(updates)

    async def test_positions_increase_and_carry_the_life(self, log: Log) -> None:
        for number in range(10):
            await log.append(("a", number), ("b", number))
            log.times.clock.advance(0.0005)
        positions = [update.at for update in log.updates]
        assert positions == sorted(set(positions))
        assert {at.life for at in positions} == {log.journal.life}
        assert positions[0] > ORIGIN

    async def test_positions_increase_for_any_clock(self, log: Log) -> None:
        rng = random.Random(1)
        for number in range(50):
            log.times.set_back(rng.choice((0, 3600, -3600, 0.001, 40 * 365 * DAY, -1e-4)))
            await log.append(("a", number))
        positions = [update.at for update in log.updates]
        assert positions == sorted(set(positions))
        assert [update.seq for update in log.updates] == list(range(1, 51))

    async def test_a_clock_before_all_time(self, log: Log) -> None:
        log.times.set_back(100 * 365 * DAY)
        [update] = await log.append(("a", 1, 5.0))
        assert update.at > ORIGIN
        assert update.at.life == log.journal.life

    async def test_time_is_the_publishers_or_that_of_the_append(self, log: Log) -> None:
        log.times.clock.advance(7)
        one, other = await log.append(("a", 1, 5.5), ("a", 2))
        assert one.time == 5.5
        assert other.time == pytest.approx(log.times.now())

    async def test_committed_is_reported_before_the_append_is_done(self, log: Log) -> None:
        order: list[str] = []
        appending = log.journal.append([Draft("a", b"1")])
        appending.addCallback(lambda _: order.append(f"done after {len(log.updates)}"))
        await appending
        assert order == ["done after 1"]

    async def test_appends_that_overlap_are_committed_one_after_the_other(self, log: Log) -> None:
        drafts = [[Draft("a", b"%d" % n), Draft("b", b"%d" % n)] for n in range(20)]
        for appending in [log.journal.append(pair) for pair in drafts]:
            await appending
        assert [u.value for u in log.updates] == [d.value for pair in drafts for d in pair]
        assert [u.seq for u in log.updates if u.stream == "b"] == list(range(1, 21))

    async def test_nothing_is_a_legal_append(self, log: Log) -> None:
        assert list(await log.append()) == []
        [update] = await log.append(("a", 1))
        assert update.seq == 1

    async def test_a_follower_that_raises_does_not_undo(
        self, log: Log, logged_errors: LoggedErrors
    ) -> None:
        log.broken = True
        with suppress(ZeroDivisionError):  # whoever appended may be told, or the log
            await log.append(("a", 1), key=Key("k", b"1"))
        logged_errors.flush(ZeroDivisionError)
        log.broken = False
        [again] = await log.append(("a", 1), key=Key("k", b"1"))
        assert (again.seq, len(log.updates)) == (1, 1)
        [following] = await log.append(("a", 2))
        assert following.seq == 2


class TestLongHistories:
    async def test_a_journal_without_any_says_so(self, log: Log) -> None:
        assert log.blocks == {}

    @lasting
    async def test_parts_are_there_after_a_restart(self, log: Log) -> None:
        await log.append(("a", 1))
        await log.journal.store(
            {"a": {-1: b"head", 7: b"\0\xff"}, "b": {0: b"x"}, "": {-1: b"1.5"}}
        )
        await log.journal.store({"a": {7: b"new", 8: b"y"}})
        await log.restart()
        assert log.blocks == {
            "a": {-1: b"head", 7: b"new", 8: b"y"},
            "b": {0: b"x"},
            "": {-1: b"1.5"},
        }

    @lasting
    async def test_parts_that_are_deleted_are_gone(self, log: Log) -> None:
        await log.journal.store({"a": {0: b"x", 1: b"y"}, "b": {0: b"x"}})
        await log.journal.store({"a": {0: None, 5: None}, "b": {0: None}})
        await log.restart()
        assert log.blocks == {"a": {1: b"y"}}


class TestForgetting:
    async def test_it_is_an_update_without_value(self, log: Log) -> None:
        await log.append(("a", 1), ("b", 1))
        [update] = await log.append(("a", forget))
        assert (update.stream, update.value) == ("a", None)
        assert update == log.updates[-1]
        assert update.at > log.updates[-2].at

    async def test_the_stream_counts_from_one_again(self, log: Log) -> None:
        await log.append(("a", 1), ("a", 2), ("b", 1))
        await log.append(("a", forget))
        updates = await log.append(("a", 3), ("b", 2))
        assert [u.seq for u in updates] == [1, 2]

    async def test_forgetting_and_publishing_in_one_append(self, log: Log) -> None:
        updates = await log.append(("a", 1), ("a", forget), ("a", 2))
        assert [u.value for u in updates] == [b"1", None, b"2"]
        assert updates[2].seq == 1

    async def test_what_is_not_there_leaves_no_tombstone(self, log: Log) -> None:
        assert list(await log.append(("a", forget))) == []
        updates = await log.append(("a", 1), ("a", forget), ("a", forget), ("b", forget))
        assert [(u.stream, u.value) for u in updates] == [("a", b"1"), ("a", None)]
        assert log.updates == list(updates)

    async def test_a_repeated_forgetting_under_one_key_counts_once(self, log: Log) -> None:
        await log.append(("a", 1))
        [first] = await log.append(("a", forget), ("b", forget), key=Key("k", b"1"))
        [again] = await log.append(("a", forget), ("b", forget), key=Key("k", b"1"))
        assert (again.stream, again.seq, again.at) == (first.stream, first.seq, first.at)

    async def test_null_is_not_forgetting(self, log: Log) -> None:
        await log.append(("a", None))
        [update] = await log.append(("a", None))
        assert update.seq == 2


class TestKeys:
    async def test_the_same_request_again_is_answered_and_not_repeated(self, log: Log) -> None:
        first = await log.append(("a", 1), ("b", 2), key=Key("k", b"1"))
        log.times.clock.advance(1)
        again = await log.append(("a", 1), ("b", 2), key=Key("k", b"1"))
        assert [(u.stream, u.seq, u.at) for u in again] == [(u.stream, u.seq, u.at) for u in first]
        assert len(log.updates) == 2

    async def test_two_at_once_are_one(self, log: Log) -> None:
        appends = [log.journal.append([Draft("a", b"1")], Key("k", b"1")) for _ in range(3)]
        answers = [[(u.seq, u.at) for u in await appending] for appending in appends]
        assert answers[0] == answers[1] == answers[2]
        assert len(log.updates) == 1

    async def test_another_request_is_a_conflict(self, log: Log) -> None:
        await log.append(("a", 1), key=Key("k", b"1"))
        error = await refusal(log.append(("a", 2), key=Key("k", b"2")), Conflict)
        assert error.status == 409
        assert len(log.updates) == 1

    async def test_a_key_has_a_receipt(self, log: Log) -> None:
        assert await log.journal.receipt(Key("k", b"1")) is None
        first = await log.append(("a", 1), key=Key("k", b"1"))
        again = await log.journal.receipt(Key("k", b"1"))
        assert again is not None
        assert [(u.stream, u.seq, u.at) for u in again] == [(u.stream, u.seq, u.at) for u in first]
        await refusal(log.journal.receipt(Key("k", b"2")), Conflict)
        log.times.clock.advance(KEY_LIFETIME)
        assert await log.journal.receipt(Key("k", b"1")) is None
        assert len(log.updates) == 1

    async def test_it_is_remembered_for_five_minutes(self, log: Log) -> None:
        await log.append(("a", 1), key=Key("k", b"1"))
        log.times.clock.advance(KEY_LIFETIME - A_WHILE)
        await log.append(("a", 1), key=Key("k", b"1"))
        assert len(log.updates) == 1
        log.times.clock.advance(A_WHILE)
        await log.append(("a", 2), key=Key("k", b"2"))
        assert len(log.updates) == 2

    async def test_however_the_clock_is_set(self, log: Log) -> None:
        for back in (DAY, -2 * DAY):
            await log.append(("a", 1), key=Key("k", b"1"))
            log.times.set_back(back)
        assert len(log.updates) == 1

    async def test_a_failed_append_leaves_no_key(self, log: Log) -> None:
        wrong = SourceCursor("s", "elsewhere", "1")
        await refusal(log.append(("a", 1), key=Key("k", b"1"), cursor=wrong), Outrun)
        await log.append(("a", 2), key=Key("k", b"2"))
        assert len(log.updates) == 1

    async def test_what_is_remembered_is_bounded(self, log: Log) -> None:
        bound = log.provider.max_recorded
        refused = None
        for number in range(bound + 1):
            try:
                await log.append(("a", number), key=Key(f"k{number}", b"1"))
            except Refused as error:
                refused = error
                break
        assert refused is not None
        assert refused.status == 429
        taken = len(log.updates)
        assert taken > bound // 4
        await log.append(("a", 0), key=Key("k0", b"1"))  # known ones are still answered
        await log.append(("b", 1))  # and what has no key is taken
        assert len(log.updates) == taken + 1
        log.times.clock.advance(KEY_LIFETIME)
        await log.append(("a", 1), key=Key("new", b"1"))

    async def test_keys_of_nothing_count_too(self, log: Log) -> None:
        for number in range(log.provider.max_recorded):
            await log.append(key=Key(f"k{number}", b"1"))
        await refusal(log.append(key=Key("one-more", b"1")), Refused)

    async def test_publisher_never_takes_what_another_needs(self, log: Log) -> None:
        """A publisher has as much as it leaves to all others."""
        total = 2 * log.provider.max_recorded

        async def publish_all(publisher: str) -> int:
            for number in range(total):
                try:
                    await log.append(key=Key(f"k{number}", b"1", publisher))
                except TooManyKeys:
                    return number
            raise AssertionError("nothing is bounded")

        taken = [await publish_all(publisher) for publisher in ("", "0", "1", "2")]
        assert taken == [total // 2, total // 4, total // 8, total // 16]
        await log.append(key=Key("k0", b"1", "1"))  # known ones are still answered
        log.times.clock.advance(KEY_LIFETIME)
        assert await publish_all("2") == total // 2

    async def test_keys_of_two_publishers_do_not_meet(self, log: Log) -> None:
        [first] = await log.append(("a", 1), key=Key("k", b"1"))
        [second] = await log.append(("a", 2), key=Key("k", b"2", "0"))
        [third] = await log.append(("a", 3), key=Key("k", b"3", "1"))
        assert [first.seq, second.seq, third.seq] == [1, 2, 3]
        [again] = await log.append(("a", 2), key=Key("k", b"2", "0"))
        assert again.seq == 2
        await refusal(log.journal.receipt(Key("k", b"1", "0")), Conflict)

    async def test_one_large_append_is_bounded_as_many_small_ones(self, log: Log) -> None:
        many = [("a", n) for n in range(log.provider.max_recorded)]
        await refusal(log.append(*many, key=Key("k", b"1")), Refused)
        assert log.updates == []


class TestCursors:
    async def test_it_is_stored_with_the_updates(self, log: Log) -> None:
        assert await log.journal.place("s") is None
        await log.append(("a", 1), cursor=SourceCursor("s", None, "row 1"))
        assert await log.journal.place("s") == "row 1"
        await log.append(("a", 2), cursor=SourceCursor("s", "row 1", "row 2"))
        assert await log.journal.place("s") == "row 2"
        assert await log.journal.place("other") is None

    @pytest.mark.parametrize("expected", [None, "row 0", "row 2"])
    async def test_an_outdated_cursor_commits_nothing(self, log: Log, expected: str | None) -> None:
        await log.append(("a", 1), cursor=SourceCursor("s", None, "row 1"))
        stale = SourceCursor("s", expected, "row 9")
        await refusal(log.append(("a", 9), ("b", 9), cursor=stale), Outrun)
        assert await log.journal.place("s") == "row 1"
        assert len(log.updates) == 1
        [update] = await log.append(("b", 1))
        assert update.seq == 1

    async def test_of_two_at_once_one_wins(self, log: Log) -> None:
        first = log.journal.append([Draft("a", b"1")], cursor=SourceCursor("s", None, "1"))
        second = log.journal.append([Draft("a", b"2")], cursor=SourceCursor("s", None, "2"))
        await first
        await refusal(second, Outrun)
        assert await log.journal.place("s") == "1"

    async def test_a_place_moves_without_updates(self, log: Log) -> None:
        await log.append(cursor=SourceCursor("s", None, "1"))
        assert await log.journal.place("s") == "1"


@shared
class TestFences:
    async def test_an_older_lease_is_refused(self, log: Log) -> None:
        await log.append(("a", 1), fence=Fence("shop", 7))
        await log.append(("a", 2), fence=Fence("shop", 7))
        await log.append(("a", 3), fence=Fence("shop", 8))
        await refusal(log.append(("a", 4), fence=Fence("shop", 7)), Outrun)
        assert [u.value for u in log.updates] == [b"1", b"2", b"3"]

    async def test_fences_hold_for_the_next_process(self, log: Log) -> None:
        await log.append(("a", 1), fence=Fence("shop", 7))
        await log.restart()
        await refusal(log.append(("a", 2), fence=Fence("shop", 6)), Outrun)
        fence = await log.shared.acquire("shop", 10)
        assert fence is not None
        await log.append(("a", 2), fence=fence)

    async def test_leases_do_not_know_each_other(self, log: Log) -> None:
        await log.append(("a", 1), fence=Fence("shop", 7))
        await log.append(("a", 2), fence=Fence("plant", 1))
        assert len(log.updates) == 2

    async def test_a_refused_append_moves_neither_fence_nor_cursor(self, log: Log) -> None:
        await log.append(("a", 1), fence=Fence("shop", 7))
        cursor = SourceCursor("s", None, "1")
        await refusal(log.append(("a", 2), cursor=cursor, fence=Fence("shop", 6)), Outrun)
        assert await log.journal.place("s") is None
        stale = SourceCursor("s", "elsewhere", "1")
        await refusal(log.append(("a", 3), cursor=stale, fence=Fence("shop", 9)), Outrun)
        await log.append(("a", 4), fence=Fence("shop", 8))
        assert [u.value for u in log.updates] == [b"1", b"4"]


class TestTurns:
    """What is asked is done in order, whoever asks and whenever."""

    async def test_the_restored_log_comes_before_new_updates(self, provider: Provider) -> None:
        log = Log(provider)
        await refusal(log.append(("a", 1)), Away)
        await log.start()
        assert log.restored == [(log.journal.life, [], ORIGIN)]
        assert log.updates == []
        await log.append(("a", 1))
        await log.journal.stop()

    async def test_questions_wait_for_what_was_asked_before(self, log: Log) -> None:
        key, cursor = Key("k", b"1"), SourceCursor("s", None, "row 1")
        appending = log.journal.append([Draft("a", b"1")], key, cursor)
        place, receipt = log.journal.place("s"), log.journal.receipt(key)
        assert await place == "row 1"
        assert [u.seq for u in await receipt or ()] == [1]
        await appending

    async def test_answers_come_in_the_order_of_the_questions(self, log: Log) -> None:
        order: list[int] = []
        asked = [log.journal.append([Draft("a", b"%d" % n)]) for n in range(5)]
        for number, appending in enumerate(asked):
            appending.addCallback(lambda _, n: order.append(n), number)
        for appending in asked:
            await appending
        assert order == [0, 1, 2, 3, 4]

    async def test_an_append_by_the_follower_comes_after(self, log: Log) -> None:
        later: list[Any] = []

        def on_commit() -> None:
            if len(log.updates) < 3:
                later.append(log.journal.append([Draft("a", b"%d" % len(log.updates))]))

        log.on_commit = on_commit
        await log.append(("a", 0))
        for appending in later:
            await appending
        assert [(u.seq, u.value) for u in log.updates] == [(1, b"0"), (2, b"1"), (3, b"2")]

    async def test_an_append_that_fails_stops_no_other_append(self, log: Log) -> None:
        stale = SourceCursor("s", "elsewhere", "1")
        asked = [
            log.journal.append([Draft("a", b"1")]),
            log.journal.append([Draft("a", b"2")], cursor=stale),
            log.journal.append([Draft("a", b"3")]),
        ]
        await asked[0]
        await refusal(asked[1], Outrun)
        await asked[2]
        assert [(u.seq, u.value) for u in log.updates] == [(1, b"1"), (2, b"3")]

    async def test_what_is_under_way_is_committed_before_it_stops(self, provider: Provider) -> None:
        log = Log(provider)
        await log.start()
        order: list[str] = []
        for number in range(3):
            appending = log.journal.append([Draft("a", b"%d" % number)])
            appending.addCallback(lambda _, n: order.append(str(n)), number)
        stopping = log.journal.stop().addCallback(lambda _: order.append("stopped"))
        await stopping
        assert order == ["0", "1", "2", "stopped"]
        assert [u.value for u in log.updates] == [b"0", b"1", b"2"]

    async def test_when_it_has_stopped_it_is_away(self, provider: Provider) -> None:
        log = Log(provider)
        await log.start()
        await log.journal.stop()
        error = await refusal(log.append(("a", 1)), Away)
        assert error.status == 503
        assert log.updates == []


class TestRecords:
    async def test_they_are_kept_by_kind_and_name(self, log: Log) -> None:
        await log.journal.put("screen", "hall", b"one", 60)
        await log.journal.put("screen", "lift", b"two", None)
        await log.journal.put("lock", "hall", b"three", 60)
        assert dict(await log.journal.records("screen")) == {"hall": b"one", "lift": b"two"}
        assert dict(await log.journal.records("lock")) == {"hall": b"three"}
        assert dict(await log.journal.records("nothing")) == {}

    async def test_the_newest_is_kept(self, log: Log) -> None:
        await log.journal.put("screen", "hall", b"one", 60)
        await log.journal.put("screen", "hall", b"two", 60)
        assert dict(await log.journal.records("screen")) == {"hall": b"two"}

    async def test_they_expire(self, log: Log) -> None:
        await log.journal.put("screen", "hall", b"one", 60)
        log.times.clock.advance(30)
        await log.journal.put("screen", "lift", b"two", 60)
        await log.journal.put("screen", "roof", b"three", None)
        log.times.clock.advance(30)
        assert dict(await log.journal.records("screen")) == {"lift": b"two", "roof": b"three"}
        log.times.clock.advance(1000 * DAY)
        assert dict(await log.journal.records("screen")) == {"roof": b"three"}

    async def test_records_are_deleted(self, log: Log) -> None:
        await log.journal.put("screen", "hall", b"one", None)
        await log.journal.put("screen", "hall", b"", 0)
        await log.journal.put("screen", "nobody", b"", 0)
        assert dict(await log.journal.records("screen")) == {}

    async def test_a_record_is_swapped_for_another(self, log: Log) -> None:
        swap = log.journal.swap
        assert await swap("screen", "hall", None, b"one", None)
        assert not await swap("screen", "hall", None, b"two", None)
        assert not await swap("screen", "hall", b"", b"two", None)
        assert await swap("screen", "hall", b"one", b"=\0t\xffwo", 60)
        assert not await swap("screen", "hall", b"one", b"three", None)
        assert dict(await log.journal.records("screen")) == {"hall": b"=\0t\xffwo"}
        assert await swap("screen", "hall", b"=\0t\xffwo", b"four", 60)
        log.times.clock.advance(60)
        assert not await swap("screen", "hall", b"four", b"five", None)
        assert await swap("screen", "hall", None, b"five", None)
        assert await swap("screen", "hall", b"five", b"", 0)
        assert dict(await log.journal.records("screen")) == {}

    async def test_a_deleted_record_does_not_come_back(self, log: Log) -> None:
        await log.journal.put("screen", "hall", b"one", None)
        deleted = log.journal.put("screen", "hall", b"", 0)
        swapped = log.journal.swap("screen", "hall", b"one", b"two", None)
        await deleted
        assert not await swapped
        assert dict(await log.journal.records("screen")) == {}

    async def test_idempotency_keys_are_no_business_of_theirs(self, log: Log) -> None:
        await log.append(("a", 1), key=Key("k", b"1"))
        await log.journal.put("screen", "k", b"one", 60)
        assert dict(await log.journal.records("screen")) == {"k": b"one"}
        [again] = await log.append(("a", 1), key=Key("k", b"1"))
        assert again.seq == 1


@shared
class TestLeases:
    async def test_a_lease_is_a_fence_for_appends(self, log: Log) -> None:
        fence = await log.shared.acquire("shop", 10)
        assert fence is not None
        await log.append(("a", 1), fence=fence)
        assert await log.shared.acquire("shop", 10) == fence  # it is kept
        await log.append(("a", 2), fence=fence)
        await log.shared.release("shop")
        again = await log.shared.acquire("shop", 10)
        assert again is not None
        assert again.number >= fence.number
        await log.append(("a", 3), fence=again)
        assert len(log.updates) == 3

    async def test_a_lease_also_guards_records(self, log: Log) -> None:
        fence = await log.shared.acquire("shop", 10)
        assert fence is not None
        older = fence._replace(number=fence.number - 1)
        await log.shared.put("health", "shop", b"new", 60, fence)
        await refusal(log.shared.put("health", "shop", b"old", 60, older), Outrun)
        await refusal(log.shared.put("health", "shop", b"old", 0, older), Outrun)
        assert dict(await log.journal.records("health")) == {"shop": b"new"}

    async def test_a_lease_also_guards_parts_of_long_histories(self, log: Log) -> None:
        fence = await log.shared.acquire("shop", 10)
        assert fence is not None
        older = fence._replace(number=fence.number - 1)
        await log.shared.store({"a": {-1: b"new", 3: b"x"}}, fence)
        await refusal(log.shared.store({"a": {-1: b"old"}, "b": {1: b"old"}}, older), Outrun)
        await refusal(log.shared.store({"a": {-1: None, 3: None}}, older), Outrun)
        assert dict(await log.shared.stored("a")) == {-1: b"new", 3: b"x"}
        assert dict(await log.shared.stored("b")) == {}
        [again] = await log.append(("a", 1))  # the next request of the step was carried out
        assert again.seq == 1

    async def test_it_is_not_older_than_what_was_appended(self, log: Log) -> None:
        await log.append(("a", 1), fence=Fence("shop", 7))
        fence = await log.shared.acquire("shop", 10)
        assert fence is not None
        await log.append(("a", 2), fence=fence)


class TestTrimming:
    async def test_the_log_continues(self, log: Log) -> None:
        await log.append(("a", 1), ("a", 2), ("b", 1))
        [gone] = await log.append(("b", forget))
        await log.journal.trim({"a": log.updates[1].at, "b": gone.at}, gone.at)
        updates = await log.append(("a", 3), ("b", 2))
        assert [u.seq for u in updates] == [3, 1]
        assert updates[0].at > gone.at

    async def test_what_is_not_there_is_no_error(self, log: Log) -> None:
        await log.journal.trim({"nobody": Position(5, 5)}, ORIGIN)
        await log.journal.trim({}, ORIGIN)


@lasting
class TestRestart:
    """Another process goes on where the one before ended."""

    async def test_all_is_held_in_order(self, log: Log) -> None:
        await log.append(("b", {"x": [1]}), ("a", None, 5.5), ("b", "ä"))
        await log.append(("c", 1))
        await log.append(("c", forget))
        await log.restart()
        assert log.held == log.updates
        assert [life for life, _, _ in log.restored] == [log.journal.life] * 2
        assert {update.at.life for update in log.held} == {log.journal.life}

    async def test_positions_and_seqs_continue(self, log: Log) -> None:
        await log.append(("a", 1), ("a", 2), ("b", 1))
        await log.append(("b", forget))
        log.times.set_back(3600)
        await log.restart()
        await log.append(("a", 3), ("b", 2), ("c", 1))
        assert [u.seq for u in log.updates] == [1, 2, 1, 2, 3, 1, 1]
        positions = [update.at for update in log.updates]
        assert positions == sorted(set(positions))
        await log.restart()
        assert log.held == log.updates

    async def test_cursors(self, log: Log) -> None:
        cursor = SourceCursor("s", None, "row 1")
        await log.append(("a", 1), cursor=cursor)
        await log.restart()
        assert await log.journal.place("s") == "row 1"
        await refusal(log.append(("a", 2), cursor=cursor), Outrun)

    async def test_keys_are_remembered(self, log: Log) -> None:
        first = await log.append(("a", 1), ("b", 1), key=Key("k", b"1"))
        log.times.clock.advance(KEY_LIFETIME - A_WHILE)
        await log.restart()
        again = await log.append(("a", 1), ("b", 1), key=Key("k", b"1"))
        assert [(u.stream, u.seq, u.at) for u in again] == [(u.stream, u.seq, u.at) for u in first]
        await refusal(log.append(("a", 2), key=Key("k", b"2")), Conflict)
        log.times.clock.advance(A_WHILE)
        await log.restart()
        [new] = await log.append(("a", 2), key=Key("k", b"2"))
        assert new.seq == 2

    async def test_keys_are_forgotten_in_time_though_the_clock_was_set_back(self, log: Log) -> None:
        await log.append(("a", 1), key=Key("k", b"1"))
        log.times.set_back(DAY)
        await log.restart()
        log.times.clock.advance(KEY_LIFETIME)
        [new] = await log.append(("a", 2), key=Key("k", b"2"))
        assert new.seq == 2

    async def test_what_is_remembered_is_bounded(self, log: Log) -> None:
        for number in range(log.provider.max_recorded // 2):
            await log.append(("a", number), key=Key(f"k{number}", b"1"))
        await log.restart()
        await refusal(log.append(("a", 1), key=Key("one-more", b"1")), Refused)
        await log.append(("a", 1), key=Key("one-more", b"1", "0"))

    async def test_records(self, log: Log) -> None:
        await log.journal.put("screen", "hall", b"one", 60)
        await log.journal.put("screen", "lift", b"two", 30)
        await log.journal.put("screen", "roof", b"three", None)
        await log.journal.put("screen", "roof", b"four", None)
        await log.journal.put("screen", "yard", b"five", None)
        await log.journal.put("screen", "yard", b"", 0)
        log.times.clock.advance(30)
        await log.restart()
        assert dict(await log.journal.records("screen")) == {"hall": b"one", "roof": b"four"}

    async def test_refused_appends_are_not_held(self, log: Log) -> None:
        stale = SourceCursor("s", "elsewhere", "1")
        await refusal(log.append(("a", 1), key=Key("k", b"1"), cursor=stale), Outrun)
        await log.restart()
        assert log.held == []

    async def test_trimmed_updates_are_not_held(self, log: Log) -> None:
        await log.append(("a", 1), ("b", 1), ("a", 2), ("a", 3), ("b", 2))
        [gone] = await log.append(("b", forget))
        await log.append(("c", 1), ("c", forget), ("d", 1))
        second = log.updates[2]
        await log.journal.trim({"a": second.at, "b": gone.at}, gone.at)
        await log.restart()
        assert log.restored[-1][2] == gone.at
        assert [(u.stream, u.seq) for u in log.held] == [
            ("a", 2), ("a", 3), ("c", 1), ("c", 2), ("d", 1),
        ]  # fmt: skip
        [update] = await log.append(("b", 5))
        assert (update.seq, update.at > log.held[-1].at) == (1, True)

    async def test_a_head_that_was_trimmed_is_not_used_again(self, log: Log) -> None:
        await log.append(("a", 1))
        [gone] = await log.append(("a", forget))
        await log.journal.trim({"a": gone.at}, gone.at)
        log.times.set_back(DAY)
        await log.restart()
        assert log.held == []
        [update] = await log.append(("a", 1))
        assert update.at > gone.at

    async def test_what_was_under_way_at_the_end(self, log: Log) -> None:
        for number in range(200):
            log.journal.append([Draft("a", b"%d" % number)])
        await log.restart()
        assert [u.value for u in log.held] == [b"%d" % n for n in range(200)]


@lasting
class TestAway:
    """Nothing can be stored."""

    async def broken(self, log: Log) -> None:
        await log.append(("a", 1), cursor=SourceCursor("s", None, "row 1"))
        log.provider.break_(log.journal)
        large = "x" * 60_000  # there may be room for something small
        error = await refusal(log.append(("a", large), ("b", 1), key=Key("k", b"1")), Away)
        assert error.status == 503
        assert log.reasons == [error.message]

    async def mended(self, log: Log) -> None:
        log.provider.mend(log.journal)
        while log.reasons[-1] is not None:
            await sleep(0.01)

    async def test_nothing_happened(self, log: Log) -> None:
        await self.broken(log)
        assert [u.value for u in log.updates] == [b"1"]
        await self.mended(log)
        updates = await log.append(("a", 2), ("b", 1), key=Key("k", b"2"))
        assert [u.seq for u in updates] == [2, 1]
        assert await log.journal.place("s") == "row 1"
        await log.restart()
        assert log.held == log.updates

    async def test_new_requests_are_refused_at_once(self, log: Log) -> None:
        await self.broken(log)
        for asked in (log.append(("c", 1)), log.journal.put("screen", "hall", b"one", 60)):
            error = await refusal(asked, Away)
            assert error.message == log.reasons[0]
        await self.mended(log)
        await log.append(("c", 2))
        assert [u.value for u in log.updates] == [b"1", b"2"]

    async def test_waiting_requests_are_refused_too(self, log: Log) -> None:
        log.provider.break_(log.journal)
        value = b'"%b"' % (b"x" * 60_000)
        asked = [log.journal.append([Draft("a", value)]) for n in range(20)]
        for appending in asked:
            await refusal(appending, Away)
        assert log.updates == []
        assert len(log.reasons) == 1
        await self.mended(log)
        [update] = await log.append(("a", 1))
        assert update.seq == 1

    async def test_a_journal_may_stop_while_broken(self, log: Log) -> None:
        await self.broken(log)
        await log.journal.stop()
        log.journal = log.provider.make(log.times)
        await log.start()
        assert log.held == log.updates


class TestLife:
    async def test_two_logs_have_two_lives(self) -> None:
        times = Times()
        lives = {MemoryJournal(times.now, times.elapsed).life for _ in range(20)}
        assert len(lives) == 20
        assert all(0 < life < 2**43 for life in lives)
