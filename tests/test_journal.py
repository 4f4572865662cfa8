"""The promise of every journal: one suite, run against each kind.

A kind is a :class:`Provider`; the suite is asynchronous because others than memory are.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

import pytest
import pytest_twisted

from streamd.journal import KEY_LIFETIME, Conflict, Fence, Journal, Key, Outrun, SourceCursor
from streamd.journals import memory
from streamd.journals.memory import MemoryJournal
from streamd.update import ORIGIN, Draft, Refused, Update
from tests.support.fakes import LIFE, Times, value
from tests.support.tidy import LoggedErrors

DAY = 86_400.0


class Provider(Protocol):
    """What the suite has to know of a kind of journal."""

    max_recorded: int  # how much the keys of one journal may stand for; set small for the suite

    def make(self, times: Times) -> Journal:
        """A new, empty log, not started."""


class Memory:
    max_recorded = 50

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(memory, "MAX_RECORDED", self.max_recorded)

    def make(self, times: Times) -> Journal:
        return MemoryJournal(times.now, times.elapsed, LIFE)


PROVIDERS: list[Callable[[pytest.MonkeyPatch], Provider]] = [Memory]


class Log:
    """A started journal, and all that it said was committed."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.times = Times()
        self.journal = provider.make(self.times)
        self.committed: list[Update] = []
        self.broken = False

    async def start(self) -> None:
        await self.journal.start(self._commit)

    def _commit(self, updates: Sequence[Update]) -> None:
        self.committed += updates
        if self.broken:
            raise ZeroDivisionError

    async def append(self, *drafts: Any, **conditions: Any) -> Sequence[Update]:
        """Append drafts, written as ("stream", value) or ("stream", value, time)."""
        full = [Draft(name, None if v is forget else value(v), *t) for name, v, *t in drafts]
        return await self.journal.append(full, **conditions)


forget = object()


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Provider:
    made: Provider = request.param(monkeypatch)
    return made


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def log(provider: Provider) -> AsyncIterator[Log]:
    made = Log(provider)
    await made.start()
    yield made
    await made.journal.stop()


async def refusal(awaitable: Awaitable[Any], kind: type[Exception]) -> Any:
    """The error that it ends with."""
    with pytest.raises(kind) as caught:
        await awaitable
    return caught.value


class TestOrder:
    async def test_each_stream_counts_for_itself(self, log: Log) -> None:
        await log.append(("a", 1), ("b", 1))
        await log.append(("a", 2))
        assert [(u.stream, u.seq) for u in log.committed] == [("a", 1), ("b", 1), ("a", 2)]

    async def test_an_append_keeps_its_order_and_its_values(self, log: Log) -> None:
        updates = await log.append(("b", {"x": [1]}), ("a", None), ("b", "ä"))
        assert [u.value for u in updates] == [b'{"x":[1]}', b"null", '"ä"'.encode()]
        assert [u.seq for u in updates] == [1, 1, 2]
        assert log.committed == list(updates)

    async def test_positions_increase_and_carry_the_life(self, log: Log) -> None:
        for number in range(10):
            await log.append(("a", number), ("b", number))
            log.times.clock.advance(0.0005)
        positions = [update.at for update in log.committed]
        assert positions == sorted(set(positions))
        assert {at.life for at in positions} == {log.journal.life}
        assert positions[0] > ORIGIN

    async def test_positions_increase_whatever_the_clock_does(self, log: Log) -> None:
        rng = random.Random(1)
        for number in range(50):
            log.times.set_back(rng.choice((0, 3600, -3600, 0.001, 40 * 365 * DAY, -1e-4)))
            await log.append(("a", number))
        positions = [update.at for update in log.committed]
        assert positions == sorted(set(positions))
        assert [update.seq for update in log.committed] == list(range(1, 51))

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

    async def test_committed_is_told_before_the_append_is_done(self, log: Log) -> None:
        order: list[str] = []
        appending = log.journal.append([Draft("a", b"1")])
        appending.addCallback(lambda _: order.append(f"done after {len(log.committed)}"))
        await appending
        assert order == ["done after 1"]

    async def test_appends_that_overlap_are_committed_one_after_the_other(self, log: Log) -> None:
        drafts = [[Draft("a", b"%d" % n), Draft("b", b"%d" % n)] for n in range(20)]
        for appending in [log.journal.append(pair) for pair in drafts]:
            await appending
        assert [u.value for u in log.committed] == [d.value for pair in drafts for d in pair]
        assert [u.seq for u in log.committed if u.stream == "b"] == list(range(1, 21))

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
        assert (again.seq, len(log.committed)) == (1, 1)
        [following] = await log.append(("a", 2))
        assert following.seq == 2


