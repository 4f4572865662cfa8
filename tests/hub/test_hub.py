"""Every viewer up to date, and nobody at another's cost."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from streamd.core.cursor import Answer
from streamd.core.roster import SLICE
from streamd.core.selection import Selection
from streamd.core.update import ORIGIN, Draft, Position
from streamd.hub.audience import Viewer
from streamd.hub.hub import Hub
from streamd.reactor.slices import PAUSE, TURN
from streamd.wire.encoding import MAX_MESSAGE, Encoding, Message, Welcome
from streamd.wire.frames import PLAIN_WEBSOCKET, V1_WEBSOCKET
from streamd.wire.requests import PACE, Subscription
from tests.support.fakes import Daemonette, FakeViewer, texts, value

forget = object()


class HubTestCase(SynchronousTestCase):
    """A hub over a state whose log is written by hand."""

    def setUp(self) -> None:
        self.daemon = Daemonette()
        self.state = self.daemon.state
        self.clock = self.daemon.clock
        self.hub = Hub(self.state, self.clock)

    def publish(self, **values: Any) -> None:
        drafts = [Draft(name, None if v is forget else value(v)) for name, v in values.items()]
        self.daemon.journal.append(drafts)
        self.hub.wake()

    def join(
        self,
        viewer: FakeViewer | None = None,
        streams: list[str] | None = None,
        pace: float = PACE,
        after: Position | None = None,
        encoding: Encoding = PLAIN_WEBSOCKET,
    ) -> FakeViewer:
        viewer = viewer or FakeViewer()
        subscription = Subscription(Selection(streams), pace, after, after is not None)
        self.hub.join(viewer, subscription, encoding, self.daemon.times.now())
        return viewer

    def take_turns(self) -> None:
        """Turns of the reactor: as many as a long answer may need."""
        for _ in range(50):
            self.clock.advance(PAUSE)

    def counting(self, fail: bool = False) -> tuple[Encoding, list[Answer]]:
        """The plain encoding, and every answer that it had to encode; it may fail instead."""
        answers: list[Answer] = []

        def write(answer: Answer, texts: Iterable[bytes]) -> Message:
            answers.append(answer)
            if fail and answer.updates:
                raise ZeroDivisionError
            return PLAIN_WEBSOCKET.write(answer, texts)

        return PLAIN_WEBSOCKET._replace(name="counting", write=write), answers


class PaceTests(HubTestCase):
    def test_first_the_state_then_what_changed_at_once(self) -> None:
        self.publish(variable=41, orders=7)
        viewer = self.join()
        self.assertEqual([{"variable": 41, "orders": 7}], viewer.messages)
        self.publish(variable=44)
        self.assertEqual([{"variable": 44}], viewer.messages[1:])

    def test_an_empty_state_is_reported(self) -> None:
        self.assertEqual([{}], self.join().messages)

    def test_a_busy_stream_is_reported_once_a_pace(self) -> None:
        viewer = self.join()
        for number in range(1000):
            self.publish(a=number)
            self.clock.advance(0.001)
        self.clock.advance(PACE)
        self.assertEqual({"a": 999}, viewer.messages[-1])
        self.assertLessEqual(len(viewer.messages), 1.034 / PACE + 3)
        self.assertGreaterEqual(len(viewer.messages), 1 / PACE - 1)

    def test_the_first_after_a_pause_leaves_at_once_and_the_last_is_not_lost(self) -> None:
        viewer = self.join()
        for _ in range(3):
            self.clock.advance(10)
            before = len(viewer.messages)
            self.publish(a=1)
            self.publish(a=2)
            self.publish(a=3, b=1)
            self.assertEqual([{"a": 1}], viewer.messages[before:])
            self.clock.advance(PACE)
            self.assertEqual([{"a": 1}, {"a": 3, "b": 1}], viewer.messages[before:])

    def test_a_slower_pace(self) -> None:
        fast, slow = self.join(), self.join(pace=PACE * 32)
        for number in range(100):
            self.publish(a=number)
            self.clock.advance(0.1)
        self.clock.advance(2)
        self.assertEqual(fast.holds, slow.holds)
        self.assertGreater(len(fast.messages), 100)
        self.assertLess(len(slow.messages), 10.1 / (PACE * 32) + 4)

    def test_a_quiet_hub_has_no_timer(self) -> None:
        self.join()
        self.publish(a=1)
        self.publish(a=2)
        self.clock.advance(PACE)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_no_message_without_a_change_of_a_selected_stream(self) -> None:
        viewer = self.join(streams=["b*"])
        self.publish(a=1)
        self.clock.advance(1)
        self.publish(b1=1)
        self.assertEqual([{}, {"b1": 1}], viewer.messages)

    def test_a_forgotten_stream(self) -> None:
        self.publish(a=1)
        viewer = self.join()
        self.publish(a=forget)
        self.clock.advance(1)
        self.assertEqual({"a": None}, viewer.messages[-1])

    def test_stop(self) -> None:
        viewer = self.join()
        self.publish(a=1)
        self.publish(a=2)
        self.hub.stop()
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertEqual({"a": 1}, viewer.holds)


class AudienceTests(HubTestCase):
    def test_a_message_is_made_once_for_all_who_get_it(self) -> None:
        encoding, answers = self.counting()
        viewers = [self.join(encoding=encoding) for _ in range(50)]
        del answers[:]
        self.publish(a=1)
        self.assertEqual(1, len(answers))
        self.assertEqual(1, len({id(viewer.written[-1]) for viewer in viewers}))

    def test_a_storm_of_viewers_is_told_the_same_bytes(self) -> None:
        self.publish(a=1)
        encoding, answers = self.counting()
        viewers = [self.join(encoding=encoding) for _ in range(50)]
        self.assertEqual(1, len(answers))
        self.assertEqual([{"a": 1}] * 50, [viewer.holds for viewer in viewers])

    def test_selections_are_told_apart(self) -> None:
        encoding, answers = self.counting()
        a, b, both = (self.join(streams=s, encoding=encoding) for s in (["a"], ["b"], ["b", "a"]))
        also_both = self.join(streams=["a", "b"], encoding=encoding)
        del answers[:]
        self.publish(a=1, b=2)
        self.assertEqual(3, len(answers))
        wanted = [{"a": 1}, {"b": 2}, {"a": 1, "b": 2}, {"a": 1, "b": 2}]
        self.assertEqual(wanted, [viewer.holds for viewer in (a, b, both, also_both)])

    def test_a_viewer_that_lagged_comes_back_into_the_audience(self) -> None:
        encoding, answers = self.counting()
        viewers = [self.join(encoding=encoding) for _ in range(3)]
        viewers[0].drain(0)
        self.publish(a=1)
        self.clock.advance(1)
        viewers[0].drain()
        self.hub.drained(viewers[0])
        del answers[:]
        self.publish(a=2)
        self.assertEqual(1, len(answers))
        self.assertEqual([{"a": 2}] * 3, [viewer.holds for viewer in viewers])


class SlowTests(HubTestCase):
    def test_a_slow_viewer_has_no_queue_and_gets_the_newest(self) -> None:
        slow, good = self.join(FakeViewer(room=1)), self.join()
        for number in range(100):
            self.publish(a=number, b=-number)
            self.clock.advance(1)
        self.assertEqual(1, len(slow.written))
        self.assertEqual(101, len(good.written))
        slow.drain()
        self.hub.drained(slow)
        self.assertEqual([{}, {"a": 99, "b": -99}], slow.messages)

    def test_what_it_missed_goes_out_in_one_message(self) -> None:
        slow, _ = self.join(FakeViewer(room=1)), self.join()
        self.publish(a=1)
        self.clock.advance(1)
        self.publish(b=1)
        self.clock.advance(1)
        slow.drain(room=1)
        self.hub.drained(slow)
        self.assertEqual([{}, {"a": 1, "b": 1}], slow.messages)
        self.assertFalse(slow.ready)

    def test_a_viewer_whose_tombstones_are_gone_begins_anew(self) -> None:
        self.daemon = Daemonette(max_streams=2)
        self.state = self.daemon.state
        for encoding in (PLAIN_WEBSOCKET, V1_WEBSOCKET):
            self.hub = Hub(self.state, self.daemon.clock)
            self.publish(a=1)
            viewer = self.join(encoding=encoding)
            viewer.drain(room=0)
            self.publish(a=forget)
            self.publish(b=1, c=1)
            self.publish(b=forget, c=forget)  # their tombstones push out that of a
            viewer.drain()
            self.hub.drained(viewer)
            self.assertTrue(viewer.lost)

    def test_drained_with_nothing_missed(self) -> None:
        viewer = self.join(FakeViewer(room=1))
        viewer.drain()
        self.hub.drained(viewer)
        self.hub.drained(FakeViewer())
        self.assertEqual([{}], viewer.messages)

    def test_drained_keeps_the_pace(self) -> None:
        viewer = self.join()
        self.publish(a=1)
        for number in range(10):
            self.publish(a=number)
            self.hub.drained(viewer)
        self.assertEqual([{}, {"a": 1}], viewer.messages)

    def test_a_long_answer_is_cut_and_each_part_waits_for_the_one_before(self) -> None:
        whole = {f"s{number}": "x" * 9000 for number in range(40)}
        self.publish(**whole)
        viewer = self.join(FakeViewer(room=1))
        count = 1
        while viewer.holds != whole:
            self.assertEqual(count, len(viewer.written))
            viewer.drain(room=1)
            self.hub.drained(viewer)
            count += 1
        self.assertEqual(6, count)
        for text in texts(b"".join(viewer.written)):
            self.assertLessEqual(len(text), MAX_MESSAGE)

    def test_all_get_an_answer_that_is_slightly_longer_than_a_message(self) -> None:
        """Its texts fit, but not with what is around them: it leaves in pieces, and more follows."""
        longest = 0
        for size in range(9200, 9300, 4):  # seven texts fit; of some sizes, just so
            self.setUp()
            viewers = [self.join(encoding=V1_WEBSOCKET) for _ in range(2)]
            self.publish(a=0)
            for viewer in viewers:
                del viewer.written[:]
            self.publish(**dict.fromkeys("abcdefghij", "x" * size))
            self.take_turns()
            for viewer in viewers:
                told = [m for m in viewer.messages if m["type"] == "updates"]
                streams = [update["stream"] for message in told for update in message["updates"]]
                self.assertEqual(list("abcdefghij"), streams)
            longest = max(longest, *map(len, texts(b"".join(viewers[0].written))))
        self.assertGreater(longest, MAX_MESSAGE)

    def test_the_viewer_hears_of_the_end_of_a_long_answer(self) -> None:
        """Even if its socket always has room, and so never tells that all has left."""
        ends: list[bool] = []

        class Waiting(FakeViewer):
            def proceed(self) -> None:
                ends.append(self.cursor.backlog is None)

        self.publish(**{f"s{number}": "x" * 1000 for number in range(200)})
        self.join(Waiting())
        self.assertEqual([], ends)
        self.take_turns()
        self.assertEqual([False, False, True], ends)

    def test_a_long_hello_is_made_as_it_leaves(self) -> None:
        names = [f"stream-{number:060}" for number in range(6000)]
        self.publish(**dict.fromkeys(names, 1))
        viewer = self.join(FakeViewer(room=1), encoding=V1_WEBSOCKET)
        self.assertLess(len(viewer.written[0]), MAX_MESSAGE + 20)
        self.publish(**{names[-1]: forget, "late": 1})
        viewer.drain()
        self.hub.drained(viewer)
        self.take_turns()
        hello, *others = viewer.messages
        # What came meanwhile is told after it; what went is not told any more.
        self.assertEqual(names[:-1], [*hello["streams"]])
        self.assertEqual({*names[:-1], "late"}, {*hello["health"]} | {"late"})
        told = {u["stream"] for message in others for u in message.get("updates", ())}
        self.assertEqual({*names[:-1], "late"}, told)

    def test_what_changes_while_a_long_answer_leaves(self) -> None:
        self.publish(**{f"s{number}": "x" * 9000 for number in range(40)})
        viewer = self.join(FakeViewer(room=1))
        self.publish(s0=0, s39=39, new=1, s20=forget)
        self.clock.advance(1)
        for _ in range(20):
            viewer.drain(room=1)
            self.hub.drained(viewer)
        held = {name: held for name, held in viewer.holds.items() if held is not None}
        self.assertEqual(self.daemon.values(), held)


class FailureTests(HubTestCase):
    def test_a_viewer_that_raises_hurts_nobody(self) -> None:
        class Bad(FakeViewer):
            def write(self, data: bytes) -> None:
                if self.written:
                    raise ZeroDivisionError
                super().write(data)

        bad, good = [self.join(Bad()) for _ in range(3)], [self.join() for _ in range(3)]
        self.publish(a=1)
        self.assertEqual([{"a": 1}] * 3, [viewer.holds for viewer in good])
        self.assertEqual([True] * 3, [viewer.lost for viewer in bad])
        self.assertEqual((3, 3), (len(self.hub), self.hub.dropped))
        self.assertEqual(3, len(self.flushLoggedErrors(ZeroDivisionError)))
        self.publish(a=2)
        self.clock.advance(1)
        self.assertEqual([], self.flushLoggedErrors())

    def test_a_viewer_that_cannot_even_be_closed(self) -> None:
        class Worse(FakeViewer):
            def write(self, data: bytes) -> None:
                raise ZeroDivisionError

            def lose(self) -> None:
                raise KeyError

        self.join(Worse())
        self.assertEqual([{}], self.join().messages)
        self.assertEqual(1, len(self.hub))
        self.flushLoggedErrors(ZeroDivisionError, KeyError)

    def test_a_message_that_cannot_be_made_hurts_nobody_else(self) -> None:
        encoding, _ = self.counting(fail=True)
        unlucky, other = self.join(encoding=encoding), self.join()
        self.publish(a=1)
        self.assertEqual({"a": 1}, other.holds)
        self.assertEqual({}, unlucky.holds)
        self.assertFalse(unlucky.lost)
        self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))

    def test_another_log_sends_everybody_back(self) -> None:
        viewers = [self.join(), self.join(FakeViewer(room=0)), self.join(encoding=V1_WEBSOCKET)]
        self.publish(a=1)
        self.daemon.restart()
        self.hub.restart()
        self.assertEqual([True] * 3, [viewer.lost for viewer in viewers])
        self.assertEqual(0, len(self.hub))
        self.assertEqual({"a": 1}, self.join().holds)

    def test_its_viewers_are_told_as_soon_as_it_can_be_made_again(self) -> None:
        broken: list[bool] = []

        def write(answer: Answer, texts: Iterable[bytes]) -> Message:
            if broken:
                raise ZeroDivisionError
            return PLAIN_WEBSOCKET.write(answer, texts)

        viewer = self.join(encoding=PLAIN_WEBSOCKET._replace(write=write))
        broken.append(True)
        self.publish(a=1, b=1)
        self.clock.advance(1)
        broken.clear()
        self.publish(a=2)
        self.assertEqual([{}, {"a": 2, "b": 1}], viewer.messages)
        self.flushLoggedErrors(ZeroDivisionError)


class ComingAndGoingTests(HubTestCase):
    def test_a_viewer_that_left_gets_nothing_and_leaves_nothing(self) -> None:
        viewer = self.join()
        self.publish(a=1)
        self.publish(a=2)
        self.hub.leave(viewer)
        self.hub.leave(viewer)
        self.assertEqual([], self.clock.getDelayedCalls())
        self.clock.advance(1)
        self.publish(a=3)
        self.hub.drained(viewer)
        self.assertEqual({"a": 1}, viewer.holds)
        self.assertEqual(0, len(self.hub))

    def test_a_cursor_continues_where_it_was(self) -> None:
        self.publish(a=1, b=1)
        cursor = self.state.head
        self.publish(b=2)
        self.assertEqual([{"b": 2}], self.join(after=cursor).messages)
        self.assertEqual([], self.join(after=self.state.head).messages)

    def test_a_long_answer_to_a_cursor_waits_for_no_flush(self) -> None:
        self.join(pace=60.0, encoding=V1_WEBSOCKET)
        for number in range(100):
            self.publish(a=f"{number:04000}")  # only the first is flushed
        after = next(self.state.kept.log.after(ORIGIN)).at
        viewer = self.join(pace=60.0, after=after, encoding=V1_WEBSOCKET)
        self.take_turns()
        self.assertGreater(len(viewer.messages), 5)
        self.assertEqual(100, viewer.messages[-1]["updates"][-1]["seq"])

    def test_a_cursor_that_is_worth_nothing_begins_anew(self) -> None:
        self.publish(a=1, b=1)
        head = self.state.head
        for cursor in (Position(5, 5), Position(head.ms + 1, head.n)):
            self.assertEqual([{"a": 1, "b": 1}], self.join(after=cursor).messages)

    def test_a_viewer_that_joins_in_the_middle_of_a_write(self) -> None:
        test, late = self, FakeViewer()

        class Inviting(FakeViewer):
            def write(self, data: bytes) -> None:
                super().write(data)
                if len(self.written) == 2:
                    test.join(late)

        first = self.join(Inviting())
        self.publish(a=1)
        self.publish(a=2)
        self.clock.advance(1)
        self.assertEqual([{"a": 1}, {"a": 2}], late.messages)
        self.assertEqual([{}, {"a": 1}, {"a": 2}], first.messages)

    def test_a_viewer_that_leaves_in_the_middle_of_its_own_write(self) -> None:
        hub = self.hub

        class Leaving(FakeViewer):
            def write(self, data: bytes) -> None:
                super().write(data)
                if len(self.written) == 2:
                    self.ready = False
                    hub.leave(self)

        leaving, staying = self.join(Leaving()), self.join()
        self.publish(a=1)
        self.clock.advance(1)
        self.publish(a=2)
        self.assertEqual({"a": 1}, leaving.holds)
        self.assertEqual({"a": 2}, staying.holds)


class ArrivingTests(HubTestCase):
    """New selections with globs over many streams are matched in slices."""

    def setUp(self) -> None:
        super().setUp()
        self.publish(**{f"s{number}": number for number in range(6000)})

    def test_the_answer_waits_and_others_come_first(self) -> None:
        slow = self.join(streams=["*1", "*22*"])
        self.assertEqual([], slow.written)
        self.assertEqual(1, len(self.hub))
        quick = self.join(streams=["s1"])
        self.assertEqual([{"s1": 1}], quick.messages)
        self.publish(s1=-1)
        self.take_turns()
        wanted = {n: v for n, v in self.daemon.values().items() if n[-1] == "1" or "22" in n}
        self.assertEqual(wanted, slow.holds)
        self.publish(s22=-22)
        self.clock.advance(1)
        self.assertEqual(-22, slow.holds["s22"])

    def test_a_turn_has_a_budget(self) -> None:
        turns = 0

        class Slow(Selection):
            def __contains__(_, name: str) -> bool:
                self.clock.rightNow += 1e-5
                return name[-1] == "1"

        viewers = [FakeViewer() for _ in range(3)]
        for number, viewer in enumerate(viewers):
            subscription = Subscription(Slow([f"*1{number}"]))
            self.hub.join(viewer, subscription, PLAIN_WEBSOCKET, self.daemon.times.now())
        while not all(viewer.written for viewer in viewers):
            [call], self.clock.calls = self.clock.calls, []
            began = self.clock.seconds()
            call.called = 1
            call.func(*call.args)
            self.assertLess(self.clock.seconds() - began, TURN + SLICE * 1e-5)
            turns += 1
        self.assertGreater(turns, 4)

    def test_a_viewer_that_leaves_meanwhile(self) -> None:
        looks = 0

        class Counting(Selection):
            def __contains__(_, name: str) -> bool:
                nonlocal looks
                looks += 1
                return False

        viewer, subscription = FakeViewer(), Subscription(Counting(["*1", "*2"]))
        self.hub.join(viewer, subscription, PLAIN_WEBSOCKET, self.daemon.times.now())
        self.hub.leave(viewer)
        self.assertEqual(0, len(self.hub))
        before = looks
        self.take_turns()
        self.assertEqual([], viewer.written)
        self.assertEqual(before, looks, "nothing is matched for it any more")
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_one_that_cannot_begin(self) -> None:
        """Its failure is its own, and it does not wait for ever."""

        def welcome(told: Welcome) -> Iterable[bytes]:
            raise ZeroDivisionError

        encoding = PLAIN_WEBSOCKET._replace(welcome=welcome)
        viewer = self.join(streams=["*1", "*2"], encoding=encoding)
        self.take_turns()
        self.assertTrue(viewer.lost)
        self.assertEqual(0, len(self.hub))
        self.flushLoggedErrors(ZeroDivisionError)

    def test_another_log_sends_it_back_too(self) -> None:
        viewer = self.join(streams=["*1", "*2"])
        self.hub.restart()
        self.assertTrue(viewer.lost)
        self.assertEqual(0, len(self.hub))

    def test_the_time_in_the_hello_is_the_time_of_the_answer(self) -> None:
        viewer = self.join(streams=["*1", "*2"], encoding=V1_WEBSOCKET)
        self.clock.rightNow += 3  # a turn that takes long
        before = self.daemon.times.now()
        self.take_turns()
        self.assertGreaterEqual(viewer.messages[0]["now"], before)

    def test_stop(self) -> None:
        self.join(streams=["*1", "*2"])
        self.hub.stop()
        self.assertEqual([], self.clock.getDelayedCalls())


class TickTests(HubTestCase):
    def test_a_tick_of_many_audiences_takes_several_turns(self) -> None:
        self.publish(a=1)

        class Costly(FakeViewer):
            def write(viewer, data: bytes) -> None:
                super().write(data)
                self.clock.rightNow += TURN / 4

        viewers = [
            self.join(Costly(), streams=["a", f"x{n}"], encoding=V1_WEBSOCKET) for n in range(20)
        ]
        self.clock.advance(1)
        self.hub.tick(self.daemon.times.now())
        self.clock.advance(PAUSE)
        told = [viewer for viewer in viewers if viewer.messages[-1]["type"] == "tick"]
        self.assertEqual(4, len(told))
        self.take_turns()
        told = [viewer for viewer in viewers if viewer.messages[-1]["type"] == "tick"]
        self.assertEqual(20, len(told))

    def test_viewers_that_missed_a_tick_get_its_proofs_with_the_next(self) -> None:
        self.publish(a=1)

        class Costly(FakeViewer):
            def write(viewer, data: bytes) -> None:
                super().write(data)
                self.clock.rightNow += TURN

        viewers = [
            self.join(Costly(), streams=["a", f"x{n}"], encoding=V1_WEBSOCKET) for n in range(3)
        ]
        self.publish(a=2)
        self.clock.advance(1)
        for _ in range(2):
            self.hub.tick(self.daemon.times.now())
            self.clock.advance(PAUSE)
        self.take_turns()
        ticks = [[m for m in v.messages if m["type"] == "tick"] for v in viewers]
        self.assertEqual([2, 1, 1], [len(told) for told in ticks])
        for told in ticks:
            self.assertIn("a", {name for tick in told for name in tick["proof"]})

    def test_a_stream_that_changes_before_every_tick_is_in_every_tick(self) -> None:
        """A source and the ticks may keep step: then a change always waits for its flush."""
        self.publish(a=1)
        viewer = self.join(encoding=V1_WEBSOCKET)
        for number in range(3):
            self.clock.advance(1)
            self.publish(a=2 * number)
            self.publish(a=2 * number + 1)  # it waits for the pace
            self.hub.tick(self.daemon.times.now())
            self.take_turns()
        ticks = [message for message in viewer.messages if message["type"] == "tick"]
        self.assertEqual([{"a"}] * 3, [tick["proof"].keys() for tick in ticks])


class AnythingTests(HubTestCase):
    """Viewers come, go, stall and break at every moment; all who are left have the state."""

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 2**32), st.booleans())
    def test_every_viewer_that_reads_has_the_state_in_the_end(self, seed: int, large: bool) -> None:
        self.setUp()
        rng = random.Random(seed)
        viewers: list[FakeViewer] = []
        selections: dict[FakeViewer, Selection] = {}

        def join() -> None:
            viewer = Restless() if rng.random() < 0.3 else FakeViewer(rng.choice((1, 3, 1e9)))
            streams = rng.choice((None, ["a"], ["b*", "c"], []))
            selections[viewer] = Selection(streams)
            viewers.append(viewer)
            self.join(viewer, streams, rng.choice((PACE, PACE * 4)))

        def leave() -> None:
            if viewers:
                viewer = viewers.pop(rng.randrange(len(viewers)))
                self.hub.leave(viewer)
                viewer.ready = False

        def drain() -> None:
            for viewer in rng.sample(viewers, rng.randint(0, len(viewers))):
                viewer.drain(rng.choice((1, 2)))
                self.hub.drained(viewer)

        def publish() -> None:
            size = rng.choice((0, 30_000)) if large else 0
            name = rng.choice(("a", "b1", "b2", "c"))
            if rng.random() < 0.2 and self.state.get(name):
                self.publish(**{name: forget})
            else:
                self.publish(**{name: str(rng.randrange(1000)) + "x" * size})

        class Restless(FakeViewer):
            """Makes others come and go in the middle of a broadcast."""

            def write(self, data: bytes) -> None:
                super().write(data)
                if rng.random() < 0.1 and len(viewers) < 30:
                    rng.choice((join, leave))()

        for _ in range(40):
            rng.choice((join, leave, drain, publish, publish, publish))()
            self.clock.advance(rng.choice((0, 0.001, PACE, 1)))
        self.clock.advance(1)
        while stalled := [viewer for viewer in viewers if not viewer.ready]:
            stalled[0].drain()  # one by one: in the middle of it others come and go
            self.hub.drained(stalled[0])
            self.take_turns()
        self.take_turns()
        self.assertEqual(len(viewers), len(self.hub))
        for viewer in viewers:
            held = {name: held for name, held in viewer.holds.items() if held is not None}
            state = {n: v for n, v in self.daemon.values().items() if n in selections[viewer]}
            self.assertEqual(state, held)
        for viewer in viewers:
            self.hub.leave(viewer)
        self.assertEqual([], self.clock.getDelayedCalls())


def keeps_the_promise(viewer: FakeViewer) -> Viewer:
    """For mypy: the fake is what the hub asks for."""
    return viewer
