"""Which updates are kept: batches and single updates lead to the same histories, sizes and losses."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.description import Description, Keep
from streamd.core.duration import Duration
from streamd.core.retention import cost
from streamd.core.state import State
from streamd.core.update import ORIGIN, Position, Update

KEPT = {
    "a": Description(keep=Keep(1)),
    "b": Description(keep=Keep(2), rollup=Duration(8 * 86_400.0)),
    "c": Description(keep=Keep(3)),
}


def updates_of(chance: Random, count: int) -> list[Update]:
    """Return updates of a few streams; some forget their stream."""
    seqs: dict[str, int] = {}
    updates = []
    for n in range(count):
        name = chance.choice("abcde")
        value = None if chance.random() < 0.05 else b"%d" % 10 ** chance.randrange(9)
        seqs[name] = seqs.get(name, 0) + 1
        updates.append(Update(name, seqs[name], Position(1000 + n // 3, n % 3), n / 3, value))
        if value is None:
            del seqs[name]
    return updates


def content(state: State) -> tuple[Any, ...]:
    kept = state.kept
    streams = {
        name: ([*s.history], s.lost, s.gone, s.health, None if s.long is None else s.long.size)
        for name, s in state.streams.items()
    }
    sizes = kept.size, kept.added, kept.pinned, kept.lost, kept.losses()
    return streams, sizes, [*kept.recent], [*kept.log.after(ORIGIN)], state.head, state.applied


class RetentionTests(SynchronousTestCase):
    def test_a_batch_does_what_its_updates_do_one_by_one(self) -> None:
        for seed in range(30):
            chance = Random(seed)
            batched, single = (State(0.0, KEPT, max_streams=3) for _ in range(2))
            updates = updates_of(chance, 300)
            while updates:
                size = chance.randrange(1, 40)
                batch, updates = updates[:size], updates[size:]
                batched.apply(batch, 1.0)
                for update in batch:
                    single.apply([update], 1.0)
                self.assertEqual(content(single), content(batched), seed)
                held = [update for stream in batched.streams.values() for update in stream.history]
                self.assertEqual(sum(map(cost, held)), batched.kept.size)
                self.assertCountEqual(held, batched.kept.log.after(ORIGIN))
