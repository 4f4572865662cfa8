"""Histories in few points: off the reactor's turn, once for equal questions, in bounded memory."""

from __future__ import annotations

import json

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.description import Description, Keep
from streamd.core.errors import Refused
from streamd.core.stream import Stream
from streamd.core.thin import STEP
from streamd.core.update import Draft
from streamd.http import history as module
from streamd.http.history import MAX_UNDER_WAY, ThinHistory, Thinner
from streamd.reactor.slices import PAUSE, TURN, Slices
from tests.support.fakes import Daemonette

UPDATES = 20_000


class ThinnerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.daemon = Daemonette({"a": Description(keep=Keep(UPDATES))})
        self.publish(*range(UPDATES))
        self.clock = Clock()
        self.slices = Slices(self.clock)
        self.thinner = Thinner(self.slices)
        self.asked = 0
        run = self.slices.run

        def counting(steps):  # type: ignore[no-untyped-def]
            self.asked += 1
            return run(steps)

        self.slices.run = counting  # type: ignore[method-assign]

    def publish(self, *values: int) -> None:
        self.daemon.journal.append([Draft("a", b"%d" % value) for value in values])

    @property
    def stream(self) -> Stream:
        stream = self.daemon.state.get("a")
        assert stream is not None
        return stream

    def take_turns(self) -> None:
        for _ in range(100):
            self.clock.advance(PAUSE)

    def ask(self, points: int = 100, length: int = 0) -> ThinHistory:
        asked = self.thinner.ask(self.stream, length, points)
        self.take_turns()
        return self.successResultOf(asked)

    def test_it_takes_several_turns(self) -> None:
        """Each step takes what a step may take at most; no turn takes two more than it may."""
        steps = 0

        def slow(seconds: float = 0.0) -> float:
            nonlocal steps
            steps += 1
            return steps * TURN / 4

        self.clock.seconds = slow  # type: ignore[method-assign]
        asked = self.thinner.ask(self.stream, 0, 100)
        self.assertNoResult(asked)
        turns = 0
        while self.clock.calls:
            call = self.clock.calls.pop()
            call.called = 1
            call.func(*call.args)
            turns += 1
        self.assertGreaterEqual(turns, UPDATES / STEP / 4)
        self.assertTrue(self.successResultOf(asked).thinned)

    def test_points(self) -> None:
        found = self.ask(8)
        points = json.loads(b"[" + b",".join(found.parts) + b"]")
        self.assertEqual([0, UPDATES - 1], [points[0]["value"], points[-1]["value"]])
        self.assertLessEqual(len(points), 8)
        self.assertEqual({"seq", "at", "time", "value"}, points[0].keys())
        self.assertEqual(ThinHistory(self.ask(100, 3).parts, False), self.ask(100, 3))

    def test_equal_questions_share_one_computation(self) -> None:
        asked = [self.thinner.ask(self.stream, 0, 100) for _ in range(100)]
        self.take_turns()
        self.assertEqual(1, len({id(self.successResultOf(answer)) for answer in asked}))
        self.assertEqual(1, self.asked)

    def test_the_answer_is_kept_until_there_is_another_update(self) -> None:
        first = self.ask()
        self.assertIs(first, self.ask())
        self.publish(-1)
        self.assertIn(b'"value":-1}', b"".join(self.ask().parts))
        self.assertEqual(2, self.asked)

    def test_what_is_kept_is_bounded(self) -> None:
        self.patch(module, "KEPT_BYTES", 50_000)
        for points in range(500, 550):
            self.ask(points)
            kept = sum(history.size for history in self.thinner._kept.values())
            self.assertLessEqual(kept, 50_000)
            self.assertEqual(kept, self.thinner._size)

    def test_so_are_answers_without_points(self) -> None:
        self.patch(module, "KEPT_BYTES", 50_000)
        empty = Stream("b", Description(), True, 0.0)
        for points in range(100, 400):
            self.thinner.ask(empty, 0, points)
            self.take_turns()
        self.assertLess(len(self.thinner._kept), 200)

    def test_what_is_under_way_is_bounded(self) -> None:
        for points in range(100, 100 + MAX_UNDER_WAY):
            self.thinner.ask(self.stream, 0, points)
        refused = self.assertRaises(Refused, self.thinner.ask, self.stream, 0, 99)
        self.assertEqual(503, refused.status)
        self.thinner.ask(self.stream, 0, 100)  # shared
        for _ in range(30):
            self.take_turns()
        self.ask(99)

    def test_failure(self) -> None:
        self.patch(module, "point_text", lambda update: 1 / 0)
        asked = [self.thinner.ask(self.stream, 0, 100) for _ in range(2)]
        self.take_turns()
        for answer in asked:
            self.failureResultOf(answer, ZeroDivisionError)
        self.assertEqual({}, self.thinner._under_way)
