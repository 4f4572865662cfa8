"""Long histories in each journal: whatever happens, they equal a naive computation over all updates.

Updates come in order, late, at equal times, from the far past and from the future.  The daemon stops,
or dies, and starts again with another ``rollup`` or with other limits; the clock is set.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Iterable, Sequence

import pytest

from streamd.core.description import Description, Keep
from streamd.core.duration import Duration
from streamd.core.histories.blocks import StoredBlocks
from streamd.core.histories.long_history import LongHistory
from streamd.core.histories.saving import FOLLOWED
from streamd.core.limit import Limit
from streamd.core.room import Room
from streamd.core.state import State
from streamd.core.update import Draft, Position, Update
from streamd.core.values import number_and_word
from tests.journals.test_journal import LASTING, PROVIDERS, Provider
from tests.support.fakes import Times
from tests.support.past import close, moments_of, naive, naive_segments
from tests.support.tidy import LoggedErrors

VALUES = b"null", b'"up"', b'"down"', b"true", b"-3", b"0", b"7.25", b"12", b"[1]"
DAY = 86_400.0
ROLLUPS = 600.0, 9_000.0, 24_000.0


class Node:
    """One process after the other on one journal, and everything that was ever published."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.times = Times()
        self.journal = provider.make(self.times)
        self.updates: list[Update] = []
        self.outages = 0  # after which the value is unknown

    def describe(self, rollup: float, warn: str | None, keep: int) -> None:
        """What the next process is configured to keep."""
        self.rollup, self.keep = rollup, keep
        limit = None if warn is None else Limit(warn)
        self._description = Description(keep=Keep(keep), rollup=Duration(rollup), warn=limit)

    async def start(self) -> None:
        self.state = State(self.times.now(), {"a": self._description})
        await self.journal.start(self)

    async def restart(self) -> None:
        self.outages += 1
        await self.journal.stop()
        self.journal = self._provider.make(self.times)
        await self.start()

    async def publish(self, time: float, value: bytes) -> None:
        self.updates += await self.journal.append([Draft("a", value, time)])

    async def store(self) -> None:
        """As :class:`~streamd.app.upkeep.Upkeep` does."""
        losses = self.state.losses()
        await self.journal.store(blocks := self.state.saving.take(self.times.now()))
        assert FOLLOWED in blocks
        await self.journal.trim(*losses)

    def set_clock(self, seconds: float) -> None:
        """The clock makes a step; the daemon judges every second."""
        self.times.set_back(-seconds)
        self.state.judge(self.times.now(), self.times.elapsed())

    @property
    def long(self) -> LongHistory:
        long = self.state.streams["a"].long
        assert long is not None
        long.settle()
        return long

    # -- the journal's follower --------------------------------------------------------------------

    @property
    def room(self) -> Room:
        return self.state.room

    def restore(
        self, life: int, held: Iterable[Update], horizon: Position, blocks: StoredBlocks
    ) -> None:
        now = self.times.now()
        self.state.restore(life, held, horizon, blocks, now, self.times.elapsed())

    def committed(self, updates: Sequence[Update]) -> None:
        self.state.apply(updates, self.times.now())

    def away(self, why: str | None) -> None:
        """Nothing: a busy machine may let Redis seem to be away."""

    def skipped(self, streams: Collection[str], why: str) -> None:
        raise AssertionError(why)

    def lost(self, why: str) -> None:
        raise AssertionError(why)


def check(node: Node) -> None:
    """Compare the long history with what all updates say."""
    long, now = node.long, node.times.now()
    width = long.slots.width
    silences = [*long.segments[2].read(0.0, math.inf)]
    said = [(min(u.time, (u.at.ms + 1) / 1000), u.value or b"") for u in node.updates]
    moments = moments_of(
        said, [(begin, end if end < math.inf else None) for begin, end, _ in silences]
    )
    end = max([now, *(time for time, _ in moments)]) + 1
    numbers = [(time, number_and_word(value)[0]) for time, value in moments]
    oldest = int((end - node.rollup) // width)
    want = naive(numbers, end, width, oldest) if numbers else {}
    got = {int(slot.time) // width: slot for slot in long.slots.read(oldest * width, end)}
    assert [*got] == [*want]
    for number, slot in got.items():
        other = want[number]
        assert (slot.low, slot.high, slot.last) == (other.low, other.high, other.last), number
        assert math.isclose(slot.known, other.known, rel_tol=1e-6, abs_tol=1e-5), (slot, other)
        assert close(slot.mean, other.mean, 1e5), (slot, other)
    words = naive_segments(moments, end, lambda value: number_and_word(value)[1])
    assert [*long.segments[0].read(0.0, end)] == words
    begins = [begin for begin, _, _ in silences]
    assert begins == sorted(set(begins))
    assert len(begins) <= node.outages


@pytest.fixture(params=PROVIDERS)
def provider(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> Iterable[Provider]:
    made: Provider = request.param(monkeypatch, tmp_path)
    yield made
    if request.param is LASTING[-1]:
        made.server.finish()  # type: ignore[attr-defined]


async def happen(node: Node, rng: random.Random, lasts: bool) -> None:
    """Let one thing happen that cannot make a mean rough: late updates only where all are kept."""
    node.times.clock.advance(rng.choice((0.0, 0.25, 3.0, 40.0)))
    now = node.times.now()
    chance = rng.random()
    if chance < 0.1:
        await node.store()
    elif chance < 0.2 and lasts:
        if rng.random() < 0.5:
            await node.store()
        node.times.clock.advance(rng.choice((0.0, 20.0)))
        if rng.random() < 0.3:
            node.describe(node.rollup, rng.choice((None, "> 5", "== up")), node.keep)
        await node.restart()
        assert node.long.rough is None
    elif chance < 0.3:
        # A step back makes the next updates late; one of more than a minute cuts the history off.
        node.set_clock(rng.choice((20.0, 5000.0) if node.keep < 1000 else (20.0, 5000.0, -20.0)))
    elif chance < 0.35:
        node.outages += 1
        node.state.skip(["a"], "unreadable", now)
    else:
        newest = node.long.slots.began
        back = rng.choice((0.0, 0.0, 1.5, 30.0, 5000.0, -1000.0))
        time = now - back + 0.0003  # not the millisecond of its append, when it ends a silence
        if node.keep < 1000:  # a late update would make a mean rough
            time = max(time, newest)
        await node.publish(time, rng.choice(VALUES))


@pytest.mark.parametrize("seed", range(8))
async def test_every_slot_and_word_is_what_all_updates_say(provider: Provider, seed: int) -> None:
    rng = random.Random(seed)
    node = Node(provider)
    node.describe(rng.choice(ROLLUPS), None, rng.choice((1, 3, 1000)))
    await node.start()
    for _ in range(60):
        await happen(node, rng, lasts=type(provider) in LASTING)
        assert node.long.rough is None
        check(node)
    await node.journal.stop()


@pytest.mark.parametrize("provider", LASTING, indirect=True)
async def test_another_period_begins_with_what_raw_history_has(
    provider: Provider, logged_errors: LoggedErrors
) -> None:
    node = Node(provider)
    for rollup in 8 * DAY, 90 * DAY, 7 * DAY, 3600.0, 8 * DAY:
        node.describe(rollup, None, 1000)
        if node.updates:
            await node.restart()
        else:
            await node.start()
        for number in range(20):
            node.times.clock.advance(7.0)
            await node.publish(node.times.now(), b"%d" % number)
        check(node)
        await node.store()
    await node.journal.stop()
