"""The demo stream: as the manual promises it."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from streamd.core.duration import Duration
from streamd.sources.random_walk import KIND, RandomWalk
from tests.support.fakes import Daemonette


class Watched(random.Random):
    """A generator that remembers what it said."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.waits: list[float] = []
        self.steps: list[int] = []

    def random(self) -> float:
        self.waits.append(super().random())
        return self.waits[-1]

    def randint(self, a: int, b: int) -> int:
        # Drawn from the list, so that random() is not asked in between.
        self.steps.append(self.choices(range(a, b + 1))[0])
        self.waits.pop()
        return self.steps[-1]


class RandomWalkTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.daemon = Daemonette()
        self.rng = Watched(1)
        self.walk = RandomWalk(self.daemon.clock, self.rng)
        self.daemon_feed = self.daemon.feed("variable", expect=Duration(3))

    def start(self) -> None:
        self.walk.start(self.daemon_feed)

    def run_for(self, seconds: float, turn: float = 0.001) -> list[float]:
        """Moments, in seconds from now, at which a value came."""
        moments, began = [], self.daemon.clock.seconds()
        while self.daemon.clock.seconds() < began + seconds:
            before = len(self.daemon.log)
            self.daemon.clock.advance(turn)
            moments += [self.daemon.clock.seconds() - began] * (len(self.daemon.log) - before)
        return moments

    def values(self) -> list[int]:
        self.assertEqual({"variable"}, {name for name, _ in self.daemon.log})
        return [value for _, value in self.daemon.log]

    def test_starts_at_zero_at_once(self) -> None:
        self.start()
        self.assertEqual([0], self.values())

    def test_steps_and_waits(self) -> None:
        self.start()
        moments = self.run_for(100)
        values = self.values()
        steps = [after - before for before, after in pairwise(values)]
        self.assertEqual(set(range(1, 11)), set(steps))
        waits = [after - before for before, after in pairwise([0.0, *moments])]
        self.assertLess(max(waits), 1 + 0.01)
        self.assertLess(min(waits), 0.05)
        self.assertGreater(max(waits), 0.95)
        self.assertLess(abs(0.5 - sum(waits) / len(waits)), 0.05)

    def test_each_round_waits_what_was_drawn(self) -> None:
        self.start()
        moments = self.run_for(5, 0.0005)
        moment = 0.0
        for drawn, seen in zip(self.rng.waits, moments, strict=False):
            moment += drawn
            self.assertLess(abs(moment - seen), 0.01)

    def test_the_same_generator_walks_the_same_way(self) -> None:
        other = Daemonette()
        RandomWalk(other.clock, Watched(1)).start(other.feed("variable"))
        self.start()
        for daemon in (self.daemon, other):
            daemon.clock.pump([0.01] * 1000)
        self.assertEqual(self.daemon.log, other.log)

    def break_next(self, times: int = 1) -> Callable[..., Any]:
        put, left = self.daemon_feed.put, [times]

        def broken(*arguments: Any) -> Any:
            if left[0]:
                left[0] -= 1
                raise ZeroDivisionError
            return put(*arguments)

        self.patch(self.daemon_feed, "put", broken)
        return broken

    def test_an_exception_is_a_failure_and_it_walks_on(self) -> None:
        self.start()
        self.break_next(2)
        self.run_for(1)
        state, error = self.daemon.health("variable")
        self.assertEqual("failed", state)
        self.assertIn("ZeroDivisionError", error or "")
        self.run_for(10)
        self.assertEqual(("fresh", None), self.daemon.health("variable"))
        self.assertGreater(len(self.values()), 10)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_stop(self) -> None:
        self.start()
        self.run_for(3)
        self.walk.stop()
        before = len(self.daemon.log)
        self.run_for(3)
        self.assertEqual(before, len(self.daemon.log))
        self.assertEqual([], self.daemon.clock.getDelayedCalls())

    def test_stop_before_the_start_and_after_a_failure(self) -> None:
        RandomWalk(self.daemon.clock, self.rng).stop()
        self.start()
        self.break_next()
        self.run_for(1)
        self.walk.stop()
        self.assertEqual([], self.daemon.clock.getDelayedCalls())
        self.flushLoggedErrors(ZeroDivisionError)

    def test_its_silence_is_late(self) -> None:
        self.assertEqual(3, KIND.settings().expect)
