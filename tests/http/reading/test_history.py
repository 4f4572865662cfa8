"""Histories in few points: off the reactor's turn, once for equal questions, in bounded memory."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.description import Description, Keep
from streamd.core.errors import Refused
from streamd.core.quota import SHARE
from streamd.core.steps import STEP
from streamd.core.stream import Stream
from streamd.core.update import Draft
from streamd.http.reading import history as module
from streamd.http.reading.history import MAX_WAITING, PastAnswers, ThinHistory, ThinLook
from streamd.reactor.slices import PAUSE, TURN, Slices
from tests.support.fakes import Daemonette

UPDATES = 20_000


class PastTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.daemon = Daemonette({"a": Description(keep=Keep(UPDATES))})
        self.publish(*range(UPDATES))
        self.clock = Clock()
        self.slices = Slices(self.clock)
        self.past = PastAnswers(self.slices)
        self.asked = 0
        compute = ThinLook.compute

        def counting(look: ThinLook) -> Generator[None, None, ThinHistory]:
            self.asked += 1
            return compute(look)

        self.patch(ThinLook, "compute", counting)

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
        asked = self.past.ask(ThinLook(self.stream, length, points), "a")
        self.take_turns()
        history: ThinHistory = self.successResultOf(asked)
        return history

    def test_it_takes_several_turns(self) -> None:
        """Each step takes what a step may take at most; no turn takes two more than it may."""
        steps = 0

        def slow(seconds: float = 0.0) -> float:
            nonlocal steps
            steps += 1
            return steps * TURN / 4

        self.clock.seconds = slow  # type: ignore[method-assign]
        asked = self.past.ask(ThinLook(self.stream, 0, 100), "a")
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
        self.assertEqual([1, UPDATES], [found.updates[0].seq, found.updates[-1].seq])
        self.assertLessEqual(len(found.updates), 8)
        newest = ThinHistory(list(self.stream.history)[-3:], False)
        self.assertEqual(newest, self.ask(100, 3))

    def test_equal_questions_share_one_computation(self) -> None:
        asked = [self.past.ask(ThinLook(self.stream, 0, 100), "a") for _ in range(100)]
        self.take_turns()
        self.assertEqual(1, len({id(self.successResultOf(answer)) for answer in asked}))
        self.assertEqual(1, self.asked)

    def test_their_answers_are_made_in_turns(self) -> None:
        made: list[float] = []

        def make(_: ThinHistory) -> None:
            made.append(self.clock.seconds())
            self.clock.rightNow += TURN / 5

        for _ in range(100):
            self.past.ask(ThinLook(self.stream, 0, 100), "a").addCallback(make)
        self.take_turns()
        self.assertEqual(100, len(made))
        begins = [
            at for before, at in zip([0.0, *made], made, strict=False) if at - before > TURN / 4
        ]
        self.assertGreaterEqual(len(begins), 100 // 6)

    def test_the_answer_is_kept_until_there_is_another_update(self) -> None:
        first = self.ask()
        self.assertIs(first, self.ask())
        self.publish(-1)
        self.assertEqual(b"-1", self.ask().updates[-1].value)
        self.assertEqual(2, self.asked)

    def test_what_is_kept_is_bounded(self) -> None:
        self.patch(module, "KEPT_BYTES", 50_000)
        for points in range(500, 550):
            self.ask(points)
            kept = sum(size for _, size in self.past._kept.values())
            self.assertLessEqual(kept, 50_000)
            self.assertEqual(kept, self.past._size)

    def test_so_are_answers_without_points(self) -> None:
        self.patch(module, "KEPT_BYTES", 50_000)
        empty = Stream("b", Description(), True, 0.0)
        for points in range(100, 400):
            self.past.ask(ThinLook(empty, 0, points), "a")
            self.take_turns()
        self.assertLess(len(self.past._kept), 200)

    def test_equal_questions_that_wait_share_one_computation(self) -> None:
        """They wait for their turn, and the history grows between them."""
        self.past.ask(ThinLook(self.stream, 0, 99), "a")
        asked = []
        for value in range(10):
            self.publish(-value)
            asked.append(self.past.ask(ThinLook(self.stream, 0, 100), "a"))
        self.take_turns()
        self.take_turns()
        self.assertEqual(2, self.asked)
        for answer in asked:
            self.assertEqual(b"-9", self.successResultOf(answer).updates[-1].value)

    def test_question_that_came_after_an_update_gets_it(self) -> None:
        old = self.past.ask(ThinLook(self.stream, 0, 100), "a")
        self.publish(-1)
        new = self.past.ask(ThinLook(self.stream, 0, 100), "a")
        self.take_turns()
        self.take_turns()
        newest = [self.successResultOf(answer).updates[-1].seq for answer in (old, new)]
        self.assertEqual([UPDATES, UPDATES + 1], newest)

    def refusals(self, client: str) -> int:
        """Ask as many different questions as may wait for all; return how many were refused."""
        refused = 0
        for points in range(100, 100 + MAX_WAITING):
            try:
                self.past.ask(ThinLook(self.stream, ord(client), points), client)
            except Refused as error:
                self.assertEqual(503, error.status)
                refused += 1
        return refused

    def test_what_waits_is_bounded(self) -> None:
        running, one = 1, int(MAX_WAITING * SHARE)
        self.assertEqual(MAX_WAITING - one - running, self.refusals("a"))
        self.assertEqual(one, self.refusals("b"))
        self.assertEqual(MAX_WAITING, self.refusals("c"))
        self.past.ask(ThinLook(self.stream, ord("a"), 101), "c")  # shared

    def test_one_history_is_listed_at_a_time(self) -> None:
        for points in range(100, 110):
            self.past.ask(ThinLook(self.stream, 0, points), "a")
        self.assertEqual(1, self.asked)
        self.take_turns()
        self.assertGreater(self.asked, 1)

    def note(self, ended: list[str], client: str, history: ThinHistory) -> None:
        ended.append(client)

    def test_clients_take_turns(self) -> None:
        ended: list[str] = []
        for client, points in [*(("a", 100 + n) for n in range(5)), ("b", 99), ("b", 98)]:
            asked = self.past.ask(ThinLook(self.stream, 0, points), client)
            asked.addCallback(partial(self.note, ended, client))
        self.take_turns()
        self.assertEqual("aababaa", "".join(ended))

    def test_failure(self) -> None:
        self.patch(module, "thin", lambda updates, points: 1 / 0)
        asked = [self.past.ask(ThinLook(self.stream, 0, 100), "a") for _ in range(2)]
        self.take_turns()
        for answer in asked:
            self.failureResultOf(answer, ZeroDivisionError)
        self.assertEqual({}, self.past._waiting)