class TestForgetting:
    async def test_it_is_an_update_without_value(self, log: Log) -> None:
        await log.append(("a", 1), ("b", 1))
        [update] = await log.append(("a", forget))
        assert (update.stream, update.value) == ("a", None)
        assert update == log.committed[-1]
        assert update.at > log.committed[-2].at

    async def test_the_stream_counts_from_one_again(self, log: Log) -> None:
        await log.append(("a", 1), ("a", 2), ("b", 1))
        await log.append(("a", forget))
        updates = await log.append(("a", 3), ("b", 2))
        assert [u.seq for u in updates] == [1, 2]

    async def test_all_in_one_append(self, log: Log) -> None:
        updates = await log.append(("a", 1), ("a", forget), ("a", 2))
        assert [u.value for u in updates] == [b"1", None, b"2"]
        assert updates[2].seq == 1

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
        assert len(log.committed) == 2

    async def test_two_at_once_are_one(self, log: Log) -> None:
        appends = [log.journal.append([Draft("a", b"1")], Key("k", b"1")) for _ in range(3)]
        answers = [[(u.seq, u.at) for u in await appending] for appending in appends]
        assert answers[0] == answers[1] == answers[2]
        assert len(log.committed) == 1

    async def test_another_request_is_a_conflict(self, log: Log) -> None:
        await log.append(("a", 1), key=Key("k", b"1"))
        error = await refusal(log.append(("a", 2), key=Key("k", b"2")), Conflict)
        assert error.status == 409
        assert len(log.committed) == 1

    async def test_what_was_committed_under_one_can_be_asked(self, log: Log) -> None:
        assert await log.journal.receipt(Key("k", b"1")) is None
        first = await log.append(("a", 1), key=Key("k", b"1"))
        again = await log.journal.receipt(Key("k", b"1"))
        assert again is not None
        assert [(u.stream, u.seq, u.at) for u in again] == [(u.stream, u.seq, u.at) for u in first]
        await refusal(log.journal.receipt(Key("k", b"2")), Conflict)
        log.times.clock.advance(KEY_LIFETIME)
        assert await log.journal.receipt(Key("k", b"1")) is None
        assert len(log.committed) == 1

    async def test_it_is_remembered_for_five_minutes(self, log: Log) -> None:
        await log.append(("a", 1), key=Key("k", b"1"))
        log.times.clock.advance(KEY_LIFETIME - 1)
        await log.append(("a", 1), key=Key("k", b"1"))
        assert len(log.committed) == 1
        log.times.clock.advance(1)
        await log.append(("a", 2), key=Key("k", b"2"))
        assert len(log.committed) == 2

    async def test_however_the_clock_is_set(self, log: Log) -> None:
        for back in (DAY, -2 * DAY):
            await log.append(("a", 1), key=Key("k", b"1"))
            log.times.set_back(back)
        assert len(log.committed) == 1

    async def test_a_failed_append_leaves_no_key(self, log: Log) -> None:
        wrong = SourceCursor("s", "elsewhere", "1")
        await refusal(log.append(("a", 1), key=Key("k", b"1"), cursor=wrong), Outrun)
        await log.append(("a", 2), key=Key("k", b"2"))
        assert len(log.committed) == 1

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
        taken = len(log.committed)
        assert taken > bound // 4
        await log.append(("a", 0), key=Key("k0", b"1"))  # known ones are still answered
        await log.append(("b", 1))  # and what has no key is taken
        assert len(log.committed) == taken + 1
        log.times.clock.advance(KEY_LIFETIME)
        await log.append(("a", 1), key=Key("new", b"1"))

    async def test_keys_of_nothing_count_too(self, log: Log) -> None:
        for number in range(log.provider.max_recorded):
            await log.append(key=Key(f"k{number}", b"1"))
        await refusal(log.append(key=Key("one more", b"1")), Refused)

    async def test_one_large_append_is_bounded_as_many_small_ones(self, log: Log) -> None:
        many = [("a", n) for n in range(log.provider.max_recorded)]
        await refusal(log.append(*many, key=Key("k", b"1")), Refused)
        assert log.committed == []


class TestCursors:
    async def test_it_is_stored_with_the_updates(self, log: Log) -> None:
        assert await log.journal.place("s") is None
        await log.append(("a", 1), cursor=SourceCursor("s", None, "row 1"))
        assert await log.journal.place("s") == "row 1"
        await log.append(("a", 2), cursor=SourceCursor("s", "row 1", "row 2"))
        assert await log.journal.place("s") == "row 2"
        assert await log.journal.place("other") is None

    @pytest.mark.parametrize("expected", [None, "row 0", "row 2"])
    async def test_who_was_outrun_commits_nothing(self, log: Log, expected: str | None) -> None:
        await log.append(("a", 1), cursor=SourceCursor("s", None, "row 1"))
        stale = SourceCursor("s", expected, "row 9")
        await refusal(log.append(("a", 9), ("b", 9), cursor=stale), Outrun)
        assert await log.journal.place("s") == "row 1"
        assert len(log.committed) == 1
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


class TestFences:
    async def test_an_older_lease_is_refused(self, log: Log) -> None:
        await log.append(("a", 1), fence=Fence("shop", 7))
        await log.append(("a", 2), fence=Fence("shop", 7))
        await log.append(("a", 3), fence=Fence("shop", 8))
        await refusal(log.append(("a", 4), fence=Fence("shop", 7)), Outrun)
        assert [u.value for u in log.committed] == [b"1", b"2", b"3"]

    async def test_leases_do_not_know_each_other(self, log: Log) -> None:
        await log.append(("a", 1), fence=Fence("shop", 7))
        await log.append(("a", 2), fence=Fence("plant", 1))
        assert len(log.committed) == 2

    async def test_a_refused_append_moves_neither_fence_nor_cursor(self, log: Log) -> None:
        await log.append(("a", 1), fence=Fence("shop", 7))
        cursor = SourceCursor("s", None, "1")
        await refusal(log.append(("a", 2), cursor=cursor, fence=Fence("shop", 6)), Outrun)
        assert await log.journal.place("s") is None
        stale = SourceCursor("s", "elsewhere", "1")
        await refusal(log.append(("a", 3), cursor=stale, fence=Fence("shop", 9)), Outrun)
        await log.append(("a", 4), fence=Fence("shop", 8))
        assert [u.value for u in log.committed] == [b"1", b"4"]


class TestLife:
    async def test_two_logs_have_two_lives(self) -> None:
        times = Times()
        lives = {MemoryJournal(times.now, times.elapsed).life for _ in range(20)}
        assert len(lives) == 20
        assert all(0 < life < 2**43 for life in lives)
